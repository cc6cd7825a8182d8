/* The claim of a caller's words in a call that goes on (store/inbox_call.h), with the start behind
 * it, as the engine sends them: what it does as the whole claim does, and that it leaves nothing
 * where more is to be looked at. */
#include "unit/common/store/rota_rig.h"

#include "store/inbox_call.h"
#include "store/voice.h"

static const char channel_sql[] =
    "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
    " assistant_id) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000c2', 'voice',"
    " '+15550001', 'AC1', '', '[]', '00000000-0000-7000-8000-0000000000a1')";

static struct inbox_event words(int n, const char *body)
{
    struct inbox_event event = text_of(1, n, body);
    event.channel = "voice";
    event.provider_id = arena_printf(arena, "CA1:VX1:%d", n);
    event.session = number_id(9, 1);
    event.traceparent = "00-trace";
    memset(event.content_hash, n, sizeof event.content_hash);
    return event;
}

static void add_plain(struct pg_unit *unit, const struct inbox_event *event)
{
    const struct turn_start start = {
        .tenant = TENANT, .session = event->session, .turn = uuid_new()};
    const char *claim = inbox_call_add(unit, arena, WORKER_A,
                                       &(struct inbox_call){.event = event,
                                                            .call_sid = "CA1",
                                                            .partition = 7,
                                                            .answer_within_ms = 600000,
                                                            .quiet_ms = 604800000});
    CU_ASSERT_EQUAL(unit->count, 1 + INBOX_CALL_STATEMENTS);
    turn_add_fresh(unit, arena, WORKER_A, &start, 1,
                   &(struct turn_times){DEADLINE, 5000, 24 * 3600 * 1000}, claim);
}

static struct starts claim_plain(const struct inbox_event *event)
{
    struct starts out = {.count = 0};
    struct pg_unit unit = {.done = on_started, .arg = &out};
    pg_add(&unit, "SELECT 1"); /* turn_read_started looks behind three others */
    add_plain(&unit, event);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return out;
}

static void on_done(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    CU_ASSERT_PTR_NULL(answer->err);
    rig_count_down();
}

static struct turn_started claim_whole(const struct inbox_event *event)
{
    const struct voice_place place = {
        .tenant = TENANT, .session = event->session, .call_sid = "CA1", .partition = 7};
    struct pg_unit unit = {.done = on_done};
    const struct claims claims = claim(WORKER_A, event, 1);
    CU_ASSERT_EQUAL_FATAL(claims.count, 1);
    voice_add_places(&unit, arena, &place, 1);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return start(WORKER_A, &claims.rows[0]);
}

/* A call in which the caller was answered once. */
static void begin_call(void)
{
    begin_test();
    run(channel_sql);
    run("ALTER TABLE messages ALTER position RESTART");
    const struct inbox_event first = words(1, "what was said before");
    const struct turn_started turn = claim_whole(&first);
    struct turn_commit reply = commit_of(&(struct inbox_claimed){.session = first.session}, &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
}

/* All that was written for the second words, but for ids and times. */
#define WRITTEN                                                                                    \
    "SELECT concat_ws('|', e.state, e.reason, e.session_id, e.message_id, e.address_hash,"         \
    " e.content_hash, e.settled_at, e.traceparent, e.claim_id IS NULL,"                            \
    " e.event_time <= clock_timestamp(), m.direction, m.author, m.body, m.media::text,"            \
    " m.provider_id, m.event_time = e.event_time, m.conversation_id = s.conversation_id,"          \
    " m.session_id = s.id, m.position, s.claimed, s.worker,"                                       \
    " s.burst_at <= clock_timestamp(), s.due_at <= clock_timestamp(), s.call_sid,"                 \
    " s.stream_partition, s.call_at > c.opened_at, s.fence, s.turn_number, c.flagged,"             \
    " c.closed_at, c.last_activity_at > e.claimed_at - interval '1 s', c.epoch, t.state,"          \
    " t.number, t.answers::text, t.traceparent) FROM inbox_events e JOIN messages m"               \
    " ON m.id = e.message_id JOIN channel_sessions s ON s.id = e.session_id"                       \
    " JOIN conversations c ON c.id = s.conversation_id JOIN turns t ON t.id = s.turn_id"           \
    " WHERE e.provider_id = 'CA1:VX1:2'"

static void plain_words_are_claimed_as_by_the_whole_claim(void)
{
    char written[2][1000], context[2][1000];
    for (int plain = 0; plain < 2; plain++) {
        begin_call();
        run("UPDATE conversations SET last_activity_at = clock_timestamp() - interval '1 h'");
        struct inbox_event event = words(2, "it's \"me\" {again}, with a \\");
        event.event_time_ms += 3600000; /* of a clock that is wrong */
        const struct turn_started started =
            plain ? claim_plain(&event).rows[0] : claim_whole(&event);
        CU_ASSERT_EQUAL(started.kind, TURN_START_RUN);
        CU_ASSERT_EQUAL(started.claimed, 2);
        CU_ASSERT_STRING_EQUAL(started.events, "{CA1:VX1:2}");
        CU_ASSERT_PTR_NOT_NULL(strstr(started.context, "what was said before"));
        snprintf(written[plain], sizeof written[plain], "%s", value(WRITTEN));
        snprintf(context[plain], sizeof context[plain], "%s", strstr(started.context, "again}"));
        const struct turn_commit answer =
            commit_of(&(struct inbox_claimed){.session = event.session}, &started);
        CU_ASSERT_EQUAL(commit(WORKER_A, &answer).kind, TURN_COMMITTED);
        end_test();
    }
    CU_ASSERT_NOT_EQUAL(strlen(written[0]), 0);
    CU_ASSERT_STRING_EQUAL(written[0], written[1]);
    CU_ASSERT_EQUAL(strncmp(context[0], context[1], 30), 0);
}

static const char *everything(void)
{
    return value("SELECT string_agg(x, ' ' ORDER BY x) FROM ("
                 "SELECT e::text AS x FROM inbox_events e UNION ALL SELECT m::text FROM messages m"
                 " UNION ALL SELECT c::text FROM conversations c UNION ALL SELECT s::text"
                 " FROM channel_sessions s UNION ALL SELECT t::text FROM turns t) AS y");
}

static void leaves_nothing(const struct inbox_event *event)
{
    const char *before = everything();
    CU_ASSERT_EQUAL(claim_plain(event).count, 0);
    CU_ASSERT_STRING_EQUAL(everything(), before);
}

static void what_is_not_plain_leaves_nothing(void)
{
    static const char *const changes[] = {
        "UPDATE channel_sessions SET ended_at = clock_timestamp()",
        "UPDATE conversations SET held_by = 'somebody', epoch = epoch + 1",
        "UPDATE conversations SET closed_at = clock_timestamp()",
        "UPDATE conversations SET last_activity_at = clock_timestamp() - interval '8 days'",
        "UPDATE channels SET removed_at = clock_timestamp() WHERE kind = 'voice'",
        "DELETE FROM contact_addresses",
        "WITH other AS (INSERT INTO contacts (tenant_id, id) VALUES ('" TENANT "',"
        " '00000000-0000-7000-8000-0000000000d1') RETURNING id)"
        " UPDATE contact_addresses SET contact_id = other.id FROM other",
        "INSERT INTO erasures (tenant_id, address_hash, erased_at) SELECT tenant_id, address_hash,"
        " clock_timestamp() + interval '1 min' FROM inbox_events",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        begin_call();
        run(changes[i]);
        const struct inbox_event event = words(2, "hello?");
        leaves_nothing(&event);
        end_test();
    }
}

static void other_words_leave_nothing(void)
{
    begin_call();
    struct inbox_event event = words(1, "what was said before"); /* claimed already */
    leaves_nothing(&event);
    event = words(2, "of a call that nobody knows");
    event.session = number_id(9, 2);
    leaves_nothing(&event);
    event = words(2, "too late");
    event.event_time_ms -= 700000;
    leaves_nothing(&event);
    event = words(2, "of another number of ours");
    event.sender = "+15550002";
    leaves_nothing(&event);
    end_test();
}

/* What he was answered was not heard, and is open again: it is not answered in place of words that
 * were not taken. */
static void older_words_do_not_stand_for_what_was_not_claimed(void)
{
    static const char *const changes[] = {
        "UPDATE conversations SET closed_at = clock_timestamp()",
        "UPDATE conversations SET last_activity_at = clock_timestamp() - interval '8 days'",
        "UPDATE channels SET removed_at = clock_timestamp() WHERE kind = 'voice'",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        begin_call();
        run("UPDATE inbox_events SET state = 'open', turn_id = NULL, settled_at = NULL");
        run("UPDATE channel_sessions SET due_at = clock_timestamp() + interval '3 s'");
        run(changes[i]);
        const struct inbox_event event = words(2, "hello?");
        leaves_nothing(&event);
        end_test();
    }
}

/* ---- somebody has the row ---- */

static struct pg_session *other;

static bool one_waits(void)
{
    return strcmp(owner_value("SELECT count(*)::text FROM pg_locks WHERE NOT granted"), "1") == 0;
}

/* The words come while somebody else writes that, who is through only when they wait for him. */
static struct starts claim_behind(const struct inbox_event *event, const char *sql)
{
    struct starts out = {.count = 0};
    struct pg_unit unit = {.done = on_started, .arg = &out, .deadline_ms = PATIENCE_MS};
    pg_add(&unit, "SELECT 1");
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "other", &other, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(other, "BEGIN", &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(other, sql, &err), 0);
    add_plain(&unit, event);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    CU_ASSERT_TRUE(rig_until(one_waits));
    CU_ASSERT_EQUAL(pg_session_script(other, "COMMIT", &err), 0);
    pg_session_close(&other);
    rig_run();
    return out;
}

static void what_changes_under_it_is_seen(void)
{
    static const char *const changes[] = {
        "UPDATE conversations SET held_by = 'somebody', epoch = epoch + 1",
        "UPDATE conversations SET closed_at = clock_timestamp()",
        "UPDATE channel_sessions SET ended_at = clock_timestamp()",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        begin_call();
        const struct inbox_event event = words(2, "hello?");
        CU_ASSERT_EQUAL(claim_behind(&event, changes[i]).count, 0);
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM inbox_events"), "1");
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM messages WHERE direction = 'in'"), "1");
        CU_ASSERT_STRING_EQUAL(value("SELECT claimed FROM channel_sessions"), "1");
        end_test();
    }
}

static void what_leaves_it_plain_is_waited_for(void)
{
    begin_call();
    const struct inbox_event event = words(2, "hello?");
    const struct starts started =
        claim_behind(&event, "UPDATE conversations SET last_activity_at = clock_timestamp()");
    CU_ASSERT_EQUAL(started.count, 1);
    CU_ASSERT_STRING_EQUAL(value("SELECT claimed FROM channel_sessions"), "2");
    end_test();
}

/* Another engine has the same record in hand: nobody waits for a row of the other's. */
static void the_same_words_in_another_claim_are_waited_for(void)
{
    begin_call();
    const struct inbox_event event = words(2, "hello?");
    int64_t key;
    memcpy(&key, event.address_hash.bytes, sizeof key);
    const struct starts started = claim_behind(
        &event,
        arena_printf(arena,
                     "SELECT pg_advisory_xact_lock_shared(%lld); INSERT INTO inbox_events"
                     " (tenant_id, channel, provider_id, session_id, message_id, address_hash,"
                     " content_hash, state, claim_id, event_time) SELECT tenant_id, channel,"
                     " 'CA1:VX1:2', session_id, gen_random_uuid(), address_hash, content_hash,"
                     " 'open', gen_random_uuid(), event_time FROM inbox_events",
                     (long long)key));
    CU_ASSERT_EQUAL(started.count, 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turns"), "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM inbox_events"), "2");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM messages WHERE direction = 'in'"), "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT claimed FROM channel_sessions"), "1");
    end_test();
}

/* Words that come while a turn is at work are claimed, and not started. */
static void a_turn_at_work_keeps_its_words(void)
{
    begin_call();
    const struct inbox_event second = words(2, "one thing"), third = words(3, "and another");
    CU_ASSERT_EQUAL(claim_plain(&second).count, 1);
    CU_ASSERT_EQUAL(claim_plain(&third).count, 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM inbox_events WHERE provider_id = 'CA1:VX1:3'"),
                           "open");
    CU_ASSERT_STRING_EQUAL(value("SELECT claimed FROM channel_sessions"), "3");
    const struct claims again = claim(WORKER_A, &third, 1);
    CU_ASSERT_FALSE(again.rows[0].fresh);
    CU_ASSERT_TRUE(again.rows[0].mine);
    CU_ASSERT_EQUAL(again.rows[0].claimed, 3);
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("inbox_call", open_server, rig_end_server);
    CU_add_test(suite, "plain words are claimed as by the whole claim",
                plain_words_are_claimed_as_by_the_whole_claim);
    CU_add_test(suite, "what is not plain leaves nothing", what_is_not_plain_leaves_nothing);
    CU_add_test(suite, "other words leave nothing", other_words_leave_nothing);
    CU_add_test(suite, "older words do not stand for what was not claimed",
                older_words_do_not_stand_for_what_was_not_claimed);
    CU_add_test(suite, "what changes under it is seen", what_changes_under_it_is_seen);
    CU_add_test(suite, "what leaves it plain is waited for", what_leaves_it_plain_is_waited_for);
    CU_add_test(suite, "the same words in another claim are waited for",
                the_same_words_in_another_claim_are_waited_for);
    CU_add_test(suite, "a turn at work keeps its words", a_turn_at_work_keeps_its_words);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
