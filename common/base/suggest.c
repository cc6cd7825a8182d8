/* The nearest known word to a mistyped one, for options, configuration keys and commands. Called
 * once before a program gives up, so it favours few lines over speed. */
#include "base/suggest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define WORD_MAX 64

static unsigned char folded(char c)
{
    return c == '-' ? '_' : (unsigned char)tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Both words are at most WORD_MAX bytes. Row i of `cost` belongs to the first i bytes of a; three
 * rows are enough, but the whole table is 4 kB and easier to check. */
static size_t distance(const char *a, const char *b)
{
    unsigned char cost[WORD_MAX + 1][WORD_MAX + 1];
    size_t rows = strlen(a), columns = strlen(b);
    for (size_t i = 0; i <= rows; i++)
        cost[i][0] = (unsigned char)i;
    for (size_t k = 0; k <= columns; k++)
        cost[0][k] = (unsigned char)k;
    for (size_t i = 1; i <= rows; i++) {
        for (size_t k = 1; k <= columns; k++) {
            unsigned char x = folded(a[i - 1]), y = folded(b[k - 1]);
            size_t best = least(cost[i - 1][k] + 1U, cost[i][k - 1] + 1U);
            best = least(best, cost[i - 1][k - 1] + (x != y ? 1U : 0U));
            if (i > 1 && k > 1 && x == folded(b[k - 2]) && folded(a[i - 2]) == y)
                best = least(best, cost[i - 2][k - 2] + 1U);
            cost[i][k] = (unsigned char)best;
        }
    }
    return cost[rows][columns];
}

const char *suggest(const char *word, const char *const *known)
{
    size_t length = strnlen(word, WORD_MAX + 1);
    if (length == 0 || length > WORD_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t bound = (length + 2) / 3 + 1; /* the first distance that is too far */
    for (; *known != NULL; known++) {
        if (strnlen(*known, WORD_MAX + 1) > WORD_MAX)
            continue;
        size_t far = distance(word, *known);
        if (far < bound) {
            bound = far;
            nearest = *known;
        }
    }
    return nearest;
}
