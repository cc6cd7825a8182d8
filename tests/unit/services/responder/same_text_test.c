/* Texts as Smart Encoding leaves them. */
#include "same_text.h"

#include <CUnit/Basic.h>
#include <stdio.h>

static const struct {
    const char *a, *b;
    bool same;
} cases[] = {
    {"", "", true},
    {"Hello", "Hello", true},
    {"Hello", "hello", false},
    {"Hello", "Hello!", false},
    {"Hello", "", false},
    {"We\u2019re open", "We're open", true},
    {"\u201Cyes\u201D or \u2018no\u2019", "\"yes\" or 'no'", true},
    {"9\u201317 h \u2014 or later", "9-17 h - or later", true},
    {"Well\u2026", "Well...", true},
    {"Well\u2026", "Well..", false},
    {"Well\u2026", "Well....", false},
    {"10\u00A0Euro", "10 Euro", true},
    {"10\u00A0Euro", "10  Euro", true},
    {"10 \u00A0Euro", "10 Euro", true},
    {"10\u00A0Euro", "10Euro", false},
    {"a\u200Bb\uFEFF", "ab", true},
    {"\uFF21\uFF01", "A!", true},
    {"1\u00BD", "11/2", true},
    {"Gr\u00FC\u00DFe", "Gr\u00FC\u00DFe", true},
    {"Gr\u00FC\u00DFe", "Grusse", false},
    {"\U0001F44B hi", "\U0001F44B hi", true},
    {"\U0001F44B hi", " hi", false},
};

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool good = same_text(cases[i].a, cases[i].b) == cases[i].same &&
                    same_text(cases[i].b, cases[i].a) == cases[i].same;
        if (!good)
            printf("\n  case %zu: '%s' and '%s'\n", i, cases[i].a, cases[i].b);
        CU_ASSERT_TRUE(good);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("same text", NULL, NULL);
    CU_add_test(suite, "cases", test_cases);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
