/* What calls tell the engines, while Kafka takes only some of it or nothing, on librdkafka's mock
 * cluster. */
#include "unit/common/bus/mock.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/topics.h"
#include "counters.h"
#include "reporter.h"

#define STUCK 0
#define WELL  1

static struct mock mock;
static struct ingress_settings settings;
static struct reporter *reporter;
static int failed;
static char failed_sid[40];

static void on_failed(void *arg, const char *call_sid)
{
    (void)arg;
    failed++;
    snprintf(failed_sid, sizeof failed_sid, "%s", call_sid);
}

static bool is_there(void *arg)
{
    (void)arg;
    return !reporter_is_away(reporter);
}

static bool is_away(void *arg)
{
    (void)arg;
    return reporter_is_away(reporter);
}

static bool has_failed(void *arg)
{
    (void)arg;
    return failed > 0;
}

static void open_reporter(void)
{
    struct err err;
    mock_open(&mock);
    mock_topic(&mock, "test.inbound.voice", 2);
    failed = 0;
    settings = (struct ingress_settings){
        .common = {.instance = "ingress-1"},
        .kafka = {.brokers = rd_kafka_mock_cluster_bootstraps(mock.cluster),
                  .topic_prefix = "test.",
                  .security = ""}};
    struct reporter_options options = {
        .settings = &settings, .loop = mock.loop, .failed = on_failed};
    CU_ASSERT_EQUAL_FATAL(reporter_open(&options, &reporter, &err), 0);
    CU_ASSERT_TRUE_FATAL(mock_run(&mock, is_there, NULL, 20000));
}

static void close_reporter(void)
{
    reporter_close(&reporter, 0);
    mock_close(&mock);
}

static bool produce(int partition, const char *call_sid, bool urgent)
{
    struct bus_record record = {.topic = "test.inbound.voice",
                                .partition = partition,
                                .key = "k",
                                .key_length = 1,
                                .value = "a few words",
                                .value_length = 11};
    for (int i = 0; i < 9; i++)
        record.headers[record.header_count++] =
            (struct bus_header){.name = "ce_name", .value = "its value", .value_length = 9};
    return reporter_send(reporter, &record,
                         &(struct reporter_note){.call_sid = call_sid, .urgent = urgent});
}

/* The call whose record is late goes on without Kafka; all others are told of as before. Guard:
 * reporter_is_away asks the producer. */
static void one_partition_is_late(void)
{
    open_reporter();
    rd_kafka_mock_partition_set_leader(mock.cluster, "test.inbound.voice", STUCK, -1);
    CU_ASSERT_TRUE(produce(STUCK, "CA1", true));
    CU_ASSERT_TRUE_FATAL(mock_run(&mock, has_failed, NULL, 20000));
    CU_ASSERT_STRING_EQUAL(failed_sid, "CA1");
    CU_ASSERT_TRUE_FATAL(mock_run(&mock, is_there, NULL, 20000));
    CU_ASSERT_TRUE(produce(WELL, "CA2", true));
    CU_ASSERT_TRUE(produce(WELL, "CA3", true));
    CU_ASSERT_EQUAL(failed, 1);
    close_reporter();
}

/* Nothing answers: whoever speaks next is not kept waiting, until somebody does. Guard:
 * bus_producer_doubt in on_timer. */
static void nobody_answers(void)
{
    open_reporter();
    mock_down(&mock);
    CU_ASSERT_TRUE(produce(WELL, "CA1", true));
    CU_ASSERT_TRUE_FATAL(mock_run(&mock, has_failed, NULL, 20000));
    CU_ASSERT_TRUE(mock_run(&mock, is_away, NULL, 20000));
    CU_ASSERT_FALSE(produce(WELL, "CA2", true));
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, is_there, NULL, 30000));
    CU_ASSERT_TRUE(produce(WELL, "CA3", true));
    close_reporter();
}

static void stand_still(int ms)
{
    pid_t parent = getpid(), helper = fork();
    CU_ASSERT_FATAL(helper >= 0);
    if (helper == 0) {
        poll(NULL, 0, ms);
        kill(parent, SIGCONT);
        _exit(0);
    }
    raise(SIGSTOP);
    waitpid(helper, NULL, 0);
}

/* The process stood still for longer than Kafka may take: what Kafka does confirm is not late, what
 * it does not is. Guard: STOOD_STILL_MS in on_timer. */
static void a_process_that_stood_still(void)
{
    open_reporter();
    CU_ASSERT_TRUE(produce(WELL, "CA1", true));
    stand_still(REPORTER_LATE_MS + 1000);
    CU_ASSERT_FALSE(mock_run(&mock, has_failed, NULL, 1500));
    CU_ASSERT_FALSE(reporter_is_away(reporter));
    rd_kafka_mock_partition_set_leader(mock.cluster, "test.inbound.voice", STUCK, -1);
    CU_ASSERT_TRUE(produce(STUCK, "CA2", true));
    stand_still(REPORTER_LATE_MS + 1000);
    CU_ASSERT_TRUE(mock_run(&mock, has_failed, NULL, 20000));
    CU_ASSERT_STRING_EQUAL(failed_sid, "CA2");
    close_reporter();
}

/* Heap in use; the sanitizer has an allocator of its own. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap(void)
{
    return __sanitizer_get_current_allocated_bytes != NULL
               ? __sanitizer_get_current_allocated_bytes()
               : mallinfo2().uordblks;
}

/* The bound is one of memory, however small the records are: what is kept of each outweighs them.
 * Guard: what `memory` counts. */
static void what_waits_is_bounded_by_what_it_takes(void)
{
    open_reporter();
    mock_down(&mock);
    size_t before = heap();
    int sent = 0;
    while (sent < 150000 && produce(WELL, "CA1", false))
        sent++;
    size_t taken = heap() - before;
    printf("    %d records in %zu kB\n", sent, taken / 1024);
    CU_ASSERT(sent > 5000 && sent < 150000);
    CU_ASSERT(taken < REPORTER_MEMORY_MAX + REPORTER_MEMORY_MAX / 8);
    close_reporter();
}

int main(void)
{
    CU_initialize_registry();
    counters_init();
    CU_pSuite suite = CU_add_suite("reporter", NULL, NULL);
    CU_add_test(suite, "one partition is late", one_partition_is_late);
    CU_add_test(suite, "nobody answers", nobody_answers);
    CU_add_test(suite, "a process that stood still", a_process_that_stood_still);
    CU_add_test(suite, "a bound of memory", what_waits_is_bounded_by_what_it_takes);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
