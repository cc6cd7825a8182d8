/* What a stranger wrote, cut to the bounds of an event. Pure, any thread. */
#ifndef DESK_MAILPOLLER_EVENT_TEXT_H
#define DESK_MAILPOLLER_EVENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* A text of at most max_bytes and at most max_written bytes in JSON, with a mark where it was cut;
 * then *cut is set, else it is left alone. */
const char *event_text_fit(struct arena *arena, const char *text, size_t max_bytes,
                           size_t max_written, bool *cut);

/* What event_text_fit counts against max_written. */
size_t event_text_written(const char *text);

/* One line of at most max_bytes. */
const char *event_text_line(struct arena *arena, const char *text, size_t max_bytes);

#endif
