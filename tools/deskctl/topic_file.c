/* Reads topics.yaml and compares. topics.c asks Kafka and mends. */
#include "topic_file.h"

#include <string.h>

#include "files.h"

struct entry {
    const char *name;
    int64_t partitions, replication;
    const struct yaml_node *config;
};

struct top {
    const struct yaml_node *topics;
};

static const struct field entry_fields[] = {
    {"name", FIELD_NAME, offsetof(struct entry, name), 0, 0, true, NULL},
    {"partitions", FIELD_INT, offsetof(struct entry, partitions), 1, 1000, true, NULL},
    {"replication", FIELD_INT, offsetof(struct entry, replication), 1, 9, false, NULL},
    {"config", FIELD_MAPPING, offsetof(struct entry, config), 0, 0, false, NULL},
};
static const struct field top_fields[] = {
    {"topics", FIELD_LIST, offsetof(struct top, topics), 1, TOPIC_FILE_MAX, true, NULL},
};

static void read_config(struct problems *problems, const struct yaml_node *config,
                        struct bus_topic *topic)
{
    if (config->count > TOPIC_CONFIG_MAX) {
        problems_add(problems, config->line, "config: has more than %d entries; remove some",
                     TOPIC_CONFIG_MAX);
        return;
    }
    topic->config = arena_alloc(problems->arena, (config->count + 1) * sizeof *topic->config);
    for (const struct yaml_node *node = config->first; node != NULL; node = node->next) {
        if (node->kind != YAML_SCALAR || *node->text == '\0')
            problems_add(problems, node->line, "%s: must be one value", node->key);
        else
            topic->config[topic->config_count++] = (struct bus_topic_config){node->key, node->text};
    }
}

static void read_entry(struct problems *problems, const struct yaml_node *node, const char *prefix,
                       struct bus_topic *topic)
{
    struct entry entry = {.replication = -1};
    fields_read(problems, node, "a topic", entry_fields,
                sizeof entry_fields / sizeof entry_fields[0], &entry);
    *topic = (struct bus_topic){
        .name = arena_printf(problems->arena, "%s%s", prefix, entry.name != NULL ? entry.name : ""),
        .partitions = (int)entry.partitions,
        .replication = (int)entry.replication,
    };
    if (entry.config != NULL)
        read_config(problems, entry.config, topic);
}

static void check_names(struct problems *problems, const struct yaml_node *list,
                        const struct bus_topic *topics, size_t count)
{
    const struct yaml_node *node = list->first;
    for (size_t i = 0; i < count; i++, node = node->next)
        for (size_t j = 0; j < i; j++)
            if (strcmp(topics[i].name, topics[j].name) == 0)
                problems_add(problems, node->line, "name: %s is there twice; remove one",
                             topics[i].name);
}

void topic_file_read(struct problems *problems, const char *path, const char *prefix,
                     struct bus_topic **topics, size_t *count)
{
    struct yaml_node *root = NULL;
    struct top top = {.topics = NULL};
    char *bytes = NULL;
    size_t length = 0, used = 0;
    struct err err;
    problems->file = path;
    if (files_read(problems->arena, path, YAML_BYTES_MAX, &bytes, &length, &err) != 0 ||
        yaml_parse(problems->arena, bytes, length, &root, &err) != 0) {
        problems_add(problems, 0, "%s", err.message);
        return;
    }
    fields_read(problems, root, "the file", top_fields, 1, &top);
    if (top.topics == NULL)
        return;
    struct bus_topic *list = arena_alloc(problems->arena, top.topics->count * sizeof *list);
    for (const struct yaml_node *node = top.topics->first; node != NULL; node = node->next)
        read_entry(problems, node, prefix, &list[used++]);
    check_names(problems, top.topics, list, used);
    *topics = list;
    *count = used;
}

/* ---- comparing ---- */

static const char *config_value(const struct bus_topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->config_count; i++)
        if (strcmp(topic->config[i].name, name) == 0)
            return topic->config[i].value;
    return NULL;
}

struct topic_drift topic_file_compare(const struct bus_topic *wanted, const struct bus_topic *found,
                                      struct strbuf *out)
{
    struct topic_drift drift = {
        .grow =
            found->partitions<wanted->partitions, .shrink = found->partitions> wanted->partitions};
    if (drift.grow)
        strbuf_printf(out, "partitions: %d -> %d; ", found->partitions, wanted->partitions);
    if (drift.shrink)
        strbuf_printf(out, "partitions: %d, wanted %d (never shrunk); ", found->partitions,
                      wanted->partitions);
    for (size_t i = 0; i < wanted->config_count; i++) {
        const char *value = config_value(found, wanted->config[i].name);
        if (value != NULL && strcmp(value, wanted->config[i].value) == 0)
            continue;
        drift.configure = true;
        strbuf_printf(out, "config %s: %s -> %s; ", wanted->config[i].name,
                      value != NULL ? value : "(default)", wanted->config[i].value);
    }
    for (size_t i = 0; i < found->config_count; i++)
        if (config_value(wanted, found->config[i].name) == NULL) {
            drift.configure = true;
            strbuf_printf(out, "config %s: %s -> (default); ", found->config[i].name,
                          found->config[i].value);
        }
    strbuf_truncate(out, out->length > 2 ? out->length - 2 : 0);
    return drift;
}
