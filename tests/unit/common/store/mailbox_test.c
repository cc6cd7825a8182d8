/* Unit tests of what mailboxes' statements ask for, without a server. */
#include "store/mailbox.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static struct pg_unit kept(struct arena *arena, const char *bytes, size_t length)
{
    struct pg_unit unit = {0};
    const struct uuid tenant = uuid_new();
    attachment_add(&unit, arena, &tenant,
                   &(struct attachment){.event_id = "e",
                                        .number = 1,
                                        .kind = "file",
                                        .name = "a",
                                        .type = "image/png",
                                        .bytes = bytes,
                                        .length = length});
    return unit;
}

/* The unit's time, and the server's for its statements, which would end it sooner. */
static void test_a_large_attachment_has_time(void)
{
    static const struct {
        size_t length;
        int64_t least_ms, most_ms;
    } cases[] = {
        {0, 15000, 30000},
        {1024 * 1024, 25000, 40000},
        {25 * 1024 * 1024, 150000, 300000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new();
        char *bytes = calloc(1, cases[i].length + 1);
        struct pg_unit unit = kept(arena, bytes, cases[i].length);
        CU_ASSERT_TRUE(unit.deadline_ms >= cases[i].least_ms);
        CU_ASSERT_TRUE(unit.deadline_ms <= cases[i].most_ms);
        CU_ASSERT_EQUAL_FATAL(unit.count, 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(unit.statements[0].sql, "statement_timeout"));
        CU_ASSERT_EQUAL(strtoll(unit.statements[0].params[0], NULL, 10), unit.deadline_ms);
        free(bytes);
        arena_free(&arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("store/mailbox", NULL, NULL);
    CU_add_test(suite, "a large attachment has time", test_a_large_attachment_has_time);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
