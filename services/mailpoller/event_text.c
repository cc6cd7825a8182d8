/* Cuts texts. mail_event.c and mail_files.c call it, so that an event's encoder and every reader
 * can insist on its bounds. */
#include "event_text.h"

#include <string.h>

#include "base/text.h"

#define MARK "\n[...]"

static size_t width(char c)
{
    return c == '\n' || c == '\t' || c == '"' || c == '\\' ? 2 : 1;
}

const char *event_text_fit(struct arena *arena, const char *text, size_t max_bytes,
                           size_t max_written, bool *cut)
{
    size_t length = strlen(text), written = 0, end = 0;
    char *copy = arena_strndup(arena, text, length);
    for (; end < length && end < max_bytes && written + 2 <= max_written; end++) {
        unsigned char c = (unsigned char)copy[end];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 127)
            copy[end] = ' ';
        written += width(copy[end]);
    }
    if (end == length)
        return copy;
    *cut = true;
    end = end <= strlen(MARK) ? 0 : text_utf8_prefix(copy, end - strlen(MARK) - 1);
    return arena_printf(arena, "%.*s" MARK, (int)end, copy);
}

size_t event_text_written(const char *text)
{
    size_t written = 0;
    for (; *text != '\0'; text++)
        written += width(*text);
    return written;
}

const char *event_text_line(struct arena *arena, const char *text, size_t max_bytes)
{
    char *copy = arena_strndup(arena, text, text_utf8_prefix(text, max_bytes));
    for (char *c = copy; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    return copy;
}
