/* Unit tests of who answers which number. */
#include "answering.h"

#include <CUnit/Basic.h>
#include <string.h>

#define MINE   "0192f0c1-0000-7000-8000-000000000001"
#define THEIRS "0192f0c1-0000-7000-8000-000000000002"
#define NUMBER "+15550100001"

static void test_the_last_start_counts(void)
{
    struct answering *answering = answering_new();
    CU_ASSERT_PTR_NULL(answering_look(answering, MINE, NUMBER));
    answering_note(answering, MINE, NUMBER,
                   &(struct turn_started){.assistant = THEIRS, .assistant_version = 1});
    answering_note(
        answering, MINE, NUMBER,
        &(struct turn_started){.assistant = MINE, .assistant_version = 2, .has_knowledge = true});
    const struct answering_version *known = answering_look(answering, MINE, NUMBER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(known);
    CU_ASSERT_STRING_EQUAL(known->assistant, MINE);
    CU_ASSERT_EQUAL(known->version, 2);
    CU_ASSERT_TRUE(known->has_knowledge);
    CU_ASSERT_PTR_NULL(answering_look(answering, MINE, "+15550100002"));
    CU_ASSERT_PTR_NULL(answering_look(answering, THEIRS, NUMBER));
    answering_free(&answering);
    CU_ASSERT_PTR_NULL(answering);
    answering_free(&answering);
}

/* A number that does not fit is nobody's, and not another one cut short. */
static void test_a_hostile_number(void)
{
    char longer[300];
    memset(longer, '1', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct answering *answering = answering_new();
    answering_note(answering, MINE, longer, &(struct turn_started){.assistant = MINE});
    CU_ASSERT_PTR_NULL(answering_look(answering, MINE, longer));
    longer[200] = '\0';
    CU_ASSERT_PTR_NULL(answering_look(answering, MINE, longer));
    answering_free(&answering);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("answering", NULL, NULL);
    CU_add_test(suite, "the last start counts", test_the_last_start_counts);
    CU_add_test(suite, "a hostile number", test_a_hostile_number);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
