/* One phone call at the ingress that holds it: what comes in, what is to be done, in order. Pure:
 * no socket, no Kafka, no timer; the caller gives the time (monotonic milliseconds, never going
 * back) and does what the acts say. The call is the only judge of what was spoken (docs/VOICE.md;
 * states in docs/CALL.md). Not thread-safe: a call belongs to one thread at a time.
 *
 * An error frame of the relay changes nothing here: a session that it ends closes its socket. */
#ifndef DESK_INGRESS_CALL_H
#define DESK_INGRESS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "call_table.h"
#include "contract/voice.h"

#define CALL_STALL_MS    1500   /* without a frame in mid-turn, or for a frame that is missing */
#define CALL_FILLER_MS   4000   /* of silence while we have the word */
#define CALL_FALLBACK_MS 12000  /* without a frame while we have the word */
#define CALL_KEYS_MS     2000   /* between two keys of one prompt */
#define CALL_PART_MS     10000  /* for Twilio to end a session after `end` */
#define CALL_LINGER_MS   120000 /* for another socket of the call */
#define CALL_MOVED_MS    5000   /* in a drain, until somebody has the call that left */
#define CALL_PAUSE_MS    2500   /* of a caller whose words may still come as a prompt */
#define CALL_BREATH_MS   1500   /* the same, where no words have come of it for 12 s */
#define CALL_SPEECH_MS   30000  /* without a pause: longer he does not speak, we were not told */

/* What a business says by itself in one language: UTF-8, none of them empty. */
struct call_phrases {
    const char *lang; /* tag */
    const char *filler, *filler_again;
    const char *fallback;    /* asks for a message after the tone */
    const char *still_there; /* to a caller who says nothing */
    const char *goodbye;     /* to one who still says nothing */
};

struct call_words {
    const struct call_phrases *phrases; /* the first is the default */
    size_t phrase_count;                /* at least 1 */
    const char *greeting; /* what Twilio says at the call's first socket; "" if the desk is to */
    int chars_per_s;      /* the speaking rate */
    int64_t silence_ms;   /* a caller who says nothing for so long is asked; 0: never */
};

struct call_options {
    const char *tenant;     /* uuid text */
    struct voice_call call; /* relay_session is not read */
    bool outbound, resumed; /* resumed: another ingress, or an earlier process, had the call */
    bool missed;            /* people are to be told, if nobody answered the caller */
    const char *forwarded_from, *caller_name; /* "" if not told */
    const char *attestation;                  /* of struct voice_setup */
    const struct call_words *words;           /* borrowed for the call's life */
};

struct call;

/* Returns an owned call that waits for its first socket; copies the texts of the options. */
struct call *call_new(const struct call_options *options, int64_t now_ms);

/* Sets *call to NULL; accepts NULL. */
void call_free(struct call **call);

/* ---- what is to be done ---- */

enum call_act_kind {
    CALL_ACT_SAY,      /* a text frame: token, lang ("" as before), last */
    CALL_ACT_DROP,     /* texts that wait for the socket are thrown away */
    CALL_ACT_LANGUAGE, /* a language frame: text is the tag */
    CALL_ACT_KEYS,     /* a sendDigits frame: text is the digits */
    CALL_ACT_END,      /* an end frame: text is the handoff */
    CALL_ACT_CLOSE,    /* close the socket `socket` */
    CALL_ACT_SETUP,    /* publish; event.time_ms and traceparent of these are the caller's to set */
    CALL_ACT_PROMPT,
    CALL_ACT_HEARD,
    CALL_ACT_ENDED,
    CALL_ACT_FORGET, /* call_free: nothing comes any more */
};

struct call_act {
    enum call_act_kind kind;
    uint64_t socket;  /* CLOSE */
    const char *text; /* SAY: the token */
    const char *lang; /* SAY */
    bool last;        /* SAY: ends the talk cycle */
    const struct voice_setup *setup;
    const struct voice_prompt *prompt;
    const struct voice_heard *heard;
    const struct voice_ended *ended;
};

#define CALL_ACTS_MAX 64

/* Filled by each call below; what it points to lives in the arena, or in the call until its next
 * event. The caller empties it (count = 0) after doing all of it. */
struct call_acts {
    struct arena *arena; /* borrowed */
    struct call_act list[CALL_ACTS_MAX];
    size_t count;
    int64_t due_ms; /* call_tick is wanted then; -1: not at all */
};

/* ---- what comes in ---- */

enum call_relay_kind {
    CALL_RELAY_SETUP,     /* session */
    CALL_RELAY_PROMPT,    /* text, lang, partial */
    CALL_RELAY_INTERRUPT, /* text: what Twilio says he heard */
    CALL_RELAY_DIGIT,     /* digit */
    CALL_RELAY_SPEAKING,  /* on: the caller began to speak, else he ceased */
    CALL_RELAY_CLOSED,
};

/* A frame of the relay, or the end of its socket. Texts may be anything that JSON can carry. */
struct call_relay {
    enum call_relay_kind kind;
    uint64_t socket;     /* which socket of this process; never 0, never used again */
    const char *session; /* VX... */
    const char *text, *lang;
    bool partial, on;
    bool greets;     /* SETUP: not the call's first here, but Twilio greets again */
    int64_t gone_ms; /* SETUP: of struct voice_setup */
    char digit;
};

/* Takes what came from a socket. False: it is refused or means nothing (a second setup of a socket,
 * a socket that is not the call's any more, a text that is empty or no UTF-8, no such key). */
bool call_relay(struct call *call, int64_t now_ms, const struct call_relay *event,
                struct call_acts *acts);

/* What became of a frame of desk.voice.stream. */
enum call_verdict {
    VERDICT_TAKEN,
    VERDICT_HELD,        /* an earlier one is missing */
    VERDICT_FOREIGN,     /* another call's, or webhook mode's */
    VERDICT_OLD_EPOCH,   /* a person took over since, or the conversation moved */
    VERDICT_OLD_FENCE,   /* another engine has the turn */
    VERDICT_OLD_TURN,    /* a newer turn has begun */
    VERDICT_REPEAT,      /* taken before */
    VERDICT_SHUT,        /* the fence was given up, or its turn is at its end */
    VERDICT_INTERRUPTED, /* the caller cut into this turn */
    VERDICT_OVER,        /* after the fallback, after `end`, or without a socket */
    VERDICT_AGAIN,       /* a turn that was heard begins anew without asking what was heard */
    VERDICTS,
};

/* Takes a decoded frame. */
enum call_verdict call_frame(struct call *call, int64_t now_ms, const struct voice_frame *frame,
                             struct call_acts *acts);

/* A record that the acts asked for was not taken by Kafka, or could not even be queued. */
void call_failed(struct call *call, int64_t now_ms, struct call_acts *acts);

/* The call is over, by the word of the provider; duration_s: -1 if not told. */
void call_ended(struct call *call, int64_t now_ms, enum voice_end reason, int64_t duration_s,
                struct call_acts *acts);

/* This process ends: the call is moved to another as soon as nobody speaks, or has just spoken. */
void call_drain(struct call *call, int64_t now_ms, struct call_acts *acts);

/* This process ends very soon: the call leaves its socket, whoever speaks. */
void call_leave(struct call *call, int64_t now_ms, struct call_acts *acts);

/* The time that was asked for has come, or any other. */
void call_tick(struct call *call, int64_t now_ms, struct call_acts *acts);

/* ---- for metrics and tests ---- */

/* Where its table stands (docs/CALL.md). */
enum call_state call_state(const struct call *call);

/* When call_tick is wanted; -1: not at all. */
int64_t call_due(const struct call *call);

/* Bytes that the call holds at the moment, texts included. */
size_t call_memory(const struct call *call);

#endif
