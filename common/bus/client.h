/* Shared inside common/bus: a client's configuration, its log, its errors and its wake-up. The only
 * header that includes librdkafka; no file outside this folder includes it. */
#ifndef DESK_BUS_CLIENT_H
#define DESK_BUS_CLIENT_H

#include <stdatomic.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "bus/bus.h"

/* The first member of whatever is a librdkafka handle's opaque pointer. */
struct bus_client {
    void (*log)(void *arg, int syslog_level, const char *facility, const char *message);
    void *log_arg;
    atomic_bool fatal; /* librdkafka raised a fatal error: this handle is of no more use */
};

struct bus_setting {
    const char *key, *value;
};

/* Fills *client and returns an owned configuration: the common settings, the security of `options`,
 * then `settings` (ended by a NULL key). BUG "bus.config" for what librdkafka refuses. */
int bus_client_conf(const struct bus_options *options, struct bus_client *client,
                    const struct bus_setting *settings, rd_kafka_conf_t **conf, struct err *err);

/* Creates a handle; takes `conf` in any case. `opaque` starts with a struct bus_client. */
int bus_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, void *opaque, rd_kafka_t **rk,
                   struct err *err);

/* One line to the options' log. Any thread. */
void bus_client_log(const struct bus_client *client, int syslog_level, const char *facility,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Fills *err from librdkafka's code: PERMANENT for what the same record or call can never get past,
 * RETRY_LATER otherwise. `what` begins the sentence. Returns -1. */
int bus_client_fail(struct err *err, rd_kafka_resp_err_t code, const char *what);

/* A number as text for a setting. */
#define BUS_NUMBER_SIZE 24
const char *bus_client_number(int64_t value, char out[BUS_NUMBER_SIZE]);

/* ---- wake-up: librdkafka writes to an eventfd when `queue` gets its first entry ---- */
struct bus_wake {
    int fd;
    struct watch *watch;
    void (*fn)(void *arg);
    void *arg;
};

/* Calls fn(arg) on the loop whenever a queue enabled on it gets its first entry. */
void bus_wake_init(struct bus_wake *wake, struct loop *loop, void (*fn)(void *arg), void *arg);
void bus_wake_enable(const struct bus_wake *wake, rd_kafka_queue_t *queue);
/* Wakes by hand. Any thread. */
void bus_wake_up(const struct bus_wake *wake);
/* All queues must have been disabled (rd_kafka_queue_io_event_enable with -1) before. */
void bus_wake_fini(struct bus_wake *wake);

/* Copies a consumed message into the arena. */
void bus_record_copy(struct arena *arena, const rd_kafka_message_t *message,
                     struct bus_record *record);

#endif
