/* The reception workflow as the engine reads it: services with what they ask for, hours, what
 * customers want, and what the model is told of them. */
#include "prompt/workflow.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

static const char config_text[] =
    "{\"hours\":{\"mon\":[[\"08:00\",\"12:00\"],[\"13:00\",\"17:00\"]],\"sat\":[[\"20:00\",\"24:"
    "00\"]]},"
    "\"holidays\":[{\"day\":\"2026-12-25\",\"name\":\"Christmas\"},"
    "{\"day\":\"2026-12-24\",\"name\":\"Eve\",\"hours\":[[\"08:00\",\"10:00\"]]}],"
    "\"intake\":[{\"field\":\"car\",\"ask\":\"make and model\",\"required\":true},"
    "{\"field\":\"plate\",\"ask\":\"the plate\",\"required\":false}],"
    "\"services\":[{\"name\":\"Oil change\",\"duration_min\":30,\"buffer_before_min\":0,"
    "\"buffer_after_min\":10,\"step_min\":15,\"lead_min\":120,\"horizon_days\":60,\"hold_min\":10,"
    "\"change_min\":1440,\"resources\":[\"Bay 1\",\"Bay 2\"],\"price\":\"80 dollars\","
    "\"intake\":[\"car\",\"plate\",\"unknown\"]}],\"knowledge\":{\"passages\":3},"
    "\"booking\":{\"most_per_customer\":3}}";

static struct arena *arena;
static struct workflow workflow;

static int open_workflow(void)
{
    struct json *config = NULL;
    struct err err;
    arena = arena_new();
    if (json_parse(config_text, strlen(config_text), &config, &err) != 0)
        return 1;
    workflow_read(arena, config, "Europe/Berlin", &workflow);
    json_free(&config);
    return 0;
}

static int close_workflow(void)
{
    arena_free(&arena);
    return 0;
}

static void services(void)
{
    const struct workflow_service *service = workflow_find(&workflow, "oil CHANGE");
    CU_ASSERT_PTR_NULL(workflow_find(&workflow, "Oil"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(service);
    struct err err;
    CU_ASSERT_EQUAL(booking_check_rules(&service->rules, &err), 0);
    CU_ASSERT_EQUAL(service->rules.duration_min, 30);
    CU_ASSERT_EQUAL(service->rules.buffer_after_min, 10);
    CU_ASSERT_EQUAL(service->rules.change_min, 1440);
    CU_ASSERT_EQUAL(service->rules.most_per_customer, 3);
    CU_ASSERT_EQUAL(service->rules.resource_count, 2);
    CU_ASSERT_STRING_EQUAL(service->rules.timezone, "Europe/Berlin");
    CU_ASSERT_EQUAL_FATAL(service->field_count, 2);
    CU_ASSERT_TRUE(service->fields[0]->required);
    CU_ASSERT_FALSE(service->fields[1]->required);
    CU_ASSERT_EQUAL(workflow.passages, 3);
}

static void open_or_not(void)
{
    static const struct {
        const char *weekday, *local;
        int open;
    } cases[] = {
        {"mon", "2026-12-07T07:59", 0}, {"mon", "2026-12-07T08:00", 1},
        {"mon", "2026-12-07T11:59", 1}, {"mon", "2026-12-07T12:00", 0},
        {"mon", "2026-12-07T13:30", 1}, {"mon", "2026-12-07T17:00", 0},
        {"sun", "2026-12-06T10:00", 0}, {"sat", "2026-12-05T23:59", 1},
        {"fri", "2026-12-25T09:00", 0}, {"thu", "2026-12-24T09:00", 1},
        {"thu", "2026-12-24T10:00", 0}, {"mon", "nonsense", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int open = workflow_is_open(&workflow, cases[i].weekday, cases[i].local);
        if (open != cases[i].open)
            printf("    %s: %d\n", cases[i].local, open);
        CU_ASSERT_EQUAL(open, cases[i].open);
    }
    const struct workflow none = {.timezone = "UTC"};
    CU_ASSERT_EQUAL(workflow_is_open(&none, "mon", "2026-12-07T08:00"), -1);
}

static void what_the_model_is_told(void)
{
    static const char *const lines[] = {
        "- Monday 08:00-12:00 and 13:00-17:00\n",
        "- Tuesday closed\n",
        "- Saturday 20:00-24:00\n",
        "- 2026-12-25 Christmas: closed\n",
        "- 2026-12-24 Eve: 08:00-10:00\n",
        "- Oil change: 30 minutes, 80 dollars; to book it ask for make and model (car), the plate "
        "(plate, optional)\n",
    };
    struct strbuf out;
    strbuf_init(&out, 8192);
    workflow_describe(&workflow, &out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(out.data, lines[i]) == NULL)
            CU_FAIL(lines[i]);
    strbuf_clear(&out);
    const struct workflow none = {.timezone = "UTC"};
    workflow_describe(&none, &out);
    CU_ASSERT_STRING_EQUAL(out.data, "Answer in the language of the customer's last message.\n");
    strbuf_fini(&out);
}

static void read_config(const char *text, struct workflow *read)
{
    struct json *config = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &config, &err), 0);
    workflow_read(arena, config, "America/Los_Angeles", read);
    json_free(&config);
}

/* An action whose tool the tenant does not allow is not promised. */
static void languages_greeting_and_intents(void)
{
    static const char *const lines[] = {
        "Answer in en-US, or, if the customer's last message is in it, in es, fr; in no other",
        "this greeting is sent by itself; neither repeat it nor greet again: Hi, the desk here.\n",
        "- When the customer wants an appointment: offer a free time and book it",
        "(service: Filling)\n",
        "- When the customer has pain: say that you will pass it on. Say in any case: Call 911.\n",
        "- When the customer asks a price: answer from the facts",
        "- When the customer has a complaint: record it with take_message\n",
        "- When the customer is done: take your leave\n",
        "- When the customer dances: answer from the facts",
    };
    struct workflow read;
    struct strbuf out;
    read_config("{\"greeting\":\"Hi, the desk here.\",\"languages\":[\"en-US\",\"es\",\"fr\"],"
                "\"tools\":[\"book\",\"take_message\"],\"intents\":["
                "{\"name\":\"a\",\"when\":\"wants an appointment\",\"action\":\"book\","
                "\"service\":\"Filling\"},"
                "{\"name\":\"b\",\"when\":\"has pain\",\"action\":\"escalate\",\"say\":\"Call "
                "911.\"},"
                "{\"name\":\"c\",\"when\":\"asks a price\",\"action\":\"answer\"},"
                "{\"name\":\"d\",\"when\":\"has a complaint\",\"action\":\"take_message\"},"
                "{\"name\":\"e\",\"when\":\"is done\",\"action\":\"end\"},"
                "{\"name\":\"f\",\"when\":\"dances\",\"action\":\"of a newer release\"},"
                "{\"name\":\"g\"}]}",
                &read);
    CU_ASSERT_EQUAL(read.intent_count, 6);
    strbuf_init(&out, 8192);
    workflow_describe(&read, &out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(out.data, lines[i]) == NULL)
            CU_FAIL(lines[i]);
    strbuf_fini(&out);
}

static void outside_the_hours(void)
{
    static const struct {
        const char *config;
        enum workflow_closed mode;
        const char *told;
    } cases[] = {
        {"{}", WORKFLOW_ANSWER, ""},
        {"{\"after_hours\":{\"mode\":\"answer\",\"say\":\"We sleep.\"}}", WORKFLOW_ANSWER,
         "Tell the customer: We sleep.\n"},
        {"{\"after_hours\":{\"mode\":\"take_message\"}}", WORKFLOW_TAKE_MESSAGE,
         "Outside the opening hours you only take messages"},
        {"{\"after_hours\":{\"mode\":\"closed_text\",\"say\":\"Bye.\"}}", WORKFLOW_CLOSED_TEXT,
         "Tell the customer: Bye.\n"},
        {"{\"after_hours\":{\"mode\":\"of a newer release\"}}", WORKFLOW_ANSWER, ""},
        {"{\"after_hours\":7}", WORKFLOW_ANSWER, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct workflow read;
        struct strbuf out;
        read_config(cases[i].config, &read);
        strbuf_init(&out, 8192);
        workflow_describe_closed(&read, &out);
        CU_ASSERT_EQUAL(read.closed_mode, cases[i].mode);
        CU_ASSERT_EQUAL(strncmp(out.data, cases[i].told, strlen(cases[i].told)), 0);
        CU_ASSERT_EQUAL(out.length == 0, cases[i].told[0] == '\0');
        strbuf_fini(&out);
    }
}

/* By the readings of the business's clock alone, around its change of time: Sunday 2026-03-08 has
 * no 02:00-03:00, Sunday 2026-11-01 has 01:00-02:00 twice. */
static void clock_changes(void)
{
    static const struct {
        const char *hours, *local;
        int open;
    } cases[] = {
        {"[[\"01:00\",\"03:00\"]]", "2026-03-08T01:59", 1},
        {"[[\"01:00\",\"03:00\"]]", "2026-03-08T03:00", 0}, /* a minute later */
        {"[[\"02:00\",\"02:30\"]]", "2026-03-08T01:59", 0}, /* that day it never opens */
        {"[[\"02:00\",\"02:30\"]]", "2026-03-08T03:00", 0},
        {"[[\"02:30\",\"04:00\"]]", "2026-03-08T03:00", 1},
        {"[[\"00:00\",\"01:30\"]]", "2026-11-01T01:29", 1}, /* the first time and the second */
        {"[[\"00:00\",\"01:30\"]]", "2026-11-01T01:30", 0},
        {"[[\"01:30\",\"24:00\"]]", "2026-11-01T01:00", 0},
        {"[[\"01:30\",\"24:00\"]]", "2026-11-01T23:59", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct workflow read;
        read_config(arena_printf(arena, "{\"hours\":{\"sun\":%s}}", cases[i].hours), &read);
        CU_ASSERT_EQUAL(workflow_is_open(&read, "sun", cases[i].local), cases[i].open);
    }
}

/* A version of another engine, or by another hand: nothing crashes, what is no good is left out. */
static void odd_configs(void)
{
    static const char *const cases[] = {
        "{}",
        "[]",
        "{\"hours\":7,\"holidays\":{},\"services\":[1,{},{\"name\":\"a\",\"resources\":7,"
        "\"intake\":[7]}]}",
        "{\"greeting\":7,\"languages\":\"en\",\"intents\":{\"a\":1},\"tools\":7}",
        "{\"languages\":[7,{}],\"intents\":[7,{\"when\":7},{\"when\":\"x\"}],\"tools\":[7]}",
        "{\"hours\":{\"mon\":[[1],[\"08:00\"],7]},\"holidays\":[{},7],\"services\":{\"a\":{}}}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *config = NULL;
        struct workflow read;
        struct strbuf out;
        struct err err;
        CU_ASSERT_EQUAL_FATAL(json_parse(cases[i], strlen(cases[i]), &config, &err), 0);
        workflow_read(arena, config, "UTC", &read);
        json_free(&config);
        strbuf_init(&out, 8192);
        workflow_describe(&read, &out);
        strbuf_fini(&out);
        CU_ASSERT(workflow_is_open(&read, "mon", "2026-12-07T08:00") < 1);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("workflow", open_workflow, close_workflow);
    CU_add_test(suite, "services", services);
    CU_add_test(suite, "open or not", open_or_not);
    CU_add_test(suite, "what the model is told", what_the_model_is_told);
    CU_add_test(suite, "languages, greeting and intents", languages_greeting_and_intents);
    CU_add_test(suite, "outside the hours", outside_the_hours);
    CU_add_test(suite, "clock changes", clock_changes);
    CU_add_test(suite, "odd configs", odd_configs);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
