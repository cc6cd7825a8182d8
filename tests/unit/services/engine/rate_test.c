/* The limits per minute of a model, with a clock of its own. */
#include "rate.h"

#include <CUnit/Basic.h>
#include <string.h>

#define CALLS_MAX 4000

static struct rates *rates;
static const struct rate_limits three = {.requests = 3}, tokens = {.tokens = 1000};
static struct rate_place last;

static int64_t take(const char *key, const struct rate_limits *limits, int64_t count,
                    int64_t now_ms, int64_t most_ms)
{
    last = (struct rate_place){.key = NULL};
    return rate_take(rates, key, limits, count, now_ms, most_ms, &last);
}

static void test_unlimited(void)
{
    static const struct rate_limits none = {0, 0};
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(take("a", &none, 100000, 0, 0), 0);
    CU_ASSERT_PTR_NULL(last.key);
    rate_settle(rates, &last, 5);
    rate_give_back(rates, &last);
}

/* All of a minute at once, then nothing until it has come back. */
static void test_requests(void)
{
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(take("a", &three, 0, 100500, 0), 0);
    CU_ASSERT_EQUAL(take("a", &three, 0, 100700, 0), 60300); /* it leaves at 161 s */
    CU_ASSERT_PTR_NULL(last.key);
    CU_ASSERT_EQUAL(take("b", &three, 0, 100700, 0), 0); /* each has its own */
    CU_ASSERT_TRUE(take("a", &three, 0, 160999, 0) > 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(take("a", &three, 0, 161000, 0), 0);
}

/* Whatever comes when: in no 60 s do more leave than the limit, and nobody is overtaken. */
static void test_never_more_than_the_limit(void)
{
    static int64_t left_ms[CALLS_MAX];
    static const struct rate_limits limits = {.requests = 20};
    int count = 0;
    int64_t now_ms = 50;
    for (int i = 0; i < CALLS_MAX; i++) {
        now_ms += (int64_t)i * 7919 % 5000;
        int64_t wait_ms = take("a", &limits, 0, now_ms, 40000);
        if (wait_ms <= 40000)
            left_ms[count++] = now_ms + wait_ms;
    }
    CU_ASSERT(count > 1000 && count < CALLS_MAX);
    for (int i = 1; i < count; i++)
        CU_ASSERT_TRUE_FATAL(left_ms[i] / 1000 >= left_ms[i - 1] / 1000);
    for (int i = 20; i < count; i++)
        CU_ASSERT_TRUE_FATAL(left_ms[i] - left_ms[i - 20] > 60000);
}

static void test_waits_in_line(void)
{
    static const struct rate_limits one = {.requests = 1};
    CU_ASSERT_EQUAL(take("a", &one, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(take("a", &one, 0, 30000, 60000), 31000);
    CU_ASSERT_EQUAL(last.second, 61);
    struct rate_place first = last;
    CU_ASSERT_TRUE(take("a", &one, 0, 30000, 60000) == INT64_MAX); /* 122 s: too far ahead */
    CU_ASSERT_EQUAL(take("a", &one, 0, 61000, 70000), 61000);
    rate_give_back(rates, &last); /* the last place: the next who comes has it */
    CU_ASSERT_PTR_NULL(last.key);
    CU_ASSERT_EQUAL(take("a", &one, 0, 62000, 70000), 60000);
    struct rate_place second = last;
    rate_give_back(rates, &first);
    rate_give_back(rates, &first); /* nothing any more */
    CU_ASSERT_EQUAL(second.second, 122);
}

static void test_tokens(void)
{
    CU_ASSERT_EQUAL(take("a", &tokens, 600, 0, 0), 0);
    struct rate_place first = last;
    CU_ASSERT_EQUAL(take("a", &tokens, 500, 1000, 0), 60000);
    CU_ASSERT_EQUAL(take("a", &tokens, 400, 1000, 0), 0);
    CU_ASSERT_TRUE(take("a", &tokens, 1, 2000, 0) > 0);
    rate_settle(rates, &first, 100); /* the guess was too high */
    CU_ASSERT_EQUAL(take("a", &tokens, 500, 2000, 0), 0);
    CU_ASSERT_TRUE(take("a", &tokens, 1, 2000, 0) > 0);
    rate_settle(rates, &last, -1); /* its provider did not say */
    CU_ASSERT_TRUE(take("a", &tokens, 1, 2000, 0) > 0);
}

/* More than a minute has would never leave: it takes a whole one. */
static void test_call_beyond_the_limit(void)
{
    CU_ASSERT_EQUAL(take("a", &tokens, 5000, 0, 0), 0);
    CU_ASSERT_EQUAL(last.tokens, 1000);
    CU_ASSERT_EQUAL(take("a", &tokens, 5000, 1000, 0), 60000);
    rate_settle(rates, &last, 5000);
    CU_ASSERT_EQUAL(take("a", &tokens, 5000, 61000, 0), 0);
}

static void test_settled_after_its_minute(void)
{
    CU_ASSERT_EQUAL(take("a", &tokens, 600, 0, 0), 0);
    struct rate_place first = last;
    CU_ASSERT_EQUAL(take("a", &tokens, 900, 128000, 0), 0); /* in the same slot */
    rate_settle(rates, &first, 0);
    CU_ASSERT_TRUE(take("a", &tokens, 900, 128000, 0) > 0);
}

static void test_parts(void)
{
    struct rates *parted = rates_new(4);
    static const struct rate_limits limits = {.requests = 8}, small = {.requests = 3};
    struct rate_place place = {.key = NULL};
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(rate_take(parted, "a", &limits, 0, 0, 0, &place), 0);
    CU_ASSERT_TRUE(rate_take(parted, "a", &limits, 0, 0, 0, &place) > 0);
    CU_ASSERT_EQUAL(rate_take(parted, "b", &small, 0, 0, 0, &place), 0);
    CU_ASSERT_TRUE(rate_take(parted, "b", &small, 0, 0, 0, &place) > 0);
    rates_free(&parted);
    CU_ASSERT_PTR_NULL(parted);
}

static void test_forgotten(void)
{
    take("a", &three, 0, 0, 0);
    take("b", &three, 0, 5000, 0);
    rates_forget(rates, 60000); /* what still counts stays */
    take("b", &three, 0, 60000, 0);
    CU_ASSERT_EQUAL(take("b", &three, 0, 60000, 0), 0);
    CU_ASSERT_TRUE(take("b", &three, 0, 60000, 0) > 0);
    rate_settle(rates, &last, 7);
    rates_forget(rates, 180000);
    last = (struct rate_place){.key = "b", .second = 60};
    rate_settle(rates, &last, 7); /* gone: nothing happens */
    CU_ASSERT_PTR_NULL(last.key);
    CU_ASSERT_EQUAL(take("a", &three, 0, 180000, 0), 0);
}

static void test_key(void)
{
    struct arena *arena = arena_new();
    CU_ASSERT_STRING_EQUAL(rate_key(arena, "t", "https://a/v1", "m"), "t https://a/v1 m");
    arena_free(&arena);
}

static void with_fresh(void (*test)(void))
{
    rates = rates_new(1);
    test();
    rates_free(&rates);
    CU_ASSERT_PTR_NULL(rates);
}

static void test_all(void)
{
    with_fresh(test_unlimited);
    with_fresh(test_requests);
    with_fresh(test_never_more_than_the_limit);
    with_fresh(test_waits_in_line);
    with_fresh(test_tokens);
    with_fresh(test_call_beyond_the_limit);
    with_fresh(test_settled_after_its_minute);
    with_fresh(test_parts);
    with_fresh(test_forgotten);
    with_fresh(test_key);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rate", NULL, NULL);
    CU_add_test(suite, "limits per minute", test_all);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
