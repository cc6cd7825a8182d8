/* The claim of what a caller says, where nothing else is to be looked at. Two statements, and a
 * start behind them, instead of ten: a caller waits for them, and what the whole claim has for
 * words of consent, codes of a rota and new contacts takes PostgreSQL longer than the rest. The
 * engine's voice lane calls it. */
#include "store/inbox_call.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/inbox_inside.h"

/* The address is this claim's alone, where others share it: whoever else claims something of the
 * caller is through or comes behind, so that no inbox row is waited for while rows are held that
 * stand behind it in the order of all locks. */
static const char lock_address_sql[] = "SELECT pg_advisory_xact_lock($1::bigint)::text";

/* What decides is a column of the row that is written, and is read again if somebody had it:
 * conversation, then session. */
static const char take_sql[] =
    "WITH plain AS MATERIALIZED (SELECT s.id, s.conversation_id, c.contact_id"
    " FROM channel_sessions s"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id"
    " JOIN contact_addresses a ON a.tenant_id = s.tenant_id AND a.kind = 'phone'"
    " AND a.address = $5::text"
    " WHERE s.tenant_id = $2::uuid AND s.id = $6::uuid AND s.ended_at IS NULL"
    " AND ch.kind = 'voice' AND ch.removed_at IS NULL AND ch.address = $4::text"
    " AND a.contact_id = c.contact_id"
    " AND $10::timestamptz >= clock_timestamp() - $16::bigint * interval '1 ms'"
    " AND NOT EXISTS (SELECT FROM inbox_events e WHERE e.tenant_id = s.tenant_id"
    " AND e.channel = 'voice' AND e.provider_id = $3::text)"
    " AND NOT EXISTS (SELECT FROM erasures x WHERE x.tenant_id = s.tenant_id"
    " AND x.address_hash = $8::uuid AND x.erased_at >= $10::timestamptz)),"
    " touched AS (UPDATE conversations c SET last_activity_at = clock_timestamp() FROM plain p"
    " WHERE c.tenant_id = $2::uuid AND c.id = p.conversation_id AND c.contact_id = p.contact_id"
    " AND c.closed_at IS NULL AND c.held_by IS NULL"
    " AND c.last_activity_at >= clock_timestamp() - $17::bigint * interval '1 ms' RETURNING c.id),"
    " armed AS (UPDATE channel_sessions s SET claimed = s.claimed + 1, worker = $15::uuid,"
    " burst_at = CASE WHEN s.due_at IS NULL THEN clock_timestamp()"
    " ELSE coalesce(s.burst_at, clock_timestamp()) END,"
    " due_at = CASE WHEN s.due_at IS NULL THEN clock_timestamp()"
    " ELSE least(clock_timestamp(), coalesce(s.burst_at, clock_timestamp())) END,"
    " call_sid = $13::text, stream_partition = $14::integer, call_at = clock_timestamp()"
    " FROM plain p, touched t WHERE s.tenant_id = $2::uuid AND s.id = p.id"
    " AND s.conversation_id = t.id AND s.ended_at IS NULL"
    " RETURNING s.id, s.conversation_id, least($10::timestamptz, clock_timestamp()) AS event_time),"
    " made AS (INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id,"
    " address_hash, content_hash, state, claim_id, event_time, traceparent)"
    " SELECT $2::uuid, 'voice', $3::text, s.id, $7::uuid, $8::uuid, $9::bytea, 'open', $1::uuid,"
    " s.event_time, nullif($11::text, '') FROM armed s ON CONFLICT DO NOTHING)"
    " INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
    " provider_id, event_time) SELECT $2::uuid, $7::uuid, s.conversation_id, s.id, 'in', 'contact',"
    " $12::text, $3::text, s.event_time FROM armed s ON CONFLICT DO NOTHING";

static const char *id_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *time_text(struct arena *arena, int64_t ms)
{
    char *text = arena_alloc(arena, CLOCK_RFC3339_SIZE);
    clock_format_rfc3339(ms, text);
    return text;
}

static const char *bytes_text(struct arena *arena, const void *bytes, size_t length)
{
    struct strbuf text;
    strbuf_init(&text, 256);
    strbuf_add_text(&text, "\\x");
    text_add_hex(&text, bytes, length);
    const char *literal = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return literal;
}

const char *inbox_call_add(struct pg_unit *unit, struct arena *arena, const char *worker,
                           const struct inbox_call *call)
{
    const struct inbox_event *event = call->event;
    const struct uuid id = uuid_new();
    const char *claim = id_text(arena, &id);
    inbox_add(unit, lock_address_sql, (const char *[]){inbox_lock_key(arena, event), NULL});
    inbox_add(unit, take_sql,
              (const char *[]){claim, event->tenant, event->provider_id, event->sender,
                               event->address, id_text(arena, &event->session),
                               id_text(arena, &event->message),
                               id_text(arena, &event->address_hash),
                               bytes_text(arena, event->content_hash, sizeof event->content_hash),
                               time_text(arena, event->event_time_ms), event->traceparent,
                               event->body, call->call_sid, inbox_number(arena, call->partition),
                               worker, inbox_number(arena, call->answer_within_ms),
                               inbox_number(arena, call->quiet_ms), NULL});
    return claim;
}

const char *const inbox_call_statements[] = {lock_address_sql, take_sql, NULL};
