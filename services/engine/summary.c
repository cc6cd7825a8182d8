/* Reading what was said, asking the first model of the chain, storing what it made of it. Each job
 * is a chain of three steps (read, ask, write) that any failure ends. statements.c calls it. */
#include "summary.h"

#include "assistants.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "prompt/prompt.h"
#include "prompt/recap.h"
#include "prompt/tokens.h"
#include "rate.h"
#include "service/log.h"
#include "session.h"
#include "store/summary.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define JOBS_MAX      4 /* of a loop */
#define UNIT_MS       5000
#define TOTAL_MS      30000
#define ANSWER_TOKENS 400
#define ANSWER_MAX    (16 * 1024)
#define BODY_MAX      3000 /* bytes that are kept of it */

struct job {
    struct summaries *all;
    TAILQ_ENTRY(job) link;
    struct arena *arena;
    const struct assistant *assistant; /* the engine's, kept as long as it */
    struct summary_wish wish;
    struct summary_made made;
    struct llm_call *call;
    bool writing;
};

struct summaries {
    struct engine *engine;
    TAILQ_HEAD(, job) jobs;
    size_t count;
    bool stopped;
};

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
    job->all->count--;
    arena_free(&job->arena);
    free(job);
}

static void stop_call(struct job *job)
{
    llm_cancel(job->all->engine->llm, job->call);
    job_end(job);
}

void summaries_stop(struct summaries *summaries)
{
    struct job *job, *next;
    summaries->stopped = true;
    for (job = TAILQ_FIRST(&summaries->jobs); job != NULL; job = next) {
        next = TAILQ_NEXT(job, link);
        if (job->call != NULL)
            stop_call(job);
    }
}

void summaries_free(struct summaries **summaries)
{
    if (*summaries == NULL)
        return;
    summaries_stop(*summaries);
    free(*summaries);
    *summaries = NULL;
}

bool summaries_in_flight(const struct summaries *summaries)
{
    const struct job *job;
    TAILQ_FOREACH(job, &summaries->jobs, link)
    if (job->writing)
        return true;
    return false;
}

/* ---- write ---- */

static void written(void *arg, const struct pg_answer *answer)
{
    struct job *job = arg;
    struct engine *engine = job->all->engine;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "summary"), LOG_ERR(answer->err));
    else if (!summary_read_written(answer))
        log_info("summary.gone", LOG_TEXT("tenant", job->made.tenant));
    job_end(job);
    engine_drain_step(engine);
}

static void write_summary(struct job *job)
{
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = written, .arg = job};
    job->writing = true;
    summary_add_write(&unit, job->arena, &job->made);
    pg_submit(job->all->engine->pg, &unit);
}

/* ---- ask ---- */

static void answered(void *arg, const struct llm_result *result)
{
    struct job *job = arg;
    struct summary_made *made = &job->made;
    job->call = NULL;
    calls_describe(job->arena, &job->assistant->models[0], result, &made->call);
    if (result->err != NULL)
        log_warn("summary.failed", LOG_TEXT("tenant", made->tenant), LOG_ERR(result->err));
    else if (result->text[strspn(result->text, " \n\t\r")] != '\0')
        made->body =
            arena_strndup(job->arena, result->text, text_utf8_prefix(result->text, BODY_MAX));
    write_summary(job);
}

/* A summary counts against the model's limits like a turn, but waits for none: the next turn whose
 * prompt leaves something out wishes it again. */
static bool is_within_rate(struct job *job, const struct recap *recap)
{
    const struct assistant_model *model = &job->assistant->models[0];
    struct rate_place place = {.key = NULL};
    int64_t tokens = model->max_tokens > ANSWER_TOKENS ? model->max_tokens : ANSWER_TOKENS;
    for (size_t i = 0; i < RECAP_MESSAGES; i++)
        tokens += tokens_of_message(&recap->messages[i]);
    return rate_take(job->all->engine->rates,
                     rate_key(job->arena, job->wish.tenant, model->base_url, model->model),
                     &model->rate, tokens, clock_mono_ms(), 0, &place) == 0;
}

static void ask(struct job *job, const struct recap *recap)
{
    const struct assistant_model *model = &job->assistant->models[0];
    struct engine *engine = job->all->engine;
    job->made.up_to = recap->up_to;
    job->made.call = (struct turn_llm_call){.id = uuid_new(), .started_ms = clock_wall_ms()};
    job->call = llm_start(
        engine->llm,
        &(struct llm_request){.dialect = model->dialect,
                              .base_url = model->base_url,
                              .key = model->key,
                              .key_header = model->key_header,
                              .headers = model->headers,
                              .extra = model->extra,
                              .model = model->model,
                              .messages = recap->messages,
                              .message_count = RECAP_MESSAGES,
                              .temperature = model->temperature,
                              .max_tokens = model->max_tokens > ANSWER_TOKENS ? model->max_tokens
                                                                              : ANSWER_TOKENS,
                              .max_completion_tokens = model->max_completion_tokens,
                              .no_stream_usage = model->no_stream_usage,
                              .echo_reasoning = model->echo_reasoning,
                              .answer_max_bytes = ANSWER_MAX,
                              .first_token_ms = model->first_token_ms,
                              .total_ms = TOTAL_MS},
        &(struct llm_callbacks){.on_done = answered, .arg = job});
}

/* ---- read ---- */

static bool read_recap(struct job *job, const struct pg_answer *answer, struct recap *recap)
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
    job->made.conversation = known.conversation;
    const struct recap_parts parts = {.language = job->assistant->profile.language,
                                      .known = known.body,
                                      .lines = lines,
                                      .count = count,
                                      .tokens_max =
                                          job->all->engine->shared->settings.prompt_tokens / 2};
    return recap_build(job->arena, &parts, recap);
}

static void was_read(void *arg, const struct pg_answer *answer)
{
    struct job *job = arg;
    struct recap recap;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "summary"), LOG_ERR(answer->err));
    if (answer->err == NULL && !job->all->stopped && read_recap(job, answer, &recap) &&
        is_within_rate(job, &recap))
        ask(job, &recap);
    else
        job_end(job);
}

static bool is_at_it(const struct summaries *all, const struct summary_wish *wish)
{
    const struct job *job;
    TAILQ_FOREACH(job, &all->jobs, link)
    if (uuid_equal(&job->wish.conversation, &wish->conversation))
        return true;
    return false;
}

static void start(struct summaries *all, const struct session *session,
                  const struct assistant *assistant, struct summary_wish wish)
{
    if (all->count == JOBS_MAX || is_at_it(all, &wish))
        return;
    struct job *job = xcalloc(1, sizeof *job);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = was_read, .arg = job};
    job->all = all;
    job->arena = arena_new();
    job->assistant = assistant;
    wish.tenant = arena_strdup(job->arena, session->tenant);
    job->wish = wish;
    job->made = (struct summary_made){.tenant = wish.tenant,
                                      .id = uuid_new(),
                                      .turn = session->turn.turn,
                                      .assistant_version = session->turn.assistant_version};
    TAILQ_INSERT_TAIL(&all->jobs, job, link);
    all->count++;
    summary_add_read(&unit, job->arena, &job->wish);
    pg_submit(all->engine->pg, &unit);
}

/* ---- when ---- */

void summaries_after(struct summaries *summaries, struct session *session)
{
    const struct turn_commit *commit = &session->commit;
    const struct assistant *assistant = think_assistant(session);
    struct summary_wish wish = {.conversation = commit->conversation, .before = INT64_MAX};
    if (summaries->stopped || assistant == NULL || strcmp(commit->outcome, "reply") != 0)
        return;
    if (session->left_out > 0)
        wish.before = session->left_out;
    else if (!commit->ends && session->is_first)
        wish.contact = session->turn.contact;
    else if (!commit->ends)
        return;
    if (commit->ends)
        wish.before = INT64_MAX;
    start(summaries, session, assistant, wish);
}
