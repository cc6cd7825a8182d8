/* Unit tests of the configuration table: every type, every source and their order, every problem
 * with what it says, secrets that never show. */
#include "service/config.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    struct config_common common;
    const char *name;
    int64_t count, offset, wait_ms, size;
    bool fast;
    const char *mode;
    struct secret *token;
    struct config_kafka kafka;
};

static const char *const modes[] = {"one", "two", NULL};

#define AT(m) offsetof(struct settings, m)
static const struct config_spec specs[] = {
    CONFIG_COMMON_ROWS(settings, common),
    {"name", CONFIG_TEXT, AT(name), "", 0, 0, CONFIG_REQUIRED, NULL, "Name."},
    {"count", CONFIG_INT, AT(count), "5", 1, 64, 0, NULL, "Count | of things."},
    {"offset", CONFIG_INT, AT(offset), "0", -10, 10, 0, NULL, "Offset."},
    {"wait_ms", CONFIG_MS, AT(wait_ms), "4s", 100, 600000, 0, NULL, "Wait."},
    {"size", CONFIG_BYTES, AT(size), "64k", 1, 1LL << 40, 0, NULL, "Size."},
    {"fast", CONFIG_BOOL, AT(fast), "false", 0, 0, 0, NULL, "Fast."},
    {"mode", CONFIG_CHOICE, AT(mode), "one", 0, 0, 0, modes, "Mode."},
    {"token", CONFIG_SECRET, AT(token), NULL, 0, 0, 0, NULL, "Token."},
};
#define COUNT (sizeof specs / sizeof specs[0])

static struct settings settings;
static struct strbuf problems;
static struct err err;

static int load(const char *file, const char *const *arguments)
{
    struct config_sources sources = {.arguments = arguments, .file = file};
    memset(&settings, 0, sizeof settings);
    strbuf_init(&problems, 65536);
    return config_load(specs, COUNT, &sources, &settings, &problems, &err);
}

static void unload(void)
{
    config_free(specs, COUNT, &settings);
    strbuf_fini(&problems);
}

#define ARGS(...) ((const char *const[]){"--instance=i1", "--name=n", __VA_ARGS__, NULL})

static const char *write_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/frontdesk-config-test-%ld", (long)getpid());
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void test_defaults(void)
{
    CU_ASSERT_EQUAL(load(NULL, ARGS("--fast=true")), 0);
    CU_ASSERT_EQUAL(problems.length, 0);
    CU_ASSERT_STRING_EQUAL(settings.common.instance, "i1");
    CU_ASSERT_STRING_EQUAL(settings.common.log_level, "info");
    CU_ASSERT_STRING_EQUAL(settings.common.admin_listen, "127.0.0.1:0");
    CU_ASSERT_EQUAL(settings.common.drain_ms, 25000);
    CU_ASSERT_EQUAL(settings.count, 5);
    CU_ASSERT_EQUAL(settings.wait_ms, 4000);
    CU_ASSERT_EQUAL(settings.size, 65536);
    CU_ASSERT_TRUE(settings.fast);
    CU_ASSERT_STRING_EQUAL(settings.mode, "one");
    CU_ASSERT_PTR_NULL(settings.token);
    unload();
}

static void test_order_of_sources(void)
{
    const char *path = write_file("# a comment\n\n  count = 2\r\n\tname =  from file  \nsize=1k\n"
                                  "wait-ms = 7s\nfast = true");
    setenv("FRONTDESK_COUNT", "3", 1);
    setenv("FRONTDESK_SIZE", "2k", 1);
    CU_ASSERT_EQUAL(
        load(path, (const char *const[]){"--instance=i", "--count=4", "--mode=two", NULL}), 0);
    CU_ASSERT_EQUAL(settings.count, 4);
    CU_ASSERT_EQUAL(settings.size, 2048);
    CU_ASSERT_STRING_EQUAL(settings.name, "from file");
    CU_ASSERT_EQUAL(settings.wait_ms, 7000);
    CU_ASSERT_TRUE(settings.fast);
    CU_ASSERT_STRING_EQUAL(settings.mode, "two");
    unload();
    unsetenv("FRONTDESK_COUNT");
    unsetenv("FRONTDESK_SIZE");
    unlink(path);
}

static void test_good_values(void)
{
    static const struct {
        const char *argument;
        size_t offset;
        int64_t expected;
    } cases[] = {
        {"--wait_ms=250ms", AT(wait_ms), 250},
        {"--wait_ms=250", AT(wait_ms), 250},
        {"--wait_ms=10m", AT(wait_ms), 600000},
        {"--wait-ms=3s", AT(wait_ms), 3000},
        {"--size=1", AT(size), 1},
        {"--size=2m", AT(size), 2097152},
        {"--size=3k", AT(size), 3072},
        {"--count=1", AT(count), 1},
        {"--count=064", AT(count), 64},
        {"--offset=-10", AT(offset), -10},
        {"--size=1099511627776", AT(size), 1LL << 40},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(load(NULL, ARGS(cases[i].argument)), 0);
        int64_t got = *(int64_t *)(void *)((char *)&settings + cases[i].offset);
        CU_ASSERT_EQUAL(got, cases[i].expected);
        unload();
    }
}

/* Each bad word gives exactly one problem, that names the key and helps. */
static void test_problems(void)
{
    static const struct {
        const char *argument, *says;
    } cases[] = {
        {"--count=0", "count: \"0\" is not allowed: write a whole number from 1 to 64"},
        {"--count=65", "from --count"},
        {"--count=-1", "count:"},
        {"--count=+1", "count:"},
        {"--count=1.5", "count:"},
        {"--count=1k", "count:"},
        {"--count=", "count:"},
        {"--count= 1", "count:"},
        {"--count=99999999999999999999999", "count:"},
        {"--offset=-11", "from -10 to 10"},
        {"--offset=--1", "offset:"},
        {"--wait_ms=99", "a duration such as 250ms, 3s, 10m or 24h from 100ms to 10m"},
        {"--wait_ms=3h", "wait_ms:"},
        {"--wait_ms=3S", "wait_ms:"},
        {"--wait_ms=-3s", "wait_ms:"},
        {"--wait_ms=9223372036854775807m", "wait_ms:"},
        {"--wait_ms=999999999999999999m", "wait_ms:"},
        {"--size=64kb", "a size such as 512, 64k or 2m"},
        {"--fast=yes", "fast: \"yes\" is not allowed: write true or false"},
        {"--fast=", "fast:"},
        {"--mode=three", "write one of one, two"},
        {"--log_level=loud", "write one of debug, info, warn, error"},
        {"--token=file:/nonexistent/secret", "cannot read the secret's file /nonexistent/secret"},
        {"--token=env:FRONTDESK_TEST_UNSET", "names an environment variable that is not set"},
        {"--cuont=3", "there is no setting \"cuont\"; did you mean count?"},
        {"--xyzzy=3", "there is no setting \"xyzzy\"; --help lists them"},
        {"--name=m", "is given twice"},
        {"--name", "write --key=value"},
        {"count=3", "write --key=value"},
        {"--=3", "there is no setting"},
        {"--instance=\xff", "is given twice"},
        {"--admin_listen=\xff", "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool refused = load(NULL, ARGS(cases[i].argument)) == -1;
        const char *newline = strchr(problems.data, '\n');
        bool one = newline != NULL && newline[1] == '\0';
        bool says = strstr(problems.data, cases[i].says) != NULL;
        if (!refused || !one || !says)
            printf("\n  %s gave: %s", cases[i].argument, problems.data);
        CU_ASSERT(refused && one && says);
        CU_ASSERT_STRING_EQUAL(err.code, "config.invalid");
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        unload();
    }
}

static void test_all_problems_at_once(void)
{
    const char *path = write_file("nonsense\ncount = x\ncount = 2\nfoo = 1\nmode = three\n");
    CU_ASSERT_EQUAL(load(path, NULL), -1);
    static const char *const expected[] = {
        ":1: is not understood",
        "count: \"x\" is not allowed",
        ":3: count is given twice",
        ":4: there is no setting \"foo\"",
        "mode: \"three\"",
        "instance: is required",
        "name: is required; give --name=... or FRONTDESK_NAME (Name.)"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (strstr(problems.data, expected[i]) == NULL)
            printf("\n  missing: %s\n%s", expected[i], problems.data);
        CU_ASSERT_PTR_NOT_NULL(strstr(problems.data, expected[i]));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "7 problem(s)"));
    unload();
    unlink(path);
}

static void test_bad_files(void)
{
    CU_ASSERT_EQUAL(load("/nonexistent/frontdesk.conf", ARGS("--fast=true")), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.data, "/nonexistent/frontdesk.conf: cannot be read"));
    unload();
    const char *path = write_file("name = \xff\n");
    CU_ASSERT_EQUAL(load(path, ARGS("--fast=true")), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.data, "not UTF-8"));
    unload();
    char *huge = calloc(1, 1024 * 1024 + 2);
    memset(huge, '#', 1024 * 1024 + 1);
    path = write_file(huge);
    CU_ASSERT_EQUAL(load(path, ARGS("--fast=true")), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.data, "over 1 MB"));
    unload();
    free(huge);
    unlink(path);
}

static void test_secrets(void)
{
    char argument[128];
    const char *path = write_file("s3cret-in-file\n");
    snprintf(argument, sizeof argument, "--token=file:%s", path);
    CU_ASSERT_EQUAL(load(NULL, ARGS(argument)), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings.token);
    CU_ASSERT_STRING_EQUAL(secret_reveal(settings.token), "s3cret-in-file");
    struct strbuf out;
    strbuf_init(&out, 65536);
    config_print(specs, COUNT, &settings, &out);
    CU_ASSERT_PTR_NULL(strstr(out.data, "s3cret"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "token = ********\n"));
    strbuf_fini(&out);
    unload();
    setenv("FRONTDESK_TEST_TOKEN", "s3cret-in-env", 1);
    CU_ASSERT_EQUAL(load(NULL, ARGS("--token=env:FRONTDESK_TEST_TOKEN")), 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(settings.token), "s3cret-in-env");
    unload();
    CU_ASSERT_EQUAL(load(NULL, ARGS("--token=plain", "--count=x")), -1);
    CU_ASSERT_PTR_NULL(strstr(problems.data, "plain"));
    unload();
    char *long_secret = calloc(1, 70000);
    memcpy(long_secret, "--token=", 8);
    memset(long_secret + 8, 'x', 69000);
    CU_ASSERT_EQUAL(load(NULL, ARGS(long_secret)), -1);
    CU_ASSERT_PTR_NULL(strstr(problems.data, "xxxx"));
    unload();
    free(long_secret);
    unlink(path);
}

/* What --print-config prints can be given back as a file. */
static void test_print_and_read_back(void)
{
    CU_ASSERT_EQUAL(load(NULL, ARGS("--wait_ms=1500", "--size=3m", "--offset=-7")), 0);
    struct strbuf first, second;
    strbuf_init(&first, 65536);
    strbuf_init(&second, 65536);
    config_print(specs, COUNT, &settings, &first);
    CU_ASSERT_PTR_NOT_NULL(strstr(first.data, "wait_ms = 1500ms\nsize = 3m\n"));
    unload();
    const char *path = write_file(first.data);
    CU_ASSERT_EQUAL(load(path, NULL), 0);
    config_print(specs, COUNT, &settings, &second);
    CU_ASSERT_STRING_EQUAL(first.data, second.data);
    strbuf_fini(&first);
    strbuf_fini(&second);
    unload();
    unlink(path);
}

static void test_documents(void)
{
    struct strbuf out;
    strbuf_init(&out, 65536);
    config_document(specs, COUNT, "frontdesk-test", &out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "## frontdesk-test\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "| `count` | `FRONTDESK_COUNT` | number | 1 to 64 | "
                                            "`5` | Count \\| of things. |\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(out.data, "| `name` | `FRONTDESK_NAME` | text | required | | Name. |\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "| duration | 100ms to 10m | `4s` |"));
    strbuf_clear(&out);
    config_help(specs, COUNT, &out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "--wait_ms=4s\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "(choice: one, two)"));
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("config", NULL, NULL);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "order of sources", test_order_of_sources);
    CU_add_test(suite, "good values", test_good_values);
    CU_add_test(suite, "problems", test_problems);
    CU_add_test(suite, "all problems at once", test_all_problems_at_once);
    CU_add_test(suite, "bad files", test_bad_files);
    CU_add_test(suite, "secrets", test_secrets);
    CU_add_test(suite, "print and read back", test_print_and_read_back);
    CU_add_test(suite, "documents", test_documents);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
