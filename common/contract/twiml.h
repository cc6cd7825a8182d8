/* TwiML: the XML documents with which we tell Twilio what a call does next; the verbs that we use
 * and no others. schema/twiml.json is the table of the format, schema/twiml/ holds documents that
 * this writer makes. Source: Twilio's "TwiML for Programmable Voice" and the pages of its verbs.
 *
 *     struct twiml twiml;
 *     twiml_init(&twiml);
 *     twiml_say(&twiml, &voice, "One moment, please.");
 *     twiml_redirect(&twiml, url);
 *     if (twiml_finish(&twiml, &err) == 0)
 *         ... twiml.out.data ...
 *     twiml_fini(&twiml);
 *
 * A verb's function cannot fail; the first mistake is kept, nothing is written behind it, and
 * twiml_finish tells it: all are BUG. "twiml.order": a verb where it may not stand, or where
 * nothing runs any more; "twiml.attribute": a value out of its bounds or missing; "twiml.text": a
 * text that is not UTF-8; "twiml.size": more than TWIML_BYTES_MAX.
 *
 * Attributes that are NULL, 0 or TWIML_UNSET are left out: Twilio's default holds. URLs are
 * absolute. White space becomes spaces, and what XML 1.0 does not allow is left out. Arguments are
 * borrowed for the call. Not thread-safe: one document belongs to one thread. */
#ifndef DESK_CONTRACT_TWIML_H
#define DESK_CONTRACT_TWIML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strbuf.h"

#define TWIML_BYTES_MAX       (64 * 1024) /* Twilio refuses more (11750) */
#define TWIML_SAY_MAX         3000        /* characters of one spoken text: Polly's limit (13521) */
#define TWIML_SAY_ENCODED_MAX 4500        /* of the same text, percent-encoded (13521) */
#define TWIML_URL_MAX         2048
#define TWIML_WORD_MAX        128 /* of voices, models, languages */
#define TWIML_HINTS_MAX       500
#define TWIML_HINT_MAX        100 /* characters of one */
#define TWIML_NUMBERS_MAX     10  /* that one Dial rings */
#define TWIML_LANGUAGES_MAX   20
#define TWIML_AUTO            (-1) /* of speech_timeout_s: at the first pause */

/* True for the name of a voice, a model, a provider or a language: 1 to TWIML_WORD_MAX letters,
 * digits, '.', '_' and '-'. A document with another one in such a place is refused. */
bool twiml_is_word(const char *text);

enum twiml_flag { TWIML_UNSET, TWIML_NO, TWIML_YES };

/* A document in the making, in caller's storage. */
struct twiml {
    struct strbuf out; /* the document, once it is finished */
    bool cut;          /* a text was longer than its limit */

    /* private */
    struct err bug;
    bool failed, finished, over;
    const char *open[4]; /* names of the elements that are open */
    int depth, verbs;
    bool needs_more; /* the last verb leaves the call without a next step */
};

/* Starts an empty document; twiml_fini gives its memory back. */
void twiml_init(struct twiml *twiml);
void twiml_fini(struct twiml *twiml);

/* Ends the document, which must not go on after that. Without a verb it is <Response/>: the call
 * ends. BUG as above; also "twiml.order" if a Gather is still open, or if nothing follows one whose
 * action is not asked for an empty result: the call would end in mid-word. */
int twiml_finish(struct twiml *twiml, struct err *err);

/* ---- verbs ---- */

struct twiml_voice {
    const char *voice;    /* "Polly.Joanna-Neural" */
    const char *language; /* "en-US" */
};

/* Speaks a text. Over TWIML_SAY_MAX characters, or TWIML_SAY_ENCODED_MAX encoded, it is cut at the
 * last sentence that fits, else at a word, else between characters. A text without a visible sign
 * writes nothing. `voice` may be NULL. */
void twiml_say(struct twiml *twiml, const struct twiml_voice *voice, const char *text);

/* Goes on with the document at `url` (POST). Nothing may follow. */
void twiml_redirect(struct twiml *twiml, const char *url);

/* Ends the call. Nothing may follow. */
void twiml_hangup(struct twiml *twiml);

/* Does not answer the call: busy, or rejected. Only alone in a document. */
void twiml_reject(struct twiml *twiml, bool busy);

/* Hints for speech recognition: an empty one, one over TWIML_HINT_MAX characters, and those after
 * TWIML_HINTS_MAX are left out; a comma in one becomes a space. */
struct twiml_hints {
    const char *const *items;
    size_t count;
};

struct twiml_gather {
    const char *input;  /* "dtmf", "speech", "dtmf speech"; required */
    const char *action; /* required */
    enum twiml_flag action_on_empty_result;
    int num_digits;       /* 1-1000 keys that end it at once */
    int timeout_s;        /* 1-600, until input begins */
    int speech_timeout_s; /* 1-600 of silence that end it, or TWIML_AUTO, without speech_model */
    const char *speech_model; /* "phone_call", "deepgram_nova-3", ... */
    const char *language;
    struct twiml_hints hints;
};

/* Asks for speech or keys. Between the two calls stand the Say, Play and Pause that the caller
 * hears meanwhile. */
void twiml_begin_gather(struct twiml *twiml, const struct twiml_gather *gather);
void twiml_end_gather(struct twiml *twiml);

/* A language that ConversationRelay prepares. */
struct twiml_language {
    const char *code; /* "de-DE", "multi"; required */
    const char *tts_provider, *voice, *transcription_provider, *speech_model;
};

struct twiml_relay {
    const char *action;                         /* of Connect; required */
    const char *url;                            /* wss://; required */
    const char *welcome_greeting;               /* cut as a Say is */
    const char *welcome_greeting_interruptible; /* "none", "dtmf", "speech", "any" */
    const char *language;
    const char *tts_provider;                     /* "Google", "Amazon", "ElevenLabs" */
    const char *voice;                            /* "Joanna-Neural": without "Polly." */
    const char *transcription_provider;           /* "Google", "Deepgram" */
    const char *speech_model;                     /* "telephony", "nova-3-general", ... */
    const char *interruptible;                    /* as welcome_greeting_interruptible */
    const char *interrupt_sensitivity;            /* "low", "medium", "high" */
    const char *report_input_during_agent_speech; /* as welcome_greeting_interruptible */
    enum twiml_flag preemptible, dtmf_detection;
    struct twiml_hints hints;
    enum twiml_flag ignore_backchannel;
    const char *events; /* "speaker-events", "tokens-played", both with a space between */
    const struct twiml_language *languages;
    size_t language_count;            /* at most TWIML_LANGUAGES_MAX */
    const char *attestation, *parted; /* Parameters, which come back in the socket's `setup` */
};

/* Hands the call to a ConversationRelay session. Nothing may follow: its action goes on. */
void twiml_connect(struct twiml *twiml, const struct twiml_relay *relay);

/* Somebody to ring. */
struct twiml_number {
    const char *number; /* E.164; required */
    const char *url;    /* the whisper: TwiML for the callee before the two are joined */
    const char *method; /* of the whisper: "GET", "POST" */
    const char *status_callback;
    const char *status_callback_event; /* of initiated, ringing, answered, completed */
    const char *machine_detection;     /* "Enable", "DetectMessageEnd": beside the call, which it
                                          does not hold up */
    const char *amd_status_callback;   /* gets AnsweredBy, of the callee's leg */
};

struct twiml_dial {
    const char *action;    /* required */
    int timeout_s;         /* 5-600 of ringing */
    int time_limit_s;      /* 1-14400 of talk */
    const char *caller_id; /* E.164 */
    enum twiml_flag answer_on_bridge;
    const struct twiml_number *numbers;
    size_t number_count; /* 1 to TWIML_NUMBERS_MAX, rung at once */
};

/* Transfers the call. Nothing may follow: its action goes on. */
void twiml_dial(struct twiml *twiml, const struct twiml_dial *dial);

struct twiml_record {
    const char *action;        /* required */
    int timeout_s;             /* 1-600 of silence that end it */
    const char *finish_on_key; /* some of 1234567890*#; "" is none */
    int max_length_s;          /* 1-14400; 2-120 with transcribe */
    enum twiml_flag play_beep;
    const char *trim; /* "trim-silence", "do-not-trim" */
    const char *recording_status_callback;
    const char *recording_status_callback_event; /* of in-progress, completed, absent */
    enum twiml_flag transcribe;                  /* unset is off */
    const char *transcribe_callback;
};

/* Records a message. What follows runs only when nobody said anything. */
void twiml_record(struct twiml *twiml, const struct twiml_record *record);

#endif
