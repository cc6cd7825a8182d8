/* Unit tests of tenant files: a good one is read whole; each mistake is named with its line and
 * with how to mend it, and no message holds a secret. */
#include "tenant_file.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SECRET "hunter2hunter2hunter2"

static char folder[64];
static struct arena *arena;
static const struct vendors vendors; /* none: tenant_file_model_test.c has some */

/* Lines are numbered from 1 here. */
static const char good[] =
    "name: bright-dental\n"                                 /* 1 */
    "display_name: Bright Dental\n"                         /* 2 */
    "timezone: America/New_York\n"                          /* 3 */
    "language: en-US\n"                                     /* 4 */
    "channels:\n"                                           /* 5 */
    "  - kind: sms\n"                                       /* 6 */
    "    number: \"+15550100101\"\n"                        /* 7 */
    "    account_sid: AC000000000000000000000000000001ab\n" /* 8 */
    "    auth_token: env:DESK_TEST_TOKEN\n"                 /* 9 */
    "    signing_keys: [env:DESK_TEST_OLD]\n"               /* 10 */
    "    messaging_service_sid: env:DESK_TEST_NONE:-MG000000000000000000000000000001ab\n"
    "assistant:\n"                                     /* 12 */
    "  models:\n"                                      /* 13 */
    "    - dialect: openai\n"                          /* 14 */
    "      base_url: https://api.example.com/v1/\n"    /* 15 */
    "      model: small-1\n"                           /* 16 */
    "      key: env:DESK_TEST_KEY\n"                   /* 17 */
    "      temperature: 0.3\n"                         /* 18 */
    "      max_tokens: 300\n"                          /* 19 */
    "      max_completion_tokens: false\n"             /* 20 */
    "      first_token: 8s\n"                          /* 21 */
    "      total: 25s\n"                               /* 22 */
    "  persona: You are the front desk of a clinic.\n" /* 23 */
    "  facts: Open from 8 to 5.\n"                     /* 24 */
    "  tone: warm\n"                                   /* 25 */
    "  fallback: Somebody will answer you soon.\n"     /* 26 */
    "  degraded: We noted it and come back to you.\n"  /* 27 */
    "policy:\n"                                        /* 28 */
    "  retention_days: 365\n";                         /* 29 */

static const char *write_file(const char *name, const char *text, size_t length)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fwrite(text, 1, length, file), length);
    fclose(file);
    return path;
}

/* The good text with the first `find` replaced. */
static const char *altered(const char *find, const char *replace)
{
    const char *at = strstr(good, find);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    return arena_printf(arena, "%.*s%s%s", (int)(at - good), good, replace, at + strlen(find));
}

static void read_text(struct problems *problems, const char *text, struct tenant_file *file)
{
    const char *path = write_file("tenant.yaml", text, strlen(text));
    problems_init(problems, arena, "");
    tenant_file_read(problems, &vendors, &path, 1, file);
}

static void test_good(void)
{
    struct problems problems;
    struct tenant_file file;
    read_text(&problems, good, &file);
    CU_ASSERT_EQUAL(problems.count, 0);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    CU_ASSERT_STRING_EQUAL(file.name, "bright-dental");
    CU_ASSERT_STRING_EQUAL(file.language, "en-US");
    CU_ASSERT_EQUAL_FATAL(file.channel_count, 1);
    CU_ASSERT_STRING_EQUAL(file.channels[0].number, "+15550100101");
    CU_ASSERT_STRING_EQUAL(secret_reveal(file.channels[0].auth_token), SECRET);
    CU_ASSERT_EQUAL(file.channels[0].signing_key_count, 1);
    CU_ASSERT_STRING_EQUAL(file.channels[0].messaging_service_sid,
                           "MG000000000000000000000000000001ab");
    CU_ASSERT_EQUAL_FATAL(file.model_count, 1);
    CU_ASSERT_PTR_NULL(file.models[0].vendor);
    CU_ASSERT_STRING_EQUAL(file.models[0].base_url, "https://api.example.com/v1");
    CU_ASSERT_STRING_EQUAL(file.models[0].auth, "bearer");
    CU_ASSERT_EQUAL(file.models[0].temperature_hundredths, 30);
    CU_ASSERT_EQUAL(file.models[0].first_token_ms, 8000);
    CU_ASSERT_EQUAL(file.models[0].total_ms, 25000);
    CU_ASSERT_EQUAL(file.models[0].race_after_ms, -1);
    CU_ASSERT_FALSE(file.models[0].max_completion_tokens);
    CU_ASSERT_TRUE(file.models[0].stream_usage);
    CU_ASSERT_EQUAL(file.models[0].price_in, -1);
    CU_ASSERT_STRING_EQUAL(file.facts, "Open from 8 to 5.");
    CU_ASSERT_EQUAL(file.retention_days, 365);
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

static void test_defaults(void)
{
    static const char text[] =
        "name: ab\ndisplay_name: A\ntimezone: UTC\nchannels: []\nassistant:\n  models:\n"
        "    - {base_url: \"http://127.0.0.1:8080\", model: m}\n"
        "  persona: twenty characters at least\n  facts: x\n  fallback: ten chars at least\n"
        "  degraded: ten chars at least\n";
    struct problems problems;
    struct tenant_file file;
    read_text(&problems, text, &file);
    CU_ASSERT_EQUAL(problems.count, 0);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    CU_ASSERT_STRING_EQUAL(file.language, "en");
    CU_ASSERT_STRING_EQUAL(file.tone, "");
    CU_ASSERT_EQUAL(file.channel_count, 0);
    CU_ASSERT_STRING_EQUAL(file.models[0].dialect, "openai");
    CU_ASSERT_PTR_NULL(file.models[0].key);
    CU_ASSERT_EQUAL(file.models[0].temperature_hundredths, -1);
    CU_ASSERT_PTR_NULL(file.models[0].extra);
    CU_ASSERT_EQUAL(file.models[0].header_count, 0);
    CU_ASSERT_EQUAL(file.retention_days, 730);
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

struct mistake {
    const char *find, *replace;
    int line;
    const char *what; /* what is wrong */
    const char *mend; /* how to mend it */
};

static const struct mistake mistakes[] = {
    /* the frame */
    {"name: bright-dental\n", "", 1, "needs name:", "add it"},
    {"display_name: Bright Dental\n", "", 1, "needs display_name:", "add it"},
    {"timezone: America/New_York\n", "", 1, "needs timezone:", "add it"},
    {"display_name:", "display-nam:", 2, "no \"display-nam\"", "did you mean display_name"},
    {"policy:\n", "colour: red\npolicy:\n", 28, "no \"colour\"", "remove it"},
    {"language: en-US\n", "language: en-US\nlanguage: de\n", 5, "there twice", "remove one"},
    {"language: en-US\n", "language: &x en-US\n", 4, "anchors", "repeat the value"},
    {"language: en-US\n", "language: *x\n", 4, "aliases", "repeat the value"},
    {"language: en-US\n", "language: !!str en-US\n", 4, "tags", "remove it"},
    {"language: en-US\n", "\tlanguage: en-US\n", 4, "", ""},
    {"language: en-US\n", "language: [en]\n", 4, "must be one value", "not a list"},
    {"channels:\n", "channels: none\nx_channels:\n", 5, "must be a list", "- "},
    {"policy:\n  retention_days: 365\n", "policy: 365\n", 28, "must be a block", "name: value"},
    /* name, zone, language */
    {"bright-dental", "Bright-Dental", 1, "\"Bright-Dental\"", "small letters"},
    {"bright-dental", "bright dental", 1, "\"bright dental\"", "small letters"},
    {"bright-dental", "b", 1, "\"b\"", "2-40"},
    {"bright-dental", "-bright", 1, "\"-bright\"", "starting with a letter"},
    {"bright-dental", "bright-", 1, "\"bright-\"", "must be"},
    {"bright-dental", "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde", 1, "must be", "2-40"},
    {"Bright Dental", "\"\"", 2, "is empty", "write something"},
    {"America/New_York", "EST5EDT;", 3, "time zone", "America/New_York"},
    {"America/New_York", "../../etc/passwd", 3, "time zone", "America/New_York"},
    {"America/New_York", "America//New_York", 3, "time zone", "America/New_York"},
    {"America/New_York", "America/", 3, "time zone", "America/New_York"},
    {"America/New_York", "america/new_york", 3, "time zone", "America/New_York"},
    {"en-US", "english", 4, "language tag", "en-US"},
    {"en-US", "en_US", 4, "language tag", "en-US"},
    {"en-US", "en-us", 4, "language tag", "en-US"},
    /* channels */
    {"kind: sms", "kind: smss", 6, "\"smss\" is not known", "write sms"},
    {"kind: sms", "kind: voice", 6, "needs the section phone", "add what a caller"},
    {"    number: \"+15550100101\"\n", "", 6, "a channel needs number:", "add it"},
    {"+15550100101", "15550100101", 7, "\"15550100101\"", "with + and country code"},
    {"+15550100101", "+1 555 010 0101", 7, "must be a number", "no spaces"},
    {"+15550100101", "+0555", 7, "must be a number", "+15550100101"},
    {"AC000000000000000000000000000001ab", "AC0001", 8, "must be AC", "32"},
    {"AC000000000000000000000000000001ab", "AC000000000000000000000000000001AB", 8, "must be AC",
     "small hexadecimal"},
    {"AC000000000000000000000000000001ab", "SK000000000000000000000000000001ab", 8, "must be AC",
     "console"},
    {"    auth_token: env:DESK_TEST_TOKEN\n", "", 6, "needs auth_token:", "add it"},
    {"env:DESK_TEST_TOKEN", SECRET, 9, "must not stand in this file", "env:NAME or file:PATH"},
    {"env:DESK_TEST_TOKEN", "\"\"", 9, "is empty", "env:NAME or file:PATH"},
    {"env:DESK_TEST_TOKEN", "env:DESK_TEST_UNSET", 9, "DESK_TEST_UNSET is not set", "set it"},
    {"env:DESK_TEST_TOKEN", "env:DESK_TEST_TOKEN:-" SECRET, 9, "name of an environment variable",
     "no default"},
    {"env:DESK_TEST_TOKEN", "env:DESK_TEST_EMPTY", 9, "is empty", "put the secret there"},
    {"env:DESK_TEST_TOKEN", "env:DESK_TEST_SPACES", 9, "has spaces", "the right one"},
    {"env:DESK_TEST_TOKEN", "file:missing", 9, "No such file", "correct the path"},
    {"env:DESK_TEST_TOKEN", "file:/proc/self", 9, "no regular file", "correct the path"},
    {"env:DESK_TEST_TOKEN", "[env:A]", 9, "must be one value", "env:NAME"},
    {"env:DESK_TEST_TOKEN", "ENV:DESK_TEST_TOKEN", 9, "must not stand", "env:NAME"},
    {"[env:DESK_TEST_OLD]", "env:DESK_TEST_OLD", 10, "must be a list", "- "},
    {"[env:DESK_TEST_OLD]", "[env:A,env:B,env:C,env:D,env:E,env:F,env:G,env:H]", 10,
     "has 8 entries", "0 to 7"},
    {"[env:DESK_TEST_OLD]", "[" SECRET "]", 10, "must not stand", "env:NAME"},
    {"[env:DESK_TEST_OLD]", "[{a: b}]", 10, "must be one value", "env:NAME"},
    {"env:DESK_TEST_NONE:-MG", "env:DESK_TEST_NONE:-XX", 11, "must be MG", "leave it out"},
    {"env:DESK_TEST_NONE:-MG000000000000000000000000000001ab", "env:DESK_TEST_NONE", 11,
     "DESK_TEST_NONE is not set", "env:DESK_TEST_NONE:-DEFAULT"},
    {"env:DESK_TEST_NONE:-MG", "env:9X:-MG", 11, "no name of an environment variable", "env:NAME"},
    {"    messaging_service_sid:", "    messaging_servce_sid:", 11, "a channel has no",
     "did you mean messaging_service_sid"},
    {"  - kind: sms\n", "  - plain\n  - kind: sms\n", 6, "a channel must be a block",
     "name: value"},
    /* the model */
    {"dialect: openai", "dialect: openapi", 14, "not known", "write openai"},
    {"https://api.example.com/v1/", "api.example.com", 15, "must start with https://", "http://"},
    {"https://api.example.com/v1/", "https://", 15, "names no host", "base_url"},
    {"https://api.example.com/v1/", "https://me:pw@api.example.com", 15, "must be a base address",
     "key:"},
    {"https://api.example.com/v1/", "https://api.example.com/?key=x", 15, "no query", "key:"},
    {"https://api.example.com/v1/", "\"https://api. example.com\"", 15, "without spaces",
     "plain ASCII"},
    {"https://api.example.com/v1/", "http://api.example.com/v1", 14, "unencrypted", "use https://"},
    {"https://api.example.com/v1/", "ftp://api.example.com", 15, "must start with", "https://"},
    {"small-1", "\"small 1\"", 16, "must be a name", "without spaces"},
    {"      model: small-1\n", "", 14, "a model needs model:", "add it"},
    {"env:DESK_TEST_KEY", "sk-" SECRET, 17, "must not stand", "it has been seen"},
    {"temperature: 0.3", "temperature: hot", 18, "must be a number", "0.00 to 2.00"},
    {"temperature: 0.3", "temperature: 2.5", 18, "\"2.5\"", "0.00 to 2.00"},
    {"temperature: 0.3", "temperature: 0.333", 18, "two decimal places", "must be"},
    {"temperature: 0.3", "temperature: -1", 18, "must be a number", "0.00"},
    {"temperature: 0.3", "temperature: 1.", 18, "must be a number", "0.00"},
    {"max_tokens: 300", "max_tokens: 3.5", 19, "whole number", "16 to 4096"},
    {"max_tokens: 300", "max_tokens: 5000", 19, "\"5000\"", "16 to 4096"},
    {"max_tokens: 300", "max_tokens: +300", 19, "whole number", "16 to 4096"},
    {"max_completion_tokens: false", "max_completion_tokens: no", 20, "\"no\"", "true or false"},
    {"first_token: 8s", "first_token: 8", 21, "with its unit", "8s"},
    {"first_token: 8s", "first_token: 8 s", 21, "with its unit", "8s"},
    {"first_token: 8s", "first_token: 1ms", 21, "must be from 100ms", "30000ms"},
    {"first_token: 8s", "first_token: 99999999999999999999s", 21, "with its unit", "8s"},
    {"total: 25s", "total: 2m", 22, "must be from 500ms", "30000ms"},
    {"total: 25s", "total: 5s", 14, "shorter than first_token", "longer"},
    {"  models:\n    - dialect: openai\n",
     "  models: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n  models_:\n    - dialect: openai\n", 13,
     "has 9 entries", "1 to 8"},
    {"  models:\n", "  models: []\n  models_:\n", 13, "has 0 entries", "1 to 8"},
    {"    - dialect: openai\n", "    - text\n    - dialect: openai\n", 14,
     "a model must be a block", "name: value"},
    {"      base_url: https://api.example.com/v1/\n", "", 14,
     "a model needs base_url:", "name a vendor:"},
    {"      max_tokens: 300\n", "      extra: {a: 1}\n", 19, "no \"extra\"", "remove it"},
    {"dialect: openai", "dialect: gemni", 14, "not known", "write gemini"},
    /* wording */
    {"  persona: You are the front desk of a clinic.\n", "", 13, "needs persona:", "add it"},
    {"You are the front desk of a clinic.", "Hi.", 23, "shorter than 20", "say more"},
    {"Open from 8 to 5.", "\"\"", 24, "is empty", "write something"},
    {"  fallback: Somebody will answer you soon.\n", "", 13, "needs fallback:", "add it"},
    {"Somebody will answer you soon.", "Soon", 26, "shorter than 10", "say more"},
    {"degraded:", "degrated:", 27, "no \"degrated\"", "did you mean degraded"},
    /* policy */
    {"retention_days: 365", "retention_days: 7", 29, "\"7\"", "30 to 3650"},
    {"retention_days: 365", "retention_days: forever", 29, "\"forever\"", "30 to 3650"},
    {"retention_days: 365", "retain_days: 365", 29, "no \"retain_days\"", ""},
};

/* The line that is about the mistake: "<path>:<line>: ...". */
static bool names(const char *text, int line, const char *what, const char *mend)
{
    const char *prefix = arena_printf(arena, "tenant.yaml:%d: ", line);
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
    CU_ASSERT_TRUE(sizeof mistakes / sizeof mistakes[0] >= 50);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        const struct mistake *mistake = &mistakes[i];
        struct problems problems;
        struct tenant_file file;
        read_text(&problems, altered(mistake->find, mistake->replace), &file);
        bool named = names(problems.text.data, mistake->line, mistake->what, mistake->mend);
        if (!named)
            fprintf(stderr, "\n  %s -> %s\n    wanted :%d: ..%s..%s\n    said %s", mistake->find,
                    mistake->replace, mistake->line, mistake->what, mistake->mend,
                    problems.text.data);
        CU_ASSERT_TRUE(named);
        CU_ASSERT_TRUE(problems.count >= 1);
        CU_ASSERT_PTR_NULL(strstr(problems.text.data, SECRET));
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* All at once, in one go. */
static void test_collects_all(void)
{
    struct problems problems;
    struct tenant_file file;
    read_text(&problems, "name: X\nchannels:\n  - kind: fax\n  - number: \"1\"\nother: 1\n", &file);
    CU_ASSERT_TRUE(problems.count >= 10);
    CU_ASSERT_TRUE(names(problems.text.data, 1, "\"X\"", ""));
    CU_ASSERT_TRUE(names(problems.text.data, 3, "fax", ""));
    CU_ASSERT_TRUE(names(problems.text.data, 4, "number", ""));
    CU_ASSERT_TRUE(names(problems.text.data, 5, "other", ""));
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

static void test_several_files(void)
{
    const char *paths[] = {write_file("tenant.yaml", good, strlen(good)),
                           write_file("b-tenant.yaml", good, strlen(good)),
                           arena_printf(arena, "%s/none-tenant.yaml", folder)};
    struct problems problems;
    struct tenant_file files[3];
    problems_init(&problems, arena, "");
    tenant_file_read(&problems, &vendors, paths, 3, files);
    CU_ASSERT_EQUAL(problems.count, 3);
    CU_ASSERT_TRUE(names(problems.text.data, 1, "is also in", "one file"));
    CU_ASSERT_TRUE(names(problems.text.data, 6, "taken already", "one channel"));
    CU_ASSERT_TRUE(names(problems.text.data, 0, "No such file", ""));
    for (int i = 0; i < 3; i++)
        tenant_file_fini(&files[i]);
    strbuf_fini(&problems.text);
}

/* file: paths start in the folder of the tenant file; a last line end is no part of the secret. */
static void test_secret_file(void)
{
    struct problems problems;
    struct tenant_file file;
    write_file("token", SECRET "\n", sizeof SECRET);
    read_text(&problems, altered("env:DESK_TEST_TOKEN", "file:token"), &file);
    CU_ASSERT_EQUAL(problems.count, 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(file.channels[0].auth_token), SECRET);
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

static void test_hostile_files(void)
{
    struct problems problems;
    struct tenant_file file;
    unsigned seed = 11;
    char copy[sizeof good];
    for (int round = 0; round < 2000; round++) {
        memcpy(copy, good, sizeof good);
        for (int change = 0; change < 4; change++)
            copy[(size_t)rand_r(&seed) % (sizeof good - 1)] = (char)(rand_r(&seed) % 127 + 1);
        read_text(&problems, copy, &file);
        CU_ASSERT_PTR_NULL(strstr(problems.text.data, SECRET));
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
        arena_reset(arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_file", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "mistakes", test_mistakes);
    CU_add_test(suite, "collects all", test_collects_all);
    CU_add_test(suite, "several files", test_several_files);
    CU_add_test(suite, "secret file", test_secret_file);
    CU_add_test(suite, "hostile files", test_hostile_files);
    snprintf(folder, sizeof folder, "/tmp/desk-tenant-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    setenv("DESK_TEST_TOKEN", SECRET, 1);
    setenv("DESK_TEST_OLD", SECRET "-old", 1);
    setenv("DESK_TEST_KEY", SECRET "-key", 1);
    setenv("DESK_TEST_EMPTY", "", 1);
    setenv("DESK_TEST_SPACES", SECRET " " SECRET, 1);
    arena = arena_new();
    CU_basic_run_tests();
    const char *const left[] = {"tenant.yaml", "b-tenant.yaml", "token"};
    for (size_t i = 0; i < 3; i++)
        unlink(arena_printf(arena, "%s/%s", folder, left[i]));
    rmdir(folder);
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
