/* How many segments a text message takes: each is billed, and the rate limits count them. Any
 * thread, no state. Source: Twilio's pages on the SMS character limit and on UCS-2, and the
 * character tables of its open segment calculator (GSM 03.38). */
#ifndef DESK_CONTRACT_SEGMENTS_H
#define DESK_CONTRACT_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>

#define SEGMENTS_CHARACTERS_MAX 1600 /* code points; Twilio refuses longer bodies (21617) */

struct segments {
    int count;      /* at least 1 */
    int units;      /* GSM-7 septets or UTF-16 units of the whole text */
    int characters; /* code points */
    bool ucs2;      /* one character outside GSM-7 turns the whole text into UCS-2 */
};

/* Counts for well-formed UTF-8. GSM-7: 160 units in one segment, 153 each when split; UCS-2: 70 and
 * 67. An escaped pair or a surrogate pair is never split over two segments. */
void segments_count(const char *text, struct segments *out);

/* "gsm7" or "ucs2", as the rows name it. */
const char *segments_encoding(const struct segments *segments);

#endif
