/* The create request. Whether it may still leave is asked directly before its first body byte: our
 * copy of the lease must hold, the worker be the one that claimed, and the claim be younger than a
 * lease, so that a look-up knows after which time nothing can leave any more. */
#include "send.h"

#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "channel.h"
#include "contract/segments.h"
#include "counters.h"
#include "mail_send.h"
#include "outcome.h"
#include "service/log.h"

#define CREDENTIALS_WAIT_MS 60000
#define ANSWER_MAX_BYTES    ((size_t)256 * 1024)

bool send_may_leave(const struct flight *flight, int64_t age_ms)
{
    const struct responder *responder = flight->responder;
    STOP_POINT("responder.sending", flight->id);
    return flight->generation == responder->generation &&
           worker_lease_left_ms(responder->worker) > 0 &&
           clock_lease_ms() - flight->claimed_ms < age_ms;
}

static bool may_send(void *arg)
{
    const struct flight *flight = arg;
    return send_may_leave(flight, flight->responder->shared->settings.worker_lease_ms);
}

void send_settle_unsent(struct flight *flight, const char *reason, int64_t next_in_ms)
{
    flight->change = (struct delivery_change){
        .event = DELIVERY_DEFER, .reason = reason, .next_in_ms = next_in_ms, .outcome = "not_sent"};
    metric_add(counters.not_sent, 1);
    outcomes_add(flight);
}

static void post(struct flight *flight);

void send_over(struct flight *flight)
{
    struct flight *next = channel_leave(flight->channel);
    if (next != NULL)
        post(next);
    outcomes_add(flight);
}

struct metric *send_counter(const struct delivery_change *change)
{
    const struct {
        const char *outcome;
        struct metric *metric;
    } rows[] = {{"accepted", counters.accepted},
                {"refused", counters.declined},
                {"deferred", counters.deferred},
                {"not_sent", counters.not_sent}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(change->outcome, rows[i].outcome) == 0)
            return rows[i].metric;
    return counters.unknown;
}

static void add_segments(struct flight *flight)
{
    struct segments segments;
    segments_count(flight->body, &segments);
    flight->change.segments = segments.count;
    flight->change.encoding = segments_encoding(&segments);
}

/* The request may have reached the provider at its very end, and what the claim set is counted from
 * its beginning: the provider gets its whole time to list the message from now on. */
static void on_done(void *arg, const struct http_result *result)
{
    struct flight *flight = arg;
    struct rest_verdict verdict;
    flight->transfer = NULL;
    if (result->status != 0)
        STOP_POINT("responder.answered", flight->id);
    rest_judge_create(flight->arena, result, flight->attempt,
                      flight->responder->shared->settings.park_after_ms, &verdict);
    flight->change = verdict.change;
    if (flight->change.event == DELIVERY_NO_ANSWER)
        flight->change.next_in_ms = settings_lookup_after_ms(&flight->responder->shared->settings);
    if (!flight->route.is_call)
        add_segments(flight);
    metric_add(send_counter(&flight->change), 1);
    metric_observe_us(counters.request_seconds, result->total_us);
    if (verdict.alert) {
        metric_add(counters.alerts, 1);
        log_error("provider.alert", LOG_TEXT("delivery", flight->id),
                  LOG_TEXT("code", verdict.change.error_code),
                  LOG_TEXT("meaning", verdict.meaning));
    } else if (strcmp(verdict.change.outcome, "accepted") != 0) {
        log_info("attempt.ended", LOG_TEXT("delivery", flight->id),
                 LOG_INT("attempt", flight->attempt), LOG_TEXT("outcome", verdict.change.outcome),
                 LOG_TEXT("code", verdict.change.error_code));
    }
    send_over(flight);
}

static void post_form(struct flight *flight)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    const struct responder *responder = flight->responder;
    const struct responder_settings *settings = &responder->shared->settings;
    const struct rest_create create = {settings->public_url, &flight->route, &flight->ref,
                                       flight->attempt,      flight->body,   flight->traceparent,
                                       &flight->call};
    const bool is_call = flight->route.is_call;
    const char *form = is_call ? rest_create_call_form(flight->arena, &create)
                               : rest_create_form(flight->arena, &create);
    struct http_call call = {
        .method = "POST",
        .url = (is_call ? rest_calls_url : rest_messages_url)(
            flight->arena, settings->twilio_base_url, flight->route.account_sid),
        .headers = headers,
        .user = flight->route.account_sid,
        .password = flight->channel->token,
        .body = form,
        .body_length = strlen(form),
        .answer_max_bytes = ANSWER_MAX_BYTES,
        .total_ms = settings->request_timeout_ms,
        .may_send = may_send,
        .on_done = on_done,
        .arg = flight,
    };
    flight->transfer = http_start(responder->http, &call);
}

static void post(struct flight *flight)
{
    if (flight->mail != NULL)
        mail_send_start(flight);
    else
        post_form(flight);
}

void send_start(struct flight *flight)
{
    if (flight->channel == NULL)
        send_settle_unsent(flight, "credentials", CREDENTIALS_WAIT_MS);
    else if (channel_enter(flight->channel, flight))
        post(flight);
}

void send_give_up_waiting(struct responder *responder, bool all)
{
    int64_t lease_ms = responder->shared->settings.worker_lease_ms;
    struct flight *flight = channels_give_up(responder->channels,
                                             all ? INT64_MAX : clock_lease_ms() - lease_ms / 2),
                  *next;
    for (; flight != NULL; flight = next) {
        next = flight->next;
        send_settle_unsent(flight, "busy", REST_GIVE_BACK_MS);
    }
}
