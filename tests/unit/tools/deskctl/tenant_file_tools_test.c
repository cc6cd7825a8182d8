/* Unit tests of `http_tools:`: what is kept, what is refused, and that a secret is in no message.
 */
#include "section_rig.h"

#define OBJECT "parameters: {type: object}"
#define SECRET "secret: env:DESK_TEST_TOKEN"
#define PLAIN                                                                                      \
    "{name: a, description: x, url: \"https://a.example\", changes: false, " SECRET ", " OBJECT "}"

static const struct good_section good[] = {
    {"http_tools: [" PLAIN "]\n", "http_tools",
     "[{\"name\":\"a\",\"description\":\"x\",\"url\":\"https://a.example\",\"timeout_ms\":10000,"
     "\"changes\":false,\"parameters\":{\"type\":\"object\"}}]"},
    {"http_tools:\n"
     "  - name: order_status\n"
     "    description: Where an order is.\n"
     "    url: http://10.0.0.7:8080/orders?v=2&to=a@b\n"
     "    secret: env:DESK_TEST_TOKEN\n"
     "    timeout: 30s\n"
     "    changes: true\n"
     "    parameters:\n"
     "      type: object\n"
     "      properties:\n"
     "        number: {type: string, minLength: 4, maxLength: 10}\n"
     "        \"on\": {enum: [yes, \"1\", 2, -1.5, true]}\n"
     "      required: [number]\n"
     "    result:\n"
     "      type: object\n",
     "http_tools",
     "[{\"name\":\"order_status\",\"description\":\"Where an order is.\","
     "\"url\":\"http://10.0.0.7:8080/orders?v=2&to=a@b\",\"timeout_ms\":30000,\"changes\":true,"
     "\"parameters\":{\"type\":\"object\",\"properties\":{\"number\":{\"type\":\"string\","
     "\"minLength\":4,\"maxLength\":10},\"on\":{\"enum\":[\"yes\",\"1\",2,-1.5,true]}},"
     "\"required\":[\"number\"]},\"result\":{\"type\":\"object\"}}]"},
    {"http_tools: []\n", "http_tools", "[]"},
};

/* One tool in lines: name, description, url, changes, parameters are on lines 2 to 6, its secret on
 * line 7. */
#define TOOL(name, url, parameters) BARE(name, url, parameters) "    " SECRET "\n"
#define BARE(name, url, parameters)                                                                \
    "http_tools:\n  - name: " name "\n    description: x\n    url: " url                           \
    "\n    changes: false\n    parameters: " parameters "\n"
#define URL    "https://a.example/b"
#define SCHEMA "{type: object}"

static const struct bad_section bad[] = {
    {"http_tools:\n  - {name: a}\n", "2: an HTTP tool needs description:; add it\n"
                                     "2: an HTTP tool needs url:; add it\n"
                                     "2: an HTTP tool needs secret:; add it\n"
                                     "2: an HTTP tool needs changes:; add it\n"
                                     "2: an HTTP tool needs parameters:; add it\n"},
    {TOOL("Order", URL, SCHEMA), "2: name: \"Order\" must be small letters, digits and _, starting "
                                 "with a letter, like insurance_card\n"},
    {TOOL("a-b", URL, SCHEMA),
     "2: name: \"a-b\" must be small letters, digits and _, starting with "
     "a letter, like insurance_card\n"},
    {TOOL("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddee", URL, SCHEMA),
     "2: name: has 42 characters; shorten it to 41\n"},
    {TOOL("book", URL, SCHEMA),
     "2: name: book is a tool of Frontdesk's own; name this one otherwise\n"},
    {"http_tools:\n  - " PLAIN "\n  - " PLAIN "\n", "3: name: \"a\" is there twice; remove one\n"},
    {TOOL("a", "ftp://a.example", SCHEMA), "4: url: \"ftp://a.example\" must start with https:// "
                                           "(or http:// inside your own network)\n"},
    {TOOL("a", "https://me:pw@a.example/b", SCHEMA),
     "4: url: \"https://me:pw@a.example/b\" must have no user and no fragment (a key goes into "
     "secret:)\n"},
    {TOOL("a", "https://a.example/b#c", SCHEMA),
     "4: url: \"https://a.example/b#c\" must have no user and no fragment (a key goes into "
     "secret:)\n"},
    {TOOL("a", "https:///b", SCHEMA), "4: url: \"https:///b\" names no host\n"},
    {TOOL("a", "https://a.example/b c", SCHEMA),
     "4: url: \"https://a.example/b c\" must be plain ASCII without spaces\n"},
    {TOOL("a", URL, SCHEMA) "    timeout: 500ms\n",
     "8: timeout: \"500ms\" must be from 1000ms to 30000ms\n"},
    {TOOL("a", URL, SCHEMA) "    timeout: 31s\n",
     "8: timeout: \"31s\" must be from 1000ms to 30000ms\n"},
    {BARE("a", URL, SCHEMA) "    secret: token-1\n",
     "7: secret: a secret must not stand in this file; put it into the environment or a file and "
     "write env:NAME or file:PATH (and change it: it has been seen)\n"},
    {BARE("a", URL, SCHEMA) "    secret: env:DESK_TEST_NONE\n",
     "7: secret: the environment variable DESK_TEST_NONE is not set; set it\n"},
    {TOOL("a", URL, SCHEMA) "    methd: GET\n", "8: an HTTP tool has no \"methd\"; remove it\n"},
    /* schemas */
    {TOOL("a", URL, "{type: object, properties: {n: {type: string, pattern: x}}}"),
     "6: parameters: properties.n.pattern: not in the subset; use enum or bounds\n"},
    /* in lines of their own, the problem has the one where it stands */
    {BARE("a", URL, "") "      type: object\n"
                        "      properties:\n"
                        "        n:\n"
                        "          type: string\n"
                        "          pattern: x\n"
                        "    " SECRET "\n",
     "11: parameters: properties.n.pattern: not in the subset; use enum or bounds\n"},
    {BARE("a", URL, "") "      type: object\n"
                        "      properties:\n"
                        "        a: {type: string}\n"
                        "        a.b:\n"
                        "          type: array\n"
                        "          items:\n"
                        "            enum:\n"
                        "              - x\n"
                        "              - [y]\n"
                        "    " SECRET "\n",
     "15: parameters: properties.a.b.items.enum[1]: must be a text, a number, true, false or "
     "null\n"},
    {TOOL("a", URL, SCHEMA) "    result:\n"
                            "      type: object\n"
                            "      additionalProperties: false\n"
                            "      required:\n"
                            "        - n\n",
     "12: result: required.n: not among the properties, and additionalProperties is false\n"},
    {TOOL("a", URL, "[a]"), "6: parameters: must be a block of indented name: value lines\n"},
    {TOOL("a", URL, "{properties: {}}"),
     "6: parameters: must be a JSON Schema of an object; add type: object\n"},
    {TOOL("a", URL, "{type: string}"),
     "6: parameters: must be a JSON Schema of an object; add type: object\n"},
    {TOOL("a", URL, "{type: object, title: }"),
     "6: parameters: a value is empty or null; write one, in quotes if it is text, or remove the "
     "line\n"},
    {TOOL("a", URL, "{type: object, a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {}}}}}}}}}}}"),
     "6: parameters: is nested deeper than 10 blocks; make it flatter\n"},
    {TOOL("a", URL, SCHEMA) "    result: {type: array}\n",
     "8: result: must be a JSON Schema of an object; add type: object\n"},
    {"http_tools: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]\n",
     "1: http_tools: has 17 entries; it must have 0 to 16\n"},
};

static void test_good(void)
{
    rig_good(good, sizeof good / sizeof good[0]);
}

static void test_bad(void)
{
    rig_bad(bad, sizeof bad / sizeof bad[0]);
}

/* Each entry's secret is at its place. */
static void test_secrets(void)
{
    struct problems problems;
    struct tenant_file file;
    setenv("DESK_TEST_OTHER", "token-2", 1);
    rig_read("http_tools:\n  - " PLAIN "\n"
             "  - {name: b, description: x, url: \"https://a\", changes: true, " OBJECT
             ", secret: env:DESK_TEST_OTHER}\n",
             &problems, &file);
    CU_ASSERT_STRING_EQUAL(rig_said(&problems), "");
    CU_ASSERT_EQUAL_FATAL(file.tool_count, 2);
    CU_ASSERT_STRING_EQUAL(secret_reveal(file.tool_secrets[0]), "token-1");
    CU_ASSERT_STRING_EQUAL(secret_reveal(file.tool_secrets[1]), "token-2");
    CU_ASSERT_PTR_NULL(strstr(rig_json(&file, "http_tools"), "token-"));
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

static void test_large_schema(void)
{
    struct strbuf text;
    strbuf_init(&text, 65536);
    strbuf_add_text(&text, BARE("a", URL, "{type: object, title: \""));
    strbuf_truncate(&text, text.length - 1);
    for (int i = 0; i < 8000; i++)
        strbuf_add_char(&text, 'x');
    strbuf_add_text(&text, "\"}\n    " SECRET "\n");
    const struct bad_section large = {
        text.data, "6: parameters: is more than 8000 bytes as JSON; shorten it\n"};
    rig_bad(&large, 1);
    strbuf_fini(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_file_tools", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    CU_add_test(suite, "secrets", test_secrets);
    CU_add_test(suite, "large schema", test_large_schema);
    return rig_run();
}
