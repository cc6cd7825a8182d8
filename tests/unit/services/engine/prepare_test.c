/* What a commit holds that the database refused as it was. */
#include "unit/services/engine/bench.h"

#include "store/recover.h"

#include <string.h>

/* Of a turn whose commit the database will never take: what is committed in its place. */
static struct session *refused(const char *events, bool has_plain)
{
    struct session *session = bench_turn(1, events);
    session->state = TURN_COMMITTING;
    session->commit.outcome = "reply";
    CU_ASSERT_EQUAL(prepare_has_plain(session), has_plain);
    session->shape = has_plain ? COMMIT_PLAIN : COMMIT_BARE;
    CU_ASSERT_FALSE(prepare_has_plain(session));
    prepare_plain(session);
    CU_ASSERT_STRING_EQUAL(session->commit.error_code, "commit.unfit");
    return session;
}

static void a_text_gets_the_wording(void)
{
    bench_begin(2);
    const struct session *session = refused("{SM1}", true);
    CU_ASSERT_STRING_EQUAL(session->commit.outcome, "fallback");
    CU_ASSERT_STRING_EQUAL(session->commit.event_state, "answered");
    CU_ASSERT_STRING_NOT_EQUAL(session->commit.body, "");
    bench_end();
}

/* Guard: as an event that ended without a model it would be asked, and paid for, again and again.
 */
static void a_recovery_is_failed(void)
{
    bench_begin(2);
    const struct session *session = refused("{" RECOVER_EVENT "1}", false);
    CU_ASSERT_STRING_EQUAL(session->commit.outcome, "degraded");
    CU_ASSERT_STRING_EQUAL(session->commit.event_state, "failed");
    CU_ASSERT_STRING_EQUAL(session->commit.turn_state, "failed");
    CU_ASSERT_STRING_EQUAL(session->commit.body, "");
    bench_end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("prepare", NULL, NULL);
    CU_add_test(suite, "a text", a_text_gets_the_wording);
    CU_add_test(suite, "a recovery", a_recovery_is_failed);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
