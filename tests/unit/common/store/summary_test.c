/* Summaries on a real PostgreSQL, as the engine's role: what there is to summarise, what is written
 * of it, and which turns get to see it; and what a turn keeps of its prompt (docs/PROTOCOL.md). */
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

/* Whether it was written. */
static bool write_made(const struct turn_started *turn, int64_t up_to, const char *body)
{
    struct written out = {.failed = true};
    struct pg_unit unit = {.done = on_written, .arg = &out};
    const struct summary_made made = {.tenant = TENANT,
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
                                               .cost = -1,
                                               .started_ms = clock_wall_ms()}};
    summary_add_write(&unit, arena, &made);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out.there;
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
    struct turn_started turn = answer_text(1, 1, "I am Ada");
    answer_text(2, 2, "somebody else");
    CU_ASSERT_STRING_EQUAL(turn.summary, "");
    CU_ASSERT_STRING_EQUAL(turn.earlier, "");
    struct reading all = read_for((struct summary_wish){.conversation = turn.conversation});
    CU_ASSERT_EQUAL_FATAL(all.count, 2);
    CU_ASSERT_STRING_EQUAL(all.known.body, "");
    CU_ASSERT_STRING_EQUAL(all.messages[0].text, "I am Ada");
    CU_ASSERT_STRING_EQUAL(all.messages[1].author, "ai");
    int64_t first = all.messages[0].position, second = all.messages[1].position;
    struct reading before =
        read_for((struct summary_wish){.conversation = turn.conversation, .before = second});
    CU_ASSERT_EQUAL(before.count, 1);
    CU_ASSERT_TRUE(write_made(&turn, first, "She is Ada."));
    struct reading rest = read_for((struct summary_wish){.conversation = turn.conversation});
    CU_ASSERT_STRING_EQUAL(rest.known.body, "She is Ada.");
    CU_ASSERT_EQUAL_FATAL(rest.count, 1);
    CU_ASSERT_EQUAL(rest.messages[0].position, second);
    CU_ASSERT_TRUE(write_made(&turn, second, "Ada comes at 3."));
    CU_ASSERT_TRUE(write_made(&turn, second, "made twice"));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) || ' ' || max(body) FROM summaries"),
                           "2 She is Ada.");
    struct turn_started next = answer_text(1, 3, "and my wife");
    CU_ASSERT_STRING_EQUAL(next.summary, "Ada comes at 3.");
    CU_ASSERT_STRING_EQUAL(answer_text(2, 4, "hm").summary, "");
    end_test();
}

static void the_next_conversation_sees_the_last_ones(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Ada");
    CU_ASSERT_TRUE(write_made(&turn, 1000000, "She is Ada."));
    run("UPDATE conversations SET closed_at = clock_timestamp()");
    struct turn_started next = answer_text(1, 2, "me again");
    CU_ASSERT_FALSE(uuid_equal(&next.conversation, &turn.conversation));
    CU_ASSERT_STRING_EQUAL(next.summary, "");
    CU_ASSERT_STRING_EQUAL(next.earlier, "She is Ada.");
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

static void what_is_not_said_or_not_answered_is_not_told(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Ada");
    run("UPDATE deliveries SET state = 'suppressed', reason = 'takeover'");
    claim_one(WORKER_A, 1, 2, "not answered yet");
    struct reading all = read_for((struct summary_wish){.conversation = turn.conversation});
    CU_ASSERT_EQUAL_FATAL(all.count, 1);
    CU_ASSERT_STRING_EQUAL(all.messages[0].text, "I am Ada");
    end_test();
}

/* A failed call is a row, and nothing else; nothing is written for a turn that is gone. */
static void failures(void)
{
    begin_test();
    struct turn_started turn = answer_text(1, 1, "I am Ada");
    CU_ASSERT_TRUE(write_made(&turn, 5, NULL));
    CU_ASSERT_STRING_EQUAL(value("SELECT (SELECT count(*) FROM summaries) || ' ' || count(*)"
                                 " FROM llm_calls WHERE outcome = 'failed'"),
                           "0 1");
    turn.turn = uuid_new();
    CU_ASSERT_FALSE(write_made(&turn, 5, "for nobody"));
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
    const char *closed = strstr(one, "\"open\" : false"), *open = strstr(two, "\"open\" : true");
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
    CU_add_test(suite, "not said, not answered", what_is_not_said_or_not_answered_is_not_told);
    CU_add_test(suite, "failures", failures);
    CU_add_test(suite, "contexts and records", contexts_and_records);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
