/* How far a voice is with its words: see voice_pace.h. voice.c asks where an ingress is gone. */
#include "voice_pace.h"

#include <stdbool.h>
#include <string.h>

static bool is_within_sign(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

int64_t voice_pace_ms(const char *text, int rate)
{
    int64_t count = 0;
    for (; *text != '\0'; text++)
        count += !is_within_sign(*text);
    return count * 10000 / rate;
}

size_t voice_pace_sounded(const char *text, int rate, int64_t left_ms)
{
    int64_t left = left_ms * rate / 10000;
    size_t at = strlen(text);
    if (left <= 0)
        return at;
    for (; left > 0 && at > 0; left--)
        do
            at--;
        while (at > 0 && is_within_sign(text[at]));
    while (at > 0 && text[at] != ' ')
        at--;
    return at;
}
