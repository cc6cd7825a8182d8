/* What the claims of texts, calls and mails have in common: statements in which only the kind of
 * the contact's address and our own address differ, and the parameters of a batch. Included by
 * inbox.c, inbox_call.c and inbox_mail.c only. Loop thread. */
#ifndef DESK_STORE_INBOX_INSIDE_H
#define DESK_STORE_INBOX_INSIDE_H

#include "store/inbox.h"

/* One claim at a time per contact: two claims cannot both open its next conversation. */
#define INBOX_LOCK_CONTACTS_SQL(kind)                                                              \
    "SELECT 1 FROM contacts c WHERE (c.tenant_id, c.id) IN ("                                      \
    " SELECT a.tenant_id, a.contact_id FROM unnest($1::uuid[], $2::text[])"                        \
    " AS i (tenant_id, address) CROSS JOIN LATERAL (SELECT x.tenant_id, x.contact_id"              \
    " FROM contact_addresses x WHERE x.tenant_id = i.tenant_id AND x.kind = '" kind "'"            \
    " AND x.address = i.address OFFSET 0) AS a)"                                                   \
    " ORDER BY c.tenant_id, c.id FOR NO KEY UPDATE"

/* Locks the open conversations of those who wrote, in their order, and touches them; one that was
 * quiet too long ends here, unless a person holds it. What is decided is decided by columns of the
 * locked row, which are read again if somebody had it. */
#define INBOX_TOUCH_SQL(kind)                                                                      \
    "WITH mine AS MATERIALIZED (SELECT a.tenant_id, a.contact_id,"                                 \
    " e.reason IS NOT DISTINCT FROM 'loop' AS looping"                                             \
    " FROM unnest($2::uuid[], $3::text[], $5::text[], $6::text[])"                                 \
    " AS i (tenant_id, provider_id, address, channel)"                                             \
    " CROSS JOIN LATERAL (SELECT x.tenant_id, x.contact_id FROM contact_addresses x"               \
    " WHERE x.tenant_id = i.tenant_id AND x.kind = '" kind "' AND x.address = i.address OFFSET 0)" \
    " AS a"                                                                                        \
    " CROSS JOIN LATERAL (SELECT x.reason FROM inbox_events x"                                     \
    " WHERE x.tenant_id = i.tenant_id AND x.channel = i.channel"                                   \
    " AND x.provider_id = i.provider_id AND x.claim_id = $1::uuid"                                 \
    " AND x.reason IS DISTINCT FROM 'erased' OFFSET 0) AS e),"                                     \
    " locked AS MATERIALIZED (SELECT c.tenant_id, c.id FROM conversations c"                       \
    " WHERE c.closed_at IS NULL AND (c.tenant_id, c.contact_id) IN"                                \
    " (SELECT m.tenant_id, m.contact_id FROM mine m)"                                              \
    " ORDER BY c.tenant_id, c.id FOR NO KEY UPDATE)"                                               \
    " UPDATE conversations c SET"                                                                  \
    " closed_at = CASE WHEN c.held_by IS NULL AND"                                                 \
    " c.last_activity_at < clock_timestamp() - $4::bigint * interval '1 ms'"                       \
    " THEN clock_timestamp() END,"                                                                 \
    " last_activity_at = CASE WHEN c.held_by IS NULL AND"                                          \
    " c.last_activity_at < clock_timestamp() - $4::bigint * interval '1 ms'"                       \
    " THEN c.last_activity_at ELSE clock_timestamp() END,"                                         \
    " flagged = CASE WHEN (c.tenant_id, c.contact_id) IN (SELECT m.tenant_id, m.contact_id"        \
    " FROM mine m WHERE m.looping) THEN 'loop' ELSE c.flagged END"                                 \
    " FROM locked l WHERE c.tenant_id = l.tenant_id AND c.id = l.id"

/* Everything else, with contact and conversation locked. A start word is recorded although it opts
 * nobody in again: the provider may just be telling us of an opt-out that is older. Of words that
 * come as they were written the last one counts, also where the customer's word before it has a
 * later time (a clock was wrong), a stop word whoever's was before it; a replayed one counts by its
 * time alone. A conversation
 * that a person holds keeps its events open but arms no session: hand-back does. A redelivered
 * event that is still open re-arms its session and names us. What insert_sql took is finished also
 * if its channel has been removed since: the reply is suppressed at its claim, and the text can be
 * read. The session is the inbox row's: insert_sql may know a better one than the event.
 * `sender`: our address, of an input `k`; `types`, `names` and `values`: further columns of a
 * message, in the input from $17 on. */
#define INBOX_ARM_SQL(kind, sender, types, names, values)                                          \
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[],"          \
    " $6::text[], $7::jsonb[], $8::uuid[], $9::uuid[], $10::text[], $14::bigint[], "               \
    "$15::text[], $16::boolean[]" types ")"                                                        \
    " WITH ORDINALITY AS t (tenant_id, provider_id, sender, address, body, media, made_session,"   \
    " conversation_id, word, place, channel, replay" names ", n)),"                                \
    " known AS MATERIALIZED (SELECT i.*, e.state, e.reason, e.message_id, e.event_time,"           \
    " e.session_id, e.claim_id = $1::uuid AS fresh FROM input i"                                   \
    " JOIN inbox_events e ON e.tenant_id = i.tenant_id AND e.channel = i.channel"                  \
    " AND e.provider_id = i.provider_id)," /* talk: the contact's open conversation, or the one    \
                                              that the first of its texts opens. */                \
    " mine AS MATERIALIZED (SELECT k.*, a.contact_id, ch.id AS channel_id,"                        \
    " c.id IS NULL AS opens, c.held_by, coalesce(c.id, first_value(k.conversation_id)"             \
    " OVER (PARTITION BY k.tenant_id, a.contact_id ORDER BY k.n)) AS talk FROM known k"            \
    " CROSS JOIN LATERAL (SELECT x.contact_id FROM contact_addresses x"                            \
    " WHERE x.tenant_id = k.tenant_id AND x.kind = '" kind "' AND x.address = k.address OFFSET 0)" \
    " AS a"                                                                                        \
    " CROSS JOIN LATERAL (SELECT c.id FROM channels c WHERE c.tenant_id = k.tenant_id"             \
    " AND c.kind = k.channel AND c.address = " sender                                              \
    " ORDER BY c.removed_at DESC NULLS FIRST LIMIT 1) ch"                                          \
    " LEFT JOIN conversations c ON c.tenant_id = k.tenant_id AND c.contact_id = a.contact_id"      \
    " AND c.closed_at IS NULL"                                                                     \
    " WHERE k.fresh AND k.reason IS DISTINCT FROM 'erased'),"                                      \
    " opened AS (INSERT INTO conversations (tenant_id, id, contact_id, flagged)"                   \
    " SELECT m.tenant_id, m.talk, m.contact_id,"                                                   \
    " CASE WHEN bool_or(m.reason = 'loop') THEN 'loop' END FROM mine m WHERE m.opens"              \
    " GROUP BY m.tenant_id, m.talk, m.contact_id ORDER BY m.tenant_id, m.contact_id),"             \
    " per_session AS (SELECT m.tenant_id, m.session_id, (array_agg(m.talk))[1] AS "                \
    "conversation_id,"                                                                             \
    " (array_agg(m.channel_id))[1] AS channel_id, min(m.address) AS address,"                      \
    " min(m.channel) AS kind,"                                                                     \
    " bool_or(m.state = 'open') AND bool_and(m.held_by IS NULL) AS arm"                            \
    " FROM mine m GROUP BY m.tenant_id, m.session_id),"                                            \
    " armed AS (INSERT INTO channel_sessions AS s (tenant_id, id, conversation_id, channel_id, "   \
    "kind,"                                                                                        \
    " remote_address, claimed, worker, burst_at, due_at)"                                          \
    " SELECT tenant_id, session_id, conversation_id, channel_id, kind, address, 1,"                \
    " CASE WHEN arm THEN $11::uuid END, CASE WHEN arm THEN clock_timestamp() END,"                 \
    " CASE WHEN arm THEN clock_timestamp()"                                                        \
    " + least($12::bigint, $13::bigint) * interval '1 ms' END"                                     \
    " FROM per_session ORDER BY tenant_id, session_id"                                             \
    " ON CONFLICT (tenant_id, id) DO UPDATE SET conversation_id = EXCLUDED.conversation_id,"       \
    " claimed = s.claimed + CASE WHEN EXCLUDED.due_at IS NULL THEN 0 ELSE 1 END,"                  \
    " worker = coalesce(EXCLUDED.worker, s.worker),"                                               \
    " burst_at = CASE WHEN EXCLUDED.due_at IS NULL THEN s.burst_at"                                \
    " WHEN s.due_at IS NULL THEN EXCLUDED.burst_at"                                                \
    " ELSE coalesce(s.burst_at, EXCLUDED.burst_at) END,"                                           \
    " due_at = CASE WHEN EXCLUDED.due_at IS NULL THEN s.due_at"                                    \
    " WHEN s.due_at IS NULL THEN EXCLUDED.due_at"                                                  \
    " ELSE least(EXCLUDED.due_at, coalesce(s.burst_at, EXCLUDED.burst_at)"                         \
    " + $13::bigint * interval '1 ms') END)," /* Locked in their order first: a start locks many   \
                                                 without a contact. */                             \
    " again AS MATERIALIZED (SELECT s.tenant_id, s.id FROM channel_sessions s"                     \
    " WHERE (s.tenant_id, s.id) IN (SELECT k.tenant_id, k.session_id FROM known k"                 \
    " WHERE NOT k.fresh AND k.state = 'open')"                                                     \
    " AND NOT EXISTS (SELECT FROM per_session p WHERE p.tenant_id = s.tenant_id"                   \
    " AND p.session_id = s.id)"                                                                    \
    " AND NOT EXISTS (SELECT FROM conversations c WHERE c.tenant_id = s.tenant_id"                 \
    " AND c.id = s.conversation_id AND c.held_by IS NOT NULL)"                                     \
    " ORDER BY s.tenant_id, s.id FOR NO KEY UPDATE OF s),"                                         \
    " rearmed AS (UPDATE channel_sessions s SET worker = $11::uuid,"                               \
    " due_at = greatest(coalesce(s.due_at, clock_timestamp()),"                                    \
    " (SELECT w.lease_until FROM workers w WHERE w.id = s.worker AND w.id <> $11::uuid"            \
    " AND NOT w.dead))"                                                                            \
    " FROM again a WHERE s.tenant_id = a.tenant_id AND s.id = a.id),"                              \
    " consent AS (INSERT INTO consents AS c (tenant_id, sender, address, state, source, "          \
    "changed_at)"                                                                                  \
    " SELECT DISTINCT ON (m.tenant_id, m.sender, m.address) m.tenant_id, m.sender, m.address,"     \
    " CASE m.word WHEN 'stop' THEN 'opted_out' ELSE 'opted_in' END, 'customer',"                   \
    " CASE WHEN m.replay THEN m.event_time ELSE greatest(m.event_time,"                            \
    " (SELECT max(o.changed_at) FROM consents o WHERE o.tenant_id = m.tenant_id"                   \
    " AND o.sender = m.sender AND o.address = m.address"                                           \
    " AND (m.word = 'stop' OR o.source = 'customer'))) END"                                        \
    " FROM mine m WHERE m.word IN ('stop', 'start')"                                               \
    " ORDER BY m.tenant_id, m.sender, m.address, CASE WHEN bool_or(m.replay) OVER"                 \
    " (PARTITION BY m.tenant_id, m.sender, m.address) THEN m.event_time END DESC, m.place DESC"    \
    " ON CONFLICT (tenant_id, sender, address) DO UPDATE SET state = EXCLUDED.state,"              \
    " source = EXCLUDED.source, changed_at = EXCLUDED.changed_at"                                  \
    " WHERE c.changed_at <= EXCLUDED.changed_at)"                                                  \
    " INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"  \
    " media, provider_id, event_time" names ")"                                                    \
    " SELECT m.tenant_id, m.message_id, m.talk, m.session_id, 'in',"                               \
    " CASE WHEN m.word = 'note' THEN 'system' ELSE 'contact' END, m.body, m.media,"                \
    " m.provider_id, m.event_time" values " FROM mine m WHERE m.word <> 'note' OR m.body <> ''"    \
    " ORDER BY m.place, m.n ON CONFLICT DO NOTHING"

/* The columns of a batch as array literals. */
struct inbox_columns {
    const char *tenant, *provider_id, *sender, *address, *body, *media, *word, *traceparent, *code;
    const char *session, *contact, *message, *address_hash, *conversation, *content_hash, *time;
    const char *lock, *place, *channel, *replay;
};

/* Makes them in the arena. */
struct inbox_columns inbox_make_columns(struct arena *arena, const struct inbox_event *events,
                                        size_t count);

/* Locks the addresses of the batch, as erasure does; shared by all claims. */
extern const char inbox_lock_addresses_sql[];

/* What became of each event; by the provider's id alone. */
extern const char inbox_report_sql[];

/* Adds the statement with these parameters, the last one NULL; returns it, for more. */
struct pg_statement *inbox_add(struct pg_unit *unit, const char *sql, const char *const *params);

/* Adds, behind a claim, what its codes of a rota do (rota_reply.h); returns how many there are. */
size_t inbox_add_codes(struct pg_unit *unit, struct arena *arena, const char *claim,
                       const struct inbox_event *events, size_t count, struct rota_code **codes);

/* The key by which an event's address is locked, in the arena. */
const char *inbox_lock_key(struct arena *arena, const struct inbox_event *event);

/* A number as a parameter, in the arena. */
const char *inbox_number(struct arena *arena, int64_t value);

#endif
