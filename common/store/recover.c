/* The SQL of `deskctl recover` and of the engine's job that does the same by itself: see recover.h.
 */
#include "store/recover.h"

#include "base/uuid.h"
#include "store/job.h"

#define ISO "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"

#define WITHOUT_MODEL "u.outcome IN ('fallback', 'degraded', 'budget_spent')"

/* A month: the longest answer_within_ms there is, so that only recent turns are looked at. */
#define RECENT "u.finished_at > statement_timestamp() - interval '31 days'"

/* A tool of the event's turn changed something, or may have: doing it again is worse than no
 * answer. */
#define HAD_EFFECTS                                                                                \
    "EXISTS (SELECT FROM tool_calls k WHERE k.tenant_id = i.tenant_id"                             \
    " AND k.turn_id = i.turn_id AND k.started_at IS NOT NULL)"

/* A model did answer in the turn, and was paid: what it said was nothing that may be sent. */
#define DECLINED                                                                                   \
    "EXISTS (SELECT FROM llm_calls l WHERE l.tenant_id = y.tenant_id AND l.turn_id = y.id"         \
    " AND (l.outcome IN ('answered', 'withheld', 'summed')"                                        \
    " OR l.error_code IN ('llm.filtered', 'llm.empty')) OFFSET 0)"
#define DECLINED_MAX "3" /* turns of a conversation, by itself */

/* In one look, of a tenant's turns that nothing has followed. */
#define LOOKED_AT_MAX "1000"

#define ALLOWED "coalesce(v.config #>> '{recover,answer}' = 'true', false)"

/* What the desk does without being asked. Where a turn was lost with three engines, the texts were
 * a loop, a person was at it, the database was held since (a restored one does not know what was
 * answered), or models decline, `deskctl recover` lists the conversation, and a person decides. A
 * mail in the customer's name (dmarc) is no reason: anybody can send one. */
#define BY_ITSELF                                                                                  \
    ALLOWED " AND v.config #>> '{recover,by_itself}' = 'true'"                                     \
            " AND coalesce(c.flagged, 'dmarc') = 'dmarc'"                                          \
            " AND u.finished_at > (SELECT changed_at FROM installation)"                           \
            " AND NOT EXISTS (SELECT FROM escalations p WHERE p.tenant_id = u.tenant_id"           \
            " AND p.conversation_id = u.conversation_id AND (p.state = 'accepted'"                 \
            " OR p.accepted_at > u.finished_at OR p.closed_at > u.finished_at) OFFSET 0)"          \
            " AND (SELECT count(*) FROM turns y WHERE y.tenant_id = u.tenant_id"                   \
            " AND y.session_id = u.session_id AND y.number > u.number AND " DECLINED               \
            ") < " DECLINED_MAX

/* Joined to a turn `u` without a model: one row, `f`, if it may be answered after all. A turn that
 * said nothing has no delivery, and one that answered no text has no customer waiting: it was a
 * recovery itself. OFFSET 0 keeps the planner from looking for a start elsewhere: from the turn all
 * is found by keys, with or without statistics. */
#define FOUND                                                                                      \
    " CROSS JOIN LATERAL (SELECT s.kind AS channel, s.remote_address, d.answer_by, e.state AS "    \
    "task, " ALLOWED " AS allowed, " BY_ITSELF " AS by_itself"                                     \
    " FROM channel_sessions s"                                                                     \
    " JOIN LATERAL (SELECT x.held_by, x.closed_at, x.flagged FROM conversations x"                 \
    " WHERE x.tenant_id = u.tenant_id AND x.id = u.conversation_id OFFSET 0) AS c"                 \
    " ON c.held_by IS NULL AND c.closed_at IS NULL"                                                \
    " JOIN deliveries d ON d.tenant_id = u.tenant_id AND d.turn_id = u.id"                         \
    " AND d.state <> 'suppressed' AND d.answer_by > clock_timestamp()"                             \
    " JOIN channels ch ON ch.tenant_id = u.tenant_id AND ch.id = s.channel_id"                     \
    " AND ch.removed_at IS NULL"                                                                   \
    " JOIN assistants a ON a.tenant_id = u.tenant_id AND a.id = ch.assistant_id"                   \
    " JOIN assistant_versions v ON v.tenant_id = u.tenant_id AND v.assistant_id = a.id"            \
    " AND v.version = a.current_version"                                                           \
    " LEFT JOIN LATERAL (SELECT x.state FROM escalations x WHERE x.tenant_id = u.tenant_id"        \
    " AND x.id = (SELECT r.escalation_id FROM receptions r WHERE r.tenant_id = u.tenant_id"        \
    " AND r.conversation_id = u.conversation_id AND r.session_id = u.session_id) OFFSET 0) AS e"   \
    " ON true"                                                                                     \
    " WHERE s.tenant_id = u.tenant_id AND s.id = u.session_id AND s.kind IN ('sms', 'mail')"       \
    " AND s.conversation_id = u.conversation_id AND e.state IS DISTINCT FROM 'closed'"             \
    " AND EXISTS (SELECT FROM inbox_events w WHERE w.tenant_id = u.tenant_id"                      \
    " AND w.turn_id = u.id AND w.provider_id NOT LIKE '" RECOVER_EVENT "%' OFFSET 0)"              \
    " AND NOT EXISTS (SELECT FROM inbox_events i WHERE i.tenant_id = u.tenant_id"                  \
    " AND i.channel = ANY ('{sms,mail}') AND i.provider_id = '" RECOVER_EVENT "' || u.id"          \
    " AND ((i.state, i.reason) IS DISTINCT FROM ('ended', 'no_model') OR " HAD_EFFECTS             \
    ") OFFSET 0)"                                                                                  \
    " AND NOT EXISTS (SELECT FROM deliveries n WHERE n.tenant_id = u.tenant_id"                    \
    " AND n.conversation_id = u.conversation_id AND n.author <> 'system' AND CASE WHEN"            \
    " n.session_id = d.session_id THEN n.seq > d.seq ELSE n.created_at > d.created_at END OFFSET " \
    "0)"                                                                                           \
    " AND NOT EXISTS (SELECT FROM messages o WHERE o.tenant_id = u.tenant_id"                      \
    " AND o.conversation_id = u.conversation_id AND o.author = 'operator'"                         \
    " AND o.created_at > u.finished_at OFFSET 0)"                                                  \
    " AND NOT EXISTS (SELECT FROM channel_sessions q WHERE q.tenant_id = u.tenant_id"              \
    " AND q.conversation_id = u.conversation_id AND EXISTS (SELECT FROM inbox_events i"            \
    " WHERE i.tenant_id = q.tenant_id AND i.session_id = q.id AND i.state = 'open' OFFSET 0)"      \
    " OFFSET 0)"                                                                                   \
    " AND NOT EXISTS (SELECT FROM consents n WHERE n.tenant_id = u.tenant_id"                      \
    " AND n.sender = ch.address AND n.address = s.remote_address"                                  \
    " AND n.state = 'opted_out' OFFSET 0) OFFSET 0) AS f"

/* The tenant's job. */
#define JOB_OF(tenant)                                                                             \
    "j.kind = '" JOB_RECOVERY "' AND j.tenant_id = " tenant " AND j.subject = " tenant "::text"

static const char list_sql[] =
    "SELECT t.name, u.conversation_id, f.remote_address, u.outcome,"
    " to_char(u.finished_at AT TIME ZONE 'UTC', " ISO "),"
    " to_char(f.answer_by AT TIME ZONE 'UTC', " ISO "), f.task, f.allowed, u.tenant_id,"
    " u.session_id, u.id FROM turns u JOIN tenants t ON t.id = u.tenant_id" FOUND
    " WHERE " WITHOUT_MODEL " AND " RECENT " AND ($1::text IS NULL OR t.name = $1::text)"
    " ORDER BY u.finished_at, u.id LIMIT $2::bigint";

static const char lock_conversation_sql[] =
    "SELECT 1 FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

static const char lock_session_sql[] =
    "SELECT 1 FROM channel_sessions WHERE tenant_id = $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

/* The event has the time of the text that it asks about: it is late when that is. One that found no
 * model the last time opens again, with its message; what was answered stays. The engine ($5) has
 * taken the tenant's job before, or another one has. */
static const char arm_sql[] =
    "WITH again AS (SELECT u.tenant_id, u.id AS turn_id, u.session_id, u.conversation_id AS "
    "talk_id,"
    " f.channel"
    " FROM turns u" FOUND " WHERE " WITHOUT_MODEL " AND " RECENT
    " AND u.tenant_id = $1::uuid AND u.id = $2::uuid AND f.allowed"
    " AND ($5::uuid IS NULL OR (f.by_itself AND EXISTS (SELECT FROM jobs j WHERE " JOB_OF(
        "$1::uuid") " AND j.worker = $5::uuid)))),"
                    " event AS (INSERT INTO inbox_events AS i (tenant_id, channel, provider_id, "
                    "session_id,"
                    " message_id, address_hash, content_hash, state, claim_id, event_time)"
                    " SELECT g.tenant_id, g.channel, '" RECOVER_EVENT
                    "' || g.turn_id, g.session_id, $3::uuid,"
                    " o.address_hash, ''::bytea, 'open', $4::uuid, o.event_time FROM again g CROSS "
                    "JOIN LATERAL ("
                    " SELECT x.address_hash, x.event_time FROM inbox_events x WHERE x.tenant_id = "
                    "g.tenant_id"
                    " AND x.turn_id = g.turn_id ORDER BY x.event_time LIMIT 1) AS o"
                    " ON CONFLICT (tenant_id, channel, provider_id) DO UPDATE SET state = 'open', "
                    "reason = NULL,"
                    " turn_id = NULL, settled_at = NULL, claim_id = EXCLUDED.claim_id"
                    " WHERE i.state = 'ended' AND i.reason = 'no_model' AND NOT " HAD_EFFECTS
                    " RETURNING tenant_id, session_id, message_id, provider_id, event_time),"
                    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, "
                    "direction, author,"
                    " body, provider_id, event_time) SELECT g.tenant_id, $3::uuid, g.talk_id, "
                    "g.session_id, 'in',"
                    " 'system', 'The desk was asked to answer once more.', v.provider_id, "
                    "v.event_time"
                    " FROM again g JOIN event v ON v.tenant_id = g.tenant_id AND v.session_id = "
                    "g.session_id"
                    " AND v.message_id = $3::uuid)"
                    " UPDATE channel_sessions s SET due_at = clock_timestamp(), burst_at = "
                    "clock_timestamp(),"
                    " worker = NULL, claimed = s.claimed + 1 FROM event v"
                    " WHERE s.tenant_id = v.tenant_id AND s.id = v.session_id";

static const char audit_sql[] = "INSERT INTO audit_log (tenant_id, id, actor, action, subject)"
                                " VALUES ($1::uuid, $2::uuid, $3::text, 'conversation.recover',"
                                " $4::text)";

/* ---- by itself ---- */

/* Tenants with turns without a model are found by skipping from one to the next in the index; what
 * is older than the job's last good end was seen by it, but for commits that came late. */
static const char make_sql[] =
    "WITH RECURSIVE hit (id) AS (SELECT '00000000-0000-0000-0000-000000000000'::uuid"
    " UNION ALL SELECT (SELECT u.tenant_id FROM turns u WHERE " WITHOUT_MODEL
    " AND u.tenant_id > w.id ORDER BY u.tenant_id LIMIT 1) FROM hit w WHERE w.id IS NOT NULL)"
    " INSERT INTO jobs AS j (tenant_id, id, kind, subject, due_at)"
    " SELECT w.id, gen_random_uuid(), '" JOB_RECOVERY "', w.id::text,"
    " clock_timestamp() + $1::bigint * interval '1 ms' FROM hit w"
    " LEFT JOIN jobs k ON k.tenant_id = w.id AND k.kind = '" JOB_RECOVERY "'"
    " AND k.subject = w.id::text"
    " CROSS JOIN LATERAL (SELECT u.finished_at AS at, u.assistant_id FROM turns u"
    " WHERE " WITHOUT_MODEL " AND u.tenant_id = w.id"
    " AND u.finished_at > statement_timestamp() - $2::bigint * interval '1 ms'"
    " ORDER BY u.finished_at DESC LIMIT 1) AS newest"
    " CROSS JOIN LATERAL (SELECT FROM assistants a JOIN assistant_versions v"
    " ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id AND v.version = a.current_version"
    " AND v.config #>> '{recover,by_itself}' = 'true'"
    " WHERE a.tenant_id = w.id AND a.id = newest.assistant_id LIMIT 1) AS allowed"
    " WHERE k.due_at IS NULL"
    " AND (k.last_done_at IS NULL OR newest.at > k.last_done_at - interval '1 min') ORDER BY w.id"
    " ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET due_at = EXCLUDED.due_at, tries = 0"
    " WHERE j.due_at IS NULL";

/* One conversation of each due tenant: those that found no model last are tried behind the others.
 * A tenant is busy while a recovery of its own is under way (none that a person came between), or
 * its new texts wait for a place. Of its turns without a model (`seen`) only those are looked at
 * more closely that are their session's last word. */
static const char due_sql[] =
    "SELECT j.tenant_id, j.tries, p.busy OR EXISTS (SELECT FROM channel_sessions q"
    " WHERE q.tenant_id = j.tenant_id"
    " AND q.worker IS NULL AND q.due_at < statement_timestamp() - interval '5 s'),"
    " p.conversation_id, p.session_id, p.turn_id, p.failed,"
    " (extract(epoch FROM clock_timestamp() - p.failed_at) * 1000)::bigint, p.no_model"
    " FROM (SELECT d.tenant_id, d.tries, d.since FROM jobs d WHERE d.kind = '" JOB_RECOVERY "'"
    " AND d.due_at <= statement_timestamp()"
    " AND (SELECT released_for = database_identity() FROM installation)"
    " ORDER BY d.due_at LIMIT $1::integer) AS j"
    " CROSS JOIN LATERAL (WITH seen AS MATERIALIZED (SELECT u.tenant_id, u.id, u.session_id,"
    " u.conversation_id, u.number, u.finished_at, x.state, x.reason, x.settled_at,"
    " x.turn_id AS try_id FROM turns u LEFT JOIN LATERAL (SELECT * FROM inbox_events i"
    " WHERE i.tenant_id = u.tenant_id AND i.channel = ANY ('{sms,mail}')"
    " AND i.provider_id = '" RECOVER_EVENT "' || u.id OFFSET 0) AS x ON true"
    " WHERE " WITHOUT_MODEL " AND u.tenant_id = j.tenant_id"
    " AND u.finished_at > statement_timestamp() - $2::bigint * interval '1 ms')"
    " SELECT EXISTS (SELECT FROM seen w WHERE w.state = 'open' AND (SELECT q.due_at"
    " FROM channel_sessions q WHERE q.tenant_id = w.tenant_id AND q.id = w.session_id) IS NOT NULL"
    ") AS busy, next.*, last.*"
    " FROM (VALUES (1)) AS one LEFT JOIN LATERAL (SELECT u.conversation_id, u.session_id,"
    " u.id AS turn_id FROM (SELECT * FROM seen w"
    " WHERE (w.state IS NULL OR (w.state = 'ended' AND w.reason = 'no_model'))"
    " AND EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = w.tenant_id AND d.turn_id = w.id"
    " AND d.answer_by > clock_timestamp()"
    " AND NOT EXISTS (SELECT FROM deliveries n WHERE n.tenant_id = d.tenant_id"
    " AND n.session_id = d.session_id AND n.seq > d.seq OFFSET 0) OFFSET 0)"
    " ORDER BY w.settled_at NULLS FIRST, w.finished_at, w.id LIMIT " LOOKED_AT_MAX ") AS u" FOUND
    " WHERE f.by_itself ORDER BY u.settled_at NULLS FIRST, u.finished_at, u.id LIMIT 1"
    ") AS next ON true LEFT JOIN LATERAL (SELECT w.settled_at AS failed_at,"
    " y.outcome = 'fallback' AS no_model, NOT " DECLINED " AS failed"
    " FROM (SELECT * FROM seen w"
    " WHERE w.state = 'ended' AND w.reason = 'no_model' AND w.settled_at >= j.since"
    " ORDER BY w.settled_at DESC LIMIT 1) AS w JOIN turns y ON y.tenant_id = w.tenant_id"
    " AND y.id = w.try_id) AS last ON true) AS p";

static const char pace_sql[] =
    "UPDATE jobs j SET due_at = CASE WHEN $2::bigint >= 0"
    " THEN clock_timestamp() + $2::bigint * interval '1 ms' END, tries = $3::integer,"
    " worker = $4::uuid,"
    " since = CASE WHEN $4::uuid IS NULL THEN j.since ELSE clock_timestamp() END,"
    " last_done_at = CASE WHEN $2::bigint < 0 THEN clock_timestamp() ELSE j.last_done_at END"
    " WHERE " JOB_OF("$1::uuid") " AND j.due_at <= statement_timestamp()";

static const char wake_sql[] =
    "UPDATE jobs j SET due_at = clock_timestamp(), since = clock_timestamp()"
    " WHERE " JOB_OF("$1::uuid") " AND j.due_at > clock_timestamp() + $2::bigint * interval '1 ms'";

void recover_add_look(struct pg_unit *unit, struct arena *arena, const struct recover_look *look)
{
    struct pg_statement *statement = pg_add(unit, make_sql);
    pg_param(statement, arena_printf(arena, "%lld", (long long)look->first_ms));
    pg_param(statement, arena_printf(arena, "%lld", (long long)look->within_ms));
    statement = pg_add(unit, due_sql);
    pg_param(statement, arena_printf(arena, "%d", look->limit));
    pg_param(statement, arena_printf(arena, "%lld", (long long)look->within_ms));
}

bool recover_read_due(const struct pg_answer *answer, int row, struct recover_due *out)
{
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, 1))
        return false;
    *out = (struct recover_due){.tenant = pg_uuid(r, 1, row, 0),
                                .tries = (int)pg_int(r, 1, row, 1),
                                .busy = pg_bool(r, 1, row, 2),
                                .conversation = pg_uuid(r, 1, row, 3),
                                .session = pg_uuid(r, 1, row, 4),
                                .turn = pg_uuid(r, 1, row, 5),
                                .failed = pg_bool(r, 1, row, 6),
                                .failed_ms = pg_int(r, 1, row, 7),
                                .no_model = pg_bool(r, 1, row, 8)};
    return true;
}

static const char *id_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

void recover_add_step(struct pg_unit *unit, struct arena *arena, const struct recover_due *due,
                      const struct recover_step *step)
{
    const char *tenant = id_text(arena, &due->tenant);
    const struct uuid message = uuid_new(), claim = uuid_new();
    struct pg_statement *statement = pg_add(unit, pace_sql);
    pg_param(statement, tenant);
    pg_param(statement, arena_printf(arena, "%lld", (long long)step->next_ms));
    pg_param(statement, arena_printf(arena, "%d", step->tries));
    pg_param(statement, step->worker);
    if (step->worker == NULL)
        return;
    statement = pg_add(unit, lock_conversation_sql);
    pg_param(statement, tenant);
    pg_param(statement, id_text(arena, &due->conversation));
    statement = pg_add(unit, lock_session_sql);
    pg_param(statement, tenant);
    pg_param(statement, id_text(arena, &due->session));
    statement = pg_add(unit, arm_sql);
    pg_param(statement, tenant);
    pg_param(statement, id_text(arena, &due->turn));
    pg_param(statement, id_text(arena, &message));
    pg_param(statement, id_text(arena, &claim));
    pg_param(statement, step->worker);
}

void recover_add_wake(struct pg_unit *unit, struct arena *arena, const char *tenant,
                      int64_t every_ms)
{
    struct pg_statement *statement = pg_add(unit, wake_sql);
    pg_param(statement, tenant);
    pg_param(statement, arena_printf(arena, "%lld", (long long)every_ms));
}

int64_t recover_read_armed(const struct pg_answer *answer)
{
    return answer->count > 1 ? pg_affected(answer->results, answer->count - 1) : 0;
}

const char *const recover_statements[] = {make_sql, due_sql, NULL};

/* ---- asked for ---- */

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
                    uuid_format(&ids[1], claim), NULL},
         .param_count = 5},
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
