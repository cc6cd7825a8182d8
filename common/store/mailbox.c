/* SQL of mailboxes and attachments. The mailpoller runs it. */
#include "store/mailbox.h"

#include <string.h>

#include "json/json.h"

#define DUE                                                                                        \
    " WHERE d.removed_at IS NULL AND d.paused_at IS NULL AND d.due_at <= statement_timestamp()"    \
    " AND (d.worker IS NULL OR (d.worker = $1::uuid AND d.id NOT IN (SELECT unnest($2::uuid[])))"  \
    " OR NOT EXISTS (SELECT FROM workers w WHERE w.id = d.worker AND NOT w.dead))"

/* Of each server the first few: however many of its mailboxes are due, others have a place. Which
 * those are is found once, as an array: as a join it might be found again for each row. */
static const char claim_sql[] =
    "UPDATE mailboxes m SET worker = $1::uuid, fence = m.fence + 1 FROM ("
    " SELECT d.tenant_id, d.id FROM mailboxes d" DUE " AND d.id = ANY (ARRAY(SELECT next.id FROM"
    " (SELECT d.id, d.due_at, lower(d.host) || ':' || d.port AS server, row_number() OVER"
    " (PARTITION BY lower(d.host), d.port ORDER BY d.due_at) AS place FROM mailboxes d" DUE
    ") AS next LEFT JOIN (SELECT lower(t.server) AS server, count(*) AS count"
    " FROM unnest($4::text[]) AS t(server) GROUP BY 1) AS taken USING (server)"
    " WHERE next.place <= $5::integer - coalesce(taken.count, 0)"
    " ORDER BY next.due_at LIMIT $3::integer)) FOR NO KEY UPDATE SKIP LOCKED) AS due"
    " WHERE m.tenant_id = due.tenant_id AND m.id = due.id"
    " RETURNING m.tenant_id, m.id, lower(m.address), m.host, m.port, m.security, m.auth,"
    " m.user_name, m.secret_from, m.secret_name, m.folder, m.trusted_servers::text,"
    " (SELECT coalesce(json_agg(lower(o.address)), '[]')::text FROM mailboxes o"
    " WHERE o.tenant_id = m.tenant_id AND o.removed_at IS NULL),"
    " coalesce(m.uid_validity, 0), m.last_uid,"
    " coalesce((extract(epoch FROM m.since_at) * 1000)::bigint, 0), m.rescan_to,"
    " coalesce((extract(epoch FROM m.newest_at) * 1000)::bigint, 0),"
    " coalesce((extract(epoch FROM m.started_at) * 1000)::bigint, 0), m.fence, m.failures,"
    " coalesce((SELECT encode(c.wrapped, 'hex') FROM mail_credentials c"
    " WHERE c.tenant_id = m.tenant_id AND c.mailbox_id = m.id AND c.way = 'in'), ''),"
    " coalesce((SELECT c.version FROM mail_credentials c"
    " WHERE c.tenant_id = m.tenant_id AND c.mailbox_id = m.id AND c.way = 'in'), 0)";

#define HELD                                                                                       \
    " WHERE tenant_id = $1::uuid AND id = $2::uuid AND worker = $3::uuid AND fence = $4::bigint"

static const char cursor_sql[] =
    "UPDATE mailboxes SET uid_validity = $5::bigint, last_uid = $6::bigint,"
    " since_at = to_timestamp(nullif($7::bigint, 0) / 1000.0), rescan_to = $8::bigint,"
    " newest_at = to_timestamp(nullif($9::bigint, 0) / 1000.0),"
    " started_at = to_timestamp(nullif($10::bigint, 0) / 1000.0),"
    " trying_uid = NULL, tried_by = '{}', failures = 0, last_error = NULL,"
    " read_at = clock_timestamp()" HELD
    " AND (uid_validity IS DISTINCT FROM $5::bigint OR last_uid <= $6::bigint) RETURNING 1";

/* Once for each life, however often it begins: what the database did to it meanwhile is not the
 * mail's doing, and a unit whose outcome was unknown may have been done. Those that are tried with
 * it become fewer, never more. */
static const char begin_sql[] =
    "UPDATE mailboxes SET tried_by = CASE WHEN trying_uid = $5::bigint"
    " THEN array_append(array_remove(tried_by, $6::uuid), $6::uuid) ELSE ARRAY[$6::uuid] END,"
    " trying_to = CASE WHEN trying_uid = $5::bigint AND tried_by <> '{}'"
    " THEN least(coalesce(trying_to, $5::bigint), $7::bigint) ELSE $7::bigint END,"
    " trying_uid = $5::bigint" HELD
    " AND removed_at IS NULL AND paused_at IS NULL RETURNING cardinality(tried_by), trying_to";

/* Whoever has the mailbox now: the life speaks for itself alone. */
static const char outlived_sql[] =
    "UPDATE mailboxes SET tried_by = array_remove(tried_by, $1::uuid)"
    " WHERE $1::uuid = ANY (tried_by) AND id <> ALL ($2::uuid[])";

static const char ended_sql[] = "SELECT id FROM mailboxes WHERE worker = $1::uuid"
                                " AND (removed_at IS NOT NULL OR paused_at IS NOT NULL)";

static const char alert_sql[] = "UPDATE mailboxes SET alert = $5::text" HELD;

/* Another process may have been given a new login since this one was read, and the old one is void
 * by that. */
#define RENEWED                                                                                    \
    "EXISTS (SELECT FROM mail_credentials c WHERE c.tenant_id = mailboxes.tenant_id"               \
    " AND c.mailbox_id = mailboxes.id AND c.way = 'in' AND c.version > $9::bigint)"

static const char end_sql[] =
    "UPDATE mailboxes SET worker = NULL, last_error = $5::text,"
    " failures = CASE WHEN $5::text IS NULL THEN 0 ELSE failures + 1 END,"
    " tried_by = CASE WHEN $7::boolean THEN array_replace(tried_by, $10::uuid,"
    " gen_random_uuid()) ELSE array_remove(tried_by, $10::uuid) END,"
    " due_at = clock_timestamp() + CASE WHEN $8::boolean AND " RENEWED
    " THEN 0 ELSE $6::bigint END * interval '1 ms',"
    " paused_at = CASE WHEN $8::boolean AND NOT " RENEWED
    " THEN coalesce(paused_at, clock_timestamp()) ELSE paused_at END,"
    " paused_by = CASE WHEN $8::boolean AND NOT " RENEWED
    " THEN coalesce(paused_by, 'mailpoller') ELSE paused_by END,"
    " paused_why = CASE WHEN $8::boolean AND NOT " RENEWED
    " AND paused_at IS NULL THEN $5::text ELSE paused_why END" HELD;

static const char login_sql[] =
    "UPDATE mail_credentials SET wrapped = decode($4::text, 'hex'), version = version + 1,"
    " changed_at = clock_timestamp() WHERE tenant_id = $1::uuid AND mailbox_id = $2::uuid"
    " AND way = 'in' AND (version = $3::bigint OR wrapped = decode($5::text, 'hex')) RETURNING 1";

static const char release_sql[] = "UPDATE mailboxes SET worker = NULL, due_at = clock_timestamp()"
                                  " WHERE worker = $1::uuid";

static const char skip_sql[] =
    "INSERT INTO mailbox_skips (tenant_id, mailbox_id, uid_validity, uid, reason)"
    " SELECT $1::uuid, $2::uuid, $5::bigint, skipped.uid, skipped.reason FROM mailboxes,"
    " unnest($6::bigint[], $7::text[]) AS skipped(uid, reason)" HELD " ON CONFLICT DO NOTHING";

/* Within the unit. The role's own limit is for statements that bring next to nothing. */
static const char time_sql[] = "SELECT set_config('statement_timeout', $1::text, true)";

static const char attachment_sql[] =
    "INSERT INTO attachments (tenant_id, channel, event_id, number, kind, name, content_type,"
    " size_bytes, content) VALUES ($1::uuid, 'mail', $2::text, $3::integer, $4::text, $5::text,"
    " $6::text, $7::bigint, $8::bytea) ON CONFLICT DO NOTHING";

/* So long an event may wait in its topic, and again as a dead letter (docs/adr/0008). What no
 * customer sent is nobody's after that, too. */
#define UNCLAIMED "interval '30 days'"

/* Classes of mails that no person wrote (mail/classify.h): such a mail ends under its own. Spam by
 * its DMARC alone may be a person's, whom people are to answer: its files are kept. */
#define NO_PERSONS                                                                                 \
    "('auto_reply', 'list', 'robot', 'spam', 'own', 'bounce', 'complaint', 'receipt')"

static const char sweep_sql[] =
    "DELETE FROM attachments WHERE (tenant_id, channel, event_id, number) IN ("
    " SELECT a.tenant_id, a.channel, a.event_id, a.number FROM attachments a"
    " LEFT JOIN inbox_events e ON e.tenant_id = a.tenant_id AND e.channel = a.channel"
    " AND e.provider_id = a.event_id WHERE a.created_at < clock_timestamp() - interval '1 day'"
    " AND (e.reason = 'erased' OR (e.tenant_id IS NULL OR e.reason IN " NO_PERSONS
    " AND NOT EXISTS (SELECT FROM message_mails w WHERE w.tenant_id = e.tenant_id"
    " AND w.message_id = e.message_id AND w.rule = 'dmarc'))"
    " AND a.created_at < clock_timestamp() - " UNCLAIMED ")"
    " ORDER BY a.created_at LIMIT 100) RETURNING 1";

static const char *number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

static const char *text_of(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

/* ---- claim ---- */

void mailbox_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                       const char *held, const struct mailbox_room *room)
{
    struct pg_statement *statement = pg_add(unit, claim_sql);
    pg_param(statement, worker);
    pg_param(statement, held);
    pg_param(statement, number(arena, room->places));
    pg_param(statement, room->servers);
    pg_param(statement, number(arena, room->per_server));
}

/* A JSON array of texts; what is none is left out. */
static size_t read_texts(struct arena *arena, const char *text, const char **out, size_t max)
{
    struct json *list;
    size_t count = 0;
    if (json_parse(text, strlen(text), &list, NULL) != 0)
        return 0;
    for (const struct json *item = json_first(list); item != NULL && count < max;
         item = json_next(item))
        if (json_type(item) == JSON_STRING)
            out[count++] = arena_strdup(arena, json_text(item));
    json_free(&list);
    return count;
}

bool mailbox_read_claimed(const struct pg_answer *answer, int statement, int row,
                          struct arena *arena, struct mailbox *out)
{
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, statement))
        return false;
#define TEXT(column) arena_strdup(arena, pg_text(r, statement, row, column))
#define INT(column)  pg_int(r, statement, row, column)
    *out = (struct mailbox){
        .tenant = pg_uuid(r, statement, row, 0),
        .id = pg_uuid(r, statement, row, 1),
        .address = TEXT(2),
        .host = TEXT(3),
        .port = (int)INT(4),
        .security = TEXT(5),
        .auth = TEXT(6),
        .user_name = TEXT(7),
        .secret_from = TEXT(8),
        .secret_name = TEXT(9),
        .folder = TEXT(10),
        .cursor = {.validity = (uint32_t)INT(13),
                   .last_uid = (uint32_t)INT(14),
                   .since_ms = INT(15),
                   .rescan_to = INT(16),
                   .newest_ms = INT(17),
                   .started_ms = INT(18)},
        .fence = INT(19),
        .failures = INT(20),
        .wrapped_hex = TEXT(21),
        .wrapped_version = INT(22),
    };
    out->trusted_count =
        read_texts(arena, pg_text(r, statement, row, 11), out->trusted, MAILBOX_TRUSTED_MAX);
    out->house_count =
        read_texts(arena, pg_text(r, statement, row, 12), out->house, MAILBOX_HOUSE_MAX);
#undef TEXT
#undef INT
    return true;
}

/* ---- in hand ---- */

static struct pg_statement *add_held(struct pg_unit *unit, struct arena *arena, const char *sql,
                                     const struct mailbox_hold *hold)
{
    struct pg_statement *statement = pg_add(unit, sql);
    pg_param(statement, text_of(arena, &hold->tenant));
    pg_param(statement, text_of(arena, &hold->id));
    pg_param(statement, hold->worker);
    pg_param(statement, number(arena, hold->fence));
    return statement;
}

void mailbox_add_cursor(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                        const struct imap_cursor *cursor)
{
    struct pg_statement *statement = add_held(unit, arena, cursor_sql, hold);
    pg_param(statement, number(arena, cursor->validity));
    pg_param(statement, number(arena, cursor->last_uid));
    pg_param(statement, number(arena, cursor->since_ms));
    pg_param(statement, number(arena, cursor->rescan_to));
    pg_param(statement, number(arena, cursor->newest_ms));
    pg_param(statement, number(arena, cursor->started_ms));
}

void mailbox_add_ended(struct pg_unit *unit, const char *worker)
{
    pg_param(pg_add(unit, ended_sql), worker);
}

void mailbox_add_begin(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                       uint32_t uid, uint32_t last)
{
    struct pg_statement *statement = add_held(unit, arena, begin_sql, hold);
    pg_param(statement, number(arena, uid));
    pg_param(statement, hold->life);
    pg_param(statement, number(arena, last));
}

void mailbox_add_outlived(struct pg_unit *unit, const char *life, const char *in_hand)
{
    struct pg_statement *statement = pg_add(unit, outlived_sql);
    pg_param(statement, life);
    pg_param(statement, in_hand);
}

void mailbox_add_alert(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                       const char *words)
{
    pg_param(add_held(unit, arena, alert_sql, hold), words);
}

void mailbox_add_end(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                     const struct mailbox_end *end)
{
    struct pg_statement *statement = add_held(unit, arena, end_sql, hold);
    pg_param(statement, end->error);
    pg_param(statement, number(arena, end->next_in_ms));
    pg_param(statement, end->mail_at_fault ? "t" : "f");
    pg_param(statement, end->pause ? "t" : "f");
    pg_param(statement, number(arena, end->login_version));
    pg_param(statement, hold->life);
}

void mailbox_add_login(struct pg_unit *unit, struct arena *arena, const struct uuid *tenant,
                       const struct uuid *id, const struct mailbox_renewal *renewal)
{
    struct pg_statement *statement = pg_add(unit, login_sql);
    pg_param(statement, text_of(arena, tenant));
    pg_param(statement, text_of(arena, id));
    pg_param(statement, number(arena, renewal->version));
    pg_param(statement, renewal->wrapped_hex);
    pg_param(statement, renewal->former_hex);
}

void mailbox_add_release(struct pg_unit *unit, const char *worker)
{
    pg_param(pg_add(unit, release_sql), worker);
}

void mailbox_add_skips(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                       const struct imap_cursor *cursor, const struct mailbox_skip *skips,
                       size_t count)
{
    struct pg_statement *statement = add_held(unit, arena, skip_sql, hold);
    struct pg_array uids, reasons;
    pg_array_init(&uids);
    pg_array_init(&reasons);
    for (size_t i = 0; i < count; i++) {
        pg_array_add_int(&uids, skips[i].uid);
        pg_array_add(&reasons, skips[i].reason);
    }
    pg_param(statement, number(arena, cursor->validity));
    pg_param(statement, pg_array_take(&uids, arena));
    pg_param(statement, pg_array_take(&reasons, arena));
    pg_array_fini(&uids);
    pg_array_fini(&reasons);
}

/* ---- attachments ---- */

int64_t attachment_time_ms(size_t length)
{
    return ATTACHMENT_FLOOR_MS + (int64_t)length * 1000 / ATTACHMENT_BYTES_PER_S;
}

void attachment_add(struct pg_unit *unit, struct arena *arena, const struct uuid *tenant,
                    const struct attachment *attachment)
{
    static const char digits[] = "0123456789abcdef";
    unit->deadline_ms = attachment_time_ms(attachment->length);
    pg_param(pg_add(unit, time_sql), number(arena, unit->deadline_ms));
    struct pg_statement *statement = pg_add(unit, attachment_sql);
    const unsigned char *bytes = attachment->bytes;
    char *hex = arena_alloc(arena, 2 * attachment->length + 3);
    hex[0] = '\\';
    hex[1] = 'x';
    for (size_t i = 0; i < attachment->length; i++) {
        hex[2 + 2 * i] = digits[bytes[i] >> 4];
        hex[3 + 2 * i] = digits[bytes[i] & 15];
    }
    pg_param(statement, text_of(arena, tenant));
    pg_param(statement, attachment->event_id);
    pg_param(statement, number(arena, attachment->number));
    pg_param(statement, attachment->kind);
    pg_param(statement, attachment->name);
    pg_param(statement, attachment->type);
    pg_param(statement, number(arena, (int64_t)attachment->length));
    pg_param(statement, hex);
}

void attachment_add_sweep(struct pg_unit *unit)
{
    pg_add(unit, sweep_sql);
}
