/* Events of a phone call (docs/VOICE.md): what ingress tells of it on desk.inbound.voice, and the
 * frames that speak into it on desk.voice.stream. As contract/event.h: texts of a decoded event
 * live in the arena, decoding fails with PERMANENT "event.*", any thread. */
#ifndef DESK_CONTRACT_VOICE_H
#define DESK_CONTRACT_VOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/event.h"

#define EVENT_VOICE_SETUP    "desk.voice.setup.v1"
#define EVENT_VOICE_PROMPT   "desk.voice.prompt.v1"
#define EVENT_VOICE_HEARD    "desk.voice.heard.v1"
#define EVENT_VOICE_ENDED    "desk.voice.ended.v1"
#define EVENT_VOICE_DIALLED  "desk.voice.dialled.v1"
#define EVENT_VOICE_RECORDED "desk.voice.recorded.v1"
#define EVENT_VOICE_FRAME    "desk.voice.frame.v1"

#define VOICE_PROMPT_MAX  4096  /* bytes of one utterance of the caller */
#define VOICE_PIECE_MAX   2048  /* bytes of one frame's text */
#define VOICE_HEARD_MAX   16384 /* bytes of what was heard of a turn */
#define VOICE_HANDOFF_MAX 4096  /* bytes of JSON */
#define VOICE_KEYS_MAX    64    /* digits */

/* Which call; a part of every event on desk.inbound.voice. Its key is tenant:contact, where the
 * contact is `from` if that is an E.164 number, else the call. */
struct voice_call {
    const char *call_sid, *account_sid;
    const char *from;          /* E.164, or the provider's word for a withheld caller */
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

/* How far a turn was spoken. */
struct voice_spoken {
    struct uuid turn; /* nil: nothing was said of any turn */
    int64_t fence, epoch;
    int64_t seq;      /* of the last frame given to the caller; -1: none */
    const char *text; /* up to there, as far as it was heard; may be "" */
};

/* A relay socket of the call is there, or the first step of webhook mode. */
struct voice_setup {
    struct event event;
    struct voice_call call;
    bool outbound, resumed;
    const char *forwarded_from, *caller_name; /* "" if not told */
    struct voice_spoken spoken;               /* of the current turn, where this ingress knows */
};

/* The caller said something, or pressed keys. */
struct voice_prompt {
    struct event event;
    struct voice_call call;
    int64_t number;    /* of the frame or step; > 0 and rising within a relay session */
    const char *text;  /* "" exactly when there are keys */
    const char *keys;  /* 0-9 * # A-D; "" if none */
    const char *lang;  /* tag, "" if not told */
    int confidence_pm; /* per mille; -1: not told */
};

struct voice_heard {
    struct event event;
    struct voice_call call;
    enum voice_reason reason;
    struct voice_spoken spoken;
    int64_t spoken_ms; /* how long it sounded, by our clock */
};

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
    struct voice_spoken spoken; /* as in voice_setup */
};

enum voice_dial {
    VOICE_ACCEPTED,
    VOICE_REFUSED,
    VOICE_DIAL_NO_ANSWER,
    VOICE_DIAL_BUSY,
    VOICE_DIAL_FAILED,
    VOICE_DIAL_HUNG_UP
};

/* A transfer that we asked for came to its end. */
struct voice_dialled {
    struct event event;
    struct voice_call call;
    struct uuid dial; /* ours */
    enum voice_dial outcome;
    int64_t duration_s; /* of the talk; 0 if there was none */
};

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
};

enum voice_frame_kind {
    VOICE_FRAME_OPEN,
    VOICE_FRAME_TEXT,
    VOICE_FRAME_LANGUAGE,
    VOICE_FRAME_KEYS,
    VOICE_FRAME_END,
    VOICE_FRAME_STOP,
    VOICE_FRAME_STEP,
};

/* A frame of desk.voice.stream. Key: the call. The producer sets the record's partition itself. */
struct voice_frame {
    struct event event;
    const char *call_sid;
    struct uuid turn;
    int64_t turn_number; /* rises within a call, so that two turns can be put in order */
    int64_t epoch, fence, seq;
    enum voice_frame_kind kind;
    const char *text;    /* TEXT, STEP: UTF-8; else "" */
    bool last;           /* TEXT: it ends the turn's words */
    bool aside;          /* TEXT: spoken, but no part of the reply: never in what was heard */
    const char *lang;    /* TEXT, LANGUAGE; "" as before */
    const char *keys;    /* KEYS: digits, w, *, # */
    const char *handoff; /* END, STEP: JSON object that says what the action is to do; "" */
    int64_t step;        /* STEP: which one it answers */
};

/* `number` of the contact's key: `from` of an E.164 caller, else the CallSid. */
const char *voice_contact(const struct voice_call *call);

void voice_setup_encode(struct arena *arena, const char *prefix, const struct voice_setup *in,
                        struct bus_record *record);
int voice_setup_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_setup *out, struct err *err);
void voice_prompt_encode(struct arena *arena, const char *prefix, const struct voice_prompt *in,
                         struct bus_record *record);
int voice_prompt_decode(struct arena *arena, const struct bus_record *record,
                        struct voice_prompt *out, struct err *err);
void voice_heard_encode(struct arena *arena, const char *prefix, const struct voice_heard *in,
                        struct bus_record *record);
int voice_heard_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_heard *out, struct err *err);
void voice_ended_encode(struct arena *arena, const char *prefix, const struct voice_ended *in,
                        struct bus_record *record);
int voice_ended_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_ended *out, struct err *err);
void voice_dialled_encode(struct arena *arena, const char *prefix, const struct voice_dialled *in,
                          struct bus_record *record);
int voice_dialled_decode(struct arena *arena, const struct bus_record *record,
                         struct voice_dialled *out, struct err *err);
void voice_recorded_encode(struct arena *arena, const char *prefix, const struct voice_recorded *in,
                           struct bus_record *record);
int voice_recorded_decode(struct arena *arena, const struct bus_record *record,
                          struct voice_recorded *out, struct err *err);
void voice_frame_encode(struct arena *arena, const char *prefix, const struct voice_frame *in,
                        struct bus_record *record);
int voice_frame_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_frame *out, struct err *err);

#endif
