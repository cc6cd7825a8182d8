/* Unit tests of the sections' part of a plan. */
#include "plan_rig.h"

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

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_plan_sections", NULL, NULL);
    CU_add_test(suite, "no sections", test_no_sections);
    CU_add_test(suite, "sections", test_sections);
    return rig_run();
}
