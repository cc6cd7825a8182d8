/*
 * Status callbacks and the other callbacks whose answers steer nothing. A form is rendered when its
 * progress happens, whenever it is sent. Called by call.c, recordings.c and outbound.c.
 */
#include "stands/twilio/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/twilio/callbacks.h"
#include "stands/twilio/calls.h"

enum { FORM_MAX = 256 * 1024, LATE_MS = 5000, REPEAT_MS = 200, STEP_MS = 50 };

struct job {
    uv_timer_t timer;
    struct twilio *twilio;
    struct call *call;
    uint64_t epoch;
    char *url;
    struct stand_buf form;
    int repeats;
};

static void free_job(uv_handle_t *handle)
{
    struct job *job = handle->data;
    stand_buf_fini(&job->form);
    free(job->url);
    free(job);
}

static void on_due(uv_timer_t *timer);

static void on_answer(void *user, const struct stand_result *result)
{
    struct job *job = user;
    if (job->epoch == job->twilio->epoch &&
        job->repeats < callbacks_repeats(job->url, result->status))
        uv_timer_start(&job->timer, on_due, (uint64_t)REPEAT_MS << job->repeats++, 0);
    else
        uv_close((uv_handle_t *)&job->timer, free_job);
}

static void on_due(uv_timer_t *timer)
{
    struct job *job = timer->data;
    const char *why = NULL;
    struct stand_form form;
    if (job->epoch != job->twilio->epoch ||
        stand_form_parse(&form, job->form.data, job->form.len, &why) != 0) {
        uv_close((uv_handle_t *)timer, free_job);
        return;
    }
    struct delivery delivery = {.account = job->call->account,
                                .url = job->url,
                                .sid = job->call->sid,
                                .token = job->call->token,
                                .form = &form,
                                .done = on_answer,
                                .user = job};
    callbacks_send(job->twilio, job->twilio->callbacks, &delivery);
    stand_form_fini(&form);
}

void progress_send(struct call *call, const char *url, const struct stand_form *form,
                   double wait_ms)
{
    struct job *job = stand_alloc(sizeof *job);
    job->twilio = call->twilio;
    job->call = call;
    job->epoch = call->twilio->epoch;
    job->url = stand_copy(url, strlen(url));
    job->timer.data = job;
    stand_buf_init(&job->form, FORM_MAX);
    for (size_t i = 0; i < form->count; i++)
        stand_buf_form_pair(&job->form, form->pairs[i].name, form->pairs[i].value);
    uv_timer_init(call->twilio->calls->loop, &job->timer);
    uv_timer_start(&job->timer, on_due, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static const struct {
    const char *word;
    unsigned bit;
} words[] = {{"initiated", PROGRESS_INITIATED},
             {"ringing", PROGRESS_RINGING},
             {"answered", PROGRESS_ANSWERED},
             {"completed", PROGRESS_COMPLETED}};

unsigned progress_of(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) == len && memcmp(words[i].word, word, len) == 0)
            return words[i].bit;
    }
    return 0;
}

const char *progress_mode(const char *mode)
{
    static const char *const modes[] = {"normal", "late", "doubled", "out_of_order", "none"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i], mode) == 0)
            return modes[i];
    }
    return NULL;
}

static bool is_mode(const struct call *call, const char *mode)
{
    return call->settings.callbacks && strcmp(call->settings.callbacks, mode) == 0;
}

static void send_progress(struct call *call, unsigned progress, int sequence, double wait_ms)
{
    static const char *const status[] = {[PROGRESS_INITIATED] = "initiated",
                                         [PROGRESS_RINGING] = "ringing",
                                         [PROGRESS_ANSWERED] = "in-progress"};
    struct stand_form form;
    struct call_texts texts;
    char number[16], stamp[64], minutes[32];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(stamp, sizeof stamp, "%a, %d %b %Y %H:%M:%S +0000", &parts);
    snprintf(number, sizeof number, "%d", sequence);
    stand_form_borrow(&form);
    call_form(call, &texts, &form);
    for (size_t i = 0; i < form.count; i++) {
        if (strcmp(form.pairs[i].name, "CallStatus") == 0 && progress != PROGRESS_COMPLETED)
            form.pairs[i].value = status[progress];
    }
    stand_form_add(&form, "CallbackSource", "call-progress-events");
    stand_form_add(&form, "SequenceNumber", number);
    stand_form_add(&form, "Timestamp", stamp);
    if (progress == PROGRESS_COMPLETED) {
        long seconds = strtol(texts.duration, NULL, 10);
        snprintf(minutes, sizeof minutes, "%ld", (seconds + 59) / 60);
        stand_form_add(&form, "CallDuration", texts.duration);
        stand_form_add(&form, "Duration", minutes);
    }
    progress_send(call, call->status_callback, &form, wait_ms);
}

/* The last one first; every one has the number of its own place. */
static void send_backwards(struct call *call, int sequence)
{
    double wait_ms = 0;
    for (unsigned bit = PROGRESS_COMPLETED; bit > 0; bit >>= 1) {
        if (!(call->progress_told & bit))
            continue;
        send_progress(call, bit, sequence--, wait_ms);
        wait_ms += STEP_MS;
    }
}

void progress_note(struct call *call, unsigned progress)
{
    if (!call->status_callback || !(call->progress_mask & progress))
        return;
    int sequence = call->sequence++;
    call->progress_told |= progress;
    if (is_mode(call, "none"))
        return;
    if (is_mode(call, "out_of_order")) {
        if (progress == PROGRESS_COMPLETED)
            send_backwards(call, sequence);
        return;
    }
    double late_ms = call->settings.callbacks_ms > 0 ? call->settings.callbacks_ms : LATE_MS;
    double wait_ms = is_mode(call, "late") ? late_ms : 0;
    send_progress(call, progress, sequence, wait_ms);
    if (is_mode(call, "doubled"))
        send_progress(call, progress, sequence, wait_ms + STEP_MS);
}
