/* What the tests of the knowledge stand on: a seeded database, imports and searches. */
#ifndef DESK_TESTS_KNOWLEDGE_RIG_H
#define DESK_TESTS_KNOWLEDGE_RIG_H

#include "unit/common/store/schema.h"

#include "base/arena.h"
#include "base/strbuf.h"
#include "store/knowledge.h"

#define TENANT "00000000-0000-7000-8000-000000000001"
#define OTHER  "00000000-0000-7000-8000-000000000002"
#define CHUNKS 2000

static struct arena *arena;
static struct pg_session *ops;

static const char seed_sql[] =
    SCHEMA_EMPTY "INSERT INTO tenants (id, name, display_name, timezone) VALUES"
                 " ('" TENANT "', 'dental', 'Dental', 'Europe/Berlin'),"
                 " ('" OTHER "', 'garage', 'Garage', 'Europe/Berlin');";

/* ---- rig ---- */

static inline void run(const char *sql)
{
    CU_ASSERT_TRUE_FATAL(test_server_sql(&rig_server, sql));
}

static inline void script(const char *sql)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_script(ops, sql, &err), 0);
}

static inline void begin_test(void)
{
    struct err err;
    run(seed_sql);
    arena = arena_new();
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &ops, &err), 0);
    script("SET ROLE frontdesk_ops");
}

static inline void end_test(void)
{
    pg_session_close(&ops);
    arena_free(&arena);
}

static struct uuid id_of(const char *tenant)
{
    struct uuid id;
    CU_ASSERT_TRUE_FATAL(uuid_parse(tenant, &id));
    return id;
}

/* Everything of one row, joined by spaces. */
static inline const char *value(const char *sql)
{
    const struct pg_statement statement = {.sql = sql};
    struct pg_result *result = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_query(ops, &statement, &result, &err), 0);
    const char *text = "";
    for (int c = 0; pg_rows(result, 0) > 0 && c < pg_columns(result, 0); c++)
        text = arena_printf(arena, "%s%s%s", text, c > 0 ? " " : "", pg_text(result, 0, 0, c));
    pg_result_free(&result);
    return text;
}

static struct knowledge_document *find(const char *tenant, const char *name)
{
    struct knowledge_document *document = NULL;
    struct uuid id = id_of(tenant);
    struct err err;
    CU_ASSERT_EQUAL_FATAL(knowledge_find(ops, arena, &id, name, &document, &err), 0);
    return document;
}

static inline int put(const char *tenant, const char *name, const char *language,
                      const struct chunks *chunks, struct err *err)
{
    struct knowledge_document *before = find(tenant, name);
    const struct knowledge_document document = {.tenant = id_of(tenant),
                                                .id = before != NULL ? before->id : uuid_new(),
                                                .name = name,
                                                .language = language,
                                                .config = knowledge_config_of(language),
                                                .hash_hex = "00ff",
                                                .kind = CHUNK_TEXT,
                                                .size_bytes = 5,
                                                .chunks = (int64_t)chunks->count};
    return knowledge_put(ops, &document, chunks, err);
}

static inline void import(const char *tenant, const char *name, const char *language,
                          const char *text)
{
    const struct chunk_options options = {.format = CHUNK_MARKDOWN};
    struct chunks chunks;
    struct err err;
    struct uuid id = id_of(tenant);
    CU_ASSERT_EQUAL_FATAL(chunk_document(arena, text, strlen(text), &options, &chunks, &err), 0);
    script("BEGIN");
    CU_ASSERT_EQUAL(knowledge_lock(ops, &id, &err), 0);
    CU_ASSERT_EQUAL_FATAL(put(tenant, name, language, &chunks, &err), 0);
    script("COMMIT");
}

/* "heading;heading" of what is found. */
static inline const char *found(const char *tenant, const char *question, int limit)
{
    struct knowledge_found *list = NULL;
    struct err err = {.message = ""};
    size_t count = 0;
    int result = knowledge_search(ops, arena, tenant, question, limit, &list, &count, &err);
    if (result != 0)
        printf("    %s: %s\n", err.code, err.message);
    CU_ASSERT_EQUAL_FATAL(result, 0);
    const char *text = "";
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(list[i].rank > 0 && list[i].rank <= 1);
        CU_ASSERT(i == 0 || list[i].rank <= list[i - 1].rank);
        text = arena_printf(arena, "%s%s%s", text, i > 0 ? ";" : "", list[i].heading);
    }
    return text;
}

static inline void expect(const char *question, const char *wanted)
{
    const char *got = found(TENANT, question, 3);
    if (strcmp(got, wanted) != 0)
        printf("    %s: found \"%s\", not \"%s\"\n", question, got, wanted);
    CU_ASSERT_STRING_EQUAL(got, wanted);
}

static inline void expect_first(const char *question, const char *wanted)
{
    const char *got = found(TENANT, question, 3);
    size_t length = strlen(wanted);
    bool good = strncmp(got, wanted, length) == 0 && (got[length] == ';' || got[length] == '\0');
    if (!good)
        printf("    %s: found \"%s\", not \"%s\" first\n", question, got, wanted);
    CU_ASSERT_TRUE(good);
}

#endif
