/* The SQL of `deskctl recover`: see recover.h. */
#include "store/recover.h"

#include "base/uuid.h"

#define ISO "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"

/* A month: the longest answer_within_ms there is, so that only recent turns are looked at. A turn
 * that said nothing has no delivery and is none of these. */
#define FOUND                                                                                      \
    " FROM turns u JOIN tenants t ON t.id = u.tenant_id"                                           \
    " JOIN channel_sessions s ON s.tenant_id = u.tenant_id AND s.id = u.session_id"                \
    " AND s.conversation_id = u.conversation_id"                                                   \
    " JOIN conversations c ON c.tenant_id = u.tenant_id AND c.id = u.conversation_id"              \
    " AND c.held_by IS NULL AND c.closed_at IS NULL"                                               \
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"                     \
    " AND ch.removed_at IS NULL"                                                                   \
    " JOIN assistants a ON a.tenant_id = ch.tenant_id AND a.id = ch.assistant_id"                  \
    " JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"            \
    " AND v.version = a.current_version"                                                           \
    " JOIN deliveries d ON d.tenant_id = u.tenant_id AND d.turn_id = u.id"                         \
    " AND d.state <> 'suppressed' AND d.answer_by > clock_timestamp()"                             \
    " LEFT JOIN receptions r ON r.tenant_id = u.tenant_id AND r.conversation_id = c.id"            \
    " AND r.session_id = s.id"                                                                     \
    " LEFT JOIN escalations e ON e.tenant_id = r.tenant_id AND e.id = r.escalation_id"             \
    " WHERE u.outcome IN ('fallback', 'degraded', 'budget_spent')"                                 \
    " AND u.finished_at > clock_timestamp() - interval '31 days'"                                  \
    " AND e.state IS DISTINCT FROM 'closed'"                                                       \
    " AND NOT EXISTS (SELECT FROM deliveries n WHERE n.tenant_id = d.tenant_id"                    \
    " AND n.session_id = d.session_id AND n.seq > d.seq)"                                          \
    " AND NOT EXISTS (SELECT FROM messages o WHERE o.tenant_id = u.tenant_id"                      \
    " AND o.conversation_id = c.id AND o.author = 'operator' AND o.created_at > u.finished_at)"    \
    " AND NOT EXISTS (SELECT FROM inbox_events i WHERE i.tenant_id = u.tenant_id"                  \
    " AND i.session_id = s.id AND i.state = 'open')"                                               \
    " AND NOT EXISTS (SELECT FROM consents n WHERE n.tenant_id = u.tenant_id"                      \
    " AND n.sender = ch.address AND n.address = s.remote_address AND n.state = 'opted_out')"

#define ALLOWED "coalesce(v.config #>> '{recover,answer}' = 'true', false)"

static const char list_sql[] =
    "SELECT t.name, c.id, s.remote_address, u.outcome, to_char(u.finished_at AT TIME ZONE "
    "'UTC'," ISO "), to_char(d.answer_by AT TIME ZONE 'UTC', " ISO "), e.state, " ALLOWED
    ", u.tenant_id, s.id, u.id" FOUND " AND ($1::text IS NULL OR t.name = $1::text)"
    " ORDER BY u.finished_at, u.id LIMIT $2::bigint";

static const char lock_conversation_sql[] =
    "SELECT 1 FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

static const char lock_session_sql[] =
    "SELECT 1 FROM channel_sessions WHERE tenant_id = $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

/* The event has the time of the text that it asks about: it is late when that is. One that found no
 * model the last time opens again, with its message; what was answered stays. */
static const char arm_sql[] =
    "WITH again AS (SELECT u.tenant_id, u.id AS turn_id, s.id AS session_id, c.id AS talk_id" FOUND
    " AND u.tenant_id = $1::uuid AND u.id = $2::uuid AND " ALLOWED "),"
    " event AS (INSERT INTO inbox_events AS i (tenant_id, channel, provider_id, session_id,"
    " message_id, address_hash, content_hash, state, claim_id, event_time)"
    " SELECT g.tenant_id, 'sms', '" RECOVER_EVENT "' || g.turn_id, g.session_id, $3::uuid,"
    " o.address_hash, ''::bytea, 'open', $4::uuid, o.event_time FROM again g CROSS JOIN LATERAL ("
    " SELECT x.address_hash, x.event_time FROM inbox_events x WHERE x.tenant_id = g.tenant_id"
    " AND x.turn_id = g.turn_id ORDER BY x.event_time LIMIT 1) AS o"
    " ON CONFLICT (tenant_id, channel, provider_id) DO UPDATE SET state = 'open', reason = NULL,"
    " turn_id = NULL, settled_at = NULL, claim_id = EXCLUDED.claim_id"
    " WHERE i.state = 'ended' AND i.reason = 'no_model'"
    " RETURNING tenant_id, session_id, message_id, provider_id, event_time),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, provider_id, event_time) SELECT g.tenant_id, $3::uuid, g.talk_id, g.session_id, 'in',"
    " 'system', 'The desk was asked to answer once more.', v.provider_id, v.event_time"
    " FROM again g JOIN event v ON v.tenant_id = g.tenant_id AND v.session_id = g.session_id"
    " AND v.message_id = $3::uuid)"
    " UPDATE channel_sessions s SET due_at = clock_timestamp(), burst_at = clock_timestamp(),"
    " worker = NULL, claimed = s.claimed + 1 FROM event v"
    " WHERE s.tenant_id = v.tenant_id AND s.id = v.session_id";

static const char audit_sql[] = "INSERT INTO audit_log (tenant_id, id, actor, action, subject)"
                                " VALUES ($1::uuid, $2::uuid, $3::text, 'conversation.recover',"
                                " $4::text)";

static const char *cell(const struct pg_result *result, struct arena *arena, int row, int column)
{
    return pg_is_null(result, 0, row, column)
               ? NULL
               : arena_strdup(arena, pg_text(result, 0, row, column));
}

int recover_list(struct pg_session *session, struct arena *arena, const char *tenant, int64_t limit,
                 struct recover_row **rows, size_t *count, struct err *err)
{
    const struct pg_statement statement = {
        .sql = list_sql,
        .params = {tenant, arena_printf(arena, "%lld", (long long)limit)},
        .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *count = (size_t)pg_rows(result, 0);
    *rows = arena_alloc(arena, (*count + 1) * sizeof **rows);
    for (int i = 0; i < (int)*count; i++)
        (*rows)[i] = (struct recover_row){
            .tenant = cell(result, arena, i, 0),
            .conversation = cell(result, arena, i, 1),
            .address = cell(result, arena, i, 2),
            .outcome = cell(result, arena, i, 3),
            .at = cell(result, arena, i, 4),
            .answer_by = cell(result, arena, i, 5),
            .task = cell(result, arena, i, 6),
            .allowed = pg_bool(result, 0, i, 7),
            .tenant_id = cell(result, arena, i, 8),
            .session = cell(result, arena, i, 9),
            .turn = cell(result, arena, i, 10),
        };
    pg_result_free(&result);
    return 0;
}

static int run(struct pg_session *session, const struct pg_statement *statement, int64_t *touched,
               struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    *touched = pg_affected(result, 0);
    pg_result_free(&result);
    return 0;
}

int recover_answer(struct pg_session *session, const struct recover_row *row, const char *actor,
                   bool *armed, struct err *err)
{
    char message[UUID_TEXT_SIZE], claim[UUID_TEXT_SIZE], audit[UUID_TEXT_SIZE];
    const struct uuid ids[] = {uuid_new(), uuid_new(), uuid_new()};
    int64_t touched = 0;
    const struct pg_statement steps[] = {
        {.sql = lock_conversation_sql,
         .params = {row->tenant_id, row->conversation},
         .param_count = 2},
        {.sql = lock_session_sql, .params = {row->tenant_id, row->session}, .param_count = 2},
        {.sql = arm_sql,
         .params = {row->tenant_id, row->turn, uuid_format(&ids[0], message),
                    uuid_format(&ids[1], claim)},
         .param_count = 4},
    };
    const struct pg_statement note = {
        .sql = audit_sql,
        .params = {row->tenant_id, uuid_format(&ids[2], audit), actor, row->conversation},
        .param_count = 4};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (run(session, &steps[i], &touched, err) != 0)
            return -1;
    *armed = touched > 0;
    return *armed ? run(session, &note, &touched, err) : 0;
}
