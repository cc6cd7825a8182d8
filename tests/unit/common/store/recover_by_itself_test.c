/* Recovery by itself on a real PostgreSQL: the tenant's job, what it leaves to a person, and that a
 * look is quick. */
#include "base/text.h"
#include "unit/common/store/function_rig.h"
#include "unit/common/store/recover_rig.h"

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

/* The job takes the conversation that is next, and its turn ends so. */
static void tried(const struct inbox_claimed *claimed, const char *code)
{
    struct looked seen = look();
    CU_ASSERT_FALSE_FATAL(uuid_is_nil(&seen.rows[0].turn));
    CU_ASSERT_EQUAL_FATAL(step(&seen.rows[0], WORKER_A, 0, 1), 1);
    struct turn_started turn = begun(claimed);
    ended(claimed, &turn, "", "fallback", code);
}

static int64_t wake(const char *tenant, int64_t every_ms)
{
    struct outcome out;
    struct pg_unit unit = {.count = 0};
    recover_add_wake(&unit, arena, tenant, every_ms);
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out.affected;
}

/* A model is back: the pause is over, and a try that failed before says nothing any more. Not for
 * another tenant, within the pace, or where the job has ended. Guard: wake_sql. */
static void a_model_is_back(void)
{
    begin_recovery(BY_ITSELF);
    struct inbox_claimed claimed = fallback();
    look();
    tried(&claimed, AWAY);
    CU_ASSERT_TRUE(look().rows[0].failed);
    run("UPDATE jobs SET due_at = clock_timestamp() + interval '90 s'");
    CU_ASSERT_EQUAL(wake("00000000-0000-7000-8000-000000000002", 2000), 0);
    CU_ASSERT_EQUAL(wake(TENANT, 120000), 0);
    CU_ASSERT_EQUAL(wake(TENANT, 2000), 1);
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at <= clock_timestamp() FROM jobs"), "t");
    CU_ASSERT_EQUAL(wake(TENANT, 2000), 0);
    struct looked seen = look();
    CU_ASSERT_FALSE(seen.rows[0].failed);
    CU_ASSERT_FALSE(uuid_is_nil(&seen.rows[0].turn));
    run("UPDATE jobs SET due_at = NULL");
    CU_ASSERT_EQUAL(wake(TENANT, 2000), 0);
    end_recovery();
}

/* What models decline is tried three times, holds up nobody, and stays a person's to ask for.
 * Tries without a model are no end. Guard: recover.c DECLINED in BY_ITSELF and due_sql. */
static void what_is_declined_is_given_up(void)
{
    static const char *const codes[] = {"llm.filtered", "", "llm.empty"};
    begin_recovery(BY_ITSELF);
    struct inbox_claimed claimed = fallback();
    look();
    for (int i = 0; i < 4; i++) {
        tried(&claimed, AWAY);
        CU_ASSERT_TRUE(look().rows[0].failed);
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        tried(&claimed, codes[i]);
        CU_ASSERT_FALSE(look().rows[0].failed);
    }
    struct looked seen = look();
    CU_ASSERT_TRUE(uuid_is_nil(&seen.rows[0].turn));
    fallback_to(2, 2);
    seen = look();
    CU_ASSERT_FALSE(uuid_is_nil(&seen.rows[0].turn));
    CU_ASSERT_FALSE(seen.rows[0].failed);
    run("DELETE FROM deliveries WHERE turn_id = (SELECT id" NEWEST ")");
    struct recover_row row = listed(NULL);
    CU_ASSERT_TRUE(answer(&row));
    end_recovery();
}

/* So many customers, all of them answered without a model; what came of it for some is as given. */
#define CUSTOMERS "5000"
#define OF(kind)  "md5('" kind "' || n)::uuid"
#define EACH      " FROM generate_series(1, " CUSTOMERS ") AS n;"

static const char backlog_sql[] =
    "INSERT INTO contacts (tenant_id, id) SELECT '" TENANT "', " OF("contact") EACH
    "INSERT INTO conversations (tenant_id, id, contact_id) SELECT '" TENANT
    "', " OF("talk") ","
                     " " OF("contact") EACH
    "INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
    " remote_address, delivery_seq) SELECT '" TENANT "', " OF("session") ", " OF(
        "talk") ","
                " '00000000-0000-7000-8000-0000000000c1', 'sms', '+1555' || n, 1" EACH
                "INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, state, "
                "outcome, fence,"
                " epoch, assistant_id, assistant_version, deadline_at, finished_at) SELECT '" TENANT
                "',"
                " " OF("turn") ", " OF("session") ", " OF(
                    "talk") ", 1, 'finished', 'fallback', 1, 0,"
                            " '00000000-0000-7000-8000-0000000000a1', 1, now(), now() - n * "
                            "interval '1 ms'" EACH "INSERT INTO inbox_events (tenant_id, channel, "
                            "provider_id, session_id, message_id,"
                            " address_hash, content_hash, state, claim_id, event_time, turn_id) "
                            "SELECT '" TENANT "', 'sms',"
                            " 'SM' || n, " OF("session") ", " OF("message") ", " OF(
                                "hash") ", '', 'answered',"
                                        " gen_random_uuid(), now(), " OF("turn") EACH
    "INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
    " event_time) SELECT '" TENANT "', " OF("message") ", " OF("talk") ", " OF(
        "session") ", 'out',"
                   " 'ai', 'x', now()" EACH "INSERT INTO deliveries (tenant_id, id, "
                   "conversation_id, session_id, seq, message_id, turn_id,"
                   " author, via, epoch, state, answer_by) SELECT '" TENANT "', " OF(
                       "delivery") ", " OF("talk") ","
                                                   " " OF("session") ", 1, " OF("message") ", " OF(
                                                       "turn") ", 'ai', 'sms', 0, 'sent',"
                                                               " now() + interval '1 d'" EACH;

/* A look at so many in linear time reads some 50 for each; a bad plan reads all for each of them.
 */
#define BLOCKS_MAX 1000000

/* The statements are functions, planned as they are in a new installation. */
static void begin_backlog(void)
{
    begin_recovery(BY_ITSELF);
    run("ALTER DATABASE postgres RESET join_collapse_limit;"
        "ALTER DATABASE postgres RESET from_collapse_limit");
    CU_ASSERT_TRUE_FATAL(define_functions());
    pg_free(&rig_pg);
    open_function_pool(1);
    run(backlog_sql);
    run("UPDATE installation SET changed_at = now() - interval '1 h'");
}

/* All that finished connections to this database have read, in pages: a measure that a busy machine
 * does not change. */
static int64_t pages_read(void)
{
    int64_t pages = 0;
    run("SELECT pg_stat_clear_snapshot()");
    CU_ASSERT_TRUE(text_parse_int(value("SELECT blks_hit + blks_read FROM pg_stat_database"
                                        " WHERE datname = current_database()"),
                                  0, INT64_MAX, &pages));
    return pages;
}

static struct looked counted_look(void)
{
    struct looked out = {.count = 0};
    struct pg_unit unit = {.done = on_looked, .arg = &out};
    const int64_t before = pages_read();
    recover_add_look(&unit, arena, &(struct recover_look){0, 86400000, 4});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    pg_free(&rig_pg); /* a connection tells at its end at the latest */
    open_function_pool(1);
    const int64_t pages = pages_read() - before;
    printf("    a look: %lld pages\n", (long long)pages);
    CU_ASSERT(pages > 0 && pages < BLOCKS_MAX);
    return out;
}

/* A look at a backlog is quick in a database without statistics, also when all of it but the newest
 * may not be answered any more, or is a person's. Guard: recover.c, OFFSET 0 in FOUND and due_sql,
 * and answer_by there, or the first thousand would hide the rest. */
static void a_backlog_is_looked_at_quickly(void)
{
    begin_backlog();
    counted_look();
    struct looked seen = counted_look();
    CU_ASSERT_EQUAL_FATAL(seen.count, 1);
    CU_ASSERT_FALSE(uuid_is_nil(&seen.rows[0].turn));
    const struct uuid last = id("SELECT id" NEWEST);
    run("UPDATE deliveries SET answer_by = now() - interval '1 s' WHERE turn_id <> (SELECT "
        "id" NEWEST ")");
    seen = counted_look();
    CU_ASSERT_TRUE(uuid_equal(&seen.rows[0].turn, &last));
    run("UPDATE conversations SET held_by = 'staff'");
    seen = counted_look();
    CU_ASSERT_TRUE(uuid_is_nil(&seen.rows[0].turn));
    end_recovery();
    run("ALTER DATABASE postgres SET join_collapse_limit = 1;"
        "ALTER DATABASE postgres SET from_collapse_limit = 1");
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
        "UPDATE conversations SET held_by = 'staff'",
        "UPDATE conversations SET flagged = 'turn_failed'",
        "UPDATE conversations SET flagged = 'loop'",
        "UPDATE installation SET changed_at = clock_timestamp()",
        "UPDATE deliveries SET answer_by = now()",
        "UPDATE assistant_versions SET config = '" ALLOWED "'",
        "INSERT INTO consents SELECT tenant_id, '+15550001', remote_address, 'opted_out', 'x',"
        " now() FROM channel_sessions",
        "INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, state)"
        " SELECT tenant_id, gen_random_uuid(), id, 'provider_outage', 'x', 'accepted'"
        " FROM conversations",
        "INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, state,"
        " accepted_at) SELECT tenant_id, gen_random_uuid(), id, 'customer_asks', 'x', 'closed',"
        " clock_timestamp() FROM conversations",
        "INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, state,"
        " closed_at) SELECT tenant_id, gen_random_uuid(), id, 'message', 'x', 'closed',"
        " clock_timestamp() FROM conversations",
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

/* Anybody can write a mail in the customer's name. */
static void a_forged_mail_forbids_nothing(void)
{
    begin_recovery(BY_ITSELF);
    fallback();
    run("UPDATE conversations SET flagged = 'dmarc'");
    look();
    struct looked seen = look();
    CU_ASSERT_FALSE_FATAL(uuid_is_nil(&seen.rows[0].turn));
    CU_ASSERT_EQUAL(step(&seen.rows[0], WORKER_A, 0, 1), 1);
    end_recovery();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("recover by itself", open_server, rig_end_server);
    CU_add_test(suite, "a model is back", a_model_is_back);
    CU_add_test(suite, "one engine takes it", one_engine_takes_it);
    CU_add_test(suite, "a try without a model", a_try_without_a_model);
    CU_add_test(suite, "a person comes between", a_person_comes_between);
    CU_add_test(suite, "no job", no_job);
    CU_add_test(suite, "what forbids it", what_forbids_it_by_itself);
    CU_add_test(suite, "a forged mail forbids nothing", a_forged_mail_forbids_nothing);
    CU_add_test(suite, "what is declined", what_is_declined_is_given_up);
    CU_add_test(suite, "a backlog", a_backlog_is_looked_at_quickly);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
