/* The rota of escalations on a real PostgreSQL, as the engine's role: who is told in which order
 * whatever dies, and who has accepted (docs/PROTOCOL.md, escalations). */
#include "unit/common/store/rota_rig.h"

#include "store/conversation.h"
#include "store/erasure.h"

/* ---- telling ---- */

static void a_step_is_read_and_written(void)
{
    begin_rota();
    open_one();
    run("INSERT INTO consents (tenant_id, sender, address, state, source, changed_at) VALUES"
        " ('" TENANT "', '+15550001', '+15559006', 'opted_out', 'customer', now()),"
        " ('" TENANT "', '+15550001', '+15559001', 'opted_out', 'customer', now())");
    struct rota_due due = take_due(WORKER_A);
    CU_ASSERT_TRUE(due.runs);
    CU_ASSERT_STRING_EQUAL(due.customer, "+15559001");
    CU_ASSERT_STRING_EQUAL(due.business, "Dental");
    CU_ASSERT_STRING_EQUAL(due.number, "+15550001");
    CU_ASSERT_STRING_EQUAL(due.opted_out, "[\"+15559006\"]");
    CU_ASSERT_TRUE(has(due.policy, "\"name\": \"desk\""));
    CU_ASSERT_EQUAL(strlen(due.day) + strlen(due.time) + strlen(due.weekday), 10 + 5 + 3);
    struct rota_notice notice = notice_to(WORKER_A, &due, STAFF, "7K3F");
    CU_ASSERT_TRUE(write_notice(&notice));
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:1");
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:open");
    CU_ASSERT_STRING_EQUAL(
        value("SELECT d.author || ' ' || d.state || ' ' || d.seq || ' ' || s.remote_address || ' '"
              " || m.body || ' ' || (c.closed_at IS NOT NULL) FROM escalation_notices n"
              " JOIN deliveries d ON d.id = n.delivery_id JOIN messages m ON m.id = d.message_id"
              " JOIN channel_sessions s ON s.id = d.session_id"
              " JOIN conversations c ON c.id = d.conversation_id"),
        "system pending 1 +15559005 Somebody needs you. true");
    CU_ASSERT_STRING_EQUAL(value("SELECT worker IS NULL AND due_at > clock_timestamp()"
                                 " + interval '290 s' FROM jobs"),
                           "t");
    CU_ASSERT_EQUAL(claim_timers(WORKER_B).count, 0);
    end_test();
}

/* The next one gets his; the first one's time has passed. Each notice is alone in its session: none
 * waits until an earlier one to the same number is settled. */
static void it_moves_on(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    tell(STAFF + 1, "8K3F");
    tell(STAFF, "9K3F");
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:passed boss:1:passed desk:1:open");
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(d.seq || ' ' || s.delivery_seq, ', ') FROM"
                                 " deliveries d JOIN channel_sessions s ON s.tenant_id ="
                                 " d.tenant_id AND s.id = d.session_id WHERE author = 'system'"),
                           "1 1, 1 1, 1 1");
    make_due();
    struct rota_due due = take_due(WORKER_A);
    write_rest(&(struct rota_rest){.of = step_of(WORKER_A, &due), .pause = ROTA_NOBODY});
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:nobody_accepted:3");
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL AND worker IS NULL FROM jobs"), "t");
    end_test();
}

/* V-like: A froze before its step; B took it for dead and told; A thaws and tells nobody. Guard:
 * the worker in notice_sql. And both at once: one of them. */
static void two_workers_one_step(void)
{
    begin_rota();
    open_one();
    struct rota_due old = take_due(WORKER_A);
    CU_ASSERT_EQUAL(claim_timers(WORKER_B).count, 0); /* A lives */
    run("UPDATE workers SET dead = true WHERE id = '" WORKER_A "'");
    struct rota_due due = take_due(WORKER_B);
    struct rota_notice late = notice_to(WORKER_A, &old, STAFF, "7K3F");
    struct rota_notice good = notice_to(WORKER_B, &due, STAFF, "8K3F");
    struct written first = {.done = false}, second = {.done = false};
    submit_notice(&late, &first);
    submit_notice(&good, &second);
    rig_run();
    CU_ASSERT_TRUE(!first.done && second.done);
    CU_ASSERT_FALSE(write_notice(&late));
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:open");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries WHERE author = 'system'"), "1");
    end_test();
}

/* A code that the number had before is not given again. */
static void a_code_is_given_once(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    make_due();
    struct rota_due due = take_due(WORKER_A);
    struct rota_notice notice = notice_to(WORKER_A, &due, STAFF, "7K3F");
    CU_ASSERT_FALSE(write_notice(&notice));
    write_failed(WORKER_A, &due, "why", 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT last_error || (due_at <= clock_timestamp()) FROM jobs"),
                           "whytrue");
    notice.code = "8K3F";
    due = take_due(WORKER_A);
    notice.of = step_of(WORKER_A, &due);
    CU_ASSERT_TRUE(write_notice(&notice));
    end_test();
}

/* One that fails is put off, its tries stand in its row, and in the end it is parked: listed, and
 * nobody's to take. Another worker's is not touched. */
static void a_timer_that_fails(void)
{
    static const char job[] =
        "SELECT tries || ' ' || last_error || ' ' || (worker IS NULL) || ' ' ||"
        " coalesce(due_at > clock_timestamp() + interval '50 s', false) FROM jobs";
    begin_rota();
    open_one();
    struct rota_due due = take_due(WORKER_A);
    write_failed(WORKER_B, &due, "not mine", 0);
    write_failed(WORKER_A, &due, "no number", 60000);
    CU_ASSERT_STRING_EQUAL(value(job), "1 no number true true");
    CU_ASSERT_EQUAL(claim_timers(WORKER_A).count, 0);
    make_due();
    struct jobs jobs = claim_timers(WORKER_A);
    CU_ASSERT_EQUAL_FATAL(jobs.count, 1);
    CU_ASSERT_EQUAL(jobs.rows[0].tries, 2);
    write_failed(WORKER_A, &due, "no number", -1);
    CU_ASSERT_STRING_EQUAL(value(job), "2 no number true false");
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:parked:0");
    CU_ASSERT_EQUAL(claim_timers(WORKER_A).count, 0);
    turn_with(1, 2, "reply", trigger_of("policy_word", 2)); /* people can be asked anew */
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:parked:0 policy_word:open:running:0");
    end_test();
}

#define OTHER "00000000-0000-7000-8000-000000000002"

/* Whoever has many that are due, and older ones, is not before everybody else's first. Guard:
 * `place` of claim_sql. */
static void no_flood_holds_up_another_tenant(void)
{
    begin_rota();
    run("INSERT INTO tenants (id, name, display_name, timezone) VALUES ('" OTHER "', 'garage',"
        " 'Garage', 'Europe/Berlin');"
        "INSERT INTO jobs (tenant_id, id, kind, subject, due_at) SELECT '" TENANT
        "', g, 'escalation',"
        " g, clock_timestamp() - interval '1 h' FROM (SELECT gen_random_uuid() AS g FROM"
        " generate_series(1, 40)) x;"
        "INSERT INTO jobs (tenant_id, id, kind, subject, due_at) SELECT '" OTHER
        "', g, 'escalation',"
        " g, clock_timestamp() - interval '1 s' FROM (SELECT gen_random_uuid() AS g FROM"
        " generate_series(1, 2)) x;");
    CU_ASSERT_EQUAL(claim_timers(WORKER_A).count, ROWS_MAX);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(n::text, ' ') FROM (SELECT count(*) AS n FROM"
                                 " jobs WHERE worker = '" WORKER_A "' GROUP BY tenant_id"
                                 " ORDER BY tenant_id) x"),
                           "6 2");
    CU_ASSERT_EQUAL(claim_timers(WORKER_B).count, ROWS_MAX); /* the next ones */
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM jobs WHERE worker IS NOT NULL"), "16");
    end_test();
}

/* "In two days at half past nine" is by the tenant's clock. */
static void a_pause_until_hours_begin(void)
{
    begin_rota();
    open_one();
    struct rota_due due = take_due(WORKER_A);
    write_rest(&(struct rota_rest){.of = step_of(WORKER_A, &due),
                                   .pause = ROTA_AT,
                                   .day = due.day,
                                   .days = 2,
                                   .time = "09:30"});
    CU_ASSERT_STRING_EQUAL(
        value(arena_printf(arena,
                           "SELECT due_at = ('%s'::date + 2 + time '09:30') AT TIME ZONE"
                           " 'Europe/Berlin' AND worker IS NULL FROM jobs",
                           due.day)),
        "t");
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:0");
    end_test();
}

/* ---- accepting ---- */

static void accepted_by_code(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    tell(STAFF + 1, "8K3F");
    CU_ASSERT_STRING_EQUAL(text_code(STAFF, 20, "7K3F"), "ended rota");
    CU_ASSERT_TRUE(has(answer_to(STAFF), "The time for 7K3F is over"));
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:2");
    CU_ASSERT_STRING_EQUAL(text_code(STAFF + 1, 21, "8K3F"), "ended rota");
    CU_ASSERT_TRUE(has(answer_to(STAFF + 1), "8K3F is yours, thank you"));
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:accepted:over:2");
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:passed boss:1:accepted");
    CU_ASSERT_STRING_EQUAL(value("SELECT accepted_by FROM escalations"), "boss");
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL FROM jobs"), "t");
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(DISTINCT d.state || ' ' || d.reason, ',') FROM"
                                 " escalation_notices n JOIN deliveries d ON d.id = n.delivery_id"),
                           "suppressed accepted"); /* no responder had sent them */
    CU_ASSERT_STRING_EQUAL(owner_value("SELECT actor || ' ' || action FROM audit_log"),
                           "rota:boss escalation.accept");
    text_code(STAFF + 1, 22, "8K3F");
    CU_ASSERT_TRUE(has(answer_to(STAFF + 1), "8K3F is yours already"));
    text_code(STAFF, 23, "7K3F");
    CU_ASSERT_TRUE(has(answer_to(STAFF), "7K3F is taken: boss has it"));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM channel_sessions WHERE due_at IS NOT NULL"),
                           "0"); /* a code is no question */
    end_test();
}

/* What says more than yes may be a no: it accepts nothing, and is told how. What was never sent to
 * that number is no code, however it looks. */
static void a_code_among_other_words(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    CU_ASSERT_STRING_EQUAL(text_within(STAFF, 20, "7K3F"), "ended rota");
    CU_ASSERT_STRING_EQUAL(answer_to(STAFF),
                           "Nothing was accepted yet. To take it, text only OK 7K3F.");
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:1");
    CU_ASSERT_STRING_EQUAL(text_within(STAFF, 21, "24TH"), "open -");     /* no code */
    CU_ASSERT_STRING_EQUAL(text_within(STAFF + 1, 22, "7K3F"), "open -"); /* somebody else's */
    CU_ASSERT_STRING_EQUAL(text_code(STAFF, 23, "7K3F"), "ended rota");
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:accepted:over:1");
    CU_ASSERT_STRING_EQUAL(text_within(STAFF, 24, "7K3F"), "ended rota");
    CU_ASSERT_TRUE(has(answer_to(STAFF), "7K3F is yours already"));
    run("UPDATE escalation_notices SET sent_at = sent_at - interval '8 d'");
    CU_ASSERT_STRING_EQUAL(text_within(STAFF, 25, "7K3F"), "open -");
    end_test();
}

/* The same event again (a redelivery) accepts nothing again and is not answered again. */
static void a_code_is_claimed_once(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    text_code(STAFF, 20, "7K3F");
    text_code(STAFF, 20, "7K3F");
    CU_ASSERT_STRING_EQUAL(owner_value("SELECT count(*) FROM audit_log"), "1");
    CU_ASSERT_STRING_EQUAL(
        value("SELECT count(*) FROM messages WHERE author = 'system' AND body LIKE '7K3F%'"), "1");
    end_test();
}

/* Two codes of one escalation in one claim: the first one has it. Both are told. */
static void two_accept_in_one_claim(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    tell(STAFF + 1, "8K3F");
    run("UPDATE escalation_notices SET state = 'open', ended_at = NULL");
    struct inbox_event events[] = {code_from(STAFF, 20, "7K3F"), code_from(STAFF + 1, 21, "8K3F")};
    events[0].place = 2;
    events[1].place = 1;
    claim(WORKER_A, events, 2);
    CU_ASSERT_TRUE(has(answer_to(STAFF), "7K3F is taken"));
    CU_ASSERT_TRUE(has(answer_to(STAFF + 1), "8K3F is yours"));
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:ended boss:1:accepted");
    end_test();
}

/* A step that was read before somebody accepted tells nobody, and its timer goes. Guard: the
 * escalation's lock and state in notice_sql. */
static void accepted_while_a_step_is_on_its_way(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    make_due();
    struct rota_due due = take_due(WORKER_B);
    text_code(STAFF, 20, "7K3F");
    struct rota_notice notice = notice_to(WORKER_B, &due, STAFF + 1, "8K3F");
    CU_ASSERT_FALSE(write_notice(&notice));
    write_rest(&(struct rota_rest){.of = step_of(WORKER_B, &due), .pause = ROTA_NOBODY});
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:accepted");
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL FROM jobs"), "t");
    end_test();
}

/* The same race, through the lock: the step waits for the accepting transaction. */
static void a_step_waits_for_who_accepts(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    make_due();
    struct rota_due due = take_due(WORKER_B);
    struct rota_notice notice = notice_to(WORKER_B, &due, STAFF + 1, "8K3F");
    struct written out = {.done = true};
    struct outcome accepted = {.done = false};
    struct pg_unit unit = {.done = rig_done, .arg = &accepted, .deadline_ms = 15000};
    pg_add(&unit, "UPDATE escalations SET state = 'accepted', accepted_by = 'x'");
    pg_add(&unit, "DO $$ BEGIN FOR i IN 1..200 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE"
                  " NOT granted); PERFORM pg_sleep(0.01); END LOOP; END $$");
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    submit_notice(&notice, &out);
    rig_run();
    CU_ASSERT_FALSE(accepted.failed || out.failed);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalation_notices"), out.done ? "2" : "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries WHERE author = 'system'"),
                           out.done ? "2" : "1");
    end_test();
}

static void tell_by(int who, const char *code, int delivery)
{
    make_due();
    struct rota_due due = take_due(WORKER_A);
    struct rota_notice notice = notice_to(WORKER_A, &due, who, code);
    notice.delivery = number_id(14, delivery);
    CU_ASSERT_TRUE(write_notice(&notice));
}

/* A responder's batch locks deliveries by id; who accepts takes them in the same order, or one of
 * both is the victim of a deadlock. Guard: `waiting` of reply_sql. */
static void accepting_locks_deliveries_by_id(void)
{
    struct outcome batch = {.done = false};
    struct pg_unit unit = {.done = rig_done, .arg = &batch, .deadline_ms = 15000};
    begin_rota();
    open_one();
    tell_by(STAFF, "7K3F", 2);
    tell_by(STAFF + 1, "8K3F", 1);
    pg_add(&unit, "SELECT 1 FROM deliveries WHERE id = '0e000000-0000-0000-0000-000000000001'"
                  " FOR NO KEY UPDATE");
    pg_add(&unit, "DO $$ BEGIN FOR i IN 1..200 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE"
                  " NOT granted); PERFORM pg_sleep(0.01); END LOOP; END $$");
    pg_add(&unit, "SELECT 1 FROM deliveries WHERE id = '0e000000-0000-0000-0000-000000000002'"
                  " FOR NO KEY UPDATE");
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    CU_ASSERT_STRING_EQUAL(text_code(STAFF + 1, 20, "8K3F"), "ended rota");
    CU_ASSERT_FALSE(batch.failed);
    CU_ASSERT_TRUE(has(answer_to(STAFF + 1), "8K3F is yours"));
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ') FROM deliveries"
                                 " WHERE author = 'system' AND reason IS NOT NULL"),
                           "suppressed suppressed");
    end_test();
}

/* Who is on a rota may be a customer too: the prompt of the next conversation holds the summary of
 * the last one, and notices are none. Guard: EARLIER_SQL of store/turn.c. */
static void notices_are_no_earlier_conversation(void)
{
    begin_rota();
    turn_with(STAFF, 10, "reply", trigger_of(NULL, 1));
    run("UPDATE conversations SET closed_at = clock_timestamp()");
    run("INSERT INTO summaries (tenant_id, id, conversation_id, up_to, body, assistant_version,"
        " call_id) SELECT c.tenant_id, c.id, c.id, 1, 'It was about a chair.', 1, l.id"
        " FROM conversations c, llm_calls l");
    open_one();
    tell(STAFF, "7K3F");
    struct claims claimed = claim_one(WORKER_A, STAFF, 20, "me again");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_STRING_EQUAL(started.earlier, "It was about a chair.");
    end_test();
}

static void wrong_codes(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    tell(STAFF + 1, "8K3F");
    CU_ASSERT_STRING_EQUAL(text_code(3, 19, "8K3F"), "open -"); /* a customer's text */
    CU_ASSERT_STRING_EQUAL(text_code(STAFF, 20, "8K3F"), "ended rota_wrong"); /* another's code */
    CU_ASSERT_TRUE(has(answer_to(STAFF), "8K3F is no code that was sent to this number"));
    for (int n = 21; n < 20 + ROTA_WRONG_MAX; n++)
        CU_ASSERT_STRING_EQUAL(text_code(STAFF, n, "2C2C"), "ended rota_wrong");
    CU_ASSERT_STRING_EQUAL(text_code(STAFF, 30, "7K3F"), "ended rota_wrong");
    CU_ASSERT_TRUE(has(answer_to(STAFF), "Too many wrong codes"));
    text_code(STAFF, 31, "7K3F");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries d JOIN channel_sessions s ON"
                                 " s.id = d.session_id WHERE s.id ="
                                 " '01000000-0000-0000-0000-000000000005'"),
                           "6");
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:2");
    run("UPDATE inbox_events SET claimed_at = claimed_at - interval '2 h'");
    run("UPDATE escalation_notices SET until_at = clock_timestamp() WHERE code = '8K3F'");
    CU_ASSERT_STRING_EQUAL(text_code(STAFF + 1, 32, "8K3F"), "ended rota");
    CU_ASSERT_TRUE(has(answer_to(STAFF + 1), "The time for 8K3F is over"));
    run("UPDATE escalation_notices SET sent_at = sent_at - interval '8 d'");
    CU_ASSERT_STRING_EQUAL(text_code(STAFF + 1, 33, "8K3F"), "open -");
    end_test();
}

/* ---- deskctl ---- */

static void people_accept_and_close(void)
{
    static const enum escalation_step steps[] = {ESCALATION_ACCEPT, ESCALATION_CLOSE};
    for (size_t i = 0; i < 2; i++) {
        struct pg_session *session = NULL;
        const char *json = NULL;
        const struct uuid id = number_id(8, 1);
        struct err err;
        begin_rota();
        open_one();
        tell(STAFF, "7K3F");
        CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
        CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(session, &err), 0);
        CU_ASSERT_EQUAL(escalation_admin_step(session, &id, "ops", steps[i], &err), 0);
        CU_ASSERT_EQUAL(escalation_admin_show(session, arena, &id, &json, &err), 0);
        CU_ASSERT_TRUE(has(json, "\"name\" : \"desk\"") && has(json, "\"state\" : \"ended\""));
        CU_ASSERT_EQUAL(pg_session_script(session, "COMMIT", &err), 0);
        pg_session_close(&session);
        CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL FROM jobs"), "t");
        CU_ASSERT_STRING_EQUAL(value("SELECT state FROM deliveries WHERE author = 'system'"),
                               "suppressed");
        text_code(STAFF, 20, "7K3F");
        CU_ASSERT_TRUE(has(answer_to(STAFF), i == 0 ? "taken: ops has it" : "settled already"));
        end_test();
    }
}

/* deskctl's step on the one escalation; the error's code, "" if it went well. */
static const char *step_as_ops(enum escalation_step step)
{
    static struct err err;
    struct pg_session *session = NULL;
    const struct uuid id = number_id(8, 1);
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(session, &err), 0);
    int rc = escalation_admin_step(session, &id, "ops", step, &err);
    struct err other;
    CU_ASSERT_EQUAL(pg_session_script(session, rc == 0 ? "COMMIT" : "ROLLBACK", &other), 0);
    pg_session_close(&session);
    return rc == 0 ? "" : err.code;
}

/* Whom nobody told, or nobody accepted, is told to the rota from its first person on; who is being
 * asked, or has answered, is not asked again. Guard: the states in retry_sql. */
static void people_have_the_rota_asked_again(void)
{
    static const char *const ends[] = {"parked", "nobody_accepted"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        begin_rota();
        open_one();
        CU_ASSERT_STRING_EQUAL(step_as_ops(ESCALATION_RETRY), "escalation.running");
        tell(STAFF, "7K3F");
        run(arena_printf(arena,
                         "UPDATE escalations SET rota = '%s'; UPDATE jobs SET due_at = NULL,"
                         " tries = 12, last_error = 'no number'",
                         ends[i]));
        CU_ASSERT_STRING_EQUAL(step_as_ops(ESCALATION_RETRY), "");
        CU_ASSERT_STRING_EQUAL(value("SELECT tries || ' ' || coalesce(last_error, '-') FROM jobs"),
                               "0 -");
        struct rota_due due = take_due(WORKER_A);
        CU_ASSERT_TRUE(due.runs);
        CU_ASSERT_EQUAL(due.steps, 0);
        CU_ASSERT_STRING_EQUAL(step_as_ops(ESCALATION_ACCEPT), "");
        CU_ASSERT_STRING_EQUAL(step_as_ops(ESCALATION_RETRY), "escalation.taken");
        run("UPDATE escalations SET state = 'open', accepted_by = NULL, rota = 'none'");
        CU_ASSERT_STRING_EQUAL(step_as_ops(ESCALATION_RETRY), "escalation.no_rota");
        end_test();
    }
}

static void take_or_give_back(const char *actor, bool takes)
{
    struct pg_session *session = NULL;
    struct conversation_takeover taken;
    int64_t due = 0;
    struct err err;
    struct conversation_ref ref = {.actor = actor};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &ref.tenant));
    CU_ASSERT_TRUE(uuid_parse(value("SELECT conversation_id FROM channel_sessions WHERE"
                                    " remote_address = '+15559001'"),
                              &ref.conversation));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(session, &err), 0);
    CU_ASSERT_EQUAL(takes ? conversation_take_over(session, &ref, &taken, &err)
                          : conversation_hand_back(session, &ref, &due, &err),
                    0);
    CU_ASSERT_EQUAL(pg_session_script(session, "COMMIT", &err), 0);
    pg_session_close(&session);
}

/* Who takes over has accepted, until the conversation is handed back; a message still waits for who
 * works off messages, and somebody else's conversation is not touched. */
static void a_takeover_accepts(void)
{
    begin_rota();
    open_one();
    turn_with(2, 2, "reply", trigger_of("policy_word", 2));
    run("UPDATE jobs SET due_at = 'infinity' WHERE subject <>"
        " (SELECT id::text FROM escalations ORDER BY created_at LIMIT 1)");
    struct rota_due due = take_due(WORKER_A);
    struct rota_notice notice = notice_to(WORKER_A, &due, STAFF, "7K3F");
    CU_ASSERT_TRUE(write_notice(&notice));
    run("INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary) SELECT "
        "tenant_id,"
        " conversation_id, conversation_id, 'message', 's' FROM channel_sessions"
        " WHERE remote_address = '+15559001'");
    take_or_give_back("staff", true);
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:accepted:over:1 policy_word:open:running:0"
                                   " message:open:none:0");
    CU_ASSERT_STRING_EQUAL(value("SELECT accepted_by FROM escalations WHERE state = 'accepted'"),
                           "staff");
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:ended");
    CU_ASSERT_STRING_EQUAL(value("SELECT state || ' ' || reason FROM deliveries"
                                 " WHERE author = 'system'"),
                           "suppressed accepted");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM jobs WHERE due_at IS NOT NULL"), "1");
    CU_ASSERT_STRING_EQUAL(text_code(STAFF, 20, "7K3F"), "ended rota");
    CU_ASSERT_TRUE(has(answer_to(STAFF), "7K3F is taken: staff has it"));
    take_or_give_back("staff", false);
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:closed:over:1 policy_word:open:running:0"
                                   " message:open:none:0");
    end_test();
}

/* ---- erasure ---- */

static void erase(int who)
{
    struct pg_session *session = NULL;
    struct err err;
    int64_t messages = 0;
    struct erasure erasure = {.address = arena_printf(arena, "+1555900%d", who),
                              .address_hash = number_id(4, who),
                              .actor = "test"};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &erasure.tenant));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(session, &err), 0);
    int rc = erasure_run(session, &erasure, &messages, &err);
    if (rc != 0)
        printf("    %s: %s\n", err.code, err.message);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(pg_session_script(session, "COMMIT", &err), 0);
    pg_session_close(&session);
}

static const char left_sql[] =
    "SELECT (SELECT count(*) FROM escalations) || ' ' || (SELECT count(*) FROM escalation_notices)"
    " || ' ' || (SELECT count(*) FROM messages WHERE author = 'system') || ' '"
    " || (SELECT count(*) FROM jobs) || ' ' || (SELECT count(*) FROM contacts)";

/* A customer's words go, also out of what others were told; of somebody of the rota goes what that
 * number was told, and the escalation stays. */
static void erasure_takes_notices(void)
{
    begin_rota();
    open_one();
    tell(STAFF, "7K3F");
    tell(STAFF + 1, "8K3F");
    erase(STAFF);
    CU_ASSERT_STRING_EQUAL(value(left_sql), "1 1 1 1 2");
    tell(STAFF, "9K3F");
    erase(1);
    CU_ASSERT_STRING_EQUAL(value(left_sql), "0 0 0 0 2");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rota", open_server, rig_end_server);
    CU_add_test(suite, "a step is read and written", a_step_is_read_and_written);
    CU_add_test(suite, "it moves on", it_moves_on);
    CU_add_test(suite, "two workers, one step", two_workers_one_step);
    CU_add_test(suite, "a code is given once", a_code_is_given_once);
    CU_add_test(suite, "a timer that fails", a_timer_that_fails);
    CU_add_test(suite, "no flood", no_flood_holds_up_another_tenant);
    CU_add_test(suite, "a pause until hours begin", a_pause_until_hours_begin);
    CU_add_test(suite, "accepted by code", accepted_by_code);
    CU_add_test(suite, "a code among other words", a_code_among_other_words);
    CU_add_test(suite, "a code is claimed once", a_code_is_claimed_once);
    CU_add_test(suite, "two accept in one claim", two_accept_in_one_claim);
    CU_add_test(suite, "accepted before a step", accepted_while_a_step_is_on_its_way);
    CU_add_test(suite, "a step waits for who accepts", a_step_waits_for_who_accepts);
    CU_add_test(suite, "accepting, by id", accepting_locks_deliveries_by_id);
    CU_add_test(suite, "no earlier conversation", notices_are_no_earlier_conversation);
    CU_add_test(suite, "wrong codes", wrong_codes);
    CU_add_test(suite, "people accept and close", people_accept_and_close);
    CU_add_test(suite, "asked again", people_have_the_rota_asked_again);
    CU_add_test(suite, "a takeover", a_takeover_accepts);
    CU_add_test(suite, "erasure", erasure_takes_notices);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
