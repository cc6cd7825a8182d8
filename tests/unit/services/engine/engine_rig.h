/* A loop's engine on a real PostgreSQL, and the sessions of customers who have written. */
#ifndef DESK_TESTS_ENGINE_RIG_H
#define DESK_TESTS_ENGINE_RIG_H

#include "unit/common/store/turn_rig.h"

#include "assistants.h"
#include "base/map.h"
#include "leftovers.h"
#include "session.h"
#include "summary.h"

static struct engine_shared shared;
static struct engine engine;

static inline void on_registered(void *arg)
{
    (void)arg;
}

static inline bool is_registered(void)
{
    return worker_id(engine.worker)[0] != '\0';
}

static inline void begin_engine(void)
{
    static char url[256];
    begin_test();
    snprintf(url, sizeof url, "%s user=frontdesk_engine", rig_server.url);
    shared = (struct engine_shared){.settings = {.max_in_flight = 4,
                                                 .answer_within_ms = 86400000,
                                                 .turn_deadline_ms = 60000,
                                                 .adopter_deadline_ms = 60000,
                                                 .prompt_tokens = 4000}};
    engine = (struct engine){.shared = &shared, .loop = rig_loop, .pg = rig_pg};
    engine.sessions = sessions_new(&engine);
    engine.leftovers = leftovers_new(&engine);
    engine.assistants = assistants_new(&engine);
    engine.summaries = summaries_new(&engine);
    engine.worker = worker_new(&(struct worker_options){.loop = rig_loop,
                                                        .database_url = url,
                                                        .kind = "engine",
                                                        .process = "unit-test",
                                                        .lease_ms = 60000,
                                                        .on_registered = on_registered,
                                                        .on_lost = on_registered});
    CU_ASSERT_TRUE_FATAL(rig_until(is_registered));
}

/* Nothing of the kind is sent until the pace is let go: as many are on their way as may be. */
static inline void hold_pace(struct pace *pace)
{
    pace_sent(pace);
    pace_sent(pace);
}

static inline void let_go(struct pace *pace)
{
    pace_over(pace);
    pace_over(pace);
}

static inline void end_engine(void)
{
    engine.retiring = true;
    pg_free(&rig_pg);
    worker_free(&engine.worker);
    sessions_free(&engine.sessions);
    summaries_free(&engine.summaries);
    leftovers_free(&engine.leftovers);
    assistants_free(&engine.assistants);
    end_test();
}

static inline struct session *find(const struct inbox_claimed *claimed)
{
    return map_get(engine.sessions->by_id, claimed->session.bytes, sizeof claimed->session.bytes);
}

/* Text `n` of that customer, claimed by the engine; its session's time has not come. */
static inline struct inbox_claimed text(int who, int n)
{
    struct claims claimed = claim_one(worker_id(engine.worker), who, n, "hello");
    const struct inbox_claimed *row = &claimed.rows[0];
    sessions_claimed(engine.sessions, TENANT, &row->session, &row->conversation, row->claimed,
                     60000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(row));
    return *row;
}

#endif
