/*
 * Segment counting as documented for the Message resource's num_segments. It is written apart from
 * the product's own counting on purpose: tests compare the two. Called by twilio/messages.c.
 */
#include "stands/lib/segments.h"

#include "stands/lib/buf.h"

/* GSM-7 characters above ASCII: one unit each. */
static const uint16_t single_units[] = {
    0xa1, 0xa3, 0xa4, 0xa5,  0xa7,  0xbf,  0xc4,  0xc5,  0xc6,  0xc7,  0xc9,  0xd1,  0xd6,
    0xd8, 0xdc, 0xdf, 0xe0,  0xe4,  0xe5,  0xe6,  0xe8,  0xe9,  0xec,  0xf1,  0xf2,  0xf6,
    0xf8, 0xf9, 0xfc, 0x393, 0x394, 0x398, 0x39b, 0x39e, 0x3a0, 0x3a3, 0x3a6, 0x3a8, 0x3a9,
};

/* Units of a character in GSM-7, or 0 when it has none there. */
static int gsm_units(uint32_t code)
{
    if (code == 0x0c || (code >= 0x5b && code <= 0x5e) || (code >= 0x7b && code <= 0x7e) ||
        code == 0x20ac)
        return 2;
    if (code == 0x0a || code == 0x0d || (code >= 0x20 && code <= 0x5a) || code == 0x5f ||
        (code >= 0x61 && code <= 0x7a))
        return 1;
    for (size_t i = 0; i < sizeof single_units / sizeof single_units[0]; i++) {
        if (single_units[i] == code)
            return 1;
    }
    return 0;
}

static int ucs_units(uint32_t code)
{
    return code > 0xffff ? 2 : 1;
}

static size_t next_character(const char *text, size_t len, uint32_t *code)
{
    size_t step = stand_utf8(text, len, code);
    if (step == 0) {
        *code = 0xfffd;
        step = 1;
    }
    return step;
}

static int count(const char *text, size_t len, int (*units)(uint32_t), int alone, int each)
{
    int total = 0, segments = 1, used = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += next_character(text + at, len - at, &code);
        int need = units(code);
        total += need;
        if (used + need > each) {
            segments++;
            used = 0;
        }
        used += need;
    }
    return total <= alone ? 1 : segments;
}

int stand_segments(const char *text, size_t len)
{
    if (len == 0)
        return 0;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += next_character(text + at, len - at, &code);
        if (gsm_units(code) == 0)
            return count(text, len, ucs_units, 70, 67);
    }
    return count(text, len, gsm_units, 160, 153);
}

size_t stand_characters(const char *text, size_t len)
{
    size_t characters = 0;
    for (size_t at = 0; at < len; characters++) {
        uint32_t code;
        at += next_character(text + at, len - at, &code);
    }
    return characters;
}
