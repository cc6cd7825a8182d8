/* A customer who writes to two numbers of a tenant has one conversation with two sessions, whose
 * turns run side by side: people are asked once, on a real PostgreSQL, as the engine's role
 * (docs/PROTOCOL.md, escalations). */
#include "unit/common/store/rota_rig.h"

#include "store/escalation.h"
#include "store/round.h"

struct wisher {
    struct inbox_claimed claimed;
    struct turn_started turn;
    struct uuid call; /* of escalate */
    int number;
};

struct end {
    bool wishes, failed;
    int opened;
};

static void on_end(void *arg, const struct pg_answer *answer)
{
    struct end *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else if (out->wishes)
        out->opened = (int)escalation_read_opened(answer, ROUND_CALL_STATEMENTS);
    rig_count_down();
}

static void submit(struct pg_unit *unit, struct end *out)
{
    unit->deadline_ms = 15000;
    unit->done = on_end;
    unit->arg = out;
    rig_waiting++;
    pg_submit(rig_pg, unit);
}

static struct round_turn turn_of(const struct wisher *who)
{
    return (struct round_turn){.tenant = TENANT,
                               .session = who->claimed.session,
                               .conversation = who->turn.conversation,
                               .turn = who->turn.turn,
                               .fence = who->turn.fence,
                               .epoch = who->turn.epoch,
                               .claimed = who->turn.claimed};
}

/* The customer's turn at one of the numbers, which has asked for `escalate`. */
static struct wisher at_number(int number)
{
    struct wisher who = {.number = number, .call = number_id(10, number)};
    struct inbox_event text = text_of(1, number, "a person, please");
    struct end stored = {.failed = true};
    struct pg_unit unit = {.count = 0};
    text.sender = arena_printf(arena, "+1555000%d", number);
    text.session = number_id(1, number);
    who.claimed = claim(WORKER_A, &text, 1).rows[0];
    who.turn = start(WORKER_A, &who.claimed);
    struct round_call call = {who.call, "p", "escalate", "{}", NULL};
    struct round round = {.of = turn_of(&who),
                          .number = 1,
                          .after_position = 7,
                          .said = "",
                          .calls = &call,
                          .call_count = 1};
    round_add_store(&unit, arena, WORKER_A, &round, 1);
    submit(&unit, &stored);
    rig_run();
    CU_ASSERT_FALSE_FATAL(stored.failed);
    return who;
}

static void begin_two_numbers(void)
{
    begin_rota();
    run("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
        " assistant_id) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000c2', 'sms',"
        " '+15550002', 'AC1', '', '[]', '00000000-0000-7000-8000-0000000000a1')");
}

static void add_wish(struct pg_unit *unit, const struct wisher *who)
{
    const struct round_turn turn = turn_of(who);
    round_add_begin(unit, arena, WORKER_A, &turn, &who->call);
    escalation_add_open(unit, arena,
                        &(struct escalation_opening){.tenant = TENANT,
                                                     .id = who->call,
                                                     .reason = "customer_asks",
                                                     .summary = "s",
                                                     .calls = true});
}

static struct turn_commit word_of(const struct wisher *who)
{
    struct turn_commit made = commit_of(&who->claimed, &who->turn);
    made.trigger = trigger_of("policy_word", who->number);
    return made;
}

static void add(struct pg_unit *unit, const struct wisher *who, bool wishes)
{
    const struct turn_commit made = word_of(who);
    if (wishes)
        add_wish(unit, who);
    else
        turn_add_commit(unit, arena, WORKER_A, &made, 1);
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

/* By a tool's call or a policy word at either number: the first has opened one and not committed
 * when the second looks. Guard: lock_call_sql and lock_turns_sql. */
static void both_at_once(void)
{
    for (int i = 0; i < 4; i++) {
        struct end ends[2] = {{.wishes = i & 1, .failed = true, .opened = -1},
                              {.wishes = i & 2, .failed = true, .opened = -1}};
        struct pg_unit units[2] = {{.count = 0}, {.count = 0}};
        begin_two_numbers();
        const struct wisher first = at_number(1), second = at_number(2);
        CU_ASSERT_TRUE(uuid_equal(&first.turn.conversation, &second.turn.conversation));
        add(&units[0], &first, ends[0].wishes);
        pg_add(&units[0], until_waited_for_sql);
        submit(&units[0], &ends[0]);
        CU_ASSERT_TRUE_FATAL(rig_until(is_held_up));
        add(&units[1], &second, ends[1].wishes);
        submit(&units[1], &ends[1]);
        rig_run();
        CU_ASSERT_FALSE(ends[0].failed);
        CU_ASSERT_FALSE(ends[1].failed);
        CU_ASSERT_EQUAL(ends[0].opened, ends[0].wishes ? (int)ESCALATION_OPENED : -1);
        CU_ASSERT_EQUAL(ends[1].opened, ends[1].wishes ? (int)ESCALATION_ASKED : -1);
        CU_ASSERT_STRING_EQUAL(rows(), ends[0].wishes ? "customer_asks:open:running:0"
                                                      : "policy_word:open:running:0");
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM jobs WHERE kind = 'escalation'"), "1");
        end_test();
    }
}

/* Both turns in one batch: of a word and an outage the word is told. Guard: DISTINCT ON in
 * of_turns_sql. */
static void both_in_one_commit(void)
{
    begin_two_numbers();
    const struct wisher first = at_number(1), second = at_number(2);
    struct turn_commit both[2] = {word_of(&first), word_of(&second)};
    struct end end = {.failed = true};
    struct pg_unit unit = {.count = 0};
    both[0].outcome = "fallback";
    both[0].trigger.reason = "provider_outage";
    turn_add_commit(&unit, arena, WORKER_A, both, 2);
    submit(&unit, &end);
    rig_run();
    CU_ASSERT_FALSE(end.failed);
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:0");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("escalation races", open_server, rig_end_server);
    CU_add_test(suite, "both at once", both_at_once);
    CU_add_test(suite, "both in one commit", both_in_one_commit);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
