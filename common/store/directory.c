/* SQL of the directory. */
#include "store/directory.h"

#include "base/clock.h"
#include "contract/directory_voice.h"
#include "contract/event_codec.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "SELECT tenant_id, id, kind, address, account_sid, directory_version, removed_at IS NOT NULL," \
    " ARRAY(SELECT jsonb_array_elements_text(edge_keys)),"                                         \
    " CASE WHEN kind = 'voice' THEN (SELECT (v.config -> 'phone')::text FROM assistants a"         \
    " JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"            \
    " AND v.version = a.current_version WHERE a.tenant_id = channels.tenant_id"                    \
    " AND a.id = channels.assistant_id) END FROM channels"

/* Only the newest row of an address: a number that moved has an older, removed one. */
const char directory_unpublished_sql[] =
    COLUMNS " WHERE published_version < directory_version"
            " AND NOT EXISTS (SELECT FROM channels n WHERE n.kind = channels.kind"
            " AND n.address = channels.address"
            " AND n.directory_version > channels.directory_version)"
            " ORDER BY tenant_id, id LIMIT $1::integer";

/* A mailbox is none of the edge's business. */
const char directory_all_sql[] =
    COLUMNS " WHERE kind <> 'mail' ORDER BY tenant_id, id LIMIT $1::integer";

static const char of_number_sql[] =
    COLUMNS " WHERE tenant_id = $1::uuid AND kind = 'voice' AND address = $2::text"
            " AND removed_at IS NULL";

/* Topic order decides what a new ingress reads, and two publishers may write in any order: whoever
 * wrote what is not the newest any more makes the newest due again, behind its own record. Versions
 * rise per address, over all rows that ever had it. */
static const char published_sql[] =
    "UPDATE channels c SET published_version = CASE WHEN c.directory_version > i.version THEN 0"
    " WHEN i.landed THEN i.version ELSE c.published_version END"
    " FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[])"
    " AS i (kind, address, version, landed)"
    " WHERE c.kind = i.kind AND c.address = i.address AND NOT EXISTS (SELECT FROM channels n"
    " WHERE n.kind = c.kind AND n.address = c.address"
    " AND n.directory_version > c.directory_version)";

void directory_add_unpublished(struct pg_unit *unit, const char *limit)
{
    pg_param(pg_add(unit, directory_unpublished_sql), limit);
}

/* How calls of the number are answered: the assistant's section `phone`, whose members are those of
 * the record. NULL if there is none, or one that no ingress would take. */
static const struct directory_voice *read_voice(struct arena *arena, const char *text)
{
    struct directory_voice *voice = arena_alloc(arena, sizeof *voice);
    struct json *document;
    struct err err;
    if (text[0] == '\0' || json_parse(text, strlen(text), &document, &err) != 0)
        return NULL;
    int rc = event_members_decode(event_directory_voice_members, arena, document, voice, &err);
    json_free(&document);
    return rc == 0 ? voice : NULL;
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
    if (strcmp(kind, "voice") == 0) {
        out->channel.voice = read_voice(arena, pg_text(result, 0, row, 8));
        out->removed |= out->channel.voice == NULL;
    }
    if (pg_array_decode(arena, pg_text(result, 0, row, 7), &keys, &count, &err) != 0)
        count = 0;
    for (size_t i = 0; i < count && i < EVENT_KEYS_MAX; i++)
        out->channel.sealed_keys[out->channel.sealed_key_count++] = keys[i];
    return true;
}

int directory_find_voice(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                         const char *number, const struct directory_voice **voice, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    struct directory_row row;
    struct pg_result *result = NULL;
    const struct pg_statement statement = {
        .sql = of_number_sql, .params = {uuid_format(tenant, text), number}, .param_count = 2};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *voice = directory_read_result(result, 0, arena, &row) ? row.channel.voice : NULL;
    pg_result_free(&result);
    return 0;
}

bool directory_read_row(const struct pg_answer *answer, int row, struct arena *arena,
                        struct directory_row *out)
{
    return directory_read_result(answer->results, row, arena, out);
}

void directory_add_published(struct pg_unit *unit, struct arena *arena,
                             const struct directory_row *rows, size_t count)
{
    struct pg_array arrays[4];
    struct pg_statement *statement = pg_add(unit, published_sql);
    for (int k = 0; k < 4; k++)
        pg_array_init(&arrays[k]);
    for (size_t i = 0; i < count; i++) {
        pg_array_add(&arrays[0], rows[i].channel.kind);
        pg_array_add(&arrays[1], rows[i].channel.address);
        pg_array_add_int(&arrays[2], rows[i].channel.version);
        pg_array_add_bool(&arrays[3], rows[i].landed);
    }
    for (int k = 0; k < 4; k++) {
        pg_param(statement, pg_array_take(&arrays[k], arena));
        pg_array_fini(&arrays[k]);
    }
}
