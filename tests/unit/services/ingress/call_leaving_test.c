/* Who speaks before an `end` has left: his words are waited for, noise is not for long. */
#include "call_rig.h"

#include <CUnit/Basic.h>

static void tell_voice(struct rig *rig, bool on)
{
    rig_relay(rig, (struct call_relay){.kind = CALL_RELAY_SPEAKING, .on = on});
}

/* The desk takes its leave; 26 characters. */
static void open_leaving(struct rig *rig)
{
    rig_open_asked(rig);
    rig_last(rig, 1, 1, 0, "Goodbye, see you tomorrow.");
    rig_end(rig, 1, 1, 1, "{\"do\":\"hangup\"}");
}

/* He begins where the goodbye has sounded for him and not for our clock: nothing is cut into, so
 * that no interrupt comes. His words are waited for, and he stays. */
static void an_end_waits_for_who_speaks(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500);
    tell_voice(&rig, true);
    rig_pass(&rig, 3000);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    tell_voice(&rig, false);
    rig_pass(&rig, 2499);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_prompt(&rig, "Oh, one more thing.");
    rig_pass(&rig, 3999);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

/* A cough: no words come, and the end leaves after the pause. */
static void an_end_waits_no_longer(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500);
    tell_voice(&rig, true);
    rig_pass(&rig, 400);
    tell_voice(&rig, false);
    rig_pass(&rig, 2499);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* Nobody says that it is over: he hears a voice where he may have heard nothing for 4 s, and after
 * 12 s of it the end leaves. */
static void an_end_does_not_wait_in_silence(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500);
    tell_voice(&rig, true);
    rig_pass(&rig, 3999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_pass(&rig, 550 + 3999); /* by the fastest voice */
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "I am still looking."));
    rig_pass(&rig, 12000 - 8550 - 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* The same behind a goodbye of our own, to one who said nothing for a minute. */
static void nor_does_our_own_goodbye(void)
{
    struct rig rig;
    rig_open(&rig);
    rig_pass(&rig, 27600 + 2000 + 30000);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LEAVING); /* 8 characters, 0.8 s */
    tell_voice(&rig, true);
    rig_pass(&rig, 400 + 4000); /* by the fastest voice */
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_pass(&rig, 12000 - 4400);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* That he is there is no reason to drop what was to be done: it is his words that are. */
static void who_cuts_into_a_filler_is_waited_for(void)
{
    for (int words = 0; words < 2; words++) {
        struct rig rig;
        open_leaving(&rig);
        rig_pass(&rig, 2500);
        tell_voice(&rig, true);
        rig_pass(&rig, 4200);
        rig_interrupt(&rig, "One");
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_DROP), 1);
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_LEAVING);
        tell_voice(&rig, false);
        rig_pass(&rig, 2499);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
        if (words) {
            rig_prompt(&rig, "Oh, one more thing.");
            CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
        }
        rig_pass(&rig, 1);
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), !words);
        rig_close(&rig);
    }
}

/* Nor does it leave while he speaks on: that he cuts into a filler tells that he does. */
static void who_cuts_into_fillers_speaks(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500);
    tell_voice(&rig, true);
    for (int filler = 0; filler < 5; filler++) {
        rig_pass(&rig, 4000);
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_SAY), 1);
        rig_pass(&rig, 300);
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
        rig_interrupt(&rig, "One");
    }
    rig_prompt(&rig, "And that was all that I wanted to say.");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

/* A television: it begins and ceases without end, and no words come of it. After 12 s a pause is
 * taken for the end of it that is longer than one between words. */
static void an_end_does_not_wait_for_noise(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500); /* 0.1 s before the goodbye has sounded */
    for (int stretch = 0; stretch < 3; stretch++) {
        tell_voice(&rig, true);
        rig_pass(&rig, 2000);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
        tell_voice(&rig, false);
        rig_pass(&rig, 2000);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
    }
    tell_voice(&rig, true);
    rig_pass(&rig, 2000);
    tell_voice(&rig, false);
    rig_pass(&rig, 1499);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* One without pauses, or somebody who says much: for longer, but not without end. */
static void nor_for_noise_without_pauses(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500);
    for (int stretch = 0; stretch < 10; stretch++) {
        tell_voice(&rig, true);
        rig_pass(&rig, 2000);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
        tell_voice(&rig, false);
        rig_pass(&rig, 1000);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
    }
    tell_voice(&rig, true);
    rig_pass(&rig, 99);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* What the goodbye answers is no reason to wait, also where nobody says that he ceased. */
static void an_end_does_not_wait_for_what_it_answers(void)
{
    for (int which = 0; which < 2; which++) {
        struct rig rig;
        rig_open(&rig);
        tell_voice(&rig, true);
        rig_pass(&rig, 1000);
        rig_prompt(&rig, "That was all.");
        if (which == 1)
            tell_voice(&rig, false);
        rig_last(&rig, 1, 1, 0, "Goodbye.");
        rig_end(&rig, 1, 1, 1, "{\"do\":\"hangup\"}");
        rig_pass(&rig, 800);
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
        rig_close(&rig);
    }
}

/* Keys are words. */
static void an_end_waits_for_keys(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500);
    rig_digit(&rig, '1');
    rig_pass(&rig, 2000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_PROMPT), 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

static const CU_TestInfo tests[] = {
    {"an end and who speaks", an_end_waits_for_who_speaks},
    {"an end and a cough", an_end_waits_no_longer},
    {"an end and silence", an_end_does_not_wait_in_silence},
    {"our own goodbye", nor_does_our_own_goodbye},
    {"an end and who cuts into a filler", who_cuts_into_a_filler_is_waited_for},
    {"an end and who cuts into fillers", who_cuts_into_fillers_speaks},
    {"an end and noise", an_end_does_not_wait_for_noise},
    {"an end and noise without pauses", nor_for_noise_without_pauses},
    {"an end and what it answers", an_end_does_not_wait_for_what_it_answers},
    {"an end and keys", an_end_waits_for_keys},
};

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call_leaving", NULL, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].pName, tests[i].pTestFunc);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
