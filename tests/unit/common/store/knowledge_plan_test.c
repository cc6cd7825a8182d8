/* What a search in a tenant's knowledge reads, alone and beside the knowledge of others. */
#include "unit/common/store/knowledge_rig.h"

static void import_many(const char *tenant, const char *name)
{
    struct chunk *items = arena_alloc(arena, CHUNKS * sizeof *items);
    const struct chunks chunks = {items, CHUNKS};
    struct err err;
    for (int i = 0; i < CHUNKS; i++)
        items[i] = (struct chunk){
            .kind = CHUNK_TEXT,
            .heading = arena_printf(arena, "Part %d > group%d", i, i % 40),
            .text = arena_printf(arena,
                                 "word%d costs price%d dollars; every part has common words and "
                                 "rare%d ones, alpha%d beta%d gamma%d",
                                 i, i % 97, i % 701, i % 11, i % 13, i % 7)};
    script("BEGIN");
    CU_ASSERT_EQUAL_FATAL(put(tenant, name, "en", &chunks, &err), 0);
    script("COMMIT");
}

#define QUESTION "which common part has word77 and rare5 ones, or alpha3 and beta2 in every group?"

struct cost {
    long long pages; /* that the statement touched */
    long long rows;  /* that the index gave for a word, on average */
};

static void read_cost(const char *line, struct cost *cost)
{
    const char *hit = strstr(line, "shared hit="), *rows = strstr(line, "actual rows=");
    const char *read = hit != NULL ? strstr(hit, "read=") : NULL;
    long long hits = 0, reads = 0;
    if (read != NULL)
        (void)sscanf(read, "read=%lld", &reads);
    if (cost->pages < 0 && hit != NULL && sscanf(hit, "shared hit=%lld", &hits) == 1)
        cost->pages = hits + reads;
    if (strstr(line, "Bitmap Index Scan on kb_chunks_search") != NULL && rows != NULL)
        (void)sscanf(rows, "actual rows=%lld", &cost->rows);
}

/* The plan as it runs, and what it cost. */
static const char *explain(const char *settings, struct cost *cost)
{
    const struct pg_statement statement = {
        .sql = arena_printf(
            arena, "EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) EXECUTE search('" TENANT
                   "', '" QUESTION "', '', 5)")};
    struct pg_result *result = NULL;
    struct strbuf text;
    struct err err;
    script("DISCARD PLANS");
    script(settings);
    CU_ASSERT_EQUAL_FATAL(pg_session_query(ops, &statement, &result, &err), 0);
    strbuf_init(&text, 1024 * 1024);
    *cost = (struct cost){-1, -1};
    for (int i = 0; i < pg_rows(result, 0); i++) {
        read_cost(pg_text(result, 0, i, 0), cost);
        strbuf_printf(&text, "%s\n", pg_text(result, 0, i, 0));
    }
    pg_result_free(&result);
    const char *plan = arena_strdup(arena, text.data);
    strbuf_fini(&text);
    return plan;
}

static void check_plan(const char *plan)
{
    bool good = strstr(plan, "Bitmap Index Scan on kb_chunks_search") != NULL &&
                strstr(plan, "Seq Scan on kb_chunks") == NULL;
    if (!good)
        printf("%s\n", plan);
    CU_ASSERT_TRUE(good);
}

static const char as_function[] =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;"
    " SET enable_mergejoin = off; SET random_page_cost = 1.1; SET jit = off;"
    " SET join_collapse_limit = 1; SET from_collapse_limit = 1; SET enable_material = off";
static const char as_text[] = "RESET plan_cache_mode; RESET enable_seqscan; RESET enable_hashjoin;"
                              " RESET enable_mergejoin; RESET random_page_cost; RESET"
                              " join_collapse_limit; RESET from_collapse_limit; RESET"
                              " enable_material; SET jit = off";

static void others_do_not_make_it_slower(void)
{
    struct cost alone, among, ignored;
    begin_test();
    import_many(TENANT, "many.md");
    run("ANALYZE kb_chunks; ANALYZE kb_documents");
    script(arena_printf(arena, "PREPARE search AS %s", knowledge_statements[0]));
    (void)explain(as_function, &ignored); /* fills the caches */
    check_plan(explain(as_function, &alone));
    const char *before = found(TENANT, QUESTION, 5);
    CU_ASSERT_EQUAL(strncmp(before, "Part 77 > ", 10), 0);
    /* the same words, four times as often, elsewhere */
    run("INSERT INTO tenants (id, name, display_name, timezone) SELECT md5('t' || n)::uuid, 't' || "
        "n, 'T', 'UTC' FROM generate_series(1, 4) n;"
        "INSERT INTO kb_documents (tenant_id, id, name, kind, language, search_config,"
        " content_hash, size_bytes, chunk_count) SELECT md5('t' || n)::uuid, md5('d' || n)::uuid,"
        " 'd', kind, language, search_config, content_hash, size_bytes, chunk_count"
        " FROM kb_documents, generate_series(1, 4) n WHERE tenant_id = '" TENANT "';"
        "INSERT INTO kb_chunks SELECT md5('t' || n)::uuid, md5(k.id::text || n)::uuid,"
        " md5('d' || n)::uuid, place, kind, heading, body,"
        " ts_delete(search, '#english#" TENANT "')"
        " || array_to_tsvector(ARRAY['#english#' || md5('t' || n)::uuid::text])"
        " FROM kb_chunks k, generate_series(1, 4) n;");
    run("ANALYZE kb_chunks; ANALYZE kb_documents");
    (void)explain(as_function, &ignored);
    const char *plan = explain(as_function, &among);
    check_plan(plan);
    check_plan(explain(as_text, &ignored));
    printf("    alone %lld pages, %lld rows; among four others %lld, %lld\n", alone.pages,
           alone.rows, among.pages, among.rows);
    bool good = alone.rows > 0 && among.rows == alone.rows && among.pages <= 2 * alone.pages;
    if (!good)
        printf("%s\n", plan);
    CU_ASSERT_TRUE(good);
    CU_ASSERT_STRING_EQUAL(found(TENANT, QUESTION, 5), before);
    end_test();
}

/* ---- program ---- */

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("knowledge plans", open_server, rig_end_server);
    CU_add_test(suite, "others do not make it slower", others_do_not_make_it_slower);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
