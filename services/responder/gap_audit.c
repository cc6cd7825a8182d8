/* One audit: the channel's row, then page by page of the provider's list: which of its messages the
 * inbox does not know; then their media lists and records, oldest first (the list is newest first),
 * and at the end the job's row. A step that fails ends the run; the job is tried again after a
 * back-off, from the same time on. */
#include "gap_audit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/mem.h"
#include "channel.h"
#include "contract/event.h"
#include "contract/twilio_page.h"
#include "counters.h"
#include "rest.h"
#include "service/log.h"
#include "store/inbox.h"
#include "store/job.h"

#define AT_WORK_MAX   8
#define PAGES_MAX     1000
#define MISSING_MAX   5000               /* texts of one run; older ones are the next run's */
#define ANSWER_MAX    ((size_t)16 << 20) /* a page of 1,000 messages */
#define UNIT_MS       10000
#define BEFORE_MAX_MS (90LL * 24 * 3600 * 1000)

/* The messages of a page that the inbox does not know live in the page's arena. */
struct page {
    SLIST_ENTRY(page) link;
    struct arena *arena;
};

struct gap_audit {
    LIST_ENTRY(gap_audit) link;
    struct gap_audits *all;
    struct arena *arena;
    SLIST_HEAD(, page) pages;
    struct job job;
    const char *base; /* of the provider's REST interface, without its last slash */
    char tenant[UUID_TEXT_SIZE], worker[UUID_TEXT_SIZE], channel_text[UUID_TEXT_SIZE];
    struct delivery_route route;
    struct channel *channel; /* borrowed: its token */
    int64_t since_ms;
    struct http_transfer *transfer;
    struct twilio_page page;    /* in hand */
    const char *next_url;       /* of the page after it; NULL: none */
    struct twilio_list missing; /* what the inbox does not know, of all pages */
    bool page_kept;             /* some of it are messages of the page in hand */
    size_t next, injected;
    int page_count,
        reports; /* records not yet acknowledged, and one for the step that sends them */
    bool failed;
    struct err err; /* why */
    int64_t retry_after_ms;
};
LIST_HEAD(gap_audit_list, gap_audit);

struct gap_audits {
    struct responder *responder;
    struct gap_audit_list list;
    size_t count;
    bool stopping;
};

static void ask_page(struct gap_audit *audit, const char *url);
static void inject_missing(struct gap_audit *audit);

/* ---- the end of a run ---- */

static void drop(struct gap_audit *audit)
{
    struct gap_audits *all = audit->all;
    LIST_REMOVE(audit, link);
    all->count--;
    while (!SLIST_EMPTY(&audit->pages)) {
        struct page *page = SLIST_FIRST(&audit->pages);
        SLIST_REMOVE_HEAD(&audit->pages, link);
        arena_free(&page->arena);
        free(page);
    }
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
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = ended, .arg = audit};
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
                 LOG_INT("texts", (int64_t)audit->injected));
    end(audit, NULL, next_ms(audit));
}

/* What a person must mend is tried at the usual interval, the rest with a back-off. */
static void end_badly(struct gap_audit *audit)
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

static void fail(struct gap_audit *audit, const struct err *err)
{
    audit->failed = true;
    audit->err = *err;
}

/* ---- requests ---- */

static void ask(struct gap_audit *audit, const char *url,
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

/* 0 when the answer is a 200; else why not. */
static int check_answer(struct gap_audit *audit, const struct http_result *result, struct err *err)
{
    audit->retry_after_ms = http_retry_after_ms(result->retry_after);
    if (result->err != NULL)
        return err_set(err, ERR_RETRY_LATER, result->err->code, "%s", result->err->message);
    if (result->status == 200)
        return 0;
    bool passes = result->status == 429 || result->status >= 500;
    return err_set(err, passes ? ERR_RETRY_LATER : ERR_PERMANENT, "gap_audit.status",
                   "the provider's list of messages answered %d", result->status);
}

/* ---- sending what is missing ---- */

static void report_landed(struct gap_audit *audit)
{
    if (--audit->reports > 0)
        return;
    if (audit->failed)
        end_badly(audit);
    else
        end_well(audit);
}

static void landed(void *arg, const struct err *err)
{
    struct gap_audit *audit = arg;
    if (err != NULL)
        fail(audit, err);
    else
        audit->injected++;
    metric_add(counters.gaps, err == NULL);
    report_landed(audit);
}

static void inject(struct gap_audit *audit, struct twilio_message *message)
{
    struct responder *responder = audit->all->responder;
    struct bus_record record;
    struct err err;
    twilio_page_to_event(audit->arena, audit->tenant, audit->route.account_sid, message);
    sms_received_encode(audit->arena, responder->shared->settings.kafka.topic_prefix, &message->sms,
                        &record);
    audit->reports++;
    if (bus_produce(responder->producer, &record, landed, audit, &err) != 0) {
        audit->reports--;
        fail(audit, &err);
    }
}

static void media_done(void *arg, const struct http_result *result)
{
    struct gap_audit *audit = arg;
    struct twilio_message *message = audit->missing.items[audit->next];
    struct err err;
    audit->transfer = NULL;
    if (check_answer(audit, result, &err) != 0 ||
        twilio_page_read_media(audit->arena, result->body, result->body_length, audit->base,
                               &message->sms, &err) != 0) {
        fail(audit, &err);
    } else {
        inject(audit, message);
        audit->next++;
    }
    inject_missing(audit);
}

static void inject_missing(struct gap_audit *audit)
{
    while (!audit->failed && !audit->all->stopping && audit->next < audit->missing.count) {
        struct twilio_message *message = audit->missing.items[audit->next];
        if (message->media > 0 && *message->error == '\0') {
            ask(audit,
                twilio_page_media_url(audit->arena, audit->base, audit->route.account_sid,
                                      message->sid),
                media_done);
            return;
        }
        if (*message->error == '\0')
            inject(audit, message);
        else
            log_warn("gap_audit.unreadable", LOG_TEXT("sid", message->sid),
                     LOG_TEXT("why", message->error));
        audit->next++;
    }
    report_landed(audit);
}

/* Oldest first, as they would have come. */
static void inject_all(struct gap_audit *audit)
{
    twilio_list_sort(&audit->missing);
    audit->reports = 1; /* our own, until all are sent */
    inject_missing(audit);
}

/* ---- pages ---- */

static void page_over(struct gap_audit *audit)
{
    if (audit->next_url == NULL)
        inject_all(audit);
    else if (audit->missing.count < MISSING_MAX)
        ask_page(audit, audit->next_url);
    else {
        struct err err;
        err_set(&err, ERR_RETRY_LATER, "gap_audit.many", "more than %d texts are missing",
                MISSING_MAX);
        fail(audit, &err);
        inject_all(audit);
    }
}

static bool came_in(const struct gap_audit *audit, size_t i)
{
    return twilio_page_came_in(&audit->page.messages[i], audit->route.from,
                               audit->route.account_sid, audit->since_ms);
}

static void keep_unknown(struct gap_audit *audit, const struct pg_answer *answer)
{
    struct map *unknown = map_new();
    for (int row = 0; row < pg_rows(answer->results, 0); row++)
        map_put_text(unknown, pg_text(answer->results, 0, row, 0), audit);
    for (size_t i = 0; i < audit->page.count; i++)
        if (came_in(audit, i) && map_get_text(unknown, audit->page.messages[i].sid) != NULL) {
            twilio_list_add(audit->arena, &audit->missing, &audit->page.messages[i]);
            audit->page_kept = true;
        }
    map_free(&unknown);
}

static void unknown_known(void *arg, const struct pg_answer *answer)
{
    struct gap_audit *audit = arg;
    if (audit->all->responder->retiring)
        return; /* the loop is closing: gap_audits_free has the audit */
    if (answer->err != NULL) {
        fail(audit, answer->err);
        end_badly(audit);
        return;
    }
    keep_unknown(audit, answer);
    page_over(audit);
}

static void take_page(struct gap_audit *audit)
{
    struct arena *arena = SLIST_FIRST(&audit->pages)->arena;
    struct pg_array sids;
    audit->next_url = audit->page.next != NULL
                          ? arena_printf(audit->arena, "%s%s", audit->base, audit->page.next)
                          : NULL;
    audit->page_kept = false;
    pg_array_init(&sids);
    for (size_t i = 0; i < audit->page.count; i++)
        if (came_in(audit, i))
            pg_array_add(&sids, audit->page.messages[i].sid);
    if (sids.count == 0) {
        page_over(audit);
    } else {
        struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = unknown_known, .arg = audit};
        inbox_add_unknown(&unit, audit->tenant, "sms", pg_array_take(&sids, arena));
        pg_submit(audit->all->responder->pg, &unit);
    }
    pg_array_fini(&sids);
}

/* The arena of the last page is used again when nothing of it is missing. */
static struct arena *page_arena(struct gap_audit *audit)
{
    struct page *page = SLIST_FIRST(&audit->pages);
    if (page == NULL || audit->page_kept) {
        page = xcalloc(1, sizeof *page);
        page->arena = arena_new();
        SLIST_INSERT_HEAD(&audit->pages, page, link);
    }
    arena_reset(page->arena);
    return page->arena;
}

static void page_done(void *arg, const struct http_result *result)
{
    struct gap_audit *audit = arg;
    struct err err;
    audit->transfer = NULL;
    if (check_answer(audit, result, &err) != 0 ||
        twilio_page_read(page_arena(audit), result->body, result->body_length,
                         audit->route.account_sid, &audit->page, &err) != 0) {
        fail(audit, &err);
        end_badly(audit);
    } else if (++audit->page_count > PAGES_MAX) {
        err_set(&err, ERR_PERMANENT, "gap_audit.pages", "the list has more than %d pages",
                PAGES_MAX);
        fail(audit, &err);
        end_badly(audit);
    } else {
        take_page(audit);
    }
}

static void ask_page(struct gap_audit *audit, const char *url)
{
    ask(audit, url, page_done);
}

/* ---- the start of a run ---- */

static int64_t window_start(const struct gap_audit *audit)
{
    const int64_t starts_ms[] = {audit->job.since_ms, audit->job.done_ms - JOB_GAP_AUDIT_OVERLAP_MS,
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
    if (responder->retiring)
        return; /* the loop is closing: gap_audits_free has the audit */
    if (answer->err != NULL) {
        fail(audit, answer->err);
        end_badly(audit);
        return;
    }
    if (!delivery_read_channel(answer, &route)) {
        end(audit, NULL, -1); /* removed: tenant apply makes the job due again */
        return;
    }
    audit->channel = channels_get(responder->channels, &audit->job.tenant, &route);
    if (audit->channel == NULL) {
        err_set(&err, ERR_PERMANENT, "channel.credentials", "no key opens the channel's token");
        fail(audit, &err);
        end_badly(audit);
        return;
    }
    copy_route(audit, &route);
    audit->since_ms = window_start(audit);
    ask_page(audit, twilio_page_url(audit->arena,
                                    &(struct twilio_page_query){
                                        audit->base, audit->route.account_sid, audit->route.from,
                                        TWILIO_PAGE_TO, audit->since_ms}));
}

static void start(struct gap_audits *audits, const struct job *job)
{
    struct gap_audit *audit = xcalloc(1, sizeof *audit);
    struct responder *responder = audits->responder;
    audit->all = audits;
    audit->arena = arena_new();
    SLIST_INIT(&audit->pages);
    audit->job = *job;
    audit->base = rest_base(audit->arena, responder->shared->settings.twilio_base_url);
    uuid_format(&job->tenant, audit->tenant);
    uuid_format(&job->subject, audit->channel_text);
    memcpy(audit->worker, worker_id(responder->worker), sizeof audit->worker);
    LIST_INSERT_HEAD(&audits->list, audit, link);
    audits->count++;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = channel_known, .arg = audit};
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
            report_landed(audit); /* its own report; the others are still to come */
    }
}

size_t gap_audits_count(const struct gap_audits *audits)
{
    return audits->count;
}
