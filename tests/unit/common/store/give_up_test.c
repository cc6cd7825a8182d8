/* Sessions whose start the database will never take, on a real PostgreSQL as the engine's role. */
#include "unit/common/store/turn_rig.h"

#include "store/give_up.h"

struct given {
    bool failed;
    enum give_up_kind kind;
    int64_t claimed;
};

static void on_given_up(void *arg, const struct pg_answer *answer)
{
    struct given *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else
        out->kind = give_up_read(answer, &out->claimed);
    rig_count_down();
}

/* For the start of a session that knew of this claim, and none since. */
static struct given give_up(const char *worker, const struct inbox_claimed *claimed)
{
    struct given out = {.claimed = -1};
    struct pg_unit unit = {.done = on_given_up, .arg = &out};
    give_up_add(&unit, arena, worker,
                &(struct turn_start){.tenant = TENANT,
                                     .session = claimed->session,
                                     .conversation = claimed->conversation},
                claimed->claimed);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out;
}

static const char *events(void)
{
    return value("SELECT string_agg(state || ':' || coalesce(reason, '-') || ':' ||"
                 " (turn_id IS NULL), ' ' ORDER BY provider_id) FROM inbox_events");
}

static const char *session(void)
{
    return value("SELECT (s.due_at IS NULL) || ' ' || (s.turn_id IS NULL) || ' ' ||"
                 " coalesce(c.flagged, '-') FROM channel_sessions s JOIN conversations c"
                 " ON c.id = s.conversation_id ORDER BY s.remote_address LIMIT 1");
}

/* Texts without a turn; another customer's are left alone, and the next text is the next turn's. */
static void texts_wait_for_a_person(void)
{
    begin_test();
    claim_one(WORKER_A, 1, 1, "one");
    struct claims claimed = claim_one(WORKER_A, 1, 2, "two");
    claim_one(WORKER_A, 2, 3, "another's");
    CU_ASSERT_EQUAL(give_up(WORKER_A, &claimed.rows[0]).kind, GIVE_UP_DONE);
    CU_ASSERT_STRING_EQUAL(events(), "failed:start.unfit:true failed:start.unfit:true open:-:true");
    CU_ASSERT_STRING_EQUAL(session(), "true true turn_failed");
    CU_ASSERT_EQUAL(give_up(WORKER_A, &claimed.rows[0]).kind, GIVE_UP_DONE); /* sent again */
    struct claims next = claim_one(WORKER_A, 1, 4, "three");
    struct turn_started turn = start(WORKER_A, &next.rows[0]);
    CU_ASSERT_EQUAL(turn.kind, TURN_START_RUN);
    CU_ASSERT_PTR_NULL(strstr(turn.context, "two"));
    end_test();
}

/* Its answer was lost, and it is sent again after somebody wrote: no start has tried that text.
 * Guard: `known` in give_up_sql. */
static void a_newer_text_is_left(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    CU_ASSERT_EQUAL(give_up(WORKER_A, &claimed.rows[0]).kind, GIVE_UP_DONE);
    struct claims next = claim_one(WORKER_A, 1, 2, "two");
    const struct given again = give_up(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL(again.kind, GIVE_UP_NEWER);
    CU_ASSERT_EQUAL(again.claimed, next.rows[0].claimed);
    CU_ASSERT_STRING_EQUAL(events(), "failed:start.unfit:true open:-:true");
    CU_ASSERT_STRING_EQUAL(session(), "false true turn_failed");
    CU_ASSERT_EQUAL(give_up(WORKER_A, &next.rows[0]).kind, GIVE_UP_DONE);
    CU_ASSERT_STRING_EQUAL(events(), "failed:start.unfit:true failed:start.unfit:true");
    end_test();
}

/* A turn that had begun fails with its texts. */
static void a_running_turn_fails(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL(give_up(WORKER_A, &claimed.rows[0]).kind, GIVE_UP_DONE);
    CU_ASSERT_STRING_EQUAL(events(), "failed:start.unfit:false");
    CU_ASSERT_STRING_EQUAL(value("SELECT state || ' ' || outcome || ' ' || error_code || ' ' ||"
                                 " (worker IS NULL) FROM turns"),
                           "failed degraded start.unfit true");
    CU_ASSERT_STRING_EQUAL(session(), "true true turn_failed");
    end_test();
}

static void another_workers_session_is_left(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    CU_ASSERT_EQUAL(give_up(WORKER_B, &claimed.rows[0]).kind, GIVE_UP_LOST);
    CU_ASSERT_STRING_EQUAL(events(), "open:-:true");
    CU_ASSERT_STRING_EQUAL(session(), "false true -");
    end_test();
}

/* A claim has moved the session to a conversation that is not locked, and that somebody may be
 * taking over just now: nothing is given up there. Guard: the conversation in give_up_sql. */
static void a_session_that_moved_is_left(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    run("UPDATE conversations SET closed_at = now()");
    claimed.rows[0].claimed = claim_one(WORKER_A, 1, 2, "two").rows[0].claimed;
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM conversations"), "2");
    CU_ASSERT_EQUAL(give_up(WORKER_A, &claimed.rows[0]).kind, GIVE_UP_LOST);
    CU_ASSERT_STRING_EQUAL(events(), "open:-:true open:-:true");
    CU_ASSERT_STRING_EQUAL(session(), "false true -");
    end_test();
}

/* Who has the conversation answers; hand-back makes the session due again. */
static void a_persons_texts_stay_open(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    run("UPDATE conversations SET held_by = 'operator', epoch = epoch + 1");
    CU_ASSERT_EQUAL(give_up(WORKER_A, &claimed.rows[0]).kind, GIVE_UP_DONE);
    CU_ASSERT_STRING_EQUAL(events(), "open:-:true");
    CU_ASSERT_STRING_EQUAL(session(), "true true -");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("give up", open_server, rig_end_server);
    CU_add_test(suite, "texts", texts_wait_for_a_person);
    CU_add_test(suite, "a newer text", a_newer_text_is_left);
    CU_add_test(suite, "a running turn", a_running_turn_fails);
    CU_add_test(suite, "another worker", another_workers_session_is_left);
    CU_add_test(suite, "a session that moved", a_session_that_moved_is_left);
    CU_add_test(suite, "a person", a_persons_texts_stay_open);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
