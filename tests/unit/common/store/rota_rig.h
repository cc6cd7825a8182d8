/* What the tests of escalations stand on: a tenant with a rota, turns that open escalations, timers
 * that are claimed, steps and codes that wait for their answer. */
#ifndef DESK_TESTS_ROTA_RIG_H
#define DESK_TESTS_ROTA_RIG_H

#include "unit/common/store/turn_rig.h"

#include "store/escalation_admin.h"
#include "store/rota.h"
#include "store/schema.h"

#define STAFF 5 /* of the rota: numbers of customers from here on */

static const char rota_seed_sql[] =
    "INSERT INTO assistant_versions (tenant_id, assistant_id, version, config, created_by) VALUES"
    " ('" TENANT "', '00000000-0000-7000-8000-0000000000a1', 1, '{\"escalation\": {\"on\":"
    " [\"policy_word\"], \"rota\": [{\"name\": \"desk\", \"sms\": \"+15559005\"},"
    " {\"name\": \"boss\", \"sms\": \"+15559006\"}]}}', 'test')";

static inline void begin_rota(void)
{
    begin_test();
    run(rota_seed_sql);
}

/* ---- opening ---- */

static inline struct escalation_trigger trigger_of(const char *reason, int number)
{
    return (struct escalation_trigger){
        .reason = reason, .id = number_id(8, number), .summary = "s", .calls = true};
}

/* A turn of customer `who` that ends so, with this trigger. Returns its commit, to be repeated. */
static inline struct turn_commit turn_with(int who, int n, const char *outcome,
                                           struct escalation_trigger trigger)
{
    struct claims claimed = claim_one(WORKER_A, who, n, "a lawyer");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit made = commit_of(&claimed.rows[0], &started);
    CU_ASSERT_EQUAL_FATAL(started.kind, TURN_START_RUN);
    made.outcome = outcome;
    made.trigger = trigger;
    CU_ASSERT_EQUAL(commit(WORKER_A, &made).kind, TURN_COMMITTED);
    return made;
}

static inline void open_one(void)
{
    turn_with(1, 1, "reply", trigger_of("policy_word", 1));
}

static inline const char *rows(void)
{
    return value("SELECT string_agg(reason || ':' || state || ':' || rota || ':' || steps, ' '"
                 " ORDER BY created_at, id) FROM escalations");
}

static inline const char *notices(void)
{
    return value("SELECT string_agg(name || ':' || round || ':' || state, ' ' ORDER BY sent_at)"
                 " FROM escalation_notices");
}

/* ---- steps ---- */

struct jobs {
    struct rota_job rows[ROWS_MAX];
    int count;
};

static inline void on_jobs(void *arg, const struct pg_answer *answer)
{
    struct jobs *out = arg;
    while (answer->err == NULL && out->count < ROWS_MAX &&
           rota_read_claimed(answer, out->count, &out->rows[out->count]))
        out->count++;
    rig_count_down();
}

static inline struct jobs claim_timers(const char *worker)
{
    struct jobs out = {.count = 0};
    struct pg_unit unit = {.done = on_jobs, .arg = &out};
    rota_add_claim(&unit, arena, worker, ROWS_MAX);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return out;
}

struct dues {
    struct rota_due rows[ROWS_MAX];
    int count;
};

static inline void on_dues(void *arg, const struct pg_answer *answer)
{
    struct dues *out = arg;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && out->count < ROWS_MAX &&
           rota_read_due(answer, out->count, &out->rows[out->count])) {
        struct rota_due *row = &out->rows[out->count++];
        const char **texts[] = {&row->reason,   &row->summary, &row->caller,    &row->customer,
                                &row->business, &row->policy,  &row->number,    &row->day,
                                &row->time,     &row->weekday, &row->opted_out, &row->language,
                                &row->reception};
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            *texts[i] = arena_strdup(arena, *texts[i]);
    }
    rig_count_down();
}

static inline struct dues read_dues(const struct jobs *jobs)
{
    struct dues out = {.count = 0};
    struct pg_unit unit = {.done = on_dues, .arg = &out};
    rota_add_read(&unit, arena, jobs->rows, (size_t)jobs->count);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return out;
}

/* The one timer that is due, in the worker's name. */
static inline struct rota_due take_due(const char *worker)
{
    struct jobs jobs = claim_timers(worker);
    CU_ASSERT_EQUAL_FATAL(jobs.count, 1);
    struct dues dues = read_dues(&jobs);
    CU_ASSERT_EQUAL_FATAL(dues.count, 1);
    return dues.rows[0];
}

static inline struct rota_step step_of(const char *worker, const struct rota_due *due)
{
    return (struct rota_step){.worker = worker,
                              .tenant = due->tenant,
                              .job = due->job,
                              .escalation = due->escalation,
                              .steps = due->steps};
}

struct written {
    bool done, failed;
};

static inline void on_written(void *arg, const struct pg_answer *answer)
{
    struct written *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else
        out->done = rota_read_done(answer);
    rig_count_down();
}

static inline struct rota_notice notice_to(const char *worker, const struct rota_due *due, int who,
                                           const char *code)
{
    return (struct rota_notice){.of = step_of(worker, due),
                                .notice = uuid_new(),
                                .message = uuid_new(),
                                .delivery = uuid_new(),
                                .contact = number_id(2, who),
                                .address_hash = number_id(4, who),
                                .conversation = number_id(11, who),
                                .channel = due->channel,
                                .name = who == STAFF ? "desk" : "boss",
                                .address = arena_printf(arena, "+1555900%d", who),
                                .code = code,
                                .body = "Somebody needs you.",
                                .steps_now = due->steps + 1,
                                .round = 1,
                                .accept_ms = 300000};
}

static inline void submit_notice(const struct rota_notice *notice, struct written *out)
{
    struct pg_unit unit = {.done = on_written, .arg = out};
    rota_add_notice(&unit, arena, notice);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
}

static inline bool write_notice(const struct rota_notice *notice)
{
    struct written out = {.done = false};
    submit_notice(notice, &out);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out.done;
}

struct rest_written {
    bool failed;
    struct rota_rested came;
};

static inline void on_rested(void *arg, const struct pg_answer *answer)
{
    struct rest_written *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    else
        rota_read_rested(answer, &out->came);
    rig_count_down();
}

static inline struct rota_rested submit_rest(struct pg_unit *unit)
{
    struct rest_written out = {.failed = true};
    unit->done = on_rested;
    unit->arg = &out;
    rig_waiting++;
    pg_submit(rig_pg, unit);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out.came;
}

static inline struct rota_rested write_rest(const struct rota_rest *rest)
{
    struct pg_unit unit = {.count = 0};
    rota_add_rest(&unit, arena, rest);
    return submit_rest(&unit);
}

static inline void write_failed(const char *worker, const struct rota_due *due, const char *error,
                                int64_t again_ms)
{
    struct pg_unit unit = {.count = 0};
    rota_add_failed(
        &unit, arena,
        &(struct rota_failed){
            .worker = worker,
            .job = {.tenant = due->tenant, .id = due->job, .escalation = due->escalation},
            .error = error,
            .again_ms = again_ms});
    submit_rest(&unit);
}

static inline void make_due(void)
{
    run("UPDATE jobs SET due_at = clock_timestamp() WHERE kind = 'escalation'");
}

/* The next of the rota is told, by worker A. */
static inline void tell(int who, const char *code)
{
    make_due();
    struct rota_due due = take_due(WORKER_A);
    struct rota_notice notice = notice_to(WORKER_A, &due, who, code);
    CU_ASSERT_TRUE(write_notice(&notice));
}

/* ---- codes ---- */

static inline struct inbox_event code_from(int who, int n, const char *code)
{
    struct inbox_event event = text_of(who, n, code);
    event.consent = INBOX_CODE;
    event.code = code;
    event.place = n;
    return event;
}

/* Claims a text with a code; returns what its inbox row says. */
static inline const char *text_event(struct inbox_event event, int n)
{
    claim(WORKER_A, &event, 1);
    return value(arena_printf(arena,
                              "SELECT state || ' ' || coalesce(reason, '-') FROM inbox_events"
                              " WHERE provider_id = 'SM%03d'",
                              n));
}

/* The same of a text that is a code, and of one that names it among other words. */
static inline const char *text_code(int who, int n, const char *code)
{
    return text_event(code_from(who, n, code), n);
}

static inline const char *text_within(int who, int n, const char *code)
{
    struct inbox_event event = code_from(who, n, code);
    event.consent = INBOX_CODE_WITHIN;
    return text_event(event, n);
}

/* The last answer of the desk to somebody. */
static inline const char *answer_to(int who)
{
    return value(arena_printf(arena,
                              "SELECT m.body FROM messages m JOIN deliveries d ON d.message_id = "
                              "m.id JOIN channel_sessions s ON s.id = d.session_id AND s.id ="
                              " '01000000-0000-0000-0000-%012d' WHERE d.author = 'system'"
                              " ORDER BY d.seq DESC LIMIT 1",
                              who));
}

/* What the engine's role may not read. */
static inline const char *owner_value(const char *sql)
{
    struct pg_session *session = NULL;
    struct pg_result *result = NULL;
    const struct pg_statement look = {.sql = sql};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_query(session, &look, &result, &err), 0);
    const char *text = pg_rows(result, 0) > 0 ? arena_strdup(arena, pg_text(result, 0, 0, 0)) : "";
    pg_result_free(&result);
    pg_session_close(&session);
    return text;
}

static inline bool has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        printf("    \"%s\" is not in \"%s\"\n", part, text);
    return strstr(text, part) != NULL;
}

#endif
