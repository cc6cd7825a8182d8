/* A loop and a pool on a private server, and units whose outcome a test can look at. */
#ifndef DESK_TEST_PG_RIG_H
#define DESK_TEST_PG_RIG_H

#include "unit/common/pg/server.h"

#include <CUnit/Basic.h>

#define RIG_WAIT_MS 60000

static struct test_server rig_server;
static struct loop *rig_loop;
static struct pg *rig_pg;
static struct timer *rig_guard;
static int rig_waiting; /* outcomes still to come before the loop stops */
static int rig_order;
static bool rig_timed_out;

struct outcome {
    bool done, failed;
    struct err err;
    int order;           /* of the callback among all */
    int rows;            /* of the last statement */
    int count, all_rows; /* statements; rows of them all */
    int64_t affected;
    char text[256]; /* row 0, column 0 of the last statement */
};

static inline void rig_on_guard(void *arg)
{
    (void)arg;
    rig_timed_out = true;
    loop_stop(rig_loop);
}

static inline void rig_open(void)
{
    rig_loop = loop_new();
    rig_guard = timer_new(rig_loop, rig_on_guard, NULL);
    rig_waiting = rig_order = 0;
    rig_timed_out = false;
}

static inline void rig_pool(const char *url, int connections, size_t queue_max)
{
    struct pg_options options = {.loop = rig_loop,
                                 .url = url,
                                 .name = "unit-test",
                                 .connections = connections,
                                 .queue_max = queue_max};
    rig_pg = pg_new(&options);
}

static inline void rig_close(void)
{
    pg_free(&rig_pg);
    timer_free(&rig_guard);
    loop_pass(rig_loop);
    loop_free(&rig_loop);
}

static inline void rig_count_down(void)
{
    if (--rig_waiting == 0)
        loop_stop(rig_loop);
}

static inline void rig_done(void *arg, const struct pg_answer *answer)
{
    struct outcome *out = arg;
    CU_ASSERT_FALSE(out->done); /* exactly one callback */
    out->done = true;
    out->order = ++rig_order;
    out->failed = answer->err != NULL;
    if (out->failed) {
        out->err = *answer->err;
        CU_ASSERT_PTR_NULL(answer->results);
    } else {
        int last = answer->count - 1;
        out->rows = pg_rows(answer->results, last);
        out->affected = pg_affected(answer->results, last);
        out->count = answer->count;
        for (int i = 0; i < answer->count; i++)
            out->all_rows += pg_rows(answer->results, i);
        if (out->rows > 0)
            snprintf(out->text, sizeof out->text, "%s", pg_text(answer->results, last, 0, 0));
    }
    rig_count_down();
}

static inline void rig_submit(struct pg_unit *unit, struct outcome *out)
{
    *out = (struct outcome){.done = false};
    unit->done = rig_done;
    unit->arg = out;
    rig_waiting++;
    pg_submit(rig_pg, unit);
    CU_ASSERT_FALSE(out->done); /* never from inside */
}

/* A unit of up to three statements without parameters. */
static inline void rig_sql(struct outcome *out, const char *a, const char *b, const char *c)
{
    struct pg_unit unit = {.count = 0};
    pg_add(&unit, a);
    if (b != NULL)
        pg_add(&unit, b);
    if (c != NULL)
        pg_add(&unit, c);
    rig_submit(&unit, out);
}

/* Runs until every submitted unit has ended. */
static inline void rig_run(void)
{
    timer_start(rig_guard, RIG_WAIT_MS, 0);
    if (rig_waiting > 0)
        loop_run(rig_loop);
    timer_stop(rig_guard);
    CU_ASSERT_FALSE_FATAL(rig_timed_out);
}

/* Passes the loop until the condition holds. */
static inline bool rig_until(bool (*holds)(void))
{
    int64_t end = clock_mono_ms() + RIG_WAIT_MS;
    while (!holds() && clock_mono_ms() < end) {
        loop_pass(rig_loop);
        poll(NULL, 0, 1); /* between two passes */
    }
    return holds();
}

static inline bool rig_is_up(void)
{
    return pg_is_up(rig_pg);
}

static inline int rig_start_server(void)
{
    if (test_server_start(&rig_server))
        return 0;
    return 1;
}

static inline int rig_end_server(void)
{
    test_server_end(&rig_server);
    return 0;
}

static inline void rig_assert_ok(const struct outcome *out, const char *text)
{
    if (out->failed)
        printf("\n    %s: %s\n", out->err.code, out->err.message);
    CU_ASSERT_TRUE(out->done);
    CU_ASSERT_FALSE(out->failed);
    if (text != NULL)
        CU_ASSERT_STRING_EQUAL(out->text, text);
}

static inline void rig_assert_failed(const struct outcome *out, enum err_class class,
                                     const char *code)
{
    CU_ASSERT_TRUE(out->done);
    CU_ASSERT_TRUE(out->failed);
    CU_ASSERT_EQUAL(out->err.class, class);
    CU_ASSERT_STRING_EQUAL(out->err.code, code);
    if (strcmp(out->err.code, code) != 0)
        printf("\n    wanted %s, got %s: %s\n", code, out->err.code, out->err.message);
}

/* Runs one statement and returns its first value, borrowed until the next call. */
static inline const char *rig_value(const char *sql)
{
    static struct outcome out;
    rig_sql(&out, sql, NULL, NULL);
    rig_run();
    rig_assert_ok(&out, NULL);
    return out.text;
}

#endif
