/* Unique random identifiers. */
#ifndef STANDS_LIB_IDS_H
#define STANDS_LIB_IDS_H

#include <stdbool.h>
#include <stddef.h>

/* Writes `digits` (at most 64) random hexadecimal digits and a NUL to `out`. Seeded once per
 * process from the system, so that two runs never make the same id. */
void stand_hex(char *out, size_t digits);

/* Writes a Twilio sid: the two letters of `kind`, 32 hexadecimal digits and a NUL (35 bytes). */
void stand_sid(char *out, const char *kind);

/* Whether `text` is a sid: one of the two-letter kinds in `kinds` ("SMMM" = SM or MM), 32
 * lower-case hexadecimal digits, nothing more. */
bool stand_sid_valid(const char *text, const char *kinds);

#endif
