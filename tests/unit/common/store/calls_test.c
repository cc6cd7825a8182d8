/* Model calls on a real PostgreSQL: whatever becomes of a turn, each call that was made has its row
 * and is counted in usage, once. */
#include "unit/common/store/usage_rig.h"

#include "store/calls.h"
#include "store/round.h"

/* Tokens and cost of the tenant's calls as rows and as counted in the month: "rows t c, counted t
 * c". */
static const char *stored_and_counted(void)
{
    return value(
        "SELECT count(*) || ' ' || coalesce(sum(tokens_in), 0) || ' ' || coalesce(sum(cost),"
        " 0) || ', ' || coalesce((SELECT tokens || ' ' || cost FROM usage"
        " WHERE tenant_id = '" TENANT "' AND period = 'month'), '0 0')"
        " FROM llm_calls WHERE tenant_id = '" TENANT "'");
}

/* What a takeover does to the session and its turn (store/conversation.c). */
static const char takeover_sql[] =
    "UPDATE conversations SET epoch = epoch + 1, held_by = 'staff';"
    "UPDATE channel_sessions SET worker = NULL, due_at = NULL; UPDATE turns SET worker = NULL";

/* The model had answered when somebody took the conversation: its commit finds the session gone. */
static void a_takeover_before_the_commit(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60);
    run(takeover_sql);
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_REFUSED_LOST);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_REFUSED_LOST);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    end_test();
}

/* The answer to a refused commit was lost, and its own worker has adopted the session before the
 * commit is sent again. */
static void a_refusal_that_comes_twice(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60);
    run("UPDATE conversations SET epoch = 2");
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_REFUSED_EPOCH);
    run("UPDATE channel_sessions SET worker = '" WORKER_A "'");
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_REFUSED_EPOCH);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    end_test();
}

/* A newer text refuses the commit; what the turn has used by then is not counted with the next one
 * again. */
static void a_recompute(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60);
    run("UPDATE channel_sessions SET claimed = 2");
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_REFUSED_NEWER);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    struct turn_commit next = commit_number(TENANT, 1, 7);
    next.claimed = 2;
    CU_ASSERT_EQUAL(commit(WORKER_A, &next).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "2 67 3000, 67 3000");
    end_test();
}

static void store_left(const struct turn_commit *commit)
{
    struct pg_unit unit = {.count = 0};
    struct outcome out;
    const struct calls_of_turn left = {commit->tenant, commit->turn, commit->calls,
                                       commit->call_count};
    calls_add_left(&unit, arena, &left, 1);
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
}

/* The session was dropped before there was a commit: the worker that made the calls stores them,
 * however often it has to ask, and whoever has the turn by now. */
static void calls_that_no_commit_takes(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60);
    run(takeover_sql);
    store_left(&one);
    store_left(&one);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_REFUSED_LOST);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM usage WHERE segments > 0"), "0");
    end_test();
}

/* The other order: the commit's answer was lost, and its worker takes it for undone. */
static void calls_that_a_commit_took_already(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60);
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_COMMITTED);
    store_left(&one);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    end_test();
}

/* ---- calls that come with a round ---- */

/* Stores the round of turn `n` that the commit's calls have led to. */
static void store_round(const char *worker, int n, int64_t number, const struct turn_commit *commit)
{
    struct pg_unit unit = {.deadline_ms = PATIENCE_MS};
    struct outcome out;
    const struct round_call call = {id_of(10 + (int)number, n), "p-1", "book", "{}", NULL};
    const struct round round = {.of = {.tenant = TENANT,
                                       .session = id_of(1, n),
                                       .conversation = id_of(5, n),
                                       .turn = id_of(6, n),
                                       .fence = 1,
                                       .claimed = 1},
                                .number = number,
                                .said = "",
                                .calls = &call,
                                .call_count = 1,
                                .asked = commit->calls,
                                .asked_count = commit->call_count};
    round_add_store(&unit, arena, worker, &round, 1);
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
}

/* They are there before the turn's end, once, and the commit counts only its own. */
static void calls_of_rounds(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60), two = commit_number(TENANT, 1, 7),
                             last = commit_number(TENANT, 1, 100);
    store_round(WORKER_A, 1, 1, &one);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    store_round(WORKER_A, 1, 1, &one); /* the answer was lost */
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    store_round(WORKER_A, 1, 2, &two);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "2 67 3000, 67 3000");
    CU_ASSERT_EQUAL(commit(WORKER_A, &last).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "3 167 4500, 167 4500");
    store_left(&two); /* whoever takes it for not stored */
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "3 167 4500, 167 4500");
    end_test();
}

/* What is counted is not reserved as well. */
static void a_round_takes_off_the_reservation(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60),
                             two = commit_number(TENANT, 1, 500);
    CU_ASSERT_EQUAL(reserve_one(1, 300, 1000), USAGE_RESERVED);
    store_round(WORKER_A, 1, 1, &one);
    store_round(WORKER_A, 1, 1, &one);
    CU_ASSERT_STRING_EQUAL(reserved(), "1 240");
    CU_ASSERT_STRING_EQUAL(value("SELECT reserved_cost FROM turns WHERE reserved_day IS NOT NULL"),
                           "1500");
    store_round(WORKER_A, 1, 2, &two); /* more than it thought */
    CU_ASSERT_STRING_EQUAL(reserved(), "1 0");
    CU_ASSERT_STRING_EQUAL(spent(), "560 3000 0 true");
    end_test();
}

/* A round that is refused was paid for all the same; what its next worker reserved is its own. */
static void a_round_that_comes_too_late(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 60), two = commit_number(TENANT, 2, 7);
    CU_ASSERT_EQUAL(reserve_one(1, 300, 1000), USAGE_RESERVED);
    run("UPDATE channel_sessions SET worker = '" WORKER_B "', fence = 2 WHERE id ="
        " '01000000-0000-0000-0000-000000000001';"
        "UPDATE turns SET worker = '" WORKER_B "', fence = 2 WHERE id ="
        " '06000000-0000-0000-0000-000000000001'");
    store_round(WORKER_A, 1, 1, &one);
    CU_ASSERT_STRING_EQUAL(reserved(), "1 300");
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "1 60 1500, 60 1500");
    run("UPDATE conversations SET epoch = 1, held_by = 'staff'");
    store_round(WORKER_A, 2, 1, &two);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "2 67 3000, 67 3000");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turn_rounds"), "0");
    end_test();
}

/* Where nothing is left of the turn, nothing is to be counted. */
static void calls_of_a_turn_that_was_erased(void)
{
    begin_usage();
    struct turn_commit one = commit_number(TENANT, 1, 60);
    one.turn = id_of(9, 1);
    store_left(&one);
    CU_ASSERT_STRING_EQUAL(stored_and_counted(), "0 0 0, 0 0");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("calls", open_function_server, rig_end_server);
    CU_add_test(suite, "a takeover before the commit", a_takeover_before_the_commit);
    CU_add_test(suite, "a refusal that comes twice", a_refusal_that_comes_twice);
    CU_add_test(suite, "a recompute", a_recompute);
    CU_add_test(suite, "calls that no commit takes", calls_that_no_commit_takes);
    CU_add_test(suite, "calls that a commit took", calls_that_a_commit_took_already);
    CU_add_test(suite, "calls of rounds", calls_of_rounds);
    CU_add_test(suite, "rounds and reservations", a_round_takes_off_the_reservation);
    CU_add_test(suite, "a round that is refused", a_round_that_comes_too_late);
    CU_add_test(suite, "calls of an erased turn", calls_of_a_turn_that_was_erased);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
