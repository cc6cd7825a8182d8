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

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\n' && c != '\t') || c == 127;
}

/* Control characters become spaces. */
static void clean(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        i += text_printable_run(text + i, length - i);
        if (i < length && is_control(text[i]))
            text[i] = ' ';
    }
}

const char *event_text_fit(struct arena *arena, const char *text, size_t max_bytes,
                           size_t max_written, bool *cut)
{
    size_t length = strlen(text), written = 0, end = 0;
    char *copy = arena_strndup(arena, text, length);
    clean(copy, length);
    if (length <= max_bytes && length <= max_written / 2)
        return copy; /* however much of it takes two bytes */
    while (end < length && end < max_bytes && written + 2 <= max_written)
        written += width(copy[end++]);
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
