/* The producer of deskctl's commands. */
#include "publish.h"

int publish_open(struct desk *desk, enum topic topic, struct bus_producer **producer,
                 struct err *err)
{
    const char *const topics[] = {desk_topic(desk, topic), NULL};
    struct bus_producer_options options = {.topics = topics,
                                           .delivery_timeout_ms = PUBLISH_WAIT_MS};
    if (desk_bus(desk, &options.client, err) != 0)
        return -1;
    return bus_producer_open(&options, producer, err);
}
