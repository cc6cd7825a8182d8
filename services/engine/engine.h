/* The engine: what its loops share and what one loop owns. A loop shares nothing with another. */
#ifndef DESK_ENGINE_ENGINE_H
#define DESK_ENGINE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/secret.h"
#include "bus/bus.h"
#include "llm/llm.h"
#include "loop/loop.h"
#include "pg/pg.h"
#include "service/service.h"
#include "settings.h"
#include "store/worker.h"

#define ENGINE_KEYS_MAX 8

struct sessions;
struct intake;
struct assistants;
struct answering;
struct breakers;
struct rates;
struct crowds;
struct tools;
struct tool_http;
struct address_list;
struct adopt;
struct relay;
struct summaries;
struct leftovers;
struct rota;
struct call_backs;
struct unfinished;
struct recovery;

/* Read-only after start, but for suspect_busy. */
struct engine_shared {
    struct engine_settings settings;
    struct secret *id_key;
    struct secret *credential_keys[ENGINE_KEYS_MAX];
    size_t credential_key_count;
    struct address_list *tool_networks;
    atomic_bool suspect_busy; /* the one thing that loops share while they run */
    /* Readiness conditions. */
    int ready_database, ready_bus, ready_worker, ready_assigned;
};

/* One loop's engine. */
struct engine {
    struct engine_shared *shared;
    struct service_loop *self;
    struct loop *loop;
    struct pg *pg;
    struct worker *worker;
    struct bus_producer *producer;
    struct bus_producer *stream; /* of frames (voice_stream.h) */
    struct llm *llm;
    struct sessions *sessions;
    struct intake *intake, *voice_intake, *mail_intake; /* a lane each */
    int64_t opened_ms;
    struct assistants *assistants;
    struct answering *answering;
    struct breakers *breakers;
    struct rates *rates;
    struct crowds *crowds;
    struct tools *tools;
    struct tool_http *tool_http;
    /* As the metrics have them. */
    int64_t models_troubled, models_waited_for, tool_requests, tools_troubled;
    struct adopt *adopt;
    struct relay *relay;
    struct summaries *summaries;
    struct leftovers *leftovers;
    struct rota *rota;
    struct call_backs *call_backs;
    struct unfinished *unfinished;
    struct recovery *recovery;
    struct timer *tick;
    char *last_id; /* of the unit that retires the worker */
    bool draining, retiring;
};

/* Runs the process; returns its exit code. */
int engine_main(int argc, char **argv);

/* True when work may be claimed: registered, database up, not draining. */
bool engine_can_claim(const struct engine *engine);

/* No new claims from now on; when all at work has ended, the loop does. Takes a struct engine. */
void engine_drain(void *state);

/* Called by intake when a lane was given its partitions: whether the engine is ready. */
void engine_assigned(const struct engine *engine);

/* Called by sessions and intake when something ended: goes on with the drain if one is under way.
 */
void engine_drain_step(struct engine *engine);

#endif
