/* Unit tests of the events: every golden record of schema/events decodes and encodes to the same
 * again, now and in every later release; derived ids, traces and dead letters. Runs in the
 * checkout's root. */
#include "contract/event.h"

#include "base/clock.h"
#include "contract/mail.h"
#include "contract/topics.h"
#include "contract/voice.h"
#include "json/json.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_ROOT "schema/events/golden"
#define FILE_MAX    (256 * 1024)
#define TENANT      "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f"
#define TRACE       "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* ---- the types ---- */

union any {
    struct event event;
    struct sms_received sms;
    struct delivery_requested requested;
    struct delivery_receipt receipt;
    struct directory_channel channel;
    struct directory_complete complete;
    struct webhook_quarantined quarantined;
    struct voice_setup setup;
    struct voice_prompt prompt;
    struct voice_heard heard;
    struct voice_ended ended;
    struct voice_dialled dialled;
    struct voice_answered answered;
    struct voice_recorded recorded;
    struct voice_transcribed transcribed;
    struct voice_frame frame;
    struct mail_received mail;
    struct mail_reported report;
};

#define ADAPT(name, member)                                                                        \
    static int decode_##member(struct arena *arena, const struct bus_record *record,               \
                               union any *out, struct err *err)                                    \
    {                                                                                              \
        return name##_decode(arena, record, &out->member, err);                                    \
    }                                                                                              \
    static void encode_##member(struct arena *arena, const union any *in,                          \
                                struct bus_record *record)                                         \
    {                                                                                              \
        name##_encode(arena, "desk.", &in->member, record);                                        \
    }
ADAPT(sms_received, sms)
ADAPT(delivery_requested, requested)
ADAPT(delivery_receipt, receipt)
ADAPT(directory_channel, channel)
ADAPT(directory_complete, complete)
ADAPT(webhook_quarantined, quarantined)
ADAPT(voice_setup, setup)
ADAPT(voice_prompt, prompt)
ADAPT(voice_heard, heard)
ADAPT(voice_ended, ended)
ADAPT(voice_dialled, dialled)
ADAPT(voice_answered, answered)
ADAPT(voice_recorded, recorded)
ADAPT(voice_transcribed, transcribed)
ADAPT(voice_frame, frame)
ADAPT(mail_received, mail)
ADAPT(mail_reported, report)

static const struct type {
    const char *name;
    int (*decode)(struct arena *arena, const struct bus_record *record, union any *out,
                  struct err *err);
    void (*encode)(struct arena *arena, const union any *in, struct bus_record *record);
} types[] = {
    {EVENT_SMS_RECEIVED, decode_sms, encode_sms},
    {EVENT_DELIVERY_REQUESTED, decode_requested, encode_requested},
    {EVENT_DELIVERY_RECEIPT, decode_receipt, encode_receipt},
    {EVENT_DIRECTORY_CHANNEL, decode_channel, encode_channel},
    {EVENT_DIRECTORY_COMPLETE, decode_complete, encode_complete},
    {EVENT_WEBHOOK_QUARANTINED, decode_quarantined, encode_quarantined},
    {EVENT_VOICE_SETUP, decode_setup, encode_setup},
    {EVENT_VOICE_PROMPT, decode_prompt, encode_prompt},
    {EVENT_VOICE_HEARD, decode_heard, encode_heard},
    {EVENT_VOICE_ENDED, decode_ended, encode_ended},
    {EVENT_VOICE_DIALLED, decode_dialled, encode_dialled},
    {EVENT_VOICE_ANSWERED, decode_answered, encode_answered},
    {EVENT_VOICE_RECORDED, decode_recorded, encode_recorded},
    {EVENT_VOICE_TRANSCRIBED, decode_transcribed, encode_transcribed},
    {EVENT_VOICE_FRAME, decode_frame, encode_frame},
    {EVENT_MAIL_RECEIVED, decode_mail, encode_mail},
    {EVENT_MAIL_REPORTED, decode_report, encode_report},
};

/* ---- reading goldens ---- */

static struct json *read_golden(const char *path)
{
    FILE *file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    char *text = calloc(1, FILE_MAX);
    size_t length = fread(text, 1, FILE_MAX, file);
    struct json *document = NULL;
    struct err err;
    fclose(file);
    CU_ASSERT_FATAL(length < FILE_MAX);
    if (json_parse(text, length, &document, &err) != 0)
        printf("\n%s: %s\n", path, err.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    free(text);
    return document;
}

static const char *print_json(struct arena *arena, const struct json *value)
{
    struct strbuf out;
    strbuf_init(&out, FILE_MAX);
    json_print(value, &out);
    const char *text = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return text;
}

static void record_of(struct arena *arena, const struct json *golden, struct bus_record *record)
{
    const struct json *value = json_member(golden, "value");
    *record = (struct bus_record){.partition = 3, .offset = 4};
    record->topic = arena_printf(arena, "desk.%s", json_member_text(golden, "topic"));
    record->key = json_member_text(golden, "key");
    record->key_length = strlen(record->key);
    if (value != NULL) {
        record->value = print_json(arena, value);
        record->value_length = strlen(record->value);
    }
    for (const struct json *h = json_first(json_member(golden, "headers")); h != NULL;
         h = json_next(h))
        record->headers[record->header_count++] = (struct bus_header){
            .name = json_name(h), .value = json_text(h), .value_length = strlen(json_text(h))};
}

/* ---- comparing ---- */

static bool is_empty(const struct json *value)
{
    if (json_type(value) == JSON_STRING)
        return json_text(value)[0] == '\0';
    return json_type(value) == JSON_NULL ||
           (json_type(value) == JSON_ARRAY && json_count(value) == 0);
}

static bool same_json(struct arena *arena, const struct json *a, const struct json *b)
{
    return strcmp(print_json(arena, a), print_json(arena, b)) == 0;
}

/* Every member of `a`, except empty ones and those of a later release, is in `b` and equal. */
static bool members_in(struct arena *arena, const struct json *a, const struct json *b)
{
    for (const struct json *member = json_first(a); member != NULL; member = json_next(member)) {
        const struct json *other = json_member(b, json_name(member));
        if (is_empty(member) || strncmp(json_name(member), "future_", 7) == 0)
            continue;
        if (other == NULL || !same_json(arena, member, other)) {
            printf("\n  member %s differs\n", json_name(member));
            return false;
        }
    }
    return true;
}

static bool same_header(struct arena *arena, const struct bus_record *record, const char *name,
                        const char *expected)
{
    const char *text = bus_header_text(record, arena, name);
    int64_t a, b;
    if (text != NULL && strcmp(name, "ce_time") == 0)
        return clock_parse_rfc3339(text, &a, NULL) == 0 &&
               clock_parse_rfc3339(expected, &b, NULL) == 0 && a == b;
    return text != NULL && strcmp(text, expected) == 0;
}

static void compare(struct arena *arena, const struct json *golden, const struct bus_record *again)
{
    struct json *value;
    const struct json *headers = json_member(golden, "headers");
    const char *topic = json_member_text(golden, "topic"), *key = json_member_text(golden, "key");
    CU_ASSERT_STRING_EQUAL(again->topic, arena_printf(arena, "desk.%s", topic));
    CU_ASSERT_EQUAL(again->partition, -1);
    CU_ASSERT_FATAL(again->key_length == strlen(key));
    CU_ASSERT(memcmp(again->key, key, again->key_length) == 0);
    CU_ASSERT_EQUAL(again->header_count, json_count(headers));
    for (const struct json *h = json_first(headers); h != NULL; h = json_next(h))
        CU_ASSERT(same_header(arena, again, json_name(h), json_text(h)));
    CU_ASSERT_FATAL(json_parse(again->value, again->value_length, &value, NULL) == 0);
    CU_ASSERT(members_in(arena, json_member(golden, "value"), value));
    CU_ASSERT(members_in(arena, value, json_member(golden, "value")));
    json_free(&value);
}

static void try_golden(const struct type *type, const char *path)
{
    struct arena *arena = arena_new();
    struct json *golden = read_golden(path);
    struct bus_record record, again;
    union any event;
    struct err err = {0};
    record_of(arena, golden, &record);
    if (record.value == NULL) {
        CU_ASSERT_EQUAL(type->decode(arena, &record, &event, &err), -1);
        directory_removed_encode(arena, "desk.", "sms", "+15550002222", &again);
        CU_ASSERT_PTR_NULL(again.value);
        CU_ASSERT(again.key_length == record.key_length &&
                  memcmp(again.key, record.key, again.key_length) == 0);
    } else if (type->decode(arena, &record, &event, &err) != 0) {
        printf("\n%s: %s (%s)\n", path, err.message, err.code);
        CU_FAIL("a golden record no longer decodes");
    } else {
        CU_ASSERT_STRING_EQUAL(event_type(&record, arena), type->name);
        CU_ASSERT_STRING_EQUAL(event.event.type, type->name);
        type->encode(arena, &event, &again);
        compare(arena, golden, &again);
    }
    json_free(&golden);
    arena_free(&arena);
}

static void test_goldens(void)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char path[512];
        int count = 0;
        snprintf(path, sizeof path, GOLDEN_ROOT "/%s", types[i].name);
        DIR *folder = opendir(path);
        CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
        for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            if (strstr(entry->d_name, ".json") == NULL)
                continue;
            snprintf(path, sizeof path, GOLDEN_ROOT "/%s/%.200s", types[i].name, entry->d_name);
            try_golden(&types[i], path);
            count++;
        }
        closedir(folder);
        CU_ASSERT(count >= 3);
    }
}

/* Spot checks that the goldens mean what they say: a decoder that mixes two members up would pass
 * the round trip when the encoder mixes them up alike. */
static void test_full_members(void)
{
    struct arena *arena = arena_new();
    struct json *golden = read_golden(GOLDEN_ROOT "/" EVENT_SMS_RECEIVED "/2-full.json");
    struct bus_record record;
    struct sms_received sms;
    struct err err;
    record_of(arena, golden, &record);
    CU_ASSERT_FATAL(sms_received_decode(arena, &record, &sms, &err) == 0);
    CU_ASSERT_STRING_EQUAL(sms.from, "+442079460000");
    CU_ASSERT_STRING_EQUAL(sms.to, "+15550002222");
    CU_ASSERT_STRING_EQUAL(sms.body, "Here is the invoice you asked for.");
    CU_ASSERT_STRING_EQUAL(sms.opt_out_type, "HELP");
    CU_ASSERT_EQUAL(sms.segments, 3);
    CU_ASSERT_EQUAL(sms.media_count, 2);
    CU_ASSERT_STRING_EQUAL(sms.media[0].content_type, "image/jpeg");
    CU_ASSERT_STRING_EQUAL(sms.media[1].content_type, "");
    CU_ASSERT_STRING_EQUAL(sms.media[1].url, "https://api.twilio.com/media/2");
    CU_ASSERT_STRING_EQUAL(sms.event.id, sms.message_sid);
    CU_ASSERT_STRING_EQUAL(sms.event.tenant, TENANT);
    CU_ASSERT_STRING_EQUAL(sms.event.traceparent, TRACE);
    CU_ASSERT_STRING_EQUAL(sms.event.source, "twilio/AC00000000000000000000000000000101");
    CU_ASSERT_EQUAL(sms.event.time_ms, 1795424887123);
    CU_ASSERT_FALSE(sms.event.replay);
    json_free(&golden);
    golden = read_golden(GOLDEN_ROOT "/" EVENT_SMS_RECEIVED "/5-later-members.json");
    record_of(arena, golden, &record);
    CU_ASSERT_FATAL(sms_received_decode(arena, &record, &sms, &err) == 0);
    CU_ASSERT_TRUE(sms.event.replay);
    CU_ASSERT_STRING_EQUAL(sms.event.traceparent, "");
    json_free(&golden);
    arena_free(&arena);
}

static void test_quarantine_keeps_bytes(void)
{
    struct arena *arena = arena_new();
    static const char body[] = "a\0b\xff&To=%00";
    struct webhook_quarantined in = {
        .event = {.source = "frontdesk/ingress", .time_ms = 1000, .subject = "/twilio/\xff"},
        .reason = "signature.wrong",
        .path = "/twilio/\xff",
        .url = "https://desk.example/twilio/\xff?\x01",
        .signature = NULL,
        .address = "+1555\x80",
        .body = body,
        .body_length = sizeof body,
    };
    struct webhook_quarantined out;
    struct bus_record record;
    struct err err;
    webhook_quarantined_encode(arena, "desk.", &in, &record);
    CU_ASSERT(record.key_length == 7 && memcmp(record.key, "unknown", 7) == 0);
    CU_ASSERT_FATAL(webhook_quarantined_decode(arena, &record, &out, &err) == 0);
    CU_ASSERT_STRING_EQUAL(out.path, in.path);
    CU_ASSERT_STRING_EQUAL(out.url, in.url);
    CU_ASSERT_STRING_EQUAL(out.signature, "");
    CU_ASSERT_STRING_EQUAL(out.address, "");
    CU_ASSERT_STRING_EQUAL(out.event.subject, "");
    CU_ASSERT_EQUAL(strlen(out.event.id), 64);
    CU_ASSERT_FATAL(out.body_length == sizeof body);
    CU_ASSERT(memcmp(out.body, body, sizeof body) == 0);
    arena_free(&arena);
}

/* The largest webhook that a request's head and body can make still fits a record. */
static void test_quarantine_largest(void)
{
    struct arena *arena = arena_new();
    char *long_text = arena_alloc(arena, 20 * 1024 + 1), *short_text = arena_alloc(arena, 16385);
    memset(long_text, 0x01, 20 * 1024); /* six bytes each in JSON */
    memset(short_text, 0x01, 16384);
    struct webhook_quarantined out, in = {
                                        .event = {.source = "frontdesk/ingress"},
                                        .reason = "form.invalid",
                                        .path = short_text,
                                        .url = long_text,
                                        .signature = short_text,
                                        .body = arena_alloc(arena, 128 * 1024),
                                        .body_length = 128 * 1024,
                                    };
    struct bus_record record;
    struct err err;
    webhook_quarantined_encode(arena, "desk.", &in, &record);
    CU_ASSERT(record.value_length <= BUS_VALUE_MAX);
    CU_ASSERT_FATAL(webhook_quarantined_decode(arena, &record, &out, &err) == 0);
    CU_ASSERT_EQUAL(out.body_length, in.body_length);
    arena_free(&arena);
}

static void test_ids_are_derived(void)
{
    struct arena *arena = arena_new();
    struct bus_record record;
    struct delivery_receipt receipt = {
        .event = {.source = "twilio/x", .tenant = TENANT},
        .delivery = uuid_new(),
        .attempt = 2,
        .provider_sid = "SM00000000000000000000000000000001",
        .status = "sent",
    };
    delivery_receipt_encode(arena, "p.", &receipt, &record);
    CU_ASSERT_STRING_EQUAL(bus_header_text(&record, arena, "ce_id"),
                           "SM00000000000000000000000000000001:sent");
    CU_ASSERT_STRING_EQUAL(record.topic, "p.receipts");
    CU_ASSERT_PTR_NULL(bus_header_text(&record, arena, "ce_subject"));
    CU_ASSERT_PTR_NULL(bus_header_text(&record, arena, "traceparent"));
    arena_free(&arena);
}

static void test_traceparent(void)
{
    static const char *const bad[] = {NULL,
                                      "",
                                      "00",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                                      "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                      "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01"};
    struct arena *arena = arena_new();
    const char *child = event_traceparent(arena, TRACE);
    CU_ASSERT_EQUAL(strlen(child), 55);
    CU_ASSERT(strncmp(child, TRACE, 36) == 0);
    CU_ASSERT(strncmp(child + 36, TRACE + 36, 16) != 0);
    CU_ASSERT_STRING_EQUAL(child + 52, "-01");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *fresh = event_traceparent(arena, bad[i]);
        CU_ASSERT_EQUAL(strlen(fresh), 55);
        CU_ASSERT(strncmp(fresh, TRACE, 35) != 0);
        CU_ASSERT(strncmp(event_traceparent(arena, fresh), fresh, 36) == 0);
    }
    arena_free(&arena);
}

/* A row that somebody edited by hand into nonsense: the writer lives, the reader refuses. */
static void test_bad_rows_do_not_end_the_writer(void)
{
    struct arena *arena = arena_new();
    struct bus_record record;
    struct err err = {0};
    struct directory_channel out, channel = {
                                      .event = {.source = "frontdesk/engine", .tenant = TENANT},
                                      .kind = "sms",
                                      .address = "555-2222",
                                      .account_sid = "AC1",
                                  };
    directory_channel_encode(arena, "desk.", &channel, &record);
    CU_ASSERT_EQUAL(directory_channel_decode(arena, &record, &out, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "event.member");
    arena_free(&arena);
}

/* ---- dead letters ---- */

static const struct bus_header *header(const struct bus_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++)
        if (strcmp(record->headers[i].name, name) == 0)
            return &record->headers[i];
    return NULL;
}

static bool header_is(const struct bus_record *record, const char *name, const void *bytes,
                      size_t length)
{
    const struct bus_header *found = header(record, name);
    return found != NULL && found->value_length == length &&
           memcmp(found->value, bytes, length) == 0;
}

static void test_dead_letter(void)
{
    struct arena *arena = arena_new();
    static const char value[] = "not json \xff\0 at all";
    struct bus_record dead, failed = {
                                .topic = "desk.inbound.sms",
                                .partition = 258,
                                .offset = 0x0102030405060708,
                                .timestamp_ms = 1795424887123,
                                .key = "k\0y",
                                .key_length = 3,
                                .value = value,
                                .value_length = sizeof value,
                                .headers = {{"ce_id", "x\0y", 3},
                                            {"ce_id", NULL, 0},
                                            {"traceparent", TRACE, 55},
                                            {"dlq-code", "older", 5}},
                                .header_count = 4,
                            };
    event_dead_letter(arena, "desk.", &failed, "engine", "event.json", 3, &dead);
    CU_ASSERT_STRING_EQUAL(dead.topic, "desk.dlq");
    CU_ASSERT(dead.key_length == 3 && memcmp(dead.key, "k\0y", 3) == 0);
    CU_ASSERT(dead.value_length == sizeof value && memcmp(dead.value, value, sizeof value) == 0);
    CU_ASSERT(header_is(&dead, "ce_id", "x\0y", 3));
    CU_ASSERT_PTR_NULL(dead.headers[1].value);
    CU_ASSERT(header_is(&dead, "kafka_dlt-original-topic", "desk.inbound.sms", 16));
    CU_ASSERT(header_is(&dead, "kafka_dlt-original-partition", "\0\0\x01\x02", 4));
    CU_ASSERT(header_is(&dead, "kafka_dlt-original-offset", "\x01\x02\x03\x04\x05\x06\x07\x08", 8));
    CU_ASSERT(header_is(&dead, "kafka_dlt-original-timestamp", "\0\0\x01\xa2\x07\xa9\xa1\x53", 8));
    CU_ASSERT(header_is(&dead, "dlq-service", "engine", 6));
    CU_ASSERT(header_is(&dead, "dlq-code", "event.json", 10));
    CU_ASSERT(header_is(&dead, "dlq-attempts", "3", 1));
    CU_ASSERT(header(&dead, "dlq-trace")->value_length == 55 &&
              memcmp(header(&dead, "dlq-trace")->value, TRACE, 36) == 0);
    CU_ASSERT_PTR_NULL(header(&dead, "dlq-headers-dropped"));
    CU_ASSERT_EQUAL(dead.header_count, 3 + 8);
    arena_free(&arena);
}

static void test_dead_letter_with_many_headers(void)
{
    struct arena *arena = arena_new();
    struct bus_record dead, failed = {.topic = "t", .header_count = BUS_HEADERS_MAX};
    for (size_t i = 0; i < BUS_HEADERS_MAX; i++)
        failed.headers[i] = (struct bus_header){"h", "v", 1};
    event_dead_letter(arena, "desk.", &failed, "engine", "event.type", 1, &dead);
    CU_ASSERT_EQUAL(dead.header_count, BUS_HEADERS_MAX - 1);
    CU_ASSERT(header_is(&dead, "dlq-headers-dropped", "10", 2));
    CU_ASSERT_PTR_NULL(dead.value);
    CU_ASSERT_PTR_NULL(dead.key);
    dead.value = "value";
    dead.value_length = 5;
    event_dead_letter_drop_value(&dead);
    CU_ASSERT_EQUAL(dead.header_count, BUS_HEADERS_MAX);
    CU_ASSERT_EQUAL(dead.value_length, 0);
    CU_ASSERT(header_is(&dead, "dlq-dropped", "value", 5));
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("event", NULL, NULL);
    CU_add_test(suite, "goldens decode and encode to the same", test_goldens);
    CU_add_test(suite, "members land where they belong", test_full_members);
    CU_add_test(suite, "quarantine keeps bytes", test_quarantine_keeps_bytes);
    CU_add_test(suite, "quarantine: the largest fits", test_quarantine_largest);
    CU_add_test(suite, "ids are derived", test_ids_are_derived);
    CU_add_test(suite, "bad rows do not end the writer", test_bad_rows_do_not_end_the_writer);
    CU_add_test(suite, "traceparent", test_traceparent);
    CU_add_test(suite, "dead letter", test_dead_letter);
    CU_add_test(suite, "dead letter with many headers", test_dead_letter_with_many_headers);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
