/* Unit tests of topic names and keys: the one spelling that producers and consumers share. */
#include "contract/topics.h"

#include <CUnit/Basic.h>

static void test_names(void)
{
    static const char *const expected[TOPIC_COUNT] = {
        [TOPIC_INBOUND_VOICE] = "desk.inbound.voice",
        [TOPIC_INBOUND_SMS] = "desk.inbound.sms",
        [TOPIC_INBOUND_EMAIL] = "desk.inbound.email",
        [TOPIC_OUTBOUND_VOICE] = "desk.outbound.voice",
        [TOPIC_OUTBOUND_EMAIL] = "desk.outbound.email",
        [TOPIC_OUTBOUND_SMS] = "desk.outbound.sms",
        [TOPIC_RECEIPTS] = "desk.receipts",
        [TOPIC_VOICE_STREAM] = "desk.voice.stream",
        [TOPIC_DIRECTORY] = "desk.directory",
        [TOPIC_QUARANTINE] = "desk.quarantine",
        [TOPIC_DLQ] = "desk.dlq",
    };
    struct arena *arena = arena_new();
    for (int i = 0; i < TOPIC_COUNT; i++)
        CU_ASSERT_STRING_EQUAL(topic_name(arena, "desk.", (enum topic)i), expected[i]);
    CU_ASSERT_STRING_EQUAL(topic_name(arena, "", TOPIC_DLQ), "dlq");
    CU_ASSERT_STRING_EQUAL(topic_engine_group(arena, "desk.", TOPIC_INBOUND_SMS),
                           "desk.engine.sms");
    CU_ASSERT_STRING_EQUAL(topic_engine_group(arena, "desk.", TOPIC_INBOUND_VOICE),
                           "desk.engine.voice");
    CU_ASSERT_STRING_EQUAL(topic_engine_group(arena, "desk.", TOPIC_INBOUND_EMAIL),
                           "desk.engine.email");
    arena_free(&arena);
}

static void test_keys(void)
{
    struct arena *arena = arena_new();
    CU_ASSERT_STRING_EQUAL(topic_key_contact(arena, "t", "+15550001111"), "t:+15550001111");
    CU_ASSERT_STRING_EQUAL(topic_key_session(arena, "t", "s"), "t:s");
    CU_ASSERT_STRING_EQUAL(topic_key_delivery(arena, "t", "d"), "t:d");
    CU_ASSERT_STRING_EQUAL(topic_key_call(arena, "CA1"), "CA1");
    CU_ASSERT_STRING_EQUAL(topic_key_channel(arena, "sms", "+15550002222"), "sms:+15550002222");
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("topics", NULL, NULL);
    CU_add_test(suite, "names", test_names);
    CU_add_test(suite, "keys", test_keys);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
