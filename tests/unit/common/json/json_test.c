/* Unit tests of the JSON wrapper: what is refused and how, look-ups, the writer. */
#include "json/json.h"

#include <CUnit/Basic.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *text, struct json **document, struct err *err)
{
    return json_parse(text, strlen(text), document, err);
}

static struct json *must_parse(const char *text)
{
    struct json *document = NULL;
    struct err err;
    if (parse(text, &document, &err) != 0)
        printf("\n    %s: %s %s\n", text, err.code, err.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    return document;
}

/* Prints what was parsed; owned. */
static char *round_trip(const char *text)
{
    struct json *document = must_parse(text);
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    json_print(document, &out);
    json_free(&document);
    CU_ASSERT_PTR_NULL(document);
    return strbuf_take(&out);
}

static void test_accepts_and_prints_back(void)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"null", "null"},
        {" true\n", "true"},
        {"false", "false"},
        {"0", "0"},
        {"-0", "0"},
        {"-12.5", "-12.5"},
        {"1e3", "1000"},
        {"1E+2", "100"},
        {"1.5e-7", "1.5e-07"},
        {"9007199254740991", "9007199254740991"},
        {"0.1", "0.1"},
        {"1732352887123456", "1732352887123456"},
        {"1e300", "1e+300"},
        {"\"\"", "\"\""},
        {"\"a\\u0041\\n\\\"\\\\\\/\"", "\"aA\\n\\\"\\\\/\""},
        {"\"\\u001f\\b\\f\\r\\t\"", "\"\\u001f\\b\\f\\r\\t\""},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\x7f\"", "\"\x7f\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {" [ 1 , [ ] , { } , \"x\" ] ", "[1,[],{},\"x\"]"},
        {"{\"a\":1,\"A\":2,\"\":{\"b\":[null,true]}}",
         "{\"a\":1,\"A\":2,\"\":{\"b\":[null,true]}}"},
        {"\r\n\t {\"k\" :\t\"v\"}", "{\"k\":\"v\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *out = round_trip(cases[i].in);
        CU_ASSERT_STRING_EQUAL(out, cases[i].out);
        free(out);
    }
}

static const struct {
    const char *text, *code;
} refused[] = {
    {"", "json.syntax"},
    {"   ", "json.syntax"},
    {"nul", "json.syntax"},
    {"NULL", "json.syntax"},
    {"True", "json.syntax"},
    {"truex", "json.syntax"},
    {"null null", "json.syntax"},
    {"{} x", "json.syntax"},
    {"[1]]", "json.syntax"},
    {"\xef\xbb\xbf{}", "json.syntax"},
    {"012", "json.syntax"},
    {"-", "json.syntax"},
    {"-01", "json.syntax"},
    {"+1", "json.syntax"},
    {"1.", "json.syntax"},
    {".5", "json.syntax"},
    {"1e", "json.syntax"},
    {"1e+", "json.syntax"},
    {"0x10", "json.syntax"},
    {"NaN", "json.syntax"},
    {"Infinity", "json.syntax"},
    {"1e999", "json.syntax"},
    {"[-1e999]", "json.syntax"},
    {"1234567890123456789012345678901234567890123456789012345678901234", "json.syntax"},
    {"'a'", "json.syntax"},
    {"\"a", "json.syntax"},
    {"\"a\\", "json.syntax"},
    {"\"\\x\"", "json.syntax"},
    {"\"\\u12\"", "json.syntax"},
    {"\"\\u12g4\"", "json.syntax"},
    {"\"\\u", "json.syntax"},
    {"\"a\nb\"", "json.syntax"},
    {"\"a\tb\"", "json.syntax"},
    {"\"\x01\"", "json.syntax"},
    {"[", "json.syntax"},
    {"[1", "json.syntax"},
    {"[1,", "json.syntax"},
    {"[1,]", "json.syntax"},
    {"[,1]", "json.syntax"},
    {"[1 2]", "json.syntax"},
    {"[1}", "json.syntax"},
    {"{\"a\":1]", "json.syntax"},
    {"{", "json.syntax"},
    {"{\"a\"", "json.syntax"},
    {"{\"a\":", "json.syntax"},
    {"{\"a\":1", "json.syntax"},
    {"{\"a\":1,}", "json.syntax"},
    {"{a:1}", "json.syntax"},
    {"{1:1}", "json.syntax"},
    {"{\"a\" 1}", "json.syntax"},
    {"{\"a\":1,\"b\"}", "json.syntax"},
    {"[1]//x", "json.syntax"},
    {"\"\xff\"", "json.utf8"},
    {"\"\xc0\x80\"", "json.utf8"},
    {"\"\xed\xa0\x80\"", "json.utf8"},
    {"\"\xf4\x90\x80\x80\"", "json.utf8"},
    {"\"abc\xe2\x82\"", "json.utf8"},
    {"{\"\xff\":1}", "json.utf8"},
    {"\"\\ud800\"", "json.utf8"},
    {"\"\\udc00\"", "json.utf8"},
    {"\"\\ud800\\u0041\"", "json.utf8"},
    {"\"\\ud800x\"", "json.utf8"},
    {"\"a\\u0000b\"", "json.nul"},
    {"{\"\\u0000\":1}", "json.nul"},
    {"{\"a\":1,\"a\":2}", "json.duplicate"},
    {"{\"a\":1,\"\\u0061\":2}", "json.duplicate"},
    {"[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "json.duplicate"},
};

static void test_refuses(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct json *document = (struct json *)1;
        struct err err = {0};
        CU_ASSERT_EQUAL(parse(refused[i].text, &document, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, refused[i].code);
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_PTR_EQUAL(document, (struct json *)1);
        if (strcmp(err.code, refused[i].code) != 0)
            printf("\n    %s: %s\n", refused[i].text, err.code);
    }
}

/* Strings are looked at eight characters at a time: whatever stands at whichever place of them, it
 * is noticed there, and its neighbours are not taken for it. */
static void test_each_byte_at_each_place(void)
{
    for (size_t place = 1; place <= 20; place++)
        for (int c = 0; c < 256; c++) {
            char text[] = "\"!!!!!!!!!!!!!!!!!!!!\"";
            struct json *document = NULL;
            struct err err = {0};
            text[place] = (char)c;
            bool good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            CU_ASSERT_EQUAL(json_parse(text, sizeof text - 1, &document, &err), good ? 0 : -1);
            const char *code = c == 0 ? "json.nul" : c >= 0x80 ? "json.utf8" : "json.syntax";
            CU_ASSERT_STRING_EQUAL(err.code, good ? "" : code);
            CU_ASSERT(!good || memcmp(json_text(document), text + 1, sizeof text - 3) == 0);
            json_free(&document);
        }
}

static void test_refuses_raw_nul(void)
{
    struct json *document = NULL;
    struct err err;
    CU_ASSERT_EQUAL(json_parse("\"a\0b\"", 5, &document, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "json.nul");
    CU_ASSERT_EQUAL(json_parse("{}\0", 3, &document, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "json.nul");
    CU_ASSERT_EQUAL(json_parse("\"\\\0\"", 4, &document, &err), -1);
}

static void test_length_bounds_the_text(void)
{
    struct json *document = NULL;
    struct err err;
    /* Exactly the heap block: a read beyond it is caught by the sanitizer. */
    static const char text[] = "[12,\"\\ud83d\\ude00\"]";
    size_t length = sizeof text - 1;
    for (size_t cut = 0; cut <= length; cut++) {
        char *copy = malloc(cut > 0 ? cut : 1);
        memcpy(copy, text, cut);
        CU_ASSERT_EQUAL(json_parse(copy, cut, &document, &err), cut == length ? 0 : -1);
        free(copy);
    }
    CU_ASSERT_EQUAL(json_count(document), 2);
    json_free(&document);
    CU_ASSERT_EQUAL(json_parse("12345", 2, &document, &err), 0);
    CU_ASSERT_EQUAL(json_number(document), 12);
    json_free(&document);
}

static void test_depth(void)
{
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    struct json *document = NULL;
    struct err err;
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        CU_ASSERT_EQUAL(parse(text, &document, &err), depth == JSON_DEPTH_MAX ? 0 : -1);
        json_free(&document);
    }
    CU_ASSERT_STRING_EQUAL(err.code, "json.depth");
    char *deep = malloc(1 << 20);
    memset(deep, '[', 1 << 20);
    CU_ASSERT_EQUAL(json_parse(deep, 1 << 20, &document, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "json.depth");
    free(deep);
}

static void test_many_names(void)
{
    struct strbuf text;
    struct json *document = NULL;
    struct err err;
    strbuf_init(&text, 1 << 20);
    for (int twice = 0; twice < 2; twice++) {
        strbuf_clear(&text);
        strbuf_add_char(&text, '{');
        for (int i = 0; i < 20000; i++)
            strbuf_printf(&text, "\"k%d\":%d,", i, i);
        strbuf_printf(&text, "\"k%d\":0}", twice ? 12345 : 20000);
        CU_ASSERT_EQUAL(json_parse(text.data, text.length, &document, &err), twice ? -1 : 0);
        json_free(&document);
    }
    CU_ASSERT_STRING_EQUAL(err.code, "json.duplicate");
    strbuf_fini(&text);
}

static void test_members(void)
{
    struct json *document = must_parse("{\"Text\":\"x\",\"n\":null,\"yes\":true,\"no\":false,"
                                       "\"obj\":{\"in\":\"side\"},\"num\":7}");
    CU_ASSERT_STRING_EQUAL(json_member_text(document, "Text"), "x");
    CU_ASSERT_PTR_NULL(json_member_text(document, "text"));
    CU_ASSERT_PTR_NULL(json_member(document, "n"));
    CU_ASSERT_PTR_NULL(json_member(document, "absent"));
    CU_ASSERT_PTR_NULL(json_member(NULL, "x"));
    CU_ASSERT_PTR_NULL(json_member(json_member(document, "num"), "x"));
    CU_ASSERT_PTR_NULL(json_member_text(document, "num"));
    CU_ASSERT_TRUE(json_member_bool(document, "yes", false));
    CU_ASSERT_FALSE(json_member_bool(document, "no", true));
    CU_ASSERT_TRUE(json_member_bool(document, "num", true));
    CU_ASSERT_FALSE(json_member_bool(document, "absent", false));
    CU_ASSERT_STRING_EQUAL(json_member_text(json_member(document, "obj"), "in"), "side");
    CU_ASSERT_EQUAL(json_number(json_member(document, "num")), 7);
    CU_ASSERT_EQUAL(json_number(json_member(document, "Text")), 0);
    CU_ASSERT_PTR_NULL(json_text(NULL));
    CU_ASSERT_FALSE(json_bool(json_member(document, "num")));
    CU_ASSERT_TRUE(json_bool(json_member(document, "yes")));
    json_free(&document);
    json_free(&document);
}

static void test_member_int(void)
{
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } cases[] = {
        {"{\"v\":0}", true, 0},
        {"{\"v\":-5}", true, -5},
        {"{\"v\":3000000000}", true, 3000000000},
        {"{\"v\":1e3}", true, 1000},
        {"{\"v\":5.0}", true, 5},
        {"{\"v\":9007199254740991}", true, 9007199254740991},
        {"{\"v\":-9007199254740991}", true, -9007199254740991},
        {"{\"v\":9007199254740993}", false, 0},
        {"{\"v\":1e18}", false, 0},
        {"{\"v\":1e300}", false, 0},
        {"{\"v\":5.5}", false, 0},
        {"{\"v\":\"5\"}", false, 0},
        {"{\"v\":true}", false, 0},
        {"{\"v\":null}", false, 0},
        {"{}", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *document = must_parse(cases[i].text);
        int64_t value = 77;
        CU_ASSERT_EQUAL(json_member_int(document, "v", INT64_MIN, INT64_MAX, &value),
                        cases[i].whole);
        CU_ASSERT_EQUAL(value, cases[i].whole ? cases[i].value : 77);
        json_free(&document);
    }
    struct json *document = must_parse("{\"v\":10}");
    int64_t value = 77;
    CU_ASSERT_FALSE(json_member_int(document, "v", 11, 20, &value));
    CU_ASSERT_FALSE(json_member_int(document, "v", 0, 9, &value));
    CU_ASSERT_EQUAL(value, 77);
    CU_ASSERT_TRUE(json_member_int(document, "v", 10, 10, &value));
    json_free(&document);
}

static void test_iteration(void)
{
    struct json *document = must_parse("{\"a\":[1,2,3],\"b\":{},\"c\":null}");
    const struct json *child = json_first(document);
    CU_ASSERT_STRING_EQUAL(json_name(child), "a");
    CU_ASSERT_EQUAL(json_type(child), JSON_ARRAY);
    CU_ASSERT_EQUAL(json_count(child), 3);
    double sum = 0;
    for (const struct json *v = json_first(child); v != NULL; v = json_next(v)) {
        CU_ASSERT_PTR_NULL(json_name(v));
        sum += json_number(v);
    }
    CU_ASSERT_EQUAL(sum, 6);
    child = json_next(child);
    CU_ASSERT_STRING_EQUAL(json_name(child), "b");
    CU_ASSERT_EQUAL(json_type(child), JSON_OBJECT);
    CU_ASSERT_PTR_NULL(json_first(child));
    child = json_next(child);
    CU_ASSERT_EQUAL(json_type(child), JSON_NULL);
    CU_ASSERT_PTR_NULL(json_next(child));
    CU_ASSERT_EQUAL(json_count(document), 3);
    CU_ASSERT_PTR_NULL(json_first(NULL));
    CU_ASSERT_EQUAL(json_count(NULL), 0);
    json_free(&document);
}

/* Each document has memory of its own, whatever else is parsed, refused or freed meanwhile. */
static void test_documents_live_apart(void)
{
    static const char long_text[] = "{\"a\":[1,2,{\"b\":\"text\"}]}",
                      bad[] = "[1,{\"a\":1,\"a\":2}]";
    struct json *documents[3], *bad_one = NULL;
    struct err err;
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(json_parse(long_text, sizeof long_text - 1, &documents[i], &err), 0);
        CU_ASSERT_EQUAL(json_parse(bad, sizeof bad - 1, &bad_one, &err), -1);
    }
    json_free(&documents[1]);
    CU_ASSERT_PTR_NULL(documents[1]);
    json_free(&documents[1]); /* accepts NULL */
    for (size_t i = 0; i < 3; i += 2) {
        struct strbuf out;
        strbuf_init(&out, 100);
        json_print(documents[i], &out);
        CU_ASSERT_STRING_EQUAL(out.data, long_text);
        strbuf_fini(&out);
        json_free(&documents[i]);
    }
}

/* A short document lives in room that is taken for it at once, what does not fit there beside it:
 * each length ends that room at another place. */
static void test_texts_of_every_length(void)
{
    struct strbuf text;
    struct json *document = NULL;
    strbuf_init(&text, 1 << 20);
    for (int length = 0; length < 40; length++) {
        strbuf_clear(&text);
        for (int i = 0; i < 100; i++)
            strbuf_printf(&text, "%s{\"%0*d\":\"%0*d\"}", i == 0 ? "[" : ",", length, i, length, i);
        strbuf_add_char(&text, ']');
        CU_ASSERT_EQUAL(json_parse(text.data, text.length, &document, NULL), 0);
        CU_ASSERT_EQUAL(json_count(document), 100);
        json_free(&document);
    }
    strbuf_fini(&text);
}

static void test_writer(void)
{
    struct strbuf out;
    struct json_writer w;
    strbuf_init(&out, 4096);
    strbuf_add_text(&out, "x=");
    json_writer_init(&w, &out);
    json_open_object(&w, NULL);
    json_add_text(&w, "t", "a\"\\\n\x01/\xc3\xa9");
    json_add_text(&w, "none", NULL);
    json_add_int(&w, "min", INT64_MIN);
    json_add_int(&w, "max", INT64_MAX);
    json_add_double(&w, "d", 0.1);
    json_add_double(&w, "third", 1.0 / 3);
    json_add_double(&w, "inf", INFINITY);
    json_add_bool(&w, "b\n", false);
    json_open_array(&w, "list");
    json_open_object(&w, NULL);
    json_close_object(&w);
    json_open_array(&w, NULL);
    json_close_array(&w);
    json_add_raw(&w, NULL, "{\"r\":1}");
    json_add_bool(&w, NULL, true);
    json_close_array(&w);
    json_add_int(&w, "end", 0);
    json_close_object(&w);
    CU_ASSERT_STRING_EQUAL(out.data,
                           "x={\"t\":\"a\\\"\\\\\\n\\u0001/\xc3\xa9\",\"none\":null,"
                           "\"min\":-9223372036854775808,\"max\":9223372036854775807,\"d\":0.1,"
                           "\"third\":0.3333333333333333,\"inf\":null,\"b\\n\":false,"
                           "\"list\":[{},[],{\"r\":1},true],\"end\":0}");
    strbuf_fini(&out);
}

static void round_trip_text(const char *text)
{
    struct strbuf out;
    struct json_writer w;
    struct json *document = NULL;
    strbuf_init(&out, 4096);
    json_writer_init(&w, &out);
    json_add_text(&w, NULL, text);
    CU_ASSERT_EQUAL_FATAL(json_parse(out.data, out.length, &document, NULL), 0);
    CU_ASSERT_STRING_EQUAL(json_text(document), text);
    json_free(&document);
    strbuf_fini(&out);
}

/* Every byte that can stand in a text comes back from writing and parsing, wherever it stands. */
static void test_every_text_byte_round_trips(void)
{
    char all[128];
    for (int i = 1; i < 128; i++)
        all[i - 1] = (char)i;
    all[127] = '\0';
    round_trip_text(all);
    for (size_t place = 0; place < 20; place++)
        for (int c = 1; c < 128; c++) {
            char text[] = "!!!!!!!!!!!!!!!!!!!!";
            text[place] = (char)c;
            round_trip_text(text);
        }
}

static void test_doubles_round_trip(void)
{
    static const double values[] = {1e-300, DBL_MAX, DBL_MIN, 123456.789, -2.5e-10, 1e22, 1e15};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct strbuf out;
        struct json_writer w;
        struct json *document = NULL;
        strbuf_init(&out, 64);
        json_writer_init(&w, &out);
        json_add_double(&w, NULL, values[i]);
        CU_ASSERT_EQUAL_FATAL(json_parse(out.data, out.length, &document, NULL), 0);
        CU_ASSERT_EQUAL(json_number(document), values[i]);
        json_free(&document);
        strbuf_fini(&out);
    }
}

/* Random damage to a good text: the wrapper may refuse or accept, never read outside or crash; and
 * what it accepts it must accept again from its own print. */
static void test_random_damage(void)
{
    static const char good[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\n\"],\"b\":{\"c\":null,\"d\":true}}";
    unsigned seed = 20261123;
    for (int round = 0; round < 20000; round++) {
        size_t length = sizeof good - 1;
        char *text = malloc(length);
        memcpy(text, good, length);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1103515245u + 12345u;
            text[(seed >> 8) % length] = (char)(seed >> 20);
        }
        struct json *document = NULL, *again = NULL;
        if (json_parse(text, length, &document, NULL) == 0) {
            struct strbuf out;
            strbuf_init(&out, 4096);
            json_print(document, &out);
            CU_ASSERT_EQUAL(json_parse(out.data, out.length, &again, NULL), 0);
            strbuf_fini(&out);
        }
        json_free(&document);
        json_free(&again);
        free(text);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("json", NULL, NULL);
    CU_add_test(suite, "accepts and prints back", test_accepts_and_prints_back);
    CU_add_test(suite, "refuses", test_refuses);
    CU_add_test(suite, "each byte at each place", test_each_byte_at_each_place);
    CU_add_test(suite, "refuses a raw NUL", test_refuses_raw_nul);
    CU_add_test(suite, "length bounds the text", test_length_bounds_the_text);
    CU_add_test(suite, "depth", test_depth);
    CU_add_test(suite, "many names", test_many_names);
    CU_add_test(suite, "members", test_members);
    CU_add_test(suite, "whole numbers", test_member_int);
    CU_add_test(suite, "iteration", test_iteration);
    CU_add_test(suite, "documents live apart", test_documents_live_apart);
    CU_add_test(suite, "texts of every length", test_texts_of_every_length);
    CU_add_test(suite, "writer", test_writer);
    CU_add_test(suite, "every byte round trips", test_every_text_byte_round_trips);
    CU_add_test(suite, "doubles round trip", test_doubles_round_trip);
    CU_add_test(suite, "random damage", test_random_damage);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
