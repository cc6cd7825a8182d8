/* Events of a phone call (docs/VOICE.md): what ingress tells of it on desk.inbound.voice, and the
 * frames that speak into it on desk.voice.stream. As contract/event.h: texts of a decoded event
 * live in the arena, decoding fails with PERMANENT "event.*", any thread.
 *
 * An encoder asserts that texts are UTF-8 and that texts and numbers are within the bounds below:
 * what a provider or a model wrote is cut before. Shapes and what belongs together are the reader's
 * to refuse. */
#ifndef DESK_CONTRACT_VOICE_H
#define DESK_CONTRACT_VOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/event.h"

#define EVENT_VOICE_SETUP       "desk.voice.setup.v1"
#define EVENT_VOICE_PROMPT      "desk.voice.prompt.v1"
#define EVENT_VOICE_HEARD       "desk.voice.heard.v1"
#define EVENT_VOICE_ENDED       "desk.voice.ended.v1"
#define EVENT_VOICE_DIALLED     "desk.voice.dialled.v1"
#define EVENT_VOICE_ANSWERED    "desk.voice.answered.v1"
#define EVENT_VOICE_RECORDED    "desk.voice.recorded.v1"
#define EVENT_VOICE_TRANSCRIBED "desk.voice.transcribed.v1"
#define EVENT_VOICE_FRAME       "desk.voice.frame.v1"

#define VOICE_PROMPT_MAX     4096  /* bytes of one utterance of the caller */
#define VOICE_PIECE_MAX      2048  /* bytes of one frame's text */
#define VOICE_HEARD_MAX      16384 /* bytes of what was heard of a turn */
#define VOICE_HANDOFF_MAX    4096  /* bytes of JSON */
#define VOICE_KEYS_MAX       64    /* digits */
#define VOICE_ADDRESS_MAX    320   /* bytes of a caller's or forwarder's address */
#define VOICE_NAME_MAX       255   /* bytes of a caller's name */
#define VOICE_ATTESTED_MAX   16    /* bytes of a word */
#define VOICE_GONE_MAX_MS    60000
#define VOICE_LANG_MAX       35   /* bytes of a language tag */
#define VOICE_TRANSCRIPT_MAX 4096 /* bytes of what was understood of a message */
#define VOICE_URL_MAX        2048 /* bytes of a recording's URL */
#define VOICE_STEP_MAX       1000000
#define VOICE_FRAME_LATE_MS  5000 /* a frame that no broker has by then never leaves */
#define VOICE_WAIT_MAX       100  /* times that one step is waited for */
#define VOICE_SEQ_MAX        1000000
#define VOICE_NUMBER_MAX     1000000000 /* frames of one relay session */
#define VOICE_PARTITION_MAX  999
#define VOICE_SECONDS_MAX    604800           /* of a call, a talk, a recording: a week */
#define VOICE_SPOKEN_MS_MAX  604800000LL      /* the same */
#define VOICE_COUNT_MAX      9007199254740991 /* epoch, fence, turn_number: what JSON carries */

/* Which call; a part of every event on desk.inbound.voice. */
struct voice_call {
    const char *call_sid, *account_sid;
    const char *from;          /* the person at the other end, also of a call that we placed: E.164,
                                  or the provider's word for one who withheld it, or "" */
    const char *to;            /* our number, E.164 */
    const char *relay_session; /* VX...; "" in webhook mode */
    int stream_partition;      /* of desk.voice.stream: where the call's ingress reads */
};

/* Why ingress says how far a turn was spoken. */
enum voice_reason {
    VOICE_LAST,
    VOICE_INTERRUPT,
    VOICE_STALL,
    VOICE_OPEN,
    VOICE_CLOSE,
    VOICE_STOP,
    VOICE_FALLBACK,
};
extern const char *const voice_reason_names[]; /* by that number */

/* How far a turn was spoken. */
struct voice_spoken {
    struct uuid turn;     /* nil: of none; the others then do not count (decoded: 0, -1, "") */
    int64_t fence, epoch; /* of the frames given to the caller */
    int64_t seq;          /* of the last frame given to the caller; -1: none */
    const char *text;     /* up to there, as far as it was heard; may be "" */
};

/* A relay socket of the call is there, or the first step of webhook mode, or the request that waits
 * on for a step's answer, on another partition perhaps. */
struct voice_setup {
    struct event event;
    struct voice_call call;
    bool outbound;                            /* we placed the call */
    bool resumed;                             /* not the call's first: no greeting again */
    int64_t step;                             /* webhook mode: what is waited for; 0: nothing */
    int wait;                                 /* for how many times now, from 1; 0: not */
    const char *forwarded_from, *caller_name; /* "" if not told */
    const char *attestation; /* what the carrier has found of `from`: "full", "partial", "failed";
                                "": nothing, or nobody has told */
    int64_t gone_ms;         /* for so long the socket before was known to be gone; 0: not told */
    struct voice_spoken spoken; /* of the current turn, where this ingress knows; else no turn */
};
void voice_setup_encode(struct arena *arena, const char *prefix, const struct voice_setup *in,
                        struct bus_record *record);
int voice_setup_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_setup *out, struct err *err);

/* The caller said something, or pressed keys. */
struct voice_prompt {
    struct event event;
    struct voice_call call;
    int64_t number;    /* of the frame or step; > 0 and rising within a relay session */
    const char *text;  /* "" exactly when there are keys */
    const char *keys;  /* 0-9 * # A-D; "" if none */
    const char *lang;  /* tag, "" if not told */
    int confidence_pm; /* per mille; 0: not told, as speech engines mean it */
};
void voice_prompt_encode(struct arena *arena, const char *prefix, const struct voice_prompt *in,
                         struct bus_record *record);
int voice_prompt_decode(struct arena *arena, const struct bus_record *record,
                        struct voice_prompt *out, struct err *err);

/* What became of a turn's words. `spoken` names a turn. */
struct voice_heard {
    struct event event;
    struct voice_call call;
    enum voice_reason reason;
    struct voice_spoken spoken;
    int64_t spoken_ms; /* how long it sounded, by our clock */
};
void voice_heard_encode(struct arena *arena, const char *prefix, const struct voice_heard *in,
                        struct bus_record *record);
int voice_heard_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_heard *out, struct err *err);

enum voice_end {
    VOICE_HUNG_UP,
    VOICE_COMPLETED,
    VOICE_FAILED,
    VOICE_NO_ANSWER,
    VOICE_BUSY,
    VOICE_CANCELED
};

/* The call is over. */
struct voice_ended {
    struct event event;
    struct voice_call call;
    enum voice_end reason;
    int64_t duration_s;         /* -1: not told */
    bool outbound;              /* we placed the call */
    bool found;                 /* no ingress tells it: the provider's list of calls does */
    bool missed;                /* people are to be told, if nobody has answered the caller */
    struct voice_spoken spoken; /* of the last turn, where this ingress knows; else no turn */
};
void voice_ended_encode(struct arena *arena, const char *prefix, const struct voice_ended *in,
                        struct bus_record *record);
int voice_ended_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_ended *out, struct err *err);

enum voice_dial {
    VOICE_ACCEPTED,
    VOICE_REFUSED,
    VOICE_DIAL_NO_ANSWER,
    VOICE_DIAL_BUSY,
    VOICE_DIAL_FAILED,
    VOICE_DIAL_HUNG_UP,
    VOICE_DIAL_VOICEMAIL /* a machine took it; how the dialling ended may be told besides */
};

extern const char *const voice_dial_names[]; /* by that number */

/* A transfer that we asked for came to its end. */
struct voice_dialled {
    struct event event;
    struct voice_call call;
    struct uuid dial; /* ours */
    enum voice_dial outcome;
    int64_t duration_s; /* of the talk; 0 if there was none */
};
void voice_dialled_encode(struct arena *arena, const char *prefix, const struct voice_dialled *in,
                          struct bus_record *record);
int voice_dialled_decode(struct arena *arena, const struct bus_record *record,
                         struct voice_dialled *out, struct err *err);

enum voice_answer {
    VOICE_ANSWER_HUMAN,    /* somebody took it */
    VOICE_ANSWER_MACHINE,  /* an answering machine or a fax did */
    VOICE_ANSWER_ACCEPTED, /* whoever was asked takes what it is about */
    VOICE_ANSWER_REFUSED   /* and does not */
};
extern const char *const voice_answer_names[]; /* by that number */

/* A call that we placed was taken. */
struct voice_answered {
    struct event event;
    struct voice_call call;
    struct uuid delivery; /* that the call is */
    enum voice_answer outcome;
};
void voice_answered_encode(struct arena *arena, const char *prefix, const struct voice_answered *in,
                           struct bus_record *record);
int voice_answered_decode(struct arena *arena, const struct bus_record *record,
                          struct voice_answered *out, struct err *err);

enum voice_record_why {
    VOICE_RECORD_FALLBACK,
    VOICE_RECORD_CLOSED,
    VOICE_RECORD_ASKED,
    VOICE_RECORD_TRANSFER
};

/* The caller left a message. */
struct voice_recorded {
    struct event event;
    struct voice_call call;
    const char *recording_sid; /* RE... */
    const char *url;           /* as the provider gave it */
    int64_t duration_s;
    enum voice_record_why why;
    bool transcript_follows; /* the provider was asked to write it down, and tells of it */
};
void voice_recorded_encode(struct arena *arena, const char *prefix, const struct voice_recorded *in,
                           struct bus_record *record);
int voice_recorded_decode(struct arena *arena, const struct bus_record *record,
                          struct voice_recorded *out, struct err *err);

/* What the provider understood of a message, or that it understood nothing. It may come before the
 * event of its recording. */
struct voice_transcribed {
    struct event event;
    struct voice_call call;
    const char *recording_sid; /* RE... */
    const char *text;          /* "" of none */
};
void voice_transcribed_encode(struct arena *arena, const char *prefix,
                              const struct voice_transcribed *in, struct bus_record *record);
int voice_transcribed_decode(struct arena *arena, const struct bus_record *record,
                             struct voice_transcribed *out, struct err *err);

/* The ce_id of a recording's transcript, in the arena. */
const char *voice_transcript_id(struct arena *arena, const char *recording_sid);

enum voice_frame_kind {
    VOICE_FRAME_OPEN,
    VOICE_FRAME_TEXT,
    VOICE_FRAME_LANGUAGE,
    VOICE_FRAME_KEYS,
    VOICE_FRAME_END,
    VOICE_FRAME_STOP,
    VOICE_FRAME_STEP,
};

/* A frame of desk.voice.stream. Key: the call. A member that its kind does not name is "", 0,
 * false; STOP names no turn: turn_number, fence and seq are 0 there. The encoder leaves the
 * record's partition to its caller: the call's stream_partition. */
struct voice_frame {
    struct event event;
    const char *call_sid;
    struct uuid turn;
    int64_t turn_number; /* from 1; rises within a call, so that two turns can be put in order */
    int64_t epoch, fence, seq; /* seq: from 0; 0 of OPEN */
    enum voice_frame_kind kind;
    const char *text;    /* TEXT: "" only with `last`; STEP: "" only with a handoff */
    bool last;           /* TEXT: it ends the turn's words */
    bool aside;          /* TEXT: spoken, but no part of the reply: never in what was heard */
    const char *lang;    /* LANGUAGE; TEXT and STEP: "" as before */
    const char *keys;    /* KEYS: 0-9 * # w */
    const char *handoff; /* END; STEP: "" if none. JSON object: what the action is to do */
    int64_t step;        /* STEP: which one it answers, from 1 */
    int64_t prompt; /* all but STOP and STEP: the newest one that the turn answers; 0: not told */
};
void voice_frame_encode(struct arena *arena, const char *prefix, const struct voice_frame *in,
                        struct bus_record *record);
int voice_frame_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_frame *out, struct err *err);

/* Who the caller is: `from` where that is his number, else the CallSid: a caller who withholds his
 * number is a contact of his own per call. Some carriers spell the word in digits (+266696687 is
 * "anonymous"); such a number is nobody's. Borrowed from the call. */
const char *voice_contact(const struct voice_call *call);

#endif
