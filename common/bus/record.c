/* Records: from librdkafka's message into the caller's arena, and reading a header. Called by the
 * consumer, the scan and whoever decodes an event. */
#include <string.h>

#include "bus/client.h"

static const void *copy_bytes(struct arena *arena, const void *bytes, size_t length)
{
    return bytes == NULL ? NULL : arena_strndup(arena, bytes, length);
}

/* Headers past BUS_HEADERS_MAX are dropped: our own events have fewer than 16, and nothing that is
 * decided depends on another producer's extra ones. */
static void copy_headers(struct arena *arena, const rd_kafka_message_t *message,
                         struct bus_record *record)
{
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const char *name;
    const void *value;
    size_t length;
    for (size_t i = 0;
         i < BUS_HEADERS_MAX &&
         rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++) {
        record->headers[i] = (struct bus_header){
            .name = arena_strdup(arena, name),
            .value = copy_bytes(arena, value, length),
            .value_length = value == NULL ? 0 : length,
        };
        record->header_count = i + 1;
    }
}

void bus_record_copy(struct arena *arena, const rd_kafka_message_t *message,
                     struct bus_record *record)
{
    record->topic = arena_strdup(arena, rd_kafka_topic_name(message->rkt));
    record->partition = message->partition;
    record->offset = message->offset;
    record->timestamp_ms = rd_kafka_message_timestamp(message, NULL);
    record->key = copy_bytes(arena, message->key, message->key_len);
    record->key_length = message->key == NULL ? 0 : message->key_len;
    record->value = copy_bytes(arena, message->payload, message->len);
    record->value_length = message->payload == NULL ? 0 : message->len;
    record->header_count = 0;
    copy_headers(arena, message, record);
}

const char *bus_header_text(const struct bus_record *record, struct arena *arena, const char *name)
{
    const struct bus_header *found = NULL;
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = &record->headers[i];
    }
    if (found == NULL || found->value == NULL)
        return NULL;
    if (found->value_length > 0 && memchr(found->value, '\0', found->value_length) != NULL)
        return NULL;
    return arena_strndup(arena, found->value, found->value_length);
}
