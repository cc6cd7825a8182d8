/* Asks the provider about a call whose last word got lost: what its document says is what its
 * callback would have told, so that a busy one is tried again and a rota goes on. A call that goes
 * on, and one that cannot be asked about, is due again by the statement that took it; after a day
 * it is over, whatever the provider says: none lasts as long. Called by poll.c. */
#include "call_ends.h"

#include "base/stop.h"
#include "channel.h"
#include "counters.h"
#include "flight.h"
#include "outcome.h"
#include "service/log.h"
#include "store/receipt.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define LONGEST_MS 86400000 /* of a call: Twilio's TimeLimit has no more */

static void settle(struct flight *flight, enum delivery_event event, const struct rest_found *found)
{
    flight->change =
        (struct delivery_change){.event = event,
                                 .reason = found == NULL ? "unknown" : NULL,
                                 .sid = found != NULL ? flight->call_sid : NULL,
                                 .provider_status = found != NULL ? found->status : NULL,
                                 .next_in_ms = -1};
    outcomes_add(flight);
}

static void not_told(struct flight *flight, const struct err *err)
{
    const bool over = flight->age_ms > LONGEST_MS;
    metric_add(over ? counters.call_ends_given_up : counters.call_ends_failed, 1);
    log_warn("call_end.not_told", LOG_TEXT("delivery", flight->id), LOG_BOOL("given_up", over),
             LOG_ERR(err));
    if (over) {
        settle(flight, DELIVERY_LOST, NULL);
        return;
    }
    struct responder *responder = flight->responder;
    flights_remove(flight);
    responder_step(responder);
}

static void on_done(void *arg, const struct http_result *result)
{
    struct flight *flight = arg;
    struct rest_found found;
    enum delivery_event event = DELIVERY_SEEN;
    struct err err;
    flight->transfer = NULL;
    if (rest_read_call(flight->arena, result, flight->call_sid, &found, &err) != 0) {
        not_told(flight, &err);
        return;
    }
    receipt_event(found.status, &event);
    if (event == DELIVERY_SEEN && flight->age_ms > LONGEST_MS) {
        err_set(&err, ERR_PERMANENT, "twilio.call", "it has been going on for more than a day");
        not_told(flight, &err);
        return;
    }
    metric_add(counters.call_ends, 1);
    log_info("call_end.told", LOG_TEXT("delivery", flight->id), LOG_TEXT("status", found.status));
    settle(flight, event, &found);
}

static void ask(struct flight *flight)
{
    const struct responder_settings *settings = &flight->responder->shared->settings;
    struct http_call call = {
        .method = "GET",
        .url = rest_call_url(flight->arena, settings->twilio_base_url, flight->route.account_sid,
                             flight->call_sid),
        .user = flight->route.account_sid,
        .password = flight->channel->token,
        .answer_max_bytes = ANSWER_MAX,
        .total_ms = settings->request_timeout_ms,
        .on_done = on_done,
        .arg = flight,
    };
    flight->transfer = http_start(flight->responder->http, &call);
}

void call_ends_ask(struct responder *responder, const struct delivery_call_open *open)
{
    struct err err;
    if (flights_find(responder->flights, &open->ref.id) != NULL)
        return;
    struct flight *flight = flights_add(responder->flights, &open->ref, &open->route, "");
    flight->attempt = open->attempt;
    flight->call_sid = arena_strdup(flight->arena, open->sid);
    flight->age_ms = open->age_ms;
    flight->channel = channels_get(responder->channels, &open->ref.tenant, &open->route);
    STOP_POINT("responder.asking", flight->id);
    if (!open->moved && flight->channel != NULL) {
        ask(flight);
        return;
    }
    err_set(&err, ERR_RETRY_LATER, open->moved ? "channel.moved" : "channel.credentials",
            open->moved ? "its number is another account's by now" : "no key opens its token");
    not_told(flight, &err);
}
