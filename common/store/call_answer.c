/* The SQL of calls that were taken: see call_answer.h. The same rules as for codes that are texted
 * back (rota_reply.c), but for the time: a key counts as of when it was pressed, also when the call
 * was over, and the next one asked, before an engine heard of it. */
#include "store/call_answer.h"

#include "store/delivery_state.h"
#include "store/job.h"

#include <string.h>

/* Two people who accept at once are told one after the other. */
static const char lock_sql[] =
    "SELECT 1 FROM escalations e JOIN delivery_calls k ON k.tenant_id = e.tenant_id"
    " AND k.escalation_id = e.id WHERE k.tenant_id = $1::uuid AND k.delivery_id = $2::uuid"
    " FOR NO KEY UPDATE OF e";

#define KIND_SQL                                                                                   \
    "CASE WHEN n.id IS NULL OR $3::text IN ('human', 'machine') THEN 'noted'"                      \
    " WHEN $3::text = 'refused' THEN 'noted' WHEN e.state = 'closed' THEN 'closed'"                \
    " WHEN e.state = 'accepted' AND e.accepted_by = n.name THEN 'yours'"                           \
    " WHEN e.state = 'accepted' THEN 'taken'"                                                      \
    " WHEN n.state IN ('open', 'passed') AND n.until_at > to_timestamp($4::bigint / 1000.0)"       \
    " THEN 'accept' ELSE 'late' END"

static const char answer_sql[] =
    "WITH mine AS (SELECT k.tenant_id, k.delivery_id, k.escalation_id, n.id AS notice_id, n.name,"
    " n.state AS notice_state, e.accepted_by, t.language, " KIND_SQL " AS kind"
    " FROM delivery_calls k JOIN tenants t ON t.id = k.tenant_id"
    " JOIN escalations e ON e.tenant_id = k.tenant_id AND e.id = k.escalation_id"
    " LEFT JOIN escalation_notices n ON n.tenant_id = k.tenant_id AND n.delivery_id = k.delivery_id"
    " WHERE k.tenant_id = $1::uuid AND k.delivery_id = $2::uuid),"
    " known AS (UPDATE delivery_calls k SET answered_at = coalesce(k.answered_at,"
    " to_timestamp($4::bigint / 1000.0)), answered_by = CASE WHEN $3::text = 'machine'"
    " THEN 'machine' ELSE 'human' END FROM mine m WHERE k.tenant_id = m.tenant_id"
    " AND k.delivery_id = m.delivery_id),"
    " won AS (SELECT * FROM mine WHERE kind = 'accept'),"
    " accepted AS (UPDATE escalations e SET state = 'accepted', rota = 'over',"
    " accepted_by = w.name, accepted_at = clock_timestamp() FROM won w"
    " WHERE e.tenant_id = w.tenant_id AND e.id = w.escalation_id),"
    " told AS (UPDATE escalation_notices n SET ended_at = clock_timestamp(),"
    " state = CASE WHEN n.id = w.notice_id THEN 'accepted' ELSE 'ended' END FROM won w"
    " WHERE n.tenant_id = w.tenant_id AND n.escalation_id = w.escalation_id"
    " AND (n.state = 'open' OR n.id = w.notice_id)),"
    " waiting AS (SELECT d.tenant_id, d.id FROM won w JOIN escalation_notices n"
    " ON n.tenant_id = w.tenant_id AND n.escalation_id = w.escalation_id"
    " JOIN deliveries d ON d.tenant_id = n.tenant_id AND d.id = n.delivery_id"
    " AND d.state = ANY ('" DELIVERY_WAITING "') ORDER BY d.tenant_id, d.id"
    " FOR NO KEY UPDATE OF d),"
    " unsent AS (UPDATE deliveries d SET state = 'suppressed', reason = 'accepted',"
    " settled_at = clock_timestamp() FROM waiting x"
    " WHERE d.tenant_id = x.tenant_id AND d.id = x.id),"
    " timer AS (UPDATE jobs j SET due_at = CASE WHEN m.kind = 'accept' THEN NULL"
    " ELSE clock_timestamp() END,"
    " worker = CASE WHEN m.kind = 'accept' THEN NULL ELSE j.worker END FROM mine m"
    " WHERE j.tenant_id = m.tenant_id AND j.kind = '" JOB_ESCALATION "'"
    " AND j.subject = m.escalation_id::text AND (m.kind = 'accept' OR (m.kind = 'noted'"
    " AND $3::text IN ('refused', 'machine') AND m.notice_state = 'open'"
    " AND j.due_at > clock_timestamp()))),"
    " noted AS (INSERT INTO audit_log (tenant_id, id, actor, action, subject) SELECT w.tenant_id,"
    " gen_random_uuid(), 'rota:' || w.name, 'escalation.accept', w.escalation_id::text FROM won w)"
    " SELECT kind, CASE kind WHEN 'accept' THEN name ELSE coalesce(accepted_by, '') END, language"
    " FROM mine";

void call_answer_add(struct pg_unit *unit, struct arena *arena, const struct call_answer *answer)
{
    const char *delivery = uuid_format(&answer->delivery, arena_alloc(arena, UUID_TEXT_SIZE));
    struct pg_statement *lock = pg_add(unit, lock_sql);
    pg_param(lock, answer->tenant);
    pg_param(lock, delivery);
    struct pg_statement *statement = pg_add(unit, answer_sql);
    pg_param(statement, answer->tenant);
    pg_param(statement, delivery);
    pg_param(statement, answer->outcome);
    pg_param(statement, arena_printf(arena, "%lld", (long long)answer->at_ms));
}

bool call_answer_read(const struct pg_answer *answer, struct call_answered *out)
{
    static const struct {
        const char *word;
        enum call_answer_kind kind;
    } kinds[] = {{"accept", CALL_ANSWER_THEIRS},
                 {"yours", CALL_ANSWER_THEIRS},
                 {"taken", CALL_ANSWER_TAKEN},
                 {"closed", CALL_ANSWER_CLOSED},
                 {"late", CALL_ANSWER_LATE}};
    const int s = 1;
    if (pg_rows(answer->results, s) == 0)
        return false;
    const char *word = pg_text(answer->results, s, 0, 0);
    *out = (struct call_answered){.by = pg_text(answer->results, s, 0, 1),
                                  .language = pg_text(answer->results, s, 0, 2)};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].word, word) == 0)
            out->kind = kinds[i].kind;
    return true;
}
