/* What the ingress tells of a call against PostgreSQL: which word about a turn counts, what becomes
 * of its reply, and the call's end. */
#include "unit/common/store/turn_rig.h"

#include "store/conversation.h"
#include "store/voice.h"

static const char voice_sql[] =
    "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
    " assistant_id) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000c2', 'voice',"
    " '+15550001', 'AC1', '', '[]', '00000000-0000-7000-8000-0000000000a1')";

/* The caller's words number `n`. */
static struct inbox_claimed say(int n)
{
    struct inbox_event event = text_of(1, n, "hello");
    event.channel = "voice";
    event.provider_id = arena_printf(arena, "CA1:VX1:%d", n);
    event.session = number_id(9, 1);
    struct claims claimed = claim(WORKER_A, &event, 1);
    CU_ASSERT_EQUAL_FATAL(claimed.count, 1);
    run("UPDATE channel_sessions SET call_sid = 'CA1', stream_partition = 7");
    return claimed.rows[0];
}

struct told {
    struct voice_told row;
    char words[64];
};

static void on_told(void *arg, const struct pg_answer *answer)
{
    struct told *told = arg;
    CU_ASSERT_PTR_NULL(answer->err);
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else
        voice_read_told(answer, 0, &told->row);
    rig_count_down();
}

static enum voice_told_kind hear_word(const struct turn_started *turn, int64_t fence, int64_t seq,
                                      const char *reason, const char *text, bool is_whole)
{
    struct told told = {.words = ""};
    struct pg_unit unit = {.done = on_told, .arg = &told};
    voice_add_word(&unit, arena, WORKER_A,
                   &(struct voice_word){.tenant = TENANT,
                                        .session = number_id(9, 1),
                                        .turn = turn->turn,
                                        .fence = fence,
                                        .epoch = turn->epoch,
                                        .seq = seq,
                                        .text = text,
                                        .is_whole = is_whole,
                                        .reason = reason});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return told.row.kind;
}

static enum voice_told_kind hear(const struct turn_started *turn, int64_t fence, int64_t seq,
                                 const char *reason, const char *text)
{
    return hear_word(turn, fence, seq, reason, text, false);
}

static void on_done(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    CU_ASSERT_PTR_NULL(answer->err);
    rig_count_down();
}

static void end_call_at(int64_t at_ms)
{
    const struct voice_place place = {.tenant = TENANT, .session = number_id(9, 1)};
    struct pg_unit unit = {.done = on_done};
    voice_add_locks(&unit, arena, &place, 1);
    voice_add_end(
        &unit, arena,
        &(struct voice_end_of_call){.tenant = TENANT, .session = number_id(9, 1), .at_ms = at_ms});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
}

static void end_call(void)
{
    end_call_at(clock_wall_ms());
}

/* When the newest reply was committed, ms. */
static int64_t answered_ms(void)
{
    return strtoll(
        value("SELECT (extract(epoch FROM max(created_at)) * 1000)::bigint FROM deliveries"), NULL,
        10);
}

#define REPLY                                                                                      \
    "SELECT concat_ws('|', d.via, d.state, d.reason, m.body, m.heard) FROM deliveries d"           \
    " JOIN messages m ON m.id = d.message_id ORDER BY d.seq DESC LIMIT 1"
#define EVENTS "SELECT string_agg(state, ' ' ORDER BY provider_id) FROM inbox_events"

static struct turn_started speak_one(struct inbox_claimed *claimed)
{
    *claimed = say(1);
    const struct turn_started turn = start(WORKER_A, claimed);
    const struct turn_commit reply = commit_of(claimed, &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|sending|See you at 3.");
    return turn;
}

static void the_newest_word_settles(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed;
    const struct turn_started turn = speak_one(&claimed);
    CU_ASSERT_EQUAL(turn.number, 1);
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "stall", "See"), VOICE_TOLD_SETTLED);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|sending|See you at 3.");
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "last", "See you at 3."), VOICE_TOLD_SETTLED);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|delivered|See you at 3.|See you at 3.");
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "interrupt", "See you"), VOICE_TOLD_SETTLED);
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "last", "See you at 3."), VOICE_TOLD_NOTHING);
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "close", "See you at"), VOICE_TOLD_NOTHING);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|delivered|See you at 3.|See you");
    CU_ASSERT_STRING_EQUAL(value(EVENTS), "answered");
    end_test();
}

/* Written to its end, and then nothing of it was heard: the caller is answered again. */
static void what_nobody_heard_is_open_again(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed;
    const struct turn_started turn = speak_one(&claimed);
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "last", "See you at 3."), VOICE_TOLD_SETTLED);
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "interrupt", ""), VOICE_TOLD_ANEW);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|suppressed|unheard|See you at 3.|");
    CU_ASSERT_STRING_EQUAL(value(EVENTS), "open");
    claimed = say(2);
    const struct turn_started next = start(WORKER_A, &claimed);
    CU_ASSERT_EQUAL(next.number, 2);
    CU_ASSERT_PTR_NULL(strstr(next.context, "See you"));
    end_test();
}

static void a_running_turn_begins_anew_under_another_number(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed = say(1);
    const struct turn_started turn = start(WORKER_A, &claimed);
    CU_ASSERT_EQUAL(hear(&turn, turn.fence, 0, "interrupt", ""), VOICE_TOLD_ANEW);
    CU_ASSERT_EQUAL(hear(&turn, turn.fence, 0, "interrupt", ""), VOICE_TOLD_NOTHING);
    const struct turn_commit late = commit_of(&claimed, &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &late).kind, TURN_REFUSED_LOST);
    claimed = say(2);
    const struct turn_started again = start(WORKER_A, &claimed);
    CU_ASSERT_TRUE(uuid_equal(&again.turn, &turn.turn));
    CU_ASSERT_TRUE(again.again);
    CU_ASSERT_EQUAL(again.number, 2);
    CU_ASSERT_STRING_EQUAL(again.heard_reason, "anew");
    CU_ASSERT_EQUAL(again.tries, 0);
    end_test();
}

/* The word comes before the commit, and an ingress that was not there before knows less. */
static void a_word_before_the_commit_settles_it(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed = say(1);
    const struct turn_started turn = start(WORKER_A, &claimed);
    CU_ASSERT_EQUAL(hear(&turn, turn.fence, 1, "close", "See you"), VOICE_TOLD_RUNNING);
    const struct turn_started again = start(WORKER_A, &claimed);
    CU_ASSERT_EQUAL(hear(&again, again.fence, -1, "open", ""), VOICE_TOLD_RUNNING);
    CU_ASSERT_STRING_EQUAL(value("SELECT heard FROM turns"), "See you");
    CU_ASSERT_EQUAL(hear(&again, again.fence, 2, "last", "at 3."), VOICE_TOLD_RUNNING);
    const struct turn_commit reply = commit_of(&claimed, &again);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|delivered|See you at 3.|See you at 3.");
    end_test();
}

/* By the time of a stall not all of the words has sounded that an adopter is told of. */
static void a_stall_takes_nothing_from_an_answer(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed = say(1);
    start(WORKER_A, &claimed);
    const struct turn_started again = start(WORKER_A, &claimed);
    CU_ASSERT_EQUAL(hear(&again, again.fence - 1, 1, "stall", "See"), VOICE_TOLD_RUNNING);
    CU_ASSERT_EQUAL(hear(&again, again.fence, -1, "open", "See you"), VOICE_TOLD_RUNNING);
    CU_ASSERT_EQUAL(hear(&again, again.fence, 1, "stall", "See"), VOICE_TOLD_RUNNING);
    CU_ASSERT_STRING_EQUAL(value("SELECT heard || ' ' || heard_reason FROM turns"),
                           "See you stall");
    CU_ASSERT_EQUAL(hear(&again, again.fence, 2, "stall", "See you at"), VOICE_TOLD_RUNNING);
    CU_ASSERT_STRING_EQUAL(value("SELECT heard FROM turns"), "See you at");
    CU_ASSERT_EQUAL(hear(&again, again.fence, 2, "close", "See"), VOICE_TOLD_RUNNING);
    CU_ASSERT_STRING_EQUAL(value("SELECT heard FROM turns"), "See");
    end_test();
}

/* What sounded until somebody took over was said. */
static void a_takeover_keeps_what_was_heard(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed = say(1);
    const struct turn_started turn = start(WORKER_A, &claimed);
    CU_ASSERT_EQUAL(hear(&turn, turn.fence, 1, "stop", "It is"), VOICE_TOLD_RUNNING);
    CU_ASSERT_EQUAL(hear(&turn, turn.fence, 1, "stop", "It is"), VOICE_TOLD_SETTLED);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|delivered|It is|It is");
    CU_ASSERT_STRING_EQUAL(value(EVENTS), "answered");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "1");
    const struct turn_commit late = commit_of(&claimed, &turn);
    CU_ASSERT_EQUAL(commit(WORKER_A, &late).kind, TURN_REFUSED_LOST);
    end_test();
}

/* Somebody of the business takes the conversation, answers by text and hands it back. */
static void answer_as_a_person(const struct uuid *conversation)
{
    struct conversation_ref ref = {.conversation = *conversation, .actor = "staff"};
    struct conversation_reply reply = {
        .message = uuid_new(), .delivery = uuid_new(), .body = "I did it"};
    struct conversation_takeover taken;
    struct pg_session *person;
    int64_t due = 0;
    struct err err;
    CU_ASSERT_TRUE(uuid_parse(TENANT, &ref.tenant));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "console", &person, &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(person, "BEGIN", &err), 0);
    CU_ASSERT_EQUAL(conversation_take_over(person, &ref, &taken, &err), 0);
    CU_ASSERT_EQUAL(conversation_reply(person, &ref, &reply, &err), 0);
    CU_ASSERT_EQUAL(conversation_hand_back(person, &ref, &due, &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(person, "COMMIT", &err), 0);
    pg_session_close(&person);
}

/* The caller cut in before anything sounded, which is told only when a person has answered him:
 * what the turn has begun is the person's. Guard: the outcome in word_sql. */
static void a_turn_that_a_person_ended_stays_over(void)
{
    begin_test();
    run(voice_sql);
    claim_one(WORKER_A, 1, 100, "hello");
    struct inbox_claimed claimed = say(1);
    const struct turn_started turn = start(WORKER_A, &claimed);
    begin_tool_call();
    answer_as_a_person(&turn.conversation);
    CU_ASSERT_STRING_EQUAL(value(EVENTS), "human human");
    CU_ASSERT_EQUAL(hear(&turn, turn.fence, 0, "interrupt", ""), VOICE_TOLD_SETTLED);
    CU_ASSERT_STRING_EQUAL(value("SELECT concat_ws(' ', t.state, t.outcome, s.turn_id)"
                                 " FROM turns t JOIN channel_sessions s ON s.id = t.session_id"),
                           "finished interrupted");
    CU_ASSERT_STRING_EQUAL(value(EVENTS), "human human");
    claimed = say(2);
    const struct turn_started next = start(WORKER_A, &claimed);
    CU_ASSERT_FALSE(next.again);
    CU_ASSERT_STRING_EQUAL(next.events, "{CA1:VX1:2}");
    end_test();
}

static void a_call_ends_once(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed;
    speak_one(&claimed);
    /* however slow the machine is: nothing of it has sounded when the call ends */
    run("UPDATE deliveries SET created_at = clock_timestamp() + interval '1 minute'");
    claimed = say(2);
    const struct turn_started turn = start(WORKER_A, &claimed);
    CU_ASSERT_EQUAL(hear(&turn, turn.fence, 1, "close", "It is"), VOICE_TOLD_RUNNING);
    say(3);
    end_call();
    end_call();
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|delivered|It is|It is");
    CU_ASSERT_STRING_EQUAL(value(EVENTS), "answered answered late");
    CU_ASSERT_STRING_EQUAL(
        value("SELECT string_agg(concat_ws(' ', d.state, d.reason), ',' ORDER BY d.seq)"
              " FROM deliveries d"),
        "suppressed unheard,delivered");
    CU_ASSERT_STRING_EQUAL(value("SELECT concat_ws(' ', state, outcome) FROM turns"
                                 " ORDER BY number DESC LIMIT 1"),
                           "finished interrupted");
    CU_ASSERT_STRING_EQUAL(
        value("SELECT (ended_at IS NOT NULL AND due_at IS NULL AND worker IS NULL"
              " AND turn_id IS NULL)::text FROM channel_sessions"),
        "true");
    say(4);
    CU_ASSERT_STRING_EQUAL(value("SELECT state || ' ' || reason FROM inbox_events"
                                 " WHERE provider_id = 'CA1:VX1:4'"),
                           "late late");
    end_test();
}

/* ---- another socket ---- */

struct resumed {
    bool found, half;
    char heard[64], bridge[16];
};

static void on_resumed(void *arg, const struct pg_answer *answer)
{
    struct resumed *resumed = arg;
    struct voice_resumed row;
    CU_ASSERT_PTR_NULL(answer->err);
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else if (voice_read_resumed(answer, answer->count - 1, &row)) {
        resumed->found = true;
        resumed->half = !uuid_is_nil(&row.turn);
        snprintf(resumed->heard, sizeof resumed->heard, "%s", row.heard);
        snprintf(resumed->bridge, sizeof resumed->bridge, "%s", row.bridge);
        CU_ASSERT_STRING_EQUAL(row.body, resumed->half ? "See you at 3." : "");
    }
    rig_count_down();
}

/* The setup number `n` of the call, whose former socket sounded for so long after its turn was
 * answered. */
static struct resumed resume(int n, bool is_told, int64_t later_ms)
{
    struct resumed resumed = {.heard = ""};
    struct inbox_event event = text_of(1, n, "");
    event.channel = "voice";
    event.provider_id = arena_printf(arena, "CA1:VX%d:0", n);
    event.session = number_id(9, 1);
    event.consent = INBOX_NOTE;
    struct pg_unit unit = {.done = on_resumed, .arg = &resumed};
    inbox_add_claim(&unit, arena, WORKER_A, &event, 1,
                    &(struct inbox_timing){.answer_within_ms = 600000, .quiet_ms = 604800000});
    voice_add_resume(&unit, arena,
                     &(struct voice_resume){.tenant = TENANT,
                                            .record = event.provider_id,
                                            .session = event.session,
                                            .until_ms = answered_ms() + later_ms,
                                            .is_told = is_told});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return resumed;
}

/* The ingress is gone that said that all was written: how far it sounded is judged by the time. */
static void nobody_tells_how_far_it_sounded(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed;
    const struct turn_started turn = speak_one(&claimed);
    hear(&turn, 1, 3, "last", "See you at 3.");
    const struct resumed told = resume(2, true, 600);
    CU_ASSERT_TRUE(told.found && !told.half);
    CU_ASSERT_STRING_EQUAL(told.bridge, "");
    run("UPDATE channel_sessions SET turn_number = 1");
    const struct resumed late = resume(3, false, 60000);
    CU_ASSERT_TRUE(late.found && !late.half);
    run("UPDATE channel_sessions SET turn_number = 1");
    const struct resumed soon = resume(4, false, 600); /* some 9 characters */
    CU_ASSERT_TRUE(soon.found && soon.half);
    CU_ASSERT_STRING_EQUAL(soon.heard, "See you");
    CU_ASSERT_STRING_EQUAL(value("SELECT heard || ' ' || heard_reason FROM turns"),
                           "See you close");
    CU_ASSERT_EQUAL(hear(&turn, 4, -1, "open", ""), VOICE_TOLD_SETTLED);
    CU_ASSERT_EQUAL(hear(&turn, 4, 2, "last", "at 3."), VOICE_TOLD_SETTLED);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|delivered|See you at 3.|See you at 3.");
    end_test();
}

static const char own_sql[] =
    "INSERT INTO assistant_versions (tenant_id, assistant_id, version, config, created_by) VALUES"
    " ('" TENANT "', '00000000-0000-7000-8000-0000000000a1', 1,"
    " '{\"phone\":{\"speaking_rate\":80,\"words\":{\"bridge\":\"Continuo.\"}}}', 'test')";

/* A slow voice: what is judged by the time is judged by its rate. The business has its own words.
 */
static void what_has_sounded_is_judged_by_the_rate_of_the_voice(void)
{
    begin_test();
    run(voice_sql);
    run(own_sql);
    struct inbox_claimed claimed;
    const struct turn_started turn = speak_one(&claimed);
    hear(&turn, 1, 3, "last", "See you at 3.");
    const struct resumed soon = resume(2, false, 600); /* some 5 characters */
    CU_ASSERT_STRING_EQUAL(soon.heard, "See");
    CU_ASSERT_STRING_EQUAL(soon.bridge, "Continuo.");
    end_test();
    begin_test();
    run(voice_sql);
    run(own_sql);
    speak_one(&claimed);
    end_call_at(answered_ms() + 1100); /* some 9 */
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|delivered|See you at 3.|See you");
    end_test();
}

/* A turn that runs when the setup is claimed, and whose engine does not know of it: what it has
 * said went into the socket before. Guard: HAS_MOVED in turn_commit.c. */
static void a_commit_behind_another_socket_is_refused(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed = say(1);
    const struct turn_started turn = start(WORKER_A, &claimed);
    struct turn_commit reply = commit_of(&claimed, &turn);
    CU_ASSERT_FALSE(resume(2, false, 0).found);
    CU_ASSERT_FALSE(resume(2, false, 0).found); /* the same setup again */
    CU_ASSERT_STRING_EQUAL(value("SELECT sockets::text FROM turns"), "1");
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_REFUSED_MOVED);
    hear(&turn, 1, 3, "last", "See you at 3.");
    reply.sockets = 1;
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    end_test();
}

static void a_commit_behind_another_socket_may_be_heard(void)
{
    static const struct {
        const char *reason, *text;
        enum turn_commit_kind kind;
    } heard[] = {{"open", "", TURN_REFUSED_MOVED},
                 {"close", "See you at", TURN_REFUSED_MOVED},
                 {"close", "See you at 3.", TURN_COMMITTED},
                 {"interrupt", "See you", TURN_COMMITTED},
                 {"last", "See you at 3.", TURN_COMMITTED}};
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++) {
        begin_test();
        run(voice_sql);
        struct inbox_claimed claimed = say(1);
        const struct turn_started turn = start(WORKER_A, &claimed);
        struct turn_commit reply = commit_of(&claimed, &turn);
        resume(2, false, 0);
        hear(&turn, 1, 3, heard[i].reason, heard[i].text);
        CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, heard[i].kind);
        const struct turn_started again = start(WORKER_A, &claimed);
        if (heard[i].kind == TURN_COMMITTED) {
            CU_ASSERT_EQUAL(again.kind, TURN_START_NOTHING);
        } else {
            CU_ASSERT_EQUAL(again.kind, TURN_START_RUN);
            reply = commit_of(&claimed, &again);
            CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
        }
        end_test();
    }
}

/* The ingress tells at the first frame of a newer epoch what was heard of the older one: by then a
 * turn that two contacts' joining gave back goes on. Guard: the epoch in stop_sql. */
static void a_stop_ends_no_turn_of_a_newer_epoch(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed = say(1);
    const struct turn_started turn = start(WORKER_A, &claimed);
    run("UPDATE conversations SET epoch = epoch + 1");
    const struct turn_started again = start(WORKER_A, &claimed);
    CU_ASSERT_TRUE(again.again && again.epoch == turn.epoch + 1);
    CU_ASSERT_EQUAL(hear(&turn, 1, 3, "stop", "See you"), VOICE_TOLD_RUNNING);
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM turns"), "running");
    CU_ASSERT_EQUAL(hear(&again, 2, -1, "open", "See you"), VOICE_TOLD_RUNNING);
    const struct turn_commit reply = commit_of(&claimed, &again);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value(REPLY), "stream|sending|See you at 3.");
    end_test();
}

/* The second ingress that knew nothing is gone as well: what its engine reckons holds all of it. */
static void what_is_whole_is_not_told_behind_what_was(void)
{
    begin_test();
    run(voice_sql);
    struct inbox_claimed claimed = say(1);
    const struct turn_started turn = start(WORKER_A, &claimed);
    hear(&turn, 1, 3, "close", "See you");
    CU_ASSERT_EQUAL(hear(&turn, 2, -1, "open", ""), VOICE_TOLD_RUNNING);
    CU_ASSERT_EQUAL(hear_word(&turn, 2, 1, "close", "See you at", true), VOICE_TOLD_RUNNING);
    CU_ASSERT_STRING_EQUAL(value("SELECT heard FROM turns"), "See you at");
    end_test();
}

#define LANGUAGE "SELECT coalesce(language, 'usual') FROM channel_sessions"

/* A reply in that language to the caller's words number `n`. */
static void speak_in(const char *lang, int n, int sockets)
{
    const struct inbox_claimed claimed = say(n);
    const struct turn_started turn = start(WORKER_A, &claimed);
    struct turn_commit reply = commit_of(&claimed, &turn);
    run(arena_printf(arena, "UPDATE turns SET sockets = %d WHERE state = 'running'", sockets));
    run("UPDATE turns SET heard = 'See you at 3.' WHERE state = 'running'");
    reply.lang = lang;
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
}

static void a_call_keeps_its_language_until_another_socket(void)
{
    begin_test();
    run(voice_sql);
    speak_in(NULL, 1, 0);
    CU_ASSERT_STRING_EQUAL(value(LANGUAGE), "usual");
    speak_in("es-US", 2, 0);
    speak_in(NULL, 3, 0);
    CU_ASSERT_STRING_EQUAL(value(LANGUAGE), "es-US");
    const struct inbox_claimed claimed = say(4);
    CU_ASSERT_STRING_EQUAL(start(WORKER_A, &claimed).language, "es-US");
    resume(5, true, 600);
    CU_ASSERT_STRING_EQUAL(value(LANGUAGE), "usual");
    end_test();
}

/* What was heard was said over the former one; the new one speaks the usual language. */
static void a_switch_behind_another_socket_is_none(void)
{
    begin_test();
    run(voice_sql);
    speak_in("es-US", 1, 1);
    CU_ASSERT_STRING_EQUAL(value(LANGUAGE), "usual");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("voice", open_server, rig_end_server);
    CU_add_test(suite, "the newest word", the_newest_word_settles);
    CU_add_test(suite, "nobody heard it", what_nobody_heard_is_open_again);
    CU_add_test(suite, "anew", a_running_turn_begins_anew_under_another_number);
    CU_add_test(suite, "before the commit", a_word_before_the_commit_settles_it);
    CU_add_test(suite, "a stall", a_stall_takes_nothing_from_an_answer);
    CU_add_test(suite, "a takeover", a_takeover_keeps_what_was_heard);
    CU_add_test(suite, "a person's answer", a_turn_that_a_person_ended_stays_over);
    CU_add_test(suite, "the end", a_call_ends_once);
    CU_add_test(suite, "an ingress that is gone", nobody_tells_how_far_it_sounded);
    CU_add_test(suite, "a slow voice", what_has_sounded_is_judged_by_the_rate_of_the_voice);
    CU_add_test(suite, "a commit, another socket", a_commit_behind_another_socket_is_refused);
    CU_add_test(suite, "and was heard", a_commit_behind_another_socket_may_be_heard);
    CU_add_test(suite, "a stop, a newer epoch", a_stop_ends_no_turn_of_a_newer_epoch);
    CU_add_test(suite, "a language", a_call_keeps_its_language_until_another_socket);
    CU_add_test(suite, "a language, another socket", a_switch_behind_another_socket_is_none);
    CU_add_test(suite, "what is whole", what_is_whole_is_not_told_behind_what_was);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
