/* The SQL of `deskctl mailbox`: see mailbox_admin.h. */
#include "store/mailbox_admin.h"

#include <stdio.h>
#include <string.h>

#include "store/mailbox.h"

#define ISO(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

static const char list_sql[] =
    "SELECT m.tenant_id, m.id, ch.id, t.name, m.address, m.host, m.security, m.auth, m.user_name,"
    " m.secret_from, m.secret_name, m.folder, m.trusted_servers::text, m.sent_folder, m.port,"
    " a.url, a.secret, a.from_name, coalesce(a.per_minute, 0), coalesce(a.per_day, 0),"
    " encode(i.wrapped, 'hex'), encode(o.wrapped, 'hex'), coalesce(m.uid_validity, 0), m.last_uid,"
    " m.failures, (SELECT count(*) FROM mailbox_skips s WHERE s.tenant_id = m.tenant_id"
    " AND s.mailbox_id = m.id), " ISO("m.read_at") ", " ISO(
        "m.paused_at") ", m.paused_by,"
                       " m.paused_why, m.last_error, m.alert, " ISO(
                           "m.due_at") ","
                                       " EXISTS (SELECT FROM workers w WHERE w.id = m.worker AND "
                                       "NOT w.dead), coalesce(i.version, 0),"
                                       " coalesce(a.plus_addresses, true)"
                                       " FROM mailboxes m JOIN tenants t ON t.id = m.tenant_id"
                                       " LEFT JOIN channels ch ON ch.tenant_id = m.tenant_id AND "
                                       "ch.kind = 'mail'"
                                       " AND ch.address = m.address AND ch.removed_at IS NULL"
                                       " LEFT JOIN mail_accounts a ON a.tenant_id = ch.tenant_id "
                                       "AND a.channel_id = ch.id"
                                       " LEFT JOIN mail_credentials i ON i.tenant_id = m.tenant_id "
                                       "AND i.mailbox_id = m.id"
                                       " AND i.way = 'in'"
                                       " LEFT JOIN mail_credentials o ON o.tenant_id = m.tenant_id "
                                       "AND o.mailbox_id = m.id"
                                       " AND o.way = 'out'"
                                       " WHERE m.removed_at IS NULL AND ($1::text IS NULL OR "
                                       "t.name = $1::text)"
                                       " AND ($2::text IS NULL OR m.address = $2::text) ORDER BY "
                                       "t.name, m.address";

/* Nothing of it goes to the edge: it counts as published. */
static const char channel_sql[] =
    "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
    " assistant_id, directory_version, published_version) VALUES ($1::uuid, $2::uuid, 'mail',"
    " $3::text, '', '', '[]', $4::uuid, 1, 1)"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET assistant_id = excluded.assistant_id";

/* Due at once: a login that was mended shall not wait for the end of a pause. One that was removed
 * is there again, and its pause is over. */
static const char mailbox_sql[] =
    "INSERT INTO mailboxes AS m (tenant_id, id, address, host, port, security, auth, user_name,"
    " secret_from, secret_name, folder, trusted_servers, sent_folder) VALUES ($1::uuid, $2::uuid,"
    " $3::text, $4::text, $5::integer, $6::text, $7::text, $8::text, $9::text, $10::text,"
    " $11::text, $12::jsonb, $13::text)"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET host = excluded.host, port = excluded.port,"
    " security = excluded.security, auth = excluded.auth, user_name = excluded.user_name,"
    " secret_from = excluded.secret_from, secret_name = excluded.secret_name,"
    " folder = excluded.folder, trusted_servers = excluded.trusted_servers,"
    " sent_folder = excluded.sent_folder, failures = 0, last_error = NULL,"
    " paused_at = CASE WHEN m.removed_at IS NULL THEN m.paused_at END,"
    " paused_by = CASE WHEN m.removed_at IS NULL THEN m.paused_by END,"
    " paused_why = CASE WHEN m.removed_at IS NULL THEN m.paused_why END,"
    " removed_at = NULL, due_at = clock_timestamp()";

/* Behind that people have read what came there meanwhile, and it begins at its next mail. */
#define LEFT_FOR "interval '30 days'"

static const char left_sql[] =
    "SELECT id FROM mailboxes WHERE tenant_id = $1::uuid AND address = $2::text"
    " AND host = $3::text AND user_name = $4::text AND folder = $5::text"
    " AND (port = $6::integer OR (port IN (143, 993) AND $6::integer IN (143, 993)))"
    " AND uid_validity IS NOT NULL AND removed_at > clock_timestamp() - " LEFT_FOR
    " ORDER BY removed_at DESC LIMIT 1";

static const char forget_logins_sql[] =
    "DELETE FROM mail_credentials WHERE tenant_id = $1::uuid AND mailbox_id = $2::uuid";

static const char leave_sql[] = "UPDATE mailboxes SET removed_at = clock_timestamp()"
                                " WHERE tenant_id = $1::uuid AND id = $2::uuid";

/* UIDs of the place that it leaves say nothing of the new one, and by its own id neither do events
 * and skips. When it was read does: imap_cursor_select rescans by that. A place that was read
 * before has a cursor of its own. */
#define CARRY(column)                                                                              \
    column " = CASE WHEN m.started_at IS NULL THEN o." column " ELSE m." column " END, "
static const char carry_sql[] =
    "UPDATE mailboxes m SET " CARRY("since_at") CARRY("newest_at") CARRY("started_at")
        CARRY("read_at") "paused_at = o.paused_at, paused_by = o.paused_by,"
                         " paused_why = o.paused_why FROM mailboxes o WHERE m.tenant_id = $1::uuid"
                         " AND m.id = $3::uuid AND o.tenant_id = $1::uuid AND o.id = $2::uuid";

static const char account_sql[] =
    "INSERT INTO mail_accounts (tenant_id, channel_id, url, secret, from_name, per_minute, per_day,"
    " plus_addresses) VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::integer,"
    " $7::integer, $8::boolean) ON CONFLICT (tenant_id, channel_id) DO UPDATE"
    " SET url = excluded.url, secret = excluded.secret, from_name = excluded.from_name,"
    " per_minute = excluded.per_minute, per_day = excluded.per_day,"
    " plus_addresses = excluded.plus_addresses";

/* A mailbox that was left may come back, and who remembers its login of then (mail/oauth.h) takes
 * only what has a higher version: the clock's is higher than all that was counted from a former. */
static const char login_sql[] =
    "INSERT INTO mail_credentials AS c (tenant_id, mailbox_id, way, wrapped, version)"
    " VALUES ($1::uuid, $2::uuid, $3::text, decode($4::text, 'hex'),"
    " (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
    " ON CONFLICT (tenant_id, mailbox_id, way) DO UPDATE SET wrapped = excluded.wrapped,"
    " version = c.version + 1, changed_at = clock_timestamp()";

static const char forget_login_sql[] =
    "DELETE FROM mail_credentials WHERE tenant_id = $1::uuid AND mailbox_id = $2::uuid"
    " AND way = $3::text";

static const char pause_sql[] =
    "UPDATE mailboxes SET paused_at = clock_timestamp(), paused_by = $3::text,"
    " paused_why = $4::text WHERE tenant_id = $1::uuid AND id = $2::uuid AND paused_at IS NULL"
    " RETURNING 1";

static const char resume_sql[] =
    "UPDATE mailboxes SET paused_at = NULL, paused_by = NULL, paused_why = NULL, failures = 0,"
    " last_error = NULL, due_at = clock_timestamp() WHERE tenant_id = $1::uuid AND id = $2::uuid"
    " AND paused_at IS NOT NULL RETURNING 1";

/* ---- reading ---- */

static const char *cell(const struct pg_result *result, struct arena *arena, int row, int column)
{
    return pg_is_null(result, 0, row, column)
               ? NULL
               : arena_strdup(arena, pg_text(result, 0, row, column));
}

static struct mailbox_admin_row read_row(const struct pg_result *r, struct arena *arena, int row)
{
    return (struct mailbox_admin_row){
        .tenant = pg_uuid(r, 0, row, 0),
        .id = pg_uuid(r, 0, row, 1),
        .channel = pg_uuid(r, 0, row, 2),
        .tenant_name = cell(r, arena, row, 3),
        .address = cell(r, arena, row, 4),
        .host = cell(r, arena, row, 5),
        .security = cell(r, arena, row, 6),
        .auth = cell(r, arena, row, 7),
        .user_name = cell(r, arena, row, 8),
        .secret_from = cell(r, arena, row, 9),
        .secret_name = cell(r, arena, row, 10),
        .folder = cell(r, arena, row, 11),
        .trusted_servers = cell(r, arena, row, 12),
        .sent_folder = cell(r, arena, row, 13),
        .port = pg_int(r, 0, row, 14),
        .smtp_url = cell(r, arena, row, 15),
        .smtp_secret = cell(r, arena, row, 16),
        .from_name = cell(r, arena, row, 17),
        .per_minute = pg_int(r, 0, row, 18),
        .per_day = pg_int(r, 0, row, 19),
        .wrapped_in = cell(r, arena, row, 20),
        .wrapped_out = cell(r, arena, row, 21),
        .uid_validity = pg_int(r, 0, row, 22),
        .last_uid = pg_int(r, 0, row, 23),
        .failures = pg_int(r, 0, row, 24),
        .skipped = pg_int(r, 0, row, 25),
        .read_at = cell(r, arena, row, 26),
        .paused_at = cell(r, arena, row, 27),
        .paused_by = cell(r, arena, row, 28),
        .paused_why = cell(r, arena, row, 29),
        .last_error = cell(r, arena, row, 30),
        .alert = cell(r, arena, row, 31),
        .due_at = cell(r, arena, row, 32),
        .held = pg_bool(r, 0, row, 33),
        .version_in = pg_int(r, 0, row, 34),
        .plus_addresses = pg_bool(r, 0, row, 35),
    };
}

int mailbox_admin_list(struct pg_session *session, struct arena *arena, const char *tenant,
                       const char *address, struct mailbox_admin_row **rows, size_t *count,
                       struct err *err)
{
    const struct pg_statement statement = {
        .sql = list_sql, .params = {tenant, address}, .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *count = (size_t)pg_rows(result, 0);
    *rows = arena_alloc(arena, (*count + 1) * sizeof **rows);
    for (int i = 0; i < (int)*count; i++)
        (*rows)[i] = read_row(result, arena, i);
    pg_result_free(&result);
    return 0;
}

static bool is_standard(int64_t port)
{
    return port == 143 || port == 993;
}

bool mailbox_admin_same_port(int64_t port, int64_t other)
{
    return port == other || (is_standard(port) && is_standard(other));
}

int mailbox_admin_find_left(struct pg_session *session, const struct mailbox_admin_row *row,
                            struct uuid *left, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], port[24];
    snprintf(port, sizeof port, "%lld", (long long)row->port);
    const struct pg_statement statement = {.sql = left_sql,
                                           .params = {uuid_format(&row->tenant, tenant),
                                                      row->address, row->host, row->user_name,
                                                      row->folder, port},
                                           .param_count = 6};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *left = pg_rows(result, 0) > 0 ? pg_uuid(result, 0, 0, 0) : (struct uuid){0};
    pg_result_free(&result);
    return 0;
}

/* ---- writing ---- */

static int run(struct pg_session *session, const struct pg_statement *statement, int *rows,
               struct err *err)
{
    struct pg_result *result = NULL;
    struct err why;
    if (pg_session_query(session, statement, &result, &why) == 0) {
        if (rows != NULL)
            *rows = pg_rows(result, 0);
        pg_result_free(&result);
        return 0;
    }
    if (strcmp(why.code, "pg.23505") == 0)
        return err_set(err, ERR_PERMANENT, "mailbox.address",
                       "the address belongs to another tenant already; remove it there first");
    return err_set(err, why.class, why.code, "%s", why.message);
}

static int put_login(struct pg_session *session, const char *tenant, const char *id,
                     const char *way, const char *wrapped, struct err *err)
{
    struct pg_statement statement = {.sql = wrapped != NULL ? login_sql : forget_login_sql,
                                     .params = {tenant, id, way, wrapped},
                                     .param_count = wrapped != NULL ? 4 : 3};
    return run(session, &statement, NULL, err);
}

static int put_account(struct pg_session *session, const struct mailbox_admin_row *row,
                       const char *tenant, struct err *err)
{
    char channel[UUID_TEXT_SIZE], minute[24], day[24];
    snprintf(minute, sizeof minute, "%lld", (long long)row->per_minute);
    snprintf(day, sizeof day, "%lld", (long long)row->per_day);
    const struct pg_statement statement = {
        .sql = account_sql,
        .params = {tenant, uuid_format(&row->channel, channel), row->smtp_url, row->smtp_secret,
                   row->from_name, minute, day, row->plus_addresses ? "t" : "f"},
        .param_count = 8};
    return run(session, &statement, NULL, err);
}

/* Before the new one is written, as one address has one mailbox. */
static int leave(struct pg_session *session, const char *tenant, const char *from, struct err *err)
{
    struct pg_statement statement = {
        .sql = forget_logins_sql, .params = {tenant, from}, .param_count = 2};
    if (run(session, &statement, NULL, err) != 0)
        return -1;
    statement.sql = leave_sql;
    return run(session, &statement, NULL, err);
}

static int carry(struct pg_session *session, const char *tenant, const char *from, const char *to,
                 struct err *err)
{
    const struct pg_statement statement = {
        .sql = carry_sql, .params = {tenant, from, to}, .param_count = 3};
    return run(session, &statement, NULL, err);
}

int mailbox_admin_put(struct pg_session *session, const struct mailbox_admin_row *row,
                      const struct uuid *moved_from, const struct uuid *assistant, struct err *err)
{
    char from[UUID_TEXT_SIZE];
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE], channel[UUID_TEXT_SIZE],
        answers[UUID_TEXT_SIZE], port[24];
    uuid_format(&row->tenant, tenant);
    uuid_format(&row->id, id);
    snprintf(port, sizeof port, "%lld", (long long)row->port);
    const struct pg_statement as_channel = {.sql = channel_sql,
                                            .params = {tenant, uuid_format(&row->channel, channel),
                                                       row->address,
                                                       uuid_format(assistant, answers)},
                                            .param_count = 4};
    const struct pg_statement as_mailbox = {
        .sql = mailbox_sql,
        .params = {tenant, id, row->address, row->host, port, row->security, row->auth,
                   row->user_name, row->secret_from, row->secret_name, row->folder,
                   row->trusted_servers, row->sent_folder},
        .param_count = 13};
    if (moved_from != NULL && leave(session, tenant, uuid_format(moved_from, from), err) != 0)
        return -1;
    if (run(session, &as_channel, NULL, err) != 0 || run(session, &as_mailbox, NULL, err) != 0)
        return -1;
    if (moved_from != NULL && carry(session, tenant, from, id, err) != 0)
        return -1;
    if (put_account(session, row, tenant, err) != 0 ||
        put_login(session, tenant, id, "in", row->wrapped_in, err) != 0)
        return -1;
    return put_login(session, tenant, id, "out", row->wrapped_out, err);
}

int mailbox_admin_renew(struct pg_session *session, struct arena *arena,
                        const struct mailbox_admin_row *row, const char *wrapped, struct err *err)
{
    struct pg_unit unit = {0};
    mailbox_add_login(&unit, arena, &row->tenant, &row->id,
                      &(struct mailbox_renewal){row->version_in, "", wrapped});
    return run(session, &unit.statements[0], NULL, err);
}

static int step(struct pg_session *session, const struct pg_statement *statement, bool *changed,
                struct err *err)
{
    int rows = 0;
    if (run(session, statement, &rows, err) != 0)
        return -1;
    *changed = rows > 0;
    return 0;
}

int mailbox_admin_pause(struct pg_session *session, const struct mailbox_admin_row *row,
                        const char *actor, const char *why, bool *changed, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = pause_sql,
        .params = {uuid_format(&row->tenant, tenant), uuid_format(&row->id, id), actor, why},
        .param_count = 4};
    return step(session, &statement, changed, err);
}

int mailbox_admin_resume(struct pg_session *session, const struct mailbox_admin_row *row,
                         bool *changed, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = resume_sql,
        .params = {uuid_format(&row->tenant, tenant), uuid_format(&row->id, id)},
        .param_count = 2};
    return step(session, &statement, changed, err);
}
