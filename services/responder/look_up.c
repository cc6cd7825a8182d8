/* The look-up: lists the messages (or calls, which have no text) to the number since the first
 * attempt whose outcome nobody knows (an earlier look-up may have come before its message was
 * listed), takes the oldest with our text that no other delivery owns, and settles by it. Twilio
 * has no idempotency key, so this is what stands between a lost answer and a second copy: "not
 * found" is said only of a list without any message that may be ours. A mail server cannot be
 * asked: once a mail has been unknown for so long that its copy has arrived if it ever will, it
 * counts as not found, a few times. */
#include "look_up.h"

#include <string.h>

#include "base/stop.h"
#include "channel.h"
#include "counters.h"
#include "outcome.h"
#include "service/log.h"
#include "store/receipt.h"

#define PAGES_MAX      20
#define ANSWER_MAX     ((size_t)16 << 20) /* a page of 1,000 messages */
#define AGAIN_MS       5000
#define CREDENTIALS_MS 60000
#define CLOCKS_MS      60000 /* between the database's clock and the provider's */
#define UNIT_MS        10000

static void ask(struct flight *flight, const char *url);

static void let_go(void *arg, const struct pg_answer *answer)
{
    struct flight *flight = arg;
    struct responder *responder = flight->responder;
    if (answer->err != NULL) {
        log_warn("look_up.not_put_back", LOG_TEXT("delivery", flight->id), LOG_ERR(answer->err));
    } else if (delivery_read_look_up_over(answer)) {
        metric_add(counters.parked, 1);
        log_warn("deliveries.overdue", LOG_INT("parked", 1), LOG_TEXT("delivery", flight->id));
    }
    flights_remove(flight);
    responder_step(responder);
}

static void again(struct flight *flight, int64_t after_ms)
{
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = let_go, .arg = flight};
    metric_add(counters.look_ups_failed, 1);
    delivery_add_look_up_again(
        &unit, flight->arena,
        &(struct delivery_again){.ref = flight->ref,
                                 .attempt = flight->attempt,
                                 .worker = flight->worker,
                                 .after_ms = after_ms,
                                 .park_after_ms =
                                     flight->responder->shared->settings.park_after_ms});
    pg_submit(flight->responder->pg, &unit);
}

static void settle_missing(struct flight *flight)
{
    const struct responder_settings *settings = &flight->responder->shared->settings;
    bool enough = flight->unknowns >=
                  (flight->route.is_mail ? settings->mail_copies : settings->max_attempts);
    metric_add(enough ? counters.gave_up : counters.not_found, 1);
    log_warn("look_up.not_found", LOG_TEXT("delivery", flight->id),
             LOG_INT("attempt", flight->attempt), LOG_BOOL("given_up", enough));
    flight->change =
        (struct delivery_change){.event = enough ? DELIVERY_GIVE_UP : DELIVERY_NOT_FOUND,
                                 .reason = enough ? "unknown" : NULL,
                                 .next_in_ms = enough ? -1 : 0};
    STOP_POINT("responder.found", flight->id);
    outcomes_add(flight);
}

static void settle_found(struct flight *flight, const struct rest_found *found)
{
    enum delivery_event event = DELIVERY_SEEN;
    receipt_event(found->status, &event);
    metric_add(counters.found, 1);
    log_info("look_up.found", LOG_TEXT("delivery", flight->id), LOG_INT("attempt", flight->attempt),
             LOG_TEXT("status", found->status));
    flight->change = (struct delivery_change){.event = event,
                                              .sid = found->sid,
                                              .provider_status = found->status,
                                              .error_code = found->error_code,
                                              .next_in_ms = -1,
                                              .outcome = "accepted"};
    STOP_POINT("responder.found", flight->id);
    outcomes_add(flight);
}

/* Nobody's message that went our way with another text: it may be ours, redacted. Or the account
 * that was asked to send is another one than the number has now. A receipt may still tell; after
 * that a person decides. */
static void settle_unclear(struct flight *flight)
{
    log_warn("look_up.unclear", LOG_TEXT("delivery", flight->id),
             LOG_INT("attempt", flight->attempt),
             LOG_INT("messages", (int64_t)flight->page->count));
    again(flight, AGAIN_MS);
}

static bool is_used(const struct pg_answer *answer, const char *sid)
{
    for (int row = 0; row < pg_rows(answer->results, 0); row++)
        if (strcmp(pg_text(answer->results, 0, row, 0), sid) == 0)
            return true;
    return false;
}

static void used_known(void *arg, const struct pg_answer *answer)
{
    struct flight *flight = arg;
    if (flight->responder->retiring)
        return; /* the loop is closing: the row is found again by its worker */
    if (answer->err != NULL) {
        log_warn("look_up.failed", LOG_TEXT("delivery", flight->id), LOG_ERR(answer->err));
        again(flight, AGAIN_MS);
        return;
    }
    bool unclear = flight->page->more;
    for (size_t i = 0; i < flight->page->count; i++) {
        const struct rest_found *found = &flight->page->found[i];
        if (is_used(answer, found->sid))
            continue;
        if (found->ours) {
            settle_found(flight, found);
            return;
        }
        unclear = true;
    }
    if (unclear)
        settle_unclear(flight);
    else
        settle_missing(flight);
}

/* The same words may have been sent before: those messages are other deliveries'. */
static void ask_used(struct flight *flight)
{
    struct pg_array sids;
    pg_array_init(&sids);
    for (size_t i = 0; i < flight->page->count; i++)
        pg_array_add(&sids, flight->page->found[i].sid);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = used_known, .arg = flight};
    delivery_add_used_sids(&unit, flight->arena, &flight->ref, pg_array_take(&sids, flight->arena));
    pg_array_fini(&sids);
    pg_submit(flight->responder->pg, &unit);
}

static void on_done(void *arg, const struct http_result *result)
{
    struct flight *flight = arg;
    struct err err;
    flight->transfer = NULL;
    if (rest_read_page(flight->arena, result, flight->responder->shared->settings.twilio_base_url,
                       &flight->wanted, flight->page, &err) != 0) {
        log_warn("look_up.failed", LOG_TEXT("delivery", flight->id), LOG_ERR(&err));
        again(flight, AGAIN_MS);
        return;
    }
    if (flight->page->next_url != NULL && ++flight->pages < PAGES_MAX) {
        ask(flight, flight->page->next_url);
        return;
    }
    flight->page->more |= flight->page->next_url != NULL; /* not read to the end */
    if (flight->page->count > 0)
        ask_used(flight);
    else if (flight->page->more)
        settle_unclear(flight);
    else
        settle_missing(flight);
}

static void ask(struct flight *flight, const char *url)
{
    struct http_call call = {
        .method = "GET",
        .url = url,
        .user = flight->route.account_sid,
        .password = flight->channel->token,
        .answer_max_bytes = ANSWER_MAX,
        .total_ms = flight->responder->shared->settings.request_timeout_ms,
        .on_done = on_done,
        .arg = flight,
    };
    flight->transfer = http_start(flight->responder->http, &call);
}

void look_up_start(struct responder *responder, const struct delivery_look_up *look_up)
{
    const struct responder_settings *settings = &responder->shared->settings;
    if (flights_find(responder->flights, &look_up->ref.id) != NULL)
        return;
    struct flight *flight =
        flights_add(responder->flights, &look_up->ref, &look_up->route, look_up->body);
    flight->attempt = look_up->attempt;
    flight->unknowns = look_up->unknowns;
    flight->worker = arena_strdup(flight->arena, look_up->worker);
    if (flight->route.is_mail) {
        STOP_POINT("responder.looking", flight->id);
        settle_missing(flight);
        return;
    }
    flight->page = arena_alloc(flight->arena, sizeof *flight->page);
    flight->wanted =
        (struct rest_wanted){.from = flight->route.from,
                             .to = flight->route.to,
                             .service_sid = flight->route.service_sid,
                             .body = flight->body,
                             .is_call = flight->route.is_call,
                             .since_ms = look_up->since_ms - CLOCKS_MS,
                             .until_ms = look_up->attempt_ms + settings->request_timeout_ms +
                                         settings_lookup_after_ms(settings) + CLOCKS_MS};
    flight->channel = channels_get(responder->channels, &look_up->ref.tenant, &look_up->route);
    STOP_POINT("responder.looking", flight->id);
    if (look_up->moved)
        settle_unclear(flight); /* this account's list would say nothing of it */
    else if (flight->channel == NULL)
        again(flight, CREDENTIALS_MS);
    else
        ask(flight, rest_list_url(flight->arena, settings->twilio_base_url,
                                  flight->route.account_sid, &flight->wanted));
}
