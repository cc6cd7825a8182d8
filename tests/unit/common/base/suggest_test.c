/* Unit tests of "did you mean". */
#include "base/suggest.h"

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = {"lease_ms", "log_level", "admin_listen", "apply", "list",
                                    "last",     NULL};

static void test_suggestions(void)
{
    static const struct {
        const char *word, *expected;
    } cases[] = {
        {"lease_ms", "lease_ms"},
        {"leese_ms", "lease_ms"},
        {"lease-ms", "lease_ms"},
        {"LEASE_MS", "lease_ms"},
        {"laese_ms", "lease_ms"},
        {"lease_m", "lease_ms"},
        {"leasems", "lease_ms"},
        {"loglevel", "log_level"},
        {"aplpy", "apply"},
        {"appply", "apply"},
        {"lisr", "list"},
        {"lsit", "list"},
        {"lost", "list"},
        {"admin_listn", "admin_listen"},
        {"replay", NULL},
        {"", NULL},
        {"x", NULL},
        {"quarantine", NULL},
        {"zzzzzzzz", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = suggest(cases[i].word, words);
        const char *expected = cases[i].expected;
        bool same = got == NULL || expected == NULL ? got == expected : strcmp(got, expected) == 0;
        if (!same)
            printf("\n  %s: got %s\n", cases[i].word, got == NULL ? "nothing" : got);
        CU_ASSERT(same);
    }
}

static void test_bounds(void)
{
    static const char *const empty[] = {NULL};
    char longest[65], longer[66];
    memset(longest, 'a', 64);
    longest[64] = '\0';
    memset(longer, 'a', 65);
    longer[65] = '\0';
    const char *const known[] = {longer, longest, NULL};
    CU_ASSERT_PTR_NULL(suggest("apply", empty));
    CU_ASSERT_PTR_NULL(suggest(longer, known));
    longest[10] = 'b';
    longer[64] = '\0';
    CU_ASSERT_PTR_EQUAL(suggest(longer, (const char *const[]){longest, NULL}), longest);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("suggest", NULL, NULL);
    CU_add_test(suite, "suggestions", test_suggestions);
    CU_add_test(suite, "bounds", test_bounds);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
