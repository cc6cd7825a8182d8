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

/* Text `n` of customer `who`, answered without a model. */
static struct inbox_claimed fallback_to(int who, int n)
{
    struct claims claimed = claim_one(WORKER_A, who, n, "are you open?");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit ended = commit_of(&claimed.rows[0], &turn);
    ended.outcome = "fallback";
    CU_ASSERT_EQUAL(commit(WORKER_A, &ended).kind, TURN_COMMITTED);
    return claimed.rows[0];
}

static struct inbox_claimed fallback(void)
{
    return fallback_to(1, 1);
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

/* ---- by itself ---- */

#define BY_ITSELF "{\"recover\":{\"answer\":true,\"by_itself\":true}}"

struct looked {
    struct recover_due rows[4];
    int count;
};

static void on_looked(void *arg, const struct pg_answer *answer)
{
    struct looked *out = arg;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && out->count < 4 &&
           recover_read_due(answer, out->count, &out->rows[out->count]))
        out->count++;
    rig_count_down();
}

/* The due jobs of a look, once all that there are were made due. */
static struct looked look(void)
{
    struct looked out = {.count = 0};
    for (int i = 0; i < 2; i++) {
        out.count = 0;
        struct pg_unit unit = {.done = on_looked, .arg = &out};
        recover_add_look(&unit, arena, &(struct recover_look){60000, 86400000, 4});
        rig_waiting++;
        pg_submit(rig_pg, &unit);
        rig_run();
        run("UPDATE jobs SET due_at = clock_timestamp() WHERE due_at IS NOT NULL");
    }
    return out;
}

static void on_stepped(void *arg, const struct pg_answer *answer)
{
    int64_t *armed = arg;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    *armed = answer->err == NULL ? recover_read_armed(answer) : -1;
    rig_count_down();
}

static int64_t step(const struct recover_due *due, const char *worker, int64_t next_ms, int tries)
{
    int64_t armed = -1;
    struct pg_unit unit = {.done = on_stepped, .arg = &armed};
    recover_add_step(&unit, arena, due, &(struct recover_step){worker, next_ms, tries});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return armed;
}

static struct uuid id(const char *sql)
{
    struct uuid out = {{0}};
    CU_ASSERT_TRUE(uuid_parse(value(sql), &out));
    return out;
}

#define NEWEST " FROM turns ORDER BY finished_at DESC LIMIT 1"

/* The job's row with the conversation of the newest turn: what another engine may have read. */
static struct recover_due newest(const struct recover_due *due)
{
    struct recover_due out = *due;
    out.turn = id("SELECT id" NEWEST);
    out.session = id("SELECT session_id" NEWEST);
    out.conversation = id("SELECT conversation_id" NEWEST);
    return out;
}

/* One of two engines takes it, and the tenant is busy until it is over. Guard: recover.c pace_sql
 * asks whether the job is due, arm_sql who took it. */
static void one_engine_takes_it(void)
{
    begin_recovery(BY_ITSELF);
    struct inbox_claimed claimed = fallback();
    CU_ASSERT_EQUAL_FATAL(look().count, 1);
    struct looked seen = look();
    CU_ASSERT_FALSE(uuid_is_nil(&seen.rows[0].turn));
    CU_ASSERT_FALSE(seen.rows[0].busy);
    CU_ASSERT_FALSE(seen.rows[0].failed);
    CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_A, 60000, 1), 1);
    CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_B, 60000, 1), 0);
    CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_A, 60000, 1), 0);
    struct inbox_claimed second = fallback_to(2, 2);
    struct recover_due other = newest(&seen.rows[0]);
    CU_ASSERT_EQUAL(step(&other, WORKER_B, 60000, 1), 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM inbox_events"), "3");
    seen = look();
    CU_ASSERT_TRUE(seen.rows[0].busy);
    taken_up(&claimed, "Yes, until five.");
    seen = look();
    CU_ASSERT_TRUE(uuid_equal(&seen.rows[0].turn, &other.turn));
    CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_B, 60000, 1), 1);
    taken_up(&second, "Yes, until five.");
    seen = look();
    CU_ASSERT_TRUE(uuid_is_nil(&seen.rows[0].turn));
    CU_ASSERT_FALSE(seen.rows[0].busy);
    CU_ASSERT_EQUAL(step(&seen.rows[0], NULL, -1, 0), 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL AND last_done_at IS NOT NULL FROM jobs"),
                           "t");
    run("UPDATE jobs SET last_done_at = clock_timestamp() + interval '2 min'");
    CU_ASSERT_EQUAL(look().count, 0); /* nothing is newer */
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "4");
    end_recovery();
}

/* A try without a model is told with its time and its cause; the next one is another customer's. */
static void a_try_without_a_model(void)
{
    begin_recovery(BY_ITSELF);
    struct inbox_claimed claimed = fallback();
    look();
    struct looked seen = look();
    struct uuid first = seen.rows[0].turn;
    CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_A, 0, 1), 1);
    taken_up(&claimed, "");
    seen = look();
    CU_ASSERT_EQUAL_FATAL(seen.count, 1);
    CU_ASSERT_TRUE(seen.rows[0].failed);
    CU_ASSERT_TRUE(seen.rows[0].no_model);
    CU_ASSERT(seen.rows[0].failed_ms >= 0 && seen.rows[0].failed_ms < 60000);
    CU_ASSERT_EQUAL(seen.rows[0].tries, 1);
    CU_ASSERT_TRUE(uuid_equal(&seen.rows[0].turn, &first));
    fallback_to(2, 2);
    seen = look();
    CU_ASSERT_FALSE(uuid_equal(&seen.rows[0].turn, &first));
    run("UPDATE turns SET outcome = 'closed' WHERE outcome = 'fallback' AND id <> ALL (ARRAY("
        "SELECT turn_id FROM deliveries))");
    seen = look();
    CU_ASSERT_TRUE(seen.rows[0].failed);
    CU_ASSERT_FALSE(seen.rows[0].no_model);
    end_recovery();
}

/* What a person has is not waited for. */
static void a_person_comes_between(void)
{
    begin_recovery(BY_ITSELF);
    fallback();
    fallback_to(2, 2);
    look();
    struct looked seen = look();
    CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_A, 0, 1), 1);
    CU_ASSERT_TRUE(look().rows[0].busy);
    run("UPDATE channel_sessions SET due_at = NULL");
    CU_ASSERT_FALSE(look().rows[0].busy);
    run("UPDATE channel_sessions SET due_at = clock_timestamp() - interval '10 s', worker = NULL");
    CU_ASSERT_TRUE(look().rows[0].busy); /* new texts wait for a place */
    end_recovery();
}

static void no_job(void)
{
    static const char *const configs[] = {ALLOWED, "{}",
                                          "{\"recover\":{\"answer\":false,\"by_itself\":false}}"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        begin_recovery(configs[i]);
        fallback();
        look();
        CU_ASSERT_EQUAL(look().count, 0);
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM jobs"), "0");
        end_recovery();
    }
    begin_recovery(BY_ITSELF);
    fallback();
    look();
    run("UPDATE installation SET released_for = 'another'");
    CU_ASSERT_EQUAL(look().count, 0);
    run("UPDATE installation SET released_for = database_identity()");
    CU_ASSERT_EQUAL(look().count, 1);
    end_recovery();
}

/* What a person decides `recover --answer` for is not done by itself, nor what nobody may do: also
 * if it changed behind the look. */
static void what_forbids_it_by_itself(void)
{
    static const char *const cases[] = {
        "UPDATE conversations SET held_by = 'ines'",
        "UPDATE conversations SET flagged = 'turn_failed'",
        "UPDATE deliveries SET answer_by = now()",
        "UPDATE assistant_versions SET config = '" ALLOWED "'",
        "INSERT INTO consents SELECT tenant_id, '+15550001', remote_address, 'opted_out', 'x',"
        " now() FROM channel_sessions",
        "INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, state)"
        " SELECT tenant_id, gen_random_uuid(), id, 'provider_outage', 'x', 'accepted'"
        " FROM conversations",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_recovery(BY_ITSELF);
        fallback();
        look();
        struct looked seen = look();
        CU_ASSERT_FALSE_FATAL(uuid_is_nil(&seen.rows[0].turn));
        run(cases[i]);
        CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_A, 0, 1), 0);
        seen = look();
        CU_ASSERT(seen.count == 0 || uuid_is_nil(&seen.rows[0].turn));
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
    CU_add_test(suite, "by itself: one engine takes it", one_engine_takes_it);
    CU_add_test(suite, "by itself: a try without a model", a_try_without_a_model);
    CU_add_test(suite, "by itself: a person comes between", a_person_comes_between);
    CU_add_test(suite, "by itself: no job", no_job);
    CU_add_test(suite, "by itself: what forbids it", what_forbids_it_by_itself);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
