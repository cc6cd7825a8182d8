/* Segments of text messages in budgets, on a real PostgreSQL: mails and calls neither reserve any
 * nor wait for them (docs/PROTOCOL.md, budgets). */
#include "unit/common/store/usage_rig.h"

#include "store/call_text.h"
#include "store/round.h"

/* What is answered by mail or on the phone: it costs no segments. */
static struct usage_wish wish_without_text(int n, int64_t tokens, int64_t limit)
{
    struct usage_wish one = wish(n, tokens, limit);
    one.most.segments = 0;
    return one;
}

/* Guard: HELD_SQL, where no segments are no sign of a turn that waits. */
static void who_sends_no_text_reserves_no_segments(void)
{
    begin_usage();
    struct usage_wish wishes[4];
    for (int i = 0; i < 4; i++)
        wishes[i] = wish_without_text(i + 1, 100, 1000);
    struct reserves out = reserve(WORKER_A, wishes, 4);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(out.kinds[i], USAGE_RESERVED);
    struct usage_wish text = wish(5, 100, -1);
    text.limits.day.segments = 3;
    CU_ASSERT_EQUAL(reserve(WORKER_A, &text, 1).kinds[0], USAGE_RESERVED);
    text.turn = id_of(6, 6);
    CU_ASSERT_EQUAL(reserve(WORKER_A, &text, 1).kinds[0], USAGE_FULL);
    CU_ASSERT_EQUAL(reserve_one(6, 100, 500), USAGE_FULL); /* the others may give theirs back */
    CU_ASSERT_EQUAL(reserve(WORKER_A, &wishes[0], 1).kinds[0], USAGE_RESERVED); /* has it */
    CU_ASSERT_STRING_EQUAL(reserved(), "5 500");
    end_test();
}

/* The same of one of those: what it used is gone, and who waits with it keeps nobody waiting. */
static void who_sends_no_text_waits_for_more_alike(void)
{
    begin_usage();
    struct usage_wish one = wish_without_text(1, 400, 1000);
    CU_ASSERT_EQUAL(reserve(WORKER_A, &one, 1).kinds[0], USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 400, 1000), USAGE_RESERVED);
    spend(700);
    one = wish_without_text(1, 600, 1000);
    one.used = (struct usage_amounts){250, 2500, 0};
    CU_ASSERT_EQUAL(reserve(WORKER_A, &one, 1).kinds[0], USAGE_FULL);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 650");
    CU_ASSERT_EQUAL(reserve_more(2, 600, 60), USAGE_SPENT); /* 700, 250 and its own 60 */
    end_test();
}

/* ---- texts to callers ---- */

/* Each turn has asked for so many texts. */
static const char asked_sql[] =
    "INSERT INTO turn_rounds (tenant_id, turn_id, number, after_position, claimed, said)"
    " SELECT tenant_id, id, 1, 0, 1, '' FROM turns;"
    "INSERT INTO tool_calls (tenant_id, id, turn_id, round, place, provider_id, name, arguments)"
    " SELECT t.tenant_id, ('0' || 8 + k || right(t.id::text, 34))::uuid, t.id, 1, k, '', "
    "'send_text', '{}'"
    " FROM turns t, generate_series(0, 1) AS k;";

static void on_text_added(void *arg, const struct pg_answer *answer)
{
    enum call_text_kind *kind = arg;
    CU_ASSERT_PTR_NULL_FATAL(answer->err);
    CU_ASSERT_EQUAL(round_read_call(answer), ROUND_OK);
    *kind = call_text_read(answer);
    rig_count_down();
}

/* The text of turn `n` that is its `k`-th call: of two segments. */
static void submit_text(int n, int k, struct usage_limits limits, enum call_text_kind *kind)
{
    struct pg_unit unit = {.done = on_text_added, .arg = kind, .deadline_ms = PATIENCE_MS};
    const struct round_turn turn = {.tenant = TENANT,
                                    .session = id_of(1, n),
                                    .conversation = id_of(5, n),
                                    .turn = id_of(6, n),
                                    .fence = 1,
                                    .claimed = 1};
    struct uuid call = id_of(8 + k, n);
    round_add_begin(&unit, arena, WORKER_A, &turn, &call);
    call_text_add(&unit, arena,
                  &(struct call_text){.tenant = TENANT,
                                      .id = call,
                                      .session = id_of(9, n),
                                      .message = uuid_new(),
                                      .from = "+15550001",
                                      .to = arena_printf(arena, "+1555%d", n),
                                      .body = "hello",
                                      .segments = 2,
                                      .limits = limits,
                                      .answer_within_ms = 3600000});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
}

static enum call_text_kind send_text(int n, int k, int64_t day, int64_t month)
{
    enum call_text_kind kind = CALL_TEXT_ENOUGH;
    submit_text(n, k, (struct usage_limits){{-1, -1, day}, {-1, -1, month}}, &kind);
    rig_run();
    return kind;
}

static void begin_texts(void)
{
    begin_usage();
    run(asked_sql);
}

static void texts_end_with_the_segments(void)
{
    begin_texts();
    CU_ASSERT_EQUAL(send_text(1, 0, -1, -1), CALL_TEXT_SENT);
    CU_ASSERT_EQUAL(send_text(1, 1, 3, -1), CALL_TEXT_SENT);
    CU_ASSERT_EQUAL(send_text(2, 0, 4, -1), CALL_TEXT_SPENT);
    CU_ASSERT_EQUAL(send_text(2, 0, -1, 4), CALL_TEXT_SPENT);
    CU_ASSERT_EQUAL(send_text(1, 1, 3, 3), CALL_TEXT_SENT); /* it was: the same call once more */
    CU_ASSERT_EQUAL(send_text(2, 1, 5, 5), CALL_TEXT_SENT);
    CU_ASSERT_STRING_EQUAL(spent(), "0 0 6 true");
    end_test();
}

/* What turns by text may still send is theirs. */
static void texts_leave_what_is_reserved(void)
{
    begin_texts();
    CU_ASSERT_EQUAL(reserve_one(3, 100, 1000), USAGE_RESERVED); /* with three segments */
    CU_ASSERT_EQUAL(send_text(1, 0, 3, -1), CALL_TEXT_SPENT);
    CU_ASSERT_EQUAL(send_text(1, 0, -1, 3), CALL_TEXT_SPENT);
    CU_ASSERT_EQUAL(send_text(1, 0, 4, 4), CALL_TEXT_SENT);
    end_test();
}

/* Two that come side by side, while somebody else has the rows of usage: no two take the same rest.
 * Guard: usage_add_lock. */
static void texts_side_by_side(void)
{
    enum call_text_kind kinds[2];
    struct outcome holder;
    begin_texts();
    spend(0);
    rig_sql(&holder, "UPDATE usage SET tokens = 1 WHERE tenant_id = '" TENANT "'",
            "do $$ begin for i in 1..1000 loop exit when"
            " (select count(*) = 2 from pg_locks where not granted);"
            " perform pg_sleep(0.01); end loop; end $$",
            NULL);
    for (int n = 0; n < 2; n++)
        submit_text(n + 1, 0, (struct usage_limits){{-1, -1, 1}, NO_LIMIT}, &kinds[n]);
    rig_run();
    CU_ASSERT_EQUAL((kinds[0] == CALL_TEXT_SENT) + (kinds[1] == CALL_TEXT_SENT), 1);
    CU_ASSERT_EQUAL((kinds[0] == CALL_TEXT_SPENT) + (kinds[1] == CALL_TEXT_SPENT), 1);
    CU_ASSERT_STRING_EQUAL(spent(), "1 0 2 true");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("usage, segments", open_function_server, rig_end_server);
    CU_add_test(suite, "who sends no text", who_sends_no_text_reserves_no_segments);
    CU_add_test(suite, "who waits for more", who_sends_no_text_waits_for_more_alike);
    CU_add_test(suite, "texts to callers", texts_end_with_the_segments);
    CU_add_test(suite, "texts and turns", texts_leave_what_is_reserved);
    CU_add_test(suite, "texts side by side", texts_side_by_side);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
