/* Framing of IMAP responses. The session feeds it what its stream brings. */
#include "mail/imap_read.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

void imap_reader_init(struct imap_reader *reader, size_t literals_max)
{
    *reader = (struct imap_reader){.literals_max = literals_max};
    strbuf_init(&reader->response, literals_max + IMAP_LINE_MAX);
}

void imap_reader_fini(struct imap_reader *reader)
{
    strbuf_fini(&reader->response);
}

/* Only data has literals: "* 1 FETCH ...". */
static bool is_status(const struct strbuf *response)
{
    static const char *const names[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
    const char *text = response->data;
    if (text[0] != '*' || text[1] != ' ')
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        char behind = strncasecmp(text + 2, names[i], length) == 0 ? text[2 + length] : 'x';
        if (behind == ' ' || behind == '\0')
            return true;
    }
    return false;
}

/* The size that the line's end announces ("{12}"), or -1 if it announces none. */
static int64_t announced(const struct strbuf *response, size_t line_start)
{
    char digits[12];
    const char *text = response->data + line_start, *end = response->data + response->length;
    const char *open = memrchr(text, '{', (size_t)(end - text));
    int64_t size;
    if (open == NULL || end[-1] != '}' || (size_t)(end - open) > sizeof digits)
        return -1;
    size_t count = (size_t)(end - open) - 2;
    memcpy(digits, open + 1, count);
    digits[count] = '\0';
    return text_parse_int(digits, 0, UINT32_MAX, &size) ? size : -1;
}

/* The line is whole, its end still there. Returns 1 if the response is, too. */
static int end_line(struct imap_reader *reader, struct err *err)
{
    struct strbuf *response = &reader->response;
    size_t with_end = response->length, length = with_end - 1;
    if (length > reader->line_start && response->data[length - 1] == '\r')
        length--;
    if (memchr(response->data + reader->line_start, '\0', length - reader->line_start) != NULL)
        return err_set(err, ERR_RETRY_LATER, "imap.syntax", "the server sent a NUL in a line");
    char kept[2] = {response->data[length], response->data[with_end - 1]};
    strbuf_truncate(response, length);
    int64_t size = is_status(response) ? -1 : announced(response, reader->line_start);
    if (size < 0)
        return 1;
    if (++reader->literals > IMAP_LITERALS_MAX)
        return err_set(err, ERR_RETRY_LATER, "imap.literal", "more than %d literals in a response",
                       IMAP_LITERALS_MAX);
    if ((uint64_t)size > reader->literals_max - reader->literal_bytes)
        return err_set(err, ERR_RETRY_LATER, "imap.literal",
                       "the server announces %lld bytes, %zu are taken", (long long)size,
                       reader->literals_max);
    strbuf_add(response, kept, with_end - length);
    reader->literal_bytes += (size_t)size;
    reader->literal_left = (size_t)size;
    return 0;
}

static size_t take_literal(struct imap_reader *reader, const char *bytes, size_t length)
{
    size_t part = length < reader->literal_left ? length : reader->literal_left;
    strbuf_add(&reader->response, bytes, part);
    reader->literal_left -= part;
    reader->line_start = reader->response.length;
    return part;
}

int imap_reader_take(struct imap_reader *reader, const char *bytes, size_t length, size_t *used,
                     struct err *err)
{
    size_t at = 0;
    int whole = 0;
    while (at < length && whole == 0) {
        if (reader->literal_left > 0) {
            at += take_literal(reader, bytes + at, length - at);
            continue;
        }
        const char *end = memchr(bytes + at, '\n', length - at);
        size_t part = end != NULL ? (size_t)(end - bytes) + 1 - at : length - at;
        reader->line_bytes += part;
        if (reader->line_bytes > IMAP_LINE_MAX)
            return err_set(err, ERR_RETRY_LATER, "imap.line",
                           "the server sent a line of more than %u bytes", IMAP_LINE_MAX);
        strbuf_add(&reader->response, bytes + at, part);
        at += part;
        if (end != NULL && (whole = end_line(reader, err)) < 0)
            return -1;
        if (end != NULL && whole == 0)
            reader->line_start = reader->response.length;
    }
    *used = at;
    return whole;
}

static void rewind_reader(struct imap_reader *reader)
{
    reader->line_start = reader->line_bytes = reader->literal_bytes = reader->literal_left = 0;
    reader->literals = 0;
}

void imap_reader_next(struct imap_reader *reader)
{
    if (reader->response.capacity > IMAP_LINE_MAX)
        strbuf_fini(&reader->response);
    else
        strbuf_clear(&reader->response);
    rewind_reader(reader);
}

void imap_reader_rest(struct imap_reader *reader)
{
    strbuf_fini(&reader->response);
}
