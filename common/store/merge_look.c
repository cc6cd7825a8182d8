/* What a merge is asked for by, and what is suggested: see merge.h. deskctl calls it. */
#include <stdio.h>
#include <string.h>

#include "store/merge_inside.h"

/* From one to the one that it became part of, and on. */
#define ROOT_SQL                                                                                   \
    " UNION ALL SELECT m.tenant_id, m.kept_id FROM up u JOIN contact_merges m"                     \
    " ON m.tenant_id = u.tenant_id AND m.gone_id = u.id AND m.split_at IS NULL)"                   \
    " SELECT u.tenant_id, u.id FROM up u WHERE NOT EXISTS (SELECT FROM contact_merges m"           \
    " WHERE m.tenant_id = u.tenant_id AND m.gone_id = u.id AND m.split_at IS NULL)"

static const char by_id_sql[] =
    "WITH RECURSIVE up (tenant_id, id) AS (SELECT c.tenant_id, c.id FROM contacts c"
    " JOIN tenants t ON t.id = c.tenant_id WHERE c.id = $2::uuid"
    " AND ($1::text IS NULL OR t.name = $1::text)" ROOT_SQL;

static const char by_address_sql[] =
    "SELECT a.tenant_id, a.contact_id FROM contact_addresses a JOIN tenants t"
    " ON t.id = a.tenant_id WHERE t.name = $1::text AND a.address = $2::text"
    " AND a.kind = CASE WHEN position('@' IN $2::text) > 0 THEN 'mail' ELSE 'phone' END";

int merge_find(struct pg_session *session, const char *tenant_name, const char *word,
               struct uuid *tenant, struct uuid *contact, bool *found, struct err *err)
{
    struct uuid id;
    struct pg_result *result = NULL;
    const struct pg_statement statement = {.sql =
                                               uuid_parse(word, &id) ? by_id_sql : by_address_sql,
                                           .params = {tenant_name, word},
                                           .param_count = 2};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *found = pg_rows(result, 0) > 0;
    if (*found) {
        *tenant = pg_uuid(result, 0, 0, 0);
        *contact = pg_uuid(result, 0, 0, 1);
    }
    pg_result_free(&result);
    return 0;
}

int merge_addresses(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                    const struct uuid *first, const struct uuid *second,
                    struct merge_address **list, size_t *count, struct err *err)
{
    struct pg_result *result = NULL;
    const struct pg_statement statement = {
        .sql = "SELECT contact_id, kind, address FROM contact_addresses WHERE tenant_id = $1::uuid"
               " AND contact_id IN ($2::uuid, $3::uuid) ORDER BY contact_id, kind, address",
        .params = {merge_text(arena, tenant), merge_text(arena, first), merge_text(arena, second)},
        .param_count = 3};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *count = (size_t)pg_rows(result, 0);
    *list = arena_alloc(arena, (*count + 1) * sizeof **list);
    for (size_t i = 0; i < *count; i++)
        (*list)[i] = (struct merge_address){pg_uuid(result, 0, (int)i, 0),
                                            arena_strdup(arena, pg_text(result, 0, (int)i, 1)),
                                            arena_strdup(arena, pg_text(result, 0, (int)i, 2))};
    pg_result_free(&result);
    return 0;
}

static const char conversation_sql[] =
    "WITH RECURSIVE up (id) AS (SELECT $2::uuid UNION ALL SELECT m.kept_conversation FROM up u"
    " JOIN contact_merges m ON m.tenant_id = $1::uuid AND m.gone_conversation = u.id"
    " AND m.split_at IS NULL) SELECT u.id FROM up u WHERE NOT EXISTS (SELECT FROM contact_merges m"
    " WHERE m.tenant_id = $1::uuid AND m.gone_conversation = u.id AND m.split_at IS NULL)";

int merge_find_conversation(struct pg_session *session, const struct uuid *tenant, struct uuid *id,
                            struct err *err)
{
    char text[2][UUID_TEXT_SIZE];
    struct pg_result *result = NULL;
    const struct pg_statement statement = {
        .sql = conversation_sql,
        .params = {uuid_format(tenant, text[0]), uuid_format(id, text[1])},
        .param_count = 2};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    if (pg_rows(result, 0) > 0)
        *id = pg_uuid(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

/* Of each pair the newest mail. Pairs that are one, or were split by a person, are no question any
 * more. */
static const char suggestions_sql[] =
    "SELECT to_char(x.at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), x.name, x.contact_id, x.address,"
    " x.from_name, x.other_id, (SELECT s.remote_address FROM messages n"
    " JOIN channel_sessions s ON s.tenant_id = n.tenant_id AND s.id = n.session_id"
    " WHERE n.tenant_id = x.tenant_id AND n.conversation_id = x.suggested_id"
    " ORDER BY n.position DESC LIMIT 1), x.verified"
    " FROM (SELECT DISTINCT ON (c.tenant_id, c.contact_id, o.contact_id) m.created_at AS at,"
    " t.name, c.tenant_id, c.contact_id, s.remote_address AS address, w.from_name,"
    " o.contact_id AS other_id, w.suggested_id, w.verified, m.position FROM message_mails w"
    " JOIN messages m ON m.tenant_id = w.tenant_id AND m.id = w.message_id"
    " JOIN channel_sessions s ON s.tenant_id = m.tenant_id AND s.id = m.session_id"
    " JOIN conversations c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id"
    " JOIN conversations o ON o.tenant_id = w.tenant_id AND o.id = w.suggested_id"
    " AND o.contact_id <> c.contact_id JOIN tenants t ON t.id = w.tenant_id"
    " WHERE w.suggested_id IS NOT NULL AND ($1::text IS NULL OR t.name = $1::text)"
    " AND NOT EXISTS (SELECT FROM contact_merges g WHERE g.tenant_id = c.tenant_id"
    " AND (g.kept_id, g.gone_id) IN ((c.contact_id, o.contact_id), (o.contact_id, c.contact_id)))"
    " ORDER BY c.tenant_id, c.contact_id, o.contact_id, m.position DESC) AS x"
    " ORDER BY x.position DESC LIMIT $2::bigint";

int merge_suggestions(struct pg_session *session, struct arena *arena, const char *tenant_name,
                      int64_t limit, struct merge_suggestion **rows, size_t *count, struct err *err)
{
    struct pg_result *r = NULL;
    const struct pg_statement statement = {
        .sql = suggestions_sql,
        .params = {tenant_name, arena_printf(arena, "%lld", (long long)limit)},
        .param_count = 2};
    if (pg_session_query(session, &statement, &r, err) != 0)
        return -1;
    *count = (size_t)pg_rows(r, 0);
    *rows = arena_alloc(arena, (*count + 1) * sizeof **rows);
    for (int i = 0; i < (int)*count; i++)
        (*rows)[i] = (struct merge_suggestion){
            .at = arena_strdup(arena, pg_text(r, 0, i, 0)),
            .tenant = arena_strdup(arena, pg_text(r, 0, i, 1)),
            .contact = arena_strdup(arena, pg_text(r, 0, i, 2)),
            .address = arena_strdup(arena, pg_text(r, 0, i, 3)),
            .name = arena_strdup(arena, pg_text(r, 0, i, 4)),
            .other = arena_strdup(arena, pg_text(r, 0, i, 5)),
            .other_address = arena_strdup(arena, pg_text(r, 0, i, 6)),
            .verified = pg_bool(r, 0, i, 7),
        };
    pg_result_free(&r);
    return 0;
}
