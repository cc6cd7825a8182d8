/* The SQL of summaries: see summary.h. Used by services/engine/summary.c. */
#include "store/summary.h"

/* The conversation that is meant. */
#define WHOSE                                                                                      \
    "WITH whose AS (SELECT c.tenant_id, c.id FROM conversations c WHERE c.tenant_id = $1::uuid"    \
    " AND c.id = coalesce((SELECT p.id FROM conversations p WHERE p.tenant_id = $1::uuid"          \
    " AND p.contact_id = $3::uuid AND p.id <> $2::uuid AND p.closed_at IS NOT NULL"                \
    " ORDER BY p.closed_at DESC LIMIT 1), CASE WHEN $3::uuid IS NULL THEN $2::uuid END))"

#define NEWEST                                                                                     \
    "LEFT JOIN LATERAL (SELECT x.body, x.up_to FROM summaries x WHERE x.tenant_id = w.tenant_id"   \
    " AND x.conversation_id = w.id ORDER BY x.up_to DESC LIMIT 1) AS s ON true"

static const char known_sql[] = WHOSE " SELECT w.id, s.body FROM whose w " NEWEST;

/* Texts that are not answered yet are for a turn, and what never left was not said. */
static const char messages_sql[] =
    WHOSE " SELECT m.position, m.author, m.body FROM whose w " NEWEST
          " JOIN messages m ON m.tenant_id = w.tenant_id AND m.conversation_id = w.id"
          " AND m.position > coalesce(s.up_to, 0) AND m.position < $4::bigint"
          " WHERE m.author <> 'system' AND NOT EXISTS (SELECT FROM inbox_events e"
          " WHERE e.tenant_id = m.tenant_id AND e.channel = 'sms' AND e.provider_id = m.provider_id"
          " AND m.direction = 'in' AND e.state = 'open')"
          " AND NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = m.tenant_id"
          " AND d.message_id = m.id AND d.state = 'suppressed')"
          " ORDER BY m.position LIMIT $5::integer";

/* Erasure has the conversation as long as it deletes, and our keys would wait for it with half of
 * what we write: so before anything else, and not in the way of turns. */
static const char lock_sql[] =
    "SELECT 1 FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid FOR KEY SHARE";

static const char write_sql[] =
    "WITH there AS (SELECT c.tenant_id FROM conversations c JOIN turns u"
    " ON u.tenant_id = c.tenant_id AND u.id = $3::uuid"
    " WHERE c.tenant_id = $1::uuid AND c.id = $19::uuid),"
    " called AS (INSERT INTO llm_calls (tenant_id, id, turn_id, provider, model, outcome,"
    " error_code, finish, tokens_in, tokens_out, tokens_cached, connect_ms, first_token_ms,"
    " total_ms, request_id, started_at, cost) SELECT t.tenant_id, $2::uuid, $3::uuid, $4::text,"
    " $5::text, $6::text, nullif($7::text, ''), $8::text, nullif($9::bigint, -1),"
    " nullif($10::bigint, -1), nullif($11::bigint, -1), nullif($12::integer, -1),"
    " nullif($13::integer, -1), nullif($14::integer, -1), nullif($15::text, ''),"
    " to_timestamp($16::bigint / 1000.0), nullif($17::bigint, -1) FROM there t RETURNING id),"
    " told AS (INSERT INTO summaries (tenant_id, id, conversation_id, up_to, body,"
    " assistant_version, call_id) SELECT $1::uuid, $18::uuid, $19::uuid, $20::bigint, $21::text,"
    " $22::integer, c.id FROM called c WHERE $21::text IS NOT NULL ON CONFLICT DO NOTHING)"
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
                                  .body = pg_text(answer->results, 0, 0, 1)};
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

void summary_add_write(struct pg_unit *unit, struct arena *arena, const struct summary_made *made)
{
    const struct turn_llm_call *call = &made->call;
    const char *conversation = id_text(arena, &made->conversation);
    struct pg_statement *statement = pg_add(unit, lock_sql);
    pg_param(statement, made->tenant);
    pg_param(statement, conversation);
    statement = pg_add(unit, write_sql);
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
                                  conversation,
                                  number(arena, made->up_to),
                                  made->body,
                                  number(arena, made->assistant_version)};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        pg_param(statement, params[i]);
}

bool summary_read_written(const struct pg_answer *answer)
{
    return pg_int(answer->results, 1, 0, 0) > 0;
}
