/* The SQL of gather.h. A conversation is closed while something of it is on its way: its last reply
 * waits for the provider, another session's turn is still running, a call goes on. The person's
 * next text opens another one, and that is what an operator sees and takes. */
#include "store/gather.h"

#include "store/delivery_state.h"

/* Of a contact one conversation is open at most: the others of an open one are closed. */
#define OTHERS_SQL                                                                                 \
    "(SELECT o.id FROM conversations c JOIN conversations o ON o.tenant_id = c.tenant_id"          \
    " AND o.contact_id = c.contact_id AND o.id <> c.id WHERE c.tenant_id = $1::uuid"               \
    " AND c.id = $2::uuid AND c.closed_at IS NULL)"

static const char lock_conversations_sql[] =
    "SELECT 1 FROM conversations x WHERE x.tenant_id = $1::uuid AND (x.id = $2::uuid"
    " OR x.id IN " OTHERS_SQL ") ORDER BY x.id FOR NO KEY UPDATE";

static const char lock_sessions_sql[] =
    "SELECT 1 FROM channel_sessions s WHERE s.tenant_id = $1::uuid AND (s.conversation_id"
    " = $2::uuid OR s.conversation_id IN " OTHERS_SQL ") ORDER BY s.id FOR NO KEY UPDATE";

/* All at once, in the order in which a responder locks those that it writes outcomes of. */
static const char lock_deliveries_sql[] =
    "SELECT 1 FROM deliveries d WHERE d.tenant_id = $1::uuid AND (d.conversation_id = $2::uuid"
    " OR d.conversation_id IN " OTHERS_SQL ") AND d.author = 'ai'"
    " AND d.state = ANY ('" DELIVERY_UNSETTLED "')"
    " ORDER BY d.id FOR NO KEY UPDATE";

/* A session moves with its replies: a hand-back may have them made anew, and arms the
 * conversation's sessions. Notes of a session that has been in this conversation before stay where
 * they are. */
static const char move_sql[] =
    "WITH here AS MATERIALIZED (SELECT s.tenant_id, s.id, s.conversation_id FROM channel_sessions s"
    " WHERE s.tenant_id = $1::uuid AND s.conversation_id IN " OTHERS_SQL
    " AND (s.due_at IS NOT NULL OR (s.kind = 'voice' AND s.ended_at IS NULL) OR EXISTS (SELECT"
    " FROM inbox_events e WHERE e.tenant_id = s.tenant_id AND e.session_id = s.id"
    " AND e.state = 'open') OR EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = s.tenant_id"
    " AND d.session_id = s.id AND d.author = 'ai' AND d.state = ANY ('" DELIVERY_UNSETTLED "')))),"
    " notes AS (UPDATE receptions r SET conversation_id = $2::uuid FROM here h"
    " WHERE r.tenant_id = h.tenant_id AND r.conversation_id = h.conversation_id"
    " AND r.session_id = h.id AND NOT EXISTS (SELECT FROM receptions x"
    " WHERE x.tenant_id = h.tenant_id AND x.conversation_id = $2::uuid AND x.session_id = h.id)),"
    " moved AS (UPDATE channel_sessions s SET conversation_id = $2::uuid FROM here h"
    " WHERE s.tenant_id = h.tenant_id AND s.id = h.id),"
    " turn AS (UPDATE turns t SET conversation_id = $2::uuid FROM here h"
    " WHERE t.tenant_id = h.tenant_id AND t.session_id = h.id AND t.state = 'running'),"
    " asked AS (UPDATE messages m SET conversation_id = $2::uuid FROM here h JOIN inbox_events e"
    " ON e.tenant_id = h.tenant_id AND e.session_id = h.id AND e.state = 'open'"
    " WHERE m.tenant_id = h.tenant_id AND m.id = e.message_id),"
    " reply AS (UPDATE deliveries d SET conversation_id = $2::uuid WHERE d.tenant_id = $1::uuid"
    " AND d.conversation_id IN " OTHERS_SQL
    " AND d.author = 'ai' AND d.state = ANY ('" DELIVERY_UNSETTLED "')"
    " RETURNING d.tenant_id, d.message_id)"
    " UPDATE messages m SET conversation_id = $2::uuid FROM reply r"
    " WHERE m.tenant_id = r.tenant_id AND m.id = r.message_id";

static int run(struct pg_session *session, const char *const *sqls, size_t count,
               const struct uuid *tenant, const struct uuid *conversation, struct err *err)
{
    char ids[2][UUID_TEXT_SIZE];
    for (size_t i = 0; i < count; i++) {
        const struct pg_statement statement = {
            .sql = sqls[i],
            .params = {uuid_format(tenant, ids[0]), uuid_format(conversation, ids[1])},
            .param_count = 2};
        struct pg_result *result = NULL;
        if (pg_session_query(session, &statement, &result, err) != 0)
            return -1;
        pg_result_free(&result);
    }
    return 0;
}

int gather_lock(struct pg_session *session, const struct uuid *tenant,
                const struct uuid *conversation, struct err *err)
{
    /* twice: who waited for a merge finds the conversations that it brought */
    static const char *const sqls[] = {lock_conversations_sql, lock_conversations_sql,
                                       lock_sessions_sql};
    return run(session, sqls, sizeof sqls / sizeof *sqls, tenant, conversation, err);
}

int gather_run(struct pg_session *session, const struct uuid *tenant,
               const struct uuid *conversation, struct err *err)
{
    static const char *const sqls[] = {lock_deliveries_sql, move_sql};
    return run(session, sqls, sizeof sqls / sizeof *sqls, tenant, conversation, err);
}
