/* One connection: connects without blocking, sends a unit as one pipeline, reads its results,
 * and when anything is wrong throws the PGconn away and tries again with jittered back-off (PQreset
 * would block). Driven by its watch and its timer; used by the pool in pg.c.
 *
 * libpq 15 pushes its buffer to the socket in every PQpipelineSync, so a unit leaves at once and
 * there is no flush to batch; PQflush here only tells whether something is left over. */
#include "pg/inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BACKOFF_MIN_MS 50
#define STABLE_MS      5000 /* a connection that lived this long was a good one */

static void on_timer(void *arg);
static void on_connecting(void *arg, int events);
static void on_ready(void *arg, int events);

/* ---- states ---- */

enum event {
    EVENT_LOOKUP,  /* a try begins with the look-up of names */
    EVENT_CONNECT, /* addresses are there */
    EVENT_UP,
    EVENT_GONE, /* a try failed, a connection is lost or closed */
    EVENTS
};

#define NEVER PG_CONN_STATES

static const enum pg_conn_state next_state[PG_CONN_STATES][EVENTS] = {
    /* lookup, connect, up, gone */
    [PG_CONN_WAITING] = {PG_CONN_LOOKUP, PG_CONN_CONNECTING, NEVER, PG_CONN_WAITING},
    [PG_CONN_LOOKUP] = {NEVER, PG_CONN_CONNECTING, NEVER, PG_CONN_WAITING},
    [PG_CONN_CONNECTING] = {NEVER, NEVER, PG_CONN_UP, PG_CONN_WAITING},
    [PG_CONN_UP] = {NEVER, NEVER, NEVER, PG_CONN_WAITING},
};

/* The one place where a state changes. */
static void change(struct pg_conn *conn, enum event event)
{
    enum pg_conn_state next = next_state[conn->state][event];
    assert(next != NEVER);
    conn->state = next;
}

/* ---- connecting ---- */

/* Between half and all of the back-off, so that many clients of a restarted server spread. */
static int64_t jitter(int64_t delay_ms)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        abort();
    return delay_ms / 2 + random % (delay_ms / 2 + 1);
}

/* Back to nothing, and a timer for the next try. */
static void wait_for_retry(struct pg_conn *conn)
{
    pg_lookup_free(&conn->lookup);
    watch_free(&conn->watch);
    PQfinish(conn->db); /* accepts NULL */
    conn->db = NULL;
    change(conn, EVENT_GONE);
    conn->broken = conn->read_only = false;
    timer_start(conn->timer, jitter(conn->backoff_ms), 0);
    conn->backoff_ms *= 2;
    if (conn->backoff_ms > pg_retry_max_ms(conn->pg))
        conn->backoff_ms = pg_retry_max_ms(conn->pg);
}

static void fail(struct pg_conn *conn, const char *why)
{
    char copy[PG_TEXT_MAX]; /* `why` may lie in the PGconn that goes */
    pg_first_line(why, copy);
    conn->failures++;
    wait_for_retry(conn);
    pg_on_failure(conn->pg, copy);
}

static void come_up(struct pg_conn *conn)
{
    if (PQsetnonblocking(conn->db, 1) != 0 || PQenterPipelineMode(conn->db) != 1) {
        fail(conn, PQerrorMessage(conn->db));
        return;
    }
    timer_stop(conn->timer);
    change(conn, EVENT_UP);
    conn->failures = 0;
    conn->up_since_ms = clock_mono_ms();
    conn->watch = watch_new(pg_loop(conn->pg), PQsocket(conn->db), on_ready, conn);
    watch_set(conn->watch, WATCH_READ);
    pg_on_up(conn->pg);
}

/* libpq may close its socket and open another with the same number while it connects, so the watch
 * is made anew around each step. */
static void connect_step(struct pg_conn *conn)
{
    watch_free(&conn->watch);
    PostgresPollingStatusType next = PQconnectPoll(conn->db);
    if (next == PGRES_POLLING_OK) {
        come_up(conn);
    } else if (next == PGRES_POLLING_FAILED) {
        fail(conn, PQerrorMessage(conn->db));
    } else {
        conn->watch = watch_new(pg_loop(conn->pg), PQsocket(conn->db), on_connecting, conn);
        watch_set(conn->watch, next == PGRES_POLLING_READING ? WATCH_READ : WATCH_WRITE);
    }
}

static void on_connecting(void *arg, int events)
{
    struct pg_conn *conn = arg;
    struct pg *pg = conn->pg;
    (void)events;
    pg_enter(pg);
    connect_step(conn);
    pg_leave(pg);
}

static void start_connect(struct pg_conn *conn)
{
    char why[PG_TEXT_MAX];
    change(conn, EVENT_CONNECT);
    conn->db = pg_target_connect(pg_target_of(conn->pg), conn->lookup, conn->failures, why);
    pg_lookup_free(&conn->lookup);
    if (conn->db == NULL) {
        fail(conn, why);
        return;
    }
    conn->watch = watch_new(pg_loop(conn->pg), PQsocket(conn->db), on_connecting, conn);
    watch_set(conn->watch, WATCH_WRITE); /* as the manual wants before the first poll */
}

static void on_lookup(void *arg)
{
    struct pg_conn *conn = arg;
    struct pg *pg = conn->pg;
    pg_enter(pg);
    start_connect(conn);
    pg_leave(pg);
}

static void try_once(struct pg_conn *conn)
{
    const struct pg_target *target = pg_target_of(conn->pg);
    timer_start(conn->timer, pg_target_timeout_ms(target), 0);
    if (!pg_target_has_names(target)) {
        start_connect(conn);
        return;
    }
    change(conn, EVENT_LOOKUP);
    conn->lookup = pg_lookup_start(target, pg_loop(conn->pg), on_lookup, conn);
    if (conn->lookup == NULL)
        fail(conn, "no descriptor left");
}

static void on_timer(void *arg)
{
    struct pg_conn *conn = arg;
    struct pg *pg = conn->pg;
    pg_enter(pg);
    if (conn->state == PG_CONN_WAITING)
        try_once(conn);
    else if (conn->state != PG_CONN_UP)
        fail(conn, conn->state == PG_CONN_LOOKUP ? "the name look-up timed out"
                                                 : "the connect timed out");
    pg_leave(pg);
}

void pg_conn_init(struct pg_conn *conn, struct pg *pg)
{
    *conn = (struct pg_conn){.pg = pg, .backoff_ms = BACKOFF_MIN_MS};
    conn->timer = timer_new(pg_loop(pg), on_timer, conn);
    timer_start(conn->timer, 0, 0);
}

void pg_conn_fini(struct pg_conn *conn)
{
    pg_lookup_free(&conn->lookup);
    watch_free(&conn->watch);
    timer_free(&conn->timer);
    PQfinish(conn->db);
    conn->db = NULL;
    change(conn, EVENT_GONE);
}

/* ---- sending ---- */

/* How many statements one result answers. */
static int answered_by(const struct pg_sent *sent)
{
    return sent->function != NULL ? sent->function->count : 1;
}

static bool send_statement(struct pg_conn *conn, struct pg_sent *sent, int left)
{
    char call[PG_FUNCTION_CALL_SIZE];
    const char *text = sent->sql;
    int params = 0;
    sent->function = pg_function_of(conn->pg, sent, left);
    for (int i = 0; i < answered_by(sent); i++)
        params += sent[i].param_count;
    if (sent->function != NULL) {
        pg_function_call(sent->function->name, params, call);
        text = call;
    }
    return PQsendQueryParams(conn->db, text, params, NULL, sent->params, NULL, NULL, 0) == 1;
}

void pg_conn_send(struct pg_conn *conn, struct pg_pending *pending)
{
    bool sent = true;
    for (int i = 0; i < pending->count && sent; i += answered_by(&pending->sent[i]))
        sent = send_statement(conn, &pending->sent[i], pending->count - i);
    if (sent && pending->early != NULL)
        sent = PQsendFlushRequest(conn->db) == 1; /* the results leave before the commit's fsync */
    sent = sent && PQpipelineSync(conn->db) == 1;
    int left = sent ? PQflush(conn->db) : -1;
    pending->next = NULL; /* it may come from a list */
    conn->in_flight = pending;
    if (left >= 0) {
        watch_set(conn->watch, left > 0 ? WATCH_READ | WATCH_WRITE : WATCH_READ);
        return;
    }
    conn->broken = true;
    pg_on_broken(conn->pg);
}

/* ---- reading ---- */

void pg_conn_drop(struct pg_conn *conn, const char *why)
{
    struct err err;
    char copy[PG_TEXT_MAX];
    struct pg *pg = conn->pg;
    pg_first_line(why, copy);
    err_set(&err, ERR_RETRY_LATER, "pg.lost", "connection lost, outcome unknown: %s", copy);
    if (clock_mono_ms() - conn->up_since_ms >= STABLE_MS)
        conn->backoff_ms = BACKOFF_MIN_MS;
    wait_for_retry(conn);
    pg_end_one(pg, &conn->in_flight, &err);
    pg_on_failure(pg, copy);
    pg_on_down(pg);
    pg_run_ended(pg);
}

static bool is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity == NULL) /* made by libpq itself: the connection is gone */
        return true;
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

/* Keeps the first error of the unit; those behind it only say "aborted". */
static void note_error(struct pg_conn *conn, struct pg_pending *pending, const PGresult *result)
{
    struct err err;
    if (pending->err != NULL)
        return;
    pg_err_from_result(result, pending->got, &err);
    pg_pending_fail(pending, &err);
    pending->failed = pending->got;
    if (strcmp(err.code, "pg.25006") == 0)
        conn->read_only = true;
}

/* The database has no such function, or one of before a migration changed a column's type, or one
 * that we may not call: the text itself is sent then, and tells if the trouble is another. */
static bool is_function_trouble(const struct pg_pending *pending)
{
    return pending->err != NULL && pending->failed < pending->count &&
           pending->sent[pending->failed].function != NULL &&
           strncmp(pending->err->code, "pg.42", strlen("pg.42")) == 0;
}

static void finish(struct pg_conn *conn)
{
    struct pg_pending *pending = conn->in_flight;
    struct err err;
    conn->in_flight = NULL;
    conn->backoff_ms = BACKOFF_MIN_MS;
    if (is_function_trouble(pending)) {
        pending->sent[pending->failed].function->lacking = true;
        pg_again(conn->pg, pending);
        return;
    }
    if (pending->err == NULL && pending->got != pending->count) {
        err_set(&err, ERR_BUG, "pg.results", "%d results for %d statements", pending->got,
                pending->count);
        pg_pending_fail(pending, &err);
    }
    pg_pending_finish(pending);
}

/* The last statement that a result answers has its rows, those before it have none. */
static void keep_result(struct pg_conn *conn, struct pg_pending *pending, PGresult *result)
{
    for (int left = answered_by(&pending->sent[pending->got]); left > 1; left--)
        pending->results[pending->got++].native = PQmakeEmptyPGresult(conn->db, PGRES_COMMAND_OK);
    pending->results[pending->got++].native = result;
    if (pending->got == pending->count && pending->err == NULL)
        pg_pending_tell_early(pending);
}

/* Takes one result of the unit in flight. False: the connection is of no more use; *why says so. */
static bool take_result(struct pg_conn *conn, PGresult *result, char why[PG_TEXT_MAX])
{
    struct pg_pending *pending = conn->in_flight;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        finish(conn);
        if (conn->read_only)
            pg_first_line("the server is read-only", why);
        return !conn->read_only;
    }
    if (status == PGRES_FATAL_ERROR && !is_fatal(result)) {
        note_error(conn, pending, result);
    } else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
               status != PGRES_EMPTY_QUERY && status != PGRES_PIPELINE_ABORTED) {
        /* The server's last words; or COPY, which no unit may hold and which would never end. */
        const char *text = PQresultErrorMessage(result);
        pg_first_line(text[0] != '\0' ? text : PQresStatus(status), why);
        PQclear(result);
        return false;
    }
    /* An error of the commit itself comes after the last statement's result. */
    if (pending->got == pending->count) {
        PQclear(result);
        return true;
    }
    keep_result(conn, pending, result);
    return true;
}

/* Hands over what has arrived. False: drop the connection. A NULL separates statements; a second
 * one in a row means that libpq has nothing more for now. */
static bool read_results(struct pg_conn *conn, char why[PG_TEXT_MAX])
{
    int nulls = 0;
    while (conn->state == PG_CONN_UP && conn->in_flight != NULL && nulls < 2 &&
           PQisBusy(conn->db) == 0) {
        PGresult *result = PQgetResult(conn->db);
        if (result == NULL) {
            nulls++;
            continue;
        }
        nulls = 0;
        if (!take_result(conn, result, why))
            return false;
    }
    return true;
}

/* A callback may have dropped or freed the connection: its state is looked at again each time. */
static void pump(struct pg_conn *conn)
{
    char why[PG_TEXT_MAX] = "";
    bool readable = PQconsumeInput(conn->db) == 1;
    bool good = read_results(conn, why); /* also what came before the end */
    if (conn->state != PG_CONN_UP)
        return;
    int left = good && readable && PQstatus(conn->db) == CONNECTION_OK ? PQflush(conn->db) : -1;
    if (left < 0) {
        pg_conn_drop(conn, why[0] != '\0' ? why : PQerrorMessage(conn->db));
        return;
    }
    watch_set(conn->watch, left > 0 ? WATCH_READ | WATCH_WRITE : WATCH_READ);
    pg_on_room(conn->pg);
}

static void on_ready(void *arg, int events)
{
    struct pg_conn *conn = arg;
    struct pg *pg = conn->pg;
    (void)events;
    pg_enter(pg);
    pump(conn);
    pg_leave(pg);
}
