/* Unit tests of the decoders against records that somebody else put on our topics: each bad record
 * has its code, and no random damage crashes or leaves half a result. Runs in the checkout's root.
 */
#include "contract/event.h"

#include "json/json.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENANT   "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f"
#define DELIVERY "018f9c3e-3000-7000-8000-000000000001"
#define SESSION  "018f9c3e-4000-8000-8000-000000000002"
#define AC       "AC00000000000000000000000000000101"
#define SM       "SM0123456789abcdefABCDEF0123456789"
#define GONE     ((const char *)1) /* the header or member is taken out */

union any {
    struct event event;
    struct sms_received sms;
    struct delivery_requested requested;
    struct delivery_receipt receipt;
    struct directory_channel channel;
    struct directory_complete complete;
    struct webhook_quarantined quarantined;
};

/* What is done to a good record. */
struct damage {
    const char *title;
    const char *code;          /* expected; NULL: still decodes */
    const char *header, *text; /* sets (or adds, or takes out) a header */
    const char *member, *json; /* replaces a member by this JSON text */
    const char *value;         /* the whole value instead */
    const char *key;
};

static struct arena *arena;

/* ---- good records ---- */

static void good_sms(struct bus_record *record)
{
    struct sms_received in = {
        .event = {.source = "twilio/" AC, .tenant = TENANT, .time_ms = 1795424887123},
        .message_sid = SM,
        .account_sid = AC,
        .from = "+15550001111",
        .to = "+15550002222",
        .body = "Hello",
        .segments = 1,
        .media = {{"https://example.com/1", "image/png"}},
        .media_count = 1,
    };
    sms_received_encode(arena, "desk.", &in, record);
}

static struct uuid id(const char *text)
{
    struct uuid parsed = {{0}};
    CU_ASSERT_FATAL(uuid_parse(text, &parsed));
    return parsed;
}

static void good_requested(struct bus_record *record)
{
    struct delivery_requested in = {
        .event = {.source = "frontdesk/engine", .tenant = TENANT, .time_ms = 1},
        .delivery = id(DELIVERY),
        .session = id(SESSION),
    };
    delivery_requested_encode(arena, "desk.", &in, record);
}

static void good_receipt(struct bus_record *record)
{
    struct delivery_receipt in = {
        .event = {.source = "twilio/" AC, .tenant = TENANT, .time_ms = 1},
        .delivery = id(DELIVERY),
        .attempt = 1,
        .provider_sid = SM,
        .status = "failed",
        .error_code = "30003",
    };
    delivery_receipt_encode(arena, "desk.", &in, record);
}

static void good_channel(struct bus_record *record)
{
    struct directory_channel in = {
        .event = {.source = "frontdesk/engine", .tenant = TENANT, .time_ms = 1},
        .version = 3,
        .channel = id(SESSION),
        .kind = "sms",
        .address = "+15550002222",
        .account_sid = AC,
        .sealed_keys = {"AAAA"},
        .sealed_key_count = 1,
    };
    directory_channel_encode(arena, "desk.", &in, record);
}

static void good_complete(struct bus_record *record)
{
    struct directory_complete in = {
        .event = {.source = "frontdesk/engine", .time_ms = 1},
        .channels = 4,
    };
    directory_complete_encode(arena, "desk.", &in, record);
}

static void good_quarantined(struct bus_record *record)
{
    struct webhook_quarantined in = {
        .event = {.source = "frontdesk/ingress", .time_ms = 1},
        .reason = "signature.wrong",
        .path = "/twilio/sms",
        .url = "https://desk.example/twilio/sms",
        .signature = "abc=",
        .remote = "203.0.113.9",
        .address = "+15550002222",
        .body = "a=b",
        .body_length = 3,
    };
    webhook_quarantined_encode(arena, "desk.", &in, record);
}

#define ADAPT(name, member)                                                                        \
    static int decode_##member(const struct bus_record *record, union any *out, struct err *err)   \
    {                                                                                              \
        return name##_decode(arena, record, &out->member, err);                                    \
    }
ADAPT(sms_received, sms)
ADAPT(delivery_requested, requested)
ADAPT(delivery_receipt, receipt)
ADAPT(directory_channel, channel)
ADAPT(directory_complete, complete)
ADAPT(webhook_quarantined, quarantined)

typedef int decode_fn(const struct bus_record *record, union any *out, struct err *err);
typedef void good_fn(struct bus_record *record);

/* ---- doing damage ---- */

static const char *without_or_with(const struct bus_record *record, const char *name,
                                   const char *json)
{
    struct json *value;
    struct json_writer writer;
    struct strbuf out, part;
    CU_ASSERT_FATAL(json_parse(record->value, record->value_length, &value, NULL) == 0);
    strbuf_init(&out, 4 * BUS_VALUE_MAX);
    strbuf_init(&part, BUS_VALUE_MAX);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    for (const struct json *m = json_first(value); m != NULL; m = json_next(m)) {
        if (strcmp(json_name(m), name) == 0)
            continue;
        strbuf_clear(&part);
        json_print(m, &part);
        json_add_raw(&writer, json_name(m), part.data);
    }
    if (json != GONE)
        json_add_raw(&writer, name, json);
    json_close_object(&writer);
    const char *text = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&part);
    strbuf_fini(&out);
    json_free(&value);
    return text;
}

static void set_header(struct bus_record *record, const char *name, const char *text)
{
    size_t i = 0;
    while (i < record->header_count && strcmp(record->headers[i].name, name) != 0)
        i++;
    if (text == GONE) {
        CU_ASSERT_FATAL(i < record->header_count);
        record->headers[i] = record->headers[--record->header_count];
        return;
    }
    if (i == record->header_count)
        record->header_count++;
    record->headers[i] = (struct bus_header){name, text, strlen(text)};
}

static void damage(struct bus_record *record, const struct damage *d)
{
    if (d->header != NULL)
        set_header(record, d->header, d->text);
    if (d->member != NULL)
        record->value = without_or_with(record, d->member, d->json);
    if (d->value != NULL)
        record->value = d->value;
    if (d->member != NULL || d->value != NULL)
        record->value_length = strlen(record->value);
    if (d->key != NULL) {
        record->key = d->key;
        record->key_length = strlen(d->key);
    }
}

/* Decodes into a marked result: after a failure every byte of it is as before. */
static void expect(const char *title, const char *code, const struct bus_record *record,
                   decode_fn *decode)
{
    static union any out, before;
    struct err err = {.class = ERR_BUG};
    memset(&out, 0xa5, sizeof out);
    memset(&before, 0xa5, sizeof before);
    int result = decode(record, &out, &err);
    bool right = code == NULL
                     ? result == 0
                     : result == -1 && strcmp(err.code, code) == 0 && err.class == ERR_PERMANENT &&
                           err.message[0] != '\0' && memcmp(&out, &before, sizeof out) == 0;
    if (!right)
        printf("\n  %s: expected %s, got %s (%s)\n", title, code == NULL ? "success" : code,
               result == 0 ? "success" : err.code, result == 0 ? "" : err.message);
    CU_ASSERT(right);
}

static void try_all(const struct damage *cases, size_t count, good_fn *good, decode_fn *decode)
{
    for (size_t i = 0; i < count; i++) {
        struct bus_record record;
        arena = arena_new();
        good(&record);
        damage(&record, &cases[i]);
        expect(cases[i].title, cases[i].code, &record, decode);
        arena_free(&arena);
    }
}
#define TRY_ALL(cases, good, decode) try_all(cases, sizeof cases / sizeof cases[0], good, decode)

/* ---- tables ---- */

#define HEADER(title, code, name, text)                                                            \
    {                                                                                              \
        title, code, name, text, NULL, NULL, NULL, NULL                                            \
    }
#define MEMBER(title, code, name, json)                                                            \
    {                                                                                              \
        title, code, NULL, NULL, name, json, NULL, NULL                                            \
    }
#define VALUE(title, code, text)                                                                   \
    {                                                                                              \
        title, code, NULL, NULL, NULL, NULL, text, NULL                                            \
    }
#define KEY(title, code, text)                                                                     \
    {                                                                                              \
        title, code, NULL, NULL, NULL, NULL, NULL, text                                            \
    }

#define X16  "xxxxxxxxxxxxxxxx"
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define M    "{\"url\":\"https://e.com/1\"}"
#define M5   M "," M "," M "," M "," M

static const struct damage sms_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("no specversion", "event.specversion", "ce_specversion", GONE),
    HEADER("other specversion", "event.specversion", "ce_specversion", "0.3"),
    HEADER("no type", "event.type", "ce_type", GONE),
    HEADER("empty type", "event.type", "ce_type", ""),
    HEADER("other type", "event.type", "ce_type", "desk.delivery.requested.v1"),
    HEADER("type with more", "event.type", "ce_type", "desk.sms.received.v1x"),
    HEADER("major 2", "event.major", "ce_type", "desk.sms.received.v2"),
    HEADER("major 10", "event.major", "ce_type", "desk.sms.received.v10"),
    HEADER("major 0", "event.type", "ce_type", "desk.sms.received.v0"),
    HEADER("major without number", "event.type", "ce_type", "desk.sms.received.v"),
    HEADER("no id", "event.id", "ce_id", GONE),
    HEADER("empty id", "event.id", "ce_id", ""),
    HEADER("id of 256 bytes", "event.id", "ce_id", X256),
    HEADER("id with newline", "event.id", "ce_id", "SM\n1"),
    HEADER("id not UTF-8", "event.id", "ce_id", "\xff\xfe"),
    HEADER("id of another message", "event.id", "ce_id", "SM00000000000000000000000000000001"),
    HEADER("no source", "event.source", "ce_source", GONE),
    HEADER("empty source", "event.source", "ce_source", ""),
    HEADER("long source", "event.source", "ce_source", X256),
    HEADER("huge source", "event.source", "ce_source", X256 X256 X256),
    HEADER("no time", "event.time", "ce_time", GONE),
    HEADER("time without zone", "event.time", "ce_time", "2026-11-23T09:08:07"),
    HEADER("month 13", "event.time", "ce_time", "2026-13-23T09:08:07Z"),
    HEADER("epoch number", "event.time", "ce_time", "1795424887"),
    HEADER("time with more", "event.time", "ce_time", "2026-11-23T09:08:07Z garbage"),
    HEADER("no content type", "event.content_type", "content-type", GONE),
    HEADER("other content type", "event.content_type", "content-type", "text/plain"),
    HEADER("structured mode", "event.content_type", "content-type",
           "application/jsonp; charset=utf-8"),
    HEADER("content type with charset", NULL, "content-type", "application/json; charset=utf-8"),
    HEADER("long subject", "event.subject", "ce_subject", X256),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    HEADER("empty tenant", "event.tenant", "tenant", ""),
    HEADER("tenant in capitals", "event.tenant", "tenant", "018F9C3E-2B7A-7C1D-9E4F-5A6B7C8D9E0F"),
    HEADER("nil tenant", "event.tenant", "tenant", "00000000-0000-0000-0000-000000000000"),
    HEADER("tenant is SQL", "event.tenant", "tenant", "'; DROP TABLE tenants; --"),
    HEADER("another tenant than the key's", "event.key", "tenant",
           "018f9c3e-2b7a-7c1d-9e4f-000000000000"),
    HEADER("bad trace is dropped", NULL, "traceparent", "00-zz-yy-xx"),
    HEADER("huge trace is dropped", NULL, "traceparent", X256 X256),
    HEADER("unknown header", NULL, "x-custom", "whatever"),
    KEY("no tenant in key", "event.key", "+15550001111"),
    KEY("empty key", "event.key", ""),
    KEY("key of the number called", "event.key", TENANT ":+15550002222"),
    KEY("key with more", "event.key", TENANT ":+155500011112"),
    VALUE("empty", "event.json", ""),
    VALUE("not JSON", "event.json", "hello"),
    VALUE("cut off", "event.json", "{\"message_sid\":\"" SM "\""),
    VALUE("array", "event.json", "[]"),
    VALUE("null", "event.json", "null"),
    VALUE("text behind", "event.json", "{} {}"),
    VALUE("doubled member", "event.json", "{\"from\":\"+15550001111\",\"from\":\"+15550001112\"}"),
    VALUE("BOM", "event.json", "\xef\xbb\xbf{}"),
    VALUE("raw control character", "event.json", "{\"body\":\"a\nb\"}"),
    VALUE("escaped NUL", "event.json", "{\"body\":\"a\\u0000b\"}"),
    VALUE("lone surrogate", "event.json", "{\"body\":\"\\ud800\"}"),
    VALUE("invalid UTF-8", "event.json", "{\"body\":\"\xc3\x28\"}"),
    VALUE("no members", "event.member", "{}"),
    MEMBER("no sid", "event.member", "message_sid", GONE),
    MEMBER("sid null", "event.member", "message_sid", "null"),
    MEMBER("sid number", "event.member", "message_sid", "7"),
    MEMBER("sid short", "event.member", "message_sid", "\"SM1\""),
    MEMBER("sid of a call", "event.member", "message_sid",
           "\"CA0123456789abcdef0123456789abcdef\""),
    MEMBER("sid not hex", "event.member", "message_sid", "\"SM0123456789abcdef0123456789abcdeg\""),
    MEMBER("sid too long", "event.member", "message_sid",
           "\"SM0123456789abcdef0123456789abcdef0\""),
    MEMBER("account missing", "event.member", "account_sid", GONE),
    MEMBER("account of another shape", "event.member", "account_sid", "\"" SM "\""),
    MEMBER("account is a uuid", NULL, "account_sid", "\"" SESSION "\""),
    MEMBER("from without plus", "event.member", "from", "\"15550001111\""),
    MEMBER("from with 0", "event.member", "from", "\"+05550001111\""),
    MEMBER("from empty", "event.member", "from", "\"\""),
    MEMBER("from of letters", "event.member", "from", "\"+1555ACME123\""),
    MEMBER("from with blank", "event.member", "from", "\"+1555 0001111\""),
    MEMBER("from of 16 digits", "event.member", "from", "\"+1234567890123456\""),
    MEMBER("from in other digits", "event.member", "from", "\"+1555000١١١١\""),
    MEMBER("from is a list", "event.member", "from", "[\"+15550001111\"]"),
    MEMBER("to missing", "event.member", "to", GONE),
    MEMBER("to true", "event.member", "to", "true"),
    MEMBER("body missing", "event.member", "body", GONE),
    MEMBER("body number", "event.member", "body", "1"),
    MEMBER("body empty", NULL, "body", "\"\""),
    MEMBER("service of another shape", "event.member", "messaging_service_sid", "\"MG1\""),
    MEMBER("service number", "event.member", "messaging_service_sid", "1"),
    MEMBER("service null", NULL, "messaging_service_sid", "null"),
    MEMBER("long opt-out", "event.member", "opt_out_type", "\"" X256 "\""),
    MEMBER("segments text", "event.member", "segments", "\"1\""),
    MEMBER("segments negative", "event.member", "segments", "-1"),
    MEMBER("segments fraction", "event.member", "segments", "1.5"),
    MEMBER("segments huge", "event.member", "segments", "1e300"),
    MEMBER("segments missing", NULL, "segments", GONE),
    MEMBER("media object", "event.member", "media", "{}"),
    MEMBER("media of texts", "event.member", "media", "[\"https://e.com\"]"),
    MEMBER("media without url", "event.member", "media", "[{\"content_type\":\"a/b\"}]"),
    MEMBER("media with null", "event.member", "media", "[null]"),
    MEMBER("media of 10", NULL, "media", "[" M5 "," M5 "]"),
    MEMBER("media of 11", "event.member", "media", "[" M5 "," M5 "," M "]"),
    MEMBER("media url with newline", "event.member", "media", "[{\"url\":\"https://e\\n.com\"}]"),
    MEMBER("unknown member", NULL, "x", "{\"a\":[1,2,{\"b\":null}]}"),
};

static const struct damage requested_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 2", "event.major", "ce_type", "desk.delivery.requested.v2"),
    HEADER("other id", "event.id", "ce_id", SESSION),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    MEMBER("no delivery", "event.member", "delivery", GONE),
    MEMBER("delivery nil", "event.member", "delivery", "\"00000000-0000-0000-0000-000000000000\""),
    MEMBER("delivery short", "event.member", "delivery", "\"018f9c3e\""),
    MEMBER("delivery in braces", "event.member", "delivery", "\"{" DELIVERY "}\""),
    MEMBER("delivery number", "event.member", "delivery", "1"),
    MEMBER("no session", "event.member", "session", GONE),
    MEMBER("another session", "event.key", "session", "\"" DELIVERY "\""),
    KEY("key of the delivery", "event.key", TENANT ":" DELIVERY),
    VALUE("not JSON", "event.json", "{"),
};

static const struct damage receipt_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 3", "event.major", "ce_type", "desk.delivery.receipt.v3"),
    HEADER("id without status", "event.id", "ce_id", SM),
    MEMBER("no delivery", "event.member", "delivery", GONE),
    MEMBER("another delivery", "event.key", "delivery", "\"" SESSION "\""),
    MEMBER("attempt 0", "event.member", "attempt", "0"),
    MEMBER("attempt missing", "event.member", "attempt", GONE),
    MEMBER("attempt text", "event.member", "attempt", "\"1\""),
    MEMBER("attempt huge", "event.member", "attempt", "4294967297"),
    MEMBER("sid missing", "event.member", "provider_sid", GONE),
    MEMBER("sid of an account", "event.member", "provider_sid", "\"" AC "\""),
    MEMBER("status empty", "event.member", "status", "\"\""),
    MEMBER("status in capitals", "event.member", "status", "\"FAILED\""),
    MEMBER("status long", "event.member", "status", "\"" X256 "\""),
    MEMBER("another status", "event.id", "status", "\"sent\""),
    MEMBER("error code text", "event.member", "error_code", "\"E30003\""),
    MEMBER("error code number", "event.member", "error_code", "30003"),
    MEMBER("error code long", "event.member", "error_code", "\"12345678901\""),
    MEMBER("error code null", NULL, "error_code", "null"),
    KEY("key of the provider's id", "event.key", SM),
};

static const struct damage channel_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 2", "event.major", "ce_type", "desk.directory.channel.v2"),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    MEMBER("version negative", "event.member", "version", "-1"),
    MEMBER("version over 2^53", "event.member", "version", "9007199254740993"),
    MEMBER("version missing", "event.member", "version", GONE),
    MEMBER("channel missing", "event.member", "channel", GONE),
    MEMBER("kind in capitals", "event.member", "kind", "\"SMS\""),
    MEMBER("kind missing", "event.member", "kind", GONE),
    MEMBER("address no number", "event.member", "address", "\"mara@example.com\""),
    MEMBER("address of 257 bytes", "event.member", "address", "\"+" X256 "\""),
    MEMBER("another address", "event.key", "address", "\"+15550003333\""),
    MEMBER("no account", "event.member", "account_sid", GONE),
    MEMBER("keys missing", "event.member", "sealed_keys", GONE),
    MEMBER("keys text", "event.member", "sealed_keys", "\"AAAA\""),
    MEMBER("key not base64", "event.member", "sealed_keys", "[\"AA A\"]"),
    MEMBER("key empty", "event.member", "sealed_keys", "[\"\"]"),
    MEMBER("key number", "event.member", "sealed_keys", "[1]"),
    MEMBER("nine keys", "event.member", "sealed_keys",
           "[\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\"]"),
    MEMBER("no keys at all", NULL, "sealed_keys", "[]"),
    KEY("key of another kind", "event.key", "email:+15550002222"),
};

static const struct damage complete_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("a channel", "event.type", "ce_type", EVENT_DIRECTORY_CHANNEL),
    MEMBER("count missing", "event.member", "channels", GONE),
    MEMBER("count negative", "event.member", "channels", "-1"),
    MEMBER("count text", "event.member", "channels", "\"4\""),
    KEY("another key", "event.key", "completed"),
    HEADER("bad tenant", "event.tenant", "tenant", "x"),
};

static const struct damage quarantined_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 2", "event.major", "ce_type", "desk.webhook.quarantined.v2"),
    MEMBER("no reason", "event.member", "reason", GONE),
    MEMBER("reason of words", "event.member", "reason", "\"it was wrong\""),
    MEMBER("no path", "event.member", "path", GONE),
    MEMBER("no url", "event.member", "url", GONE),
    MEMBER("url_base64 no base64", "event.member", "url_base64", "\"!\""),
    MEMBER("url_base64 with NUL", "event.member", "url_base64", "\"YQBi\""),
    MEMBER("url_base64 number", "event.member", "url_base64", "1"),
    MEMBER("no body", "event.member", "body_base64", GONE),
    MEMBER("body no base64", "event.member", "body_base64", "\"YWJj=\""),
    MEMBER("body number", "event.member", "body_base64", "3"),
    MEMBER("signature missing", NULL, "signature", GONE),
    MEMBER("another address", "event.key", "address", "\"+15550009999\""),
    KEY("key unknown though there is an address", "event.key", "unknown"),
};

static void test_sms(void)
{
    TRY_ALL(sms_cases, good_sms, decode_sms);
}
static void test_requested(void)
{
    TRY_ALL(requested_cases, good_requested, decode_requested);
}
static void test_receipt(void)
{
    TRY_ALL(receipt_cases, good_receipt, decode_receipt);
}
static void test_channel(void)
{
    TRY_ALL(channel_cases, good_channel, decode_channel);
}
static void test_complete(void)
{
    TRY_ALL(complete_cases, good_complete, decode_complete);
}
static void test_quarantined(void)
{
    TRY_ALL(quarantined_cases, good_quarantined, decode_quarantined);
}

/* ---- what a table of texts cannot say ---- */

static void test_doubled_headers(void)
{
    static const struct {
        const char *name, *code;
    } cases[] = {{"ce_specversion", "event.specversion"},
                 {"ce_id", "event.id"},
                 {"ce_source", "event.source"},
                 {"ce_type", "event.type"},
                 {"ce_time", "event.time"},
                 {"content-type", "event.content_type"},
                 {"tenant", "event.tenant"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bus_record record;
        arena = arena_new();
        good_sms(&record);
        for (size_t k = 0; k < record.header_count; k++) {
            if (strcmp(record.headers[k].name, cases[i].name) != 0)
                continue;
            record.headers[record.header_count++] = record.headers[k];
            break;
        }
        expect(cases[i].name, cases[i].code, &record, decode_sms);
        arena_free(&arena);
    }
}

static void test_header_bytes(void)
{
    struct bus_record record;
    arena = arena_new();
    good_sms(&record);
    record.headers[1] = (struct bus_header){"ce_id", SM "\0x", sizeof SM + 1};
    expect("NUL in the id", "event.id", &record, decode_sms);
    record.headers[1] = (struct bus_header){"ce_id", NULL, 0};
    expect("null id", "event.id", &record, decode_sms);
    record.header_count = 0;
    expect("no headers", "event.type", &record, decode_sms);
    arena_free(&arena);
}

static void test_value_bytes(void)
{
    struct bus_record record;
    arena = arena_new();
    good_sms(&record);
    char *huge = arena_alloc(arena, BUS_VALUE_MAX + 1);
    memset(huge, ' ', BUS_VALUE_MAX + 1);
    memcpy(huge, record.value, record.value_length);
    record.value = huge;
    record.value_length = BUS_VALUE_MAX;
    expect("512 kB", NULL, &record, decode_sms);
    record.value_length = BUS_VALUE_MAX + 1;
    expect("512 kB and a byte", "event.size", &record, decode_sms);
    good_sms(&record);
    record.value = without_or_with(&record, "body", "\"" X256 "\"");
    char *nul = arena_strndup(arena, record.value, strlen(record.value));
    record.value_length = strlen(nul);
    nul[record.value_length - 5] = '\0';
    record.value = nul;
    expect("NUL inside", "event.json", &record, decode_sms);
    record.value = NULL;
    record.value_length = 0;
    expect("tombstone", "event.tombstone", &record, decode_sms);
    good_sms(&record);
    record.key = NULL;
    record.key_length = 0;
    expect("no key", "event.key", &record, decode_sms);
    arena_free(&arena);
}

static void test_body_bounds(void)
{
    for (size_t length = EVENT_TEXT_MAX - 1; length <= EVENT_TEXT_MAX + 1; length++) {
        struct bus_record record;
        arena = arena_new();
        good_sms(&record);
        char *json = arena_alloc(arena, length + 3);
        memset(json + 1, 'x', length);
        json[0] = json[length + 1] = '"';
        record.value = without_or_with(&record, "body", json);
        record.value_length = strlen(record.value);
        expect("a body at the bound", length > EVENT_TEXT_MAX ? "event.member" : NULL, &record,
               decode_sms);
        arena_free(&arena);
    }
}

static void test_deep_json(void)
{
    struct bus_record record;
    struct strbuf json;
    arena = arena_new();
    good_sms(&record);
    strbuf_init(&json, 300000);
    for (int i = 0; i < 100000; i++)
        strbuf_add_char(&json, '[');
    record.value = json.data;
    record.value_length = json.length;
    expect("100,000 brackets", "event.json", &record, decode_sms);
    strbuf_fini(&json);
    arena_free(&arena);
}

/* ---- random damage, the same each time ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static void *scratch(const void *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, bytes, length);
    for (uint32_t i = draw(4); i > 0 && length > 0; i--)
        copy[draw((uint32_t)length)] = (char)draw(256);
    return copy;
}

static void test_random_damage(void)
{
    static const struct {
        good_fn *good;
        decode_fn *decode;
    } pairs[] = {{good_sms, decode_sms},           {good_requested, decode_requested},
                 {good_receipt, decode_receipt},   {good_channel, decode_channel},
                 {good_complete, decode_complete}, {good_quarantined, decode_quarantined}};
    int refused = 0;
    seed = 2463534242U;
    for (int i = 0; i < 12000; i++) {
        struct bus_record record;
        union any out;
        struct err err = {0};
        arena = arena_new();
        size_t pair = (size_t)i % (sizeof pairs / sizeof pairs[0]);
        pairs[pair].good(&record);
        record.value = scratch(record.value, record.value_length);
        record.value_length -= draw(3) == 0 ? draw((uint32_t)record.value_length) : 0;
        struct bus_header *header = &record.headers[draw((uint32_t)record.header_count)];
        if (draw(2) == 0)
            header->value = scratch(header->value, header->value_length);
        if (pairs[pair].decode(&record, &out, &err) != 0) {
            refused++;
            CU_ASSERT(strncmp(err.code, "event.", 6) == 0 && err.class == ERR_PERMANENT);
        } else {
            CU_ASSERT(out.event.id[0] != '\0');
        }
        arena_free(&arena);
    }
    CU_ASSERT(refused > 1000);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("hostile events", NULL, NULL);
    CU_add_test(suite, "sms.received", test_sms);
    CU_add_test(suite, "delivery.requested", test_requested);
    CU_add_test(suite, "delivery.receipt", test_receipt);
    CU_add_test(suite, "directory.channel", test_channel);
    CU_add_test(suite, "directory.complete", test_complete);
    CU_add_test(suite, "webhook.quarantined", test_quarantined);
    CU_add_test(suite, "doubled headers", test_doubled_headers);
    CU_add_test(suite, "bytes in headers", test_header_bytes);
    CU_add_test(suite, "bytes in values", test_value_bytes);
    CU_add_test(suite, "bounds of a body", test_body_bounds);
    CU_add_test(suite, "deep JSON", test_deep_json);
    CU_add_test(suite, "random damage", test_random_damage);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
