/* Sessions whose start never passes, beside others in the line of starts, on a real PostgreSQL. */
#include "unit/common/store/turn_rig.h"

#include "assistants.h"
#include "base/map.h"
#include "leftovers.h"
#include "session.h"
#include "summary.h"

static struct engine_shared shared;
static struct engine engine;

static void on_registered(void *arg)
{
    (void)arg;
}

static bool is_registered(void)
{
    return worker_id(engine.worker)[0] != '\0';
}

static bool is_over(void)
{
    return !statements_in_flight(engine.sessions);
}

static void begin_engine(void)
{
    static char url[256];
    begin_test();
    snprintf(url, sizeof url, "%s user=frontdesk_engine", rig_server.url);
    shared = (struct engine_shared){.settings = {.max_in_flight = 4, .answer_within_ms = 86400000}};
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

static void end_engine(void)
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

static struct session *find(const struct inbox_claimed *claimed)
{
    return map_get(engine.sessions->by_id, claimed->session.bytes, sizeof claimed->session.bytes);
}

/* A text of that customer, claimed by the engine, whose time has not come. */
static struct inbox_claimed text(int who)
{
    struct claims claimed = claim_one(worker_id(engine.worker), who, who, "hello");
    const struct inbox_claimed *row = &claimed.rows[0];
    sessions_claimed(engine.sessions, TENANT, &row->session, &row->conversation, row->claimed,
                     60000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(row));
    return *row;
}

/* Whoever waits to give up, and was held up by something that passes, shares no start: its session
 * would not know what to do with the turn. Guard: `fits` leaves it to its own unit. */
static void who_gives_up_shares_no_start(void)
{
    begin_engine();
    const struct inbox_claimed other = text(1), unfit = text(2);
    run("UPDATE conversations SET held_by = 'operator' WHERE id = (SELECT conversation_id"
        " FROM channel_sessions WHERE remote_address = '+15559001')");
    engine.sessions->starts_in_flight = 2; /* so that both stand in line */
    session_apply(find(&other), EVENT_DUE);
    find(&unfit)->state = TURN_GIVING_UP;
    session_apply(find(&unfit), EVENT_DUE);
    engine.sessions->starts_in_flight = 0;
    statements_flush(engine.sessions);
    CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    CU_ASSERT_PTR_NULL(find(&other));
    CU_ASSERT_PTR_NULL(find(&unfit));
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state || ':' || coalesce(reason, '-'), ' '"
                                 " ORDER BY provider_id) FROM inbox_events"),
                           "open:- failed:start.unfit");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turns"), "0");
    end_engine();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("giving up", open_server, rig_end_server);
    CU_add_test(suite, "who gives up shares no start", who_gives_up_shares_no_start);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
