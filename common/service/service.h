/* The skeleton of every daemon: configuration, log, signals, loops, admin listener, drain.
 *
 * A service is a table of hooks. service_main parses (--config, --check-config, --print-config,
 * --document, --help, --version, --key=value), starts the admin listener (/healthz: every loop's
 * heartbeat is younger than 5 s; /readyz: ready and not draining, else 503 with the reason;
 * /metrics), starts `loops` threads with a loop each, and waits for SIGTERM or SIGINT. Then:
 * unready, drain hooks, at most drain_ms, stop hooks, exit 0. A second signal ends the process at
 * once with 1. SIGPIPE is ignored. Exit codes: 0 done, 1 could not start or drain, 2 bad command
 * line or configuration. */
#ifndef DESK_SERVICE_SERVICE_H
#define DESK_SERVICE_SERVICE_H

#include <stdbool.h>

#include "base/err.h"
#include "bus/bus.h"
#include "loop/loop.h"
#include "service/config.h"

struct service;      /* the running daemon */
struct service_loop; /* one of its loops */

struct service_spec {
    const char *name;    /* "engine" */
    const char *summary; /* one sentence for --help */
    const struct config_spec *config;
    size_t config_count;
    void *settings;       /* what config_load fills; starts with struct config_common */
    const int64_t *loops; /* points into *settings; NULL: one loop */
    /* Extra words on the command line ("--diagram"): return the exit code, or -1 if not known. May
     * be NULL. Runs before configuration is loaded. */
    int (*command)(const char *word);
    /* On the main thread before the loops; may be NULL. Checks what --check-config should check
     * when `check_only`. */
    int (*start)(struct service *service, bool check_only, struct err *err);
    /* On the loop's own thread, before it runs. *state is handed to the other hooks. */
    int (*loop_start)(struct service_loop *self, void **state, struct err *err);
    /* On the loop's thread: take no new work, finish what is in hand, then call
     * service_loop_drained. May be NULL: drained at once. */
    void (*loop_drain)(void *state);
    /* On the loop's thread after its run: free everything. */
    void (*loop_stop)(void *state);
    /* On the main thread after all loops; may be NULL. `drain_left_ms` is what is left of drain_ms.
     */
    void (*stop)(struct service *service, int64_t drain_left_ms);
};

/* Runs the service; returns the exit code of the process. */
int service_main(int argc, char **argv, const struct service_spec *spec);

/* The loop of this service_loop, its index from 0, its service. */
struct loop *service_loop_of(struct service_loop *self);
int service_loop_index(const struct service_loop *self);
struct service *service_of(struct service_loop *self);

/* Tells that the loop has nothing in hand any more; its run ends. */
void service_loop_drained(struct service_loop *self);

/* Declares a readiness condition, not met at first; returns its number. Main thread, in start. */
int service_condition(struct service *service, const char *name);

/* Sets a condition. /readyz answers 200 when all are met, else 503 naming those that are not. Any
 * thread. */
void service_set(struct service *service, int condition, bool met);

/* Fills bus client options from settings; librdkafka's log lines go to our log. `client_id` is
 * "frontdesk-<name>-<instance>". The texts stay borrowed from the settings. */
void service_bus_options(const struct config_kafka *kafka, const struct config_common *common,
                         const char *name, struct bus_options *options);

/* As above without client id and log, for who has neither name nor log (deskctl). */
void service_bus_connection(const struct config_kafka *kafka, struct bus_options *options);

#endif
