/* Summaries on a real PostgreSQL, as the engine's role: what there is to summarise, who may, what
 * is written of it and counted, and which turns get to see it; and what a turn keeps of its prompt
 * (docs/PROTOCOL.md). */
#include "unit/common/store/turn_rig.h"

#include "store/summary.h"

struct reading {
    struct summary_known known;
    struct summary_message messages[8];
    int count;
    bool found, failed;
};

static void on_read(void *arg, const struct pg_answer *answer)
{
    struct reading *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    out->found = answer->err == NULL && summary_read_known(answer, &out->known);
    if (out->found)
        out->known.body = arena_strdup(arena, out->known.body);
    while (out->found && out->count < 8 &&
           summary_read_message(answer, out->count, &out->messages[out->count])) {
        struct summary_message *message = &out->messages[out->count++];
        message->author = arena_strdup(arena, message->author);
        message->text = arena_strdup(arena, message->text);
    }
    rig_count_down();
}

static struct reading read_for(struct summary_wish wish)
{
    struct reading out = {.count = 0};
    struct pg_unit unit = {.done = on_read, .arg = &out};
    wish.tenant = TENANT;
    wish.before = wish.before != 0 ? wish.before : INT64_MAX;
    summary_add_read(&unit, arena, &wish);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out;
}

struct written {
    bool there, failed;
};

static void on_written(void *arg, const struct pg_answer *answer)
{
    struct written *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    out->there = answer->err == NULL && summary_read_written(answer);
    rig_count_down();
}

static struct summary_made made_of(const struct turn_started *turn, int64_t up_to, const char *body)
{
    return (struct summary_made){.tenant = TENANT,
                                 .id = uuid_new(),
                                 .conversation = turn->conversation,
                                 .turn = turn->turn,
                                 .up_to = up_to,
                                 .assistant_version = 1,
                                 .body = body,
                                 .call = {.id = uuid_new(),
                                          .provider = "p",
                                          .model = "m",
                                          .outcome = body != NULL ? "answered" : "failed",
                                          .error_code = body != NULL ? "" : "llm.status",
                                          .finish = "",
                                          .request_id = "",
                                          .tokens_in = 7,
                                          .tokens_out = -1,
                                          .tokens_cached = -1,
                                          .connect_ms = -1,
                                          .first_token_ms = -1,
                                          .total_ms = 3,
                                          .cost = 70,
                                          .started_ms = clock_wall_ms()}};
}

/* Whether it was written. */
static bool write_it(const struct summary_made *made)
{
    struct written out = {.failed = true};
    struct pg_unit unit = {.done = on_written, .arg = &out};
    summary_add_write(&unit, arena, made);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out.there;
}

/* By whoever has claimed it. */
static bool write_made(const struct turn_started *turn, int64_t up_to, const char *body)
{
    const struct summary_made made = made_of(turn, up_to, body);
    char talk[UUID_TEXT_SIZE], claim[UUID_TEXT_SIZE];
    run(arena_printf(arena,
                     "INSERT INTO summary_claims (tenant_id, conversation_id, claim, tries,"
                     " until_at, reserved_tokens, reserved_cost) VALUES ('%s', '%s', '%s', 1,"
                     " clock_timestamp() + interval '1 min', 0, 0)"
                     " ON CONFLICT (tenant_id, conversation_id) DO UPDATE"
                     " SET claim = EXCLUDED.claim, tries = 1",
                     TENANT, uuid_format(&turn->conversation, talk),
                     uuid_format(&made.call.id, claim)));
    return write_it(&made);
}

/* ---- claims ---- */

#define MUCH 1000000

struct claimed {
    char why[16]; /* "": claimed */
    bool failed;
};

static void on_summary_claimed(void *arg, const struct pg_answer *answer)
{
    struct claimed *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    const char *why = answer->err == NULL ? summary_read_claimed(answer) : NULL;
    snprintf(out->why, sizeof out->why, "%s", why != NULL ? why : "");
    rig_count_down();
}

/* For a call that may use 100 tokens, of so many that are left. */
static void submit_claim(const struct summary_made *made, int64_t after, int64_t limit,
                         struct claimed *out)
{
    struct pg_unit unit = {.done = on_summary_claimed, .arg = out};
    const struct summary_claim claim = {.tenant = TENANT,
                                        .conversation = made->conversation,
                                        .turn = made->turn,
                                        .call = made->call.id,
                                        .after = after,
                                        .most = {100, 1000, 0},
                                        .limits = {{limit, -1, -1}, {-1, MUCH, -1}},
                                        .lease_ms = 60000};
    summary_add_claim(&unit, arena, &claim);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
}

static const char *claim_it(const struct summary_made *made, int64_t after, int64_t limit)
{
    struct claimed out = {.failed = true};
    submit_claim(made, after, limit, &out);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return arena_strdup(arena, out.why);
}

/* Customer `who` writes text `n` and is answered; returns the turn as it was started. */
static struct turn_started answer_text(int who, int n, const char *body)
{
    struct claims claimed = claim_one(WORKER_A, who, n, body);
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    reply.prompt = "{\"version\":1}";
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    return turn;
}

static void a_summary_goes_on_where_the_last_one_ended(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    answer_text(2, 2, "somebody else");
    CU_ASSERT_STRING_EQUAL(turn.summary, "");
    CU_ASSERT_STRING_EQUAL(turn.earlier, "");
    struct reading all = read_for((struct summary_wish){.conversation = turn.conversation});
    CU_ASSERT_EQUAL_FATAL(all.count, 2);
    CU_ASSERT_STRING_EQUAL(all.known.body, "");
    CU_ASSERT_STRING_EQUAL(all.messages[0].text, "I am Blue");
    CU_ASSERT_STRING_EQUAL(all.messages[1].author, "ai");
    int64_t first = all.messages[0].position, second = all.messages[1].position;
    struct reading before =
        read_for((struct summary_wish){.conversation = turn.conversation, .before = second});
    CU_ASSERT_EQUAL(before.count, 1);
    CU_ASSERT_TRUE(write_made(&turn, first, "She is Blue."));
    struct reading rest = read_for((struct summary_wish){.conversation = turn.conversation});
    CU_ASSERT_STRING_EQUAL(rest.known.body, "She is Blue.");
    CU_ASSERT_EQUAL_FATAL(rest.count, 1);
    CU_ASSERT_EQUAL(rest.messages[0].position, second);
    CU_ASSERT_TRUE(write_made(&turn, second, "Blue comes at 3."));
    CU_ASSERT_TRUE(write_made(&turn, second, "made twice"));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) || ' ' || max(body) FROM summaries"),
                           "2 She is Blue.");
    struct turn_started next = answer_text(1, 3, "and my wife");
    CU_ASSERT_STRING_EQUAL(next.summary, "Blue comes at 3.");
    CU_ASSERT_STRING_EQUAL(answer_text(2, 4, "hm").summary, "");
    end_test();
}

static void the_next_conversation_sees_the_last_ones(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    CU_ASSERT_TRUE(write_made(&turn, 1000000, "She is Blue."));
    run("UPDATE conversations SET closed_at = clock_timestamp()");
    struct turn_started next = answer_text(1, 2, "me again");
    CU_ASSERT_FALSE(uuid_equal(&next.conversation, &turn.conversation));
    CU_ASSERT_STRING_EQUAL(next.summary, "");
    CU_ASSERT_STRING_EQUAL(next.earlier, "She is Blue.");
    struct reading last =
        read_for((struct summary_wish){.conversation = next.conversation, .contact = next.contact});
    CU_ASSERT_TRUE_FATAL(last.found);
    CU_ASSERT_TRUE(uuid_equal(&last.known.conversation, &turn.conversation));
    CU_ASSERT_EQUAL(last.count, 0);
    struct turn_started other = answer_text(2, 3, "who has no other");
    CU_ASSERT_STRING_EQUAL(other.earlier, "");
    CU_ASSERT_FALSE(read_for((struct summary_wish){.conversation = other.conversation,
                                                   .contact = other.contact})
                        .found);
    end_test();
}

/* A notice of the rota makes a conversation that is closed at once, in which its contact wrote
 * nothing. Guard: the look for a text of theirs in it. */
static void a_notice_is_not_the_last_conversation(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    run("UPDATE conversations SET closed_at = clock_timestamp() - interval '1 h'");
    run("INSERT INTO conversations (tenant_id, id, contact_id, closed_at)"
        " SELECT tenant_id, gen_random_uuid(), contact_id, clock_timestamp() FROM conversations");
    struct turn_started next = answer_text(1, 2, "me again");
    struct reading last =
        read_for((struct summary_wish){.conversation = next.conversation, .contact = next.contact});
    CU_ASSERT_TRUE_FATAL(last.found);
    CU_ASSERT_TRUE(uuid_equal(&last.known.conversation, &turn.conversation));
    end_test();
}

static void what_is_not_said_or_not_answered_is_not_told(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    run("UPDATE deliveries SET state = 'suppressed', reason = 'takeover'");
    claim_one(WORKER_A, 1, 3, "of no turn");
    run("UPDATE inbox_events SET state = 'failed', reason = 'start.unfit' WHERE state = 'open'");
    claim_one(WORKER_A, 1, 2, "not answered yet");
    struct reading all = read_for((struct summary_wish){.conversation = turn.conversation});
    CU_ASSERT_EQUAL_FATAL(all.count, 1);
    CU_ASSERT_STRING_EQUAL(all.messages[0].text, "I am Blue");
    end_test();
}

/* Two engines at once, and one behind the other: one call for one summary. Guard: the claim. */
static void one_makes_it(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    const struct summary_made one = made_of(&turn, 5, "She is Blue."), two = made_of(&turn, 5, "x");
    struct claimed out[2] = {{.failed = true}, {.failed = true}};
    submit_claim(&one, 0, -1, &out[0]);
    submit_claim(&two, 0, -1, &out[1]);
    rig_run();
    const bool first = out[0].why[0] == '\0';
    CU_ASSERT_FALSE(out[0].failed || out[1].failed);
    CU_ASSERT_STRING_EQUAL(out[first ? 1 : 0].why, "taken");
    CU_ASSERT_STRING_EQUAL(out[first ? 0 : 1].why, "");
    CU_ASSERT_FALSE(read_for((struct summary_wish){.conversation = turn.conversation}).found);
    CU_ASSERT_TRUE(write_it(first ? &one : &two));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM summary_claims"), "0");
    CU_ASSERT_STRING_EQUAL(claim_it(first ? &two : &one, 0, -1), "made"); /* it had read before */
    struct reading again = read_for((struct summary_wish){.conversation = turn.conversation});
    CU_ASSERT_TRUE(again.found);
    CU_ASSERT_EQUAL(again.known.up_to, 5);
    CU_ASSERT_STRING_EQUAL(claim_it(first ? &two : &one, 5, -1), "");
    end_test();
}

/* Who dies over it is followed by another; who was only slow still tells what it used. */
static void a_claim_lapses(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    const struct summary_made slow = made_of(&turn, 5, NULL), next = made_of(&turn, 5, "Blue.");
    CU_ASSERT_STRING_EQUAL(claim_it(&slow, 0, -1), "");
    run("UPDATE summary_claims SET until_at = clock_timestamp() - interval '1 s'");
    CU_ASSERT_STRING_EQUAL(claim_it(&next, 0, -1), "");
    CU_ASSERT_TRUE(write_it(&slow));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM summary_claims WHERE tries = 2"
                                 " AND reserved_day IS NOT NULL"),
                           "1");
    CU_ASSERT_TRUE(write_it(&next));
    CU_ASSERT_STRING_EQUAL(value("SELECT (SELECT count(*) FROM summary_claims) || ' ' || body"
                                 " FROM summaries"),
                           "0 Blue.");
    end_test();
}

/* A merge or a split has deleted the claim: what was read is not what the conversation is now. It
 * is paid all the same. Guard: write_sql, `mine`. */
static void what_was_parted_meanwhile_is_not_told(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    const struct summary_made made = made_of(&turn, 5, "Blue.");
    CU_ASSERT_STRING_EQUAL(claim_it(&made, 0, -1), "");
    run("DELETE FROM summary_claims");
    CU_ASSERT_TRUE(write_it(&made));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM summaries"), "0");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM llm_calls WHERE purpose = 'summary'"), "1");
    end_test();
}

/* One that failed makes room. */
static void few_of_a_tenant_at_once(void)
{
    struct summary_made made[SUMMARY_TENANT_MAX + 1];
    begin_test();
    for (int i = 0; i <= SUMMARY_TENANT_MAX; i++) {
        struct turn_started turn = answer_text(i + 1, i + 1, "hello");
        made[i] = made_of(&turn, 5, NULL);
        CU_ASSERT_STRING_EQUAL(claim_it(&made[i], 0, -1), i < SUMMARY_TENANT_MAX ? "" : "busy");
    }
    CU_ASSERT_TRUE(write_it(&made[0]));
    CU_ASSERT_STRING_EQUAL(claim_it(&made[SUMMARY_TENANT_MAX], 0, -1), "");
    end_test();
}

/* Each failure doubles the wait, to an hour; a success ends it. */
static void failures_are_waited_out(void)
{
    static const char *const minutes[] = {"1", "2", "4", "8", "16", "32", "60", "60"};
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
        const struct summary_made made = made_of(&turn, 5, NULL);
        CU_ASSERT_STRING_EQUAL(claim_it(&made, 0, -1), "");
        CU_ASSERT_TRUE(write_it(&made));
        CU_ASSERT_STRING_EQUAL(
            value("SELECT round(extract(epoch FROM until_at - clock_timestamp()) / 60)::integer"
                  " FROM summary_claims WHERE reserved_day IS NULL"),
            minutes[i]);
        CU_ASSERT_FALSE(read_for((struct summary_wish){.conversation = turn.conversation}).found);
        CU_ASSERT_STRING_EQUAL(claim_it(&made, 0, -1), "taken");
        run("UPDATE summary_claims SET until_at = clock_timestamp() - interval '1 s'");
    }
    const struct summary_made good = made_of(&turn, 5, "Blue.");
    CU_ASSERT_STRING_EQUAL(claim_it(&good, 0, -1), "");
    CU_ASSERT_TRUE(write_it(&good));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM summary_claims"), "0");
    end_test();
}

/* What a running turn finds of a budget of so many tokens. */
static void on_reserved(void *arg, const struct pg_answer *answer)
{
    struct usage_reserved row = {.kind = USAGE_LOST};
    CU_ASSERT_TRUE(answer->err == NULL && usage_read_reserved(answer, 0, &row));
    *(enum usage_kind *)arg = row.kind;
    rig_count_down();
}

static enum usage_kind reserve_for(const struct turn_started *turn, int64_t limit)
{
    enum usage_kind kind = USAGE_LOST;
    struct pg_unit unit = {.done = on_reserved, .arg = &kind};
    const struct usage_wish wish = {.tenant = TENANT,
                                    .turn = turn->turn,
                                    .fence = turn->fence,
                                    .most = {50, 0, 0},
                                    .limits = {{limit, -1, -1}, {-1, -1, -1}}};
    usage_add_reserve(&unit, arena, WORKER_A, &wish, 1);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return kind;
}

/* The turn has used 5 tokens and 1500 billionths; the summary uses 7 and 70. */
static void a_summary_is_reserved_and_counted(void)
{
    static const char spent_sql[] = "SELECT string_agg(tokens || ' ' || cost, ', ') FROM usage";
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    const struct summary_made made = made_of(&turn, 5, "Blue.");
    CU_ASSERT_STRING_EQUAL(value(spent_sql), "5 1500, 5 1500");
    CU_ASSERT_STRING_EQUAL(claim_it(&made, 0, 104), "budget"); /* it must fit in whole */
    CU_ASSERT_STRING_EQUAL(claim_it(&made, 0, 105), "");
    struct claims claimed = claim_one(WORKER_A, 2, 2, "and me");
    struct turn_started other = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL(reserve_for(&other, 105), USAGE_FULL);
    CU_ASSERT_TRUE(write_it(&made));
    CU_ASSERT_STRING_EQUAL(value(spent_sql), "12 1570, 12 1570");
    CU_ASSERT_TRUE(write_it(&made)); /* the answer to the first was lost */
    CU_ASSERT_STRING_EQUAL(value(spent_sql), "12 1570, 12 1570");
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(purpose || ' ' || tokens_in, ', ' ORDER BY"
                                 " tokens_in) FROM llm_calls"),
                           "turn 5, summary 7");
    CU_ASSERT_EQUAL(reserve_for(&other, 105), USAGE_RESERVED);
    struct turn_started third = answer_text(3, 3, "and I");
    const struct summary_made more = made_of(&third, 5, "Three.");
    CU_ASSERT_STRING_EQUAL(claim_it(&more, 0, 166), "budget"); /* 17, and 50 of the turn's */
    CU_ASSERT_STRING_EQUAL(claim_it(&more, 0, 167), "");
    end_test();
}

/* A failed call is a row, and nothing else; nothing is written for a turn that is gone. */
static void failures(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Blue");
    CU_ASSERT_TRUE(write_made(&turn, 5, NULL));
    CU_ASSERT_STRING_EQUAL(value("SELECT (SELECT count(*) FROM summaries) || ' ' || count(*)"
                                 " FROM llm_calls WHERE outcome = 'failed'"),
                           "0 1");
    turn.turn = uuid_new();
    const struct summary_made late = made_of(&turn, 5, "for nobody");
    CU_ASSERT_STRING_EQUAL(claim_it(&late, 0, -1), "gone");
    CU_ASSERT_FALSE(write_it(&late));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM summaries"), "0");
    end_test();
}

/* The open texts are told apart from those that were answered, and the record is kept. */
static void contexts_and_records(void)
{
    begin_test();
    answer_text(1, 1, "one");
    struct claims claimed = claim_one(WORKER_A, 1, 2, "two");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    const char *one = strstr(turn.context, "one"), *two = strstr(turn.context, "two");
    CU_ASSERT_PTR_NOT_NULL_FATAL(one);
    CU_ASSERT_PTR_NOT_NULL_FATAL(two);
    const char *closed = strstr(one, "\"open\":false"), *open = strstr(two, "\"open\":true");
    CU_ASSERT_TRUE(closed != NULL && closed < two);
    CU_ASSERT_PTR_NOT_NULL(open);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(coalesce(prompt->>'version', '-'), ' ' ORDER BY"
                                 " number) FROM turns"),
                           "1 -");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("summary", open_server, rig_end_server);
    CU_add_test(suite, "going on", a_summary_goes_on_where_the_last_one_ended);
    CU_add_test(suite, "the next conversation", the_next_conversation_sees_the_last_ones);
    CU_add_test(suite, "a notice", a_notice_is_not_the_last_conversation);
    CU_add_test(suite, "not said, not answered", what_is_not_said_or_not_answered_is_not_told);
    CU_add_test(suite, "one makes it", one_makes_it);
    CU_add_test(suite, "a claim lapses", a_claim_lapses);
    CU_add_test(suite, "parted meanwhile", what_was_parted_meanwhile_is_not_told);
    CU_add_test(suite, "few of a tenant", few_of_a_tenant_at_once);
    CU_add_test(suite, "back-off", failures_are_waited_out);
    CU_add_test(suite, "reserved and counted", a_summary_is_reserved_and_counted);
    CU_add_test(suite, "failures", failures);
    CU_add_test(suite, "contexts and records", contexts_and_records);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
