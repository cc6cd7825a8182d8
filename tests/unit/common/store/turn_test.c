/* Claim, start, commit and adoption on a real PostgreSQL, as the engine's role: what each statement
 * decides, and the races that broke the first wording of the protocol (docs/PROTOCOL.md). */
#include "unit/common/store/turn_rig.h"

#include "store/adoption.h"

static void a_burst_is_one_turn(void)
{
    begin_test();
    struct inbox_event burst[] = {text_of(1, 1, "hello"), text_of(1, 2, "again"),
                                  text_of(2, 3, "other person")};
    struct claims claimed = claim(WORKER_A, burst, 3);
    CU_ASSERT_EQUAL_FATAL(claimed.count, 3);
    CU_ASSERT(claimed.rows[0].fresh && claimed.rows[0].mine);
    CU_ASSERT(claimed.rows[0].due_in_ms > 2000 && claimed.rows[0].due_in_ms <= 3000);
    CU_ASSERT(uuid_equal(&claimed.rows[0].conversation, &claimed.rows[1].conversation));
    CU_ASSERT_FALSE(uuid_equal(&claimed.rows[0].conversation, &claimed.rows[2].conversation));
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL(turn.kind, TURN_START_RUN);
    CU_ASSERT_EQUAL(turn.fence, 1);
    CU_ASSERT_EQUAL(turn.deadline_ms, DEADLINE);
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.context, "hello"));
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.context, "again"));
    CU_ASSERT_PTR_NULL(strstr(turn.context, "other person"));
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(provider_id, ' ' ORDER BY provider_id)"
                                 " FROM inbox_events WHERE state = 'answered'"),
                           "SM001 SM002");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries WHERE state = 'pending'"), "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT tokens_in || ' ' || coalesce(tokens_out, 0) || ' ' || cost"
                                 " || ' ' || queue_ms || ' ' || first_token_ms FROM llm_calls"),
                           "5 0 1500 2 3");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM channel_sessions WHERE due_at IS NULL"),
                           "1");
    end_test();
}

static void a_commit_whose_answer_was_lost_is_committed_once(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM llm_calls"), "1");
    end_test();
}

/* A reply that no column takes fails for good and leaves nothing; a failed turn that says nothing
 * is the last resort, and no recovery takes its event for one that found no model. */
static void a_commit_that_is_never_taken(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit poison = commit_of(&claimed.rows[0], &turn);
    struct pg_unit unit = {.count = 0};
    struct outcome out;
    poison.body = "\xff";
    turn_add_commit(&unit, arena, WORKER_A, &poison, 1);
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_TRUE(out.failed);
    CU_ASSERT_EQUAL(out.err.class, ERR_PERMANENT);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM llm_calls"), "0");
    struct turn_commit bare = poison;
    bare.body = "";
    bare.event_state = bare.turn_state = "failed";
    bare.outcome = "degraded";
    bare.error_code = "commit.unfit";
    bare.call_count = 0;
    CU_ASSERT_EQUAL(commit(WORKER_A, &bare).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT state || coalesce(reason, '') FROM inbox_events"),
                           "failed");
    CU_ASSERT_STRING_EQUAL(value("SELECT flagged FROM conversations"), "turn_failed");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "0");
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL FROM channel_sessions"), "t");
    end_test();
}

static void redelivered_events(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    struct claims again = claim_one(WORKER_B, 1, 1, "hello");
    CU_ASSERT_FALSE(again.rows[0].fresh);
    CU_ASSERT_TRUE(again.rows[0].mine); /* an open one re-arms, and names the claimer */
    CU_ASSERT_EQUAL(again.rows[0].claimed, claimed.rows[0].claimed);
    struct turn_started turn = start(WORKER_B, &again.rows[0]);
    struct turn_commit reply = commit_of(&again.rows[0], &turn);
    CU_ASSERT_EQUAL(commit(WORKER_B, &reply).kind, TURN_COMMITTED);
    struct claims finished = claim_one(WORKER_A, 1, 1, "hello");
    CU_ASSERT_FALSE(finished.rows[0].mine);
    CU_ASSERT_STRING_EQUAL(finished.states[0], "answered");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM messages WHERE direction = 'in'"), "1");
    end_test();
}

/* V1f: an answered session that is started again only clears its due time. */
static void v1f_a_start_without_open_events_does_nothing(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    run("UPDATE channel_sessions SET due_at = clock_timestamp()");
    CU_ASSERT_EQUAL(start(WORKER_A, &claimed.rows[0]).kind, TURN_START_NOTHING);
    CU_ASSERT_STRING_EQUAL(value("SELECT fence || ' ' || (due_at IS NULL) FROM channel_sessions"),
                           "1 true");
    end_test();
}

/* V1e: a text that came after the prompt is not answered unseen: the commit is refused twice, and
 * the third time it answers what it saw and leaves the rest. */
static void v1e_newer_texts(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    claim_one(WORKER_A, 1, 2, "two");
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_REFUSED_NEWER);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "0");
    struct turn_start again = {.tenant = TENANT,
                               .session = claimed.rows[0].session,
                               .conversation = claimed.rows[0].conversation,
                               .turn = uuid_new(),
                               .recompute = true};
    struct turn_started second = start_with(WORKER_A, &again);
    CU_ASSERT_EQUAL(second.recomputes, 1);
    CU_ASSERT_EQUAL(second.tries, 0);
    CU_ASSERT_TRUE(uuid_equal(&second.turn, &turn.turn));
    CU_ASSERT_PTR_NOT_NULL(strstr(second.events, "SM002"));
    claim_one(WORKER_A, 1, 3, "three");
    reply = commit_of(&claimed.rows[0], &second);
    reply.final = true;
    struct turn_committed third = commit(WORKER_A, &reply);
    CU_ASSERT_EQUAL(third.kind, TURN_COMMITTED_MORE);
    CU_ASSERT(third.due_in_ms > 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT provider_id FROM inbox_events WHERE state = 'open'"),
                           "SM003");
    end_test();
}

/* V1a: a claim that holds the session row while a commit waits for it is seen by that commit. */
static void v1a_a_claim_beside_a_commit_keeps_the_session_due(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct pg_session *holder = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "holder", &holder, &err), 0);
    CU_ASSERT_EQUAL_FATAL(
        pg_session_script(
            holder,
            "BEGIN; UPDATE channel_sessions SET due_at = clock_timestamp() + interval '3 s';"
            " INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id,"
            " address_hash, content_hash, state, claim_id, event_time) SELECT tenant_id, channel,"
            " 'SM002', session_id, message_id, address_hash, '', 'open', claim_id, event_time"
            " FROM inbox_events WHERE provider_id = 'SM001'",
            &err),
        0);
    struct commits out = {.count = 0};
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    submit_commit(WORKER_A, &reply, &out);
    int64_t until = clock_mono_ms() + 300;
    while (clock_mono_ms() < until) {
        loop_pass(rig_loop);
        poll(NULL, 0, 5); /* the commit now waits for the row */
    }
    CU_ASSERT_EQUAL(out.count, 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(holder, "COMMIT", &err), 0);
    rig_run();
    CU_ASSERT_EQUAL_FATAL(out.count, 1);
    CU_ASSERT_EQUAL(out.rows[0].kind, TURN_COMMITTED_MORE);
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NOT NULL FROM channel_sessions"), "t");
    pg_session_close(&holder);
    end_test();
}

/* V1b: a takeover that is not committed yet is waited for, and then refuses the reply. */
static void v1b_a_takeover_beside_a_commit_refuses_it(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct pg_session *holder = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "holder", &holder, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(holder,
                                            "BEGIN; UPDATE conversations SET epoch = epoch + 1,"
                                            " held_by = 'operator'",
                                            &err),
                          0);
    struct commits out = {.count = 0};
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    submit_commit(WORKER_A, &reply, &out);
    int64_t until = clock_mono_ms() + 300;
    while (clock_mono_ms() < until) {
        loop_pass(rig_loop);
        poll(NULL, 0, 5); /* the commit now waits for the row */
    }
    CU_ASSERT_EQUAL(out.count, 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(holder, "COMMIT", &err), 0);
    rig_run();
    CU_ASSERT_EQUAL_FATAL(out.count, 1);
    CU_ASSERT_EQUAL(out.rows[0].kind, TURN_REFUSED_EPOCH);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "0");
    CU_ASSERT_STRING_EQUAL(value("SELECT (worker IS NULL) || ' ' || (due_at IS NULL)"
                                 " FROM channel_sessions"),
                           "true true");
    pg_session_close(&holder);
    end_test();
}

static void an_older_fence_or_another_worker_is_refused(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    struct turn_started first = start(WORKER_A, &claimed.rows[0]);
    struct turn_started second = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit stale = commit_of(&claimed.rows[0], &first);
    CU_ASSERT_EQUAL(commit(WORKER_A, &stale).kind, TURN_REFUSED_LOST);
    struct turn_commit reply = commit_of(&claimed.rows[0], &second);
    CU_ASSERT_EQUAL(commit(WORKER_B, &reply).kind, TURN_REFUSED_LOST);
    CU_ASSERT_EQUAL(start(WORKER_B, &claimed.rows[0]).kind, TURN_START_LOST);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    end_test();
}

struct adoptions {
    int count;
    struct adopted rows[ROWS_MAX];
};

static void on_adopted(void *arg, const struct pg_answer *answer)
{
    struct adoptions *out = arg;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && out->count < ROWS_MAX &&
           adoption_read(answer, out->count, &out->rows[out->count]))
        out->count++;
    rig_count_down();
}

/* Of all but one tenant, or of all. */
static const char *full = "{}";

static int adopt(const char *worker, const char *held)
{
    struct adoptions out = {.count = 0};
    struct pg_unit unit = {.done = on_adopted, .arg = &out};
    adoption_add(&unit, arena,
                 &(struct adoption){
                     .worker = worker, .lease_ms = 4000, .held = held, .full = full, .limit = 4});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return out.count;
}

/* A stall of the database holds up everybody's renewal, and this adoption with it. */
static void who_is_about_to_lapse_marks_nobody(void)
{
    begin_test();
    run("UPDATE workers SET lease_until = clock_timestamp() + CASE process WHEN 'a'"
        " THEN interval '-1 s' ELSE interval '1500 ms' END");
    adopt(WORKER_B, "{}");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM workers WHERE dead"), "0");
    run("UPDATE workers SET lease_until = clock_timestamp() + interval '1 h' WHERE process = 'b'");
    adopt(WORKER_B, "{}");
    CU_ASSERT_STRING_EQUAL(value("SELECT process FROM workers WHERE dead"), "a");
    end_test();
}

#define OTHER "00000000-0000-7000-8000-000000000002"

/* A second tenant: a copy of the first with one due session. */
static void add_other_tenant(void)
{
    run("INSERT INTO tenants (id, name, display_name, timezone) VALUES ('" OTHER "', 'other', 'O',"
        " 'UTC');"
        "INSERT INTO assistants VALUES ('" OTHER
        "', '00000000-0000-7000-8000-0000000000a2', 'd', 1);"
        "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
        " assistant_id) VALUES ('" OTHER "', '00000000-0000-7000-8000-0000000000c2', 'sms',"
        " '+15550002', 'AC2', '', '[]', '00000000-0000-7000-8000-0000000000a2');"
        "INSERT INTO contacts (tenant_id, id) VALUES ('" OTHER
        "', '00000000-0000-7000-8000-0000000000d2');"
        "INSERT INTO conversations (tenant_id, id, contact_id) VALUES ('" OTHER
        "', '00000000-0000-7000-8000-0000000000e2', '00000000-0000-7000-8000-0000000000d2');"
        "INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
        " remote_address, due_at) VALUES ('" OTHER "', '00000000-0000-7000-8000-0000000000f2', '"
        "00000000-0000-7000-8000-0000000000e2', '00000000-0000-7000-8000-0000000000c2', 'sms',"
        " '+15559999', clock_timestamp())");
}

/* One tenant's backlog is older and larger than what may be adopted at once; the other's only
 * session is among the first all the same, when nobody has them and when they are ours. */
static void adoption_is_fair_by_tenant(void)
{
    begin_test();
    for (int who = 1; who <= 7; who++)
        claim_one(WORKER_A, who, who, "flood");
    run("UPDATE channel_sessions SET worker = NULL, due_at = clock_timestamp() - interval '1 h'");
    add_other_tenant();
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 4);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM channel_sessions WHERE tenant_id = '" OTHER
                                 "' AND worker = '" WORKER_B "'"),
                           "1");
    run("UPDATE channel_sessions SET worker = '" WORKER_B "'");
    const char *held = value("SELECT coalesce(array_agg(id), '{}') FROM channel_sessions"
                             " WHERE tenant_id = '" TENANT "' AND remote_address < '+15559003'");
    CU_ASSERT_EQUAL(adopt(WORKER_B, arena_strdup(arena, held)), 4);
    full = "{" TENANT "}";
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 1);
    full = "{" OTHER "," TENANT "}";
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 0);
    full = "{}";
    end_test();
}

static void only_due_sessions_of_the_dead_are_adopted(void)
{
    begin_test();
    claim_one(WORKER_A, 1, 1, "one");
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 0); /* A lives, and it is not due */
    run("UPDATE channel_sessions SET due_at = clock_timestamp()");
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 0); /* A lives */
    run("UPDATE workers SET lease_until = clock_timestamp() - interval '1 s'"
        " WHERE id = '" WORKER_A "'");
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 1);
    CU_ASSERT_STRING_EQUAL(value("SELECT dead FROM workers WHERE process = 'a'"), "t");
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 1); /* V3: ours, but not in our memory */
    CU_ASSERT_EQUAL(adopt(WORKER_B, value("SELECT ARRAY[id] FROM channel_sessions")), 0);
    end_test();
}

/* Another unit is marking the dead worker at this moment, and has not committed: the start waits,
 * or it would take the lost start for a living worker's and not count it. */
static void start_waits_for_who_marks_the_dead(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    CU_ASSERT_EQUAL(start(WORKER_A, &claimed.rows[0]).tries, 0);
    run("UPDATE workers SET lease_until = clock_timestamp() - interval '1 s'"
        " WHERE id = (SELECT worker FROM turns);"
        "UPDATE channel_sessions SET worker = '" WORKER_B "'");
    struct outcome marker;
    rig_sql(&marker, "UPDATE workers SET dead = true WHERE id = (SELECT worker FROM turns)",
            "do $$ begin for i in 1..300 loop"
            " exit when exists (select from pg_locks where not granted);"
            " perform pg_sleep(0.01); end loop; end $$",
            NULL);
    struct outcome holds = {.done = false};
    do { /* until the marker has the row */
        rig_sql(&holds, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", NULL,
                NULL);
        while (!holds.done)
            loop_pass(rig_loop);
    } while (strcmp(holds.text, "1") != 0 && !marker.done);
    struct turn_started turn = start(WORKER_B, &claimed.rows[0]);
    CU_ASSERT_EQUAL(turn.tries, 1);
    end_test();
}

/* A record came again before the lease of the worker that it killed had lapsed: the start that
 * overtook that worker cannot know, later ones can. Who renewed since was alive. */
static void overtaken_starts_count_once_their_worker_is_dead(void)
{
    static const char overtake[] = "UPDATE channel_sessions SET worker = '" WORKER_B "'";
    static const char lapse[] = "UPDATE workers SET lease_until = clock_timestamp() - interval"
                                " '1 s', dead = true WHERE process = 'a'";
    for (int renewed = 0; renewed < 2; renewed++) {
        begin_test();
        struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
        start(WORKER_A, &claimed.rows[0]);
        run(overtake);
        CU_ASSERT_EQUAL(start(WORKER_B, &claimed.rows[0]).tries, 0);
        CU_ASSERT_STRING_EQUAL(value("SELECT array_length(overtaken, 1) FROM turns"), "1");
        run(renewed ? lapse : "UPDATE workers SET dead = true WHERE process = 'a'");
        CU_ASSERT_EQUAL(start(WORKER_B, &claimed.rows[0]).tries, renewed ? 0 : 1);
        CU_ASSERT_STRING_EQUAL(value("SELECT overtaken FROM turns"), "{}");
        CU_ASSERT_EQUAL(start(WORKER_B, &claimed.rows[0]).tries, renewed ? 0 : 1);
        end_test();
    }
}

/* After an outage every lease has lapsed for a moment: a start of its own marks nobody. */
static void start_marks_only_who_it_follows(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    start(WORKER_A, &claimed.rows[0]);
    struct claims other = claim_one(WORKER_B, 2, 2, "hello");
    run("UPDATE workers SET lease_until = clock_timestamp() - interval '1 s'");
    CU_ASSERT_EQUAL(start(WORKER_B, &other.rows[0]).tries, 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM workers WHERE dead"), "0");
    end_test();
}

/* V5g and the suspect rule: only starts that were lost with a dead worker count. */
static void tries_count_lost_starts_only(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL(start(WORKER_A, &claimed.rows[0]).tries, 0);
    for (int lost = 1; lost <= 2; lost++) {
        run("UPDATE workers SET dead = true WHERE id = (SELECT worker FROM turns);"
            "INSERT INTO workers (id, kind, process, lease_until) VALUES (gen_random_uuid(),"
            " 'engine', 'next', clock_timestamp() + interval '1 h');"
            "UPDATE channel_sessions SET worker = (SELECT id FROM workers WHERE NOT dead"
            " AND process = 'next' ORDER BY started_at DESC LIMIT 1)");
        const char *worker = arena_strdup(arena, value("SELECT worker FROM channel_sessions"));
        turn = start(worker, &claimed.rows[0]);
        CU_ASSERT_EQUAL(turn.tries, lost);
        CU_ASSERT_EQUAL(turn.kind, lost < 2 ? TURN_START_RUN : TURN_START_SUSPECT);
        CU_ASSERT(turn.deadline_ms >= 5000);
    }
    struct turn_start alone = {.tenant = TENANT,
                               .session = claimed.rows[0].session,
                               .conversation = claimed.rows[0].conversation,
                               .turn = uuid_new(),
                               .suspect_slot = true};
    const char *worker = arena_strdup(arena, value("SELECT worker FROM channel_sessions"));
    turn = start_with(worker, &alone);
    CU_ASSERT_EQUAL(turn.kind, TURN_START_RUN);
    CU_ASSERT_EQUAL(turn.tries, 2);
    run("UPDATE workers SET dead = true WHERE id = (SELECT worker FROM turns);"
        "UPDATE channel_sessions SET worker = '" WORKER_B "'");
    turn = start(WORKER_B, &claimed.rows[0]);
    CU_ASSERT_EQUAL(turn.kind, TURN_START_FAIL);
    struct turn_commit degraded = commit_of(&claimed.rows[0], &turn);
    degraded.event_state = degraded.turn_state = "failed";
    degraded.outcome = "degraded";
    CU_ASSERT_EQUAL(commit(WORKER_B, &degraded).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT flagged FROM conversations"), "turn_failed");
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM inbox_events"), "failed");
    end_test();
}

static void what_ends_at_once(void)
{
    begin_test();
    struct inbox_event events[5];
    events[0] = text_of(1, 1, "STOP");
    events[0].consent = INBOX_STOP;
    events[1] = text_of(2, 2, "yes");
    events[1].consent = INBOX_START;
    events[2] = text_of(3, 3, "old");
    events[2].event_time_ms -= 2 * 86400000LL;
    events[3] = text_of(4, 4, "help");
    events[3].consent = INBOX_HELP;
    events[4] = text_of(5, 5, "for nobody");
    events[4].sender = "+15550002";
    struct claims claimed = claim(WORKER_A, events, 5);
    CU_ASSERT_EQUAL_FATAL(claimed.count, 4); /* the last has no channel: a dead letter */
    static const char *const states[] = {"ended", "open", "late", "ended"};
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_STRING_EQUAL(claimed.states[i], states[i]);
        CU_ASSERT_EQUAL(claimed.rows[i].mine, i == 1);
    }
    struct claims silent = claim_one(WORKER_A, 1, 6, "hello?");
    CU_ASSERT_STRING_EQUAL(silent.states[0], "ended"); /* opted out: nothing may answer */
    struct inbox_event back = text_of(1, 7, "START");
    back.consent = INBOX_START;
    CU_ASSERT_STRING_EQUAL(claim(WORKER_A, &back, 1).states[0], "ended");
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM consents"), "opted_in");
    CU_ASSERT_STRING_EQUAL(claim_one(WORKER_A, 1, 8, "hello!").states[0], "open");
    end_test();
}

/* Within one batch a text is judged by the words that came before it. */
static void consent_follows_the_order_of_a_batch(void)
{
    begin_test();
    struct inbox_event stop = text_of(1, 1, "STOP");
    stop.consent = INBOX_STOP;
    claim(WORKER_A, &stop, 1);
    struct inbox_event back[2] = {text_of(1, 2, "START"), text_of(1, 3, "are you open?")};
    back[0].consent = INBOX_START;
    back[1].place = 1;
    struct claims claimed = claim(WORKER_A, back, 2);
    CU_ASSERT_STRING_EQUAL(claimed.states[0], "ended");
    CU_ASSERT_STRING_EQUAL(claimed.states[1], "open");
    struct inbox_event again[2] = {text_of(1, 4, "STOP"), text_of(1, 5, "START")};
    again[0].consent = INBOX_STOP;
    again[1].consent = INBOX_START;
    again[1].place = 1;
    again[1].event_time_ms = again[0].event_time_ms;
    claimed = claim(WORKER_A, again, 2);
    CU_ASSERT_STRING_EQUAL(claimed.states[1], "ended");
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM consents"), "opted_in");
    end_test();
}

/* A text whose turn failed is not shown to the model again: it may be what kills engines. */
static void a_failed_text_stays_out_of_the_next_prompt(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "poison");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit degraded = commit_of(&claimed.rows[0], &turn);
    degraded.event_state = degraded.turn_state = "failed";
    degraded.outcome = "degraded";
    CU_ASSERT_EQUAL(commit(WORKER_A, &degraded).kind, TURN_COMMITTED);
    struct claims next = claim_one(WORKER_A, 1, 2, "harmless");
    turn = start(WORKER_A, &next.rows[0]);
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.context, "harmless"));
    CU_ASSERT_PTR_NULL(strstr(turn.context, "poison"));
    end_test();
}

/* A drained worker's row stays, dead, so that what still names it is adopted. */
static void what_names_a_retired_worker_is_adopted(void)
{
    begin_test();
    claim_one(WORKER_A, 1, 1, "one");
    struct pg_unit unit = {.count = 0};
    struct outcome out;
    turn_add_give_back(&unit, WORKER_A);
    rig_submit(&unit, &out);
    rig_run();
    run("UPDATE channel_sessions SET due_at = clock_timestamp(), worker = '" WORKER_A "'");
    CU_ASSERT_EQUAL(adopt(WORKER_B, "{}"), 1);
    end_test();
}

/* V8: what is older than the erasure is refused, what is newer is ordinary. */
static void v8_claims_after_an_erasure(void)
{
    begin_test();
    run("INSERT INTO erasures VALUES ('" TENANT "', '04000000-0000-0000-0000-000000000001',"
        " clock_timestamp())");
    struct inbox_event old = text_of(1, 1, "before");
    old.event_time_ms -= 1000;
    CU_ASSERT_STRING_EQUAL(claim(WORKER_A, &old, 1).states[0], "ended");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM contacts"), "0");
    struct inbox_event newer = text_of(1, 2, "after");
    newer.event_time_ms += 1000;
    CU_ASSERT_STRING_EQUAL(claim(WORKER_A, &newer, 1).states[0], "open");
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(body, ' ') FROM messages"), "after");
    end_test();
}

static void held_and_quiet_conversations(void)
{
    begin_test();
    struct claims first = claim_one(WORKER_A, 1, 1, "one");
    run("UPDATE conversations SET held_by = 'operator', epoch = 1;"
        "UPDATE channel_sessions SET due_at = NULL, worker = NULL");
    struct claims held = claim_one(WORKER_A, 1, 2, "two");
    CU_ASSERT_STRING_EQUAL(held.states[0], "open");
    CU_ASSERT_FALSE(held.rows[0].mine);
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL FROM channel_sessions"), "t");
    run("UPDATE conversations SET held_by = NULL, last_activity_at = now() - interval '8 days'");
    struct claims next = claim_one(WORKER_A, 1, 3, "three");
    CU_ASSERT_FALSE(uuid_equal(&next.rows[0].conversation, &first.rows[0].conversation));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM conversations WHERE closed_at IS NULL"),
                           "1");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("turn", open_server, rig_end_server);
    CU_add_test(suite, "a burst is one turn", a_burst_is_one_turn);
    CU_add_test(suite, "a lost commit", a_commit_whose_answer_was_lost_is_committed_once);
    CU_add_test(suite, "a commit that is never taken", a_commit_that_is_never_taken);
    CU_add_test(suite, "redelivered events", redelivered_events);
    CU_add_test(suite, "V1a", v1a_a_claim_beside_a_commit_keeps_the_session_due);
    CU_add_test(suite, "V1b", v1b_a_takeover_beside_a_commit_refuses_it);
    CU_add_test(suite, "V1e", v1e_newer_texts);
    CU_add_test(suite, "V1f", v1f_a_start_without_open_events_does_nothing);
    CU_add_test(suite, "fences and workers", an_older_fence_or_another_worker_is_refused);
    CU_add_test(suite, "a stall marks nobody", who_is_about_to_lapse_marks_nobody);
    CU_add_test(suite, "adoption", only_due_sessions_of_the_dead_are_adopted);
    CU_add_test(suite, "fair adoption", adoption_is_fair_by_tenant);
    CU_add_test(suite, "tries", tries_count_lost_starts_only);
    CU_add_test(suite, "tries while another marks", start_waits_for_who_marks_the_dead);
    CU_add_test(suite, "tries of overtaken starts",
                overtaken_starts_count_once_their_worker_is_dead);
    CU_add_test(suite, "a start marks only who it follows", start_marks_only_who_it_follows);
    CU_add_test(suite, "what ends at once", what_ends_at_once);
    CU_add_test(suite, "consent in a batch", consent_follows_the_order_of_a_batch);
    CU_add_test(suite, "a failed text", a_failed_text_stays_out_of_the_next_prompt);
    CU_add_test(suite, "a retired worker", what_names_a_retired_worker_is_adopted);
    CU_add_test(suite, "V8", v8_claims_after_an_erasure);
    CU_add_test(suite, "held and quiet conversations", held_and_quiet_conversations);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
