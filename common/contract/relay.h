/* Frames of Twilio's ConversationRelay: JSON texts on a WebSocket that Twilio opens to us. Reading
 * of theirs, which are hostile input, and writing of ours. Any thread, no state. Source: Twilio's
 * "ConversationRelay" and "WebSocket messages" pages; for `info`, which they do not describe, what
 * public implementations agree on. */
#ifndef DESK_CONTRACT_RELAY_H
#define DESK_CONTRACT_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

#define RELAY_FRAME_MAX    (64 * 1024) /* bytes of a frame, either way */
#define RELAY_PROMPT_MAX   4096        /* bytes of what the caller said at once */
#define RELAY_HEARD_MAX    16384       /* bytes of what the caller heard of a turn */
#define RELAY_PROBLEM_MAX  1024        /* bytes of an error's description */
#define RELAY_NAME_MAX     256         /* bytes of an address or a name in `setup` */
#define RELAY_LANGUAGE_MAX 35          /* bytes of a language tag (RFC 5646, 4.4.1) */
#define RELAY_TOKEN_MAX    8192        /* bytes of one token of ours */
#define RELAY_DIGITS_MAX   64
#define RELAY_ATTESTATION  "attestation" /* of customParameters, as RELAY_PARTED */
#define RELAY_PARTED       "parted"
#define RELAY_HANDOFF_MAX  4096 /* bytes: it comes back in a form of at most 64 kB */

enum relay_kind {
    RELAY_IGNORED, /* a type, or a name of `info`, that is new to us */
    RELAY_SETUP,
    RELAY_PROMPT,
    RELAY_DTMF,
    RELAY_INTERRUPT,
    RELAY_ERROR,
    RELAY_SPEAKING, /* `info`: somebody began or ceased to speak */
};

/* First and once on a socket. What only informs is "" when it is absent or not as expected. */
struct relay_setup {
    const char *session_id;  /* VX and 32 hex, or a compatible carrier's uuid */
    const char *account_sid; /* AC and 32 hex, or a uuid */
    const char *call_sid;    /* CA and 32 hex */
    const char *from;        /* as a webhook tells it; "" if not told */
    const char *to;
    const char *parent_call_sid, *forwarded_from, *caller_name;
    const char *call_type, *direction, *call_status;
    const char *attestation; /* as twilio_call_attestation says: of our TwiML's Parameter */
    int64_t parted_ms;       /* when we heard that the session before had ended, epoch ms: of
                              * another one; 0: not told */
};

struct relay_prompt {
    const char *text; /* may be "" */
    const char *lang; /* a tag, "" if not told */
    bool last;        /* false: more of it follows */
    bool cut;         /* it was longer than RELAY_PROMPT_MAX */
};

struct relay_interrupt {
    const char *heard; /* may be "" */
    bool cut;
    int64_t duration_ms; /* -1: not told, or not as expected */
};

struct relay_speaking {
    bool caller; /* else our voice */
    bool on;
    int64_t at_ms; /* their wall clock; 0: not told */
};

/* A frame from Twilio: the member of the union that `kind` names. */
struct relay_frame {
    enum relay_kind kind;
    union {
        struct relay_setup setup;
        struct relay_prompt prompt;
        char digit; /* RELAY_DTMF: 0-9 * # A-D */
        struct relay_interrupt interrupt;
        const char *problem; /* RELAY_ERROR: the description, cut; "" if there is none */
        struct relay_speaking speaking;
    };
};

/* Reads one text frame; its texts live in the arena. What is longer than its bound is cut between
 * code points where it was spoken (the beginning counts), and refused where it identifies.
 * Members that we do not know are passed over, also of customParameters; null is absent.
 *
 * PERMANENT, *out untouched: "relay.size" (no byte, or more than RELAY_FRAME_MAX: it is not even
 * parsed), "json.*" for what is no strict JSON of well-formed UTF-8 without NUL and at most
 * JSON_DEPTH_MAX deep (also "json.duplicate": of two members with one name neither counts), and
 * "relay.member" with the name of what is missing or wrong. */
int relay_read(struct arena *arena, const char *bytes, size_t length, struct relay_frame *out,
               struct err *err);

/* ---- writing ----
 * Each appends one frame to `out` (borrowed). What it is given is made by us: text that is not
 * UTF-8 (half a character, say), out of bounds or of the wrong shape, and an `out` without room
 * are BUG "relay.write"; nothing is appended then. */

/* A member that may be left out: Twilio's default, or what the TwiML said, holds then. */
enum relay_flag { RELAY_UNSET, RELAY_NO, RELAY_YES };

/* A piece of our turn. Twilio reads SSML tags in it: what a model or a customer wrote must have
 * lost its angle brackets before. */
struct relay_text {
    const char *token; /* at most RELAY_TOKEN_MAX bytes with its spaces; may be "" */
    bool last;         /* closes our turn */
    const char *lang;  /* NULL: as before */
    enum relay_flag interruptible, preemptible;
};
int relay_write_text(const struct relay_text *text, struct strbuf *out, struct err *err);

/* Keys for whoever listens: 1 to RELAY_DIGITS_MAX of 0-9 * # and w (waits 0.5 s). */
int relay_write_digits(const char *digits, struct strbuf *out, struct err *err);

/* The language of what follows: of our words, of the caller's, or both; NULL leaves one as it is.
 */
int relay_write_language(const char *tts, const char *transcription, struct strbuf *out,
                         struct err *err);

/* Ends the session; Connect's action gets `handoff` (NULL: none, at most RELAY_HANDOFF_MAX bytes)
 * as HandoffData. */
int relay_write_end(const char *handoff, struct strbuf *out, struct err *err);

#endif
