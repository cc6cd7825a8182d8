/* Letting a parked webhook in: the same readers and the same event as in ingress, under the keys
 * that the database has now. quarantine.c calls it. */
#include "quarantine.h"

#include <string.h>

#include "base/form.h"
#include "base/text.h"
#include "contract/event.h"
#include "contract/twilio.h"
#include "contract/twilio_call_end.h"
#include "contract/twilio_calls.h"
#include "contract/twilio_status.h"
#include "crypto/crypto.h"
#include "publish.h"
#include "store/directory.h"
#include "store/tenant.h"
#include "store/voice.h"
#include "tenant_plan.h"
#include "json/json.h"

#define KEYS_MAX    EVENT_KEYS_MAX
#define RECORDS_MAX 2

/* What is known of the webhook under release. */
struct letting {
    struct release *release;
    const struct parked *item;
    struct pg_session *session;
    struct form form;
    struct tenant_channel *channels; /* whose keys may sign it */
    size_t channel_count;
    struct {
        enum topic topic;
        struct bus_record record;
    } out[RECORDS_MAX]; /* what is produced, in this order */
    size_t out_count;
};

static struct bus_record *add_record(struct letting *letting, enum topic topic)
{
    letting->out[letting->out_count].topic = topic;
    return &letting->out[letting->out_count++].record;
}

/* ---- keys of a channel ---- */

struct keys {
    struct secret *items[KEYS_MAX + 1];
    size_t count;
};

static void free_keys(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        secret_free(&keys->items[i]);
}

/* The further signing keys: only where the edge's secret half is at hand. */
static void add_edge_keys(struct desk *desk, const struct tenant_channel *channel,
                          struct keys *keys)
{
    const struct secret *public_key, *secret_key;
    struct json *document = NULL;
    struct err err;
    if (desk_key(desk, DESK_KEY_EDGE_PUBLIC, &public_key, &err) != 0 ||
        desk_key(desk, DESK_KEY_EDGE_SECRET, &secret_key, &err) != 0 ||
        json_parse(channel->edge_keys, strlen(channel->edge_keys), &document, &err) != 0)
        return;
    for (const struct json *item = json_first(document); item != NULL && keys->count < KEYS_MAX + 1;
         item = json_next(item)) {
        const char *text = json_text(item);
        struct strbuf sealed;
        strbuf_init(&sealed, 8192);
        if (text != NULL && text_decode_base64(text, strlen(text), &sealed) &&
            crypto_seal_open((const uint8_t *)secret_reveal(public_key),
                             (const uint8_t *)secret_reveal(secret_key), sealed.data, sealed.length,
                             &keys->items[keys->count], &err) == 0)
            keys->count++;
        strbuf_fini(&sealed);
    }
    json_free(&document);
}

static int open_keys(struct desk *desk, const struct tenant_channel *channel, struct keys *keys,
                     struct err *err)
{
    const struct secret *key = NULL;
    keys->count = 0;
    if (desk_key(desk, DESK_KEY_CREDENTIALS, &key, err) != 0 ||
        tenant_plan_open_token(channel, key, &keys->items[0], err) != 0)
        return -1;
    keys->count = 1;
    add_edge_keys(desk, channel, keys);
    return 0;
}

/* ---- verifying ---- */

static int verify(struct letting *letting, struct err *err)
{
    struct desk *desk = letting->release->desk;
    const struct parked *item = letting->item;
    bool fits = letting->release->vouched != NULL;
    for (size_t i = 0; i < letting->channel_count && !fits; i++) {
        struct keys keys;
        if (open_keys(desk, &letting->channels[i], &keys, err) != 0)
            return -1;
        fits = twilio_signature_fits(desk->arena, item->url, &letting->form, item->signature,
                                     (const struct secret *const *)keys.items, keys.count);
        free_keys(&keys);
    }
    return fits ? 0
                : err_set(err, ERR_PERMANENT, "quarantine.signature",
                          "the signature fits none of the tenant's keys; correct the auth token "
                          "(tenant apply), or add --force-unverified REASON if you know who sent "
                          "it");
}

static const char *tenant_text(const struct letting *letting)
{
    char *text = arena_alloc(letting->release->desk->arena, UUID_TEXT_SIZE);
    return uuid_format(&letting->channels->tenant, text);
}

/* ---- texts ---- */

static int find_number(struct letting *letting, const char *kind, const char *ours, struct err *err)
{
    if (ours == NULL || !text_is_e164(ours))
        return err_set(err, ERR_PERMANENT, "quarantine.number", "it names no number of ours");
    if (tenant_find_channel(letting->session, letting->release->desk->arena, kind, ours,
                            &letting->channels, err) != 0)
        return -1;
    if (letting->channels == NULL)
        return err_set(err, ERR_PERMANENT, "quarantine.number",
                       "%s is no number of any tenant for this; apply its file first", ours);
    letting->channel_count = 1;
    return 0;
}

static int check_account(const struct letting *letting, const char *account_sid, struct err *err)
{
    return strcmp(account_sid, letting->channels->account_sid) == 0
               ? 0
               : err_set(err, ERR_PERMANENT, "quarantine.account",
                         "it comes from another account than the number's");
}

static int encode_text(struct letting *letting, struct err *err)
{
    struct desk *desk = letting->release->desk;
    struct sms_received sms = {.segments = 0};
    if (find_number(letting, "sms", form_get(&letting->form, "To"), err) != 0 ||
        verify(letting, err) != 0 ||
        twilio_sms_from_form(desk->arena, &letting->form, &sms, err) != 0 ||
        check_account(letting, sms.account_sid, err) != 0)
        return -1;
    sms.event.time_ms = letting->item->at_ms;
    sms.event.tenant = tenant_text(letting);
    sms.event.traceparent = event_traceparent(desk->arena, NULL);
    sms_received_encode(desk->arena, desk->settings.kafka.topic_prefix, &sms,
                        add_record(letting, TOPIC_INBOUND_SMS));
    return 0;
}

/* ---- calls ---- */

/* The call, whose number's tenant has signed it. */
static int open_call(struct letting *letting, struct twilio_call *call, struct err *err)
{
    if (twilio_call_read(&letting->form, call, err) != 0)
        return -1;
    return find_number(letting, "voice", twilio_call_ours(call), err) == 0 &&
                   verify(letting, err) == 0 && check_account(letting, call->account_sid, err) == 0
               ? 0
               : -1;
}

static void add_end(struct letting *letting, const struct twilio_call *call, enum voice_end reason,
                    bool missed)
{
    struct desk *desk = letting->release->desk;
    const int64_t duration_s = twilio_call_read_duration(&letting->form);
    const struct voice_ended ended = {
        .event = {.id = arena_printf(desk->arena, "%s:ended", call->call_sid),
                  .source = arena_printf(desk->arena, "twilio/%s", call->account_sid),
                  .subject = "",
                  .time_ms = letting->item->at_ms,
                  .tenant = tenant_text(letting),
                  .traceparent = event_traceparent(desk->arena, NULL)},
        .call = {.call_sid = call->call_sid,
                 .account_sid = call->account_sid,
                 .from = twilio_call_person(call),
                 .to = twilio_call_ours(call),
                 .relay_session = ""},
        .reason = reason,
        .duration_s = duration_s > VOICE_SECONDS_MAX ? -1 : duration_s,
        .outbound = twilio_call_is_outbound(call->direction),
        .missed = missed};
    voice_ended_encode(desk->arena, desk->settings.kafka.topic_prefix, &ended,
                       add_record(letting, TOPIC_INBOUND_VOICE));
}

/* A caller whom nobody answered, as the gap audit would find him if his call had been answered. */
static int encode_call(struct letting *letting, struct err *err)
{
    struct desk *desk = letting->release->desk;
    const struct directory_voice *voice = NULL;
    struct twilio_call call;
    bool goes_on = false;
    if (open_call(letting, &call, err) != 0 ||
        directory_find_voice(letting->session, desk->arena, &letting->channels->tenant,
                             letting->channels->address, &voice, err) != 0 ||
        voice_is_open(letting->session, &letting->channels->tenant, call.call_sid, &goes_on, err) !=
            0)
        return -1;
    if (twilio_call_is_outbound(call.direction))
        return err_set(err, ERR_PERMANENT, "quarantine.call",
                       "it is about a call that the desk placed, which is over; what became of it "
                       "the provider tells by its status");
    if (voice != NULL && twilio_call_is_blocked(voice, call.from))
        return err_set(err, ERR_PERMANENT, "quarantine.call",
                       "its caller is blocked (phone.blocked)");
    if (goes_on)
        return err_set(err, ERR_PERMANENT, "quarantine.call",
                       "the desk has taken this call after all; nothing of it is to be released");
    const struct twilio_listed listed = {.kind = TWILIO_CALLS,
                                         .sid = call.call_sid,
                                         .call_sid = call.call_sid,
                                         .event_id =
                                             arena_printf(desk->arena, "%s:ended", call.call_sid),
                                         .at_ms = letting->item->at_ms,
                                         .from = call.from,
                                         .to = call.to,
                                         .status = "completed",
                                         .duration_s = -1};
    twilio_calls_encode(desk->arena, desk->settings.kafka.topic_prefix, tenant_text(letting),
                        call.account_sid, &listed, NULL, add_record(letting, TOPIC_INBOUND_VOICE));
    return 0;
}

static int encode_end(struct letting *letting, struct err *err)
{
    const struct directory_voice *voice = NULL;
    struct twilio_call call;
    enum voice_end reason;
    if (open_call(letting, &call, err) != 0 ||
        directory_find_voice(letting->session, letting->release->desk->arena,
                             &letting->channels->tenant, letting->channels->address, &voice,
                             err) != 0)
        return -1;
    if (!twilio_call_is_over(call.status, &reason))
        return err_set(err, ERR_PERMANENT, "quarantine.call",
                       "it does not tell of a call's end, so the desk has no use for it");
    add_end(letting, &call, reason, twilio_call_may_be_missed(voice, &call));
    return 0;
}

/* ---- statuses ---- */

/* The tenant is that of our own URL, which the signature covers. */
static int find_account(struct letting *letting, const struct twilio_status *status,
                        struct err *err)
{
    struct uuid tenant;
    if (!twilio_status_tenant(status, &tenant))
        return err_set(err, ERR_PERMANENT, "quarantine.url", "its address names no tenant");
    if (tenant_list_account(letting->session, letting->release->desk->arena, &tenant,
                            twilio_status_account(status), &letting->channels,
                            &letting->channel_count, err) != 0)
        return -1;
    if (letting->channel_count == 0)
        return err_set(err, ERR_PERMANENT, "quarantine.account",
                       "the tenant that it names has no number under its account");
    return 0;
}

/* Of a call that we placed and that somebody took, as in ingress. */
static void tell_ended(struct letting *letting, const struct twilio_status *status)
{
    struct twilio_call call;
    enum voice_end reason;
    struct err err;
    if (twilio_status_is_call(status) && twilio_call_read(&status->form, &call, &err) == 0 &&
        twilio_call_is_over(call.status, &reason) && reason == VOICE_COMPLETED &&
        text_is_e164(twilio_call_ours(&call)))
        add_end(letting, &call, reason, false);
}

static int encode_status(struct letting *letting, struct err *err)
{
    struct desk *desk = letting->release->desk;
    struct twilio_status status = {.form = letting->form};
    struct delivery_receipt receipt = {.attempt = 0};
    const char *query = strchr(letting->item->url, '?');
    if (query == NULL)
        query = "?";
    if (form_parse(desk->arena, query + 1, strlen(query + 1), &status.query, err) != 0 ||
        find_account(letting, &status, err) != 0 || verify(letting, err) != 0 ||
        twilio_status_read(desk->arena, &status, &receipt, err) != 0)
        return -1;
    receipt.event.time_ms = letting->item->at_ms;
    receipt.event.tenant = tenant_text(letting);
    delivery_receipt_encode(desk->arena, desk->settings.kafka.topic_prefix, &receipt,
                            add_record(letting, TOPIC_RECEIPTS));
    tell_ended(letting, &status);
    return 0;
}

/* ---- letting in ---- */

static const struct kind {
    const char *path;
    int (*encode)(struct letting *letting, struct err *err);
} kinds[] = {
    {QUARANTINE_SMS_PATH, encode_text},
    {QUARANTINE_STATUS_PATH, encode_status},
    {QUARANTINE_CALL_PATH, encode_call},
    {QUARANTINE_END_PATH, encode_end},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static struct bus_producer **producer_of(struct release *release, enum topic topic)
{
    return topic == TOPIC_INBOUND_SMS ? &release->texts
           : topic == TOPIC_RECEIPTS  ? &release->receipts
                                      : &release->calls;
}

static int write_audit(struct letting *letting, struct err *err)
{
    const struct parked *item = letting->item;
    const char *vouched = letting->release->vouched;
    struct strbuf detail;
    struct json_writer writer;
    strbuf_init(&detail, 16 * 1024);
    json_writer_init(&writer, &detail);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "quarantined", item->event_id);
    json_add_text(&writer, "position", item->id);
    json_add_text(&writer, "path", item->path);
    json_add_text(&writer, "reason", item->reason);
    json_add_bool(&writer, "verified", vouched == NULL);
    json_add_text(&writer, "vouched", vouched);
    json_close_object(&writer);
    int result = tenant_audit(letting->session, &letting->channels->tenant,
                              desk_actor(letting->release->desk), "quarantine.release", item->sid,
                              detail.data, err);
    strbuf_fini(&detail);
    return result;
}

static int produce(struct letting *letting, struct err *err)
{
    for (size_t i = 0; i < letting->out_count; i++) {
        const enum topic topic = letting->out[i].topic;
        struct bus_producer **producer = producer_of(letting->release, topic);
        if (*producer == NULL && publish_open(letting->release->desk, topic, producer, err) != 0)
            return -1;
        if (bus_produce_wait(*producer, &letting->out[i].record, PUBLISH_WAIT_MS, err) != 0)
            return -1;
    }
    return 0;
}

static int let_in(struct letting *letting, const struct kind *kind, struct err *err)
{
    struct desk *desk = letting->release->desk;
    const struct parked *item = letting->item;
    if (form_parse(desk->arena, item->body, item->body_length, &letting->form, err) != 0 ||
        desk_begin(desk, &letting->session, err) != 0)
        return -1;
    if (kind->encode(letting, err) == 0 && write_audit(letting, err) == 0)
        return desk_commit(desk, err) == 0 ? produce(letting, err) : -1;
    desk_rollback(desk);
    return -1;
}

int quarantine_release(struct release *release, const struct parked *item, struct err *err)
{
    struct letting letting = {.release = release, .item = item};
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(item->path, kinds[i].path) == 0)
            return let_in(&letting, &kinds[i], err);
    return err_set(err, ERR_PERMANENT, "quarantine.path",
                   "nothing is behind the path that it was sent to");
}

void quarantine_release_end(struct release *release)
{
    bus_producer_close(&release->texts, 0);
    bus_producer_close(&release->receipts, 0);
    bus_producer_close(&release->calls, 0);
}
