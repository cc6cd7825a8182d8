/*
 * Fetching TwiML: one job per request, through the same door as every callback, so that it is
 * signed and recorded alike. Called by verbs.c, dial.c, relay.c and the two ways to start a call.
 */
#include "stands/twilio/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stands/twilio/callbacks.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/events.h"
#include "stands/twilio/verbs.h"

enum { EXTRA_MAX = 256 * 1024, REDIRECTS_MAX = 10, REPEAT_MS = 100 };

struct job {
    uv_timer_t timer;
    struct twilio *twilio;
    struct call *call; /* valid while epoch is the stand's */
    uint64_t epoch, document;
    char *url;
    bool get, fell_back;
    const char *why;
    struct stand_buf extra; /* further parameters, form-encoded */
    int repeats, redirects;
    double asked_ms;
};

static char *copy(const char *text)
{
    return stand_copy(text, strlen(text));
}

char *fetch_resolve(const char *base, const char *url)
{
    if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)
        return copy(url);
    const char *host = base ? strstr(base, "://") : NULL;
    if (!host || strstr(url, "://"))
        return NULL;
    size_t keep = (size_t)(host + 3 - base);
    keep += strcspn(base + keep, "/?#");
    if (*url != '/') { /* beside the document */
        size_t path = strcspn(base + keep, "?#");
        while (path > 0 && base[keep + path - 1] != '/')
            path--;
        keep += path;
    }
    struct stand_buf out;
    stand_buf_init(&out, EXTRA_MAX);
    stand_buf_add(&out, base, keep);
    if (*url != '/' && out.len && out.data[out.len - 1] != '/')
        stand_buf_puts(&out, "/");
    stand_buf_puts(&out, url);
    char *resolved = copy(out.data);
    stand_buf_fini(&out);
    return resolved;
}

static void free_job(uv_handle_t *handle)
{
    struct job *job = handle->data;
    stand_buf_fini(&job->extra);
    free(job->url);
    free(job);
}

static void end_job(struct job *job)
{
    uv_close((uv_handle_t *)&job->timer, free_job);
}

static void send_job(struct job *job);

static void on_timer(uv_timer_t *timer)
{
    struct job *job = timer->data;
    if (job->epoch != job->twilio->epoch)
        end_job(job);
    else
        send_job(job);
}

static bool wanted(const struct job *job)
{
    return !call_over(job->call) && job->document == job->call->document;
}

/* Twilio's error notification; then the fallback URL, else the stock message. */
static void fail(struct job *job, int code, const char *message)
{
    struct call *call = job->call;
    event_error(call, code, message);
    if (!wanted(job) || job->fell_back || !call->fallback_url) {
        if (wanted(job))
            verbs_sorry(call);
        end_job(job);
        return;
    }
    char number[16];
    snprintf(number, sizeof number, "%d", code);
    stand_buf_form_pair(&job->extra, "ErrorCode", number);
    stand_buf_form_pair(&job->extra, "ErrorUrl", job->url);
    free(job->url);
    job->url = copy(call->fallback_url);
    job->fell_back = true;
    job->get = false;
    job->repeats = job->redirects = 0;
    job->why = "fallback";
    send_job(job);
}

static void record_answer(const struct job *job, const struct stand_result *result)
{
    struct event event;
    event_start(&event, job->call, "answer");
    event_text(&event, "url", job->url);
    event_text(&event, "for", job->why);
    event_number(&event, "http_status", result->status);
    event_text(&event, "error", result->error);
    event_number(&event, "ms", calls_now(job->twilio->calls) - job->asked_ms);
    event_text(&event, "content_type", result->content_type);
    event_bytes(&event, "body", result->body, result->len);
    event_flag(&event, "used", wanted(job));
    event_end(&event);
}

static bool is_type(const char *type, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(type, name, len) == 0 && strchr("; \t", type[len]) != NULL;
}

/* What is wrong with a type that Twilio does not read as TwiML; 0: nothing. */
static int check_type(const char *type, const char **message)
{
    *message = "an answer without Content-Type";
    if (!type)
        return 12300;
    static const char *const good[] = {"text/xml", "application/xml", "text/html", "text/plain"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (is_type(type, good[i]))
            return 0;
    }
    *message = "a Content-Type that is not TwiML's";
    return 12300;
}

static void take_document(struct job *job, const struct stand_result *result)
{
    struct call *call = job->call;
    struct twiml_problem problem;
    const char *message = NULL;
    int code = result->truncated ? 11750 : check_type(result->content_type, &message);
    if (code) {
        fail(job, code, code == 11750 ? "the document is larger than 64 kB" : message);
        return;
    }
    struct twiml *twiml = twiml_parse(result->body, result->len, &problem);
    if (!twiml) {
        bool plain = is_type(result->content_type, "text/plain");
        fail(job, plain ? 12300 : problem.code, problem.message);
        return;
    }
    if (wanted(job))
        verbs_run(call, twiml, job->url);
    else
        twiml_free(&twiml);
    end_job(job);
}

static void follow(struct job *job, const char *location)
{
    char *url = location ? fetch_resolve(job->url, location) : NULL;
    if (!url || ++job->redirects > REDIRECTS_MAX) {
        free(url);
        fail(job, url ? 11215 : 11200, url ? "too many redirects" : "a redirect to nowhere");
        return;
    }
    free(job->url);
    job->url = url;
    job->get = true;
    stand_buf_clear(&job->extra); /* Digits are lost on the way, as at Twilio */
    send_job(job);
}

static void on_answer(void *user, const struct stand_result *result)
{
    struct job *job = user;
    if (job->epoch != job->twilio->epoch) {
        end_job(job);
        return;
    }
    record_answer(job, result);
    bool late = result->error && strcmp(result->error, "timeout") == 0;
    if ((result->status == 0 || result->status >= 400) && !late &&
        job->repeats < callbacks_repeats(job->url, result->status)) {
        job->repeats++;
        uv_timer_start(&job->timer, on_timer, REPEAT_MS, 0);
    } else if (result->status == 0) {
        fail(job, late ? 11200 : 11205, result->error);
    } else if (result->status >= 300 && result->status < 400) {
        follow(job, result->location);
    } else if (result->status >= 400) {
        fail(job, 11200, "an HTTP error");
    } else if (call_over(job->call)) {
        end_job(job); /* nobody is there any more to hear it */
    } else {
        take_document(job, result);
    }
}

static void send_job(struct job *job)
{
    struct call *call = job->call;
    struct stand_form form, extra;
    struct call_texts texts;
    const char *why = NULL;
    stand_form_borrow(&form);
    call_form(call, &texts, &form);
    if (stand_form_parse(&extra, job->extra.data ? job->extra.data : "", job->extra.len, &why) != 0)
        stand_form_borrow(&extra);
    for (size_t i = 0; i < extra.count; i++)
        stand_form_add(&form, extra.pairs[i].name, extra.pairs[i].value);
    struct event event;
    event_start(&event, call, "ask");
    event_text(&event, "url", job->url);
    event_text(&event, "for", job->why);
    for (size_t i = 0; i < extra.count; i++)
        event_text(&event, extra.pairs[i].name, extra.pairs[i].value);
    event_end(&event);
    job->asked_ms = calls_now(job->twilio->calls);
    struct delivery delivery = {.account = call->account,
                                .url = job->url,
                                .sid = call->sid,
                                .token = call->token,
                                .get = job->get,
                                .form = &form,
                                .done = on_answer,
                                .user = job};
    callbacks_send(job->twilio, job->twilio->webhooks, &delivery);
    stand_form_fini(&extra);
}

void fetch_document(struct call *call, const struct fetch *fetch)
{
    char *url = fetch_resolve(call->document_url, fetch->url);
    if (!url) {
        event_error(call, 11100, "an URL that is not absolute");
        if (!call_over(call))
            verbs_sorry(call);
        return;
    }
    struct job *job = stand_alloc(sizeof *job);
    job->twilio = call->twilio;
    job->call = call;
    job->epoch = call->twilio->epoch;
    job->document = ++call->document;
    job->url = url;
    job->get = fetch->method && strcmp(fetch->method, "GET") == 0;
    job->why = fetch->why;
    job->timer.data = job;
    uv_timer_init(call->twilio->calls->loop, &job->timer);
    stand_buf_init(&job->extra, EXTRA_MAX);
    for (size_t i = 0; fetch->form && i < fetch->form->count; i++)
        stand_buf_form_pair(&job->extra, fetch->form->pairs[i].name, fetch->form->pairs[i].value);
    send_job(job);
}
