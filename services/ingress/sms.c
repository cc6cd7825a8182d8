/* A customer's text: the number in the form names the channel, its keys verify, the form becomes an
 * event. The reply travels by the responder, so the answer is empty TwiML. Called by routes.c. */
#include "sms.h"

#include "base/clock.h"
#include "base/stop.h"
#include "contract/event.h"
#include "contract/twilio.h"

static const char twiml[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

static void publish(struct webhook *webhook, struct channel *channel)
{
    struct arena *arena = webhook->request->arena;
    struct sms_received sms = {.event = {.time_ms = clock_wall_ms(),
                                         .tenant = channel->tenant,
                                         .traceparent = event_traceparent(arena, NULL)}};
    struct bus_record record;
    struct err err;
    if (twilio_sms_from_form(arena, &webhook->form, &sms, &err) != 0) {
        webhook_refuse(webhook, 400, err.code);
        return;
    }
    sms_received_encode(arena, webhook->ingress->settings.kafka.topic_prefix, &sms, &record);
    if (!webhook_publish(webhook, &record, sms.message_sid))
        return;
    *webhook->response = (struct http_response){
        .status = 200, .content_type = "text/xml", .body = twiml, .body_length = sizeof twiml - 1};
}

static void verify(struct webhook *webhook, struct channel *channel)
{
    if (channel == NULL || channel->key_count == 0)
        webhook_refuse(webhook, 403, "signature.uncheckable");
    else if (!webhook_is_signed(webhook, &channel, 1))
        webhook_refuse(webhook, 403, "signature.wrong");
    else
        publish(webhook, channel);
}

void sms_handle(struct webhook *webhook)
{
    if (!webhook_open(webhook))
        return;
    STOP_POINT("ingress.read", form_get(&webhook->form, "MessageSid"));
    const char *to = form_get(&webhook->form, "To");
    webhook->address = to == NULL ? "" : to;
    struct channel *channel = directory_find(webhook->ingress->directory, "sms", webhook->address);
    webhook->address_is_ours = channel != NULL;
    verify(webhook, channel);
    channel_release(&channel);
}
