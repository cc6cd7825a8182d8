/* Unit tests of what a webhook tells of a call's owner and end, and of which call people are to
 * hear. */
#include "contract/twilio_call_end.h"

#include <CUnit/Basic.h>
#include <string.h>

#define CALLER "+15550003333"
#define OURS   "+15550001111"

static struct twilio_call call_of(const char *direction, const char *from, const char *to)
{
    return (struct twilio_call){.direction = direction, .from = from, .to = to};
}

static void whose_it_is(void)
{
    static const struct {
        const char *direction, *from, *to;
    } cases[] = {{"inbound", CALLER, OURS},
                 {NULL, CALLER, OURS},
                 {"outbound-api", OURS, CALLER},
                 {"outbound-dial", OURS, CALLER}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct twilio_call call = call_of(cases[i].direction, cases[i].from, cases[i].to);
        CU_ASSERT_STRING_EQUAL(twilio_call_person(&call), CALLER);
        CU_ASSERT_STRING_EQUAL(twilio_call_ours(&call), OURS);
    }
}

static void when_it_is_over(void)
{
    static const struct {
        const char *status;
        bool over;
        enum voice_end reason;
    } cases[] = {{"completed", true, VOICE_COMPLETED},    {"busy", true, VOICE_BUSY},
                 {"failed", true, VOICE_FAILED},          {"no-answer", true, VOICE_NO_ANSWER},
                 {"canceled", true, VOICE_CANCELED},      {"ringing", false, VOICE_COMPLETED},
                 {"in-progress", false, VOICE_COMPLETED}, {"", false, VOICE_COMPLETED},
                 {"Completed", false, VOICE_COMPLETED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum voice_end reason = VOICE_COMPLETED;
        CU_ASSERT_EQUAL(twilio_call_is_over(cases[i].status, &reason), cases[i].over);
        CU_ASSERT_EQUAL(reason, cases[i].reason);
    }
}

static void who_may_be_missed(void)
{
    struct directory_voice voice = {
        .missed_calls = true, .blocked = {"+15550004444", CALLER}, .blocked_count = 1};
    struct twilio_call call = call_of("inbound", CALLER, OURS);
    CU_ASSERT_TRUE(twilio_call_may_be_missed(&voice, &call));
    CU_ASSERT_FALSE(twilio_call_may_be_missed(NULL, &call));
    voice.blocked_count = 2;
    CU_ASSERT_FALSE(twilio_call_may_be_missed(&voice, &call));
    call.from = "";
    CU_ASSERT_TRUE(twilio_call_may_be_missed(&voice, &call)); /* withheld */
    voice.missed_calls = false;
    CU_ASSERT_FALSE(twilio_call_may_be_missed(&voice, &call));
    voice.missed_calls = true;
    call = call_of("outbound-api", OURS, "+15550005555");
    CU_ASSERT_FALSE(twilio_call_may_be_missed(&voice, &call));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twilio_call_end", NULL, NULL);
    CU_add_test(suite, "whose it is", whose_it_is);
    CU_add_test(suite, "when it is over", when_it_is_over);
    CU_add_test(suite, "who may be missed", who_may_be_missed);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
