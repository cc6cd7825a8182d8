/* The start of a turn in the unit of its claim (store/turn.h, turn_add_fresh), with the functions
 * that the engine calls. */
#include "unit/common/store/turn_rig.h"

static struct starts start_fresh(const char *worker, const struct inbox_claimed *claimed)
{
    struct starts out = {.count = 0};
    struct pg_unit unit = {.done = on_started, .arg = &out};
    const struct turn_start start = {
        .tenant = TENANT, .session = claimed->session, .turn = uuid_new()};
    pg_add(&unit, "SELECT 1"); /* where turn_read_started finds its rows: behind three others */
    pg_add(&unit, "SELECT 2");
    pg_add(&unit, "SELECT 3");
    turn_add_fresh(&unit, arena, worker, &start, 1,
                   &(struct turn_times){DEADLINE, 5000, 24 * 3600 * 1000}, NULL);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return out;
}

static const char *all_of(const char *table)
{
    return value(
        arena_printf(arena, "SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM %s x", table));
}

/* Nothing is written; the start that looks at everything says what it is. */
static void refuses(const char *worker, const struct inbox_claimed *claimed,
                    enum turn_start_kind kind)
{
    const char *turns = all_of("turns"), *sessions = all_of("channel_sessions");
    CU_ASSERT_EQUAL(start_fresh(worker, claimed).count, 0);
    CU_ASSERT_STRING_EQUAL(all_of("turns"), turns);
    CU_ASSERT_STRING_EQUAL(all_of("channel_sessions"), sessions);
    CU_ASSERT_EQUAL(start(worker, claimed).kind, kind);
}

/* What is read of a turn, but for its ids and times. */
static const char *as_text(const struct turn_started *t)
{
    return arena_printf(
        arena, "%d %lld %lld %lld %lld %d %d %s %s %s %d %d %d %s %s %s %lld %d %s %s %d %d",
        (int)t->kind, (long long)t->fence, (long long)t->epoch, (long long)t->claimed,
        (long long)t->deadline_ms, t->tries, t->recomputes, t->events, t->context, t->assistant,
        t->assistant_version, t->last_round, uuid_is_nil(&t->contact), t->summary, t->earlier,
        t->reception, (long long)t->number, t->again, t->heard_reason, t->rounds, t->has_knowledge,
        t->is_mail);
}

/* The same texts of the same customer, started one way and the other. */
static void a_new_turn_is_started_as_by_the_other_start(void)
{
    char seen[2][4000], row[2][400];
    for (int fresh = 0; fresh < 2; fresh++) {
        begin_test();
        run("ALTER TABLE messages ALTER position RESTART");
        struct claims first = claim_one(WORKER_A, 1, 1, "what was said before");
        struct turn_started before = start(WORKER_A, &first.rows[0]);
        struct turn_commit reply = commit_of(&first.rows[0], &before);
        CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
        claim_one(WORKER_A, 1, 2, "and a");
        struct claims claims = claim_one(WORKER_A, 1, 3, "question");
        run("UPDATE messages SET event_time = '2026-01-01' WHERE direction = 'in'");
        run("UPDATE messages SET event_time = '2026-01-02' WHERE direction = 'out'");
        struct turn_started started = fresh ? start_fresh(WORKER_A, &claims.rows[0]).rows[0]
                                            : start(WORKER_A, &claims.rows[0]);
        CU_ASSERT_STRING_EQUAL(started.events, "{SM002,SM003}");
        CU_ASSERT_PTR_NOT_NULL(strstr(started.context, "what was said before"));
        snprintf(seen[fresh], sizeof seen[fresh], "%s", as_text(&started));
        const char *stored = value(
            "SELECT t.state || t.number || t.fence || t.epoch || s.fence || s.turn_number"
            " || (s.turn_id = t.id) || (t.worker = s.worker) || t.tries || t.recomputes"
            " || (t.deadline_at > clock_timestamp()) || t.assistant_version"
            " FROM turns t JOIN channel_sessions s ON s.id = t.session_id WHERE t.number = 2");
        snprintf(row[fresh], sizeof row[fresh], "%s", stored);
        struct turn_commit answer = commit_of(&claims.rows[0], &started);
        CU_ASSERT_EQUAL(commit(WORKER_A, &answer).kind, TURN_COMMITTED);
        end_test();
    }
    CU_ASSERT_STRING_EQUAL(seen[0], seen[1]);
    CU_ASSERT_STRING_EQUAL(row[0], row[1]);
}

static void another_workers_session_is_refused(void)
{
    begin_test();
    struct claims claims = claim_one(WORKER_A, 1, 1, "hello");
    refuses(WORKER_B, &claims.rows[0], TURN_START_LOST);
    end_test();
}

static void a_turn_at_work_is_refused(void)
{
    begin_test();
    struct claims claims = claim_one(WORKER_A, 1, 1, "hello");
    start(WORKER_A, &claims.rows[0]);
    claims = claim_one(WORKER_A, 1, 2, "are you there?");
    refuses(WORKER_A, &claims.rows[0], TURN_START_RUN);
    end_test();
}

static void a_held_conversation_is_refused(void)
{
    begin_test();
    struct claims claims = claim_one(WORKER_A, 1, 1, "hello");
    run("UPDATE conversations SET held_by = 'somebody', epoch = epoch + 1");
    refuses(WORKER_A, &claims.rows[0], TURN_START_HELD);
    end_test();
}

static void where_nothing_is_open_it_is_refused(void)
{
    begin_test();
    struct claims claims = claim_one(WORKER_A, 1, 1, "hello");
    run("UPDATE inbox_events SET state = 'ended', reason = 'erased', settled_at = now()");
    refuses(WORKER_A, &claims.rows[0], TURN_START_NOTHING);
    end_test();
}

static void what_is_too_old_is_refused(void)
{
    begin_test();
    struct claims claims = claim_one(WORKER_A, 1, 1, "hello");
    claim_one(WORKER_A, 1, 2, "of yesterday");
    run("UPDATE inbox_events SET event_time = event_time - interval '2 days'"
        " WHERE provider_id = 'SM002'");
    refuses(WORKER_A, &claims.rows[0], TURN_START_RUN);
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM inbox_events WHERE provider_id = 'SM002'"),
                           "late");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("turn_fresh", open_server, rig_end_server);
    CU_add_test(suite, "a new turn is started as by the other start",
                a_new_turn_is_started_as_by_the_other_start);
    CU_add_test(suite, "another worker's session is refused", another_workers_session_is_refused);
    CU_add_test(suite, "a turn at work is refused", a_turn_at_work_is_refused);
    CU_add_test(suite, "a held conversation is refused", a_held_conversation_is_refused);
    CU_add_test(suite, "where nothing is open it is refused", where_nothing_is_open_it_is_refused);
    CU_add_test(suite, "what is too old is refused", what_is_too_old_is_refused);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
