/*
 * The control paths that tests drive a stand-in by. A ledger of any length leaves in slices, each
 * made when the one before has been taken, so that reading it never blocks or bloats the server.
 * Called by app.c.
 */
#include "stands/lib/control.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE_ENTRIES = 200, BODY_MAX = 1024 * 1024 };

void stand_control_answer(struct stand_exchange *x, int status, const char *body)
{
    struct stand_answer answer = {
        .status = status, .content_type = "application/json", .body = body, .len = strlen(body)};
    stand_exchange_answer(x, &answer);
}

static void answer_error(struct stand_exchange *x, int status, const char *why)
{
    struct stand_buf body;
    stand_buf_init(&body, BODY_MAX);
    stand_buf_puts(&body, "{\"error\":");
    stand_buf_json_text(&body, why);
    stand_buf_puts(&body, "}");
    stand_control_answer(x, status, body.data);
    stand_buf_fini(&body);
}

uint64_t stand_query_number(const char *query, const char *name, uint64_t fallback)
{
    size_t len = strlen(name);
    for (const char *at = query; at; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, name, len) == 0 && at[len] == '=' && at[len + 1] >= '0' &&
            at[len + 1] <= '9')
            return strtoull(at + len + 1, NULL, 10);
    }
    return fallback;
}

/* --- ledger --- */

struct dump {
    struct stand_exchange *x;
    const struct stand_ledger *ledger;
    stand_ledger_render *render;
    uint32_t epoch;
    size_t next, last;
    bool first;
};

static void dump_done(void *user, bool gone)
{
    (void)gone;
    free(user);
}

static void dump_slice(void *user)
{
    struct dump *dump = user;
    struct stand_buf out;
    stand_buf_init(&out, SIZE_MAX / 2);
    bool valid = dump->epoch == stand_ledger_epoch(dump->ledger);
    for (int i = 0; valid && i < SLICE_ENTRIES && dump->next <= dump->last; i++) {
        stand_buf_puts(&out, dump->first ? "\n" : ",\n");
        dump->first = false;
        dump->render(dump->ledger, dump->next++, &out);
    }
    bool over = !valid || dump->next > dump->last;
    if (over)
        stand_buf_puts(&out, "]\n");
    stand_exchange_chunk(dump->x, out.data, out.len);
    stand_buf_fini(&out);
    if (over)
        stand_exchange_end(dump->x);
    else
        stand_exchange_when_sent(dump->x, dump_slice, dump);
}

void stand_control_ledger(struct stand_exchange *x, const struct stand_ledger *ledger)
{
    stand_control_entries(x, ledger, stand_ledger_json);
}

void stand_control_entries(struct stand_exchange *x, const struct stand_ledger *ledger,
                           stand_ledger_render *render)
{
    const char *query = stand_exchange_query(x);
    uint64_t count = stand_ledger_count(ledger);
    uint64_t since = stand_query_number(query, "since", 0);
    uint64_t limit = stand_query_number(query, "limit", UINT64_MAX);
    struct dump *dump = stand_alloc(sizeof *dump);
    *dump = (struct dump){.x = x,
                          .ledger = ledger,
                          .render = render,
                          .epoch = stand_ledger_epoch(ledger),
                          .next = since < count ? (size_t)since + 1 : (size_t)count + 1,
                          .last = (size_t)count,
                          .first = true};
    if (count - (dump->next - 1) > limit)
        dump->last = dump->next - 1 + (size_t)limit;
    stand_exchange_on_done(x, dump_done, dump);
    struct stand_answer answer = {.status = 200, .content_type = "application/json"};
    stand_exchange_begin(x, &answer);
    stand_exchange_chunk(x, "[", 1);
    dump_slice(dump);
}

static void get_ledger(struct stand_app *app, struct stand_exchange *x)
{
    stand_control_ledger(x, app->ledger);
}

/* --- the others --- */

static void get_stats(struct stand_app *app, struct stand_exchange *x)
{
    struct stand_buf out;
    stand_buf_init(&out, BODY_MAX);
    const struct stand_server_counts *counts = stand_server_counts(app->server);
    stand_buf_printf(
        &out,
        "{\"requests\":%llu,\"open\":%llu,\"max_open\":%llu,"
        "\"connections_open\":%llu,\"connections_max\":%llu,"
        "\"connections_total\":%llu,\"bad_requests\":%llu,\"ledger\":%zu,"
        "\"ledger_dropped\":%zu,\"outcomes\":{",
        (unsigned long long)app->requests, (unsigned long long)app->open,
        (unsigned long long)app->open_max, (unsigned long long)counts->connections_open,
        (unsigned long long)counts->connections_max, (unsigned long long)counts->connections_total,
        (unsigned long long)counts->bad_requests, stand_ledger_count(app->ledger),
        stand_ledger_dropped(app->ledger));
    for (int i = STAND_ANSWERED; i < STAND_OUTCOMES; i++)
        stand_buf_printf(&out, "%s\"%s\":%llu", i > STAND_ANSWERED ? "," : "",
                         stand_outcome_name((enum stand_outcome)i),
                         (unsigned long long)app->outcomes[i]);
    stand_buf_puts(&out, "},\"statuses\":{");
    bool first = true;
    for (int i = 0; i < 1000; i++) {
        if (app->statuses[i] == 0)
            continue;
        stand_buf_printf(&out, "%s\"%d\":%llu", first ? "" : ",", i,
                         (unsigned long long)app->statuses[i]);
        first = false;
    }
    stand_buf_puts(&out, "}");
    if (app->hooks->stats)
        app->hooks->stats(app->ctx, &out);
    stand_buf_puts(&out, "}\n");
    stand_control_answer(x, 200, out.data);
    stand_buf_fini(&out);
}

static void get_faults(struct stand_app *app, struct stand_exchange *x)
{
    struct stand_buf out;
    stand_buf_init(&out, BODY_MAX);
    stand_faults_json(app->faults, &out);
    stand_control_answer(x, 200, out.data);
    stand_buf_fini(&out);
}

static void post_faults(struct stand_app *app, struct stand_exchange *x)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    struct stand_buf why;
    stand_buf_init(&why, 1024);
    if (stand_faults_load(app->faults, body, len, &why) != 0)
        answer_error(x, 400, why.data);
    else
        stand_control_answer(x, 200, "{\"ok\":true}\n");
    stand_buf_fini(&why);
}

static void post_refuse(struct stand_app *app, struct stand_exchange *x)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    cJSON *json = cJSON_ParseWithLength(body, len);
    const cJSON *ms = cJSON_GetObjectItemCaseSensitive(json, "ms");
    bool valid = cJSON_IsNumber(ms) && ms->valuedouble >= 0 && ms->valuedouble <= 1e9;
    uint64_t wait_ms = valid ? (uint64_t)ms->valuedouble : 0;
    cJSON_Delete(json);
    if (!valid) {
        answer_error(x, 400, "expected {\"ms\":N}");
        return;
    }
    stand_control_answer(x, 200, "{\"ok\":true}\n");
    stand_server_refuse(app->server, wait_ms);
}

static void post_reset(struct stand_app *app, struct stand_exchange *x)
{
    stand_ledger_reset(app->ledger);
    stand_faults_clear(app->faults);
    stand_server_counts_reset(app->server);
    app->requests = app->open;
    app->open_max = app->open;
    memset(app->outcomes, 0, sizeof app->outcomes);
    memset(app->statuses, 0, sizeof app->statuses);
    if (app->hooks->reset)
        app->hooks->reset(app->ctx);
    stand_control_answer(x, 200, "{\"ok\":true}\n");
}

void stand_control_handle(struct stand_app *app, struct stand_exchange *x)
{
    static const struct {
        const char *method, *path;
        void (*run)(struct stand_app *app, struct stand_exchange *x);
    } routes[] = {
        {"GET", "/_ledger", get_ledger},   {"GET", "/_stats", get_stats},
        {"GET", "/_faults", get_faults},   {"POST", "/_faults", post_faults},
        {"POST", "/_refuse", post_refuse}, {"POST", "/_reset", post_reset},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].method, stand_exchange_method(x)) == 0 &&
            strcmp(routes[i].path, stand_exchange_path(x)) == 0) {
            routes[i].run(app, x);
            return;
        }
    }
    if (app->hooks->control && app->hooks->control(app->ctx, x))
        return;
    answer_error(x, 404, "no such control path, or not by this method");
}
