/* The SQL of the rota's steps: see rota.h. The engine's rota.c calls it. */
#include "store/rota.h"

#include "store/delivery_mail.h"

#include <string.h>

/* Fair by tenant: everybody's oldest first, then everybody's second, as sessions are adopted
 * (adoption.c); others may pick the same at the same time. */
#define DUE_SQL                                                                                    \
    "d.kind = '" JOB_ESCALATION "' AND d.due_at <= statement_timestamp()"                          \
    " AND (d.worker IS NULL OR d.worker = $1::uuid"                                                \
    " OR NOT EXISTS (SELECT FROM workers w WHERE w.id = d.worker AND NOT w.dead))"

static const char claim_sql[] =
    "WITH RECURSIVE tenants (id) AS (SELECT '00000000-0000-0000-0000-000000000000'::uuid"
    " UNION ALL SELECT (SELECT d.tenant_id FROM jobs d WHERE d.kind = '" JOB_ESCALATION "'"
    " AND d.due_at IS NOT NULL AND d.tenant_id > t.id ORDER BY d.tenant_id LIMIT 1)"
    " FROM tenants t WHERE t.id IS NOT NULL),"
    " picked AS (SELECT o.* FROM tenants t CROSS JOIN LATERAL (SELECT f.*, row_number()"
    " OVER (ORDER BY f.due_at) AS place FROM (SELECT d.tenant_id, d.id, d.due_at FROM jobs d"
    " WHERE d.tenant_id = t.id AND " DUE_SQL " ORDER BY d.due_at LIMIT $2::integer) AS f) AS o"
    " WHERE t.id IS NOT NULL),"
    " many AS (SELECT * FROM picked ORDER BY place, due_at LIMIT 4 * $2::integer),"
    " due AS (SELECT d.tenant_id, d.id FROM many p JOIN jobs d ON d.tenant_id = p.tenant_id"
    " AND d.id = p.id WHERE " DUE_SQL
    " AND (SELECT released_for = database_identity() FROM installation)"
    " ORDER BY p.place, p.due_at LIMIT $2::integer FOR NO KEY UPDATE OF d SKIP LOCKED)"
    " UPDATE jobs j SET worker = $1::uuid, tries = j.tries + 1 FROM due"
    " WHERE j.tenant_id = due.tenant_id AND j.id = due.id"
    " RETURNING j.tenant_id, j.id, j.subject, j.tries";

/* Without a turn (a recording) the customer is who is to be called back. From the number or mailbox
 * that the customer wrote to, while it is ours; else from another one of the tenant. Its
 * assistant's newest version counts: a rota that was mended is told at once. */
static const char read_sql[] =
    "SELECT e.tenant_id, j.id, e.id, e.state = 'open' AND e.rota = 'running', e.steps, e.reason,"
    " e.summary, e.caller, coalesce(s.remote_address, e.call_back), t.display_name, "
    "v.config->'escalation', ch.id,"
    " ch.address, to_char(now() AT TIME ZONE t.timezone, 'YYYY-MM-DD'),"
    " to_char(now() AT TIME ZONE t.timezone, 'HH24:MI'),"
    " lower(to_char(now() AT TIME ZONE t.timezone, 'dy')),"
    " (SELECT jsonb_agg(o.address) FROM jsonb_array_elements(v.config->'escalation'->'rota') AS r"
    " JOIN consents o ON o.tenant_id = e.tenant_id AND o.state = 'opted_out'"
    " AND ((o.sender = ch.address AND o.address = r->>'sms')"
    " OR (o.sender = vc.address AND o.address = r->>'call')"
    " OR (o.sender = mb.address AND o.address = lower(r->>'mail')))), t.language,"
    " v.config->'reception', mb.id, mb.address, vc.id"
    " FROM unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, job_id)"
    " JOIN jobs j ON j.tenant_id = i.tenant_id AND j.id = i.job_id"
    " JOIN escalations e ON e.tenant_id = j.tenant_id AND e.id = j.subject::uuid"
    " JOIN tenants t ON t.id = e.tenant_id"
    " LEFT JOIN turns u ON u.tenant_id = e.tenant_id AND u.id = e.turn_id"
    " LEFT JOIN channel_sessions s ON s.tenant_id = u.tenant_id AND s.id = u.session_id"
    " LEFT JOIN LATERAL (SELECT c.id, c.address, c.assistant_id FROM channels c"
    " WHERE c.tenant_id = e.tenant_id AND c.kind = 'sms' AND c.removed_at IS NULL"
    " ORDER BY (c.id = s.channel_id) IS TRUE DESC, c.created_at, c.id LIMIT 1) ch ON true"
    " LEFT JOIN LATERAL (SELECT c.id, c.address, c.assistant_id FROM channels c"
    " JOIN mail_accounts o ON o.tenant_id = c.tenant_id AND o.channel_id = c.id"
    " WHERE c.tenant_id = e.tenant_id AND c.kind = 'mail' AND c.removed_at IS NULL"
    " ORDER BY (c.id = s.channel_id) IS TRUE DESC, c.created_at, c.id LIMIT 1) mb ON true"
    " LEFT JOIN LATERAL (SELECT c.id, c.address, c.assistant_id FROM channels c"
    " WHERE c.tenant_id = e.tenant_id AND c.kind = 'voice' AND c.removed_at IS NULL"
    " ORDER BY (c.id = s.channel_id) IS TRUE DESC, c.created_at, c.id LIMIT 1) vc ON true"
    " LEFT JOIN assistants a ON a.tenant_id = e.tenant_id"
    " AND a.id = coalesce(ch.assistant_id, mb.assistant_id, vc.assistant_id)"
    " LEFT JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"
    " AND v.version = a.current_version";

/* Erasure takes the same lock exclusively: a notice is before it, and goes with the rest, or after
 * it, to somebody new. */
static const char lock_address_sql[] = "SELECT pg_advisory_xact_lock_shared($1::bigint)::text";

static const char person_sql[] =
    "WITH made AS (INSERT INTO contacts (tenant_id, id) SELECT $1::uuid, $2::uuid"
    " WHERE NOT EXISTS (SELECT FROM contact_addresses a WHERE a.tenant_id = $1::uuid"
    " AND a.kind = $4::text AND a.address = $3::text) ON CONFLICT DO NOTHING)"
    " INSERT INTO contact_addresses (tenant_id, kind, address, contact_id)"
    " VALUES ($1::uuid, $4::text, $3::text, $2::uuid) ON CONFLICT DO NOTHING";

/* Closed from the beginning: what the person writes as a customer never comes here, and no model
 * is told of it. */
static const char conversation_sql[] =
    "INSERT INTO conversations (tenant_id, id, contact_id, closed_at)"
    " SELECT a.tenant_id, $2::uuid, a.contact_id, clock_timestamp() FROM contact_addresses a"
    " WHERE a.tenant_id = $1::uuid AND a.kind = $4::text AND a.address = $3::text"
    " ON CONFLICT DO NOTHING";

static const char lock_escalation_sql[] =
    "SELECT 1 FROM escalations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

/* The escalation is locked: `due` sees whether somebody accepted it, or another worker, which took
 * ours for dead, has told this one already. The session has the notice's id and holds nothing else:
 * no notice waits until another one is settled. */
static const char notice_sql[] =
    "WITH due AS (SELECT e.tenant_id, e.id, j.id AS job_id, c.epoch FROM escalations e"
    " JOIN jobs j ON j.tenant_id = e.tenant_id AND j.id = $3::uuid AND j.worker = $4::uuid"
    " JOIN conversations c ON c.tenant_id = e.tenant_id AND c.id = $8::uuid"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid AND e.state = 'open'"
    " AND e.rota = 'running' AND e.steps = $5::integer"
    " AND NOT EXISTS (SELECT FROM escalation_notices n WHERE n.tenant_id = e.tenant_id"
    " AND n.sms = $13::text AND n.code = $14::text)),"
    " place AS (INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
    " remote_address, delivery_seq, ended_at) SELECT d.tenant_id, $11::uuid, $8::uuid, $7::uuid,"
    " CASE $18::text WHEN 'call' THEN 'voice' ELSE $18::text END, $13::text, 1,"
    " CASE $18::text WHEN 'call' THEN clock_timestamp() END FROM due d),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, event_time) SELECT d.tenant_id, $9::uuid, $8::uuid, $11::uuid, 'out', 'system',"
    " $15::text, clock_timestamp() FROM due d),"
    " sent AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
    " author, via, epoch, state, answer_by) SELECT d.tenant_id, $10::uuid, $8::uuid, $11::uuid,"
    " 1, $9::uuid, 'system', $18::text, d.epoch, 'pending',"
    " clock_timestamp() + $17::bigint * interval '1 ms' FROM due d),"
    " called AS (INSERT INTO delivery_calls (tenant_id, delivery_id, escalation_id, purpose, "
    "ring_s)"
    " SELECT d.tenant_id, $10::uuid, d.id, 'rota', $20::integer FROM due d WHERE $18::text = "
    "'call'),"
    " mailed AS (INSERT INTO delivery_mails (tenant_id, delivery_id, subject)"
    " SELECT d.tenant_id, $10::uuid, $19::text FROM due d WHERE $18::text = 'mail'),"
    " passed AS (UPDATE escalation_notices n SET state = 'passed', ended_at = clock_timestamp()"
    " FROM due d WHERE n.tenant_id = d.tenant_id AND n.escalation_id = d.id AND n.state = 'open'),"
    " noted AS (INSERT INTO escalation_notices (tenant_id, id, escalation_id, delivery_id, name,"
    " sms, round, code, until_at) SELECT d.tenant_id, $11::uuid, d.id, $10::uuid, $12::text,"
    " $13::text, $16::integer, $14::text, clock_timestamp() + $17::bigint * interval '1 ms'"
    " FROM due d),"
    " stepped AS (UPDATE escalations e SET steps = $6::integer FROM due d"
    " WHERE e.tenant_id = d.tenant_id AND e.id = d.id),"
    " timed AS (UPDATE jobs j SET worker = NULL, tries = 0, last_error = NULL,"
    " last_done_at = clock_timestamp(), due_at = clock_timestamp() + $17::bigint * interval '1 ms'"
    " FROM due d WHERE j.tenant_id = d.tenant_id AND j.id = d.job_id)"
    " SELECT count(*) FROM due";

/* The turn that opened it has not said yet what it says of it. */
#define SPEAKS_SQL                                                                                 \
    "EXISTS (SELECT FROM turns u WHERE u.tenant_id = e.tenant_id AND u.id = e.turn_id"             \
    " AND u.state = 'running')"

/* The conversation that it was opened in and the one that the customer's session is in now: in
 * front of the escalation, as a takeover locks them. */
static const char lock_conversations_sql[] =
    "SELECT 1 FROM conversations c WHERE c.tenant_id = $1::uuid AND c.id IN (SELECT unnest(ARRAY["
    "e.conversation_id, s.conversation_id]) FROM escalations e"
    " LEFT JOIN turns u ON u.tenant_id = e.tenant_id AND u.id = e.turn_id"
    " LEFT JOIN channel_sessions s ON s.tenant_id = u.tenant_id AND s.id = u.session_id"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid) ORDER BY c.id FOR SHARE";

static const char lock_session_sql[] =
    "SELECT 1 FROM channel_sessions s JOIN turns u ON u.tenant_id = s.tenant_id"
    " AND u.session_id = s.id JOIN escalations e ON e.tenant_id = u.tenant_id AND e.turn_id = u.id"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid FOR NO KEY UPDATE OF s";

/* In front of rest_sql, by the same locks. The ids are the escalation's: it is said once, however
 * often the rota is asked again. */
static const char nobody_sql[] =
    "WITH due AS (SELECT e.tenant_id, e.id, s.id AS session_id, s.kind, s.conversation_id, c.epoch"
    " FROM escalations e JOIN jobs j ON j.tenant_id = e.tenant_id AND j.id = $3::uuid"
    " AND j.worker = $4::uuid"
    " JOIN turns u ON u.tenant_id = e.tenant_id AND u.id = e.turn_id"
    " JOIN channel_sessions s ON s.tenant_id = u.tenant_id AND s.id = u.session_id"
    " AND s.kind IN ('sms', 'mail')"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " AND ch.removed_at IS NULL"
    " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id"
    " AND c.held_by IS NULL"
    " JOIN conversations o ON o.tenant_id = e.tenant_id AND o.id = e.conversation_id"
    " AND o.held_by IS NULL"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid AND e.state = 'open'"
    " AND e.rota = 'running' AND e.steps = $5::integer AND e.promised <> '' AND NOT " SPEAKS_SQL
    " AND EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = u.tenant_id AND d.turn_id = u.id"
    " AND d.via = s.kind AND d.state NOT IN ('suppressed', 'failed', 'bounced'))"
    " AND NOT EXISTS (SELECT FROM consents n WHERE n.tenant_id = s.tenant_id"
    " AND n.sender = ch.address AND n.address = s.remote_address AND n.state = 'opted_out')),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, event_time) SELECT d.tenant_id, d.id, d.conversation_id, d.session_id, 'out', 'system',"
    " $6::text, clock_timestamp() FROM due d ON CONFLICT DO NOTHING RETURNING tenant_id, id),"
    " place AS (UPDATE channel_sessions s SET delivery_seq = s.delivery_seq + 1 FROM due d"
    " JOIN said m ON m.tenant_id = d.tenant_id AND m.id = d.id WHERE s.tenant_id = d.tenant_id"
    " AND s.id = d.session_id RETURNING s.tenant_id, s.id, s.delivery_seq)"
    " INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id, author,"
    " via, epoch, state, answer_by) SELECT d.tenant_id, d.id, d.conversation_id, d.session_id,"
    " p.delivery_seq, d.id, 'system', d.kind, d.epoch, 'pending', clock_timestamp()"
    " + CASE d.kind WHEN 'mail' THEN interval '4 h' ELSE interval '1 h' END"
    " FROM due d JOIN place p ON p.tenant_id = d.tenant_id AND p.id = d.session_id"
    " RETURNING session_id, via = 'mail'";

/* A day's time by the tenant's clock, in the future. What was told and not accepted has passed. */
static const char rest_sql[] =
    "WITH due AS (SELECT e.tenant_id, e.id, j.id AS job_id, t.timezone,"
    " e.state = 'open' AND e.rota = 'running' AS runs, e.steps = $5::integer AS same,"
    " $6::boolean AND NOT " SPEAKS_SQL " AS ends FROM escalations e"
    " JOIN jobs j ON j.tenant_id = e.tenant_id AND j.id = $3::uuid AND j.worker = $4::uuid"
    " JOIN tenants t ON t.id = e.tenant_id WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid),"
    " over AS (UPDATE escalations e SET rota = CASE WHEN d.runs THEN 'nobody_accepted'"
    " ELSE 'over' END FROM due d WHERE e.tenant_id = d.tenant_id AND e.id = d.id"
    " AND e.rota = 'running' AND (NOT d.runs OR (d.same AND d.ends))),"
    " passed AS (UPDATE escalation_notices n SET ended_at = clock_timestamp(),"
    " state = CASE WHEN d.runs THEN 'passed' ELSE 'ended' END"
    " FROM due d WHERE n.tenant_id = d.tenant_id AND n.escalation_id = d.id AND n.state = 'open'"
    " AND (NOT d.runs OR n.until_at <= clock_timestamp()))"
    " UPDATE jobs j SET worker = NULL, last_error = NULL, tries = 0,"
    " due_at = CASE WHEN NOT d.runs OR (d.same AND d.ends) THEN NULL"
    " WHEN d.same AND $6::boolean THEN clock_timestamp() + interval '1 s'"
    " WHEN d.same THEN greatest(clock_timestamp() + interval '1 s',"
    " ($7::date + $8::integer + $9::time) AT TIME ZONE d.timezone)"
    " ELSE clock_timestamp() END"
    " FROM due d WHERE j.tenant_id = d.tenant_id AND j.id = d.job_id"
    " RETURNING d.runs AND d.same AND d.ends";

/* Its tries stand in the row since the claim. */
static const char failed_sql[] =
    "WITH mine AS (SELECT j.tenant_id, j.id FROM jobs j WHERE j.tenant_id = $1::uuid"
    " AND j.id = $3::uuid AND j.worker = $4::uuid),"
    " parked AS (UPDATE escalations e SET rota = 'parked' FROM mine m WHERE $6::bigint < 0"
    " AND e.tenant_id = m.tenant_id AND e.id = $2::uuid AND e.rota = 'running')"
    " UPDATE jobs j SET worker = NULL, last_error = $5::text, due_at = CASE WHEN $6::bigint >= 0"
    " THEN clock_timestamp() + $6::bigint * interval '1 ms' END"
    " FROM mine m WHERE j.tenant_id = m.tenant_id AND j.id = m.id";

/* ---- claiming ---- */

void rota_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker, int limit)
{
    struct pg_statement *statement = pg_add(unit, claim_sql);
    pg_param(statement, worker);
    pg_param(statement, arena_printf(arena, "%d", limit));
}

bool rota_read_claimed(const struct pg_answer *answer, int row, struct rota_job *out)
{
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, 0))
        return false;
    *out = (struct rota_job){.tenant = pg_uuid(r, 0, row, 0),
                             .id = pg_uuid(r, 0, row, 1),
                             .escalation = pg_uuid(r, 0, row, 2),
                             .tries = pg_int(r, 0, row, 3)};
    return true;
}

/* ---- reading ---- */

void rota_add_read(struct pg_unit *unit, struct arena *arena, const struct rota_job *jobs,
                   size_t count)
{
    struct pg_statement *statement = pg_add(unit, read_sql);
    struct pg_array tenants, ids;
    pg_array_init(&tenants);
    pg_array_init(&ids);
    for (size_t i = 0; i < count; i++) {
        pg_array_add_uuid(&tenants, &jobs[i].tenant);
        pg_array_add_uuid(&ids, &jobs[i].id);
    }
    pg_param(statement, pg_array_take(&tenants, arena));
    pg_param(statement, pg_array_take(&ids, arena));
    pg_array_fini(&tenants);
    pg_array_fini(&ids);
}

bool rota_read_due(const struct pg_answer *answer, int row, struct rota_due *out)
{
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, 0))
        return false;
    *out = (struct rota_due){
        .tenant = pg_uuid(r, 0, row, 0),
        .job = pg_uuid(r, 0, row, 1),
        .escalation = pg_uuid(r, 0, row, 2),
        .runs = pg_bool(r, 0, row, 3),
        .steps = (int)pg_int(r, 0, row, 4),
        .reason = pg_text(r, 0, row, 5),
        .summary = pg_text(r, 0, row, 6),
        .caller = pg_text(r, 0, row, 7),
        .customer = pg_text(r, 0, row, 8),
        .business = pg_text(r, 0, row, 9),
        .policy = pg_text(r, 0, row, 10),
        .channel = pg_uuid(r, 0, row, 11),
        .number = pg_text(r, 0, row, 12),
        .day = pg_text(r, 0, row, 13),
        .time = pg_text(r, 0, row, 14),
        .weekday = pg_text(r, 0, row, 15),
        .opted_out = pg_text(r, 0, row, 16),
        .language = pg_text(r, 0, row, 17),
        .reception = pg_text(r, 0, row, 18),
        .mail_channel = pg_uuid(r, 0, row, 19),
        .mailbox = pg_text(r, 0, row, 20),
        .call_channel = pg_uuid(r, 0, row, 21),
    };
    return true;
}

/* ---- steps ---- */

static const char *text_of(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

static void add(struct pg_unit *unit, const char *sql, const char *const *params)
{
    struct pg_statement *statement = pg_add(unit, sql);
    for (; *params != NULL; params++)
        pg_param(statement, *params);
}

/* The advisory lock's key: as the claim and erasure make it. */
static const char *lock_key(struct arena *arena, const struct uuid *address_hash)
{
    int64_t key;
    memcpy(&key, address_hash->bytes, sizeof key);
    return number(arena, key);
}

void rota_add_notice(struct pg_unit *unit, struct arena *arena, const struct rota_notice *notice)
{
    const struct rota_step *of = &notice->of;
    const char *tenant = text_of(arena, &of->tenant);
    const char *escalation = text_of(arena, &of->escalation);
    const char *conversation = text_of(arena, &notice->conversation);
    add(unit, lock_address_sql, (const char *[]){lock_key(arena, &notice->address_hash), NULL});
    const char *kind = notice->by_mail ? "mail" : "phone";
    add(unit, person_sql,
        (const char *[]){tenant, text_of(arena, &notice->contact), notice->address, kind, NULL});
    add(unit, conversation_sql,
        (const char *[]){tenant, conversation, notice->address, kind, NULL});
    add(unit, lock_escalation_sql, (const char *[]){tenant, escalation, NULL});
    add(unit, notice_sql,
        (const char *[]){tenant,
                         escalation,
                         text_of(arena, &of->job),
                         of->worker,
                         number(arena, of->steps),
                         number(arena, notice->steps_now),
                         text_of(arena, &notice->channel),
                         conversation,
                         text_of(arena, &notice->message),
                         text_of(arena, &notice->delivery),
                         text_of(arena, &notice->notice),
                         notice->name,
                         notice->address,
                         notice->code,
                         notice->body,
                         number(arena, notice->round),
                         number(arena, notice->accept_ms),
                         notice->by_mail   ? "mail"
                         : notice->by_call ? "call"
                                           : "sms",
                         notice->by_mail ? notice->subject : "",
                         number(arena, notice->ring_s),
                         NULL});
}

bool rota_read_done(const struct pg_answer *answer)
{
    return pg_int(answer->results, answer->count - 1, 0, 0) > 0;
}

static void add_nobody(struct pg_unit *unit, struct arena *arena, const struct rota_rest *rest,
                       const char *tenant, const char *escalation)
{
    const struct rota_step *of = &rest->of;
    const struct delivery_mail_of said = {.tenant = tenant, .delivery = of->escalation};
    add(unit, lock_session_sql, (const char *[]){tenant, escalation, NULL});
    add(unit, nobody_sql,
        (const char *[]){tenant, escalation, text_of(arena, &of->job), of->worker,
                         number(arena, of->steps), rest->tell, NULL});
    delivery_mail_add_made(unit, arena, &said, 1);
}

void rota_add_rest(struct pg_unit *unit, struct arena *arena, const struct rota_rest *rest)
{
    const struct rota_step *of = &rest->of;
    const char *tenant = text_of(arena, &of->tenant);
    const char *escalation = text_of(arena, &of->escalation);
    bool timed = rest->pause == ROTA_AT, tells = !timed && rest->tell != NULL;
    if (tells)
        add(unit, lock_conversations_sql, (const char *[]){tenant, escalation, NULL});
    add(unit, lock_escalation_sql, (const char *[]){tenant, escalation, NULL});
    if (tells)
        add_nobody(unit, arena, rest, tenant, escalation);
    struct pg_statement *statement = pg_add(unit, rest_sql);
    const char *const params[] = {tenant,
                                  escalation,
                                  text_of(arena, &of->job),
                                  of->worker,
                                  number(arena, of->steps),
                                  timed ? "false" : "true",
                                  timed ? rest->day : NULL,
                                  number(arena, rest->days),
                                  timed ? rest->time : NULL};
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        pg_param(statement, params[i]);
}

void rota_read_rested(const struct pg_answer *answer, struct rota_rested *out)
{
    const struct pg_result *r = answer->results;
    const int last = answer->count - 1, said = last - 2; /* its place in a thread is between */
    *out = (struct rota_rested){.nobody = pg_rows(r, last) > 0 && pg_bool(r, last, 0, 0)};
    if (out->nobody && answer->count > 2 && pg_rows(r, said) > 0) {
        out->session = pg_uuid(r, said, 0, 0);
        out->by_mail = pg_bool(r, said, 0, 1);
    }
}

void rota_add_failed(struct pg_unit *unit, struct arena *arena, const struct rota_failed *failed)
{
    const char *tenant = text_of(arena, &failed->job.tenant);
    const char *escalation = text_of(arena, &failed->job.escalation);
    add(unit, lock_escalation_sql, (const char *[]){tenant, escalation, NULL});
    add(unit, failed_sql,
        (const char *[]){tenant, escalation, text_of(arena, &failed->job.id), failed->worker,
                         failed->error, number(arena, failed->again_ms), NULL});
}

const char *const rota_statements[] = {claim_sql, NULL};
