/* The readiness of a producer. A thread of its own asks for the metadata of all topics at start, so
 * that the first record does not wait a second for its leader, and again after a failed delivery:
 * a service that is not ready gets no work, so no later delivery could prove that the broker is
 * back. At start it waits a while for every partition to have a leader; after that one partition
 * without one is the trouble of its own records and stops no others. The call blocks while no
 * broker answers, hence the thread. Called by producer.c, link.c. */
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "base/clock.h"
#include "bus/producer.h"

#define METADATA_TIMEOUT_MS 2000 /* a broker that starts or is very busy is slow, not away */
#define RETRY_FIRST_MS      100
#define RETRY_MAX_MS        1000
#define ALL_LED_WAIT_MS     5000 /* at start, for partitions that are between two leaders */

enum seen { AWAY, SOME_LED, ALL_LED };

static enum seen look_at(const rd_kafka_metadata_topic_t *topic)
{
    int led = 0;
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return AWAY;
    for (int i = 0; i < topic->partition_cnt; i++)
        led += topic->partitions[i].leader >= 0;
    if (led == 0)
        return AWAY;
    return led < topic->partition_cnt ? SOME_LED : ALL_LED;
}

/* A topic that is missing or forbidden looks like a broker that is away: who operates it must know.
 */
static void tell(struct bus_producer *producer, const rd_kafka_metadata_topic_t *topic)
{
    bool passes = topic->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                  topic->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    if (passes || topic->err == producer->told)
        return;
    producer->told = topic->err;
    bus_client_log(
        &producer->client, LOG_ERR, "TOPIC",
        "nothing is accepted while topic %s has trouble: %s (`deskctl topics diff` shows "
        "what is missing)",
        topic->topic, rd_kafka_err2str(topic->err));
}

static enum seen ask(struct bus_producer *producer, rd_kafka_t *rk, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, METADATA_TIMEOUT_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return AWAY;
    enum seen seen = AWAY;
    if (metadata->topic_cnt == 1) {
        seen = look_at(&metadata->topics[0]);
        tell(producer, &metadata->topics[0]);
    }
    rd_kafka_metadata_destroy(metadata);
    return seen;
}

/* The worst of all topics. */
static enum seen probe(struct bus_producer *producer)
{
    struct bus_link *link = bus_link_get(producer);
    enum seen worst = ALL_LED;
    for (size_t i = 0; worst != AWAY && i < link->topic_count; i++) {
        enum seen seen = AWAY;
        if (!atomic_load(&producer->stop) && link->topics[i] != NULL)
            seen = ask(producer, link->rk, link->topics[i]);
        if (seen < worst)
            worst = seen;
    }
    bus_link_put(link);
    return worst;
}

static void wait_ms(struct bus_producer *producer, int64_t delay_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += delay_ms / 1000;
    until.tv_nsec += delay_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!atomic_load(&producer->stop) &&
           pthread_cond_timedwait(&producer->probe, &producer->mutex, &until) != ETIMEDOUT)
        continue;
}

static void run(void *arg)
{
    struct bus_producer *producer = arg;
    int64_t delay_ms = RETRY_FIRST_MS, patient_until_ms = clock_mono_ms() + ALL_LED_WAIT_MS;
    pthread_mutex_lock(&producer->mutex);
    while (!atomic_load(&producer->stop)) {
        if (!producer->probe_wanted) {
            pthread_cond_wait(&producer->probe, &producer->mutex);
            continue;
        }
        producer->probe_wanted = false;
        pthread_mutex_unlock(&producer->mutex);
        enum seen seen = probe(producer);
        bool ready = seen == ALL_LED || (seen == SOME_LED && (atomic_load(&producer->primed) ||
                                                              clock_mono_ms() >= patient_until_ms));
        if (ready) {
            atomic_store(&producer->primed, true);
            atomic_store(&producer->healthy, true);
            producer->told = RD_KAFKA_RESP_ERR_NO_ERROR;
            delay_ms = RETRY_FIRST_MS;
        }
        pthread_mutex_lock(&producer->mutex);
        if (!ready) {
            producer->probe_wanted = true;
            wait_ms(producer, delay_ms);
            delay_ms = delay_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : delay_ms * 2;
        }
    }
    pthread_mutex_unlock(&producer->mutex);
}

void bus_prime_request(struct bus_producer *producer)
{
    pthread_mutex_lock(&producer->mutex);
    producer->probe_wanted = true;
    pthread_cond_signal(&producer->probe);
    pthread_mutex_unlock(&producer->mutex);
}

void bus_prime_start(struct bus_producer *producer)
{
    producer->probe_wanted = true;
    producer->probe_thread = thread_start(run, producer);
}

void bus_prime_stop(struct bus_producer *producer)
{
    pthread_mutex_lock(&producer->mutex);
    atomic_store(&producer->stop, true);
    pthread_cond_signal(&producer->probe);
    pthread_mutex_unlock(&producer->mutex);
    thread_join(&producer->probe_thread);
}
