/* SQL of periodic work. */
#include "store/job.h"

static const char claim_sql[] =
    "UPDATE jobs j SET worker = $2::uuid, tries = j.tries + 1 FROM ("
    " SELECT d.tenant_id, d.id FROM jobs d"
    " WHERE d.kind = $1::text AND d.due_at <= statement_timestamp()"
    " AND (d.worker IS NULL OR (d.worker = $2::uuid AND d.id NOT IN (SELECT unnest($3::uuid[])))"
    " OR NOT EXISTS (SELECT FROM workers w WHERE w.id = d.worker AND NOT w.dead))"
    " AND (SELECT released_for = database_identity() FROM installation)"
    " ORDER BY d.due_at LIMIT $4::integer FOR NO KEY UPDATE SKIP LOCKED) AS due"
    " WHERE j.tenant_id = due.tenant_id AND j.id = due.id"
    " RETURNING j.tenant_id, j.id, j.subject, j.tries,"
    " coalesce(extract(epoch FROM j.last_done_at) * 1000, 0)::bigint,"
    " (extract(epoch FROM j.since) * 1000)::bigint,"
    " (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

static const char end_sql[] = "UPDATE jobs SET worker = NULL, last_error = $4::text,"
                              " tries = CASE WHEN $4::text IS NULL THEN 0 ELSE tries END,"
                              " last_done_at = CASE WHEN $4::text IS NULL"
                              " THEN to_timestamp($5::bigint / 1000.0) ELSE last_done_at END,"
                              " due_at = CASE WHEN $6::bigint >= 0"
                              " THEN clock_timestamp() + $6::bigint * interval '1 ms' END"
                              " WHERE tenant_id = $1::uuid AND id = $2::uuid AND worker = $3::uuid";

static const char release_sql[] = "UPDATE jobs SET worker = NULL WHERE worker = $1::uuid";

static const char put_sql[] =
    "INSERT INTO jobs AS j (tenant_id, id, kind, subject, due_at)"
    " VALUES ($1::uuid, $2::uuid, $3::text, $4::text, clock_timestamp())"
    " ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET due_at = EXCLUDED.due_at,"
    " since = EXCLUDED.since, worker = NULL, last_done_at = NULL, tries = 0, last_error = NULL"
    " WHERE j.due_at IS NULL OR $5::boolean";

static const char *number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

static const char *text_of(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

void job_add_claim(struct pg_unit *unit, struct arena *arena, const char *kind, const char *worker,
                   const char *held, int limit)
{
    struct pg_statement *statement = pg_add(unit, claim_sql);
    pg_param(statement, kind);
    pg_param(statement, worker);
    pg_param(statement, held);
    pg_param(statement, number(arena, limit));
}

bool job_read_claimed(const struct pg_answer *answer, int statement, int row, struct job *out)
{
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, statement))
        return false;
    *out = (struct job){
        .tenant = pg_uuid(r, statement, row, 0),
        .id = pg_uuid(r, statement, row, 1),
        .subject = pg_uuid(r, statement, row, 2),
        .tries = pg_int(r, statement, row, 3),
        .done_ms = pg_int(r, statement, row, 4),
        .since_ms = pg_int(r, statement, row, 5),
        .now_ms = pg_int(r, statement, row, 6),
    };
    return true;
}

void job_add_end(struct pg_unit *unit, struct arena *arena, const struct job *job,
                 const struct job_end *end)
{
    struct pg_statement *statement = pg_add(unit, end_sql);
    pg_param(statement, text_of(arena, &job->tenant));
    pg_param(statement, text_of(arena, &job->id));
    pg_param(statement, end->worker);
    pg_param(statement, end->error);
    pg_param(statement, number(arena, end->done_ms));
    pg_param(statement, number(arena, end->next_in_ms));
}

void job_add_release(struct pg_unit *unit, const char *worker)
{
    pg_param(pg_add(unit, release_sql), worker);
}

int job_put(struct pg_session *session, const struct uuid *tenant, const char *kind,
            const struct uuid *subject, bool anew, struct err *err)
{
    char tenant_text[UUID_TEXT_SIZE], id_text[UUID_TEXT_SIZE], subject_text[UUID_TEXT_SIZE];
    struct uuid id = uuid_new();
    struct pg_result *result = NULL;
    const struct pg_statement statement = {
        .sql = put_sql,
        .params = {uuid_format(tenant, tenant_text), uuid_format(&id, id_text), kind,
                   uuid_format(subject, subject_text), anew ? "t" : "f"},
        .param_count = 5};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

const char *const job_statements[] = {claim_sql, NULL};
