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

bool event_is_sent_sid(const char *text)
{
    return event_is_message_sid(text) || is_sid(text, "CA");
}

bool event_is_account_sid(const char *text)
{
    return is_sid(text, "AC");
}

bool event_is_service_sid(const char *text)
{
    return is_sid(text, "MG");
}

bool event_is_call_sid(const char *text)
{
    return is_sid(text, "CA");
}

bool event_is_relay_sid(const char *text)
{
    return is_sid(text, "VX");
}

bool event_is_recording_sid(const char *text)
{
    return is_sid(text, "RE");
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

bool event_is_wording(const char *text)
{
    if (text[strspn(text, " \t\n")] == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t' && *text != '\n') || *text == 0x7f)
            return false;
    return true;
}

bool event_is_language_tag(const char *text)
{
    size_t length = 0;
    while (isalpha((unsigned char)text[length]))
        length++;
    while (length >= 1 && length <= 8) {
        text += length;
        if (*text == '\0')
            return true;
        if (*text++ != '-')
            return false;
        for (length = 0; isalnum((unsigned char)text[length]);)
            length++;
    }
    return false;
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

static void encode_bool(const struct event_member *member, const void *in,
                        struct json_writer *writer)
{
    bool truth = *(const bool *)(const void *)((const char *)in + member->offset);
    if (truth || member->required)
        json_add_bool(writer, member->name, truth);
}

/* What an optional number is when it is absent. */
static int64_t absent_number(const struct event_member *member)
{
    return !member->required && member->min < 0 ? -1 : 0;
}

static void encode_number(const struct event_member *member, int64_t number,
                          struct json_writer *writer)
{
    assert(number >= member->min && number <= member->max);
    if (member->required || number != absent_number(member))
        json_add_int(writer, member->name, number);
}

static void encode_int64(const struct event_member *member, const void *in,
                         struct json_writer *writer)
{
    encode_number(member, *(const int64_t *)(const void *)((const char *)in + member->offset),
                  writer);
}

static void encode_int(const struct event_member *member, const void *in,
                       struct json_writer *writer)
{
    encode_number(member, *(const int *)(const void *)((const char *)in + member->offset), writer);
}

static unsigned count_names(const char *const *names)
{
    unsigned count = 0;
    while (names[count] != NULL)
        count++;
    return count;
}

static void encode_enum(const struct event_member *member, const void *in,
                        struct json_writer *writer)
{
    const char *const *names = member->of;
    unsigned number = *(const unsigned *)(const void *)((const char *)in + member->offset);
    assert(number < count_names(names));
    if (number > 0 || member->required)
        json_add_text(writer, member->name, names[number]);
}

static void encode_id(const struct event_member *member, const void *in, struct json_writer *writer)
{
    char text[UUID_TEXT_SIZE];
    const struct uuid *id = (const void *)((const char *)in + member->offset);
    if (member->required || !uuid_is_nil(id))
        json_add_text(writer, member->name, uuid_format(id, text));
}

/* An element is an object, or, when its table has one row without a name, a plain text. */
static void encode_list(const struct event_member *member, const void *in,
                        struct json_writer *writer)
{
    const struct event_member *rows = member->of;
    size_t count = count_of(member, in);
    assert(count >= (size_t)member->min && count <= (size_t)member->max);
    if (count == 0 && !member->required)
        return;
    json_open_array(writer, member->name);
    for (size_t i = 0; i < count; i++) {
        const char *element = (const char *)in + member->offset + i * member->stride;
        if (rows[0].name != NULL)
            json_open_object(writer, NULL);
        event_members_encode(rows, element, writer);
        if (rows[0].name != NULL)
            json_close_object(writer);
    }
    json_close_array(writer);
}

static void encode_object(const struct event_member *member, const void *in,
                          struct json_writer *writer)
{
    const void *object;
    memcpy(&object, (const char *)in + member->offset, sizeof object);
    if (object == NULL)
        return;
    json_open_object(writer, member->name);
    event_members_encode(member->of, object, writer);
    json_close_object(writer);
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

/* What an optional member is when it is not there, the zeroed struct says already. */
static bool is_left_out(const struct reading *reading, const struct event_member *member)
{
    return !member->required && json_member(reading->object, member->name) == NULL;
}

static int decode_bool(const struct reading *reading, const struct event_member *member, void *out)
{
    const struct json *value = json_member(reading->object, member->name);
    if (is_left_out(reading, member))
        return 0;
    if (value == NULL || json_type(value) != JSON_BOOL)
        return refuse(reading, member);
    *(bool *)(void *)((char *)out + member->offset) = json_bool(value);
    return 0;
}

static int decode_number(const struct reading *reading, const struct event_member *member,
                         int64_t *number)
{
    int64_t absent = absent_number(member);
    *number = absent;
    if (is_left_out(reading, member) ||
        json_member_int(reading->object, member->name, absent < 0 ? 0 : member->min, member->max,
                        number))
        return 0;
    return refuse(reading, member);
}

static int decode_int64(const struct reading *reading, const struct event_member *member, void *out)
{
    int64_t number;
    if (decode_number(reading, member, &number) != 0)
        return -1;
    *(int64_t *)(void *)((char *)out + member->offset) = number;
    return 0;
}

static int decode_int(const struct reading *reading, const struct event_member *member, void *out)
{
    int64_t number;
    if (decode_number(reading, member, &number) != 0)
        return -1;
    *(int *)(void *)((char *)out + member->offset) = (int)number;
    return 0;
}

static int decode_enum(const struct reading *reading, const struct event_member *member, void *out)
{
    const char *const *names = member->of;
    const char *text = json_member_text(reading->object, member->name);
    unsigned number = 0;
    if (is_left_out(reading, member))
        return 0;
    while (text != NULL && names[number] != NULL && strcmp(names[number], text) != 0)
        number++;
    if (text == NULL || names[number] == NULL)
        return refuse(reading, member);
    *(unsigned *)(void *)((char *)out + member->offset) = number;
    return 0;
}

static int decode_id(const struct reading *reading, const struct event_member *member, void *out)
{
    struct uuid id;
    const char *text = json_member_text(reading->object, member->name);
    if (is_left_out(reading, member))
        return 0;
    if (text == NULL || !uuid_parse(text, &id) || uuid_is_nil(&id))
        return refuse(reading, member);
    *(struct uuid *)(void *)((char *)out + member->offset) = id;
    return 0;
}

static int decode_list(const struct reading *reading, const struct event_member *member, void *out)
{
    const struct json *list = json_member(reading->object, member->name);
    const struct event_member *rows = member->of;
    if (is_left_out(reading, member))
        return 0;
    if (list == NULL || json_type(list) != JSON_ARRAY || json_count(list) > (size_t)member->max ||
        json_count(list) < (size_t)member->min)
        return refuse(reading, member);
    bool plain = rows[0].name == NULL;
    size_t count = 0;
    for (const struct json *element = json_first(list); element != NULL;
         element = json_next(element), count++) {
        char *at = (char *)out + member->offset + count * member->stride;
        if (json_type(element) != (plain ? JSON_STRING : JSON_OBJECT))
            return refuse(reading, member);
        if (event_members_decode(rows, reading->arena, element, at, reading->err) != 0)
            return -1;
    }
    *more_of(member, out) = count;
    return 0;
}

static int decode_object(const struct reading *reading, const struct event_member *member,
                         void *out)
{
    const struct json *object = json_member(reading->object, member->name);
    if (is_left_out(reading, member))
        return 0;
    if (object == NULL || json_type(object) != JSON_OBJECT)
        return refuse(reading, member);
    void *inner = arena_alloc(reading->arena, member->stride);
    memcpy((char *)out + member->offset, &inner, sizeof inner);
    return event_members_decode(member->of, reading->arena, object, inner, reading->err);
}

/* ---- the table of kinds ---- */

static const struct {
    void (*encode)(const struct event_member *member, const void *in, struct json_writer *writer);
    int (*decode)(const struct reading *reading, const struct event_member *member, void *out);
} kinds[] = {
    [EVENT_TEXT] = {encode_text, decode_text},    [EVENT_RAW] = {encode_raw, decode_raw},
    [EVENT_BYTES] = {encode_bytes, decode_bytes}, [EVENT_BOOL] = {encode_bool, decode_bool},
    [EVENT_INT] = {encode_int, decode_int},       [EVENT_INT64] = {encode_int64, decode_int64},
    [EVENT_ENUM] = {encode_enum, decode_enum},    [EVENT_ID] = {encode_id, decode_id},
    [EVENT_LIST] = {encode_list, decode_list},    [EVENT_OBJECT] = {encode_object, decode_object},
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
