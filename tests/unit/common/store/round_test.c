/* Rounds and tool calls on a real PostgreSQL, as the engine's role: what is stored before an
 * effect, what a rerun finds, and who is refused (docs/PROTOCOL.md, rounds and tools). */
#include "unit/common/store/turn_rig.h"

#include "store/admin.h"
#include "store/escalation.h"
#include "store/round.h"
#include "store/schema.h"
#include "json/json.h"

struct kinds {
    enum round_kind kind;
    bool answered, failed;
};

static void on_stored(void *arg, const struct pg_answer *answer)
{
    struct kinds *out = arg;
    size_t index;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else
        out->answered = round_read(answer, 0, &index, &out->kind) && index == 0;
    rig_count_down();
}

static void on_call(void *arg, const struct pg_answer *answer)
{
    struct kinds *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else
        out->kind = round_read_call(answer);
    out->answered = true;
    rig_count_down();
}

static void on_unheard(void *arg, const struct pg_answer *answer)
{
    struct kinds *out = arg;
    out->failed = answer->err != NULL;
    out->answered = true;
    rig_count_down();
}

static enum round_kind submit(struct pg_unit *unit, struct kinds *out)
{
    unit->arg = out;
    rig_waiting++;
    pg_submit(rig_pg, unit);
    rig_run();
    CU_ASSERT_FALSE(out->failed);
    CU_ASSERT_TRUE(out->answered);
    return out->kind;
}

static struct round_turn turn_of(const struct inbox_claimed *claimed,
                                 const struct turn_started *turn)
{
    return (struct round_turn){.tenant = TENANT,
                               .session = claimed->session,
                               .conversation = turn->conversation,
                               .turn = turn->turn,
                               .fence = turn->fence,
                               .epoch = turn->epoch,
                               .claimed = turn->claimed};
}

/* Two calls, whose ids are 9...1 and 9...2 of the round's number. */
static enum round_kind store(const char *worker, const struct round_turn *turn, int number)
{
    struct round_call calls[] = {
        {number_id(9 + number, 1), "p-1", "book", "{\"day\":\"mon\"}", "sig"},
        {number_id(9 + number, 2), "p-2", "broken", "{\"day", NULL},
    };
    struct round round = {.of = *turn,
                          .number = number,
                          .after_position = 7,
                          .said = "One moment.",
                          .calls = calls,
                          .call_count = 2};
    struct kinds out = {.kind = ROUND_LOST};
    struct pg_unit unit = {.done = on_stored};
    round_add_store(&unit, arena, worker, &round, 1);
    return submit(&unit, &out);
}

static enum round_kind begin(const char *worker, const struct round_turn *turn, struct uuid call)
{
    struct kinds out = {.kind = ROUND_LOST};
    struct pg_unit unit = {.done = on_call};
    round_add_begin(&unit, arena, worker, turn, &call);
    CU_ASSERT_EQUAL(unit.count, ROUND_CALL_STATEMENTS);
    return submit(&unit, &out);
}

static enum round_kind finish(const char *worker, const struct round_turn *turn, struct uuid call,
                              const char *outcome)
{
    struct kinds out = {.kind = ROUND_LOST};
    struct pg_unit unit = {.done = on_call};
    round_add_finish(&unit, arena, worker, turn, &call, outcome, "{\"ok\":true}");
    return submit(&unit, &out);
}

static const char *calls(void)
{
    return value("SELECT string_agg(state || ':' || coalesce(outcome, '-'), ' ' ORDER BY round,"
                 " place) FROM tool_calls");
}

/* What a start with the same session finds. */
static struct turn_started rerun(const char *worker, const struct inbox_claimed *claimed)
{
    struct turn_started again = start(worker, claimed);
    CU_ASSERT_EQUAL(again.kind, TURN_START_RUN);
    return again;
}

static void a_round_and_its_calls(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_STRING_EQUAL(started.rounds, "");
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    CU_ASSERT_EQUAL(store(WORKER_A, &turn, 1), ROUND_OK);
    CU_ASSERT_EQUAL(store(WORKER_A, &turn, 1), ROUND_OK); /* its answer was lost */
    CU_ASSERT_STRING_EQUAL(calls(), "asked:- asked:-");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turn_rounds"), "1");
    CU_ASSERT_EQUAL(begin(WORKER_A, &turn, number_id(10, 1)), ROUND_OK);
    CU_ASSERT_STRING_EQUAL(calls(), "started:- asked:-");
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 1), "ok"), ROUND_OK);
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 1), "failed"), ROUND_OK);
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 2), "refused"), ROUND_OK);
    CU_ASSERT_STRING_EQUAL(calls(), "done:ok done:refused");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM tool_calls WHERE started_at IS NULL"), "1");
    end_test();
}

static void a_rerun_goes_on_from_the_stored_round(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &turn, 1);
    begin(WORKER_A, &turn, number_id(10, 1));
    finish(WORKER_A, &turn, number_id(10, 1), "ok");
    run("UPDATE workers SET dead = true WHERE id = '" WORKER_A "';"
        "UPDATE channel_sessions SET worker = '" WORKER_B "'");
    struct turn_started again = rerun(WORKER_B, &claimed.rows[0]);
    CU_ASSERT_EQUAL(again.last_round, 1);
    static const char *const parts[] = {"\"number\" : 1",
                                        "\"after\" : 7",
                                        "\"said\" : \"One moment.\"",
                                        "\"signature\" : \"sig\"",
                                        "\"arguments\" : \"{\\\"day\"",
                                        "\"state\" : \"done\"",
                                        "\"state\" : \"asked\"",
                                        "\"provider_id\" : \"p-2\""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(again.rounds, parts[i]) == NULL)
            CU_FAIL(parts[i]);
    end_test();
}

/* A newer text: a round that has begun stands, one that has not is dropped, and its number is not
 * given again. */
static void a_newer_text_drops_what_has_not_begun(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &turn, 1);
    begin(WORKER_A, &turn, number_id(10, 1));
    store(WORKER_A, &turn, 2);
    finish(WORKER_A, &turn, number_id(11, 2), "refused"); /* without effect: it has not begun */
    claim_one(WORKER_A, 1, 2, "rather not");
    CU_ASSERT_EQUAL(begin(WORKER_A, &turn, number_id(11, 1)), ROUND_NEWER);
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(11, 1), "refused"), ROUND_NEWER);
    CU_ASSERT_EQUAL(store(WORKER_A, &turn, 3), ROUND_NEWER);
    CU_ASSERT_STRING_EQUAL(value("SELECT max(number) FROM turn_rounds"), "2");
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 1), "ok"), ROUND_OK);
    struct turn_started again = rerun(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL(again.last_round, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(again.rounds, "\"number\" : 1"));
    CU_ASSERT_PTR_NULL(strstr(again.rounds, "\"number\" : 2"));
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(number::text, ' ') FROM turn_rounds"
                                 " WHERE dropped_at IS NOT NULL"),
                           "2");
    end_test();
}

static void a_final_turn_does_not_mind_newer_texts(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    turn.final = true;
    claim_one(WORKER_A, 1, 2, "and");
    CU_ASSERT_EQUAL(store(WORKER_A, &turn, 1), ROUND_OK);
    CU_ASSERT_EQUAL(begin(WORKER_A, &turn, number_id(10, 1)), ROUND_OK);
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 1), "ok"), ROUND_OK);
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 2), "refused"), ROUND_OK);
    end_test();
}

/* V7: who froze while it thought stores no round and begins no call once another took up the turn.
 */
static void v7_a_zombie_begins_nothing(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn zombie = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &zombie, 1);
    run("UPDATE workers SET dead = true WHERE id = '" WORKER_A "';"
        "UPDATE channel_sessions SET worker = '" WORKER_B "'");
    struct turn_started again = rerun(WORKER_B, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &again);
    CU_ASSERT_EQUAL(begin(WORKER_A, &zombie, number_id(10, 1)), ROUND_LOST);
    CU_ASSERT_EQUAL(store(WORKER_A, &zombie, 2), ROUND_LOST);
    CU_ASSERT_STRING_EQUAL(calls(), "asked:- asked:-");
    CU_ASSERT_EQUAL(begin(WORKER_B, &turn, number_id(10, 1)), ROUND_OK);
    CU_ASSERT_EQUAL(finish(WORKER_A, &zombie, number_id(10, 1), "ok"), ROUND_LOST);
    CU_ASSERT_STRING_EQUAL(calls(), "started:- asked:-");
    CU_ASSERT_EQUAL(begin(WORKER_B, &turn, number_id(10, 1)), ROUND_OK); /* its answer was lost */
    CU_ASSERT_EQUAL(finish(WORKER_B, &turn, number_id(10, 1), "ok"), ROUND_OK);
    end_test();
}

/* A takeover: nothing begins any more, the session is given back; what has begun is written down.
 */
static void a_takeover_stops_what_has_not_begun(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &turn, 1);
    begin(WORKER_A, &turn, number_id(10, 1));
    run("UPDATE conversations SET held_by = 'operator', epoch = epoch + 1");
    run("UPDATE channel_sessions SET worker = NULL"); /* as a takeover does */
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 1), "ok"), ROUND_OK);
    run("UPDATE channel_sessions SET worker = '" WORKER_A "'");
    CU_ASSERT_EQUAL(begin(WORKER_A, &turn, number_id(10, 2)), ROUND_EPOCH);
    CU_ASSERT_STRING_EQUAL(calls(), "done:ok asked:-");
    CU_ASSERT_STRING_EQUAL(value("SELECT (worker IS NULL) || ' ' || (due_at IS NULL)"
                                 " FROM channel_sessions"),
                           "true true");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turns WHERE worker IS NULL"), "1");
    CU_ASSERT_EQUAL(store(WORKER_A, &turn, 2), ROUND_LOST);
    end_test();
}

static enum round_kind open_escalation(const char *worker, const struct round_turn *turn,
                                       struct uuid call)
{
    struct kinds out = {.kind = ROUND_LOST};
    struct pg_unit unit = {.done = on_call};
    round_add_begin(&unit, arena, worker, turn, &call);
    escalation_add_open(&unit, arena,
                        &(struct escalation_opening){
                            .tenant = TENANT, .id = call, .reason = "message", .summary = "s"});
    return submit(&unit, &out);
}

/* An earlier try has begun and had no effect; the next one is refused, and has none either. */
static void a_refused_begin_stops_the_effect(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "call me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &turn, 1);
    begin(WORKER_A, &turn, number_id(10, 1));
    run("UPDATE conversations SET held_by = 'operator', epoch = epoch + 1");
    CU_ASSERT_EQUAL(open_escalation(WORKER_A, &turn, number_id(10, 1)), ROUND_EPOCH);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalations"), "0");
    run("UPDATE conversations SET held_by = NULL, epoch = epoch + 1");
    run("UPDATE channel_sessions SET worker = '" WORKER_B "'");
    struct turn_started again = rerun(WORKER_B, &claimed.rows[0]);
    struct round_turn second = turn_of(&claimed.rows[0], &again);
    CU_ASSERT_EQUAL(open_escalation(WORKER_A, &turn, number_id(10, 1)), ROUND_LOST);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalations"), "0");
    CU_ASSERT_EQUAL(open_escalation(WORKER_B, &second, number_id(10, 1)), ROUND_OK);
    CU_ASSERT_EQUAL(open_escalation(WORKER_B, &second, number_id(10, 1)), ROUND_OK);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalations"), "1");
    end_test();
}

static void on_opened(void *arg, const struct pg_answer *answer)
{
    int *out = arg;
    CU_ASSERT_PTR_NULL(answer->err);
    if (answer->err == NULL)
        *out = (int)escalation_read_opened(answer, ROUND_CALL_STATEMENTS);
    rig_count_down();
}

static enum escalation_opened wish(const struct round_turn *turn, struct uuid call, bool calls_rota)
{
    int opened = -1;
    struct pg_unit unit = {.done = on_opened, .arg = &opened};
    round_add_begin(&unit, arena, WORKER_A, turn, &call);
    escalation_add_open(&unit, arena,
                        &(struct escalation_opening){.tenant = TENANT,
                                                     .id = call,
                                                     .reason = "customer_asks",
                                                     .summary = "s",
                                                     .calls = calls_rota});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return (enum escalation_opened)opened;
}

/* However often a model wishes for a person, people are asked once; a message is a task of its own.
 * Guard: `other` of open_sql. */
static void one_wish_is_enough(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "a person, please");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    for (int number = 1; number <= 3; number++)
        store(WORKER_A, &turn, number);
    CU_ASSERT_EQUAL(open_escalation(WORKER_A, &turn, number_id(10, 1)), ROUND_OK);
    CU_ASSERT_EQUAL(wish(&turn, number_id(10, 2), false), ESCALATION_OPENED);
    CU_ASSERT_EQUAL(wish(&turn, number_id(11, 1), false), ESCALATION_LISTED);
    CU_ASSERT_EQUAL(wish(&turn, number_id(11, 2), true), ESCALATION_OPENED);
    CU_ASSERT_EQUAL(wish(&turn, number_id(12, 1), true), ESCALATION_ASKED);
    CU_ASSERT_EQUAL(wish(&turn, number_id(11, 2), true),
                    ESCALATION_OPENED); /* its answer was lost */
    run("UPDATE escalations SET rota = 'nobody_accepted' WHERE rota = 'running'");
    CU_ASSERT_EQUAL(wish(&turn, number_id(12, 1), true), ESCALATION_LISTED); /* the same turn */
    run("UPDATE escalations SET state = 'accepted', rota = 'over' WHERE rota <> 'none'");
    CU_ASSERT_EQUAL(wish(&turn, number_id(12, 1), true), ESCALATION_TAKEN);
    CU_ASSERT_EQUAL(open_escalation(WORKER_A, &turn, number_id(12, 2)), ROUND_OK);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(reason || ':' || rota, ' ' ORDER BY created_at)"
                                 " FROM escalations"),
                           "message:none customer_asks:none customer_asks:over message:none");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM jobs WHERE kind = 'escalation'"), "1");
    end_test();
}

/* Somebody has taken on a message of the conversation: people are asked all the same. Guard: the
 * reason in `other` of open_sql. */
static void an_accepted_message_stops_no_wish(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "a person, please");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &turn, 1);
    CU_ASSERT_EQUAL(open_escalation(WORKER_A, &turn, number_id(10, 1)), ROUND_OK);
    run("UPDATE escalations SET state = 'accepted', accepted_by = 'staff'");
    CU_ASSERT_EQUAL(wish(&turn, number_id(10, 2), true), ESCALATION_OPENED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(reason || ':' || rota, ' ' ORDER BY created_at)"
                                 " FROM escalations"),
                           "message:none customer_asks:running");
    end_test();
}

static void settle_unheard(const struct round_turn *turn)
{
    const struct round_over over = {.tenant = TENANT, .turn = turn->turn};
    struct kinds out = {.kind = ROUND_LOST};
    struct pg_unit unit = {.done = on_unheard};
    round_add_unheard(&unit, arena, &over, 1);
    submit(&unit, &out);
}

/* What has begun and was not heard of when its turn ends is not known for ever; not before, and
 * never what has not begun. */
static void a_turn_ends_with_a_call_unheard(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &turn, 1);
    begin(WORKER_A, &turn, number_id(10, 1));
    settle_unheard(&turn);
    CU_ASSERT_STRING_EQUAL(calls(), "started:- asked:-");
    run("UPDATE turns SET state = 'finished', outcome = 'fallback'");
    settle_unheard(&turn);
    CU_ASSERT_STRING_EQUAL(calls(), "done:unknown asked:-");
    CU_ASSERT_EQUAL(finish(WORKER_A, &turn, number_id(10, 1), "ok"), ROUND_OK); /* too late */
    CU_ASSERT_STRING_EQUAL(calls(), "done:unknown asked:-");
    end_test();
}

/* An appointment that the call made or changed. */
static void add_appointment(const char *call, const char *changed_by)
{
    run(arena_printf(
        arena,
        "INSERT INTO resources (tenant_id, id, name) VALUES ('" TENANT "', gen_random_uuid(),"
        " 'chair ' || random()); INSERT INTO appointments (tenant_id, id, resource_id, contact_id,"
        " call_id, service, starts_at, ends_at, busy, state) SELECT r.tenant_id, gen_random_uuid(),"
        " r.id, c.id, %s, 'x', now(), now(), tstzrange(now(), now(), '[]'), 'booked'"
        " FROM contacts c, (SELECT * FROM resources ORDER BY created_at DESC LIMIT 1) r LIMIT 1;"
        "INSERT INTO appointment_changes (tenant_id, call_id, appointment_id, kind, was_at)"
        " SELECT tenant_id, %s, id, 'moved', now() FROM appointments WHERE %s IS NOT NULL"
        " ORDER BY created_at DESC LIMIT 1",
        call, changed_by, changed_by));
}

/* An effect of ours whose row bears the call's id has happened, whoever heard of it. */
static void an_effect_of_ours_is_known(void)
{
    static const char *const effects[] = {"message", "made", "changed"};
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
        begin_test();
        struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
        struct turn_started started = start(WORKER_A, &claimed.rows[0]);
        struct round_turn turn = turn_of(&claimed.rows[0], &started);
        const struct uuid call = number_id(10, 1);
        char text[UUID_TEXT_SIZE];
        const char *id = arena_printf(arena, "'%s'::uuid", uuid_format(&call, text));
        store(WORKER_A, &turn, 1);
        if (i == 0)
            open_escalation(WORKER_A, &turn, call);
        else
            begin(WORKER_A, &turn, call);
        if (i > 0)
            add_appointment(i == 1 ? id : "NULL", i == 1 ? "NULL::uuid" : id);
        begin(WORKER_A, &turn, number_id(10, 2)); /* one of which nothing is here */
        run("UPDATE turns SET state = 'finished', outcome = 'fallback'");
        settle_unheard(&turn);
        CU_ASSERT_STRING_EQUAL(calls(), "done:ok done:unknown");
        end_test();
    }
}

/* A turn of one text, or of two, with a round of which a call has begun. */
static struct inbox_claimed begin_and_leave(int texts)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "book me");
    for (int n = 2; n <= texts; n++)
        claimed = claim_one(WORKER_A, 1, n, "soon");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct round_turn turn = turn_of(&claimed.rows[0], &started);
    store(WORKER_A, &turn, 1);
    begin(WORKER_A, &turn, number_id(10, 1));
    return claimed.rows[0];
}

static void make_late(const char *which)
{
    run(arena_printf(arena,
                     "UPDATE inbox_events SET event_time = event_time - interval '2 days'"
                     " WHERE provider_id = '%s'",
                     which));
}

#define TURNS_SQL                                                                                  \
    "SELECT string_agg(number || ':' || state || ':' || coalesce(outcome, '-'), ' '"               \
    " ORDER BY number) FROM turns"

/* Of the turns that stand behind no reply, what somebody who looks is told of their first call. */
static const char *told_of_cut(const struct uuid *conversation)
{
    struct pg_session *session = NULL;
    struct err err;
    struct json *shown = NULL;
    const char *json = NULL;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(session, &err), 0);
    CU_ASSERT_EQUAL(admin_show_conversation(session, arena, conversation, &json, &err), 0);
    pg_session_close(&session);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_EQUAL_FATAL(json_parse(json, strlen(json), &shown, &err), 0);
    const struct json *turn = json_first(json_member(shown, "cut_turns"));
    const char *outcome = json_member_text(json_first(json_member(turn, "tools")), "outcome");
    const char *told = outcome != NULL ? arena_strdup(arena, outcome) : "-";
    json_free(&shown);
    return told;
}

/* A text after all that a turn was to answer has become too old: what that turn has begun is not
 * asked for again, nor does its text count what the old one had; who looks is told of it. Guards:
 * TURN_STANDS and LEFT_BEHIND_SQL in turn.c, CUT_SQL in admin.c. */
static void a_turn_of_old_texts_is_over(void)
{
    begin_and_leave(1);
    run("UPDATE turns SET recomputes = 2, tries = 2");
    make_late("SM001");
    struct claims next = claim_one(WORKER_A, 1, 2, "thanks");
    struct turn_started turn = rerun(WORKER_A, &next.rows[0]);
    CU_ASSERT_FALSE(turn.again);
    CU_ASSERT_EQUAL(turn.tries + turn.recomputes, 0);
    CU_ASSERT_EQUAL(turn.number, 2);
    CU_ASSERT_STRING_EQUAL(turn.rounds, "");
    CU_ASSERT_STRING_EQUAL(turn.events, "{SM002}");
    CU_ASSERT_STRING_EQUAL(value(TURNS_SQL), "1:finished:interrupted 2:running:-");
    CU_ASSERT_STRING_EQUAL(value("SELECT worker IS NULL FROM turns WHERE number = 1"), "t");
    CU_ASSERT_STRING_EQUAL(told_of_cut(&turn.conversation), "unknown");
    end_test();
}

/* Where one of its texts is still to be answered the turn goes on. */
static void a_turn_of_an_old_text_and_another_goes_on(void)
{
    struct inbox_claimed claimed = begin_and_leave(2);
    make_late("SM001");
    struct turn_started turn = rerun(WORKER_A, &claimed);
    CU_ASSERT_TRUE(turn.again);
    CU_ASSERT_STRING_EQUAL(turn.events, "{SM002}");
    CU_ASSERT_STRING_EQUAL(value(TURNS_SQL), "1:running:-");
    CU_ASSERT_STRING_EQUAL(calls(), "started:- asked:-");
    end_test();
}

/* Somebody else has settled all of it (a reconciliation), or it has become too old, and nothing
 * else is there. */
static void a_turn_without_a_text_is_over(void)
{
    for (int i = 0; i < 2; i++) {
        struct inbox_claimed claimed = begin_and_leave(1);
        if (i == 0)
            run("UPDATE inbox_events SET state = 'ended', reason = 'reconciled'");
        else
            make_late("SM001");
        CU_ASSERT_EQUAL(start(WORKER_A, &claimed).kind, TURN_START_NOTHING);
        CU_ASSERT_STRING_EQUAL(value(TURNS_SQL), "1:finished:interrupted");
        end_test();
    }
}

/* The turn of an older engine does not say what it answers: it goes on while something is there. */
static void a_turn_that_says_nothing_goes_on(void)
{
    begin_and_leave(1);
    run("UPDATE turns SET answers = NULL");
    struct claims next = claim_one(WORKER_A, 1, 2, "thanks");
    CU_ASSERT_TRUE(rerun(WORKER_A, &next.rows[0]).again);
    CU_ASSERT_STRING_EQUAL(value("SELECT answers FROM turns"), "{SM001,SM002}");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("round", open_server, rig_end_server);
    CU_add_test(suite, "a round and its calls", a_round_and_its_calls);
    CU_add_test(suite, "a rerun", a_rerun_goes_on_from_the_stored_round);
    CU_add_test(suite, "a newer text", a_newer_text_drops_what_has_not_begun);
    CU_add_test(suite, "a final turn", a_final_turn_does_not_mind_newer_texts);
    CU_add_test(suite, "V7", v7_a_zombie_begins_nothing);
    CU_add_test(suite, "a takeover", a_takeover_stops_what_has_not_begun);
    CU_add_test(suite, "a refused begin", a_refused_begin_stops_the_effect);
    CU_add_test(suite, "one wish is enough", one_wish_is_enough);
    CU_add_test(suite, "an accepted message", an_accepted_message_stops_no_wish);
    CU_add_test(suite, "a call unheard", a_turn_ends_with_a_call_unheard);
    CU_add_test(suite, "an effect of ours is known", an_effect_of_ours_is_known);
    CU_add_test(suite, "all is too old", a_turn_of_old_texts_is_over);
    CU_add_test(suite, "one is too old", a_turn_of_an_old_text_and_another_goes_on);
    CU_add_test(suite, "nothing is left", a_turn_without_a_text_is_over);
    CU_add_test(suite, "an older engine's turn", a_turn_that_says_nothing_goes_on);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
