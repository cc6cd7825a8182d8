/* What tenants used, and their budgets, for people: deskctl. Blocking, inside a transaction that
 * schema_begin_as_ops opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_USAGE_ADMIN_H
#define DESK_STORE_USAGE_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "pg/pg.h"
#include "store/usage.h"

#define USAGE_PERIODS_MAX 366

struct usage_row {
    const char *tenant, *period, *since; /* name; "day" or "month"; its first day */
    struct usage_amounts spent, reserved;
    struct usage_amounts budget; /* of the assistant's current version; -1: none */
    int64_t unpriced; /* models of its chain that cost nothing because no price is known */
};

struct usage_query {
    const char *tenant; /* NULL: all */
    const char *period; /* "day", "month"; NULL: both */
    int64_t last;       /* 1-USAGE_PERIODS_MAX: the current period and those before it */
};

/* Rows by tenant, period, and the newest first. The current period is always there, earlier ones
 * when something was used. */
int usage_admin_list(struct pg_session *session, struct arena *arena,
                     const struct usage_query *query, struct usage_row **rows, size_t *count,
                     struct err *err);

/* The share that is spent of the budget that is nearest its end, in per cent; -1: no budget. */
int64_t usage_per_cent(const struct usage_row *row);

#endif
