/* Looks through the bytes of a mail's parts before GMime reads them. GMime makes objects of all
 * that is there before anything can be counted, compares each line that begins with two dashes with
 * every boundary that is open, and keeps each line of a part's header: a mail of 25 MB could hold a
 * loop for a minute or take gigabytes. So what is beyond the bounds is kept from it. And it reads
 * attached mails as far as their addresses, which nobody needs: their types are spelt so that it
 * knows none, and takes them for files. parse_parts.c spells them right again. Called by parse.c.
 *
 * What counts as a header, a boundary's line and a type is GMime's view of it, or more than that.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "mail/parse_inside.h"

#define BOUNDS_MAX     MAIL_PARTS_MAX       /* multiparts */
#define DELIMITERS_MAX (4 * MAIL_PARTS_MAX) /* lines that may be a boundary's */
#define LOOKS_MAX      (4u * 1000 * 1000)   /* comparisons of a line with a boundary */
#define HEAD_LINES_MAX (10u * 1000)         /* of the headers of all parts */
#define HEAD_BYTES_MAX ((size_t)256 * 1024)

#define LINE_BYTES  1000
#define BOUND_BYTES 70 /* RFC 2046 section 5.1.1; of a longer one the beginning is compared */

struct scan {
    struct {
        const char *bytes; /* what its boundary begins with; of none that we can read: nothing */
        size_t length;
    } bounds[BOUNDS_MAX];
    size_t bound_count, delimiters, looks, head_lines, head_bytes;
};

static bool is_over(const struct scan *s)
{
    return s->bound_count == BOUNDS_MAX || s->delimiters > DELIMITERS_MAX || s->looks > LOOKS_MAX ||
           s->head_lines > HEAD_LINES_MAX || s->head_bytes > HEAD_BYTES_MAX;
}

/* Behind white space. */
static char *skip_space(char *at, const char *end)
{
    while (at < end && isspace((unsigned char)*at))
        at++;
    return at;
}

/* Behind white space and comments; at the end if one has none. */
static char *skip_comments(char *at, const char *end)
{
    int depth = 0;
    for (at = skip_space(at, end); at < end && (depth > 0 || *at == '('); at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        else if (*at == '(')
            depth++;
        else if (*at == ')' && --depth == 0)
            at = skip_space(at + 1, end) - 1;
    }
    return at;
}

static bool begins(const char *at, const char *end, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(end - at) >= length && strncasecmp(at, word, length) == 0;
}

static char *find(char *at, const char *end, const char *word)
{
    for (; at < end; at++)
        if (((*at ^ *word) & ~0x20) == 0 && begins(at, end, word))
            return at;
    return NULL;
}

/* Characters that stand for themselves in a boundary as GMime reads it: unquoted, it ends at ";".
 */
static bool is_plain(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("'+_-.()=?/:,", c) != NULL);
}

/* Bytes of a boundary that can be compared. None of one that GMime reads another way than it is
 * written: encoded, behind a comment, or with its quotation mark as that is not closed. */
static size_t bound_length(const char *at, const char *end, bool quoted)
{
    const char *close = quoted ? memchr(at, '"', (size_t)(end - at)) : NULL;
    size_t length = 0;
    if (quoted ? close == NULL || memchr(at, '\\', (size_t)(close - at)) != NULL
               : at < end && *at == '(')
        return 0;
    while (at + length < end && is_plain(at[length]))
        length++;
    return memmem(at, length, "=?", 2) == NULL ? length : 0;
}

/* Takes the boundary of a multipart, from what follows its type. What is written in a way of its
 * own, or more than once, may be any: all lines with two dashes count. The word within the value
 * is none; what else looks like the boundary, in a text or a comment, has the true one behind it.
 */
static void take_bound(struct scan *s, char *at, char *end)
{
    char *name = find(at, end, "boundary");
    if (name == NULL)
        return;
    at = skip_space(name + strlen("boundary"), end);
    const bool told = at < end && *at == '=';
    for (at += told; at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r');)
        at++; /* GMime takes no other white space for such */
    const bool quoted = at < end && *at == '"';
    at += quoted;
    size_t length = told ? bound_length(at, end, quoted) : 0;
    if (find(at + length, end, "boundary") != NULL)
        length = 0;
    s->bounds[s->bound_count].bytes = at;
    s->bounds[s->bound_count++].length = length < BOUND_BYTES ? length : BOUND_BYTES;
}

/* Takes the type of a part. */
static void take_type(struct scan *s, char *value, char *end)
{
    char *type = skip_comments(value, end);
    if (begins(type, end, "message")) {
        type[1] = MAIL_SCAN_LETTER;
    } else if (begins(type, end, "multipart")) {
        char *sub = skip_comments(type + strlen("multipart"), end);
        take_bound(s, sub, end);
        sub = sub < end ? skip_comments(sub + 1, end) : sub;
        if (begins(sub, end, "digest"))
            sub[3] = MAIL_SCAN_LETTER;
    }
}

/* True for a line of a header of which GMime keeps something: it passes by those that are no field,
 * but for pieces of such as do not fit into its buffer. */
static bool is_kept(const char *line, const char *next)
{
    bool blank = false;
    if (*line == ' ' || *line == '\t' || next - line > LINE_BYTES)
        return true;
    for (; line < next && *line != ':'; line++) {
        const bool is_blank = *line == ' ' || *line == '\t';
        if (!is_blank && (blank || iscntrl((unsigned char)*line)))
            return false;
        blank |= is_blank;
    }
    return true;
}

/* Takes a line of a header; false for the one that ends it. */
static bool take_head(struct scan *s, char *line, char *next, char *end)
{
    if (is_kept(line, next)) {
        s->head_lines++;
        s->head_bytes += (size_t)(next - line);
    }
    if (mail_is_empty_line(line, end))
        return false;
    if (is_over(s) || !begins(line, next, "Content-Type"))
        return true;
    char *colon = line + strlen("Content-Type");
    while (colon < next && (*colon == ' ' || *colon == '\t'))
        colon++;
    if (colon == next || *colon != ':')
        return true;
    while (next < end && (*next == ' ' || *next == '\t') && (size_t)(next - line) < HEAD_BYTES_MAX)
        next = mail_line_end(next, end);
    take_type(s, colon + 1, next);
    return true;
}

/* True if a line that begins with two dashes may be that of a boundary. */
static bool is_delimiter(struct scan *s, const char *line, const char *next)
{
    size_t length = (size_t)(next - line) - 2;
    for (size_t i = s->bound_count; i-- > 0; s->looks++)
        if (length >= s->bounds[i].length &&
            memcmp(line + 2, s->bounds[i].bytes, s->bounds[i].length) == 0)
            return true;
    return false;
}

size_t mail_parse_scan(char *bytes, size_t length)
{
    struct scan s;
    s.bound_count = s.delimiters = s.looks = s.head_lines = s.head_bytes = 0;
    char *end = bytes + length, *next;
    bool head = true;
    for (char *line = bytes; line < end && (head || s.bound_count > 0); line = next) {
        next = mail_line_end(line, end);
        if (line[0] == '-' && next - line > 2 && line[1] == '-' && is_delimiter(&s, line, next)) {
            s.delimiters++;
            head = true;
        }
        if (head)
            head = take_head(&s, line, next, end);
        if (is_over(&s))
            return (size_t)(line - bytes);
    }
    return length;
}
