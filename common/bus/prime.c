/* The readiness of a producer. A thread of its own asks for the metadata of all topics at start, so
 * that the first record does not wait a second for its leader, and again after a failed delivery:
 * a service that is not ready gets no work, so no later delivery could prove that the broker is
 * back. The call blocks while no broker answers, hence the thread. Called by producer.c, link.c. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "bus/producer.h"

#define METADATA_TIMEOUT_MS 500
#define RETRY_FIRST_MS      100
#define RETRY_MAX_MS        1000

static bool all_led(const rd_kafka_metadata_topic_t *topic)
{
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR || topic->partition_cnt == 0)
        return false;
    for (int i = 0; i < topic->partition_cnt; i++)
        if (topic->partitions[i].leader < 0)
            return false;
    return true;
}

static bool topic_is_there(rd_kafka_t *rk, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, METADATA_TIMEOUT_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    bool there = metadata->topic_cnt == 1 && all_led(&metadata->topics[0]);
    rd_kafka_metadata_destroy(metadata);
    return there;
}

static bool probe(struct bus_producer *producer)
{
    struct bus_link *link = bus_link_get(producer);
    bool ready = true;
    for (size_t i = 0; ready && i < link->topic_count; i++)
        ready = !atomic_load(&producer->stop) && link->topics[i] != NULL &&
                topic_is_there(link->rk, link->topics[i]);
    bus_link_put(link);
    return ready;
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
    int64_t delay_ms = RETRY_FIRST_MS;
    pthread_mutex_lock(&producer->mutex);
    while (!atomic_load(&producer->stop)) {
        if (!producer->probe_wanted) {
            pthread_cond_wait(&producer->probe, &producer->mutex);
            continue;
        }
        producer->probe_wanted = false;
        pthread_mutex_unlock(&producer->mutex);
        bool ready = probe(producer);
        if (ready) {
            atomic_store(&producer->primed, true);
            atomic_store(&producer->healthy, true);
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
