/* The SQL of `deskctl contact zone`: see contact_zone.h. */
#include "store/contact_zone.h"

static const char known_sql[] =
    "SELECT 1 FROM pg_timezone_names WHERE name = $1::text OR $1::text = ''";

static const char set_sql[] =
    "UPDATE contacts c SET timezone = nullif($3::text, '') FROM contact_addresses a"
    " JOIN tenants t ON t.id = a.tenant_id WHERE t.name = $1::text AND a.kind = 'phone'"
    " AND a.address = $2::text AND c.tenant_id = a.tenant_id AND c.id = a.contact_id RETURNING 1";

int contact_zone_set(struct pg_session *session, const char *tenant, const char *address,
                     const char *zone, struct err *err)
{
    const struct pg_statement known = {.sql = known_sql, .params = {zone}, .param_count = 1};
    const struct pg_statement set = {
        .sql = set_sql, .params = {tenant, address, zone}, .param_count = 3};
    int rows = 0;
    if (pg_session_count(session, &known, &rows, err) != 0)
        return -1;
    if (rows == 0)
        return err_set(err, ERR_PERMANENT, "contact.zone",
                       "\"%.60s\" is no time zone; write one like America/New_York", zone);
    if (pg_session_count(session, &set, &rows, err) != 0)
        return -1;
    return rows > 0 ? 0
                    : err_set(err, ERR_PERMANENT, "contact.not_found",
                              "%.40s is nobody's number at %.60s", address, tenant);
}
