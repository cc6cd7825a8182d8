/* What the consumer's tests share: a producer of numbered records and up to two members on one
 * loop. The mock lets a first member join after 3 s and needs sessions of 4 s and more, hence one
 * test program per subject. */
#ifndef DESK_TESTS_BUS_MEMBERS_H
#define DESK_TESTS_BUS_MEMBERS_H

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "bus/consumer.h" /* to look at what is held and paused */
#include "unit/common/bus/mock.h"

#define KEYS        8
#define NUMBERS_MAX 1000
#define TAKE_MAX    32
#define SESSION_MS  4000

struct member {
    struct bus_consumer *consumer;
    bool takes; /* whether on_ready is answered */
    bool stores;
    int taken, assigned, assign_calls, fatal_calls, disorder;
    bool seen[NUMBERS_MAX];
    int distinct;             /* numbers seen */
    int last[KEYS];           /* newest number of each key, -1 none */
    struct bus_record newest; /* its topic, partition and offset; bytes are gone */
};

static struct mock mock;
static struct bus_producer *producer;
static struct member a, b;
static int produced, confirmed;

/* ---- producing ---- */

static inline void on_report(void *arg, const struct err *err)
{
    (void)arg;
    confirmed += err == NULL;
}

static inline bool all_confirmed(void *arg)
{
    (void)arg;
    return confirmed == produced;
}

static inline void produce(int count)
{
    struct err err;
    for (int i = 0; i < count; i++, produced++) {
        char key[16], value[16];
        snprintf(key, sizeof key, "key-%d", produced % KEYS);
        snprintf(value, sizeof value, "%d", produced);
        struct bus_record record = {.topic = "t.in",
                                    .partition = -1,
                                    .key = key,
                                    .key_length = strlen(key),
                                    .value = value,
                                    .value_length = strlen(value),
                                    .header_count = 1};
        record.headers[0] = (struct bus_header){"ce_id", value, strlen(value)};
        CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report, NULL, &err), 0);
    }
    CU_ASSERT_TRUE(mock_run(&mock, all_confirmed, NULL, 15000));
}

/* ---- consuming ---- */

static inline void look_at(struct member *member, const struct bus_record *record,
                           struct arena *arena)
{
    int64_t parsed = -1;
    const char *id = bus_header_text(record, arena, "ce_id");
    CU_ASSERT_TRUE(id != NULL && strcmp(id, record->value) == 0);
    CU_ASSERT_TRUE_FATAL(text_parse_int(record->value, 0, NUMBERS_MAX - 1, &parsed));
    int number = (int)parsed;
    member->distinct += !member->seen[number];
    member->seen[number] = true;
    int *last = &member->last[number % KEYS];
    if (number <= *last)
        member->disorder++;
    *last = number;
    member->taken++;
    member->newest = (struct bus_record){
        .topic = "t.in", .partition = record->partition, .offset = record->offset};
    if (member->stores)
        bus_consumer_store(member->consumer, record);
}

static inline size_t take(struct member *member, size_t max)
{
    struct arena *arena = arena_new();
    struct bus_record *records = xcalloc(TAKE_MAX, sizeof *records);
    size_t count = bus_consumer_take(member->consumer, arena, records, max);
    for (size_t i = 0; i < count; i++)
        look_at(member, &records[i], arena);
    free(records);
    arena_free(&arena);
    return count;
}

static inline void on_ready(void *arg)
{
    struct member *member = arg;
    while (member->takes && take(member, TAKE_MAX) == TAKE_MAX)
        continue;
}

static inline void on_assign(void *arg, int partitions)
{
    struct member *member = arg;
    member->assigned = partitions;
    member->assign_calls++;
}

static inline void on_fatal(void *arg)
{
    ((struct member *)arg)->fatal_calls++;
}

static inline void join(struct member *member, const char *group)
{
    static const char *const topics[] = {"t.in", NULL};
    *member = (struct member){.takes = true, .stores = true};
    for (int i = 0; i < KEYS; i++)
        member->last[i] = -1;
    struct bus_consumer_options options = {.client = mock_client(&mock),
                                           .loop = mock.loop,
                                           .group = group,
                                           .topics = topics,
                                           .session_timeout_ms = SESSION_MS,
                                           .heartbeat_ms = 200,
                                           .whole_topic = group == NULL,
                                           .on_ready = on_ready,
                                           .on_assign = on_assign,
                                           .on_fatal = on_fatal,
                                           .arg = member};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(bus_consumer_open(&options, &member->consumer, &err), 0);
}

static inline bool is_assigned(void *arg)
{
    return ((struct member *)arg)->assigned > 0;
}

static inline bool has_lost_all(void *arg)
{
    return ((struct member *)arg)->assigned == 0;
}

static inline bool is_fatal(void *arg)
{
    return ((struct member *)arg)->fatal_calls > 0;
}

static inline bool has_all(void *arg)
{
    return ((struct member *)arg)->taken >= produced;
}

static inline bool is_stalled(void *arg)
{
    return ((struct member *)arg)->consumer->pause_stall;
}

static inline bool never(void *arg)
{
    (void)arg;
    return false;
}

static inline void members_set_up(void)
{
    static const char *const topics[] = {"t.in", NULL};
    struct err err;
    produced = confirmed = 0;
    mock_open(&mock);
    mock_topic(&mock, "t.in", 4);
    struct bus_producer_options options = {
        .client = mock_client(&mock), .loop = mock.loop, .topics = topics};
    CU_ASSERT_EQUAL_FATAL(bus_producer_open(&options, &producer, &err), 0);
}

static inline void members_tear_down(void)
{
    bus_consumer_close(&a.consumer);
    bus_consumer_close(&b.consumer);
    bus_producer_close(&producer, 100);
    mock_close(&mock);
}

#endif
