/* Unit tests of topics.yaml: the shipped file, mistakes, the comparison with what Kafka has. */
#include "topic_file.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/topics.h"

static struct arena *arena;
static char path[64];

static size_t read_text(const char *text, struct problems *problems, struct bus_topic **topics)
{
    size_t count = 0;
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
    problems_init(problems, arena, "");
    topic_file_read(problems, path, "x.", topics, &count);
    return count;
}

static void test_good(void)
{
    struct problems problems;
    struct bus_topic *topics = NULL;
    size_t count = read_text("topics:\n  - name: a.b\n    partitions: 3\n    replication: 2\n"
                             "    config: {retention.ms: 1000, cleanup.policy: compact}\n"
                             "  - {name: c, partitions: 1}\n",
                             &problems, &topics);
    CU_ASSERT_EQUAL(problems.count, 0);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_STRING_EQUAL(topics[0].name, "x.a.b");
    CU_ASSERT_EQUAL(topics[0].partitions, 3);
    CU_ASSERT_EQUAL(topics[0].replication, 2);
    CU_ASSERT_EQUAL_FATAL(topics[0].config_count, 2);
    CU_ASSERT_STRING_EQUAL(topics[0].config[1].name, "cleanup.policy");
    CU_ASSERT_STRING_EQUAL(topics[0].config[1].value, "compact");
    CU_ASSERT_EQUAL(topics[1].replication, -1);
    CU_ASSERT_EQUAL(topics[1].config_count, 0);
    strbuf_fini(&problems.text);
}

/* The file that installations use has every topic that the contract names. */
static void test_shipped(void)
{
    struct problems problems;
    struct bus_topic *topics = NULL;
    size_t count = 0;
    problems_init(&problems, arena, "");
    topic_file_read(&problems, "schema/topics.yaml", "x.", &topics, &count);
    CU_ASSERT_STRING_EQUAL(problems.text.data, "");
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        const char *name = topic_name(arena, "x.", (enum topic)topic);
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found |= strcmp(topics[i].name, name) == 0;
        CU_ASSERT_TRUE(found);
    }
    strbuf_fini(&problems.text);
}

static void test_mistakes(void)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"a: 1\n", "needs topics:"},
        {"topics: []\n", "has 0 entries"},
        {"topics:\n  - partitions: 1\n", ":2: a topic needs name:"},
        {"topics:\n  - name: a\n", ":2: a topic needs partitions:"},
        {"topics:\n  - {name: a, partitions: 0}\n", "from 1 to 1000"},
        {"topics:\n  - {name: a, partitions: 1}\n  - {name: a, partitions: 1}\n", ":3: name:"},
        {"topics:\n  - {name: a, partitions: 1, config: [x]}\n", "must be a block"},
        {"topics:\n  - {name: a, partitions: 1, config: {b: [x]}}\n", "must be one value"},
        {"topics:\n  - {name: a, partitions: 1, confg: {}}\n", "did you mean config"},
        {"topics:\n  - {name: a, partitions: 1, replication: 10}\n", "from 1 to 9"},
        {"topics: [\n", "line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct bus_topic *topics = NULL;
        (void)read_text(cases[i].text, &problems, &topics);
        CU_ASSERT_TRUE(problems.count > 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(problems.text.data, cases[i].said));
        strbuf_fini(&problems.text);
    }
}

static void test_compare(void)
{
    static struct bus_topic_config one[] = {{"retention.ms", "1000"}},
                                   two[] = {{"retention.ms", "1000"}, {"segment.ms", "5"}},
                                   other[] = {{"retention.ms", "2000"}};
    static const struct {
        struct bus_topic wanted, found;
        bool grow, configure, shrink;
        const char *text;
    } cases[] = {
        {{"a", 3, -1, one, 1}, {"a", 3, 1, one, 1}, false, false, false, ""},
        {{"a", 4, -1, one, 1}, {"a", 3, 1, one, 1}, true, false, false, "partitions: 3 -> 4"},
        {{"a", 2, -1, one, 1},
         {"a", 3, 1, one, 1},
         false,
         false,
         true,
         "partitions: 3, wanted 2 (never shrunk)"},
        {{"a", 3, -1, one, 1},
         {"a", 3, 1, other, 1},
         false,
         true,
         false,
         "config retention.ms: 2000 -> 1000"},
        {{"a", 3, -1, two, 2},
         {"a", 3, 1, one, 1},
         false,
         true,
         false,
         "config segment.ms: (default) -> 5"},
        {{"a", 3, -1, one, 1},
         {"a", 3, 1, two, 2},
         false,
         true,
         false,
         "config segment.ms: 5 -> (default)"},
        {{"a", 5, -1, two, 2},
         {"a", 3, 1, NULL, 0},
         true,
         true,
         false,
         "partitions: 3 -> 5; config retention.ms: (default) -> 1000; config segment.ms: (default) "
         "-> 5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf text;
        strbuf_init(&text, 4096);
        struct topic_drift drift = topic_file_compare(&cases[i].wanted, &cases[i].found, &text);
        CU_ASSERT_EQUAL(drift.grow, cases[i].grow);
        CU_ASSERT_EQUAL(drift.configure, cases[i].configure);
        CU_ASSERT_EQUAL(drift.shrink, cases[i].shrink);
        CU_ASSERT_STRING_EQUAL(text.data, cases[i].text);
        strbuf_fini(&text);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("topic_file", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "shipped", test_shipped);
    CU_add_test(suite, "mistakes", test_mistakes);
    CU_add_test(suite, "compare", test_compare);
    snprintf(path, sizeof path, "/tmp/desk-topics-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    arena = arena_new();
    CU_basic_run_tests();
    unlink(path);
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
