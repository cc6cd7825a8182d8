/* Executes the turn table. What happens to a session goes through session_apply; the actions below
 * are the only code that changes its timers and places. */
#include "session.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stop.h"
#include "counters.h"
#include "leftovers.h"
#include "service/log.h"
#include "voice.h"
#include "voice_step.h"
#include "wake_up.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_MS 1000 /* whether an answer that is being spoken still comes */

static void drop(struct session *session);

void session_unlist(struct session *session)
{
    struct sessions *all = session->engine->sessions;
    struct session_list *const lists[] = {
        [LIST_SUSPECTS] = &all->suspects,   [LIST_STARTS] = &all->starts,
        [LIST_BRIEFINGS] = &all->briefings, [LIST_RESERVES] = &all->reserves,
        [LIST_ROUNDS] = &all->rounds,       [LIST_COMMITS] = &all->commits,
    };
    if (session->entry.share != NULL)
        shares_leave(all->shares, &session->entry);
    if (session->list == LIST_NONE)
        return;
    TAILQ_REMOVE(lists[session->list], session, link);
    session->list = LIST_NONE;
}

/* The suspect place is one for the whole process: only its crash may count against the one in it.
 */
static void leave_suspect_place(struct sessions *all)
{
    all->suspects_at_work--;
    atomic_store(&all->engine->shared->suspect_busy, false);
}

static void give_place_back(struct session *session)
{
    struct sessions *all = session->engine->sessions;
    if (session->has_place)
        shares_give_back(all->shares, session->share);
    if (session->has_suspect_place)
        leave_suspect_place(all);
    session->has_place = session->has_suspect_place = false;
}

/* The turn in memory ends; the row says how it goes on. */
static void end_turn(struct session *session)
{
    think_stop(session);
    effects_stop(session);
    voice_stop(session);
    timer_stop(session->deadline);
    session->ticket = 0;
    arena_free(&session->arena);
    memset(&session->turn, 0, sizeof session->turn);
    memset(&session->rounds, 0, sizeof session->rounds);
    memset(&session->briefing, 0, sizeof session->briefing);
    briefing_drop_ahead(session);
    session->with_claim = false;
    memset(&session->measured, 0, sizeof session->measured);
    memset(&session->trimmed, 0, sizeof session->trimmed);
    session->asked.prompt_record = session->asked.prompt_passages = NULL;
    session->asked.left_out = 0;
    session->asked.is_first = false;
    memset(&session->commit, 0, sizeof session->commit);
    session->shape = COMMIT_WHOLE;
    session->asked.model_index = session->model_tries = 0;
    give_place_back(session);
}

static void on_due(void *arg)
{
    session_apply(arg, EVENT_DUE);
}

static void on_deadline(void *arg)
{
    struct session *session = arg;
    if (voice_goes_on(session))
        timer_start(session->deadline, LOOK_AGAIN_MS, 0);
    else
        session_apply(session, EVENT_DEADLINE);
}

struct session *session_new(struct sessions *all, const char *tenant, const struct uuid *id)
{
    struct session *session = xcalloc(1, sizeof *session);
    session->engine = all->engine;
    memcpy(session->tenant, tenant, sizeof session->tenant);
    session->id = *id;
    session->share = shares_join(all->shares, tenant);
    session->timer = timer_new(all->engine->loop, on_due, session);
    session->deadline = timer_new(all->engine->loop, on_deadline, session);
    map_put(all->by_id, id->bytes, sizeof id->bytes, session);
    return session;
}

static void drop(struct session *session)
{
    struct sessions *all = session->engine->sessions;
    session_unlist(session);
    think_stop(session);
    leftovers_take(all->engine->leftovers, session);
    end_turn(session);
    voice_free(session);
    timer_free(&session->timer);
    timer_free(&session->deadline);
    map_remove(all->by_id, session->id.bytes, sizeof session->id.bytes);
    shares_part(all->shares, session->share);
    free(session);
}

/* ---- actions ---- */

static void act_wait(struct session *session)
{
    session_unlist(session);
    timer_start(session->timer, session->due_in_ms > 0 ? session->due_in_ms : 0, 0);
}

/* 50 ms doubling to 2 s: the database is away for all sessions alike, and back for all at once. */
static int64_t back_off_ms(struct session *session)
{
    int shift = session->db_failures < 6 ? session->db_failures : 6;
    session->db_failures++;
    int64_t ms = (int64_t)50 << shift;
    return (ms < 2000 ? ms : 2000) + session->id.bytes[15] % 50;
}

static void act_retry(struct session *session)
{
    end_turn(session);
    timer_start(session->timer, back_off_ms(session), 0);
}

static void act_queue(struct session *session)
{
    session->ready_ms = clock_mono_ms();
    shares_wait(session->engine->sessions->shares, session->share, &session->entry);
}

static void act_stand_by(struct session *session)
{
    end_turn(session);
    session->list = LIST_SUSPECTS;
    TAILQ_INSERT_TAIL(&session->engine->sessions->suspects, session, link);
}

static void act_start(struct session *session)
{
    session_unlist(session);
    if (session->with_claim)
        return;
    session->list = LIST_STARTS;
    TAILQ_INSERT_TAIL(&session->engine->sessions->starts, session, link);
}

/* No turn is at work any more: others need not wait until the database takes that. */
static void act_give_up(struct session *session)
{
    give_place_back(session);
    act_start(session);
}

static void run_clock(struct session *session)
{
    if (!timer_is_active(session->deadline))
        timer_start(session->deadline, session->turn.deadline_ms, 0);
}

static void act_think(struct session *session)
{
    run_clock(session);
    voice_tools_ended(session);
    think_start(session);
}

static void act_run_tools(struct session *session)
{
    run_clock(session);
    session->ready_ms = 0;
    effects_run(session);
}

/* What has begun ends first, since it may have happened; a question is asked again if the model
 * still wants it. */
static void act_give_way(struct session *session)
{
    if (effects_only_ask(session))
        session_apply(session, EVENT_NEWER);
}

/* A tenant's tool may be slow for ever; ours has its effect in the database, which the commit needs
 * anyway. */
static void act_cut(struct session *session)
{
    timer_stop(session->timer);
    effects_stop(session);
    if (session->ticket == 0)
        effects_run(session);
}

static void act_pause(struct session *session)
{
    timer_start(session->timer, session->model_retry_ms, 0);
}

static void act_recompute(struct session *session)
{
    timer_stop(session->timer);
    end_turn(session);
    session->recompute = true;
    metric_add(counters.recomputes, 1);
    act_wait(session);
}

static void act_restart(struct session *session)
{
    timer_stop(session->timer);
    end_turn(session);
    session->due_in_ms = 0;
    act_wait(session);
}

/* A turn whose start is not committed has no row that could be found: session_call.c. */
static void act_store(struct session *session)
{
    if (session->with_claim)
        return;
    session->list = LIST_ROUNDS;
    TAILQ_INSERT_TAIL(&session->engine->sessions->rounds, session, link);
}

/* Nor is a turn over whose words may still be lost with this process (voice_landed), or are. */
static void act_commit_again(struct session *session)
{
    session_unlist(session); /* a round may have stood in line */
    if (session->with_claim || voice_waits(session))
        return;
    if (voice_repeats(session)) {
        session_apply(session, EVENT_REDIAL);
        return;
    }
    session->list = LIST_COMMITS;
    TAILQ_INSERT_TAIL(&session->engine->sessions->commits, session, link);
}

void session_line_up(struct session *session)
{
    if (session->state == TURN_STORING)
        act_store(session);
    else if (session->state == TURN_COMMITTING && session->commit.outcome != NULL)
        act_commit_again(session);
}

static void commit(struct session *session, const char *outcome, const char *text)
{
    session->ticket = 0; /* whatever is on its way comes too late */
    effects_stop(session);
    voice_tools_ended(session);
    timer_stop(session->timer);
    timer_stop(session->deadline);
    prepare_commit(session, outcome, text);
    act_commit_again(session);
}

static void act_reply(struct session *session)
{
    commit(session, "reply", session->commit.body);
}

static void act_cut_off(struct session *session)
{
    think_stop(session);
    commit(session, "interrupted", "");
}

static void act_fall_back(struct session *session)
{
    if (voice_is_cut(session)) {
        act_cut_off(session);
        return;
    }
    think_stop(session);
    /* No model was asked: that is no outage, and nobody on a rota is told of one. */
    commit(session, session->full ? "budget_spent" : "fallback", NULL);
}

static void act_say_spent(struct session *session)
{
    commit(session, "budget_spent", NULL);
}

static void act_say_closed(struct session *session)
{
    commit(session, "closed", NULL);
}

/* A process that was just started has not read the tenant's wording yet. */
static void act_ask_wording(struct session *session)
{
    if (think_has_wording(session))
        session_apply(session, EVENT_WORDING);
}

static void act_degrade(struct session *session)
{
    commit(session, "degraded", NULL);
}

/* What is left of the turn that could be refused is left out: the customer is answered, or at least
 * people see that he was not, and the conversation goes on. */
static void act_commit_plain(struct session *session)
{
    session->shape = COMMIT_PLAIN;
    prepare_plain(session);
    act_commit_again(session);
}

static void act_commit_bare(struct session *session)
{
    session->shape = COMMIT_BARE;
    prepare_plain(session);
    act_commit_again(session);
}

static void act_back_off(struct session *session)
{
    timer_start(session->timer, back_off_ms(session), 0);
}

static void publish(struct session *session)
{
    if (session->commit.body[0] == '\0' || voice_step_committed(session))
        return; /* a recovery that found no model: nothing leaves; or it has left, spoken */
    wake_up_send(session->engine, &(struct wake_up){.tenant = session->tenant,
                                                    .session = session->id,
                                                    .delivery = session->commit.delivery,
                                                    .traceparent = session->commit.traceparent,
                                                    .by_mail = session->turn.is_mail});
}

static void act_publish(struct session *session)
{
    publish(session);
}

static void act_publish_wait(struct session *session)
{
    publish(session);
    leftovers_take(session->engine->leftovers, session);
    end_turn(session);
    session->recompute = false;
    act_wait(session);
}

static void act_none(struct session *session)
{
    (void)session;
}

static void (*const actions[TURN_ACTIONS])(struct session *session) = {
    [ACTION_NONE] = act_none,
    [ACTION_WAIT] = act_wait,
    [ACTION_RETRY] = act_retry,
    [ACTION_QUEUE] = act_queue,
    [ACTION_STAND_BY] = act_stand_by,
    [ACTION_START] = act_start,
    [ACTION_GIVE_UP] = act_give_up, /* in the line of starts, alone */
    [ACTION_THINK] = act_think,
    [ACTION_RACE] = race_start,
    [ACTION_PAUSE] = act_pause,
    [ACTION_STORE] = act_store,
    [ACTION_ACT] = act_run_tools,
    [ACTION_GIVE_WAY] = act_give_way,
    [ACTION_CUT] = act_cut,
    [ACTION_RECOMPUTE] = act_recompute,
    [ACTION_REPLY] = act_reply,
    [ACTION_FALL_BACK] = act_fall_back,
    [ACTION_SAY_SPENT] = act_say_spent,
    [ACTION_SAY_CLOSED] = act_say_closed,
    [ACTION_ASK_WORDING] = act_ask_wording,
    [ACTION_DEGRADE] = act_degrade,
    [ACTION_BACK_OFF] = act_back_off,
    [ACTION_COMMIT_AGAIN] = act_commit_again,
    [ACTION_COMMIT_PLAIN] = act_commit_plain,
    [ACTION_COMMIT_BARE] = act_commit_bare,
    [ACTION_PUBLISH] = act_publish,
    [ACTION_PUBLISH_WAIT] = act_publish_wait,
    [ACTION_CUT_OFF] = act_cut_off,
    [ACTION_RESTART] = act_restart,
    [ACTION_DROP] = act_none,
};

static void log_rule(const struct session *session, const struct turn_rule *rule)
{
    char id[UUID_TEXT_SIZE], turn[UUID_TEXT_SIZE];
    log_debug("turn.step", LOG_TEXT("session", uuid_format(&session->id, id)),
              LOG_TEXT("turn", uuid_format(&session->turn.turn, turn)),
              LOG_TEXT("from", turn_state_name(rule->from)),
              LOG_TEXT("event", turn_event_name(rule->event)),
              LOG_TEXT("to", turn_state_name(rule->to)), LOG_TEXT("why", rule->sentence));
}

/* Entered, and nothing of it done: where a test ends the process once in each state. */
static void reach_state(const struct session *session)
{
    char id[UUID_TEXT_SIZE], subject[2 * UUID_TEXT_SIZE];
    if (!FRONTDESK_STOP_POINTS)
        return;
    snprintf(subject, sizeof subject, "%s %s", turn_state_name(session->state),
             uuid_format(&session->id, id));
    STOP_POINT("engine.state", subject);
}

/* Free places go to those in line, in the order of shares.h; the suspect place to one of its line.
 */
static void fill_places(struct sessions *all)
{
    struct share_entry *entry;
    while ((entry = shares_next(all->shares)) != NULL) {
        struct session *session =
            (struct session *)((char *)entry - offsetof(struct session, entry));
        session->has_place = true;
        session_apply(session, EVENT_PLACE);
    }
    bool busy = false;
    if (!TAILQ_EMPTY(&all->suspects) &&
        atomic_compare_exchange_strong(&all->engine->shared->suspect_busy, &busy, true)) {
        struct session *session = TAILQ_FIRST(&all->suspects);
        session->has_suspect_place = true;
        all->suspects_at_work++;
        session_apply(session, EVENT_PLACE);
    }
}

void session_apply(struct session *session, enum turn_event event)
{
    const struct turn_rule *rule = turn_rule(session->state, event);
    if (rule == NULL)
        return;
    struct sessions *all = session->engine->sessions;
    log_rule(session, rule);
    session->state = rule->to;
    reach_state(session);
    actions[rule->action](session);
    if (rule->to == TURN_GONE)
        drop(session);
    if (event != EVENT_PLACE) {
        fill_places(all);
        statements_flush(all);
        metric_set(counters.in_flight, (int64_t)shares_at_work(all->shares));
        engine_drain_step(all->engine);
    }
}

/* ---- the collection ---- */

struct sessions *sessions_new(struct engine *engine)
{
    struct sessions *all = xcalloc(1, sizeof *all);
    all->engine = engine;
    all->by_id = map_new();
    const size_t places = (size_t)engine->shared->settings.max_in_flight;
    all->shares = shares_new(places, places * 2);
    TAILQ_INIT(&all->suspects);
    TAILQ_INIT(&all->starts);
    TAILQ_INIT(&all->briefings);
    TAILQ_INIT(&all->reserves);
    TAILQ_INIT(&all->rounds);
    TAILQ_INIT(&all->commits);
    statements_open(all);
    return all;
}

static bool drop_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)key, (void)key_length;
    struct session *session = value;
    const bool *waiting_only = arg;
    if (!*waiting_only || session->state == TURN_WAITING || session->state == TURN_QUEUED ||
        session->state == TURN_SUSPECT)
        drop(session);
    return true;
}

void sessions_drop_all(struct sessions *sessions)
{
    bool waiting_only = false;
    map_each(sessions->by_id, drop_one, &waiting_only);
}

void sessions_drop_waiting(struct sessions *sessions)
{
    bool waiting_only = true;
    map_each(sessions->by_id, drop_one, &waiting_only);
}

void sessions_free(struct sessions **sessions)
{
    if (*sessions == NULL)
        return;
    sessions_drop_all(*sessions);
    statements_close(*sessions);
    map_free(&(*sessions)->by_id);
    shares_free(&(*sessions)->shares);
    free(*sessions);
    *sessions = NULL;
}

/* Then the next texts are the next turn. */
static bool recomputes_spent(const struct session *session)
{
    return session->arena != NULL && session_is_final(session);
}

bool session_is_final(const struct session *session)
{
    return session->turn.recomputes >= TURN_RECOMPUTES_MAX || voice_has_spoken(session);
}

void sessions_claimed(struct sessions *sessions, const char *tenant, const struct uuid *id,
                      const struct uuid *conversation, int64_t claimed, int64_t due_in_ms)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    bool known = session != NULL;
    if (known && claimed <= session->claimed)
        return; /* a redelivered event: nothing is new */
    if (!known)
        session = session_new(sessions, tenant, id);
    session->claimed = claimed;
    session->conversation = *conversation;
    session->due_in_ms = due_in_ms;
    if (!known)
        act_wait(session);
    else
        session_apply(session, recomputes_spent(session) ? EVENT_FINAL_TEXT : EVENT_CLAIMED);
}

void sessions_not_ours(struct sessions *sessions, const struct uuid *id, int64_t fence)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    if (session != NULL && session_listed_fence(session) == fence)
        session_apply(session, EVENT_NOT_OURS);
}

void sessions_tick(struct sessions *sessions)
{
    fill_places(sessions);
    statements_flush(sessions);
}

void sessions_forget(struct sessions *sessions, const struct uuid *id)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    if (session != NULL)
        session_apply(session, EVENT_NOT_OURS);
}

void sessions_mark(struct sessions *sessions, const struct uuid *id, enum share_kind kind)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    if (session != NULL && session->entry.share == NULL)
        session->entry.kind = kind;
}
