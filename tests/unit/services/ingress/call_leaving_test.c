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

/* A cough: no words come, and the end leaves after the pause. One that nobody says is over ends by
 * itself. */
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
    open_leaving(&rig);
    rig_pass(&rig, 2500);
    tell_voice(&rig, true);
    rig_pass(&rig, 29999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* A television: it begins and ceases without end, and no words come of it. */
static void an_end_does_not_wait_for_noise(void)
{
    struct rig rig;
    open_leaving(&rig);
    rig_pass(&rig, 2500); /* 0.1 s before the goodbye has sounded */
    for (int stretch = 0; stretch < 7; stretch++) {
        tell_voice(&rig, true);
        rig_pass(&rig, 2000);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
        tell_voice(&rig, false);
        rig_pass(&rig, 2000);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
    }
    tell_voice(&rig, true);
    rig_pass(&rig, 2099);
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
    {"an end and noise", an_end_does_not_wait_for_noise},
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
