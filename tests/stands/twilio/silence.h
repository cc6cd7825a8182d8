/*
 * What the caller had to wait: a turn is ours from the moment the caller has done (stopped
 * speaking, pressed a key, was answered, came back from a person) until a reply has been spoken to
 * its end. Silence is what is not heard while the turn is ours. A pause between two utterances of
 * ours after the first had been closed is a gap: nobody can tell from the wire whose it was, so it
 * is measured apart. Times in ms; pure arithmetic.
 */
#ifndef STANDS_TWILIO_SILENCE_H
#define STANDS_TWILIO_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct silence {
    bool ours;
    bool heard;      /* something was heard in this turn */
    bool closed;     /* the talk cycle was closed: the turn ends with its last sound */
    double since_ms; /* when the turn began */
    double until_ms; /* when the last sound of this turn ends; 0: none */
    double max_ms, gap_max_ms;
    uint64_t count;
};

/* A stretch without a sound. */
struct quiet {
    double from_ms, until_ms;
    bool gap;
};

/* The turn becomes ours, unless it is already and not done. */
void silence_begin(struct silence *silence, double now_ms);

/* A stretch of sound begins at `from_ms`. Returns true with the quiet before it, if that is one. */
bool silence_sound(struct silence *silence, double from_ms, struct quiet *quiet);

/* A talk cycle goes on: the turn is not done before it is closed. To be called after silence_sound.
 */
void silence_open(struct silence *silence);

/* All that has been given will have been heard at `until_ms`. */
void silence_until(struct silence *silence, double until_ms);

/* The talk cycle is over; with `filler` the answer itself is still to come. */
void silence_close(struct silence *silence, bool filler);

/* The turn is no longer ours (the caller speaks, hangs up, talks to a person, is recorded). Returns
 * true with the quiet until now, if the turn had not been done. */
bool silence_end(struct silence *silence, double now_ms, struct quiet *quiet);

/* Whether our turn has been done: something was heard to its end, and closed. */
bool silence_done(const struct silence *silence, double now_ms);

/* Counts a quiet of `ms` (what is left of it after the stalls of the stand). */
void silence_count(struct silence *silence, const struct quiet *quiet, double ms);

#endif
