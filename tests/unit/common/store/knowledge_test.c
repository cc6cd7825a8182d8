/* A tenant's knowledge on a real PostgreSQL: what is written is found by its tenant alone, in its
 * language, by any words, and at a price that other tenants' knowledge does not raise. */
#include "unit/common/store/knowledge_rig.h"

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

static const char words_sql[] =
    "SELECT string_agg(config || ':' || word || '=' || chunks, ' ' ORDER BY config, word)"
    " FROM kb_words WHERE tenant_id = '" TENANT "'";

static void words_are_counted(void)
{
    struct err err;
    begin_test();
    import(TENANT, "a.md", "en", "# Prices\n\nA crown.\n\n# Crowns\n\nA crown, a bridge.\n");
    import(OTHER, "a.md", "en", "# Prices\n\nA crown.\n");
    CU_ASSERT_STRING_EQUAL(value(words_sql), "english:bridg=1 english:crown=2 english:price=1");
    import(TENANT, "b.md", "de", "# Preise\n\nEine Brücke.\n");
    import(TENANT, "a.md", "en", "# Prices\n\nA bridge.\n");
    CU_ASSERT_STRING_EQUAL(value(words_sql),
                           "english:bridg=1 english:price=1 german:bruck=1 german:preis=1");
    script("BEGIN");
    CU_ASSERT_EQUAL(knowledge_remove(ops, find(TENANT, "a.md"), &err), 0);
    script("COMMIT");
    CU_ASSERT_STRING_EQUAL(value(words_sql), "german:bruck=1 german:preis=1");
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
    /* Of all languages of two letters: each configuration exists, and each that exists is used. */
    const char *used = "'none'";
    for (char a = 'a'; a <= 'z'; a++)
        for (char b = 'a'; b <= 'z'; b++) {
            const char language[] = {a, b, '\0'};
            const char *config = knowledge_config_of(language);
            if (strstr(used, arena_printf(arena, "'%s'", config)) == NULL)
                used = arena_printf(arena, "%s,'%s'", used, config);
        }
    size_t count = 0;
    for (const char *at = used; (at = strchr(at, ',')) != NULL; at++)
        count++;
    CU_ASSERT_STRING_EQUAL(
        value(arena_printf(arena,
                           "SELECT count(*) FROM pg_ts_config WHERE cfgname IN (%s)"
                           " AND cfgnamespace = 'pg_catalog'::regnamespace",
                           used)),
        arena_printf(arena, "%zu", count));
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

static void ask_as_engine(const char *const *const *functions)
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
    static const char *const *const none[] = {NULL};
    const char *const *const search[] = {knowledge_statements, NULL};
    struct pg_session *owner = NULL;
    struct err err;
    begin_test();
    import(TENANT, "clinic.md", "en", clinic);
    ask_as_engine(none);
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &owner, &err), 0);
    CU_ASSERT_EQUAL(pg_session_define(owner, knowledge_statements, &err), 0);
    pg_session_close(&owner);
    ask_as_engine(search);
    end_test();
}

/* ---- what it costs ---- */

/* Many chunks of words that a few share. */

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("knowledge", open_server, rig_end_server);
    CU_add_test(suite, "documents are written, listed and removed",
                documents_are_written_listed_and_removed);
    CU_add_test(suite, "an import replaces what was there", an_import_replaces_what_was_there);
    CU_add_test(suite, "words are counted", words_are_counted);
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
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
