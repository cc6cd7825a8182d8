/* The steps that webhooks share, in the order of their cost: nothing is published and no key is
 * used before the request is signed at all, and what is parked is bounded. Called by sms.c,
 * status.c and the files of voice. */
#include "webhook.h"

#include "base/clock.h"
#include "base/stop.h"
#include "contract/event.h"
#include "contract/twilio.h"
#include "counters.h"
#include "service/log.h"

#include <string.h>

#define SIGNATURE_HEADER "X-Twilio-Signature"
#define SOURCE_HEADER    "X-Forwarded-For"
#define SOURCE_BYTES_MAX 64

void webhook_unavailable(struct webhook *webhook)
{
    *webhook->response =
        (struct http_response){.status = 503, .retry_after_s = WEBHOOK_RETRY_AFTER_S};
}

/* ---- reading ---- */

bool webhook_open(struct webhook *webhook)
{
    const struct http_request *request = webhook->request;
    struct err err;
    int count = 0;
    webhook->signature = http_request_header(request, SIGNATURE_HEADER, &count);
    if (count != 1 || webhook->signature[0] == '\0') {
        webhook->response->status = 403;
        return false;
    }
    if (!atomic_load(&webhook->ingress->directory_read)) {
        webhook_unavailable(webhook);
        return false;
    }
    webhook->address = "";
    webhook->url = arena_printf(request->arena, "%s%s", webhook->ingress->settings.public_url,
                                request->target);
    if (form_parse(request->arena, request->body, request->body_length, &webhook->form, &err) != 0)
        webhook_refuse(webhook, 403, err.code); /* no form, nothing that a signature could cover */
    else
        return true;
    return false;
}

/* ---- verifying ---- */

bool webhook_is_signed(const struct webhook *webhook, struct channel *const *channels, size_t count)
{
    const struct secret *keys[DIRECTORY_ALL_KEYS_MAX];
    size_t key_count = channel_keys(channels, count, keys);
    return twilio_signature_fits(webhook->request->arena, webhook->url, &webhook->form,
                                 webhook->signature, keys, key_count);
}

/* ---- refusing ---- */

/* The sender as the proxy saw it: the last address of its header. Only counts how much is parked,
 * so a forged one gains nothing but another bounded share. */
static const char *source_of(const struct http_request *request)
{
    int count = 0;
    const char *forwarded = http_request_header(request, SOURCE_HEADER, &count);
    if (count != 1)
        return request->remote;
    const char *comma = strrchr(forwarded, ',');
    const char *last = comma == NULL ? forwarded : comma + 1;
    last += strspn(last, " ");
    size_t length = strlen(last);
    bool plain = length > 0 && length < SOURCE_BYTES_MAX &&
                 strspn(last, "0123456789abcdefABCDEF.:") == length;
    return plain ? last : request->remote;
}

static bool park(struct webhook *webhook, const char *reason, const char *source)
{
    const struct http_request *request = webhook->request;
    struct webhook_quarantined event = {
        .event = {.source = "frontdesk/ingress",
                  .subject = request->path,
                  .time_ms = clock_wall_ms(),
                  .tenant = "",
                  .traceparent = event_traceparent(request->arena, NULL)},
        .reason = reason,
        .path = request->path,
        .url = webhook->url,
        .signature = webhook->signature,
        .remote = source,
        .address = webhook->address,
        .body = request->body,
        .body_length = request->body_length,
    };
    struct bus_record record;
    struct err err;
    webhook_quarantined_encode(request->arena, webhook->ingress->settings.kafka.topic_prefix,
                               &event, &record);
    if (publisher_send(webhook->ingress->publisher, &record, &err) == 0)
        return true;
    log_warn("webhook.not_parked", LOG_TEXT("route", webhook->name), LOG_ERR(&err));
    return false;
}

void webhook_refuse(struct webhook *webhook, int status, const char *reason)
{
    const char *source = source_of(webhook->request);
    const char *number = webhook->address_is_ours ? webhook->address : "unknown";
    bool wanted = quarantine_allow(webhook->ingress->quarantine, source, number, clock_mono_ms());
    log_warn("webhook.refused", LOG_TEXT("route", webhook->name), LOG_INT("status", status),
             LOG_TEXT("reason", reason), LOG_BOOL("parked", wanted));
    webhook->response->status = status;
    if (!wanted)
        metric_add(counters.park_refused, 1);
    else if (park(webhook, reason, source))
        metric_add(counters.parked, 1);
    else
        webhook_unavailable(webhook);
}

bool webhook_is_tenants(struct webhook *webhook, const char *tenant, const char *account)
{
    struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX];
    size_t count = directory_find_tenant(webhook->ingress->directory, tenant, account, found);
    size_t keys = 0;
    for (size_t i = 0; i < count; i++) {
        keys += found[i]->key_count;
        webhook->address_is_ours |= strcmp(found[i]->address, webhook->address) == 0;
    }
    bool fits = keys > 0 && webhook_is_signed(webhook, found, count);
    if (!fits)
        webhook_refuse(webhook, 403, keys == 0 ? "signature.uncheckable" : "signature.wrong");
    for (size_t i = 0; i < count; i++)
        channel_release(&found[i]);
    return fits;
}

/* ---- publishing ---- */

bool webhook_publish(struct webhook *webhook, const struct bus_record *record, const char *sid)
{
    struct err err;
    STOP_POINT("ingress.verified", sid);
    if (publisher_send(webhook->ingress->publisher, record, &err) == 0) {
        STOP_POINT("ingress.acked", sid);
        return true;
    }
    log_warn("webhook.not_published", LOG_TEXT("route", webhook->name), LOG_TEXT("sid", sid),
             LOG_ERR(&err));
    webhook_unavailable(webhook);
    return false;
}
