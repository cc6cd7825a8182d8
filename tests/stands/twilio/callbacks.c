/*
 * Status callbacks: one job per message, a table of steps per mode. Called by create.c; inbound.c
 * sends its webhooks through the same door, so that both are signed and recorded alike.
 */
#include "stands/twilio/callbacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/lib/ids.h"

enum { STEPS_MAX = 4, FORM_MAX = 256 * 1024, LATE_MS = 5000, REPEATS_MAX = 5, REPEAT_MS = 200 };

struct step {
    const char *status; /* NULL ends the sequence */
    int error_code;     /* the usual one, when the status has one */
    bool unknown_sid;
};

static const struct mode {
    const char *name;
    bool silent;
    struct step steps[STEPS_MAX + 1];
} modes[] = {
    {"normal", false, {{"sent", 0, false}, {"delivered", 0, false}}},
    {"full", false, {{"sending", 0, false}, {"sent", 0, false}, {"delivered", 0, false}}},
    {"sent_only", false, {{"sent", 0, false}}},
    {"out_of_order", false, {{"delivered", 0, false}, {"sent", 0, false}}},
    {"doubled",
     false,
     {{"sent", 0, false}, {"sent", 0, false}, {"delivered", 0, false}, {"delivered", 0, false}}},
    {"late", false, {{"sent", 0, false}, {"delivered", 0, false}}},
    {"none", true, {{"sent", 0, false}, {"delivered", 0, false}}},
    {"failed", false, {{"failed", 30008, false}}},
    {"undelivered", false, {{"sent", 0, false}, {"undelivered", 30003, false}}},
    {"unknown_sid", false, {{"sent", 0, false}, {"delivered", 0, false}, {"delivered", 0, true}}},
};

struct job {
    uv_timer_t timer;
    struct twilio *twilio;
    struct message *message;
    const struct mode *mode;
    size_t at;
    int repeats;
    uint64_t epoch; /* of the stand-in when the job began */
    int error_code; /* the rule's, or 0 */
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; name && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    }
    return NULL;
}

bool callbacks_mode_valid(const char *mode)
{
    return find_mode(mode) != NULL;
}

/* --- sending --- */

/* What is needed when the answer comes. */
struct sending {
    struct twilio *twilio;
    uint64_t entry;
    stand_result_fn *done;
    void *user;
};

static void on_sent(void *user, const struct stand_result *result)
{
    struct sending *sending = user;
    stand_ledger_settle(sending->twilio->sent, sending->entry, result->status,
                        result->status ? STAND_ANSWERED : STAND_FAILED);
    sending->done(sending->user, result);
    free(sending);
}

/* Appends an URL as Twilio signs it: without the fragment and without `user:password@`. */
static void add_signed_url(const char *url, struct stand_buf *out)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *at = memchr(host, '@', authority);
    stand_buf_add(out, url, (size_t)(host - url));
    if (at)
        host = at + 1;
    stand_buf_add(out, host, strcspn(host, "#"));
}

static void sign(const struct delivery *delivery, const char *url, struct stand_buf *signature)
{
    struct stand_buf signed_url;
    stand_buf_init(&signed_url, FORM_MAX);
    add_signed_url(delivery->sign_url ? delivery->sign_url : url, &signed_url);
    stand_form_sign(delivery->get ? NULL : delivery->form, signed_url.data,
                    delivery->token ? delivery->token : delivery->account->token, signature);
    stand_buf_fini(&signed_url);
}

/* The URL of a GET: the form goes into its query, before any fragment. */
static void add_query(const char *url, const struct stand_buf *query, struct stand_buf *out)
{
    size_t len = strcspn(url, "#");
    stand_buf_add(out, url, len);
    if (query->len) {
        stand_buf_puts(out, memchr(url, '?', len) ? "&" : "?");
        stand_buf_add(out, query->data, query->len);
    }
    stand_buf_puts(out, url + len);
}

/* Records what is sent: the form, and its signature as `_signature`. Returns the entry's id. */
static uint64_t record(struct twilio *twilio, const struct delivery *delivery,
                       const char *signature)
{
    struct stand_form form = *delivery->form; /* borrows the same texts */
    struct stand_buf params;
    stand_buf_init(&params, FORM_MAX);
    stand_form_add(&form, "_signature", signature);
    stand_form_json(&form, &params);
    uint64_t entry = stand_ledger_add(twilio->sent, delivery->get ? "GET" : "POST", delivery->url,
                                      params.overflow ? "null" : params.data);
    stand_ledger_sid(twilio->sent, entry, delivery->sid);
    stand_buf_fini(&params);
    return entry;
}

void callbacks_send(struct twilio *twilio, struct stand_client *client,
                    const struct delivery *delivery)
{
    struct stand_buf body, url, headers, signature;
    char token[33];
    stand_buf_init(&body, FORM_MAX);
    stand_buf_init(&url, 2 * FORM_MAX);
    stand_buf_init(&headers, FORM_MAX);
    stand_buf_init(&signature, FORM_MAX);
    for (size_t i = 0; i < delivery->form->count; i++)
        stand_buf_form_pair(&body, delivery->form->pairs[i].name, delivery->form->pairs[i].value);
    if (delivery->get)
        add_query(delivery->url, &body, &url);
    else
        stand_buf_puts(&url, delivery->url);
    sign(delivery, url.data, &signature);
    stand_hex(token, 32);
    stand_buf_printf(&headers, "I-Twilio-Idempotency-Token: %s\r\nX-Twilio-Signature: %s\r\n",
                     token, signature.data);
    struct sending *sending = stand_alloc(sizeof *sending);
    *sending = (struct sending){.twilio = twilio, .done = delivery->done, .user = delivery->user};
    sending->entry = record(twilio, delivery, signature.data);
    struct stand_post post = {.url = url.data,
                              .connect = twilio->connect_to,
                              .headers = headers.data,
                              .body = body.data,
                              .len = body.len,
                              .get = delivery->get,
                              .done = on_sent,
                              .user = sending};
    const char *why = NULL;
    if (stand_client_post(client, &post, &why) != 0) {
        struct stand_result none = {.error = why, .body = ""};
        on_sent(sending, &none);
    }
    stand_buf_fini(&body);
    stand_buf_fini(&url);
    stand_buf_fini(&headers);
    stand_buf_fini(&signature);
}

/* --- the sequence --- */

static void free_job(uv_handle_t *handle)
{
    free(handle->data);
}

static void end_job(struct job *job)
{
    job->twilio->jobs--;
    message_release(job->message);
    uv_close((uv_handle_t *)&job->timer, free_job);
}

static void on_step(uv_timer_t *timer);

static void next_step(struct job *job, uint64_t wait_ms)
{
    job->at++;
    job->repeats = 0;
    if (job->at == STEPS_MAX + 1 || !job->mode->steps[job->at].status)
        end_job(job);
    else
        uv_timer_start(&job->timer, on_step, wait_ms, 0);
}

/* The value of a key in the URL's fragment, up to the next key; NULL if it is not there. */
static const char *override_of(const char *url, const char *key, size_t *length)
{
    for (const char *at = strchr(url, '#'); at != NULL; at = strchr(at + 1, '&')) {
        size_t name = strlen(key);
        if (strncmp(at + 1, key, name) != 0 || at[1 + name] != '=')
            continue;
        *length = strcspn(at + name + 2, "&");
        return at + name + 2;
    }
    return NULL;
}

static bool lists(const char *list, size_t length, const char *word)
{
    for (const char *at = list; at < list + length; at += strcspn(at, ",&") + 1)
        if (strncmp(at, word, strlen(word)) == 0 && strcspn(at, ",&") == strlen(word))
            return true;
    return false;
}

int callbacks_repeats(const char *url, int status)
{
    const char *kind = status >= 500 ? "5xx" : status >= 400 ? "4xx" : "ct";
    size_t rp_length = strlen("ct"), rc_length = 0;
    const char *rp = override_of(url, "rp", &rp_length), *rc = override_of(url, "rc", &rc_length);
    long count = rc ? strtol(rc, NULL, 10) : 1;
    if (!rp)
        rp = "ct";
    if ((status != 0 && status < 400) || count < 0 ||
        (!lists(rp, rp_length, "all") && !lists(rp, rp_length, kind)))
        return 0;
    return count > REPEATS_MAX ? REPEATS_MAX : (int)count;
}

static void on_answer(void *user, const struct stand_result *result)
{
    struct job *job = user;
    if (job->repeats < callbacks_repeats(job->message->callback, result->status))
        uv_timer_start(&job->timer, on_step, (uint64_t)REPEAT_MS << job->repeats++, 0);
    else
        next_step(job, (uint64_t)job->twilio->callback_delay_ms);
}

static void send_status(struct job *job, const struct step *step, int error_code)
{
    const struct message *message = job->message;
    struct stand_form form;
    char sid[35], code[16], done_date[32];
    stand_form_borrow(&form);
    stand_sid(sid, "SM");
    const char *named = step->unknown_sid ? sid : message->sid;
    snprintf(code, sizeof code, "%d", error_code);
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(done_date, sizeof done_date, "%Y%m%d%H%M", &parts);
    stand_form_add(&form, "MessageSid", named);
    stand_form_add(&form, "SmsSid", named);
    stand_form_add(&form, "MessageStatus", step->status);
    stand_form_add(&form, "SmsStatus", step->status);
    stand_form_add(&form, "AccountSid", message->account->sid);
    stand_form_add(&form, "From", message->from ? message->from : "");
    stand_form_add(&form, "To", message->to);
    if (message->service)
        stand_form_add(&form, "MessagingServiceSid", message->service);
    stand_form_add(&form, "ApiVersion", "2010-04-01");
    if (error_code)
        stand_form_add(&form, "ErrorCode", code);
    if (strstr(step->status, "delivered"))
        stand_form_add(&form, "RawDlrDoneDate", done_date + 2); /* YYMMDDhhmm */
    struct delivery delivery = {.account = message->account,
                                .url = message->callback,
                                .sid = named,
                                .form = &form,
                                .done = on_answer,
                                .user = job};
    callbacks_send(job->twilio, job->twilio->callbacks, &delivery);
}

static void on_step(uv_timer_t *timer)
{
    struct job *job = timer->data;
    if (job->epoch != job->twilio->epoch) {
        end_job(job); /* the message was forgotten by a reset */
        return;
    }
    const struct step *step = &job->mode->steps[job->at];
    int error_code = step->error_code && job->error_code ? job->error_code : step->error_code;
    if (!step->unknown_sid)
        message_advance(job->message, step->status, error_code);
    if (job->message->callback && !job->mode->silent)
        send_status(job, step, error_code);
    else
        next_step(job, (uint64_t)job->twilio->callback_delay_ms);
}

void callbacks_start(struct twilio *twilio, struct message *message,
                     const struct stand_action *action)
{
    const struct mode *mode = action ? find_mode(action->mode) : NULL;
    struct job *job = stand_alloc(sizeof *job);
    job->twilio = twilio;
    job->message = message;
    job->epoch = twilio->epoch;
    job->mode = mode ? mode : &modes[0];
    job->error_code = action && action->error_code ? (int)strtol(action->error_code, NULL, 10) : 0;
    job->timer.data = job;
    message->references++;
    twilio->jobs++;
    bool late = strcmp(job->mode->name, "late") == 0;
    uint64_t wait_ms = (uint64_t)twilio->callback_delay_ms;
    if (action && action->ms >= 0)
        wait_ms += (uint64_t)action->ms;
    else if (late)
        wait_ms += LATE_MS;
    uv_timer_init(&twilio->app.loop, &job->timer);
    uv_timer_start(&job->timer, on_step, wait_ms, 0);
}
