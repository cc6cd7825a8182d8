/* Answers to what a business asks before it books: by type what fits, what is refused and in which
 * words, and what is kept of it; and what a model is told of each. */
#include "prompt/question.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "json/schema.h"

static struct arena *arena;

static int open_arena(void)
{
    arena = arena_new();
    return 0;
}

static int close_arena(void)
{
    arena_free(&arena);
    return 0;
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &value, &err), 0);
    return value;
}

/* A question of that type, with more of its members. */
static struct question question_of(const char *type, const char *more)
{
    struct question question;
    struct json *from =
        parse(arena_printf(arena, "{\"field\":\"f\",\"ask\":\"the thing\"%s%s%s}",
                           type != NULL ? arena_printf(arena, ",\"type\":\"%s\"", type) : "",
                           more[0] ? "," : "", more));
    CU_ASSERT_TRUE(question_read(arena, from, &question));
    json_free(&from);
    return question;
}

#define CHOICES "\"choices\":[\"private\",\"A friend\"]"

static const struct {
    const char *type, *more, *given;
    const char *kept; /* NULL: refused, */
    const char *said; /* with these words in it */
} answers[] = {
    {"text", "", "\"banana\"", "\"banana\"", NULL},
    {"text", "", "\"  a blue van \\n\"", "\"a blue van\"", NULL},
    {"text", "", "2015", "2015", NULL},
    {NULL, "", "\"banana\"", "\"banana\"", NULL}, /* of a version without types */
    {"of a newer release", "", "\"banana\"", "\"banana\"", NULL},
    {"text", "", "false", NULL, "must be a text of at most 200 characters; it is false"},
    {"text", "", "[]", NULL, "it is a list"},
    {"text", "", "{}", NULL, "it is an object"},
    {"text", "\"max\":3", "\"\xc3\xa4\xc3\xb6\xc3\xbc\"", "\"\xc3\xa4\xc3\xb6\xc3\xbc\"", NULL},
    {"text", "\"max\":3", "\" abcd\"", NULL, "must be a text of at most 3 characters"},
    {"number", "", "12.5", "12.5", NULL},
    {"number", "", "\" 007 \"", "\"007\"", NULL},
    {"number", "", "\"-3.25\"", "\"-3.25\"", NULL},
    {"number", "", "\"banana\"", NULL, "must be a number; it is the text banana"},
    {"number", "", "\"1e9\"", NULL, "must be a number"},
    {"number", "", "\"12.\"", NULL, "must be a number"},
    {"number", "", "\"1 2\"", NULL, "must be a number"},
    {"number", "", "true", NULL, "must be a number; it is true"},
    {"date", "", "\"1990-04-12\"", "\"1990-04-12\"", NULL},
    {"date", "", "\" 2028-02-29\"", "\"2028-02-29\"", NULL},
    {"date", "", "\"banana\"", NULL,
     "must be a date that there is, like 2026-12-01; it is the text banana"},
    {"date", "", "\"2026-02-29\"", NULL, "must be a date that there is"},
    {"date", "", "\"12.4.1990\"", NULL, "must be a date that there is"},
    {"date", "", "\"1990-04-12T00:00\"", NULL, "must be a date that there is"},
    {"date", "", "19900412", NULL, "it is the number 19900412"},
    {"date", "", "false", NULL, "it is false"},
    {"phone", "", "\"+1 (555) 010-0101\"", "\"+1 (555) 010-0101\"", NULL},
    {"phone", "", "\"0731 / 55.01\"", "\"0731 / 55.01\"", NULL},
    {"phone", "", "\"banana\"", NULL, "must be a phone number"},
    {"phone", "", "\"12345\"", NULL, "must be a phone number"},
    {"phone", "", "\"1234567890123456\"", NULL, "must be a phone number"},
    {"phone", "", "\"55+501010\"", NULL, "must be a phone number"},
    {"phone", "", "[\"+15550100101\"]", NULL, "it is a list"},
    {"mail", "", "\"ann.b+c@mail.example.com \"", "\"ann.b+c@mail.example.com\"", NULL},
    {"mail", "", "\"b\xc3\xbcro@b\xc3\xbcro.example\"", "\"b\xc3\xbcro@b\xc3\xbcro.example\"",
     NULL},
    {"mail", "", "\"banana\"", NULL, "must be a mail address"},
    {"mail", "", "\"@example.com\"", NULL, "must be a mail address"},
    {"mail", "", "\"a@localhost\"", NULL, "must be a mail address"},
    {"mail", "", "\"a@example.\"", NULL, "must be a mail address"},
    {"mail", "", "\"a@.example\"", NULL, "must be a mail address"},
    {"mail", "", "\"a b@example.com\"", NULL, "must be a mail address"},
    {"mail", "", "\"A <a@example.com>\"", NULL, "must be a mail address"},
    {"mail", "", "\"a@exa_mple.com\"", NULL, "must be a mail address"},
    {"mail", "", "\"a@b@example.com\"", NULL, "must be a mail address"},
    {"yes_no", "", "false", "false", NULL},
    {"yes_no", "", "\"Yes\"", "true", NULL},
    {"yes_no", "", "\" no\"", "false", NULL},
    {"yes_no", "", "\"banana\"", NULL, "must be true or false; it is the text banana"},
    {"yes_no", "", "0", NULL, "must be true or false"},
    {"yes_no", "", "[]", NULL, "must be true or false; it is a list"},
    {"choice", CHOICES, "\"private\"", "\"private\"", NULL},
    {"choice", CHOICES, "\" a FRIEND\"", "\"A friend\"", NULL},
    {"choice", CHOICES, "\"banana\"", NULL,
     "must be one of private, A friend; it is the text banana"},
    {"choice", CHOICES, "\"priv\"", NULL, "must be one of"},
    {"choice", CHOICES, "false", NULL, "must be one of private, A friend; it is false"},
};

static void what_fits(void)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct question question = question_of(answers[i].type, answers[i].more);
        struct json *given = parse(answers[i].given);
        struct strbuf out;
        struct json_writer writer;
        struct err err = {.message = ""};
        const int rc = question_check(&question, given, &err);
        if ((rc == 0) != (answers[i].kept != NULL))
            printf("    %s %s: %s\n", answers[i].type, answers[i].given, err.message);
        CU_ASSERT_EQUAL(rc == 0, answers[i].kept != NULL);
        CU_ASSERT_TRUE(question_is_answered(given));
        strbuf_init(&out, 4096);
        json_writer_init(&writer, &out);
        if (rc == 0) {
            question_write_answer(&question, given, &writer);
            CU_ASSERT_STRING_EQUAL(out.data, arena_printf(arena, "\"f\":%s", answers[i].kept));
        } else {
            CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
            CU_ASSERT_PTR_NOT_NULL(strstr(err.message, answers[i].said));
        }
        strbuf_fini(&out);
        json_free(&given);
    }
}

static void what_is_no_answer(void)
{
    static const char *const none[] = {"null", "\"\"", "\"  \\t\\n\"", "\"\xc2\xa0\xe2\x80\x8b\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct json *given = parse(none[i]);
        CU_ASSERT_FALSE(question_is_answered(given));
        json_free(&given);
    }
    CU_ASSERT_FALSE(question_is_answered(NULL));
}

/* The schema is one of our subset, and says no less than the check. */
static void what_a_model_is_told(void)
{
    static const struct {
        const char *type, *more, *said, *schema;
    } cases[] = {
        {"text", "\"max\":20", "the thing (f)",
         "{\"type\":\"string\",\"maxLength\":20,\"description\":\"the thing\"}"},
        {"text", "\"required\":false", "the thing (f, optional)",
         "{\"type\":\"string\",\"maxLength\":200,\"description\":\"the thing\"}"},
        {"number", "", "the thing (f: a number)",
         "{\"type\":\"number\",\"description\":\"the thing\"}"},
        {"date", "", "the thing (f: a date, like 2026-12-01)",
         "{\"type\":\"string\",\"maxLength\":10,"
         "\"description\":\"the thing: a date, like 2026-12-01\"}"},
        {"yes_no", "\"required\":false", "the thing (f: true or false, optional)",
         "{\"type\":\"boolean\",\"description\":\"the thing\"}"},
        {"choice", CHOICES, "the thing (f: one of private, A friend)",
         "{\"type\":\"string\",\"enum\":[\"private\",\"A friend\"],"
         "\"description\":\"the thing\"}"},
        {"choice", "", "the thing (f)",
         "{\"type\":\"string\",\"maxLength\":200,\"description\":\"the thing\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct question question = question_of(cases[i].type, cases[i].more);
        struct json_schema *schema = NULL;
        struct strbuf out;
        struct json_writer writer;
        struct err err;
        strbuf_init(&out, 4096);
        question_describe(&question, &out);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].said);
        strbuf_clear(&out);
        json_writer_init(&writer, &out);
        question_write_schema(&question, &writer);
        CU_ASSERT_STRING_EQUAL(out.data, arena_printf(arena, "\"f\":%s", cases[i].schema));
        struct json *text = parse(out.data + strlen("\"f\":"));
        CU_ASSERT_EQUAL(json_schema_read(text, &schema, &err), 0);
        json_schema_free(&schema);
        json_free(&text);
        strbuf_fini(&out);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("question", open_arena, close_arena);
    CU_add_test(suite, "what fits", what_fits);
    CU_add_test(suite, "what is no answer", what_is_no_answer);
    CU_add_test(suite, "what a model is told", what_a_model_is_told);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
