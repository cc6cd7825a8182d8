/* From the directory's wording to a call's. Called by answer.c and calls.c. */
#include "words.h"

const char *words_greeting(struct arena *arena, const struct directory_voice *voice,
                           const char *say)
{
    const char *greeting = say != NULL ? say : voice->greeting;
    if (voice->consent_line[0] == '\0')
        return greeting;
    return arena_printf(arena, "%s %s", voice->consent_line, greeting);
}

/* The record has the words of one language: they are said in whatever language the call is in. */
const struct call_words *words_make(struct arena *arena, const struct directory_voice *voice,
                                    bool greeted, size_t turn)
{
    struct call_phrases *phrases = arena_alloc(arena, sizeof *phrases);
    struct call_words *words = arena_alloc(arena, sizeof *words);
    *phrases = (struct call_phrases){
        .lang = voice->language.code,
        .filler = voice->fillers[turn % voice->filler_count],
        .filler_again = voice->fillers[(turn % voice->filler_count + 1) % voice->filler_count],
        .fallback = voice->fallback,
        .still_there = voice->still_there,
        .goodbye = voice->goodbye};
    *words = (struct call_words){.phrases = phrases,
                                 .phrase_count = 1,
                                 .greeting = greeted ? words_greeting(arena, voice, NULL) : "",
                                 .chars_per_s = voice->speaking_rate / 10,
                                 .silence_ms = voice->silence_ms};
    return words;
}
