/*
 * What a person on a leg does: a list of steps, one after the other.
 *
 *   {"say": TEXT, "ms": it takes (TEXT at the call's rate), "lang", "last": true, "confidence":
 * 0.9, "blind": true (does not wait until somebody listens)}
 *   {"interrupt": TEXT, "after_chars": N | "after_words": N, and as say}
 *        speaks as soon as so much of the reply that is spoken has been heard
 *   {"press": KEYS, "gap_ms": 100, "blind"}          0-9 * # and w, half a second
 *   {"silence": MS}
 *   {"wait_for": WHAT, "chars" | "words": N of audible, "count": N of frames, tokens, prompts}
 *        answered ringing connecting relay frames tokens prompts audible reply gather record dial
 *        bridged
 *   {"hangup": true}
 *   {"frame": OBJECT}, {"raw": TEXT}, {"hex": BYTES}  to the relay, with "times": 1, "per_second",
 *        "repeat": so often the text is in it, "fragments": 1, "binary": true, "opcode": N
 *   {"again": true, "times": 1}                       the last prompt once more
 *   {"cut": true | "reset"}, {"close": CODE}          of the relay's socket
 *
 * What has to wait (for a listener, a condition, the relay) waits `timeout_ms` (30000) and then
 * hangs up.
 */
#ifndef STANDS_TWILIO_SCRIPT_H
#define STANDS_TWILIO_SCRIPT_H

#include <cjson/cJSON.h>

#include "stands/lib/buf.h"

enum script_step {
    SCRIPT_SAY,
    SCRIPT_INTERRUPT,
    SCRIPT_PRESS,
    SCRIPT_SILENCE,
    SCRIPT_WAIT_FOR,
    SCRIPT_HANGUP,
    SCRIPT_FRAME,
    SCRIPT_RAW,
    SCRIPT_HEX,
    SCRIPT_AGAIN,
    SCRIPT_CUT,
    SCRIPT_CLOSE,
    SCRIPT_STEPS
};

enum script_condition {
    SCRIPT_ANSWERED,
    SCRIPT_RINGING,
    SCRIPT_CONNECTING,
    SCRIPT_RELAY,
    SCRIPT_FRAMES,
    SCRIPT_TOKENS,
    SCRIPT_PROMPTS,
    SCRIPT_AUDIBLE,
    SCRIPT_REPLY,
    SCRIPT_GATHER,
    SCRIPT_RECORD,
    SCRIPT_DIAL,
    SCRIPT_BRIDGED,
    SCRIPT_CONDITIONS
};

/* Checks a script. Returns 0, or -1 with the reason appended to `why`. */
int script_check(const cJSON *script, struct stand_buf *why);

/* What a checked step is, and its main value. */
enum script_step script_step_of(const cJSON *step, const cJSON **value);

/* The condition of a checked wait_for. */
enum script_condition script_condition_of(const cJSON *value);

/* A number of a step, or `fallback`; a truth of a step, or `fallback`; a text, or NULL. */
double script_number(const cJSON *step, const char *name, double fallback);
bool script_flag(const cJSON *step, const char *name, bool fallback);
const char *script_text(const cJSON *step, const char *name);

/* Appends the bytes that a frame, raw or hex step sends. */
void script_bytes(const cJSON *step, struct stand_buf *out);

#endif
