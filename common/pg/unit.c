/* A unit on its way: one compact block that holds the frame (a struct pg_unit is 5 KiB, most of it
 * empty), the results as they come, and the call back at its end. Used by the pool and by its
 * connections. */
#include "pg/inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_DEFAULT_MS 10000

struct pg_statement *pg_add(struct pg_unit *unit, const char *sql)
{
    assert(unit->count < PG_STATEMENTS_MAX);
    struct pg_statement *statement = &unit->statements[unit->count++];
    statement->sql = sql;
    statement->param_count = 0;
    return statement;
}

void pg_param(struct pg_statement *statement, const char *text)
{
    assert(statement->param_count < PG_PARAMS_MAX);
    statement->params[statement->param_count++] = text;
}

struct pg_pending *pg_pending_new(const struct pg_unit *unit)
{
    assert(unit->count > 0 && unit->count <= PG_STATEMENTS_MAX && unit->done != NULL);
    size_t count = (size_t)unit->count, params = 0;
    for (size_t i = 0; i < count; i++)
        params += (size_t)unit->statements[i].param_count;
    struct pg_pending *pending =
        xcalloc(1, sizeof *pending + count * (sizeof *pending->sent + sizeof *pending->results) +
                       params * sizeof(const char *));
    pending->early = unit->early;
    pending->done = unit->done;
    pending->arg = unit->arg;
    pending->count = unit->count;
    pending->due_ms =
        clock_mono_ms() + (unit->deadline_ms > 0 ? unit->deadline_ms : DEADLINE_DEFAULT_MS);
    pending->sent = (struct pg_sent *)(pending + 1);
    pending->results = (struct pg_result *)(pending->sent + count);
    const char **next = (const char **)(pending->results + count);
    for (size_t i = 0; i < count; i++) {
        const struct pg_statement *from = &unit->statements[i];
        size_t n = (size_t)from->param_count;
        pending->sent[i] = (struct pg_sent){from->sql, next, from->param_count, NULL};
        memcpy(next, from->params, n * sizeof *next);
        next += n;
    }
    return pending;
}

void pg_pending_fail(struct pg_pending *pending, const struct err *err)
{
    if (pending->err == NULL)
        pending->err = xmalloc(sizeof *pending->err);
    *pending->err = *err;
}

void pg_pending_reset(struct pg_pending *pending)
{
    for (int i = 0; i < pending->got; i++)
        PQclear(pending->results[i].native);
    free(pending->err);
    pending->err = NULL;
    pending->got = 0;
}

void pg_pending_tell_early(const struct pg_pending *pending)
{
    if (pending->early != NULL)
        pending->early(pending->arg,
                       &(struct pg_answer){.results = pending->results, .count = pending->count});
}

void pg_pending_finish(struct pg_pending *pending)
{
    struct pg_answer answer = {.err = pending->err};
    if (answer.err == NULL) {
        answer.results = pending->results;
        answer.count = pending->count;
    }
    pending->done(pending->arg, &answer);
    for (int i = 0; i < pending->got; i++)
        PQclear(pending->results[i].native);
    free(pending->err);
    free(pending);
}

void pg_list_push(struct pg_pending_list *list, struct pg_pending *pending)
{
    pending->next = NULL;
    if (list->last != NULL)
        list->last->next = pending;
    else
        list->first = pending;
    list->last = pending;
    list->count++;
}

struct pg_pending *pg_list_pop(struct pg_pending_list *list)
{
    struct pg_pending *pending = list->first;
    if (pending == NULL)
        return NULL;
    list->first = pending->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    return pending;
}
