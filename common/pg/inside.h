/* What the files of this folder share. Private to common/pg: nobody else includes it or libpq.
 *
 * target.c turns the URL into libpq options and resolves names off the loop; conn.c is one
 * pipelined connection; pg.c is the pool: queue, routing, deadlines; unit.c is a unit on its way.
 */
#ifndef DESK_PG_INSIDE_H
#define DESK_PG_INSIDE_H

#include <libpq-fe.h>

#include "pg/pg.h"

#define PG_TEXT_MAX 200 /* of a reason inside an error message */

/* ---- results ---- */
struct pg_result {
    PGresult *native;
};

/* Fills *err from a failed result; `index` is the statement's place in its unit. */
void pg_err_from_result(const PGresult *result, int index, struct err *err);

/* The class of an SQLSTATE. */
enum err_class pg_sqlstate_class(const char *sqlstate);

/* Copies the first line of a libpq message, without its prefix and newline. */
void pg_first_line(const char *message, char out[PG_TEXT_MAX]);

/* Ignores notices; libpq would print them. */
void pg_ignore_notice(void *arg, const PGresult *result);

/* ---- statements as functions ---- */
#define PG_FUNCTION_PREFIX    "desk_statement" /* then "_", or "s_" where there are several */
#define PG_FUNCTION_NAME_SIZE 34
#define PG_FUNCTION_CALL_SIZE (64 + 5 * PG_FUNCTION_PARAMS_MAX)

/* The function's name for statements (it reads all of their texts), and the call of that function
 * with so many parameters. */
void pg_function_name(const char *const *statements, char name[PG_FUNCTION_NAME_SIZE]);
void pg_function_call(const char *name, int params, char call[PG_FUNCTION_CALL_SIZE]);

/* What types a statement takes and returns. *described is owned (PQclear). */
struct pg_session;
int pg_session_describe(struct pg_session *session, const char *sql, PGresult **described,
                        struct err *err);

/* ---- a unit on its way ---- */
struct pg_function {
    const char *const *statements;
    int count;
    char name[PG_FUNCTION_NAME_SIZE];
    bool lacking; /* this database has it not */
};

struct pg_sent {
    const char *sql;
    const char **params; /* those of the statement behind it follow */
    int param_count;
    struct pg_function *function; /* that was called for this and those behind it; NULL: the text */
};

struct pg_pending {
    struct pg_pending *next;
    void (*early)(void *arg, const struct pg_answer *answer); /* or NULL */
    void (*done)(void *arg, const struct pg_answer *answer);
    void *arg;
    int64_t due_ms;            /* monotonic */
    struct err *err;           /* first failure, owned */
    int count, got;            /* statements; of them answered */
    int failed;                /* which one, when err came from the server */
    struct pg_sent *sent;      /* count of them */
    struct pg_result *results; /* count of them */
};

struct pg_pending_list {
    struct pg_pending *first, *last;
    size_t count;
};

/* Returns an owned compact copy; the texts stay borrowed. */
struct pg_pending *pg_pending_new(const struct pg_unit *unit);

/* Sets the error, in place of an earlier one. */
void pg_pending_fail(struct pg_pending *pending, const struct err *err);

/* As if it had never been sent. */
void pg_pending_reset(struct pg_pending *pending);

/* Tells whoever asked for it that all statements are answered, which they are. */
void pg_pending_tell_early(const struct pg_pending *pending);

/* Calls back, with the error if there is one, and frees. */
void pg_pending_finish(struct pg_pending *pending);

void pg_list_push(struct pg_pending_list *list, struct pg_pending *pending);
struct pg_pending *pg_list_pop(struct pg_pending_list *list);

/* ---- where to connect ---- */
struct pg_target;

/* Returns owned; a URL that does not parse makes every connect fail. */
struct pg_target *pg_target_new(const char *url, const char *name);
void pg_target_free(struct pg_target **target);
int64_t pg_target_timeout_ms(const struct pg_target *target);

/* True if a host is a name, so that connecting needs a look-up first. */
bool pg_target_has_names(const struct pg_target *target);

/* Starts connecting. `lookup` is NULL or finished; `skip` rotates the addresses, so that one that
 * does not answer is not first each time. Returns owned or NULL with the reason. */
struct pg_lookup;
PGconn *pg_target_connect(const struct pg_target *target, const struct pg_lookup *lookup,
                          unsigned skip, char why[PG_TEXT_MAX]);

/* The same, blocking, by libpq itself. */
PGconn *pg_target_connect_blocking(const struct pg_target *target);

/* Resolves the target's names on a thread; then fn(arg) on the loop. Returns owned, or NULL when no
 * descriptor is left. */
struct pg_lookup *pg_lookup_start(const struct pg_target *target, struct loop *loop,
                                  void (*fn)(void *arg), void *arg);

/* Frees; fn is not called any more. A thread still inside getaddrinfo ends by itself. */
void pg_lookup_free(struct pg_lookup **lookup);

/* Address `index` of host `host`, NULL behind the last. */
const char *pg_lookup_address(const struct pg_lookup *lookup, int host, int index);

/* What the last failed name said, "" if none failed. */
const char *pg_lookup_error(const struct pg_lookup *lookup);

/* Number of hosts of the target and their names; a borrowed NULL entry is not a name. */
int pg_target_hosts(const struct pg_target *target);
const char *pg_target_name(const struct pg_target *target, int host);

/* ---- one connection ---- */
enum pg_conn_state {
    PG_CONN_WAITING, /* for the next try */
    PG_CONN_LOOKUP,
    PG_CONN_CONNECTING,
    PG_CONN_UP,
    PG_CONN_STATES
};

struct pg_conn {
    struct pg *pg; /* borrowed */
    enum pg_conn_state state;
    PGconn *db;
    struct watch *watch;
    struct timer *timer; /* WAITING: until the next try; before UP: limit of the try */
    struct pg_lookup *lookup;
    struct pg_pending *in_flight; /* NULL: idle */
    int64_t backoff_ms, up_since_ms;
    unsigned failures;      /* tries since it was up, for the address rotation */
    bool broken, read_only; /* to be dropped: a send failed; the server refuses writes */
};

void pg_conn_init(struct pg_conn *conn, struct pg *pg);
void pg_conn_fini(struct pg_conn *conn);

/* Sends the unit (takes it); on failure marks the connection broken. Never calls back. */
void pg_conn_send(struct pg_conn *conn, struct pg_pending *pending);

/* Closes and schedules the next try; units in flight end as lost. Calls back. */
void pg_conn_drop(struct pg_conn *conn, const char *why);

/* ---- the pool, as its connections see it ---- */
struct loop *pg_loop(const struct pg *pg);
const struct pg_target *pg_target_of(const struct pg *pg);
int64_t pg_retry_max_ms(const struct pg *pg);

/* The function that is called for the first of these statements, and perhaps some behind it; NULL:
 * its text is sent. */
struct pg_function *pg_function_of(const struct pg *pg, const struct pg_sent *sent, int count);

/* Sends the unit again: nothing of it happened. */
void pg_again(struct pg *pg, struct pg_pending *pending);

/* Around everything that may call back: pg_free inside only takes effect after the last leave. */
void pg_enter(struct pg *pg);
void pg_leave(struct pg *pg);

/* Fails all units of the list, which is emptied, or the one in *pending, which becomes NULL;
 * pg_run_ended calls them back. A pg_free inside one callback still reaches the others. */
void pg_end_one(struct pg *pg, struct pg_pending **pending, const struct err *err);
void pg_end(struct pg *pg, struct pg_pending_list *list, const struct err *err);
void pg_run_ended(struct pg *pg);

/* A connection came up, went down, failed to connect, has room again, or broke while sending. */
void pg_on_up(struct pg *pg);
void pg_on_down(struct pg *pg);
void pg_on_failure(struct pg *pg, const char *why);
void pg_on_room(struct pg *pg);
void pg_on_broken(struct pg *pg);

#endif
