/* The answers that come with a booking: which questions a model is told of, which calls are refused
 * with what words, what is missing, and what is kept. */
#include "details.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "tools.h"
#include "json/schema.h"

static const char config_text[] =
    "{\"intake\":[{\"field\":\"name\",\"ask\":\"your name\"},"
    "{\"field\":\"born\",\"ask\":\"your date of birth\",\"type\":\"date\"},"
    "{\"field\":\"mail\",\"ask\":\"your mail address\",\"type\":\"mail\",\"required\":false},"
    "{\"field\":\"order\",\"ask\":\"asked by none\"}],"
    "\"services\":[{\"name\":\"Filling\",\"intake\":[\"name\",\"born\",\"mail\"]},"
    "{\"name\":\"Cleaning\",\"intake\":[\"name\"]},{\"name\":\"Call\"}]}";

static struct arena *arena;
static struct workflow workflow;

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &value, &err), 0);
    return value;
}

static int open_workflow(void)
{
    struct json *config = NULL;
    struct err err;
    arena = arena_new();
    if (json_parse(config_text, strlen(config_text), &config, &err) != 0)
        return 1;
    workflow_read(arena, config, "UTC", &workflow);
    json_free(&config);
    return 0;
}

static int close_workflow(void)
{
    arena_free(&arena);
    return 0;
}

static const struct {
    const char *service, *details;
    const char *said; /* NULL: nothing is wrong */
    const char *kept, *misses;
} calls[] = {
    {"Filling", "{\"name\":\" Ann \",\"born\":\"1990-04-12\"}", NULL,
     "{\"name\":\"Ann\",\"born\":\"1990-04-12\"}", ""},
    {"Filling", "{\"name\":\"   \",\"born\":\"\",\"mail\":null}", NULL, "{}", "name born "},
    {"Filling", "{\"born\":\"1990-04-12\",\"mail\":\"\"}", NULL, "{\"born\":\"1990-04-12\"}",
     "name "},
    {"Cleaning", "{}", NULL, "{}", "name "},
    {"Call", "{}", NULL, "{}", ""},
    {"Filling", "{\"name\":\"Ann\",\"born\":\"banana\"}",
     "arguments.details.born: must be a date that there is, like 2026-12-01; it is the text banana",
     NULL, NULL},
    {"Filling", "{\"name\":[],\"born\":\"1990-04-12\"}",
     "arguments.details.name: must be a text of at most 200 characters; it is a list", NULL, NULL},
    {"Filling", "{\"mail\":false}", "arguments.details.mail: must be a mail address", NULL, NULL},
    {"Filling", "{\"colour\":\"red\"}",
     "arguments.details.colour: the service asks for no such thing, only for name, born, mail",
     NULL, NULL},
    {"Cleaning", "{\"name\":\"Ann\",\"born\":\"1990-04-12\"}",
     "arguments.details.born: the service asks for no such thing, only for name", NULL, NULL},
    {"Filling", "{\"order\":\"\"}", "arguments.details.order: the service asks for no such thing",
     NULL, NULL},
    {"Call", "{\"name\":\"Ann\"}",
     "arguments.details.name: the service asks for nothing; leave details out", NULL, NULL},
};

static void judged_and_kept(void)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct workflow_service *service = workflow_find(&workflow, calls[i].service);
        CU_ASSERT_PTR_NOT_NULL_FATAL(service);
        struct json *details = parse(calls[i].details);
        struct err err = {.message = ""};
        const int rc = details_check(service, details, &err);
        if (calls[i].said != NULL) {
            CU_ASSERT_EQUAL(rc, -1);
            if (strstr(err.message, calls[i].said) == NULL)
                printf("    %s: %s\n", calls[i].details, err.message);
            CU_ASSERT_PTR_NOT_NULL(strstr(err.message, calls[i].said));
        } else {
            const char *misses = "";
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT_STRING_EQUAL(details_keep(arena, service, details), calls[i].kept);
            for (size_t f = 0; f < service->field_count; f++)
                if (details_miss(details, service->fields[f]))
                    misses = arena_printf(arena, "%s%s ", misses, service->fields[f]->name);
            CU_ASSERT_STRING_EQUAL(misses, calls[i].misses);
        }
        json_free(&details);
    }
    CU_ASSERT_PTR_NULL(details_keep(arena, workflow_find(&workflow, "Filling"), NULL));
}

/* A long name and a long value end between characters. */
static void a_message_is_whole_text(void)
{
    const char *long_name = "";
    struct err err;
    for (size_t i = 0; i < 60; i++)
        long_name = arena_printf(arena, "%s\xc3\xa4", long_name);
    struct json *details = parse(arena_printf(arena, "{\"%s\":1}", long_name));
    CU_ASSERT_EQUAL(details_check(workflow_find(&workflow, "Filling"), details, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "only for name, born, mail"));
    json_free(&details);
    details = parse(arena_printf(arena, "{\"born\":\"%s\"}", long_name));
    CU_ASSERT_EQUAL(details_check(workflow_find(&workflow, "Filling"), details, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.message + strlen(err.message) - 5, "\xc3\xa4...");
    json_free(&details);
}

/* The tool's parameters hold each question that some service asks, and are a schema of our subset.
 */
static void what_a_model_may_give(void)
{
    static const char *const none = "{\"services\":[{\"name\":\"Call\"}]}";
    const char *parameters = tool_book.fit(arena, &workflow);
    struct json_schema *schema = NULL;
    struct json *text = parse(parameters);
    struct workflow bare;
    struct err err;
    CU_ASSERT_EQUAL(json_schema_read(text, &schema, &err), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(parameters, "\"born\":{\"type\":\"string\",\"maxLength\":10"));
    CU_ASSERT_PTR_NOT_NULL(strstr(parameters, "\"additionalProperties\":false}},\"required\""));
    CU_ASSERT_PTR_NULL(strstr(parameters, "asked by none"));
    json_schema_free(&schema);
    json_free(&text);
    text = parse(none);
    workflow_read(arena, text, "UTC", &bare);
    json_free(&text);
    CU_ASSERT_PTR_NULL(strstr(tool_book.fit(arena, &bare), "details"));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("details", open_workflow, close_workflow);
    CU_add_test(suite, "judged and kept", judged_and_kept);
    CU_add_test(suite, "a message is whole text", a_message_is_whole_text);
    CU_add_test(suite, "what a model may give", what_a_model_may_give);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
