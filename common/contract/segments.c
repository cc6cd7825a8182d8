/* Segment counting. A text is measured twice: with both alphabets side by side, and the alphabet is
 * known at its end. The responder records the result with each delivery. */
#include "contract/segments.h"

#include <stdint.h>

#include "base/text.h"

/* Code points of the basic alphabet beyond ASCII letters and digits, as ranges. */
static const struct {
    uint32_t from, to;
} basic[] = {
    {0x0A, 0x0A},   {0x0D, 0x0D},   {0x20, 0x5A},   {0x5F, 0x5F},   {0x61, 0x7A},   {0xA1, 0xA1},
    {0xA3, 0xA5},   {0xA7, 0xA7},   {0xBF, 0xBF},   {0xC4, 0xC7},   {0xC9, 0xC9},   {0xD1, 0xD1},
    {0xD6, 0xD6},   {0xD8, 0xD8},   {0xDC, 0xDC},   {0xDF, 0xE0},   {0xE4, 0xE6},   {0xE8, 0xE9},
    {0xEC, 0xEC},   {0xF1, 0xF2},   {0xF6, 0xF6},   {0xF8, 0xF9},   {0xFC, 0xFC},   {0x393, 0x394},
    {0x398, 0x398}, {0x39B, 0x39B}, {0x39E, 0x39E}, {0x3A0, 0x3A0}, {0x3A3, 0x3A3}, {0x3A6, 0x3A6},
    {0x3A8, 0x3A9},
};

/* Written as an escape and a second unit. */
static const struct {
    uint32_t from, to;
} escaped[] = {{0x0C, 0x0C}, {0x5B, 0x5E}, {0x7B, 0x7E}, {0x20AC, 0x20AC}};

/* 1 or 2 units, 0: not in the alphabet. */
static int gsm7_units(uint32_t code)
{
    for (size_t i = 0; i < sizeof basic / sizeof *basic; i++)
        if (code >= basic[i].from && code <= basic[i].to)
            return 1;
    for (size_t i = 0; i < sizeof escaped / sizeof *escaped; i++)
        if (code >= escaped[i].from && code <= escaped[i].to)
            return 2;
    return 0;
}

/* Filling segments of a split text. */
struct filling {
    int units, segments, used; /* of the text; begun; in the last one */
};

static void fill(struct filling *filling, int units, int room)
{
    filling->units += units;
    if (filling->segments == 0 || filling->used + units > room) {
        filling->segments++;
        filling->used = 0;
    }
    filling->used += units;
}

static int segments_of(const struct filling *filling, int single)
{
    return filling->units <= single ? 1 : filling->segments;
}

void segments_count(const char *text, struct segments *out)
{
    struct filling gsm7 = {0}, ucs2 = {0};
    bool outside = false;
    int characters = 0;
    for (const char *at = text; *at != '\0'; characters++) {
        uint32_t code = text_next_code_point(&at);
        int units = gsm7_units(code);
        outside |= units == 0;
        fill(&gsm7, units, 153);
        fill(&ucs2, code > 0xFFFF ? 2 : 1, 67);
    }
    const struct filling *chosen = outside ? &ucs2 : &gsm7;
    *out = (struct segments){.count = segments_of(chosen, outside ? 70 : 160),
                             .units = chosen->units,
                             .characters = characters,
                             .ucs2 = outside};
}

const char *segments_encoding(const struct segments *segments)
{
    return segments->ucs2 ? "ucs2" : "gsm7";
}
