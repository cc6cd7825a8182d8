/* `deskctl usage`: what tenants used of their budgets. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "command.h"
#include "store/usage_admin.h"

static const struct table_column columns[] = {
    {"tenant", TABLE_TEXT}, {"period", TABLE_TEXT},  {"since", TABLE_TEXT}, {"unit", TABLE_TEXT},
    {"spent", TABLE_INT},   {"reserved", TABLE_INT}, {"budget", TABLE_INT}, {"per_cent", TABLE_INT},
};

static const char *number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%" PRId64, value);
}

/* Billionths of a dollar as dollars, to a ten-thousandth. */
static const char *dollars(struct arena *arena, int64_t cost)
{
    const int64_t parts = cost / 100000 + (cost % 100000 >= 50000);
    return arena_printf(arena, "%" PRId64 ".%04" PRId64, parts / 10000, parts % 10000);
}

static void add_unit(struct table *table, struct arena *arena, const struct usage_row *row,
                     const char *unit, const int64_t amounts[3])
{
    const char *(*const print)(struct arena *, int64_t) =
        strcmp(unit, "dollars") == 0 ? dollars : number;
    const int64_t spent = amounts[0], reserved = amounts[1], budget = amounts[2];
    const char *cells[] = {row->tenant,
                           row->period,
                           row->since,
                           unit,
                           print(arena, spent),
                           print(arena, reserved),
                           budget > 0 ? print(arena, budget) : NULL,
                           budget > 0 ? number(arena, spent * 100 / budget) : NULL};
    table_add(table, cells);
}

static void add_row(struct table *table, struct arena *arena, const struct usage_row *row)
{
    const int64_t tokens[] = {row->spent.tokens, row->reserved.tokens, row->budget.tokens};
    const int64_t cost[] = {row->spent.cost, row->reserved.cost, row->budget.cost};
    const int64_t segments[] = {row->spent.segments, row->reserved.segments, row->budget.segments};
    add_unit(table, arena, row, "tokens", tokens);
    add_unit(table, arena, row, "dollars", cost);
    add_unit(table, arena, row, "segments", segments);
}

static int run_usage(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct usage_row *rows = NULL;
    struct err err;
    size_t count = 0;
    const bool day = words_option(words, "day") != NULL;
    const bool month = words_option(words, "month") != NULL;
    const char *last = words_option(words, "last");
    struct usage_query query = {.tenant = words_option(words, "tenant"),
                                .period = day == month ? NULL
                                          : day        ? "day"
                                                       : "month",
                                .last = 1};
    if (last != NULL && !text_parse_int(last, 1, USAGE_PERIODS_MAX, &query.last))
        return desk_usage("--last must be a number from 1 to %d", USAGE_PERIODS_MAX);
    if (desk_begin(desk, &session, &err) != 0 ||
        usage_admin_list(session, desk->arena, &query, &rows, &count, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_rollback(desk);
    if (count == 0 && query.tenant != NULL) {
        err_set(&err, ERR_PERMANENT, "tenant.not_found",
                "there is no tenant \"%.60s\"; `deskctl tenant list` shows all", query.tenant);
        return desk_fail(&err);
    }
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++)
        add_row(table, desk->arena, &rows[i]);
    return desk_print_table(desk, table, "there is no tenant");
}

static const struct option usage_options[] = {
    {"tenant", "NAME", "only of this tenant"},
    {"day", NULL, "only days"},
    {"month", NULL, "only months"},
    {"last", "N", "also the periods before, N in all, 1-366 (default 1)"},
    {NULL, NULL, NULL},
};

const struct command command_usage[] = {
    {"usage", "", "what the AI used of each tenant's budgets, by day and month",
     "Days and months are those of the tenant's time zone. Tokens and dollars are those of its\n"
     "model calls, at the prices in its assistant's version; segments those of the replies.\n"
     "Reserved is what turns that run now may use at most.",
     usage_options, 0, 0, run_usage},
    {.words = NULL},
};
