/* The checks before anything about bookings reaches the database: rules, starts, days, details. */
#include "store/booking_rules.h"

#include <CUnit/Basic.h>
#include <string.h>

static const char *const chairs[] = {"chair 1", "chair 2"};

static struct booking_rules good_rules(void)
{
    return (struct booking_rules){.timezone = "Europe/Berlin",
                                  .hours = "{\"mon\":[[\"08:00\",\"17:00\"]]}",
                                  .holidays = "[]",
                                  .service = "check-up",
                                  .resources = chairs,
                                  .resource_count = 2,
                                  .duration_min = 30,
                                  .step_min = 15,
                                  .horizon_days = 60,
                                  .hold_min = 10};
}

static void check(const struct booking_rules *rules, bool good, const char *what)
{
    struct err err = {.class = ERR_PERMANENT};
    int rc = booking_check_rules(rules, &err);
    if ((rc == 0) != good)
        printf("    %s\n", what);
    CU_ASSERT_EQUAL(rc, good ? 0 : -1);
    CU_ASSERT(good || (err.class == ERR_BUG && strcmp(err.code, "booking.rules") == 0));
}

static void hours(void)
{
    static const struct {
        const char *json;
        bool good;
    } cases[] = {
        {"{}", true},
        {"{\"mon\":[]}", true},
        {"{\"tue\":[[\"08:00\",\"12:00\"],[\"12:00\",\"24:00\"]],\"sun\":[[\"00:00\",\"00:01\"]]}",
         true},
        {NULL, false},
        {"", false},
        {"{", false},
        {"null", false},
        {"[]", false},
        {"{\"mon\":null}", false},
        {"{\"mon\":[[\"08:00\"]]}", false},
        {"{\"mon\":[[\"08:00\",\"09:00\",\"10:00\"]]}", false},
        {"{\"mon\":[\"08:00\",\"09:00\"]}", false},
        {"{\"mon\":[[8,9]]}", false},
        {"{\"monday\":[]}", false},
        {"{\"MON\":[]}", false},
        {"{\"mon\":[],\"mon\":[]}", false},
        {"{\"mon\":[[\"8:00\",\"09:00\"]]}", false},
        {"{\"mon\":[[\"08:60\",\"09:00\"]]}", false},
        {"{\"mon\":[[\"08.00\",\"09:00\"]]}", false},
        {"{\"mon\":[[\"08:00\",\"24:01\"]]}", false},
        {"{\"mon\":[[\"24:00\",\"24:00\"]]}", false},
        {"{\"mon\":[[\"09:00\",\"08:00\"]]}", false},
        {"{\"mon\":[[\"09:00\",\"09:00\"]]}", false},
        {"{\"mon\":[[\"08:00\",\"12:00\"],[\"11:00\",\"13:00\"]]}", false},
        {"{\"mon\":[[\"13:00\",\"17:00\"],[\"08:00\",\"12:00\"]]}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct booking_rules rules = good_rules();
        rules.hours = cases[i].json;
        check(&rules, cases[i].good, cases[i].json);
    }
}

static void holidays(void)
{
    static const struct {
        const char *json;
        bool good;
    } cases[] = {
        {"[{\"day\":\"2026-12-25\",\"name\":\"Christmas\"}]", true},
        {"[{\"day\":\"2028-02-29\",\"name\":\"x\",\"hours\":[[\"08:00\",\"12:00\"]],\"more\":1}]",
         true},
        {"[{\"day\":\"2026-12-25\",\"name\":\"x\",\"hours\":[]}]", true},
        {NULL, false},
        {"{}", false},
        {"[1]", false},
        {"[{\"day\":\"2026-12-25\"}]", false},
        {"[{\"name\":\"x\"}]", false},
        {"[{\"day\":\"2026-02-29\",\"name\":\"x\"}]", false},
        {"[{\"day\":\"25.12.2026\",\"name\":\"x\"}]", false},
        {"[{\"day\":\"2026-12-25\",\"name\":\"x\",\"hours\":null}]", false},
        {"[{\"day\":\"2026-12-25\",\"name\":\"x\",\"hours\":[[\"12:00\",\"08:00\"]]}]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct booking_rules rules = good_rules();
        rules.holidays = cases[i].json;
        check(&rules, cases[i].good, cases[i].json);
    }
}

static void numbers_and_names(void)
{
    static const char *const nameless[] = {"chair 1", ""};
    struct booking_rules rules[13];
    for (int i = 0; i < 13; i++)
        rules[i] = good_rules();
    check(&rules[0], true, "the good ones");
    rules[0].timezone = "Europe/Berlin'; DROP";
    rules[1].timezone = NULL;
    rules[2].service = "";
    rules[3].resource_count = 0;
    rules[4].resources = nameless;
    rules[5].duration_min = 4;
    rules[6].buffer_after_min = 241;
    rules[7].step_min = 0;
    rules[8].lead_min = -1;
    rules[9].horizon_days = 367;
    rules[10].hold_min = 0;
    rules[11].change_min = -1;
    rules[12].most_per_customer = 101;
    for (int i = 0; i < 13; i++)
        check(&rules[i], false, "a number or name");
}

static void starts(void)
{
    static const struct {
        const char *text, *instant, *local;
    } cases[] = {
        {"2026-12-01T09:00", NULL, "2026-12-01T09:00:00.000"},
        {"2026-12-01T09:00:30", NULL, "2026-12-01T09:00:30.000"},
        {"2026-12-01T09:00Z", "2026-12-01T09:00:00.000Z", NULL},
        {"2026-12-01T09:00+01:00", "2026-12-01T08:00:00.000Z", NULL},
        {"2026-12-01T23:30:00-08:00", "2026-12-02T07:30:00.000Z", NULL},
        {NULL, NULL, NULL},
        {"", NULL, NULL},
        {"tomorrow at nine", NULL, NULL},
        {"2026-12-01", NULL, NULL},
        {"2026-12-01 09:00", NULL, NULL},
        {"2026-02-30T09:00", NULL, NULL},
        {"2026-12-01T24:30", NULL, NULL},
        {"2026-12-01T09:00 Europe/Berlin", NULL, NULL},
        {"2026-12-01T09:00:00.000000000000000000000000000", NULL, NULL},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct booking_start start = {NULL, NULL};
        struct err err;
        bool good = cases[i].instant != NULL || cases[i].local != NULL;
        CU_ASSERT_EQUAL(booking_parse_start(arena, cases[i].text, &start, &err), good ? 0 : -1);
        CU_ASSERT(good || (err.class == ERR_PERMANENT && strcmp(err.code, "booking.start") == 0));
        CU_ASSERT_EQUAL(start.instant != NULL, cases[i].instant != NULL);
        CU_ASSERT_EQUAL(start.local != NULL, cases[i].local != NULL);
        if (start.instant != NULL && cases[i].instant != NULL)
            CU_ASSERT_STRING_EQUAL(start.instant, cases[i].instant);
        if (start.local != NULL && cases[i].local != NULL)
            CU_ASSERT_STRING_EQUAL(start.local, cases[i].local);
    }
    arena_free(&arena);
}

static void days(void)
{
    static const char *const bad[] = {"", "2026-13-01", "2026-02-29", "2026-12-01T", "1.12.2026"};
    struct err err;
    CU_ASSERT_EQUAL(booking_check_day("2028-02-29", &err), 0);
    CU_ASSERT_EQUAL(booking_check_day(NULL, &err), -1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(booking_check_day(bad[i], &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "booking.day");
}

static void details(void)
{
    static const char *const bad[] = {"", "[]", "\"x\"", "{", "{\"a\":\"\\u0000\"}"};
    struct arena *arena = arena_new();
    const char *copy = "untouched";
    struct err err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(booking_copy_details(arena, bad[i], &copy, &err), -1);
    char *huge = arena_alloc(arena, BOOKING_DETAILS_MAX + 2);
    memset(huge, ' ', BOOKING_DETAILS_MAX + 1);
    huge[0] = '{';
    huge[BOOKING_DETAILS_MAX] = '}';
    CU_ASSERT_EQUAL(booking_copy_details(arena, huge, &copy, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "booking.details");
    CU_ASSERT_STRING_EQUAL(copy, "untouched");
    CU_ASSERT_EQUAL(booking_copy_details(arena, "{\"a\": 1e-400000, \"b\": [true]}", &copy, &err),
                    0);
    CU_ASSERT_STRING_EQUAL(copy, "{\"a\":0,\"b\":[true]}");
    CU_ASSERT_EQUAL(booking_copy_details(arena, NULL, &copy, &err), 0);
    CU_ASSERT_PTR_NULL(copy);
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("booking rules", NULL, NULL);
    CU_add_test(suite, "hours", hours);
    CU_add_test(suite, "holidays", holidays);
    CU_add_test(suite, "numbers and names", numbers_and_names);
    CU_add_test(suite, "starts", starts);
    CU_add_test(suite, "days", days);
    CU_add_test(suite, "details", details);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
