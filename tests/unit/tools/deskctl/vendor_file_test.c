/* Unit tests of vendor files: the shipped ones are good, a good one is read whole, each mistake is
 * named with its line and with how to mend it. */
#include "vendor_file.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static struct arena *arena;

/* Lines are numbered from 1 here. */
static const char good[] = "name: acme\n"                                    /* 1 */
                           "display_name: Acme Models\n"                     /* 2 */
                           "dialect: openai\n"                               /* 3 */
                           "base_url: https://api.acme.example/v1/\n"        /* 4 */
                           "auth: bearer\n"                                  /* 5 */
                           "key_required: true\n"                            /* 6 */
                           "headers:\n"                                      /* 7 */
                           "  - \"X-Title: Frontdesk\"\n"                    /* 8 */
                           "limit: max_completion_tokens\n"                  /* 9 */
                           "temperature: true\n"                             /* 10 */
                           "stream_usage: false\n"                           /* 11 */
                           "extra:\n"                                        /* 12 */
                           "  thinking: {type: disabled}\n"                  /* 13 */
                           "  depth: 1.50\n"                                 /* 14 */
                           "  flags: [true, -3, \"7\", 'true', plain, 07]\n" /* 15 */
                           "default_model: acme-1\n"                         /* 16 */
                           "priced: 2026-09-23\n"                            /* 17 */
                           "models:\n"                                       /* 18 */
                           "  - model: acme-1\n"                             /* 19 */
                           "    input: 0.75\n"                               /* 20 */
                           "    cached: 0.0375\n"                            /* 21 */
                           "    output: 12\n"                                /* 22 */
                           "    window: 128000\n"                            /* 23 */
                           "    note: until May\n"                           /* 24 */
                           "  - model: acme-2\n";                            /* 25 */

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(arena_printf(arena, "%s/%s", folder, name), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

/* The good text with the first `find` replaced. */
static const char *altered(const char *find, const char *replace)
{
    const char *at = strstr(good, find);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    return arena_printf(arena, "%.*s%s%s", (int)(at - good), good, replace, at + strlen(find));
}

static void read_text(struct problems *problems, const char *text, struct vendors *vendors)
{
    write_file("acme.yaml", text);
    problems_init(problems, arena, "");
    vendor_file_read(problems, folder, vendors);
}

static void test_good(void)
{
    struct problems problems;
    struct vendors vendors;
    read_text(&problems, good, &vendors);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    CU_ASSERT_EQUAL_FATAL(vendors.count, 1);
    const struct vendor *vendor = vendor_file_find(&vendors, "acme");
    CU_ASSERT_PTR_NOT_NULL_FATAL(vendor);
    CU_ASSERT_STRING_EQUAL(vendor->display_name, "Acme Models");
    CU_ASSERT_STRING_EQUAL(vendor->base_url, "https://api.acme.example/v1");
    CU_ASSERT_EQUAL_FATAL(vendor->header_count, 1);
    CU_ASSERT_STRING_EQUAL(vendor->headers[0], "X-Title: Frontdesk");
    CU_ASSERT_TRUE(vendor->max_completion_tokens && vendor->temperature && vendor->key_required);
    CU_ASSERT_FALSE(vendor->stream_usage);
    CU_ASSERT_STRING_EQUAL(vendor->extra,
                           "{\"depth\":1.5,\"flags\":[true,-3,\"7\",\"true\",\"plain\",\"07\"],"
                           "\"thinking\":{\"type\":\"disabled\"}}");
    CU_ASSERT_STRING_EQUAL(vendor->default_model, "acme-1");
    CU_ASSERT_STRING_EQUAL(vendor->priced, "2026-09-23");
    CU_ASSERT_TRUE(vendor->requests_per_minute == 0 && vendor->tokens_per_minute == 0);
    CU_ASSERT_EQUAL_FATAL(vendor->model_count, 2);
    const struct vendor_model *first = vendor_file_find_model(vendor, "acme-1");
    CU_ASSERT_TRUE(first->input == 7500 && first->cached == 375 && first->output == 120000);
    CU_ASSERT_EQUAL(first->window, 128000);
    CU_ASSERT_STRING_EQUAL(first->note, "until May");
    const struct vendor_model *second = vendor_file_find_model(vendor, "acme-2");
    CU_ASSERT_TRUE(second->input == -1 && second->cached == -1 && second->output == -1);
    CU_ASSERT_EQUAL(second->window, 0);
    CU_ASSERT_PTR_NULL(vendor_file_find_model(vendor, "acme-3"));
    CU_ASSERT_PTR_NULL(vendor_file_find(&vendors, "acm"));
    strbuf_fini(&problems.text);
}

static void test_defaults(void)
{
    static const struct {
        const char *dialect, *auth;
    } cases[] = {{"openai", "bearer"}, {"gemini", "x-goog-api-key"}, {"anthropic", "x-api-key"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct vendors vendors;
        read_text(&problems,
                  arena_printf(arena,
                               "{name: acme, display_name: A, dialect: %s, "
                               "base_url: \"http://localhost:1\"}",
                               cases[i].dialect),
                  &vendors);
        CU_ASSERT_STRING_EQUAL(problems.text.data, "");
        CU_ASSERT_EQUAL_FATAL(vendors.count, 1);
        const struct vendor *vendor = &vendors.items[0];
        CU_ASSERT_STRING_EQUAL(vendor->auth, cases[i].auth);
        CU_ASSERT_TRUE(vendor->key_required && vendor->temperature && vendor->stream_usage);
        CU_ASSERT_FALSE(vendor->max_completion_tokens);
        CU_ASSERT_TRUE(vendor->header_count == 0 && vendor->model_count == 0);
        CU_ASSERT_TRUE(vendor->extra == NULL && vendor->default_model == NULL &&
                       vendor->priced == NULL);
        strbuf_fini(&problems.text);
    }
}

struct mistake {
    const char *find, *replace;
    int line;
    const char *what; /* what is wrong */
    const char *mend; /* how to mend it */
};

#define LINE_OF_101                                                                                \
    "a2345678901234567890123456789012345678901234567890"                                           \
    "b2345678901234567890123456789012345678901234567890x"

static const struct mistake mistakes[] = {
    /* the frame */
    {"name: acme\n", "", 1, "needs name:", "add it"},
    {"display_name: Acme Models\n", "", 1, "needs display_name:", "add it"},
    {"dialect: openai\n", "", 1, "needs dialect:", "add it"},
    {"base_url: https://api.acme.example/v1/\n", "", 1, "needs base_url:", "add it"},
    {"limit:", "limits:", 9, "no \"limits\"", "did you mean limit"},
    {"limit:", "colour: red\nlimit:", 9, "no \"colour\"", "remove it"},
    {"limit:", "auth: bearer\nlimit:", 9, "there twice", "remove one"},
    {"limit:", "\tlimit:", 9, "", ""},
    /* name */
    {"name: acme", "name: Acme", 1, "\"Acme\"", "small letters"},
    {"name: acme", "name: acne", 1, "must be the file's name", "write acme"},
    {"display_name: Acme Models", "display_name: \"\"", 2, "is empty", "write something"},
    /* dialect, address, key */
    {"dialect: openai", "dialect: openapi", 3, "not known", "write openai"},
    {"dialect: openai", "dialect: antropic", 3, "not known", "write anthropic"},
    {"https://api.acme.example/v1/", "api.acme.example", 4, "must start with https://", ""},
    {"https://api.acme.example/v1/", "https://a?key=x", 4, "no query", "key:"},
    {"auth: bearer", "auth: basic", 5, "not known", "write bearer"},
    {"auth: bearer", "auth: none", 1, "auth: none sends no key", "key_required: false"},
    {"key_required: true", "key_required: yes", 6, "\"yes\"", "true or false"},
    /* headers */
    {"headers:\n  - \"X-Title: Frontdesk\"", "headers: \"X-Title: Frontdesk\"", 7, "must be a list",
     "- "},
    {"  - \"X-Title: Frontdesk\"\n",
     "  - \"A: 1\"\n  - \"B: 1\"\n  - \"C: 1\"\n  - \"D: 1\"\n  - \"E: 1\"\n", 8, "has 5 entries",
     "0 to 4"},
    {"\"X-Title: Frontdesk\"", "X-Title: Frontdesk", 8, "must be one line", "in quotes"},
    {"\"X-Title: Frontdesk\"", "[a]", 8, "must be one line", "in quotes"},
    {"\"X-Title: Frontdesk\"", "\"X-Title\"", 8, "must start with a header's name", "X-Title:"},
    {"\"X-Title: Frontdesk\"", "\": Frontdesk\"", 8, "must start with a header's name", "X-Title:"},
    {"\"X-Title: Frontdesk\"", "\"X Title: Frontdesk\"", 8, "must start with a header's name", ""},
    {"\"X-Title: Frontdesk\"", "\"\"", 8, "must start with a header's name", ""},
    {"\"X-Title: Frontdesk\"", "\"X-Title:  \"", 8, "has no value", "Name: value"},
    {"\"X-Title: Frontdesk\"", "\"X-Title: a\\r\\nX-Other: b\"", 8, "one line of plain ASCII", ""},
    {"\"X-Title: Frontdesk\"", "\"X-Title: a\\nb\"", 8, "one line of plain ASCII", "rewrite"},
    {"\"X-Title: Frontdesk\"", "\"X-Title: a\\tb\"", 8, "one line of plain ASCII", "rewrite"},
    {"\"X-Title: Frontdesk\"", "\"X-Title: \\u00e4\"", 8, "one line of plain ASCII", "rewrite"},
    {"\"X-Title: Frontdesk\"", "\"X-Title: " LINE_OF_101 LINE_OF_101 "\"", 8, "longer than 200",
     "shorten"},
    {"\"X-Title: Frontdesk\"", "\"authorization: Bearer x\"", 8, "set by Frontdesk", "remove it"},
    {"\"X-Title: Frontdesk\"", "\"X-API-Key: x\"", 8, "set by Frontdesk", "tenant file"},
    {"\"X-Title: Frontdesk\"", "\"x-goog-api-key: x\"", 8, "set by Frontdesk", "tenant file"},
    {"\"X-Title: Frontdesk\"", "\"Host: a\"", 8, "set by Frontdesk", "remove it"},
    {"\"X-Title: Frontdesk\"", "\"Content-Type: a\"", 8, "set by Frontdesk", "remove it"},
    {"\"X-Title: Frontdesk\"", "\"Transfer-Encoding: a\"", 8, "set by Frontdesk", "remove it"},
    {"\"X-Title: Frontdesk\"", "\"Connection: close\"", 8, "set by Frontdesk", "remove it"},
    /* what the dialect's request has */
    {"limit: max_completion_tokens", "limit: max_token", 9, "not known", "write max_tokens"},
    {"dialect: openai", "dialect: gemini", 9, "limit: only the openai dialect", "remove it"},
    {"dialect: openai", "dialect: anthropic", 11, "stream_usage: only the openai", "remove it"},
    {"stream_usage: false", "echo_reasoning: 1", 11, "\"1\"", "true or false"},
    {"temperature: true", "temperature: 1", 10, "\"1\"", "true or false"},
    {"stream_usage: false", "stream_usage: no", 11, "\"no\"", "true or false"},
    /* extra */
    {"extra:\n", "extra: 1\nextra2:\n", 12, "must be a block", "name: value"},
    {"  depth: 1.50\n", "  model: x\n", 14, "extra: model is set", "remove it"},
    {"  depth: 1.50\n", "  messages: []\n", 14, "extra: messages is set", "remove it"},
    {"  depth: 1.50\n", "  contents: []\n", 14, "extra: contents is set", "remove it"},
    {"  depth: 1.50\n", "  system: x\n", 14, "extra: system is set", "remove it"},
    {"  depth: 1.50\n", "  systemInstruction: x\n", 14, "systemInstruction is set", "remove it"},
    {"  depth: 1.50\n", "  stream: true\n", 14, "extra: stream is set", "remove it"},
    {"  depth: 1.50\n", "  stream_options: {}\n", 14, "stream_options is set", "remove it"},
    {"  depth: 1.50\n", "  tools: []\n", 14, "extra: tools is set", "remove it"},
    {"  depth: 1.50\n", "  tool_choice: auto\n", 14, "extra: tool_choice is set", "remove it"},
    {"  depth: 1.50\n", "  toolConfig: {}\n", 14, "extra: toolConfig is set", "remove it"},
    {"  depth: 1.50\n", "  max_tokens: 1\n", 14, "max_tokens is set", "remove it"},
    {"  depth: 1.50\n", "  max_completion_tokens: 1\n", 14, "max_completion_tokens is set", ""},
    {"  depth: 1.50\n", "  temperature: 1\n", 14, "temperature is set", "remove it"},
    {"  depth: 1.50\n", "  generationConfig: {maxOutputTokens: 1}\n", 14, "maxOutputTokens is set",
     "remove it"},
    {"  depth: 1.50\n", "  generationConfig: {temperature: 1}\n", 14, "temperature is set", ""},
    {"  depth: 1.50\n", "  depth:\n", 14, "empty or null", "in quotes"},
    {"  depth: 1.50\n", "  depth: null\n", 14, "empty or null", "remove the line"},
    {"  depth: 1.50\n", "  depth: [~]\n", 14, "empty or null", "remove the line"},
    {"  depth: 1.50\n", "  depth: {b: {c: {d: {}}}}\n", 14, "deeper than 4", "flatter"},
    {"  depth: 1.50\n", "  depth: [[[[]]]]\n", 14, "deeper than 4", "flatter"},
    /* models */
    {"default_model: acme-1", "default_model: acme 1", 16, "must be a name", "without spaces"},
    {"priced: 2026-09-23", "priced: 2026-9-23", 17, "must be a date", "2026-09-23"},
    {"priced: 2026-09-23", "priced: 2026-13-01", 17, "must be a date", "2026-09-23"},
    {"priced: 2026-09-23", "priced: 2026-09-32", 17, "must be a date", "2026-09-23"},
    {"priced: 2026-09-23", "priced: 2026-09-231", 17, "must be a date", "2026-09-23"},
    {"priced: 2026-09-23\n", "", 18, "a price needs its date", "add priced:"},
    {"models:\n", "models: {}\nmodels_:\n", 18, "must be a list", "- "},
    {"  - model: acme-1\n    input", "  - input", 19, "a model needs model:", "add it"},
    {"model: acme-2", "model: acme-1", 25, "is there twice", "remove one"},
    {"model: acme-2", "acme-2", 25, "a model must be a block", "name: value"},
    {"    input: 0.75\n", "", 19, "needs both input: and output:", "add the other"},
    {"    output: 12\n", "", 19, "needs both input: and output:", "remove it"},
    {"model: acme-2\n", "model: acme-2\n    cached: 1\n", 25, "needs both input:", "add the other"},
    {"input: 0.75", "input: 0.75123", 20, "at most four decimal places", "0.0000 to 10000.0000"},
    {"input: 0.75", "input: $0.75", 20, "must be a number", "0.0000"},
    {"input: 0.75", "input: 10000.0001", 20, "\"10000.0001\"", "10000.0000"},
    {"cached: 0.0375", "cached: -1", 21, "must be a number", "0.0000"},
    {"cached: 0.0375", "cached: .5", 21, "must be a number", "0.0000"},
    {"output: 12", "output: 12.", 22, "must be a number", "0.0000"},
    {"window: 128000", "window: 128k", 23, "whole number", "1 to"},
    {"priced: 2026-09-23\n", "requests_per_minute: 0\npriced: 2026-09-23\n", 17, "\"0\"", "1 to"},
    {"priced: 2026-09-23\n", "tokens_per_minute: 30k\npriced: 2026-09-23\n", 17, "whole number",
     "1 to 1000000000"},
    {"priced: 2026-09-23\n", "window: 4k\npriced: 2026-09-23\n", 17, "whole number", "1 to"},
    {"priced: 2026-09-23\n", "concurrent: 0\npriced: 2026-09-23\n", 17, "\"0\"", "1 to 100000"},
    {"note: until May", "note: \"\"", 24, "is empty", "write something"},
};

/* The line that is about the mistake: "<path>:<line>: ...". */
static bool names(const char *text, int line, const char *what, const char *mend)
{
    const char *prefix = arena_printf(arena, "acme.yaml:%d: ", line);
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        const char *one = arena_strndup(arena, at, length);
        if (strstr(one, prefix) != NULL && strstr(one, what) != NULL && strstr(one, mend) != NULL)
            return true;
        at += length + (at[length] == '\n');
    }
    return false;
}

static void test_mistakes(void)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        const struct mistake *mistake = &mistakes[i];
        struct problems problems;
        struct vendors vendors;
        read_text(&problems, altered(mistake->find, mistake->replace), &vendors);
        bool named = names(problems.text.data, mistake->line, mistake->what, mistake->mend);
        if (!named)
            fprintf(stderr, "\n  %s -> %s\n    wanted :%d: ..%s..%s\n    said %s", mistake->find,
                    mistake->replace, mistake->line, mistake->what, mistake->mend,
                    problems.text.data);
        CU_ASSERT_TRUE(named);
        strbuf_fini(&problems.text);
    }
}

/* A key in the wrong place is not repeated where others read it. */
static void test_header_is_not_shown(void)
{
    static const char *const lines[] = {"Authorization: Bearer hunter2", "hunter2",
                                        "X-A: hunter2\\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct problems problems;
        struct vendors vendors;
        read_text(&problems, altered("X-Title: Frontdesk", lines[i]), &vendors);
        CU_ASSERT_EQUAL(problems.count, 1);
        CU_ASSERT_PTR_NULL(strstr(problems.text.data, "hunter2"));
        strbuf_fini(&problems.text);
    }
}

static void test_extra(void)
{
    static const struct {
        const char *yaml, *json; /* NULL: too long */
    } cases[] = {
        {"{}", "{}"},
        {"{b: 1, a: {d: x, c: y}}", "{\"a\":{\"c\":\"y\",\"d\":\"x\"},\"b\":1}"},
        {"{a: [0, -0.5, 123456789012345]}", "{\"a\":[0,-0.5,123456789012345]}"},
        {"{a: [1e3, 1., +1, 0x1, 1234567890123456, -]}",
         "{\"a\":[\"1e3\",\"1.\",\"+1\",\"0x1\",\"1234567890123456\",\"-\"]}"},
        {"{a: [True, yes, \"\", \"null\"]}", "{\"a\":[\"True\",\"yes\",\"\",\"null\"]}"},
        {"{a: {b: {c: 1}}}", "{\"a\":{\"b\":{\"c\":1}}}"},
        {"{a: {b: {model: 1}}}", "{\"a\":{\"b\":{\"model\":1}}}"},
        {"{generationConfig: {thinkingConfig: {thinkingLevel: MINIMAL}}}",
         "{\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":\"MINIMAL\"}}}"},
        {"{\"a\\\"b\": \"c\\n\"}", "{\"a\\\"b\":\"c\\n\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct vendors vendors;
        read_text(&problems,
                  arena_printf(arena,
                               "name: acme\ndisplay_name: A\ndialect: gemini\n"
                               "base_url: https://a\nextra: %s\n",
                               cases[i].yaml),
                  &vendors);
        CU_ASSERT_STRING_EQUAL(problems.text.data, "");
        CU_ASSERT_EQUAL_FATAL(vendors.count, 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(vendors.items[0].extra);
        CU_ASSERT_STRING_EQUAL(vendors.items[0].extra, cases[i].json);
        strbuf_fini(&problems.text);
    }
}

/* 2,000 bytes as JSON are taken, one more is not. */
static void test_extra_size(void)
{
    for (int more = 0; more <= 1; more++) {
        struct problems problems;
        struct vendors vendors;
        char value[2000] = "";
        memset(value, 'x', 2000 - strlen("{\"a\":\"\"}") + (size_t)more);
        read_text(&problems,
                  altered("extra:\n", arena_printf(arena, "extra: {a: %s}\nextra_:\n", value)),
                  &vendors);
        CU_ASSERT_EQUAL(names(problems.text.data, 12, "more than 2000 bytes", "shorten"), more);
        strbuf_fini(&problems.text);
    }
}

/* Sorted by name; what is no NAME.yaml is left alone; every file's problems are found. */
static void test_folder(void)
{
    struct problems problems;
    struct vendors vendors;
    static const char *const others[] = {"zeta.yaml", "beta.yaml", "README.md", ".hidden.yaml",
                                         ".yaml"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        write_file(others[i], altered("acme", i == 0 ? "zeta" : "beta"));
    read_text(&problems, good, &vendors);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    CU_ASSERT_EQUAL_FATAL(vendors.count, 3);
    CU_ASSERT_STRING_EQUAL(vendors.items[0].name, "acme");
    CU_ASSERT_STRING_EQUAL(vendors.items[1].name, "beta");
    CU_ASSERT_STRING_EQUAL(vendors.items[2].name, "zeta");
    strbuf_fini(&problems.text);
    write_file("beta.yaml", "");
    read_text(&problems, altered("openai", "smoke"), &vendors);
    CU_ASSERT_EQUAL(problems.count, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.text.data, "acme.yaml:3: dialect"));
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.text.data, "beta.yaml:1: the file is empty"));
    strbuf_fini(&problems.text);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        unlink(arena_printf(arena, "%s/%s", folder, others[i]));
    problems_init(&problems, arena, "");
    vendor_file_read(&problems, arena_printf(arena, "%s/none", folder), &vendors);
    CU_ASSERT_EQUAL(vendors.count, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.text.data, "none:0: No such file"));
    strbuf_fini(&problems.text);
}

static void test_too_many(void)
{
    struct problems problems;
    struct vendors vendors;
    for (int i = 0; i < VENDORS_MAX; i++)
        write_file(arena_printf(arena, "v%d.yaml", i),
                   altered("acme", arena_printf(arena, "v%d", i)));
    read_text(&problems, good, &vendors);
    CU_ASSERT_EQUAL(vendors.count, VENDORS_MAX);
    CU_ASSERT_EQUAL(problems.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.text.data, "one file more than 64; remove one"));
    strbuf_fini(&problems.text);
    for (int i = 0; i < VENDORS_MAX; i++)
        unlink(arena_printf(arena, "%s/v%d.yaml", folder, i));
}

/* What installations use is good, and every entry of it fits its dialect. */
static void test_shipped(void)
{
    static const char *const expected[] = {
        "anthropic", "deepseek", "gemini",     "groq",     "llamacpp", "mistral",
        "ollama",    "openai",   "openrouter", "together", "vllm",     "xai",
    };
    struct problems problems;
    struct vendors vendors;
    problems_init(&problems, arena, "");
    vendor_file_read(&problems, "deploy/vendors", &vendors);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    CU_ASSERT_EQUAL_FATAL(vendors.count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < vendors.count; i++) {
        const struct vendor *vendor = &vendors.items[i];
        CU_ASSERT_STRING_EQUAL(vendor->name, expected[i]);
        /* Only what runs on the machine itself may do without a key and without encryption. */
        CU_ASSERT_EQUAL(vendor->key_required, strncmp(vendor->base_url, "https://", 8) == 0);
        CU_ASSERT_TRUE(vendor->default_model == NULL ||
                       vendor_file_find_model(vendor, vendor->default_model) != NULL);
    }
    const struct vendor *openai = vendor_file_find(&vendors, "openai");
    CU_ASSERT_EQUAL(vendor_file_find_model(openai, "gpt-6-luna")->cache_write, 1250);
    CU_ASSERT_STRING_EQUAL(vendor_file_find(&vendors, "deepseek")->extra,
                           "{\"thinking\":{\"type\":\"disabled\"}}");
    CU_ASSERT_STRING_EQUAL(vendor_file_find(&vendors, "anthropic")->headers[0],
                           "anthropic-version: 2023-06-01");
    CU_ASSERT_STRING_EQUAL(vendor_file_key_reference(arena, vendor_file_find(&vendors, "gemini")),
                           "env:GEMINI_API_KEY");
    strbuf_fini(&problems.text);
}

static void test_hostile_files(void)
{
    unsigned seed = 13;
    char copy[sizeof good];
    for (int round = 0; round < 1000; round++) {
        struct problems problems;
        struct vendors vendors;
        memcpy(copy, good, sizeof good);
        for (int change = 0; change < 4; change++)
            copy[(size_t)rand_r(&seed) % (sizeof good - 1)] = (char)(rand_r(&seed) % 127 + 1);
        read_text(&problems, copy, &vendors);
        strbuf_fini(&problems.text);
        arena_reset(arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("vendor_file", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "mistakes", test_mistakes);
    CU_add_test(suite, "header is not shown", test_header_is_not_shown);
    CU_add_test(suite, "extra", test_extra);
    CU_add_test(suite, "extra size", test_extra_size);
    CU_add_test(suite, "folder", test_folder);
    CU_add_test(suite, "too many", test_too_many);
    CU_add_test(suite, "shipped", test_shipped);
    CU_add_test(suite, "hostile files", test_hostile_files);
    snprintf(folder, sizeof folder, "/tmp/desk-vendors-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    arena = arena_new();
    CU_basic_run_tests();
    unlink(arena_printf(arena, "%s/acme.yaml", folder));
    rmdir(folder);
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
