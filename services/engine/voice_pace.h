/* How far a voice is with its words, judged by the time: only an ingress that is there can tell it.
 * Rates are tenths of a character a second, from 10 on (contract/directory_voice.h). Pure. */
#ifndef DESK_ENGINE_VOICE_PACE_H
#define DESK_ENGINE_VOICE_PACE_H

#include <stddef.h>
#include <stdint.h>

/* For how long a text of UTF-8 sounds, ms. */
int64_t voice_pace_ms(const char *text, int rate);

/* How many of its first bytes have sounded while `left_ms` are to come until its last word has:
 * back to the end of a word. */
size_t voice_pace_sounded(const char *text, int rate, int64_t left_ms);

#endif
