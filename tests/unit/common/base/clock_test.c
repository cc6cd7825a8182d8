/* Unit tests of clocks and date formats. */
#include "base/clock.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void test_clocks_run(void)
{
    int64_t mono = clock_mono_us(), ms = clock_mono_ms();
    CU_ASSERT_TRUE(clock_mono_us() >= mono);
    CU_ASSERT_TRUE(ms >= mono / 1000 && ms <= mono / 1000 + 1000);
    int64_t wall = clock_wall_ms();
    CU_ASSERT_TRUE(llabs(wall / 1000 - (int64_t)time(NULL)) <= 1);
    CU_ASSERT_TRUE(llabs(clock_wall_us() / 1000 - wall) < 1000);
}

static void test_format(void)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {1795770487123, "2026-11-27T09:08:07.123Z"},
        {951826153999, "2000-02-29T12:09:13.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[CLOCK_RFC3339_SIZE];
        int64_t back = -1;
        clock_format_rfc3339(cases[i].ms, text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
        CU_ASSERT_EQUAL(clock_parse_rfc3339(text, &back, NULL), 0);
        CU_ASSERT_EQUAL(back, cases[i].ms);
    }
}

static void test_rfc3339(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:01z", 1000},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T19:00:00-05:00", -1},
        {"1970-01-02T05:30:00.5+05:30", 86400500},
        {"1970-01-01T00:00:00.123456789Z", 123},
        {"1970-01-01T00:00:00.1Z", 100},
        {"1970-01-01T00:00:00.12Z", 120},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2016-12-31T23:59:59Z", 1483228799000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -99;
        int expected = cases[i].ms == -1 ? -1 : 0; /* the local year is 1969 */
        CU_ASSERT_EQUAL(clock_parse_rfc3339(cases[i].text, &ms, NULL), expected);
        CU_ASSERT_EQUAL(ms, expected == 0 ? cases[i].ms : -99);
    }
}

static void test_rfc3339_refuses(void)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T09:08:07",
        "2026-11-23 09:08:07Z",
        "2026-11-23T09:08Z",
        "2026-11-23T09:08:07.Z",
        "2026-11-23T09:08:07.1234567890Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2025-02-29T23:59:60Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T23:60:00Z",
        "2026-11-23T23:59:61Z",
        "2026-11-23T09:08:07+1:00",
        "2026-11-23T09:08:07+25:00",
        "2026-11-23T09:08:07+01:75",
        "2026-11-23T09:08:07Zx",
        "2026-11-23T09:08:07Z ",
        " 2026-11-23T09:08:07Z",
        "+026-11-23T09:08:07Z",
        "26-11-23T09:08:07Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -99;
        struct err err = {0};
        CU_ASSERT_EQUAL(clock_parse_rfc3339(bad[i], &ms, &err), -1);
        CU_ASSERT_EQUAL(ms, -99);
        if (ms != -99)
            printf("\n    accepted: %s\n", bad[i]);
        CU_ASSERT_STRING_EQUAL(err.code, "clock.format");
    }
}

static void test_rfc2822(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:00 +0000", 0},
        {"Mon, 23 Nov 2026 09:08:07 +0000", 1795424887000},
        {"Mon, 23 Nov 2026 10:08:07 +0100", 1795424887000},
        {"Mon, 23 Nov 2026 03:38:07 -0530", 1795424887000},
        {"23 Nov 2026 09:08:07 +0000", 1795424887000},
        {"Sun, 1 Mar 2026 00:00:00 +0000", 1772323200000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -99;
        CU_ASSERT_EQUAL(clock_parse_rfc2822(cases[i].text, &ms, NULL), 0);
        CU_ASSERT_EQUAL(ms, cases[i].ms);
    }
}

static void test_rfc2822_refuses(void)
{
    static const char *const bad[] = {
        "",
        "Mon, 23 Nov 2026 09:08:07",
        "Mon, 23 Nov 2026 09:08 +0000",
        "Mon, 23 Foo 2026 09:08:07 +0000",
        "Mon, 31 Nov 2026 09:08:07 +0000",
        "Mon, 0 Nov 2026 09:08:07 +0000",
        "Mon, 23 Nov 2026 24:08:07 +0000",
        "Mon, 23 Nov 2026 09:60:07 +0000",
        "Mon, 23 Nov 2026 09:08:-7 +0000",
        "Mon, 23 Nov 2026 09:08:07 0000",
        "Mon, 23 Nov 2026 09:08:07 +00000",
        "Mon, 23 Nov 2026 09:08:07 +0000x",
        "Mon, 23 Nov 26 09:08:07 +0000",
        "Mon, 23 Nov 2026 09:08:07 GMT",
        "2026-11-23T09:08:07Z",
        "Mon, 23 Nov 2026 09:08:07 +-100",
        "Mon, 23 Nov 2026 09:08:07 +9999",
        "Mon, 23 Nov 2026 09:08:07 +5",
        "Mon, 23 Nov 2026 09:08:07 01:00",
        "Mon, 23 Nov 2026 09:08:07 ",
        "Mon, 23 vem 2026 09:08:07 +0000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -99;
        struct err err = {0};
        CU_ASSERT_EQUAL(clock_parse_rfc2822(bad[i], &ms, &err), -1);
        CU_ASSERT_EQUAL(ms, -99);
        if (ms != -99)
            printf("\n    accepted: %s\n", bad[i]);
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: clock", NULL, NULL);
    CU_add_test(suite, "clocks run", test_clocks_run);
    CU_add_test(suite, "format", test_format);
    CU_add_test(suite, "RFC 3339", test_rfc3339);
    CU_add_test(suite, "RFC 3339 refuses", test_rfc3339_refuses);
    CU_add_test(suite, "RFC 2822", test_rfc2822);
    CU_add_test(suite, "RFC 2822 refuses", test_rfc2822_refuses);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
