/* The members of an event's value, driven by the type's table: one writer and one reader for all
 * types, so that no bound is checked in one place and forgotten in another. Called by
 * event_codec.c. */
#include "contract/event_codec.h"

#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define NAME_BYTES_MAX 64

/* ---- rules ---- */

static bool is_sid(const char *text, const char *prefix)
{
    struct uuid id;
    uint8_t bytes[16];
    if (strncmp(text, prefix, 2) == 0)
        return text_parse_hex(text + 2, bytes, sizeof bytes);
    return uuid_parse(text, &id);
}

bool event_is_message_sid(const char *text)
{
    return is_sid(text, "SM") || is_sid(text, "MM");
}

bool event_is_account_sid(const char *text)
{
    return is_sid(text, "AC");
}

bool event_is_service_sid(const char *text)
{
    return is_sid(text, "MG");
}

bool event_is_word(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return length > 0 && text[length] == '\0';
}

bool event_is_digits(const char *text)
{
    size_t length = strspn(text, "0123456789");
    return length > 0 && text[length] == '\0';
}

bool event_is_base64(const char *text)
{
    size_t length = strlen(text);
    struct strbuf bytes;
    strbuf_init(&bytes, length);
    bool good = length > 0 && text_decode_base64(text, length, &bytes);
    strbuf_fini(&bytes);
    return good;
}

bool event_is_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

/* ---- fields of the structs ---- */

static const char *text_of(const struct event_member *member, const void *in)
{
    const char *text = *(const char *const *)(const void *)((const char *)in + member->offset);
    return text == NULL ? "" : text;
}

static void set_text(const struct event_member *member, void *out, const char *text)
{
    *(const char **)(void *)((char *)out + member->offset) = text;
}

static size_t *more_of(const struct event_member *member, void *out)
{
    return (size_t *)(void *)((char *)out + member->more);
}

static size_t count_of(const struct event_member *member, const void *in)
{
    return *(const size_t *)(const void *)((const char *)in + member->more);
}

static bool text_fits(const struct event_member *member, const char *text)
{
    size_t length = strlen(text);
    if (length == 0 && !member->required)
        return true;
    return length >= (size_t)member->min && length <= (size_t)member->max &&
           (member->check == NULL || member->check(text));
}

static const char *base64_name(const struct event_member *member, char name[NAME_BYTES_MAX])
{
    size_t length = strlen(member->name);
    assert(length + sizeof "_base64" <= NAME_BYTES_MAX);
    memcpy(name, member->name, length);
    memcpy(name + length, "_base64", sizeof "_base64");
    return name;
}

/* ---- encode ----
 * Only what would break the record itself is asserted (UTF-8, sizes, counts, ranges). A text of the
 * wrong shape, such as a number that an operator mistyped in the database, must not end the
 * process: the reader refuses it, and the dead letter says why. */

static void encode_text(const struct event_member *member, const void *in,
                        struct json_writer *writer)
{
    const char *text = text_of(member, in);
    size_t length = strlen(text);
    assert(length <= (size_t)member->max && text_is_utf8(text, length));
    if (text[0] != '\0' || member->required)
        json_add_text(writer, member->name, text);
}

static void encode_base64(const struct event_member *member, const char *bytes, size_t length,
                          struct json_writer *writer)
{
    struct strbuf text;
    char name[NAME_BYTES_MAX];
    assert(length <= (size_t)member->max);
    strbuf_init(&text, length * 2 + 4);
    text_add_base64(&text, bytes, length);
    json_add_text(writer, base64_name(member, name), text.data);
    strbuf_fini(&text);
}

static void encode_raw(const struct event_member *member, const void *in,
                       struct json_writer *writer)
{
    const char *text = text_of(member, in);
    size_t length = strlen(text);
    if (!text_is_utf8(text, length))
        encode_base64(member, text, length, writer);
    else
        encode_text(member, in, writer);
}

static void encode_bytes(const struct event_member *member, const void *in,
                         struct json_writer *writer)
{
    encode_base64(member, text_of(member, in), count_of(member, in), writer);
}

static void encode_int64(const struct event_member *member, const void *in,
                         struct json_writer *writer)
{
    int64_t number = *(const int64_t *)(const void *)((const char *)in + member->offset);
    assert(number >= member->min && number <= member->max);
    if (number != 0 || member->required)
        json_add_int(writer, member->name, number);
}

static void encode_int(const struct event_member *member, const void *in,
                       struct json_writer *writer)
{
    int number = *(const int *)(const void *)((const char *)in + member->offset);
    assert(number >= member->min && number <= member->max);
    if (number != 0 || member->required)
        json_add_int(writer, member->name, number);
}

static void encode_id(const struct event_member *member, const void *in, struct json_writer *writer)
{
    char text[UUID_TEXT_SIZE];
    const struct uuid *id = (const void *)((const char *)in + member->offset);
    json_add_text(writer, member->name, uuid_format(id, text));
}

/* An element is an object, or, when its table has one row without a name, a plain text. */
static void encode_list(const struct event_member *member, const void *in,
                        struct json_writer *writer)
{
    size_t count = count_of(member, in);
    assert(count >= (size_t)member->min && count <= (size_t)member->max);
    if (count == 0 && !member->required)
        return;
    json_open_array(writer, member->name);
    for (size_t i = 0; i < count; i++) {
        const char *element = (const char *)in + member->offset + i * member->stride;
        if (member->elements[0].name != NULL)
            json_open_object(writer, NULL);
        event_members_encode(member->elements, element, writer);
        if (member->elements[0].name != NULL)
            json_close_object(writer);
    }
    json_close_array(writer);
}

/* ---- decode ---- */

struct reading {
    struct arena *arena;
    const struct json *object; /* of which the members are */
    struct err *err;
};

static int refuse(const struct reading *reading, const struct event_member *member)
{
    return err_set(reading->err, ERR_PERMANENT, "event.member", "member \"%s\" must be %s",
                   member->name == NULL ? "(list element)" : member->name, member->what);
}

/* What the member stands for: by name, or the list's element itself. */
static const struct json *value_of(const struct reading *reading, const struct event_member *member)
{
    return member->name == NULL ? reading->object : json_member(reading->object, member->name);
}

static int decode_text(const struct reading *reading, const struct event_member *member, void *out)
{
    const struct json *value = value_of(reading, member);
    const char *text = value == NULL && !member->required ? "" : json_text(value);
    if (text == NULL || !text_fits(member, text))
        return refuse(reading, member);
    set_text(member, out, arena_strdup(reading->arena, text));
    return 0;
}

/* The bytes of NAME_base64 in the arena, NUL behind them; NULL: absent or no good. */
static char *base64_bytes(const struct reading *reading, const struct event_member *member,
                          size_t *length)
{
    char name[NAME_BYTES_MAX];
    const char *text = json_member_text(reading->object, base64_name(member, name));
    size_t text_length = text == NULL ? 0 : strlen(text);
    struct strbuf bytes;
    char *copy = NULL;
    strbuf_init(&bytes, (size_t)member->max);
    if (text != NULL && text_length <= ((size_t)member->max + 2) / 3 * 4 &&
        text_decode_base64(text, text_length, &bytes) && !bytes.overflow) {
        copy = arena_strndup(reading->arena, bytes.data, bytes.length);
        *length = bytes.length;
    }
    strbuf_fini(&bytes);
    return copy;
}

static int decode_bytes(const struct reading *reading, const struct event_member *member, void *out)
{
    size_t length = 0;
    char *bytes = base64_bytes(reading, member, &length);
    if (bytes == NULL)
        return refuse(reading, member);
    set_text(member, out, bytes);
    *more_of(member, out) = length;
    return 0;
}

static int decode_raw(const struct reading *reading, const struct event_member *member, void *out)
{
    char name[NAME_BYTES_MAX];
    size_t length = 0;
    if (json_member(reading->object, base64_name(member, name)) == NULL)
        return decode_text(reading, member, out);
    char *bytes = base64_bytes(reading, member, &length);
    if (bytes == NULL || strlen(bytes) != length)
        return refuse(reading, member);
    set_text(member, out, bytes);
    return 0;
}

static int decode_int64(const struct reading *reading, const struct event_member *member, void *out)
{
    int64_t number = 0;
    bool absent = json_member(reading->object, member->name) == NULL && !member->required;
    if (!absent &&
        !json_member_int(reading->object, member->name, member->min, member->max, &number))
        return refuse(reading, member);
    *(int64_t *)(void *)((char *)out + member->offset) = number;
    return 0;
}

static int decode_int(const struct reading *reading, const struct event_member *member, void *out)
{
    int64_t number = 0;
    bool absent = json_member(reading->object, member->name) == NULL && !member->required;
    if (!absent &&
        !json_member_int(reading->object, member->name, member->min, member->max, &number))
        return refuse(reading, member);
    *(int *)(void *)((char *)out + member->offset) = (int)number;
    return 0;
}

static int decode_id(const struct reading *reading, const struct event_member *member, void *out)
{
    struct uuid id;
    const char *text = json_member_text(reading->object, member->name);
    if (text == NULL || !uuid_parse(text, &id) || uuid_is_nil(&id))
        return refuse(reading, member);
    *(struct uuid *)(void *)((char *)out + member->offset) = id;
    return 0;
}

static int decode_list(const struct reading *reading, const struct event_member *member, void *out)
{
    const struct json *list = json_member(reading->object, member->name);
    if (list == NULL && !member->required)
        return 0; /* count is 0: the struct starts zeroed */
    if (list == NULL || json_type(list) != JSON_ARRAY || json_count(list) > (size_t)member->max ||
        json_count(list) < (size_t)member->min)
        return refuse(reading, member);
    bool plain = member->elements[0].name == NULL;
    size_t count = 0;
    for (const struct json *element = json_first(list); element != NULL;
         element = json_next(element), count++) {
        char *at = (char *)out + member->offset + count * member->stride;
        if (json_type(element) != (plain ? JSON_STRING : JSON_OBJECT))
            return refuse(reading, member);
        if (event_members_decode(member->elements, reading->arena, element, at, reading->err) != 0)
            return -1;
    }
    *more_of(member, out) = count;
    return 0;
}

/* ---- the table of kinds ---- */

static const struct {
    void (*encode)(const struct event_member *member, const void *in, struct json_writer *writer);
    int (*decode)(const struct reading *reading, const struct event_member *member, void *out);
} kinds[] = {
    [EVENT_TEXT] = {encode_text, decode_text},    [EVENT_RAW] = {encode_raw, decode_raw},
    [EVENT_BYTES] = {encode_bytes, decode_bytes}, [EVENT_INT] = {encode_int, decode_int},
    [EVENT_INT64] = {encode_int64, decode_int64}, [EVENT_ID] = {encode_id, decode_id},
    [EVENT_LIST] = {encode_list, decode_list},
};

void event_members_encode(const struct event_member *members, const void *in,
                          struct json_writer *writer)
{
    for (; members->what != NULL; members++)
        kinds[members->kind].encode(members, in, writer);
}

int event_members_decode(const struct event_member *members, struct arena *arena,
                         const struct json *object, void *out, struct err *err)
{
    struct reading reading = {.arena = arena, .object = object, .err = err};
    for (; members->what != NULL; members++)
        if (kinds[members->kind].decode(&reading, members, out) != 0)
            return -1;
    return 0;
}
