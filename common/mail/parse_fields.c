/* Takes a mail's own fields out of its bytes, so that GMime, which makes several objects of each
 * and reads each address and date once more than we do, is given only what it needs: the fields
 * that say how the body is made. What counts as a field is GMime's view of it, line by line; the
 * test compares the two. Called by parse.c and parse_headers.c. */
#include <string.h>
#include <strings.h>

#include "mail/parse_inside.h"

#define NAME_BYTES 4224 /* what may be a name for longer than GMime's buffer is no mail */
#define RAW_BYTES  ((size_t)64 * 1024) /* of a field that are read; GMime puts some on the stack */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || (unsigned char)c == 0x7f;
}

/* Where the name ends that the line begins with: at its colon, unless something stands before that
 * which is in no name, or NAME_BYTES or `end` is reached. Blanks may stand before the colon. */
static char *name_end(char *at, const char *end)
{
    bool blank = false;
    if (end - at > NAME_BYTES)
        end = at + NAME_BYTES;
    for (; at < end && *at != ':'; at++) {
        if (is_blank(*at))
            blank = true;
        else if (blank || is_control(*at))
            break;
    }
    return at;
}

/* What a mailbox file has above a mail, and some programs leave there: "From ann@x Mon Nov 2". */
static bool is_from_line(const char *line, const char *stop)
{
    if (line < stop && *line == '>')
        line++;
    return stop - line >= 5 && memcmp(line, "From ", 5) == 0;
}

static bool says_how(const char *name, size_t length)
{
    return length >= 8 && strncasecmp(name, "Content-", 8) == 0;
}

void mail_fields_init(struct mail_fields *fields, char *bytes, size_t length)
{
    *fields = (struct mail_fields){
        .start = bytes, .kept = bytes, .at = bytes, .end = bytes + length, .broken = length == 0};
}

/* Behind the field that begins at `line`, with the lines that continue it. */
static char *field_end(const struct mail_fields *fields, char *line)
{
    do
        line = mail_line_end(line, fields->end);
    while (line < fields->end && is_blank(*line));
    return line;
}

/* True if the line, which is no field as its name ends at `stop`, is passed by. */
static bool pass_by(struct mail_fields *fields, char *line, const char *stop)
{
    fields->broken = stop == fields->end || stop - line == NAME_BYTES ||
                     (!fields->any && !is_from_line(line, stop));
    fields->at = fields->any ? field_end(fields, line) : mail_line_end(line, fields->end);
    return !fields->broken;
}

bool mail_fields_next(struct mail_fields *fields, struct arena *arena, struct mail_field *out)
{
    while (!fields->broken && fields->at < fields->end &&
           !mail_is_empty_line(fields->at, fields->end)) {
        char *line = fields->at, *colon = name_end(line, fields->end);
        size_t length = (size_t)(colon - line);
        if (colon == fields->end || length == NAME_BYTES || *colon != ':' ||
            (length == 0 && !fields->any)) {
            if (!pass_by(fields, line, colon))
                return false;
            continue;
        }
        fields->at = field_end(fields, line);
        fields->any = true;
        while (length > 0 && is_blank(line[length - 1]))
            length--;
        if (says_how(line, length)) {
            memmove(fields->kept, line, (size_t)(fields->at - line));
            fields->kept += fields->at - line;
            continue;
        }
        size_t raw = (size_t)(fields->at - colon - 1);
        if (out != NULL)
            *out = (struct mail_field){
                .name = arena_strndup(arena, line, length),
                .raw = arena_strndup(arena, colon + 1, raw < RAW_BYTES ? raw : RAW_BYTES),
            };
        return true;
    }
    return false;
}

size_t mail_fields_rest(struct mail_fields *fields)
{
    size_t kept = (size_t)(fields->kept - fields->start);
    char *from = fields->at - kept;
    memmove(from, fields->start, kept);
    return (size_t)(from - fields->start);
}
