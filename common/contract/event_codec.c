/* One encoder and one decoder for all event types, driven by the type's codec. Called by the public
 * functions in event_sms.c and its neighbours. */
#include "contract/event_codec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_BYTES 4000 /* of a value: most have less */

static const char *encode_value(const struct event_codec *codec, struct arena *arena,
                                const void *in, size_t *length)
{
    struct strbuf text;
    struct json_writer writer;
    strbuf_init(&text, BUS_VALUE_MAX);
    strbuf_expect(&text, USUAL_BYTES);
    json_writer_init(&writer, &text);
    json_open_object(&writer, NULL);
    event_members_encode(codec->members, in, &writer);
    json_close_object(&writer);
    assert(!text.overflow);
    const char *value = arena_strndup(arena, text.data, text.length);
    *length = text.length;
    strbuf_fini(&text);
    return value;
}

void event_encode(const struct event_codec *codec, struct arena *arena, const char *prefix,
                  const void *in, struct bus_record *record)
{
    const struct event *event = in;
    bool given = event->id != NULL && event->id[0] != '\0';
    const char *id = given && !codec->id_is_derived ? event->id : codec->id(arena, in);
    assert(!given || strcmp(event->id, id) == 0);
    const char *key = codec->key(arena, in);
    *record = (struct bus_record){.partition = -1};
    record->topic = topic_name(arena, prefix, codec->topic);
    record->key = key;
    record->key_length = strlen(key);
    record->value = encode_value(codec, arena, in, &record->value_length);
    event_head_encode(codec, arena, event, id, record);
}

static int decode_value(const struct event_codec *codec, struct arena *arena,
                        const struct bus_record *record, void *out, struct err *err)
{
    struct json *document;
    struct err inner;
    if (record->value == NULL)
        return err_set(err, ERR_PERMANENT, "event.tombstone", "a %s has a value", codec->type);
    if (record->value_length > BUS_VALUE_MAX)
        return err_set(err, ERR_PERMANENT, "event.size", "the value has %zu bytes, %d are allowed",
                       record->value_length, BUS_VALUE_MAX);
    if (json_parse(record->value, record->value_length, &document, &inner) != 0)
        return err_set(err, ERR_PERMANENT, "event.json", "%s (%s)", inner.message, inner.code);
    int result = json_type(document) == JSON_OBJECT
                     ? event_members_decode(codec->members, arena, document, out, err)
                     : err_set(err, ERR_PERMANENT, "event.json", "the value is no JSON object");
    json_free(&document);
    return result;
}

/* What must agree between headers, key and value. */
static int check_whole(const struct event_codec *codec, struct arena *arena,
                       const struct bus_record *record, const void *decoded, struct err *err)
{
    const struct event *event = decoded;
    const char *wrong = codec->check == NULL ? NULL : codec->check(decoded);
    if (wrong != NULL)
        return err_set(err, ERR_PERMANENT, "event.member", "%s", wrong);
    if (codec->id_is_derived && strcmp(event->id, codec->id(arena, decoded)) != 0)
        return err_set(err, ERR_PERMANENT, "event.id", "ce_id does not belong to the value");
    const char *key = codec->key(arena, decoded);
    if (record->key == NULL || record->key_length != strlen(key) ||
        memcmp(record->key, key, record->key_length) != 0)
        return err_set(err, ERR_PERMANENT, "event.key", "the key does not belong to the value");
    return 0;
}

int event_decode(const struct event_codec *codec, struct arena *arena,
                 const struct bus_record *record, void *out, struct err *err)
{
    void *decoded = arena_alloc(arena, codec->size);
    if (event_head_decode(codec, arena, record, decoded, err) != 0 ||
        decode_value(codec, arena, record, decoded, err) != 0 ||
        check_whole(codec, arena, record, decoded, err) != 0)
        return -1;
    memcpy(out, decoded, codec->size);
    return 0;
}
