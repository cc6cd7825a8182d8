/* Segment counts: the documented checks, and the edges of both encodings. */
#include "stands/lib/segments.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "stands/lib/buf.h"

static void counts(void)
{
    static const struct {
        const char *unit;
        int times, segments;
    } cases[] = {
        {"a", 0, 0},   {"a", 1, 1},     {"a", 160, 1}, {"a", 161, 2}, {"a", 306, 2},
        {"a", 307, 3}, {"a", 1600, 11}, {"€", 80, 1},  {"€", 81, 2},  {"€", 153, 3},
        {"я", 70, 1},  {"я", 71, 2},    {"я", 134, 2}, {"я", 135, 3}, {"😀", 35, 1},
        {"😀", 36, 2},  {"😀", 66, 2},    {"😀", 67, 3},  {"`", 71, 2},  {"ç", 71, 2},
        {"Ç", 160, 1}, {"\n", 160, 1},  {"^", 80, 1},  {"^", 81, 2},  {"\xff", 71, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_buf text;
        stand_buf_init(&text, 10000);
        stand_buf_puts(&text, "");
        for (int n = 0; n < cases[i].times; n++)
            stand_buf_puts(&text, cases[i].unit);
        CU_ASSERT_EQUAL(stand_segments(text.data, text.len), cases[i].segments);
        CU_ASSERT_EQUAL(stand_characters(text.data, text.len), (size_t)cases[i].times);
        stand_buf_fini(&text);
    }
}

/* An escaped pair that would straddle the border of a segment moves over whole. */
static void keeps_pairs_together(void)
{
    struct stand_buf text;
    stand_buf_init(&text, 10000);
    for (int i = 0; i < 152; i++)
        stand_buf_puts(&text, "a");
    stand_buf_puts(&text, "€");
    for (int i = 0; i < 151; i++)
        stand_buf_puts(&text, "a");
    CU_ASSERT_EQUAL(stand_segments(text.data, text.len), 2); /* 152 and 153 */
    stand_buf_puts(&text, "a");
    CU_ASSERT_EQUAL(stand_segments(text.data, text.len), 3); /* 306 units, but one is wasted */
    stand_buf_fini(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/lib/segments", NULL, NULL);
    CU_add_test(suite, "counts", counts);
    CU_add_test(suite, "keeps pairs together", keeps_pairs_together);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
