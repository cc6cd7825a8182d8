/* Worker leases. The engine's and the responder's loops own one each; every other unit of work
 * names its id. */
#include "store/worker.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    struct worker_options options;
    struct pg *pg; /* a connection of its own: renewals never queue behind work */
    struct timer *timer;
    struct arena *arena; /* of the renewal in flight */
    char *process;
    char id[UUID_TEXT_SIZE], pending_id[UUID_TEXT_SIZE];
    char lease_text[24];
    int64_t lease_end_ms, gapless_since_ms, sent_ms;
    bool in_flight;
};

static const char register_sql[] =
    "INSERT INTO workers (id, kind, process, lease_until)"
    " VALUES ($1::uuid, $2::text, $3::text, clock_timestamp() + $4::bigint * interval '1 ms')"
    " ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until WHERE NOT workers.dead"
    " RETURNING 1";

static const char renew_sql[] =
    "UPDATE workers SET lease_until = clock_timestamp() + $2::bigint * interval '1 ms'"
    " WHERE id = $1::uuid AND NOT dead RETURNING 1";

/* Only by one who has half of its own lease left when the statement really runs: a stall of the
 * database that held up everybody's renewal held up this, too. */
static const char mark_dead_sql[] =
    "UPDATE workers SET dead = true WHERE id IN (SELECT id FROM workers"
    " WHERE kind = $1::text AND NOT dead AND lease_until < clock_timestamp()"
    " AND EXISTS (SELECT FROM workers m WHERE m.id = $2::uuid AND NOT m.dead"
    " AND m.lease_until > clock_timestamp() + $3::bigint * interval '0.5 ms')"
    " ORDER BY id FOR UPDATE SKIP LOCKED)";

static const char leases_sql[] =
    "SELECT coalesce(ceil(extract(epoch FROM max(w.lease_until) - clock_timestamp()) * 1000),"
    " 0)::bigint FROM (SELECT x.lease_until FROM workers x WHERE x.kind = $1::text AND NOT x.dead"
    " ORDER BY x.id FOR SHARE) AS w";

/* Dead rather than gone: whatever still names it is then adopted. */
static const char retire_sql[] = "UPDATE workers SET dead = true WHERE id = $1::uuid";

/* Rows of the dead go when nothing names them any more, at the next start of anybody. */
static const char prune_sql[] =
    "DELETE FROM workers w WHERE w.dead AND w.lease_until < clock_timestamp() - interval '1 day'"
    " AND NOT EXISTS (SELECT FROM channel_sessions s"
    " WHERE s.worker = w.id AND s.due_at IS NOT NULL)"
    " AND NOT EXISTS (SELECT FROM deliveries d WHERE d.worker = w.id)";

static void renew(struct worker *self);

/* Our copy of the lease counts from before the statement was sent. */
static void lease_renewed(struct worker *self)
{
    int64_t now = clock_lease_ms();
    if (now >= self->lease_end_ms)
        self->gapless_since_ms = now;
    self->lease_end_ms = self->sent_ms + self->options.lease_ms;
}

static void lost(struct worker *self)
{
    self->id[0] = '\0';
    self->lease_end_ms = 0;
    self->options.on_lost(self->options.arg);
}

static void renewed(void *arg, const struct pg_answer *answer)
{
    struct worker *self = arg;
    self->in_flight = false;
    bool alive = answer->err == NULL && pg_rows(answer->results, 0) == 1;
    bool was_registered = self->id[0] != '\0';
    if (alive && !was_registered) {
        memcpy(self->id, self->pending_id, sizeof self->id);
        lease_renewed(self);
        self->options.on_registered(self->options.arg);
    } else if (alive) {
        lease_renewed(self);
        if (self->options.extended != NULL && answer->count > 1)
            self->options.extended(self->options.arg, answer, 1);
    } else if (answer->err == NULL && was_registered) {
        lost(self);
        renew(self);
    }
}

static void add_register(struct worker *self, struct pg_unit *unit)
{
    struct uuid id = uuid_new();
    uuid_format(&id, self->pending_id);
    struct pg_statement *statement = pg_add(unit, register_sql);
    pg_param(statement, self->pending_id);
    pg_param(statement, self->options.kind);
    pg_param(statement, self->process);
    pg_param(statement, self->lease_text);
    pg_add(unit, prune_sql);
}

static void renew(struct worker *self)
{
    if (self->in_flight)
        return;
    arena_reset(self->arena);
    struct pg_unit unit = {.deadline_ms = self->options.lease_ms, .done = renewed, .arg = self};
    if (self->id[0] == '\0') {
        add_register(self, &unit);
    } else {
        struct pg_statement *statement = pg_add(&unit, renew_sql);
        pg_param(statement, self->id);
        pg_param(statement, self->lease_text);
        if (self->options.extend != NULL)
            self->options.extend(self->options.arg, self->arena, &unit);
    }
    self->in_flight = true;
    self->sent_ms = clock_lease_ms();
    pg_submit(self->pg, &unit);
}

static void on_timer(void *arg)
{
    renew(arg);
}

static void on_state(void *arg, bool up)
{
    if (up)
        renew(arg);
}

struct worker *worker_new(const struct worker_options *options)
{
    struct worker *self = xcalloc(1, sizeof *self);
    self->options = *options;
    self->process = xstrdup(options->process);
    self->arena = arena_new();
    snprintf(self->lease_text, sizeof self->lease_text, "%lld", (long long)options->lease_ms);
    /* After an outage all must have renewed before the first of them, a lease later, adopts: the
     * tries to connect are never further apart than a small part of it. */
    self->pg = pg_new(&(struct pg_options){.loop = options->loop,
                                           .url = options->database_url,
                                           .name = "frontdesk-lease",
                                           .connections = 1,
                                           .functions = statements_frequent(),
                                           .retry_max_ms = options->lease_ms / 8 + 50,
                                           .on_state = on_state,
                                           .arg = self});
    self->timer = timer_new(options->loop, on_timer, self);
    timer_start(self->timer, 0, options->lease_ms / 4 > 0 ? options->lease_ms / 4 : 1);
    return self;
}

void worker_free(struct worker **worker)
{
    struct worker *self = *worker;
    if (self == NULL)
        return;
    timer_free(&self->timer);
    self->options.extended = NULL;
    self->in_flight = true; /* no further renewal from the callbacks of pg_free */
    pg_free(&self->pg);
    arena_free(&self->arena);
    free(self->process);
    free(self);
    *worker = NULL;
}

const char *worker_id(const struct worker *worker)
{
    return worker->id;
}

int64_t worker_lease_left_ms(const struct worker *worker)
{
    return worker->id[0] == '\0' ? 0 : worker->lease_end_ms - clock_lease_ms();
}

int worker_leases_left(struct pg_session *session, const char *kind, int64_t *left_ms,
                       struct err *err)
{
    const struct pg_statement statement = {.sql = leases_sql, .params = {kind}, .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *left_ms = pg_int(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

bool worker_may_adopt(const struct worker *worker)
{
    return worker_lease_left_ms(worker) > 0 &&
           clock_lease_ms() - worker->gapless_since_ms >= worker->options.lease_ms;
}

void worker_add_mark_dead(struct pg_unit *unit, struct arena *arena, const char *kind,
                          const char *id, int64_t lease_ms)
{
    struct pg_statement *statement = pg_add(unit, mark_dead_sql);
    pg_param(statement, kind);
    pg_param(statement, id);
    pg_param(statement, arena_printf(arena, "%lld", (long long)lease_ms));
}

void worker_add_retire(struct pg_unit *unit, const char *id)
{
    pg_param(pg_add(unit, retire_sql), id);
}

const char *const worker_statements[] = {renew_sql, mark_dead_sql, NULL};
