/* How Twilio counts a text: GSM-7 or UCS-2, and segments. */
#ifndef STANDS_LIB_SEGMENTS_H
#define STANDS_LIB_SEGMENTS_H

#include <stddef.h>

/* The number of segments of `len` bytes of UTF-8 (0 for none): GSM-7 160 alone or 153 each, UCS-2
 * 70 or 67; neither an escaped pair nor a surrogate pair is split. Bytes that are not UTF-8 count
 * as one UCS-2 unit. */
int stand_segments(const char *text, size_t len);

/* The number of characters (code points) of `len` bytes of UTF-8. */
size_t stand_characters(const char *text, size_t len);

#endif
