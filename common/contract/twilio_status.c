/* Reading of status callbacks. Words that are new to us are passed through: the responder judges
 * them. Called by ingress and deskctl. */
#include "contract/twilio_status.h"

#include <string.h>

#include "base/text.h"
#include "contract/event_codec.h"

#define ATTEMPT_MAX 1000000

/* The only value of the parameter; "" if it is missing or doubled. */
static const char *single(const struct form *form, const char *name)
{
    return form_count(form, name) == 1 ? form_get(form, name) : "";
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

enum { SID, STATUS, ACCOUNT, PARAMETERS };

/* A text tells other names than a call. */
static const struct {
    const char *name, *code;
    bool (*check)(const char *text);
} parameters[][PARAMETERS] = {
    {{"MessageSid", "webhook.message_sid", event_is_message_sid},
     {"MessageStatus", "webhook.message_status", is_status},
     {"AccountSid", "webhook.account_sid", event_is_account_sid}},
    {{"CallSid", "webhook.call_sid", event_is_call_sid},
     {"CallStatus", "webhook.call_status", is_status},
     {"AccountSid", "webhook.account_sid", event_is_account_sid}},
};

bool twilio_status_is_call(const struct twilio_status *status)
{
    return form_count(&status->form, "CallSid") > 0 && form_count(&status->form, "MessageSid") == 0;
}

bool twilio_status_tenant(const struct twilio_status *status, struct uuid *tenant)
{
    return uuid_parse(single(&status->query, "tenant"), tenant);
}

const char *twilio_status_account(const struct twilio_status *status)
{
    return single(&status->form, "AccountSid");
}

static int bad(struct err *err, const char *code, const char *name)
{
    return err_set(err, ERR_PERMANENT, code, "%s is missing, doubled or not as expected", name);
}

int twilio_status_read(struct arena *arena, const struct twilio_status *status,
                       struct delivery_receipt *out, struct err *err)
{
    const struct form *form = &status->form;
    struct uuid delivery;
    int64_t attempt = 0;
    const int kind = twilio_status_is_call(status);
    if (!uuid_parse(single(&status->query, "delivery"), &delivery))
        return bad(err, "webhook.delivery", "delivery");
    if (!text_parse_int(single(&status->query, "attempt"), 1, ATTEMPT_MAX, &attempt))
        return bad(err, "webhook.attempt", "attempt");
    for (size_t i = 0; i < PARAMETERS; i++)
        if (!parameters[kind][i].check(single(form, parameters[kind][i].name)))
            return bad(err, parameters[kind][i].code, parameters[kind][i].name);
    if (form_count(form, "ErrorCode") > 1 || !is_error_code(single(form, "ErrorCode")))
        return bad(err, "webhook.error_code", "ErrorCode");
    out->delivery = delivery;
    out->attempt = (int)attempt;
    out->provider_sid = single(form, parameters[kind][SID].name);
    out->status = single(form, parameters[kind][STATUS].name);
    out->error_code = single(form, "ErrorCode");
    out->event.traceparent = event_traceparent(arena, single(&status->query, "traceparent"));
    out->event.source = arena_printf(arena, "twilio/%s", twilio_status_account(status));
    out->event.subject = uuid_format(&delivery, arena_alloc(arena, UUID_TEXT_SIZE));
    return 0;
}
