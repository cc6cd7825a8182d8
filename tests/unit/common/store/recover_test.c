/* Recovery on a real PostgreSQL: who is listed, and that a turn without a model is answered after
 * all once at most, and by nobody where a person is. */
#include "unit/common/store/turn_rig.h"

#include "store/recover.h"
#include "store/schema.h"

static struct pg_session *ops;

static void begin_recovery(const char *config)
{
    struct err err;
    begin_test();
    run(arena_printf(arena,
                     "INSERT INTO assistant_versions (tenant_id, assistant_id, version, config,"
                     " created_by) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000a1', 1,"
                     " '%s', 'test')",
                     config));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "ops", &ops, &err), 0);
}

static void end_recovery(void)
{
    pg_session_close(&ops);
    end_test();
}

#define ALLOWED "{\"recover\":{\"answer\":true}}"

/* The only row of the list; `turn` is NULL when there is none. */
static struct recover_row listed(const char *tenant)
{
    struct recover_row *rows = NULL;
    size_t count = 0;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(ops, &err), 0);
    CU_ASSERT_EQUAL_FATAL(recover_list(ops, arena, tenant, 10, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(ops, "ROLLBACK", &err), 0);
    CU_ASSERT(count <= 1);
    return count > 0 ? rows[0] : (struct recover_row){.turn = NULL};
}

static bool answer(const struct recover_row *row)
{
    bool armed = false;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(ops, &err), 0);
    CU_ASSERT_EQUAL_FATAL(recover_answer(ops, row, "ines", &armed, &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(ops, "COMMIT", &err), 0);
    return armed;
}

/* A text of customer 1 that was answered without a model. */
static struct inbox_claimed fallback(void)
{
    struct claims claimed = claim_one(WORKER_A, 1, 1, "are you open?");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit ended = commit_of(&claimed.rows[0], &turn);
    ended.outcome = "fallback";
    CU_ASSERT_EQUAL(commit(WORKER_A, &ended).kind, TURN_COMMITTED);
    return claimed.rows[0];
}

/* An engine takes the session up and ends its turn with this body. */
static void taken_up(const struct inbox_claimed *claimed, const char *body)
{
    run("UPDATE channel_sessions SET worker = '" WORKER_A "'");
    struct turn_started turn = start(WORKER_A, claimed);
    CU_ASSERT_EQUAL_FATAL(turn.kind, TURN_START_RUN);
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.events, RECOVER_EVENT));
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.context, "\"author\" : \"system\""));
    struct turn_commit ended = commit_of(claimed, &turn);
    ended.body = body;
    ended.outcome = body[0] != '\0' ? "reply" : "fallback";
    ended.event_state = body[0] != '\0' ? "answered" : "ended";
    CU_ASSERT_EQUAL(commit(WORKER_A, &ended).kind, TURN_COMMITTED);
}

static void a_text_is_answered_after_all_once(void)
{
    begin_recovery(ALLOWED);
    struct inbox_claimed claimed = fallback();
    struct recover_row row = listed("dental");
    CU_ASSERT_PTR_NOT_NULL_FATAL(row.turn);
    CU_ASSERT_TRUE(row.allowed);
    CU_ASSERT_STRING_EQUAL(row.outcome, "fallback");
    CU_ASSERT_PTR_NULL(row.task);
    CU_ASSERT_PTR_NULL(listed("somebody-else").turn);
    CU_ASSERT_TRUE(answer(&row));
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NOT NULL FROM channel_sessions"), "t");
    CU_ASSERT_PTR_NULL(listed(NULL).turn); /* under way */
    CU_ASSERT_FALSE(answer(&row));
    taken_up(&claimed, "Yes, until five.");
    CU_ASSERT_PTR_NULL(listed(NULL).turn);
    CU_ASSERT_FALSE(answer(&row));
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ') FROM inbox_events"),
                           "answered answered");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "2");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(DISTINCT event_time) FROM inbox_events"), "1");
    end_recovery();
}

static void without_a_model_it_may_be_asked_again(void)
{
    begin_recovery(ALLOWED);
    struct inbox_claimed claimed = fallback();
    for (int i = 0; i < 3; i++) {
        struct recover_row row = listed(NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row.turn);
        CU_ASSERT_TRUE(answer(&row));
        taken_up(&claimed, "");
    }
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM messages WHERE author = 'system'"), "1");
    end_recovery();
}

/* What has changed between the list and the answer counts. Guard: recover.c FOUND in arm_sql. */
static void what_forbids_it(void)
{
    static const char *const cases[] = {
        "UPDATE conversations SET held_by = 'ines'",
        "UPDATE conversations SET closed_at = now()",
        "UPDATE channels SET removed_at = now()",
        "UPDATE deliveries SET answer_by = now()",
        "UPDATE deliveries SET state = 'suppressed'",
        "UPDATE assistant_versions SET config = '{\"recover\":{\"answer\":false}}'",
        "UPDATE assistant_versions SET config = '{}'",
        "INSERT INTO consents SELECT tenant_id, '+15550001', remote_address, 'opted_out', 'x', "
        "now()"
        " FROM channel_sessions",
        "INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
        " event_time) SELECT tenant_id, gen_random_uuid(), conversation_id, id, 'out', 'operator',"
        " 'Ines here', now() FROM channel_sessions",
        "INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, state)"
        " SELECT tenant_id, '00000000-0000-7000-8000-0000000000e1', id, 'message', 'x', 'closed'"
        " FROM conversations; INSERT INTO receptions (tenant_id, conversation_id, session_id,"
        " asked, tries, escalation_id, read_position) SELECT tenant_id, conversation_id, id, "
        "'done',"
        " 0, '00000000-0000-7000-8000-0000000000e1', 1 FROM channel_sessions",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_recovery(ALLOWED);
        fallback();
        struct recover_row row = listed(NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row.turn);
        run(cases[i]);
        CU_ASSERT_FALSE(answer(&row));
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM inbox_events"), "1");
        end_recovery();
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("recover", open_server, rig_end_server);
    CU_add_test(suite, "answered after all, once", a_text_is_answered_after_all_once);
    CU_add_test(suite, "asked again without a model", without_a_model_it_may_be_asked_again);
    CU_add_test(suite, "what forbids it", what_forbids_it);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
