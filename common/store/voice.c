/* The SQL of phone calls: see voice.h and docs/VOICE.md. The engine's voice lane calls it. What the
 * ingress says of a turn comes in the order of its partition, but perhaps twice, and an older word
 * again after a newer one (a replay): a word counts by its fence and by what it says. */
#include "store/voice.h"

#include "base/clock.h"
#include "store/turn_inside.h"

#include <stdio.h>
#include <string.h>

/* A member of what the newest version of the session's number says of the phone, which its ingress
 * goes by. */
#define PHONE(session, member)                                                                     \
    "(SELECT v.config->'phone'" member " FROM channels ch"                                         \
    " JOIN assistants a ON a.tenant_id = ch.tenant_id AND a.id = ch.assistant_id"                  \
    " JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"            \
    " AND v.version = a.current_version WHERE ch.tenant_id = " session ".tenant_id"                \
    " AND ch.id = " session ".channel_id)"

/* Characters a second that the voice speaks; 15 where nobody measured it. */
#define SPEAKING_RATE(session)                                                                     \
    "coalesce(" PHONE(session, "->>'speaking_rate'") "::integer, 150) / 10.0"
#define RATE_OF_CALL SPEAKING_RATE("c")

static const char places_sql[] =
    "UPDATE channel_sessions s SET call_sid = i.call_sid, stream_partition = i.partition::integer,"
    " attestation = coalesce(i.attested, s.attestation), call_at = clock_timestamp()"
    " FROM (SELECT DISTINCT ON (t.tenant_id, t.session_id) t.*,"
    " max(nullif(t.attestation, '')) OVER (PARTITION BY t.tenant_id, t.session_id) AS attested"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[]) WITH ORDINALITY"
    " AS t (tenant_id, session_id, call_sid, partition, attestation, n)"
    " ORDER BY t.tenant_id, t.session_id, t.n DESC) AS i"
    " WHERE s.tenant_id = i.tenant_id AND s.id = i.session_id";

static const char lock_conversations_sql[] =
    "SELECT 1 FROM conversations c WHERE (c.tenant_id, c.id) IN"
    " (SELECT s.tenant_id, s.conversation_id FROM unnest($1::uuid[], $2::uuid[])"
    " AS i (tenant_id, session_id) JOIN channel_sessions s ON s.tenant_id = i.tenant_id"
    " AND s.id = i.session_id) ORDER BY c.tenant_id, c.id FOR SHARE";

static const char lock_sessions_sql[] =
    "SELECT 1 FROM channel_sessions s WHERE (s.tenant_id, s.id) IN"
    " (SELECT * FROM unnest($1::uuid[], $2::uuid[])) ORDER BY s.tenant_id, s.id FOR NO KEY UPDATE";

/* Of one fence the later word counts: the last frame was written, then it was cut off. The end of
 * the socket comes after a caller who cut in, and takes nothing from that. */
#define RANK(reason)                                                                               \
    "CASE " reason " WHEN 'open' THEN 0 WHEN 'stall' THEN 1 WHEN 'last' THEN 2"                    \
    " WHEN 'interrupt' THEN 4 WHEN 'stop' THEN 4 ELSE 3 END"

#define RANK_KNOWN RANK("t.heard_reason")
#define RANK_TOLD  RANK("$8::text")

/* The row knows nothing newer. */
#define COUNTS                                                                                     \
    "(t.heard_fence IS NULL OR t.heard_fence < $5::bigint OR (t.heard_fence = $5::bigint"          \
    " AND t.heard_reason IS DISTINCT FROM 'anew' AND (t.heard_reason IS NULL OR " RANK_KNOWN       \
    " < " RANK_TOLD " OR (" RANK_KNOWN " = " RANK_TOLD " AND t.heard_seq <= $6::bigint))))"

/* An ingress that did not hold the call before knows nothing of what was spoken: its answer to
 * `open` takes nothing away, and what it tells of later comes behind. */
#define IS_NEW "$8::text = 'open' AND $7::text = '' AND coalesce(t.heard, '') <> ''"
#define TOLD                                                                                       \
    "CASE WHEN t.heard_before IS NOT NULL AND NOT $9::boolean"                                     \
    " THEN rtrim(t.heard_before || ' ' || $7::text)"                                               \
    " ELSE $7::text END"

/* A stall is told by the time, while what was written goes on to sound: it takes nothing from the
 * answer to `open` of its fence, behind which an adopter goes on. */
#define IS_LESS                                                                                    \
    "$8::text = 'stall' AND t.heard_fence = $5::bigint AND length(t.heard) > length(" TOLD ")"
#define WORDS "CASE WHEN " IS_NEW " OR " IS_LESS " THEN t.heard ELSE " TOLD " END"

/* In webhook mode an answer may be written for a caller who has hung up, which that request is not
 * told: the call's end has settled it. */
#define STILL_LISTENS "(s.step = 0 OR s.ended_at IS NULL)"

/* A tool of the turn changed something, or may have. A transfer is the ingress's, at the turn's
 * end, and the next turn decides it anew. */
#define CHANGED                                                                                    \
    "EXISTS (SELECT FROM tool_calls k WHERE k.tenant_id = t.tenant_id AND k.turn_id = t.id"        \
    " AND k.started_at IS NOT NULL AND k.name <> 'transfer_call')"

/* `anew`: nothing was heard of a turn that runs; `again`: of a reply that is committed. Where tools
 * have changed something, the committed turn itself runs anew, with its rounds: a new one would do
 * it all once more. If that is not possible, because the session is at another turn already or a
 * person has ended it, what is answered stays so. A turn that the caller cut off stays cut off,
 * whatever fence asks later. */
static const char word_sql[] =
    "WITH turn AS MATERIALIZED (SELECT t.tenant_id, t.id, t.state, t.session_id, s.conversation_id,"
    " s.turn_number, s.claimed, c.held_by IS NULL AND s.ended_at IS NULL AND (t.state = 'running'"
    " OR NOT k.changed OR (t.state = 'finished' AND t.outcome IS DISTINCT FROM 'interrupted'"
    " AND s.turn_id IS NULL)) AS goes_on, k.changed,"
    " " WORDS " AS words, CASE WHEN " IS_NEW " THEN t.heard ELSE t.heard_before END AS before,"
    " $8::text = 'interrupt' AND " WORDS " = '' AS unheard"
    " FROM turns t JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
    " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id"
    " CROSS JOIN LATERAL (SELECT " CHANGED " AS changed) AS k"
    " WHERE t.tenant_id = $2::uuid AND t.id = $4::uuid AND t.session_id = $3::uuid AND " COUNTS
    " AND " STILL_LISTENS "), judged AS (SELECT x.*, x.unheard AND (x.state = 'running'"
    " OR (x.changed AND x.goes_on)) AS anew,"
    " x.unheard AND x.state <> 'running' AS again FROM turn x),"
    " told AS (UPDATE turns t SET heard_fence = $5::bigint, heard_seq = $6::bigint,"
    " heard = x.words, heard_before = x.before, heard_at = clock_timestamp(),"
    " heard_reason = CASE WHEN x.anew THEN 'anew' WHEN $8::text = 'open'"
    " AND t.heard_reason = 'interrupt' THEN t.heard_reason ELSE $8::text END,"
    " number = CASE WHEN x.anew THEN x.turn_number + 1 ELSE t.number END,"
    " state = CASE WHEN x.anew THEN 'running' ELSE t.state END,"
    " worker = CASE WHEN x.anew AND x.again THEN NULL ELSE t.worker END,"
    " outcome = CASE WHEN x.anew THEN NULL ELSE t.outcome END,"
    " finished_at = CASE WHEN x.anew THEN NULL ELSE t.finished_at END"
    " FROM judged x WHERE t.tenant_id = x.tenant_id AND t.id = x.id),"
    /* What runs anew has no reply yet. */
    " said AS (UPDATE deliveries d SET reason = CASE WHEN x.words = '' THEN 'unheard' END,"
    " state = CASE WHEN x.words = '' THEN 'suppressed' ELSE 'delivered' END,"
    " turn_id = CASE WHEN NOT x.anew THEN d.turn_id END,"
    " settled_at = clock_timestamp() FROM judged x WHERE x.state <> 'running'"
    " AND $8::text <> 'stall' AND d.tenant_id = x.tenant_id AND d.session_id = x.session_id"
    " AND d.turn_id = x.id AND d.via = 'stream' RETURNING d.tenant_id, d.message_id, x.words),"
    " kept AS (UPDATE messages m SET heard = said.words FROM said"
    " WHERE m.tenant_id = said.tenant_id AND m.id = said.message_id),"
    " opened AS (UPDATE inbox_events e SET state = 'open', reason = NULL, turn_id = NULL,"
    " settled_at = NULL FROM judged x WHERE x.again AND x.goes_on"
    " AND e.tenant_id = x.tenant_id AND e.turn_id = x.id AND e.state = 'answered'),"
    " armed AS (UPDATE channel_sessions s SET fence = s.fence + x.anew::integer,"
    " turn_number = s.turn_number + x.anew::integer, claimed = s.claimed + 1,"
    " turn_id = CASE WHEN x.anew AND x.again THEN x.id ELSE s.turn_id END,"
    " worker = $1::uuid, due_at = clock_timestamp() + interval '3 s',"
    " burst_at = clock_timestamp() FROM judged x WHERE x.unheard AND x.goes_on"
    " AND s.tenant_id = x.tenant_id AND s.id = x.session_id)"
    " SELECT CASE WHEN x.unheard AND x.goes_on THEN 'anew'"
    " WHEN x.state = 'running' THEN 'running' ELSE 'settled' END,"
    " x.conversation_id, x.claimed + 1, 3000::bigint, x.words FROM judged x";

/* What was heard of the words by then, at the rate of its voice, back to the end of a word. */
#define ESTIMATE                                                                                   \
    "CASE WHEN length(m.body) <= n.chars THEN m.body"                                              \
    " ELSE rtrim(regexp_replace(left(m.body, n.chars), '\\S+$', '')) END"

/* Somebody took over while it was spoken: its engine is refused, and what was heard was said. One
 * that goes on under a newer epoch already (a hand-back, two contacts that were joined) does so. */
static const char stop_sql[] =
    "WITH call AS MATERIALIZED (SELECT s.* FROM channel_sessions s WHERE s.tenant_id = $1::uuid"
    " AND s.id = $2::uuid AND s.turn_id = $3::uuid)," TURN_RUNNING_SQL(
        " AND t.heard_reason = 'stop' AND t.epoch <= $4::bigint") TURN_INTERRUPT_SQL
    " over AS (" TURN_FREED_SQL ")"
    " UPDATE inbox_events e SET state = 'answered', turn_id = k.id, settled_at = clock_timestamp()"
    " FROM (SELECT x.tenant_id, x.id, u.provider_id FROM turn x"
    " CROSS JOIN LATERAL unnest(x.answers) AS u (provider_id) WHERE x.words <> '') AS k"
    " WHERE e.tenant_id = k.tenant_id AND e.channel = 'voice' AND e.provider_id = k.provider_id"
    " AND e.state = 'open'";

/* What of a committed reply is settled by the time, and since when that runs: in webhook mode,
 * where the last one was put into a document and no further step proves that it was heard, since
 * then; what was not put into one was not heard. */
#define IS_SILENT                                                                                  \
    "(d.state = 'sending' OR (c.step > 0 AND d.state = 'delivered' AND t.heard_reason = 'last'"    \
    " AND EXISTS (SELECT FROM inbox_events e WHERE e.tenant_id = d.tenant_id"                      \
    " AND e.channel = 'voice' AND e.provider_id = c.call_sid || ':' || c.step"                     \
    " AND e.turn_id = d.turn_id)))"
#define SOUNDS_SINCE                                                                               \
    "CASE WHEN c.step = 0 THEN d.created_at WHEN t.heard_reason = 'last' THEN t.heard_at END"

/* Of the calls that `which` finds; they ended at `at`. */
#define END_SQL(which, at)                                                                         \
    "WITH call AS MATERIALIZED (" which ")," TURN_RUNNING_SQL("") TURN_INTERRUPT_SQL               \
        " over AS (UPDATE channel_sessions s SET ended_at = " at ", fence = s.fence + 1,"          \
        " worker = NULL, due_at = NULL, burst_at = NULL, turn_id = NULL,"                          \
        " delivery_seq = s.delivery_seq + (SELECT count(*) FROM turn x WHERE x.session_id = s.id"  \
        " AND x.words <> '') FROM call c WHERE s.tenant_id = c.tenant_id AND s.id = c.id),"        \
        " left_open AS (UPDATE inbox_events e SET state = CASE WHEN k.is_answered THEN 'answered'" \
        " ELSE 'late' END, turn_id = CASE WHEN k.is_answered THEN k.turn_id END,"                  \
        " reason = CASE WHEN NOT k.is_answered THEN 'call_over' END, settled_at = "                \
        "clock_timestamp()"                                                                        \
        " FROM (SELECT y.tenant_id, y.channel, y.provider_id, y.state, x.id AS turn_id,"           \
        " coalesce(x.words <> '' AND y.provider_id = ANY (x.answers), false) AS is_answered"       \
        " FROM call c CROSS JOIN LATERAL (SELECT o.tenant_id, o.channel, o.provider_id, o.state"   \
        " FROM inbox_events o WHERE o.tenant_id = c.tenant_id AND o.session_id = c.id"             \
        " AND o.state = 'open' OFFSET 0) AS y LEFT JOIN turn x ON x.tenant_id = c.tenant_id"       \
        " AND x.session_id = c.id) AS k"                                                           \
        " WHERE e.tenant_id = k.tenant_id AND e.channel = k.channel"                               \
        " AND e.provider_id = k.provider_id AND e.state = k.state),"                               \
        " silent AS MATERIALIZED (SELECT d.tenant_id, d.id, d.message_id, " ESTIMATE " AS heard"   \
        " FROM call c CROSS JOIN LATERAL (SELECT x.* FROM deliveries x WHERE x.tenant_id = "       \
        "c.tenant_id AND x.session_id = c.id AND x.via = 'stream' OFFSET 0) AS d"                  \
        " CROSS JOIN LATERAL (SELECT x.heard_reason, x.heard_at FROM turns x"                      \
        " WHERE x.tenant_id = d.tenant_id AND x.id = d.turn_id OFFSET 0) AS t"                     \
        " CROSS JOIN LATERAL (SELECT x.body FROM messages x WHERE x.tenant_id = d.tenant_id"       \
        " AND x.id = d.message_id OFFSET 0) AS m"                                                  \
        " CROSS JOIN LATERAL (SELECT least(100000, greatest(0, coalesce(extract(epoch FROM " at    \
        " - " SOUNDS_SINCE "), 0) * " RATE_OF_CALL "))::integer AS chars) AS n"                    \
        " WHERE " IS_SILENT "),"                                                                   \
        " settled AS (UPDATE deliveries d SET state = CASE WHEN u.heard = '' THEN 'suppressed'"    \
        " ELSE 'delivered' END, reason = CASE WHEN u.heard = '' THEN 'unheard' END,"               \
        " settled_at = clock_timestamp() FROM silent u"                                            \
        " WHERE d.tenant_id = u.tenant_id AND d.id = u.id)"                                        \
        " UPDATE messages m SET heard = u.heard FROM silent u WHERE m.tenant_id = u.tenant_id"     \
        " AND m.id = u.message_id"

static const char end_sql[] =
    END_SQL("SELECT s.* FROM channel_sessions s WHERE s.tenant_id = $1::uuid AND s.id = $2::uuid"
            " AND s.ended_at IS NULL",
            "$3::timestamptz");

/* The desk has taken its leave, and the caller did not stay: what he began is done. A goodbye that
 * he cut into was none. */
static const char close_sql[] =
    "UPDATE conversations c SET closed_at = clock_timestamp() FROM channel_sessions s"
    " JOIN turns t ON t.tenant_id = s.tenant_id AND t.session_id = s.id"
    " AND t.number = s.turn_number AND t.outcome = 'reply'"
    " AND t.heard_reason IS DISTINCT FROM 'interrupt'"
    " WHERE s.tenant_id = $1::uuid AND s.id = $2::uuid AND s.ended_at IS NOT NULL"
    " AND EXISTS (SELECT FROM tool_calls k WHERE k.tenant_id = t.tenant_id AND k.turn_id = t.id"
    " AND k.name = 'end_conversation' AND k.outcome = 'ok')"
    " AND c.tenant_id = s.tenant_id AND c.id = s.conversation_id AND c.closed_at IS NULL"
    " AND c.held_by IS NULL AND NOT EXISTS (SELECT FROM channel_sessions o"
    " WHERE o.tenant_id = c.tenant_id AND o.conversation_id = c.id AND o.due_at IS NOT NULL)";

/* Of which nothing was heard for so long; their ingress died, or its record was lost. */
static const char silent_sql[] =
    END_SQL("SELECT s.* FROM channel_sessions s WHERE s.call_at < clock_timestamp()"
            " - $1::bigint * interval '1 ms' AND s.call_at IS NOT NULL AND s.ended_at IS NULL"
            " ORDER BY s.call_at LIMIT 50 FOR UPDATE SKIP LOCKED",
            "clock_timestamp()");

/* What an ingress that did not hold the call before cannot tell is judged by the time: since the
 * commit, for a stream may pause. */
#define TOLD_BY_NOBODY                                                                             \
    "$4::boolean AND coalesce(t.heard_reason, 'last') IN ('last', 'open', 'stall')"
#define SINCE_COMMIT                                                                               \
    "least(100000, greatest(0, extract(epoch FROM $5::timestamptz - d.created_at)"                 \
    " * " SPEAKING_RATE("s") "))::integer"

#define OWN_BRIDGE "coalesce(" PHONE("s", "->'words'->>'bridge'") ", '') AS bridge"

/* Only with the record that says so, and not when that comes again. */
#define IS_FRESH                                                                                   \
    "EXISTS (SELECT FROM inbox_events e WHERE e.tenant_id = s.tenant_id"                           \
    " AND e.channel = 'voice' AND e.provider_id = $3::text"                                        \
    " AND e.xmin = pg_current_xact_id_if_assigned()::xid)"

/* The socket speaks the usual language. */
static const char usual_sql[] =
    "UPDATE channel_sessions s SET language = NULL WHERE s.tenant_id = $1::uuid"
    " AND s.id = $2::uuid AND s.language IS NOT NULL AND " IS_FRESH;

/* Whoever has the call's turn in hand goes on by himself: if its commit is on its way already, that
 * is refused. A reply that the end of the socket cut off goes on under its own number; else a word
 * of ours is a turn that no row tells of. */
static const char resume_sql[] =
    "WITH call AS MATERIALIZED (SELECT s.tenant_id, s.id, s.fence, s.turn_number, s.call_sid,"
    " s.stream_partition, c.epoch, z.language, t.id AS turn_id, h.heard,"
    " coalesce(m.body, '') AS body, coalesce(length(h.heard) < length(m.body), false) AS half,"
    " coalesce(t.outcome = 'transfer' AND h.heard = '', false) AS is_news, " OWN_BRIDGE
    " FROM channel_sessions s JOIN conversations c ON c.tenant_id = s.tenant_id"
    " AND c.id = s.conversation_id JOIN tenants z ON z.id = s.tenant_id"
    " LEFT JOIN turns t ON t.tenant_id = s.tenant_id AND t.session_id = s.id"
    " AND t.number = s.turn_number"
    " LEFT JOIN deliveries d ON d.tenant_id = s.tenant_id AND d.session_id = s.id"
    " AND d.turn_id = t.id AND d.via = 'stream'"
    " LEFT JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
    " CROSS JOIN LATERAL (SELECT " SINCE_COMMIT " AS chars) AS n"
    " CROSS JOIN LATERAL (SELECT CASE WHEN t.heard_reason = 'close' THEN coalesce(t.heard, '')"
    " WHEN " TOLD_BY_NOBODY " THEN " ESTIMATE " END AS heard) AS h"
    " WHERE s.tenant_id = $1::uuid AND s.id = $2::uuid AND s.ended_at IS NULL"
    " AND s.due_at IS NULL AND c.held_by IS NULL AND t.state IS DISTINCT FROM 'running'"
    " AND " IS_FRESH "),"
    " moved AS (UPDATE turns t SET sockets = t.sockets + 1 FROM channel_sessions s"
    " WHERE s.tenant_id = $1::uuid AND s.id = $2::uuid AND t.tenant_id = s.tenant_id"
    " AND t.id = s.turn_id AND t.state = 'running' AND " IS_FRESH "),"
    " raised AS (UPDATE channel_sessions s SET fence = s.fence + 1,"
    " turn_number = s.turn_number + (NOT l.half)::integer FROM call l"
    " WHERE s.tenant_id = l.tenant_id AND s.id = l.id),"
    " kept AS (UPDATE turns t SET heard = l.heard, heard_reason = 'close' FROM call l WHERE l.half"
    " AND t.tenant_id = l.tenant_id AND t.id = l.turn_id)"
    " SELECT l.call_sid, l.stream_partition, l.epoch, l.fence + 1,"
    " CASE WHEN l.half THEN l.turn_id END, l.turn_number + (NOT l.half)::integer,"
    " coalesce(l.heard, ''), CASE WHEN l.half THEN l.body ELSE '' END, l.language,"
    " l.is_news, l.bridge FROM call l";

static const char ask_sql[] =
    "SELECT coalesce(t.heard, ''), coalesce(t.heard_reason, '') FROM turns t"
    " WHERE t.tenant_id = $1::uuid AND t.id = $2::uuid AND t.heard_fence >= $3::bigint";

static const struct column place_columns[] = {
    {offsetof(struct voice_place, tenant), COLUMN_TEXT},
    {offsetof(struct voice_place, session), COLUMN_UUID},
    {offsetof(struct voice_place, call_sid), COLUMN_TEXT},
    {offsetof(struct voice_place, partition), COLUMN_INT},
    {offsetof(struct voice_place, attestation), COLUMN_TEXT},
};

void voice_add_places(struct pg_unit *unit, struct arena *arena, const struct voice_place *places,
                      size_t count)
{
    columns_add(pg_add(unit, places_sql), arena,
                &(struct column_rows){places, sizeof *places, count}, place_columns,
                COLUMNS(place_columns));
}

void voice_add_locks(struct pg_unit *unit, struct arena *arena, const struct voice_place *places,
                     size_t count)
{
    const struct column_rows rows = {places, sizeof *places, count};
    columns_add(pg_add(unit, lock_conversations_sql), arena, &rows, place_columns, 2);
    columns_add(pg_add(unit, lock_sessions_sql), arena, &rows, place_columns, 2);
}

static const char *text_of(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *number_of(struct arena *arena, int64_t number)
{
    return arena_printf(arena, "%lld", (long long)number);
}

void voice_add_word(struct pg_unit *unit, struct arena *arena, const char *worker,
                    const struct voice_word *word)
{
    const struct voice_place place = {.tenant = word->tenant, .session = word->session};
    voice_add_locks(unit, arena, &place, 1);
    struct pg_statement *statement = pg_add(unit, word_sql);
    pg_param(statement, worker);
    pg_param(statement, word->tenant);
    pg_param(statement, text_of(arena, &word->session));
    pg_param(statement, text_of(arena, &word->turn));
    pg_param(statement, number_of(arena, word->fence));
    pg_param(statement, number_of(arena, word->seq));
    pg_param(statement, word->text);
    pg_param(statement, word->reason);
    pg_param(statement, word->is_whole ? "t" : "f");
    if (strcmp(word->reason, "stop") != 0)
        return;
    statement = pg_add(unit, stop_sql);
    pg_param(statement, word->tenant);
    pg_param(statement, text_of(arena, &word->session));
    pg_param(statement, text_of(arena, &word->turn));
    pg_param(statement, number_of(arena, word->epoch));
}

void voice_read_told(const struct pg_answer *answer, int first, struct voice_told *out)
{
    const int s = first + 2; /* behind the locks */
    *out = (struct voice_told){.kind = VOICE_TOLD_NOTHING};
    if (pg_rows(answer->results, s) == 0)
        return;
    const char *kind = pg_text(answer->results, s, 0, 0);
    *out = (struct voice_told){
        .kind = strcmp(kind, "anew") == 0      ? VOICE_TOLD_ANEW
                : strcmp(kind, "running") == 0 ? VOICE_TOLD_RUNNING
                                               : VOICE_TOLD_SETTLED,
        .conversation = pg_uuid(answer->results, s, 0, 1),
        .claimed = pg_int(answer->results, s, 0, 2),
        .due_in_ms = pg_int(answer->results, s, 0, 3),
        .words = pg_text(answer->results, s, 0, 4),
    };
}

void voice_add_end(struct pg_unit *unit, struct arena *arena, const struct voice_end_of_call *end)
{
    struct pg_statement *statement = pg_add(unit, end_sql);
    char *at = arena_alloc(arena, CLOCK_RFC3339_SIZE);
    clock_format_rfc3339(end->at_ms, at);
    pg_param(statement, end->tenant);
    pg_param(statement, text_of(arena, &end->session));
    pg_param(statement, at);
    statement = pg_add(unit, close_sql);
    pg_param(statement, end->tenant);
    pg_param(statement, text_of(arena, &end->session));
}

void voice_add_silent(struct pg_unit *unit, struct arena *arena, int64_t silent_ms)
{
    pg_param(pg_add(unit, silent_sql), number_of(arena, silent_ms));
}

void voice_add_ask(struct pg_unit *unit, struct arena *arena, const char *tenant,
                   const struct uuid *turn, int64_t fence)
{
    struct pg_statement *statement = pg_add(unit, ask_sql);
    pg_param(statement, tenant);
    pg_param(statement, text_of(arena, turn));
    pg_param(statement, number_of(arena, fence));
}

void voice_add_resume(struct pg_unit *unit, struct arena *arena, const struct voice_resume *resume)
{
    struct pg_statement *statement = pg_add(unit, usual_sql);
    char *at = arena_alloc(arena, CLOCK_RFC3339_SIZE);
    clock_format_rfc3339(resume->until_ms, at);
    pg_param(statement, resume->tenant);
    pg_param(statement, text_of(arena, &resume->session));
    pg_param(statement, resume->record);
    statement = pg_add(unit, resume_sql);
    pg_param(statement, resume->tenant);
    pg_param(statement, text_of(arena, &resume->session));
    pg_param(statement, resume->record);
    pg_param(statement, resume->is_told ? "f" : "t");
    pg_param(statement, at);
}

bool voice_read_resumed(const struct pg_answer *answer, int s, struct voice_resumed *out)
{
    const struct pg_result *r = answer->results;
    if (pg_rows(r, s) == 0)
        return false;
    *out = (struct voice_resumed){
        .call_sid = pg_text(r, s, 0, 0),
        .partition = (int)pg_int(r, s, 0, 1),
        .epoch = pg_int(r, s, 0, 2),
        .fence = pg_int(r, s, 0, 3),
        .turn = pg_uuid(r, s, 0, 4),
        .number = pg_int(r, s, 0, 5),
        .heard = pg_text(r, s, 0, 6),
        .body = pg_text(r, s, 0, 7),
        .language = pg_text(r, s, 0, 8),
        .is_news = pg_bool(r, s, 0, 9),
        .bridge = pg_text(r, s, 0, 10),
    };
    return true;
}

bool voice_read_heard(const struct pg_answer *answer, const char **text, const char **reason)
{
    if (pg_rows(answer->results, 0) == 0)
        return false;
    *text = pg_text(answer->results, 0, 0, 0);
    *reason = pg_text(answer->results, 0, 0, 1);
    return true;
}

/* What was found at the provider once has an inbox row, whatever became of its session. */
#define IS_UNKNOWN                                                                                 \
    "NOT EXISTS (SELECT FROM channel_sessions s WHERE s.tenant_id = $1::uuid"                      \
    " AND s.call_sid = i.sid AND s.ended_at IS NOT NULL) AND NOT EXISTS (SELECT"                   \
    " FROM inbox_events e WHERE e.tenant_id = $1::uuid AND e.channel = 'voice'"                    \
    " AND e.provider_id = i.sid || ':ended')"

static const char unknown_sql[] =
    "SELECT i.sid FROM unnest($2::text[]) AS i (sid) WHERE " IS_UNKNOWN;

/* The ends of other calls that nobody answered leave nothing behind, so that nothing knows them.
 * Who wants to hear of missed calls from today on is not told of yesterday's. */
static const char rung_sql[] =
    "SELECT i.sid FROM unnest($2::text[], $3::text[], $5::timestamptz[])"
    " AS i (sid, caller, ended_at)"
    " JOIN channels ch ON ch.tenant_id = $1::uuid AND ch.kind = 'voice' AND ch.address = $4::text"
    " AND ch.removed_at IS NULL"
    " JOIN assistants a ON a.tenant_id = ch.tenant_id AND a.id = ch.assistant_id"
    " JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"
    " AND v.version = a.current_version WHERE (v.config->'phone'->>'missed_calls')::boolean"
    " AND (SELECT (w.config->'phone'->>'missed_calls')::boolean FROM assistant_versions w"
    " WHERE w.tenant_id = a.tenant_id AND w.assistant_id = a.id AND w.created_at <= i.ended_at"
    " ORDER BY w.version DESC LIMIT 1)"
    " AND NOT coalesce(v.config->'phone'->'blocked' @> to_jsonb(i.caller), false)"
    " AND " IS_UNKNOWN;

void voice_add_unknown(struct pg_unit *unit, const char *tenant, const char *call_sids)
{
    struct pg_statement *statement = pg_add(unit, unknown_sql);
    pg_param(statement, tenant);
    pg_param(statement, call_sids);
}

void voice_add_rung(struct pg_unit *unit, const char *tenant, const struct voice_rung *rung)
{
    struct pg_statement *statement = pg_add(unit, rung_sql);
    pg_param(statement, tenant);
    pg_param(statement, rung->call_sids);
    pg_param(statement, rung->callers);
    pg_param(statement, rung->ours);
    pg_param(statement, rung->ends);
}

/* Who took a call that we placed has a session; nobody else's end is told of. */
static const char open_sql[] =
    "SELECT s.call_sid FROM channel_sessions s WHERE s.tenant_id = $1::uuid"
    " AND s.call_sid = ANY ($2::text[]) AND s.ended_at IS NULL AND NOT EXISTS (SELECT"
    " FROM inbox_events e WHERE e.tenant_id = $1::uuid AND e.channel = 'voice'"
    " AND e.provider_id = s.call_sid || ':ended')";

void voice_add_open(struct pg_unit *unit, const char *tenant, const char *call_sids)
{
    struct pg_statement *statement = pg_add(unit, open_sql);
    pg_param(statement, tenant);
    pg_param(statement, call_sids);
}

static int any_rows(struct pg_session *session, const struct pg_statement *statement, bool *any,
                    struct err *err)
{
    int rows;
    if (pg_session_count(session, statement, &rows, err) != 0)
        return -1;
    *any = rows > 0;
    return 0;
}

static int any_of(struct pg_session *session, const char *sql, const struct uuid *tenant,
                  const char *call_sid, bool *any, struct err *err)
{
    char text[UUID_TEXT_SIZE], one[64];
    snprintf(one, sizeof one, "{%s}", call_sid); /* a sid: nothing in it that would be quoted */
    const struct pg_statement statement = {
        .sql = sql, .params = {uuid_format(tenant, text), one}, .param_count = 2};
    return any_rows(session, &statement, any, err);
}

int voice_is_rung(struct pg_session *session, const struct uuid *tenant,
                  const struct voice_rung *rung, bool *missed, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {.sql = rung_sql,
                                           .params = {uuid_format(tenant, text), rung->call_sids,
                                                      rung->callers, rung->ours, rung->ends},
                                           .param_count = 5};
    return any_rows(session, &statement, missed, err);
}

int voice_is_open(struct pg_session *session, const struct uuid *tenant, const char *call_sid,
                  bool *open, struct err *err)
{
    return any_of(session, open_sql, tenant, call_sid, open, err);
}

int voice_knows_end(struct pg_session *session, const struct uuid *tenant, const char *call_sid,
                    bool *known, struct err *err)
{
    bool unknown = false;
    if (any_of(session, unknown_sql, tenant, call_sid, &unknown, err) != 0)
        return -1;
    *known = !unknown;
    return 0;
}

const char *const voice_statements[] = {end_sql, ask_sql, NULL};
const char *const voice_lock_statements[] = {lock_conversations_sql, lock_sessions_sql, NULL};
const char *const voice_place_statements[] = {places_sql, NULL};
const char *const voice_word_statements[] = {word_sql, NULL};
