/* The envelope of an event: CloudEvents 1.0 headers in Kafka binary mode, the tenant and the trace.
 * A record that somebody else put on our topic meets these checks first. Called by event_codec.c,
 * and by whoever looks at a record's type. */
#include "contract/event_codec.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/crypto.h"

#include <assert.h>
#include <string.h>

#define TRACEPARENT_LENGTH 55 /* 00-<32>-<16>-<2> */
#define HEADER_BYTES_MAX   512
#define SOURCE_MAX         200

void event_add_header(struct bus_record *record, const char *name, const char *text)
{
    assert(record->header_count < BUS_HEADERS_MAX);
    record->headers[record->header_count++] =
        (struct bus_header){.name = name, .value = text, .value_length = strlen(text)};
}

static bool is_good_name(const char *text, size_t max)
{
    size_t length = strlen(text);
    return length > 0 && length <= max && text_is_utf8(text, length) && event_is_line(text);
}

/* Only our own spelling, lower case: the tenant is part of keys, and keys are compared as bytes. */
static bool is_tenant(const char *text)
{
    struct uuid id;
    char copy[UUID_TEXT_SIZE];
    return uuid_parse(text, &id) && !uuid_is_nil(&id) && strcmp(uuid_format(&id, copy), text) == 0;
}

/* ---- trace context ---- */

static bool is_lower_hex(const char *text, size_t length)
{
    size_t zeros = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
            return false;
        zeros += text[i] == '0';
    }
    return zeros < length || length == 2; /* an id of zeros is no id; flags may be zero */
}

static bool is_traceparent(const char *text)
{
    return strlen(text) == TRACEPARENT_LENGTH && text[2] == '-' && text[35] == '-' &&
           text[52] == '-' && is_lower_hex(text, 2) && strncmp(text, "ff", 2) != 0 &&
           is_lower_hex(text + 3, 32) && is_lower_hex(text + 36, 16) && is_lower_hex(text + 53, 2);
}

static const char *random_hex(struct arena *arena, size_t length)
{
    uint8_t bytes[16];
    struct strbuf text;
    assert(length <= sizeof bytes);
    strbuf_init(&text, 2 * sizeof bytes);
    crypto_random(bytes, length);
    bytes[0] |= 1; /* never all zero */
    text_add_hex(&text, bytes, length);
    const char *copy = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return copy;
}

const char *event_traceparent(struct arena *arena, const char *parent)
{
    const char *span = random_hex(arena, 8);
    if (parent != NULL && is_traceparent(parent))
        return arena_printf(arena, "00-%.32s-%s-%.2s", parent + 3, span, parent + 53);
    return arena_printf(arena, "00-%s-%s-01", random_hex(arena, 16), span);
}

/* ---- encode ---- */

void event_head_encode(const struct event_codec *codec, struct arena *arena,
                       const struct event *event, const char *id, struct bus_record *record)
{
    char *time = arena_alloc(arena, CLOCK_RFC3339_SIZE);
    assert(is_good_name(id, EVENT_ID_MAX) && is_good_name(event->source, SOURCE_MAX));
    assert(event->time_ms >= 0);
    clock_format_rfc3339(event->time_ms, time);
    record->header_count = 0;
    event_add_header(record, "ce_specversion", "1.0");
    event_add_header(record, "ce_id", id);
    event_add_header(record, "ce_source", event->source);
    event_add_header(record, "ce_type", codec->type);
    event_add_header(record, "ce_time", time);
    event_add_header(record, "content-type", "application/json");
    if (event->subject != NULL && event->subject[0] != '\0') {
        assert(is_good_name(event->subject, EVENT_SUBJECT_MAX));
        event_add_header(record, "ce_subject", event->subject);
    }
    bool has_tenant = event->tenant != NULL && event->tenant[0] != '\0';
    assert(has_tenant ? is_tenant(event->tenant) : !codec->has_tenant);
    if (has_tenant)
        event_add_header(record, "tenant", event->tenant);
    if (event->traceparent != NULL && is_traceparent(event->traceparent))
        event_add_header(record, "traceparent", event->traceparent);
    if (event->replay)
        event_add_header(record, "desk-replay", "1");
}

/* ---- decode ---- */

static const struct bus_header *find_header(const struct bus_record *record, const char *name,
                                            int *count)
{
    const struct bus_header *found = NULL;
    *count = 0;
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) != 0)
            continue;
        found = &record->headers[i];
        ++*count;
    }
    return found;
}

const char *event_type(const struct bus_record *record, struct arena *arena)
{
    return bus_header_text(record, arena, "ce_type");
}

/* Same name, other number behind ".v": our own later or earlier self. */
static bool is_other_major(const char *type, const char *wanted)
{
    const char *dot = strrchr(wanted, '.');
    size_t stem = (size_t)(dot - wanted) + 2;
    return strncmp(type, wanted, stem) == 0 && event_is_digits(type + stem) && type[stem] != '0';
}

static int check_type(const struct event_codec *codec, struct arena *arena,
                      const struct bus_record *record, struct err *err)
{
    const char *type = event_type(record, arena);
    if (type == NULL)
        return err_set(err, ERR_PERMANENT, "event.type", "header ce_type must be there once");
    if (strcmp(type, codec->type) == 0)
        return 0;
    if (is_other_major(type, codec->type))
        return err_set(err, ERR_PERMANENT, "event.major",
                       "type %.80s has another major version than %s", type, codec->type);
    return err_set(err, ERR_PERMANENT, "event.type", "the type is not %s", codec->type);
}

static int take_version(struct event *event, const char *text)
{
    (void)event;
    return strcmp(text, "1.0") == 0 ? 0 : -1;
}

/* Parameters of the media type ("; charset=utf-8") change nothing: JSON is UTF-8. */
static int take_content_type(struct event *event, const char *text)
{
    static const char json[] = "application/json";
    size_t length = sizeof json - 1;
    (void)event;
    return strncmp(text, json, length) == 0 && (text[length] == '\0' || text[length] == ';') ? 0
                                                                                             : -1;
}

static int take_id(struct event *event, const char *text)
{
    event->id = text;
    return is_good_name(text, EVENT_ID_MAX) ? 0 : -1;
}

static int take_source(struct event *event, const char *text)
{
    event->source = text;
    return is_good_name(text, SOURCE_MAX) ? 0 : -1;
}

static int take_time(struct event *event, const char *text)
{
    return clock_parse_rfc3339(text, &event->time_ms, NULL);
}

static int take_subject(struct event *event, const char *text)
{
    event->subject = text;
    return text[0] == '\0' || is_good_name(text, EVENT_SUBJECT_MAX) ? 0 : -1;
}

static int take_tenant(struct event *event, const char *text)
{
    event->tenant = text;
    return is_tenant(text) ? 0 : -1;
}

static const struct header_rule {
    const char *name, *code;
    bool required;
    int (*take)(struct event *event, const char *text);
    const char *what;
} rules[] = {
    {"ce_specversion", "event.specversion", true, take_version, "1.0"},
    {"content-type", "event.content_type", true, take_content_type, "application/json"},
    {"ce_id", "event.id", true, take_id, "1-200 bytes without control characters"},
    {"ce_source", "event.source", true, take_source, "1-200 bytes without control characters"},
    {"ce_time", "event.time", true, take_time, "an RFC 3339 time"},
    {"ce_subject", "event.subject", false, take_subject, "at most 200 bytes"},
    {"tenant", "event.tenant", false, take_tenant, "a lower-case uuid"},
};

static int check_header(const struct header_rule *rule, struct arena *arena,
                        const struct bus_record *record, struct event *event, struct err *err)
{
    int count;
    const struct bus_header *header = find_header(record, rule->name, &count);
    if (count == 0 && !rule->required)
        return 0;
    if (count != 1)
        return err_set(err, ERR_PERMANENT, rule->code, "header %s must be there once, not %d times",
                       rule->name, count);
    const char *text =
        header->value_length > HEADER_BYTES_MAX ? NULL : bus_header_text(record, arena, rule->name);
    if (text == NULL || rule->take(event, text) != 0)
        return err_set(err, ERR_PERMANENT, rule->code, "header %s must be %s", rule->name,
                       rule->what);
    return 0;
}

/* A trace that is not one is dropped: losing it costs a line in a diagram, refusing the record
 * would cost a customer. */
static const char *take_trace(struct arena *arena, const struct bus_record *record)
{
    const char *text = bus_header_text(record, arena, "traceparent");
    return text != NULL && is_traceparent(text) ? text : "";
}

int event_head_decode(const struct event_codec *codec, struct arena *arena,
                      const struct bus_record *record, struct event *event, struct err *err)
{
    int replays;
    *event = (struct event){.type = codec->type, .subject = "", .tenant = ""};
    if (check_type(codec, arena, record, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (check_header(&rules[i], arena, record, event, err) != 0)
            return -1;
    if (codec->has_tenant && event->tenant[0] == '\0')
        return err_set(err, ERR_PERMANENT, "event.tenant", "header tenant must be there once");
    event->traceparent = take_trace(arena, record);
    event->replay = find_header(record, "desk-replay", &replays) != NULL;
    return 0;
}
