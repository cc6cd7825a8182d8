/* `deskctl topics apply|diff`: brings Kafka's topics in line with schema/topics.yaml. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "command.h"
#include "files.h"
#include "topic_file.h"

enum state { TOPIC_SAME, TOPIC_MISSING, TOPIC_DRIFTED };

struct finding {
    const struct bus_topic *wanted;
    enum state state;
    struct topic_drift drift;
    const char *differences; /* for people, "" if none */
    const char *outcome;     /* what apply did; "" */
};

static int read_file(struct desk *desk, const struct words *words, struct bus_topic **topics,
                     size_t *count, struct err *err)
{
    const char *path = words_option(words, "file"), *dir = NULL;
    struct problems problems;
    if (path == NULL) {
        if (files_schema_dir(desk->arena, desk->settings.schema_dir, &dir, err) != 0)
            return -1;
        path = arena_printf(desk->arena, "%s/topics.yaml", dir);
    }
    problems_init(&problems, desk->arena, path);
    topic_file_read(&problems, path, desk->settings.kafka.topic_prefix, topics, count);
    int result = 0;
    if (problems.count > 0) {
        fputs(problems.text.data, stderr);
        result = err_set(err, ERR_PERMANENT, "topics.file", "%s is not usable", path);
    }
    strbuf_fini(&problems.text);
    return result;
}

static int look(struct desk *desk, struct bus_admin *admin, struct finding *finding,
                struct err *err)
{
    struct bus_topic found;
    struct strbuf lines;
    finding->differences = finding->outcome = "";
    if (bus_admin_describe(admin, desk->arena, finding->wanted->name, &found, err) != 0) {
        if (strcmp(err->code, "bus.no_topic") != 0)
            return -1;
        finding->state = TOPIC_MISSING;
        return 0;
    }
    strbuf_init(&lines, 16 * 1024);
    finding->drift = topic_file_compare(finding->wanted, &found, &lines);
    finding->state = lines.length > 0 ? TOPIC_DRIFTED : TOPIC_SAME;
    finding->differences = arena_strdup(desk->arena, lines.data);
    strbuf_fini(&lines);
    return 0;
}

#define VISIBLE_WAIT_MS 15000

/* Kafka says "created" before every broker knows the topic; whoever starts next would not find it.
 */
static int wait_visible(struct desk *desk, struct bus_admin *admin, const char *name,
                        struct err *err)
{
    int64_t until_ms = clock_mono_ms() + VISIBLE_WAIT_MS;
    struct bus_topic found;
    while (bus_admin_describe(admin, desk->arena, name, &found, err) != 0) {
        if (strcmp(err->code, "bus.no_topic") != 0 || clock_mono_ms() > until_ms)
            return -1;
        poll(NULL, 0, 20);
    }
    return 0;
}

/* A broker that has just started is fenced at first and refuses every replication factor: that
 * passes. */
static int create(struct bus_admin *admin, struct finding *finding, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + VISIBLE_WAIT_MS;
    while (bus_admin_create(admin, finding->wanted, err) != 0) {
        if (strcmp(err->code, "bus.topic_exists") == 0) {
            finding->outcome = "created by somebody else";
            return 0;
        }
        if (!err_is_retryable(err) || clock_mono_ms() > until_ms)
            return -1;
        poll(NULL, 0, 100);
    }
    finding->outcome = "created";
    return 0;
}

static int mend(struct bus_admin *admin, struct finding *finding, struct err *err)
{
    if (finding->state == TOPIC_MISSING)
        return create(admin, finding, err);
    if (finding->drift.grow &&
        bus_admin_grow(admin, finding->wanted->name, finding->wanted->partitions, err) != 0)
        return -1;
    if (finding->drift.configure && bus_admin_configure(admin, finding->wanted, err) != 0)
        return -1;
    if (finding->drift.grow || finding->drift.configure)
        finding->outcome = finding->drift.shrink ? "changed in part" : "changed";
    return 0;
}

static const struct table_column columns[] = {
    {"topic", TABLE_TEXT},       {"partitions", TABLE_INT}, {"state", TABLE_TEXT},
    {"differences", TABLE_TEXT}, {"outcome", TABLE_TEXT},
};

static int print_findings(const struct desk *desk, const struct finding *findings, size_t count)
{
    static const char *const states[] = {"same", "missing", "drifted"};
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++) {
        const char *cells[] = {
            findings[i].wanted->name,
            arena_printf(desk->arena, "%d", findings[i].wanted->partitions),
            states[findings[i].state],
            findings[i].differences,
            findings[i].outcome,
        };
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "no topics");
}

static int work(struct desk *desk, const struct words *words, bool apply, struct err *err)
{
    struct bus_topic *topics = NULL;
    struct bus_options options;
    struct bus_admin *admin = NULL;
    size_t count = 0, different = 0;
    if (read_file(desk, words, &topics, &count, err) != 0 || desk_bus(desk, &options, err) != 0 ||
        bus_admin_open(&options, &admin, err) != 0)
        return -1;
    struct finding *findings = arena_alloc(desk->arena, count * sizeof *findings);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        findings[i].wanted = &topics[i];
        result = look(desk, admin, &findings[i], err);
        if (result == 0 && apply && findings[i].state != TOPIC_SAME)
            result = mend(admin, &findings[i], err);
        different += findings[i].state != TOPIC_SAME && (!apply || findings[i].drift.shrink);
    }
    for (size_t i = 0; i < count && result == 0 && apply; i++)
        if (findings[i].state == TOPIC_MISSING)
            result = wait_visible(desk, admin, topics[i].name, err);
    bus_admin_close(&admin);
    if (result != 0)
        return -1;
    int code = print_findings(desk, findings, count);
    return code == DESK_OK && different > 0 ? DESK_DIFFERENT : code;
}

static int run_diff(struct desk *desk, const struct words *words)
{
    struct err err;
    int code = work(desk, words, false, &err);
    return code >= 0 ? code : desk_fail(&err);
}

static int run_apply(struct desk *desk, const struct words *words)
{
    struct err err;
    int code = work(desk, words, true, &err);
    return code >= 0 ? code : desk_fail(&err);
}

static const struct option options[] = {
    {"file", "FILE", "the topics (default: schema/topics.yaml)"},
    {NULL, NULL, NULL},
};

const struct command command_topics[] = {
    {"topics apply", "", "create and adjust Kafka's topics",
     "Creates what is missing, adds partitions, sets the whole configuration of each topic.\n"
     "Partitions are never taken away: a topic with too many is reported (exit 3).\n"
     "More partitions move keys: drain the lane first, or the order within a conversation breaks.",
     options, 0, 0, run_apply},
    {"topics diff", "", "show how Kafka's topics differ from the file", "Exits 3 when they do.",
     options, 0, 0, run_diff},
    {.words = NULL},
};
