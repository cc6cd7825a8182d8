/* Unit tests of the schema subset: what is refused when a schema is read, what a value is told, and
 * that no message is larger or wilder than a model or a log may see. */
#include "json/schema.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static struct json *must_parse(const char *text)
{
    struct json *document = NULL;
    struct err err;
    if (json_parse(text, strlen(text), &document, &err) != 0)
        printf("\n    %s: %s %s\n", text, err.code, err.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    return document;
}

/* Reads; NULL and *err when refused. */
static struct json_schema *read_text(const char *text, struct err *err)
{
    struct json *document = must_parse(text);
    struct json_schema *schema = NULL;
    int result = json_schema_read(document, &schema, err);
    CU_ASSERT_EQUAL(result == 0, schema != NULL);
    json_free(&document);
    return schema;
}

static struct json_schema *must_read(const char *text)
{
    struct err err;
    struct json_schema *schema = read_text(text, &err);
    if (schema == NULL)
        printf("\n    %s: %s\n", text, err.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
    return schema;
}

static void check_message(const char *what, const char *message, const char *want)
{
    if (strcmp(message, want) != 0)
        printf("\n    %s\n      says   %s\n      wanted %s\n", what, message, want);
    CU_ASSERT_STRING_EQUAL(message, want);
}

static const struct {
    const char *schema, *message;
} refused[] = {
    {"1", "the schema: must be an object with a type"},
    {"true", "the schema: must be an object with a type"},
    {"[]", "the schema: must be an object with a type"},
    {"{}", "the schema: needs a type"},
    {"{\"description\":\"x\"}", "the schema: needs a type"},
    {"{\"type\":\"text\"}", "type: must be one of object, array, string, number, integer, boolean, "
                            "or a list of one of these and \"null\""},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}}}",
     "properties.a.type: must be one of object, array, string, number, integer, boolean, or a list "
     "of one of these and \"null\""},
    {"{\"type\":\"object\",\"properties\":{\"size\":{\"type\":\"string\",\"pattern\":\"^a\"}}}",
     "properties.size.pattern: not in the subset; use enum or bounds"},
    {"{\"type\":\"string\",\"format\":\"date\"}", "format: not in the subset; use enum or bounds"},
    {"{\"type\":\"object\",\"$ref\":\"#/x\"}",
     "$ref: not in the subset; write the schema out in its place"},
    {"{\"$ref\":\"#/x\"}", "the schema: needs a type"},
    {"{\"type\":\"array\",\"items\":{\"type\":\"string\",\"anyOf\":[]}}",
     "items.anyOf: not in the subset; use one type, or a list of it and \"null\""},
    {"{\"type\":\"string\",\"const\":\"a\"}", "const: not in the subset; use enum with one value"},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0}",
     "exclusiveMinimum: not in the subset; use minimum"},
    {"{\"type\":\"string\",\"x-own\":1}", "x-own: not in the subset; leave it out"},
    {"{\"type\":\"string\",\"Minlength\":1}", "Minlength: not in the subset; leave it out"},
    {"{\"type\":\"string\",\"title\":1}", "title: must be a text"},
    {"{\"type\":\"string\",\"description\":null}", "description: must be a text"},
    {"{\"type\":\"string\",\"minimum\":1}", "minimum: needs the type number or integer"},
    {"{\"minLength\":1,\"type\":\"integer\"}", "minLength: needs the type string"},
    {"{\"type\":\"object\",\"items\":{\"type\":\"string\"}}", "items: needs the type array"},
    {"{\"enum\":[1],\"maximum\":3}", "maximum: needs the type number or integer"},
    {"{\"type\":\"array\",\"properties\":{}}", "properties: needs the type object"},
    {"{\"type\":\"string\",\"required\":[]}", "required: needs the type object"},
    {"{\"type\":\"string\",\"additionalProperties\":false}",
     "additionalProperties: needs the type object"},
    {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}",
     "additionalProperties: must be true or false; a schema is not in the subset here"},
    {"{\"type\":\"number\",\"minimum\":\"1\"}", "minimum: must be a number"},
    {"{\"type\":\"number\",\"maximum\":null}", "maximum: must be a number"},
    {"{\"type\":\"string\",\"minLength\":-1}",
     "minLength: must be a whole number from 0 to 1000000"},
    {"{\"type\":\"string\",\"maxLength\":1.5}",
     "maxLength: must be a whole number from 0 to 1000000"},
    {"{\"type\":\"array\",\"maxItems\":1e300}",
     "maxItems: must be a whole number from 0 to 1000000"},
    {"{\"type\":\"array\",\"minItems\":1000001}",
     "minItems: must be a whole number from 0 to 1000000"},
    {"{\"type\":\"object\",\"properties\":[]}", "properties: must be an object: a schema per name"},
    {"{\"type\":\"object\",\"properties\":{\"a\":true}}",
     "properties.a: must be an object with a type"},
    {"{\"type\":\"object\",\"properties\":{\"\":{\"type\":\"string\"}}}",
     "properties: a name has 1 to 64 bytes and no control character"},
    {"{\"type\":\"object\",\"properties\":{\"a\\nb\":{\"type\":\"string\"}}}",
     "properties: a name has 1 to 64 bytes and no control character"},
    {"{\"type\":\"object\",\"properties\":{\"12345678901234567890123456789012345678901234567890"
     "123456789012345\":{\"type\":\"string\"}}}",
     "properties: a name has 1 to 64 bytes and no control character"},
    {"{\"type\":\"array\",\"items\":[{\"type\":\"string\"}]}",
     "items: must be an object with a type"},
    {"{\"type\":\"object\",\"required\":\"a\"}", "required: must be a list of at most 200 names"},
    {"{\"type\":\"object\",\"required\":[1]}",
     "required: a name has 1 to 64 bytes and no control character"},
    {"{\"type\":\"object\",\"required\":[\"a\",\"b\",\"a\"]}", "required: has a name twice"},
    {"{\"type\":\"string\",\"enum\":[]}", "enum: must be a list of 1 to 100 values"},
    {"{\"enum\":\"a\"}", "enum: must be a list of 1 to 100 values"},
    {"{\"enum\":[\"a\",{}]}", "enum[1]: must be a text, a number, true, false or null"},
    {"{\"type\":\"string\",\"enum\":[\"a\",1]}", "enum[1]: is not of the type"},
    {"{\"enum\":[1.5],\"type\":\"integer\"}", "enum[0]: is not of the type"},
    {"{\"type\":\"string\",\"enum\":[\"a\",null]}", "enum[1]: is not of the type"},
    {"{\"enum\":[1,2,1.0]}", "enum[2]: stands there twice"},
    {"{\"type\":\"number\",\"minimum\":2,\"maximum\":1.5}", "the schema: minimum is above maximum"},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"minLength\":3,"
     "\"maxLength\":2}}}",
     "properties.a: minLength is above maxLength"},
    {"{\"type\":\"array\",\"minItems\":1,\"maxItems\":0}",
     "the schema: minItems is above maxItems"},
    {"{\"type\":\"object\",\"required\":[\"a\",\"b\"],\"additionalProperties\":false,"
     "\"properties\":{\"a\":{\"type\":\"string\"}}}",
     "required.b: not among the properties, and additionalProperties is false"},
    {"{\"type\":[\"string\"]}", "type: must be one of object, array, string, number, integer, "
                                "boolean, or a list of one of these and \"null\""},
    {"{\"type\":[\"null\",\"string\"]}",
     "type: must be one of object, array, string, number, integer, boolean, or a list of one of "
     "these and \"null\""},
    {"{\"type\":[\"string\",\"number\"]}",
     "type: must be one of object, array, string, number, integer, boolean, or a list of one of "
     "these and \"null\""},
    {"{\"type\":[\"string\",\"null\",\"null\"]}",
     "type: must be one of object, array, string, number, integer, boolean, or a list of one of "
     "these and \"null\""},
};

static void test_refuses(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct err err;
        struct json_schema *schema = read_text(refused[i].schema, &err);
        CU_ASSERT_PTR_NULL(schema);
        if (schema != NULL) {
            printf("\n    taken: %s\n", refused[i].schema);
            json_schema_free(&schema);
            continue;
        }
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_STRING_EQUAL(err.code, "schema.refused");
        check_message(refused[i].schema, err.message, refused[i].message);
    }
}

#define BOOKING                                                                                    \
    "{\"type\":\"object\",\"title\":\"Booking\",\"additionalProperties\":false,"                   \
    "\"required\":[\"date\",\"size\"],\"properties\":{"                                            \
    "\"date\":{\"type\":\"string\",\"description\":\"d\",\"minLength\":2,\"maxLength\":4},"        \
    "\"size\":{\"enum\":[\"small\",\"large\"],\"type\":\"string\",\"default\":7},"                 \
    "\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},"                                \
    "\"price\":{\"type\":\"number\",\"maximum\":1.5},"                                             \
    "\"note\":{\"type\":[\"string\",\"null\"]},"                                                   \
    "\"yes\":{\"type\":\"boolean\"},"                                                              \
    "\"any\":{\"enum\":[1,true,null,2.5]},"                                                        \
    "\"parts\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"type\":\"object\","  \
    "\"required\":[\"x\"],\"properties\":{\"x\":{\"type\":\"integer\"}}}}}}"

#define GOOD "\"date\":\"1234\",\"size\":\"large\""

/* A NULL message: the value fits. */
static const struct {
    const char *value, *message;
} booked[] = {
    {"{" GOOD "}", NULL},
    {"{" GOOD ",\"count\":1.0,\"price\":-1e300,\"note\":null,\"yes\":false,\"any\":null}", NULL},
    {"{" GOOD ",\"count\":9,\"price\":1.5,\"note\":\"\",\"yes\":true,\"any\":2.5}", NULL},
    {"{" GOOD ",\"any\":true,\"parts\":[{\"x\":1},{\"x\":-3,\"more\":{}}]}", NULL},
    {"{\"date\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x\",\"size\":\"small\"}", NULL},
    {"[]", "arguments: must be an object; it is an array"},
    {"null", "arguments: must be an object; it is null"},
    {"\"x\"", "arguments: must be an object; it is the text x"},
    {"{}", "arguments.date: required"},
    {"{\"date\":\"12\"}", "arguments.size: required"},
    {"{\"size\":\"medium\"}",
     "arguments.size: must be one of small, large; it is medium"}, /* before date is missed */
    {"{" GOOD ",\"dat\":1}",
     "arguments.dat: no such name; known are date, size, count, price, note, yes, any, parts"},
    {"{\"date\":12,\"size\":1}", "arguments.date: must be a string; it is the number 12"},
    {"{\"date\":null,\"size\":\"small\"}", "arguments.date: must be a string; it is null"},
    {"{\"date\":\"1\",\"size\":\"small\"}",
     "arguments.date: must have at least 2 characters; it has 1"},
    {"{\"date\":\"12345\"}", "arguments.date: must have at most 4 characters; it has 5"},
    {"{\"date\":\"\xf0\x9f\x98\x80\"}",
     "arguments.date: must have at least 2 characters; it has 1"},
    {"{\"count\":0}", "arguments.count: must be at least 1; it is 0"},
    {"{\"count\":10}", "arguments.count: must be at most 9; it is 10"},
    {"{\"count\":1.5}", "arguments.count: must be a whole number; it is the number 1.5"},
    {"{\"count\":\"3\"}", "arguments.count: must be a whole number; it is the text 3"},
    {"{\"count\":9007199254740993}", "arguments.count: must be a whole number from "
                                     "-9007199254740991 to 9007199254740991; it is the number "
                                     "9007199254740992"},
    {"{\"count\":-1e300}", "arguments.count: must be a whole number from -9007199254740991 to "
                           "9007199254740991; it is the number -1e+300"},
    {"{\"price\":1.6}", "arguments.price: must be at most 1.5; it is 1.6"},
    {"{\"note\":false}", "arguments.note: must be a string or null; it is false"},
    {"{\"yes\":\"true\"}", "arguments.yes: must be true or false; it is the text true"},
    {"{\"yes\":0}", "arguments.yes: must be true or false; it is the number 0"},
    {"{\"any\":\"1\"}", "arguments.any: must be one of 1, true, null, 2.5; it is the text 1"},
    {"{\"any\":false}", "arguments.any: must be one of 1, true, null, 2.5; it is false"},
    {"{\"any\":[]}", "arguments.any: must be one of 1, true, null, 2.5; it is an array"},
    {"{\"parts\":[]}", "arguments.parts: must have at least 1 items; it has 0"},
    {"{\"parts\":[{\"x\":1},{\"x\":1},{\"x\":1}]}",
     "arguments.parts: must have at most 2 items; it has 3"},
    {"{\"parts\":[{\"x\":1},{}]}", "arguments.parts[1].x: required"},
    {"{\"parts\":[{\"x\":true}]}", "arguments.parts[0].x: must be a whole number; it is true"},
    {"{\"parts\":{}}", "arguments.parts: must be an array; it is an object"},
};

static void test_checks(void)
{
    struct json_schema *schema = must_read(BOOKING);
    for (size_t i = 0; i < sizeof booked / sizeof *booked; i++) {
        struct json *value = must_parse(booked[i].value);
        struct err err = {.message = ""};
        int result = json_schema_check(schema, value, &err);
        CU_ASSERT_EQUAL(result, booked[i].message == NULL ? 0 : -1);
        if (result != 0) {
            CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
            CU_ASSERT_STRING_EQUAL(err.code, "schema.mismatch");
        }
        check_message(booked[i].value, err.message, booked[i].message ? booked[i].message : "");
        json_free(&value);
    }
    json_schema_free(&schema);
    CU_ASSERT_PTR_NULL(schema);
    json_schema_free(&schema);
}

/* Judges one value by one schema; "" when it fits. */
static const char *told(const char *schema_text, const char *value_text, bool answer)
{
    static struct err err;
    struct json_schema *schema = must_read(schema_text);
    struct json *value = must_parse(value_text);
    err = (struct err){.message = ""};
    int result = answer ? json_schema_check_answer(schema, value, &err)
                        : json_schema_check(schema, value, &err);
    CU_ASSERT_EQUAL(result == 0, err.message[0] == '\0');
    json_free(&value);
    json_schema_free(&schema);
    return err.message;
}

static void test_standard_meaning(void)
{
    static const struct {
        const char *schema, *value, *message;
    } cases[] = {
        {"{\"type\":\"object\"}", "{\"a\":[1,{}]}", ""},
        {"{\"type\":\"object\",\"required\":[\"a\"]}", "{\"a\":null}", ""},
        {"{\"type\":\"object\",\"required\":[\"a\"]}", "{}", "arguments.a: required"},
        {"{\"type\":\"object\",\"additionalProperties\":true}", "{\"a\":1}", ""},
        {"{\"type\":\"object\",\"additionalProperties\":false}", "{\"a\":1}",
         "arguments.a: no such name; known are none"},
        {"{\"type\":\"object\",\"properties\":{\"A\":{\"type\":\"string\"}},\"required\":[\"A\"]}",
         "{\"a\":\"\"}", "arguments.A: required"},
        {"{\"type\":\"array\"}", "[1,\"\",null]", ""},
        {"{\"type\":[\"string\",\"null\"],\"enum\":[\"a\"]}", "null",
         "arguments: must be a; it is null"},
        {"{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",null]}", "null", ""},
        {"{\"type\":[\"integer\",\"null\"],\"minimum\":1}", "null", ""},
        {"{\"type\":\"integer\"}", "-0.0", ""},
        {"{\"type\":\"integer\"}", "9007199254740991", ""},
        {"{\"type\":\"number\"}", "1e308", ""},
        {"{\"type\":\"number\",\"minimum\":-0.5,\"maximum\":-0.5}", "-0.5", ""},
        {"{\"type\":\"string\",\"minLength\":0,\"maxLength\":0}", "\"\"", ""},
        {"{\"enum\":[0]}", "false", "arguments: must be 0; it is false"},
        {"{\"enum\":[false]}", "0", "arguments: must be false; it is the number 0"},
        {"{\"enum\":[\"\"]}", "\"\"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_message(cases[i].schema, told(cases[i].schema, cases[i].value, false),
                      cases[i].message);
}

static void test_values_are_cut(void)
{
    const char *schema = "{\"enum\":[\"a\"]}";
    check_message("40 bytes", told(schema, "\"1234567890123456789012345678901234567890\"", false),
                  "arguments: must be a; it is 1234567890123456789012345678901234567890");
    check_message("41 bytes", told(schema, "\"12345678901234567890123456789012345678901\"", false),
                  "arguments: must be a; it is 1234567890123456789012345678901234567...");
    check_message(
        "inside a code point",
        told(schema, "\"123456789012345678901234567890123456\xe2\x82\xac\xe2\x82\xac\"", false),
        "arguments: must be a; it is 123456789012345678901234567890123456...");
    check_message("controls", told(schema, "\"a\\n\\u001b[31m\\u007f\"", false),
                  "arguments: must be a; it is a  [31m ");
}

static void test_answers_are_not_quoted(void)
{
    static const struct {
        const char *value, *message;
    } cases[] = {
        {"{" GOOD "}", ""},
        {"\"secret\"", "answer: must be an object; it is a text"},
        {"{\"secret\":1}", "answer: has a name that is not among the properties"},
        {"{\"date\":77}", "answer.date: must be a string; it is a number"},
        {"{\"size\":\"secret\"}", "answer.size: must be one of small, large"},
        {"{\"count\":77}", "answer.count: must be at most 9"},
        {"{\"date\":\"secret\"}", "answer.date: must have at most 4 characters; it has 6"},
        {"{\"parts\":[{\"x\":true}]}",
         "answer.parts[0].x: must be a whole number; it is a boolean"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_message(cases[i].value, told(BOOKING, cases[i].value, true), cases[i].message);
}

/* `levels` arrays around a string. */
static char *nested(int levels)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    for (int i = 1; i < levels; i++)
        strbuf_add_text(&out, "{\"type\":\"array\",\"items\":");
    strbuf_add_text(&out, "{\"type\":\"string\"}");
    for (int i = 1; i < levels; i++)
        strbuf_add_char(&out, '}');
    return strbuf_take(&out);
}

/* An object of `properties` texts, and an enum of `values` numbers in each if there are any. */
static char *wide(int properties, int values)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    strbuf_add_text(&out, "{\"type\":\"object\",\"properties\":{");
    for (int i = 0; i < properties; i++) {
        strbuf_printf(&out, "%s\"p%d\":{\"type\":\"number\"", i > 0 ? "," : "", i);
        for (int k = 0; k < values; k++)
            strbuf_printf(&out, "%s%d", k == 0 ? ",\"enum\":[" : ",", k);
        strbuf_add_text(&out, values > 0 ? "]}" : "}");
    }
    strbuf_add_text(&out, "}}");
    return strbuf_take(&out);
}

static void check_bound(char *text, bool taken, const char *message)
{
    struct err err = {.message = ""};
    struct json_schema *schema = read_text(text, &err);
    CU_ASSERT_EQUAL(schema != NULL, taken);
    check_message("bound", err.message, message);
    json_schema_free(&schema);
    free(text);
}

static void test_bounds(void)
{
    check_bound(nested(8), true, "");
    check_bound(nested(9), false,
                "items.items.items.items.items.items.items.items: lies too deep; 8 levels of "
                "schemas are allowed");
    check_bound(wide(199, 0), true, "");
    check_bound(wide(200, 0), false,
                "properties.p199: is one too many; 200 schemas are allowed in one");
    check_bound(wide(1, 100), true, "");
    check_bound(wide(1, 101), false, "properties.p0.enum: must be a list of 1 to 100 values");
}

#define LONG_NAME                                                                                  \
    "\xe2\x82\xac"                                                                                 \
    "0123456789012345678901234567890123456789012345678901234567890"
#define LONG_1                                                                                     \
    "{\"type\":\"object\",\"required\":[\"" LONG_NAME "\"],\"properties\":{\"" LONG_NAME "\":"

/* However long names and lists are: whole UTF-8 and the end of the way is there. */
static void test_messages_are_bounded(void)
{
    const char *deep = told(LONG_1 LONG_1 LONG_1 "{\"type\":\"string\"}}}}}}}",
                            "{\"" LONG_NAME "\":{\"" LONG_NAME "\":{}}}", false);
    CU_ASSERT_TRUE(strlen(deep) < ERR_MESSAGE_MAX && text_is_utf8(deep, strlen(deep)));
    CU_ASSERT_PTR_NOT_NULL(strstr(deep, "." LONG_NAME ": required"));
    CU_ASSERT_EQUAL(strncmp(deep, "...", 3), 0);
    char *many = wide(199, 0);
    many[strlen(many) - 1] = '\0';
    struct strbuf closed;
    strbuf_init(&closed, 1 << 16);
    strbuf_printf(&closed, "%s,\"additionalProperties\":false}", many);
    const char *unknown = told(closed.data, "{\"q\":1}", false);
    CU_ASSERT_TRUE(strlen(unknown) < ERR_MESSAGE_MAX);
    CU_ASSERT_PTR_NOT_NULL(strstr(unknown, "p1, p2, "));
    CU_ASSERT_STRING_EQUAL(unknown + strlen(unknown) - 5, ", ...");
    strbuf_fini(&closed);
    free(many);
    char *values = wide(1, 100);
    const char *listed = told(values, "{\"p0\":1000}", false);
    CU_ASSERT_PTR_NOT_NULL(strstr(listed, ", ...; it is the number 1000"));
    free(values);
}

/* Wherever the cuts in front of the place and behind the message fall in a code point. */
static void test_messages_stay_utf8(void)
{
    for (int pad = 0; pad < 3; pad++) {
        struct strbuf name, schema, value;
        strbuf_init(&name, JSON_SCHEMA_NAME_MAX);
        strbuf_printf(&name, "%.*s", pad, "ab");
        for (int i = 0; i < 20; i++)
            strbuf_add_text(&name, "\xe2\x82\xac");
        strbuf_init(&schema, 4096);
        strbuf_init(&value, 4096);
        for (int i = 0; i < 3; i++) {
            strbuf_printf(&schema, "{\"type\":\"object\",\"properties\":{\"%s\":", name.data);
            strbuf_printf(&value, "{\"%s\":", name.data);
        }
        strbuf_add_text(&schema, "{\"type\":\"object\",\"additionalProperties\":false,"
                                 "\"properties\":{");
        for (int i = 0; i < 4; i++)
            strbuf_printf(&schema, "%s\"%s%d\":{\"type\":\"string\"}", i > 0 ? "," : "", name.data,
                          i);
        strbuf_add_text(&schema, "}}}}}}}}");
        strbuf_add_text(&value, "{\"q\":1}}}}");
        const char *message = told(schema.data, value.data, false);
        CU_ASSERT(strlen(message) > ERR_MESSAGE_MAX - 5 && strlen(message) < ERR_MESSAGE_MAX);
        CU_ASSERT_EQUAL(strncmp(message, "...", 3), 0);
        CU_ASSERT_TRUE(text_is_utf8(message, strlen(message)));
        CU_ASSERT_PTR_NOT_NULL(strstr(message, ".q: no such name; known are "));
        strbuf_fini(&name);
        strbuf_fini(&schema);
        strbuf_fini(&value);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("json schema", NULL, NULL);
    CU_add_test(suite, "refuses what is not in the subset", test_refuses);
    CU_add_test(suite, "judges values", test_checks);
    CU_add_test(suite, "means what the standard means", test_standard_meaning);
    CU_add_test(suite, "cuts values", test_values_are_cut);
    CU_add_test(suite, "quotes nothing of an answer", test_answers_are_not_quoted);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "bounds its messages", test_messages_are_bounded);
    CU_add_test(suite, "cuts its messages between code points", test_messages_stay_utf8);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
