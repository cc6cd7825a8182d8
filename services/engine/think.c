/* One turn's model calls: from the prompt to a text or to the decision that there is none. Outcomes
 * go through the turn table; each call is recorded with the commit. */
#include "asking.h"
#include "assistants.h"
#include "base/clock.h"
#include "base/stop.h"
#include "budget.h"
#include "counters.h"
#include "mail_turn.h"
#include "prompt/prompt.h"
#include "prompt/record.h"
#include "race.h"
#include "reception_turn.h"
#include "reply.h"
#include "rules.h"
#include "service/log.h"
#include "session.h"
#include "stranger.h"
#include "think_inside.h"
#include "tools.h"
#include "voice.h"
#include "voice_end.h"
#include "voice_rules.h"

#include <string.h>

#define TRIES_MAX        3    /* of the last model of a chain */
#define FAST_TRIES_MAX   2    /* of one that another stands behind: */
#define FAST_MS          1000 /* it must fail, and be back, within this */
#define PATIENCE_MS      10000
#define BRIEF_AGAIN_MS   200
#define RESERVE_AGAIN_MS 250
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

/* Whether the same model gets another call after `wait_ms`: the customer waits, so that one with a
 * substitute has to be quick; the last one has what is left of the turn's time. */
static bool is_worth_another(const struct session *session, const struct err *err, bool is_last,
                             int64_t wait_ms)
{
    int64_t took_ms = clock_wall_ms() - session->asked.call_started_ms;
    if (!err_is_retryable(err))
        return false;
    return is_last ? session->model_tries < TRIES_MAX && wait_ms < think_time_left_ms(session)
                   : session->model_tries < FAST_TRIES_MAX && took_ms + wait_ms <= FAST_MS;
}

/* A filter's refusal, or our own of what the model wrote: that is no outage of a provider. */
static bool is_declined(const struct err *err)
{
    return strcmp(err->code, WITHHELD) == 0 || strcmp(err->code, "llm.filtered") == 0;
}

/* What a failed call has used is used beside what is to come. */
static void reserve_anew(struct session *session)
{
    const size_t count = session->call_count;
    if (count == 0 || session->calls[count - 1].tokens_in <= 0)
        return;
    session->reserved = false;
    session->most = (struct usage_amounts){0};
}

/* The budget of the next prompt for the session's model: less than its window once it has called
 * one of this turn too long, because our estimate or what we know of the window is wrong. */
static int64_t prompt_most(const struct session *session, const struct assistant_model *model)
{
    const struct trimmed *trimmed = &session->trimmed;
    return trimmed->tokens > 0 && trimmed->model_index == session->asked.model_index
               ? trimmed->tokens
               : think_prompt_budget(session, model);
}

/* Whether the model is asked once more with half of that prompt, so with less of what was said
 * before; not where that leaves nothing out. */
static bool trims(struct session *session, const struct assistant *assistant, const struct err *err)
{
    struct trimmed *trimmed = &session->trimmed;
    const int index = session->asked.model_index;
    const int64_t budget = think_prompt_budget(session, &assistant->models[index]);
    const int64_t sent = session->asked.prompt_tokens;
    const int64_t half = (sent < budget ? sent : budget) / 2;
    struct prompt prompt;
    struct err why;
    if (strcmp(err->code, "llm.too_long") != 0 || half == 0 ||
        (trimmed->tokens > 0 && trimmed->model_index == index))
        return false;
    const struct prompt_parts parts = think_parts(session, assistant, half);
    if (prompt_build(session->arena, &parts, &prompt, &why) != 0 || prompt.tokens >= sent)
        return false;
    *trimmed = (struct trimmed){.model_index = index, .tokens = half};
    return true;
}

/* Decides what a failed call means for the turn. */
static enum turn_event after_failure(struct session *session, const struct assistant *assistant,
                                     const struct err *err)
{
    reserve_anew(session);
    bool is_last = session->asked.model_index + 1 >= (int)assistant->model_count;
    session->model_tries++;
    int64_t back_off_ms = (int64_t)300 << session->model_tries;
    int64_t wait_ms = err->retry_after_ms > 0 ? err->retry_after_ms : back_off_ms;
    if (is_worth_another(session, err, is_last, wait_ms)) {
        session->model_retry_ms = wait_ms;
        return EVENT_MODEL_AWAY;
    }
    session->model_tries = 0;
    if (trims(session, assistant, err)) {
        session->model_retry_ms = 0;
        return EVENT_MODEL_AWAY;
    }
    if (err->class != ERR_PERMANENT && !is_last) {
        session->asked.model_index++;
        session->model_retry_ms = 0;
        return EVENT_MODEL_AWAY;
    }
    return EVENT_NO_MODEL;
}

/* What an answer without failure is for the turn: its reply, or a round of tool calls; else
 * TURN_EVENTS, and `err` says why. */
static enum turn_event read_answer(struct session *session, const struct assistant *assistant,
                                   const struct llm_result *result, struct err *err)
{
    if (result->call_count > 0 && assistant != NULL) {
        const struct rounds_said said = {.result = result,
                                         .after_position = session->asked.prompt_position,
                                         .claimed = session->turn.claimed};
        session->model_tries = 0;
        if (session->voice != NULL)
            voice_answered(session);
        if (rounds_add(session->arena, &session->rounds, &said) != NULL)
            return EVENT_TOOLS;
    } else {
        const bool spoken = session->voice != NULL;
        session->commit.body =
            spoken ? voice_answered(session)
                   : reply_clean_to(session->arena, result->text, mail_turn_reply_units(session));
        if (rules_are_told(session, spoken ? result->text : session->commit.body)) {
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

void think_note(struct session *session, const struct llm_result *result)
{
    char id[UUID_TEXT_SIZE];
    const struct assistant *assistant = think_assistant(session);
    const struct asking_model which = choose_entry(session, assistant, session->asked.model_index);
    calls_record(session, assistant, result);
    asking_ended(session->engine, &which, &session->asked.hold, result);
    if (result->err != NULL)
        log_warn("model.failed", LOG_TEXT("session", uuid_format(&session->id, id)),
                 LOG_INT("status", result->status), LOG_ERR(result->err));
}

void think_done(void *arg, const struct llm_result *result)
{
    struct session *session = arg;
    session->asked.call = NULL;
    timer_stop(session->timer); /* of a race that is not needed */
    const struct assistant *assistant = think_assistant(session);
    const size_t recorded = session->call_count;
    think_note(session, result);
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
    session->failed = err != NULL && !is_declined(err);
    if (err == &useless)
        log_warn("model.failed", LOG_TEXT("session", uuid_format(&session->id, id)),
                 LOG_INT("status", result->status), LOG_ERR(err));
    if (err != NULL)
        voice_broke_off(session);
    if (err != NULL && race_goes_on(session, err))
        return;
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

const struct assistant_tools *think_tools(const struct session *session,
                                          const struct assistant *assistant)
{
    if (briefing_says(&session->briefing, assistant, WORKFLOW_TAKE_MESSAGE))
        return &assistant->message_tools;
    if (stranger_is(session, assistant))
        return session->voice != NULL ? &assistant->stranger_call_tools
                                      : &assistant->stranger_tools;
    return session->voice != NULL ? &assistant->call_tools : &assistant->tools;
}

int64_t think_prompt_budget(const struct session *session, const struct assistant_model *model)
{
    int64_t most = session->engine->shared->settings.prompt_tokens;
    int64_t answer = model->max_tokens > 0 ? model->max_tokens : THINK_ANSWER_TOKENS;
    int64_t room = model->window > 2 * answer ? model->window - answer : model->window / 2;
    return model->window > 0 && room < most ? room : most;
}

static enum prompt_channel channel_of(const struct session *session)
{
    if (session->voice != NULL)
        return PROMPT_VOICE;
    return session->turn.is_mail ? PROMPT_MAIL : PROMPT_SMS;
}

static bool is_by_text(const struct session *session)
{
    return channel_of(session) == PROMPT_SMS;
}

/* What the prompt says of this moment: what is new in the call, that it is a stranger who is
 * answered, the briefing, and what was asked without a model. */
static const char *told_now(struct session *session, const struct assistant *assistant)
{
    const char *const parts[] = {voice_brief(session), stranger_brief(session, assistant),
                                 session->briefing.text, reception_turn_brief(session, assistant)};
    const char *told = NULL;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i] != NULL)
            told = told == NULL ? parts[i] : arena_printf(session->arena, "%s%s", told, parts[i]);
    return told;
}

struct prompt_parts think_parts(struct session *session, const struct assistant *assistant,
                                int64_t tokens_max)
{
    const struct assistant_tools *tools = think_tools(session, assistant);
    const bool is_known = !stranger_is(session, assistant);
    return (struct prompt_parts){.fixed = &assistant->fixed,
                                 .channel = channel_of(session),
                                 .context = session->turn.context,
                                 .only_here = !is_known && session->voice != NULL,
                                 .rounds = &session->rounds,
                                 .summary = is_known ? session->turn.summary : NULL,
                                 .earlier = is_known ? session->turn.earlier : NULL,
                                 .told = told_now(session, assistant),
                                 .passages = session->briefing.passages,
                                 .tools = tools->items,
                                 .tool_count = tools->count,
                                 .tool_tokens = tools->tokens,
                                 .tokens_max = tokens_max};
}

/* Builds the prompt for that model and keeps what is recorded of it. */
static int build_prompt(struct session *session, const struct assistant *assistant,
                        const struct assistant_model *model, struct prompt *prompt, struct err *err)
{
    const struct prompt_parts parts = think_parts(session, assistant, prompt_most(session, model));
    if (prompt_build(session->arena, &parts, prompt, err) != 0)
        return -1;
    session->asked.prompt_position = prompt->position;
    session->asked.prompt_tokens = prompt->tokens;
    session->asked.left_out = prompt->left_out;
    session->asked.prompt_passages = prompt->passages;
    session->asked.is_first = prompt->is_first;
    session->asked.prompt_record =
        record_write(session->arena, &parts, prompt,
                     &(struct record_call){.claimed = session->turn.claimed,
                                           .version = session->turn.assistant_version,
                                           .no_more_tools = !rounds_have_room(&session->rounds)});
    return 0;
}

/* By the longest prompt that any model of the chain may be sent, and with what the turn has used
 * before it began anew. Nothing is sent yet, so nothing is recorded. What cannot be built will not
 * be asked either: ask() says so. */
static struct usage_amounts worst_case(struct session *session, const struct assistant *assistant)
{
    struct prompt prompt = {.count = 0};
    struct err err;
    int64_t longest = 0;
    for (size_t i = 0; i < assistant->model_count; i++) {
        const int64_t room = think_prompt_budget(session, &assistant->models[i]);
        longest = room > longest ? room : longest;
    }
    const struct prompt_parts parts = think_parts(session, assistant, longest);
    if (prompt_build(session->arena, &parts, &prompt, &err) != 0)
        prompt.tokens = 0;
    struct usage_amounts worst = budget_worst(assistant, prompt.tokens, &session->rounds,
                                              race_is_wanted(session, assistant));
    const struct usage_amounts used = calls_used(session);
    worst.segments = budget_segments(is_by_text(session));
    worst.tokens += used.tokens;
    worst.cost += used.cost;
    return worst;
}

/* Mails and calls cost no segments: they neither reserve any nor end when they are spent. */
static struct usage_limits limits_of(const struct session *session,
                                     const struct assistant *assistant)
{
    return budget_of_turn(&assistant->budget, is_by_text(session));
}

static void reserve(struct session *session, const struct assistant *assistant)
{
    const struct usage_limits limits = limits_of(session, assistant);
    if (session->with_claim)
        return; /* the turn has no row yet that could keep it: think_start_stands */
    if (session->most.tokens == 0) /* once a run: who waits for a full budget asks often */
        session->most = worst_case(session, assistant);
    session->most_rounds = session->rounds.count;
    budget_reserve(session, &limits);
}

static bool has_limits(const struct session *session, const struct assistant *assistant)
{
    const struct usage_limits limits = limits_of(session, assistant);
    return budget_is_set(&limits);
}

/* The results of a round may be longer than what was reserved for them, and each prompt from here
 * on holds them: looked at once a round. */
static bool is_reserved(struct session *session, const struct assistant *assistant)
{
    if (!session->reserved || session->most_rounds == session->rounds.count)
        return session->reserved;
    const struct usage_amounts worst = worst_case(session, assistant);
    session->most_rounds = session->rounds.count;
    if (worst.tokens <= session->most.tokens && worst.cost <= session->most.cost)
        return true;
    session->most = worst;
    session->reserved = false;
    return false;
}

/* The request leaves now: what the turn waited for it. */
static void note_queue(struct session *session)
{
    session->asked.queue_ms = clock_mono_ms() - session->ready_ms;
    session->ready_ms = 0;
    metric_observe_us(counters.model_queue_seconds, session->asked.queue_ms * 1000);
}

int think_send(struct session *session, const struct assistant *assistant,
               const struct llm_callbacks *callbacks)
{
    struct prompt prompt;
    struct err err;
    char id[UUID_TEXT_SIZE];
    const struct assistant_model *model = &assistant->models[session->asked.model_index];
    const struct assistant_tools *tools = think_tools(session, assistant);
    if (build_prompt(session, assistant, model, &prompt, &err) != 0) {
        log_error("prompt.not_built", LOG_TEXT("session", uuid_format(&session->id, id)),
                  LOG_ERR(&err));
        return -1;
    }
    session->asked.call_started_ms = clock_wall_ms();
    STOP_POINT("engine.thinking", uuid_format(&session->id, id));
    struct llm_request request = assistant_request(model);
    request.messages = prompt.messages;
    request.message_count = prompt.count;
    request.tools = tools->items;
    request.tool_count = tools->count;
    request.no_more_tools = !rounds_have_room(&session->rounds);
    request.max_tokens = budget_answer_tokens(assistant, model);
    request.answer_max_bytes = ANSWER_BYTES_MAX;
    session->asked.call = llm_start(session->engine->llm, &request, callbacks);
    return 0;
}

static void ask(struct session *session, const struct assistant *assistant)
{
    const struct llm_callbacks callbacks = {.on_first = race_won,
                                            .on_text = voice_listener(session),
                                            .on_done = think_done,
                                            .arg = session};
    int64_t wait_ms;
    const enum choice choice = choose_model(session, assistant, &wait_ms);
    if (choice == CHOICE_NONE) {
        wait_for_model(session, wait_ms);
        return;
    }
    if (choice != CHOICE_NOW) {
        session->model_retry_ms = wait_ms;
        session_apply(session, choice == CHOICE_LATER ? EVENT_RATE : EVENT_CROWDED);
        return;
    }
    if (think_send(session, assistant, &callbacks) != 0) {
        session->failed = false; /* this is our fault */
        session_apply(session, EVENT_NO_MODEL);
        return;
    }
    note_queue(session);
    voice_asked(session);
    race_plan(session, assistant);
}

void think_start(struct session *session)
{
    if (session->ready_ms == 0)
        session->ready_ms = clock_mono_ms();
    const struct assistant *assistant = think_assistant(session);
    if (assistant != NULL)
        think_assistant_ready(session, assistant);
}

bool think_has_wording(struct session *session)
{
    return think_assistant(session) != NULL;
}

static bool runs_tools(const struct session *session)
{
    return session->state == TURN_ACTING || session->state == TURN_ENDING;
}

void think_assistant_ready(struct session *session, const struct assistant *assistant)
{
    if (session->state == TURN_COMMITTING && session->commit.outcome == NULL) {
        session_apply(session, EVENT_WORDING);
        return;
    }
    if (runs_tools(session) && session->ticket == 0 && session->outside == NULL) {
        if (assistant != NULL)
            effects_run(session);
        else
            session_apply(session, EVENT_NO_MODEL);
        return;
    }
    /* Who begins as its start is judged waits for the assistant twice: the second time nothing more
     * is asked. */
    if (session->state != TURN_THINKING || session->asked.call != NULL || session->ticket != 0)
        return;
    if (assistant == NULL)
        session_apply(session, EVENT_NO_MODEL);
    else if (!voice_is_ready(session))
        return; /* it asks how far the turn was heard, or the turn is over */
    else if (voice_end_says(session, assistant))
        return; /* the turn has ended with words of ours */
    else if (briefing_is_needed(assistant) && !session->briefing.ready &&
             !briefing_take_ahead(session))
        briefing_read(session); /* what the reception may quote comes with it */
    else if (briefing_says(&session->briefing, assistant, WORKFLOW_CLOSED_TEXT) &&
             session->rounds.count == 0) /* what a tool has begun is told by the model */
        session_apply(session, EVENT_CLOSED);
    else if (assistant->model_count == 0)
        session_apply(session, EVENT_NO_MODEL);
    else if (has_limits(session, assistant) && !is_reserved(session, assistant))
        reserve(session, assistant);
    else
        ask(session, assistant);
}

void think_start_stands(struct session *session)
{
    if (session->state == TURN_THINKING && session->asked.call == NULL && session->ticket == 0)
        think_start(session);
}

/* Many may wait for the same budget: they come back one after another. */
static int64_t reserve_again_ms(const struct session *session)
{
    return RESERVE_AGAIN_MS + session->id.bytes[15];
}

void think_reserved(struct session *session, const struct usage_reserved *reserved)
{
    if (reserved == NULL || reserved->kind == USAGE_AGAIN)
        wait_for_model(session, reserve_again_ms(session));
    else if (reserved->kind == USAGE_RESERVED) {
        session->reserved = true;
        session->full = false;
        think_start(session);
    } else if (reserved->kind == USAGE_FULL) {
        session->full = true;
        session->model_retry_ms = reserve_again_ms(session);
        session_apply(session, EVENT_FULL);
    } else {
        session_apply(session, reserved->kind == USAGE_SPENT ? EVENT_SPENT : EVENT_NOT_OURS);
    }
}

void think_briefed(struct session *session)
{
    if (runs_tools(session) && session->briefing.ready)
        effects_run(session);
    else if (runs_tools(session))
        session_apply(session, EVENT_DB_AWAY);
    else if (session->briefing.ready)
        think_start(session);
    else
        wait_for_model(session, BRIEF_AGAIN_MS);
}

void think_cancel(struct session *session, const char *outcome)
{
    const struct assistant *assistant = think_assistant(session);
    const struct asking_model which = choose_entry(session, assistant, session->asked.model_index);
    const struct llm_result so_far = llm_look(session->asked.call);
    calls_record_cut(session, assistant, outcome, &so_far);
    llm_cancel(session->engine->llm, session->asked.call);
    session->asked.call = NULL;
    asking_cut(session->engine, &which, &session->asked.hold);
}

void think_stop(struct session *session)
{
    race_stop(session);
    if (session->asked.call == NULL) {
        choose_stop(session);
        return;
    }
    session->failed = true; /* if its time is over: else the turn begins anew, or is not ours */
    think_cancel(session, CALLS_STOPPED);
}
