/* What a script may be, and the frames that a relay's server may send: both are read strictly. */
#include "stands/twilio/script.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "stands/twilio/relay_frame.h"

static int check(const char *text, struct stand_buf *why)
{
    cJSON *json = cJSON_Parse(text);
    int result = script_check(json, why);
    cJSON_Delete(json);
    return result;
}

static void takes_every_step(void)
{
    static const char text[] =
        "[{\"wait_for\":\"reply\"},{\"say\":\"Hi\",\"ms\":300,\"lang\":\"de-DE\",\"last\":false},"
        "{\"interrupt\":\"No\",\"after_words\":3},{\"press\":\"12w#*\",\"gap_ms\":50},"
        "{\"silence\":500},{\"wait_for\":\"audible\",\"chars\":10,\"timeout_ms\":100},"
        "{\"frame\":{\"type\":\"setup\"},\"times\":2},{\"raw\":\"{\",\"repeat\":65536},"
        "{\"hex\":\"c328\",\"opcode\":1,\"fragments\":2},{\"again\":true,\"times\":3},"
        "{\"cut\":\"reset\"},{\"cut\":true},{\"close\":1001},{\"hangup\":true}]";
    struct stand_buf why;
    stand_buf_init(&why, 1000);
    CU_ASSERT_EQUAL(check(text, &why), 0);
    CU_ASSERT_EQUAL(why.len, 0);
    stand_buf_fini(&why);
}

static void refuses_a_wrong_step(void)
{
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"tell\":\"Hi\"}]",
        "[{\"say\":1}]",
        "[{\"say\":\"Hi\",\"after_words\":1}]",
        "[{\"say\":\"Hi\",\"ms\":-1}]",
        "[{\"say\":\"Hi\",\"ms\":\"1\"}]",
        "[{\"press\":\"1a\"}]",
        "[{\"wait_for\":\"godot\"}]",
        "[{\"hex\":\"c\"}]",
        "[{\"hex\":\"zz\"}]",
        "[{\"cut\":\"softly\"}]",
        "[{\"silence\":true}]",
        "[{\"frame\":\"setup\"}]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct stand_buf why;
        stand_buf_init(&why, 1000);
        CU_ASSERT_EQUAL(check(bad[i], &why), -1);
        CU_ASSERT(why.len > 0);
        stand_buf_fini(&why);
    }
}

static void makes_the_bytes_of_a_frame(void)
{
    static const struct {
        const char *step, *bytes;
        size_t len;
    } cases[] = {{"{\"raw\":\"ab\",\"repeat\":3}", "ababab", 6},
                 {"{\"hex\":\"c3280000\"}", "\xc3\x28\0\0", 4},
                 {"{\"frame\":{\"type\":\"x\"}}", "{\"type\":\"x\"}", 12}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cJSON *json = cJSON_Parse(cases[i].step);
        struct stand_buf bytes;
        script_bytes(json, &bytes);
        CU_ASSERT_EQUAL(bytes.len, cases[i].len);
        CU_ASSERT_EQUAL(memcmp(bytes.data, cases[i].bytes, cases[i].len), 0);
        stand_buf_fini(&bytes);
        cJSON_Delete(json);
    }
}

static int read_frame(const char *text, struct relay_frame *frame, cJSON **json)
{
    char why[128] = "";
    *json = cJSON_Parse(text);
    int result = relay_frame_read(*json, frame, why, sizeof why);
    CU_ASSERT((result == 0) == (why[0] == '\0'));
    return result;
}

static void reads_the_servers_frames(void)
{
    struct relay_frame frame;
    cJSON *json;
    CU_ASSERT_EQUAL(read_frame("{\"type\":\"text\",\"token\":\" Hi\",\"last\":true,\"lang\":\"de\","
                               "\"interruptible\":false}",
                               &frame, &json),
                    0);
    CU_ASSERT(frame.type == RELAY_TEXT && frame.last && !frame.interruptible);
    CU_ASSERT_STRING_EQUAL(frame.token, " Hi");
    cJSON_Delete(json);
    CU_ASSERT_EQUAL(read_frame("{\"type\":\"text\",\"token\":\"\"}", &frame, &json), 0);
    CU_ASSERT(!frame.last && frame.interruptible && !frame.preemptible);
    cJSON_Delete(json);
    CU_ASSERT_EQUAL(
        read_frame("{\"type\":\"play\",\"source\":\"https://h/a\",\"loop\":0}", &frame, &json), 0);
    CU_ASSERT(frame.type == RELAY_PLAY && frame.loop == 0);
    cJSON_Delete(json);
    CU_ASSERT_EQUAL(read_frame("{\"type\":\"end\",\"handoffData\":\"{}\"}", &frame, &json), 0);
    CU_ASSERT_STRING_EQUAL(frame.handoff, "{}");
    cJSON_Delete(json);
    CU_ASSERT_EQUAL(read_frame("{\"type\":\"language\",\"ttsLanguage\":\"de-DE\"}", &frame, &json),
                    0);
    cJSON_Delete(json);
}

static void refuses_wrong_frames(void)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"type\":1}",
        "{\"type\":\"Text\",\"token\":\"a\"}",
        "{\"type\":\"text\"}",
        "{\"type\":\"text\",\"token\":null}",
        "{\"type\":\"text\",\"token\":\"a\",\"last\":\"true\"}",
        "{\"type\":\"text\",\"token\":\"a\",\"final\":true}",
        "{\"type\":\"text\",\"token\":\"a\",\"token\":\"b\"}",
        "{\"type\":\"play\"}",
        "{\"type\":\"play\",\"source\":\"u\",\"loop\":-1}",
        "{\"type\":\"sendDigits\",\"digits\":\"1a\"}",
        "{\"type\":\"sendDigits\",\"digits\":\"\"}",
        "{\"type\":\"language\"}",
        "{\"type\":\"end\",\"handoffData\":{}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct relay_frame frame;
        cJSON *json;
        CU_ASSERT_EQUAL(read_frame(bad[i], &frame, &json), -1);
        cJSON_Delete(json);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/twilio/script", NULL, NULL);
    CU_add_test(suite, "takes every step", takes_every_step);
    CU_add_test(suite, "refuses a wrong step", refuses_a_wrong_step);
    CU_add_test(suite, "makes the bytes of a frame", makes_the_bytes_of_a_frame);
    CU_add_test(suite, "reads the server's frames", reads_the_servers_frames);
    CU_add_test(suite, "refuses wrong frames", refuses_wrong_frames);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
