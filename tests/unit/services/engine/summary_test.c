/* Which models of the chain are asked for a summary, and what it takes of their limits per minute,
 * on a real PostgreSQL: only a call does. */
#include "unit/common/http/fake_server.h"
#include "unit/common/store/turn_rig.h"

#include "assistants.h"
#include "breaker.h"
#include "session.h"
#include "summary.h"

#define ASSISTANT "00000000-0000-7000-8000-0000000000a1"
#define CLOSED    "http://127.0.0.1:1" /* nobody listens */

static struct engine_shared shared;
static struct engine engine;
static struct session session;

static bool has_assistant(void)
{
    return think_assistant(&session) != NULL;
}

static bool is_claiming(void)
{
    return summaries_in_flight(engine.summaries);
}

static bool is_over(void)
{
    return !summaries_in_flight(engine.summaries);
}

#define MODEL(url, name)                                                                           \
    "{\"base_url\": \"" url "\", \"model\": \"" name                                               \
    "\", \"requests_per_minute\": 1, \"first_token_ms\": 5000}"

/* A turn was answered, its prompt left all out, and its tenant may use so many tokens a day. */
static void begin_turn(const char *models, int tokens)
{
    begin_test();
    run(arena_printf(
        arena,
        "INSERT INTO assistant_versions VALUES ('" TENANT "', '" ASSISTANT "', 1,"
        " '{\"models\": [%s], \"budgets\": {\"day\": {\"tokens\": %d}}}', 'test', now())"
        " ON CONFLICT (tenant_id, assistant_id, version)"
        " DO UPDATE SET config = EXCLUDED.config",
        models, tokens));
    struct claims claimed = claim_one(WORKER_A, 1, 1, "I am Blue");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    CU_ASSERT_EQUAL_FATAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    shared = (struct engine_shared){.settings.prompt_tokens = 4000};
    engine = (struct engine){.shared = &shared, .loop = rig_loop, .pg = rig_pg};
    engine.assistants = assistants_new(&engine);
    engine.breakers = breakers_new();
    engine.rates = rates_new(1);
    engine.crowds = crowds_new(1, 100);
    engine.llm = llm_new(rig_loop);
    engine.summaries = summaries_new(&engine);
    session = (struct session){.engine = &engine,
                               .tenant = TENANT,
                               .turn = turn,
                               .commit = reply,
                               .asked.left_out = INT64_MAX};
    session.turn.assistant = ASSISTANT;
    session.turn.assistant_version = 1;
    CU_ASSERT_TRUE_FATAL(rig_until(has_assistant));
}

static void begin_engine(int tokens)
{
    begin_turn(MODEL(CLOSED, "m"), tokens);
    summaries_after(engine.summaries, &session);
    CU_ASSERT_TRUE_FATAL(rig_until(is_claiming));
}

static void end_engine(void)
{
    pg_free(&rig_pg);
    summaries_free(&engine.summaries);
    assistants_free(&engine.assistants);
    breakers_free(&engine.breakers);
    rates_free(&engine.rates);
    crowds_free(&engine.crowds);
    llm_free(&engine.llm);
    end_test();
}

/* In how many ms the model may be asked. */
static int64_t next_place_ms(void)
{
    const struct assistant_model *model = &think_assistant(&session)->models[0];
    struct rate_place place = {.key = NULL};
    return rate_take(engine.rates, rate_key(arena, TENANT, model->base_url, model->model),
                     &model->rate, 1, clock_mono_ms(), 0, &place);
}

/* Guard: the place is taken by who has the claim; else a budget that is spent keeps turns from
 * their model. */
static void a_claim_that_is_refused_takes_no_place(void)
{
    begin_engine(1);
    CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM summary_claims"), "0");
    CU_ASSERT_EQUAL(next_place_ms(), 0);
    end_engine();
}

static bool is_called(void)
{
    return is_over() &&
           strcmp(value("SELECT count(*) FROM llm_calls WHERE purpose = 'summary'"), "1") == 0;
}

static void a_call_takes_one(void)
{
    begin_engine(1000000);
    CU_ASSERT_TRUE_FATAL(rig_until(is_called));
    CU_ASSERT_TRUE(next_place_ms() > 0);
    end_engine();
}

/* ---- the chain ---- */

static struct fake_server *server;

#define SAID(text, finish)                                                                         \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text                              \
    "\"},\"finish_reason\":\"" finish "\"}],\"usage\":{\"prompt_tokens\":7,"                       \
    "\"completion_tokens\":3}}\n\ndata: [DONE]\n\n"

static bool serve(struct fake_server *self, int fd, const struct fake_request *request)
{
    static const char stream[] = "Content-Type: text/event-stream\r\n";
    (void)self;
    if (strstr(request->head, " /good/") != NULL)
        return fake_answer(fd, "200 OK", stream, SAID("So far.", "stop"));
    if (strstr(request->head, " /filtered/") != NULL)
        return fake_answer(fd, "200 OK", stream, SAID("", "content_filter"));
    return fake_answer(fd, "503 Service Unavailable", "", "");
}

/* At that path of the server; "": nobody listens. */
static void add_model(struct strbuf *models, const char *path, int number)
{
    if (number > 1)
        strbuf_add_text(models, ", ");
    if (path[0] == '\0')
        strbuf_printf(models, MODEL(CLOSED, "m%d"), number);
    else
        strbuf_printf(models, MODEL("http://127.0.0.1:%d/%s", "m%d"), server->port, path, number);
}

/* What became of each call, in order, and of the summary. */
static const char chain_sql[] =
    "SELECT coalesce(string_agg(model || ' ' || outcome, ', ' ORDER BY model), '') || ' | '"
    " || coalesce((SELECT body FROM summaries), '-') || ' | ' || (SELECT sum(tokens) FROM usage"
    " WHERE period = 'day') || ' | ' || (SELECT count(*) FROM summary_claims WHERE reserved_day IS"
    " NULL AND until_at > now()) FROM llm_calls WHERE purpose = 'summary'";

static bool is_written(void)
{
    return strcmp(value("SELECT EXISTS (SELECT FROM llm_calls WHERE purpose = 'summary') AND NOT"
                        " EXISTS (SELECT FROM summary_claims WHERE reserved_day IS NOT NULL)"),
                  "t") == 0;
}

/* Guard: ask_next and find_model of summary.c. The turn has used 5 tokens, each answer 10. */
static void the_next_of_the_chain(void)
{
    static const struct {
        const char *paths[3];
        bool alone; /* the first one, when the summary is wished for */
        const char *left;
    } cases[] = {
        {{"good", "good"}, false, "m1 answered | So far. | 15 | 0"},
        {{"", "good"}, false, "m1 failed, m2 answered | So far. | 15 | 0"},
        {{"down", "", "good"}, false, "m1 failed, m2 failed, m3 answered | So far. | 15 | 0"},
        {{"filtered", "good"}, false, "m1 failed | - | 15 | 1"},
        {{"", "down"}, false, "m1 failed, m2 failed | - | 5 | 1"},
        {{"good", "good"}, true, "m2 answered | So far. | 15 | 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf models;
        struct err shut;
        strbuf_init(&models, 4000);
        for (int k = 0; k < 3 && cases[i].paths[k] != NULL; k++)
            add_model(&models, cases[i].paths[k], k + 1);
        begin_turn(models.data, 1000000);
        err_set(&shut, ERR_FALL_BACK, "llm.config", "a wrong key");
        if (cases[i].alone)
            breaker_report(engine.breakers, breaker_key_of(arena, TENANT, ASSISTANT, 1, 0), false,
                           &shut, clock_mono_ms());
        summaries_after(engine.summaries, &session);
        CU_ASSERT_TRUE_FATAL(rig_until(is_written));
        CU_ASSERT_STRING_EQUAL(value(chain_sql), cases[i].left);
        if (strcmp(value(chain_sql), cases[i].left) != 0)
            printf("    case %zu: %s\n", i + 1, value(chain_sql));
        end_engine();
        strbuf_fini(&models);
    }
}

static int open_both(void)
{
    server = fake_server_start(serve);
    return open_server();
}

static int end_both(void)
{
    fake_server_stop(server);
    return rig_end_server();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("engine summaries", open_both, end_both);
    CU_add_test(suite, "a refused claim", a_claim_that_is_refused_takes_no_place);
    CU_add_test(suite, "a call", a_call_takes_one);
    CU_add_test(suite, "the next of the chain", the_next_of_the_chain);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
