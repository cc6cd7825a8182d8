/* Unit tests of a tenant's chain of models: what an entry takes over from its vendor's file, what
 * it says against it, and what does not go together. */
#include "tenant_file.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "hunter2hunter2hunter2"

static char path[64];
static struct arena *arena;

static struct vendor_model acme_models[] = {
    {"acme-1", 7500, 375, 120000, 9375, 128000, ""},
    {"acme-2", 1, -1, 3, 0, 0, ""},
};
static struct vendor vendor_items[] = {
    {.name = "acme",
     .dialect = "openai",
     .base_url = "https://api.acme.example/v1",
     .auth = "bearer",
     .headers = {"X-Title: Frontdesk"},
     .header_count = 1,
     .extra = "{\"thinking\":false}",
     .default_model = "acme-1",
     .models = acme_models,
     .model_count = 2,
     .requests_per_minute = 60,
     .tokens_per_minute = 30000,
     .concurrent = 8,
     .key_required = true,
     .max_completion_tokens = true,
     .temperature = true},
    {.name = "cool-ai",
     .dialect = "anthropic",
     .base_url = "https://api.cool.example/v1",
     .auth = "x-api-key",
     .default_model = "cool-1",
     .key_required = true,
     .stream_usage = true},
    {.name = "home",
     .dialect = "openai",
     .base_url = "http://localhost:8080/v1",
     .auth = "bearer",
     .window = 4096,
     .temperature = true,
     .stream_usage = true},
    {.name = "open",
     .dialect = "openai",
     .base_url = "http://localhost:8080/v1",
     .auth = "none",
     .default_model = "open-1",
     .temperature = true,
     .stream_usage = true},
};
static const struct vendors vendors = {vendor_items, 4}, no_vendors = {NULL, 0};

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void read_text(struct problems *problems, const char *text, struct tenant_file *file)
{
    const char *paths[] = {path};
    write_text(text);
    problems_init(problems, arena, "");
    tenant_file_read(problems, &vendors, paths, 1, file);
}

/* Whether a problem of line 8 says so. */
static bool says(const char *text, const char *what, const char *mend)
{
    const char *at = strstr(text, arena_printf(arena, "%s:8: ", path));
    return at != NULL && strstr(at, what) != NULL && strstr(at, mend) != NULL;
}

/* A tenant with these entries of `models:`, which begin on line 8. */
static const char *with_chain(const char *entries)
{
    return arena_printf(arena,
                        "name: ab\ndisplay_name: A\ntimezone: UTC\nchannels: []\nassistant:\n"
                        "  persona: twenty characters at least\n  models:\n%s  facts: x\n"
                        "  fallback: ten chars at least\n  degraded: ten chars at least\n",
                        entries);
}

static void test_chain(void)
{
    struct problems problems;
    struct tenant_file file;
    read_text(&problems,
              with_chain("    - {vendor: acme, key: env:DESK_TEST_KEY, temperature: 0.2}\n"
                         "    - {vendor: cool-ai, key: env:DESK_TEST_OLD, model: cool-2}\n"
                         "    - {vendor: home, model: m, base_url: \"http://10.0.0.7:1/v1\"}\n"
                         "    - {base_url: \"https://a/v1\", model: m, dialect: gemini}\n"),
              &file);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    CU_ASSERT_EQUAL_FATAL(file.model_count, 4);
    const struct tenant_file_model *acme = &file.models[0], *cool = &file.models[1],
                                   *home = &file.models[2], *own = &file.models[3];
    CU_ASSERT_STRING_EQUAL(acme->vendor, "acme");
    CU_ASSERT_STRING_EQUAL(acme->dialect, "openai");
    CU_ASSERT_STRING_EQUAL(acme->base_url, "https://api.acme.example/v1");
    CU_ASSERT_STRING_EQUAL(acme->model, "acme-1");
    CU_ASSERT_STRING_EQUAL(acme->auth, "bearer");
    CU_ASSERT_EQUAL_FATAL(acme->header_count, 1);
    CU_ASSERT_STRING_EQUAL(acme->headers[0], "X-Title: Frontdesk");
    CU_ASSERT_STRING_EQUAL(acme->extra, "{\"thinking\":false}");
    CU_ASSERT_TRUE(acme->max_completion_tokens);
    CU_ASSERT_FALSE(acme->stream_usage);
    CU_ASSERT_EQUAL(acme->temperature_hundredths, 20);
    CU_ASSERT_STRING_EQUAL(cool->dialect, "anthropic");
    CU_ASSERT_STRING_EQUAL(cool->model, "cool-2");
    CU_ASSERT_STRING_EQUAL(cool->auth, "x-api-key");
    CU_ASSERT_STRING_EQUAL(secret_reveal(cool->key), SECRET "-old");
    CU_ASSERT_TRUE(cool->extra == NULL && cool->header_count == 0 && cool->stream_usage);
    CU_ASSERT_STRING_EQUAL(home->base_url, "http://10.0.0.7:1/v1");
    CU_ASSERT_PTR_NULL(home->key);
    CU_ASSERT_PTR_NULL(own->vendor);
    CU_ASSERT_STRING_EQUAL(own->dialect, "gemini");
    CU_ASSERT_STRING_EQUAL(own->auth, "x-goog-api-key");
    tenant_file_fini(&file);
    CU_ASSERT_TRUE(acme->key == NULL && cool->key == NULL);
    strbuf_fini(&problems.text);
}

/* $0.75 for a million tokens is 750 billionths for one; half a billionth is rounded up. */
static void test_prices(void)
{
    static const struct {
        const char *entry;
        int64_t in, cached, out, written;
    } cases[] = {
        {"{vendor: acme, key: env:DESK_TEST_KEY}", 750, 38, 12000, 938},
        {"{vendor: acme, key: env:DESK_TEST_KEY, model: acme-2}", 1, -1, 1, 0},
        {"{vendor: acme, key: env:DESK_TEST_KEY, model: acme-3}", -1, -1, -1, 0},
        {"{vendor: acme, key: env:DESK_TEST_KEY, base_url: \"https://proxy\"}", 750, 38, 12000,
         938},
        {"{model: acme-1, base_url: \"https://api.acme.example/v1\"}", -1, -1, -1, 0},
        {"{model: m, base_url: \"https://a\", price: {input: 0.75, output: 4.5, cached: 0.0375}}",
         750, 38, 4500, 0},
        {"{model: m, base_url: \"https://a\", price: {input: 0, output: 0}}", 0, -1, 0, 0},
        {"{vendor: acme, key: env:DESK_TEST_KEY, price: {input: 1, output: 2}}", 1000, -1, 2000, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct tenant_file file;
        read_text(&problems, with_chain(arena_printf(arena, "    - %s\n", cases[i].entry)), &file);
        CU_ASSERT_STRING_EQUAL(problems.text.data, "");
        CU_ASSERT_EQUAL(file.models[0].price_in, cases[i].in);
        CU_ASSERT_EQUAL(file.models[0].price_cached, cases[i].cached);
        CU_ASSERT_EQUAL(file.models[0].price_written, cases[i].written);
        CU_ASSERT_EQUAL(file.models[0].price_out, cases[i].out);
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* Dollars beside a model that costs nothing are never reached: refused, unless tokens bound it. */
static void test_prices_of_a_budget(void)
{
    static const struct {
        const char *entries, *budgets;
        const char *said; /* NULL: nothing */
    } cases[] = {
        {"    - {vendor: acme, key: env:DESK_TEST_KEY}\n", "month: {dollars: 5}", NULL},
        {"    - {model: m, base_url: \"https://a\", price: {input: 0, output: 0}}\n",
         "month: {dollars: 5}", NULL},
        {"    - {model: m, base_url: \"https://a\"}\n", "month: {dollars: 5, tokens: 9}", NULL},
        {"    - {model: m, base_url: \"https://a\"}\n", "month: {tokens: 9}", NULL},
        {"    - {model: m, base_url: \"https://a\"}\n", "month: {dollars: 5}",
         ":13: dollars: the model m (line 8) has no price, so that it would never reach them; give "
         "it price: {input: ..., output: ...} or a vendor: whose file has one, or add tokens: to "
         "the month\n"},
        {"    - {vendor: acme, key: env:DESK_TEST_KEY}\n"
         "    - {vendor: acme, key: env:DESK_TEST_KEY, model: alias}\n",
         "day: {dollars: 5}\n  month: {tokens: 9}",
         ":14: dollars: the model alias (line 9) has no price"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct tenant_file file;
        read_text(&problems,
                  arena_printf(arena, "%sbudgets:\n  %s\n", with_chain(cases[i].entries),
                               cases[i].budgets),
                  &file);
        const char *said = cases[i].said != NULL ? cases[i].said : "";
        CU_ASSERT_EQUAL(problems.count, cases[i].said != NULL);
        CU_ASSERT_PTR_NOT_NULL(strstr(problems.text.data, said));
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* What the tenant says goes before what the vendor's file says. */
static void test_vendor_overridden(void)
{
    struct problems problems;
    struct tenant_file file;
    read_text(&problems,
              with_chain("    - vendor: acme\n      key: env:DESK_TEST_KEY\n"
                         "      max_completion_tokens: false\n      base_url: https://eu.acme/v1\n"
                         "      dialect: openai\n      model: acme-9\n"
                         "    - vendor: acme\n      key: env:DESK_TEST_KEY\n"
                         "      dialect: anthropic\n      base_url: https://acme/anthropic\n"),
              &file);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    CU_ASSERT_EQUAL_FATAL(file.model_count, 2);
    CU_ASSERT_FALSE(file.models[0].max_completion_tokens);
    CU_ASSERT_STRING_EQUAL(file.models[0].base_url, "https://eu.acme/v1");
    CU_ASSERT_STRING_EQUAL(file.models[0].model, "acme-9");
    CU_ASSERT_PTR_NOT_NULL(file.models[0].extra);
    /* The file is about the vendor's other endpoint. */
    CU_ASSERT_STRING_EQUAL(file.models[1].auth, "x-api-key");
    CU_ASSERT_STRING_EQUAL(file.models[1].model, "acme-1");
    CU_ASSERT_TRUE(file.models[1].extra == NULL && file.models[1].header_count == 0);
    CU_ASSERT_FALSE(file.models[1].max_completion_tokens);
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

/* Limits are the account's: the vendor's file has them for all of its endpoints, the entry's stand
 * above them, and who names no vendor has none but its own. */
static void test_limits(void)
{
    static const struct {
        const char *entry;
        int64_t requests, tokens, concurrent;
    } cases[] = {
        {"{vendor: acme, key: env:DESK_TEST_KEY}", 60, 30000, 8},
        {"{vendor: acme, key: env:DESK_TEST_KEY, tokens_per_minute: 500}", 60, 500, 8},
        {"{vendor: acme, key: env:DESK_TEST_KEY, requests_per_minute: 5}", 5, 30000, 8},
        {"{vendor: acme, key: env:DESK_TEST_KEY, concurrent: 2}", 60, 30000, 2},
        {"{vendor: acme, key: env:DESK_TEST_KEY, dialect: gemini, base_url: \"https://a\"}", 60,
         30000, 8},
        {"{vendor: home, model: m}", 0, 0, 0},
        {"{base_url: \"https://a\", model: m, requests_per_minute: 7}", 7, 0, 0},
        {"{base_url: \"https://a\", model: m, concurrent: 3}", 0, 0, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct tenant_file file;
        read_text(&problems, with_chain(arena_printf(arena, "    - %s\n", cases[i].entry)), &file);
        CU_ASSERT_STRING_EQUAL(problems.text.data, "");
        CU_ASSERT_EQUAL(file.models[0].requests_per_minute, cases[i].requests);
        CU_ASSERT_EQUAL(file.models[0].tokens_per_minute, cases[i].tokens);
        CU_ASSERT_EQUAL(file.models[0].concurrent, cases[i].concurrent);
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* The entry's, else the model's of the vendor's list, else the vendor's. */
static void test_windows(void)
{
    static const struct {
        const char *entry;
        int64_t window;
    } cases[] = {
        {"{vendor: home, model: m}", 4096},
        {"{vendor: home, model: m, window: 32000}", 32000},
        {"{vendor: acme, key: env:DESK_TEST_KEY}", 128000},
        {"{vendor: acme, key: env:DESK_TEST_KEY, model: acme-2}", 0},
        {"{base_url: \"https://a\", model: m}", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct tenant_file file;
        read_text(&problems, with_chain(arena_printf(arena, "    - %s\n", cases[i].entry)), &file);
        CU_ASSERT_STRING_EQUAL(problems.text.data, "");
        CU_ASSERT_EQUAL(file.models[0].window, cases[i].window);
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* What ties an entry to its vendor. The entry stands on line 8. */
static const struct {
    const char *entry;
    const char *what; /* what is wrong */
    const char *mend; /* how to mend it */
} mistakes[] = {
    {"vendor: acm, key: env:DESK_TEST_KEY", "\"acm\" is not known; did you mean acme?",
     "Known are acme, cool-ai, home, open"},
    {"vendor: nobody", "\"nobody\" is not known",
     "write one of acme, cool-ai, home, open, or add its file"},
    {"vendor: Acme", "vendor: \"Acme\"", "small letters"},
    {"vendor: [acme]", "vendor: must be one value", "not a list"},
    {"base_url: \"https://a\"", "a model needs model:", "add it, or name a vendor:"},
    {"model: a", "a model needs base_url:", "add it, or name a vendor:"},
    {"vendor: acme", "vendor acme needs a key", "add key: env:ACME_API_KEY"},
    {"vendor: cool-ai", "vendor cool-ai needs a key", "add key: env:COOL_AI_API_KEY"},
    {"vendor: open, key: env:DESK_TEST_KEY", "key: vendor open takes none", "remove it"},
    {"vendor: cool-ai, key: env:DESK_TEST_KEY, temperature: 0.3",
     "temperature: vendor cool-ai takes none", "remove the line"},
    {"vendor: home", "a model needs model:", "the file of vendor home names none"},
    {"vendor: acme, key: env:DESK_TEST_KEY, dialect: gemini", "is about its openai endpoint",
     "add the base_url:"},
    {"vendor: acme, key: env:DESK_TEST_KEY, base_url: \"http://api.example.com\"", "unencrypted",
     "use https://"},
    {"vendor: acme, key: env:DESK_TEST_KEY, requests_per_minute: 0", "\"0\"", "1 to 1000000000"},
    {"vendor: acme, key: env:DESK_TEST_KEY, tokens_per_minute: many", "\"many\"", "whole number"},
    {"vendor: acme, key: env:DESK_TEST_KEY, price: {input: 1}", "price needs output:", "add it"},
    {"vendor: acme, key: env:DESK_TEST_KEY, price: {input: 1, output: -2}", "output: \"-2\"",
     "at most four decimal places"},
    {"vendor: acme, key: env:DESK_TEST_KEY, concurrent: 0", "\"0\"", "1 to 100000"},
    {"vendor: acme, key: env:DESK_TEST_KEY, total: 1s", "shorter than first_token", "longer"},
    {"vendor: acme, key: env:DESK_TEST_KEY, race_after: 8s", "not within first_token", "0ms"},
};

static void test_mistakes(void)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct problems problems;
        struct tenant_file file;
        read_text(&problems, with_chain(arena_printf(arena, "    - {%s}\n", mistakes[i].entry)),
                  &file);
        bool named = says(problems.text.data, mistakes[i].what, mistakes[i].mend);
        if (!named)
            fprintf(stderr, "\n  %s: wanted ..%s..%s\n    said %s", mistakes[i].entry,
                    mistakes[i].what, mistakes[i].mend, problems.text.data);
        CU_ASSERT_TRUE(named);
        CU_ASSERT_EQUAL(problems.count, 1);
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* The vendor's own address counts as the tenant's would. */
static void test_vendor_without_encryption(void)
{
    struct problems problems;
    struct tenant_file file;
    vendor_items[2].base_url = "http://models.example.com/v1";
    read_text(&problems, with_chain("    - {vendor: home, model: m, key: env:DESK_TEST_KEY}\n"),
              &file);
    CU_ASSERT_TRUE(says(problems.text.data, "unencrypted", "use https://"));
    vendor_items[2].base_url = "http://localhost:8080/v1";
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

/* Without the folder, files that name no vendor are as good as ever. */
static void test_no_vendors(void)
{
    static const struct {
        const char *entry, *said;
    } cases[] = {{"    - {base_url: \"https://a\", model: m}\n", ""},
                 {"    - {vendor: acme}\n", "no file of a vendor was found"}};
    const char *paths[] = {path};
    for (size_t i = 0; i < 2; i++) {
        struct problems problems;
        struct tenant_file file;
        const char *text = with_chain(cases[i].entry);
        write_text(text);
        problems_init(&problems, arena, "");
        tenant_file_read(&problems, &no_vendors, paths, 1, &file);
        CU_ASSERT_EQUAL(problems.count, i);
        CU_ASSERT_PTR_NOT_NULL(strstr(problems.text.data, cases[i].said));
        CU_ASSERT_TRUE(i == 0 || says(problems.text.data, cases[i].said, "--vendors_dir=DIR"));
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_file_model", NULL, NULL);
    CU_add_test(suite, "chain", test_chain);
    CU_add_test(suite, "prices", test_prices);
    CU_add_test(suite, "prices of a budget", test_prices_of_a_budget);
    CU_add_test(suite, "limits", test_limits);
    CU_add_test(suite, "vendor overridden", test_vendor_overridden);
    CU_add_test(suite, "mistakes", test_mistakes);
    CU_add_test(suite, "vendor without encryption", test_vendor_without_encryption);
    CU_add_test(suite, "no vendors", test_no_vendors);
    snprintf(path, sizeof path, "/tmp/desk-chain-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    setenv("DESK_TEST_OLD", SECRET "-old", 1);
    setenv("DESK_TEST_KEY", SECRET "-key", 1);
    arena = arena_new();
    CU_add_test(suite, "windows", test_windows);
    CU_basic_run_tests();
    unlink(path);
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
