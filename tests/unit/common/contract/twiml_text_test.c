/* Texts in TwiML: where they are cut, how much a document holds, and that whatever goes in comes
 * out as it was. */
#include "contract/twiml.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>"
#define URL  "https://desk.example.com/a"

static struct strbuf text, expected;

/* The text of the document's first Say, as a reader of XML would see it. */
static void said(const char *document, struct strbuf *out)
{
    static const struct {
        const char *name, *sign;
    } entities[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}};
    const char *p = strstr(document, "<Say>"), *end = strstr(document, "</Say>");
    strbuf_clear(out);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    for (p += 5; p < end;) {
        size_t i = 0, count = sizeof entities / sizeof entities[0];
        while (i < count && strncmp(p, entities[i].name, strlen(entities[i].name)) != 0)
            i++;
        if (i < count)
            strbuf_add_text(out, entities[i].sign);
        else
            strbuf_add_char(out, *p);
        CU_ASSERT_TRUE(i < count || strchr("<>&\"\n\r\t", *p) == NULL);
        p += i < count ? strlen(entities[i].name) : 1;
    }
}

/* Says `text` and returns whether it was cut; what was said is in `out`. */
static bool say(const char *spoken, struct strbuf *out)
{
    struct twiml twiml;
    struct err err;
    char *copy = malloc(strlen(spoken) + 1); /* the sanitizer sees a read behind its end */
    memcpy(copy, spoken, strlen(spoken) + 1);
    twiml_init(&twiml);
    twiml_say(&twiml, NULL, copy);
    free(copy);
    CU_ASSERT_EQUAL_FATAL(twiml_finish(&twiml, &err), 0);
    bool cut = twiml.cut;
    said(twiml.out.data, out);
    twiml_fini(&twiml);
    return cut;
}

static void repeat(struct strbuf *out, const char *unit, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_add_text(out, unit);
}

/* ---- cutting ---- */

static void test_cut(void)
{
    static const struct {
        const char *before, *unit;
        size_t count;
        const char *after;
        size_t kept; /* bytes */
    } cases[] = {
        /* characters, without any space */
        {"", "a", 3000, "", 3000},
        {"", "a", 3001, "", 3000},
        {"", "a", 3000, " b", 3000},
        {"", "a", 3000, "\xc3\xa9", 3000},
        {"", "a", 2999, "\xf0\x9f\x91\x8b", 2999}, /* two units: 3001 */
        {"", "a", 2998, "\xf0\x9f\x91\x8b", 3002},
        /* the last word that fits, the last sentence that fits */
        {"", "aaa ", 800, "", 2999},
        {"Once. ", "aaa ", 800, "", 2997}, /* the sentence is less than a quarter */
        {"", "Aaaa aa. ", 400, "", 2996},
        {"", "Aaaa aa! ", 400, "", 2699}, /* fifteen characters encoded: 300 of them */
        {"", "Aaaa 1.5 ", 400, "", 2996},
        {"", "a", 2000, ". bbb", 2005},
        /* percent-encoded: each of these is nine characters, 500 fit */
        {"", "\xe2\x82\xac", 500, "", 1500},
        {"", "\xe2\x82\xac", 501, "", 1500},
        {"", "\xf0\x9f\x91\x8b", 400, "", 1500}, /* twelve each: 375 */
        {"", "\xd0\xb0", 750, "", 1500},
        {"", "\xd0\xb0", 751, "", 1500},
        {"", "\xe3\x81\x82\xe3\x80\x82", 300, "", 1500}, /* ideographic full stop */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, TWIML_BYTES_MAX);
        strbuf_clear(&text);
        strbuf_add_text(&text, cases[i].before);
        repeat(&text, cases[i].unit, cases[i].count);
        strbuf_add_text(&text, cases[i].after);
        bool cut = say(text.data, &out);
        if (out.length != cases[i].kept)
            fprintf(stderr, "cut[%zu]: %zu of %zu bytes\n", i, out.length, text.length);
        CU_ASSERT_EQUAL(out.length, cases[i].kept);
        CU_ASSERT_EQUAL(cut, cases[i].kept < text.length);
        CU_ASSERT_EQUAL(strncmp(out.data, text.data, out.length), 0);
        CU_ASSERT_TRUE(text_is_utf8(out.data, out.length));
        strbuf_fini(&out);
    }
}

/* A greeting has the limits of a Say. */
static void test_greeting(void)
{
    struct twiml twiml;
    struct err err;
    strbuf_clear(&text);
    repeat(&text, "Hi there. ", 400);
    twiml_init(&twiml);
    twiml_connect(&twiml, &(struct twiml_relay){.action = URL,
                                                .url = "wss://desk.example.com/relay",
                                                .welcome_greeting = text.data});
    CU_ASSERT_EQUAL_FATAL(twiml_finish(&twiml, &err), 0);
    CU_ASSERT_TRUE(twiml.cut);
    CU_ASSERT_PTR_NOT_NULL(strstr(twiml.out.data, "Hi there.\"/></Connect></Response>"));
    CU_ASSERT_TRUE(twiml.out.length < 3300);
    twiml_fini(&twiml);
}

/* ---- hints ---- */

static void test_hints(void)
{
    enum { COUNT = 600 };
    const char *items[COUNT];
    struct twiml twiml;
    struct err err;
    size_t commas = 0;
    strbuf_clear(&text);
    repeat(&text, "\xc3\xa9", TWIML_HINT_MAX + 1); /* the longest, and one that is too long */
    for (size_t i = 0; i < COUNT; i++)
        items[i] = i == 0 ? text.data : i == 1 ? text.data + 2 : "x";
    twiml_init(&twiml);
    twiml_begin_gather(&twiml, &(struct twiml_gather){.input = "speech",
                                                      .action = URL,
                                                      .action_on_empty_result = TWIML_YES,
                                                      .hints = {items, COUNT}});
    twiml_end_gather(&twiml);
    CU_ASSERT_EQUAL_FATAL(twiml_finish(&twiml, &err), 0);
    const char *hints = strstr(twiml.out.data, "hints=\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(hints);
    CU_ASSERT_EQUAL(strncmp(hints + 7, text.data + 2, 2 * TWIML_HINT_MAX), 0);
    CU_ASSERT_EQUAL(hints[7 + 2 * TWIML_HINT_MAX], ',');
    for (const char *p = hints; *p != '\0'; p++)
        commas += *p == ',';
    CU_ASSERT_EQUAL(commas, TWIML_HINTS_MAX - 1);
    twiml_fini(&twiml);
}

/* ---- size ---- */

/* A document of `count` texts of 100 bytes. */
static int write_texts(struct twiml *twiml, size_t count, struct err *err)
{
    strbuf_clear(&text);
    repeat(&text, "a", 100);
    twiml_init(twiml);
    for (size_t i = 0; i < count; i++)
        twiml_say(twiml, NULL, text.data);
    return twiml_finish(twiml, err);
}

static void test_size(void)
{
    size_t frame = strlen(HEAD "</Response>"), each = strlen("<Say></Say>") + 100;
    size_t fits = (TWIML_BYTES_MAX - frame) / each;
    struct twiml twiml;
    struct err err;
    CU_ASSERT_EQUAL(write_texts(&twiml, fits, &err), 0);
    CU_ASSERT_EQUAL(twiml.out.length, frame + fits * each);
    twiml_fini(&twiml);
    CU_ASSERT_EQUAL(write_texts(&twiml, fits + 1, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "twiml.size");
    CU_ASSERT_EQUAL(err.class, ERR_BUG);
    CU_ASSERT_STRING_EQUAL(twiml.out.data, "");
    twiml_fini(&twiml);
}

/* ---- whatever text ---- */

/* Signs and what a reader of the document sees of each. */
static const char *const signs[][2] = {
    {"a", "a"},
    {"<", "<"},
    {">", ">"},
    {"&", "&"},
    {"\"", "\""},
    {"'", "'"},
    {"]]>", "]]>"},
    {"&lt;", "&lt;"},
    {"&#0;", "&#0;"},
    {" ", " "},
    {"\n", " "},
    {"\t", " "},
    {"\r", " "},
    {"\x01", ""},
    {"\x08", ""},
    {"\x0b", ""},
    {"\x1f", ""},
    {"\x7f", "\x7f"},
    {"\xc2\x85", "\xc2\x85"},
    {"\xc3\xa9", "\xc3\xa9"},
    {"\xe2\x80\xa8", "\xe2\x80\xa8"},
    {"\xef\xbf\xbd", "\xef\xbf\xbd"},
    {"\xef\xbf\xbe", ""},
    {"\xef\xbf\xbf", ""},
    {"\xf0\x9f\x91\x8b", "\xf0\x9f\x91\x8b"},
    {"</Say><Hangup/>", "</Say><Hangup/>"},
};

static void test_round_trip(void)
{
    struct strbuf out;
    unsigned seed = 7;
    strbuf_init(&out, TWIML_BYTES_MAX);
    for (int round = 0; round < 3000; round++) {
        strbuf_clear(&text);
        strbuf_clear(&expected);
        strbuf_add_text(&text, "x"); /* never blank */
        strbuf_add_text(&expected, "x");
        for (int i = 0; i < 20; i++) {
            seed = seed * 1103515245u + 12345;
            size_t sign = (seed >> 16) % (sizeof signs / sizeof signs[0]);
            strbuf_add_text(&text, signs[sign][0]);
            strbuf_add_text(&expected, signs[sign][1]);
        }
        CU_ASSERT_FALSE(say(text.data, &out));
        CU_ASSERT_STRING_EQUAL(out.data, expected.data);
    }
    strbuf_fini(&out);
}

/* Bytes at random: well-formed UTF-8 is written, all else is refused, nothing crashes. */
static void test_random_bytes(void)
{
    static const char bytes[] = "a <&\"\x01\x80\xbf\xc3\xe2\x82\xac\xed\xef\xf0\x9f\xf4\xff";
    unsigned seed = 3;
    for (int round = 0; round < 5000; round++) {
        struct twiml twiml;
        struct err err;
        strbuf_clear(&text);
        for (int i = 0; i < 5; i++) {
            seed = seed * 1103515245u + 12345;
            strbuf_add_char(&text, bytes[(seed >> 16) % (sizeof bytes - 1)]);
        }
        twiml_init(&twiml);
        twiml_say(&twiml, NULL, text.data);
        CU_ASSERT_EQUAL(twiml_finish(&twiml, &err), text_is_utf8(text.data, text.length) ? 0 : -1);
        twiml_fini(&twiml);
    }
}

static int set_up(void)
{
    strbuf_init(&text, TWIML_BYTES_MAX);
    strbuf_init(&expected, TWIML_BYTES_MAX);
    return 0;
}

static int tear_down(void)
{
    strbuf_fini(&text);
    strbuf_fini(&expected);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twiml_text", set_up, tear_down);
    CU_add_test(suite, "cut", test_cut);
    CU_add_test(suite, "greeting", test_greeting);
    CU_add_test(suite, "hints", test_hints);
    CU_add_test(suite, "size", test_size);
    CU_add_test(suite, "round trip", test_round_trip);
    CU_add_test(suite, "random bytes", test_random_bytes);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
