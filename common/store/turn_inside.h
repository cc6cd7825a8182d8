/* What the statements of turns and of their rounds share. Private to common/store. */
#ifndef DESK_STORE_TURN_INSIDE_H
#define DESK_STORE_TURN_INSIDE_H

#include "store/calls.h"
#include "store/columns.h"

/* The author of a message `m` to a prompt. Of what the desk itself says, the model is told that
 * nobody took a wish (rota.c): the customer may answer to it. */
#define TURN_AUTHOR_SQL                                                                            \
    "CASE WHEN m.author = 'system' AND m.direction = 'out' AND EXISTS (SELECT FROM escalations x"  \
    " WHERE x.tenant_id = m.tenant_id AND x.id = m.id OFFSET 0) THEN 'ai' ELSE m.author END"

/* ---- what a start reads, of a row `j` (turn.c, turn_fresh.c) ---- */

/* Texts from before it are not answered any more. By the start of the statement,
 * so that all its parts see the same ones as late. `ms`: the parameter. */
#define TURN_OLDEST_SQL(ms) "(statement_timestamp() - " ms "::bigint * interval '1 ms')"

/* Of a call: what the carrier has found of the caller's number. */
#define TURN_ATTESTATION_SQL                                                                       \
    "(SELECT x.attestation FROM channel_sessions x WHERE x.tenant_id = j.tenant_id"                \
    " AND x.id = j.session_id)"

/* The context: all texts to be answered (50 at most) and the 40 last messages before. A reply that
 * never left is not part of what was said, nor a mail that no person wrote, of a spoken one what
 * was heard. Only what came in has an event, only what goes out a delivery: each is asked for one
 * of them. */
#define TURN_CONTEXT_SQL(ms)                                                                       \
    "(SELECT json_agg(h ORDER BY h.position) FROM ("                                               \
    " SELECT m.position, m.author, m.subject, m.body AS text, m.media, true AS open,"              \
    " (extract(epoch FROM m.event_time) * 1000)::bigint AS at_ms,"                                 \
    " m.provider_id AS event, true AS here FROM unnest(j.message_ids) AS o (id) CROSS JOIN "       \
    "LATERAL ("                                                                                    \
    "SELECT * FROM messages x WHERE x.tenant_id = j.tenant_id AND x.id = o.id OFFSET 0) AS m"      \
    " UNION ALL SELECT * FROM (SELECT m.position, " TURN_AUTHOR_SQL ", m.subject,"                 \
    " coalesce(m.heard, m.body),"                                                                  \
    " m.media, false,"                                                                             \
    " (extract(epoch FROM m.event_time) * 1000)::bigint,"                                          \
    " NULL::text, m.session_id = j.session_id FROM messages m WHERE m.tenant_id = j.tenant_id"     \
    " AND m.conversation_id = j.now_conversation"                                                  \
    " AND CASE m.direction WHEN 'in' THEN NOT EXISTS (SELECT FROM inbox_events e"                  \
    " WHERE e.tenant_id = m.tenant_id AND e.channel = ANY ('{sms,voice,mail}')"                    \
    " AND e.provider_id = m.provider_id"                                                           \
    " AND (e.state = 'failed' OR (e.state = 'ended' AND e.channel = 'mail')"                       \
    " OR (e.state = 'open' AND e.event_time >= " TURN_OLDEST_SQL(                                  \
        ms) ")) OFFSET 0)"                                                                         \
            " ELSE NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = m.tenant_id"           \
            " AND d.message_id = m.id AND d.state = 'suppressed' OFFSET 0) END"                    \
            " ORDER BY m.position DESC LIMIT 40) AS past) AS h)"

/* What was noted while no model answered, and whether people were given it. */
#define TURN_RECEPTION_SQL                                                                         \
    "(SELECT json_build_object('asked', r.asked, 'tries', r.tries, 'caller', r.caller, 'reason',"  \
    " r.reason, 'call_back', r.call_back, 'escalation', r.escalation_id, 'position',"              \
    " r.read_position, 'due', r.due_at IS NOT NULL, 'recorded',"                                   \
    " EXISTS (SELECT FROM escalations e WHERE e.tenant_id = r.tenant_id"                           \
    " AND e.id = r.escalation_id)) FROM receptions r WHERE r.tenant_id = j.tenant_id"              \
    " AND r.conversation_id = j.now_conversation AND r.session_id = j.session_id)"

/* What older messages came to: of this conversation, and of the contact's last one before it, in
 * which the contact wrote: what somebody of a rota was told is none. */
#define TURN_SUMMARY_SQL                                                                           \
    "(SELECT s.body FROM summaries s WHERE s.tenant_id = j.tenant_id"                              \
    " AND s.conversation_id = j.now_conversation ORDER BY s.up_to DESC LIMIT 1)"
#define TURN_EARLIER_SQL                                                                           \
    "(SELECT s.body FROM summaries s WHERE s.tenant_id = j.tenant_id AND s.conversation_id ="      \
    " (SELECT p.id FROM conversations p WHERE p.tenant_id = j.tenant_id"                           \
    " AND p.contact_id = j.contact_id AND p.id <> j.now_conversation"                              \
    " AND p.closed_at IS NOT NULL AND EXISTS (SELECT FROM messages w"                              \
    " WHERE w.tenant_id = p.tenant_id AND w.conversation_id = p.id AND w.direction = 'in')"        \
    " ORDER BY p.closed_at DESC LIMIT 1) ORDER BY s.up_to DESC LIMIT 1)"

/* The number that the caller would be texted from: the one that he called, if it sends texts. */
#define TURN_OUR_NUMBER_SQL                                                                        \
    "(SELECT x.address FROM channels x WHERE x.tenant_id = j.tenant_id AND x.kind = 'sms'"         \
    " AND x.removed_at IS NULL ORDER BY x.address = j.ours DESC, x.created_at, x.id LIMIT 1)"

/* The language that the call was switched to. */
#define TURN_LANGUAGE_SQL                                                                          \
    "(SELECT x.language FROM channel_sessions x WHERE x.tenant_id = j.tenant_id"                   \
    " AND x.id = j.session_id)"

/* Both columns, of a caller's turn. */
#define TURN_TEXT_NUMBER_SQL TURN_OUR_NUMBER_SQL ", " TURN_LANGUAGE_SQL

/* ---- turns that somebody else ends (voice.c, conversation.c) ---- */

/* The running turns of the sessions in `call`, with what was heard of them, as `turn`; `which` may
 * narrow them. */
#define TURN_RUNNING_SQL(which)                                                                    \
    " turn AS MATERIALIZED (SELECT t.*, coalesce(t.heard, '') AS words, gen_random_uuid() AS "     \
    "said,"                                                                                        \
    " c.delivery_seq FROM call c JOIN turns t ON t.tenant_id = c.tenant_id AND t.id = c.turn_id"   \
    " WHERE t.state = 'running'" which "),"

/* They are over, with that as their reply. */
#define TURN_INTERRUPT_SQL                                                                         \
    " ended AS (UPDATE turns t SET state = 'finished', outcome = 'interrupted',"                   \
    " reserved_day = NULL, finished_at = clock_timestamp() FROM turn x"                            \
    " WHERE t.tenant_id = x.tenant_id AND t.id = x.id),"                                           \
    " reply AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction,"      \
    " author, body, turn_id, event_time, heard) SELECT tenant_id, said, conversation_id,"          \
    " session_id, 'out', 'ai', words, id, clock_timestamp(), words FROM turn WHERE words <> ''),"  \
    " gone AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq,"           \
    " message_id, turn_id, author, via, epoch, state, settled_at, answer_by)"                      \
    " SELECT tenant_id, gen_random_uuid(), conversation_id, session_id, delivery_seq + 1, said,"   \
    " id, 'ai', 'stream', epoch, 'delivered', clock_timestamp(), clock_timestamp() FROM turn"      \
    " WHERE words <> ''),"

/* And their sessions free for the next turn. */
#define TURN_FREED_SQL                                                                             \
    "UPDATE channel_sessions s SET fence = s.fence + 1, turn_id = NULL,"                           \
    " delivery_seq = s.delivery_seq + (x.words <> '')::integer FROM turn x"                        \
    " WHERE s.tenant_id = x.tenant_id AND s.id = x.session_id"

/* The end of what turns that are over have begun and not heard of; `turns` has their tenant_id and
 * turn_id. An effect of ours bears the call's id and was committed with the call's begin: where its
 * row is there, the call did what it was asked for. Of any other nobody knows. */
#define TURN_UNHEARD_SQL(turns)                                                                    \
    "UPDATE tool_calls k SET state = 'done', outcome = CASE WHEN u.is_there THEN 'ok'"             \
    " ELSE 'unknown' END, result = CASE WHEN u.is_there"                                           \
    " THEN '{\"done\":\"the turn was over before its answer was there\"}'"                         \
    " ELSE '{\"error\":\"not known: the turn was over before its answer was there\"}' END,"        \
    " finished_at = clock_timestamp()"                                                             \
    " FROM (SELECT b.tenant_id, b.id, f.is_there FROM " turns " AS i CROSS JOIN LATERAL (SELECT"   \
    " x.tenant_id, x.id FROM tool_calls x WHERE x.tenant_id = i.tenant_id"                         \
    " AND x.turn_id = i.turn_id AND x.state = 'started' OFFSET 0) AS b CROSS JOIN LATERAL (SELECT" \
    " EXISTS (SELECT FROM escalations e WHERE e.tenant_id = b.tenant_id AND e.id = b.id)"          \
    " OR EXISTS (SELECT FROM appointments a WHERE a.tenant_id = b.tenant_id"                       \
    " AND a.call_id = b.id) OR EXISTS (SELECT FROM appointment_changes h"                          \
    " WHERE h.tenant_id = b.tenant_id AND h.call_id = b.id)"                                       \
    " OR EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = b.tenant_id AND d.id = b.id)"        \
    " AS is_there OFFSET 0) AS f OFFSET 0) AS u"                                                   \
    " WHERE k.tenant_id = u.tenant_id AND k.id = u.id AND k.state = 'started'"

extern const char turn_commit_sql[]; /* turn_commit.c */

/* Adds the locks of a turn's unit: conversations FOR SHARE, then sessions, each in id order. The
 * columns are the row's tenant, session and conversation. */
void turn_add_locks(struct pg_unit *unit, struct arena *arena, const struct column_rows *rows,
                    const struct column columns[3]);

/* Adds the storing of a commit's model calls; the next statements count those that are new. */
void calls_add_store(struct pg_unit *unit, struct arena *arena, const struct calls_of_turn *turns,
                     size_t count);

/* The index of a word in a NULL-terminated list; the last one must match. */
int turn_word_index(const char *const *words, const char *word);

#endif
