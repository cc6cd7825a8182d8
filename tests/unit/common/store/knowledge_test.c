/* A tenant's knowledge on a real PostgreSQL: what is written is found by its tenant alone, in its
 * language, by any words, and at a price that other tenants' knowledge does not raise. */
#include <glob.h>

#include "unit/common/pg/rig.h"

#include "base/arena.h"
#include "base/strbuf.h"
#include "store/knowledge.h"

#define TENANT "00000000-0000-7000-8000-000000000001"
#define OTHER  "00000000-0000-7000-8000-000000000002"
#define CHUNKS 2000

static struct arena *arena;
static struct pg_session *ops;

static const char seed_sql[] = "TRUNCATE tenants CASCADE;"
                               "INSERT INTO tenants (id, name, display_name, timezone) VALUES"
                               " ('" TENANT "', 'dental', 'Dental', 'Europe/Berlin'),"
                               " ('" OTHER "', 'garage', 'Garage', 'Europe/Berlin');";

/* ---- rig ---- */

static void run(const char *sql)
{
    CU_ASSERT_TRUE_FATAL(test_server_sql(&rig_server, sql));
}

static void script(const char *sql)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_script(ops, sql, &err), 0);
}

static void begin_test(void)
{
    struct err err;
    run(seed_sql);
    arena = arena_new();
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &ops, &err), 0);
    script("SET ROLE frontdesk_ops");
}

static void end_test(void)
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
static const char *value(const char *sql)
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

static int put(const char *tenant, const char *name, const char *language,
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

static void import(const char *tenant, const char *name, const char *language, const char *text)
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
static const char *found(const char *tenant, const char *question, int limit)
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

static void expect(const char *question, const char *wanted)
{
    const char *got = found(TENANT, question, 3);
    if (strcmp(got, wanted) != 0)
        printf("    %s: found \"%s\", not \"%s\"\n", question, got, wanted);
    CU_ASSERT_STRING_EQUAL(got, wanted);
}

static void expect_first(const char *question, const char *wanted)
{
    const char *got = found(TENANT, question, 3);
    size_t length = strlen(wanted);
    bool good = strncmp(got, wanted, length) == 0 && (got[length] == ';' || got[length] == '\0');
    if (!good)
        printf("    %s: found \"%s\", not \"%s\" first\n", question, got, wanted);
    CU_ASSERT_TRUE(good);
}

static const char clinic[] =
    "# Whitening\nOne session costs 350 dollars and takes an hour. Your gums must be healthy.\n"
    "# Fillings\nA filling starts at 180 dollars. You may eat when the numbness is gone.\n"
    "# Parking\nThere are six places behind the building; bring it back if you like the ticket.\n"
    "# Cancelling\nAppointments are moved without a fee up to 24 hours before.\n"
    "# Insurance\nWe send the claim for you. Bring the card to your first appointment.\n"
    "# Children\nWe see children from the age of three, also on Friday.\n";

/* ---- tests ---- */

static void documents_are_written_listed_and_removed(void)
{
    struct knowledge_document *list = NULL;
    struct knowledge_chunk *chunks = NULL;
    struct uuid tenant = id_of(TENANT);
    struct err err;
    size_t count = 0;
    begin_test();
    import(TENANT, "b.md", "en-US", clinic);
    import(TENANT, "a.md", "de", "nur Text");
    CU_ASSERT_EQUAL_FATAL(knowledge_list(ops, arena, &tenant, &list, &count, &err), 0);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_STRING_EQUAL(list[0].name, "a.md");
    CU_ASSERT_STRING_EQUAL(list[0].config, "german");
    CU_ASSERT_STRING_EQUAL(list[1].language, "en-US");
    CU_ASSERT_STRING_EQUAL(list[1].hash_hex, "00ff");
    CU_ASSERT_EQUAL(list[1].chunks, 6);
    CU_ASSERT_EQUAL(knowledge_list_chunks(ops, arena, &list[1], &chunks, &count, &err), 0);
    CU_ASSERT_EQUAL_FATAL(count, 6);
    CU_ASSERT_EQUAL(chunks[1].place, 2);
    CU_ASSERT_STRING_EQUAL(chunks[1].heading, "Fillings");
    CU_ASSERT_PTR_NULL(find(TENANT, "c.md"));
    CU_ASSERT_EQUAL(knowledge_remove(ops, &list[1], &err), 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM kb_chunks"), "1");
    expect("whitening", "");
    end_test();
}

static void an_import_replaces_what_was_there(void)
{
    begin_test();
    import(TENANT, "a.md", "en", clinic);
    import(OTHER, "a.md", "en", "# Theirs\nwhitening");
    expect_first("What does whitening cost?", "Whitening");
    struct uuid before = find(TENANT, "a.md")->id;
    import(TENANT, "a.md", "en", "# Hours\nWe open at eight.\n# Rooms\nThere are two.");
    struct knowledge_document *after = find(TENANT, "a.md");
    CU_ASSERT(uuid_equal(&before, &after->id));
    CU_ASSERT_EQUAL(after->chunks, 2);
    expect("What does whitening cost?", "");
    expect("When do you open?", "Hours");
    CU_ASSERT_STRING_EQUAL(found(OTHER, "whitening", 3), "Theirs");
    end_test();
}

static void sentences_find_what_shares_some_words(void)
{
    begin_test();
    import(TENANT, "clinic.md", "en", clinic);
    expect_first("Hi! How much would you charge me for whitening my teeth?", "Whitening");
    expect_first("can i move my appointment to another day without paying", "Cancelling");
    expect_first("My son is four, do you treat children at all?", "Children");
    expect_first("where do I park", "Parking");
    expect_first("I lost a FILLING yesterday evening, and it hurts; what does a new one cost, and "
                 "when could somebody see me? I work until five on most days of the week",
                 "Fillings");
    import(TENANT, "praxis.md", "de-CH",
           "# Zahnreinigung\nEine Reinigung kostet 120 Franken.\n"
           "# Notfälle\nAm Wochenende ruft bitte die Notfallnummer an.\n");
    expect_first("Guten Tag, was kosten eigentlich Reinigungen bei Ihnen?", "Zahnreinigung");
    expect_first("ist das ein notfall", "Notfälle");
    expect_first("What does whitening cost?", "Whitening");
    end_test();
}

static void nonsense_finds_nothing(void)
{
    static const char *const texts[] = {
        "",
        "   ",
        "xqzt wvvk",
        "?!",
        "the and of to",
        "Hello, please, thanks",
        "Would you like to tell me?",
        "blue submarines",
        "🙂🙂",
    };
    begin_test();
    CU_ASSERT_STRING_EQUAL(found(TENANT, "anything", 3), ""); /* no documents at all */
    import(TENANT, "clinic.md", "en", clinic);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect(texts[i], "");
    end_test();
}

/* Neither a word that nearly every chunk has, nor one of very many that nobody asked about. */
static void little_in_common_is_nothing(void)
{
    begin_test();
    import(TENANT, "a.md", "en",
           "# One\nour clinic has crowns\n# Two\nclinic rooms\n# Three\nclinic hours\n"
           "# Four\nclinic prices\n# Five\nclinic parking\n# Six\nclinic phone\n");
    expect("clinic", "");
    expect("crowns", "One");
    expect_first("clinic crowns", "One");
    expect_first("a1 b1 c1 d1 e1 f1 g1 h1 crowns", "One");
    expect("a1 b1 c1 d1 e1 f1 g1 h1 a2 b2 c2 d2 e2 f2 g2 h2 a3 b3 c3 d3 e3 crowns", "");
    end_test();
}

static void headings_count_more_and_order_is_stable(void)
{
    begin_test();
    import(TENANT, "a.md", "en",
           "# Other\nAsk for crowns at the desk.\n# Crowns\nThey last for years.\n"
           "# One\nsame words here\n# Two\nsame words here\n# Three\nsame words here\n");
    expect("crowns", "Crowns;Other");
    const char *by_id = value("SELECT string_agg(heading, ';' ORDER BY id) FROM kb_chunks"
                              " WHERE body = 'same words here'");
    for (int i = 0; i < 5; i++)
        CU_ASSERT_STRING_EQUAL(found(TENANT, "same words here", 10), by_id);
    const char *two = found(TENANT, "same words here", 2);
    CU_ASSERT_EQUAL(strncmp(two, by_id, strlen(two)), 0);
    CU_ASSERT_PTR_EQUAL(strchr(two, ';'), strrchr(two, ';'));
    end_test();
}

static void another_tenant_is_never_found(void)
{
    begin_test();
    import(TENANT, "mine.md", "en", "# Mine\nbrakes and tyres");
    import(OTHER, "theirs.md", "en", "# Theirs\nbrakes and secrets #english#" TENANT);
    import(OTHER, "leurs.md", "xx", "# Leurs\n" TENANT " brakes");
    expect("brakes", "Mine");
    expect("secrets", "");
    expect("#english#" OTHER " secrets", "");
    expect("'#english#" OTHER "' | secrets", "");
    CU_ASSERT_STRING_EQUAL(found(OTHER, "secrets brakes", 5), "Theirs;Leurs");
    CU_ASSERT_STRING_EQUAL(found(OTHER, "tyres", 5), "");
    end_test();
}

/* Not even when others have the word so often that no more of its chunks are looked at. */
static void others_hide_nothing(void)
{
    const int count = 400;
    struct chunk *items = NULL;
    struct err err;
    begin_test();
    items = arena_alloc(arena, (size_t)count * sizeof *items);
    for (int i = 0; i < count; i++)
        items[i] = (struct chunk){.kind = CHUNK_TEXT, .heading = "Theirs", .text = "brakes"};
    const struct chunks chunks = {items, (size_t)count};
    CU_ASSERT_EQUAL(put(OTHER, "theirs.md", "en", &chunks, &err), 0);
    import(TENANT, "mine.md", "en", "# Mine\nbrakes and tyres");
    expect("brakes", "Mine");
    end_test();
}

/* Whatever a customer writes is words. */
static void hostile_texts_are_words(void)
{
    static const char *const texts[] = {
        "brakes & | ! :* <-> ( ) '",
        "'; DROP TABLE kb_chunks; --",
        "\\' \\ \\\\ brakes\\",
        "O'Brien's \"brakes\"",
        "brakes:*A & !brakes",
        "$1 $2 %s %n {} {\"a\"}",
        "a:1 'b':2A 'c d':3",
        "http://x.example/a\\b?c='d'&e=%27 foo@example.com /etc/passwd -1e5 1.2.3",
        "\xc3\xa4\xe2\x80\xae\xf0\x9f\x98\x80 \xef\xbf\xbf",
        "\x01\x1b[31m brakes",
        "))))((((",
        "http://x.example/a?c='d'&e=(1)|!f:*",
    };
    begin_test();
    import(TENANT, "a.md", "en", "# It's 'the' \\brakes\\ & | ! :*\nO'Brien mends brakes.");
    import(TENANT, "b.md", "xx", "# O'Brien\na\\b 'c' http://x.example/a?c='d'&e=(1)");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        (void)found(TENANT, texts[i], 10);
    expect_first("brakes & | ! :*", "It's 'the' \\brakes\\ & | ! :*");
    expect_first("what is http://x.example/a?c='d'&e=(1)", "O'Brien");
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    for (int i = 0; text.length < 8000; i++)
        strbuf_printf(&text, "w%d' ", i);
    strbuf_add_text(&text, "brakes");
    CU_ASSERT_STRING_EQUAL(found(TENANT, text.data, 10), ""); /* beyond what is looked at */
    strbuf_clear(&text);
    for (int i = 0; i < 3000; i++)
        strbuf_add_text(&text, "\xc3\xa4");
    strbuf_add_text(&text, " brakes");
    CU_ASSERT(*found(TENANT, text.data, 10) != '\0'); /* a word of 6,000 bytes is none */
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM kb_chunks"), "2");
    strbuf_fini(&text);
    end_test();
}

static void languages_are_those_of_postgresql(void)
{
    static const struct {
        const char *language, *config;
    } cases[] = {{"de-CH", "german"},    {"DE", "german"}, {"en_US", "english"},
                 {"nb-NO", "norwegian"}, {"zh", "simple"}, {"deu", "simple"},
                 {"d", "simple"},        {"", "simple"},   {"e ", "simple"},
                 {"fr-CA", "french"}};
    begin_test();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_STRING_EQUAL(knowledge_config_of(cases[i].language), cases[i].config);
    size_t count = 0;
    for (; knowledge_config(count) != NULL; count++) {
        const char *sql = arena_printf(arena,
                                       "SELECT count(*) FROM pg_ts_config WHERE cfgname = '%s'"
                                       " AND cfgnamespace = 'pg_catalog'::regnamespace",
                                       knowledge_config(count));
        CU_ASSERT_STRING_EQUAL(value(sql), "1");
    }
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM pg_ts_config"),
                           arena_printf(arena, "%zu", count));
    end_test();
}

static void a_tenant_has_room_for_so_many_documents(void)
{
    begin_test();
    script("INSERT INTO kb_documents (tenant_id, id, name, kind, language, search_config,"
           " content_hash, size_bytes, chunk_count) SELECT '" TENANT "', gen_random_uuid(),"
           " 'd' || n, 'text', 'en', 'english', '', 1, 0 FROM generate_series(1, 500) n");
    struct chunk one = {.kind = CHUNK_FAQ, .heading = "H", .text = "crowns"};
    const struct chunks chunks = {&one, 1};
    struct err err;
    CU_ASSERT_EQUAL(put(TENANT, "more", "en", &chunks, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "knowledge.full");
    CU_ASSERT_EQUAL(put(TENANT, "d7", "en", &chunks, &err), 0);
    CU_ASSERT_EQUAL(put(OTHER, "more", "en", &chunks, &err), 0);
    expect("crowns", "H");
    end_test();
}

/* ---- the engine's way ---- */

struct seen {
    int rows;
    char heading[100];
    enum chunk_kind kind;
};

static void on_found(void *arg, const struct pg_answer *answer)
{
    struct seen *seen = arg;
    struct knowledge_found row;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && knowledge_read_found(answer->results, 0, seen->rows, &row)) {
        if (seen->rows++ == 0) {
            snprintf(seen->heading, sizeof seen->heading, "%s", row.heading);
            seen->kind = row.kind;
        }
    }
    rig_count_down();
}

static void ask_as_engine(const char *const *functions)
{
    char url[256];
    struct seen seen = {.rows = 0};
    snprintf(url, sizeof url, "%s user=frontdesk_engine", strstr(rig_server.url, "host="));
    char *user = strstr(url, "user=postgres");
    memset(user, ' ', strlen("user=postgres"));
    rig_open();
    const struct pg_options options = {.loop = rig_loop,
                                       .url = url,
                                       .name = "unit-test",
                                       .connections = 1,
                                       .functions = functions};
    rig_pg = pg_new(&options);
    CU_ASSERT_TRUE_FATAL(rig_until(rig_is_up));
    struct pg_unit unit = {.done = on_found, .arg = &seen};
    knowledge_add_search(&unit, arena, TENANT, "What does a filling cost?", 2);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_EQUAL(seen.rows, 2);
    CU_ASSERT_STRING_EQUAL(seen.heading, "Fillings");
    CU_ASSERT_EQUAL(seen.kind, CHUNK_TEXT);
    rig_close();
}

/* As text, and as the function that `deskctl db migrate` makes of it. */
static void the_engine_asks(void)
{
    static const char *const none[] = {NULL};
    struct pg_session *owner = NULL;
    struct err err;
    begin_test();
    import(TENANT, "clinic.md", "en", clinic);
    ask_as_engine(none);
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &owner, &err), 0);
    CU_ASSERT_EQUAL(pg_session_define(owner, knowledge_statements[0], &err), 0);
    pg_session_close(&owner);
    ask_as_engine(knowledge_statements);
    end_test();
}

/* ---- what it costs ---- */

/* Many chunks of words that a few share. */
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
    " SET enable_mergejoin = off; SET jit = off";
static const char as_text[] = "RESET plan_cache_mode; RESET enable_seqscan; RESET enable_hashjoin;"
                              " RESET enable_mergejoin; SET jit = off";

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

static bool migrate(const char *path)
{
    char *sql = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    ssize_t length = getdelim(&sql, &size, '\0', file);
    fclose(file);
    bool good = length > 0 && test_server_sql(&rig_server, sql);
    free(sql);
    return good;
}

static int open_server(void)
{
    glob_t files;
    if (rig_start_server() != 0 || glob("schema/migrations/*.sql", 0, NULL, &files) != 0)
        return 1;
    bool good = true;
    for (size_t i = 0; i < files.gl_pathc; i++)
        good = good && migrate(files.gl_pathv[i]);
    globfree(&files);
    return good && test_server_sql(&rig_server, "ALTER ROLE frontdesk_engine LOGIN") ? 0 : 1;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("knowledge", open_server, rig_end_server);
    CU_add_test(suite, "documents are written, listed and removed",
                documents_are_written_listed_and_removed);
    CU_add_test(suite, "an import replaces what was there", an_import_replaces_what_was_there);
    CU_add_test(suite, "sentences find what shares some words",
                sentences_find_what_shares_some_words);
    CU_add_test(suite, "nonsense finds nothing", nonsense_finds_nothing);
    CU_add_test(suite, "little in common is nothing", little_in_common_is_nothing);
    CU_add_test(suite, "headings count more, and the order is stable",
                headings_count_more_and_order_is_stable);
    CU_add_test(suite, "another tenant is never found", another_tenant_is_never_found);
    CU_add_test(suite, "others hide nothing", others_hide_nothing);
    CU_add_test(suite, "hostile texts are words", hostile_texts_are_words);
    CU_add_test(suite, "languages are those of PostgreSQL", languages_are_those_of_postgresql);
    CU_add_test(suite, "a tenant has room for so many documents",
                a_tenant_has_room_for_so_many_documents);
    CU_add_test(suite, "the engine asks", the_engine_asks);
    CU_add_test(suite, "others do not make it slower", others_do_not_make_it_slower);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
