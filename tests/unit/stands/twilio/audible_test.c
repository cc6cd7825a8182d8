/* The speaking clock: when what is heard, and what an interruption leaves. 10 characters a second,
 * so that a character takes 100 ms. */
#include "stands/twilio/audible.h"

#include <CUnit/Basic.h>
#include <string.h>

static double say(struct audible *audible, double now_ms, const char *text, bool *pause)
{
    return audible_say(audible, now_ms, text, strlen(text), pause);
}

/* Compares what was heard, and what was not, at a time. */
static void expect(const struct audible *audible, double now_ms, const char *heard,
                   const char *unheard)
{
    struct stand_buf text;
    stand_buf_init(&text, AUDIBLE_TEXT_MAX);
    stand_buf_puts(&text, "");
    audible_heard(audible, now_ms, &text);
    CU_ASSERT_STRING_EQUAL(text.data, heard);
    stand_buf_clear(&text);
    stand_buf_puts(&text, "");
    audible_unheard(audible, now_ms, &text);
    CU_ASSERT_STRING_EQUAL(text.data, unheard);
    stand_buf_fini(&text);
}

static void speaks_tokens_as_one_stretch(void)
{
    struct audible audible;
    bool pause = false;
    double from_ms = 0, until_ms = 0;
    struct stand_buf text;
    audible_init(&audible, 10, 0);
    stand_buf_init(&text, 1000);
    CU_ASSERT_EQUAL(audible_until(&audible), 0);
    CU_ASSERT_EQUAL(say(&audible, 1000, "Good ", &pause), 1000);
    CU_ASSERT(pause);
    CU_ASSERT_EQUAL(say(&audible, 1100, "morning", &pause), 1500);
    CU_ASSERT(!pause);
    CU_ASSERT_EQUAL(audible_until(&audible), 2200);
    CU_ASSERT(!audible_on(&audible, 999) && audible_on(&audible, 1000));
    CU_ASSERT(audible_on(&audible, 2199) && !audible_on(&audible, 2200));
    expect(&audible, 1000, "", "Good morning");
    expect(&audible, 1750, "Good mo", "rning");
    expect(&audible, 9000, "Good morning", "");
    CU_ASSERT_EQUAL(audible_chars(&audible, 1750), 7);
    CU_ASSERT_EQUAL(audible_words(&audible, 1750), 1);
    CU_ASSERT_EQUAL(audible_words(&audible, 2200), 2);
    CU_ASSERT_EQUAL(audible_for_ms(&audible, 1750), 750);
    CU_ASSERT_EQUAL(audible_for_ms(&audible, 9000), 1200);
    CU_ASSERT_EQUAL(audible_stretch(&audible, 2200, &from_ms, &until_ms, &text), 0);
    CU_ASSERT_EQUAL(from_ms, 1000);
    CU_ASSERT_EQUAL(until_ms, 2200);
    CU_ASSERT_STRING_EQUAL(text.data, "Good morning");
    stand_buf_fini(&text);
    audible_fini(&audible);
}

static void a_late_token_begins_a_stretch_of_its_own(void)
{
    struct audible audible;
    bool pause = false;
    double from_ms = 0, until_ms = 0;
    struct stand_buf text;
    audible_init(&audible, 10, 0);
    stand_buf_init(&text, 1000);
    say(&audible, 1000, "One ", &pause);
    CU_ASSERT_EQUAL(say(&audible, 2000, "two", &pause), 2000);
    CU_ASSERT(pause);
    CU_ASSERT_EQUAL(audible_stretch(&audible, 2300, &from_ms, &until_ms, &text), 0);
    CU_ASSERT_EQUAL(from_ms, 2000);
    CU_ASSERT_STRING_EQUAL(text.data, "two");
    expect(&audible, 2100, "One t", "wo"); /* one talk cycle all the same */
    CU_ASSERT_EQUAL(audible_stretch(&audible, 1700, &from_ms, &until_ms, &text), -1);
    stand_buf_fini(&text);
    audible_fini(&audible);
}

static void synthesis_takes_its_time_after_a_pause_only(void)
{
    struct audible audible;
    bool pause = false;
    audible_init(&audible, 10, 250);
    CU_ASSERT_EQUAL(say(&audible, 1000, "ab", &pause), 1250);
    CU_ASSERT_EQUAL(say(&audible, 1010, "cd", &pause), 1450);
    CU_ASSERT(!pause && !audible_on(&audible, 1200));
    expect(&audible, 1100, "", "abcd");
    CU_ASSERT_EQUAL(audible_sound(&audible, 5000, 100, &pause), 5000);
    CU_ASSERT(pause);
    audible_fini(&audible);
}

static void an_interruption_leaves_what_was_heard(void)
{
    struct audible audible;
    bool pause = false;
    audible_init(&audible, 10, 0);
    say(&audible, 1000, "Grüße ", &pause); /* ü and ß are one character each */
    say(&audible, 1000, "aus Köln", &pause);
    expect(&audible, 1450, "Grüß", "e aus Köln");
    audible_drop(&audible, 1450);
    expect(&audible, 9000, "Grüß", "");
    CU_ASSERT_EQUAL(audible_until(&audible), 1450);
    CU_ASSERT(!audible.open);
    audible_forget(&audible, 1450);
    CU_ASSERT_EQUAL(audible.count, 0);
    CU_ASSERT_EQUAL(say(&audible, 1500, "Ja", &pause), 1500);
    expect(&audible, 1600, "J", "a");
    audible_fini(&audible);
}

static void a_cycle_that_was_not_yet_heard_is_dropped_whole(void)
{
    struct audible audible;
    bool pause = false;
    audible_init(&audible, 10, 500);
    say(&audible, 1000, "Hello", &pause);
    audible_drop(&audible, 1200);
    CU_ASSERT_EQUAL(audible.count, 0);
    CU_ASSERT_EQUAL(audible_until(&audible), 0);
    audible_fini(&audible);
}

static void cycles_are_heard_apart(void)
{
    struct audible audible;
    bool pause = false;
    struct stand_buf text;
    audible_init(&audible, 10, 0);
    stand_buf_init(&text, 1000);
    say(&audible, 1000, "Moment.", &pause);
    audible_cycle(&audible, &text);
    CU_ASSERT_STRING_EQUAL(text.data, "Moment.");
    audible_close(&audible);
    say(&audible, 1100, "Well, ", &pause);
    CU_ASSERT(!pause); /* it follows without a pause */
    expect(&audible, 1300, "Mom", "ent.Well, ");
    expect(&audible, 1900, "We", "ll, ");
    CU_ASSERT_EQUAL(audible_when(&audible, 1900, 4), 2100);
    CU_ASSERT_EQUAL(audible_when(&audible, 1900, 7), -1);
    CU_ASSERT_EQUAL(audible_when(&audible, 1300, 7), 1700);
    CU_ASSERT_EQUAL(audible_when(&audible, 1300, 1), 1300); /* long since */
    stand_buf_fini(&text);
    audible_fini(&audible);
}

static void an_exact_moment_counts_its_character(void)
{
    struct audible audible;
    bool pause = false;
    audible_init(&audible, 15, 0);
    say(&audible, 1732000000123.4, "A sentence of some length, spoken slowly.", &pause);
    for (size_t chars = 1; chars <= 41; chars++) {
        double when_ms = audible_when(&audible, 1732000000123.4, chars);
        CU_ASSERT_EQUAL(audible_chars(&audible, when_ms + 0.001), chars);
    }
    audible_fini(&audible);
}

static void too_much_is_dropped_and_told(void)
{
    struct audible audible;
    bool pause = false;
    audible_init(&audible, 1000000, 0);
    for (int i = 0; i < AUDIBLE_TEXT_MAX / 64; i++)
        audible_say(&audible, 1, "0123456789012345678901234567890123456789012345678901234567890123",
                    64, &pause);
    CU_ASSERT(!audible.overflow);
    double until_ms = audible_until(&audible);
    say(&audible, 1, "x", &pause);
    CU_ASSERT(audible.overflow);
    CU_ASSERT_EQUAL(audible_until(&audible), until_ms);
    audible_close(&audible);
    audible_forget(&audible, until_ms + 1);
    audible.overflow = false;
    say(&audible, until_ms + 2, "x", &pause);
    CU_ASSERT(!audible.overflow && pause);
    audible_fini(&audible);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/twilio/audible", NULL, NULL);
    CU_add_test(suite, "speaks tokens as one stretch", speaks_tokens_as_one_stretch);
    CU_add_test(suite, "a late token begins a stretch of its own",
                a_late_token_begins_a_stretch_of_its_own);
    CU_add_test(suite, "synthesis takes its time after a pause only",
                synthesis_takes_its_time_after_a_pause_only);
    CU_add_test(suite, "an interruption leaves what was heard",
                an_interruption_leaves_what_was_heard);
    CU_add_test(suite, "a cycle that was not yet heard is dropped whole",
                a_cycle_that_was_not_yet_heard_is_dropped_whole);
    CU_add_test(suite, "cycles are heard apart", cycles_are_heard_apart);
    CU_add_test(suite, "an exact moment counts its character",
                an_exact_moment_counts_its_character);
    CU_add_test(suite, "too much is dropped and told", too_much_is_dropped_and_told);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
