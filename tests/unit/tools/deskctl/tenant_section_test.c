/* Unit tests of sections as a whole: the example businesses are read without a problem and make
 * JSON that is read back as the same; a file without sections has none; broken files are only
 * refused. */
#include "section_rig.h"

static const char *const examples[] = {"deploy/tenants/dental.yaml", "deploy/tenants/garage.yaml",
                                       "deploy/tenants/medspa.yaml", "deploy/tenants/shop.yaml"};
static const char *const secrets[] = {"TWILIO_AUTH_TOKEN", "GARAGE_TWILIO_AUTH_TOKEN",
                                      "MEDSPA_TWILIO_AUTH_TOKEN", "SHOP_TWILIO_AUTH_TOKEN",
                                      "OPENAI_API_KEY"};

#define EXAMPLES (sizeof examples / sizeof examples[0])

static void test_examples(void)
{
    struct problems problems;
    struct tenant_file files[EXAMPLES];
    struct vendors vendors;
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        setenv(secrets[i], "token-1", 1);
    problems_init(&problems, rig_arena, "");
    vendor_file_read(&problems, "deploy/vendors", &vendors);
    tenant_file_read(&problems, &vendors, examples, EXAMPLES, files);
    CU_ASSERT_STRING_EQUAL(problems.text.length > 0 ? problems.text.data : "", "");
    for (size_t i = 0; i < EXAMPLES; i++) {
        CU_ASSERT_STRING_NOT_EQUAL(rig_json(&files[i], "hours"), "(absent)");
        CU_ASSERT_STRING_NOT_EQUAL(rig_json(&files[i], "escalation"), "(absent)");
        bool books = strstr(rig_json(&files[i], "tools"), "\"book\"") != NULL;
        CU_ASSERT_EQUAL(books, strcmp(rig_json(&files[i], "services"), "(absent)") != 0);
        for (size_t m = 0; m < files[i].model_count; m++) /* else nothing of it has a cost */
            CU_ASSERT(files[i].models[m].price_in > 0 && files[i].models[m].price_out > 0);
        tenant_file_fini(&files[i]);
    }
    strbuf_fini(&problems.text);
}

/* The example of the page that explains the file. */
static void test_document(void)
{
    static char page[64 * 1024];
    struct problems problems;
    struct tenant_file file;
    FILE *in = fopen("docs/TENANT_FILE.md", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    page[fread(page, 1, sizeof page - 1, in)] = '\0';
    fclose(in);
    char *example = strstr(page, "```yaml\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(example);
    example += strlen("```yaml\n");
    char *end = strstr(example, "```");
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    *end = '\0';
    setenv("SHOP_API_KEY", "token-1", 1);
    rig_read(example, &problems, &file);
    CU_ASSERT_STRING_EQUAL(rig_said(&problems), "");
    CU_ASSERT_EQUAL(file.tool_count, 1);
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

static const char whole[] =
    "channels: [{kind: voice, number: \"+15550100101\", auth_token: env:DESK_TEST_TOKEN, "
    "account_sid: AC000000000000000000000000000001ab}]\n"
    "greeting: \"Caf\\u00e9 \\u0001\"\nlanguages: [en-US]\nhours: {mon-sun: 00:00-24:00}\n"
    "holidays: [{day: 2026-12-25, name: X}]\nafter_hours: {say: x}\nresources: [A]\n"
    "intake: [{field: a, ask: b}]\nservices: [{name: S, duration: 1h, resources: [A]}]\n"
    "booking: {}\nintents: [{name: i, when: w, action: book, service: S}]\n"
    "escalation: {on: [anger], rota: [{name: r, sms: \"+15550100901\"}]}\ntools: [book]\n"
    "http_tools: [{name: t, description: d, url: \"http://a\", changes: true, secret: "
    "env:DESK_TEST_TOKEN, parameters: {type: object}}]\n"
    "budgets: {day: {dollars: 1}}\nknowledge: {}\nrecover: {}\n"
    "phone: {greeting: g, fillers: [f], fallback: f, record_prompt: r, still_there: s, goodbye: "
    "b}\ncalls: {tries: 2}\nreception: {words: {offer: \"Hi \\u0001 {business}\"}}\n";

/* Every section's JSON is good JSON, as PostgreSQL wants it. */
static void test_json(void)
{
    struct problems problems;
    struct tenant_file file;
    rig_read(whole, &problems, &file);
    CU_ASSERT_STRING_EQUAL(rig_said(&problems), "");
    for (size_t i = 0; i < TENANT_SECTIONS; i++) {
        struct json *document = NULL;
        struct err err;
        CU_ASSERT_PTR_NOT_NULL_FATAL(file.sections[i]);
        CU_ASSERT_EQUAL(json_parse(file.sections[i], strlen(file.sections[i]), &document, &err), 0);
        json_free(&document);
    }
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
    rig_read("", &problems, &file);
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        CU_ASSERT_PTR_NULL(file.sections[i]);
    tenant_file_fini(&file);
    strbuf_fini(&problems.text);
}

/* A section that is a scalar, a list or a block where it must not be is a problem of its line. */
static void test_wrong_kinds(void)
{
    static const char *const values[] = {"5", "\"\"", "[5]", "[[]]", "[{}]", "{a: 1}", "{a: [1]}"};
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            struct problems problems;
            struct tenant_file file;
            const char *name = tenant_sections[i].name;
            bool text = strcmp(name, "greeting") == 0 && j == 0;
            bool names = strcmp(name, "resources") == 0 && j == 2;
            rig_read(arena_printf(rig_arena, "%s: %s\n", name, values[j]), &problems, &file);
            if ((problems.count > 0) == (text || names))
                fprintf(stderr, "\n  %s: %s\n  %s", name, values[j], rig_said(&problems));
            CU_ASSERT_EQUAL(problems.count == 0, text || names);
            tenant_file_fini(&file);
            strbuf_fini(&problems.text);
        }
}

static void test_hostile(void)
{
    unsigned seed = 7;
    char copy[sizeof whole];
    for (int round = 0; round < 1500; round++) {
        struct problems problems;
        struct tenant_file file;
        memcpy(copy, whole, sizeof whole);
        for (int change = 0; change < 3; change++)
            copy[(size_t)rand_r(&seed) % (sizeof whole - 1)] = (char)(rand_r(&seed) % 127 + 1);
        rig_read(copy, &problems, &file);
        CU_ASSERT_PTR_NULL(strstr(problems.text.data != NULL ? problems.text.data : "", "token-1"));
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
        arena_reset(rig_arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_section", NULL, NULL);
    CU_add_test(suite, "examples", test_examples);
    CU_add_test(suite, "document", test_document);
    CU_add_test(suite, "json", test_json);
    CU_add_test(suite, "wrong kinds", test_wrong_kinds);
    CU_add_test(suite, "hostile", test_hostile);
    return rig_run();
}
