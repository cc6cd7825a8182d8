/* Wiring of the engine: what start, drain and stop do, and the hooks between its parts. */
#include "engine.h"

#include "adopt.h"
#include "answering.h"
#include "assistants.h"
#include "base/clock.h"
#include "base/mem.h"
#include "breaker.h"
#include "call_back.h"
#include "contract/topics.h"
#include "counters.h"
#include "crowd.h"
#include "crypto/crypto.h"
#include "http/address.h"
#include "intake.h"
#include "leftovers.h"
#include "rate.h"
#include "recovery.h"
#include "relay.h"
#include "rota.h"
#include "service/log.h"
#include "session.h"
#include "store/job.h"
#include "store/statements.h"
#include "summary.h"
#include "tool_http.h"
#include "tools.h"
#include "unfinished.h"
#include "voice_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_WAIT_MS 15000 /* for the lane of calls at start; usually some seconds */

static struct engine_shared shared;

/* ---- start ---- */

static int read_keys(struct err *err)
{
    const struct engine_settings *settings = &shared.settings;
    if (crypto_read_key_file(settings->id_key_file, CRYPTO_KEY_BYTES, &shared.id_key, err) != 0)
        return -1;
    return crypto_read_key_files(settings->credentials_key_files, CRYPTO_KEY_BYTES,
                                 shared.credential_keys, ENGINE_KEYS_MAX,
                                 &shared.credential_key_count, err);
}

static int read_networks(struct err *err)
{
    struct err why;
    if (address_list_parse(shared.settings.tool_networks, &shared.tool_networks, &why) != 0)
        return err_set(err, ERR_PERMANENT, "config.tool_networks", "tool_networks: %s",
                       why.message);
    return 0;
}

static int start(struct service *service, bool check_only, struct err *err)
{
    if (settings_check(&shared.settings, err) != 0 || read_keys(err) != 0 ||
        read_networks(err) != 0)
        return -1;
    if (check_only)
        return 0;
    counters_init();
    shared.ready_database = service_condition(service, "database");
    shared.ready_worker = service_condition(service, "worker");
    shared.ready_bus = service_condition(service, "bus");
    shared.ready_assigned = service_condition(service, "assigned");
    return 0;
}

static void stop(struct service *service, int64_t drain_left_ms)
{
    (void)service, (void)drain_left_ms;
    secret_free(&shared.id_key);
    for (size_t i = 0; i < shared.credential_key_count; i++)
        secret_free(&shared.credential_keys[i]);
    address_list_free(&shared.tool_networks);
}

/* ---- hooks ---- */

/* All lanes; while the loop opens there may be one of them. */
static void wake_intakes(struct engine *engine)
{
    struct intake *const lanes[] = {engine->intake, engine->voice_intake, engine->mail_intake};
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++)
        if (lanes[i] != NULL)
            intake_wake(lanes[i]);
}

static bool intakes_idle(const struct engine *engine)
{
    const struct intake *const lanes[] = {engine->intake, engine->voice_intake,
                                          engine->mail_intake};
    bool idle = true;
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++)
        idle = idle && (lanes[i] == NULL || intake_idle(lanes[i]));
    return idle;
}

static void on_database(void *arg, bool up)
{
    struct engine *engine = arg;
    service_set(service_of(engine->self), engine->shared->ready_database, up);
    if (!up || engine->intake == NULL)
        return;
    statements_flush(engine->sessions);
    wake_intakes(engine);
}

static void on_registered(void *arg)
{
    struct engine *engine = arg;
    service_set(service_of(engine->self), engine->shared->ready_worker, true);
    log_info("worker.registered", LOG_TEXT("worker", worker_id(engine->worker)));
    if (engine->intake != NULL)
        wake_intakes(engine);
}

static void on_lost(void *arg)
{
    struct engine *engine = arg;
    log_warn("worker.lost", LOG_INT("sessions", (int64_t)sessions_count(engine->sessions)));
    metric_add(counters.workers_lost, 1);
    service_set(service_of(engine->self), engine->shared->ready_worker, false);
    sessions_drop_all(engine->sessions);
    engine_drain_step(engine);
}

bool engine_can_claim(const struct engine *engine)
{
    return !engine->draining && pg_is_up(engine->pg) && worker_id(engine->worker)[0] != '\0' &&
           bus_producer_ready(engine->producer);
}

/* ---- a loop ---- */

static int open_producer(struct engine *engine, struct err *err)
{
    const struct engine_settings *settings = &shared.settings;
    const char *prefix = settings->kafka.topic_prefix;
    struct arena *names = arena_new();
    const char *topics[] = {topic_name(names, prefix, TOPIC_OUTBOUND_SMS),
                            topic_name(names, prefix, TOPIC_OUTBOUND_EMAIL),
                            topic_name(names, prefix, TOPIC_OUTBOUND_VOICE),
                            topic_name(names, prefix, TOPIC_DIRECTORY),
                            topic_name(names, prefix, TOPIC_DLQ),
                            NULL};
    struct bus_producer_options options = {.loop = engine->loop, .topics = topics};
    service_bus_options(&settings->kafka, &settings->common, "engine", &options.client);
    int rc = bus_producer_open(&options, &engine->producer, err);
    arena_free(&names);
    return rc;
}

static void open_database(struct engine *engine)
{
    const struct engine_settings *settings = &shared.settings;
    const char *url = secret_reveal(settings->database_url);
    char process[160];
    snprintf(process, sizeof process, "%s/%d", settings->common.instance,
             service_loop_index(engine->self));
    engine->pg = pg_new(&(struct pg_options){.loop = engine->loop,
                                             .url = url,
                                             .name = "frontdesk-engine",
                                             .connections = (int)settings->database_connections,
                                             .functions = statements_frequent(),
                                             .on_state = on_database,
                                             .arg = engine});
    engine->worker = worker_new(&(struct worker_options){.loop = engine->loop,
                                                         .database_url = url,
                                                         .kind = "engine",
                                                         .process = process,
                                                         .lease_ms = settings->worker_lease_ms,
                                                         .extend = adopt_extend,
                                                         .extended = adopt_extended,
                                                         .on_registered = on_registered,
                                                         .on_lost = on_lost,
                                                         .arg = engine});
}

static void close_loop(void *state)
{
    struct engine *engine = state;
    engine->draining = engine->retiring = true;
    timer_free(&engine->tick);
    pg_free(&engine->pg); /* units in flight end here, while what they refer to is there */
    bus_producer_close(&engine->producer, 5000);
    sessions_free(&engine->sessions);
    bus_producer_close(&engine->stream, 1000);
    intake_close(&engine->intake);
    intake_close(&engine->voice_intake);
    intake_close(&engine->mail_intake);
    worker_free(&engine->worker);
    adopt_free(&engine->adopt);
    relay_free(&engine->relay);
    summaries_free(&engine->summaries);
    leftovers_free(&engine->leftovers);
    rota_free(&engine->rota);
    call_backs_free(&engine->call_backs);
    unfinished_free(&engine->unfinished);
    recovery_free(&engine->recovery);
    assistants_free(&engine->assistants);
    answering_free(&engine->answering);
    breakers_free(&engine->breakers);
    rates_free(&engine->rates);
    crowds_free(&engine->crowds);
    tools_free(&engine->tools);
    tool_http_free(&engine->tool_http);
    llm_free(&engine->llm);
    free(engine->last_id);
    free(engine);
}

static void count_gauges(struct engine *engine)
{
    breakers_forget(engine->breakers, clock_mono_ms());
    rates_forget(engine->rates, clock_mono_ms());
    int64_t now = (int64_t)breakers_count(engine->breakers);
    metric_add(counters.models_troubled, now - engine->models_troubled);
    engine->models_troubled = now;
    now = (int64_t)crowds_waiting(engine->crowds);
    metric_add(counters.models_waited_for, now - engine->models_waited_for);
    engine->models_waited_for = now;
    now = (int64_t)(tool_http_in_flight(engine->tool_http) + tool_http_waiting(engine->tool_http));
    metric_add(counters.tool_requests, now - engine->tool_requests);
    engine->tool_requests = now;
    now = (int64_t)tool_http_troubled(engine->tool_http);
    metric_add(counters.tools_troubled, now - engine->tools_troubled);
    engine->tools_troubled = now;
}

/* Texts do not wait for long for the lane of calls: its topic may be in trouble by itself. */
void engine_assigned(const struct engine *engine)
{
    bool waited = clock_mono_ms() - engine->opened_ms >= CALLS_WAIT_MS;
    bool calls = waited || intake_is_assigned(engine->voice_intake);
    service_set(service_of(engine->self), engine->shared->ready_assigned,
                calls && intake_is_assigned(engine->intake));
}

/* The consumer's readiness has no event of its own: intake looks again when the producer is ready.
 */
static void on_bus_tick(void *arg)
{
    struct engine *engine = arg;
    service_set(service_of(engine->self), engine->shared->ready_bus,
                bus_producer_ready(engine->producer));
    if (engine->draining)
        return;
    engine_assigned(engine);
    wake_intakes(engine);
    sessions_tick(engine->sessions);
    leftovers_tick(engine->leftovers);
    count_gauges(engine);
}

static int open_loop(struct service_loop *self, void **state, struct err *err)
{
    struct engine *engine = xcalloc(1, sizeof *engine);
    engine->shared = &shared;
    engine->self = self;
    engine->loop = service_loop_of(self);
    engine->opened_ms = clock_mono_ms();
    engine->sessions = sessions_new(engine);
    engine->leftovers = leftovers_new(engine);
    engine->assistants = assistants_new(engine);
    engine->answering = answering_new();
    engine->breakers = breakers_new();
    const int64_t parts = shared.settings.loops * shared.settings.rate_engines;
    engine->rates = rates_new(parts);
    engine->crowds = crowds_new(parts, shared.settings.provider_in_flight);
    engine->tools = tools_new();
    engine->tool_http = tool_http_new(
        &(struct tool_http_options){.loop = engine->loop,
                                    .exceptions = shared.tool_networks,
                                    .per_tenant = shared.settings.tool_calls_per_tenant});
    engine->llm = llm_new(engine->loop);
    engine->summaries = summaries_new(engine);
    open_database(engine);
    if (open_producer(engine, err) != 0 || voice_stream_open(engine, err) != 0 ||
        intake_open(engine, &intake_sms, &engine->intake, err) != 0 ||
        intake_open(engine, &intake_voice, &engine->voice_intake, err) != 0 ||
        intake_open(engine, &intake_mail, &engine->mail_intake, err) != 0) {
        close_loop(engine);
        return -1;
    }
    engine->adopt = adopt_new(engine);
    engine->rota = rota_new(engine);
    engine->call_backs = call_backs_new(engine);
    if (service_loop_index(self) == 0) {
        engine->relay = relay_new(engine);
        engine->unfinished = unfinished_new(engine);
        engine->recovery = recovery_new(engine);
    }
    engine->tick = timer_new(engine->loop, on_bus_tick, engine);
    timer_start(engine->tick, 100, 1000);
    *state = engine;
    return 0;
}

/* ---- drain ---- */

static void given_back(void *arg, const struct pg_answer *answer)
{
    struct engine *engine = arg;
    if (answer->err != NULL)
        log_warn("worker.not_retired", LOG_ERR(answer->err));
    service_loop_drained(engine->self);
}

/* No new claims; turns at work end as they would; what waits is given back at the end. */
void engine_drain(void *state)
{
    struct engine *engine = state;
    engine->draining = true;
    timer_stop(engine->tick);
    sessions_drop_waiting(engine->sessions);
    summaries_stop(engine->summaries);
    engine_drain_step(engine);
}

void engine_drain_step(struct engine *engine)
{
    if (!engine->draining || engine->retiring || sessions_at_work(engine->sessions) > 0 ||
        statements_in_flight(engine->sessions) || summaries_in_flight(engine->summaries) ||
        !intakes_idle(engine) || (engine->adopt != NULL && adopt_in_flight(engine->adopt)) ||
        (engine->rota != NULL && !rota_idle(engine->rota)) ||
        (engine->call_backs != NULL && !call_backs_idle(engine->call_backs)) ||
        (engine->relay != NULL && !relay_idle(engine->relay)))
        return;
    sessions_drop_all(engine->sessions); /* a turn that waits may have model calls to be stored */
    if (!leftovers_idle(engine->leftovers))
        return;
    engine->retiring = true;
    engine->last_id = xstrdup(worker_id(engine->worker));
    struct pg_unit unit = {.deadline_ms = 3000, .done = given_back, .arg = engine};
    if (engine->last_id[0] == '\0') {
        service_loop_drained(engine->self);
        return;
    }
    job_add_release(&unit, engine->last_id);
    turn_add_give_back(&unit, engine->last_id);
    pg_submit(engine->pg, &unit);
}

static int command(const char *word)
{
    if (strcmp(word, "--diagram") != 0)
        return -1;
    struct strbuf out;
    strbuf_init(&out, 64 * 1024);
    turn_table_print(&out);
    fputs(out.data, stdout);
    strbuf_fini(&out);
    return 0;
}

int engine_main(int argc, char **argv)
{
    const struct service_spec spec = {
        .name = "engine",
        .summary = "Claims inbound events, runs the model's turns, commits and publishes replies.",
        .config = engine_config,
        .config_count = engine_config_count,
        .settings = &shared.settings,
        .loops = &shared.settings.loops,
        .command = command,
        .start = start,
        .loop_start = open_loop,
        .loop_drain = engine_drain,
        .loop_stop = close_loop,
        .stop = stop,
    };
    return service_main(argc, argv, &spec);
}
