/* Server-sent events, pushed in as bytes come: a chunk may end anywhere, even inside a CRLF. Not
 * thread-safe. Source: the WHATWG HTML standard, "Server-sent events". */
#ifndef DESK_LLM_SSE_H
#define DESK_LLM_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

#define SSE_LINE_MAX ((size_t)1 << 20)

struct sse {
    struct strbuf line; /* the unfinished line; empty when lines come whole */
    struct strbuf data; /* data lines of the unfinished event, joined by LF */
    bool has_data, after_cr, started;
    /* An event's data, borrowed and NUL-terminated; false ends the pushing. */
    bool (*on_event)(void *arg, const char *data, size_t length);
    void *arg;
};

enum sse_outcome { SSE_MORE, SSE_STOPPED, SSE_TOO_LONG };

/* Prepares caller's storage; no memory is taken yet. */
void sse_init(struct sse *sse, bool (*on_event)(void *arg, const char *data, size_t length),
              void *arg);

/* Frees the buffers. */
void sse_fini(struct sse *sse);

/* Reads `length` bytes on, calling on_event for each event that is complete. SSE_STOPPED: on_event
 * said false; SSE_TOO_LONG: a line, or one event's data, is longer than SSE_LINE_MAX. After either
 * nothing more may be pushed. What is unfinished at the end of the stream is no event. */
enum sse_outcome sse_push(struct sse *sse, const char *bytes, size_t length);

#endif
