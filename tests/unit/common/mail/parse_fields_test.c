/* Unit tests of how a mail's fields are taken out of its bytes: whatever the bytes are, what is
 * read is what GMime's own parser makes of the whole mail. */
#include "mail/parse_inside.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

#define BYTES_MAX 4000

static void add_field(struct strbuf *out, const char *name, const char *raw)
{
    strbuf_printf(out, "<%s|%s>", name, raw);
}

static void add_body(struct strbuf *out, GMimeObject *top)
{
    char *body = top == NULL ? NULL : g_mime_object_to_string(top, NULL);
    strbuf_printf(out, "%s %s", top == NULL ? "" : G_OBJECT_TYPE_NAME(top),
                  body == NULL ? "none" : body);
    g_free(body);
}

/* All that GMime makes of a mail, as one text. */
static void read_by_gmime(const char *bytes, size_t length, struct strbuf *out)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(bytes, length);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    GMimeHeaderList *list =
        message == NULL ? NULL : g_mime_object_get_header_list(GMIME_OBJECT(message));
    for (int i = 0; list != NULL && i < g_mime_header_list_get_count(list); i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
        add_field(out, g_mime_header_get_name(header), g_mime_header_get_raw_value(header));
    }
    if (message == NULL)
        strbuf_add_text(out, "no mail");
    else
        add_body(out, g_mime_message_get_mime_part(message));
    if (message != NULL)
        g_object_unref(message);
    g_object_unref(parser);
    g_object_unref(stream);
}

/* The same by our reader, with GMime for the rest. */
static void read_by_us(const char *bytes, size_t length, struct strbuf *out)
{
    struct arena *arena = arena_new();
    char *copy = arena_strndup(arena, bytes, length);
    struct mail_fields fields;
    struct mail_field field;
    mail_fields_init(&fields, copy, length);
    while (mail_fields_next(&fields, arena, &field))
        add_field(out, field.name, field.raw);
    if (fields.broken) {
        strbuf_clear(out);
        strbuf_add_text(out, "no mail");
    } else {
        size_t from = mail_fields_rest(&fields);
        const char *more = from == length ? "\n" : ""; /* of no bytes at all nothing is made */
        GMimeStream *stream = g_mime_stream_mem_new();
        g_mime_stream_write(stream, copy + from, length - from);
        g_mime_stream_write_string(stream, more);
        g_mime_stream_reset(stream);
        GMimeParser *parser = g_mime_parser_new_with_stream(stream);
        GMimeObject *top = g_mime_parser_construct_part(parser, NULL);
        add_body(out, top);
        if (top != NULL)
            g_object_unref(top);
        g_object_unref(parser);
        g_object_unref(stream);
    }
    arena_free(&arena);
}

static bool is_same(const char *bytes, size_t length)
{
    struct strbuf theirs, ours;
    strbuf_init(&theirs, 64 * BYTES_MAX);
    strbuf_init(&ours, 64 * BYTES_MAX);
    read_by_gmime(bytes, length, &theirs);
    read_by_us(bytes, length, &ours);
    bool same = strcmp(theirs.data, ours.data) == 0;
    if (!same)
        fprintf(stderr, "\n---- mail\n%.*s\n---- GMime\n%s\n---- we\n%s\n", (int)length, bytes,
                theirs.data, ours.data);
    strbuf_fini(&theirs);
    strbuf_fini(&ours);
    return same;
}

static const struct piece {
    const char *bytes;
    size_t length;
} pieces[] = {
#define PIECE(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    PIECE("From: a@b.example\r\n"),
    PIECE("Subject: one\n"),
    PIECE("To : a@b.example (\n"),
    PIECE("X-Empty:\r\n"),
    PIECE(" folded\r\n"),
    PIECE("\tfolded: too\n"),
    PIECE("From ann Mon Nov 2\n"),
    PIECE(">From ann: Mon Nov 2\r\n"),
    PIECE("no colon\n"),
    PIECE("nocolon\r\n"),
    PIECE("two words: x\n"),
    PIECE(": no name\n"),
    PIECE("\x01: x\n"),
    PIECE("N\0l: x\n"),
    PIECE("Nil: a\0b\n"),
    PIECE("Gr\xc3\xbc\xc3\x9f\x65: x\n"),
    PIECE("Content-Type: text/html; charset=x\r\n"),
    PIECE("content-type : text/plain\n"),
    PIECE("Content-Type: multipart/mixed;\r\n boundary=b\r\n"),
    PIECE("Content-Type: message/rfc822\n"),
    PIECE("Content-Transfer-Encoding: base64\n"),
    PIECE("Content-\n"),
    PIECE("--b\n"),
    PIECE("--b--\r\n"),
    PIECE("\n"),
    PIECE("\r\n"),
    PIECE("\r"),
    PIECE("\r\r\n"),
    PIECE("no line end: x"),
    PIECE("the end"),
};

enum { PIECES = sizeof pieces / sizeof pieces[0] };

static size_t add_piece(char *bytes, size_t length, size_t number)
{
    memcpy(bytes + length, pieces[number].bytes, pieces[number].length);
    return length + pieces[number].length;
}

/* Each of one, two and three pieces. */
static void test_all_of_few(void)
{
    size_t wrong = 0;
    char bytes[BYTES_MAX];
    CU_ASSERT_TRUE(is_same("", 0));
    for (size_t a = 0; a < PIECES; a++) {
        size_t one = add_piece(bytes, 0, a);
        wrong += !is_same(bytes, one);
        for (size_t b = 0; b < PIECES; b++) {
            size_t two = add_piece(bytes, one, b);
            wrong += !is_same(bytes, two);
            for (size_t c = 0; c < PIECES; c++)
                wrong += !is_same(bytes, add_piece(bytes, two, c));
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Some of many; each run is the same. */
static void test_some_of_many(void)
{
    size_t wrong = 0;
    uint32_t seed = 1;
    for (int round = 0; round < 5000; round++) {
        char bytes[BYTES_MAX];
        size_t length = 0, count = 4 + (size_t)round % 20;
        for (size_t i = 0; i < count; i++) {
            seed = seed * 1103515245 + 12345;
            length = add_piece(bytes, length, (seed >> 16) % PIECES);
        }
        wrong += !is_same(bytes, length);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* GMime gives up on a mail with a line that may be a name for longer than its buffer. */
static void test_long_names(void)
{
    size_t wrong = 0;
    char bytes[3 * BYTES_MAX];
    for (size_t before = 0; before < 3; before++)
        for (size_t length = 4180; length < 4260; length++) {
            size_t at = 0;
            for (size_t i = 0; i < before * 100; i++)
                at = add_piece(bytes, at, i % 2);
            memset(bytes + at, 'x', length);
            at += length;
            memcpy(bytes + at, ": y\n\nz", 7);
            wrong += !is_same(bytes, at + 7);
            wrong += !is_same(bytes, at);
        }
    CU_ASSERT_EQUAL(wrong, 0);
}

static int set_up(void)
{
    g_mime_init();
    return 0;
}

static int tear_down(void)
{
    g_mime_shutdown();
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/parse_fields", set_up, tear_down);
    CU_add_test(suite, "all of few lines", test_all_of_few);
    CU_add_test(suite, "some of many lines", test_some_of_many);
    CU_add_test(suite, "long names", test_long_names);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
