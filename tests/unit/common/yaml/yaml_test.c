/* Unit tests of the YAML reader: the tree with its lines, and every kind of file it must refuse. */
#include "yaml/yaml.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

static struct arena *arena;

static const struct yaml_node *good(const char *text)
{
    struct yaml_node *root = NULL;
    struct err err = {.message = ""};
    int result = yaml_parse(arena, text, strlen(text), &root, &err);
    if (result != 0)
        fprintf(stderr, "%s: %s\n", err.code, err.message);
    CU_ASSERT_EQUAL_FATAL(result, 0);
    return root;
}

static void bad(const char *text, size_t length, const char *code, const char *line)
{
    struct yaml_node *untouched = (struct yaml_node *)&arena, *root = untouched;
    struct err err = {.message = ""};
    CU_ASSERT_EQUAL(yaml_parse(arena, text, length, &root, &err), -1);
    if (strcmp(err.code, code) != 0 || strstr(err.message, line) != err.message)
        fprintf(stderr, "\n  %.60s...: %s %s, wanted %s %s\n", text, err.code, err.message, code,
                line);
    CU_ASSERT_STRING_EQUAL(err.code, code);
    CU_ASSERT_PTR_EQUAL(strstr(err.message, line), err.message);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_PTR_EQUAL(root, untouched);
}

static void test_tree(void)
{
    const struct yaml_node *root = good("# head\nname: a b\nlist:\n  - one\n  - {k: v}\n"
                                        "text: |\n  two\n  lines\nempty:\nquoted: \"x\\ty\"\n");
    CU_ASSERT_EQUAL(root->kind, YAML_MAPPING);
    CU_ASSERT_EQUAL(root->count, 5);
    CU_ASSERT_STRING_EQUAL(yaml_get_text(root, "name"), "a b");
    CU_ASSERT_EQUAL(yaml_get(root, "name")->line, 2);
    const struct yaml_node *list = yaml_get(root, "list");
    CU_ASSERT_EQUAL_FATAL(list->count, 2);
    CU_ASSERT_STRING_EQUAL(list->first->text, "one");
    CU_ASSERT_PTR_NULL(list->first->key);
    CU_ASSERT_EQUAL(list->first->next->line, 5);
    CU_ASSERT_STRING_EQUAL(yaml_get_text(list->first->next, "k"), "v");
    CU_ASSERT_PTR_NULL(list->first->next->next);
    CU_ASSERT_STRING_EQUAL(yaml_get_text(root, "text"), "two\nlines\n");
    CU_ASSERT_STRING_EQUAL(yaml_get_text(root, "empty"), "");
    CU_ASSERT_STRING_EQUAL(yaml_get_text(root, "quoted"), "x\ty");
}

/* Who gives a value a kind by how it looks must know that it stands there without quotes. */
static void test_quotes(void)
{
    static const struct {
        const char *value;
        bool quoted;
    } cases[] = {
        {"1", false},     {"true", false},  {"two words", false}, {"", false},    {"\"1\"", true},
        {"'true'", true}, {"|\n  1", true}, {">-\n  1", true},    {"\"\"", true}, {"''", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct yaml_node *root = good(arena_printf(arena, "v: %s\n", cases[i].value));
        CU_ASSERT_EQUAL(yaml_get(root, "v")->quoted, cases[i].quoted);
    }
}

static void test_lookups_of_nothing(void)
{
    const struct yaml_node *root = good("a: 1\nb: [1]\n");
    CU_ASSERT_PTR_NULL(yaml_get(NULL, "a"));
    CU_ASSERT_PTR_NULL(yaml_get(root, "c"));
    CU_ASSERT_PTR_NULL(yaml_get(yaml_get(root, "a"), "x"));
    CU_ASSERT_PTR_NULL(yaml_get_text(root, "b"));
}

/* Everything is text: no value changes its kind by how it looks. */
static void test_plain_values_stay_text(void)
{
    static const char *const values[] = {"yes",          "no",         "null", "~",
                                         "010",          "1e3",        "0x10", "1.10",
                                         "+15550100101", "2026-11-23", "=",    "12:30:45"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct yaml_node *root = good(arena_printf(arena, "v: %s\n", values[i]));
        CU_ASSERT_STRING_EQUAL(yaml_get_text(root, "v"), values[i]);
    }
    CU_ASSERT_STRING_EQUAL(yaml_get_text(good("\xef\xbb\xbf"
                                              "a: \xc3\xa4\n"),
                                         "a"),
                           "\xc3\xa4");
}

static void test_refusals(void)
{
    static const struct {
        const char *text, *code, *line;
    } cases[] = {
        {"", "yaml.syntax", "line 1:"},
        {"# only a comment\n", "yaml.syntax", "line 1:"},
        {"a: &x 1\n", "yaml.alias", "line 1:"},
        {"a: 1\nb: &x\n  c: 1\n", "yaml.alias", "line 2:"},
        {"a: 1\nb: &x [1]\n", "yaml.alias", "line 2:"},
        {"a: 1\nb: *x\n", "yaml.alias", "line 2:"},
        {"&x a: 1\n", "yaml.alias", "line 1:"},
        {"a: !!str 1\n", "yaml.syntax", "line 1:"},
        {"a: !own {b: 1}\n", "yaml.syntax", "line 1:"},
        {"a: !!python/object/apply:os.abort []\n", "yaml.syntax", "line 1:"},
        {"a: 1\nb: 2\na: 3\n", "yaml.duplicate", "line 3:"},
        {"a:\n  b: 1\n  c: 2\n  b: 3\n", "yaml.duplicate", "line 4:"},
        {"{a: 1, a: 2}\n", "yaml.duplicate", "line 1:"},
        {"\"a\": 1\na: 2\n", "yaml.duplicate", "line 2:"},
        {"? [a, b]\n: 1\n", "yaml.syntax", "line 1:"},
        {"? {a: b}\n: 1\n", "yaml.syntax", "line 1:"},
        {"\"\": 1\n", "yaml.syntax", "line 1:"},
        {": 1\n", "yaml.syntax", "line 1:"},
        {"a: 1\n---\nb: 2\n", "yaml.syntax", "line 2:"},
        {"a: [1, 2\n", "yaml.syntax", "line 2:"},
        {"a: \"x\n", "yaml.syntax", "line 2:"},
        {"a: 1\n b: 2\n", "yaml.syntax", "line 2:"},
        {"a:\n\t- 1\n", "yaml.syntax", "line 2:"},
        {"a: \"\\0\"\n", "yaml.syntax", "line 1:"},
        {"a: \"\\x00b\"\n", "yaml.syntax", "line 1:"},
        {"a: \xff\xfe\n", "yaml.syntax", "line 1:"},
        {"a: \xed\xa0\x80\n", "yaml.syntax", "line 1:"},
        {"a: \xc0\x80\n", "yaml.syntax", "line 1:"},
        {"\xff\xfe"
         "a",
         "yaml.syntax", "line 1:"},
        {"%YAML 9.9\n---\na: 1\n", "yaml.syntax", "line 1:"},
        {"a: 1\n]\n", "yaml.syntax", "line 2:"},
        {"a: @x\n", "yaml.syntax", "line 1:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        bad(cases[i].text, strlen(cases[i].text), cases[i].code, cases[i].line);
    bad("a: 1\0b: 2\n", 10, "yaml.syntax", "line 1:");
}

static void test_depth(void)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int depth = 0; depth < YAML_DEPTH_MAX; depth++)
        strbuf_add_char(&text, '[');
    for (int depth = 0; depth < YAML_DEPTH_MAX; depth++)
        strbuf_add_char(&text, ']');
    good(text.data);
    strbuf_clear(&text);
    for (int depth = 0; depth <= YAML_DEPTH_MAX; depth++)
        strbuf_add_char(&text, '[');
    bad(text.data, text.length, "yaml.depth", "line 1:");
    for (int depth = 0; depth < 500000; depth++)
        strbuf_add_char(&text, '[');
    bad(text.data, text.length, "yaml.depth", "line 1:");
    strbuf_clear(&text);
    for (int depth = 0; depth < 40; depth++)
        strbuf_printf(&text, "%*sk:\n", depth, "");
    bad(text.data, text.length, "yaml.depth", "line ");
    strbuf_fini(&text);
}

static void test_size(void)
{
    struct strbuf text;
    strbuf_init(&text, 4 << 20);
    strbuf_add_text(&text, "a: ");
    while (text.length < YAML_BYTES_MAX)
        strbuf_add_char(&text, 'x');
    CU_ASSERT_EQUAL(strlen(yaml_get_text(good(text.data), "a")), YAML_BYTES_MAX - 3);
    strbuf_add_char(&text, 'x');
    bad(text.data, text.length, "yaml.size", "line 1:");
    /* Few bytes, many nodes. */
    strbuf_clear(&text);
    strbuf_add_char(&text, '[');
    while (text.length < YAML_BYTES_MAX - 2)
        strbuf_add_text(&text, "1,");
    strbuf_add_char(&text, ']');
    bad(text.data, text.length, "yaml.size", "line 1:");
    strbuf_fini(&text);
}

/* Cuts and random damage: refused or accepted, never read outside (the sanitizers watch). */
static void test_damage(void)
{
    static const char text[] = "name: a\nlist:\n  - {k: \"v\\n\", l: [1, 2]}\n  - |\n    x\n"
                               "more: >-\n  folded\n  text\nlast: 'q''q'\n";
    unsigned seed = 7;
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct yaml_node *root = NULL;
        struct err err;
        char *copy = xstrndup(text, cut);
        (void)yaml_parse(arena, copy, cut, &root, &err);
        free(copy);
    }
    for (int round = 0; round < 3000; round++) {
        struct yaml_node *root = NULL;
        struct err err;
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        for (int change = 0; change < 3; change++)
            copy[(size_t)rand_r(&seed) % (sizeof text - 1)] = (char)rand_r(&seed);
        (void)yaml_parse(arena, copy, sizeof text - 1, &root, &err);
        arena_reset(arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("yaml", NULL, NULL);
    CU_add_test(suite, "tree", test_tree);
    CU_add_test(suite, "quotes", test_quotes);
    CU_add_test(suite, "lookups of nothing", test_lookups_of_nothing);
    CU_add_test(suite, "plain values stay text", test_plain_values_stay_text);
    CU_add_test(suite, "refusals", test_refusals);
    CU_add_test(suite, "depth", test_depth);
    CU_add_test(suite, "size", test_size);
    CU_add_test(suite, "damage", test_damage);
    arena = arena_new();
    CU_basic_run_tests();
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
