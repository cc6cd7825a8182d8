/* The SQL of reservations: see usage.h and docs/PROTOCOL.md, budgets. */
#include "store/usage.h"

#include "store/columns.h"
#include "store/turn_inside.h"
#include "store/usage_inside.h"

static const char lock_sql[] =
    "SELECT pg_advisory_xact_lock(" USAGE_LOCK ", k)::text"
    " FROM (SELECT DISTINCT hashtext(t::text) AS k FROM unnest($1::uuid[]) AS i (t) ORDER BY k)"
    " AS keys";

/* The turns of this unit that keep theirs are among them. */
#define HELD_SQL                                                                                   \
    "SELECT coalesce(sum(r.tokens) FILTER (WHERE r.day = f.day), 0) AS day_1,"                     \
    " coalesce(sum(r.cost) FILTER (WHERE r.day = f.day), 0) AS day_2,"                             \
    " coalesce(sum(r.segments) FILTER (WHERE r.day = f.day), 0) AS day_3,"                         \
    " coalesce(sum(r.tokens), 0) AS month_1, coalesce(sum(r.cost), 0) AS month_2,"                 \
    " coalesce(sum(r.segments), 0) AS month_3,"                                                    \
    " coalesce(sum(r.tokens) FILTER (WHERE r.is_gone AND r.day = f.day), 0) AS gone_d1,"           \
    " coalesce(sum(r.cost) FILTER (WHERE r.is_gone AND r.day = f.day), 0) AS gone_d2,"             \
    " coalesce(sum(r.tokens) FILTER (WHERE r.is_gone), 0) AS gone_m1,"                             \
    " coalesce(sum(r.cost) FILTER (WHERE r.is_gone), 0) AS gone_m2 FROM " USAGE_HELD_SQL(          \
        "f.tenant_id", "f.month") " AS r"

/* What of the turn's own reservation is in HELD_SQL. */
#define OWN_SQL                                                                                    \
    "SELECT t.reserved_day AS day, t.reserved_tokens AS tokens, t.reserved_cost AS cost,"          \
    " t.reserved_segments AS segments FROM channel_sessions s JOIN conversations c"                \
    " ON c.tenant_id = s.tenant_id AND c.id = t.conversation_id AND c.epoch = t.epoch"             \
    " WHERE s.tenant_id = t.tenant_id AND s.id = t.session_id AND s.due_at IS NOT NULL"            \
    " AND t.reserved_day IS NOT NULL"

/* A turn may start while a budget is not used up, so that the last one may go beyond it by what it
 * reserves. One that has enough keeps it; one that needs more (a newer text, a longer prompt) is
 * judged like any other, without its own. Amounts of turns before it in the unit count whether they
 * got theirs or not: who was refused found a budget used up, and so does everybody behind. One
 * that must wait for more keeps of its own only what it has used: two that held theirs and waited
 * for each other would wait until their deadlines. What those have used (gone) is as spent as what
 * is counted, for none of them gives it back; of its own a turn knows better than its row, which an
 * engine before wrote. All parts judge by now(), the unit's begin.
 * Nobody is waited for, and so no circle of locks can come of it: whoever has locked a turn's row
 * ends it, begins it anew or notes something about it, and its reservation is asked for again. */
static const char reserve_sql[] =
    "WITH input AS (SELECT u.n, u.tenant_id, u.turn_id, u.fence, u.tokens, u.cost, u.segments,"
    " nullif(u.day_tokens, -1) AS day_tokens, nullif(u.day_cost, -1) AS day_cost,"
    " nullif(u.day_segments, -1) AS day_segments, nullif(u.month_tokens, -1) AS month_tokens,"
    " nullif(u.month_cost, -1) AS month_cost, nullif(u.month_segments, -1) AS month_segments,"
    " u.used_tokens, u.used_cost"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],"
    " $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],"
    " $14::bigint[], $15::bigint[])"
    " WITH ORDINALITY AS u (tenant_id, turn_id, fence, tokens, cost, segments, day_tokens,"
    " day_cost, day_segments, month_tokens, month_cost, month_segments, used_tokens, used_cost,"
    " n)),"
    " today AS (SELECT z.id AS tenant_id, (now() AT TIME ZONE z.timezone)::date AS day,"
    " date_trunc('month', now() AT TIME ZONE z.timezone)::date AS month"
    " FROM (SELECT DISTINCT i.tenant_id FROM input i) AS k JOIN tenants z ON z.id = k.tenant_id),"
    " used AS (SELECT f.tenant_id, f.day, f.month, coalesce(d.tokens, 0) AS d1,"
    " coalesce(d.cost, 0) AS d2, coalesce(d.segments, 0) AS d3, coalesce(m.tokens, 0) AS m1,"
    " coalesce(m.cost, 0) AS m2, coalesce(m.segments, 0) AS m3, h.day_1, h.day_2, h.day_3,"
    " h.month_1, h.month_2, h.month_3, h.gone_d1, h.gone_d2, h.gone_m1, h.gone_m2 FROM today f"
    " LEFT JOIN usage d ON d.tenant_id = f.tenant_id AND d.period = 'day' AND d.since = f.day"
    " LEFT JOIN usage m ON m.tenant_id = f.tenant_id AND m.period = 'month' AND m.since = f.month"
    " CROSS JOIN LATERAL (" HELD_SQL ") AS h),"
    " seen AS (SELECT i.n, i.turn_id, i.fence, greatest(i.tokens, o.tokens) AS tokens,"
    " greatest(i.cost, o.cost) AS cost, greatest(i.segments, o.segments) AS segments,"
    " i.day_tokens, i.day_cost, i.day_segments, i.month_tokens, i.month_cost, i.month_segments,"
    " least(i.used_tokens, o.tokens) AS used_tokens, least(i.used_cost, o.cost) AS used_cost, u.*,"
    " o.segments IS NOT NULL AND i.tokens <= o.tokens AND i.cost <= o.cost"
    " AND i.segments <= o.segments AS kept, (o.day = u.day)::integer AS own_day,"
    " (o.day >= u.month)::integer AS own_month, o.tokens AS o1, o.cost AS o2, o.segments AS o3,"
    " (o.segments IS NOT NULL)::integer AS holds FROM input i"
    " JOIN turns t ON t.tenant_id = i.tenant_id AND t.id = i.turn_id AND t.fence = i.fence"
    " AND t.worker = $1::uuid AND t.state = 'running' JOIN used u ON u.tenant_id = i.tenant_id"
    " LEFT JOIN LATERAL (" OWN_SQL ") AS o ON true),"
    " changes AS (SELECT s.*, coalesce(o1 * own_day, 0) AS od1, coalesce(o2 * own_day, 0) AS od2,"
    " coalesce(o3 * own_day, 0) AS od3, coalesce(o1 * own_month, 0) AS om1,"
    " coalesce(o2 * own_month, 0) AS om2, coalesce(o3 * own_month, 0) AS om3,"
    " coalesce((used_tokens - o1 * (1 - holds)) * own_day, 0) AS ud1,"
    " coalesce((used_cost - o2 * (1 - holds)) * own_day, 0) AS ud2,"
    " coalesce((used_tokens - o1 * (1 - holds)) * own_month, 0) AS um1,"
    " coalesce((used_cost - o2 * (1 - holds)) * own_month, 0) AS um2 FROM seen s),"
    " summed AS (SELECT s.*,"
    " coalesce(sum(tokens - od1) FILTER (WHERE NOT kept) OVER before, 0) - od1 + day_1 AS bd1,"
    " coalesce(sum(cost - od2) FILTER (WHERE NOT kept) OVER before, 0) - od2 + day_2 AS bd2,"
    " coalesce(sum(segments - od3) FILTER (WHERE NOT kept) OVER before, 0) - od3 + day_3 AS bd3,"
    " coalesce(sum(tokens - om1) FILTER (WHERE NOT kept) OVER before, 0) - om1 + month_1 AS bm1,"
    " coalesce(sum(cost - om2) FILTER (WHERE NOT kept) OVER before, 0) - om2 + month_2 AS bm2,"
    " coalesce(sum(segments - om3) FILTER (WHERE NOT kept) OVER before, 0) - om3 + month_3 AS bm3"
    " FROM changes s WINDOW before AS (PARTITION BY s.tenant_id ORDER BY s.n"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)),"
    " judged AS (SELECT s.n, s.tenant_id, s.turn_id, s.fence, s.tokens, s.cost, s.segments,"
    " s.kept, s.day, s.month, s.used_tokens, s.used_cost,"
    " s.o1 > s.used_tokens OR s.o2 > s.used_cost OR s.holds = 1 AS holds_more,"
    " CASE WHEN s.kept THEN 'reserved'"
    " WHEN d1 + gone_d1 + ud1 >= day_tokens OR d2 + gone_d2 + ud2 >= day_cost"
    " OR d3 >= day_segments OR m1 + gone_m1 + um1 >= month_tokens"
    " OR m2 + gone_m2 + um2 >= month_cost OR m3 >= month_segments THEN 'spent'"
    " WHEN d1 + bd1 >= day_tokens OR d2 + bd2 >= day_cost OR d3 + bd3 >= day_segments"
    " OR m1 + bm1 >= month_tokens OR m2 + bm2 >= month_cost OR m3 + bm3 >= month_segments"
    " THEN 'full' ELSE 'reserved' END AS kind,"
    " coalesce(greatest(d1 * 100 / day_tokens, d2 * 100 / day_cost, d3 * 100 / day_segments), 0)"
    " AS day_per_cent,"
    " coalesce(greatest(m1 * 100 / month_tokens, m2 * 100 / month_cost,"
    " m3 * 100 / month_segments), 0) AS month_per_cent"
    " FROM summed s),"
    " locked AS (SELECT j.* FROM judged j JOIN turns t ON t.tenant_id = j.tenant_id"
    " AND t.id = j.turn_id AND t.fence = j.fence AND t.worker = $1::uuid AND t.state = 'running'"
    " WHERE (j.kind = 'reserved' AND NOT j.kept) OR (j.kind = 'full' AND j.holds_more)"
    " FOR NO KEY UPDATE OF t SKIP LOCKED),"
    " taken AS (UPDATE turns t SET reserved_day = l.day, reserved_tokens = l.tokens,"
    " reserved_cost = l.cost, reserved_segments = l.segments FROM locked l"
    " WHERE l.kind = 'reserved' AND t.tenant_id = l.tenant_id AND t.id = l.turn_id),"
    " given_back AS (UPDATE turns t SET reserved_tokens = l.used_tokens,"
    " reserved_cost = l.used_cost, reserved_segments = NULL FROM locked l"
    " WHERE l.kind = 'full' AND t.tenant_id = l.tenant_id AND t.id = l.turn_id)"
    " SELECT i.n, CASE WHEN j.n IS NULL THEN 'lost' WHEN j.kind <> 'reserved' OR j.kept OR EXISTS "
    "(SELECT FROM locked l"
    " WHERE l.n = j.n) THEN j.kind ELSE 'again' END, j.day_per_cent, j.month_per_cent, j.day::text,"
    " j.month::text FROM input i LEFT JOIN judged j ON j.n = i.n ORDER BY i.n";

void usage_add_lock(struct pg_unit *unit, struct arena *arena, const char *tenant)
{
    static const struct column columns[] = {{0, COLUMN_TEXT}};
    columns_add(pg_add(unit, lock_sql), arena, &(struct column_rows){&tenant, sizeof tenant, 1},
                columns, COLUMNS(columns));
}

enum { RESERVE_STATEMENT = 1 };

void usage_add_reserve(struct pg_unit *unit, struct arena *arena, const char *worker,
                       const struct usage_wish *wishes, size_t count)
{
    static const struct column columns[] = {
        {offsetof(struct usage_wish, tenant), COLUMN_TEXT},
        {offsetof(struct usage_wish, turn), COLUMN_UUID},
        {offsetof(struct usage_wish, fence), COLUMN_INT},
        {offsetof(struct usage_wish, most.tokens), COLUMN_INT},
        {offsetof(struct usage_wish, most.cost), COLUMN_INT},
        {offsetof(struct usage_wish, most.segments), COLUMN_INT},
        {offsetof(struct usage_wish, limits.day.tokens), COLUMN_INT},
        {offsetof(struct usage_wish, limits.day.cost), COLUMN_INT},
        {offsetof(struct usage_wish, limits.day.segments), COLUMN_INT},
        {offsetof(struct usage_wish, limits.month.tokens), COLUMN_INT},
        {offsetof(struct usage_wish, limits.month.cost), COLUMN_INT},
        {offsetof(struct usage_wish, limits.month.segments), COLUMN_INT},
        {offsetof(struct usage_wish, used.tokens), COLUMN_INT},
        {offsetof(struct usage_wish, used.cost), COLUMN_INT},
    };
    const struct column_rows rows = {wishes, sizeof *wishes, count};
    columns_add(pg_add(unit, lock_sql), arena, &rows, columns, 1);
    struct pg_statement *statement = pg_add(unit, reserve_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &rows, columns, COLUMNS(columns));
}

bool usage_read_reserved(const struct pg_answer *answer, int row, struct usage_reserved *out)
{
    static const char *const kinds[] = {"reserved", "full", "spent", "lost", "again", NULL};
    const struct pg_result *r = answer->results;
    const int s = RESERVE_STATEMENT;
    if (row >= pg_rows(r, s))
        return false;
    *out = (struct usage_reserved){
        .index = (size_t)pg_int(r, s, row, 0) - 1,
        .kind = (enum usage_kind)turn_word_index(kinds, pg_text(r, s, row, 1)),
        .day_per_cent = pg_int(r, s, row, 2),
        .month_per_cent = pg_int(r, s, row, 3),
        .day = pg_text(r, s, row, 4),
        .month = pg_text(r, s, row, 5),
    };
    return true;
}

const char *const usage_statements[] = {lock_sql, reserve_sql, NULL};
