/* Frames of RFC 6455, read from bytes cut at every place, and written. */
#include "unit/common/http/socket_rig.h"

#include "http/socket_inside.h"

#define MAX_BYTES 1000

struct piece {
    int first;
    const char *payload; /* NULL ends the list */
    size_t length;       /* 0: of the text */
};

/* Appends what the reader tells, as a word each: "text(ab) part ping(x) bad(1002)". */
static void note(enum frame_event event, const struct frame *frame, struct strbuf *out)
{
    static const char *const words[] = {
        [FRAME_NEEDS_MORE] = "more", [FRAME_IS_PART] = "part", [FRAME_IS_TEXT] = "text",
        [FRAME_IS_PING] = "ping",    [FRAME_IS_PONG] = "pong", [FRAME_IS_CLOSE] = "close",
        [FRAME_IS_BAD] = "bad",
    };
    strbuf_printf(out, "%s%s", out->length > 0 ? " " : "", words[event]);
    if (event == FRAME_IS_CLOSE || event == FRAME_IS_BAD)
        strbuf_printf(out, "(%d)", frame->code);
    else if (event != FRAME_IS_PART)
        strbuf_printf(out, "(%.*s)", (int)frame->length, frame->bytes);
}

/* Gives the bytes in portions of `step` and notes all events; the reader keeps nothing between. */
static void read_all(const struct strbuf *bytes, size_t step, struct strbuf *out)
{
    struct frame_reader reader;
    struct frame frame;
    frame_reader_init(&reader, MAX_BYTES);
    strbuf_clear(out);
    enum frame_event event = FRAME_NEEDS_MORE;
    for (size_t at = 0; at < bytes->length && event != FRAME_IS_BAD; at += step) {
        size_t length = bytes->length - at < step ? bytes->length - at : step;
        char *copy = xmalloc(length); /* its own memory: the sanitizer sees a read behind it */
        memcpy(copy, bytes->data + at, length);
        const char *from = copy;
        while (event != FRAME_IS_BAD &&
               (event = frame_reader_take(&reader, &from, &length, &frame)) != FRAME_NEEDS_MORE)
            note(event, &frame, out);
        free(copy);
    }
    CU_ASSERT_TRUE(event == FRAME_IS_BAD || reader.in_message || reader.in_payload ||
                   reader.message.capacity == 0);
    frame_reader_fini(&reader);
}

static void check(const struct strbuf *bytes, const char *expected, const char *name)
{
    struct strbuf seen;
    strbuf_init(&seen, 1 << 16);
    for (size_t step = 1; step <= 7; step++) {
        read_all(bytes, step == 7 ? bytes->length : step, &seen);
        if (strcmp(seen.data, expected) != 0)
            fprintf(stderr, "%s in steps of %zu: \"%s\"\n", name, step, seen.data);
        CU_ASSERT_STRING_EQUAL(seen.data, expected);
    }
    strbuf_fini(&seen);
}

static void test_sequences(void)
{
    static const struct {
        struct piece pieces[6];
        const char *expected;
    } cases[] = {
        {{{0x81, "Hello", 0}}, "text(Hello)"},
        {{{0x81, "", 0}, {0x81, "b", 0}}, "text() text(b)"},
        {{{0x01, "Hel", 0}, {0x80, "lo", 0}}, "part text(Hello)"},
        {{{0x01, "", 0}, {0x00, "a", 0}, {0x80, "", 0}}, "part part text(a)"},
        {{{0x01, "a", 0}, {0x89, "p", 0}, {0x8A, "q", 0}, {0x80, "b", 0}},
         "part ping(p) pong(q) text(ab)"},
        {{{0x01, "\xc3", 0}, {0x80, "\xa4", 0}}, "part text(\xc3\xa4)"},
        {{{0x01, "\xc3", 0}, {0x80, "(", 0}}, "part bad(1007)"},
        {{{0x81, "\xed\xa0\x80", 0}}, "bad(1007)"},
        {{{0x81, "a\0b", 3}}, "bad(1007)"},
        {{{0x82, "a", 0}}, "bad(1003)"},
        {{{0x02, "a", 0}}, "bad(1003)"},
        {{{0x80, "a", 0}}, "bad(1002)"}, /* goes on with nothing */
        {{{0x01, "a", 0}, {0x81, "b", 0}}, "part bad(1002)"},
        {{{0x01, "a", 0}, {0x01, "b", 0}}, "part bad(1002)"},
        {{{0x83, "a", 0}}, "bad(1002)"},
        {{{0x8B, "a", 0}}, "bad(1002)"},
        {{{0xC1, "a", 0}}, "bad(1002)"},
        {{{0x91, "a", 0}}, "bad(1002)"},
        {{{0x09, "a", 0}}, "bad(1002)"},
        {{{0x08, "", 0}}, "bad(1002)"},
        {{{0x88, "", 0}}, "close(1005)"},
        {{{0x88, "\x03", 0}}, "bad(1002)"},
        {{{0x88, "\x03\xe8", 0}}, "close(1000)"},
        {{{0x88, "\x03\xe9going", 0}}, "close(1001)"},
        {{{0x88, "\x03\xec", 0}}, "bad(1002)"}, /* 1004 */
        {{{0x88, "\x03\xed", 0}}, "bad(1002)"}, /* 1005 */
        {{{0x88, "\x03\xee", 0}}, "bad(1002)"}, /* 1006 */
        {{{0x88, "\x03\xf7", 0}}, "bad(1002)"}, /* 1015 */
        {{{0x88, "\x03\xe7", 0}}, "bad(1002)"}, /* 999 */
        {{{0x88, "\x0b\xb7", 0}}, "bad(1002)"}, /* 2999 */
        {{{0x88, "\x0b\xb8", 0}}, "close(3000)"},
        {{{0x88, "\x13\x88", 0}}, "bad(1002)"}, /* 5000 */
        {{{0x88, "\x03\xe8\xff", 0}}, "bad(1007)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf bytes;
        char name[32];
        strbuf_init(&bytes, 1 << 16);
        for (const struct piece *piece = cases[i].pieces; piece->payload != NULL; piece++) {
            size_t length = piece->length > 0 ? piece->length : strlen(piece->payload);
            frame_add(&bytes, piece->first, piece->payload, length, length);
        }
        snprintf(name, sizeof name, "sequence[%zu]", i);
        check(&bytes, cases[i].expected, name);
        strbuf_fini(&bytes);
    }
}

/* Headers alone: what they claim decides before a byte of payload. */
static void test_claims(void)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected;
    } cases[] = {
        {"\x81\x05Hello", 7, "bad(1002)"}, /* not masked */
        {"\x81\xfe\x03\xe8mask", 8, ""},   /* 1000 is allowed: more is awaited */
        {"\x81\xfe\x03\xe9mask", 8, "bad(1009)"},
        {"\x81\xff\0\0\0\0\x40\0\0\0mask", 14, "bad(1009)"},               /* 1 GiB */
        {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask", 14, "bad(1009)"}, /* 8 EiB */
        {"\x81\xff\x80\0\0\0\0\0\0\0mask", 14, "bad(1002)"},               /* the sign bit */
        {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", 14, "bad(1002)"},
        {"\x81\xfe\0\x7dmask", 8, "bad(1002)"},                /* 125 in two bytes */
        {"\x81\xff\0\0\0\0\0\0\xff\xffmask", 14, "bad(1002)"}, /* 65535 in eight */
        {"\x89\xfe\0\x7emask", 8, "bad(1002)"},                /* a ping of 126 */
        {"\x82\xff\0\0\0\0\x40\0\0\0mask", 14, "bad(1003)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf bytes;
        char name[32];
        strbuf_init(&bytes, 64);
        strbuf_add(&bytes, cases[i].bytes, cases[i].length);
        snprintf(name, sizeof name, "claim[%zu]", i);
        check(&bytes, cases[i].expected, name);
        strbuf_fini(&bytes);
    }
}

/* Fragments count together: 600 and 400 fit, 600 and 401 do not. */
static void test_fragments_count_together(void)
{
    char payload[MAX_BYTES];
    memset(payload, 'a', sizeof payload);
    for (size_t second = 400; second <= 401; second++) {
        struct strbuf bytes, seen;
        strbuf_init(&bytes, 1 << 16);
        strbuf_init(&seen, 1 << 16);
        frame_add(&bytes, 0x01, payload, 600, 600);
        frame_add(&bytes, 0x80, payload, second, second);
        read_all(&bytes, 100, &seen);
        CU_ASSERT_EQUAL(strcmp(seen.data, "part bad(1009)") == 0, second == 401);
        CU_ASSERT_EQUAL(seen.length, second == 401 ? 14 : 5 + 6 + 1000);
        strbuf_fini(&bytes);
        strbuf_fini(&seen);
    }
}

/* A claim of the maximum costs what has arrived of it. */
static void test_memory_follows_bytes(void)
{
    struct frame_reader reader;
    struct frame frame;
    struct strbuf bytes;
    strbuf_init(&bytes, 1 << 16);
    frame_reader_init(&reader, SOCKET_MESSAGE_MAX_BYTES);
    frame_add(&bytes, 0x81, "abc", 3, SOCKET_MESSAGE_MAX_BYTES);
    const char *from = bytes.data;
    size_t length = bytes.length;
    CU_ASSERT_EQUAL(frame_reader_take(&reader, &from, &length, &frame), FRAME_NEEDS_MORE);
    CU_ASSERT_EQUAL(reader.message.length, 3);
    CU_ASSERT_TRUE(reader.message.capacity <= 64);
    frame_reader_fini(&reader);
    strbuf_fini(&bytes);
}

static void test_writing(void)
{
    static const struct {
        size_t length, head_length;
        uint8_t head[4];
    } cases[] = {
        {0, 2, {0x81, 0}},
        {125, 2, {0x81, 125}},
        {126, 4, {0x81, 126, 0, 126}},
        {65535, 4, {0x81, 126, 0xff, 0xff}},
        {65536, 10, {0x81, 127, 0, 0}},
    };
    uint8_t out[FRAME_HEAD_MAX], payload[FRAME_CONTROL_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(frame_head_write(out, FRAME_TEXT, cases[i].length), cases[i].head_length);
        CU_ASSERT_EQUAL(memcmp(out, cases[i].head, cases[i].head_length < 4 ? 2 : 4), 0);
    }
    CU_ASSERT_EQUAL(frame_head_write(out, FRAME_TEXT, 65536), 10);
    CU_ASSERT_EQUAL(memcmp(out + 2, "\0\0\0\0\0\1\0\0", 8), 0);
    CU_ASSERT_EQUAL(frame_close_write(payload, 1001, "bye"), 5);
    CU_ASSERT_EQUAL(memcmp(payload,
                           "\x03\xe9"
                           "bye",
                           5),
                    0);
    CU_ASSERT_EQUAL(frame_close_write(payload, CLOSE_NO_CODE, "bye"), 0);
    char reason[200];
    memset(reason, 'a', sizeof reason);
    memcpy(reason + 122, "\xc3\xa4", 3); /* it does not fit whole */
    CU_ASSERT_EQUAL(frame_close_write(payload, 1001, reason), 2 + 122);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("frames", NULL, NULL);
    CU_add_test(suite, "sequences", test_sequences);
    CU_add_test(suite, "claims", test_claims);
    CU_add_test(suite, "fragments count together", test_fragments_count_together);
    CU_add_test(suite, "memory follows bytes", test_memory_follows_bytes);
    CU_add_test(suite, "writing", test_writing);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
