/* The header of the proxy; it is nobody else's, for the proxy sets it anew. Called by voice_step.c.
 */
#include "request_start.h"

#include "base/clock.h"
#include "base/text.h"

#include <stddef.h>
#include <string.h>

#define START_HEADER  "X-Request-Start"
#define START_S_MAX   100000000000
#define FRACTION_SIZE 4 /* ".217" */

int64_t request_start_ago_ms(const char *text, int64_t now_ms)
{
    char seconds[16];
    int64_t start_s = 0, start_ms = 0;
    const char *dot = text != NULL && strncmp(text, "t=", 2) == 0 ? strchr(text, '.') : NULL;
    if (dot == NULL || strlen(dot) != FRACTION_SIZE || dot - text - 2 >= (ptrdiff_t)sizeof seconds)
        return 0;
    memcpy(seconds, text + 2, (size_t)(dot - text - 2));
    seconds[dot - text - 2] = '\0';
    if (!text_parse_int(seconds, 0, START_S_MAX, &start_s) ||
        !text_parse_int(dot + 1, 0, 999, &start_ms))
        return 0;
    const int64_t ago_ms = now_ms - (start_s * 1000 + start_ms);
    return ago_ms > 0 && ago_ms <= REQUEST_START_MAX_MS ? ago_ms : 0;
}

int64_t request_start_held_ms(const struct http_request *request)
{
    int count = 0;
    const char *text = http_request_header(request, START_HEADER, &count);
    return count == 1 ? request_start_ago_ms(text, clock_wall_ms()) : 0;
}
