/* The bounds of the quarantine, and what the configuration's check refuses. */
#include "quarantine.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"

static int parked(struct quarantine *quarantine, const char *source, const char *number, int tries,
                  int64_t now_ms)
{
    int count = 0;
    for (int i = 0; i < tries; i++)
        count += quarantine_allow(quarantine, source, number, now_ms);
    return count;
}

static void test_windows(void)
{
    struct quarantine *quarantine = quarantine_new(5, 3);
    int64_t t = 1000000;
    CU_ASSERT_EQUAL(parked(quarantine, "s1", "n1", 10, t), 3); /* by number */
    CU_ASSERT_EQUAL(parked(quarantine, "s1", "n2", 10, t), 2); /* by source: 5 in all */
    CU_ASSERT_EQUAL(parked(quarantine, "s1", "n3", 10, t), 0);
    CU_ASSERT_EQUAL(parked(quarantine, "s2", "n1", 10, t), 0); /* the number stays bounded */
    CU_ASSERT_EQUAL(parked(quarantine, "s2", "n2", 10, t), 1);
    CU_ASSERT_EQUAL(parked(quarantine, "s2", "n4", 10, t + 59999), 3);
    CU_ASSERT_EQUAL(parked(quarantine, "s1", "n1", 10, t + 60000), 3); /* a new window */
    quarantine_free(&quarantine);
    CU_ASSERT_PTR_NULL(quarantine);
    quarantine_free(&quarantine);
}

static void test_zero(void)
{
    struct quarantine *quarantine = quarantine_new(0, 3);
    CU_ASSERT_EQUAL(parked(quarantine, "s", "n", 10, 1), 0);
    quarantine_free(&quarantine);
    quarantine = quarantine_new(3, 0);
    CU_ASSERT_EQUAL(parked(quarantine, "s", "n", 10, 1), 0);
    quarantine_free(&quarantine);
}

/* A flood from many senders to many numbers costs bounded memory, and parks a bounded number. */
static void test_names_are_bounded(void)
{
    struct quarantine *quarantine = quarantine_new(100, 100);
    int count = 0;
    for (int i = 0; i < 20000; i++) {
        char source[32], number[32];
        snprintf(source, sizeof source, "source-%d", i);
        snprintf(number, sizeof number, "number-%d", i);
        count += quarantine_allow(quarantine, source, number, 1);
    }
    CU_ASSERT_EQUAL(count, QUARANTINE_NAMES_MAX / 2);
    CU_ASSERT_TRUE(quarantine_allow(quarantine, "source-1", "number-1", 1)); /* known: has room */
    CU_ASSERT_TRUE(quarantine_allow(quarantine, "new", "new", 100000));
    char huge[1000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    CU_ASSERT_FALSE(quarantine_allow(quarantine, huge, "n", 100000));
    CU_ASSERT_FALSE(quarantine_allow(quarantine, "s", huge, 100000));
    quarantine_free(&quarantine);
}

static void test_settings(void)
{
    static const struct {
        const char *url;
        int64_t threads, concurrency;
        bool good;
    } cases[] = {
        {"https://desk.example.com", 64, 56, true},
        {"http://127.0.0.1:18080", 64, 63, true},
        {"https://desk.example.com/base", 64, 56, true},
        {"https://desk.example.com/", 64, 56, false},
        {"https://desk.example.com/base/", 64, 56, false},
        {"desk.example.com", 64, 56, false},
        {"ftp://desk.example.com", 64, 56, false},
        {"https://", 64, 56, false},
        {"https:///x", 64, 56, false},
        {"https://user:pass@desk.example.com", 64, 56, false},
        {"https://desk.example.com?x", 64, 56, false},
        {"https://desk.example.com#x", 64, 56, false},
        {"https://desk example.com", 64, 56, false},
        {"", 64, 56, false},
        {"https://desk.example.com", 64, 64, false},
        {"https://desk.example.com", 8, 9, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ingress_settings settings = {.public_url = cases[i].url,
                                            .threads = cases[i].threads,
                                            .concurrency = cases[i].concurrency};
        struct err err = {0};
        int rc = ingress_settings_check(&settings, &err);
        CU_ASSERT_EQUAL(rc, cases[i].good ? 0 : -1);
        if (!cases[i].good)
            CU_ASSERT_STRING_EQUAL(err.code, "config.invalid");
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("quarantine", NULL, NULL);
    CU_add_test(suite, "windows", test_windows);
    CU_add_test(suite, "nothing allowed", test_zero);
    CU_add_test(suite, "bounded memory", test_names_are_bounded);
    CU_add_test(suite, "settings", test_settings);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
