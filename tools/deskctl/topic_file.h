/* schema/topics.yaml: the topics that an installation needs, and the comparison with what Kafka
 * has. One thread. */
#ifndef DESKCTL_TOPIC_FILE_H
#define DESKCTL_TOPIC_FILE_H

#include <stddef.h>

#include "bus/bus.h"
#include "fields.h"

#define TOPIC_FILE_MAX   64
#define TOPIC_CONFIG_MAX 32

/* Reads the file into *topics (names with the prefix, in the arena of `problems`). Everything that
 * is wrong is in `problems`. */
void topic_file_read(struct problems *problems, const char *path, const char *prefix,
                     struct bus_topic **topics, size_t *count);

/* How an existing topic differs from the wanted one, as "config retention.ms: 1 -> 2; ..." in the
 * empty `out`; says which of create, grow and configure would mend it. A topic with more partitions
 * than wanted is drift that nothing mends: partitions never shrink. */
struct topic_drift {
    bool grow, configure, shrink;
};
struct topic_drift topic_file_compare(const struct bus_topic *wanted, const struct bus_topic *found,
                                      struct strbuf *out);

#endif
