/* What the reception notes, on a real PostgreSQL as the engine's role: with the commit of its turn
 * or not at all, and as a task for people once. */
#include "unit/common/store/turn_rig.h"

#include "store/reception_record.h"

#define TASK "00000000-0000-7000-8000-0000000000e1"

static const struct reception_record asking = {.asked = "name",
                                               .tries = 1,
                                               .reason = "my tooth \"hurts\", {really}",
                                               .escalation = TASK,
                                               .due_ms = 60000};

static struct turn_commit fallback_of(const struct inbox_claimed *claimed,
                                      const struct turn_started *turn,
                                      const struct reception_record *record)
{
    struct turn_commit fallback = commit_of(claimed, turn);
    fallback.outcome = "fallback";
    fallback.reception = record;
    return fallback;
}

/* One text of customer 1, and its turn's commit with the record. */
static struct turn_started noted(int n, const struct reception_record *record)
{
    struct claims claimed = claim_one(WORKER_A, 1, n, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL_FATAL(turn.kind, TURN_START_RUN);
    struct turn_commit fallback = fallback_of(&claimed.rows[0], &turn, record);
    CU_ASSERT_EQUAL(commit(WORKER_A, &fallback).kind, TURN_COMMITTED);
    return turn;
}

static const char *row(void)
{
    return value("SELECT concat_ws('|', asked, tries, coalesce(caller, '-'), reason,"
                 " coalesce(call_back, '-'), due_at IS NOT NULL) FROM receptions");
}

static const char *tasks(void)
{
    return value("SELECT coalesce(string_agg(concat_ws('|', reason, state, caller, summary,"
                 " call_back), ';'), '') FROM escalations");
}

static void notes_are_read_at_the_next_start(void)
{
    begin_test();
    struct turn_started first = noted(1, &asking);
    CU_ASSERT_STRING_EQUAL(first.reception, "");
    CU_ASSERT_STRING_EQUAL(row(), "name|1|-|my tooth \"hurts\", {really}|-|t");
    CU_ASSERT_STRING_EQUAL(tasks(), "");
    struct claims claimed = claim_one(WORKER_A, 1, 2, "Anna");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.reception, "\"asked\" : \"name\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.reception, TASK));
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.reception, "\"recorded\" : false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.context, "\"open\":true"));
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.context, "\"open\":false"));
    struct claims other = claim_one(WORKER_A, 2, 3, "hello");
    CU_ASSERT_STRING_EQUAL(start(WORKER_A, &other.rows[0]).reception, "");
    end_test();
}

/* Guard: keep_sql asks whether the turn is over, and under this fence. */
static void a_refused_commit_notes_nothing(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct reception_record done = asking;
    done.summary = "my tooth";
    struct turn_commit fallback = fallback_of(&claimed.rows[0], &turn, &done);
    claim_one(WORKER_A, 1, 2, "one thing more");
    CU_ASSERT_EQUAL(commit(WORKER_A, &fallback).kind, TURN_REFUSED_NEWER);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM receptions"), "0");
    CU_ASSERT_STRING_EQUAL(tasks(), "");
    run("UPDATE conversations SET epoch = epoch + 1, held_by = 'ines'");
    fallback.final = true;
    CU_ASSERT_EQUAL(commit(WORKER_A, &fallback).kind, TURN_REFUSED_EPOCH);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM receptions"), "0");
    CU_ASSERT_STRING_EQUAL(tasks(), "");
    end_test();
}

/* Guard: keep_sql's fence of the session: an older turn's commit that comes again is past. */
static void a_commit_that_comes_again_repeats_nothing(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct reception_record done = asking;
    done.asked = "done";
    done.caller = "Anna";
    done.summary = "my tooth";
    done.due_ms = 0;
    struct turn_commit fallback = fallback_of(&claimed.rows[0], &turn, &done);
    CU_ASSERT_EQUAL(commit(WORKER_A, &fallback).kind, TURN_COMMITTED);
    CU_ASSERT_EQUAL(commit(WORKER_A, &fallback).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(tasks(), "message|open|Anna|my tooth");
    run("UPDATE escalations SET state = 'closed', closed_by = 'ines'");
    struct reception_record more = done;
    more.summary = "my tooth\nboth of them";
    noted(2, &more);
    CU_ASSERT_STRING_EQUAL(tasks(), "message|open|Anna|my tooth\nboth of them");
    CU_ASSERT_EQUAL(commit(WORKER_A, &fallback).kind, TURN_REFUSED_LOST);
    CU_ASSERT_STRING_EQUAL(tasks(), "message|open|Anna|my tooth\nboth of them");
    end_test();
}

static void the_time_may_stay_as_it_was(void)
{
    begin_test();
    struct reception_record same = asking;
    noted(1, &asking);
    same.tries = 2;
    same.due_ms = RECEPTION_RECORD_AS_IT_WAS;
    noted(2, &same);
    CU_ASSERT_STRING_EQUAL(row(), "name|2|-|my tooth \"hurts\", {really}|-|t");
    same.due_ms = 0;
    noted(3, &same);
    CU_ASSERT_STRING_EQUAL(row(), "name|2|-|my tooth \"hurts\", {really}|-|f");
    same.due_ms = RECEPTION_RECORD_AS_IT_WAS;
    noted(4, &same);
    CU_ASSERT_STRING_EQUAL(row(), "name|2|-|my tooth \"hurts\", {really}|-|f");
    end_test();
}

/* ---- what nobody goes on with ---- */

static void on_looked(void *arg, const struct pg_answer *answer)
{
    int64_t *made = arg;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    *made = answer->err == NULL ? reception_record_read_overdue(answer) : -1;
    rig_count_down();
}

static int64_t look(void)
{
    int64_t made = -1;
    struct pg_unit unit = {.done = on_looked, .arg = &made};
    reception_record_add_overdue(&unit, arena, 10, 60000);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return made;
}

static void what_is_left_alone_becomes_a_task_once(void)
{
    begin_test();
    noted(1, &asking);
    CU_ASSERT_EQUAL(look(), 0);
    run("UPDATE receptions SET due_at = clock_timestamp()");
    CU_ASSERT_EQUAL(look(), 1);
    CU_ASSERT_EQUAL(look(), 0);
    CU_ASSERT_STRING_EQUAL(tasks(), "message|open|my tooth \"hurts\", {really}");
    struct reception_record done = asking;
    done.asked = "done";
    done.caller = "Anna";
    done.summary = asking.reason;
    done.due_ms = 0;
    noted(2, &done); /* the customer came back: the same task */
    CU_ASSERT_STRING_EQUAL(tasks(), "message|open|Anna|my tooth \"hurts\", {really}");
    end_test();
}

static void what_a_person_has_is_no_task(void)
{
    begin_test();
    noted(1, &asking);
    run("UPDATE receptions SET due_at = clock_timestamp();"
        "UPDATE conversations SET held_by = 'ines'");
    CU_ASSERT_EQUAL(look(), 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at > clock_timestamp() FROM receptions"), "t");
    run("UPDATE receptions SET due_at = clock_timestamp();"
        "UPDATE conversations SET held_by = NULL;"
        "INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
        " event_time) SELECT tenant_id, gen_random_uuid(), conversation_id, id, 'out', 'operator',"
        " 'Ines here', now() FROM channel_sessions");
    CU_ASSERT_EQUAL(look(), 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL FROM receptions"), "t");
    CU_ASSERT_STRING_EQUAL(tasks(), "");
    end_test();
}

/* What a later text did not add to is as old as it was: a person's reply between still counts.
 * Guard: keep_sql leaves updated_at with the time that stays. */
static void what_a_person_answered_stays_answered(void)
{
    begin_test();
    noted(1, &asking);
    run("INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
        " event_time) SELECT tenant_id, gen_random_uuid(), conversation_id, id, 'out', 'operator',"
        " 'Ines here', now() FROM channel_sessions");
    struct reception_record same = asking;
    same.due_ms = RECEPTION_RECORD_AS_IT_WAS;
    noted(2, &same);
    run("UPDATE receptions SET due_at = clock_timestamp()");
    CU_ASSERT_EQUAL(look(), 0);
    CU_ASSERT_STRING_EQUAL(tasks(), "");
    end_test();
}

/* Whoever answers has to know that the notes would become a task, whatever was asked last: after a
 * hand-back nothing is. */
static void the_start_tells_what_is_due(void)
{
    begin_test();
    noted(1, &asking);
    run("UPDATE receptions SET asked = 'nothing', tries = 0");
    struct claims claimed = claim_one(WORKER_A, 1, 2, "hello");
    CU_ASSERT_PTR_NOT_NULL(strstr(start(WORKER_A, &claimed.rows[0]).reception, "\"due\" : true"));
    run("UPDATE receptions SET due_at = NULL");
    CU_ASSERT_PTR_NOT_NULL(strstr(start(WORKER_A, &claimed.rows[0]).reception, "\"due\" : false"));
    end_test();
}

/* Who wants no texts any more has left a message all the same: people may phone. */
static void an_opt_out_is_no_end_of_the_message(void)
{
    begin_test();
    noted(1, &asking);
    struct inbox_event stop = text_of(1, 2, "STOP");
    stop.consent = INBOX_STOP;
    claim(WORKER_A, &stop, 1);
    run("UPDATE receptions SET due_at = clock_timestamp()");
    CU_ASSERT_EQUAL(look(), 1);
    end_test();
}

/* A recovery that found no model: the events end, nothing is said. */
static void a_turn_that_says_nothing(void)
{
    begin_test();
    noted(1, &asking);
    struct claims claimed = claim_one(WORKER_A, 1, 2, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit silent = fallback_of(&claimed.rows[0], &turn, NULL);
    silent.body = "";
    silent.event_state = "ended";
    CU_ASSERT_EQUAL(commit(WORKER_A, &silent).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT state || ' ' || reason FROM inbox_events"
                                 " WHERE provider_id = 'SM002'"),
                           "ended no_model");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT delivery_seq || ' ' || (due_at IS NULL)"
                                 " FROM channel_sessions"),
                           "1 true");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("reception_record", open_server, rig_end_server);
    CU_add_test(suite, "read at the next start", notes_are_read_at_the_next_start);
    CU_add_test(suite, "a refused commit", a_refused_commit_notes_nothing);
    CU_add_test(suite, "a commit that comes again", a_commit_that_comes_again_repeats_nothing);
    CU_add_test(suite, "the time stays", the_time_may_stay_as_it_was);
    CU_add_test(suite, "left alone", what_is_left_alone_becomes_a_task_once);
    CU_add_test(suite, "a person has it", what_a_person_has_is_no_task);
    CU_add_test(suite, "a person answered it", what_a_person_answered_stays_answered);
    CU_add_test(suite, "the start tells what is due", the_start_tells_what_is_due);
    CU_add_test(suite, "an opt-out", an_opt_out_is_no_end_of_the_message);
    CU_add_test(suite, "a turn that says nothing", a_turn_that_says_nothing);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
