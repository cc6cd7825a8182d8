/* The SQL of summaries: see summary.h. Used by services/engine/summary.c. */
#include "store/summary.h"

#include "store/usage_inside.h"

#include <string.h>

/* The conversation that is meant, unless somebody is at it. One in which its contact wrote nothing,
 * such as that of a notice, is not the last that it had. */
#define WHOSE                                                                                      \
    "WITH whose AS (SELECT c.tenant_id, c.id FROM conversations c WHERE c.tenant_id = $1::uuid"    \
    " AND c.id = coalesce((SELECT p.id FROM conversations p WHERE p.tenant_id = $1::uuid"          \
    " AND p.contact_id = $3::uuid AND p.id <> $2::uuid AND p.closed_at IS NOT NULL"                \
    " AND EXISTS (SELECT FROM messages i WHERE i.tenant_id = p.tenant_id"                          \
    " AND i.conversation_id = p.id AND i.direction = 'in')"                                        \
    " ORDER BY p.closed_at DESC LIMIT 1), CASE WHEN $3::uuid IS NULL THEN $2::uuid END)"           \
    " AND NOT EXISTS (SELECT FROM summary_claims k WHERE k.tenant_id = c.tenant_id"                \
    " AND k.conversation_id = c.id AND k.until_at > now()))"

#define NEWEST                                                                                     \
    "LEFT JOIN LATERAL (SELECT x.body, x.up_to FROM summaries x WHERE x.tenant_id = w.tenant_id"   \
    " AND x.conversation_id = w.id ORDER BY x.up_to DESC LIMIT 1) AS s ON true"

static const char known_sql[] = WHOSE " SELECT w.id, s.body, s.up_to FROM whose w " NEWEST;

/* Texts that are not answered yet are for a turn, those that no turn could answer are for people,
 * as in a turn's context (turn.c), and what never left was not said. Read in order until enough are
 * there, each with a look at its own event or delivery (OFFSET 0): of a long history no more. */
static const char messages_sql[] = WHOSE
    " SELECT m.position, m.author, m.said FROM whose w " NEWEST
    " CROSS JOIN LATERAL (SELECT x.position, x.author, coalesce(x.subject || ': ', '')"
    " || left(coalesce(x.heard, x.body), 8000) AS said"
    " FROM messages x WHERE x.tenant_id = w.tenant_id AND x.conversation_id = w.id"
    " AND x.position > coalesce(s.up_to, 0) AND x.position < $4::bigint AND x.author <> 'system'"
    " AND CASE x.direction WHEN 'in' THEN NOT EXISTS (SELECT FROM inbox_events e"
    " WHERE e.tenant_id = x.tenant_id AND e.channel = ANY ('{sms,voice,mail}')"
    " AND e.provider_id = x.provider_id AND (e.state IN ('open', 'failed')"
    " OR (e.state = 'ended' AND e.channel = 'mail')) OFFSET 0)"
    " ELSE NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = x.tenant_id"
    " AND d.message_id = x.id AND d.state = 'suppressed' OFFSET 0) END"
    " ORDER BY x.position LIMIT $5::integer) AS m ORDER BY m.position";

/* Erasure has the conversation as long as it deletes, and our keys would wait for it with half of
 * what we write: so before anything else, and not in the way of turns. */
static const char lock_sql[] =
    "SELECT 1 FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR KEY SHARE";

static const char lock_tenant_sql[] =
    "SELECT pg_advisory_xact_lock(" USAGE_LOCK ", hashtext($1::uuid::text))::text";

/* A turn may go beyond a budget, a summary may not: all that it may use must be left. Behind the
 * tenant's lock, so that no two are judged by the same rest, nor by the same number in the making.
 */
static const char claim_sql[] =
    "WITH today AS (SELECT z.id AS tenant_id, (now() AT TIME ZONE z.timezone)::date AS day,"
    " date_trunc('month', now() AT TIME ZONE z.timezone)::date AS month FROM tenants z"
    " JOIN conversations c ON c.tenant_id = z.id AND c.id = $2::uuid"
    " JOIN turns u ON u.tenant_id = z.id AND u.id = $3::uuid WHERE z.id = $1::uuid),"
    " used AS (SELECT f.tenant_id, f.day, coalesce(d.tokens, 0) + h.day_tokens AS day_tokens,"
    " coalesce(d.cost, 0) + h.day_cost AS day_cost,"
    " coalesce(m.tokens, 0) + h.month_tokens AS month_tokens,"
    " coalesce(m.cost, 0) + h.month_cost AS month_cost FROM today f"
    " LEFT JOIN usage d ON d.tenant_id = f.tenant_id AND d.period = 'day' AND d.since = f.day"
    " LEFT JOIN usage m ON m.tenant_id = f.tenant_id AND m.period = 'month' AND m.since = f.month"
    " CROSS JOIN LATERAL (SELECT"
    " coalesce(sum(r.tokens) FILTER (WHERE r.day = f.day), 0) AS day_tokens,"
    " coalesce(sum(r.cost) FILTER (WHERE r.day = f.day), 0) AS day_cost,"
    " coalesce(sum(r.tokens), 0) AS month_tokens, coalesce(sum(r.cost), 0) AS month_cost"
    " FROM " USAGE_HELD_SQL(
        "f.tenant_id",
        "f.month") " AS r) AS h),"
                   " judged AS (SELECT u.tenant_id, u.day, CASE"
                   " WHEN EXISTS (SELECT FROM summaries s WHERE s.tenant_id = u.tenant_id"
                   " AND s.conversation_id = $2::uuid AND s.up_to > $5::bigint) THEN 'made'"
                   " WHEN (SELECT count(*) FROM summary_claims k WHERE k.tenant_id = u.tenant_id"
                   " AND k.reserved_day IS NOT NULL AND k.until_at > now()) >= $12::integer THEN "
                   "'busy'"
                   " WHEN day_tokens + $6::bigint > nullif($8::bigint, -1)"
                   " OR day_cost + $7::bigint > nullif($9::bigint, -1)"
                   " OR month_tokens + $6::bigint > nullif($10::bigint, -1)"
                   " OR month_cost + $7::bigint > nullif($11::bigint, -1) THEN 'budget'"
                   " ELSE 'claimed' END AS kind FROM used u),"
                   " taken AS (INSERT INTO summary_claims AS k (tenant_id, conversation_id, claim, "
                   "tries,"
                   " until_at, reserved_day, reserved_tokens, reserved_cost) SELECT j.tenant_id, "
                   "$2::uuid,"
                   " $4::uuid, 1, now() + $13::bigint * interval '1 ms', j.day, $6::bigint, "
                   "$7::bigint"
                   " FROM judged j WHERE j.kind = 'claimed' ON CONFLICT (tenant_id, "
                   "conversation_id)"
                   " DO UPDATE SET claim = EXCLUDED.claim, tries = k.tries + 1, until_at = "
                   "EXCLUDED.until_at,"
                   " reserved_day = EXCLUDED.reserved_day, reserved_tokens = "
                   "EXCLUDED.reserved_tokens,"
                   " reserved_cost = EXCLUDED.reserved_cost WHERE k.until_at <= now() RETURNING 1)"
                   " SELECT CASE WHEN j.kind = 'claimed' AND NOT EXISTS (SELECT FROM taken) THEN "
                   "'taken'"
                   " ELSE j.kind END FROM judged j";

/* A claim that is gone, since a merge or a split has taken what was read apart (merge.c), or
 * somebody else's by now: what came of it is not told, only counted. Locked: a merge deletes claims
 * first; and before `over`, for what a statement has deleted itself it does not lock. What was used
 * counts where it was reserved, with the row of its call, and so once. The rows of usage are locked
 * like a commit's (store/turn.c): behind all that somebody else might wait for. */
static const char write_sql[] =
    "WITH there AS (SELECT c.tenant_id FROM conversations c JOIN turns u"
    " ON u.tenant_id = c.tenant_id AND u.id = $3::uuid"
    " WHERE c.tenant_id = $1::uuid AND c.id = $19::uuid),"
    " called AS (INSERT INTO llm_calls (tenant_id, id, turn_id, purpose, provider, model, outcome,"
    " error_code, finish, tokens_in, tokens_out, tokens_cached, connect_ms, first_token_ms,"
    " total_ms, request_id, started_at, cost) SELECT t.tenant_id, $2::uuid, $3::uuid, 'summary',"
    " $4::text, $5::text, $6::text, nullif($7::text, ''), $8::text, nullif($9::bigint, -1),"
    " nullif($10::bigint, -1), nullif($11::bigint, -1), nullif($12::integer, -1),"
    " nullif($13::integer, -1), nullif($14::integer, -1), nullif($15::text, ''),"
    " to_timestamp($16::bigint / 1000.0), nullif($17::bigint, -1) FROM there t"
    " ON CONFLICT DO NOTHING RETURNING tenant_id, id),"
    " mine AS MATERIALIZED (SELECT k.tenant_id FROM summary_claims k WHERE k.tenant_id = $1::uuid"
    " AND k.conversation_id = $19::uuid AND k.claim = $2::uuid FOR UPDATE),"
    " told AS (INSERT INTO summaries (tenant_id, id, conversation_id, up_to, body,"
    " assistant_version, call_id) SELECT c.tenant_id, $18::uuid, $19::uuid, $20::bigint, $21::text,"
    " $22::integer, c.id FROM called c WHERE $21::text IS NOT NULL AND EXISTS (SELECT FROM mine)"
    " ON CONFLICT DO NOTHING),"
    " over AS (DELETE FROM summary_claims k USING called c, mine m WHERE k.tenant_id = c.tenant_id"
    " AND m.tenant_id = c.tenant_id AND k.conversation_id = $19::uuid AND k.claim = c.id"
    " AND $21::text IS NOT NULL),"
    " later AS (UPDATE summary_claims k SET reserved_day = NULL,"
    " until_at = now() + least(power(2, least(k.tries - 1, 6)), 60) * interval '1 min'"
    " FROM called c WHERE k.tenant_id = c.tenant_id AND k.conversation_id = $19::uuid"
    " AND k.claim = c.id AND $21::text IS NULL),"
    " used AS (SELECT c.tenant_id, coalesce(k.reserved_day, (now() AT TIME ZONE z.timezone)::date)"
    " AS day FROM called c JOIN tenants z ON z.id = c.tenant_id LEFT JOIN summary_claims k"
    " ON k.tenant_id = c.tenant_id AND k.conversation_id = $19::uuid AND k.claim = c.id),"
    " counted AS (INSERT INTO usage AS u (tenant_id, period, since, tokens, cost, segments)"
    " SELECT x.tenant_id, p.period, date_trunc(p.period, x.day::timestamp)::date,"
    " greatest($9::bigint, 0) + greatest($10::bigint, 0), greatest($17::bigint, 0), 0"
    " FROM used x CROSS JOIN (VALUES ('day'), ('month')) AS p (period) ORDER BY 1, 2, 3"
    " ON CONFLICT (tenant_id, period, since) DO UPDATE SET tokens = u.tokens + EXCLUDED.tokens,"
    " cost = u.cost + EXCLUDED.cost)"
    " SELECT count(*) FROM there";

static const char *id_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

void summary_add_read(struct pg_unit *unit, struct arena *arena, const struct summary_wish *wish)
{
    const char *conversation = id_text(arena, &wish->conversation);
    const char *contact = uuid_is_nil(&wish->contact) ? NULL : id_text(arena, &wish->contact);
    struct pg_statement *statement = pg_add(unit, known_sql);
    pg_param(statement, wish->tenant);
    pg_param(statement, conversation);
    pg_param(statement, contact);
    statement = pg_add(unit, messages_sql);
    pg_param(statement, wish->tenant);
    pg_param(statement, conversation);
    pg_param(statement, contact);
    pg_param(statement, number(arena, wish->before));
    pg_param(statement, number(arena, SUMMARY_MESSAGES_MAX));
}

bool summary_read_known(const struct pg_answer *answer, struct summary_known *out)
{
    if (pg_rows(answer->results, 0) < 1)
        return false;
    *out = (struct summary_known){.conversation = pg_uuid(answer->results, 0, 0, 0),
                                  .body = pg_text(answer->results, 0, 0, 1),
                                  .up_to = pg_int(answer->results, 0, 0, 2)};
    return true;
}

bool summary_read_message(const struct pg_answer *answer, int row, struct summary_message *out)
{
    if (row >= pg_rows(answer->results, 1))
        return false;
    *out = (struct summary_message){.position = pg_int(answer->results, 1, row, 0),
                                    .author = pg_text(answer->results, 1, row, 1),
                                    .text = pg_text(answer->results, 1, row, 2)};
    return true;
}

static void add_lock(struct pg_unit *unit, const char *tenant, const char *conversation)
{
    struct pg_statement *statement = pg_add(unit, lock_sql);
    pg_param(statement, tenant);
    pg_param(statement, conversation);
}

void summary_add_claim(struct pg_unit *unit, struct arena *arena, const struct summary_claim *claim)
{
    const char *conversation = id_text(arena, &claim->conversation);
    add_lock(unit, claim->tenant, conversation);
    pg_param(pg_add(unit, lock_tenant_sql), claim->tenant);
    struct pg_statement *statement = pg_add(unit, claim_sql);
    const char *const params[] = {claim->tenant,
                                  conversation,
                                  id_text(arena, &claim->turn),
                                  id_text(arena, &claim->call),
                                  number(arena, claim->after),
                                  number(arena, claim->most.tokens),
                                  number(arena, claim->most.cost),
                                  number(arena, claim->limits.day.tokens),
                                  number(arena, claim->limits.day.cost),
                                  number(arena, claim->limits.month.tokens),
                                  number(arena, claim->limits.month.cost),
                                  number(arena, SUMMARY_TENANT_MAX),
                                  number(arena, claim->lease_ms)};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        pg_param(statement, params[i]);
}

const char *summary_read_claimed(const struct pg_answer *answer)
{
    if (pg_rows(answer->results, 2) < 1)
        return "gone";
    const char *kind = pg_text(answer->results, 2, 0, 0);
    return strcmp(kind, "claimed") == 0 ? NULL : kind;
}

/* A call whose id is not the claim's leaves the claim as it is. */
static void add_call(struct pg_unit *unit, struct arena *arena, const struct summary_made *made,
                     const struct turn_llm_call *call, const char *body)
{
    struct pg_statement *statement = pg_add(unit, write_sql);
    const char *const params[] = {made->tenant,
                                  id_text(arena, &call->id),
                                  id_text(arena, &made->turn),
                                  call->provider,
                                  call->model,
                                  call->outcome,
                                  call->error_code,
                                  call->finish,
                                  number(arena, call->tokens_in),
                                  number(arena, call->tokens_out),
                                  number(arena, call->tokens_cached),
                                  number(arena, call->connect_ms),
                                  number(arena, call->first_token_ms),
                                  number(arena, call->total_ms),
                                  call->request_id,
                                  number(arena, call->started_ms),
                                  number(arena, call->cost),
                                  id_text(arena, &made->id),
                                  id_text(arena, &made->conversation),
                                  number(arena, made->up_to),
                                  body,
                                  number(arena, made->assistant_version)};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        pg_param(statement, params[i]);
}

void summary_add_write(struct pg_unit *unit, struct arena *arena, const struct summary_made *made)
{
    add_lock(unit, made->tenant, id_text(arena, &made->conversation));
    add_call(unit, arena, made, &made->call, made->body);
    for (size_t i = 0; i < made->failed_count; i++)
        add_call(unit, arena, made, &made->failed[i], NULL);
}

bool summary_read_written(const struct pg_answer *answer)
{
    return pg_int(answer->results, 1, 0, 0) > 0;
}
