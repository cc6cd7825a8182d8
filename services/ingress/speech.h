/* What of a turn was given to the caller, and how far it has sounded by now: Twilio tells only of
 * interruptions, so that the rest is judged by the speaking rate. Times are monotonic milliseconds
 * given by the caller. Pure; not thread-safe: a speech is part of one call. */
#ifndef DESK_INGRESS_SPEECH_H
#define DESK_INGRESS_SPEECH_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define SPEECH_RUNS_MAX   8
#define SPEECH_FAST_PCT   135 /* of the speaking rate: no voice is expected to be faster; */
#define SPEECH_FAST_PER_S 20  /* letters a second that may sound whatever the rate is; */
#define SPEECH_SYLLABLE   3   /* of them for a sign that is a syllable */

/* Words that sound without a pause between them. */
struct speech_run {
    size_t at;        /* where in the text they begin, bytes */
    int64_t start_ms; /* when they begin to sound */
};

struct speech {
    struct strbuf text;                      /* the turn's words, whole pieces, UTF-8 */
    struct speech_run runs[SPEECH_RUNS_MAX]; /* the newest ones */
    size_t run_count;
    int64_t audible_ms; /* until when something sounds, of the turn or not */
    int64_t fast_ms;    /* the same of the fastest voice: silence may begin here */
    int64_t text_ms;    /* until when the turn's words sound */
    int chars_per_s;
};

/* Prepares caller's storage: nothing was said. chars_per_s: the speaking rate, at least 1. */
void speech_init(struct speech *speech, int chars_per_s);

/* Frees the memory. */
void speech_fini(struct speech *speech);

/* Another turn begins: its text is empty. What sounds goes on. */
void speech_begin(struct speech *speech);

/* Words of the turn are given to the caller. What is beyond VOICE_HEARD_MAX bytes sounds, but is
 * not kept. */
void speech_add(struct speech *speech, int64_t now_ms, const char *text);

/* Words that are no part of the turn: a filler. */
void speech_aside(struct speech *speech, int64_t now_ms, const char *text);

/* Something else sounds for so long: keys. */
void speech_sound(struct speech *speech, int64_t now_ms, int64_t sound_ms);

/* How long the first `length` bytes of the turn's text take. */
int64_t speech_ms(const struct speech *speech, size_t length);

/* How many bytes of the turn's text have sounded by now, back to the beginning of a word. */
size_t speech_heard(const struct speech *speech, int64_t now_ms);

/* How many bytes of the turn's text the caller has heard when Twilio says that he heard `said`
 * before he cut in: the last stretch of speech, other spacing, case and punctuation. What cannot be
 * found in the text is judged by the time. */
size_t speech_place(const struct speech *speech, int64_t now_ms, const char *said);

/* Nothing sounds any more. */
void speech_hush(struct speech *speech, int64_t now_ms);

/* Nothing sounds any more, and the turn's text ends after `length` bytes. */
void speech_cut(struct speech *speech, int64_t now_ms, size_t length);

#endif
