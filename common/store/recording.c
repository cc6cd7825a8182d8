/* The SQL of recordings: see recording.h. The responder's recordings.c adds it. */
#include "store/recording.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

/* The number may be the tenant's no longer: its token still opens what was recorded. */
static const char read_sql[] =
    "SELECT ch.id, ch.address, '', ch.account_sid, coalesce(ch.messaging_service_sid, ''),"
    " encode(ch.credentials, 'hex'), ch.credentials_version, ch.kind, r.recording_sid,"
    " r.account_sid, (extract(epoch FROM clock_timestamp() - r.created_at) * 1000)::bigint,"
    " coalesce(r.last_error, '') FROM recordings r JOIN channels ch ON ch.tenant_id = r.tenant_id"
    " AND ch.id = r.channel_id WHERE r.tenant_id = $1::uuid AND r.id = $2::uuid"
    " AND r.state = 'waiting'";

/* In front of recording and job, as erasure does. */
static const char lock_sql[] =
    "SELECT 1 FROM escalations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

#define MINE_SQL(set)                                                                              \
    "WITH mine AS (UPDATE recordings r SET " set ", tries = r.tries + 1 FROM jobs j"               \
    " WHERE r.tenant_id = $1::uuid AND r.id = $2::uuid AND r.state = 'waiting'"                    \
    " AND j.tenant_id = r.tenant_id AND j.id = $3::uuid AND j.worker = $4::uuid"                   \
    " RETURNING r.tenant_id, r.id, r.recording_sid, r.settled_at)"

static const char kept_sql[] =
    MINE_SQL("state = 'kept', size_bytes = $5::bigint, last_error = NULL, settled_at = "
             "clock_timestamp()") " INSERT INTO attachments (tenant_id, channel, event_id, number, "
                                  "kind, name, content_type,"
                                  " size_bytes, content) SELECT tenant_id, 'voice', recording_sid, "
                                  "1, 'recording',"
                                  " recording_sid || '.mp3', '" RECORDING_TYPE
                                  "', $5::bigint, $6::bytea FROM mine"
                                  " ON CONFLICT DO NOTHING";

static const char miss_sql[] = MINE_SQL("state = coalesce($5::text, r.state), last_error = "
                                        "$6::text,"
                                        " settled_at = CASE WHEN $5::text IS NOT NULL THEN "
                                        "clock_timestamp() END") " UPDATE escalations e SET "
                                                                 "summary = e.summary || ' ' || "
                                                                 "$7::text FROM mine m"
                                                                 " WHERE m.settled_at IS NOT NULL "
                                                                 "AND e.tenant_id = m.tenant_id "
                                                                 "AND e.id = m.id";

static const char bytes_sql[] =
    "SELECT encode(a.content, 'hex') FROM escalations e JOIN recordings r"
    " ON r.tenant_id = e.tenant_id AND r.id = e.id JOIN attachments a ON a.tenant_id = r.tenant_id "
    "AND a.channel = 'voice' AND a.event_id = r.recording_sid"
    " AND a.number = 1 WHERE e.id = $1::uuid";

static const char left_sql[] =
    "SELECT count(*) FILTER (WHERE r.state = 'waiting' AND r.tries >= 3),"
    " count(*) FILTER (WHERE r.state IN ('too_large', 'failed')) FROM recordings r"
    " JOIN escalations e ON e.tenant_id = r.tenant_id AND e.id = r.id WHERE e.state <> 'closed'"
    " AND r.state IN ('waiting', 'too_large', 'failed')";

static struct pg_statement *add(struct pg_unit *unit, struct arena *arena, const char *sql,
                                const struct job *job)
{
    struct pg_statement *statement = pg_add(unit, sql);
    pg_param(statement, uuid_format(&job->tenant, arena_alloc(arena, UUID_TEXT_SIZE)));
    pg_param(statement, uuid_format(&job->subject, arena_alloc(arena, UUID_TEXT_SIZE)));
    return statement;
}

static struct pg_statement *add_mine(struct pg_unit *unit, struct arena *arena, const char *sql,
                                     const struct job *job, const char *worker)
{
    add(unit, arena, lock_sql, job);
    struct pg_statement *statement = add(unit, arena, sql, job);
    pg_param(statement, uuid_format(&job->id, arena_alloc(arena, UUID_TEXT_SIZE)));
    pg_param(statement, worker);
    return statement;
}

void recording_add_read(struct pg_unit *unit, struct arena *arena, const struct job *job)
{
    add(unit, arena, read_sql, job);
}

bool recording_read(const struct pg_answer *answer, struct recording_due *out)
{
    const struct pg_result *r = answer->results;
    if (!delivery_read_channel(answer, &out->route))
        return false;
    out->sid = pg_text(r, 0, 0, 8);
    out->account_sid = pg_text(r, 0, 0, 9);
    out->age_ms = pg_int(r, 0, 0, 10);
    out->last_error = pg_text(r, 0, 0, 11);
    return true;
}

void recording_add_kept(struct pg_unit *unit, struct arena *arena, const struct job *job,
                        const char *worker, const char *bytes, size_t length)
{
    struct pg_statement *statement = add_mine(unit, arena, kept_sql, job, worker);
    struct strbuf hex;
    strbuf_init(&hex, 2 * length + 3);
    strbuf_add_text(&hex, "\\x");
    text_add_hex(&hex, bytes, length);
    pg_param(statement, arena_printf(arena, "%zu", length));
    pg_param(statement, arena_strndup(arena, hex.data, hex.length));
    strbuf_fini(&hex);
    job_add_end(unit, arena, job, &(struct job_end){worker, NULL, job->now_ms, -1});
}

void recording_add_miss(struct pg_unit *unit, struct arena *arena, const struct job *job,
                        const char *worker, const struct recording_miss *miss)
{
    struct pg_statement *statement = add_mine(unit, arena, miss_sql, job, worker);
    pg_param(statement, miss->state);
    pg_param(statement, miss->error);
    pg_param(statement, miss->words);
    job_add_end(unit, arena, job,
                &(struct job_end){worker, miss->error, job->now_ms,
                                  miss->state != NULL ? -1 : miss->next_in_ms});
}

int recording_bytes(struct pg_session *session, struct arena *arena, const struct uuid *task,
                    const char **bytes, size_t *length, struct err *err)
{
    char id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = bytes_sql, .params = {uuid_format(task, id)}, .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    const char *hex = pg_rows(result, 0) > 0 ? pg_text(result, 0, 0, 0) : "";
    *length = strlen(hex) / 2;
    uint8_t *out = arena_alloc(arena, *length + 1);
    bool found = *length > 0 && text_parse_hex(hex, out, *length);
    pg_result_free(&result);
    *bytes = (const char *)out;
    return found ? 0
                 : err_set(err, ERR_PERMANENT, "recording.none",
                           "there is no recording of this escalation, or it is not fetched yet: "
                           "`deskctl escalation show` says more");
}

int recording_count_left(struct pg_session *session, int64_t *waiting, int64_t *given_up,
                         struct err *err)
{
    const struct pg_statement statement = {.sql = left_sql};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *waiting = pg_int(result, 0, 0, 0);
    *given_up = pg_int(result, 0, 0, 1);
    pg_result_free(&result);
    return 0;
}
