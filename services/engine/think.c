/* One turn's model calls: from the prompt to a text or to the decision that there is none. Outcomes
 * go through the turn table; each call is recorded with the commit. */
#include "assistants.h"
#include "base/clock.h"
#include "base/stop.h"
#include "breaker.h"
#include "prompt.h"
#include "reply.h"
#include "service/log.h"
#include "session.h"
#include "tools.h"

#include <string.h>

#define TRIES_MAX        3    /* of the last model of a chain */
#define FAST_TRIES_MAX   2    /* of one that another stands behind: */
#define FAST_MS          1000 /* it must fail, and be back, within this */
#define PATIENCE_MS      10000
#define BRIEF_AGAIN_MS   200
#define ANSWER_BYTES_MAX (64 * 1024)
#define WITHHELD         "reply.rules"

const struct assistant *think_assistant(struct session *session)
{
    return assistants_get(session->engine->assistants, session->tenant, session->turn.assistant,
                          session->turn.assistant_version, &session->id);
}

/* ---- which model, and whether again ---- */

int64_t think_time_left_ms(const struct session *session)
{
    return session->started_ms + session->turn.deadline_ms - clock_mono_ms();
}

/* A breaker is a tenant's, and ends with the version of its assistant: a key that was mended is
 * tried at once. */
static const char *breaker_key(struct session *session, int index)
{
    return arena_printf(session->arena, "%s/%s/%d/%d", session->tenant, session->turn.assistant,
                        session->turn.assistant_version, index);
}

/* The first model from model_index on that may be called becomes it, and 0 is returned; else for
 * how long all are left alone. */
static int64_t choose_model(struct session *session, const struct assistant *assistant)
{
    int64_t least_ms = INT64_MAX;
    for (int i = session->model_index; i < (int)assistant->model_count; i++) {
        int64_t wait_ms = breaker_wait_ms(session->engine->breakers, breaker_key(session, i),
                                          clock_mono_ms(), &session->is_probe);
        if (wait_ms == 0) {
            session->model_index = i;
            return 0;
        }
        least_ms = wait_ms < least_ms ? wait_ms : least_ms;
    }
    return least_ms;
}

static void tell_breaker(struct session *session, const struct err *err)
{
    struct breakers *breakers = session->engine->breakers;
    int64_t alone_ms = breaker_report(breakers, breaker_key(session, session->model_index),
                                      session->is_probe, err, clock_mono_ms());
    session->is_probe = false;
    if (alone_ms > 0)
        log_warn("model.left_alone", LOG_TEXT("tenant", session->tenant),
                 LOG_INT("model", session->model_index + 1), LOG_INT("ms", alone_ms), LOG_ERR(err));
}

static void let_probe_go(struct session *session)
{
    if (session->is_probe)
        breaker_let_go(session->engine->breakers, breaker_key(session, session->model_index));
    session->is_probe = false;
}

/* Whether the same model gets another call after `wait_ms`: the customer waits, so that one with a
 * substitute has to be quick; the last one has what is left of the turn's time. */
static bool is_worth_another(const struct session *session, const struct err *err, bool is_last,
                             int64_t wait_ms)
{
    int64_t took_ms = clock_wall_ms() - session->call_started_ms;
    if (!err_is_retryable(err))
        return false;
    return is_last ? session->model_tries < TRIES_MAX && wait_ms < think_time_left_ms(session)
                   : session->model_tries < FAST_TRIES_MAX && took_ms + wait_ms <= FAST_MS;
}

/* Decides what a failed call means for the turn. */
static enum turn_event after_failure(struct session *session, const struct assistant *assistant,
                                     const struct err *err)
{
    bool is_last = session->model_index + 1 >= (int)assistant->model_count;
    session->model_tries++;
    int64_t back_off_ms = (int64_t)300 << session->model_tries;
    int64_t wait_ms = err->retry_after_ms > 0 ? err->retry_after_ms : back_off_ms;
    if (is_worth_another(session, err, is_last, wait_ms)) {
        session->model_retry_ms = wait_ms;
        return EVENT_MODEL_AWAY;
    }
    session->model_tries = 0;
    if (err->class != ERR_PERMANENT && !is_last) {
        session->model_index++;
        session->model_retry_ms = 0;
        return EVENT_MODEL_AWAY;
    }
    return EVENT_NO_MODEL;
}

/* Whether the reply holds a piece of what is ours alone: the rules, and what is said of our tools.
 */
static bool quotes_rules(const struct assistant *assistant, const char *reply)
{
    const char *texts[PROMPT_RULES + ASSISTANT_TOOLS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < PROMPT_RULES; i++)
        texts[count++] = prompt_rules[i];
    for (size_t i = 0; assistant != NULL && i < assistant->tool_count; i++) {
        const struct tool *tool = tools_named(assistant->tools[i].name);
        if (tool != NULL)
            texts[count++] = tool->description;
    }
    return reply_quotes(reply, texts, count);
}

/* What an answer without failure is for the turn: its reply, or a round of tool calls; else
 * TURN_EVENTS, and `err` says why. */
static enum turn_event read_answer(struct session *session, const struct assistant *assistant,
                                   const struct llm_result *result, struct err *err)
{
    if (result->call_count > 0 && assistant != NULL) {
        const struct rounds_said said = {.result = result,
                                         .after_position = session->prompt_position,
                                         .claimed = session->turn.claimed};
        session->model_tries = 0;
        if (rounds_add(session->arena, &session->rounds, &said) != NULL)
            return EVENT_TOOLS;
    } else {
        session->commit.body = reply_clean(session->arena, result->text);
        if (quotes_rules(assistant, session->commit.body)) {
            /* Like a filter's refusal: another model that reads the same may say the same. */
            err_set(err, ERR_PERMANENT, WITHHELD, "the reply quotes the rules of the platform");
            return TURN_EVENTS;
        }
        if (session->commit.body[0] != '\0')
            return EVENT_ANSWER;
    }
    err_set(err, ERR_FALL_BACK, "llm.empty", "nothing speakable in the answer");
    return TURN_EVENTS;
}

static void on_done(void *arg, const struct llm_result *result)
{
    struct session *session = arg;
    session->call = NULL;
    const struct assistant *assistant = think_assistant(session);
    const size_t recorded = session->call_count;
    calls_record(session, assistant, result);
    tell_breaker(session, result->err);
    char id[UUID_TEXT_SIZE];
    STOP_POINT("engine.answered", uuid_format(&session->id, id));
    struct err useless;
    const struct err *err = result->err;
    enum turn_event event =
        err == NULL ? read_answer(session, assistant, result, &useless) : TURN_EVENTS;
    if (err == NULL && event == TURN_EVENTS)
        err = &useless;
    if (err == &useless && strcmp(err->code, WITHHELD) == 0 && session->call_count > recorded) {
        session->calls[recorded].outcome = "withheld";
        session->calls[recorded].error_code = WITHHELD;
    }
    if (err != NULL)
        log_warn("model.failed", LOG_TEXT("session", uuid_format(&session->id, id)),
                 LOG_INT("status", result->status), LOG_ERR(err));
    session_apply(session, err == NULL         ? event
                           : assistant == NULL ? EVENT_NO_MODEL
                                               : after_failure(session, assistant, err));
}

/* All models of the chain are left alone, or nothing could be read for the prompt: a moment is
 * waited for, an outage is not. */
static void wait_for_model(struct session *session, int64_t wait_ms)
{
    bool soon = wait_ms <= PATIENCE_MS && wait_ms < think_time_left_ms(session);
    session->model_retry_ms = wait_ms;
    session_apply(session, soon ? EVENT_MODEL_AWAY : EVENT_NO_MODEL);
}

static void ask(struct session *session, const struct assistant *assistant)
{
    int64_t wait_ms = choose_model(session, assistant);
    if (wait_ms > 0) {
        wait_for_model(session, wait_ms);
        return;
    }
    struct prompt prompt;
    struct err err;
    char id[UUID_TEXT_SIZE];
    const struct assistant_model *model = &assistant->models[session->model_index];
    const struct prompt_parts parts = {.assistant = assistant,
                                       .context = session->turn.context,
                                       .rounds = &session->rounds,
                                       .briefing = session->briefing.text};
    if (prompt_build(session->arena, &parts, &prompt, &err) != 0) {
        log_error("prompt.not_built", LOG_TEXT("session", uuid_format(&session->id, id)),
                  LOG_ERR(&err));
        let_probe_go(session);
        session_apply(session, EVENT_NO_MODEL);
        return;
    }
    session->call_started_ms = clock_wall_ms();
    session->prompt_position = prompt.position;
    STOP_POINT("engine.thinking", uuid_format(&session->id, id));
    session->call =
        llm_start(session->engine->llm,
                  &(struct llm_request){.dialect = model->dialect,
                                        .base_url = model->base_url,
                                        .key = model->key,
                                        .key_header = model->key_header,
                                        .headers = model->headers,
                                        .extra = model->extra,
                                        .model = model->model,
                                        .messages = prompt.messages,
                                        .message_count = prompt.count,
                                        .tools = assistant->tools,
                                        .tool_count = assistant->tool_count,
                                        .no_more_tools = !rounds_have_room(&session->rounds),
                                        .temperature = model->temperature,
                                        .max_tokens = model->max_tokens,
                                        .max_completion_tokens = model->max_completion_tokens,
                                        .no_stream_usage = model->no_stream_usage,
                                        .echo_reasoning = model->echo_reasoning,
                                        .answer_max_bytes = ANSWER_BYTES_MAX,
                                        .first_token_ms = model->first_token_ms,
                                        .total_ms = model->total_ms},
                  &(struct llm_callbacks){.on_done = on_done, .arg = session});
}

void think_start(struct session *session)
{
    const struct assistant *assistant = think_assistant(session);
    if (assistant != NULL)
        think_assistant_ready(session, assistant);
}

bool think_has_wording(struct session *session)
{
    return think_assistant(session) != NULL;
}

void think_assistant_ready(struct session *session, const struct assistant *assistant)
{
    if (session->state == TURN_COMMITTING && session->commit.outcome == NULL) {
        session_apply(session, EVENT_WORDING);
        return;
    }
    if (session->state == TURN_ACTING && session->ticket == 0 && session->outside == NULL) {
        if (assistant != NULL)
            effects_run(session);
        else
            session_apply(session, EVENT_NO_MODEL);
        return;
    }
    if (session->state != TURN_THINKING || session->call != NULL)
        return;
    if (assistant == NULL || assistant->model_count == 0)
        session_apply(session, EVENT_NO_MODEL);
    else if (briefing_is_needed(assistant) && !session->briefing.ready)
        briefing_read(session, assistant);
    else
        ask(session, assistant);
}

void think_briefed(struct session *session)
{
    if (session->briefing.ready)
        think_start(session);
    else
        wait_for_model(session, BRIEF_AGAIN_MS);
}

void think_stop(struct session *session)
{
    if (session->call == NULL)
        return;
    llm_cancel(session->engine->llm, session->call);
    session->call = NULL;
    let_probe_go(session);
    calls_record_stopped(session, think_assistant(session));
}

/* Wording for a tenant whose assistant could not be read: said in no one's name. */
static const char last_resort[] = "Thank you for your message. We will get back to you shortly.";

void think_prepare(struct session *session, const char *outcome, const char *text)
{
    const struct turn_started *turn = &session->turn;
    const struct assistant *assistant = think_assistant(session);
    bool failed = strcmp(outcome, "degraded") == 0;
    if (text == NULL)
        text = assistant == NULL ? last_resort : failed ? assistant->degraded : assistant->fallback;
    session->commit = (struct turn_commit){
        .tenant = session->tenant,
        .session = session->id,
        .conversation = turn->conversation,
        .turn = turn->turn,
        .fence = turn->fence,
        .epoch = turn->epoch,
        .claimed = turn->claimed,
        .final = failed || turn->recomputes >= TURN_RECOMPUTES_MAX,
        .ends = strcmp(outcome, "reply") == 0 &&
                rounds_have_done(&session->rounds, turn->claimed, tool_end_conversation.name),
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
        .passages = session->briefing.passages,
        .calls = session->calls,
        .call_count = session->call_count,
    };
}
