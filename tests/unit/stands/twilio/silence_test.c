/* Whose turn it is, what counts as silence, and what the stand's own stalls take off it. */
#include "stands/twilio/silence.h"

#include <CUnit/Basic.h>

#include "stands/twilio/stalls.h"

/* A stretch of sound [from, until) begins; returns the quiet before it (0: none), negative for a
 * gap. */
static double sound(struct silence *silence, double from_ms, double until_ms)
{
    struct quiet quiet;
    bool was = silence_sound(silence, from_ms, &quiet);
    silence_open(silence);
    silence_until(silence, until_ms);
    if (!was)
        return 0;
    double ms = quiet.until_ms - quiet.from_ms;
    silence_count(silence, &quiet, ms);
    return quiet.gap ? -ms : ms;
}

static double end(struct silence *silence, double now_ms)
{
    struct quiet quiet;
    if (!silence_end(silence, now_ms, &quiet))
        return 0;
    silence_count(silence, &quiet, quiet.until_ms - quiet.from_ms);
    return quiet.until_ms - quiet.from_ms;
}

static void counts_from_the_end_of_speech(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 1000);
    CU_ASSERT_EQUAL(sound(&silence, 2500, 3000), 1500);
    CU_ASSERT(!silence_done(&silence, 9000)); /* not closed */
    CU_ASSERT_EQUAL(sound(&silence, 5000, 6000), 2000);
    silence_close(&silence, false);
    CU_ASSERT(!silence_done(&silence, 5999));
    CU_ASSERT(silence_done(&silence, 6000));
    CU_ASSERT_EQUAL(end(&silence, 60000), 0); /* the caller's own silence */
    CU_ASSERT_EQUAL(silence.max_ms, 2000);
    CU_ASSERT_EQUAL(silence.gap_max_ms, 0);
}

static void a_turn_that_is_never_answered_counts_to_its_end(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 1000);
    CU_ASSERT_EQUAL(end(&silence, 21000), 20000);
    CU_ASSERT_EQUAL(silence.max_ms, 20000);
    CU_ASSERT_EQUAL(end(&silence, 30000), 0);
}

static void an_empty_reply_is_no_reply(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 1000);
    silence_close(&silence, false);
    CU_ASSERT(!silence_done(&silence, 9000));
    CU_ASSERT_EQUAL(sound(&silence, 8000, 9000), 7000);
    CU_ASSERT(!silence_done(&silence, 9000));
    CU_ASSERT_EQUAL(end(&silence, 10000), 1000);
}

static void a_filler_does_not_end_the_turn(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 0);
    CU_ASSERT_EQUAL(sound(&silence, 4000, 5000), 4000);
    silence_close(&silence, true);
    CU_ASSERT_EQUAL(sound(&silence, 11000, 12000), 6000);
    silence_close(&silence, false);
    CU_ASSERT_EQUAL(silence.max_ms, 6000);
}

static void speaking_again_unasked_is_a_gap(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 0);
    sound(&silence, 100, 1000);
    silence_close(&silence, false);
    CU_ASSERT_EQUAL(sound(&silence, 9000, 9500), -8000);
    CU_ASSERT_EQUAL(silence.gap_max_ms, 8000);
    CU_ASSERT_EQUAL(silence.max_ms, 100);
    /* The turn is ours again while this cycle is open. */
    CU_ASSERT_EQUAL(sound(&silence, 12000, 12500), 2500);
    CU_ASSERT_EQUAL(silence.max_ms, 2500);
}

static void a_cycle_that_joins_a_closed_one_holds_the_turn(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 0);
    sound(&silence, 100, 1000);
    silence_close(&silence, false);
    silence_open(&silence); /* the next token came before the sound ended */
    silence_until(&silence, 1500);
    CU_ASSERT_EQUAL(sound(&silence, 6500, 7000), 5000);
}

static void a_second_beginning_hides_nothing(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 1000);
    silence_begin(&silence, 4000);
    CU_ASSERT_EQUAL(sound(&silence, 5000, 6000), 4000);
    silence_close(&silence, false);
    silence_begin(&silence, 7000); /* that one was done */
    CU_ASSERT_EQUAL(sound(&silence, 7500, 8000), 500);
}

static void sound_that_goes_on_over_the_speech_is_no_silence(void)
{
    struct silence silence = {0};
    silence_begin(&silence, 0);
    sound(&silence, 0, 5000);
    CU_ASSERT_EQUAL(end(&silence, 1000), 0); /* the caller speaks into it */
    silence_begin(&silence, 2000);
    CU_ASSERT_EQUAL(sound(&silence, 6000, 7000), 1000);
}

static void knows_its_own_stalls(void)
{
    static struct stalls stalls;
    for (double now_ms = 1000; now_ms <= 1100; now_ms += 5)
        stalls_tick(&stalls, now_ms);
    stalls_tick(&stalls, 1114); /* 9 ms late: none */
    CU_ASSERT_EQUAL(stalls.count, 0);
    stalls_tick(&stalls, 1200); /* due at 1119 */
    CU_ASSERT_EQUAL(stalls.count, 1);
    CU_ASSERT_EQUAL(stalls.total_ms, 81);
    CU_ASSERT_EQUAL(stalls_within(&stalls, 1000, 2000), 81);
    CU_ASSERT_EQUAL(stalls_within(&stalls, 1150, 1160), 10);
    CU_ASSERT_EQUAL(stalls_within(&stalls, 1190, 2000), 10);
    CU_ASSERT_EQUAL(stalls_within(&stalls, 1000, 1119), 0);
    CU_ASSERT_EQUAL(stalls_within(&stalls, 1200, 2000), 0);
    stalls_tick(&stalls, 1205);
    stalls_tick(&stalls, 1310);
    CU_ASSERT_EQUAL(stalls_within(&stalls, 1000, 2000), 181);
    CU_ASSERT_EQUAL(stalls.longest_ms, 100);
}

static void forgets_old_stalls_only(void)
{
    static struct stalls stalls;
    for (int i = 1; i <= STALLS_KEPT + 10; i++)
        stalls_tick(&stalls, i * 100.0);
    CU_ASSERT_EQUAL(stalls.count, STALLS_KEPT + 9);
    double last_ms = (STALLS_KEPT + 10) * 100.0;
    CU_ASSERT_EQUAL(stalls_within(&stalls, last_ms - 1000, last_ms), 950);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/twilio/silence", NULL, NULL);
    CU_add_test(suite, "counts from the end of speech", counts_from_the_end_of_speech);
    CU_add_test(suite, "a turn that is never answered counts to its end",
                a_turn_that_is_never_answered_counts_to_its_end);
    CU_add_test(suite, "an empty reply is no reply", an_empty_reply_is_no_reply);
    CU_add_test(suite, "a filler does not end the turn", a_filler_does_not_end_the_turn);
    CU_add_test(suite, "speaking again unasked is a gap", speaking_again_unasked_is_a_gap);
    CU_add_test(suite, "a cycle that joins a closed one holds the turn",
                a_cycle_that_joins_a_closed_one_holds_the_turn);
    CU_add_test(suite, "a second beginning hides nothing", a_second_beginning_hides_nothing);
    CU_add_test(suite, "sound that goes on over the speech is no silence",
                sound_that_goes_on_over_the_speech_is_no_silence);
    CU_add_test(suite, "knows its own stalls", knows_its_own_stalls);
    CU_add_test(suite, "forgets old stalls only", forgets_old_stalls_only);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
