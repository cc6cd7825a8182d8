/* Statements that only look. Transcripts are put together by the database, one JSON object for a
 * conversation: the shape is needed as JSON anyway, and it is read in one snapshot. */
#include "store/admin.h"

#include "base/clock.h"
#include "store/delivery_state.h"
#include "store/job.h"

#include <stdio.h>

/* The transaction runs in UTC (schema_begin_as_ops). */
#define ISO "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'"

static const char *text_or_null(const struct pg_result *result, struct arena *arena, int row,
                                int column)
{
    return pg_is_null(result, 0, row, column)
               ? NULL
               : arena_strdup(arena, pg_text(result, 0, row, column));
}

/* ---- conversations ---- */

static const char list_sql[] =
    "SELECT c.id, t.name, s.remote_address, ch.address, to_char(c.last_activity_at, " ISO "), "
    "CASE WHEN c.held_by IS NOT NULL THEN 'held' WHEN c.closed_at IS NOT NULL THEN 'closed' "
    "ELSE 'open' END, c.held_by, c.flagged, "
    "(SELECT count(*) FROM messages m WHERE m.tenant_id = c.tenant_id "
    "AND m.conversation_id = c.id), "
    "(SELECT count(*) FROM inbox_events i JOIN channel_sessions o ON o.tenant_id = i.tenant_id "
    "AND o.id = i.session_id WHERE o.tenant_id = c.tenant_id AND o.conversation_id = c.id "
    "AND i.state = 'open'), c.epoch "
    "FROM conversations c JOIN tenants t ON t.id = c.tenant_id "
    "LEFT JOIN LATERAL (SELECT m.session_id FROM messages m WHERE m.tenant_id = c.tenant_id "
    "AND m.conversation_id = c.id ORDER BY m.position DESC LIMIT 1) l ON true "
    "LEFT JOIN channel_sessions s ON s.tenant_id = c.tenant_id AND s.id = l.session_id "
    "LEFT JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id "
    "WHERE ($1::text IS NULL OR t.name = $1::text) AND NOT EXISTS (SELECT FROM contact_merges g "
    "WHERE g.tenant_id = c.tenant_id AND g.gone_conversation = c.id AND g.split_at IS NULL) "
    "ORDER BY c.last_activity_at DESC, c.id LIMIT $2::bigint";

static struct admin_conversation read_conversation(const struct pg_result *result,
                                                   struct arena *arena, int row)
{
    return (struct admin_conversation){
        .id = text_or_null(result, arena, row, 0),
        .tenant = text_or_null(result, arena, row, 1),
        .address = text_or_null(result, arena, row, 2),
        .number = text_or_null(result, arena, row, 3),
        .last_activity_at = text_or_null(result, arena, row, 4),
        .state = text_or_null(result, arena, row, 5),
        .held_by = text_or_null(result, arena, row, 6),
        .flagged = text_or_null(result, arena, row, 7),
        .messages = pg_int(result, 0, row, 8),
        .open_events = pg_int(result, 0, row, 9),
        .epoch = pg_int(result, 0, row, 10),
    };
}

int admin_list_conversations(struct pg_session *session, struct arena *arena, const char *tenant,
                             int64_t limit, struct admin_conversation **rows, size_t *count,
                             struct err *err)
{
    char most[32];
    snprintf(most, sizeof most, "%lld", (long long)limit);
    const struct pg_statement statement = {
        .sql = list_sql, .params = {tenant, most}, .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    size_t found = (size_t)pg_rows(result, 0);
    struct admin_conversation *list = arena_alloc(arena, (found + 1) * sizeof *list);
    for (size_t i = 0; i < found; i++)
        list[i] = read_conversation(result, arena, (int)i);
    pg_result_free(&result);
    *rows = list;
    *count = found;
    return 0;
}

#define DELIVERY_JSON                                                                              \
    "jsonb_build_object('id', d.id, 'seq', d.seq, 'via', d.via, 'author', d.author, "              \
    "'state', d.state, 'reason', d.reason, 'mail', (SELECT jsonb_build_object('subject', "         \
    "w.subject, 'id', w.message_id, 'in_reply_to', w.in_reply_to) FROM delivery_mails w WHERE "    \
    "w.tenant_id = d.tenant_id AND w.delivery_id = d.id), 'call', (SELECT jsonb_build_object("     \
    "'purpose', q.purpose, 'answered_by', q.answered_by) FROM delivery_calls q WHERE "             \
    "q.tenant_id = d.tenant_id AND q.delivery_id = d.id), 'attempts_made', d.attempts, "           \
    "'segments', "                                                                                 \
    "d.segments, 'encoding', d.encoding, 'provider_sid', d.provider_sid, 'provider_status', "      \
    "d.provider_status, 'error_code', d.error_code, 'created_at', to_char(d.created_at, " ISO      \
    "), 'settled_at', to_char(d.settled_at, " ISO "), 'attempts', coalesce((SELECT "               \
    "jsonb_agg(jsonb_build_object('number', a.number, 'outcome', a.outcome, 'http_status', "       \
    "a.http_status, 'error_code', a.error_code, 'provider_sid', a.provider_sid, "                  \
    "'started_at', to_char(a.started_at, " ISO "), 'finished_at', to_char(a.finished_at, " ISO     \
    ")) ORDER BY a.number) FROM delivery_attempts a WHERE a.tenant_id = d.tenant_id AND "          \
    "a.delivery_id = d.id), '[]'))"

/* Nobody waits for the answer of a begun call whose turn was given back: it may have happened. */
#define HEARD_SQL                                                                                  \
    "coalesce(k.outcome, CASE WHEN k.state = 'started' AND u.worker IS NULL THEN 'unknown' END)"

#define TURN_JSON                                                                                  \
    "jsonb_build_object('id', u.id, 'number', u.number, 'state', u.state, 'outcome', "             \
    "u.outcome, 'tries', u.tries, 'recomputes', u.recomputes, 'passages', u.passages, "            \
    "'assistant_version', "                                                                        \
    "u.assistant_version, 'error_code', u.error_code, 'started_at', to_char(u.started_at, " ISO    \
    "), 'finished_at', to_char(u.finished_at, " ISO "), 'traceparent', u.traceparent, "            \
    "'calls', coalesce((SELECT jsonb_agg(jsonb_build_object('purpose', l.purpose, 'provider', "    \
    "l.provider, "                                                                                 \
    "'model', l.model, 'outcome', l.outcome, 'error_code', l.error_code, 'finish', "               \
    "l.finish, 'tokens_in', l.tokens_in, 'tokens_out', l.tokens_out, 'tokens_cached', "            \
    "l.tokens_cached, 'cost', l.cost, 'queue_ms', l.queue_ms, 'first_token_ms', "                  \
    "l.first_token_ms, 'total_ms', "                                                               \
    "l.total_ms, 'request_id', l.request_id, 'started_at', to_char(l.started_at, " ISO             \
    ")) ORDER BY "                                                                                 \
    "l.started_at) FROM llm_calls l WHERE l.tenant_id = u.tenant_id AND l.turn_id = u.id), "       \
    "'[]'), 'tools', coalesce((SELECT jsonb_agg(jsonb_build_object('round', k.round, 'name', "     \
    "k.name, 'arguments', k.arguments, 'state', CASE WHEN r.dropped_at IS NULL THEN k.state "      \
    "ELSE 'dropped' END, 'outcome', " HEARD_SQL ", 'result', k.result, 'started_at', "             \
    "to_char(k.started_at, " ISO "), 'finished_at', to_char(k.finished_at, " ISO                   \
    ")) ORDER BY k.round, k.place) FROM tool_calls k JOIN turn_rounds r "                          \
    "ON r.tenant_id = k.tenant_id AND r.turn_id = k.turn_id AND r.number = k.round "               \
    "WHERE k.tenant_id = u.tenant_id AND k.turn_id = u.id), '[]'))"

/* What has begun something and stands behind no reply: given back, or ended since others settled
 * its texts. */
#define CUT_SQL                                                                                    \
    "((u.state = 'running' AND u.worker IS NULL) OR (u.state = 'finished' AND u.outcome = "        \
    "'interrupted' AND NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = u.tenant_id AND "    \
    "m.turn_id = u.id))) AND EXISTS (SELECT FROM tool_calls k WHERE k.tenant_id = u.tenant_id "    \
    "AND k.turn_id = u.id AND k.started_at IS NOT NULL)"

static const char show_sql[] =
    "SELECT jsonb_build_object('id', c.id, 'tenant', t.name, 'epoch', c.epoch, 'held_by', "
    "c.held_by, 'flagged', c.flagged, 'opened_at', to_char(c.opened_at, " ISO "), "
    "'closed_at', to_char(c.closed_at, " ISO "), 'messages', coalesce((SELECT "
    "jsonb_agg(x.message ORDER BY x.position) FROM (SELECT m.position, "
    "jsonb_build_object('id', m.id, 'subject', m.subject, 'mail', (SELECT "
    "jsonb_build_object('id', w.mail_id, 'class', w.class, 'rule', w.rule, 'verified', "
    "w.verified, 'from_name', w.from_name, 'suggested', w.suggested_id) FROM message_mails w "
    "WHERE w.tenant_id = m.tenant_id AND w.message_id = m.id), 'at', to_char(m.created_at, " ISO
    "), 'event_time', "
    "to_char(m.event_time, " ISO "), 'direction', m.direction, 'author', m.author, 'body', "
    "m.body, 'heard', m.heard, 'media', m.media, 'provider_id', m.provider_id, 'channel', s.kind, "
    "'address', "
    "s.remote_address, 'number', ch.address, 'inbox', (SELECT jsonb_build_object('state', "
    "i.state, 'reason', i.reason, 'claimed_at', to_char(i.claimed_at, " ISO "), 'settled_at', "
    "to_char(i.settled_at, " ISO "), 'turn', i.turn_id) FROM inbox_events i WHERE i.tenant_id "
    "= m.tenant_id AND i.channel = s.kind AND i.provider_id = m.provider_id AND m.direction = "
    "'in'), 'turn', (SELECT " TURN_JSON " FROM turns u WHERE u.tenant_id = m.tenant_id AND "
    "u.id = m.turn_id), 'deliveries', coalesce((SELECT jsonb_agg(" DELIVERY_JSON " ORDER BY "
    "d.seq) FROM deliveries d WHERE d.tenant_id = m.tenant_id AND d.message_id = m.id), "
    "'[]')) AS message FROM messages m JOIN channel_sessions s ON s.tenant_id = m.tenant_id "
    "AND s.id = m.session_id JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = "
    "s.channel_id WHERE m.tenant_id = c.tenant_id AND m.conversation_id = c.id ORDER BY "
    "m.position DESC LIMIT 1000) x), '[]'), 'failed_turns', coalesce((SELECT jsonb_agg(" TURN_JSON
    " ORDER BY u.started_at) FROM turns u WHERE u.tenant_id = c.tenant_id AND "
    "u.conversation_id = c.id AND u.state = 'failed'), '[]'), 'cut_turns', coalesce((SELECT "
    "jsonb_agg(" TURN_JSON " ORDER BY u.started_at) FROM turns u WHERE u.tenant_id = c.tenant_id "
    "AND u.conversation_id = c.id AND " CUT_SQL "), '[]'), 'escalations', coalesce((SELECT "
    "jsonb_agg(jsonb_build_object('id', e.id, 'reason', e.reason, 'summary', e.summary, 'caller', "
    "e.caller, 'call_back', e.call_back, 'promised', e.promised, 'state', e.state, 'accepted_by', "
    "e.accepted_by, 'created_at', to_char(e.created_at, " ISO "), 'accepted_at', "
    "to_char(e.accepted_at, " ISO "), 'closed_at', to_char(e.closed_at, " ISO
    ")) ORDER BY e.created_at, e.id) FROM escalations e WHERE e.tenant_id = c.tenant_id AND "
    "e.conversation_id = c.id), '[]'), 'people', coalesce((SELECT jsonb_agg(jsonb_build_object("
    "'at', to_char(a.at, " ISO "), 'actor', a.actor, 'action', a.action) ORDER BY a.at, a.id) "
    "FROM audit_log a WHERE a.tenant_id = c.tenant_id AND a.at >= c.opened_at AND a.subject = "
    "c.id::text AND a.action LIKE 'conversation.%'), '[]'), 'summaries', coalesce((SELECT "
    "jsonb_agg("
    "jsonb_build_object('id', s.id, 'up_to', s.up_to, 'body', s.body, 'assistant_version', "
    "s.assistant_version, 'created_at', to_char(s.created_at, " ISO "), 'model', l.model, "
    "'call', l.id) ORDER BY s.up_to) FROM summaries s JOIN llm_calls l ON l.tenant_id = "
    "s.tenant_id AND l.id = s.call_id WHERE s.tenant_id = c.tenant_id AND s.conversation_id = "
    "c.id), '[]'))::text FROM conversations c JOIN "
    "tenants t ON t.id = c.tenant_id WHERE c.id = $1::uuid";

/* The one text of a statement with one id, NULL without a row. */
static int query_json(struct pg_session *session, struct arena *arena, const char *sql,
                      const struct uuid *id, const char **json, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = sql, .params = {uuid_format(id, text)}, .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *json = pg_rows(result, 0) > 0 ? text_or_null(result, arena, 0, 0) : NULL;
    pg_result_free(&result);
    return 0;
}

int admin_show_conversation(struct pg_session *session, struct arena *arena, const struct uuid *id,
                            const char **json, struct err *err)
{
    return query_json(session, arena, show_sql, id, json, err);
}

int admin_find_conversation(struct pg_session *session, const struct uuid *id, struct uuid *tenant,
                            bool *found, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "SELECT tenant_id FROM conversations WHERE id = $1::uuid",
        .params = {uuid_format(id, text)},
        .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *found = pg_rows(result, 0) > 0;
    if (*found)
        *tenant = pg_uuid(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

/* ---- dead ends ---- */

/* Each condition is that of a partial index (schema/migrations/0004, 0025): what is dead is few,
 * what was settled is many. */
#define DEAD_TURN     "u.state = 'failed'"
#define DEAD_DELIVERY "(d.state = 'parked' OR (d.state = 'suppressed' AND d.reason = 'late'))"
#define DEAD_EVENT    "(i.state = 'late' OR (i.state = 'failed' AND i.turn_id IS NULL))"

static const char dead_sql[] =
    "SELECT x.kind, x.id, t.name, x.conversation_id, to_char(x.at, " ISO "), x.code, x.tries FROM ("
    "SELECT 'turn' AS kind, u.id, u.tenant_id, u.conversation_id, "
    "coalesce(u.finished_at, u.started_at) AS at, u.error_code AS code, u.tries "
    "FROM turns u WHERE " DEAD_TURN " UNION ALL "
    "SELECT 'delivery', d.id, d.tenant_id, d.conversation_id, "
    "coalesce(d.settled_at, d.first_attempt_at, d.created_at), "
    "coalesce(d.reason, d.error_code), d.attempts FROM deliveries d WHERE " DEAD_DELIVERY
    " UNION ALL SELECT 'event', i.message_id, i.tenant_id, m.conversation_id, i.claimed_at, "
    "coalesce(i.reason, i.state), 0 FROM inbox_events i LEFT JOIN messages m ON m.tenant_id = "
    "i.tenant_id "
    "AND m.id = i.message_id WHERE " DEAD_EVENT ") x "
    "JOIN tenants t ON t.id = x.tenant_id WHERE $1::text IS NULL OR t.name = $1::text "
    "ORDER BY x.at DESC, x.id LIMIT $2::bigint";

int admin_list_dead(struct pg_session *session, struct arena *arena, const char *tenant,
                    int64_t limit, struct admin_dead **rows, size_t *count, struct err *err)
{
    char most[32];
    snprintf(most, sizeof most, "%lld", (long long)limit);
    const struct pg_statement statement = {
        .sql = dead_sql, .params = {tenant, most}, .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    size_t found = (size_t)pg_rows(result, 0);
    struct admin_dead *list = arena_alloc(arena, (found + 1) * sizeof *list);
    for (size_t i = 0; i < found; i++)
        list[i] = (struct admin_dead){
            .kind = text_or_null(result, arena, (int)i, 0),
            .id = text_or_null(result, arena, (int)i, 1),
            .tenant = text_or_null(result, arena, (int)i, 2),
            .conversation = text_or_null(result, arena, (int)i, 3),
            .at = text_or_null(result, arena, (int)i, 4),
            .code = text_or_null(result, arena, (int)i, 5),
            .tries = pg_int(result, 0, (int)i, 6),
        };
    pg_result_free(&result);
    *rows = list;
    *count = found;
    return 0;
}

static const char show_dead_sql[] =
    "SELECT jsonb_build_object('kind', 'turn', 'tenant', t.name, 'conversation', "
    "u.conversation_id, 'turn', " TURN_JSON ", 'events', coalesce((SELECT "
    "jsonb_agg(jsonb_build_object('provider_id', i.provider_id, 'state', i.state, 'reason', "
    "i.reason, 'event_time', to_char(i.event_time, " ISO ")) ORDER BY i.event_time) FROM "
    "inbox_events i WHERE i.tenant_id = u.tenant_id AND i.turn_id = u.id), '[]'))::text FROM "
    "turns u JOIN tenants t ON t.id = u.tenant_id WHERE u.id = $1::uuid AND " DEAD_TURN
    " UNION ALL SELECT jsonb_build_object('kind', 'delivery', 'tenant', t.name, "
    "'conversation', d.conversation_id, 'delivery', " DELIVERY_JSON ")::text FROM deliveries "
    "d JOIN tenants t ON t.id = d.tenant_id WHERE d.id = $1::uuid AND " DEAD_DELIVERY
    " UNION ALL SELECT jsonb_build_object('kind', 'event', 'tenant', t.name, 'conversation', "
    "m.conversation_id, 'message', jsonb_build_object('at', to_char(m.created_at, " ISO
    "), 'direction', 'in', 'address', s.remote_address, 'body', m.body, 'media', m.media, "
    "'provider_id', i.provider_id, 'event_time', to_char(i.event_time, " ISO
    "), 'inbox', jsonb_build_object('state', i.state, 'reason', i.reason, 'claimed_at', "
    "to_char(i.claimed_at, " ISO "), 'settled_at', to_char(i.settled_at, " ISO
    "))))::text FROM inbox_events i JOIN tenants t ON t.id = i.tenant_id LEFT JOIN messages m ON "
    "m.tenant_id = i.tenant_id AND m.id = i.message_id LEFT JOIN channel_sessions s ON "
    "s.tenant_id = m.tenant_id AND s.id = m.session_id WHERE i.message_id = $1::uuid "
    "AND " DEAD_EVENT;

int admin_show_dead(struct pg_session *session, struct arena *arena, const struct uuid *id,
                    const char **json, struct err *err)
{
    return query_json(session, arena, show_dead_sql, id, json, err);
}

int admin_inbox_knows(struct pg_session *session, const struct uuid *tenant, const char *channel,
                      const char *provider_id, bool *known, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "SELECT EXISTS (SELECT 1 FROM inbox_events WHERE tenant_id = $1::uuid "
               "AND channel = $2::text AND provider_id = $3::text)",
        .params = {uuid_format(tenant, text), channel, provider_id},
        .param_count = 3};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *known = pg_bool(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

/* The provider's second may have begun before the event and ended after it. */
#define SECOND_MS 1000

#define SENT_TO                                                                                    \
    " FROM channel_sessions s JOIN channels ch ON ch.tenant_id = s.tenant_id"                      \
    " AND ch.id = s.channel_id WHERE s.tenant_id = $1::uuid AND ch.address = $2::text"             \
    " AND s.remote_address = $3::text"

/* A turn that is just committing is either before it, and its delivery is seen, or after it, and
 * finds that it has lost its fence. */
static const char *const lock_sent_sql[] = {
    "SELECT 1 FROM conversations c WHERE (c.tenant_id, c.id) IN"
    " (SELECT s.tenant_id, s.conversation_id" SENT_TO ") ORDER BY c.tenant_id, c.id FOR SHARE",
    "SELECT 1 FROM channel_sessions x WHERE (x.tenant_id, x.id) IN"
    " (SELECT s.tenant_id, s.id" SENT_TO ") ORDER BY x.tenant_id, x.id FOR NO KEY UPDATE",
};

static const char settle_sent_sql[] =
    "WITH s AS (SELECT s.tenant_id, s.id" SENT_TO " AND NOT EXISTS (SELECT FROM deliveries k"
    " WHERE k.tenant_id = $1::uuid AND k.provider_sid = $4::text)),"
    " d AS (UPDATE deliveries d SET state = 'suppressed', reason = 'reconciled', worker = NULL,"
    " settled_at = clock_timestamp() FROM s WHERE d.tenant_id = s.tenant_id"
    " AND d.session_id = s.id AND d.turn_id IS NOT NULL"
    " AND d.state = ANY ('" DELIVERY_UNPROVEN "')"
    " AND NOT EXISTS (SELECT FROM inbox_events e WHERE e.tenant_id = d.tenant_id"
    " AND e.turn_id = d.turn_id AND e.event_time > $5::timestamptz) RETURNING 1),"
    " e AS (UPDATE inbox_events e SET state = 'ended', reason = 'reconciled',"
    " settled_at = clock_timestamp() FROM s WHERE e.tenant_id = s.tenant_id"
    " AND e.session_id = s.id AND e.state = 'open' AND e.event_time <= $5::timestamptz"
    " RETURNING e.tenant_id, e.session_id),"
    " f AS (UPDATE channel_sessions x SET fence = x.fence + 1, worker = NULL,"
    " due_at = clock_timestamp() FROM (SELECT DISTINCT tenant_id, session_id FROM e) AS u"
    " WHERE x.tenant_id = u.tenant_id AND x.id = u.session_id)"
    " SELECT (SELECT count(*) FROM d) + (SELECT count(*) FROM e)";

static int run_sent(struct pg_session *session, const char *sql, const char *const params[5],
                    int count, struct pg_result **result, struct err *err)
{
    struct pg_statement statement = {.sql = sql};
    for (int i = 0; i < count; i++)
        pg_param(&statement, params[i]);
    return pg_session_query(session, &statement, result, err);
}

int admin_settle_sent(struct pg_session *session, const struct admin_sent *sent, int64_t *settled,
                      struct err *err)
{
    char tenant[UUID_TEXT_SIZE], at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(sent->at_ms + SECOND_MS, at);
    const char *const params[] = {uuid_format(&sent->tenant, tenant), sent->sender, sent->address,
                                  sent->sid, at};
    struct pg_result *result = NULL;
    for (size_t i = 0; i < sizeof lock_sent_sql / sizeof *lock_sent_sql; i++) {
        if (run_sent(session, lock_sent_sql[i], params, 3, &result, err) != 0)
            return -1;
        pg_result_free(&result);
    }
    if (run_sent(session, settle_sent_sql, params, 5, &result, err) != 0)
        return -1;
    *settled = pg_int(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

/* ---- periodic work ---- */

/* A channel's audit begins with the channel, and anew with each time that it comes back. */
static const char window_sql[] =
    "SELECT (extract(epoch FROM coalesce(j.since, c.created_at)) * 1000)::bigint, "
    "coalesce(extract(epoch FROM j.last_done_at) * 1000, 0)::bigint, "
    "coalesce(extract(epoch FROM least((SELECT min(e.event_time) FROM inbox_events e "
    "JOIN channel_sessions s ON s.tenant_id = e.tenant_id AND s.id = e.session_id "
    "WHERE e.tenant_id = c.tenant_id AND e.state = 'open' AND s.channel_id = c.id), "
    "(SELECT min(least(d.created_at, e.event_time)) FROM deliveries d "
    "JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id "
    "LEFT JOIN inbox_events e ON e.tenant_id = d.tenant_id AND e.turn_id = d.turn_id "
    "WHERE d.tenant_id = c.tenant_id AND d.state = ANY ('" DELIVERY_UNSETTLED "') "
    "AND s.channel_id = c.id), (SELECT min(k.call_ordered_at) FROM jobs o JOIN escalations k "
    "ON k.tenant_id = o.tenant_id AND k.id::text = o.subject WHERE o.tenant_id = c.tenant_id "
    "AND o.kind = '" JOB_CALL_BACK "' AND o.due_at IS NOT NULL AND c.kind = 'voice'"
    "))) * 1000, 0)::bigint "
    "FROM channels c LEFT JOIN jobs j ON j.tenant_id = c.tenant_id AND j.kind = 'gap_audit' "
    "AND j.subject = c.id::text WHERE c.tenant_id = $1::uuid AND c.id = $2::uuid";

int admin_read_window(struct pg_session *session, const struct uuid *tenant,
                      const struct uuid *channel, struct admin_window *window, struct err *err)
{
    char tenant_text[UUID_TEXT_SIZE], channel_text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = window_sql,
        .params = {uuid_format(tenant, tenant_text), uuid_format(channel, channel_text)},
        .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    bool found = pg_rows(result, 0) > 0;
    if (found)
        *window = (struct admin_window){
            .arrived_ms = pg_int(result, 0, 0, 0),
            .audited_ms = pg_int(result, 0, 0, 1),
            .open_ms = pg_int(result, 0, 0, 2),
        };
    pg_result_free(&result);
    return found ? 0 : err_set(err, ERR_PERMANENT, "channel.not_found", "the channel is gone");
}

int admin_list_jobs(struct pg_session *session, struct arena *arena, const char *kind,
                    struct admin_job **rows, size_t *count, struct err *err)
{
    const struct pg_statement statement = {
        .sql =
            "SELECT t.name, c.address, j.last_error, j.tries, "
            "greatest(0, extract(epoch FROM clock_timestamp() - "
            "greatest(j.last_done_at, j.due_at)) * 1000)::bigint, c.kind "
            "FROM jobs j JOIN channels c ON c.tenant_id = j.tenant_id AND c.id::text = j.subject "
            "JOIN tenants t ON t.id = j.tenant_id WHERE j.kind = $1::text "
            "AND c.removed_at IS NULL ORDER BY 1, 2, c.kind",
        .params = {kind},
        .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    size_t found = (size_t)pg_rows(result, 0);
    struct admin_job *list = arena_alloc(arena, (found + 1) * sizeof *list);
    for (size_t i = 0; i < found; i++)
        list[i] = (struct admin_job){
            .tenant = text_or_null(result, arena, (int)i, 0),
            .address = text_or_null(result, arena, (int)i, 1),
            .error = text_or_null(result, arena, (int)i, 2),
            .tries = pg_int(result, 0, (int)i, 3),
            .overdue_ms = pg_int(result, 0, (int)i, 4),
            .channel = text_or_null(result, arena, (int)i, 5),
        };
    pg_result_free(&result);
    *rows = list;
    *count = found;
    return 0;
}
