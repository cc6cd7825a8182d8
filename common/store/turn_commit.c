/* The SQL of a turn's commit: see turn.h and docs/PROTOCOL.md. Used by the engine only. A COMMIT
 * whose answer was lost is simply sent again: a turn that is no longer running under the same fence
 * is reported as committed. */
#include "store/turn.h"

#include "store/delivery_mail.h"
#include "store/turn_inside.h"
#include "store/voice_step.h"

#include <string.h>

/* The ingress has said what became of the words before their commit came. */
#define HEARD_IS_FINAL "t.heard_reason IN ('last', 'interrupt', 'close', 'stop', 'fallback')"

/* The call has another socket that the turn's engine did not know of, and not all was heard. */
#define HAS_MOVED                                                                                  \
    "t.sockets > i.sockets AND s.step = 0 AND s.ended_at IS NULL"                                  \
    " AND rtrim(coalesce(t.heard, '')) <> rtrim(i.body) AND (t.heard_fence < i.fence"              \
    " OR coalesce(t.heard_reason, '') NOT IN ('last', 'interrupt', 'stop', 'fallback'))"

/* What the turn used is counted where it was reserved, else in the current day and month, exactly
 * once: a call by the unit that stores its row (the statement before), however the commit is
 * judged. The rows of usage are locked behind all others (hence the look at `flag` and `closed`),
 * by key, and to the end of the unit, where little comes behind this statement. */
const char turn_commit_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[],"
    " $6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[], $10::text[], $11::text[],"
    " $12::text[], $13::text[], $14::text[], $15::text[], $16::uuid[], $17::uuid[], $18::bigint[],"
    " $19::text[], $20::boolean[], $21::text[], $22::text[], $23::bigint[], $24::integer[]) WITH "
    "ORDINALITY AS t "
    "(tenant_id, session_id, conversation_id,"
    " turn_id, fence, epoch, claimed, final, events, event_state, turn_state, outcome, error_code,"
    " body, message_id, delivery_id, answer_ms, traceparent, ends, passages, prompt, segments, "
    "sockets, n)),"
    " judged AS (SELECT i.*, s.due_at, s.delivery_seq, c.held_by, t.reserved_day,"
    " s.kind = 'voice' AS spoken, s.kind = 'mail' AS mailed, CASE WHEN " HEARD_IS_FINAL
    " THEN coalesce(t.heard, '') END"
    " AS heard,"
    " CASE WHEN s.worker IS DISTINCT FROM $1::uuid OR s.fence <> i.fence THEN 'lost'"
    " WHEN t.state <> 'running' THEN 'already'"
    " WHEN s.conversation_id <> i.conversation_id OR c.epoch <> i.epoch OR c.held_by IS NOT NULL"
    " THEN 'epoch'"
    " WHEN s.claimed <> i.claimed AND NOT i.final THEN 'newer' WHEN " HAS_MOVED
    " THEN 'moved' ELSE 'ok' END AS kind,"
    " i.events::text[] AS answered"
    " FROM input i JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = i.session_id"
    " JOIN conversations c ON c.tenant_id = i.tenant_id AND c.id = s.conversation_id"
    " CROSS JOIN LATERAL (SELECT * FROM turns x WHERE x.tenant_id = i.tenant_id"
    " AND x.id = i.turn_id OFFSET 0) AS t),"
    " seen AS MATERIALIZED (SELECT j.*, o.* FROM judged j CROSS JOIN LATERAL (SELECT"
    " coalesce(bool_or(x.provider_id <> ALL (j.answered)), false) AS more,"
    " array_agg(x.provider_id) FILTER (WHERE x.provider_id = ANY (j.answered)) AS settled,"
    " min(x.event_time) FILTER (WHERE x.provider_id = ANY (j.answered)) AS first_at,"
    " min(x.channel) AS channel, min(x.state) AS open_state FROM inbox_events x"
    " WHERE x.tenant_id = j.tenant_id AND x.session_id = j.session_id AND x.state = 'open'"
    " AND j.kind = 'ok') AS o),"
    " g AS (SELECT * FROM seen WHERE kind = 'ok'),"
    " events AS (UPDATE inbox_events e SET state = g.event_state, turn_id = g.turn_id,"
    " reason = CASE WHEN g.event_state = 'ended' THEN 'no_model' END, settled_at = "
    "clock_timestamp() FROM (SELECT g.*, u.provider_id FROM g CROSS JOIN LATERAL"
    " unnest(g.settled) AS u (provider_id)) AS g "
    "WHERE e.tenant_id = g.tenant_id AND e.channel = g.channel"
    " AND e.provider_id = g.provider_id AND e.session_id = g.session_id"
    " AND e.state = g.open_state),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, turn_id, event_time, heard) SELECT tenant_id, message_id, conversation_id, session_id,"
    " 'out', 'ai', body, turn_id, clock_timestamp(), heard FROM g WHERE body <> '' ORDER BY n),"
    /* What is spoken is on its way, unless it is known already what became of it. */
    " due AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
    " turn_id, author, via, epoch, state, reason, settled_at, answer_by, traceparent)"
    " SELECT g.tenant_id, g.delivery_id, g.conversation_id, g.session_id, g.delivery_seq + 1,"
    " g.message_id, g.turn_id, 'ai', CASE WHEN g.spoken THEN 'stream' WHEN g.mailed THEN 'mail' "
    "ELSE 'sms' END, g.epoch,"
    " CASE WHEN NOT g.spoken THEN 'pending' WHEN g.heard IS NULL THEN 'sending'"
    " WHEN g.heard = '' THEN 'suppressed' ELSE 'delivered' END,"
    " CASE WHEN g.heard = '' THEN 'unheard' END,"
    " CASE WHEN g.heard IS NOT NULL THEN clock_timestamp() END,"
    " g.first_at + g.answer_ms * interval '1 ms', g.traceparent FROM g WHERE g.body <> ''"
    " ORDER BY g.n),"
    " over AS (UPDATE turns t SET state = g.turn_state, outcome = g.outcome,"
    " error_code = g.error_code, passages = g.passages::jsonb, prompt = g.prompt::jsonb,"
    " reserved_day = NULL, finished_at = clock_timestamp()"
    " FROM g WHERE t.tenant_id = g.tenant_id AND t.id = g.turn_id),"
    " flag AS (UPDATE conversations c SET flagged = 'turn_failed' FROM g"
    " WHERE g.turn_state = 'failed' AND c.tenant_id = g.tenant_id AND c.id = g.conversation_id"
    " RETURNING 1),"
    " closed AS (UPDATE conversations c SET closed_at = clock_timestamp() FROM g"
    " WHERE g.ends AND NOT g.more AND c.tenant_id = g.tenant_id AND c.id = g.conversation_id"
    " AND c.closed_at IS NULL RETURNING 1),"
    " free AS (UPDATE channel_sessions s SET turn_id = NULL,"
    " delivery_seq = s.delivery_seq + (g.body <> '')::integer,"
    " due_at = CASE WHEN g.more THEN s.due_at END, burst_at = CASE WHEN g.more THEN s.burst_at END"
    " FROM g WHERE s.tenant_id = g.tenant_id AND s.id = g.session_id),"
    " back AS (UPDATE channel_sessions s SET worker = NULL,"
    " due_at = CASE WHEN j.held_by IS NULL THEN clock_timestamp() END FROM seen j"
    " WHERE j.kind = 'epoch' AND s.tenant_id = j.tenant_id AND s.id = j.session_id),"
    " rest AS (UPDATE turns t SET worker = NULL, reserved_day = NULL FROM seen j"
    " WHERE j.kind = 'epoch' AND t.tenant_id = j.tenant_id AND t.id = j.turn_id),"
    " used AS (SELECT j.tenant_id, j.turn_id, j.kind, coalesce(j.reserved_day,"
    " (now() AT TIME ZONE z.timezone)::date) AS day, k.tokens, k.cost,"
    " CASE WHEN j.kind = 'ok' THEN j.segments ELSE 0 END AS segments"
    " FROM seen j JOIN tenants z ON z.id = j.tenant_id CROSS JOIN LATERAL (SELECT"
    " coalesce(sum(coalesce(c.tokens_in, 0) + coalesce(c.tokens_out, 0)), 0) AS tokens,"
    " coalesce(sum(c.cost), 0) AS cost, count(*) AS calls FROM llm_calls c"
    " WHERE c.tenant_id = j.tenant_id AND c.turn_id = j.turn_id"
    " AND c.xmin = pg_current_xact_id_if_assigned()::xid) AS k" /* stored in this transaction */
    " WHERE j.kind = 'ok' OR k.calls > 0),"
    /* Of a turn that goes on, what is counted is not reserved any more. */
    " spent AS (UPDATE turns t SET reserved_tokens = greatest(0, t.reserved_tokens - x.tokens),"
    " reserved_cost = greatest(0, t.reserved_cost - x.cost) FROM used x"
    " WHERE x.kind IN ('newer', 'moved') AND t.tenant_id = x.tenant_id AND t.id = x.turn_id"
    " AND t.reserved_day IS NOT NULL),"
    " counted AS (INSERT INTO usage AS u (tenant_id, period, since, tokens, cost, segments)"
    " SELECT x.tenant_id, p.period, date_trunc(p.period, x.day::timestamp)::date,"
    " sum(x.tokens)::bigint, sum(x.cost)::bigint, sum(x.segments)::bigint"
    " FROM used x CROSS JOIN (VALUES ('day'), ('month')) AS p (period)"
    " WHERE (SELECT count(*) FROM flag) + (SELECT count(*) FROM closed) >= 0"
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 ON CONFLICT (tenant_id, period, since) DO UPDATE SET"
    " tokens = u.tokens + EXCLUDED.tokens, cost = u.cost + EXCLUDED.cost,"
    " segments = u.segments + EXCLUDED.segments)"
    " SELECT j.n, CASE WHEN j.more THEN 'more' ELSE j.kind END,"
    " coalesce(ceil(extract(epoch FROM j.due_at - clock_timestamp()) * 1000), 0)::bigint,"
    " j.due_at IS NOT NULL FROM seen j ORDER BY j.n";

static void add_calls(struct pg_unit *unit, struct arena *arena, const struct turn_commit *commits,
                      size_t count)
{
    struct calls_of_turn *turns = arena_alloc(arena, count * sizeof *turns);
    for (size_t i = 0; i < count; i++)
        turns[i] = (struct calls_of_turn){.tenant = commits[i].tenant,
                                          .turn = commits[i].turn,
                                          .calls = commits[i].calls,
                                          .count = commits[i].call_count};
    calls_add_store(unit, arena, turns, count);
}

static void add_triggers(struct pg_unit *unit, struct arena *arena, const char *worker,
                         const struct turn_commit *commits, size_t count)
{
    struct escalation_of_turn *rows = arena_alloc(arena, count * sizeof *rows);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (commits[i].trigger.reason != NULL || commits[i].trigger.if_repeated)
            rows[used++] = (struct escalation_of_turn){.tenant = commits[i].tenant,
                                                       .turn = commits[i].turn,
                                                       .fence = commits[i].fence,
                                                       .trigger = commits[i].trigger};
    if (used > 0)
        escalation_add_of_turns(unit, arena, worker, rows, used);
}

static void add_notes(struct pg_unit *unit, struct arena *arena, const struct turn_commit *commits,
                      size_t count)
{
    struct reception_keep *rows = arena_alloc(arena, count * sizeof *rows);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (commits[i].reception != NULL)
            rows[used++] = (struct reception_keep){.tenant = commits[i].tenant,
                                                   .session = commits[i].session,
                                                   .conversation = commits[i].conversation,
                                                   .turn = commits[i].turn,
                                                   .fence = commits[i].fence,
                                                   .record = *commits[i].reception};
    if (used > 0)
        reception_record_add_keep(unit, arena, rows, used);
}

/* The rest of what replies by mail are. */
static void add_mails(struct pg_unit *unit, struct arena *arena, const struct turn_commit *commits,
                      size_t count)
{
    struct delivery_mail_of *rows = arena_alloc(arena, count * sizeof *rows);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (commits[i].by_mail)
            rows[used++] = (struct delivery_mail_of){.tenant = commits[i].tenant,
                                                     .delivery = commits[i].delivery};
    if (used > 0)
        delivery_mail_add_made(unit, arena, rows, used);
}

static void add_ways(struct pg_unit *unit, struct arena *arena, const struct turn_commit *commits,
                     size_t count)
{
    struct voice_step_way *rows = arena_alloc(arena, count * sizeof *rows);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (commits[i].handoff != NULL || commits[i].lang != NULL)
            rows[used++] = (struct voice_step_way){.tenant = commits[i].tenant,
                                                   .turn = commits[i].turn,
                                                   .fence = commits[i].fence,
                                                   .sockets = commits[i].sockets,
                                                   .handoff = commits[i].handoff,
                                                   .lang = commits[i].lang};
    if (used > 0)
        voice_step_add_ways(unit, arena, rows, used);
}

/* Behind two of locks and the one of model calls. */
#define COMMIT_STATEMENT 3

void turn_add_commit(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct turn_commit *commits, size_t count)
{
    static const struct column kinds[] = {
        {offsetof(struct turn_commit, tenant), COLUMN_TEXT},
        {offsetof(struct turn_commit, session), COLUMN_UUID},
        {offsetof(struct turn_commit, conversation), COLUMN_UUID},
        {offsetof(struct turn_commit, turn), COLUMN_UUID},
        {offsetof(struct turn_commit, fence), COLUMN_INT},
        {offsetof(struct turn_commit, epoch), COLUMN_INT},
        {offsetof(struct turn_commit, claimed), COLUMN_INT},
        {offsetof(struct turn_commit, final), COLUMN_BOOL},
        {offsetof(struct turn_commit, events), COLUMN_TEXT},
        {offsetof(struct turn_commit, event_state), COLUMN_TEXT},
        {offsetof(struct turn_commit, turn_state), COLUMN_TEXT},
        {offsetof(struct turn_commit, outcome), COLUMN_TEXT},
        {offsetof(struct turn_commit, error_code), COLUMN_TEXT},
        {offsetof(struct turn_commit, body), COLUMN_TEXT},
        {offsetof(struct turn_commit, message), COLUMN_UUID},
        {offsetof(struct turn_commit, delivery), COLUMN_UUID},
        {offsetof(struct turn_commit, answer_within_ms), COLUMN_INT},
        {offsetof(struct turn_commit, traceparent), COLUMN_TEXT},
        {offsetof(struct turn_commit, ends), COLUMN_BOOL},
        {offsetof(struct turn_commit, passages), COLUMN_TEXT},
        {offsetof(struct turn_commit, prompt), COLUMN_TEXT},
        {offsetof(struct turn_commit, segments), COLUMN_INT},
        {offsetof(struct turn_commit, sockets), COLUMN_INT},
    };
    const struct column_rows rows = {commits, sizeof *commits, count};
    turn_add_locks(unit, arena, &rows, kinds);
    add_calls(unit, arena, commits, count);
    struct pg_statement *statement = pg_add(unit, turn_commit_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &rows, kinds, COLUMNS(kinds));
    add_mails(unit, arena, commits, count);
    add_ways(unit, arena, commits, count);
    add_notes(unit, arena, commits, count);
    add_triggers(unit, arena, worker, commits, count);
}

bool turn_read_committed(const struct pg_answer *answer, int row, struct turn_committed *out)
{
    static const char *const words[] = {"ok", "more", "newer", "epoch", "lost", "moved", NULL};
    const struct pg_result *r = answer->results;
    const int s = COMMIT_STATEMENT;
    if (row >= pg_rows(r, s))
        return false;
    const char *word = pg_text(r, s, row, 1);
    bool due = pg_bool(r, s, row, 3);
    out->index = (size_t)pg_int(r, s, row, 0) - 1;
    out->due_in_ms = pg_int(r, s, row, 2);
    if (strcmp(word, "already") == 0)
        out->kind = due ? TURN_COMMITTED_MORE : TURN_COMMITTED;
    else
        out->kind = (enum turn_commit_kind)turn_word_index(words, word);
    return true;
}
