/* The effects of a turn's tools, one call after another: each begins and ends in the database under
 * the turn's worker, fence and epoch (store/round.h), so that a rerun repeats none and a takeover
 * stops the rest. A call whose answer was lost is repeated with its id. session.c starts it. */
#include "assistants.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stop.h"
#include "counters.h"
#include "service/log.h"
#include "session.h"
#include "store/round.h"
#include "tools.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define UNIT_MS 10000

/* One unit of one call. It outlives a session that is dropped meanwhile. */
struct effect {
    struct sessions *sessions;
    struct arena *arena;
    struct uuid session_id;
    uint64_t ticket;
    const struct tool *tool;
    struct tool_call call;
    struct json *arguments;
    const char *outcome, *result; /* of the finish */
    bool begins, was_begun;
};

static struct rounds_call *next_call(struct session *session)
{
    return rounds_next(&session->rounds, session->turn.claimed);
}

static struct effect *effect_new(struct session *session, const struct rounds_call *call)
{
    struct effect *effect = xcalloc(1, sizeof *effect);
    effect->sessions = session->engine->sessions;
    effect->arena = arena_new();
    effect->session_id = session->id;
    effect->was_begun = call->begun;
    effect->call = (struct tool_call){.arena = effect->arena,
                                      .assistant = think_assistant(session),
                                      .tenant = arena_strdup(effect->arena, session->tenant),
                                      .id = call->id,
                                      .contact = session->turn.contact,
                                      .conversation = session->turn.conversation};
    return effect;
}

static void effect_free(struct effect *effect)
{
    json_free(&effect->arguments);
    arena_free(&effect->arena);
    free(effect);
}

/* The session if it still waits for this unit. */
static struct session *session_of(const struct effect *effect)
{
    struct session *session =
        map_get(effect->sessions->by_id, effect->session_id.bytes, sizeof effect->session_id.bytes);
    if (session == NULL || session->ticket != effect->ticket)
        return NULL;
    session->ticket = 0;
    return session;
}

static void submit(struct session *session, struct effect *effect, struct pg_unit *unit)
{
    struct sessions *sessions = effect->sessions;
    effect->ticket = session->ticket = ++sessions->next_ticket;
    unit->deadline_ms = UNIT_MS;
    unit->arg = effect;
    sessions->acts_in_flight++;
    pg_submit(session->engine->pg, unit);
}

static const char *worker_of(struct effect *effect)
{
    return arena_strdup(effect->arena, worker_id(effect->sessions->engine->worker));
}

static struct round_turn turn_of(struct session *session, struct effect *effect)
{
    struct round_turn turn = statements_turn(session);
    turn.tenant = effect->call.tenant;
    return turn;
}

/* ---- the end of a call ---- */

static const enum turn_event refusals[] = {
    [ROUND_NEWER] = EVENT_NEWER, [ROUND_EPOCH] = EVENT_EPOCH, [ROUND_LOST] = EVENT_NOT_OURS};

/* `tool` is the tool's own name: what the model wrote may quote the customer. */
static void log_call(const struct session *session, const struct rounds_call *call,
                     const char *tool)
{
    char id[UUID_TEXT_SIZE], turn[UUID_TEXT_SIZE];
    log_info("tool.done", LOG_TEXT("session", uuid_format(&session->id, id)),
             LOG_TEXT("turn", uuid_format(&session->turn.turn, turn)), LOG_TEXT("tool", tool),
             LOG_TEXT("outcome", call->outcome));
}

static void mark_done(struct session *session, const struct effect *effect)
{
    struct rounds_call *call = next_call(session);
    if (call == NULL || !uuid_equal(&call->id, &effect->call.id))
        return;
    call->done = true;
    call->outcome = arena_strdup(session->arena, effect->outcome);
    call->result = arena_strdup(session->arena, effect->result);
    if (effect->begins) /* what was told before it is not true any more */
        session->briefing.ready = false;
    log_call(session, call, effect->tool != NULL ? effect->tool->name : "unknown");
}

static void finished(void *arg, const struct pg_answer *answer)
{
    struct effect *effect = arg;
    struct sessions *sessions = effect->sessions;
    struct session *session = session_of(effect);
    sessions->acts_in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "tool_end"), LOG_ERR(answer->err));
    if (session != NULL && answer->err != NULL)
        session_apply(session, err_is_retryable(answer->err) ? EVENT_DB_AWAY : EVENT_NO_MODEL);
    else if (session != NULL && round_read_call(answer) != ROUND_OK)
        session_apply(session, refusals[round_read_call(answer)]);
    else if (session != NULL) {
        char id[UUID_TEXT_SIZE];
        STOP_POINT("engine.tool_done", uuid_format(&session->id, id));
        session->db_failures = 0;
        mark_done(session, effect);
        effects_run(session);
    }
    effect_free(effect);
    engine_drain_step(sessions->engine);
}

/* Takes the effect. */
static void finish(struct session *session, struct effect *effect, const char *outcome,
                   const char *result)
{
    struct pg_unit unit = {.done = finished};
    struct round_turn turn = turn_of(session, effect);
    effect->outcome = outcome;
    effect->result = result;
    round_add_finish(&unit, effect->arena, worker_of(effect), &turn, &effect->call.id, outcome,
                     result);
    submit(session, effect, &unit);
}

/* Takes the effect. What has begun before may have happened: it is not refused. */
static void refuse(struct session *session, struct effect *effect, const char *why)
{
    if (effect->was_begun)
        finish(session, effect, "failed",
               tools_text(effect->arena, "error",
                          "it may have been done before: look before you "
                          "call it again"));
    else
        finish(session, effect, "refused", tools_text(effect->arena, "error", why));
}

/* ---- the effect ---- */

static void read_result(struct session *session, struct effect *effect,
                        const struct pg_answer *answer)
{
    struct tool_result result = {.outcome = "failed"};
    effect->tool->read(&effect->call, answer, effect->begins ? ROUND_CALL_STATEMENTS : 0, &result);
    finish(session, effect, result.outcome, result.text);
}

/* What failed in a way that does not pass is told to the model: it can still take a message. */
static bool failed(struct session *session, struct effect *effect, const struct err *err)
{
    log_warn("statement.failed", LOG_TEXT("what", effect->tool->name), LOG_ERR(err));
    if (err_is_retryable(err)) {
        session_apply(session, EVENT_DB_AWAY);
        return true;
    }
    finish(session, effect, "failed",
           tools_text(effect->arena, "error", "the tool does not work at the moment"));
    return false;
}

static void took_effect(void *arg, const struct pg_answer *answer)
{
    struct effect *effect = arg;
    struct sessions *sessions = effect->sessions;
    struct session *session = session_of(effect);
    bool over = true;
    struct err err;
    sessions->acts_in_flight--;
    if (session != NULL && effect->tool->check != NULL && effect->tool->check(answer, &err) != 0)
        over = failed(session, effect, &err);
    else if (session != NULL && answer->err != NULL)
        over = failed(session, effect, answer->err);
    else if (session != NULL && effect->begins && round_read_call(answer) != ROUND_OK)
        session_apply(session, refusals[round_read_call(answer)]);
    else if (session != NULL) {
        char id[UUID_TEXT_SIZE];
        STOP_POINT("engine.tool_begun", uuid_format(&session->id, id));
        read_result(session, effect, answer);
        over = false;
    }
    if (over)
        effect_free(effect);
    engine_drain_step(sessions->engine);
}

/* Takes the effect. */
static void take_effect(struct session *session, struct effect *effect)
{
    struct pg_unit unit = {.done = took_effect};
    struct round_turn turn = turn_of(session, effect);
    struct err err;
    effect->begins = effect->tool->changes;
    if (effect->begins)
        round_add_begin(&unit, effect->arena, worker_of(effect), &turn, &effect->call.id);
    if (effect->tool->add != NULL && effect->tool->add(&effect->call, &unit, &err) != 0)
        refuse(session, effect, err.message);
    else if (unit.count == 0)
        read_result(session, effect, NULL);
    else
        submit(session, effect, &unit);
}

static void run_call(struct session *session, const struct rounds_call *call)
{
    struct effect *effect = effect_new(session, call);
    const struct tool *tool = tools_named(call->name);
    struct err err;
    effect->tool = tool;
    if (tool == NULL || !assistant_may_use(effect->call.assistant, tool->name))
        refuse(session, effect, "there is no tool of that name");
    else if (tools_read_arguments(session->engine->tools, tool, call->arguments, &effect->arguments,
                                  &err) != 0)
        refuse(session, effect, err.message);
    else {
        effect->call.arguments = effect->arguments;
        take_effect(session, effect);
    }
}

void effects_run(struct session *session)
{
    if (think_assistant(session) == NULL)
        return; /* think_assistant_ready comes */
    const struct rounds_call *call = next_call(session);
    bool newer =
        session->claimed > session->turn.claimed && session->turn.recomputes < TURN_RECOMPUTES_MAX;
    if (call == NULL)
        session_apply(session, newer ? EVENT_NEWER : EVENT_ACTED);
    else
        run_call(session, call);
}
