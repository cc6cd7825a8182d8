/*
 * One leg of a phone call: inbound, outbound by REST, or the callee's leg of a Dial. A leg runs one
 * TwiML document at a time, and one verb of it.
 */
#ifndef STANDS_TWILIO_CALL_H
#define STANDS_TWILIO_CALL_H

#include <cjson/cJSON.h>

#include "stands/twilio/audible.h"
#include "stands/twilio/silence.h"
#include "stands/twilio/twilio.h"
#include "stands/twilio/twiml.h"

enum call_state {
    CALL_QUEUED,
    CALL_RINGING,
    CALL_IN_PROGRESS,
    CALL_COMPLETED, /* this and what follows: over */
    CALL_BUSY,
    CALL_FAILED,
    CALL_NO_ANSWER,
    CALL_CANCELED,
    CALL_STATES
};

enum call_event {
    CALL_RINGS,
    CALL_IS_ANSWERED,
    CALL_ENDS,
    CALL_IS_BUSY,
    CALL_IS_NOT_ANSWERED,
    CALL_FAILS,
    CALL_IS_CANCELED
};

/* Which progress a status callback tells of; also its bit. */
enum {
    PROGRESS_INITIATED = 1,
    PROGRESS_RINGING = 2,
    PROGRESS_ANSWERED = 4,
    PROGRESS_COMPLETED = 8
};

/* How Twilio and the line behave in this call; read from JSON (calls_control.h). */
struct call_settings {
    double rate;  /* characters a second that are spoken */
    double speed; /* Twilio's own waits are divided by this */
    double tts_ms, endpoint_ms, play_ms, ring_ms, max_ms;
    double callbacks_ms, recording_bytes, recording_delay_ms, transcription_delay_ms;
    bool end_after_speech, no_setup, tells_speaker;
    const char *callbacks;        /* mode of status callbacks; static or NULL */
    const char *recording_status; /* static or NULL: completed */
    const char *transcription;    /* likewise */
    const char *amd;              /* AnsweredBy; static or NULL */
};

struct call;
struct caller;
struct verb;

/* What the person on a leg said. Times in ms of calls_now. */
struct speech {
    const char *text, *lang;
    double from_ms, until_ms, confidence;
    bool last;
};

struct call {
    struct twilio *twilio;
    struct account *account;
    struct call *next;           /* in the hash of sids */
    struct call *parent, *child; /* of a Dial; NULL */
    char sid[35];
    enum call_state state;
    const char *direction; /* static */
    char *from, *to, *forwarded_from, *caller_name;
    char *token;    /* signs instead of the account's; or NULL */
    cJSON *options; /* the JSON it was placed with; owns what settings point to */
    cJSON *params;  /* further parameters of every request; within options, or NULL */
    cJSON *fillers; /* texts that do not end a turn; within options, or NULL */
    struct call_settings settings;

    /* REST */
    char *url, *method, *fallback_url, *status_callback, *inline_twiml;
    char *amd_callback;
    bool detects, detects_async, detects_end;
    double detect_silence_ms, detect_speech_ms, detect_end_ms, detect_timeout_ms; /* leg.h */
    unsigned progress_mask, progress_told; /* wanted; happened */
    int sequence;
    const char *answered_by;                  /* static or NULL */
    double created_ms, answered_ms, ended_ms; /* 0: not yet */
    const char *ended_by;                     /* static or NULL */

    /* the document */
    struct twiml *twiml;
    size_t verb_at; /* of the next verb */
    char *document_url;
    uint64_t document; /* grows with every new one, so that late answers are known */
    const struct verb *verb;
    const struct twiml_element *element;
    void (*done)(struct call *call); /* at a document's end; NULL: hang up */

    /* the ear */
    struct audible audible;
    struct silence silence;
    double sounding_from_ms; /* of the stretch that is not recorded yet; 0: none */
    bool speaking;           /* the person on this leg speaks */
    bool deaf;               /* and nobody will be told of it: a prompt may not be interrupted */

    uv_timer_t ear_timer, verb_timer, limit_timer;
    void (*on_verb_timer)(struct call *call);
    void (*on_taken)(struct call *call); /* of a leg that is dialled */
    int handles;

    struct caller *caller;    /* who is on this leg; NULL when nobody is scripted, or over */
    const char *script_state; /* static or NULL: nobody was scripted */
    void *verb_data;          /* of the verb that runs; freed by it */
    struct call *bridged;     /* the leg that this one talks to, or NULL */

    /* counts */
    size_t *events;
    size_t event_count, event_cap;
    uint64_t errors, tokens, prompts, frames, documents;
};

/* A new leg in state queued, with an own copy of every text; registered in the store. NULL when the
 * store is full. */
struct call *call_new(struct twilio *twilio, struct account *account, const char *direction,
                      const char *from, const char *to);

/* Moves the leg by an event: state, status callback, record. Returns whether the table has it. */
bool call_move(struct call *call, enum call_event event);

/* The word for its state. */
const char *call_status(const struct call *call);

/* Whether it is over. */
bool call_over(const struct call *call);

/* Ends a leg: the verb in hand learns that it is over (its `hung_up`), an answered leg completes,
 * another takes `event`. `by` (static) says who did it. */
void call_hang_up(struct call *call, enum call_event event, const char *by);

/* Answers the leg (once) and starts its limits. */
void call_answer(struct call *call);

/* Runs `then(call)` after `ms` of Twilio's time (divided by the call's speed); one per leg, setting
 * it again replaces it. */
void call_after(struct call *call, double ms, void (*then)(struct call *call));

/* Stops that timer. */
void call_stop_timer(struct call *call);

/* The person on the leg begins to speak, ceases to, was understood (a little later), presses a key.
 */
void call_speech_began(struct call *call);
void call_speech_ended(struct call *call, const struct speech *speech);
void call_speech(struct call *call, const struct speech *speech);
void call_key(struct call *call, char key);

/* Whether anybody on the other side would take speech now. */
bool call_listens(const struct call *call);

/* Lets the script of the leg see that something has changed. */
void call_changed(struct call *call);

/* Adds the parameters that every request about a call has. `texts` lives as long as the form. */
struct call_texts {
    char duration[32];
};
void call_form(const struct call *call, struct call_texts *texts, struct stand_form *form);

/* Ends all that the leg does without telling anybody; then closes its timers and frees it. For
 * calls.c alone. */
void call_forget(struct call *call);
void call_free(struct call *call);

#endif
