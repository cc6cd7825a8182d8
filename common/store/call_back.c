/* The SQL of calls to customers: see call_back.h. deskctl orders them, the engine's call_back.c
 * makes them deliveries, which a responder's claim judges once more. */
#include "store/call_back.h"

#include "store/delivery_state.h"

/* Only a number that is the contact's own: one that somebody has said is for people to dial. */
#define ADDRESS_SQL                                                                                \
    "coalesce((SELECT a.address FROM contact_addresses a WHERE a.tenant_id = e.tenant_id"          \
    " AND a.contact_id = c.contact_id AND a.kind = 'phone' AND a.address LIKE '+%'"                \
    " ORDER BY a.address = e.call_back DESC NULLS LAST, a.address = s.remote_address DESC NULLS "  \
    "LAST,"                                                                                        \
    " a.created_at, a.address LIMIT 1), '')"

#define CHANNEL_SQL                                                                                \
    "(SELECT n.id FROM channels n WHERE n.tenant_id = e.tenant_id AND n.kind = 'voice'"            \
    " AND n.removed_at IS NULL ORDER BY (n.id = s.channel_id) IS TRUE DESC, n.created_at, n.id"    \
    " LIMIT 1)"

/* In the conversation of the task while that is open, else in the contact's open one. */
#define TALK_SQL                                                                                   \
    "LEFT JOIN turns u ON u.tenant_id = e.tenant_id AND u.id = e.turn_id"                          \
    " LEFT JOIN channel_sessions s ON s.tenant_id = u.tenant_id AND s.id = u.session_id"           \
    " JOIN conversations c0 ON c0.tenant_id = e.tenant_id AND c0.id = e.conversation_id"           \
    " JOIN LATERAL (SELECT x.* FROM conversations x WHERE x.tenant_id = c0.tenant_id"              \
    " AND (x.id = c0.id OR (x.contact_id = c0.contact_id AND x.closed_at IS NULL))"                \
    " ORDER BY x.closed_at IS NULL DESC, x.id = c0.id DESC LIMIT 1) c ON true"

static const char look_sql[] =
    "SELECT e.tenant_id, e.state, coalesce(e.closed_by, ''), " ADDRESS_SQL " AS address"
    ", " CHANNEL_SQL " IS NOT NULL, coalesce(c.held_by, ''), EXISTS (SELECT FROM channels n"
    " JOIN consents o ON o.tenant_id = n.tenant_id AND o.sender = n.address"
    " AND o.address = " ADDRESS_SQL
    " WHERE n.tenant_id = e.tenant_id AND n.kind IN ('sms', 'voice')"
    " AND o.state = 'opted_out'), EXISTS (SELECT FROM jobs j WHERE j.tenant_id = e.tenant_id"
    " AND j.kind = '" JOB_CALL_BACK "' AND j.subject = e.id::text AND j.due_at IS NOT NULL)"
    " FROM escalations e " TALK_SQL " WHERE e.id = $1::uuid";

#define ORDER_SQL(of, by)                                                                          \
    "WITH ordered AS (UPDATE escalations e SET call_ordered_at = clock_timestamp(),"               \
    " call_ordered_by = " by " " of " RETURNING e.tenant_id, e.id)"                                \
    " INSERT INTO jobs AS j (tenant_id, id, kind, subject, due_at) SELECT o.tenant_id,"            \
    " gen_random_uuid(), '" JOB_CALL_BACK "', o.id::text, clock_timestamp() FROM ordered o"        \
    " ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET due_at = EXCLUDED.due_at,"              \
    " worker = NULL, tries = 0, last_error = NULL"

static const char order_sql[] = ORDER_SQL("WHERE e.id = $1::uuid", "$2::text");

static const char audit_sql[] =
    "INSERT INTO audit_log (tenant_id, id, actor, action, subject) SELECT e.tenant_id,"
    " gen_random_uuid(), $2::text, 'escalation.call', e.id::text FROM escalations e"
    " WHERE e.id = $1::uuid";

static const char auto_sql[] = ORDER_SQL(
    "FROM conversations c WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid"
    " AND e.call_ordered_at IS NULL AND c.tenant_id = e.tenant_id AND c.id = e.conversation_id"
    " AND EXISTS (SELECT FROM channels n JOIN assistants a ON a.tenant_id = n.tenant_id"
    " AND a.id = n.assistant_id JOIN assistant_versions v ON v.tenant_id = a.tenant_id"
    " AND v.assistant_id = a.id AND v.version = a.current_version WHERE n.tenant_id = e.tenant_id"
    " AND n.kind = 'voice' AND n.removed_at IS NULL AND v.config->'calls'->>'back' = 'auto')",
    "NULL");

static const char read_sql[] =
    "SELECT e.state = 'open' OR (e.state = 'accepted' AND e.call_ordered_by IS NOT NULL),"
    " c.held_by IS NOT NULL, (SELECT count(*) FROM delivery_calls k JOIN deliveries d"
    " ON d.tenant_id = k.tenant_id AND d.id = k.delivery_id WHERE k.tenant_id = e.tenant_id"
    " AND k.escalation_id = e.id AND k.purpose = 'back' AND d.created_at >= e.call_ordered_at),"
    " coalesce(l.state, ''), coalesce(l.provider_status, ''), " ADDRESS_SQL ", " CHANNEL_SQL
    ", c.id, t.display_name, t.language, coalesce(v.config->>'calls', '') FROM escalations "
    "e " TALK_SQL " JOIN tenants t ON t.id = e.tenant_id"
    " LEFT JOIN channels h ON h.tenant_id = e.tenant_id AND h.id = " CHANNEL_SQL
    " LEFT JOIN assistants a ON a.tenant_id = h.tenant_id AND a.id = h.assistant_id"
    " LEFT JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"
    " AND v.version = a.current_version"
    " LEFT JOIN LATERAL (SELECT d.state, d.provider_status FROM delivery_calls k"
    " JOIN deliveries d ON d.tenant_id = k.tenant_id AND d.id = k.delivery_id"
    " WHERE k.tenant_id = e.tenant_id AND k.escalation_id = e.id AND k.purpose = 'back'"
    " AND d.created_at >= e.call_ordered_at ORDER BY d.created_at DESC LIMIT 1) l ON true"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid";

static const char lock_sql[] =
    "SELECT 1 FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR SHARE";

/* Far away: the end of the call brings it forward (delivery_call.c), and what ends without that
 * word is looked at all the same. */
static const char call_sql[] =
    "WITH due AS (SELECT j.tenant_id, j.id, j.subject::uuid AS escalation_id, c.epoch FROM jobs j"
    " JOIN conversations c ON c.tenant_id = j.tenant_id AND c.id = $4::uuid AND c.held_by IS NULL"
    " WHERE j.tenant_id = $1::uuid AND j.id = $2::uuid AND j.worker = $3::uuid),"
    " place AS (INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
    " remote_address, delivery_seq, ended_at) SELECT d.tenant_id, $5::uuid, $4::uuid, $6::uuid,"
    " 'voice', $9::text, 1, clock_timestamp() FROM due d),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, event_time) SELECT d.tenant_id, $7::uuid, $4::uuid, $5::uuid, 'out', 'ai', $10::text,"
    " clock_timestamp() FROM due d),"
    " sent AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
    " author, via, epoch, state, reason, next_at, answer_by) SELECT d.tenant_id, $8::uuid, "
    "$4::uuid,"
    " $5::uuid, 1, $7::uuid, 'ai', 'call', d.epoch, CASE WHEN $13::bigint > 0 THEN 'deferred'"
    " ELSE 'pending' END, CASE WHEN $13::bigint > 0 THEN 'again' END,"
    " clock_timestamp() + $13::bigint * interval '1 ms', clock_timestamp() + interval '5 days'"
    " FROM due d),"
    " called AS (INSERT INTO delivery_calls (tenant_id, delivery_id, escalation_id, purpose,"
    " ring_s, leave) SELECT d.tenant_id, $8::uuid, d.escalation_id, 'back', $12::integer, $11::text"
    " FROM due d)"
    " UPDATE jobs j SET worker = NULL, tries = 0, last_error = NULL,"
    " last_done_at = clock_timestamp(), due_at = clock_timestamp() + interval '1 day' FROM due d"
    " WHERE j.tenant_id = d.tenant_id AND j.id = d.id RETURNING 1";

static const char *text_of(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

/* ---- orders ---- */

static int judge(const struct pg_result *r, const char *id, struct err *err)
{
    if (pg_rows(r, 0) == 0)
        return err_set(err, ERR_PERMANENT, "escalation.not_found", "there is no escalation %s", id);
    if (pg_text(r, 0, 0, 2)[0] != '\0')
        return err_set(err, ERR_PERMANENT, "escalation.taken", "%s has closed it",
                       pg_text(r, 0, 0, 2));
    if (pg_text(r, 0, 0, 3)[0] == '\0')
        return err_set(err, ERR_PERMANENT, "call.nobody",
                       "no telephone number of this customer is known: `escalation show` has what "
                       "they said, for a person to dial");
    if (!pg_bool(r, 0, 0, 4))
        return err_set(err, ERR_PERMANENT, "call.no_number",
                       "the tenant has no channel of kind voice to call from");
    if (pg_text(r, 0, 0, 5)[0] != '\0')
        return err_set(err, ERR_PERMANENT, "call.held",
                       "%s has the conversation: hand it back first, or call yourself",
                       pg_text(r, 0, 0, 5));
    if (pg_bool(r, 0, 0, 6))
        return err_set(err, ERR_PERMANENT, "call.opt_out",
                       "the customer has opted out: only a person may call");
    if (pg_bool(r, 0, 0, 7))
        return err_set(err, ERR_PERMANENT, "call.ordered",
                       "a call is on its way: `deskctl escalation show` says how far it is");
    return 0;
}

static int run(struct pg_session *session, const char *sql, const char *id, const char *actor,
               struct err *err)
{
    const struct pg_statement statement = {.sql = sql, .params = {id, actor}, .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

int call_back_order(struct pg_session *session, const struct uuid *escalation, const char *actor,
                    struct err *err)
{
    char id[UUID_TEXT_SIZE];
    const struct pg_statement look = {
        .sql = look_sql, .params = {uuid_format(escalation, id)}, .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &look, &result, err) != 0)
        return -1;
    int rc = judge(result, id, err);
    pg_result_free(&result);
    if (rc != 0 || run(session, order_sql, id, actor, err) != 0)
        return -1;
    return run(session, audit_sql, id, actor, err);
}

void call_back_add_auto(struct pg_unit *unit, struct arena *arena, const char *tenant,
                        const struct uuid *escalation)
{
    struct pg_statement *statement = pg_add(unit, auto_sql);
    pg_param(statement, tenant);
    pg_param(statement, text_of(arena, escalation));
}

/* ---- steps ---- */

void call_back_add_read(struct pg_unit *unit, struct arena *arena, const struct job *job)
{
    struct pg_statement *statement = pg_add(unit, read_sql);
    pg_param(statement, text_of(arena, &job->tenant));
    pg_param(statement, text_of(arena, &job->subject));
}

bool call_back_read(const struct pg_answer *answer, struct call_back *out)
{
    const struct pg_result *r = answer->results;
    if (pg_rows(r, 0) == 0)
        return false;
    *out = (struct call_back){.wanted = pg_bool(r, 0, 0, 0),
                              .held = pg_bool(r, 0, 0, 1),
                              .calls = pg_int(r, 0, 0, 2),
                              .state = pg_text(r, 0, 0, 3),
                              .word = pg_text(r, 0, 0, 4),
                              .address = pg_text(r, 0, 0, 5),
                              .channel = pg_uuid(r, 0, 0, 6),
                              .conversation = pg_uuid(r, 0, 0, 7),
                              .business = pg_text(r, 0, 0, 8),
                              .language = pg_text(r, 0, 0, 9),
                              .calls_section = pg_text(r, 0, 0, 10)};
    return true;
}

void call_back_add_call(struct pg_unit *unit, struct arena *arena,
                        const struct call_back_call *call)
{
    const char *tenant = text_of(arena, &call->job.tenant);
    const char *conversation = text_of(arena, &call->conversation);
    struct pg_statement *lock = pg_add(unit, lock_sql);
    pg_param(lock, tenant);
    pg_param(lock, conversation);
    struct pg_statement *statement = pg_add(unit, call_sql);
    const char *const params[] = {tenant,
                                  text_of(arena, &call->job.id),
                                  call->worker,
                                  conversation,
                                  text_of(arena, &call->session),
                                  text_of(arena, &call->channel),
                                  text_of(arena, &call->message),
                                  text_of(arena, &call->delivery),
                                  call->address,
                                  call->body,
                                  call->leave,
                                  number(arena, call->ring_s),
                                  number(arena, call->after_ms)};
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        pg_param(statement, params[i]);
}

bool call_back_read_called(const struct pg_answer *answer)
{
    return pg_rows(answer->results, answer->count - 1) > 0;
}
