/* Unit tests of the text helpers: UTF-8, numbers, hexadecimal, base64, percent, E.164. */
#include "base/text.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

/* An independent judge: decodes by the definition and compares with what the shortest form is. */
static bool reference_utf8(const unsigned char *s, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t n = s[i] < 0x80 ? 1 : (s[i] & 0xe0) == 0xc0 ? 2 : (s[i] & 0xf0) == 0xe0 ? 3 : 4;
        if (n == 4 && (s[i] & 0xf8) != 0xf0)
            return false;
        if (i + n > length)
            return false;
        uint32_t point = n == 1 ? s[i] : s[i] & (0xff >> (n + 1));
        for (size_t k = 1; k < n; k++) {
            if ((s[i + k] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (s[i + k] & 0x3f);
        }
        static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
        if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += n;
    }
    return true;
}

/* All sequences of up to three bytes that begin with each value, and four-byte ones at the edges.
 */
static void test_utf8_against_the_definition(void)
{
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                          0xa0, 0xbf, 0xc0, 0xed, 0xf4, 0xff};
    enum { EDGES = sizeof edges };
    size_t wrong = 0, accepted = 0;
    for (int a = 0; a < 256; a++)
        for (size_t b = 0; b < EDGES; b++)
            for (size_t c = 0; c < EDGES; c++)
                for (size_t d = 0; d < EDGES; d++)
                    for (size_t length = 1; length <= 4; length++) {
                        unsigned char s[4] = {(unsigned char)a, edges[b], edges[c], edges[d]};
                        bool got = text_is_utf8((const char *)s, length);
                        wrong += got != reference_utf8(s, length);
                        accepted += got;
                    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(accepted > 1000);
    CU_ASSERT_TRUE(text_is_utf8("", 0));
    CU_ASSERT_FALSE(text_is_utf8("a\0b", 3));
}

static void test_every_code_point_decodes(void)
{
    size_t wrong = 0;
    for (uint32_t point = 1; point <= 0x10ffff; point++) {
        char s[5] = {0};
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        for (size_t k = n - 1; k > 0; k--)
            s[k] = (char)(0x80 | (point >> (6 * (n - 1 - k)) & 0x3f));
        static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
        s[0] = (char)(lead[n] | point >> (6 * (n - 1)));
        const char *p = s;
        wrong += !text_is_utf8(s, n) || text_next_code_point(&p) != point || p != s + n;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static size_t slow_run(const char *bytes, size_t length, unsigned char least, unsigned char most)
{
    size_t i = 0;
    while (i < length && (unsigned char)bytes[i] >= least && (unsigned char)bytes[i] <= most)
        i++;
    return i;
}

/* Each byte at each place of a word and of the rest behind one, alone and with another stop behind
 * it, against a look at byte after byte. */
static void test_runs(void)
{
    enum { MOST = 19 };
    size_t wrong = 0;
    for (size_t length = 0; length <= MOST; length++)
        for (size_t at = 0; at < length; at++)
            for (int byte = 0; byte < 256; byte++)
                for (int next = 0; next < 4; next++) {
                    char text[MOST + 1] = "To be, or not to be";
                    text[at] = (char)byte;
                    if (next > 0)
                        text[at + 1] = "\xff\x1f\x7f"[next - 1];
                    wrong += text_printable_run(text, length) != slow_run(text, length, 0x20, 0x7e);
                    wrong += text_ascii_run(text, length) != slow_run(text, length, 1, 0x7f);
                }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(text_printable_run("", 0), 0);
    CU_ASSERT_EQUAL(text_ascii_run("\t\n\x7f to be\xc3\xa9 or not", 18), 9);
}

static void test_utf8_prefix(void)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1 2 3 4 1 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (size_t max = 0; max < sizeof expected / sizeof expected[0]; max++)
        CU_ASSERT_EQUAL(text_utf8_prefix(text, max), expected[max]);
    CU_ASSERT_EQUAL(text_utf8_prefix("", 5), 0);
}

static void test_code_points(void)
{
    static const struct text_range ranges[] = {{'a', 'c'}, {0x20ac, 0x20ac}};
    static const char inside[] = "abc\xe2\x82\xac", outside[] = "`dA\xe2\x82\xab\xe2\x82\xad";
    CU_ASSERT_EQUAL(text_count_code_points(""), 0);
    CU_ASSERT_EQUAL(text_count_code_points("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"), 5);
    for (const char *at = inside; *at != '\0';)
        CU_ASSERT_TRUE(text_is_within(text_next_code_point(&at), ranges, 2));
    for (const char *at = outside; *at != '\0';)
        CU_ASSERT_FALSE(text_is_within(text_next_code_point(&at), ranges, 2));
}

static void test_date(void)
{
    static const char *const good[] = {"2026-09-23", "2028-02-29", "2000-02-29", "0001-01-01",
                                       "9999-12-31"};
    static const char *const bad[] = {"2026-02-29", "1900-02-29", "2026-13-01",  "2026-00-01",
                                      "2026-04-31", "2026-04-00", "0000-01-01",  "2026-9-23",
                                      "2026-09-2",  "2026/09/23", "2026-09-23 ", "",
                                      "banana"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CU_ASSERT_TRUE(text_is_date(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(text_is_date(bad[i]));
}

static void test_e164(void)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"+15551234567", true},
        {"+1234567", true},
        {"+123456789012345", true},
        {"+1234567890123456", false},
        {"+123456", false},
        {"+05551234567", false},
        {"15551234567", false},
        {"+1555123456a", false},
        {"+1 5551234567", false},
        {"+", false},
        {"", false},
        {"+15551234567\n", false},
        {"++15551234567", false},
        {"anonymous", false},
        {"+266696687", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(text_is_e164(cases[i].text), cases[i].good);
}

static void test_parse_int(void)
{
    static const struct {
        const char *text;
        int64_t min, max;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", 0, 9, true, 0},
        {"007", 0, 9, true, 7},
        {"999999999999999999", 0, INT64_MAX, true, 999999999999999999},
        {"1000000000000000000", 0, INT64_MAX, false, 0},
        {"99999999999999999999999999", 0, INT64_MAX, false, 0},
        {"10", 0, 9, false, 0},
        {"1", 2, 9, false, 0},
        {"", 0, 9, false, 0},
        {"-1", -5, 5, false, 0},
        {"+1", -5, 5, false, 0},
        {" 1", 0, 9, false, 0},
        {"1 ", 0, 9, false, 0},
        {"1x", 0, 9, false, 0},
        {"0x1", 0, 9, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 77;
        CU_ASSERT_EQUAL(text_parse_int(cases[i].text, cases[i].min, cases[i].max, &value),
                        cases[i].good);
        CU_ASSERT_EQUAL(value, cases[i].good ? cases[i].value : 77);
    }
}

static void test_hex_digit(void)
{
    static const char digits[] = "0123456789abcdef", capitals[] = "0123456789ABCDEF";
    for (int c = 0; c < 256; c++) {
        const char *small = c != 0 ? strchr(digits, c) : NULL;
        const char *capital = c != 0 ? strchr(capitals, c) : NULL;
        int expected = small != NULL     ? (int)(small - digits)
                       : capital != NULL ? (int)(capital - capitals)
                                         : -1;
        CU_ASSERT_EQUAL(text_hex_digit((char)c), expected);
    }
}

static void test_hex(void)
{
    struct strbuf out;
    unsigned char all[256], back[256];
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    strbuf_init(&out, 1000);
    text_add_hex(&out, all, sizeof all);
    CU_ASSERT_EQUAL(out.length, 512);
    CU_ASSERT_EQUAL(memcmp(out.data + 2 * 0xa0, "a0a1a2", 6), 0);
    CU_ASSERT_TRUE(text_parse_hex(out.data, back, sizeof back));
    CU_ASSERT_EQUAL(memcmp(all, back, sizeof all), 0);
    CU_ASSERT_TRUE(text_parse_hex("AbCd", back, 2));
    CU_ASSERT_EQUAL(memcmp(back, "\xab\xcd", 2), 0);
    static const char *const bad[] = {"",     "a",    "abc",   "abcd1",
                                      "abcg", "ab c", "abcde", "\xe1\xe2\xe3\xe4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(text_parse_hex(bad[i], back, 2));
    CU_ASSERT_TRUE(text_parse_hex("", back, 0));
    strbuf_fini(&out);
}

/* RFC 4648, section 10 */
static void test_base64(void)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"}};
    struct strbuf out;
    strbuf_init(&out, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_clear(&out);
        text_add_base64(&out, cases[i].plain, strlen(cases[i].plain));
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].encoded);
        strbuf_clear(&out);
        CU_ASSERT_TRUE(text_decode_base64(cases[i].encoded, strlen(cases[i].encoded), &out));
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].plain);
    }
    strbuf_clear(&out);
    text_add_base64(&out, "\xfb\xff\xfe", 3);
    CU_ASSERT_STRING_EQUAL(out.data, "+//+");
    strbuf_fini(&out);
}

static void test_base64_refuses(void)
{
    static const char *const bad[] = {
        "Z",        "Zg",         "Zg=",   "Zg===", "=",        "====", "Z===",
        "Zg==Zg==", "Zm9v=",      "Zm 9v", "Zm9\n", "Zm9vZ===", "Zm-_", "Zg=a",
        "=Zm9",     "Zm9vYg==\n", "Zh==",  "Zm9=", /* the bits behind the end are not zero: two
                                                      texts for one value */
    };
    struct strbuf out;
    strbuf_init(&out, 1000);
    strbuf_add_text(&out, "kept");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(text_decode_base64(bad[i], strlen(bad[i]), &out));
        CU_ASSERT_STRING_EQUAL(out.data, "kept");
        if (strcmp(out.data, "kept") != 0) {
            printf("\n    accepted: %s\n", bad[i]);
            strbuf_truncate(&out, 4);
        }
    }
    CU_ASSERT_FALSE(text_decode_base64("Zm\0v", 4, &out));
    strbuf_fini(&out);
}

static void test_percent(void)
{
    struct strbuf out;
    strbuf_init(&out, 1000);
    text_add_percent(&out, "aZ09-_.~ +/&=%\"\n\xc3\xa9");
    CU_ASSERT_STRING_EQUAL(out.data, "aZ09-_.~%20%2B%2F%26%3D%25%22%0A%C3%A9");
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: text", NULL, NULL);
    CU_add_test(suite, "UTF-8 by the definition", test_utf8_against_the_definition);
    CU_add_test(suite, "every code point", test_every_code_point_decodes);
    CU_add_test(suite, "runs of ASCII", test_runs);
    CU_add_test(suite, "UTF-8 prefix", test_utf8_prefix);
    CU_add_test(suite, "code points", test_code_points);
    CU_add_test(suite, "E.164", test_e164);
    CU_add_test(suite, "dates", test_date);
    CU_add_test(suite, "whole numbers", test_parse_int);
    CU_add_test(suite, "hexadecimal digits", test_hex_digit);
    CU_add_test(suite, "hexadecimal", test_hex);
    CU_add_test(suite, "base64", test_base64);
    CU_add_test(suite, "base64 refuses", test_base64_refuses);
    CU_add_test(suite, "percent", test_percent);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
