/* The pool: a unit goes to a connection that is idle, waits in one queue until there is one, and
 * ends at its deadline at the latest. The engine's and responder's store uses it. */
#include "pg/inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX   16
#define QUEUE_MAX_DEFAULT 100000
#define RETRY_MAX_MS      2000

struct pg {
    struct loop *loop;
    struct pg_target *target;
    void (*on_state)(void *arg, bool up);
    void *arg;
    size_t queue_max;
    struct pg_function *functions; /* owned: those of the options, named once */
    size_t function_count;
    int64_t retry_max_ms;
    struct pg_conn conns[CONNECTIONS_MAX];
    int count, up;
    struct pg_pending_list queue;
    struct pg_pending_list refused; /* the queue was full; they are told by `soon` */
    struct pg_pending_list ended;   /* their callbacks are running */
    struct timer *soon;             /* next pass: refused units, broken connections */
    struct timer *deadline;         /* the earliest known */
    int64_t deadline_at_ms;         /* 0: not running */
    char last_error[PG_TEXT_MAX];
    int inside; /* callbacks on the stack */
    bool closed;
};

struct loop *pg_loop(const struct pg *pg)
{
    return pg->loop;
}

const struct pg_target *pg_target_of(const struct pg *pg)
{
    return pg->target;
}

int64_t pg_retry_max_ms(const struct pg *pg)
{
    return pg->retry_max_ms;
}

void pg_enter(struct pg *pg)
{
    pg->inside++;
}

void pg_leave(struct pg *pg)
{
    if (--pg->inside > 0 || !pg->closed)
        return;
    free(pg->functions);
    free(pg);
}

void pg_end_one(struct pg *pg, struct pg_pending **pending, const struct err *err)
{
    if (*pending == NULL)
        return;
    pg_pending_fail(*pending, err);
    pg_list_push(&pg->ended, *pending);
    *pending = NULL;
}

void pg_end(struct pg *pg, struct pg_pending_list *list, const struct err *err)
{
    for (struct pg_pending *pending; (pending = pg_list_pop(list)) != NULL;)
        pg_end_one(pg, &pending, err);
}

void pg_run_ended(struct pg *pg)
{
    for (struct pg_pending *pending; (pending = pg_list_pop(&pg->ended)) != NULL;)
        pg_pending_finish(pending);
}

/* ---- routing ---- */

static struct pg_conn *idle_conn(struct pg *pg)
{
    for (int i = 0; i < pg->count; i++) {
        struct pg_conn *conn = &pg->conns[i];
        if (conn->state == PG_CONN_UP && !conn->broken && !conn->read_only &&
            conn->in_flight == NULL)
            return conn;
    }
    return NULL;
}

static void dispatch(struct pg *pg)
{
    while (pg->queue.first != NULL) {
        struct pg_conn *conn = idle_conn(pg);
        if (conn == NULL)
            return;
        pg_conn_send(conn, pg_list_pop(&pg->queue));
    }
}

void pg_on_room(struct pg *pg)
{
    if (!pg->closed)
        dispatch(pg);
}

static void arm_deadline(struct pg *pg, int64_t due_ms);

static bool function_fits(const struct pg_function *function, const struct pg_sent *sent, int count)
{
    if (function->lacking || function->count > count)
        return false;
    int same = 0;
    while (same < function->count && function->statements[same] == sent[same].sql)
        same++;
    return same == function->count;
}

struct pg_function *pg_function_of(const struct pg *pg, const struct pg_sent *sent, int count)
{
    for (size_t i = 0; i < pg->function_count; i++)
        if (function_fits(&pg->functions[i], sent, count))
            return &pg->functions[i];
    return NULL;
}

static void name_functions(struct pg *pg, const char *const *const *listed)
{
    while (listed != NULL && listed[pg->function_count] != NULL)
        pg->function_count++;
    pg->functions = xcalloc(pg->function_count + 1, sizeof *pg->functions);
    for (size_t i = 0; i < pg->function_count; i++) {
        struct pg_function *function = &pg->functions[i];
        function->statements = listed[i];
        while (listed[i][function->count] != NULL)
            function->count++;
        pg_function_name(listed[i], function->name);
    }
}

void pg_again(struct pg *pg, struct pg_pending *pending)
{
    pg_pending_reset(pending);
    arm_deadline(pg, pending->due_ms);
    pg_list_push(&pg->queue, pending);
}

void pg_on_up(struct pg *pg)
{
    if (pg->up == 0)
        for (size_t i = 0; i < pg->function_count; i++)
            pg->functions[i].lacking = false; /* the schema may have been migrated meanwhile */
    if (++pg->up == 1 && pg->on_state != NULL)
        pg->on_state(pg->arg, true);
    pg_on_room(pg);
}

void pg_on_down(struct pg *pg)
{
    if (--pg->up == 0 && pg->on_state != NULL && !pg->closed)
        pg->on_state(pg->arg, false);
}

void pg_on_failure(struct pg *pg, const char *why)
{
    pg_first_line(why, pg->last_error);
}

void pg_on_broken(struct pg *pg)
{
    timer_start(pg->soon, 0, 0);
}

static void on_soon(void *arg)
{
    struct pg *pg = arg;
    struct err err;
    pg_enter(pg);
    err_set(&err, ERR_RETRY_LATER, "pg.full", "%zu units wait for the database already",
            pg->queue_max);
    pg_end(pg, &pg->refused, &err);
    pg_run_ended(pg);
    for (int i = 0; i < pg->count && !pg->closed; i++)
        if (pg->conns[i].broken)
            pg_conn_drop(&pg->conns[i], PQerrorMessage(pg->conns[i].db));
    pg_leave(pg);
}

/* ---- deadlines ---- */

/* `pending` and those behind it in its list. */
static int64_t earliest(const struct pg_pending *pending, int64_t best_ms)
{
    for (const struct pg_pending *p = pending; p != NULL; p = p->next)
        if (best_ms == 0 || p->due_ms < best_ms)
            best_ms = p->due_ms;
    return best_ms;
}

/* Sets the timer to `due_ms` unless it runs earlier already. A unit that ends in time leaves the
 * timer as it is: it then fires for nothing, finds the next deadline, and that is cheaper than
 * restarting it with each unit. */
static void arm_deadline(struct pg *pg, int64_t due_ms)
{
    if (due_ms == 0 || (pg->deadline_at_ms != 0 && pg->deadline_at_ms <= due_ms))
        return;
    int64_t delay_ms = due_ms - clock_mono_ms();
    pg->deadline_at_ms = due_ms;
    timer_start(pg->deadline, delay_ms > 1 ? delay_ms : 1, 0);
}

/* Moves the queued units that are due to `expired`. */
static void take_expired(struct pg *pg, int64_t now_ms, struct pg_pending_list *expired)
{
    struct pg_pending_list all = pg->queue;
    pg->queue = (struct pg_pending_list){0};
    for (struct pg_pending *p; (p = pg_list_pop(&all)) != NULL;)
        pg_list_push(p->due_ms <= now_ms ? expired : &pg->queue, p);
}

static void finish_expired(struct pg *pg, struct pg_pending_list *expired)
{
    struct err err;
    if (pg->up > 0)
        err_set(&err, ERR_RETRY_LATER, "pg.deadline", "the database is too busy: never sent");
    else
        err_set(&err, ERR_RETRY_LATER, "pg.down", "no database connection, never sent: %s",
                pg->last_error);
    pg_end(pg, expired, &err);
    pg_run_ended(pg);
}

static void on_deadline(void *arg)
{
    struct pg *pg = arg;
    struct pg_pending_list expired = {0};
    int64_t now_ms = clock_mono_ms(), next_ms;
    pg_enter(pg);
    pg->deadline_at_ms = 0;
    take_expired(pg, now_ms, &expired);
    finish_expired(pg, &expired);
    for (int i = 0; i < pg->count && !pg->closed; i++) {
        int64_t due_ms = earliest(pg->conns[i].in_flight, 0);
        if (due_ms != 0 && due_ms <= now_ms)
            pg_conn_drop(&pg->conns[i], "a unit was not answered before its deadline");
    }
    if (!pg->closed) {
        next_ms = earliest(pg->queue.first, 0);
        for (int i = 0; i < pg->count; i++)
            next_ms = earliest(pg->conns[i].in_flight, next_ms);
        arm_deadline(pg, next_ms);
    }
    pg_leave(pg);
}

/* ---- the public part ---- */

struct pg *pg_new(const struct pg_options *options)
{
    assert(options->connections >= 1 && options->connections <= CONNECTIONS_MAX);
    struct pg *pg = xcalloc(1, sizeof *pg);
    pg->loop = options->loop;
    pg->target = pg_target_new(options->url, options->name);
    pg->on_state = options->on_state;
    pg->arg = options->arg;
    pg->queue_max = options->queue_max > 0 ? options->queue_max : QUEUE_MAX_DEFAULT;
    pg->retry_max_ms = options->retry_max_ms > 0 ? options->retry_max_ms : RETRY_MAX_MS;
    name_functions(pg, options->functions);
    pg->count = options->connections;
    pg->soon = timer_new(pg->loop, on_soon, pg);
    pg->deadline = timer_new(pg->loop, on_deadline, pg);
    pg_first_line("not connected yet", pg->last_error);
    for (int i = 0; i < pg->count; i++)
        pg_conn_init(&pg->conns[i], pg);
    return pg;
}

void pg_free(struct pg **handle)
{
    struct pg *pg = *handle;
    struct err err;
    if (pg == NULL)
        return;
    pg_enter(pg);
    pg->closed = true; /* what callbacks submit from now on only joins the queue */
    err_set(&err, ERR_RETRY_LATER, "pg.closed", "the database connections are being closed");
    for (int i = 0; i < pg->count; i++)
        pg_conn_fini(&pg->conns[i]);
    for (int i = 0; i < pg->count; i++)
        pg_end_one(pg, &pg->conns[i].in_flight, &err);
    pg_end(pg, &pg->refused, &err);
    pg_end(pg, &pg->queue, &err);
    pg_run_ended(pg);
    while (pg->queue.first != NULL) {
        pg_end(pg, &pg->queue, &err);
        pg_run_ended(pg);
    }
    timer_free(&pg->soon);
    timer_free(&pg->deadline);
    pg_target_free(&pg->target);
    *handle = NULL;
    pg_leave(pg);
}

bool pg_is_up(const struct pg *pg)
{
    return pg->up > 0 && !pg->closed;
}

void pg_submit(struct pg *pg, const struct pg_unit *unit)
{
    struct pg_pending *pending = pg_pending_new(unit);
    if (pg->closed) {
        pg_list_push(&pg->queue, pending);
        return;
    }
    if (pg->queue.count >= pg->queue_max) {
        pg_list_push(&pg->refused, pending);
        timer_start(pg->soon, 0, 0);
        return;
    }
    arm_deadline(pg, pending->due_ms);
    pg_list_push(&pg->queue, pending);
    dispatch(pg);
}
