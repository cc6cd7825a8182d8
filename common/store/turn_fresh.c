/* The start of a turn in the unit of its claim, where a caller waits: see turn.h and docs/VOICE.md.
 * It looks for nothing but the plain case, a third of what the start in turn.c costs: most of that
 * is PostgreSQL's preparing of parts which a fresh turn has no use for. Used by the voice lane
 * only. */
#include "store/turn.h"
#include "store/turn_inside.h"

/* Not where a turn is at work, or was when its worker died, where a person has the conversation, or
 * where something became too old: the start in turn.c judges those. */
static const char fresh_sql[] =
    "WITH j AS MATERIALIZED (SELECT i.n, i.tenant_id, i.session_id, i.new_turn_id, s.fence,"
    " s.claimed, s.turn_number, s.kind AS channel, s.call_sid, s.stream_partition,"
    " s.remote_address, ch.address AS ours, c.epoch, c.contact_id,"
    " s.conversation_id AS now_conversation, ch.assistant_id, a.current_version,"
    " o.events[1:50] AS events, o.message_ids[1:50] AS message_ids, o.traceparent"
    " FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY"
    " AS i (tenant_id, session_id, new_turn_id, n)"
    " JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = i.session_id"
    " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " JOIN assistants a ON a.tenant_id = ch.tenant_id AND a.id = ch.assistant_id"
    " CROSS JOIN LATERAL (SELECT array_agg(e.provider_id) AS events,"
    " array_agg(e.message_id) AS message_ids, min(e.traceparent) AS traceparent,"
    " bool_or(e.claim_id = $7::uuid) AS is_claimed,"
    " bool_or(e.event_time < " TURN_OLDEST_SQL(
        "$6") ") AS stale"
              " FROM (SELECT x.provider_id, x.message_id, x.traceparent, x.event_time, x.claim_id"
              " FROM inbox_events x WHERE x.tenant_id = i.tenant_id AND x.session_id = i.session_id"
              " AND x.state = 'open' ORDER BY x.claimed_at) AS e) AS o"
              " WHERE s.worker = $1::uuid AND c.held_by IS NULL AND o.events IS NOT NULL AND NOT "
              "o.stale AND coalesce(o.is_claimed, true)"
              " AND NOT EXISTS (SELECT FROM turns t WHERE t.tenant_id = s.tenant_id AND t.id = "
              "s.turn_id"
              " AND t.state = 'running')),"
              " raised AS (UPDATE channel_sessions s SET fence = s.fence + 1, turn_id = "
              "j.new_turn_id,"
              " turn_number = s.turn_number + 1 FROM j WHERE s.tenant_id = j.tenant_id"
              " AND s.id = j.session_id),"
              " made AS (INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, "
              "state,"
              " worker, fence, epoch, assistant_id, assistant_version, deadline_at, traceparent, "
              "answers)"
              " SELECT tenant_id, new_turn_id, session_id, now_conversation, turn_number + 1, "
              "'running',"
              " $1::uuid, fence + 1, epoch, assistant_id, current_version,"
              " clock_timestamp() + $5::bigint * interval '1 ms', traceparent, events FROM j)"
              /* As turn_read_started reads it. */
              " SELECT j.n, 'run', j.new_turn_id, j.now_conversation, j.fence + 1, j.epoch, "
              "j.claimed,"
              " $5::bigint, 0, 0, j.events, " TURN_CONTEXT_SQL(
                  "$6") ", j.assistant_id, j.current_version,"
                        " j.traceparent, NULL::json, NULL::integer, j.contact_id, " TURN_SUMMARY_SQL
                        ", " TURN_EARLIER_SQL ", " TURN_RECEPTION_SQL
                        ", j.call_sid, j.stream_partition,"
                        " j.turn_number + 1, false, NULL::text, NULL::text, NULL::text[],"
                        " EXISTS (SELECT FROM kb_documents d WHERE d.tenant_id = j.tenant_id), "
                        "j.remote_address,"
                        " " TURN_TEXT_NUMBER_SQL ", j.channel, false, " TURN_ATTESTATION_SQL
                        " FROM j ORDER BY j.n";

void turn_add_fresh(struct pg_unit *unit, struct arena *arena, const char *worker,
                    const struct turn_start *starts, size_t count, const struct turn_times *times,
                    const char *claim)
{
    static const struct column kinds[] = {
        {offsetof(struct turn_start, tenant), COLUMN_TEXT},
        {offsetof(struct turn_start, session), COLUMN_UUID},
        {offsetof(struct turn_start, turn), COLUMN_UUID},
    };
    struct pg_statement *statement = pg_add(unit, fresh_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &(struct column_rows){starts, sizeof *starts, count}, kinds,
                COLUMNS(kinds));
    pg_param(statement, arena_printf(arena, "%lld", (long long)times->deadline_ms));
    pg_param(statement, arena_printf(arena, "%lld", (long long)times->answer_within_ms));
    pg_param(statement, claim);
}

const char *const turn_fresh_statements[] = {fresh_sql, NULL};
