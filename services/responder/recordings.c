/* One recording: its row, its bytes, the outcome. Bytes that are not there are asked about once
 * more: only what the provider says of the recording itself tells whether they are still to come.
 * That it does not know of it counts when it says so twice in a row, hours after we do: its parts
 * may not agree before that. What may pass is tried again, longer apart each time, for days. */
#include "recordings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "channel.h"
#include "counters.h"
#include "rest.h"
#include "service/log.h"
#include "store/recording.h"
#include "json/json.h"

#define AT_WORK_MAX   2 /* each costs three times its size, for a moment */
#define ANSWER_MAX    65536
#define IDLE_MS       15000
#define UNIT_MS       30000
#define AGAIN_MS      1000 /* doubling */
#define AGAIN_MAX_MS  3600000
#define GONE_AFTER_MS 21600000
#define UNKNOWN       "recording.unknown" /* the code of a miss, by which the next try knows it */

struct fetching {
    LIST_ENTRY(fetching) link;
    struct recordings *all;
    struct arena *arena;
    struct job job;
    char worker[UUID_TEXT_SIZE], task[UUID_TEXT_SIZE];
    const char *url, *user; /* without the ending; of the account */
    bool may_be_gone;       /* if the provider does not know of it this time as well */
    const struct channel *channel;
    struct http_transfer *transfer;
};
LIST_HEAD(fetching_list, fetching);

struct recordings {
    struct responder *responder;
    struct fetching_list list;
    size_t count;
    bool stopping;
};

/* ---- the end ---- */

static void drop(struct fetching *one)
{
    LIST_REMOVE(one, link);
    one->all->count--;
    arena_free(&one->arena);
    free(one);
}

static void let_go(struct fetching *one)
{
    struct responder *responder = one->all->responder;
    drop(one);
    responder_step(responder);
}

static void written(void *arg, const struct pg_answer *answer)
{
    struct fetching *one = arg;
    if (answer->err != NULL)
        log_warn("recording.not_written", LOG_TEXT("escalation", one->task), LOG_ERR(answer->err));
    let_go(one); /* if the job still names us, the next poll finds that we do not hold it */
}

static int64_t again_ms(const struct fetching *one)
{
    int64_t doubled = one->job.tries < 13 ? AGAIN_MS << (one->job.tries - 1) : AGAIN_MAX_MS;
    return doubled < AGAIN_MAX_MS ? doubled : AGAIN_MAX_MS;
}

/* `state` NULL: tried again, no sooner than retry_after_ms. */
static void miss(struct fetching *one, const struct err *err, const char *state, const char *words,
                 int64_t retry_after_ms)
{
    struct responder *responder = one->all->responder;
    if (state == NULL && one->job.tries >= responder->shared->settings.recording_tries) {
        state = "failed";
        words = "The recording could not be fetched from the telephone provider.";
    }
    const char *why = arena_printf(one->arena, "%s: %s", err->code, err->message);
    const int64_t wait_ms = again_ms(one);
    metric_add(state != NULL ? counters.recordings_given_up : counters.recordings_missed, 1);
    log_warn("recording.missed", LOG_TEXT("escalation", one->task), LOG_INT("try", one->job.tries),
             LOG_TEXT("state", state != NULL ? state : "waiting"), LOG_ERR(err));
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = written, .arg = one};
    recording_add_miss(
        &unit, one->arena, &one->job, one->worker,
        &(struct recording_miss){
            .error = arena_strndup(one->arena, why, text_utf8_prefix(why, JOB_ERROR_MAX - 1)),
            .next_in_ms = wait_ms > retry_after_ms ? wait_ms : retry_after_ms,
            .state = state,
            .words = words});
    pg_submit(responder->pg, &unit);
}

static void try_again(struct fetching *one, const struct http_result *result)
{
    struct err err;
    if (result->err != NULL)
        err = *result->err;
    else
        err_set(&err, ERR_RETRY_LATER, "recording.status", "the provider answered %d%s",
                result->status,
                result->status == 401 || result->status == 403
                    ? ": it refuses account and auth token; correct the tenant file and apply it"
                    : "");
    miss(one, &err, NULL, NULL, http_retry_after_ms(result->retry_after));
}

static void keep(struct fetching *one, const char *bytes, size_t length)
{
    struct responder *responder = one->all->responder;
    STOP_POINT("responder.recorded", one->task);
    metric_add(counters.recordings_kept, 1);
    log_info("recording.kept", LOG_TEXT("escalation", one->task),
             LOG_INT("bytes", (int64_t)length));
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = written, .arg = one};
    recording_add_kept(&unit, one->arena, &one->job, one->worker, bytes, length);
    pg_submit(responder->pg, &unit);
}

/* ---- asking ---- */

static void ask(struct fetching *one, const char *ending, size_t answer_max,
                void (*done)(void *arg, const struct http_result *result))
{
    struct responder *responder = one->all->responder;
    struct http_call call = {
        .method = "GET",
        .url = arena_printf(one->arena, "%s%s", one->url, ending),
        .user = one->user,
        .password = one->channel->token,
        .answer_max_bytes = answer_max,
        .idle_ms = IDLE_MS,
        .total_ms = responder->shared->settings.recording_timeout_ms,
        .on_done = done,
        .arg = one,
    };
    one->transfer = http_start(responder->http, &call);
}

static bool is_unknown(const struct http_result *result)
{
    return result->status == 404 || result->status == 410;
}

static bool will_never_come(const struct http_result *result)
{
    static const char *const over[] = {"absent", "deleted", "failed"};
    struct json *document = NULL;
    bool found = false;
    if (result->status != 200 ||
        json_parse(result->body, result->body_length, &document, NULL) != 0)
        return false;
    const char *status = json_member_text(document, "status");
    for (size_t i = 0; status != NULL && i < sizeof over / sizeof over[0]; i++)
        found |= strcmp(status, over[i]) == 0;
    json_free(&document);
    return found;
}

static void told_of(void *arg, const struct http_result *result)
{
    struct fetching *one = arg;
    struct err err;
    one->transfer = NULL;
    if (result->err != NULL || result->status == 429 || result->status >= 500 ||
        result->status == 401 || result->status == 403) {
        try_again(one, result);
        return;
    }
    if (will_never_come(result) || (is_unknown(result) && one->may_be_gone)) {
        err_set(&err, ERR_PERMANENT, "recording.gone", "the provider has it no longer");
        miss(one, &err, "gone", "The telephone provider no longer has the recording.", 0);
        return;
    }
    if (is_unknown(result))
        err_set(&err, ERR_RETRY_LATER, UNKNOWN, "the provider does not know of it");
    else
        err_set(&err, ERR_RETRY_LATER, "recording.not_there", "the provider has no file of it yet");
    miss(one, &err, NULL, NULL, 0);
}

static void bytes_there(void *arg, const struct http_result *result)
{
    struct fetching *one = arg;
    one->transfer = NULL;
    if (result->err != NULL && strcmp(result->err->code, "http.too_large") == 0)
        miss(one, result->err, "too_large",
             "The recording is too large to be kept here: it is at the telephone provider.", 0);
    else if (result->err == NULL && is_unknown(result))
        ask(one, ".json", ANSWER_MAX, told_of);
    else if (result->err == NULL && result->status == 200 && result->body_length > 0)
        keep(one, result->body, result->body_length);
    else
        try_again(one, result);
}

static void known(void *arg, const struct pg_answer *answer)
{
    struct fetching *one = arg;
    struct responder *responder = one->all->responder;
    struct recording_due due;
    struct err err;
    if (responder->retiring)
        return; /* the loop is closing: recordings_free has it */
    if (answer->err != NULL || one->all->stopping) {
        let_go(one); /* taken again by its row */
        return;
    }
    if (!recording_read(answer, &due)) {
        struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = written, .arg = one};
        job_add_end(&unit, one->arena, &one->job,
                    &(struct job_end){one->worker, NULL, one->job.now_ms, -1});
        pg_submit(responder->pg, &unit);
        return;
    }
    one->channel = channels_get(responder->channels, &one->job.tenant, &due.route);
    if (one->channel == NULL) {
        err_set(&err, ERR_PERMANENT, "channel.credentials", "no key opens the channel's token");
        miss(one, &err, NULL, NULL, 0);
        return;
    }
    one->may_be_gone =
        due.age_ms >= GONE_AFTER_MS && strncmp(due.last_error, UNKNOWN ":", sizeof UNKNOWN) == 0;
    one->user = arena_strdup(one->arena, due.route.account_sid);
    one->url = arena_printf(one->arena, "%s/2010-04-01/Accounts/%s/Recordings/%s",
                            rest_base(one->arena, responder->shared->settings.twilio_base_url),
                            due.account_sid, due.sid);
    STOP_POINT("responder.recording", one->task);
    ask(one, ".mp3", (size_t)responder->shared->settings.recording_max_bytes, bytes_there);
}

static void start(struct recordings *recordings, const struct job *job)
{
    struct responder *responder = recordings->responder;
    struct fetching *one = xcalloc(1, sizeof *one);
    one->all = recordings;
    one->arena = arena_new();
    one->job = *job;
    memcpy(one->worker, worker_id(responder->worker), sizeof one->worker);
    uuid_format(&job->subject, one->task);
    LIST_INSERT_HEAD(&recordings->list, one, link);
    recordings->count++;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = known, .arg = one};
    recording_add_read(&unit, one->arena, job);
    pg_submit(responder->pg, &unit);
}

/* ---- the collection ---- */

struct recordings *recordings_new(struct responder *responder)
{
    struct recordings *recordings = xcalloc(1, sizeof *recordings);
    recordings->responder = responder;
    LIST_INIT(&recordings->list);
    return recordings;
}

void recordings_stop(struct recordings *recordings)
{
    struct fetching *one, *next;
    recordings->stopping = true;
    for (one = LIST_FIRST(&recordings->list); one != NULL; one = next) {
        next = LIST_NEXT(one, link);
        if (one->transfer == NULL)
            continue; /* ends with its unit */
        http_cancel(recordings->responder->http, one->transfer);
        drop(one);
    }
}

void recordings_free(struct recordings **recordings)
{
    if (*recordings == NULL)
        return;
    recordings_stop(*recordings);
    while (!LIST_EMPTY(&(*recordings)->list))
        drop(LIST_FIRST(&(*recordings)->list));
    free(*recordings);
    *recordings = NULL;
}

int recordings_add_claim(struct recordings *recordings, struct pg_unit *unit, struct arena *arena)
{
    struct fetching *one;
    struct pg_array held;
    if (recordings->count >= AT_WORK_MAX)
        return -1;
    pg_array_init(&held);
    LIST_FOREACH(one, &recordings->list, link)
    pg_array_add_uuid(&held, &one->job.id);
    job_add_claim(unit, arena, JOB_RECORDING,
                  arena_strdup(arena, worker_id(recordings->responder->worker)),
                  pg_array_take(&held, arena), (int)(AT_WORK_MAX - recordings->count));
    pg_array_fini(&held);
    return unit->count - 1;
}

void recordings_claimed(struct recordings *recordings, const struct pg_answer *answer,
                        int statement)
{
    struct job job;
    for (int row = 0; job_read_claimed(answer, statement, row, &job); row++)
        start(recordings, &job);
}

size_t recordings_count(const struct recordings *recordings)
{
    return recordings->count;
}
