/*
 * The speaking clock of one leg: what has been given to be spoken, and when which part of it is
 * heard. Nothing in here runs by itself; every function is told the time (ms, any epoch).
 *
 * A talk cycle is what is spoken until somebody closes it. Pieces that follow each other without a
 * pause make one stretch.
 */
#ifndef STANDS_TWILIO_AUDIBLE_H
#define STANDS_TWILIO_AUDIBLE_H

#include "stands/lib/buf.h"

enum { AUDIBLE_PIECES_MAX = 20000, AUDIBLE_TEXT_MAX = 256 * 1024 };

struct audible_piece {
    double from_ms, until_ms;
    size_t at, len, chars; /* its text in `text`; none of a sound */
    unsigned cycle;
};

struct audible {
    double rate;   /* characters a second */
    double tts_ms; /* from a text's arrival after a pause to its first sound */
    struct audible_piece *pieces;
    size_t count, cap;
    struct stand_buf text;
    unsigned cycle; /* of what is added next */
    bool open;      /* something was added to this cycle, and it is not closed */
    bool overflow;  /* more was given than is kept; what was too much is not heard */
};

/* Starts a clock at `rate` characters a second (> 0). */
void audible_init(struct audible *audible, double rate, double tts_ms);

/* Frees what the clock keeps. */
void audible_fini(struct audible *audible);

/* Gives it `len` bytes of text, or a sound of `ms`. Returns when that will begin to be heard, and
 * sets `*pause` when this is after a pause (or the first). */
double audible_say(struct audible *audible, double now_ms, const char *text, size_t len,
                   bool *pause);
double audible_sound(struct audible *audible, double now_ms, double ms, bool *pause);

/* Ends the talk cycle: what is added from now on belongs to the next. */
void audible_close(struct audible *audible);

/* Drops what was not heard yet; the cycle is over. */
void audible_drop(struct audible *audible, double now_ms);

/* When everything will have been heard; 0 when nothing was ever given. */
double audible_until(const struct audible *audible);

/* Whether something is heard now. */
bool audible_on(const struct audible *audible, double now_ms);

/* Of the cycle that is heard now, or was last: how many characters and words were heard, and for
 * how long (ms since its first sound). A word counts when all of it was heard. */
size_t audible_chars(const struct audible *audible, double now_ms);
size_t audible_words(const struct audible *audible, double now_ms);
double audible_for_ms(const struct audible *audible, double now_ms);

/* Appends the text of that cycle that was heard until `now_ms`, and what of it was not yet. */
void audible_heard(const struct audible *audible, double now_ms, struct stand_buf *out);
void audible_unheard(const struct audible *audible, double now_ms, struct stand_buf *out);

/* Appends the whole text of the cycle that is added to. */
void audible_cycle(const struct audible *audible, struct stand_buf *out);

/* When `chars` characters of the cycle that is heard now will have been heard; -1 when it has not
 * so many yet. */
double audible_when(const struct audible *audible, double now_ms, size_t chars);

/* The stretch that holds the moment before `at_ms`: its bounds, and its text appended to `out`.
 * Returns 0, or -1 when nothing was heard then. */
int audible_stretch(const struct audible *audible, double at_ms, double *from_ms, double *until_ms,
                    struct stand_buf *out);

/* Forgets what was heard, once nothing is left to be heard. */
void audible_forget(struct audible *audible, double now_ms);

#endif
