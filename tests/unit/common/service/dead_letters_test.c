/* Dead letters against librdkafka's mock cluster: whatever the bus says to one, it ends, and the
 * consumer that waits for it goes on. */
#include "service/dead_letters.h"

#include <stdlib.h>

#include "unit/common/bus/mock.h"

#define TOPIC "t.dlq"

static struct mock mock;
static struct bus_producer *producer;
static struct dead_letters *letters;
static struct metric *dead, *lost;
static int64_t dead_before, lost_before;
static int overs;

static void on_over(void *arg)
{
    (void)arg;
    overs++;
}

static bool is_over(void *arg)
{
    (void)arg;
    return overs > 0;
}

static bool is_ready(void *arg)
{
    (void)arg;
    return bus_producer_ready(producer);
}

static void set_up(void)
{
    static const char *const topics[] = {TOPIC, NULL};
    struct err err;
    mock_open(&mock);
    mock_topic(&mock, TOPIC, 1);
    struct bus_producer_options options = {.client = mock_client(&mock),
                                           .loop = mock.loop,
                                           .topics = topics,
                                           .delivery_timeout_ms = 1000};
    CU_ASSERT_EQUAL_FATAL(bus_producer_open(&options, &producer, &err), 0);
    CU_ASSERT_TRUE(mock_run(&mock, is_ready, NULL, 10000));
    letters = dead_letters_new(&(struct dead_letters_options){.loop = mock.loop,
                                                              .producer = producer,
                                                              .prefix = "t.",
                                                              .service = "test",
                                                              .dead = dead,
                                                              .lost = lost,
                                                              .on_over = on_over});
    dead_before = metric_value(dead);
    lost_before = metric_value(lost);
    overs = 0;
}

static void tear_down(void)
{
    bus_producer_close(&producer, 1000);
    dead_letters_free(&letters);
    CU_ASSERT_PTR_NULL(letters);
    mock_close(&mock);
}

static struct bus_record record_of(const char *value, size_t length)
{
    return (struct bus_record){.topic = "t.inbound",
                               .partition = 3,
                               .offset = 7,
                               .key = "k",
                               .key_length = 1,
                               .value = value,
                               .value_length = length};
}

/* Keeps the newest record of the topic. */
struct kept {
    size_t count, value_length;
    bool dropped;
};

static bool keep(void *arg, const struct bus_record *record)
{
    struct kept *kept = arg;
    struct arena *arena = arena_new();
    const char *text = bus_header_text(record, arena, "dlq-dropped");
    kept->count++;
    kept->value_length = record->value_length;
    kept->dropped = text != NULL && strcmp(text, "value") == 0;
    arena_free(&arena);
    return true;
}

static struct kept read_back(void)
{
    struct kept kept = {0};
    struct err err;
    struct bus_options client = mock_client(&mock);
    CU_ASSERT_EQUAL(bus_scan(&client, TOPIC, 10000, keep, &kept, &err), 0);
    return kept;
}

static void test_sent(void)
{
    struct bus_record record = record_of("value", 5);
    dead_letters_add(letters, &record, "event.json");
    CU_ASSERT_EQUAL(dead_letters_left(letters), 1);
    CU_ASSERT_TRUE(mock_run(&mock, is_over, NULL, 10000));
    CU_ASSERT_EQUAL(dead_letters_left(letters), 0);
    struct kept kept = read_back();
    CU_ASSERT_EQUAL(kept.count, 1);
    CU_ASSERT_EQUAL(kept.value_length, 5);
    CU_ASSERT_FALSE(kept.dropped);
    CU_ASSERT_EQUAL(metric_value(dead) - dead_before, 1);
}

static void test_too_large_goes_without_its_value(void)
{
    size_t length = BUS_VALUE_MAX + 1;
    char *value = calloc(1, length);
    struct bus_record record = record_of(value, length);
    dead_letters_add(letters, &record, "event.size");
    CU_ASSERT_TRUE(mock_run(&mock, is_over, NULL, 10000));
    CU_ASSERT_EQUAL(dead_letters_left(letters), 0);
    struct kept kept = read_back();
    CU_ASSERT_EQUAL(kept.count, 1);
    CU_ASSERT_EQUAL(kept.value_length, 0);
    CU_ASSERT_TRUE(kept.dropped);
    CU_ASSERT_EQUAL(metric_value(lost) - lost_before, 0);
    free(value);
}

static void test_refused_both_ways_is_lost(void)
{
    rd_kafka_resp_err_t no = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    rd_kafka_mock_push_request_errors(mock.cluster, 0 /* Produce */, 2, no, no);
    struct bus_record record = record_of("value", 5);
    dead_letters_add(letters, &record, "event.json");
    CU_ASSERT_TRUE(mock_run(&mock, is_over, NULL, 10000));
    CU_ASSERT_EQUAL(dead_letters_left(letters), 0);
    CU_ASSERT_EQUAL(metric_value(lost) - lost_before, 1);
    CU_ASSERT_EQUAL(read_back().count, 0);
}

/* The one that failed goes again, the other, still in flight, does not. */
static void test_sent_again_when_kafka_is_back(void)
{
    struct bus_record record = record_of("value", 5);
    mock_down(&mock);
    dead_letters_add(letters, &record, "event.json");
    CU_ASSERT_FALSE(mock_run(&mock, is_over, NULL, 500));
    dead_letters_add(letters, &record, "event.json");
    CU_ASSERT_FALSE(mock_run(&mock, is_over, NULL, 1200));
    CU_ASSERT_EQUAL(dead_letters_left(letters), 2);
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, is_over, NULL, 15000));
    CU_ASSERT_EQUAL(overs, 1);
    CU_ASSERT_EQUAL(read_back().count, 2);
    CU_ASSERT_EQUAL(metric_value(dead) - dead_before, 2);
}

int main(void)
{
    dead = metric_counter("frontdesk_test_dead_total", "", "Dead");
    lost = metric_counter("frontdesk_test_lost_total", "", "Lost");
    CU_initialize_registry();
    CU_pSuite suite =
        CU_add_suite_with_setup_and_teardown("dead letters", NULL, NULL, set_up, tear_down);
    CU_add_test(suite, "sent", test_sent);
    CU_add_test(suite, "too large goes without its value", test_too_large_goes_without_its_value);
    CU_add_test(suite, "refused both ways is lost", test_refused_both_ways_is_lost);
    CU_add_test(suite, "sent again when Kafka is back", test_sent_again_when_kafka_is_back);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
