/* The SQL of what callers leave to people: see voice_task.h. The engine's voice_message.c calls it,
 * behind the claim of the record that tells of it. */
#include "store/voice_task.h"

#include "base/text.h"
#include "store/call_back.h"
#include "store/job.h"

#define TRANSCRIPT_SAID_MAX 1000 /* bytes of it that the task says; the rest is in its row */

/* A caller who was left to speak to a tape, or to nobody, reached nobody: who has a rota is told,
 * by the number's newest version. `beside` is joined, and may be asked for by the others. */
#define MADE_SQL(summary, beside, which)                                                           \
    "WITH place AS (SELECT s.tenant_id, s.conversation_id, s.channel_id, " summary " AS summary,"  \
    " coalesce(jsonb_array_length(v.config->'escalation'->'rota') > 0, false) AS calls"            \
    " FROM channel_sessions s JOIN channels ch ON ch.tenant_id = s.tenant_id"                      \
    " AND ch.id = s.channel_id"                                                                    \
    " LEFT JOIN assistants a ON a.tenant_id = ch.tenant_id AND a.id = ch.assistant_id"             \
    " LEFT JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"       \
    " AND v.version = a.current_version" beside                                                    \
    " WHERE s.tenant_id = $1::uuid AND s.id = $2::uuid" which                                      \
    "), made AS (INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary,"        \
    " call_back, rota) SELECT tenant_id, $3::uuid, conversation_id, 'message', summary,"           \
    " $5::text, CASE WHEN calls THEN 'running' ELSE 'none' END FROM place"                         \
    " ON CONFLICT DO NOTHING RETURNING tenant_id, id, rota)"
#define TIMER_SQL(due)                                                                             \
    " SELECT tenant_id, id, '" JOB_ESCALATION "', id::text, " due " FROM made"                     \
    " WHERE rota = 'running' ON CONFLICT DO NOTHING"

static const char task_sql[] = MADE_SQL(
    "$4::text", "",
    "") ", kept AS (INSERT INTO recordings (tenant_id, id, channel_id, recording_sid, account_sid,"
        " duration_s) SELECT m.tenant_id, m.id, p.channel_id, $6::text, $7::text, $8::bigint"
        " FROM made m, place p)"
        " INSERT INTO jobs (tenant_id, id, kind, subject, due_at)"
        " SELECT tenant_id, gen_random_uuid(), '" JOB_RECORDING "', id::text, clock_timestamp()"
        " FROM made UNION ALL" TIMER_SQL("clock_timestamp() + $9::bigint * interval '1 ms'");

/* In front of recording and job, as erasure does. */
static const char lock_task_sql[] =
    "SELECT 1 FROM escalations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

/* A rota that has told nobody yet waits for this. */
static const char transcript_sql[] =
    "WITH got AS (UPDATE recordings r SET transcript = $3::text,"
    " transcript_state = CASE WHEN $3::text = '' THEN 'failed' ELSE 'completed' END"
    " WHERE r.tenant_id = $1::uuid AND r.id = $2::uuid AND r.transcript_state IS NULL"
    " RETURNING r.tenant_id, r.id),"
    " said AS (UPDATE escalations e SET summary = e.summary || ' It says: ' || $4::text FROM got g"
    " WHERE $4::text <> '' AND e.tenant_id = g.tenant_id AND e.id = g.id)"
    " UPDATE jobs j SET due_at = clock_timestamp() FROM got g JOIN escalations e"
    " ON e.tenant_id = g.tenant_id AND e.id = g.id WHERE e.steps = 0"
    " AND j.tenant_id = g.tenant_id AND j.kind = '" JOB_ESCALATION "' AND j.subject = g.id::text"
    " AND j.due_at > clock_timestamp()";

/* Words, keys, a message left and what became of a transfer are messages that came in; that a call
 * begins or ends is none. */
#define IS_SILENT                                                                                  \
    "NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = s.tenant_id AND m.session_id = s.id"   \
    " AND m.direction = 'in')"

/* What the caller said behind the last of his words that he heard an answer to: `words`, since
 * `since`; whether no turn has answered any of them: `is_all`. */
#define UNANSWERED_SQL                                                                             \
    " CROSS JOIN LATERAL (SELECT string_agg(w.body, ' ' ORDER BY w.position) AS words,"            \
    " min(w.event_time) AS since, bool_and(w.is_all) AS is_all FROM (SELECT m.body, m.position,"   \
    " m.event_time, bool_and(e.state = 'late') OVER () AS is_all,"                                 \
    " max(m.position) FILTER (WHERE e.state <> 'late'"                                             \
    " AND NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = e.tenant_id"                    \
    " AND d.session_id = e.session_id AND d.turn_id = e.turn_id AND d.state = 'suppressed'"        \
    " AND d.reason = 'unheard')) OVER () AS last FROM messages m JOIN inbox_events e"              \
    " ON e.tenant_id = m.tenant_id AND e.channel = 'voice' AND e.provider_id = m.provider_id"      \
    " WHERE m.tenant_id = s.tenant_id AND m.session_id = s.id AND m.author = 'contact') AS w"      \
    " WHERE w.last IS NULL OR w.position > w.last) AS u"
#define WORDS_SQL "coalesce($6::text || left(u.words, 1000), $4::text)"

/* A person had the call behind what he said last, or he hung up while one was rung up. */
#define WAS_PUT_THROUGH                                                                            \
    "EXISTS (SELECT FROM turns t JOIN escalations e ON e.tenant_id = t.tenant_id"                  \
    " AND e.turn_id = t.id WHERE t.tenant_id = s.tenant_id AND t.session_id = s.id"                \
    " AND e.transfer IN ('accepted', 'hung_up')"                                                   \
    " AND coalesce(e.accepted_at, u.since) >= u.since)"
/* People have what he waited for an answer to: a message, or a wish for one of them. Of an outage
 * the rota may not be told. */
#define WAS_TAKEN_DOWN                                                                             \
    "EXISTS (SELECT FROM turns t JOIN escalations e ON e.tenant_id = t.tenant_id"                  \
    " AND e.turn_id = t.id WHERE t.tenant_id = s.tenant_id AND t.session_id = s.id"                \
    " AND e.created_at >= u.since AND e.transfer IS DISTINCT FROM 'dropped'"                       \
    " AND e.reason NOT IN ('provider_outage', 'tool_outage'))"
#define IS_HELD                                                                                    \
    "EXISTS (SELECT FROM conversations c WHERE c.tenant_id = s.tenant_id"                          \
    " AND c.id = s.conversation_id AND c.held_by IS NOT NULL)"

/* Nobody answered him and he left no message. Who was answered before and hangs up right behind
 * his last words has taken his leave: he did not wait for an answer so long as to hear a filler.
 * Whoever holds the conversation sees the words. */
#define IS_MISSED                                                                                  \
    "(" IS_SILENT " OR (u.words IS NOT NULL"                                                       \
    " AND (u.is_all OR s.ended_at >= u.since + interval '4 s')"                                    \
    " AND NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = s.tenant_id"                      \
    " AND m.session_id = s.id AND m.author = 'system' AND m.provider_id LIKE 'RE%')"               \
    " AND NOT " WAS_PUT_THROUGH " AND NOT " WAS_TAKEN_DOWN " AND NOT " IS_HELD "))"

/* now() is when the transaction began: the claim in front of this has made the session. Where
 * something else had, his words may have died with the end, of an ingress that could tell nobody:
 * whoever was never answered is found whatever the business wants to hear of. If he was, or hung up
 * while it rang, the number's newest version says whether people are to hear of it. Who is blocked
 * was refused. */
#define IS_FOUND                                                                                   \
    "((s.created_at >= now() AND $7::boolean) OR (" IS_MISSED                                      \
    " AND ((v.config->'phone'->>'missed_calls')::boolean"                                          \
    " OR ($7::boolean AND (" IS_SILENT " OR u.is_all)))))"                                         \
    " AND NOT coalesce(v.config->'phone'->'blocked' @> to_jsonb(s.remote_address), false)"

static const char found_sql[] = MADE_SQL(
    WORDS_SQL, UNANSWERED_SQL, " AND " IS_FOUND) " INSERT INTO jobs (tenant_id, id, kind, subject, "
                                                 "due_at)" TIMER_SQL("clock_timestamp()");

static const char missed_sql[] = MADE_SQL(
    WORDS_SQL, UNANSWERED_SQL,
    " AND " IS_MISSED) " INSERT INTO jobs (tenant_id, id, kind, subject, "
                       "due_at)" TIMER_SQL("clock_timestamp() + $7::bigint * interval '1 ms'");

/* Who has been told knows better what to do. */
static const char not_missed_sql[] =
    "WITH over AS (UPDATE escalations e SET state = 'closed', closed_by = 'desk',"
    " closed_at = clock_timestamp(), rota = CASE e.rota WHEN 'none' THEN e.rota ELSE 'over' END"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid AND e.state = 'open' AND e.steps = 0"
    " RETURNING e.tenant_id, e.id)"
    " UPDATE jobs j SET due_at = NULL, worker = NULL FROM over o WHERE j.tenant_id = o.tenant_id"
    " AND j.kind = '" JOB_ESCALATION "' AND j.subject = o.id::text";

static const char *text_of(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *number_of(struct arena *arena, int64_t number)
{
    return arena_printf(arena, "%lld", (long long)number);
}

static struct pg_statement *add_task(struct pg_unit *unit, struct arena *arena, const char *sql,
                                     const struct voice_task *task)
{
    struct pg_statement *statement = pg_add(unit, sql);
    pg_param(statement, task->tenant);
    pg_param(statement, text_of(arena, &task->session));
    pg_param(statement, text_of(arena, &task->id));
    pg_param(statement, task->summary);
    pg_param(statement, task->call_back);
    return statement;
}

void voice_task_add_found(struct pg_unit *unit, struct arena *arena, const struct voice_task *task)
{
    struct pg_statement *statement = add_task(unit, arena, found_sql, task);
    pg_param(statement, task->said);
    pg_param(statement, task->was_answered ? "t" : "f");
}

void voice_task_add_missed(struct pg_unit *unit, struct arena *arena, const struct voice_task *task)
{
    struct pg_statement *statement = add_task(unit, arena, missed_sql, task);
    pg_param(statement, task->said);
    pg_param(statement, number_of(arena, task->tell_in_ms));
}

void voice_task_add_not_missed(struct pg_unit *unit, struct arena *arena, const char *tenant,
                               const struct uuid *missed)
{
    struct pg_statement *statement = pg_add(unit, not_missed_sql);
    pg_param(statement, tenant);
    pg_param(statement, text_of(arena, missed));
}

void voice_task_add(struct pg_unit *unit, struct arena *arena, const struct voice_task *task)
{
    struct pg_statement *statement = add_task(unit, arena, task_sql, task);
    pg_param(statement, task->recording_sid);
    pg_param(statement, task->account_sid);
    pg_param(statement, number_of(arena, task->duration_s));
    pg_param(statement, number_of(arena, task->tell_in_ms));
    call_back_add_auto(unit, arena, task->tenant, &task->id);
}

void voice_task_add_transcript(struct pg_unit *unit, struct arena *arena,
                               const struct voice_task *task, const char *text)
{
    const char *id = text_of(arena, &task->id);
    struct pg_statement *lock = pg_add(unit, lock_task_sql);
    pg_param(lock, task->tenant);
    pg_param(lock, id);
    struct pg_statement *statement = pg_add(unit, transcript_sql);
    pg_param(statement, task->tenant);
    pg_param(statement, id);
    pg_param(statement, text);
    pg_param(statement, arena_strndup(arena, text, text_utf8_prefix(text, TRANSCRIPT_SAID_MAX)));
}
