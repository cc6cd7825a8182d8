/* Unit tests of the sections' part of a plan, and of the way back to an older version. */
#include "plan_rig.h"

#include "base/text.h"
#include "store/credential.h"

static const char **section(const char *name)
{
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        if (strcmp(tenant_sections[i].name, name) == 0)
            return &file.sections[i];
    CU_FAIL_FATAL("no such section");
    return NULL;
}

/* A file without sections makes the config that it always made. */
static void test_no_sections(void)
{
    set_up();
    secret_free(&file.models[0].key);
    struct tenant_row row = first();
    CU_ASSERT_STRING_EQUAL(
        row.config,
        "{\"persona\":\"p\",\"facts\":\"f\\n\\\"x\\\"\",\"tone\":\"\",\"language\":\"en\","
        "\"fallback\":\"fb\",\"degraded\":\"dg\",\"models\":[{\"dialect\":\"openai\","
        "\"base_url\":\"https://a/v1\",\"model\":\"m\",\"auth\":\"bearer\",\"temperature\":0.30,"
        "\"max_tokens\":300,\"max_completion_tokens\":false,\"first_token_ms\":8000,"
        "\"total_ms\":25000}]}");
    tear_down();
}

static void test_sections(void)
{
    struct tenant_plan plan;
    set_up();
    secret_free(&file.models[0].key);
    struct tenant_row before = first();
    *section("hours") = "{\"mon\":[[\"08:00\",\"17:00\"]]}";
    *section("tools") = "[\"escalate\"]";
    second(&before, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_ADD, "hours", "mon"));
    CU_ASSERT_TRUE(has(&plan, TENANT_ADD, "tools", ""));
    CU_ASSERT_EQUAL(plan.change_count, 2);
    CU_ASSERT_TRUE(plan.assistant_changed);
    CU_ASSERT_FALSE(plan.tenant_changed);
    CU_ASSERT_EQUAL(plan.row.version, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(plan.row.config, ",\"hours\":{\"mon\":[[\"08:00\",\"17:00\"]]},"
                                                   "\"tools\":[\"escalate\"]}"));
    struct tenant_row row = stored(&plan);
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    CU_ASSERT_FALSE(plan.assistant_changed);
    *section("hours") = NULL;
    second(&row, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_REMOVE, "hours", "mon"));
    CU_ASSERT_EQUAL(plan.change_count, 1);
    tear_down();
}

#define TOOL(name, url)                                                                            \
    "{\"name\":\"" name "\",\"url\":\"" url "\",\"timeout_ms\":1000,\"changes\":false,"            \
    "\"parameters\":{\"type\":\"object\",\"maximum\":1.5}}"

/* Whether a tool's stored key opens to the secret. */
static bool key_opens(const struct tenant_row *row, const char *tool, const char *secret)
{
    struct json *config = NULL;
    struct secret *opened = NULL;
    struct strbuf bytes;
    struct err err;
    bool same = false;
    CU_ASSERT_EQUAL_FATAL(json_parse(row->config, strlen(row->config), &config, &err), 0);
    const struct json *entry = json_first(json_member(config, "http_tools"));
    while (entry != NULL && strcmp(json_member_text(entry, "name"), tool) != 0)
        entry = json_next(entry);
    const char *wrapped = json_member_text(entry, "key_wrapped");
    const char *context = credential_model_context(arena, &row->id, &row->assistant);
    strbuf_init(&bytes, 65536);
    if (wrapped != NULL && text_decode_base64(wrapped, strlen(wrapped), &bytes) &&
        crypto_unwrap((const struct secret *const *)&credentials, 1, context, bytes.data,
                      bytes.length, &opened, &err) == 0)
        same = strcmp(secret_reveal(opened), secret) == 0;
    secret_free(&opened);
    strbuf_fini(&bytes);
    json_free(&config);
    return same;
}

/* Secrets of tools are wrapped like models' keys, and follow their tool by its name. */
static void test_tool_secrets(void)
{
    struct tenant_plan plan;
    set_up();
    secret_free(&file.models[0].key);
    *section("http_tools") = "[" TOOL("a", "u") "," TOOL("b", "u") "]";
    file.tool_secrets[1] = text_secret("secret-b");
    file.tool_count = 2;
    struct tenant_row row = first();
    CU_ASSERT_PTR_NULL(strstr(row.config, "secret-b"));
    CU_ASSERT_PTR_NOT_NULL(strstr(row.config, "\"http_tools\":[" TOOL("a", "u") ",{"));
    CU_ASSERT_TRUE(key_opens(&row, "b", "secret-b"));
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    /* another place: only the order changed */
    *section("http_tools") = "[" TOOL("b", "u") "," TOOL("a", "u") "]";
    file.tool_secrets[0] = file.tool_secrets[1];
    file.tool_secrets[1] = NULL;
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "http_tools", "order"));
    CU_ASSERT_TRUE(key_opens(&plan.row, "b", "secret-b"));
    /* another secret */
    secret_free(&file.tool_secrets[0]);
    file.tool_secrets[0] = text_secret("secret-c");
    row = stored(&plan);
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "http_tools", "b key"));
    CU_ASSERT_STRING_EQUAL(plan.changes[0].after, "(secret)");
    CU_ASSERT_TRUE(key_opens(&plan.row, "b", "secret-c"));
    /* none */
    secret_free(&file.tool_secrets[0]);
    row = stored(&plan);
    second(&row, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_REMOVE, "http_tools", "b key"));
    CU_ASSERT_PTR_NULL(strstr(plan.row.config, "key_wrapped"));
    tear_down();
}

/* ---- the way back ---- */

static void test_rollback(void)
{
    struct tenant_plan plan;
    struct tenant_changes changes = {.arena = arena};
    set_up();
    *section("services") = "[{\"name\":\"Filling\",\"duration_min\":60}]";
    struct tenant_row row = first();
    const char *old = row.config;
    file.display_name = "B";
    *section("services") = "[{\"name\":\"Filling\",\"duration_min\":45}]";
    second(&row, &plan);
    struct tenant_row newer = stored(&plan);
    tenant_plan_rollback(arena, &newer, old, &plan);
    CU_ASSERT_EQUAL_FATAL(plan.change_count, 1);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "services", "Filling duration"));
    CU_ASSERT_STRING_EQUAL(plan.changes[0].before, "45 min");
    CU_ASSERT_STRING_EQUAL(plan.changes[0].after, "60 min");
    CU_ASSERT_EQUAL(plan.row.version, 3);
    CU_ASSERT_STRING_EQUAL(plan.row.config, old);
    CU_ASSERT_STRING_EQUAL(plan.row.display_name, "B"); /* no part of a version */
    CU_ASSERT_TRUE(plan.assistant_changed);
    CU_ASSERT_FALSE(plan.tenant_changed);
    CU_ASSERT_EQUAL(plan.channel_count, 0);
    /* back to the same is nothing */
    row = newer;
    row.config = plan.row.config;
    tenant_plan_rollback(arena, &row, old, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    CU_ASSERT_FALSE(plan.assistant_changed);
    tenant_plan_compare(&changes, old, newer.config);
    CU_ASSERT_STRING_EQUAL(tenant_changes_line(&changes, 80), "~ services Filling duration");
    tear_down();
}

/* Keys of an older version may be wrapped for a key that is gone. */
static void test_closed_keys(void)
{
    set_up();
    *section("http_tools") = "[" TOOL("a", "u") "," TOOL("b", "u") "]";
    file.tool_secrets[1] = text_secret("secret-b");
    file.tool_count = 2;
    struct tenant_row row = first();
    CU_ASSERT_EQUAL(tenant_plan_count_closed(arena, &row, credentials), 0);
    CU_ASSERT_EQUAL(tenant_plan_count_closed(arena, &row, other_credentials), 2);
    row.config = "{\"models\":[{\"key_wrapped\":\"?\"},{}]}";
    CU_ASSERT_EQUAL(tenant_plan_count_closed(arena, &row, credentials), 1);
    tear_down();
}

/* A version's file that is applied again after a way back goes forward again. */
static void test_apply_after_rollback(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    const char *old = row.config;
    file.persona = "q";
    second(&row, &plan);
    row = stored(&plan);
    tenant_plan_rollback(arena, &row, old, &plan);
    row.config = plan.row.config;
    row.version = plan.row.version;
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "persona"));
    CU_ASSERT_EQUAL(plan.row.version, 4);
    tear_down();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_plan_sections", NULL, NULL);
    CU_add_test(suite, "no sections", test_no_sections);
    CU_add_test(suite, "sections", test_sections);
    CU_add_test(suite, "tool secrets", test_tool_secrets);
    CU_add_test(suite, "rollback", test_rollback);
    CU_add_test(suite, "closed keys", test_closed_keys);
    CU_add_test(suite, "apply after rollback", test_apply_after_rollback);
    return rig_run();
}
