/*
 * What every stand-in is: an HTTP server whose requests are recorded in a ledger, weighed by fault
 * rules and then handled by the program's hooks, plus the control paths:
 *
 *   POST /_faults          replaces the fault rules (faults.h); GET shows how often each fired
 *   POST /_refuse {"ms"}   closes the listening socket and idle connections now, for ms
 *   GET  /_ledger?since=SEQ&limit=N   entries after SEQ (default 0) as a JSON array
 *   GET  /_stats           counters
 *   POST /_reset           forgets ledger, rules, counters and what the program keeps
 */
#ifndef STANDS_LIB_APP_H
#define STANDS_LIB_APP_H

#include "stands/lib/faults.h"
#include "stands/lib/http_server.h"
#include "stands/lib/ledger.h"

struct stand_app;

/* One request from acceptance to its end. Freed when its exchange ends. */
struct stand_call {
    struct stand_app *app;
    struct stand_exchange *x;
    uint64_t entry; /* its id in the ledger */
    struct stand_plan plan;
    int status; /* as answered; 0 before */
    enum stand_outcome outcome;
    void *parsed;         /* what the parse hook returned */
    struct stand_buf out; /* an answer being held back or sent in parts */
    size_t out_sent;
    stand_step *step;
    void *user; /* the program's; freed by its release hook */
};

struct stand_hooks {
    /* Reads the request; appends the ledger's params (one JSON value). The result, which may be
     * NULL, becomes call->parsed. */
    void *(*parse)(void *ctx, struct stand_exchange *x, struct stand_buf *params);
    /* Answers, now or later. */
    void (*handle)(void *ctx, struct stand_call *call);
    /* Renders the error of a `status` action as the provider would; appends body and headers. */
    void (*error)(const struct stand_action *action, struct stand_buf *body,
                  struct stand_buf *headers);
    /* The action asked for by the request's own text, owned, or NULL. May be NULL. */
    struct stand_action *(*directive)(const struct stand_call *call);
    /* Frees call->parsed and call->user. */
    void (*release)(struct stand_call *call);
    /* Handles a control path of its own; false when it is not one. May be NULL. */
    bool (*control)(void *ctx, struct stand_exchange *x);
    /* Refuses actions that the program cannot carry out. May be NULL. */
    stand_action_check *check;
    /* Appends members to /_stats, each preceded by a comma. May be NULL. */
    void (*stats)(void *ctx, struct stand_buf *out);
    /* Forgets what the program keeps. May be NULL. */
    void (*reset)(void *ctx);
    /* Whether `empty` and `huge` concern the text that the program makes, not the HTTP body. */
    bool sizes_are_text;
};

struct stand_app {
    uv_loop_t loop;
    struct stand_server *server;
    struct stand_ledger *ledger;
    struct stand_faults *faults;
    const struct stand_hooks *hooks;
    void *ctx;
    uint64_t requests, open, open_max;
    uint64_t outcomes[STAND_OUTCOMES];
    uint64_t statuses[1000];
    struct stand_buf scratch;
};

/* Listens on `address` ("127.0.0.1:PORT"). Returns 0, or -1 after a line on stderr. `ctx` goes to
 * the hooks. */
int stand_app_open(struct stand_app *app, const char *address, const struct stand_hooks *hooks,
                   void *ctx);

/* Prints `listening on 127.0.0.1:PORT`, serves until SIGTERM or SIGINT and returns 0. */
int stand_app_run(struct stand_app *app);

/* Runs `step(call)` after the plan's delay (at once when there is none). */
void stand_call_delayed(struct stand_call *call, stand_step *step);

/* Answers a call as the plan wants it: late, cut, stalled, spoilt, lost or plainly. */
void stand_call_reply(struct stand_call *call, const struct stand_answer *answer);

/* Records how the call ended, ahead of the end of its exchange. The first record stays. */
void stand_call_outcome(struct stand_call *call, enum stand_outcome outcome);

/* Sends a JSON answer to a control request. `body` ends with NUL. */
void stand_control_answer(struct stand_exchange *x, int status, const char *body);

/* Streams a ledger as a JSON array, as /_ledger does, reading since and limit from the query. */
void stand_control_ledger(struct stand_exchange *x, const struct stand_ledger *ledger);

/* The same with entries in a form of the program's own. */
void stand_control_entries(struct stand_exchange *x, const struct stand_ledger *ledger,
                           stand_ledger_render *render);

/* The unsigned number `name` of the query `?name=N&...`, or `fallback`. */
uint64_t stand_query_number(const char *query, const char *name, uint64_t fallback);

#endif
