/* Unit tests of migration files: names and order, checksums, the plan, splitting of statements. */
#include "migrations.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena *arena;
static char folder[64];

static void put(const char *name, const char *text)
{
    FILE *file = fopen(arena_printf(arena, "%s/%s", folder, name), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(arena_printf(arena, "%s/%s", folder, entry->d_name));
    closedir(dir);
}

static void refused(const char *code, const char *name)
{
    struct migration *items = NULL;
    struct err err = {.message = ""};
    size_t count = 77;
    CU_ASSERT_EQUAL(migrations_load(arena, folder, &items, &count, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, code);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, name));
    CU_ASSERT_EQUAL(count, 77);
    empty_folder();
}

static void test_load(void)
{
    struct migration *items = NULL;
    struct err err;
    size_t count = 0;
    put("0002_more.sql", "-- no transaction\nCREATE INDEX CONCURRENTLY x ON a (b);\n");
    put("0001_first.sql", "SELECT 1;\n");
    put(".hidden", "x");
    CU_ASSERT_EQUAL_FATAL(migrations_load(arena, folder, &items, &count, &err), 0);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_STRING_EQUAL(items[0].name, "0001_first.sql");
    CU_ASSERT_EQUAL(items[0].number, 1);
    CU_ASSERT_FALSE(items[0].no_transaction);
    /* sha256sum of "SELECT 1;\n" */
    CU_ASSERT_STRING_EQUAL(items[0].checksum,
                           "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd");
    CU_ASSERT_EQUAL(items[1].number, 2);
    CU_ASSERT_TRUE(items[1].no_transaction);
    empty_folder();
}

static void test_names(void)
{
    static const char *const names[] = {"1_a.sql",      "0001-a.sql",        "0001_.sql",
                                        "0001_a.sql.b", "0001_A.sql",        "0000_a.sql",
                                        "00a1_a.sql",   "00001_a.sql",       "0001_a.SQL",
                                        "0001_a b.sql", "0001_\xc3\xa4.sql", "README"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put(names[i], "SELECT 1;");
        refused("migrations.name", names[i]);
    }
}

static void test_numbers(void)
{
    put("0002_a.sql", "SELECT 1;");
    refused("migrations.number", "0002_a.sql");
    put("0001_a.sql", "SELECT 1;");
    put("0003_c.sql", "SELECT 1;");
    refused("migrations.number", "0003_c.sql");
    put("0001_a.sql", "SELECT 1;");
    put("0001_b.sql", "SELECT 1;");
    refused("migrations.number", "0001_b.sql");
}

static void test_texts(void)
{
    static const char *const own[] = {
        "BEGIN;\nSELECT 1;\nCOMMIT;\n", "SELECT 1; COMMIT", "-- x\n/* y */ rollback;",
        "START TRANSACTION; SELECT 1;", "SELECT 1;\nEnd;",  "abort;",
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        put("0001_a.sql", own[i]);
        refused("migrations.transaction", "0001_a.sql");
    }
    put("0001_a.sql", "SELECT '\xff';");
    refused("migrations.text", "0001_a.sql");
}

/* Words that only look like the end of a transaction. */
static void test_texts_allowed(void)
{
    static const char *const fine[] = {
        "DO $$\nBEGIN\n  PERFORM 1;\n  COMMIT;\nEND $$;",
        "SELECT ';COMMIT;'; SELECT \"commit;\" FROM a;",
        "-- COMMIT;\nSELECT 1; /* COMMIT; /* ; */ COMMIT; */",
        "SELECT e'it\\'s; COMMIT'; SELECT 'a\\'; SELECT 2;",
        "CREATE TABLE beginning (a int); COMMENT ON TABLE beginning IS 'x';",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ SELECT 1; ROLLBACK; $body$;",
        "",
    };
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        struct migration *items = NULL;
        struct err err = {.message = ""};
        size_t count = 0;
        put("0001_a.sql", fine[i]);
        CU_ASSERT_EQUAL(migrations_load(arena, folder, &items, &count, &err), 0);
        CU_ASSERT_EQUAL(count, 1);
        empty_folder();
    }
}

static void test_no_folder(void)
{
    struct migration *items = NULL;
    struct err err;
    size_t count = 0;
    CU_ASSERT_EQUAL(migrations_load(arena, "/nonexistent/x", &items, &count, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "migrations.folder");
}

/* ---- plan ---- */

static const struct migration files[] = {
    {.number = 1, .name = "0001_a.sql", .checksum = "aa"},
    {.number = 2, .name = "0002_b.sql", .checksum = "bb"},
    {.number = 3, .name = "0003_c.sql", .checksum = "cc"},
};

static void test_plan(void)
{
    static const struct {
        const char *why;
        struct schema_applied applied[4];
        size_t applied_count, file_count, pending;
        const char *code;
    } cases[] = {
        {"all to do", {{0}}, 0, 3, 0, NULL},
        {"none to do",
         {{1, "0001_a.sql", "aa", "", 0},
          {2, "0002_b.sql", "bb", "", 0},
          {3, "0003_c.sql", "cc", "", 0}},
         3,
         3,
         3,
         NULL},
        {"the rest", {{1, "0001_a.sql", "aa", "", 0}}, 1, 3, 1, NULL},
        {"changed", {{1, "0001_a.sql", "xx", "", 0}}, 1, 3, 0, "migrations.changed"},
        {"renamed", {{1, "0001_z.sql", "aa", "", 0}}, 1, 3, 0, "migrations.changed"},
        {"second changed",
         {{1, "0001_a.sql", "aa", "", 0}, {2, "0002_b.sql", "xx", "", 0}},
         2,
         3,
         0,
         "migrations.changed"},
        {"database ahead",
         {{1, "0001_a.sql", "aa", "", 0}, {2, "0002_b.sql", "bb", "", 0}},
         2,
         1,
         0,
         "migrations.newer"},
        {"gap in the database", {{2, "0002_b.sql", "bb", "", 0}}, 1, 3, 0, "migrations.newer"},
        {"no files at all", {{1, "0001_a.sql", "aa", "", 0}}, 1, 0, 0, "migrations.newer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {.message = ""};
        size_t pending = 99;
        int result = migrations_plan(files, cases[i].file_count, cases[i].applied,
                                     cases[i].applied_count, &pending, &err);
        CU_ASSERT_EQUAL(result, cases[i].code == NULL ? 0 : -1);
        CU_ASSERT_EQUAL(pending, cases[i].code == NULL ? cases[i].pending : 99);
        if (cases[i].code != NULL)
            CU_ASSERT_STRING_EQUAL(err.code, cases[i].code);
    }
}

/* ---- split ---- */

struct pieces {
    const char *items[8];
    size_t count;
};

static bool add_piece(void *arg, const char *statement)
{
    struct pieces *pieces = arg;
    pieces->items[pieces->count++] = statement;
    return pieces->count < 8;
}

static void test_split(void)
{
    static const struct {
        const char *sql;
        size_t count;
        const char *last;
    } cases[] = {
        {"a; b;c", 3, "c"},
        {"a;;  ;\n-- x\n;b;", 2, "b"},
        {"select ';' , \";\"; b", 2, " b"},
        {"select $$;$$, $x$ ; $$ ; $x$; b", 2, " b"},
        {"select a$1;b", 2, "b"},
        {"select e'\\';'; b", 2, " b"},
        {"select '\\'; b", 2, " b"},
        {"select 'it''s;'; b", 2, " b"},
        {"/* ; /* ; */ ; */ a; b", 2, " b"},
        {"-- ; \n", 0, NULL},
        {"select 'open; a", 1, "select 'open; a"},
        {"select $x$open; a", 1, "select $x$open; a"},
        {"/* open ; a", 0, NULL},
        {"", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pieces pieces = {.count = 0};
        migrations_split(arena, cases[i].sql, add_piece, &pieces);
        if (pieces.count != cases[i].count)
            fprintf(stderr, "\n  %s: %zu\n", cases[i].sql, pieces.count);
        CU_ASSERT_EQUAL(pieces.count, cases[i].count);
        if (pieces.count > 0 && pieces.count == cases[i].count)
            CU_ASSERT_STRING_EQUAL(pieces.items[pieces.count - 1], cases[i].last);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("migrations", NULL, NULL);
    CU_add_test(suite, "load", test_load);
    CU_add_test(suite, "names", test_names);
    CU_add_test(suite, "numbers", test_numbers);
    CU_add_test(suite, "texts", test_texts);
    CU_add_test(suite, "texts allowed", test_texts_allowed);
    CU_add_test(suite, "no folder", test_no_folder);
    CU_add_test(suite, "plan", test_plan);
    CU_add_test(suite, "split", test_split);
    snprintf(folder, sizeof folder, "/tmp/desk-migrations-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    arena = arena_new();
    CU_basic_run_tests();
    empty_folder();
    rmdir(folder);
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
