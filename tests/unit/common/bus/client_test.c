/* Unit test of a client's threads: their timers may be late, so that none of them looks again and
 * again for the last moment before one; ours may not. */
#include <CUnit/Basic.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#include "bus/client.h"

static atomic_int threads, patient;

static rd_kafka_resp_err_t on_thread_start(rd_kafka_t *rk, rd_kafka_thread_type_t type,
                                           const char *name, void *arg)
{
    (void)rk;
    (void)type;
    (void)name;
    if (prctl(PR_GET_TIMERSLACK) >= *(const int *)arg)
        atomic_fetch_add(&patient, 1);
    atomic_fetch_add(&threads, 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *arg,
                                  char *problem, size_t problem_size)
{
    (void)conf;
    (void)problem;
    (void)problem_size;
    return rd_kafka_interceptor_add_on_thread_start(rk, "test", on_thread_start, arg);
}

static void timers_of_its_threads_may_be_late(void)
{
    static int millisecond = 1000000;
    static const struct bus_setting none[] = {{NULL, NULL}};
    const struct bus_options options = {.brokers = "127.0.0.1:1", .security = ""};
    const int ours = prctl(PR_GET_TIMERSLACK);
    struct bus_client client = {.log = NULL};
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    struct err err;
    CU_ASSERT_TRUE_FATAL(ours < millisecond);
    CU_ASSERT_EQUAL_FATAL(bus_client_conf(&options, &client, none, &conf, &err), 0);
    CU_ASSERT_EQUAL_FATAL(rd_kafka_conf_interceptor_add_on_new(conf, "test", on_new, &millisecond),
                          0);
    CU_ASSERT_EQUAL_FATAL(bus_client_new(RD_KAFKA_PRODUCER, conf, &client, &rk, &err), 0);
    CU_ASSERT_EQUAL(prctl(PR_GET_TIMERSLACK), ours);
    rd_kafka_destroy(rk);
    /* The main one, and one of the broker. */
    CU_ASSERT_TRUE(atomic_load(&threads) >= 2);
    CU_ASSERT_EQUAL(atomic_load(&patient), atomic_load(&threads));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("client", NULL, NULL);
    CU_add_test(suite, "timers of its threads may be late", timers_of_its_threads_may_be_late);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
