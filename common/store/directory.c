/* SQL of the directory. */
#include "store/directory.h"

#include "base/clock.h"

#define COLUMNS                                                                                    \
    "SELECT tenant_id, id, kind, address, account_sid, directory_version, removed_at IS NOT NULL," \
    " ARRAY(SELECT jsonb_array_elements_text(edge_keys)) FROM channels"

const char directory_unpublished_sql[] =
    COLUMNS " WHERE published_version < directory_version ORDER BY tenant_id, id LIMIT $1::integer";

const char directory_all_sql[] = COLUMNS " ORDER BY tenant_id, id LIMIT $1::integer";

static const char published_sql[] =
    "UPDATE channels c SET published_version = i.version"
    " FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS i (tenant_id, id, version)"
    " WHERE c.tenant_id = i.tenant_id AND c.id = i.id AND c.directory_version = i.version";

void directory_add_unpublished(struct pg_unit *unit, const char *limit)
{
    pg_param(pg_add(unit, directory_unpublished_sql), limit);
}

bool directory_read_result(const struct pg_result *result, int row, struct arena *arena,
                           struct directory_row *out)
{
    const char **keys;
    size_t count;
    struct err err;
    if (row >= pg_rows(result, 0))
        return false;
    struct uuid tenant = pg_uuid(result, 0, row, 0);
    char *tenant_text = arena_alloc(arena, UUID_TEXT_SIZE);
    uuid_format(&tenant, tenant_text);
    const char *address = arena_strdup(arena, pg_text(result, 0, row, 3));
    const char *kind = arena_strdup(arena, pg_text(result, 0, row, 2));
    int64_t version = pg_int(result, 0, row, 5);
    *out = (struct directory_row){
        .channel =
            {
                .event = {.id =
                              arena_printf(arena, "%s:%s:%lld", kind, address, (long long)version),
                          .source = "frontdesk/directory",
                          .subject = "",
                          .time_ms = clock_wall_ms(),
                          .tenant = tenant_text,
                          .traceparent = ""},
                .version = version,
                .channel = pg_uuid(result, 0, row, 1),
                .kind = kind,
                .address = address,
                .account_sid = arena_strdup(arena, pg_text(result, 0, row, 4)),
            },
        .removed = pg_bool(result, 0, row, 6),
    };
    if (pg_array_decode(arena, pg_text(result, 0, row, 7), &keys, &count, &err) != 0)
        count = 0;
    for (size_t i = 0; i < count && i < EVENT_KEYS_MAX; i++)
        out->channel.sealed_keys[out->channel.sealed_key_count++] = keys[i];
    return true;
}

bool directory_read_row(const struct pg_answer *answer, int row, struct arena *arena,
                        struct directory_row *out)
{
    return directory_read_result(answer->results, row, arena, out);
}

void directory_add_published(struct pg_unit *unit, struct arena *arena,
                             const struct directory_row *rows, size_t count)
{
    struct pg_array tenants, ids, versions;
    pg_array_init(&tenants);
    pg_array_init(&ids);
    pg_array_init(&versions);
    for (size_t i = 0; i < count; i++) {
        pg_array_add(&tenants, rows[i].channel.event.tenant);
        pg_array_add_uuid(&ids, &rows[i].channel.channel);
        pg_array_add_int(&versions, rows[i].channel.version);
    }
    struct pg_statement *statement = pg_add(unit, published_sql);
    pg_param(statement, pg_array_take(&tenants, arena));
    pg_param(statement, pg_array_take(&ids, arena));
    pg_param(statement, pg_array_take(&versions, arena));
    pg_array_fini(&tenants);
    pg_array_fini(&ids);
    pg_array_fini(&versions);
}
