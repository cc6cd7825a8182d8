/* Undoes what RFC 3676 did to lines. The MIME reader calls it for text/plain parts that say
 * format=flowed. */
#include "mail/flowed.h"

#include <string.h>

struct flowed_line {
    size_t depth; /* ">"s in front */
    const char *text;
    size_t length; /* without LF */
    bool soft;     /* goes on in the next line */
};

/* Reads the line at `at`; returns where the next one begins. */
static const char *read_line(const char *at, struct flowed_line *line)
{
    size_t length = strcspn(at, "\n");
    const char *next = at + length + (at[length] == '\n' ? 1 : 0);
    line->depth = strspn(at, ">");
    line->text = at + line->depth;
    line->length = length - line->depth;
    if (line->length > 0 && line->text[0] == ' ') { /* stuffed */
        line->text++;
        line->length--;
    }
    bool delimiter = line->length == 3 && memcmp(line->text, "-- ", 3) == 0;
    line->soft = line->length > 0 && line->text[line->length - 1] == ' ' && !delimiter;
    return next;
}

void mail_flowed_join(const char *text, bool delsp, struct strbuf *out)
{
    bool open = false; /* a paragraph is, at `depth` */
    size_t depth = 0;
    while (*text != '\0') {
        struct flowed_line line;
        text = read_line(text, &line);
        bool delimiter = line.length == 3 && memcmp(line.text, "-- ", 3) == 0;
        if (open && (line.depth != depth || delimiter)) {
            strbuf_add_char(out, '\n');
            open = false;
        }
        if (!open) {
            for (size_t i = 0; i < line.depth; i++)
                strbuf_add_char(out, '>');
            if (line.depth > 0)
                strbuf_add_char(out, ' ');
        }
        depth = line.depth;
        open = line.soft;
        strbuf_add(out, line.text, line.length - (line.soft && delsp ? 1 : 0));
        if (!open)
            strbuf_add_char(out, '\n');
    }
    if (open)
        strbuf_add_char(out, '\n');
}
