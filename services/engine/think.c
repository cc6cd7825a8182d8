/* One turn's model calls: from the prompt to a text or to the decision that there is none. Outcomes
 * go through the turn table; each call is recorded with the commit. */
#include "assistants.h"
#include "base/clock.h"
#include "base/stop.h"
#include "counters.h"
#include "prompt.h"
#include "reply.h"
#include "service/log.h"
#include "session.h"

#include <string.h>

#define MODEL_TRIES_MAX  3
#define ANSWER_BYTES_MAX (64 * 1024)

static struct turn_llm_call *record_call(struct session *session, const char *outcome)
{
    if (session->call_count == TURN_CALLS_MAX)
        return NULL;
    if (session->calls_arena == NULL)
        session->calls_arena = arena_new();
    struct turn_llm_call *call = &session->calls[session->call_count++];
    *call = (struct turn_llm_call){.id = uuid_new(),
                                   .provider = "",
                                   .model = "",
                                   .outcome = outcome,
                                   .error_code = "",
                                   .finish = "",
                                   .request_id = "",
                                   .tokens_in = -1,
                                   .tokens_out = -1,
                                   .tokens_cached = -1,
                                   .connect_ms = -1,
                                   .first_token_ms = -1,
                                   .total_ms = -1,
                                   .started_ms = session->call_started_ms};
    return call;
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

static const struct assistant *assistant_of(struct session *session)
{
    return assistants_get(session->engine->assistants, session->tenant, session->turn.assistant,
                          session->turn.assistant_version, &session->id);
}

static void name_call(struct session *session, struct turn_llm_call *call, const char *model)
{
    const struct assistant *assistant = assistant_of(session);
    if (call == NULL || assistant == NULL)
        return;
    const struct assistant_model *used = &assistant->models[session->model_index];
    call->provider = arena_strdup(session->calls_arena, used->provider);
    call->model = arena_strdup(session->calls_arena, model[0] != '\0' ? model : used->model);
}

static void record_result(struct session *session, const struct llm_result *result)
{
    struct turn_llm_call *call = record_call(session, result->err == NULL ? "answered" : "failed");
    metric_add(result->err == NULL ? counters.model_calls_ok : counters.model_calls_failed, 1);
    if (result->first_token_us >= 0)
        metric_observe_us(counters.first_token_seconds, result->first_token_us);
    if (call == NULL)
        return;
    name_call(session, call, result->model);
    call->error_code =
        arena_strdup(session->calls_arena, result->err != NULL ? result->err->code : "");
    call->finish = result->err == NULL ? finish_name(result->finish) : "";
    call->request_id = arena_strdup(session->calls_arena, result->request_id);
    call->tokens_in = result->tokens_in;
    call->tokens_out = result->tokens_out;
    call->tokens_cached = result->tokens_cached;
    call->connect_ms = to_ms(result->connect_us);
    call->first_token_ms = to_ms(result->first_token_us);
    call->total_ms = to_ms(result->total_us);
}

/* Decides what a failed call means for the turn. */
static enum turn_event after_failure(struct session *session, const struct assistant *assistant,
                                     const struct err *err)
{
    session->model_tries++;
    bool passes = err->class == ERR_RETRY_LATER || err->class == ERR_RETRY_NOW;
    if (passes && session->model_tries < MODEL_TRIES_MAX) {
        int64_t back_off = (int64_t)300 << session->model_tries;
        session->model_retry_ms = err->retry_after_ms > 0 ? err->retry_after_ms : back_off;
        return EVENT_MODEL_AWAY;
    }
    session->model_tries = 0;
    if (err->class != ERR_PERMANENT && session->model_index + 1 < (int)assistant->model_count) {
        session->model_index++;
        session->model_retry_ms = 0;
        return EVENT_MODEL_AWAY;
    }
    return EVENT_NO_MODEL;
}

static void on_done(void *arg, const struct llm_result *result)
{
    struct session *session = arg;
    session->call = NULL;
    record_result(session, result);
    const struct assistant *assistant = assistant_of(session);
    char id[UUID_TEXT_SIZE];
    STOP_POINT("engine.answered", uuid_format(&session->id, id));
    struct err empty;
    const struct err *err = result->err;
    if (err == NULL) {
        session->commit.body = reply_clean(session->arena, result->text);
        if (session->commit.body[0] == '\0') {
            err_set(&empty, ERR_FALL_BACK, "llm.empty", "nothing speakable in the answer");
            err = &empty;
        }
    }
    if (err != NULL)
        log_warn("model.failed", LOG_TEXT("session", uuid_format(&session->id, id)),
                 LOG_INT("status", result->status), LOG_ERR(err));
    session_apply(session, err == NULL         ? EVENT_ANSWER
                           : assistant == NULL ? EVENT_NO_MODEL
                                               : after_failure(session, assistant, err));
}

static void ask(struct session *session, const struct assistant *assistant)
{
    struct prompt prompt;
    struct err err;
    char id[UUID_TEXT_SIZE];
    const struct assistant_model *model = &assistant->models[session->model_index];
    if (prompt_build(session->arena, assistant, session->turn.context, &prompt, &err) != 0) {
        log_error("prompt.not_built", LOG_TEXT("session", uuid_format(&session->id, id)),
                  LOG_ERR(&err));
        session_apply(session, EVENT_NO_MODEL);
        return;
    }
    session->call_started_ms = clock_wall_ms();
    STOP_POINT("engine.thinking", uuid_format(&session->id, id));
    session->call =
        llm_start(session->engine->llm,
                  &(struct llm_request){.base_url = model->base_url,
                                        .key = model->key,
                                        .model = model->model,
                                        .messages = prompt.messages,
                                        .message_count = prompt.count,
                                        .temperature = model->temperature,
                                        .max_tokens = model->max_tokens,
                                        .max_completion_tokens = model->max_completion_tokens,
                                        .answer_max_bytes = ANSWER_BYTES_MAX,
                                        .first_token_ms = model->first_token_ms,
                                        .total_ms = model->total_ms},
                  &(struct llm_callbacks){.on_done = on_done, .arg = session});
}

void think_start(struct session *session)
{
    const struct assistant *assistant = assistant_of(session);
    if (assistant != NULL)
        think_assistant_ready(session, assistant);
}

bool think_has_wording(struct session *session)
{
    return assistant_of(session) != NULL;
}

void think_assistant_ready(struct session *session, const struct assistant *assistant)
{
    if (session->state == TURN_COMMITTING && session->commit.outcome == NULL) {
        session_apply(session, EVENT_WORDING);
        return;
    }
    if (session->state != TURN_THINKING || session->call != NULL)
        return;
    if (assistant == NULL || assistant->model_count == 0)
        session_apply(session, EVENT_NO_MODEL);
    else
        ask(session, assistant);
}

void think_stop(struct session *session)
{
    if (session->call == NULL)
        return;
    llm_cancel(session->engine->llm, session->call);
    session->call = NULL;
    name_call(session, record_call(session, "stopped"), "");
}

/* Wording for a tenant whose assistant could not be read: said in no one's name. */
static const char last_resort[] = "Thank you for your message. We will get back to you shortly.";

void think_prepare(struct session *session, const char *outcome, const char *text)
{
    const struct turn_started *turn = &session->turn;
    const struct assistant *assistant = assistant_of(session);
    bool failed = strcmp(outcome, "degraded") == 0;
    if (text == NULL)
        text = assistant == NULL ? last_resort : failed ? assistant->degraded : assistant->fallback;
    session->commit = (struct turn_commit){
        .tenant = session->tenant,
        .session = session->id,
        .conversation = session->conversation,
        .turn = turn->turn,
        .fence = turn->fence,
        .epoch = turn->epoch,
        .claimed = turn->claimed,
        .final = failed || turn->recomputes >= TURN_RECOMPUTES_MAX,
        .events = turn->events,
        .event_state = failed ? "failed" : "answered",
        .turn_state = failed ? "failed" : "finished",
        .outcome = outcome,
        .error_code = failed ? "turn.lost_often" : NULL,
        .body = reply_clean(session->arena, text),
        .message = uuid_new(),
        .delivery = uuid_new(),
        .answer_within_ms = session->engine->shared->settings.answer_within_ms,
        .traceparent = turn->traceparent,
        .call_count = session->call_count,
    };
    memcpy(session->commit.calls, session->calls, session->call_count * sizeof session->calls[0]);
}
