/* Topic administration: blocking calls with a bound of 10 s, for deskctl. The handle is a
 * consumer's without a group, because its metadata requests create no topic. librdkafka puts errors
 * into the result of each topic, not on the event; both are looked at. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bus/client.h"

#define ADMIN_TIMEOUT_MS   10000
#define ADMIN_OPERATION_MS 5000

struct bus_admin {
    struct bus_client client; /* first: it is the handle's opaque */
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

int bus_admin_open(const struct bus_options *options, struct bus_admin **admin, struct err *err)
{
    static const struct bus_setting settings[] = {{"allow.auto.create.topics", "false"},
                                                  {NULL, NULL}};
    struct bus_admin *made = xcalloc(1, sizeof *made);
    rd_kafka_conf_t *conf;
    if (bus_client_conf(options, &made->client, settings, &conf, err) != 0 ||
        bus_client_new(RD_KAFKA_CONSUMER, conf, made, &made->rk, err) != 0) {
        free(made);
        return -1;
    }
    made->queue = rd_kafka_queue_new(made->rk);
    *admin = made;
    return 0;
}

void bus_admin_close(struct bus_admin **admin)
{
    struct bus_admin *closing = *admin;
    if (closing == NULL)
        return;
    *admin = NULL;
    rd_kafka_queue_destroy(closing->queue);
    rd_kafka_destroy(closing->rk);
    free(closing);
}

/* ---- asking and answering ---- */

static rd_kafka_AdminOptions_t *make_options(const struct bus_admin *admin, rd_kafka_admin_op_t op)
{
    char text[100];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->rk, op);
    rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_TIMEOUT_MS, text, sizeof text);
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_CREATEPARTITIONS)
        rd_kafka_AdminOptions_set_operation_timeout(options, ADMIN_OPERATION_MS, text, sizeof text);
    return options;
}

static int fail(struct err *err, rd_kafka_resp_err_t code, const char *text)
{
    bus_client_fail(err, code, text != NULL ? text : "Kafka refused");
    return -1;
}

/* Waits for the answer of the request just made; *event is owned. */
static int wait_event(struct bus_admin *admin, rd_kafka_event_t **event, struct err *err)
{
    rd_kafka_event_t *got = rd_kafka_queue_poll(admin->queue, ADMIN_TIMEOUT_MS + 1000);
    if (got == NULL)
        return fail(err, RD_KAFKA_RESP_ERR__TIMED_OUT, "no Kafka broker answered");
    rd_kafka_resp_err_t code = rd_kafka_event_error(got);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(err, code, rd_kafka_event_error_string(got));
        rd_kafka_event_destroy(got);
        return -1;
    }
    *event = got;
    return 0;
}

/* Waits for an answer of topic results and judges the first one. */
static int wait_topic(struct bus_admin *admin, struct err *err)
{
    rd_kafka_event_t *event;
    if (wait_event(admin, &event, err) != 0)
        return -1;
    size_t count = 0;
    const rd_kafka_topic_result_t **topics = NULL;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
        topics =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    else
        topics = rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(event), &count);
    int result = 0;
    if (count != 1)
        result = err_set(err, ERR_BUG, "bus.broker", "Kafka answered for %zu topics, not 1", count);
    else if (rd_kafka_topic_result_error(topics[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        result = fail(err, rd_kafka_topic_result_error(topics[0]),
                      rd_kafka_topic_result_error_string(topics[0]));
    rd_kafka_event_destroy(event);
    return result;
}

/* Waits for an answer of one config resource; *resource lives as long as *event, which is owned. */
static int wait_resource(struct bus_admin *admin, rd_kafka_event_t **event,
                         const rd_kafka_ConfigResource_t **resource, struct err *err)
{
    rd_kafka_event_t *got;
    if (wait_event(admin, &got, err) != 0)
        return -1;
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources;
    if (rd_kafka_event_type(got) == RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT)
        resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(got), &count);
    else
        resources =
            rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(got), &count);
    int result = 0;
    if (count != 1)
        result =
            err_set(err, ERR_BUG, "bus.broker", "Kafka answered for %zu resources, not 1", count);
    else if (rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        result = fail(err, rd_kafka_ConfigResource_error(resources[0]),
                      rd_kafka_ConfigResource_error_string(resources[0]));
    if (result != 0) {
        rd_kafka_event_destroy(got);
        return -1;
    }
    *event = got;
    *resource = resources[0];
    return 0;
}

/* ---- describe ---- */

static int ask_metadata(struct bus_admin *admin, const char *name, int *partitions,
                        int *replication, struct err *err)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(admin->rk, name, NULL);
    if (topic == NULL)
        return err_set(err, ERR_PERMANENT, "bus.bad_topic", "\"%s\" is no topic name", name);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->rk, 0, topic, &metadata, ADMIN_TIMEOUT_MS);
    rd_kafka_topic_destroy(topic);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(err,
                    code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ? RD_KAFKA_RESP_ERR__TRANSPORT : code,
                    "no Kafka broker answered");
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__BAD_MSG;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *partitions = metadata->topics[0].partition_cnt;
        *replication = *partitions > 0 ? metadata->topics[0].partitions[0].replica_cnt : 0;
    }
    rd_kafka_metadata_destroy(metadata);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : fail(err, code, name);
}

static void copy_overrides(const rd_kafka_ConfigResource_t *resource, struct arena *arena,
                           struct bus_topic *topic)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    topic->config = arena_alloc(arena, (count + 1) * sizeof *topic->config);
    topic->config_count = 0;
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (rd_kafka_ConfigEntry_source(entries[i]) !=
                RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG ||
            value == NULL)
            continue;
        topic->config[topic->config_count++] = (struct bus_topic_config){
            .name = arena_strdup(arena, rd_kafka_ConfigEntry_name(entries[i])),
            .value = arena_strdup(arena, value),
        };
    }
}

int bus_admin_describe(struct bus_admin *admin, struct arena *arena, const char *name,
                       struct bus_topic *topic, struct err *err)
{
    int partitions = 0, replication = 0;
    if (ask_metadata(admin, name, &partitions, &replication, err) != 0)
        return -1;
    rd_kafka_ConfigResource_t *asked = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(admin->rk, &asked, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(asked);
    rd_kafka_event_t *event;
    const rd_kafka_ConfigResource_t *resource;
    if (wait_resource(admin, &event, &resource, err) != 0)
        return -1;
    topic->name = arena_strdup(arena, name);
    topic->partitions = partitions;
    topic->replication = replication;
    copy_overrides(resource, arena, topic);
    rd_kafka_event_destroy(event);
    return 0;
}

/* ---- create, grow, configure ---- */

int bus_admin_create(struct bus_admin *admin, const struct bus_topic *topic, struct err *err)
{
    char text[200];
    rd_kafka_NewTopic_t *fresh = rd_kafka_NewTopic_new(topic->name, topic->partitions,
                                                       topic->replication, text, sizeof text);
    if (fresh == NULL)
        return err_set(err, ERR_PERMANENT, "bus.bad_topic", "%s: %s", topic->name, text);
    for (size_t i = 0; i < topic->config_count; i++)
        rd_kafka_NewTopic_set_config(fresh, topic->config[i].name, topic->config[i].value);
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(admin->rk, &fresh, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(fresh);
    return wait_topic(admin, err);
}

int bus_admin_grow(struct bus_admin *admin, const char *name, int partitions, struct err *err)
{
    int present = 0, replication = 0;
    if (ask_metadata(admin, name, &present, &replication, err) != 0)
        return -1;
    if (partitions == present)
        return 0;
    if (partitions < present)
        return err_set(err, ERR_PERMANENT, "bus.shrink",
                       "%s has %d partitions; Kafka cannot make that %d", name, present,
                       partitions);
    char text[200];
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(name, (size_t)partitions, text, sizeof text);
    if (more == NULL)
        return err_set(err, ERR_PERMANENT, "bus.bad_config", "%s: %s", name, text);
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(admin->rk, &more, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewPartitions_destroy(more);
    return wait_topic(admin, err);
}

int bus_admin_configure(struct bus_admin *admin, const struct bus_topic *topic, struct err *err)
{
    rd_kafka_ConfigResource_t *wanted =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic->name);
    for (size_t i = 0; i < topic->config_count; i++)
        rd_kafka_ConfigResource_set_config(wanted, topic->config[i].name, topic->config[i].value);
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
    rd_kafka_AlterConfigs(admin->rk, &wanted, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(wanted);
    rd_kafka_event_t *event;
    const rd_kafka_ConfigResource_t *resource;
    if (wait_resource(admin, &event, &resource, err) != 0)
        return -1;
    rd_kafka_event_destroy(event);
    return 0;
}

/* ---- groups ---- */

int bus_admin_ends(struct bus_admin *admin, struct arena *arena, const char *topic,
                   struct bus_ends *ends, struct err *err)
{
    struct bus_ends read = {.topic = arena_strdup(arena, topic)};
    int replication = 0;
    if (ask_metadata(admin, topic, &read.partitions, &replication, err) != 0)
        return -1;
    read.first = arena_alloc(arena, ((size_t)read.partitions + 1) * sizeof *read.first);
    read.end = arena_alloc(arena, ((size_t)read.partitions + 1) * sizeof *read.end);
    for (int i = 0; i < read.partitions; i++) {
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            admin->rk, topic, i, &read.first[i], &read.end[i], ADMIN_TIMEOUT_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return fail(err, code, "the end of a partition is not known");
    }
    *ends = read;
    return 0;
}

static void ask_offsets(struct bus_admin *admin, const char *group, const struct bus_ends *ends)
{
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_new(ends->partitions);
    for (int i = 0; i < ends->partitions; i++)
        rd_kafka_topic_partition_list_add(asked, ends->topic, i);
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new(group, asked);
    rd_kafka_topic_partition_list_destroy(asked);
    rd_kafka_AdminOptions_t *options =
        make_options(admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets(admin->rk, &request, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
}

static int count_behind(const rd_kafka_topic_partition_list_t *offsets, const struct bus_ends *ends,
                        int64_t *records, struct err *err)
{
    int64_t behind = 0;
    for (int i = 0; i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &offsets->elems[i];
        if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return fail(err, at->err, "a group's offset is not known");
        if (at->partition < 0 || at->partition >= ends->partitions)
            continue;
        int64_t first = ends->first[at->partition], end = ends->end[at->partition];
        int64_t next = at->offset > first ? at->offset : first; /* none is negative */
        behind += end > next ? end - next : 0;
    }
    *records = behind;
    return 0;
}

int bus_admin_behind(struct bus_admin *admin, const char *group, const struct bus_ends *ends,
                     int64_t *records, struct err *err)
{
    rd_kafka_event_t *event;
    size_t count = 0;
    ask_offsets(admin, group, ends);
    if (wait_event(admin, &event, err) != 0)
        return -1;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *error = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    const rd_kafka_topic_partition_list_t *offsets =
        count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    int result;
    if (error != NULL)
        result = fail(err, rd_kafka_error_code(error), rd_kafka_error_string(error));
    else if (offsets == NULL || offsets->cnt != ends->partitions)
        result = err_set(err, ERR_BUG, "bus.broker", "Kafka answered for other partitions");
    else
        result = count_behind(offsets, ends, records, err);
    rd_kafka_event_destroy(event);
    return result;
}
