/* Unit tests of reading a record's headers. */
#include <CUnit/Basic.h>
#include <string.h>

#include "bus/bus.h"

static void add(struct bus_record *record, const char *name, const char *value, size_t length)
{
    record->headers[record->header_count++] = (struct bus_header){name, value, length};
}

static void test_header_text(void)
{
    static const struct {
        const char *name, *expected;
    } cases[] = {
        {"ce_id", "SM1"},                       /* once */
        {"tenant", NULL},                       /* twice: nobody can say which one counts */
        {"traceparent", NULL},                  /* a NUL inside */
        {"empty", ""},                          /* there, but empty */
        {"null", NULL},                         /* Kafka's null value */
        {"absent", NULL},      {"CE_ID", NULL}, /* names are case-sensitive */
    };
    struct bus_record record = {.topic = "t"};
    add(&record, "ce_id", "SM1 and what follows", 3);
    add(&record, "tenant", "a", 1);
    add(&record, "tenant", "a", 1);
    add(&record, "traceparent", "a\0b", 3);
    add(&record, "empty", "", 0);
    add(&record, "null", NULL, 0);
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = bus_header_text(&record, arena, cases[i].name);
        bool absent = cases[i].expected == NULL;
        CU_ASSERT_EQUAL(text == NULL, absent);
        CU_ASSERT_TRUE(absent || (text != NULL && strcmp(text, cases[i].expected) == 0));
    }
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("record", NULL, NULL);
    CU_add_test(suite, "header text", test_header_text);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
