/* WebSocket framing against RFC 6455: its own examples, every length form, every violation. */
#include "stands/lib/frames.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "stands/lib/hmac.h"
#include "stands/lib/sha1.h"

/* What a receiver handed over: opcode, length and text of each message. */
struct seen {
    struct stand_buf text;
    size_t limit; /* stops after so many; 0: never */
    size_t count;
};

static bool note(void *user, int opcode, const char *data, size_t len)
{
    struct seen *seen = user;
    stand_buf_printf(&seen->text, "%d:", opcode);
    stand_buf_add(&seen->text, data, len < 40 ? len : 40);
    stand_buf_printf(&seen->text, "(%zu) ", len);
    return ++seen->count != seen->limit;
}

static void writes_the_examples_of_the_rfc(void)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    struct stand_buf out;
    stand_buf_init(&out, 1000000);
    stand_frame_add(&out, STAND_FRAME_TEXT, true, NULL, "Hello", 5);
    CU_ASSERT_EQUAL(out.len, 7);
    CU_ASSERT_EQUAL(memcmp(out.data, "\x81\x05Hello", 7), 0);
    stand_buf_clear(&out);
    stand_frame_add(&out, STAND_FRAME_TEXT, true, mask, "Hello", 5);
    CU_ASSERT_EQUAL(out.len, 11);
    CU_ASSERT_EQUAL(memcmp(out.data, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11), 0);
    char *big = stand_alloc(65536);
    stand_buf_clear(&out);
    stand_frame_add(&out, STAND_FRAME_BINARY, false, NULL, big, 256);
    CU_ASSERT_EQUAL(memcmp(out.data, "\x02\x7e\x01\x00", 4), 0);
    stand_buf_clear(&out);
    stand_frame_add(&out, STAND_FRAME_BINARY, true, NULL, big, 65536);
    CU_ASSERT_EQUAL(memcmp(out.data, "\x82\x7f\0\0\0\0\0\x01\0\0", 10), 0);
    CU_ASSERT_EQUAL(out.len, 65546);
    free(big);
    stand_buf_fini(&out);
}

/* Feeds `data` in pieces of `step` bytes; returns the close code. */
static int feed(const char *data, size_t len, size_t step, struct seen *seen)
{
    struct stand_frames frames;
    const char *why = NULL;
    int code = 0;
    stand_frames_init(&frames, 1000);
    stand_buf_init(&seen->text, 100000);
    for (size_t at = 0; at < len && code == 0; at += step)
        code = stand_frames_feed(&frames, data + at, len - at < step ? len - at : step, note, seen,
                                 &why);
    CU_ASSERT(code == 0 || why != NULL);
    stand_frames_fini(&frames);
    return code;
}

static void reads_in_pieces_of_any_size(void)
{
    static const char wire[] = "\x81\x05Hello"
                               "\x01\x03one"
                               "\x89\x02hi"
                               "\x00\x03two"
                               "\x80\x00"
                               "\x82\x7e\x00\x7e"
                               "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
                               "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
                               "\x8a\x00"
                               "\x88\x05\x03\xe8"
                               "bye";
    for (size_t step = 1; step < sizeof wire; step++) {
        struct seen seen = {0};
        CU_ASSERT_EQUAL(feed(wire, sizeof wire - 1, step, &seen), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(seen.text.data, "1:Hello(5) 9:hi(2) 1:onetwo(6) 2:yyy"));
        CU_ASSERT_PTR_NOT_NULL(strstr(seen.text.data, "(126) 10:(0) 8:\x03\xe8"
                                                      "bye(5) "));
        stand_buf_fini(&seen.text);
    }
}

static void stops_when_the_owner_has_enough(void)
{
    static const char wire[] = "\x81\x01"
                               "a"
                               "\x81\x01"
                               "b"
                               "\x81\x01"
                               "c";
    struct seen seen = {.limit = 2};
    CU_ASSERT_EQUAL(feed(wire, sizeof wire - 1, sizeof wire - 1, &seen), 0);
    CU_ASSERT_STRING_EQUAL(seen.text.data, "1:a(1) 1:b(1) ");
    stand_buf_fini(&seen.text);
}

static void refuses_what_breaks_the_protocol(void)
{
    static const struct {
        const char *data;
        size_t len;
        int code;
    } cases[] = {
        {"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, 1002}, /* masked */
        {"\xc1\x00", 2, 1002},                                      /* reserved bit */
        {"\x83\x00", 2, 1002},                                      /* unknown opcodes */
        {"\x8b\x00", 2, 1002},
        {"\x09\x00", 2, 1002},         /* a control frame in fragments */
        {"\x89\x7e\x00\x7e", 4, 1002}, /* a long control frame */
        {"\x80\x00", 2, 1002},         /* a continuation of nothing */
        {"\x01\x00\x81\x00", 4, 1002}, /* a new message within one */
        {"\x81\x02\xc3\x28", 4, 1007}, /* not UTF-8 */
        {"\x81\x03\xed\xa0\x80", 5, 1007},
        {"\x88\x01x", 3, 1002},                /* half a close code */
        {"\x88\x02\x03\xed", 4, 1002},         /* 1005 is never sent */
        {"\x88\x02\x03\xe7", 4, 1002},         /* 999 */
        {"\x88\x04\x03\xe8\xc3\x28", 6, 1007}, /* a reason that is not UTF-8 */
        {"\x82\x7e\x03\xe9", 4, 1009},         /* more than 1000 bytes */
        {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, 1009},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t step = 1; step <= cases[i].len; step += cases[i].len - 1) {
            struct seen seen = {0};
            CU_ASSERT_EQUAL(feed(cases[i].data, cases[i].len, step, &seen), cases[i].code);
            stand_buf_fini(&seen.text);
        }
    }
}

static void bounds_the_fragments_together(void)
{
    struct stand_buf wire;
    struct seen seen = {0};
    char *half = stand_alloc(501);
    stand_buf_init(&wire, 10000);
    stand_frame_add(&wire, STAND_FRAME_BINARY, false, NULL, half, 500);
    stand_frame_add(&wire, STAND_FRAME_CONTINUATION, true, NULL, half, 501);
    CU_ASSERT_EQUAL(feed(wire.data, wire.len, wire.len, &seen), 1009);
    CU_ASSERT_EQUAL(seen.count, 0);
    free(half);
    stand_buf_fini(&seen.text);
    stand_buf_fini(&wire);
}

static void splits_a_character_over_fragments(void)
{
    struct seen seen = {0};
    CU_ASSERT_EQUAL(feed("\x01\x01\xc3\x80\x01\xbc", 6, 6, &seen), 0);
    CU_ASSERT_STRING_EQUAL(seen.text.data, "1:ü(2) ");
    stand_buf_fini(&seen.text);
}

static void accepts_as_the_rfc_does(void)
{
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const struct {
        const char *text, *hex;
    } cases[] = {{"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
                 {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
                 {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1"}};
    uint8_t digest[STAND_SHA1_BYTES];
    struct stand_buf out;
    stand_buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stand_buf_clear(&out);
        stand_sha1(cases[i].text, strlen(cases[i].text), digest);
        for (int j = 0; j < STAND_SHA1_BYTES; j++)
            stand_buf_printf(&out, "%02x", digest[j]);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].hex);
    }
    stand_buf_clear(&out);
    stand_sha1(key, sizeof key - 1, digest);
    stand_base64(digest, sizeof digest, &out);
    CU_ASSERT_STRING_EQUAL(out.data, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    stand_buf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/lib/frames", NULL, NULL);
    CU_add_test(suite, "writes the examples of the RFC", writes_the_examples_of_the_rfc);
    CU_add_test(suite, "reads in pieces of any size", reads_in_pieces_of_any_size);
    CU_add_test(suite, "stops when the owner has enough", stops_when_the_owner_has_enough);
    CU_add_test(suite, "refuses what breaks the protocol", refuses_what_breaks_the_protocol);
    CU_add_test(suite, "bounds the fragments together", bounds_the_fragments_together);
    CU_add_test(suite, "splits a character over fragments", splits_a_character_over_fragments);
    CU_add_test(suite, "accepts as the RFC does", accepts_as_the_rfc_does);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
