/* The SQL of delivery_taken.h. The responder's poll runs it; conversation.c reads what it notes. */
#include "store/delivery_taken.h"

#include "store/delivery_inside.h"

/* Each row by its key, one after the other (OFFSET 0): docs/adr/0004. */
static const char taken_sql[] =
    "SELECT d.tenant_id, d.id, d.attempts FROM deliveries d"
    " CROSS JOIN LATERAL (SELECT x.epoch FROM conversations x"
    " WHERE x.tenant_id = d.tenant_id AND x.id = d.conversation_id OFFSET 0) AS c"
    " CROSS JOIN LATERAL (SELECT x.began_attempt FROM delivery_mails x"
    " WHERE x.tenant_id = d.tenant_id AND x.delivery_id = d.id OFFSET 0) AS w"
    " WHERE d.worker = $1::uuid AND d.via = 'mail' AND d.state = 'sending' AND d.author = 'ai'"
    " AND c.epoch <> d.epoch AND w.began_attempt IS DISTINCT FROM d.attempts";

static const char began_sql[] = "UPDATE delivery_mails SET began_attempt = $3::integer"
                                " WHERE tenant_id = $1::uuid AND delivery_id = $2::uuid";

void delivery_taken_add(struct pg_unit *unit, const char *worker)
{
    pg_param(pg_add(unit, taken_sql), worker);
}

bool delivery_taken_read(const struct pg_answer *answer, int statement, int row,
                         struct delivery_taken *out)
{
    if (row >= pg_rows(answer->results, statement))
        return false;
    delivery_read_ref(answer, statement, row, &out->ref);
    out->attempt = (int)pg_int(answer->results, statement, row, 2);
    return true;
}

void delivery_taken_add_began(struct pg_unit *unit, struct arena *arena,
                              const struct delivery_taken *taken)
{
    struct pg_statement *statement = pg_add(unit, began_sql);
    pg_param(statement, delivery_uuid(arena, &taken->ref.tenant));
    pg_param(statement, delivery_uuid(arena, &taken->ref.id));
    pg_param(statement, delivery_number(arena, taken->attempt));
}

const char *const delivery_taken_statements[] = {taken_sql, began_sql, NULL};
