/* Unit tests of the metrics: exposition format, families kept together, updates from threads. */
#include "service/metrics.h"

#include "loop/loop.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static struct strbuf out;

static const char *print(void)
{
    strbuf_fini(&out);
    strbuf_init(&out, 1024 * 1024);
    metrics_print(&out);
    return out.data;
}

static bool has(const char *line)
{
    const char *found = strstr(print(), line);
    return found != NULL && (found == out.data || found[-1] == '\n');
}

static void test_counter_and_gauge(void)
{
    struct metric *sent = metric_counter("frontdesk_test_total", "outcome=\"sent\"", "Tests.");
    struct metric *lost = metric_counter("frontdesk_test_total", "outcome=\"lost\"", "Tests.");
    struct metric *depth = metric_gauge("frontdesk_test_depth", "", "Depth.");
    CU_ASSERT_PTR_NOT_EQUAL(sent, lost);
    CU_ASSERT_PTR_EQUAL(sent, metric_counter("frontdesk_test_total", "outcome=\"sent\"", "Tests."));
    metric_add(sent, 2);
    metric_add(sent, 1);
    metric_set(depth, 7);
    metric_add(depth, -10);
    CU_ASSERT_EQUAL(metric_value(sent), 3);
    CU_ASSERT_EQUAL(metric_value(depth), -3);
    CU_ASSERT(has("# HELP frontdesk_test_total Tests.\n# TYPE frontdesk_test_total counter\n"
                  "frontdesk_test_total{outcome=\"sent\"} 3\n"
                  "frontdesk_test_total{outcome=\"lost\"} 0\n"));
    CU_ASSERT(has("frontdesk_test_depth -3\n"));
}

static void test_histogram(void)
{
    struct metric *wait = metric_histogram("frontdesk_test_wait_seconds", "hop=\"a\"", "Wait.");
    static const int64_t samples[] = {0, 500, 501, 1000, 60000000, 60000001};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        metric_observe_us(wait, samples[i]);
    CU_ASSERT(has("# TYPE frontdesk_test_wait_seconds histogram\n"
                  "frontdesk_test_wait_seconds_bucket{hop=\"a\",le=\"0.0005\"} 2\n"
                  "frontdesk_test_wait_seconds_bucket{hop=\"a\",le=\"0.001\"} 4\n"
                  "frontdesk_test_wait_seconds_bucket{hop=\"a\",le=\"0.0025\"} 4\n"));
    CU_ASSERT(has("frontdesk_test_wait_seconds_bucket{hop=\"a\",le=\"60\"} 5\n"
                  "frontdesk_test_wait_seconds_bucket{hop=\"a\",le=\"+Inf\"} 6\n"
                  "frontdesk_test_wait_seconds_sum{hop=\"a\"} 120.002002\n"
                  "frontdesk_test_wait_seconds_count{hop=\"a\"} 6\n"));
    struct metric *bare = metric_histogram("frontdesk_test_bare_seconds", "", "Bare.");
    metric_observe_us(bare, 1);
    CU_ASSERT(has("frontdesk_test_bare_seconds_bucket{le=\"0.0005\"} 1\n"));
    CU_ASSERT(has("frontdesk_test_bare_seconds_sum 0.000001\n"));
}

static void test_nothing_is_ignored(void)
{
    metric_add(NULL, 1);
    metric_set(NULL, 1);
    metric_observe_us(NULL, 1);
    CU_ASSERT_EQUAL(metric_value(NULL), 0);
}

static void test_process(void)
{
    static const char *const names[] = {
        "\nprocess_cpu_seconds_total ",  "\nprocess_resident_memory_bytes ",
        "\nfrontdesk_heap_bytes ",       "\nprocess_threads ",
        "\nprocess_open_fds ",           "\nfrontdesk_build_info{version=\"",
        "\nfrontdesk_log_dropped_total "};
    print();
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\nfrontdesk_build_info{version=\""));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *found = strstr(out.data, names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        const char *number = strchr(found + 1, ' ') + 1;
        CU_ASSERT(*number >= '0' && *number <= '9');
    }
}

/* A family's lines must stand together under one HELP and one TYPE, also when its metrics were
 * registered in turns with others. */
static void test_families_stand_together(void)
{
    metric_counter("frontdesk_turns_total", "a=\"1\"", "A.");
    metric_counter("frontdesk_other_total", "a=\"1\"", "B.");
    metric_counter("frontdesk_turns_total", "a=\"2\"", "A.");
    CU_ASSERT(has("frontdesk_turns_total{a=\"1\"} 0\nfrontdesk_turns_total{a=\"2\"} 0\n"));
    const char *first = strstr(print(), "# TYPE frontdesk_turns_total ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NULL(strstr(first + 1, "# TYPE frontdesk_turns_total "));
}

#define THREADS 4
#define EACH    20000

static void add_many(void *arg)
{
    struct metric *metric = arg;
    for (int i = 0; i < EACH; i++) {
        metric_add(metric, 1);
        metric_counter("frontdesk_race_total", i % 2 == 0 ? "n=\"0\"" : "n=\"1\"", "Race.");
    }
}

static void test_threads(void)
{
    struct metric *metric = metric_counter("frontdesk_race_total", "n=\"all\"", "Race.");
    struct thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(add_many, metric);
    for (int i = 0; i < 20; i++)
        print();
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    CU_ASSERT_EQUAL(metric_value(metric), THREADS * EACH);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("metrics", NULL, NULL);
    CU_add_test(suite, "counter and gauge", test_counter_and_gauge);
    CU_add_test(suite, "histogram", test_histogram);
    CU_add_test(suite, "NULL is ignored", test_nothing_is_ignored);
    CU_add_test(suite, "process", test_process);
    CU_add_test(suite, "families stand together", test_families_stand_together);
    CU_add_test(suite, "threads", test_threads);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    strbuf_fini(&out);
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
