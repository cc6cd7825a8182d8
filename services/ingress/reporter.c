/* The calls' producer. A record that nobody confirms within REPORTER_LATE_MS is late: its call goes
 * on without Kafka. Whether Kafka is away for all of them is not told by that, which may be the
 * trouble of one partition: the producer knows it, from later records and from asking the brokers.
 * librdkafka would say so only after delivery_timeout_ms, and until then the record may still be
 * written: it is kept, and sent again under its id if its fate is unknown, so that an outage loses
 * nothing that was said. A process that stood still itself (a machine that was moved, a container
 * out of its quota) finds the time over before it has read who confirmed meanwhile: it reads first.
 * Called by calls.c. */
#include "reporter.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "contract/topics.h"
#include "counters.h"
#include "service/log.h"
#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define DELIVERY_MS    (5 * 60 * 1000)
#define CALL_SID_SIZE  37   /* CA and 32 hex, or a uuid */
#define PRODUCER_BYTES 1536 /* that the producer keeps of a record beside a copy of its bytes */
#define STOOD_STILL_MS 300  /* a timer that is so late: what came meanwhile is unread */
#define CATCH_UP_MS    300  /* for reading it */

/* One record in flight, kept to be sent again; in the list while it is urgent and not late. */
struct flight {
    struct reporter *reporter;
    TAILQ_ENTRY(flight) link;
    size_t memory; /* of it and of the producer's copy */
    int64_t since_ms;
    bool listed, late;
    struct news_wait *wait;
    char call_sid[CALL_SID_SIZE];
    struct bus_record record;
    char bytes[]; /* what the record points to */
};
TAILQ_HEAD(flight_list, flight);

struct reporter {
    struct reporter_options options;
    struct bus_producer *producer;
    struct flight_list waiting; /* oldest first */
    struct timer *timer;
    int64_t timer_due_ms;
    size_t memory; /* of all in flight */
    bool closing;
};

/* ---- what is late ---- */

static void unlist(struct flight *flight)
{
    if (!flight->listed)
        return;
    TAILQ_REMOVE(&flight->reporter->waiting, flight, link);
    flight->listed = false;
}

static void list(struct flight *flight)
{
    TAILQ_INSERT_TAIL(&flight->reporter->waiting, flight, link);
    flight->listed = true;
}

static void look_at(struct reporter *reporter, int64_t due_ms, int64_t now_ms)
{
    reporter->timer_due_ms = due_ms > now_ms ? due_ms : now_ms;
    timer_start(reporter->timer, reporter->timer_due_ms - now_ms, 0);
}

static void watch_oldest(struct reporter *reporter, int64_t now_ms)
{
    const struct flight *oldest = TAILQ_FIRST(&reporter->waiting);
    if (oldest != NULL)
        look_at(reporter, oldest->since_ms + REPORTER_LATE_MS, now_ms);
}

static void on_timer(void *arg)
{
    struct reporter *reporter = arg;
    int64_t now_ms = clock_mono_ms();
    struct flight *oldest;
    if (now_ms - reporter->timer_due_ms > STOOD_STILL_MS) {
        look_at(reporter, now_ms + CATCH_UP_MS, now_ms);
        return;
    }
    while ((oldest = TAILQ_FIRST(&reporter->waiting)) != NULL &&
           oldest->since_ms + REPORTER_LATE_MS <= now_ms) {
        unlist(oldest);
        oldest->late = true;
        metric_add(counters.voice_late, 1);
        bus_producer_doubt(reporter->producer, oldest->since_ms);
        reporter->options.failed(reporter->options.arg, oldest->call_sid);
    }
    watch_oldest(reporter, now_ms);
}

/* ---- one record ---- */

static size_t length_of(const struct bus_record *record)
{
    size_t length = strlen(record->topic) + 1 + record->key_length + record->value_length;
    for (size_t i = 0; i < record->header_count; i++)
        length += strlen(record->headers[i].name) + 1 + record->headers[i].value_length;
    return length;
}

/* Copies to *end, which moves on. */
static const void *keep(char **end, const void *bytes, size_t length)
{
    char *kept = *end;
    if (bytes == NULL)
        return NULL;
    memcpy(kept, bytes, length);
    *end += length;
    return kept;
}

static struct flight *flight_new(struct reporter *reporter, const struct bus_record *record,
                                 const struct reporter_note *note)
{
    size_t length = length_of(record);
    struct flight *flight = xmalloc(sizeof *flight + length);
    struct bus_record *kept = &flight->record;
    char *end = flight->bytes;
    *flight = (struct flight){.reporter = reporter,
                              .memory = sizeof *flight + 2 * length + PRODUCER_BYTES,
                              .since_ms = clock_mono_ms(),
                              .wait = note->wait,
                              .record = *record};
    snprintf(flight->call_sid, sizeof flight->call_sid, "%s", note->call_sid);
    kept->topic = keep(&end, record->topic, strlen(record->topic) + 1);
    kept->key = keep(&end, record->key, record->key_length);
    kept->value = keep(&end, record->value, record->value_length);
    for (size_t i = 0; i < kept->header_count; i++) {
        struct bus_header *header = &kept->headers[i];
        header->name = keep(&end, header->name, strlen(header->name) + 1);
        header->value = keep(&end, header->value, header->value_length);
    }
    return flight;
}

/* ---- reports ---- */

static void on_report(void *arg, const struct err *err);

/* False: it is given up. */
static bool send_again(struct flight *flight, const struct err *why)
{
    const struct reporter *reporter = flight->reporter;
    struct err err;
    return !reporter->closing && err_is_retryable(why) &&
           clock_mono_ms() - flight->since_ms < DELIVERY_MS &&
           bus_produce(reporter->producer, &flight->record, on_report, flight, &err) == 0;
}

static void on_report(void *arg, const struct err *err)
{
    struct flight *flight = arg;
    struct reporter *reporter = flight->reporter;
    if (err != NULL && send_again(flight, err))
        return;
    unlist(flight);
    if (err == NULL) {
        metric_observe_us(counters.voice_produce, (clock_mono_ms() - flight->since_ms) * 1000);
    } else {
        metric_add(counters.voice_failed, 1);
        log_warn("voice.not_produced", LOG_TEXT("call", flight->call_sid), LOG_ERR(err));
        if (!flight->late && !reporter->closing)
            reporter->options.failed(reporter->options.arg, flight->call_sid);
    }
    reporter->memory -= flight->memory;
    news_settle(&flight->wait, err == NULL);
    free(flight);
}

/* ---- the producer ---- */

int reporter_open(const struct reporter_options *options, struct reporter **reporter,
                  struct err *err)
{
    const struct ingress_settings *settings = options->settings;
    struct arena *arena = arena_new();
    const char *topics[] = {topic_name(arena, settings->kafka.topic_prefix, TOPIC_INBOUND_VOICE),
                            NULL};
    struct bus_producer_options producer = {.loop = options->loop,
                                            .topics = topics,
                                            .delivery_timeout_ms = DELIVERY_MS,
                                            .queue_max_bytes = REPORTER_MEMORY_MAX};
    service_bus_options(&settings->kafka, &settings->common, "ingress", &producer.client);
    struct reporter *made = xcalloc(1, sizeof *made);
    made->options = *options;
    TAILQ_INIT(&made->waiting);
    int rc = bus_producer_open(&producer, &made->producer, err);
    arena_free(&arena);
    if (rc != 0) {
        free(made);
        return -1;
    }
    made->timer = timer_new(options->loop, on_timer, made);
    *reporter = made;
    return 0;
}

void reporter_close(struct reporter **reporter, int64_t flush_ms)
{
    struct reporter *closed = *reporter;
    if (closed == NULL)
        return;
    *reporter = NULL;
    closed->closing = true;
    timer_free(&closed->timer);
    bus_producer_close(&closed->producer, flush_ms);
    free(closed);
}

bool reporter_is_away(const struct reporter *reporter)
{
    return !bus_producer_ready(reporter->producer);
}

/* Queues a copy; owned by the report from then on. */
static int queue(struct reporter *reporter, struct flight *flight, struct err *err)
{
    if (flight->memory > REPORTER_MEMORY_MAX - reporter->memory)
        return err_set(err, ERR_RETRY_LATER, "bus.full", "too much waits for Kafka already");
    if (bus_produce(reporter->producer, &flight->record, on_report, flight, err) != 0)
        return -1;
    reporter->memory += flight->memory;
    return 0;
}

bool reporter_send(struct reporter *reporter, const struct bus_record *record,
                   const struct reporter_note *note)
{
    struct err err;
    struct flight *flight = flight_new(reporter, record, note);
    if (queue(reporter, flight, &err) != 0) {
        metric_add(counters.voice_failed, 1);
        log_warn("voice.not_queued", LOG_TEXT("call", note->call_sid), LOG_ERR(&err));
        news_settle(&flight->wait, false);
        free(flight);
        return false;
    }
    if (!note->urgent)
        return true;
    if (reporter_is_away(reporter))
        return false;
    bool first = TAILQ_EMPTY(&reporter->waiting);
    list(flight);
    if (first)
        watch_oldest(reporter, flight->since_ms);
    return true;
}
