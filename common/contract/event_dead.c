/* Dead letters: the record as it was, with headers that say where it came from and why it died.
 * The origin uses Spring's names, so that the viewers people already have understand it. Written by
 * engine and responder. */
#include "contract/event_codec.h"

#include <assert.h>
#include <string.h>

#define OWN_HEADERS 10 /* four of Spring's, four of ours, dlq-headers-dropped and dlq-dropped */

static const void *big_endian(struct arena *arena, uint64_t number, size_t length)
{
    uint8_t *bytes = arena_alloc(arena, length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(number >> (8 * (length - 1 - i)));
    return bytes;
}

static void add_number(struct arena *arena, struct bus_record *record, const char *name,
                       uint64_t number, size_t length)
{
    assert(record->header_count < BUS_HEADERS_MAX);
    record->headers[record->header_count++] = (struct bus_header){
        .name = name, .value = big_endian(arena, number, length), .value_length = length};
}

/* Headers of an earlier death are replaced by those of this one. */
static bool is_dead_letter_header(const char *name)
{
    return strncmp(name, "dlq-", 4) == 0 || strncmp(name, "kafka_dlt-", 10) == 0;
}

/* Returns how many had no room. */
static int copy_headers(const struct bus_record *failed, struct bus_record *record)
{
    int dropped = 0;
    for (size_t i = 0; i < failed->header_count; i++) {
        if (is_dead_letter_header(failed->headers[i].name))
            continue;
        if (record->header_count < BUS_HEADERS_MAX - OWN_HEADERS)
            record->headers[record->header_count++] = failed->headers[i];
        else
            dropped++;
    }
    return dropped;
}

void event_dead_letter(struct arena *arena, const char *prefix, const struct bus_record *failed,
                       const char *service, const char *code, int attempts,
                       struct bus_record *record)
{
    const char *parent = bus_header_text(failed, arena, "traceparent");
    *record = (struct bus_record){.partition = -1,
                                  .key = failed->key,
                                  .key_length = failed->key_length,
                                  .value = failed->value,
                                  .value_length = failed->value_length};
    record->topic = topic_name(arena, prefix, TOPIC_DLQ);
    int dropped = copy_headers(failed, record);
    event_add_header(record, "kafka_dlt-original-topic", arena_strdup(arena, failed->topic));
    add_number(arena, record, "kafka_dlt-original-partition", (uint64_t)failed->partition, 4);
    add_number(arena, record, "kafka_dlt-original-offset", (uint64_t)failed->offset, 8);
    add_number(arena, record, "kafka_dlt-original-timestamp", (uint64_t)failed->timestamp_ms, 8);
    event_add_header(record, "dlq-service", arena_strdup(arena, service));
    event_add_header(record, "dlq-code", arena_strdup(arena, code));
    event_add_header(record, "dlq-attempts", arena_printf(arena, "%d", attempts));
    event_add_header(record, "dlq-trace", event_traceparent(arena, parent));
    if (dropped > 0)
        event_add_header(record, "dlq-headers-dropped", arena_printf(arena, "%d", dropped));
}

void event_dead_letter_drop_value(struct bus_record *record)
{
    record->value = "";
    record->value_length = 0;
    event_add_header(record, "dlq-dropped", "value");
}
