/* A loop's engine whose database does not answer, and its sessions. */
#ifndef DESK_TESTS_ENGINE_BENCH_H
#define DESK_TESTS_ENGINE_BENCH_H

#include "assistants.h"
#include "base/map.h"
#include "leftovers.h"
#include "session.h"
#include "summary.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#define BENCH_TENANT "00000000-0000-7000-8000-000000000001"

static struct engine_shared bench_shared;
static struct engine bench;

/* With room for so many turns at work. */
static inline void bench_begin(int64_t max_in_flight)
{
    bench_shared = (struct engine_shared){.settings.max_in_flight = max_in_flight};
    bench = (struct engine){.shared = &bench_shared, .loop = loop_new()};
    bench.pg = pg_new(&(struct pg_options){
        .loop = bench.loop, .url = "host=127.0.0.1 port=1", .name = "unit-test", .connections = 1});
    bench.sessions = sessions_new(&bench);
    bench.leftovers = leftovers_new(&bench);
    bench.assistants = assistants_new(&bench);
    bench.summaries = summaries_new(&bench);
}

static inline void bench_end(void)
{
    bench.draining = false;
    bench.retiring = true;
    pg_free(&bench.pg);
    sessions_free(&bench.sessions);
    summaries_free(&bench.summaries);
    leftovers_free(&bench.leftovers);
    assistants_free(&bench.assistants);
    loop_pass(bench.loop);
    loop_free(&bench.loop);
}

/* One that waits for its time. */
static inline struct session *bench_session(void)
{
    const struct uuid id = uuid_new(), conversation = uuid_new();
    sessions_claimed(bench.sessions, BENCH_TENANT, &id, &conversation, 1, 60000);
    struct session *session = map_get(bench.sessions->by_id, id.bytes, sizeof id.bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    return session;
}

/* One whose turn asks a model, by that version of the assistant; its events are a text[] literal.
 */
static inline struct session *bench_turn(int version, const char *events)
{
    struct session *session = bench_session();
    session->arena = arena_new();
    session->state = TURN_THINKING;
    session->turn = (struct turn_started){.events = events,
                                          .context = "[]",
                                          .assistant = "desk",
                                          .assistant_version = version,
                                          .traceparent = "",
                                          .summary = "",
                                          .earlier = "",
                                          .reception = ""};
    return session;
}

#endif
