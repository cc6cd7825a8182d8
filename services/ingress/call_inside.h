/* Private to the files of the call (call*.c): the call itself. */
#ifndef DESK_INGRESS_CALL_INSIDE_H
#define DESK_INGRESS_CALL_INSIDE_H

#include "call.h"
#include "speech.h"

#define CALL_HELD_MAX 16 /* frames that wait for a missing one */
#define CALL_REASONS  7  /* of enum voice_reason */

/* The turn that speaks, or spoke last. */
struct call_turn {
    struct uuid id;
    int64_t number;           /* 0: there was none */
    int64_t epoch;            /* of its newest fence */
    int64_t fence;            /* the newest seen of the call */
    int64_t next;             /* seq that comes next in the fence */
    int64_t said_seq;         /* the last one given to the caller in the fence; -1 */
    int64_t holds;            /* the newest prompt that its newest fence answers, for all we know */
    bool begun;               /* something of the turn was given to the caller */
    bool finished;            /* all of it was */
    bool interrupted;         /* nothing of it is spoken any more */
    bool shut;                /* nothing of the fence is spoken any more */
    bool elsewhere;           /* an adopter's: another ingress may have spoken of it */
    int64_t missing_ms;       /* since when a frame is missing; -1 */
    struct voice_frame *held; /* wait for it; their texts are owned */
    size_t held_count;
};

struct call {
    enum call_state state;
    const struct call_words *words;
    char *tenant, *call_sid, *account_sid, *from, *to, *forwarded_from, *caller_name, *attestation;
    char *session;   /* of the newest relay session; "" before the first */
    uint64_t socket; /* the newest one; 0 before the first */
    bool connected;  /* it is open */
    int64_t gone_ms; /* of its setup */
    int stream_partition;
    bool outbound, resumed, draining;
    bool missed; /* people are to be told, if nobody answered the caller */
    bool greets; /* Twilio says the greeting at the newest socket */

    int64_t epoch;
    struct call_turn turn;
    struct speech speech;
    char lang[36];   /* of what is said; "" before anybody set it */
    bool cycle_open; /* the last text frame did not end its talk cycle */
    bool in_aside;   /* the last words of an engine were an aside */

    int64_t number; /* of the session's last prompt */
    struct {
        int64_t number, turn_number; /* of the call when its newest socket came */
        bool elsewhere;              /* another ingress may have had it before that socket */
    } before;
    char keys[VOICE_KEYS_MAX + 1];
    size_t key_count;
    int64_t keys_ms; /* of the last key */

    bool speaking;    /* the caller does, for all we are told */
    int64_t voice_ms; /* when he began or ceased */
    int64_t began_ms; /* when he began */
    int64_t words_ms; /* of his last prompt */

    bool owed;        /* something that the caller said has no answer yet, for all we know */
    bool asked_again; /* a caller who says nothing was asked whether he is there */
    bool filled;      /* a filler was said since the clock began */
    int64_t quiet_ms; /* since when we have the word, or the caller last made himself heard */
    int64_t wait_ms;  /* since when we have the word, or the last frame came in that time */
    int64_t frame_ms; /* of the last frame taken */
    int64_t state_ms; /* since when the state is this one */
    char *handoff;    /* owned; what `end` will carry; NULL */

    struct {
        int64_t fence, seq;
        bool sent;
    } told[CALL_REASONS]; /* the last `heard` of each reason: each is published once */
};

/* What an event brings with it. */
struct call_input {
    int64_t now_ms;
    const struct voice_frame *frame; /* ON_TEXT, ON_LAST, ON_END, ON_OPEN */
    const char *text, *lang;         /* ON_PROMPT: the words; ON_INTERRUPT: what he heard */
    const char *keys;                /* ON_PROMPT */
    enum voice_end reason;           /* ON_ENDED */
    int64_t duration_s;
    struct call_acts *acts;
};

/* Executes the row of the table for the event, if there is one. */
void call_fire(struct call *call, enum call_event event, const struct call_input *in);

/* Adds an act and returns it, zeroed but for its kind. */
struct call_act *call_add(struct call_acts *acts, enum call_act_kind kind);

/* Publishes how far the turn was spoken: the first `length` bytes of its text. Once for each
 * (fence, reason, seq). */
void call_tell(struct call *call, enum voice_reason reason, size_t length, struct call_acts *acts);

/* Publish the call's socket, what the caller said (in->text, or in->keys), the call's end. */
void call_publish_setup(struct call *call, struct call_acts *acts);
void call_publish_prompt(struct call *call, const struct call_input *in);
void call_publish_ended(struct call *call, const struct call_input *in);

/* The keys pressed so far are one prompt; nothing if there are none. */
void call_end_keys(struct call *call, const struct call_input *in);

/* The later of two times. */
int64_t call_later(int64_t a_ms, int64_t b_ms);

/* Since when the caller is silent whose words come now: a line takes a while until it knows that he
 * has come to their end. Where it has not told when he ceased, since now. */
int64_t call_ceased(const struct call *call, int64_t now_ms);

/* What is said from now on is in this language; "" as before. */
void call_speak_in(struct call *call, const char *lang);

/* True if not all of the turn that was given out is known to be heard. */
bool call_unsettled(const struct call *call, int64_t now_ms);

/* Forgets the frames that wait for a missing one. */
void call_drop_held(struct call *call);

/* The missing frame does not come: tells it and gives the fence up. */
void call_give_up_missing(struct call *call, const struct call_input *in);

#endif
