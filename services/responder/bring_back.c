/* One caller in a voicemail: his call, the request, the job's end. Twilio listens to who answered
 * beside the call, so the two are joined when it knows; then only another document for the call
 * parts them. Asked twice it does no harm: whoever is back already is not asked for any more. A
 * call that is over is refused, and what cannot be asked is tried again while the caller may still
 * be there. Called by poll.c and responder.c. */
#include "bring_back.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "base/stop.h"
#include "channel.h"
#include "rest.h"
#include "service/log.h"
#include "store/transfer_back.h"

#define AT_WORK_MAX 50
#define ANSWER_MAX  65536
#define REQUEST_MS  5000
#define UNIT_MS     30000
#define AGAIN_MS    1000
#define TRIES_MAX   60 /* a machine that takes a message hangs up within some minutes */

struct bring_back {
    LIST_ENTRY(bring_back) link;
    struct bring_backs *all;
    struct arena *arena;
    struct job job;
    char worker[UUID_TEXT_SIZE], transfer[UUID_TEXT_SIZE];
    const struct channel *channel;
    struct http_transfer *request;
};
LIST_HEAD(bring_back_list, bring_back);

struct bring_backs {
    struct responder *responder;
    struct bring_back_list list;
    size_t count;
    bool stopping;
};

/* ---- the end ---- */

static void drop(struct bring_back *one)
{
    LIST_REMOVE(one, link);
    one->all->count--;
    arena_free(&one->arena);
    free(one);
}

static void let_go(struct bring_back *one)
{
    struct responder *responder = one->all->responder;
    drop(one);
    responder_step(responder);
}

static void written(void *arg, const struct pg_answer *answer)
{
    struct bring_back *one = arg;
    if (answer->err != NULL)
        log_warn("transfer.not_written", LOG_TEXT("transfer", one->transfer), LOG_ERR(answer->err));
    let_go(one); /* if the job still names us, the next poll finds that we do not hold it */
}

/* `error` NULL: there is nothing more to do. */
static void end(struct bring_back *one, const char *error)
{
    const bool again = error != NULL && one->job.tries < TRIES_MAX;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = written, .arg = one};
    job_add_end(&unit, one->arena, &one->job,
                &(struct job_end){one->worker, error, one->job.now_ms, again ? AGAIN_MS : -1});
    pg_submit(one->all->responder->pg, &unit);
}

static void not_back(struct bring_back *one, const char *error)
{
    log_warn("transfer.not_back", LOG_TEXT("transfer", one->transfer),
             LOG_INT("try", one->job.tries), LOG_TEXT("error", error));
    end(one, error);
}

/* ---- the request ---- */

static bool may_pass(int status)
{
    return status == 401 || status == 403 || status == 429 || status >= 500;
}

static void answered(void *arg, const struct http_result *result)
{
    struct bring_back *one = arg;
    one->request = NULL;
    if (result->err != NULL || may_pass(result->status)) {
        const char *error =
            result->err != NULL
                ? result->err->code
                : arena_printf(one->arena, "the provider answered %d", result->status);
        not_back(one, error);
        return;
    }
    /* What it refuses otherwise is a call that is over. */
    log_info("transfer.back", LOG_TEXT("transfer", one->transfer),
             LOG_INT("status", result->status));
    end(one, NULL);
}

/* contract/call_token.h has the form of the path. It is asked once more when it could not be
 * reached, as every URL of a call. */
static const char *form_of(const struct bring_back *one, const struct transfer_back *back)
{
    const struct responder_settings *settings = &one->all->responder->shared->settings;
    char tenant[UUID_TEXT_SIZE];
    struct strbuf form;
    strbuf_init(&form, (size_t)8 * 1024);
    rest_add_pair(&form, "Url",
                  arena_printf(one->arena, "%s/twilio/voice/returned/%s/%lld#rc=2&rp=ct,5xx",
                               rest_base(one->arena, settings->public_url),
                               uuid_format(&one->job.tenant, tenant), (long long)back->step));
    rest_add_pair(&form, "Method", "POST");
    const char *text = arena_strdup(one->arena, form.data);
    strbuf_fini(&form);
    return text;
}

static void ask(struct bring_back *one, const struct transfer_back *back)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    struct responder *responder = one->all->responder;
    const char *form = form_of(one, back);
    struct http_call call = {
        .method = "POST",
        .url = arena_printf(one->arena, "%s/2010-04-01/Accounts/%s/Calls/%s.json",
                            rest_base(one->arena, responder->shared->settings.twilio_base_url),
                            back->route.account_sid, back->call_sid),
        .headers = headers,
        .user = back->route.account_sid,
        .password = one->channel->token,
        .body = form,
        .body_length = strlen(form),
        .answer_max_bytes = ANSWER_MAX,
        .total_ms = REQUEST_MS,
        .on_done = answered,
        .arg = one,
    };
    STOP_POINT("responder.bringing_back", one->transfer);
    one->request = http_start(responder->http, &call);
}

static void known(void *arg, const struct pg_answer *answer)
{
    struct bring_back *one = arg;
    struct responder *responder = one->all->responder;
    struct transfer_back back;
    if (responder->retiring)
        return; /* the loop is closing: bring_backs_free has it */
    if (answer->err != NULL)
        log_warn("transfer.not_read", LOG_TEXT("transfer", one->transfer), LOG_ERR(answer->err));
    if (answer->err != NULL || one->all->stopping) {
        let_go(one); /* taken again by its row */
        return;
    }
    if (!transfer_back_read(answer, &back)) {
        end(one, NULL);
        return;
    }
    one->channel = channels_get(responder->channels, &one->job.tenant, &back.route);
    if (one->channel == NULL)
        not_back(one, "no key opens the channel's token");
    else
        ask(one, &back);
}

static void start(struct bring_backs *all, const struct job *job)
{
    struct bring_back *one = xcalloc(1, sizeof *one);
    one->all = all;
    one->arena = arena_new();
    one->job = *job;
    memcpy(one->worker, worker_id(all->responder->worker), sizeof one->worker);
    uuid_format(&job->subject, one->transfer);
    LIST_INSERT_HEAD(&all->list, one, link);
    all->count++;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = known, .arg = one};
    transfer_back_add_read(&unit, one->arena, job);
    pg_submit(all->responder->pg, &unit);
}

/* ---- the collection ---- */

struct bring_backs *bring_backs_new(struct responder *responder)
{
    struct bring_backs *all = xcalloc(1, sizeof *all);
    all->responder = responder;
    LIST_INIT(&all->list);
    return all;
}

void bring_backs_stop(struct bring_backs *all)
{
    struct bring_back *one, *next;
    all->stopping = true;
    for (one = LIST_FIRST(&all->list); one != NULL; one = next) {
        next = LIST_NEXT(one, link);
        if (one->request == NULL)
            continue; /* ends with its unit */
        http_cancel(all->responder->http, one->request);
        drop(one);
    }
}

void bring_backs_free(struct bring_backs **all)
{
    if (*all == NULL)
        return;
    bring_backs_stop(*all);
    while (!LIST_EMPTY(&(*all)->list))
        drop(LIST_FIRST(&(*all)->list));
    free(*all);
    *all = NULL;
}

int bring_backs_add_claim(struct bring_backs *all, struct pg_unit *unit, struct arena *arena)
{
    struct bring_back *one;
    struct pg_array held;
    if (all->count >= AT_WORK_MAX)
        return -1;
    pg_array_init(&held);
    LIST_FOREACH(one, &all->list, link)
    pg_array_add_uuid(&held, &one->job.id);
    job_add_claim(unit, arena, JOB_TRANSFER_BACK,
                  arena_strdup(arena, worker_id(all->responder->worker)),
                  pg_array_take(&held, arena), (int)(AT_WORK_MAX - all->count));
    pg_array_fini(&held);
    return unit->count - 1;
}

void bring_backs_claimed(struct bring_backs *all, const struct pg_answer *answer, int statement)
{
    struct job job;
    for (int row = 0; job_read_claimed(answer, statement, row, &job); row++)
        start(all, &job);
}

size_t bring_backs_count(const struct bring_backs *all)
{
    return all->count;
}
