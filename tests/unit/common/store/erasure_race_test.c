/* An erasure and who writes of the same contact at that moment, on a real PostgreSQL: whoever holds
 * the rows goes first, the other one waits, and what comes too late finds nothing
 * (docs/PROTOCOL.md, restore and erasure). */
#include "unit/common/store/rota_rig.h"

#include "store/calls.h"
#include "store/delivery.h"
#include "store/erasure.h"
#include "store/summary.h"

#include <pthread.h>

#define WORKER_R "00000000-0000-7000-8000-00000000000c"

/* Not of the test's thread: says how it ended, and asserts nothing. */
static bool erase(int who)
{
    struct pg_session *session = NULL;
    struct err err;
    int64_t messages = 0;
    char address[16];
    snprintf(address, sizeof address, "+1555900%d", who);
    struct erasure erasure = {
        .address = address, .address_hash = number_id(4, who), .actor = "test"};
    bool good = uuid_parse(TENANT, &erasure.tenant) &&
                pg_session_open(rig_server.url, "erasure", &session, &err) == 0 &&
                schema_begin_as_ops(session, &err) == 0 &&
                erasure_run(session, &erasure, &messages, &err) == 0 &&
                pg_session_script(session, "COMMIT", &err) == 0;
    if (!good)
        printf("    erasure: %s: %s\n", err.code, err.message);
    pg_session_close(&session);
    return good;
}

static const char waiting_sql[] = "SELECT count(*)::text FROM pg_locks WHERE NOT granted";

static bool one_waits(void)
{
    return strcmp(owner_value(waiting_sql), "1") == 0;
}

static bool two_wait(void)
{
    return strcmp(owner_value(waiting_sql), "2") == 0;
}

static bool three_wait(void)
{
    return strcmp(owner_value(waiting_sql), "3") == 0;
}

static void run_in(struct pg_session *session, const char *sql)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_script(session, sql, &err), 0);
}

/* ---- an erasure that holds its rows for a while ---- */

static struct slow {
    struct pg_session *before; /* what it waits for, behind its locks */
    pthread_t thread;
    bool good;
} slow;

static void *erase_slowly(void *arg)
{
    slow.good = erase(*(int *)arg);
    return NULL;
}

/* Until let_go the erasure has the conversations and has deleted nothing. */
static void hold_up(int *who)
{
    struct err err;
    char sql[256], hash[UUID_TEXT_SIZE];
    struct uuid id = number_id(4, *who);
    snprintf(sql, sizeof sql,
             "BEGIN; INSERT INTO erasures (tenant_id, address_hash, erased_at)"
             " VALUES ('" TENANT "', '%s', clock_timestamp())",
             uuid_format(&id, hash));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &slow.before, &err), 0);
    run_in(slow.before, sql);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&slow.thread, NULL, erase_slowly, who), 0);
    CU_ASSERT_TRUE_FATAL(rig_until(one_waits));
}

static void let_go(void)
{
    run_in(slow.before, "ROLLBACK");
    pg_session_close(&slow.before);
    pthread_join(slow.thread, NULL);
    rig_run();
    CU_ASSERT_TRUE(slow.good);
}

/* ---- a unit that holds its rows for a while ---- */

struct late {
    struct err err;
    bool failed;
    int kind; /* of a change, or whether a summary was written */
};

static void on_late(void *arg, const struct pg_answer *answer)
{
    struct late *out = arg;
    struct delivery_changed changed;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    late: %s: %s\n", answer->err->code, answer->err->message);
    else if (answer->count == 3 && delivery_read_changed(answer, 0, &changed))
        out->kind = changed.kind;
    rig_count_down();
}

static void on_late_summary(void *arg, const struct pg_answer *answer)
{
    struct late *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    late: %s: %s\n", answer->err->code, answer->err->message);
    else
        out->kind = summary_read_written(answer);
    rig_count_down();
}

static void submit_late(struct pg_unit *unit, struct late *out)
{
    if (unit->done == NULL)
        unit->done = on_late;
    unit->arg = out;
    rig_waiting++;
    pg_submit(rig_pg, unit);
}

static const char until_waited_for_sql[] =
    "DO $$ BEGIN FOR i IN 1..1000 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
    " PERFORM pg_sleep(0.01); END LOOP; END $$";

static bool is_held_up(void)
{
    return strcmp(owner_value("SELECT count(*)::text FROM pg_stat_activity WHERE state = 'active'"
                              " AND query LIKE 'DO %'"),
                  "1") == 0;
}

/* Sends it so that it has its locks, the first `locks` statements, and waits for somebody who wants
 * them before it goes on. */
static void send_held_up(struct pg_unit *unit, int locks, struct late *out)
{
    struct pg_unit slower = {.deadline_ms = 15000, .done = unit->done};
    for (int i = 0; i < unit->count; i++) {
        if (i == locks)
            pg_add(&slower, until_waited_for_sql);
        slower.statements[slower.count++] = unit->statements[i];
    }
    submit_late(&slower, out);
    CU_ASSERT_TRUE_FATAL(rig_until(is_held_up));
}

/* ---- summaries ---- */

static struct inbox_claimed session_of_1;

static struct turn_started answer_1(void)
{
    struct claims claimed = claim_one(WORKER_A, 1, 1, "I am Blue");
    session_of_1 = claimed.rows[0];
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    return turn;
}

static struct summary_made summary_of(const struct turn_started *turn)
{
    const struct turn_commit like = commit_of(&session_of_1, turn);
    return (struct summary_made){.tenant = TENANT,
                                 .id = uuid_new(),
                                 .conversation = turn->conversation,
                                 .turn = turn->turn,
                                 .up_to = 1,
                                 .assistant_version = 1,
                                 .body = "She is Blue.",
                                 .call = like.calls[0]};
}

static const char left_sql[] =
    "SELECT (SELECT count(*) FROM summaries) + (SELECT count(*) FROM llm_calls)"
    " + (SELECT count(*) FROM summary_claims) + (SELECT count(*) FROM turns)"
    " + (SELECT count(*) FROM contacts)";

static struct summary_claim claim_of(const struct summary_made *made)
{
    return (struct summary_claim){.tenant = TENANT,
                                  .conversation = made->conversation,
                                  .turn = made->turn,
                                  .call = made->call.id,
                                  .limits = {{-1, -1, -1}, {-1, -1, -1}},
                                  .lease_ms = 60000};
}

static void on_claimed_summary(void *arg, const struct pg_answer *answer)
{
    struct late *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    late: %s: %s\n", answer->err->code, answer->err->message);
    else
        out->kind = summary_read_claimed(answer) == NULL;
    rig_count_down();
}

/* Guard: the conversation's lock in front of what is written; without it the summary has the turn
 * and waits for the conversation, of which erasure is the other way about. */
static void a_summary_that_comes_too_late(void)
{
    int who = 1;
    begin_test();
    struct turn_started turn = answer_1();
    const struct summary_made made = summary_of(&turn);
    const struct summary_claim claim = claim_of(&made);
    struct late late[2] = {{.failed = true, .kind = -1}, {.failed = true, .kind = -1}};
    struct pg_unit units[2] = {{.deadline_ms = 15000, .done = on_late_summary},
                               {.deadline_ms = 15000, .done = on_claimed_summary}};
    summary_add_write(&units[0], arena, &made);
    summary_add_claim(&units[1], arena, &claim);
    hold_up(&who);
    submit_late(&units[0], &late[0]);
    submit_late(&units[1], &late[1]);
    CU_ASSERT_TRUE_FATAL(rig_until(three_wait));
    let_go();
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_FALSE(late[i].failed);
        CU_ASSERT_EQUAL(late[i].kind, false);
    }
    CU_ASSERT_STRING_EQUAL(value(left_sql), "0");
    end_test();
}

/* The same guard, from the other side: erasure waits for it, and it goes with the rest. */
static void a_summary_that_is_first(void)
{
    begin_test();
    struct turn_started turn = answer_1();
    const struct summary_made made = summary_of(&turn);
    const struct summary_claim claim = claim_of(&made);
    struct late late = {.failed = true, .kind = -1};
    struct pg_unit begun = {.done = on_claimed_summary}, unit = {.done = on_late_summary};
    summary_add_claim(&begun, arena, &claim);
    submit_late(&begun, &late);
    rig_run();
    CU_ASSERT_EQUAL(late.kind, true);
    summary_add_write(&unit, arena, &made);
    pg_add(&unit, "SELECT 1"); /* behind it */
    send_held_up(&unit, unit.count - 1, &late);
    CU_ASSERT_TRUE(erase(1));
    rig_run();
    CU_ASSERT_FALSE(late.failed);
    CU_ASSERT_EQUAL(late.kind, true);
    CU_ASSERT_STRING_EQUAL(value(left_sql), "0");
    end_test();
}

/* ---- model calls that no commit takes ---- */

static const char paid_sql[] = "SELECT (SELECT count(*) FROM llm_calls) || ' ' || sum(tokens)"
                               " FROM usage WHERE period = 'month'";

static void add_left(struct pg_unit *unit, const struct turn_started *turn,
                     const struct summary_made *like)
{
    const struct calls_of_turn left = {TENANT, turn->turn, &like->call, 1};
    calls_add_left(unit, arena, &left, 1);
}

/* Guard: the conversation's lock in front of the row and of what it counts; without it the tenant's
 * usage is held while the call waits for its turn to be deleted, which is all that it learns. */
static void a_call_that_comes_too_late(void)
{
    int who = 1;
    begin_test();
    struct turn_started turn = answer_1();
    const struct summary_made like = summary_of(&turn);
    const char *before = arena_strdup(arena, value("SELECT sum(tokens) FROM usage"));
    struct late late = {.failed = true};
    struct pg_unit unit = {.deadline_ms = 15000};
    add_left(&unit, &turn, &like);
    hold_up(&who);
    submit_late(&unit, &late);
    CU_ASSERT_TRUE_FATAL(rig_until(two_wait));
    let_go();
    CU_ASSERT_FALSE(late.failed);
    CU_ASSERT_STRING_EQUAL(value("SELECT sum(tokens) FROM usage"), before);
    CU_ASSERT_STRING_EQUAL(value(left_sql), "0");
    end_test();
}

/* From the other side: erasure waits for it, the row goes with the rest, and what was used stays
 * counted. */
static void a_call_that_is_first(void)
{
    begin_test();
    struct turn_started turn = answer_1();
    const struct summary_made like = summary_of(&turn);
    struct late late = {.failed = true};
    struct pg_unit unit = {.count = 0};
    CU_ASSERT_STRING_EQUAL(value(paid_sql), "1 5");
    add_left(&unit, &turn, &like);
    pg_add(&unit, "SELECT 1"); /* behind it */
    send_held_up(&unit, unit.count - 1, &late);
    CU_ASSERT_TRUE(erase(1));
    rig_run();
    CU_ASSERT_FALSE(late.failed);
    CU_ASSERT_STRING_EQUAL(value(paid_sql), "0 10");
    end_test();
}

/* ---- notices ---- */

static void as_responder(void)
{
    char url[256];
    rig_close();
    rig_open();
    snprintf(url, sizeof url, "%s user=frontdesk_responder", rig_server.url);
    rig_pool(url, 4, 0);
    CU_ASSERT_TRUE_FATAL(rig_until(rig_is_up));
}

/* The one delivery of that author. */
static struct delivery_ref delivery_by(const char *author)
{
    struct delivery_ref ref;
    const char *sql =
        arena_printf(arena, "SELECT id::text FROM deliveries WHERE author = '%s'", author);
    CU_ASSERT_TRUE_FATAL(uuid_parse(TENANT, &ref.tenant));
    CU_ASSERT_TRUE_FATAL(uuid_parse(owner_value(sql), &ref.id));
    return ref;
}

/* Of customer 1, told to the first of the rota: the notice waits for a responder. */
static void begin_notice(void)
{
    begin_rota();
    run("UPDATE installation SET released_for = database_identity();"
        "INSERT INTO workers (id, kind, process, lease_until) VALUES ('" WORKER_R "', 'responder',"
        " 'r', clock_timestamp() + interval '1 h')");
    open_one();
    tell(STAFF, "7K3F");
    as_responder();
}

static void add_claim(struct pg_unit *unit, const struct delivery_ref *ref)
{
    delivery_add_claim(unit, arena, WORKER_R,
                       &(struct delivery_timing){60000, 600000, 60000, 600000}, ref, 1);
}

static void add_accepted(struct pg_unit *unit, const struct delivery_ref *ref)
{
    const struct delivery_change change = {.ref = *ref,
                                           .attempt = 1,
                                           .event = DELIVERY_ACCEPTED,
                                           .sid = "SM900",
                                           .next_in_ms = -1,
                                           .outcome = "accepted"};
    delivery_add_change(unit, arena, &change, 1);
}

static void claim_delivery(const struct delivery_ref *ref)
{
    struct late done = {.failed = true};
    struct pg_unit unit = {.deadline_ms = 0};
    add_claim(&unit, ref);
    submit_late(&unit, &done);
    rig_run();
    CU_ASSERT_FALSE_FATAL(done.failed);
    CU_ASSERT_STRING_EQUAL_FATAL(owner_value("SELECT count(*)::text FROM delivery_attempts"), "1");
}

static const char notices_left_sql[] =
    "SELECT ((SELECT count(*) FROM escalation_notices) + (SELECT count(*) FROM delivery_attempts)"
    " + (SELECT count(*) FROM deliveries WHERE author = 'system'))::text";

/* Guard: erasure locks deliveries before it deletes anything of them; without it, it has the
 * attempt of the reply and waits for the delivery, of which the outcome is the other way about. */
static void an_outcome_is_written_first(void)
{
    static const struct {
        const char *author;
        int erased;
    } cases[] = {{"ai", 1}, {"system", 1}, {"system", STAFF}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_notice();
        const struct delivery_ref ref = delivery_by(cases[i].author);
        struct late late = {.failed = true};
        struct pg_unit unit = {.count = 0};
        claim_delivery(&ref);
        add_accepted(&unit, &ref);
        send_held_up(&unit, 1, &late);
        CU_ASSERT_TRUE(erase(cases[i].erased));
        rig_run();
        CU_ASSERT_FALSE(late.failed);
        CU_ASSERT_STRING_EQUAL(owner_value(notices_left_sql), "0");
        end_test();
    }
}

/* The same guard; without it erasure does not see the attempt, and the delivery cannot go. */
static void a_claim_is_first(void)
{
    begin_notice();
    const struct delivery_ref ref = delivery_by("system");
    struct late late = {.failed = true};
    struct pg_unit unit = {.count = 0};
    add_claim(&unit, &ref);
    send_held_up(&unit, 3, &late);
    CU_ASSERT_TRUE(erase(1));
    rig_run();
    CU_ASSERT_FALSE(late.failed);
    CU_ASSERT_STRING_EQUAL(owner_value(notices_left_sql), "0");
    end_test();
}

static void an_outcome_that_comes_too_late(void)
{
    int who = 1;
    begin_notice();
    const struct delivery_ref ref = delivery_by("system");
    struct late late = {.failed = true, .kind = -1};
    struct pg_unit unit = {.deadline_ms = 15000};
    claim_delivery(&ref);
    add_accepted(&unit, &ref);
    hold_up(&who);
    submit_late(&unit, &late);
    CU_ASSERT_TRUE_FATAL(rig_until(two_wait));
    let_go();
    CU_ASSERT_FALSE(late.failed);
    CU_ASSERT_EQUAL(late.kind, DELIVERY_MISSING);
    CU_ASSERT_STRING_EQUAL(owner_value(notices_left_sql), "0");
    end_test();
}

static int open_both(void)
{
    return open_server() == 0 &&
                   test_server_sql(&rig_server, "ALTER ROLE frontdesk_responder LOGIN")
               ? 0
               : 1;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("erasure races", open_both, rig_end_server);
    CU_add_test(suite, "a late summary", a_summary_that_comes_too_late);
    CU_add_test(suite, "a summary first", a_summary_that_is_first);
    CU_add_test(suite, "a late call", a_call_that_comes_too_late);
    CU_add_test(suite, "a call first", a_call_that_is_first);
    CU_add_test(suite, "an outcome first", an_outcome_is_written_first);
    CU_add_test(suite, "a claim first", a_claim_is_first);
    CU_add_test(suite, "a late outcome", an_outcome_that_comes_too_late);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
