/* What the tests of common/bus share: librdkafka's mock cluster in this process, and a loop that
 * runs until a condition holds. The mock shows logic only; it keeps nothing and checks no sequence.
 */
#ifndef DESK_TESTS_BUS_MOCK_H
#define DESK_TESTS_BUS_MOCK_H

#include <CUnit/Basic.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus.h"

struct mock {
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster;
    struct loop *loop;
    struct timer *timer;
    bool (*condition)(void *arg);
    void *condition_arg;
    int64_t end_ms;
    bool reached;
    int logged; /* lines */
};

static inline void mock_log(void *arg, int level, const char *facility, const char *message)
{
    (void)level;
    (void)facility;
    (void)message;
    __atomic_add_fetch(&((struct mock *)arg)->logged, 1, __ATOMIC_RELAXED);
}

static inline void mock_drop_log(const rd_kafka_t *rk, int level, const char *facility,
                                 const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

static inline void mock_open(struct mock *mock)
{
    char text[200];
    memset(mock, 0, sizeof *mock);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, mock_drop_log);
    mock->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mock->host);
    mock->cluster = rd_kafka_mock_cluster_new(mock->host, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mock->cluster);
    mock->loop = loop_new();
}

static inline void mock_close(struct mock *mock)
{
    timer_free(&mock->timer);
    loop_pass(mock->loop);
    loop_free(&mock->loop);
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->host);
}

static inline void mock_topic(struct mock *mock, const char *name, int partitions)
{
    CU_ASSERT_EQUAL_FATAL(rd_kafka_mock_topic_create(mock->cluster, name, partitions, 1), 0);
}

static inline struct bus_options mock_client(struct mock *mock)
{
    return (struct bus_options){.brokers = rd_kafka_mock_cluster_bootstraps(mock->cluster),
                                .client_id = "test",
                                .security = "",
                                .log = mock_log,
                                .log_arg = mock};
}

static inline void mock_down(struct mock *mock)
{
    rd_kafka_mock_broker_set_down(mock->cluster, 1);
}

static inline void mock_up(struct mock *mock)
{
    rd_kafka_mock_broker_set_up(mock->cluster, 1);
}

static inline void mock_look(void *arg)
{
    struct mock *mock = arg;
    mock->reached = mock->condition != NULL && mock->condition(mock->condition_arg);
    if (mock->reached || clock_mono_ms() >= mock->end_ms)
        loop_stop(mock->loop);
}

/* Runs the loop until the condition holds; false after deadline_ms. */
static inline bool mock_run(struct mock *mock, bool (*condition)(void *arg), void *arg,
                            int64_t deadline_ms)
{
    mock->condition = condition;
    mock->condition_arg = arg;
    mock->end_ms = clock_mono_ms() + deadline_ms;
    if (mock->timer == NULL)
        mock->timer = timer_new(mock->loop, mock_look, mock);
    timer_start(mock->timer, 0, 5);
    loop_run(mock->loop);
    timer_stop(mock->timer);
    return mock->reached;
}

#endif
