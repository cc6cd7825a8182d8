/* PostgreSQL through libpq: a few non-blocking connections on a loop, each with one unit in flight
 * (docs/adr/0002).
 *
 * A *unit* is one or more statements sent as one pipeline with one sync: the server runs it as one
 * transaction, each statement with a snapshot of its own (READ COMMITTED), so a first statement
 * that locks and a second that reads and writes see what the lock waited for. Statements are
 * unnamed and parameters are text: it works through PgBouncer's transaction pooling and on Neon.
 *
 * All calls and callbacks on the loop's thread. */
#ifndef DESK_PG_PG_H
#define DESK_PG_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "loop/loop.h"

struct pg;

struct pg_options {
    struct loop *loop;
    const char *url;  /* libpq URI or conninfo; copied */
    const char *name; /* application_name */
    int connections;  /* 1-16 */
    size_t queue_max; /* units waiting beyond that before RETRY_LATER "pg.full"; 0: 100,000 */
    /* What is called as the functions that pg_session_define made of it (NULL-terminated, static):
     * each a statement, or several that follow each other in units and of which only the last one's
     * rows are read; NULL-terminated as well. The first that fits counts. The text is sent where
     * the database has none. NULL: none. */
    const char *const *const *functions;
    int64_t retry_max_ms; /* longest pause between two tries to connect, at least 50; 0: 2,000 */
    /* The pool lost its last or got its first working connection; may be NULL. */
    void (*on_state)(void *arg, bool up);
    void *arg;
};

/* Starts connecting in the background (and reconnecting for ever, with jittered pauses from 50 ms
 * to retry_max_ms). Returns owned. */
struct pg *pg_new(const struct pg_options *options);

/* Drops the connections; units in flight end with RETRY_LATER "pg.closed" (their callbacks run
 * inside). Sets to NULL; accepts NULL. */
void pg_free(struct pg **pg);

/* True while at least one connection works. */
bool pg_is_up(const struct pg *pg);

/* ---- units ---- */
#define PG_STATEMENTS_MAX 24
#define PG_PARAMS_MAX     40

struct pg_statement {
    const char *sql;                   /* static text with $1.. and explicit casts */
    const char *params[PG_PARAMS_MAX]; /* text form; NULL is SQL NULL; live until the callback */
    int param_count;
};

/* The code of a unit that waited too long for somebody's lock (SQLSTATE 55P03, lock_timeout). */
#define PG_LOCKED "pg.55P03"

struct pg_result; /* one statement's rows */

struct pg_answer {
    const struct err *err;           /* NULL: committed, every statement answered. "pg.lost":
                                        RETRY_LATER, connection died, outcome unknown; "pg.down": not
                                        sent; else the SQLSTATE as code "pg.40P01" with its class */
    const struct pg_result *results; /* one per statement when err is NULL; without rows where a
                                        function ran several, but for the last of them */
    int count;
};

struct pg_unit {
    struct pg_statement statements[PG_STATEMENTS_MAX];
    int count;
    int64_t deadline_ms; /* from submit; past it while queued: RETRY_LATER "pg.deadline"; past it in
                            flight: the connection is dropped, "pg.lost". 0: 10,000 */
    /* Called once the last statement is answered, before the unit is committed, with all results;
       `done` follows in any case, perhaps with an error: nothing of it may have an effect that a
       rollback would make wrong. Not called where a statement fails. NULL: the server tells all at
       once. */
    void (*early)(void *arg, const struct pg_answer *answer);
    void (*done)(void *arg, const struct pg_answer *answer);
    void *arg;
};

/* Adds a statement; returns it so that params can be set. Asserts the maximum. */
struct pg_statement *pg_add(struct pg_unit *unit, const char *sql);

/* Appends one parameter (text form, NULL allowed; borrowed until done). */
void pg_param(struct pg_statement *statement, const char *text);

/* Submits (copies the unit's frame, borrows its texts until done). Never calls back from inside.
 * Order of execution between units is not promised. */
void pg_submit(struct pg *pg, const struct pg_unit *unit);

/* ---- reading results; row and column from 0 ---- */
int pg_rows(const struct pg_result *results, int statement);
bool pg_is_null(const struct pg_result *results, int statement, int row, int column);
/* Borrowed until the callback returns; "" for NULL. */
const char *pg_text(const struct pg_result *results, int statement, int row, int column);
int64_t pg_int(const struct pg_result *results, int statement, int row,
               int column); /* 0 for NULL */
bool pg_bool(const struct pg_result *results, int statement, int row, int column);
/* The nil id for NULL or a malformed value. */
struct uuid pg_uuid(const struct pg_result *results, int statement, int row, int column);
/* Rows an INSERT/UPDATE/DELETE touched. */
int64_t pg_affected(const struct pg_result *results, int statement);

/* ---- array literals for unnest($n::text[]) ---- */
struct pg_array {
    struct strbuf text; /* private */
    size_t count;
};
void pg_array_init(struct pg_array *array);
void pg_array_fini(struct pg_array *array);
void pg_array_add(struct pg_array *array, const char *text); /* NULL adds SQL NULL */
void pg_array_add_int(struct pg_array *array, int64_t value);
void pg_array_add_bool(struct pg_array *array, bool value);
void pg_array_add_uuid(struct pg_array *array, const struct uuid *id);
/* The literal "{...}", borrowed until the next call on the array; copy it into the unit's arena
 * with pg_array_take. */
const char *pg_array_take(struct pg_array *array, struct arena *arena);

/* Decodes a one-dimensional text[] literal into arena copies; PERMANENT on nonsense. */
int pg_array_decode(struct arena *arena, const char *literal, const char ***items, size_t *count,
                    struct err *err);

/* ---- blocking, for deskctl: one connection, explicit transactions allowed ---- */
struct pg_session;
int pg_session_open(const char *url, const char *name, struct pg_session **session,
                    struct err *err);
void pg_session_close(struct pg_session **session);

/* Runs one parameterised statement; *result owned (pg_result_free) and read with index 0. */
int pg_session_query(struct pg_session *session, const struct pg_statement *statement,
                     struct pg_result **result, struct err *err);

/* The same where it counts only how many rows there are. */
int pg_session_count(struct pg_session *session, const struct pg_statement *statement, int *rows,
                     struct err *err);

/* Runs a script of several statements without parameters (migrations). */
int pg_session_script(struct pg_session *session, const char *sql, struct err *err);
void pg_result_free(struct pg_result **result);

/* Makes a function of the statements (NULL-terminated), so that pools with `functions` need not
 * have them planned each time (pg/function.c); nothing if it is there. As owner. The last one must
 * not return a column without a type of its own (void); one before it that returns rows begins with
 * SELECT; together they have PG_FUNCTION_PARAMS_MAX parameters. */
#define PG_FUNCTION_PARAMS_MAX 100 /* PostgreSQL's FUNC_MAX_ARGS */
int pg_session_define(struct pg_session *session, const char *const *statements, struct err *err);

/* Drops all functions but those kept. */
int pg_session_drop_functions(struct pg_session *session, const char *const *const *kept,
                              size_t count, struct err *err);
int pg_columns(const struct pg_result *results, int statement);

#endif
