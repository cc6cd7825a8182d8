/* A status callback of a text, or of a call that we placed. Its URL is ours and carries tenant,
 * delivery, attempt and trace; the signature covers the URL, so they count only after it was
 * verified with a key of that very tenant. Called by routes.c. */
#include "status.h"

#include "base/clock.h"
#include "base/stop.h"
#include "contract/event.h"
#include "contract/twilio_status.h"
#include "voice.h"

#include <string.h>

/* The call that somebody took is a call as any other: the engines hear of its end. */
static void tell_ended(struct webhook *webhook, const struct twilio_status *status,
                       const char *tenant)
{
    struct twilio_call call;
    struct err err;
    if (twilio_status_is_call(status) && twilio_call_read(&status->form, &call, &err) == 0 &&
        strcmp(call.status, "completed") == 0)
        voice_tell_ended(webhook, &(struct voice_owner){.tenant = tenant}, &call, false);
}

static void publish(struct webhook *webhook, const struct twilio_status *status, const char *tenant)
{
    struct arena *arena = webhook->request->arena;
    struct delivery_receipt receipt = {.event = {.time_ms = clock_wall_ms(), .tenant = tenant}};
    struct bus_record record;
    struct err err;
    if (twilio_status_read(arena, status, &receipt, &err) != 0) {
        webhook_refuse(webhook, 400, err.code);
        return;
    }
    delivery_receipt_encode(arena, webhook->ingress->settings.kafka.topic_prefix, &receipt,
                            &record);
    if (!webhook_publish(webhook, &record, receipt.provider_sid))
        return;
    webhook->response->status = 204;
    tell_ended(webhook, status, tenant);
}

static void verify(struct webhook *webhook, const struct twilio_status *status, const char *tenant)
{
    if (webhook_is_tenants(webhook, tenant, twilio_status_account(status)))
        publish(webhook, status, tenant);
}

void status_handle(struct webhook *webhook)
{
    struct twilio_status status;
    struct uuid tenant;
    struct err err;
    char text[UUID_TEXT_SIZE];
    const struct http_request *request = webhook->request;
    if (!webhook_open(webhook))
        return;
    const char *sid = form_get(&webhook->form, "MessageSid");
    STOP_POINT("ingress.read", sid != NULL ? sid : form_get(&webhook->form, "CallSid"));
    const char *from = form_get(&webhook->form, "From"); /* text or call was ours */
    webhook->address = from == NULL ? "" : from;
    status.form = webhook->form;
    if (form_parse(request->arena, request->query, strlen(request->query), &status.query, &err) !=
            0 ||
        !twilio_status_tenant(&status, &tenant))
        webhook_refuse(webhook, 403, "signature.uncheckable");
    else
        verify(webhook, &status, uuid_format(&tenant, text));
}
