/* P6 for the ear: a line takes its time until it knows that the caller has come to his words, and
 * the silence before that is his as well. */
#include "call_rig.h"

#include <CUnit/Basic.h>

static void tell_voice(struct rig *rig, bool on)
{
    rig_relay(rig, (struct call_relay){.kind = CALL_RELAY_SPEAKING, .on = on});
}

/* That he has come to his words is known some time after he ceased, and the silence is his: whether
 * it is the first prompt or one while he waits already. */
static void silence_begins_where_he_ceased(void)
{
    for (int waits = 0; waits < 2; waits++) {
        struct rig rig;
        rig_open(&rig);
        if (waits)
            rig_prompt(&rig, "Hello?");
        tell_voice(&rig, true);
        rig_pass(&rig, 1000);
        tell_voice(&rig, false);
        rig_pass(&rig, 600);
        rig_prompt(&rig, "Are you open today?");
        rig_pass(&rig, 3399);
        CU_ASSERT(rig_said(&rig, ""));
        rig_pass(&rig, 1);
        CU_ASSERT(rig_said(&rig, "One moment."));
        rig_pass(&rig, 550 + 3999); /* what covers it has no other clock */
        CU_ASSERT(rig_said(&rig, ""));
        rig_pass(&rig, 1);
        CU_ASSERT(rig_said(&rig, "I am still looking."));
        rig_close(&rig);
    }
}

/* He asks more in mid-answer, and the answer stops. */
static void so_it_does_in_mid_turn(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are ");
    tell_voice(&rig, true);
    rig_pass(&rig, 1000);
    tell_voice(&rig, false);
    rig_pass(&rig, 600);
    rig_prompt(&rig, "And tomorrow?");
    rig_pass(&rig, 3399);
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, " One moment."));
    rig_close(&rig);
}

/* Where Twilio tells nothing of it, tells it of long ago or late, his words are all that is known.
 */
static void silence_begins_with_the_words_else(void)
{
    for (int which = 0; which < 3; which++) {
        struct rig rig;
        rig_open(&rig);
        if (which > 0)
            tell_voice(&rig, true);
        if (which == 1)
            tell_voice(&rig, false);
        rig_pass(&rig, 2501);
        rig_prompt(&rig, "Are you open today?");
        if (which == 2)
            tell_voice(&rig, false);
        rig_pass(&rig, 3999);
        CU_ASSERT(rig_said(&rig, ""));
        rig_pass(&rig, 1);
        CU_ASSERT(rig_said(&rig, "One moment."));
        rig_close(&rig);
    }
}

static const CU_TestInfo tests[] = {
    {"where he ceased", silence_begins_where_he_ceased},
    {"where he ceased in mid-turn", so_it_does_in_mid_turn},
    {"where nobody tells", silence_begins_with_the_words_else},
};

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call_line", NULL, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].pName, tests[i].pTestFunc);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
