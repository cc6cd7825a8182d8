/* Unit tests of the statements on versions, as frontdesk_ops against a real PostgreSQL: the newest
 * first, at most as many as asked for, and never another tenant's. */
#include "store/tenant_version.h"

#include "unit/common/store/schema.h"

#include "store/schema.h"

static struct pg_session *session;
static struct arena *arena;
static struct tenant_row rows[2];

/* Two tenants; the first has three versions, the second one. */
static bool seed(void)
{
    static const char *const configs[] = {"{\"a\": 1}", "{\"a\": 2}", "{\"a\": 3}"};
    struct err err;
    bool good = schema_begin_as_ops(session, &err) == 0;
    for (size_t i = 0; i < 2; i++) {
        rows[i] = (struct tenant_row){.id = uuid_new(),
                                      .name = i == 0 ? "first" : "second",
                                      .display_name = "A",
                                      .timezone = "UTC",
                                      .language = "en",
                                      .settings = "{}",
                                      .assistant = uuid_new()};
        good = good && tenant_put(session, &rows[i], &err) == 0;
        for (size_t version = 0; version < (i == 0 ? 3 : 1); version++) {
            rows[i].version++;
            rows[i].config = configs[version];
            good = good && tenant_put_assistant(session, &rows[i], "deskctl:ops", &err) == 0;
        }
    }
    if (!good)
        fprintf(stderr, "%s: %s\n", err.code, err.message);
    return good;
}

static int start(void)
{
    struct err err;
    arena = arena_new();
    return open_server() == 0 && pg_session_open(rig_server.url, "deskctl", &session, &err) == 0 &&
                   seed()
               ? 0
               : 1;
}

static int end(void)
{
    pg_session_close(&session);
    rig_end_server();
    arena_free(&arena);
    return 0;
}

static void test_list(void)
{
    struct tenant_versions versions = {NULL, 0};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(tenant_version_list(session, arena, &rows[0], 10, &versions, &err), 0);
    CU_ASSERT_EQUAL_FATAL(versions.count, 3);
    CU_ASSERT_EQUAL(versions.items[0].version, 3);
    CU_ASSERT_STRING_EQUAL(versions.items[0].config, "{\"a\": 3}");
    CU_ASSERT_STRING_EQUAL(versions.items[0].created_by, "deskctl:ops");
    CU_ASSERT_EQUAL(strlen(versions.items[0].created_at), strlen("2026-09-23T12:00:00Z"));
    CU_ASSERT_EQUAL(versions.items[2].version, 1);
    CU_ASSERT_EQUAL(tenant_version_list(session, arena, &rows[0], 2, &versions, &err), 0);
    CU_ASSERT_EQUAL_FATAL(versions.count, 2);
    CU_ASSERT_EQUAL(versions.items[1].version, 2);
    CU_ASSERT_EQUAL(tenant_version_list(session, arena, &rows[1], 10, &versions, &err), 0);
    CU_ASSERT_EQUAL_FATAL(versions.count, 1);
    CU_ASSERT_STRING_EQUAL(versions.items[0].config, "{\"a\": 1}");
}

/* An assistant's id is nothing without its tenant's. */
static void test_other_tenant(void)
{
    struct tenant_versions versions = {NULL, 7};
    struct tenant_row mixed = rows[0];
    struct err err;
    mixed.id = rows[1].id;
    CU_ASSERT_EQUAL(tenant_version_list(session, arena, &mixed, 10, &versions, &err), 0);
    CU_ASSERT_EQUAL(versions.count, 0);
    CU_ASSERT_EQUAL(tenant_version_find(session, arena, &mixed, 1, &versions, &err), 0);
    CU_ASSERT_EQUAL(versions.count, 0);
    mixed.assistant = (struct uuid){{0}};
    CU_ASSERT_EQUAL(tenant_version_list(session, arena, &mixed, 10, &versions, &err), 0);
    CU_ASSERT_EQUAL(versions.count, 0);
}

static void test_find(void)
{
    struct tenant_versions versions = {NULL, 0};
    struct err err;
    CU_ASSERT_EQUAL(tenant_version_find(session, arena, &rows[0], 2, &versions, &err), 0);
    CU_ASSERT_EQUAL_FATAL(versions.count, 1);
    CU_ASSERT_EQUAL(versions.items[0].version, 2);
    CU_ASSERT_STRING_EQUAL(versions.items[0].config, "{\"a\": 2}");
    CU_ASSERT_EQUAL(tenant_version_find(session, arena, &rows[0], 4, &versions, &err), 0);
    CU_ASSERT_EQUAL(versions.count, 0);
    CU_ASSERT_EQUAL(tenant_version_find(session, arena, &rows[0], 0, &versions, &err), 0);
    CU_ASSERT_EQUAL(versions.count, 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_version", start, end);
    CU_add_test(suite, "list", test_list);
    CU_add_test(suite, "other tenant", test_other_tenant);
    CU_add_test(suite, "find", test_find);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
