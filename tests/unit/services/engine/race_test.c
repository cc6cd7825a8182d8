/* Two models of a chain asked at once, on a real PostgreSQL and a scripted server of models: who
 * answers, what is recorded and counted of the other, and when nobody is raced. And one that calls
 * the prompt too long. */
#include "unit/common/http/fake_server.h"
#include "unit/services/engine/engine_rig.h"

#include "breaker.h"
#include "bus/bus.h"
#include "counters.h"
#include "race.h"

#include <signal.h>

#define CHUNK(delta) "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define END(why)                                                                                   \
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" why "\"}],"                           \
    "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20}}\n\ndata: [DONE]\n\n"
#define TOO_LONG    "{\"error\":{\"code\":\"context_length_exceeded\"}}"
#define SMALL_BYTES 8000 /* what a small model takes of a request */
#define OPEN_STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static struct fake_server *server;
static atomic_bool told[3]; /* what waits for that number goes on; nothing waits for 0 */
static struct inbox_claimed claimed;
static int per_minute = 1; /* calls that each model may have */

/* ---- the models: a path begins with what one does and what it waits for, "words-1" ---- */

static bool is_cut(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

static bool serve(struct fake_server *s, int fd, const struct fake_request *request)
{
    const char *name = strchr(request->head, '/') + 1, *end = name + strcspn(name, "-/");
    const int waits_for = *end == '-' ? end[1] - '0' : 0;
    while (waits_for > 0 && !atomic_load(&told[waits_for]) && !atomic_load(&s->stopping))
        poll(NULL, 0, 1);
    if (strncmp(name, "full", 4) == 0 ||
        (strncmp(name, "small", 5) == 0 && request->body_length > SMALL_BYTES))
        return fake_answer(fd, "400 Bad Request", "", TOO_LONG);
    if (strncmp(name, "words", 5) == 0 || strncmp(name, "small", 5) == 0)
        return fake_answer(fd, "200 OK", "", CHUNK("{\"content\":\"Here I am.\"}") END("stop"));
    if (strncmp(name, "tool", 4) == 0)
        return fake_answer(fd, "200 OK", "",
                           CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{"
                                 "\"name\":\"take_message\",\"arguments\":\"{}\"}}]}")
                               END("tool_calls"));
    if (strncmp(name, "refuses", 7) == 0)
        return fake_answer(fd, "200 OK", "", END("content_filter"));
    if (strncmp(name, "fails", 5) == 0)
        return fake_answer(fd, "500 Oops", "", "");
    if (strncmp(name, "thinks", 6) == 0)
        fake_send(fd, OPEN_STREAM CHUNK("{\"reasoning_content\":\"Hm.\"}"));
    return !is_cut(fd); /* "hangs" */
}

/* ---- the turn ---- */

static void open_producer(void)
{
    static const char *const topics[] = {"t", NULL};
    struct err err;
    const struct bus_producer_options options = {
        .client = {.brokers = "127.0.0.1:1", .client_id = "test", .security = ""},
        .loop = rig_loop,
        .topics = topics};
    CU_ASSERT_EQUAL_FATAL(bus_producer_open(&options, &engine.producer, &err), 0);
}

/* The tenant's assistant has these models, each of which may be asked so often a minute and is
 * raced after so many ms. */
static void write_chain(const char *const models[3], int race_after_ms)
{
    const char *list = "";
    for (int i = 0; i < 3 && models[i] != NULL; i++)
        list = arena_printf(arena,
                            "%s%s{\"vendor\":\"%s\",\"base_url\":\"http://127.0.0.1:%d/%s\","
                            "\"model\":\"m\",\"max_tokens\":50,\"price_in\":10,\"price_out\":30,"
                            "\"requests_per_minute\":%d,\"race_after_ms\":%d}",
                            list, i > 0 ? "," : "", models[i], server->port, models[i], per_minute,
                            race_after_ms);
    run(arena_printf(arena,
                     "INSERT INTO assistant_versions VALUES ('" TENANT "',"
                     " '00000000-0000-7000-8000-0000000000a1', 1, '{\"models\":[%s],"
                     "\"tools\":[\"take_message\"]}', 'test')",
                     list));
}

static bool is_asked(void)
{
    const struct session *session = find(&claimed);
    return session != NULL && session->asked.call != NULL;
}

static bool is_raced(void)
{
    return is_asked() && find(&claimed)->rival.call != NULL;
}

static bool is_not_raced(void)
{
    return is_asked() && find(&claimed)->rival.call == NULL;
}

static bool has_a_row(void)
{
    return find(&claimed)->call_count > 0;
}

static bool is_storing(void)
{
    return find(&claimed)->state == TURN_STORING;
}

static bool is_gone(void)
{
    return find(&claimed) == NULL && !statements_in_flight(engine.sessions);
}

static const char *key_of(int entry)
{
    return breaker_key_of(arena, TENANT, "00000000-0000-7000-8000-0000000000a1", 1, entry);
}

/* A turn that has asked its first model. */
static struct session *begin(bool is_voice, int race_after_ms, const char *const models[3])
{
    begin_engine();
    for (int i = 0; i < 3; i++)
        atomic_store(&told[i], false);
    server = fake_server_start(serve);
    shared.id_key = secret_new("01234567890123456789012345678901", 32);
    engine.breakers = breakers_new();
    engine.rates = rates_new(1);
    engine.crowds = crowds_new(1, 100);
    engine.llm = llm_new(rig_loop);
    summaries_stop(engine.summaries);
    open_producer();
    write_chain(models, race_after_ms);
    claimed = text(1, 1);
    find(&claimed)->is_voice = is_voice;
    return find(&claimed);
}

static void ask(void)
{
    timer_stop(find(&claimed)->timer);
    session_apply(find(&claimed), EVENT_DUE);
    CU_ASSERT_TRUE_FATAL(rig_until(is_asked));
}

static void end(void)
{
    sessions_drop_all(engine.sessions);
    llm_free(&engine.llm);
    bus_producer_close(&engine.producer, 0);
    end_engine();
    rates_free(&engine.rates);
    crowds_free(&engine.crowds);
    breakers_free(&engine.breakers);
    secret_free(&shared.id_key);
    fake_server_stop(server);
}

static const char *rows(void)
{
    return value("SELECT string_agg(provider || ' ' || outcome || coalesce(' ' || error_code, ''),"
                 " ', ' ORDER BY started_at, id) FROM llm_calls");
}

static const char *outcome(void)
{
    return value("SELECT outcome FROM turns");
}

/* What the breaker knew of it stays: it has neither failed a fifth time nor gone well. */
static void the_next_one_answers_in_place_of_a_slow_one(void)
{
    struct rate_place place;
    struct err err;
    begin(true, 50, (const char *const[3]){"hangs", "words"});
    err_set(&err, ERR_RETRY_LATER, "http.timeout", "it failed");
    for (int i = 0; i < 4; i++)
        breaker_report(engine.breakers, key_of(0), false, &err, clock_mono_ms());
    ask();
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(outcome(), "reply");
    CU_ASSERT_STRING_EQUAL(value("SELECT body FROM messages WHERE author = 'ai'"), "Here I am.");
    CU_ASSERT_STRING_EQUAL(rows(), "hangs lost_race, words answered");
    CU_ASSERT_EQUAL(breakers_count(engine.breakers), 1);
    CU_ASSERT_FALSE(breaker_is_open(engine.breakers, key_of(0)));
    /* Both are counted; the loser by the estimate of what it has read, and its place is taken. */
    CU_ASSERT_STRING_EQUAL(value("SELECT tokens_in > 50 AND tokens_out = 0 AND cost ="
                                 " 10 * tokens_in FROM llm_calls WHERE outcome = 'lost_race'"),
                           "t");
    CU_ASSERT_STRING_EQUAL(value("SELECT u.tokens = 120 + l.tokens_in AND u.cost = 1600 + l.cost"
                                 " FROM usage u, llm_calls l WHERE u.period = 'day'"
                                 " AND l.outcome = 'lost_race'"),
                           "t");
    CU_ASSERT_TRUE(
        rate_take(engine.rates,
                  rate_key(arena, TENANT,
                           arena_printf(arena, "http://127.0.0.1:%d/hangs", server->port), "m"),
                  &(struct rate_limits){.requests = 1}, 0, clock_mono_ms(), 0, &place) > 0);
    end();
}

static void a_thought_is_no_word(void)
{
    begin(true, 50, (const char *const[3]){"thinks", "words"});
    ask();
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(rows(), "thinks lost_race, words answered");
    end();
}

static void a_call_of_a_tool_is_a_word(void)
{
    struct session *session = begin(true, 50, (const char *const[3]){"hangs", "tool"});
    ask();
    struct pace *pace = engine.sessions->round_pace;
    pace_sent(pace);
    pace_sent(pace); /* as many as may be: the round stays in line */
    CU_ASSERT_TRUE_FATAL(rig_until(is_storing));
    CU_ASSERT_EQUAL_FATAL(session->call_count, 2);
    CU_ASSERT_STRING_EQUAL(session->calls[0].outcome, "lost_race");
    CU_ASSERT_STRING_EQUAL(session->calls[0].provider, "hangs");
    CU_ASSERT_STRING_EQUAL(session->calls[1].provider, "tool");
    CU_ASSERT_FALSE(timer_is_active(session->timer));
    pace_over(pace);
    pace_over(pace);
    end();
}

static void the_slow_one_may_still_win(void)
{
    begin(true, 50, (const char *const[3]){"words-1", "hangs"});
    ask();
    CU_ASSERT_TRUE_FATAL(rig_until(is_raced));
    atomic_store(&told[1], true);
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(rows(), "words-1 answered, hangs lost_race");
    CU_ASSERT_EQUAL(breakers_count(engine.breakers), 0);
    end();
}

static void a_rival_that_fails_has_failed(void)
{
    begin(true, 50, (const char *const[3]){"words-1", "fails"});
    ask();
    CU_ASSERT_TRUE_FATAL(rig_until(has_a_row));
    CU_ASSERT_TRUE(is_not_raced());
    CU_ASSERT_EQUAL(breakers_count(engine.breakers), 1);
    atomic_store(&told[1], true);
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(rows(), "words-1 answered, fails failed llm.unavailable");
    end();
}

static void the_rival_goes_on_when_the_first_fails(void)
{
    begin(true, 50, (const char *const[3]){"fails-1", "words-2"});
    ask();
    CU_ASSERT_TRUE_FATAL(rig_until(is_raced));
    atomic_store(&told[1], true);
    CU_ASSERT_TRUE_FATAL(rig_until(has_a_row));
    CU_ASSERT_TRUE(is_not_raced());
    CU_ASSERT_EQUAL(find(&claimed)->asked.model_index, 1);
    atomic_store(&told[2], true);
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(outcome(), "reply");
    CU_ASSERT_STRING_EQUAL(rows(), "fails-1 failed llm.unavailable, words-2 answered");
    CU_ASSERT_EQUAL(atomic_load(&server->requests), 2);
    end();
}

/* What one will not write is not carried to another. */
static void a_refusal_ends_the_race(void)
{
    begin(true, 50, (const char *const[3]){"refuses-1", "words-2"});
    ask();
    CU_ASSERT_TRUE_FATAL(rig_until(is_raced));
    atomic_store(&told[1], true);
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(outcome(), "fallback");
    CU_ASSERT_STRING_EQUAL(rows(), "refuses-1 failed llm.filtered, words-2 stopped");
    end();
}

/* One that is left alone is passed over; whose turn it is then is the third. */
static void only_who_can_be_asked_is_raced(void)
{
    struct err err;
    begin(true, 50, (const char *const[3]){"hangs", "fails", "words"});
    err_set(&err, ERR_FALL_BACK, "llm.config", "its key is wrong");
    breaker_report(engine.breakers, key_of(1), false, &err, clock_mono_ms());
    ask();
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(rows(), "hangs lost_race, words answered");
    CU_ASSERT_EQUAL(atomic_load(&server->requests), 2);
    end();
}

/* Nobody else can be asked: the first one goes on, and its answer is taken. */
static void without_a_rival_the_first_goes_on(void)
{
    struct err err;
    struct session *session = begin(true, 50, (const char *const[3]){"words-1", "fails"});
    err_set(&err, ERR_FALL_BACK, "llm.config", "its key is wrong");
    breaker_report(engine.breakers, key_of(1), false, &err, clock_mono_ms());
    ask();
    session_apply(session, EVENT_DUE);
    CU_ASSERT_TRUE(is_not_raced());
    CU_ASSERT_EQUAL(session->asked.model_index, 0);
    CU_ASSERT_FALSE(session->failed);
    atomic_store(&told[1], true);
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(rows(), "words-1 answered");
    end();
}

static void both_are_stopped_when_the_time_is_over(void)
{
    begin(true, 50, (const char *const[3]){"hangs", "thinks"});
    ask();
    CU_ASSERT_TRUE_FATAL(rig_until(is_raced));
    session_apply(find(&claimed), EVENT_DEADLINE);
    CU_ASSERT_TRUE(rig_until(is_gone));
    CU_ASSERT_STRING_EQUAL(outcome(), "fallback");
    CU_ASSERT_STRING_EQUAL(rows(), "hangs stopped, thinks stopped");
    end();
}

/* Guards: race_is_wanted, and what race_plan asks besides. */
static void who_is_not_raced(void)
{
    static const struct {
        bool is_voice;
        int after_ms;
        const char *models[3];
        bool raced;
    } cases[] = {{true, 60000, {"hangs", "words"}, true},
                 {false, 60000, {"hangs", "words"}, false},
                 {true, 0, {"hangs", "words"}, false},
                 {true, 60000, {"hangs"}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session *session = begin(cases[i].is_voice, cases[i].after_ms, cases[i].models);
        ask();
        CU_ASSERT_EQUAL(timer_is_active(session->timer), cases[i].raced);
        end();
    }
}

static void how_long_a_first_word_is_waited_for(void)
{
    static const struct {
        int64_t first_token_ms, set_ms, after_ms;
    } cases[] = {{8000, -1, 2000}, {1000, -1, 500}, {0, -1, 2000}, {8000, 700, 700}, {8000, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_EQUAL(
            race_after_ms(&(struct assistant_model){.first_token_ms = cases[i].first_token_ms,
                                                    .race_after_ms = cases[i].set_ms}),
            cases[i].after_ms);
}

/* ---- a prompt that was too long ---- */

/* A turn behind 30 messages, some 3000 tokens. */
static void begin_long(const char *const models[3])
{
    per_minute = 10;
    begin(false, 0, models);
    per_minute = 1;
    run("INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
        " event_time) SELECT tenant_id, gen_random_uuid(), conversation_id, id, 'in', 'contact',"
        " repeat('long ', 60), clock_timestamp() FROM channel_sessions, generate_series(1, 30)");
    ask();
    CU_ASSERT_TRUE(rig_until(is_gone));
}

/* The same model, once, with less of what was said before. Guard: trims. */
static void a_prompt_too_long_is_sent_once_more_trimmed(void)
{
    begin_long((const char *const[3]){"small", "words"});
    CU_ASSERT_STRING_EQUAL(outcome(), "reply");
    CU_ASSERT_STRING_EQUAL(rows(), "small failed llm.too_long, small answered");
    pthread_mutex_lock(&server->lock);
    CU_ASSERT_PTR_NOT_NULL(strstr(server->last_body, "hello")); /* what is to be answered */
    CU_ASSERT_PTR_NOT_NULL(strstr(server->last_body, "long long"));
    pthread_mutex_unlock(&server->lock);
    end();
}

/* The next one gets the prompt that its own window has room for. */
static void a_trimmed_prompt_that_is_too_long_goes_to_the_next_model(void)
{
    begin_long((const char *const[3]){"full", "words"});
    CU_ASSERT_STRING_EQUAL(outcome(), "reply");
    CU_ASSERT_STRING_EQUAL(rows(),
                           "full failed llm.too_long, full failed llm.too_long, words answered");
    CU_ASSERT_TRUE(server->last_body != NULL && strlen(server->last_body) > SMALL_BYTES);
    end();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    CU_initialize_registry();
    counters_init();
    CU_pSuite suite = CU_add_suite("race", open_server, rig_end_server);
    CU_add_test(suite, "a slow one", the_next_one_answers_in_place_of_a_slow_one);
    CU_add_test(suite, "a thought", a_thought_is_no_word);
    CU_add_test(suite, "a tool", a_call_of_a_tool_is_a_word);
    CU_add_test(suite, "the first wins", the_slow_one_may_still_win);
    CU_add_test(suite, "a rival fails", a_rival_that_fails_has_failed);
    CU_add_test(suite, "the first fails", the_rival_goes_on_when_the_first_fails);
    CU_add_test(suite, "a refusal", a_refusal_ends_the_race);
    CU_add_test(suite, "who can be asked", only_who_can_be_asked_is_raced);
    CU_add_test(suite, "nobody can", without_a_rival_the_first_goes_on);
    CU_add_test(suite, "the deadline", both_are_stopped_when_the_time_is_over);
    CU_add_test(suite, "who is not raced", who_is_not_raced);
    CU_add_test(suite, "how long", how_long_a_first_word_is_waited_for);
    CU_add_test(suite, "too long", a_prompt_too_long_is_sent_once_more_trimmed);
    CU_add_test(suite, "too long twice", a_trimmed_prompt_that_is_too_long_goes_to_the_next_model);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
