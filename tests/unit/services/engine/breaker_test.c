/* The breaker of a model, with a clock of its own. */
#include "breaker.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct breakers *breakers;
static bool probe;

static int64_t wait_ms(const char *key, int64_t now_ms)
{
    return breaker_wait_ms(breakers, key, now_ms, &probe);
}

static void fail(const char *key, enum err_class class, const char *code, int64_t now_ms,
                 int64_t retry_after_ms)
{
    struct err err;
    err_set(&err, class, code, "it failed");
    err.retry_after_ms = retry_after_ms;
    breaker_report(breakers, key, probe, &err, now_ms);
}

static void fail_often(const char *key, int count, int64_t now_ms)
{
    probe = false;
    for (int i = 0; i < count; i++)
        fail(key, ERR_RETRY_LATER, "http.timeout", now_ms, 0);
}

static void test_closed(void)
{
    CU_ASSERT_EQUAL(wait_ms("a", 0), 0);
    CU_ASSERT_FALSE(probe);
    fail_often("a", 4, 0);
    CU_ASSERT_EQUAL(wait_ms("a", 1), 0);
    CU_ASSERT_EQUAL(breakers_count(breakers), 1);
    breaker_report(breakers, "a", false, NULL, 1);
    CU_ASSERT_EQUAL(breakers_count(breakers), 0);
    fail_often("a", 4, 2);
    CU_ASSERT_EQUAL(wait_ms("a", 3), 0); /* only those in a row count */
}

static void test_opens_and_closes(void)
{
    fail_often("a", 5, 1000);
    CU_ASSERT_EQUAL(wait_ms("a", 1000), 5000);
    CU_ASSERT_EQUAL(wait_ms("a", 5999), 1);
    CU_ASSERT_EQUAL(wait_ms("b", 1000), 0); /* each has its own */
    CU_ASSERT_EQUAL(wait_ms("a", 6000), 0);
    CU_ASSERT_TRUE(probe);
    CU_ASSERT_TRUE(wait_ms("a", 6001) > 0); /* one at a time */
    CU_ASSERT_FALSE(probe);
    CU_ASSERT_TRUE(breaker_is_tried(breakers, "a"));
    CU_ASSERT_FALSE(breaker_is_tried(breakers, "b"));
    breaker_report(breakers, "a", true, NULL, 6500);
    CU_ASSERT_FALSE(breaker_is_tried(breakers, "a"));
    CU_ASSERT_EQUAL(wait_ms("a", 6500), 0);
    CU_ASSERT_FALSE(probe);
}

static void test_opens_longer(void)
{
    static const int64_t waits[] = {5000, 10000, 20000, 40000, 60000, 60000};
    int64_t now_ms = 0;
    fail_often("a", 5, now_ms);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        CU_ASSERT_EQUAL(wait_ms("a", now_ms), waits[i]);
        now_ms += waits[i];
        CU_ASSERT_EQUAL(wait_ms("a", now_ms), 0);
        CU_ASSERT_TRUE(probe);
        fail("a", ERR_RETRY_LATER, "llm.unavailable", now_ms, 0);
    }
}

static void test_stragglers(void)
{
    fail_often("a", 1000, 0); /* all were in flight when it went away */
    CU_ASSERT_EQUAL(wait_ms("a", 0), 5000);
    breaker_report(breakers, "a", false, NULL, 10); /* one of them still came through */
    CU_ASSERT_EQUAL(wait_ms("a", 10), 4990);
    CU_ASSERT_EQUAL(wait_ms("a", 5000), 0);
    CU_ASSERT_TRUE(probe);
}

static void ends_well(const char *key, bool as_probe, int64_t now_ms)
{
    breaker_report(breakers, key, as_probe, NULL, now_ms);
}

/* Calls that began before a provider said so, and end behind it. */
static void test_told_with_others_at_work(void)
{
    static const struct {
        const char *code;
        int64_t retry_after_ms, alone_ms;
    } rows[] = {{"llm.throttled", 20000, 20000},
                {"llm.unavailable", 30000, 30000},
                {"llm.exhausted", 0, 60000},
                {"llm.exhausted", 90000, 90000},
                {"llm.config", 0, 60000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *key = rows[i].code;
        probe = false;
        fail(key, ERR_RETRY_LATER, rows[i].code, 0, rows[i].retry_after_ms);
        ends_well(key, false, 500);
        fail(key, ERR_FALL_BACK, "llm.bad_request", 600, 0); /* says no more than a good one */
        fail(key, ERR_RETRY_LATER, "http.timeout", 700, 0);
        CU_ASSERT_EQUAL(wait_ms(key, 1000), rows[i].alone_ms - 1000);
        CU_ASSERT_EQUAL(wait_ms(key, rows[i].alone_ms), 0);
        CU_ASSERT_TRUE(probe);
        ends_well(key, false, rows[i].alone_ms + 1);
        CU_ASSERT_TRUE(breaker_is_open(breakers, key)); /* what tries it is still to tell */
        ends_well(key, true, rows[i].alone_ms + 2);
        CU_ASSERT_FALSE(breaker_is_open(breakers, key));
    }
}

/* An answer may be long: one that began before says nothing when the time is over, either. */
static void test_over_and_not_tried(void)
{
    static const int64_t asked_ms[] = {0, 20000}; /* by five failures; by a Retry-After */
    for (size_t i = 0; i < sizeof asked_ms / sizeof *asked_ms; i++) {
        const char *key = asked_ms[i] > 0 ? "asked" : "failed";
        probe = false;
        for (int k = 0; k < 5; k++)
            fail(key, ERR_RETRY_LATER, "llm.throttled", 0, asked_ms[i]);
        ends_well(key, false, 90000);
        CU_ASSERT_TRUE(breaker_is_open(breakers, key));
        CU_ASSERT_EQUAL(wait_ms(key, 90001), 0);
        CU_ASSERT_TRUE(probe); /* a single call tries it */
        CU_ASSERT_TRUE(wait_ms(key, 90002) > 0);
        ends_well(key, true, 90003);
        CU_ASSERT_FALSE(breaker_is_open(breakers, key));
    }
}

/* What failed before may be told of for longer by those at work. */
static void test_told_for_longer(void)
{
    struct err err;
    fail_often("a", 5, 0);
    fail("a", ERR_RETRY_LATER, "llm.throttled", 100, 2000); /* shorter than it is anyway */
    CU_ASSERT_EQUAL(wait_ms("a", 100), 4900);
    err_set(&err, ERR_RETRY_LATER, "llm.throttled", "it failed");
    err.retry_after_ms = 30000;
    CU_ASSERT_EQUAL(breaker_report(breakers, "a", false, &err, 200), 30000);
    CU_ASSERT_EQUAL(wait_ms("a", 200), 30000);
    CU_ASSERT_EQUAL(breaker_report(breakers, "a", false, &err, 300), 0); /* no news */
    CU_ASSERT_EQUAL(wait_ms("a", 300), 30000);
    fail("a", ERR_FALL_BACK, "llm.exhausted", 400, 0);
    CU_ASSERT_EQUAL(wait_ms("a", 400), 60000);
    CU_ASSERT_EQUAL(wait_ms("a", 60400), 0);
    CU_ASSERT_TRUE(probe);
    CU_ASSERT_EQUAL(breaker_report(breakers, "a", false, &err, 60500), 0);
    ends_well("a", true, 60600);
    CU_ASSERT_FALSE(breaker_is_open(breakers, "a"));
}

static void test_shut_at_once(void)
{
    probe = false;
    fail("a", ERR_FALL_BACK, "llm.exhausted", 0, 0);
    CU_ASSERT_EQUAL(wait_ms("a", 0), 60000);
    fail("b", ERR_FALL_BACK, "llm.config", 0, 0);
    CU_ASSERT_EQUAL(wait_ms("b", 0), 60000);
    fail("c", ERR_FALL_BACK, "llm.exhausted", 0, 3600000); /* when credit comes, it says */
    CU_ASSERT_EQUAL(wait_ms("c", 0), 3600000);
    fail("d", ERR_FALL_BACK, "llm.exhausted", 0, 86400000);
    CU_ASSERT_EQUAL(wait_ms("d", 0), 3600000);
    fail("e", ERR_FALL_BACK, "llm.exhausted", 0, 7000); /* no account is filled so fast */
    CU_ASSERT_EQUAL(wait_ms("e", 0), 60000);
}

static void test_told_how_long(void)
{
    probe = false;
    fail("a", ERR_RETRY_LATER, "llm.throttled", 0, 1500);
    CU_ASSERT_EQUAL(wait_ms("a", 0), 1500);
    fail("b", ERR_RETRY_LATER, "llm.throttled", 0, 1800000);
    CU_ASSERT_EQUAL(wait_ms("b", 0), 1800000);
    fail("c", ERR_RETRY_LATER, "llm.throttled", 0, 86400000);
    CU_ASSERT_EQUAL(wait_ms("c", 0), 3600000);
    CU_ASSERT_EQUAL(wait_ms("c", 3600000), 0); /* then a single call tries it */
    CU_ASSERT_TRUE(probe);
}

/* A prompt that is too long or refused says nothing about the model. */
static void test_not_its_fault(void)
{
    static const struct {
        enum err_class class;
        const char *code;
    } rows[] = {{ERR_FALL_BACK, "llm.too_long"},
                {ERR_FALL_BACK, "llm.too_long_answer"},
                {ERR_PERMANENT, "llm.filtered"},
                {ERR_FALL_BACK, "llm.bad_request"}};
    fail_often("a", 4, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fail("a", rows[i].class, rows[i].code, 0, 0);
    CU_ASSERT_EQUAL(breakers_count(breakers), 0);
}

static void test_probe_that_says_nothing(void)
{
    fail_often("a", 5, 0);
    CU_ASSERT_EQUAL(wait_ms("a", 5000), 0);
    CU_ASSERT_TRUE(probe);
    breaker_let_go(breakers, "a");
    CU_ASSERT_EQUAL(wait_ms("a", 5001), 0);
    CU_ASSERT_TRUE(probe); /* and is never told of */
    CU_ASSERT_TRUE(wait_ms("a", 125000) > 0);
    CU_ASSERT_EQUAL(wait_ms("a", 125001), 0);
    CU_ASSERT_TRUE(probe);
    breaker_let_go(breakers, "nobody");
}

/* From its opening until a call has gone well; a few failures open nothing. */
static void test_is_open(void)
{
    fail_often("a", 4, 0);
    CU_ASSERT_FALSE(breaker_is_open(breakers, "a"));
    fail_often("a", 1, 0);
    CU_ASSERT_TRUE(breaker_is_open(breakers, "a"));
    CU_ASSERT_EQUAL(wait_ms("a", 5000), 0);
    CU_ASSERT_TRUE(breaker_is_open(breakers, "a")); /* it is being tried */
    breaker_report(breakers, "a", true, NULL, 5000);
    CU_ASSERT_FALSE(breaker_is_open(breakers, "a"));
}

static void test_forgotten(void)
{
    fail_often("a", 5, 0);
    fail_often("b", 1, 1000);
    breakers_forget(breakers, 600999);
    CU_ASSERT_EQUAL(breakers_count(breakers), 2);
    breakers_forget(breakers, 601000);
    CU_ASSERT_EQUAL(breakers_count(breakers), 1);
    breakers_forget(breakers, 605000);
    CU_ASSERT_EQUAL(breakers_count(breakers), 0);
}

static void with_fresh(void (*test)(void))
{
    breakers = breakers_new();
    test();
    breakers_free(&breakers);
    CU_ASSERT_PTR_NULL(breakers);
}

static void test_all(void)
{
    with_fresh(test_closed);
    with_fresh(test_opens_and_closes);
    with_fresh(test_opens_longer);
    with_fresh(test_stragglers);
    with_fresh(test_told_with_others_at_work);
    with_fresh(test_over_and_not_tried);
    with_fresh(test_told_for_longer);
    with_fresh(test_shut_at_once);
    with_fresh(test_told_how_long);
    with_fresh(test_not_its_fault);
    with_fresh(test_probe_that_says_nothing);
    with_fresh(test_is_open);
    with_fresh(test_forgotten);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("breaker", NULL, NULL);
    CU_add_test(suite, "open, half open, closed", test_all);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
