/* A good record of every event type, for the tests that damage it, and what they expect then. */
#ifndef DESK_UNIT_CONTRACT_GOOD_H
#define DESK_UNIT_CONTRACT_GOOD_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/event.h"
#include "contract/voice.h"
#include "json/json.h"

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
    struct voice_setup setup;
    struct voice_prompt prompt;
    struct voice_heard heard;
    struct voice_ended ended;
    struct voice_dialled dialled;
    struct voice_answered answered;
    struct voice_recorded recorded;
    struct voice_transcribed transcribed;
    struct voice_frame frame;
};

static struct arena *arena;

/* ---- good records ---- */

static inline void good_sms(struct bus_record *record)
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

static inline struct uuid id(const char *text)
{
    struct uuid parsed = {{0}};
    CU_ASSERT_FATAL(uuid_parse(text, &parsed));
    return parsed;
}

static inline void good_requested(struct bus_record *record)
{
    struct delivery_requested in = {
        .event = {.source = "frontdesk/engine", .tenant = TENANT, .time_ms = 1},
        .delivery = id(DELIVERY),
        .session = id(SESSION),
    };
    delivery_requested_encode(arena, "desk.", &in, record);
}

static inline void good_receipt(struct bus_record *record)
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

static inline void good_channel(struct bus_record *record)
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

static inline void good_complete(struct bus_record *record)
{
    struct directory_complete in = {
        .event = {.source = "frontdesk/engine", .time_ms = 1},
        .channels = 4,
    };
    directory_complete_encode(arena, "desk.", &in, record);
}

static inline void good_quarantined(struct bus_record *record)
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
    static inline int decode_##member(const struct bus_record *record, union any *out,             \
                                      struct err *err)                                             \
    {                                                                                              \
        return name##_decode(arena, record, &out->member, err);                                    \
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

typedef int decode_fn(const struct bus_record *record, union any *out, struct err *err);
typedef void good_fn(struct bus_record *record);

/* The record's value with a member replaced by JSON text, or taken out (GONE). */
static inline const char *without_or_with(const struct bus_record *record, const char *name,
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

/* Decodes into a marked result: after a failure every byte of it is as before. */
static inline void expect(const char *title, const char *code, const struct bus_record *record,
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

#endif
