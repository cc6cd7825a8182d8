/* The SQL of `deskctl usage`: see usage_admin.h. */
#include "store/usage_admin.h"

#include "store/usage_inside.h"

static const char list_sql[] =
    "WITH listed AS (SELECT z.id AS tenant_id, z.name, p.period, k.back,"
    " (date_trunc(p.period, now() AT TIME ZONE z.timezone) - k.back * p.length)::date AS since,"
    " p.length, v.config -> 'budgets' -> p.period AS budget,"
    " (SELECT count(*) FROM jsonb_array_elements(v.config -> 'models') AS m"
    " WHERE NOT m ?& ARRAY['price_in', 'price_out']) AS unpriced"
    " FROM tenants z CROSS JOIN (VALUES ('day', interval '1 day'), ('month', interval '1 month'))"
    " AS p (period, length) CROSS JOIN generate_series(0, $3::integer - 1) AS k (back)"
    " LEFT JOIN LATERAL (SELECT x.config FROM assistants a JOIN assistant_versions x"
    " ON x.tenant_id = a.tenant_id AND x.assistant_id = a.id AND x.version = a.current_version"
    " WHERE a.tenant_id = z.id ORDER BY a.name LIMIT 1) AS v ON true"
    " WHERE ($1::text IS NULL OR z.name = $1::text)"
    " AND ($2::text IS NULL OR p.period = $2::text))"
    " SELECT l.name, l.period, l.since::text, coalesce(u.tokens, 0), coalesce(u.cost, 0),"
    " coalesce(u.segments, 0), h.tokens, h.cost, h.segments,"
    " coalesce((l.budget ->> 'tokens')::bigint, -1), coalesce((l.budget ->> 'cost')::bigint, -1),"
    " coalesce((l.budget ->> 'segments')::bigint, -1), l.unpriced"
    " FROM listed l LEFT JOIN usage u ON u.tenant_id = l.tenant_id AND u.period = l.period"
    " AND u.since = l.since CROSS JOIN LATERAL (SELECT"
    " coalesce(sum(r.tokens), 0)::bigint AS tokens, coalesce(sum(r.cost), 0)::bigint AS cost,"
    " coalesce(sum(r.segments), 0)::bigint AS segments"
    " FROM " USAGE_HELD_SQL(
        "l.tenant_id",
        "l.since") " AS r WHERE r.day < l.since + l.length) AS h"
                   " WHERE l.back = 0 OR u.tenant_id IS NOT NULL ORDER BY l.name, l.period, l.back";

static struct usage_amounts amounts_at(const struct pg_result *result, int row, int column)
{
    return (struct usage_amounts){pg_int(result, 0, row, column),
                                  pg_int(result, 0, row, column + 1),
                                  pg_int(result, 0, row, column + 2)};
}

int usage_admin_list(struct pg_session *session, struct arena *arena,
                     const struct usage_query *query, struct usage_row **rows, size_t *count,
                     struct err *err)
{
    const struct pg_statement statement = {
        .sql = list_sql,
        .params = {query->tenant, query->period,
                   arena_printf(arena, "%lld", (long long)query->last)},
        .param_count = 3};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *count = (size_t)pg_rows(result, 0);
    *rows = arena_alloc(arena, (*count + 1) * sizeof **rows);
    for (int i = 0; i < (int)*count; i++)
        (*rows)[i] = (struct usage_row){.tenant = arena_strdup(arena, pg_text(result, 0, i, 0)),
                                        .period = arena_strdup(arena, pg_text(result, 0, i, 1)),
                                        .since = arena_strdup(arena, pg_text(result, 0, i, 2)),
                                        .spent = amounts_at(result, i, 3),
                                        .reserved = amounts_at(result, i, 6),
                                        .budget = amounts_at(result, i, 9),
                                        .unpriced = pg_int(result, 0, i, 12)};
    pg_result_free(&result);
    return 0;
}

static int64_t share_of(int64_t spent, int64_t budget)
{
    return budget > 0 ? spent * 100 / budget : -1;
}

int64_t usage_per_cent(const struct usage_row *row)
{
    const int64_t shares[] = {share_of(row->spent.tokens, row->budget.tokens),
                              share_of(row->spent.cost, row->budget.cost),
                              share_of(row->spent.segments, row->budget.segments)};
    int64_t highest = -1;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        highest = shares[i] > highest ? shares[i] : highest;
    return highest;
}
