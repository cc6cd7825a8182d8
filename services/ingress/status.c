/* A status callback. Its URL is ours and carries tenant, delivery and attempt; the signature covers
 * the URL, so they count only after it was verified with a key of that very tenant. Words that are
 * new to us are passed through: the responder judges them. Called by routes.c. */
#include "status.h"

#include "base/clock.h"
#include "base/stop.h"
#include "base/text.h"
#include "contract/event.h"

#include <string.h>

#define ATTEMPT_MAX 1000000

/* The only value of the parameter; "" if it is missing or doubled. */
static const char *single(const struct form *form, const char *name)
{
    return form_count(form, name) == 1 ? form_get(form, name) : "";
}

static bool is_sid(const char *text, const char *prefix)
{
    uint8_t bytes[16];
    struct uuid id;
    if (strncmp(text, prefix, 2) == 0)
        return text_parse_hex(text + 2, bytes, sizeof bytes);
    return uuid_parse(text, &id);
}

static bool is_message_sid(const char *text)
{
    return is_sid(text, "SM") || is_sid(text, "MM");
}

static bool is_account_sid(const char *text)
{
    return is_sid(text, "AC");
}

static bool is_status(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 32 && strspn(text, "abcdefghijklmnopqrstuvwxyz_-") == length;
}

static bool is_error_code(const char *text)
{
    size_t length = strlen(text);
    return length <= 10 && strspn(text, "0123456789") == length;
}

static const struct {
    const char *name, *code;
    bool (*check)(const char *text);
} parameters[] = {
    {"MessageSid", "webhook.message_sid", is_message_sid},
    {"MessageStatus", "webhook.message_status", is_status},
    {"AccountSid", "webhook.account_sid", is_account_sid},
};

/* Fills the receipt; returns NULL or the reason of the refusal. */
static const char *read_receipt(struct webhook *webhook, const struct form *query,
                                struct delivery_receipt *out)
{
    const struct form *form = &webhook->form;
    int64_t attempt = 0;
    if (!uuid_parse(single(query, "delivery"), &out->delivery))
        return "webhook.delivery";
    if (!text_parse_int(single(query, "attempt"), 1, ATTEMPT_MAX, &attempt))
        return "webhook.attempt";
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        if (!parameters[i].check(single(form, parameters[i].name)))
            return parameters[i].code;
    if (form_count(form, "ErrorCode") > 1 || !is_error_code(single(form, "ErrorCode")))
        return "webhook.error_code";
    out->attempt = (int)attempt;
    out->provider_sid = single(form, "MessageSid");
    out->status = single(form, "MessageStatus");
    out->error_code = single(form, "ErrorCode");
    out->event.source =
        arena_printf(webhook->request->arena, "twilio/%s", single(form, "AccountSid"));
    return NULL;
}

static void publish(struct webhook *webhook, const struct form *query, const char *tenant)
{
    struct arena *arena = webhook->request->arena;
    struct delivery_receipt receipt = {.event = {.time_ms = clock_wall_ms(),
                                                 .tenant = tenant,
                                                 .traceparent = event_traceparent(arena, NULL)}};
    struct bus_record record;
    const char *reason = read_receipt(webhook, query, &receipt);
    if (reason != NULL) {
        webhook_refuse(webhook, 400, reason);
        return;
    }
    receipt.event.subject = uuid_format(&receipt.delivery, arena_alloc(arena, UUID_TEXT_SIZE));
    delivery_receipt_encode(arena, webhook->ingress->settings.kafka.topic_prefix, &receipt,
                            &record);
    if (webhook_publish(webhook, &record, receipt.provider_sid))
        webhook->response->status = 204;
}

static void verify(struct webhook *webhook, const struct form *query, const char *tenant)
{
    struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX];
    const char *account = single(&webhook->form, "AccountSid");
    size_t count = directory_find_tenant(webhook->ingress->directory, tenant, account, found);
    size_t keys = 0;
    for (size_t i = 0; i < count; i++) {
        keys += found[i]->key_count;
        webhook->address_is_ours |= strcmp(found[i]->address, webhook->address) == 0;
    }
    if (keys == 0)
        webhook_refuse(webhook, 403, "signature.uncheckable");
    else if (!webhook_is_signed(webhook, found, count))
        webhook_refuse(webhook, 403, "signature.wrong");
    else
        publish(webhook, query, tenant);
    for (size_t i = 0; i < count; i++)
        channel_release(&found[i]);
}

void status_handle(struct webhook *webhook)
{
    struct form query;
    struct uuid tenant;
    struct err err;
    char text[UUID_TEXT_SIZE];
    const struct http_request *request = webhook->request;
    if (!webhook_open(webhook))
        return;
    STOP_POINT("ingress.read", form_get(&webhook->form, "MessageSid"));
    const char *from = form_get(&webhook->form, "From"); /* the text was ours */
    webhook->address = from == NULL ? "" : from;
    if (form_parse(request->arena, request->query, strlen(request->query), &query, &err) != 0 ||
        !uuid_parse(single(&query, "tenant"), &tenant))
        webhook_refuse(webhook, 403, "signature.uncheckable");
    else
        verify(webhook, &query, uuid_format(&tenant, text));
}
