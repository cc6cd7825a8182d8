/* Segment counting: the provider's published checks and the edges of both alphabets. */
#include "contract/segments.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "base/strbuf.h"

static const struct {
    const char *piece;
    int times, count, units;
    bool ucs2;
    const char *tail;
} cases[] = {
    {"", 0, 1, 0, false, ""},
    {"a", 160, 1, 160, false, ""},
    {"a", 161, 2, 161, false, ""},
    {"a", 306, 2, 306, false, ""},
    {"a", 307, 3, 307, false, ""},
    {"a", 1600, 11, 1600, false, ""},
    {"\xE2\x82\xAC", 80, 1, 160, false, ""}, /* euro: two units */
    {"\xE2\x82\xAC", 81, 2, 162, false, ""},
    {"a", 152, 2, 162, false, "[bbbbbbbb"}, /* the pair does not fit into the first 153 */
    {"a", 305, 3, 307, false, "["},         /* nor into the second: a third for one character */
    {"\xD0\xB6", 70, 1, 70, true, ""},      /* Cyrillic */
    {"\xD0\xB6", 71, 2, 71, true, ""},
    {"\xD0\xB6", 135, 3, 135, true, ""},
    {"\xF0\x9F\x91\x8B", 35, 1, 70, true, ""}, /* emoji: a surrogate pair */
    {"\xF0\x9F\x91\x8B", 36, 2, 72, true, ""},
    {"a", 70, 2, 71, true, "`"}, /* one character outside turns all into UCS-2 */
    {"a", 69, 1, 70, true, "\xE2\x80\x9C"},
    {"\xC3\xA4", 160, 1, 160, false, ""}, /* a with diaeresis is GSM-7 */
    {"\xC3\xA7", 70, 1, 70, true, ""},    /* lower-case c with cedilla is not */
    {"\xC3\x87", 160, 1, 160, false, ""}, /* upper-case is */
    {"@", 160, 1, 160, false, ""},
    {"\t", 1, 1, 1, true, ""},
};

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text;
        struct segments segments;
        strbuf_init(&text, 100000);
        strbuf_add_text(&text, "");
        for (int j = 0; j < cases[i].times; j++)
            strbuf_add_text(&text, cases[i].piece);
        strbuf_add_text(&text, cases[i].tail);
        segments_count(text.data, &segments);
        CU_ASSERT_EQUAL(segments.count, cases[i].count);
        CU_ASSERT_EQUAL(segments.units, cases[i].units);
        CU_ASSERT_EQUAL(segments.ucs2, cases[i].ucs2);
        CU_ASSERT_EQUAL(segments.characters,
                        cases[i].times +
                            (cases[i].tail[0] == '\xE2' ? 1 : (int)strlen(cases[i].tail)));
        CU_ASSERT_STRING_EQUAL(segments_encoding(&segments), cases[i].ucs2 ? "ucs2" : "gsm7");
        strbuf_fini(&text);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("segments", NULL, NULL);
    CU_add_test(suite, "counts", test_cases);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
