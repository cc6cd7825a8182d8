/* SQL of an assistant's version. The engine reads each once and keeps it. */
#include "store/assistant.h"

static const char read_sql[] =
    "SELECT t.display_name, t.timezone, t.language, v.config FROM assistant_versions v"
    " JOIN tenants t ON t.id = v.tenant_id"
    " WHERE v.tenant_id = $1::uuid AND v.assistant_id = $2::uuid AND v.version = $3::integer";

void assistant_add_read(struct pg_unit *unit, const char *tenant, const char *assistant,
                        const char *version)
{
    struct pg_statement *statement = pg_add(unit, read_sql);
    pg_param(statement, tenant);
    pg_param(statement, assistant);
    pg_param(statement, version);
}

bool assistant_read(const struct pg_answer *answer, struct assistant_row *out)
{
    if (pg_rows(answer->results, 0) != 1)
        return false;
    *out = (struct assistant_row){.business = pg_text(answer->results, 0, 0, 0),
                                  .timezone = pg_text(answer->results, 0, 0, 1),
                                  .language = pg_text(answer->results, 0, 0, 2),
                                  .config = pg_text(answer->results, 0, 0, 3)};
    return true;
}

static const char clock_sql[] =
    "SELECT to_char(n.at, 'YYYY-MM-DD\"T\"HH24:MI'), lower(to_char(n.at, 'Dy'))"
    " FROM (SELECT clock_timestamp() AT TIME ZONE $1::text AS at) AS n";

void assistant_add_clock(struct pg_unit *unit, const char *timezone)
{
    pg_param(pg_add(unit, clock_sql), timezone);
}
