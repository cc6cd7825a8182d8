/* The SQL of calls in webhook mode: see voice_step.h. The engine's voice lane calls it. */
#include "store/voice_step.h"

#include "store/columns.h"

/* In the order of the steps, whatever order they come in; of one request that came twice, the later
 * one: its ingress waits. */
static const char steps_sql[] =
    "WITH input AS (SELECT DISTINCT ON (t.tenant_id, t.session_id) t.*"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])"
    " WITH ORDINALITY AS t (tenant_id, session_id, call_sid, step, wait, partition, n)"
    " ORDER BY t.tenant_id, t.session_id, t.step DESC, t.wait DESC, t.n DESC),"
    " seen AS MATERIALIZED (SELECT i.*, i.step > s.step AS is_next FROM input i"
    " JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = i.session_id"
    " WHERE (i.step, i.wait) >= (s.step, s.step_wait)),"
    " heard AS (UPDATE deliveries d SET state = 'delivered', settled_at = clock_timestamp()"
    " FROM (SELECT y.* FROM seen x CROSS JOIN LATERAL (SELECT d.tenant_id, d.id"
    " FROM deliveries d WHERE d.tenant_id = x.tenant_id AND d.session_id = x.session_id"
    " AND d.via = 'stream' AND d.state = 'sending' OFFSET 0) AS y WHERE x.is_next) AS k"
    " WHERE d.tenant_id = k.tenant_id AND d.id = k.id RETURNING d.tenant_id, d.message_id),"
    " kept AS (UPDATE messages m SET heard = m.body FROM heard h"
    " WHERE m.tenant_id = h.tenant_id AND m.id = h.message_id)"
    " UPDATE channel_sessions s SET call_sid = x.call_sid,"
    " stream_partition = x.partition::integer, step = x.step::integer,"
    " step_wait = x.wait::integer, call_at = clock_timestamp()"
    " FROM seen x WHERE s.tenant_id = x.tenant_id AND s.id = x.session_id";

/* The turn that a step was answered by; of one that nobody said anything in, the word to a caller
 * whom nobody has taken over the telephone, until a step proves that he heard it. A reply of before
 * a takeover is not given out any more. */
static const char answers_sql[] =
    "SELECT i.n, t.id, t.number, t.fence, d.epoch, m.body, coalesce(t.handoff, ''),"
    " coalesce(t.lang, '')"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) WITH ORDINALITY"
    " AS i (tenant_id, session_id, call_sid, step, n)"
    " JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = i.session_id"
    " AND s.ended_at IS NULL"
    " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id"
    " AND c.held_by IS NULL"
    " LEFT JOIN LATERAL (SELECT x.provider_id, x.turn_id FROM inbox_events x"
    " WHERE x.tenant_id = i.tenant_id AND x.channel = 'voice'"
    " AND x.provider_id = i.call_sid || ':' || i.step AND x.session_id = i.session_id OFFSET 0)"
    " AS e ON true"
    " CROSS JOIN LATERAL (SELECT x.* FROM turns x WHERE x.tenant_id = s.tenant_id"
    " AND x.session_id = s.id AND x.state <> 'running' AND CASE WHEN e.provider_id IS NOT NULL"
    " THEN x.id = e.turn_id ELSE x.number = s.turn_number AND x.outcome = 'transfer' END"
    " OFFSET 0) AS t"
    " CROSS JOIN LATERAL (SELECT x.epoch, x.message_id FROM deliveries x"
    " WHERE x.tenant_id = t.tenant_id AND x.session_id = t.session_id AND x.turn_id = t.id"
    " AND x.via = 'stream' AND x.state <> 'suppressed' AND x.epoch = c.epoch OFFSET 0) AS d"
    " CROSS JOIN LATERAL (SELECT x.body FROM messages x WHERE x.tenant_id = s.tenant_id"
    " AND x.id = d.message_id OFFSET 0) AS m";

static const char ways_sql[] =
    "WITH way AS MATERIALIZED (SELECT i.*, t.session_id, t.sockets <= i.sockets AS is_here"
    " FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[])"
    " AS i (tenant_id, turn_id, fence, handoff, lang, sockets) CROSS JOIN LATERAL (SELECT x.*"
    " FROM turns x WHERE x.tenant_id = i.tenant_id AND x.id = i.turn_id AND x.fence = i.fence"
    " AND x.state = 'finished' OFFSET 0) AS t),"
    " held AS (UPDATE channel_sessions s SET language = w.lang FROM way w WHERE w.lang IS NOT NULL"
    " AND w.is_here AND s.tenant_id = w.tenant_id AND s.id = w.session_id)"
    " UPDATE turns t SET handoff = w.handoff, lang = w.lang FROM way w"
    " WHERE t.tenant_id = w.tenant_id AND t.id = w.turn_id";

static const struct column columns[] = {
    {offsetof(struct voice_step, tenant), COLUMN_TEXT},
    {offsetof(struct voice_step, session), COLUMN_UUID},
    {offsetof(struct voice_step, call_sid), COLUMN_TEXT},
    {offsetof(struct voice_step, step), COLUMN_INT},
    {offsetof(struct voice_step, wait), COLUMN_INT},
    {offsetof(struct voice_step, partition), COLUMN_INT},
};
#define WHICH 4 /* of them say which step */

void voice_step_add(struct pg_unit *unit, struct arena *arena, const struct voice_step *steps,
                    size_t count)
{
    columns_add(pg_add(unit, steps_sql), arena, &(struct column_rows){steps, sizeof *steps, count},
                columns, COLUMNS(columns));
}

void voice_step_add_answers(struct pg_unit *unit, struct arena *arena,
                            const struct voice_step *steps, size_t count)
{
    columns_add(pg_add(unit, answers_sql), arena,
                &(struct column_rows){steps, sizeof *steps, count}, columns, WHICH);
}

bool voice_step_read_answer(const struct pg_answer *answer, int s, int row,
                            struct voice_step_answer *out)
{
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, s))
        return false;
    *out = (struct voice_step_answer){.index = (size_t)pg_int(r, s, row, 0) - 1,
                                      .turn = pg_uuid(r, s, row, 1),
                                      .number = pg_int(r, s, row, 2),
                                      .fence = pg_int(r, s, row, 3),
                                      .epoch = pg_int(r, s, row, 4),
                                      .text = pg_text(r, s, row, 5),
                                      .handoff = pg_text(r, s, row, 6),
                                      .lang = pg_text(r, s, row, 7)};
    return true;
}

void voice_step_add_ways(struct pg_unit *unit, struct arena *arena,
                         const struct voice_step_way *ways, size_t count)
{
    static const struct column kinds[] = {
        {offsetof(struct voice_step_way, tenant), COLUMN_TEXT},
        {offsetof(struct voice_step_way, turn), COLUMN_UUID},
        {offsetof(struct voice_step_way, fence), COLUMN_INT},
        {offsetof(struct voice_step_way, handoff), COLUMN_TEXT},
        {offsetof(struct voice_step_way, lang), COLUMN_TEXT},
        {offsetof(struct voice_step_way, sockets), COLUMN_INT},
    };
    columns_add(pg_add(unit, ways_sql), arena, &(struct column_rows){ways, sizeof *ways, count},
                kinds, COLUMNS(kinds));
}

const char *const voice_step_statements[] = {steps_sql, answers_sql, ways_sql, NULL};
