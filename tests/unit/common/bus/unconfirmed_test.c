/* Unit test of the producer: a record whose own answer was uncertain is not reported as written
 * because a later one was. Seen with a real broker that was killed: it knew nothing of the producer
 * in that partition, took the second record as the first one, and the first one was lost. */
#include "unit/common/bus/mock.h"

#define PRODUCE_KEY 0 /* of the request, in Kafka's protocol */
#define RTT_MS      900

static struct mock mock;
static struct bus_producer *producer;
static struct {
    int reports, good;
    char code[ERR_CODE_MAX];
    enum err_class class;
} seen[2];

static void on_report(void *arg, const struct err *err)
{
    int number = *(const int *)arg;
    seen[number].reports++;
    seen[number].good += err == NULL;
    if (err != NULL) {
        memcpy(seen[number].code, err->code, sizeof seen[number].code);
        seen[number].class = err->class;
    }
}

static bool is_ready(void *arg)
{
    (void)arg;
    return bus_producer_ready(producer);
}

static bool both_reported(void *arg)
{
    (void)arg;
    return seen[0].reports > 0 && seen[1].reports > 0;
}

static void produce(const int *number)
{
    struct err err;
    struct bus_record record = {.topic = "t.one",
                                .partition = 0,
                                .key = "k",
                                .key_length = 1,
                                .value = "value",
                                .value_length = 5};
    CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report, (void *)(uintptr_t)number, &err), 0);
}

static bool a_moment(void *arg)
{
    return clock_mono_ms() >= *(const int64_t *)arg;
}

static void a_later_record_confirms_none(void)
{
    static const char *const topics[] = {"t.one", NULL};
    static const int numbers[2] = {0, 1};
    struct err err;
    mock_open(&mock);
    mock_topic(&mock, "t.one", 1);
    struct bus_producer_options options = {
        .client = mock_client(&mock), .topics = topics, .loop = mock.loop};
    CU_ASSERT_EQUAL_FATAL(bus_producer_open(&options, &producer, &err), 0);
    CU_ASSERT_TRUE_FATAL(mock_run(&mock, is_ready, NULL, 10000));
    rd_kafka_mock_broker_set_rtt(mock.cluster, 1, RTT_MS);
    /* Written perhaps, and perhaps not: the mock does not. */
    rd_kafka_mock_push_request_errors(mock.cluster, PRODUCE_KEY, 1,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    produce(&numbers[0]);
    /* So that each is a request of its own, the second before the first one's answer comes. */
    int64_t sent = clock_mono_ms() + RTT_MS / 3;
    mock_run(&mock, a_moment, &sent, 5000);
    produce(&numbers[1]);
    CU_ASSERT_TRUE(mock_run(&mock, both_reported, NULL, 10000));
    CU_ASSERT_EQUAL(seen[1].good, 1);
    CU_ASSERT_EQUAL(seen[0].good, 0);
    CU_ASSERT_EQUAL(seen[0].class, ERR_RETRY_LATER);
    CU_ASSERT_STRING_EQUAL(seen[0].code, "bus.unconfirmed");
    CU_ASSERT_TRUE(bus_producer_ready(producer));
    bus_producer_close(&producer, 1000);
    CU_ASSERT_EQUAL(seen[0].reports, 1);
    CU_ASSERT_EQUAL(seen[1].reports, 1);
    mock_close(&mock);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("unconfirmed", NULL, NULL);
    CU_add_test(suite, "a later record confirms none", a_later_record_confirms_none);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
