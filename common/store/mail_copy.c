/* The SQL of mail_copy.h. The note comes before the copy: a process that ends between them leaves
 * no copy, and never two. Nobody but who noted it takes it back. */
#include "store/mail_copy.h"

#include "store/delivery_inside.h"

static const char copy_sql[] =
    "UPDATE delivery_mails w SET copied_at = clock_timestamp() FROM (SELECT d.tenant_id,"
    " d.id AS delivery_id, b.id, b.host, b.port, b.security, b.auth, b.user_name,"
    " b.secret_from, b.secret_name, b.sent_folder, c.way, encode(c.wrapped, 'hex') AS wrapped, "
    "c.version"
    " FROM deliveries d JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
    " AND s.id = d.session_id JOIN channels ch ON ch.tenant_id = s.tenant_id"
    " AND ch.id = s.channel_id JOIN mailboxes b ON b.tenant_id = ch.tenant_id"
    " AND b.address = ch.address AND b.removed_at IS NULL AND b.sent_folder IS NOT NULL"
    " LEFT JOIN mail_credentials c ON c.tenant_id = b.tenant_id AND c.mailbox_id = b.id"
    " AND c.way = 'in' WHERE d.tenant_id = $1::uuid AND d.id = $2::uuid OFFSET 0) AS m"
    " WHERE w.tenant_id = m.tenant_id AND w.delivery_id = m.delivery_id AND w.copied_at IS NULL"
    " RETURNING m.id, coalesce(m.way, ''), coalesce(m.wrapped, ''), coalesce(m.version, 0),"
    " m.host, m.port, m.security, m.auth, m.user_name, m.secret_from, m.secret_name,"
    " m.sent_folder";

static const char put_back_sql[] = "UPDATE delivery_mails SET copied_at = NULL"
                                   " WHERE tenant_id = $1::uuid AND delivery_id = $2::uuid";

void mail_copy_add(struct pg_unit *unit, struct arena *arena, const struct delivery_ref *ref)
{
    struct pg_statement *statement = pg_add(unit, copy_sql);
    pg_param(statement, delivery_uuid(arena, &ref->tenant));
    pg_param(statement, delivery_uuid(arena, &ref->id));
}

void mail_copy_add_put_back(struct pg_unit *unit, struct arena *arena,
                            const struct delivery_ref *ref)
{
    struct pg_statement *statement = pg_add(unit, put_back_sql);
    pg_param(statement, delivery_uuid(arena, &ref->tenant));
    pg_param(statement, delivery_uuid(arena, &ref->id));
}

bool mail_copy_read(const struct pg_answer *answer, struct mail_copy *out)
{
    const struct pg_result *r = answer->results;
    if (pg_rows(r, 0) == 0)
        return false;
    *out = (struct mail_copy){
        .login = {.mailbox = pg_uuid(r, 0, 0, 0),
                  .way = pg_text(r, 0, 0, 1),
                  .hex = pg_text(r, 0, 0, 2),
                  .version = pg_int(r, 0, 0, 3)},
        .host = pg_text(r, 0, 0, 4),
        .port = (int)pg_int(r, 0, 0, 5),
        .security = pg_text(r, 0, 0, 6),
        .auth = pg_text(r, 0, 0, 7),
        .user = pg_text(r, 0, 0, 8),
        .secret_from = pg_text(r, 0, 0, 9),
        .secret_name = pg_text(r, 0, 0, 10),
        .folder = pg_text(r, 0, 0, 11),
    };
    return true;
}

const char *const mail_copy_statements[] = {copy_sql, put_back_sql, NULL};
