/* What a caller leaves to people against PostgreSQL: a call in which nothing was said, or was
 * answered, is one task, of which the rota hears later; any other is none. */
#include "unit/common/store/turn_rig.h"

#include "store/voice.h"
#include "store/voice_task.h"

#define LATER_MS 3600000

static const char seed_voice_sql[] =
    "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
    " assistant_id) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000c2', 'voice',"
    " '+15550001', 'AC1', '', '[]', '00000000-0000-7000-8000-0000000000a1');"
    "INSERT INTO assistant_versions (tenant_id, assistant_id, version, config, created_by) VALUES"
    " ('" TENANT "', '00000000-0000-7000-8000-0000000000a1', 1,"
    " '{\"escalation\": {\"rota\": [{\"name\": \"desk\", \"sms\": \"+15559005\"}]}}', 'test');";

#define TASKS                                                                                      \
    "SELECT string_agg(concat_ws(' ', e.state, e.rota, e.closed_by, CASE"                          \
    " WHEN j.due_at > clock_timestamp() + interval '30 min' THEN 'later'"                          \
    " WHEN j.due_at <= clock_timestamp() THEN 'now' END), ',') FROM escalations e"                 \
    " LEFT JOIN jobs j ON j.tenant_id = e.tenant_id AND j.subject = e.id::text"

/* What ingress told of the call: a prompt, or a note with these words or none. */
static void tell(int n, const char *word, const char *body)
{
    struct inbox_event event = text_of(1, n, body);
    event.channel = "voice";
    event.provider_id = arena_printf(arena, "CA1:%d", n);
    event.session = number_id(9, 1);
    event.consent = strcmp(word, "note") == 0 ? INBOX_NOTE : INBOX_NO_WORD;
    CU_ASSERT_EQUAL_FATAL(claim(WORKER_A, &event, 1).count, 1);
}

static void on_done(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    CU_ASSERT_PTR_NULL(answer->err);
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    rig_count_down();
}

static const struct voice_task missed = {.tenant = TENANT,
                                         .session = {{9, [15] = 1}},
                                         .id = {{7, [15] = 1}},
                                         .summary = "Missed call.",
                                         .said = "Not answered. The caller said: ",
                                         .call_back = "+15559001",
                                         .tell_in_ms = LATER_MS};

static void end_silently(void)
{
    struct pg_unit unit = {.done = on_done};
    voice_task_add_missed(&unit, arena, &missed);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
}

static void leave_something(void)
{
    struct pg_unit unit = {.done = on_done};
    voice_task_add_not_missed(&unit, arena, TENANT, &missed.id);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
}

static void begin_call(void)
{
    begin_test();
    run(seed_voice_sql);
    tell(1, "note", ""); /* its socket, or its end, which makes the session too */
}

static void a_silent_call_is_one_task(void)
{
    begin_call();
    end_silently();
    end_silently();
    CU_ASSERT_STRING_EQUAL(value(TASKS), "open running later");
    CU_ASSERT_STRING_EQUAL(value("SELECT concat_ws('|', reason, summary, call_back)"
                                 " FROM escalations"),
                           "message|Missed call.|+15559001");
    run("UPDATE escalations SET state = 'closed', rota = 'over'");
    end_silently();
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM escalations"), "1");
    end_test();
}

static void without_a_rota_it_is_only_listed(void)
{
    begin_call();
    run("UPDATE assistant_versions SET config = '{}'");
    end_silently();
    CU_ASSERT_STRING_EQUAL(value(TASKS), "open none");
    leave_something();
    CU_ASSERT_STRING_EQUAL(value(TASKS), "closed none desk");
    end_test();
}

static void whatever_came_in_is_no_missed_call(void)
{
    static const struct {
        const char *word, *body;
    } told[] = {{"", "hello"},
                {"", "[keys pressed: 1]"},
                {"note", "The caller left a spoken message (12 s)."},
                {"note", "Transfer of the call: a person took the call (9 s)."}};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        begin_call();
        tell(2, told[i].word, told[i].body);
        end_silently();
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM escalations"), "0");
        end_test();
    }
}

/* As the call's end leaves what nobody answered. */
static void was_late(int n)
{
    run(arena_printf(arena,
                     "UPDATE inbox_events SET state = 'late', reason = 'call_over'"
                     " WHERE provider_id = 'CA1:%d'",
                     n));
}

static void end_after(const char *wait)
{
    run(arena_printf(arena,
                     "UPDATE channel_sessions SET ended_at = (SELECT max(event_time)"
                     " FROM inbox_events) + interval '%s'",
                     wait));
    end_silently();
}

static void who_was_not_answered_is_one_task(void)
{
    begin_call();
    tell(2, "", "My crown came off.");
    tell(3, "", "Hello?");
    was_late(2);
    was_late(3);
    end_after("1 s");
    end_after("1 s");
    CU_ASSERT_STRING_EQUAL(value(TASKS), "open running later");
    CU_ASSERT_STRING_EQUAL(value("SELECT summary FROM escalations"),
                           "Not answered. The caller said: My crown came off. Hello?");
    end_test();
}

static void what_he_said_is_cut(void)
{
    begin_call();
    char *words = arena_alloc(arena, 4001);
    memset(words, 'a', 4000);
    words[4000] = '\0';
    tell(2, "", words);
    was_late(2);
    end_after("1 s");
    CU_ASSERT_STRING_EQUAL(value("SELECT length(summary)::text FROM escalations"), "1031");
    end_test();
}

/* A goodbye behind which he hangs up wants no answer; a question that he waits behind does. */
static void who_was_answered_before_must_have_waited(void)
{
    static const struct {
        const char *wait, *summary;
    } cases[] = {{"1 s", NULL},
                 {"4 s", "Not answered. The caller said: And on Sunday?"},
                 {"30 s", "Not answered. The caller said: And on Sunday?"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_call();
        tell(2, "", "When are you open?");
        run("UPDATE inbox_events SET state = 'answered' WHERE provider_id = 'CA1:2'");
        tell(3, "", "And on Sunday?");
        was_late(3);
        end_after(cases[i].wait);
        CU_ASSERT_STRING_EQUAL(value("SELECT coalesce(max(summary), '') FROM escalations"),
                               cases[i].summary != NULL ? cases[i].summary : "");
        end_test();
    }
}

static void who_was_answered_at_last_has_missed_nothing(void)
{
    begin_call();
    tell(2, "", "When are you open?");
    was_late(2);
    tell(3, "", "When are you open?");
    run("UPDATE inbox_events SET state = 'answered' WHERE provider_id = 'CA1:3'");
    end_after("30 s");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM escalations"), "0");
    end_test();
}

static void whose_message_was_recorded_is_no_missed_call(void)
{
    begin_call();
    tell(2, "", "My crown came off.");
    was_late(2);
    tell(3, "note", "The caller left a spoken message (12 s).");
    run("UPDATE messages SET provider_id = 'RE1' WHERE provider_id = 'CA1:3'");
    end_after("30 s");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM escalations"), "0");
    end_test();
}

/* He was answered before, said something else, and waits: a missed call, but for what the caller
 * of this does to it. */
static void begin_waiting(void)
{
    begin_call();
    tell(2, "", "Can I speak to somebody?");
    run("UPDATE inbox_events SET state = 'answered' WHERE provider_id = 'CA1:2'");
    tell(3, "", "Okay, thanks.");
    was_late(3);
}

/* What a turn of the call opened, so long behind the caller's last words. */
static void open_task(const char *behind, const char *changes)
{
    run(arena_printf(
        arena,
        "WITH t AS (INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, state,"
        " outcome, fence, epoch, deadline_at, finished_at) SELECT tenant_id, gen_random_uuid(), id,"
        " conversation_id, 1, 'finished', 'reply', 1, 0, now(), now() FROM channel_sessions"
        " WHERE kind = 'voice' RETURNING *)"
        " INSERT INTO escalations (tenant_id, id, conversation_id, turn_id, reason, summary,"
        " created_at) SELECT tenant_id, gen_random_uuid(), conversation_id, id, 'customer_asks',"
        " 's', (SELECT max(event_time) FROM inbox_events) + interval '%s' FROM t;"
        "UPDATE escalations SET %s",
        behind, changes));
}

#define MISSED "SELECT count(*)::text FROM escalations WHERE reason = 'message' AND turn_id IS NULL"
#define LAST   "(SELECT max(event_time) FROM inbox_events)"

/* Who comes back from that talk, or whom nobody took, waits in vain like anybody else. */
static void who_was_put_through_has_missed_nothing(void)
{
    static const struct {
        const char *transfer, *missed;
    } cases[] = {
        {"state = 'accepted', accepted_by = 'Anna', transfer = 'accepted',"
         " accepted_at = " LAST " + interval '20 s'",
         "0"},
        {"state = 'accepted', accepted_by = 'Anna', transfer = 'accepted',"
         " accepted_at = " LAST " - interval '20 s'",
         "1"},
        {"state = 'closed', closed_by = 'desk', closed_at = now(), transfer = 'accepted'", "0"},
        {"transfer = 'hung_up'", "0"},
        {"transfer = 'no_answer'", "1"},
        {"state = 'closed', closed_by = 'desk', closed_at = now(), transfer = 'dropped'", "1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_waiting();
        open_task("-1 s", cases[i].transfer);
        end_after("5 min");
        CU_ASSERT_STRING_EQUAL(value(MISSED), cases[i].missed);
        end_test();
    }
}

/* He did not hear that his message is taken, but people have it. */
static void whose_message_was_taken_down_has_missed_nothing(void)
{
    static const struct {
        const char *behind, *changes, *missed;
    } cases[] = {{"1 s", "reason = 'message'", "0"},
                 {"1 s", "reason = 'customer_asks'", "0"},
                 {"-1 s", "reason = 'message'", "1"},
                 {"1 s", "reason = 'provider_outage'", "1"},
                 {"1 s", "reason = 'tool_outage'", "1"},
                 {"1 s",
                  "state = 'closed', closed_by = 'desk', closed_at = now(), transfer = 'dropped'",
                  "1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_waiting();
        open_task(cases[i].behind, cases[i].changes);
        end_after("30 s");
        CU_ASSERT_STRING_EQUAL(value(MISSED), cases[i].missed);
        end_test();
    }
}

/* Whoever has the conversation sees what was said in it; that somebody called, nobody sees. */
static void what_a_person_holds_is_no_missed_call(void)
{
    begin_waiting();
    run("UPDATE conversations SET held_by = 'staff'");
    end_after("30 s");
    CU_ASSERT_STRING_EQUAL(value(MISSED), "0");
    end_test();
    begin_call();
    run("UPDATE conversations SET held_by = 'staff'");
    end_silently();
    CU_ASSERT_STRING_EQUAL(value(MISSED), "1");
    end_test();
}

/* The call of another day, or another session of the same person, is not this one. */
static void only_this_call_counts(void)
{
    begin_call();
    CU_ASSERT_EQUAL(claim_one(WORKER_A, 1, 5, "a text").count, 1);
    end_silently();
    CU_ASSERT_STRING_EQUAL(value(TASKS), "open running later");
    end_test();
}

static void a_message_behind_the_end_takes_it_back(void)
{
    begin_call();
    end_silently();
    leave_something();
    leave_something();
    CU_ASSERT_STRING_EQUAL(value(TASKS), "closed over desk");
    end_test();
}

/* Somebody was told, or has accepted: it is theirs. */
static void who_was_told_keeps_it(void)
{
    static const char *const changes[] = {"steps = 1", "state = 'accepted', accepted_by = 'desk'"};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        begin_call();
        end_silently();
        run(arena_printf(arena, "UPDATE escalations SET %s", changes[i]));
        leave_something();
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM escalations"
                                     " WHERE state <> 'closed' AND closed_by IS NULL"),
                               "1");
        end_test();
    }
}

/* The provider's list tells of the same call, before or behind: one task, told at once by it. */
static void found_and_missed_are_one(void)
{
    for (int found_first = 0; found_first < 2; found_first++) {
        begin_call();
        if (!found_first)
            end_silently();
        struct pg_unit unit = {.done = on_done};
        struct inbox_event event = text_of(2, 9, "");
        event.channel = "voice";
        event.provider_id = "CA2:ended";
        event.session = number_id(9, 2);
        event.consent = INBOX_NOTE;
        struct voice_task found = missed;
        found.was_answered = true;
        found.session = number_id(9, found_first ? 2 : 1);
        if (found_first)
            inbox_add_claim(&unit, arena, WORKER_A, &event, 1,
                            &(struct inbox_timing){3000, 10000, 86400000, 604800000, 0, 0});
        voice_task_add_found(&unit, arena, &found);
        rig_waiting++;
        pg_submit(rig_pg, &unit);
        rig_run();
        if (found_first)
            end_silently();
        CU_ASSERT_STRING_EQUAL(value(TASKS),
                               found_first ? "open running now" : "open running later");
        end_test();
    }
}

/* Only the end was lost: as the business wants it, and only if nothing was said or answered. Whose
 * call was taken and who was never answered is found whatever it wants, for what he said may be
 * lost as well. */
static void a_call_whose_end_was_lost(void)
{
    static const struct {
        const char *phone, *words, *tasks;
        bool late, taken, answered_before;
    } cases[] = {{"{}", NULL, "0", .taken = false},
                 {"{}", NULL, "1", .taken = true},
                 {"{\"missed_calls\": true}", NULL, "1", .taken = false},
                 {"{\"missed_calls\": true}", "hello", "0", .late = false},
                 {"{}", "hello", "0", .taken = true, .late = false},
                 {"{}", "hello", "0", .late = true},
                 {"{}", "hello", "1", .taken = true, .late = true},
                 {"{}", "hello", "0", .taken = true, .late = true, .answered_before = true},
                 {"{\"missed_calls\": true}", "hello", "1", .taken = true, .late = true,
                  .answered_before = true},
                 {"{\"missed_calls\": true}", "hello", "1", .late = true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_call();
        run(arena_printf(arena,
                         "UPDATE assistant_versions SET config = config || '{\"phone\": %s}'",
                         cases[i].phone));
        if (cases[i].answered_before) {
            tell(3, "", "When are you open?");
            run("UPDATE inbox_events SET state = 'answered' WHERE provider_id = 'CA1:3'");
        }
        if (cases[i].words != NULL)
            tell(2, "", cases[i].words);
        if (cases[i].late)
            was_late(2);
        run("UPDATE channel_sessions SET ended_at = (SELECT max(event_time) FROM inbox_events)"
            " + interval '30 s'");
        struct voice_task found = missed;
        found.was_answered = cases[i].taken;
        struct pg_unit unit = {.done = on_done};
        voice_task_add_found(&unit, arena, &found);
        rig_waiting++;
        pg_submit(rig_pg, &unit);
        rig_run();
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM escalations"), cases[i].tasks);
        end_test();
    }
}

/* Nothing but his end has come, and he may have hung up while it rang, or be blocked. */
static void a_call_that_only_the_provider_knows(void)
{
    static const struct {
        bool answered;
        const char *phone, *tasks;
    } cases[] = {{true, "{}", "1"},
                 {false, "{}", "0"},
                 {false, "{\"missed_calls\": true}", "1"},
                 {true, "{\"blocked\": [\"+15559002\", \"+15559001\"]}", "0"},
                 {false, "{\"missed_calls\": true, \"blocked\": [\"+15559001\"]}", "0"},
                 {false, "{\"missed_calls\": true, \"blocked\": [\"+15559002\"]}", "1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_test();
        run(seed_voice_sql);
        run(arena_printf(arena,
                         "UPDATE assistant_versions SET config = config || '{\"phone\": %s}'",
                         cases[i].phone));
        struct pg_unit unit = {.done = on_done};
        struct inbox_event event = text_of(1, 9, "");
        event.channel = "voice";
        event.provider_id = "CA1:ended";
        event.session = number_id(9, 1);
        event.consent = INBOX_NOTE;
        struct voice_task found = missed;
        found.was_answered = cases[i].answered;
        inbox_add_claim(&unit, arena, WORKER_A, &event, 1,
                        &(struct inbox_timing){3000, 10000, 86400000, 604800000, 0, 0});
        voice_task_add_found(&unit, arena, &found);
        rig_waiting++;
        pg_submit(rig_pg, &unit);
        rig_run();
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM escalations"), cases[i].tasks);
        end_test();
    }
}

static void on_rung(void *arg, const struct pg_answer *answer)
{
    CU_ASSERT_PTR_NULL(answer->err);
    *(int *)arg = answer->err == NULL ? pg_rows(answer->results, 0) : -1;
    rig_count_down();
}

/* Whose business wants to hear of it, and wanted it when he rang. */
static void who_rang_before_it_was_wanted_is_not_told_of(void)
{
    static const struct {
        const char *before, *now;
        int count;
    } cases[] = {{"{}", "{\"missed_calls\": true}", 1},
                 {"{\"missed_calls\": true}", "{\"missed_calls\": true}", 2},
                 {"{\"missed_calls\": true}", "{}", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_call();
        run(arena_printf(arena,
                         "UPDATE assistant_versions SET config = '{\"phone\": %s}', created_at ="
                         " '2026-03-01T08:00:00Z';"
                         "INSERT INTO assistant_versions SELECT tenant_id, assistant_id, 2,"
                         " '{\"phone\": %s}', created_by, '2026-03-01T10:00:00Z'"
                         " FROM assistant_versions;"
                         "UPDATE assistants SET current_version = 2",
                         cases[i].before, cases[i].now));
        int count = -1;
        struct pg_unit unit = {.done = on_rung, .arg = &count};
        voice_add_rung(&unit, TENANT,
                       &(struct voice_rung){.ours = "+15550001",
                                            .call_sids = "{CA7,CA8,CA9}",
                                            .callers = "{+15559001,+15559001,+15559001}",
                                            .ends = "{2026-03-01T07:00:00Z,2026-03-01T09:00:00Z,"
                                                    "2026-03-01T11:00:00Z}"});
        rig_waiting++;
        pg_submit(rig_pg, &unit);
        rig_run();
        CU_ASSERT_EQUAL(count, cases[i].count);
        end_test();
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("voice_task", open_server, rig_end_server);
    CU_add_test(suite, "a silent call", a_silent_call_is_one_task);
    CU_add_test(suite, "no rota", without_a_rota_it_is_only_listed);
    CU_add_test(suite, "not silent", whatever_came_in_is_no_missed_call);
    CU_add_test(suite, "not answered", who_was_not_answered_is_one_task);
    CU_add_test(suite, "many words", what_he_said_is_cut);
    CU_add_test(suite, "answered before", who_was_answered_before_must_have_waited);
    CU_add_test(suite, "answered at last", who_was_answered_at_last_has_missed_nothing);
    CU_add_test(suite, "recorded", whose_message_was_recorded_is_no_missed_call);
    CU_add_test(suite, "put through", who_was_put_through_has_missed_nothing);
    CU_add_test(suite, "taken down", whose_message_was_taken_down_has_missed_nothing);
    CU_add_test(suite, "held", what_a_person_holds_is_no_missed_call);
    CU_add_test(suite, "another session", only_this_call_counts);
    CU_add_test(suite, "a message behind it", a_message_behind_the_end_takes_it_back);
    CU_add_test(suite, "who was told", who_was_told_keeps_it);
    CU_add_test(suite, "found as well", found_and_missed_are_one);
    CU_add_test(suite, "only found", a_call_that_only_the_provider_knows);
    CU_add_test(suite, "rang before it was wanted", who_rang_before_it_was_wanted_is_not_told_of);
    CU_add_test(suite, "an end that was lost", a_call_whose_end_was_lost);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
