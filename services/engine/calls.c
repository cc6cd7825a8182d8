/* The record of a turn's model calls: one row each, written with the commit. They outlive a
 * recompute of the turn. think.c calls it. */
#include "assistants.h"
#include "counters.h"
#include "prompt/tokens.h"
#include "session.h"

#include <string.h>

#define TOKENS_MAX                                                                                 \
    1000000000 /* of a call: what a provider says beyond it is not believed, so that               \
                  neither a product nor a tenant's sum overflows */

#define CALLS_SUMMED "summed" /* the outcome of a row that stands for several calls */
#define WORD_MAX     200
#define USED_MAX     1000000000000000 /* no budget is larger */

static void open_arena(struct session *session)
{
    if (session->calls_arena == NULL)
        session->calls_arena = arena_new();
}

static void make_room(struct session *session)
{
    size_t room = session->call_room > 0 ? 2 * session->call_room : 2;
    struct turn_llm_call *calls = arena_alloc(session->calls_arena, room * sizeof *calls);
    if (session->call_count > 0)
        memcpy(calls, session->calls, session->call_count * sizeof *calls);
    session->calls = calls;
    session->call_room = room;
}

struct turn_llm_call calls_empty(const char *outcome)
{
    return (struct turn_llm_call){.id = uuid_new(),
                                  .provider = "",
                                  .model = "",
                                  .outcome = outcome,
                                  .error_code = "",
                                  .finish = "",
                                  .request_id = "",
                                  .tokens_in = -1,
                                  .tokens_out = -1,
                                  .tokens_cached = -1,
                                  .queue_ms = -1,
                                  .connect_ms = -1,
                                  .first_token_ms = -1,
                                  .total_ms = -1,
                                  .cost = -1};
}

static struct turn_llm_call fresh_call(const struct session *session, const char *outcome)
{
    struct turn_llm_call call = calls_empty(outcome);
    call.queue_ms = session->asked.queue_ms;
    call.started_ms = session->asked.call_started_ms;
    return call;
}

static int64_t sum(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* A turn has few calls. Should it have more than rows, the last row stands for all of the rest:
 * what they used is counted. One that is on its way to be stored is what it is. */
static void keep_call(struct session *session, const struct turn_llm_call *call)
{
    session->calls_turn = session->turn.turn;
    if (session->call_count < TURN_CALLS_MAX || session->call_count == session->calls_sent) {
        if (session->call_count == session->call_room)
            make_room(session);
        session->calls[session->call_count++] = *call;
        return;
    }
    struct turn_llm_call *last = &session->calls[session->call_count - 1];
    last->outcome = CALLS_SUMMED;
    last->error_code = last->finish = last->request_id = "";
    last->tokens_in = sum(last->tokens_in, call->tokens_in);
    last->tokens_out = sum(last->tokens_out, call->tokens_out);
    last->tokens_cached = sum(last->tokens_cached, call->tokens_cached);
    last->cost = sum(last->cost, call->cost);
    last->queue_ms = last->connect_ms = last->first_token_ms = last->total_ms = -1;
}

static int64_t to_ms(int64_t microseconds)
{
    return microseconds < 0 ? -1 : microseconds / 1000;
}

static const char *finish_name(enum llm_finish finish)
{
    static const char *const names[] = {"stop", "length", "filtered", "tool_calls", "other"};
    return names[finish];
}

/* Anthropic charges a quarter more for them; who else tells of them has no price of its own. */
int64_t calls_price_written(const struct assistant_model *model)
{
    if (model->price_written >= 0 || model->price_in < 0)
        return model->price_written;
    return model->dialect == LLM_ANTHROPIC ? (model->price_in * 5 + 3) / 4 : model->price_in;
}

/* In billionths of a dollar; -1 while a count or a price is not known. What was read from a cache
 * and what was written to it are parts of what went in, with prices of their own. */
static int64_t cost_of(const struct assistant_model *model, const struct turn_llm_call *call,
                       int64_t written)
{
    const int64_t cached = call->tokens_cached > 0 ? call->tokens_cached : 0;
    const int64_t kept = written > 0 ? written : 0;
    if (call->tokens_in < cached + kept || call->tokens_out < 0 || model->price_in < 0 ||
        model->price_out < 0)
        return -1;
    const int64_t price_cached = model->price_cached >= 0 ? model->price_cached : model->price_in;
    return (call->tokens_in - cached - kept) * model->price_in + cached * price_cached +
           kept * calls_price_written(model) + call->tokens_out * model->price_out;
}

static void count_call(const struct llm_result *result)
{
    metric_add(result->err == NULL ? counters.model_calls_ok : counters.model_calls_failed, 1);
    if (result->first_token_us >= 0)
        metric_observe_us(counters.first_token_seconds, result->first_token_us);
}

int64_t calls_believed(int64_t tokens)
{
    return tokens > TOKENS_MAX ? -1 : tokens;
}

/* An answer that was refused was not begun, and is not billed. Who gave up waiting for the model
 * may have had it work. */
static bool may_be_billed(const struct llm_result *result)
{
    static const int waited[] = {408, 504, 524};
    if (!result->sent)
        return false;
    for (size_t i = 0; i < sizeof waited / sizeof *waited; i++)
        if (result->status == waited[i])
            return true;
    return result->status < 300;
}

/* What nobody told of a call is estimated, from what left and what came: a budget that counts it as
 * nothing is no limit. */
static void count_tokens(const struct llm_result *result, int64_t prompt_tokens,
                         struct turn_llm_call *call)
{
    call->tokens_in = calls_believed(result->tokens_in);
    call->tokens_out = calls_believed(result->tokens_out);
    call->tokens_cached = calls_believed(result->tokens_cached);
    if (!may_be_billed(result))
        return;
    if (call->tokens_in < 0)
        call->tokens_in = prompt_tokens;
    if (call->tokens_out < 0)
        call->tokens_out = tokens_of_text(result->text) + tokens_of_bytes(result->argument_bytes);
}

/* What the result says of a call of that model; NULL: not known. */
static void fill_call(struct arena *arena, const struct assistant_model *model,
                      const struct llm_result *result, int64_t prompt_tokens,
                      struct turn_llm_call *call)
{
    count_tokens(result, prompt_tokens, call);
    if (model == NULL)
        return;
    call->provider = arena_strdup(arena, model->provider);
    call->model = arena_strdup(arena, result->model[0] != '\0' ? result->model : model->model);
    call->cost = cost_of(model, call, calls_believed(result->tokens_written));
}

/* What an ended call is asked for besides, and one that was cut has, too. */
static void fill_times(struct arena *arena, const struct llm_result *result,
                       struct turn_llm_call *call)
{
    call->request_id = arena_strdup(arena, result->request_id);
    call->connect_ms = to_ms(result->connect_us);
    call->first_token_ms = to_ms(result->first_token_us);
    call->total_ms = to_ms(result->total_us);
}

/* And how it ended. */
static void end_call(struct arena *arena, const struct llm_result *result,
                     struct turn_llm_call *call)
{
    count_call(result);
    call->outcome = result->err == NULL ? "answered" : "failed";
    call->error_code = arena_strdup(arena, result->err != NULL ? result->err->code : "");
    call->finish = result->err == NULL ? finish_name(result->finish) : "";
    fill_times(arena, result, call);
}

static const struct assistant_model *model_of(const struct session *session,
                                              const struct assistant *assistant)
{
    return assistant != NULL ? &assistant->models[session->asked.model_index] : NULL;
}

void calls_record(struct session *session, const struct assistant *assistant,
                  const struct llm_result *result)
{
    struct turn_llm_call call = fresh_call(session, "");
    open_arena(session);
    end_call(session->calls_arena, result, &call);
    fill_call(session->calls_arena, model_of(session, assistant), result,
              session->asked.prompt_tokens, &call);
    keep_call(session, &call);
}

void calls_describe(struct arena *arena, const struct assistant_model *model,
                    const struct llm_result *result, int64_t prompt_tokens,
                    struct turn_llm_call *call)
{
    end_call(arena, result, call);
    fill_call(arena, model, result, prompt_tokens, call);
}

void calls_describe_cut(struct arena *arena, const struct assistant_model *model,
                        const struct llm_result *so_far, int64_t prompt_tokens,
                        struct turn_llm_call *call)
{
    fill_times(arena, so_far, call);
    fill_call(arena, model, so_far, prompt_tokens, call);
}

void calls_record_cut(struct session *session, const struct assistant *assistant,
                      const char *outcome, const struct llm_result *so_far)
{
    struct turn_llm_call call = fresh_call(session, outcome);
    open_arena(session);
    if (strcmp(outcome, CALLS_LOST_RACE) == 0)
        metric_add(counters.model_calls_lost_race, 1);
    fill_times(session->calls_arena, so_far, &call);
    fill_call(session->calls_arena, model_of(session, assistant), so_far,
              session->asked.prompt_tokens, &call);
    keep_call(session, &call);
}

void calls_forget(struct session *session)
{
    arena_free(&session->calls_arena);
    session->calls = NULL;
    session->call_count = session->call_room = session->calls_sent = 0;
}

static struct usage_amounts used_by(const struct session *session, size_t count)
{
    struct usage_amounts used = {0};
    for (size_t i = 0; i < count; i++) {
        const struct turn_llm_call *call = &session->calls[i];
        used.tokens = sum(used.tokens, sum(call->tokens_in, call->tokens_out));
        used.cost = sum(used.cost, call->cost);
    }
    used.tokens = used.tokens < USED_MAX ? used.tokens : USED_MAX;
    used.cost = used.cost < USED_MAX ? used.cost : USED_MAX;
    return used;
}

struct usage_amounts calls_used(const struct session *session)
{
    return used_by(session, session->call_count);
}

void calls_stored(struct session *session)
{
    const size_t sent = session->calls_sent;
    const struct usage_amounts used = used_by(session, sent);
    struct usage_amounts *most = &session->most;
    most->tokens = most->tokens > used.tokens ? most->tokens - used.tokens : 0;
    most->cost = most->cost > used.cost ? most->cost - used.cost : 0;
    if (session->call_count == sent) {
        calls_forget(session);
        return;
    }
    session->call_count -= sent;
    memmove(session->calls, session->calls + sent, session->call_count * sizeof *session->calls);
    session->calls_sent = 0;
}

/* A word that others gave us, or NULL: nothing that a column could refuse. */
static const char *plain(const char *word)
{
    size_t length = word != NULL ? strlen(word) : 0;
    if (length == 0 || length > WORD_MAX)
        return "";
    for (size_t i = 0; i < length; i++)
        if (word[i] < ' ' || word[i] > '~')
            return "";
    return word;
}

void calls_make_plain(struct session *session)
{
    for (size_t i = 0; i < session->call_count; i++) {
        struct turn_llm_call *call = &session->calls[i];
        call->provider = plain(call->provider);
        call->model = plain(call->model);
        call->error_code = plain(call->error_code);
        call->request_id = "";
        call->connect_ms = call->first_token_ms = call->total_ms = -1;
    }
}
