/* One audit: the channel's row, then what gap_audit_texts.c or gap_audit_calls.c do with it, and at
 * the end the job's row. A step that fails ends the run; the job is tried again after a
 * back-off, from the same time on. */
#include "gap_audit_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "channel.h"
#include "counters.h"
#include "rest.h"
#include "service/log.h"

#define AT_WORK_MAX   8
#define ANSWER_MAX    ((size_t)16 << 20) /* a page of 1,000 messages */
#define BEFORE_MAX_MS (90LL * 24 * 3600 * 1000)

LIST_HEAD(gap_audit_list, gap_audit);

struct gap_audits {
    struct responder *responder;
    struct gap_audit_list list;
    size_t count;
    bool stopping;
};

struct responder *gap_audit_responder(const struct gap_audit *audit)
{
    return audit->all->responder;
}

bool gap_audit_stopping(const struct gap_audit *audit)
{
    return audit->all->stopping;
}

/* ---- the end of a run ---- */

void gap_audit_drop_page(struct gap_audit *audit)
{
    struct page *page = TAILQ_FIRST(&audit->pages);
    TAILQ_REMOVE(&audit->pages, page, link);
    arena_free(&page->arena);
    free(page);
}

static void drop(struct gap_audit *audit)
{
    struct gap_audits *all = audit->all;
    LIST_REMOVE(audit, link);
    all->count--;
    while (!TAILQ_EMPTY(&audit->pages))
        gap_audit_drop_page(audit);
    map_free(&audit->unknown);
    arena_free(&audit->arena);
    free(audit);
}

static void let_go(struct gap_audit *audit)
{
    struct responder *responder = audit->all->responder;
    drop(audit);
    responder_step(responder);
}

static void ended(void *arg, const struct pg_answer *answer)
{
    struct gap_audit *audit = arg;
    if (answer->err != NULL)
        log_warn("gap_audit.not_ended", LOG_TEXT("channel", audit->channel_text),
                 LOG_ERR(answer->err));
    let_go(audit); /* if the row still names us, the next poll finds that we do not hold it */
}

static void end(struct gap_audit *audit, const char *error, int64_t next_in_ms)
{
    struct responder *responder = audit->all->responder;
    if (audit->all->stopping) {
        let_go(audit);
        return;
    }
    struct pg_unit unit = {.deadline_ms = GAP_AUDIT_UNIT_MS, .done = ended, .arg = audit};
    job_add_end(&unit, audit->arena, &audit->job,
                &(struct job_end){audit->worker, error, audit->job.now_ms, next_in_ms});
    pg_submit(responder->pg, &unit);
}

/* A tenth more or less, so that the audits of many channels spread. */
static int64_t next_ms(const struct gap_audit *audit)
{
    int64_t every_ms = audit->all->responder->shared->settings.gap_audit_every_ms;
    return every_ms * 9 / 10 + every_ms / 5 * audit->job.id.bytes[15] / 255;
}

static void end_well(struct gap_audit *audit)
{
    metric_add(counters.gap_audits, 1);
    if (audit->injected > 0)
        log_warn("gap_audit.injected", LOG_TEXT("channel", audit->channel_text),
                 LOG_INT("events", (int64_t)audit->injected));
    end(audit, NULL, next_ms(audit));
}

/* What a person must mend is tried at the usual interval, the rest with a back-off. */
void gap_audit_end_badly(struct gap_audit *audit)
{
    int64_t wait_ms = rest_back_off_ms((int)(audit->job.tries < 100 ? audit->job.tries : 100));
    if (wait_ms < audit->retry_after_ms)
        wait_ms = audit->retry_after_ms;
    if (audit->err.class == ERR_PERMANENT || wait_ms > next_ms(audit))
        wait_ms = next_ms(audit);
    metric_add(counters.gap_audits_failed, 1);
    log_warn("gap_audit.failed", LOG_TEXT("channel", audit->channel_text), LOG_ERR(&audit->err));
    end(audit,
        arena_printf(audit->arena, "%.*s", JOB_ERROR_MAX - 1,
                     arena_printf(audit->arena, "%s: %s", audit->err.code, audit->err.message)),
        wait_ms);
}

void gap_audit_fail(struct gap_audit *audit, const struct err *err)
{
    audit->failed = true;
    audit->err = *err;
}

/* ---- requests ---- */

void gap_audit_ask(struct gap_audit *audit, const char *url,
                   void (*done)(void *arg, const struct http_result *result))
{
    struct responder *responder = audit->all->responder;
    struct http_call call = {
        .method = "GET",
        .url = url,
        .user = audit->route.account_sid,
        .password = audit->channel->token,
        .answer_max_bytes = ANSWER_MAX,
        .total_ms = responder->shared->settings.request_timeout_ms,
        .on_done = done,
        .arg = audit,
    };
    audit->transfer = http_start(responder->http, &call);
}

int gap_audit_check(struct gap_audit *audit, const struct http_result *result, struct err *err)
{
    audit->retry_after_ms = http_retry_after_ms(result->retry_after);
    if (result->err != NULL)
        return err_set(err, ERR_RETRY_LATER, result->err->code, "%s", result->err->message);
    if (result->status == 200)
        return 0;
    bool passes = result->status == 429 || result->status >= 500;
    return err_set(err, passes ? ERR_RETRY_LATER : ERR_PERMANENT, "gap_audit.status",
                   "the provider's list answered %d", result->status);
}

int gap_audit_count_page(struct gap_audit *audit, struct err *err)
{
    if (++audit->page_count <= GAP_AUDIT_PAGES_MAX)
        return 0;
    return err_set(err, ERR_PERMANENT, "gap_audit.pages", "the list has more than %d pages",
                   GAP_AUDIT_PAGES_MAX);
}

bool gap_audit_leaves(struct gap_audit *audit, const struct pg_answer *answer)
{
    if (audit->all->responder->retiring)
        return true; /* the loop is closing: gap_audits_free has the audit */
    if (answer->err == NULL)
        return false;
    gap_audit_fail(audit, answer->err);
    gap_audit_end_badly(audit);
    return true;
}

/* ---- sending what is missing ---- */

void gap_audit_landed(struct gap_audit *audit)
{
    if (--audit->reports > 0)
        return;
    if (audit->failed)
        gap_audit_end_badly(audit);
    else if (audit->then != NULL && !audit->all->stopping)
        audit->then(audit);
    else
        end_well(audit);
}

static void landed(void *arg, const struct err *err)
{
    struct gap_audit *audit = arg;
    if (err != NULL)
        gap_audit_fail(audit, err);
    else
        audit->injected++;
    metric_add(counters.gaps, err == NULL);
    gap_audit_landed(audit);
}

void gap_audit_produce(struct gap_audit *audit, const struct bus_record *record)
{
    struct err err;
    audit->reports++;
    if (bus_produce(audit->all->responder->producer, record, landed, audit, &err) != 0) {
        audit->reports--;
        gap_audit_fail(audit, &err);
    }
}

/* ---- the start of a run ---- */

static int64_t window_start(const struct gap_audit *audit)
{
    const int64_t overlap_ms =
        audit->calls_end != NULL ? JOB_CALL_AUDIT_OVERLAP_MS : JOB_GAP_AUDIT_OVERLAP_MS;
    const int64_t starts_ms[] = {audit->job.since_ms, audit->job.done_ms - overlap_ms,
                                 audit->job.now_ms - BEFORE_MAX_MS};
    int64_t latest_ms = starts_ms[0];
    for (size_t i = 1; i < sizeof starts_ms / sizeof starts_ms[0]; i++)
        if (starts_ms[i] > latest_ms)
            latest_ms = starts_ms[i];
    return latest_ms / 1000 * 1000; /* the list has whole seconds */
}

static void copy_route(struct gap_audit *audit, const struct delivery_route *route)
{
    audit->route = *route;
    audit->route.from = arena_strdup(audit->arena, route->from);
    audit->route.account_sid = arena_strdup(audit->arena, route->account_sid);
    audit->route.to = audit->route.service_sid = audit->route.credentials_hex = "";
}

static void channel_known(void *arg, const struct pg_answer *answer)
{
    struct gap_audit *audit = arg;
    struct responder *responder = audit->all->responder;
    struct delivery_route route;
    struct err err;
    if (gap_audit_leaves(audit, answer))
        return;
    if (!delivery_read_channel(answer, &route)) {
        end(audit, NULL, -1); /* removed: tenant apply makes the job due again */
        return;
    }
    audit->channel = channels_get(responder->channels, &audit->job.tenant, &route);
    if (audit->channel == NULL) {
        err_set(&err, ERR_PERMANENT, "channel.credentials", "no key opens the channel's token");
        gap_audit_fail(audit, &err);
        gap_audit_end_badly(audit);
        return;
    }
    copy_route(audit, &route);
    const bool calls = strcmp(pg_text(answer->results, 0, 0, 7), "voice") == 0;
    if (calls)
        audit->calls_end = &audit->calls;
    audit->since_ms = window_start(audit);
    if (calls)
        gap_audit_calls(audit);
    else
        gap_audit_texts(audit);
}

static void start(struct gap_audits *audits, const struct job *job)
{
    struct gap_audit *audit = xcalloc(1, sizeof *audit);
    struct responder *responder = audits->responder;
    audit->all = audits;
    audit->arena = arena_new();
    TAILQ_INIT(&audit->pages);
    audit->job = *job;
    audit->base = rest_base(audit->arena, responder->shared->settings.twilio_base_url);
    uuid_format(&job->tenant, audit->tenant);
    uuid_format(&job->subject, audit->channel_text);
    memcpy(audit->worker, worker_id(responder->worker), sizeof audit->worker);
    LIST_INSERT_HEAD(&audits->list, audit, link);
    audits->count++;
    struct pg_unit unit = {.deadline_ms = GAP_AUDIT_UNIT_MS, .done = channel_known, .arg = audit};
    delivery_add_channel(&unit, audit->arena, &job->tenant, &job->subject);
    pg_submit(responder->pg, &unit);
}

/* ---- the collection ---- */

struct gap_audits *gap_audits_new(struct responder *responder)
{
    struct gap_audits *audits = xcalloc(1, sizeof *audits);
    audits->responder = responder;
    LIST_INIT(&audits->list);
    return audits;
}

void gap_audits_free(struct gap_audits **audits)
{
    struct gap_audit *audit;
    if (*audits == NULL)
        return;
    while ((audit = LIST_FIRST(&(*audits)->list)) != NULL) {
        if (audit->transfer != NULL)
            http_cancel((*audits)->responder->http, audit->transfer);
        drop(audit);
    }
    free(*audits);
    *audits = NULL;
}

int gap_audits_add_claim(struct gap_audits *audits, struct pg_unit *unit, struct arena *arena)
{
    const struct responder *responder = audits->responder;
    struct gap_audit *audit;
    struct pg_array held;
    if (responder->shared->settings.gap_audit_every_ms == 0 || audits->count >= AT_WORK_MAX)
        return -1;
    pg_array_init(&held);
    LIST_FOREACH(audit, &audits->list, link)
    pg_array_add_uuid(&held, &audit->job.id);
    job_add_claim(unit, arena, JOB_GAP_AUDIT, arena_strdup(arena, worker_id(responder->worker)),
                  pg_array_take(&held, arena), (int)(AT_WORK_MAX - audits->count));
    pg_array_fini(&held);
    return unit->count - 1;
}

void gap_audits_claimed(struct gap_audits *audits, const struct pg_answer *answer, int statement)
{
    struct job job;
    for (int row = 0; job_read_claimed(answer, statement, row, &job); row++)
        start(audits, &job);
}

void gap_audits_stop(struct gap_audits *audits)
{
    struct gap_audit *audit, *next;
    audits->stopping = true;
    for (audit = LIST_FIRST(&audits->list); audit != NULL; audit = next) {
        next = LIST_NEXT(audit, link);
        if (audit->transfer == NULL)
            continue; /* ends with its unit or its reports */
        http_cancel(audits->responder->http, audit->transfer);
        audit->transfer = NULL;
        if (audit->reports <= 1)
            drop(audit);
        else
            gap_audit_landed(audit); /* its own report; the others are still to come */
    }
}

size_t gap_audits_count(const struct gap_audits *audits)
{
    return audits->count;
}
