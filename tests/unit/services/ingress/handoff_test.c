/* Handoffs: what Connect's action is told to do, well said and otherwise. */
#include "handoff.h"

#include <CUnit/Basic.h>
#include <string.h>

#define DIAL "018f9c3e-7000-7000-8000-000000000005"

static struct arena *arena;

static int read_text(const char *text, struct handoff *out, struct err *err)
{
    return handoff_read(arena, text, out, err);
}

static void test_kinds(void)
{
    static const struct {
        const char *text;
        enum handoff_kind kind;
        enum voice_record_why why;
        bool announced;
    } cases[] = {
        {"{\"do\":\"relay\"}", HANDOFF_RELAY, 0, false},
        {"{\"do\":\"hangup\",\"new\":[1]}", HANDOFF_HANGUP, 0, false},
        {"{\"do\":\"record\"}", HANDOFF_RECORD, VOICE_RECORD_FALLBACK, true},
        {"{\"do\":\"record\",\"why\":\"fallback\"}", HANDOFF_RECORD, VOICE_RECORD_FALLBACK, true},
        {"{\"why\":\"closed\",\"do\":\"record\"}", HANDOFF_RECORD, VOICE_RECORD_CLOSED, false},
        {"{\"do\":\"record\",\"why\":\"asked\"}", HANDOFF_RECORD, VOICE_RECORD_ASKED, false},
        {"{\"do\":\"record\",\"why\":\"transfer\"}", HANDOFF_RECORD, VOICE_RECORD_TRANSFER, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct handoff handoff;
        struct err err;
        CU_ASSERT_EQUAL_FATAL(read_text(cases[i].text, &handoff, &err), 0);
        CU_ASSERT_EQUAL(handoff.kind, cases[i].kind);
        if (handoff.kind != HANDOFF_RECORD)
            continue;
        CU_ASSERT_EQUAL(handoff.why, cases[i].why);
        CU_ASSERT_EQUAL(handoff.announced, cases[i].announced);
    }
}

static void test_dial(void)
{
    struct handoff handoff;
    struct err err;
    char id[UUID_TEXT_SIZE];
    CU_ASSERT_EQUAL_FATAL(read_text("{\"do\":\"dial\",\"dial\":\"" DIAL
                                    "\",\"to\":\"+15550003333\",\"timeout_s\":25,"
                                    "\"briefing\":\"A broken crown. Press 1.\"}",
                                    &handoff, &err),
                          0);
    CU_ASSERT_EQUAL(handoff.kind, HANDOFF_DIAL);
    CU_ASSERT_STRING_EQUAL(uuid_format(&handoff.dial, id), DIAL);
    CU_ASSERT_STRING_EQUAL(handoff.to, "+15550003333");
    CU_ASSERT_EQUAL(handoff.timeout_s, 25);
    CU_ASSERT_STRING_EQUAL(handoff.briefing, "A broken crown. Press 1.");
    CU_ASSERT_EQUAL_FATAL(read_text("{\"do\":\"dial\",\"dial\":\"" DIAL
                                    "\",\"to\":\"+15550003333\"}",
                                    &handoff, &err),
                          0);
    CU_ASSERT_EQUAL(handoff.timeout_s, 20);
    CU_ASSERT_STRING_EQUAL(handoff.briefing, "");
    CU_ASSERT_FALSE(handoff.cold);
    CU_ASSERT_EQUAL_FATAL(read_text("{\"do\":\"dial\",\"dial\":\"" DIAL
                                    "\",\"to\":\"+15550003333\",\"cold\":true}",
                                    &handoff, &err),
                          0);
    CU_ASSERT_TRUE(handoff.cold);
}

static void test_refused(void)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"", "json.syntax"},
        {"record", "json.syntax"},
        {"{\"do\":\"record\"", "json.syntax"},
        {"[]", "handoff.do"},
        {"{}", "handoff.do"},
        {"{\"do\":7}", "handoff.do"},
        {"{\"do\":\"Record\"}", "handoff.do"},
        {"{\"do\":\"record\",\"why\":\"bored\"}", "handoff.why"},
        {"{\"do\":\"record\",\"why\":1}", "handoff.why"},
        {"{\"do\":\"dial\",\"to\":\"+15550003333\"}", "handoff.dial"},
        {"{\"do\":\"dial\",\"dial\":\"00000000-0000-0000-0000-000000000000\",\"to\":"
         "\"+15550003333\"}",
         "handoff.dial"},
        {"{\"do\":\"dial\",\"dial\":\"" DIAL "\",\"to\":\"5550003333\"}", "handoff.to"},
        {"{\"do\":\"dial\",\"dial\":\"" DIAL "\"}", "handoff.to"},
        {"{\"do\":\"dial\",\"dial\":\"" DIAL "\",\"to\":\"+15550003333\",\"timeout_s\":4}",
         "handoff.timeout_s"},
        {"{\"do\":\"dial\",\"dial\":\"" DIAL "\",\"to\":\"+15550003333\",\"timeout_s\":\"20\"}",
         "handoff.timeout_s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct handoff handoff = {.timeout_s = 77};
        struct err err;
        CU_ASSERT_EQUAL_FATAL(read_text(cases[i].text, &handoff, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, cases[i].code);
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_EQUAL(handoff.timeout_s, 77);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("handoff", NULL, NULL);
    arena = arena_new();
    CU_add_test(suite, "kinds", test_kinds);
    CU_add_test(suite, "dial", test_dial);
    CU_add_test(suite, "refused", test_refused);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(&arena);
    return failures != 0 ? 1 : 0;
}
