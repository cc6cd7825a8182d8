/* Start, reservation, round and commit statements in batches: what waits is sent as one unit when
 * the pace of its kind allows, so a lone turn never waits and under load many share one statement.
 * An answer finds its session by ticket: one that was dropped or moved on
 * meanwhile is not touched. */
#include "session.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stop.h"
#include "budget.h"
#include "copies.h"
#include "counters.h"
#include "service/log.h"
#include "slow.h"
#include "store/give_up.h"
#include "summary.h"
#include "voice.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX     200
#define UNIT_MS       10000
#define BUG_TRIES_MAX 5 /* of a start, or of a statement whose error is none of its data's: 2 s */

struct batch_item {
    struct uuid id;
    uint64_t ticket;
};

struct batch {
    struct sessions *sessions;
    struct arena *arena;
    int64_t sent_us;
    size_t count;
    struct batch_item items[BATCH_MAX];
};

static struct batch *batch_new(struct sessions *sessions)
{
    struct batch *batch = xmalloc(sizeof *batch);
    batch->sessions = sessions;
    batch->arena = arena_new();
    batch->sent_us = clock_mono_us();
    batch->count = 0;
    return batch;
}

static void batch_free(struct batch *batch)
{
    arena_free(&batch->arena);
    free(batch);
}

static void batch_add(struct batch *batch, struct session *session)
{
    session->ticket = ++batch->sessions->next_ticket;
    batch->items[batch->count++] = (struct batch_item){session->id, session->ticket};
}

/* One that was in a batch that failed for good or was too slow, or that somebody's lock held up,
 * goes out alone: it does not spoil others again. Who gives up stands in the line of starts and has
 * a unit of its own.
 */
static bool fits(const struct batch *batch, const struct session *next, bool *closed)
{
    if (next == NULL || *closed || batch->count == BATCH_MAX || (next->alone && batch->count > 0) ||
        next->state == TURN_GIVING_UP)
        return false;
    *closed = next->alone;
    return true;
}

/* The session if it still waits for this statement. */
static struct session *batch_session(const struct batch *batch, size_t index)
{
    if (index >= batch->count)
        return NULL;
    const struct batch_item *item = &batch->items[index];
    struct session *session =
        map_get(batch->sessions->by_id, item->id.bytes, sizeof item->id.bytes);
    if (session == NULL || session->ticket != item->ticket)
        return NULL;
    session->ticket = 0;
    return session;
}

/* Whether the same unit may pass later: not one that takes too long by itself. */
static bool err_passes(const struct batch *batch, const struct err *err)
{
    return err_is_retryable(err) &&
           !slow_is_own(batch->sessions->engine, err, batch->sent_us, UNIT_MS);
}

/* One that was alone is itself to blame: at once for its data; after some tries in a row, between
 * which nothing else went wrong, for an error that nobody thought of, and for a start, of which
 * nothing can be left out, so that its customer gets nothing. */
static bool is_unfit(const struct batch *batch, struct session *session, const struct err *err,
                     bool passes)
{
    if (passes)
        session->bugs = 0;
    if (batch->count > 1 || passes || session->state == TURN_GIVING_UP)
        return false;
    bool is_data = err->class == ERR_PERMANENT && session->state != TURN_STARTING;
    return is_data || ++session->bugs >= BUG_TRIES_MAX;
}

static enum turn_event unfit_start(struct session *session, const struct err *err)
{
    char id[UUID_TEXT_SIZE];
    session->bugs = 0;
    metric_add(counters.unfit_starts, 1);
    log_error("start.unfit", LOG_TEXT("session", uuid_format(&session->id, id)),
              LOG_TEXT("tenant", session->tenant), LOG_ERR(err));
    return EVENT_UNFIT;
}

/* What becomes of a commit that the database will never take; the barest can only be sent again. */
static enum turn_event unfit_commit(struct session *session, const struct err *err)
{
    const bool plain = prepare_has_plain(session);
    char id[UUID_TEXT_SIZE], turn[UUID_TEXT_SIZE];
    session->bugs = 0;
    if (session->shape == COMMIT_BARE)
        return EVENT_DB_AWAY;
    metric_add(plain ? counters.unfit_plain : counters.unfit_bare, 1);
    log_error("commit.unfit", LOG_TEXT("session", uuid_format(&session->id, id)),
              LOG_TEXT("turn", uuid_format(&session->turn.turn, turn)),
              LOG_TEXT("outcome", session->commit.outcome),
              LOG_TEXT("then", plain ? "fallback" : "failed"), LOG_ERR(err));
    return plain ? EVENT_UNFIT : EVENT_UNFIT_TOO;
}

static void batch_failed(struct batch *batch, const struct err *err, const char *what)
{
    log_warn("statement.failed", LOG_TEXT("what", what), LOG_INT("turns", (int64_t)batch->count),
             LOG_ERR(err));
    const bool passes = err_passes(batch, err);
    bool alone = !passes || strcmp(err->code, PG_LOCKED) == 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct session *session = batch_session(batch, i);
        if (session == NULL)
            continue;
        session->alone = alone;
        session_apply(session, !is_unfit(batch, session, err, passes) ? EVENT_DB_AWAY
                               : session->state == TURN_STARTING      ? unfit_start(session, err)
                               : session->state == TURN_COMMITTING    ? unfit_commit(session, err)
                                                                      : EVENT_UNFIT);
    }
}

/* ---- start ---- */

static void keep_turn(struct session *session, const struct turn_started *started)
{
    struct err err;
    char id[UUID_TEXT_SIZE];
    arena_free(&session->arena);
    session->arena = arena_new();
    session->turn = *started;
    session->turn.events = arena_strdup(session->arena, started->events);
    session->turn.context = arena_strdup(session->arena, started->context);
    session->turn.assistant = arena_strdup(session->arena, started->assistant);
    session->turn.traceparent = arena_strdup(session->arena, started->traceparent);
    session->turn.summary = arena_strdup(session->arena, started->summary);
    session->turn.earlier = arena_strdup(session->arena, started->earlier);
    session->turn.reception = arena_strdup(session->arena, started->reception);
    session->turn.call_sid = arena_strdup(session->arena, started->call_sid);
    session->turn.heard = arena_strdup(session->arena, started->heard);
    session->turn.heard_reason = arena_strdup(session->arena, started->heard_reason);
    session->turn.answers = arena_strdup(session->arena, started->answers);
    session->turn.caller = arena_strdup(session->arena, started->caller);
    session->turn.text_number = arena_strdup(session->arena, started->text_number);
    session->turn.language = arena_strdup(session->arena, started->language);
    session->turn.attestation = arena_strdup(session->arena, started->attestation);
    session->turn.rounds = NULL; /* read below, and borrowed */
    session->started_ms = clock_mono_ms();
    session->briefing = (struct briefing){.ready = false};
    session->reserved = session->full = session->failed = false;
    session->most = (struct usage_amounts){0};
    session->rounds = (struct rounds){.last_number = started->last_round};
    if (rounds_read(session->arena, started->rounds, &session->rounds, &err) != 0) {
        log_error("rounds.not_read", LOG_TEXT("session", uuid_format(&session->id, id)),
                  LOG_ERR(&err));
        session->rounds.count = 0;
    }
    voice_started(session);
}

void statements_started(struct session *session, const struct turn_started *started)
{
    static const enum turn_event events[] = {
        [TURN_START_RUN] = EVENT_RUN,
        [TURN_START_FAIL] = EVENT_LOST_OFTEN,
        [TURN_START_SUSPECT] = EVENT_IS_SUSPECT,
        [TURN_START_NOTHING] = EVENT_NOTHING,
        [TURN_START_HELD] = EVENT_HELD,
        [TURN_START_MOVED] = EVENT_MOVED,
        [TURN_START_LOST] = EVENT_NOT_OURS,
    };
    enum turn_event event = events[started->kind];
    char id[UUID_TEXT_SIZE];
    session->db_failures = session->bugs = 0;
    session->alone = false;
    session->conversation = started->conversation;
    bool newer = session->claimed > started->claimed;
    if (newer && (event == EVENT_NOTHING || (event == EVENT_RUN && started->call_sid[0] == '\0' &&
                                             started->recomputes < TURN_RECOMPUTES_MAX)))
        event = EVENT_STALE;
    if (event == EVENT_IS_SUSPECT)
        session->recompute = false; /* it is counted */
    if (event == EVENT_RUN || event == EVENT_LOST_OFTEN) {
        keep_turn(session, started);
        if (event == EVENT_RUN && rounds_next(&session->rounds, started->claimed) != NULL)
            event = EVENT_RESUME;
        session->recompute = false;
        STOP_POINT("engine.started", uuid_format(&session->id, id));
    }
    session_apply(session, event);
}

static void starts_done(void *arg, const struct pg_answer *answer)
{
    struct batch *batch = arg;
    struct sessions *sessions = batch->sessions;
    struct turn_started started;
    pace_over(sessions->start_pace);
    if (answer->err != NULL)
        batch_failed(batch, answer->err, "start");
    for (int row = 0; answer->err == NULL && turn_read_started(answer, row, &started); row++) {
        struct session *session = batch_session(batch, started.index);
        if (session != NULL)
            statements_started(session, &started);
    }
    for (size_t i = 0; answer->err == NULL && i < batch->count; i++) {
        struct session *without_row = batch_session(batch, i);
        if (without_row != NULL)
            session_apply(without_row, EVENT_NOT_OURS);
    }
    batch_free(batch);
    statements_flush(sessions);
    engine_drain_step(sessions->engine);
}

static void given_up(void *arg, const struct pg_answer *answer)
{
    struct batch *batch = arg;
    struct sessions *sessions = batch->sessions;
    int64_t claimed = 0;
    pace_over(sessions->start_pace);
    if (answer->err != NULL)
        batch_failed(batch, answer->err, "give_up");
    struct session *session = answer->err == NULL ? batch_session(batch, 0) : NULL;
    if (session != NULL) {
        const enum give_up_kind kind = give_up_read(answer, &claimed);
        session->db_failures = 0;
        session->alone = false;
        if (claimed > session->claimed) /* whose answer was lost */
            session->claimed = claimed;
        session_apply(session, kind == GIVE_UP_LOST                ? EVENT_NOT_OURS
                               : session->claimed > session->tried ? EVENT_MORE
                                                                   : EVENT_COMMITTED);
    }
    batch_free(batch);
    statements_flush(sessions);
    engine_drain_step(sessions->engine);
}

static void send_give_up(struct sessions *sessions, struct session *session)
{
    struct batch *batch = batch_new(sessions);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = given_up, .arg = batch};
    session_unlist(session);
    batch_add(batch, session);
    give_up_add(&unit, batch->arena,
                arena_strdup(batch->arena, worker_id(sessions->engine->worker)),
                &(struct turn_start){.tenant = arena_strdup(batch->arena, session->tenant),
                                     .session = session->id,
                                     .conversation = session->conversation},
                session->tried);
    pace_sent(sessions->start_pace);
    pg_submit(sessions->engine->pg, &unit);
}

struct turn_times statements_times(const struct engine_settings *settings, enum share_kind kind)
{
    const int64_t heard_ms = kind == SHARE_CALL ? settings->voice_heard_wait_ms : 0;
    return (struct turn_times){.deadline_ms = kind == SHARE_CALL   ? settings->voice_deadline_ms
                                              : kind == SHARE_MAIL ? settings->mail_deadline_ms
                                                                   : settings->turn_deadline_ms,
                               .adopter_ms = settings->adopter_deadline_ms + heard_ms,
                               .answer_within_ms = kind == SHARE_MAIL
                                                       ? settings->mail_answer_within_ms
                                                       : settings->answer_within_ms};
}

static void send_starts(struct sessions *sessions)
{
    struct session *session = TAILQ_FIRST(&sessions->starts);
    if (session->state == TURN_GIVING_UP) {
        send_give_up(sessions, session);
        return;
    }
    struct engine *engine = sessions->engine;
    const struct engine_settings *settings = &engine->shared->settings;
    struct batch *batch = batch_new(sessions);
    struct turn_start *starts = arena_alloc(batch->arena, BATCH_MAX * sizeof *starts);
    bool closed = false;
    const enum share_kind kind = session->entry.kind;
    while (fits(batch, session = TAILQ_FIRST(&sessions->starts), &closed) &&
           session->entry.kind == kind) {
        session_unlist(session);
        session->tried = session->claimed;
        starts[batch->count] = (struct turn_start){
            .tenant = arena_strdup(batch->arena, session->tenant),
            .session = session->id,
            .conversation = session->conversation,
            .turn = uuid_new(),
            .recompute = session->recompute,
            .suspect_slot = session->has_suspect_place,
        };
        batch_add(batch, session);
    }
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = starts_done, .arg = batch};
    const struct turn_times times = statements_times(settings, kind);
    turn_add_start(&unit, batch->arena, arena_strdup(batch->arena, worker_id(engine->worker)),
                   starts, batch->count, &times);
    pace_sent(sessions->start_pace);
    pg_submit(engine->pg, &unit);
}

/* ---- reservations ---- */

static void reserves_failed(struct batch *batch, const struct err *err)
{
    log_warn("statement.failed", LOG_TEXT("what", "reserve"),
             LOG_INT("turns", (int64_t)batch->count), LOG_ERR(err));
    bool alone = !err_passes(batch, err) || strcmp(err->code, PG_LOCKED) == 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct session *session = batch_session(batch, i);
        if (session == NULL)
            continue;
        session->alone = alone;
        think_reserved(session, NULL);
    }
}

static void reserves_done(void *arg, const struct pg_answer *answer)
{
    struct batch *batch = arg;
    struct sessions *sessions = batch->sessions;
    struct usage_reserved reserved;
    pace_over(sessions->reserve_pace);
    if (answer->err != NULL)
        reserves_failed(batch, answer->err);
    for (int row = 0; answer->err == NULL && usage_read_reserved(answer, row, &reserved); row++) {
        struct session *session = batch_session(batch, reserved.index);
        if (session == NULL)
            continue;
        session->alone = false;
        budget_tell(session->tenant, &reserved);
        think_reserved(session, &reserved);
    }
    batch_free(batch);
    statements_flush(sessions);
    engine_drain_step(sessions->engine);
}

static void send_reserves(struct sessions *sessions)
{
    struct engine *engine = sessions->engine;
    struct batch *batch = batch_new(sessions);
    struct usage_wish *wishes = arena_alloc(batch->arena, BATCH_MAX * sizeof *wishes);
    struct session *session;
    bool closed = false;
    while (fits(batch, session = TAILQ_FIRST(&sessions->reserves), &closed)) {
        session_unlist(session);
        wishes[batch->count] =
            (struct usage_wish){.tenant = arena_strdup(batch->arena, session->tenant),
                                .turn = session->turn.turn,
                                .fence = session->turn.fence,
                                .most = session->most,
                                .used = calls_used(session),
                                .limits = session->limits};
        batch_add(batch, session);
    }
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = reserves_done, .arg = batch};
    usage_add_reserve(&unit, batch->arena, arena_strdup(batch->arena, worker_id(engine->worker)),
                      wishes, batch->count);
    pace_sent(sessions->reserve_pace);
    pg_submit(engine->pg, &unit);
}

/* ---- rounds ---- */

struct round_turn statements_turn(const struct session *session)
{
    const struct turn_started *turn = &session->turn;
    return (struct round_turn){.tenant = session->tenant,
                               .session = session->id,
                               .conversation = turn->conversation,
                               .turn = turn->turn,
                               .fence = turn->fence,
                               .epoch = turn->epoch,
                               .claimed = turn->claimed,
                               .final = session_is_final(session)};
}

static void rounds_done(void *arg, const struct pg_answer *answer)
{
    static const enum turn_event events[] = {[ROUND_OK] = EVENT_STORED,
                                             [ROUND_NEWER] = EVENT_NEWER,
                                             [ROUND_EPOCH] = EVENT_EPOCH,
                                             [ROUND_LOST] = EVENT_NOT_OURS};
    struct batch *batch = arg;
    struct sessions *sessions = batch->sessions;
    size_t index;
    enum round_kind kind;
    pace_over(sessions->round_pace);
    if (answer->err != NULL)
        batch_failed(batch, answer->err, "round");
    for (int row = 0; answer->err == NULL && round_read(answer, row, &index, &kind); row++) {
        struct session *session = batch_session(batch, index);
        if (session == NULL)
            continue;
        session->db_failures = session->bugs = 0;
        session->alone = false;
        calls_stored(session); /* with it, however it was judged */
        session_apply(session, events[kind]);
    }
    batch_free(batch);
    statements_flush(sessions);
    engine_drain_step(sessions->engine);
}

static void send_rounds(struct sessions *sessions)
{
    struct engine *engine = sessions->engine;
    struct batch *batch = batch_new(sessions);
    struct round *rounds = arena_alloc(batch->arena, BATCH_MAX * sizeof *rounds);
    struct session *session;
    bool closed = false;
    while (fits(batch, session = TAILQ_FIRST(&sessions->rounds), &closed)) {
        session_unlist(session);
        rounds[batch->count] = copies_round(batch->arena, session);
        batch_add(batch, session);
    }
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = rounds_done, .arg = batch};
    round_add_store(&unit, batch->arena, arena_strdup(batch->arena, worker_id(engine->worker)),
                    rounds, batch->count);
    pace_sent(sessions->round_pace);
    pg_submit(engine->pg, &unit);
}

/* ---- commit ---- */

static void count_outcome(const struct session *session)
{
    const char *outcome = session->commit.outcome;
    metric_add(strcmp(outcome, "reply") == 0          ? counters.replies
               : strcmp(outcome, "closed") == 0       ? counters.closed
               : strcmp(outcome, "fallback") == 0     ? counters.fallbacks
               : strcmp(outcome, "budget_spent") == 0 ? counters.budget_spent
               : strcmp(outcome, "interrupted") == 0  ? counters.interrupted
                                                      : counters.degraded,
               1);
    metric_observe_us(counters.turn_seconds, (clock_mono_ms() - session->started_ms) * 1000);
}

static void committed_one(struct session *session, const struct turn_committed *committed)
{
    static const enum turn_event events[] = {
        [TURN_COMMITTED] = EVENT_COMMITTED,   [TURN_COMMITTED_MORE] = EVENT_MORE,
        [TURN_REFUSED_NEWER] = EVENT_NEWER,   [TURN_REFUSED_EPOCH] = EVENT_EPOCH,
        [TURN_REFUSED_LOST] = EVENT_NOT_OURS, [TURN_REFUSED_MOVED] = EVENT_REDIAL,
    };
    enum turn_event event = events[committed->kind];
    char id[UUID_TEXT_SIZE], turn[UUID_TEXT_SIZE];
    session->db_failures = session->bugs = 0;
    session->alone = false;
    if (session->shape != COMMIT_BARE)
        calls_forget(session); /* stored with it, however it was judged */
    if (event == EVENT_COMMITTED || event == EVENT_MORE) {
        STOP_POINT("engine.committed", uuid_format(&session->id, id));
        count_outcome(session);
        summaries_after(session->engine->summaries, session);
        log_info("turn.finished", LOG_TEXT("session", uuid_format(&session->id, id)),
                 LOG_TEXT("turn", uuid_format(&session->turn.turn, turn)),
                 LOG_TEXT("outcome", session->commit.outcome),
                 LOG_INT("ms", clock_mono_ms() - session->started_ms));
    } else {
        metric_add(counters.refused, 1);
    }
    if (event == EVENT_MORE)
        session->due_in_ms = committed->due_in_ms;
    /* A claim that committed after the commit may have been heard of before its answer. */
    if (event == EVENT_COMMITTED && session->claimed > session->commit.claimed)
        event = EVENT_MORE;
    session_apply(session, event);
}

static void commits_done(void *arg, const struct pg_answer *answer)
{
    struct batch *batch = arg;
    struct sessions *sessions = batch->sessions;
    struct turn_committed committed;
    pace_over(sessions->commit_pace);
    if (answer->err != NULL)
        batch_failed(batch, answer->err, "commit");
    for (int row = 0; answer->err == NULL && turn_read_committed(answer, row, &committed); row++) {
        struct session *session = batch_session(batch, committed.index);
        if (session != NULL)
            committed_one(session, &committed);
    }
    batch_free(batch);
    statements_flush(sessions);
    engine_drain_step(sessions->engine);
}

static void send_commits(struct sessions *sessions)
{
    struct engine *engine = sessions->engine;
    struct batch *batch = batch_new(sessions);
    struct turn_commit *commits = arena_alloc(batch->arena, BATCH_MAX * sizeof *commits);
    struct round_over *unheard = arena_alloc(batch->arena, BATCH_MAX * sizeof *unheard);
    size_t unheard_count = 0;
    struct session *session;
    char id[UUID_TEXT_SIZE];
    bool closed = false;
    while (fits(batch, session = TAILQ_FIRST(&sessions->commits), &closed)) {
        session_unlist(session);
        STOP_POINT("engine.committing", uuid_format(&session->id, id));
        commits[batch->count] = session->commit;
        copies_commit(batch->arena, &commits[batch->count]);
        if (rounds_have_open(&session->rounds))
            unheard[unheard_count++] = (struct round_over){.tenant = commits[batch->count].tenant,
                                                           .turn = commits[batch->count].turn};
        batch_add(batch, session);
    }
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = commits_done, .arg = batch};
    turn_add_commit(&unit, batch->arena, arena_strdup(batch->arena, worker_id(engine->worker)),
                    commits, batch->count);
    if (unheard_count > 0)
        round_add_unheard(&unit, batch->arena, unheard, unheard_count);
    pace_sent(sessions->commit_pace);
    pg_submit(engine->pg, &unit);
}

/* Calls stand in front. */
static void flush_list(struct session_list *list, struct pace *pace,
                       void (*send)(struct sessions *sessions))
{
    const struct session *first;
    while ((first = TAILQ_FIRST(list)) != NULL &&
           pace_allows(pace, first->entry.kind == SHARE_CALL))
        send(first->engine->sessions);
}

void statements_flush(struct sessions *sessions)
{
    const struct engine *engine = sessions->engine;
    if (engine->retiring || worker_id(engine->worker)[0] == '\0')
        return; /* at the end, or between two names: nothing may be written */
    flush_list(&sessions->commits, sessions->commit_pace, send_commits);
    flush_list(&sessions->rounds, sessions->round_pace, send_rounds);
    flush_list(&sessions->reserves, sessions->reserve_pace, send_reserves);
    flush_list(&sessions->starts, sessions->start_pace, send_starts);
}

static void again(void *arg)
{
    statements_flush(arg);
}

void statements_open(struct sessions *sessions)
{
    struct loop *loop = sessions->engine->loop;
    sessions->start_pace = pace_new(loop, again, sessions);
    sessions->reserve_pace = pace_new(loop, again, sessions);
    sessions->round_pace = pace_new(loop, again, sessions);
    sessions->commit_pace = pace_new(loop, again, sessions);
}

void statements_close(struct sessions *sessions)
{
    pace_free(&sessions->start_pace);
    pace_free(&sessions->reserve_pace);
    pace_free(&sessions->round_pace);
    pace_free(&sessions->commit_pace);
}

bool statements_in_flight(const struct sessions *sessions)
{
    return pace_in_flight(sessions->start_pace) + pace_in_flight(sessions->reserve_pace) +
               pace_in_flight(sessions->round_pace) + pace_in_flight(sessions->commit_pace) +
               sessions->acts_in_flight >
           0;
}
