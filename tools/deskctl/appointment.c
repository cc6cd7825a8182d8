/* `deskctl appointment list`: the book, as owner and operator read it. */
#include "base/text.h"
#include "command.h"
#include "store/booking_admin.h"
#include "store/tenant.h"

#define DAYS_DEFAULT 7

static const struct table_column columns[] = {
    {"starts_at", TABLE_TEXT}, {"ends_at", TABLE_TEXT},    {"state", TABLE_TEXT},
    {"service", TABLE_TEXT},   {"with", TABLE_TEXT},       {"customer", TABLE_TEXT},
    {"details", TABLE_TEXT},   {"held_until", TABLE_TEXT}, {"conversation", TABLE_TEXT},
    {"id", TABLE_TEXT},
};

static int read_book(struct desk *desk, const char *tenant, struct booking_admin_query *query,
                     struct booking_admin_row **rows, size_t *count, struct err *err)
{
    struct pg_session *session = NULL;
    struct tenant_row *row = NULL;
    if (desk_begin(desk, &session, err) != 0 ||
        tenant_find(session, desk->arena, tenant, &row, err) != 0)
        return -1;
    if (row == NULL)
        return err_set(err, ERR_PERMANENT, "tenant.not_found",
                       "there is no tenant \"%.60s\"; `deskctl tenant list` shows all", tenant);
    query->tenant = row->id;
    return booking_admin_list(session, desk->arena, query, rows, count, err);
}

static int run_list(struct desk *desk, const struct words *words)
{
    const char *tenant = words_option(words, "tenant"), *most = words_option(words, "days");
    struct booking_admin_query query = {.from_day = words_option(words, "from"),
                                        .all = words_option(words, "all") != NULL};
    struct booking_admin_row *rows = NULL;
    size_t count = 0;
    int64_t days = DAYS_DEFAULT;
    struct err err;
    if (tenant == NULL)
        return desk_usage("--tenant NAME says whose book; `deskctl tenant list` shows all");
    if (most != NULL && !text_parse_int(most, 1, BOOKING_ADMIN_DAYS_MAX, &days))
        return desk_usage("--days must be a number from 1 to %d", BOOKING_ADMIN_DAYS_MAX);
    query.days = (int)days;
    int rc = read_book(desk, tenant, &query, &rows, &count, &err);
    desk_rollback(desk);
    if (rc != 0)
        return desk_fail(&err);
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++) {
        const struct booking_admin_row *row = &rows[i];
        const char *cells[] = {row->starts_at,    row->ends_at, row->state,   row->service,
                               row->resource,     row->address, row->details, row->hold_until,
                               row->conversation, row->id};
        table_add(table, cells);
    }
    if (count == BOOKING_ADMIN_ROWS_MAX)
        desk_note("only the first %d: ask for fewer days", BOOKING_ADMIN_ROWS_MAX);
    return desk_print_table(desk, table, "no appointment on these days");
}

static const struct option list_options[] = {
    {"tenant", "NAME", "whose book"},
    {"from", "DATE", "the first day, like 2026-12-01 (default: today)"},
    {"days", "N", "so many days, 1-366 (default 7)"},
    {"all", NULL, "also cancelled ones, and holds whose time is over"},
    {NULL, NULL, NULL},
};

const struct command command_appointment[] = {
    {"appointment list", "", "a tenant's appointments, by their start",
     "Days and times are those of the tenant's time zone. What is held is not booked yet: the\n"
     "assistant has asked the customer for what is missing.",
     list_options, 0, 0, run_list},
    {.words = NULL},
};
