/* `deskctl quarantine list|release`: webhooks that ingress could not verify or read. A release
 * proves the signature under the tenant's present keys, or an operator vouches for it in so many
 * words. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/form.h"
#include "base/text.h"
#include "command.h"
#include "contract/event.h"
#include "contract/twilio.h"
#include "crypto/crypto.h"
#include "publish.h"
#include "store/admin.h"
#include "store/tenant.h"
#include "tenant_plan.h"
#include "json/json.h"

#define SCAN_MS    60000
#define PARKED_MAX 10000
#define KEYS_MAX   EVENT_KEYS_MAX
#define SMS_PATH   "/twilio/sms"

/* One parked webhook; texts are in the arena. */
struct parked {
    const char *id; /* PARTITION:OFFSET */
    const char *event_id;
    int64_t at_ms;
    const char *reason, *path, *url, *signature, *remote, *address;
    const char *body;
    size_t body_length;
    const char *sid; /* MessageSid if the body says one, else "" */
};

struct scan {
    struct desk *desk;
    struct arena *scratch;
    struct parked *items;
    size_t count, more, unreadable;
    const char *address;    /* only of this address, or NULL */
    const char *const *ids; /* only these, or NULL */
    size_t id_count;
};

static bool is_wanted(const struct scan *scan, const char *id, const char *address)
{
    if (scan->address != NULL && strcmp(scan->address, address) != 0)
        return false;
    for (size_t i = 0; i < scan->id_count; i++)
        if (strcmp(scan->ids[i], id) == 0)
            return true;
    return scan->id_count == 0;
}

static struct parked keep(struct arena *arena, const char *id, const struct webhook_quarantined *in)
{
    struct form form;
    struct err err;
    struct parked item = {
        .id = id,
        .event_id = arena_strdup(arena, in->event.id),
        .at_ms = in->event.time_ms,
        .reason = arena_strdup(arena, in->reason),
        .path = arena_strdup(arena, in->path),
        .url = arena_strdup(arena, in->url),
        .signature = arena_strdup(arena, in->signature),
        .remote = arena_strdup(arena, in->remote),
        .address = arena_strdup(arena, in->address),
        .body = arena_strndup(arena, in->body, in->body_length),
        .body_length = in->body_length,
        .sid = "",
    };
    if (form_parse(arena, item.body, item.body_length, &form, &err) == 0) {
        const char *sid = form_get(&form, "MessageSid");
        if (sid != NULL && strlen(sid) <= 64 && text_is_utf8(sid, strlen(sid)))
            item.sid = sid;
    }
    return item;
}

static bool collect(void *arg, const struct bus_record *record)
{
    struct scan *scan = arg;
    struct webhook_quarantined in;
    struct err err;
    const char *id =
        arena_printf(scan->desk->arena, "%" PRId32 ":%" PRId64, record->partition, record->offset);
    arena_reset(scan->scratch);
    if (webhook_quarantined_decode(scan->scratch, record, &in, &err) != 0) {
        scan->unreadable++;
        return true;
    }
    if (!is_wanted(scan, id, in.address))
        return true;
    if (scan->count == PARKED_MAX)
        scan->more++;
    else
        scan->items[scan->count++] = keep(scan->desk->arena, id, &in);
    return true;
}

static int scan_topic(struct scan *scan, struct err *err)
{
    struct bus_options options;
    scan->items = arena_alloc(scan->desk->arena, PARKED_MAX * sizeof *scan->items);
    if (desk_bus(scan->desk, &options, err) != 0)
        return -1;
    scan->scratch = arena_new();
    int result =
        bus_scan(&options, desk_topic(scan->desk, TOPIC_QUARANTINE), SCAN_MS, collect, scan, err);
    arena_free(&scan->scratch);
    return result;
}

/* ---- list ---- */

static const struct table_column columns[] = {
    {"id", TABLE_TEXT},      {"at", TABLE_TEXT},  {"reason", TABLE_TEXT}, {"path", TABLE_TEXT},
    {"address", TABLE_TEXT}, {"sid", TABLE_TEXT}, {"remote", TABLE_TEXT}, {"known", TABLE_BOOL},
};

/* Whether the inbox has it meanwhile: by a release, or because the provider came again. */
static int is_known(struct pg_session *session, struct arena *arena, const struct parked *item,
                    bool *known, struct err *err)
{
    struct tenant_channel *channel = NULL;
    *known = false;
    if (*item->sid == '\0' || *item->address == '\0')
        return 0;
    if (tenant_find_channel(session, arena, "sms", item->address, &channel, err) != 0)
        return -1;
    return channel == NULL
               ? 0
               : admin_inbox_knows(session, &channel->tenant, "sms", item->sid, known, err);
}

static int add_rows(struct scan *scan, struct table *table, struct err *err)
{
    struct pg_session *session = NULL;
    char at[CLOCK_RFC3339_SIZE];
    if (desk_begin(scan->desk, &session, err) != 0)
        return -1;
    for (size_t i = 0; i < scan->count; i++) {
        const struct parked *item = &scan->items[i];
        bool known = false;
        if (is_known(session, scan->desk->arena, item, &known, err) != 0)
            return -1;
        clock_format_rfc3339(item->at_ms, at);
        const char *cells[] = {item->id,      at,        item->reason, item->path,
                               item->address, item->sid, item->remote, known ? "true" : "false"};
        table_add(table, cells);
    }
    desk_rollback(scan->desk);
    return 0;
}

static int run_list(struct desk *desk, const struct words *words)
{
    struct scan scan = {.desk = desk, .address = words_option(words, "address")};
    struct err err;
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    if (scan_topic(&scan, &err) != 0 || add_rows(&scan, table, &err) != 0)
        return desk_fail(&err);
    int code = desk_print_table(desk, table, "the quarantine is empty");
    if (scan.more > 0 || scan.unreadable > 0)
        desk_note("and %zu more, %zu unreadable", scan.more, scan.unreadable);
    return code;
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

/* ---- release ---- */

struct release {
    struct desk *desk;
    struct bus_producer *producer;
    const char *vouched; /* the operator's reason, or NULL */
    size_t released, refused;
};

/* NULL after filling *err. */
static struct tenant_channel *find_channel(struct release *release, struct pg_session *session,
                                           const struct form *form, struct err *err)
{
    struct tenant_channel *channel = NULL;
    const char *to = form_get(form, "To");
    if (to == NULL || !text_is_e164(to)) {
        err_set(err, ERR_PERMANENT, "quarantine.number", "it names no number of ours");
        return NULL;
    }
    if (tenant_find_channel(session, release->desk->arena, "sms", to, &channel, err) != 0)
        return NULL;
    if (channel == NULL)
        err_set(err, ERR_PERMANENT, "quarantine.number",
                "%s is no number of any tenant; apply its file first", to);
    return channel;
}

static int verify(struct release *release, const struct parked *item, const struct form *form,
                  const struct tenant_channel *channel, struct err *err)
{
    struct keys keys;
    if (release->vouched != NULL)
        return 0;
    if (open_keys(release->desk, channel, &keys, err) != 0)
        return -1;
    bool fits = twilio_signature_fits(release->desk->arena, item->url, form, item->signature,
                                      (const struct secret *const *)keys.items, keys.count);
    free_keys(&keys);
    return fits ? 0
                : err_set(err, ERR_PERMANENT, "quarantine.signature",
                          "the signature fits none of the tenant's keys; correct the auth token "
                          "(tenant apply), or add --force-unverified REASON if you know who sent "
                          "it");
}

static int write_audit(struct release *release, struct pg_session *session,
                       const struct parked *item, const struct tenant_channel *channel,
                       struct err *err)
{
    struct strbuf detail;
    struct json_writer writer;
    strbuf_init(&detail, 16 * 1024);
    json_writer_init(&writer, &detail);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "quarantined", item->event_id);
    json_add_text(&writer, "position", item->id);
    json_add_text(&writer, "reason", item->reason);
    json_add_bool(&writer, "verified", release->vouched == NULL);
    json_add_text(&writer, "vouched", release->vouched);
    json_close_object(&writer);
    int result = tenant_audit(session, &channel->tenant, desk_actor(release->desk),
                              "quarantine.release", item->sid, detail.data, err);
    strbuf_fini(&detail);
    return result;
}

static int produce(struct release *release, const struct parked *item, const struct form *form,
                   const struct tenant_channel *channel, struct err *err)
{
    struct arena *arena = release->desk->arena;
    struct sms_received sms = {.segments = 0};
    struct bus_record record;
    char tenant[UUID_TEXT_SIZE];
    if (twilio_sms_from_form(arena, form, &sms, err) != 0)
        return -1;
    if (strcmp(sms.account_sid, channel->account_sid) != 0)
        return err_set(err, ERR_PERMANENT, "quarantine.account",
                       "it comes from another account than the number's");
    sms.event = (struct event){
        .id = sms.message_sid,
        .source = arena_printf(arena, "twilio/%s", sms.account_sid),
        .subject = sms.message_sid,
        .time_ms = item->at_ms,
        .tenant = uuid_format(&channel->tenant, tenant),
        .traceparent = event_traceparent(arena, NULL),
    };
    sms_received_encode(arena, release->desk->settings.kafka.topic_prefix, &sms, &record);
    return bus_produce_wait(release->producer, &record, PUBLISH_WAIT_MS, err);
}

/* The audit row is written first and committed last: no release without a row. */
static int release_in(struct release *release, struct pg_session *session,
                      const struct parked *item, struct err *err)
{
    struct form form;
    if (strcmp(item->path, SMS_PATH) != 0)
        return err_set(err, ERR_PERMANENT, "quarantine.path",
                       "only texts are released; a lost status is asked for by the responder");
    if (form_parse(release->desk->arena, item->body, item->body_length, &form, err) != 0)
        return -1;
    const struct tenant_channel *channel = find_channel(release, session, &form, err);
    if (channel == NULL || verify(release, item, &form, channel, err) != 0 ||
        write_audit(release, session, item, channel, err) != 0 ||
        produce(release, item, &form, channel, err) != 0)
        return -1;
    return desk_commit(release->desk, err);
}

static void release_one(struct release *release, const struct parked *item)
{
    struct pg_session *session = NULL;
    struct err err;
    if (desk_begin(release->desk, &session, &err) == 0 &&
        release_in(release, session, item, &err) == 0) {
        release->released++;
        desk_note("%s released as %s", item->id, item->sid);
        return;
    }
    desk_rollback(release->desk);
    release->refused++;
    desk_note("%s not released: %s (%s)", item->id, err.message, err.code);
}

static int say_missing(const struct scan *scan)
{
    int missing = 0;
    for (size_t i = 0; i < scan->id_count; i++) {
        bool found = false;
        for (size_t j = 0; j < scan->count; j++)
            found |= strcmp(scan->ids[i], scan->items[j].id) == 0;
        if (!found) {
            desk_note("%s is not in the quarantine; `deskctl quarantine list` shows ids",
                      scan->ids[i]);
            missing++;
        }
    }
    return missing;
}

static int run_release(struct desk *desk, const struct words *words)
{
    struct scan scan = {.desk = desk,
                        .address = words_option(words, "address"),
                        .ids = words->operands,
                        .id_count = words->count};
    struct release release = {.desk = desk, .vouched = words_option(words, "force-unverified")};
    struct err err;
    if (scan.id_count == 0 && scan.address == NULL)
        return desk_usage("name ids (PARTITION:OFFSET) or --address NUMBER");
    if (release.vouched != NULL && strlen(release.vouched) < 10)
        return desk_usage("--force-unverified needs a reason of at least 10 characters: it is "
                          "kept in the audit log");
    if (scan_topic(&scan, &err) != 0 ||
        publish_open(desk, TOPIC_INBOUND_SMS, &release.producer, &err) != 0)
        return desk_fail(&err);
    int missing = say_missing(&scan);
    for (size_t i = 0; i < scan.count; i++)
        release_one(&release, &scan.items[i]);
    bus_producer_close(&release.producer, 0);
    desk_note("%zu released, %zu not", release.released, release.refused);
    if (release.refused > 0)
        return DESK_FAILED;
    return missing > 0 || scan.count == 0 ? DESK_NOT_FOUND : DESK_OK;
}

static const struct option list_options[] = {
    {"address", "NUMBER", "only webhooks for this number of ours"},
    {NULL, NULL, NULL},
};
static const struct option release_options[] = {
    {"address", "NUMBER", "all for this number of ours"},
    {"force-unverified", "REASON", "release without a fitting signature; the reason is kept"},
    {NULL, NULL, NULL},
};

const struct command command_quarantine[] = {
    {"quarantine list", "", "webhooks that could not be verified or read",
     "KNOWN says that the inbox has the text meanwhile: nothing is left to release.", list_options,
     0, 0, run_list},
    {"quarantine release", "[ID...]", "verify parked texts again and let them in",
     "The signature is checked under the tenant's present keys, so correct the auth token first\n"
     "(`deskctl tenant apply`). A text that came in by itself meanwhile is not answered twice.\n"
     "The parked copy stays until the topic's retention.",
     release_options, 0, COMMAND_WORDS_MAX, run_release},
    {.words = NULL},
};
