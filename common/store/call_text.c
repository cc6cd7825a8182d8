/* The SQL of texts to a caller: see call_text.h. The engine's tool adds it. */
#include "store/call_text.h"

#include "store/turn_inside.h"
#include "store/usage_inside.h"

/* The segments that are spent or reserved; no row without a limit. */
#define USED_SQL                                                                                   \
    "SELECT coalesce(d.segments, 0) + h.day AS day, coalesce(m.segments, 0) + h.month AS month"    \
    " FROM (SELECT z.id, (now() AT TIME ZONE z.timezone)::date AS day,"                            \
    " date_trunc('month', now() AT TIME ZONE z.timezone)::date AS month FROM tenants z"            \
    " WHERE z.id = $1::uuid AND ($11::bigint >= 0 OR $12::bigint >= 0)) AS f"                      \
    " LEFT JOIN usage d ON d.tenant_id = f.id AND d.period = 'day' AND d.since = f.day"            \
    " LEFT JOIN usage m ON m.tenant_id = f.id AND m.period = 'month' AND m.since = f.month"        \
    " CROSS JOIN LATERAL (SELECT"                                                                  \
    " coalesce(sum(r.segments) FILTER (WHERE r.day = f.day), 0) AS day,"                           \
    " coalesce(sum(r.segments), 0) AS month FROM " USAGE_HELD_SQL("f.id", "f.month") " AS r) AS h"

/* A text is no part of the turn's reply: its rows name no turn, its delivery has the tool call's
 * id. Its session stays where it is if that conversation is open: the call's may have been closed
 * meanwhile, and the person's next one may be held. The rows of usage are locked behind all others,
 * by key, as in a commit. Where segments have a limit, what turns have reserved is not left for a
 * text, and the tenant's lock is in front: no two take the same rest. */
static const char text_sql[] =
    "WITH begun AS (SELECT k.tenant_id, k.id, t.session_id AS call_id, t.conversation_id, c.epoch"
    " FROM tool_calls k JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
    " JOIN conversations c ON c.tenant_id = t.tenant_id AND c.id = t.conversation_id"
    " WHERE k.tenant_id = $1::uuid AND k.id = $2::uuid AND k.state = 'started'"
    " AND k.xmin = pg_current_xact_id_if_assigned()::xid)," /* in this transaction: round.h */
    " judged AS MATERIALIZED (SELECT b.*, ch.id AS channel_id, CASE"
    " WHEN EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = b.tenant_id AND d.id = b.id)"
    " THEN 'sent'"
    " WHEN ch.id IS NULL THEN 'no_number'"
    " WHEN EXISTS (SELECT FROM consents o WHERE o.tenant_id = b.tenant_id AND o.sender = $5::text"
    " AND o.address = $6::text AND o.state = 'opted_out') THEN 'opted_out'"
    " WHEN (SELECT count(*) FROM turns u JOIN tool_calls o ON o.tenant_id = u.tenant_id"
    " AND o.turn_id = u.id JOIN deliveries d ON d.tenant_id = o.tenant_id AND d.id = o.id"
    " WHERE u.tenant_id = b.tenant_id AND u.session_id = b.call_id) >= $10::bigint THEN 'enough'"
    " WHEN EXISTS (SELECT FROM (" USED_SQL ") AS x WHERE x.day >= nullif($11::bigint, -1)"
    " OR x.month >= nullif($12::bigint, -1)) THEN 'spent'"
    " ELSE 'new' END AS kind FROM begun b LEFT JOIN channels ch ON ch.tenant_id = b.tenant_id"
    " AND ch.kind = 'sms' AND ch.address = $5::text AND ch.removed_at IS NULL),"
    " g AS (SELECT * FROM judged WHERE kind = 'new'),"
    " place AS (INSERT INTO channel_sessions AS s (tenant_id, id, conversation_id, channel_id, "
    "kind,"
    " remote_address, delivery_seq) SELECT tenant_id, $3::uuid, conversation_id, channel_id, 'sms',"
    " $6::text, 1 FROM g ON CONFLICT (tenant_id, id) DO UPDATE"
    " SET conversation_id = coalesce((SELECT c.id FROM conversations c"
    " WHERE c.tenant_id = s.tenant_id AND c.id = s.conversation_id AND c.closed_at IS NULL),"
    " EXCLUDED.conversation_id), delivery_seq = s.delivery_seq + 1"
    " RETURNING s.delivery_seq),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, event_time) SELECT tenant_id, $4::uuid, conversation_id, $3::uuid, 'out', 'ai',"
    " $7::text, clock_timestamp() FROM g),"
    " due AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
    " author, via, epoch, state, answer_by) SELECT g.tenant_id, g.id, g.conversation_id, $3::uuid,"
    " p.delivery_seq, $4::uuid, 'ai', 'sms', g.epoch, 'pending',"
    " clock_timestamp() + $9::bigint * interval '1 ms' FROM g CROSS JOIN place p RETURNING 1),"
    " counted AS (INSERT INTO usage AS u (tenant_id, period, since, segments)"
    " SELECT g.tenant_id, p.period,"
    " date_trunc(p.period, (now() AT TIME ZONE z.timezone)::date::timestamp)::date, $8::bigint"
    " FROM g JOIN tenants z ON z.id = g.tenant_id CROSS JOIN (VALUES ('day'), ('month'))"
    " AS p (period) WHERE (SELECT count(*) FROM due) > 0 ORDER BY 1, 2, 3"
    " ON CONFLICT (tenant_id, period, since) DO UPDATE"
    " SET segments = u.segments + EXCLUDED.segments)"
    " SELECT CASE kind WHEN 'new' THEN 'sent' ELSE kind END FROM judged";

static const char *id_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

void call_text_add(struct pg_unit *unit, struct arena *arena, const struct call_text *text)
{
    const int64_t day = text->limits.day.segments, month = text->limits.month.segments;
    if (day >= 0 || month >= 0)
        usage_add_lock(unit, arena, text->tenant);
    struct pg_statement *statement = pg_add(unit, text_sql);
    pg_param(statement, text->tenant);
    pg_param(statement, id_text(arena, &text->id));
    pg_param(statement, id_text(arena, &text->session));
    pg_param(statement, id_text(arena, &text->message));
    pg_param(statement, text->from);
    pg_param(statement, text->to);
    pg_param(statement, text->body);
    pg_param(statement, arena_printf(arena, "%lld", (long long)text->segments));
    pg_param(statement, arena_printf(arena, "%lld", (long long)text->answer_within_ms));
    pg_param(statement, arena_printf(arena, "%d", CALL_TEXTS_MAX));
    pg_param(statement, arena_printf(arena, "%lld", (long long)day));
    pg_param(statement, arena_printf(arena, "%lld", (long long)month));
}

enum call_text_kind call_text_read(const struct pg_answer *answer)
{
    static const char *const words[] = {"sent", "opted_out", "no_number", "enough", "spent", NULL};
    const char *word = pg_text(answer->results, answer->count - 1, 0, 0);
    return (enum call_text_kind)turn_word_index(words, word);
}
