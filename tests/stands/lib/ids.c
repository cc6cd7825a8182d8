/* Identifiers of the stand-ins: random enough to be unique over runs, cheap enough for every
 * request. Called wherever a provider would name something. */
#include "stands/lib/ids.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t next_word(void)
{
    static uint64_t state[2];
    static bool seeded;
    if (!seeded) {
        if (getrandom(state, sizeof state, 0) != (ssize_t)sizeof state)
            abort();
        seeded = true;
    }
    /* xoroshiro128+ */
    uint64_t a = state[0], b = state[1], result = a + b;
    b ^= a;
    state[0] = (a << 24 | a >> 40) ^ b ^ (b << 16);
    state[1] = b << 37 | b >> 27;
    return result;
}

void stand_hex(char *out, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t word = 0;
    for (size_t i = 0; i < digits; i++) {
        if (i % 8 == 0)
            word = next_word() >> 32;
        out[i] = hex[word & 15];
        word >>= 4;
    }
    out[digits] = '\0';
}

void stand_sid(char *out, const char *kind)
{
    out[0] = kind[0];
    out[1] = kind[1];
    stand_hex(out + 2, 32);
}

bool stand_sid_valid(const char *text, const char *kinds)
{
    if (strlen(text) != 34 || strspn(text + 2, "0123456789abcdef") != 32)
        return false;
    for (; kinds[0]; kinds += 2) {
        if (text[0] == kinds[0] && text[1] == kinds[1])
            return true;
    }
    return false;
}
