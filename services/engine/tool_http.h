/* Calls of tenants' HTTP tools: when a request leaves, whether it is sent again, and what the model
 * is told of its end. The request itself is tool/http_tool.h's; effects.c begins and ends the call
 * in the database.
 *
 * One per loop, used on its thread; nothing blocks. A tenant has so many requests on their way at
 * once and no more: what a slow endpoint holds up is its own tenant's. A server that keeps failing
 * is left alone by its tenant's calls for a while (breaker.h): they end at once. */
#ifndef DESK_ENGINE_TOOL_HTTP_H
#define DESK_ENGINE_TOOL_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "http/address.h"
#include "loop/loop.h"
#include "tenant_tools.h"

struct tool_http;

/* How often one call is sent at most. */
#define TOOL_HTTP_TRIES_MAX 3

struct tool_http_options {
    struct loop *loop;                     /* borrowed */
    const struct address_list *exceptions; /* that tools may reach; borrowed; NULL: none */
    int64_t per_tenant;                    /* requests of one tenant at once */
};

/* Returns owned; frees when every call has ended or was stopped, sets to NULL, accepts NULL. */
struct tool_http *tool_http_new(const struct tool_http_options *options);
void tool_http_free(struct tool_http **http);

struct tool_http_answer {
    const char
        *outcome;     /* "ok", "refused" (the endpoint said no to what was asked), "failed" or, of
                         a change that may have happened, "unknown": as the call's row has it */
    const char *text; /* a JSON object for the model: the answer marked as data, or what failed
                         in our own words, without address or status; at most 18 kB */
    const struct err *err; /* of the last try, for the log; NULL: "ok" */
    int tries;             /* 0: its tenant's others left it no time, or its server keeps failing */
    int64_t took_ms;       /* with what was waited */
};

struct tool_http_request {
    const struct tenant_tool *tool; /* borrowed until the end */
    const char *tenant;             /* its id; copied */
    struct uuid call, conversation; /* the call's id is the idempotency key of every try */
    const char *arguments;          /* that fit the tool's parameters; copied */
    int64_t budget_ms;              /* all tries and waits end by then */
    bool was_begun;                 /* an earlier process may have sent it */
    /* Exactly once unless stopped, never from inside tool_http_start; all borrowed. May start and
     * stop other calls. */
    void (*on_done)(void *arg, const struct tool_http_answer *answer);
    void *arg;
};

struct tool_http_call;

/* Starts a call, or puts it in its tenant's line. Returns a handle for tool_http_stop, valid until
 * on_done. */
struct tool_http_call *tool_http_start(struct tool_http *http,
                                       const struct tool_http_request *request);

/* Stops: a request on its way is cut, on_done never comes. Sets *call to NULL; accepts NULL. */
void tool_http_stop(struct tool_http_call **call);

/* Requests on their way; calls that wait for their tenant's others. */
size_t tool_http_in_flight(const struct tool_http *http);
size_t tool_http_waiting(const struct tool_http *http);

/* Servers of tenants whose last calls failed; forgets those that nobody calls any more. */
size_t tool_http_troubled(struct tool_http *http);

#endif
