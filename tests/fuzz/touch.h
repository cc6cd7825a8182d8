/* What the fuzz targets share: texts that a parser gives out are looked at whole, so that a
 * sanitizer sees what lies behind them, and judged by what everything behind the parser relies on.
 */
#ifndef DESK_TESTS_FUZZ_TOUCH_H
#define DESK_TESTS_FUZZ_TOUCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* A rule that does not hold ends the run, as a crash does. */
#define MUST(rule)                                                                                 \
    do {                                                                                           \
        if (!(rule)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #rule);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* UTF-8 without control characters but line ends and tabs. */
static inline void touch_text(const char *text)
{
    MUST(text_is_utf8(text, strlen(text)));
    for (; *text != '\0'; text++)
        MUST((unsigned char)*text >= ' ' || *text == '\n' || *text == '\t');
}

static inline void touch_line(const char *text)
{
    touch_text(text);
    MUST(strpbrk(text, "\n\t") == NULL);
}

/* Any bytes. */
static inline void touch_bytes(const void *bytes, size_t length)
{
    static volatile uint8_t sum;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
}

#endif
