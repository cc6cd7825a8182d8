/* Unit tests of the producer against librdkafka's mock cluster: every record gets exactly one
 * report, whatever becomes of the broker or of librdkafka's handle. */
#include <pthread.h>
#include <stdlib.h>

#include "bus/producer.h" /* to make librdkafka's handle fatal */
#include "unit/common/bus/mock.h"

#define RECORDS 200

static struct mock mock;
static struct bus_producer *producer;
static struct {
    int reported[RECORDS]; /* how often */
    int good, retry, permanent, wanted;
    char code[ERR_CODE_MAX];
} seen;

static void on_report(void *arg, const struct err *err)
{
    seen.reported[(int *)arg - seen.reported]++;
    if (err == NULL)
        seen.good++;
    else if (err->class == ERR_RETRY_LATER)
        seen.retry++;
    else if (err->class == ERR_PERMANENT)
        seen.permanent++;
    if (err != NULL)
        memcpy(seen.code, err->code, sizeof seen.code);
}

static bool all_reported(void *arg)
{
    (void)arg;
    return seen.good + seen.retry + seen.permanent >= seen.wanted;
}

static bool is_ready(void *arg)
{
    (void)arg;
    return bus_producer_ready(producer);
}

static bool is_not_ready(void *arg)
{
    return !is_ready(arg);
}

static void open_producer(struct bus_producer_options options, bool on_loop)
{
    static const char *const topics[] = {"t.one", NULL};
    struct err err;
    options.client = mock_client(&mock);
    options.topics = topics;
    options.loop = on_loop ? mock.loop : NULL;
    CU_ASSERT_EQUAL_FATAL(bus_producer_open(&options, &producer, &err), 0);
}

static int produce(int number, const char *value, size_t length, struct err *err)
{
    char key[16];
    snprintf(key, sizeof key, "k%d", number);
    struct bus_record record = {.topic = "t.one",
                                .partition = -1,
                                .key = key,
                                .key_length = strlen(key),
                                .value = value,
                                .value_length = length,
                                .header_count = 1};
    record.headers[0] = (struct bus_header){"ce_id", "x", 1};
    return bus_produce(producer, &record, on_report, &seen.reported[number], err);
}

static void produce_many(int count)
{
    struct err err;
    for (int i = 0; i < count; i++)
        CU_ASSERT_EQUAL(produce(i, "value", 5, &err), 0);
    seen.wanted = count;
}

static void assert_each_once(int count)
{
    for (int i = 0; i < count; i++)
        CU_ASSERT_EQUAL(seen.reported[i], 1);
}

static void set_up(void)
{
    memset(&seen, 0, sizeof seen);
    mock_open(&mock);
    mock_topic(&mock, "t.one", 4);
}

static void tear_down(void)
{
    bus_producer_close(&producer, 1000);
    CU_ASSERT_PTR_NULL(producer);
    mock_close(&mock);
}

static void test_reports(void)
{
    open_producer((struct bus_producer_options){0}, true);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 10000));
    produce_many(RECORDS);
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 10000));
    CU_ASSERT_EQUAL(seen.good, RECORDS);
    assert_each_once(RECORDS);
}

static void test_refusals(void)
{
    struct err err;
    open_producer((struct bus_producer_options){0}, true);
    char *big = calloc(1, BUS_VALUE_MAX + 1);
    CU_ASSERT_EQUAL(produce(0, big, BUS_VALUE_MAX + 1, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_STRING_EQUAL(err.code, "bus.too_large");
    CU_ASSERT_EQUAL(produce(1, big, BUS_VALUE_MAX, &err), 0);
    seen.wanted = 1;
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 10000));
    CU_ASSERT_EQUAL(seen.good, 1);
    CU_ASSERT_EQUAL(seen.reported[0], 0);
    free(big);
    struct bus_record record = {.topic = "t.one", .partition = -1};
    CU_ASSERT_EQUAL(bus_produce_wait(producer, &record, 100, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_BUG);
}

static void test_bad_options(void)
{
    struct err err;
    struct bus_producer_options options = {.client = mock_client(&mock), .loop = mock.loop};
    options.client.security = "tls-but-not-really";
    CU_ASSERT_EQUAL(bus_producer_open(&options, &producer, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_BUG);
    CU_ASSERT_STRING_EQUAL(err.code, "bus.config");
    options.client.security = "mtls";
    options.client.ca_file = "/nonexistent/ca.pem";
    CU_ASSERT_EQUAL(bus_producer_open(&options, &producer, &err), -1);
    options.client.security = "";
    options.client.brokers = "";
    CU_ASSERT_EQUAL(bus_producer_open(&options, &producer, &err), -1);
    CU_ASSERT_PTR_NULL(producer);
}

static void test_starts_with_the_broker_away(void)
{
    mock_down(&mock);
    open_producer((struct bus_producer_options){0}, true);
    produce_many(20);
    CU_ASSERT_FALSE(mock_run(&mock, all_reported, NULL, 700));
    CU_ASSERT_FALSE(bus_producer_ready(producer));
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 15000));
    CU_ASSERT_EQUAL(seen.good, 20);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 5000));
}

/* A service that is not ready gets no work: it must find out by itself that the broker is back. */
static void test_ready_again_without_a_record(void)
{
    open_producer((struct bus_producer_options){.delivery_timeout_ms = 1000}, true);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 10000));
    mock_down(&mock);
    produce_many(3);
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 10000));
    CU_ASSERT_EQUAL(seen.retry, 3);
    CU_ASSERT_STRING_EQUAL(seen.code, "bus.timeout");
    CU_ASSERT_TRUE(mock_run(&mock, is_not_ready, NULL, 5000));
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 15000));
}

/* One partition without a leader fails its own records only: the producer is ready again as soon as
 * the brokers answer, and the other partitions go on. */
static void test_a_partition_without_a_leader(void)
{
    struct err err;
    open_producer((struct bus_producer_options){.delivery_timeout_ms = 1000}, true);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 10000));
    rd_kafka_mock_partition_set_leader(mock.cluster, "t.one", 2, -1);
    struct bus_record record = {.topic = "t.one", .partition = 2, .value = "v", .value_length = 1};
    CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report, &seen.reported[0], &err), 0);
    seen.wanted = 1;
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 10000));
    CU_ASSERT_EQUAL(seen.retry, 1);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 5000));
    record.partition = 1;
    CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report, &seen.reported[1], &err), 0);
    seen.wanted = 2;
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 10000));
    CU_ASSERT_EQUAL(seen.good, 1);
}

static void test_starts_with_a_partition_without_a_leader(void)
{
    rd_kafka_mock_partition_set_leader(mock.cluster, "t.one", 2, -1);
    open_producer((struct bus_producer_options){0}, true);
    CU_ASSERT_FALSE(mock_run(&mock, is_ready, NULL, 1000));
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 15000));
}

static void test_full_queue(void)
{
    struct err err;
    char value[1000] = {0};
    mock_down(&mock);
    open_producer((struct bus_producer_options){.queue_max_bytes = 50 * 1024}, true);
    int queued = 0;
    while (queued < RECORDS && produce(queued, value, sizeof value, &err) == 0)
        queued++;
    CU_ASSERT_TRUE(queued >= 40 && queued <= 52);
    CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
    CU_ASSERT_STRING_EQUAL(err.code, "bus.full");
    mock_up(&mock);
    seen.wanted = queued;
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 15000));
    CU_ASSERT_EQUAL(seen.good, queued);
}

static void test_fatal_error_is_survived(bool in_flight)
{
    open_producer((struct bus_producer_options){0}, true);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 10000));
    if (in_flight) {
        mock_down(&mock);
        produce_many(50);
    }
    rd_kafka_test_fatal_error(producer->link->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                              "made by the test");
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 10000));
    CU_ASSERT_EQUAL(seen.retry, in_flight ? 50 : 0);
    mock_up(&mock);
    struct err err;
    bool queued = false;
    for (int tries = 0; !queued && tries < 100; tries++) {
        queued = produce(100, "again", 5, &err) == 0;
        if (!queued) {
            CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
            mock_run(&mock, NULL, NULL, 20);
        }
    }
    CU_ASSERT_TRUE(queued);
    seen.wanted = seen.retry + 1;
    CU_ASSERT_TRUE(mock_run(&mock, all_reported, NULL, 15000));
    CU_ASSERT_EQUAL(seen.good, 1);
    CU_ASSERT_EQUAL(seen.reported[100], 1);
    if (in_flight)
        assert_each_once(50);
}

static void test_fatal_with_records_in_flight(void)
{
    test_fatal_error_is_survived(true);
}

static void test_fatal_at_rest(void)
{
    test_fatal_error_is_survived(false);
}

static int given_up;

/* As an owner does that keeps its records: once more, at once. */
static void on_report_again(void *arg, const struct err *err)
{
    struct err why;
    struct bus_record record = {.topic = "t.one", .partition = -1, .value = "v", .value_length = 1};
    if (err == NULL)
        seen.good++;
    else if (err->class != ERR_RETRY_LATER ||
             bus_produce(producer, &record, on_report_again, arg, &why) != 0)
        given_up++;
}

static bool all_good(void *arg)
{
    (void)arg;
    return seen.good + given_up >= seen.wanted;
}

/* A report comes when there is a handle again that takes the record. Guard: is_fatal in producer.c.
 */
static void test_fatal_error_takes_nothing(void)
{
    struct err err;
    struct bus_record record = {.topic = "t.one", .partition = -1, .value = "v", .value_length = 1};
    given_up = 0;
    open_producer((struct bus_producer_options){0}, true);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 10000));
    mock_down(&mock);
    seen.wanted = 50;
    for (int i = 0; i < seen.wanted; i++)
        CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report_again, NULL, &err), 0);
    rd_kafka_test_fatal_error(producer->link->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                              "made by the test");
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, all_good, NULL, 15000));
    CU_ASSERT_EQUAL(given_up, 0);
    CU_ASSERT_EQUAL(seen.good, 50);
}

static void test_close_reports_what_is_in_flight(void)
{
    open_producer((struct bus_producer_options){0}, true);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 10000));
    mock_down(&mock);
    produce_many(30);
    int64_t start_ms = clock_mono_ms();
    bus_producer_close(&producer, 200);
    CU_ASSERT_TRUE(clock_mono_ms() - start_ms < 5000);
    CU_ASSERT_EQUAL(seen.retry, 30);
    assert_each_once(30);
}

/* ---- producing and waiting ---- */

#define THREADS    8
#define PER_THREAD 50

static void *wait_thread(void *arg)
{
    int *good = arg;
    struct bus_record record = {.topic = "t.one",
                                .partition = -1,
                                .key = "k",
                                .key_length = 1,
                                .value = "v",
                                .value_length = 1};
    for (int i = 0; i < PER_THREAD; i++) {
        struct err err;
        if (bus_produce_wait(producer, &record, 10000, &err) == 0)
            (*good)++;
    }
    return NULL;
}

static void test_waiting_threads(void)
{
    pthread_t threads[THREADS];
    int good[THREADS] = {0};
    open_producer((struct bus_producer_options){0}, false);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, wait_thread, &good[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(good[i], PER_THREAD);
    }
}

static void test_waiting_ends_in_time(void)
{
    struct err err;
    struct bus_record record = {.topic = "t.one", .partition = -1, .value = "v", .value_length = 1};
    mock_down(&mock);
    open_producer((struct bus_producer_options){.delivery_timeout_ms = 2500}, false);
    int64_t start_ms = clock_mono_ms();
    CU_ASSERT_EQUAL(bus_produce_wait(producer, &record, 150, &err), -1);
    int64_t took_ms = clock_mono_ms() - start_ms;
    CU_ASSERT_TRUE(took_ms >= 150 && took_ms < 2400);
    CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
    CU_ASSERT_STRING_EQUAL(err.code, "bus.timeout");
    /* Its report comes now, to nobody; a second record gets its own. */
    CU_ASSERT_EQUAL(bus_produce_wait(producer, &record, 10000, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "bus.timeout");
    CU_ASSERT_TRUE(clock_mono_ms() - start_ms >= 2500);
    mock_up(&mock);
    CU_ASSERT_EQUAL(bus_produce_wait(producer, &record, 10000, &err), 0);
}

static void test_waiting_survives_a_fatal_error(void)
{
    struct err err;
    struct bus_record record = {.topic = "t.one", .partition = -1, .value = "v", .value_length = 1};
    open_producer((struct bus_producer_options){0}, false);
    CU_ASSERT_EQUAL(bus_produce_wait(producer, &record, 10000, &err), 0);
    rd_kafka_test_fatal_error(producer->link->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                              "made by the test");
    int result = -1;
    int64_t end_ms = clock_mono_ms() + 10000;
    while (result != 0 && clock_mono_ms() < end_ms)
        result = bus_produce_wait(producer, &record, 2000, &err);
    CU_ASSERT_EQUAL(result, 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite =
        CU_add_suite_with_setup_and_teardown("producer", NULL, NULL, set_up, tear_down);
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"a report for each record", test_reports},
        {"refusals", test_refusals},
        {"impossible options", test_bad_options},
        {"broker away at start", test_starts_with_the_broker_away},
        {"ready again without a record", test_ready_again_without_a_record},
        {"a partition without a leader", test_a_partition_without_a_leader},
        {"a partition without a leader at start", test_starts_with_a_partition_without_a_leader},
        {"full queue", test_full_queue},
        {"fatal error, in flight", test_fatal_with_records_in_flight},
        {"fatal error, at rest", test_fatal_at_rest},
        {"fatal error, produced again", test_fatal_error_takes_nothing},
        {"close reports what is in flight", test_close_reports_what_is_in_flight},
        {"waiting threads", test_waiting_threads},
        {"waiting ends in time", test_waiting_ends_in_time},
        {"waiting survives a fatal error", test_waiting_survives_a_fatal_error},
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].name, tests[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
