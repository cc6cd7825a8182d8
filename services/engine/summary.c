/* Reading what was said, claiming the summary, asking the models of the chain, storing what they
 * made of it. Each job is a chain of these steps (read, claim, ask, write) that any failure ends,
 * but that of a model which another one stands behind. statements.c calls it. */
#include "summary.h"

#include "asking.h"
#include "assistants.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "budget.h"
#include "prompt/prompt.h"
#include "prompt/recap.h"
#include "prompt/tokens.h"
#include "service/log.h"
#include "session.h"
#include "store/summary.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define JOBS_MAX       4 /* of a process, so that turns have the connections and the models */
#define UNIT_MS        5000
#define TOTAL_MS       30000 /* of all calls of a job */
#define CALL_LEAST_MS  2000  /* less time is left to no call */
#define LEASE_MS       60000 /* of a claim: the calls and all tries to write them */
#define ANSWER_TOKENS  400
#define ANSWER_MAX     (16 * 1024)
#define BODY_MAX       3000 /* bytes that are kept of it */
#define WRITE_TRIES    4
#define WRITE_AGAIN_MS 500 /* doubled each time */

struct job {
    struct summaries *all;
    TAILQ_ENTRY(job) link;
    struct arena *arena;
    const struct assistant *assistant; /* the engine's, kept as long as it */
    const char *assistant_id;
    struct summary_wish wish;
    struct recap recap;
    int64_t after; /* up_to of the summary that it goes on from */
    struct summary_made made;
    struct turn_llm_call failed[ASSISTANT_MODELS_MAX]; /* of made */
    struct uuid claim;                                 /* and the id of the last call */
    int model;                                         /* of the chain */
    int64_t until_ms; /* clock_mono_ms: when the last call must have ended */
    struct llm_call *call;
    struct asking_hold hold; /* the call's */
    struct timer *again;     /* of the write */
    int writes;
    bool writing; /* a unit that writes is on its way, or waits to be sent again */
};

struct summaries {
    struct engine *engine;
    TAILQ_HEAD(, job) jobs;
    bool stopped;
};

static atomic_int jobs_of_process;

struct summaries *summaries_new(struct engine *engine)
{
    struct summaries *all = xcalloc(1, sizeof *all);
    all->engine = engine;
    TAILQ_INIT(&all->jobs);
    return all;
}

static void job_end(struct job *job)
{
    TAILQ_REMOVE(&job->all->jobs, job, link);
    atomic_fetch_sub(&jobs_of_process, 1);
    timer_free(&job->again);
    arena_free(&job->arena);
    free(job);
}

/* The job's last unit that writes has ended. */
static void job_over(struct job *job)
{
    struct engine *engine = job->all->engine;
    job_end(job);
    engine_drain_step(engine);
}

bool summaries_in_flight(const struct summaries *summaries)
{
    const struct job *job;
    TAILQ_FOREACH(job, &summaries->jobs, link)
    if (job->writing)
        return true;
    return false;
}

static const struct assistant_model *model_of(const struct job *job)
{
    return &job->assistant->models[job->model];
}

static struct asking_model asking_of(const struct job *job)
{
    return asking_model(job->arena, job->made.tenant, job->assistant_id,
                        job->made.assistant_version, job->model, model_of(job));
}

static int answer_tokens(const struct assistant_model *model)
{
    return model->max_tokens > ANSWER_TOKENS ? model->max_tokens : ANSWER_TOKENS;
}

/* ---- write ---- */

static void write_summary(void *arg);

static void written(void *arg, const struct pg_answer *answer)
{
    struct job *job = arg;
    const struct engine *engine = job->all->engine;
    if (answer->err != NULL) {
        log_warn("statement.failed", LOG_TEXT("what", "summary"), LOG_ERR(answer->err));
        if (err_is_retryable(answer->err) && job->writes < WRITE_TRIES && !engine->retiring) {
            timer_start(job->again, (int64_t)WRITE_AGAIN_MS << (job->writes - 1), 0);
            return;
        }
    } else if (!summary_read_written(answer)) {
        log_info("summary.gone", LOG_TEXT("tenant", job->made.tenant));
    }
    job_over(job);
}

/* Again with the same ids, as long as the database is away: what the call used was used. */
static void write_summary(void *arg)
{
    struct job *job = arg;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = written, .arg = job};
    if (job->again == NULL)
        job->again = timer_new(job->all->engine->loop, write_summary, job);
    job->writing = true;
    job->writes++;
    summary_add_write(&unit, job->arena, &job->made);
    pg_submit(job->all->engine->pg, &unit);
}

/* ---- ask ---- */

static int64_t tokens_in(const struct job *job)
{
    int64_t tokens = 0;
    for (size_t i = 0; i < RECAP_MESSAGES; i++)
        tokens += tokens_of_message(&job->recap.messages[i]);
    return tokens;
}

/* A summary counts against the model's limits like a turn, but waits for none: the next turn whose
 * prompt leaves something out wishes it again. One that is to be tried once is tried by a turn: a
 * summary that hangs would hold up turns. */
static enum asking_answer take_model(struct job *job)
{
    const struct asking_model which = asking_of(job);
    const struct asking_wish wish = {.tokens = tokens_in(job) + answer_tokens(which.model)};
    int64_t wait_ms;
    return asking_take(job->all->engine, &which, &wish, &job->hold, &wait_ms);
}

/* The first from `model` on that is not left alone becomes the job's, and is taken; false: there is
 * none, or it cannot be asked now. */
static bool find_model(struct job *job)
{
    enum asking_answer answer = ASKING_LEFT_ALONE;
    while (job->model < (int)job->assistant->model_count &&
           (answer = take_model(job)) == ASKING_LEFT_ALONE)
        job->model++;
    return answer == ASKING_TAKEN;
}

static void give_back(struct job *job)
{
    const struct asking_model which = asking_of(job);
    asking_give_back(job->all->engine, &which, &job->hold);
}

static void answered(void *arg, const struct llm_result *result);

static void ask(struct job *job)
{
    const struct assistant_model *model = model_of(job);
    struct engine *engine = job->all->engine;
    struct llm_request request = assistant_request(model);
    job->made.call = calls_empty("stopped");
    job->made.call.id = job->claim;
    job->made.call.provider = model->provider;
    job->made.call.model = model->model;
    job->made.call.started_ms = clock_wall_ms();
    request.messages = job->recap.messages;
    request.message_count = RECAP_MESSAGES;
    request.max_tokens = answer_tokens(model);
    request.answer_max_bytes = ANSWER_MAX;
    request.total_ms = job->until_ms - clock_mono_ms();
    job->call =
        llm_start(engine->llm, &request, &(struct llm_callbacks){.on_done = answered, .arg = job});
}

/* Whether the next of the chain is asked in place of the one that failed, as in a turn: not after a
 * refusal, nor without time for it. */
static bool ask_next(struct job *job, const struct err *err)
{
    struct summary_made *made = &job->made;
    if (err->class == ERR_PERMANENT || job->all->stopped ||
        job->until_ms - clock_mono_ms() < CALL_LEAST_MS)
        return false;
    job->model++;
    if (!find_model(job))
        return false;
    job->failed[made->failed_count] = made->call;
    job->failed[made->failed_count++].id = uuid_new();
    ask(job);
    return true;
}

static void answered(void *arg, const struct llm_result *result)
{
    struct job *job = arg;
    struct summary_made *made = &job->made;
    job->call = NULL;
    const struct asking_model which = asking_of(job);
    asking_ended(job->all->engine, &which, &job->hold, result);
    calls_describe(job->arena, model_of(job), result, tokens_in(job), &made->call);
    if (result->err != NULL)
        log_warn("summary.failed", LOG_TEXT("tenant", made->tenant),
                 LOG_INT("model", model_of(job)->number), LOG_ERR(result->err));
    else if (result->text[strspn(result->text, " \n\t\r")] != '\0')
        made->body =
            arena_strndup(job->arena, result->text, text_utf8_prefix(result->text, BODY_MAX));
    if (result->err == NULL || !ask_next(job, result->err))
        write_summary(job);
}

/* ---- claim ---- */

/* Of one call of each model that is left. */
static struct usage_amounts worst_of(const struct job *job)
{
    struct usage_amounts worst = {.tokens = 0};
    for (int i = job->model; i < (int)job->assistant->model_count; i++) {
        const struct assistant_model *model = &job->assistant->models[i];
        const struct usage_amounts call =
            budget_of_call(model, tokens_in(job), answer_tokens(model));
        worst.tokens += call.tokens;
        worst.cost += call.cost;
    }
    return worst;
}

/* A claim that we do not use lapses. */
static void claimed(void *arg, const struct pg_answer *answer)
{
    struct job *job = arg;
    const char *why = answer->err == NULL ? summary_read_claimed(answer) : NULL;
    job->writing = false;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "summary"), LOG_ERR(answer->err));
    else if (why != NULL)
        log_info("summary.not_now", LOG_TEXT("tenant", job->made.tenant), LOG_TEXT("why", why));
    job->until_ms = clock_mono_ms() + TOTAL_MS;
    if (answer->err == NULL && why == NULL && !job->all->stopped && find_model(job))
        ask(job);
    else
        job_over(job);
}

static void claim(struct job *job)
{
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = claimed, .arg = job};
    job->writing = true;
    summary_add_claim(&unit, job->arena,
                      &(struct summary_claim){.tenant = job->made.tenant,
                                              .conversation = job->made.conversation,
                                              .turn = job->made.turn,
                                              .call = job->claim,
                                              .after = job->after,
                                              .most = worst_of(job),
                                              .limits = job->assistant->budget,
                                              .lease_ms = LEASE_MS});
    pg_submit(job->all->engine->pg, &unit);
}

/* ---- read ---- */

static bool read_recap(struct job *job, const struct pg_answer *answer)
{
    struct summary_known known;
    struct summary_message message;
    struct recap_line *lines = arena_alloc(job->arena, SUMMARY_MESSAGES_MAX * sizeof *lines);
    size_t count = 0;
    if (!summary_read_known(answer, &known))
        return false;
    for (; count < SUMMARY_MESSAGES_MAX && summary_read_message(answer, (int)count, &message);
         count++)
        lines[count] = (struct recap_line){message.position, message.author, message.text};
    const struct recap_parts parts = {.language = job->assistant->profile.language,
                                      .known = known.body,
                                      .lines = lines,
                                      .count = count,
                                      .tokens_max =
                                          job->all->engine->shared->settings.prompt_tokens / 2};
    if (!recap_build(job->arena, &parts, &job->recap))
        return false;
    job->after = known.up_to;
    job->made.conversation = known.conversation;
    job->made.up_to = job->recap.up_to;
    return true;
}

static void was_read(void *arg, const struct pg_answer *answer)
{
    struct job *job = arg;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "summary"), LOG_ERR(answer->err));
    if (answer->err == NULL && !job->all->stopped && read_recap(job, answer) && find_model(job)) {
        give_back(job); /* who is refused the claim must not keep turns from the model */
        claim(job);
    } else {
        job_end(job);
    }
}

static bool is_at_it(const struct summaries *all, const struct summary_wish *wish)
{
    const struct job *job;
    TAILQ_FOREACH(job, &all->jobs, link)
    if (uuid_equal(&job->wish.conversation, &wish->conversation))
        return true;
    return false;
}

static bool take_place(void)
{
    if (atomic_fetch_add(&jobs_of_process, 1) < JOBS_MAX)
        return true;
    atomic_fetch_sub(&jobs_of_process, 1);
    return false;
}

static void start(struct summaries *all, const struct session *session,
                  const struct assistant *assistant, struct summary_wish wish)
{
    const struct turn_started *turn = &session->turn;
    if (assistant->model_count == 0 || is_at_it(all, &wish) || !take_place())
        return;
    struct job *job = xcalloc(1, sizeof *job);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = was_read, .arg = job};
    job->all = all;
    job->arena = arena_new();
    job->assistant = assistant;
    job->assistant_id = arena_strdup(job->arena, turn->assistant);
    job->claim = uuid_new();
    wish.tenant = arena_strdup(job->arena, session->tenant);
    job->wish = wish;
    job->made = (struct summary_made){.tenant = wish.tenant,
                                      .id = uuid_new(),
                                      .turn = turn->turn,
                                      .assistant_version = turn->assistant_version,
                                      .failed = job->failed};
    TAILQ_INSERT_TAIL(&all->jobs, job, link);
    summary_add_read(&unit, job->arena, &job->wish);
    pg_submit(all->engine->pg, &unit);
}

/* ---- stopping ---- */

void summaries_stop(struct summaries *summaries)
{
    struct job *job;
    summaries->stopped = true;
    TAILQ_FOREACH(job, &summaries->jobs, link)
    if (job->call != NULL) {
        const struct llm_result so_far = llm_look(job->call);
        const struct asking_model which = asking_of(job);
        calls_describe_cut(job->arena, which.model, &so_far, tokens_in(job), &job->made.call);
        llm_cancel(summaries->engine->llm, job->call);
        job->call = NULL;
        asking_cut(summaries->engine, &which, &job->hold);
        write_summary(job); /* as stopped */
    }
}

void summaries_free(struct summaries **summaries)
{
    struct job *job;
    if (*summaries == NULL)
        return;
    while ((job = TAILQ_FIRST(&(*summaries)->jobs)) != NULL) {
        if (job->call != NULL)
            llm_cancel((*summaries)->engine->llm, job->call);
        job_end(job);
    }
    free(*summaries);
    *summaries = NULL;
}

/* ---- when ---- */

void summaries_after(struct summaries *summaries, struct session *session)
{
    const struct turn_commit *commit = &session->commit;
    const struct assistant *assistant = think_assistant(session);
    struct summary_wish wish = {.conversation = commit->conversation, .before = INT64_MAX};
    if (summaries->stopped || assistant == NULL || strcmp(commit->outcome, "reply") != 0)
        return;
    if (session->asked.left_out > 0)
        wish.before = session->asked.left_out;
    else if (!commit->ends && session->asked.is_first)
        wish.contact = session->turn.contact;
    else if (!commit->ends)
        return;
    if (commit->ends)
        wish.before = INT64_MAX;
    start(summaries, session, assistant, wish);
}
