/* The entrance to GMime: one mail is parsed, read into our own structure, and let go. Its own
 * fields are read by us, its body by GMime's parser. Both take whatever comes; that the result is
 * bounded and clean is the business of parse_headers.c and parse_parts.c. mailpoller calls it. */
#include "mail/parse.h"

#include <pthread.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "mail/charset.h"
#include "mail/parse_inside.h"

#define BLANKS " \t\r\n"

static GMimeParserOptions *options; /* read only, once made */

static void prepare(void)
{
    static const char *charsets[] = {"utf-8", "windows-1252", "iso-8859-1", NULL};
    g_mime_init();
    options = g_mime_parser_options_new();
    g_mime_parser_options_set_fallback_charsets(options, charsets);
}

const char *mail_header(const struct mail *mail, const char *name)
{
    for (size_t i = 0; i < mail->header_count; i++)
        if (mail_same_name(mail->headers[i].name, name))
            return mail->headers[i].value;
    return NULL;
}

/* Bytes of white space, or of a character that would be a line end to some reader, at `at`. */
static size_t blank_at(const char *at)
{
    if (*at == ' ' || *at == '\t' || *at == '\n')
        return 1;
    if (strncmp(at, "\xc2\xa0", 2) == 0 ||                            /* no-break space */
        (strncmp(at, "\xc2", 1) == 0 && (unsigned char)at[1] < 0xa0)) /* C1, also U+0085 */
        return 2;
    if (strncmp(at, "\xe2\x80\xa8", 3) == 0 || strncmp(at, "\xe2\x80\xa9", 3) == 0)
        return 3; /* U+2028, U+2029 */
    return 0;
}

/* True for a line that is one as it stands: printable ASCII, single spaces between words. */
static bool is_clean(const char *bytes, size_t length)
{
    return text_printable_run(bytes, length) == length && memmem(bytes, length, "  ", 2) == NULL;
}

const char *mail_line(struct arena *arena, const char *bytes, size_t max)
{
    struct strbuf text, line;
    bool space = false;
    bytes += strspn(bytes, BLANKS);
    size_t length = strlen(bytes);
    while (length > 0 && strchr(BLANKS, bytes[length - 1]) != NULL)
        length--;
    if (is_clean(bytes, length))
        return arena_strndup(arena, bytes, length < max ? length : max);
    strbuf_init(&text, 4 * max + 64);
    strbuf_init(&line, 4 * max + 64);
    mail_charset_decode(NULL, bytes, length, &text);
    for (const char *at = text.data; *at != '\0';) {
        size_t blank = blank_at(at);
        if (blank > 0) {
            space = line.length > 0;
            at += blank;
            continue;
        }
        if (space)
            strbuf_add_char(&line, ' ');
        space = false;
        strbuf_add_char(&line, *at++);
    }
    const char *result = arena_strndup(arena, line.data, text_utf8_prefix(line.data, max));
    strbuf_fini(&text);
    strbuf_fini(&line);
    return result;
}

/* Has GMime read the rest of the mail, whose fields were taken out. */
static void read_parts(struct arena *arena, GMimeStream *stream, struct mail_fields *fields,
                       const struct mail_sink *sink, struct mail *mail)
{
    GByteArray *copy = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    size_t rest = mail_fields_rest(fields);
    if (rest == copy->len) /* of no bytes at all GMime makes nothing */
        g_byte_array_append(copy, (const guint8 *)"\n", 1);
    size_t length = copy->len - rest, read = mail_parse_scan((char *)copy->data + rest, length);
    mail->stopped = read < length;
    mail->cut |= mail->stopped;
    g_mime_stream_set_bounds(stream, (gint64)rest, (gint64)(rest + read));
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeObject *top = g_mime_parser_construct_part(parser, options);
    g_object_unref(parser);
    mail_parse_parts(arena, options, top, sink, mail);
    if (top != NULL)
        g_object_unref(top);
}

int mail_parse(struct arena *arena, const char *bytes, size_t length, const struct mail_sink *sink,
               struct mail *mail, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct mail_fields fields;
    struct mail found = {
        .message_id = "", .subject = "", .report_type = "", .report = "", .original = ""};
    if (length > MAIL_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, "mail.size",
                       "the mail has %zu bytes, %u are read: fetch its text alone", length,
                       MAIL_BYTES_MAX);
    pthread_once(&once, prepare);
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(bytes, length);
    GByteArray *copy = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    mail_fields_init(&fields, (char *)copy->data, copy->len);
    mail_parse_headers(arena, options, &fields, &found);
    if (!fields.broken)
        read_parts(arena, stream, &fields, sink, &found);
    g_object_unref(stream);
    if (fields.broken)
        return err_set(err, ERR_PERMANENT, "mail.syntax", "there is no mail in the %zu bytes",
                       length);
    *mail = found;
    return 0;
}
