/* Fault rules: what matches, how often, in which order; directives; refusals. */
#include "stands/lib/faults.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct stand_sighting seen(const char *path, const char *body)
{
    return (struct stand_sighting){.method = "POST",
                                   .path = path,
                                   .params = "{\"To\":\"+15551234567\"}",
                                   .body = body,
                                   .body_len = strlen(body)};
}

static struct stand_faults *load(const char *json)
{
    struct stand_faults *faults = stand_faults_new(NULL);
    struct stand_buf why;
    stand_buf_init(&why, 1000);
    CU_ASSERT_EQUAL_FATAL(stand_faults_load(faults, json, strlen(json), &why), 0);
    stand_buf_fini(&why);
    return faults;
}

/* The type that fires for a request, or STAND_ACTION_TYPES. */
static enum stand_action_type fires(struct stand_faults *faults, const char *path, const char *body)
{
    struct stand_sighting sighting = seen(path, body);
    struct stand_plan plan;
    stand_faults_plan(faults, &sighting, &plan);
    enum stand_action_type type = plan.main ? plan.main->type : STAND_ACTION_TYPES;
    stand_plan_fini(&plan);
    return type;
}

static void matches(void)
{
    static const struct {
        const char *rule, *path, *body;
        bool fires;
    } cases[] = {
        {"[{\"action\":{\"type\":\"hang\"}}]", "/a", "", true},
        {"[{\"path\":\"/a\",\"action\":{\"type\":\"hang\"}}]", "/x/a", "", true},
        {"[{\"path\":\"/a\",\"action\":{\"type\":\"hang\"}}]", "/b", "/a", false},
        {"[{\"match\":\"n-1\",\"action\":{\"type\":\"hang\"}}]", "/b", "x n-1", true},
        {"[{\"match\":\"/b\",\"action\":{\"type\":\"hang\"}}]", "/b", "x", true},
        {"[{\"match\":\"+15551234567\",\"action\":{\"type\":\"hang\"}}]", "/b", "%2B", true},
        {"[{\"match\":\"nope\",\"action\":{\"type\":\"hang\"}}]", "/b", "x", false},
        {"[{\"method\":\"GET\",\"action\":{\"type\":\"hang\"}}]", "/b", "x", false},
        {"{\"rules\":[{\"method\":\"POST\",\"action\":{\"type\":\"hang\"}}]}", "/b", "x", true},
        {"[{\"probability\":0,\"action\":{\"type\":\"hang\"}}]", "/b", "x", false},
        {"[{\"count\":0,\"action\":{\"type\":\"hang\"}}]", "/b", "x", false},
        {"[]", "/b", "x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_faults *faults = load(cases[i].rule);
        CU_ASSERT_EQUAL(fires(faults, cases[i].path, cases[i].body) == STAND_HANG, cases[i].fires);
        stand_faults_free(&faults);
    }
}

static void counts(void)
{
    struct stand_faults *faults = load("[{\"after\":2,\"count\":3,\"action\":{\"type\":\"cut\"}},"
                                       "{\"action\":{\"type\":\"empty\"}}]");
    enum stand_action_type want[] = {STAND_EMPTY,   STAND_EMPTY,   STAND_CUT_OFF,
                                     STAND_CUT_OFF, STAND_CUT_OFF, STAND_EMPTY};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        CU_ASSERT_EQUAL(fires(faults, "/", ""), want[i]);
    stand_faults_free(&faults);
}

static void repeats_a_seed(void)
{
    static const char json[] = "[{\"probability\":0.3,\"seed\":5,\"action\":{\"type\":\"cut\"}}]";
    struct stand_faults *one = load(json);
    struct stand_faults *two = load(json);
    int fired = 0;
    for (int i = 0; i < 1000; i++) {
        enum stand_action_type type = fires(one, "/", "");
        CU_ASSERT_EQUAL(type, fires(two, "/", ""));
        fired += type == STAND_CUT_OFF;
    }
    CU_ASSERT(fired > 240 && fired < 360);
    stand_faults_free(&one);
    stand_faults_free(&two);
}

static void adds_up(void)
{
    struct stand_faults *faults =
        load("[{\"action\":{\"type\":\"delay\",\"ms\":20}},"
             "{\"action\":{\"type\":\"status\",\"status\":429,\"code\":20429,"
             "\"retry_after\":2}},{\"action\":{\"type\":\"callbacks\",\"mode\":\"doubled\"}},"
             "{\"action\":{\"type\":\"delay\",\"ms\":5}},{\"action\":{\"type\":\"hang\"}}]");
    struct stand_sighting sighting = seen("/", "");
    struct stand_plan plan;
    stand_faults_plan(faults, &sighting, &plan);
    stand_faults_clear(faults); /* a plan outlives the rules that made it */
    CU_ASSERT_EQUAL(plan.delay_ms, 25);
    CU_ASSERT_EQUAL(plan.main->status, 429);
    CU_ASSERT_EQUAL(plan.main->ms, -1);
    CU_ASSERT_STRING_EQUAL(plan.main->code, "20429");
    CU_ASSERT_STRING_EQUAL(plan.main->retry_after, "2");
    CU_ASSERT_STRING_EQUAL(plan.callbacks->mode, "doubled");
    stand_plan_fini(&plan);
    stand_faults_free(&faults);
}

static void refuses(void)
{
    static const char *const cases[] = {
        "",
        "{}",
        "{\"rules\":{}}",
        "[1]",
        "[{}]",
        "[{\"action\":\"cut\"}]",
        "[{\"action\":{}}]",
        "[{\"action\":{\"type\":\"nope\"}}]",
        "[{\"action\":{\"type\":\"cut\",\"surprise\":1}}]",
        "[{\"action\":{\"type\":\"cut\",\"ms\":-1}}]",
        "[{\"action\":{\"type\":\"cut\",\"ms\":1.5}}]",
        "[{\"action\":{\"type\":\"delay\"}}]",
        "[{\"action\":{\"type\":\"status\"}}]",
        "[{\"action\":{\"type\":\"cut\"},\"action\":{\"type\":\"cut\"}}]",
        "[{\"match\":1,\"action\":{\"type\":\"cut\"}}]",
        "[{\"probability\":1.5,\"action\":{\"type\":\"cut\"}}]",
        "[{\"count\":-1,\"action\":{\"type\":\"cut\"}}]",
        "[{\"unknown\":1,\"action\":{\"type\":\"cut\"}}]",
    };
    struct stand_faults *faults = load("[{\"action\":{\"type\":\"hang\"}}]");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_buf why;
        stand_buf_init(&why, 1000);
        CU_ASSERT_EQUAL(stand_faults_load(faults, cases[i], strlen(cases[i]), &why), -1);
        CU_ASSERT(why.len > 0);
        stand_buf_fini(&why);
    }
    CU_ASSERT_EQUAL(fires(faults, "/", ""), STAND_HANG); /* the old rules are still there */
    stand_faults_free(&faults);
}

static void reads_directives(void)
{
    struct stand_action *action = stand_faults_directive(
        "hi {{stand action=status status=503 message=\"come back later\" retry_after=7}} bye");
    CU_ASSERT_PTR_NOT_NULL_FATAL(action);
    CU_ASSERT_EQUAL(action->type, STAND_STATUS);
    CU_ASSERT_EQUAL(action->status, 503);
    CU_ASSERT_STRING_EQUAL(action->message, "come back later");
    CU_ASSERT_STRING_EQUAL(action->retry_after, "7");
    stand_action_release(action);
    static const char *const none[] = {
        "hello",
        "{{stand}}",
        "{{stand }}",
        "{{stand ms=5}}",
        "{{stand action=cut",
        "{{stand action=nope}}",
        "{{stand action=cut ms=x}}",
        "{{stand action=cut message=\"open}}",
        "{{stand action}}",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CU_ASSERT_PTR_NULL(stand_faults_directive(none[i]));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/lib/faults", NULL, NULL);
    CU_add_test(suite, "matches", matches);
    CU_add_test(suite, "counts", counts);
    CU_add_test(suite, "repeats a seed", repeats_a_seed);
    CU_add_test(suite, "adds up", adds_up);
    CU_add_test(suite, "refuses", refuses);
    CU_add_test(suite, "reads directives", reads_directives);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
