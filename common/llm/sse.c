/* The splitter of server-sent events. Only data lines matter to the chat dialect; comments, event
 * names and unknown fields are dropped here (that bytes came at all is what the idle limit of the
 * HTTP client sees). Lines that lie whole in the pushed bytes are not copied. llm.c calls it. */
#include "llm/sse.h"

#include <string.h>

#define BOM "\xEF\xBB\xBF"

void sse_init(struct sse *sse, bool (*on_event)(void *arg, const char *data, size_t length),
              void *arg)
{
    *sse = (struct sse){.on_event = on_event, .arg = arg};
    strbuf_init(&sse->line, SSE_LINE_MAX);
    strbuf_init(&sse->data, SSE_LINE_MAX);
}

void sse_fini(struct sse *sse)
{
    strbuf_fini(&sse->line);
    strbuf_fini(&sse->data);
}

static enum sse_outcome dispatch(struct sse *sse)
{
    if (!sse->has_data)
        return SSE_MORE;
    sse->has_data = false;
    bool more = sse->on_event(sse->arg, sse->data.data, sse->data.length);
    strbuf_clear(&sse->data);
    return more ? SSE_MORE : SSE_STOPPED;
}

/* One line without its end. */
static enum sse_outcome take_line(struct sse *sse, const char *line, size_t length)
{
    if (!sse->started && length >= 3 && memcmp(line, BOM, 3) == 0) {
        line += 3;
        length -= 3;
    }
    sse->started = true;
    if (length == 0)
        return dispatch(sse);
    const char *colon = memchr(line, ':', length);
    size_t name = colon != NULL ? (size_t)(colon - line) : length;
    if (name != 4 || memcmp(line, "data", 4) != 0)
        return SSE_MORE;
    const char *value = colon != NULL ? colon + 1 : line + length, *end = line + length;
    if (value < end && *value == ' ')
        value++;
    if (sse->has_data)
        strbuf_add_char(&sse->data, '\n');
    sse->has_data = true;
    strbuf_add(&sse->data, value, (size_t)(end - value));
    return sse->data.overflow ? SSE_TOO_LONG : SSE_MORE;
}

static const char *line_end(const char *bytes, const char *end)
{
    const char *lf = memchr(bytes, '\n', (size_t)(end - bytes));
    const char *cr = memchr(bytes, '\r', (size_t)((lf != NULL ? lf : end) - bytes));
    return cr != NULL ? cr : lf;
}

static enum sse_outcome finish_line(struct sse *sse, const char *rest, size_t length)
{
    if (sse->line.length == 0)
        return take_line(sse, rest, length);
    strbuf_add(&sse->line, rest, length);
    if (sse->line.overflow)
        return SSE_TOO_LONG;
    enum sse_outcome outcome = take_line(sse, sse->line.data, sse->line.length);
    strbuf_clear(&sse->line);
    return outcome;
}

enum sse_outcome sse_push(struct sse *sse, const char *bytes, size_t length)
{
    const char *at = bytes, *end = bytes + length;
    while (at < end) {
        if (sse->after_cr && *at == '\n') /* the second half of a CRLF */
            at++;
        sse->after_cr = false;
        const char *stop = at < end ? line_end(at, end) : NULL;
        if (stop == NULL)
            break;
        if ((size_t)(stop - at) > SSE_LINE_MAX)
            return SSE_TOO_LONG;
        enum sse_outcome outcome = finish_line(sse, at, (size_t)(stop - at));
        if (outcome != SSE_MORE)
            return outcome;
        sse->after_cr = *stop == '\r';
        at = stop + 1;
    }
    strbuf_add(&sse->line, at, (size_t)(end - at));
    return sse->line.overflow ? SSE_TOO_LONG : SSE_MORE;
}
