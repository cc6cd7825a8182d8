/* The headers of a mail. Each is decoded and cleaned; those that mean something to us have a row in
 * a table. Where a field comes twice the first one counts: programs disagree on it, and a mail that
 * plays with that is flagged by odd_from. Called by parse.c. */
#include "mail/parse_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HEADERS_ROOM 32 /* as many as most mails have */

#define MS_1990 INT64_C(631152000000)
#define MS_2100 INT64_C(4102444800000)

#define DOMAIN_LABEL_MAX 63 /* of a whole domain it makes sure of each label */

/* What GMime takes for it grows faster than they do, or is much for each word of them. */
#define HEAD_BYTES_MAX    ((size_t)1024 * 1024) /* of all fields */
#define ADDRESS_BYTES_MAX ((size_t)64 * 1024)   /* of all fields of addresses */

struct field {
    struct arena *arena;
    GMimeParserOptions *options;
    struct mail *mail;
    const char *name;
    const char *raw;   /* as it came */
    const char *value; /* decoded, one line */
    size_t *room;      /* bytes of addresses that are still read */
};

static bool is_ascii(const char *text)
{
    while ((unsigned char)*text - 1u < 0x7fu)
        text++;
    return *text == '\0';
}

/* ---- addresses ---- */

struct address_list {
    struct mail_address *items;
    size_t count;
};

/* True for a domain that is in the form of its look-up already: lower-case ASCII, as nearly all
 * are.
 */
static bool is_looked_up_as_is(const char *address)
{
    const char *domain = strrchr(address, '@');
    size_t length = domain == NULL ? 0 : strlen(domain + 1);
    if (length == 0 || length > DOMAIN_LABEL_MAX || strstr(domain, "xn--") != NULL)
        return false;
    return strspn(domain + 1, "abcdefghijklmnopqrstuvwxyz0123456789.-") == length &&
           is_ascii(address);
}

static const char *lookup_form(InternetAddressMailbox *mailbox)
{
    const char *address = internet_address_mailbox_get_addr(mailbox);
    if (address != NULL && is_looked_up_as_is(address))
        return address;
    return internet_address_mailbox_get_idn_addr(mailbox);
}

static void add_address(struct field *f, struct address_list *list, InternetAddress *address)
{
    if (!INTERNET_ADDRESS_IS_MAILBOX(address) || list->count >= MAIL_ADDRESSES_MAX)
        return;
    const char *name = internet_address_get_name(address);
    const char *text = lookup_form(INTERNET_ADDRESS_MAILBOX(address));
    if (text == NULL)
        return;
    text = mail_line(f->arena, text, MAIL_VALUE_MAX);
    const char *at = strrchr(text, '@');
    if (at == NULL || at == text || at[1] == '\0' || strlen(text) > MAIL_ADDRESS_MAX ||
        strpbrk(text, " <>,;:\\\"()[]") != NULL)
        return;
    list->items[list->count++] = (struct mail_address){
        .name = mail_line(f->arena, name == NULL ? "" : name, MAIL_NAME_MAX),
        .address = text,
    };
}

/* The field as GMime may see it; false if that is not all of it. */
static bool mend(struct field *f, char *raw)
{
    const bool whole = mail_parse_mend_field(raw);
    size_t length = strlen(raw);
    const bool fits = length <= *f->room;
    if (!fits)
        raw[0] = '\0';
    *f->room -= fits ? length : 0;
    return whole && fits;
}

/* Adds the addresses of a field, those of a group as well; false if it was too long. */
static bool read_addresses(struct field *f, struct mail_addresses *out)
{
    struct address_list list = {.items =
                                    arena_alloc(f->arena, MAIL_ADDRESSES_MAX * sizeof *list.items)};
    for (; list.count < out->count; list.count++)
        list.items[list.count] = out->items[list.count];
    char *raw = arena_strdup(f->arena, f->raw);
    const bool whole = mend(f, raw);
    f->mail->cut |= !whole;
    InternetAddressList *read = internet_address_list_parse(f->options, raw);
    int count = read == NULL ? 0 : internet_address_list_length(read);
    for (int i = 0; i < count && list.count < MAIL_ADDRESSES_MAX; i++) {
        InternetAddress *address = internet_address_list_get_address(read, i);
        if (!INTERNET_ADDRESS_IS_GROUP(address)) {
            add_address(f, &list, address);
            continue;
        }
        InternetAddressList *members =
            internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address));
        int inner = members == NULL ? 0 : internet_address_list_length(members);
        for (int j = 0; j < inner; j++)
            add_address(f, &list, internet_address_list_get_address(members, j));
    }
    if (read != NULL)
        g_object_unref(read);
    *out = (struct mail_addresses){list.items, list.count};
    return whole;
}

static void read_first(struct field *f, struct mail_addresses *out)
{
    if (out->items == NULL)
        read_addresses(f, out);
}

static void read_from(struct field *f)
{
    struct mail *mail = f->mail;
    if (mail->from.items != NULL) {
        mail->odd_from = true;
        return;
    }
    const bool whole = read_addresses(f, &mail->from);
    mail->odd_from = mail->from.count != 1 || !whole;
}

static void read_reply_to(struct field *f)
{
    read_first(f, &f->mail->reply_to);
}

static void read_to(struct field *f)
{
    read_addresses(f, &f->mail->to);
}

static void read_cc(struct field *f)
{
    read_addresses(f, &f->mail->cc);
}

static void read_delivered(struct field *f)
{
    read_addresses(f, &f->mail->delivered);
}

static void read_return_path(struct field *f)
{
    struct mail_addresses one = {NULL, 0};
    if (f->mail->return_path != NULL)
        return;
    read_addresses(f, &one);
    if (one.count > 0)
        f->mail->return_path = one.items[0].address;
    else if (strncmp(f->value, "<>", 2) == 0)
        f->mail->return_path = "";
}

/* ---- ids ---- */

/* Takes the text between "<" and ">" if it can be an id: no white space, no angle. */
static const char *take_id(struct arena *arena, const char **at)
{
    const char *open = strchr(*at, '<');
    if (open == NULL)
        return NULL;
    size_t length = strcspn(open + 1, "<> \t");
    *at = open + 1 + length;
    if (**at != '>' || length == 0 || length > MAIL_ID_MAX)
        return "";
    ++*at;
    return arena_strndup(arena, open + 1, length);
}

/* Ids are never encoded: an encoded word in one is somebody's trick. */
static struct mail_ids read_ids(struct field *f)
{
    struct mail_ids ids = {NULL, 0};
    const char **items = arena_alloc(f->arena, MAIL_IDS_MAX * sizeof *items);
    const char *value = mail_line(f->arena, f->raw, MAIL_BYTES_MAX), *at = value;
    for (const char *id; (id = take_id(f->arena, &at)) != NULL;) {
        if (id[0] == '\0')
            continue;
        if (ids.count == MAIL_IDS_MAX) { /* the newest are the last */
            memmove(items, items + 1, (MAIL_IDS_MAX - 1) * sizeof *items);
            ids.count--;
        }
        items[ids.count++] = id;
    }
    if (ids.count == 0 && strchr(value, '@') != NULL && strpbrk(value, "<> ") == NULL &&
        strlen(value) <= MAIL_ID_MAX)
        items[ids.count++] = value; /* some programs forget the angles */
    ids.items = items;
    return ids;
}

static void read_message_id(struct field *f)
{
    if (f->mail->message_id[0] != '\0')
        return;
    struct mail_ids ids = read_ids(f);
    if (ids.count > 0)
        f->mail->message_id = ids.items[0];
}

static void read_in_reply_to(struct field *f)
{
    if (f->mail->in_reply_to.count == 0)
        f->mail->in_reply_to = read_ids(f);
}

static void read_references(struct field *f)
{
    if (f->mail->references.count == 0)
        f->mail->references = read_ids(f);
}

/* ---- the rest ---- */

static void read_subject(struct field *f)
{
    if (f->mail->subject[0] == '\0')
        f->mail->subject = mail_line(f->arena, f->value, MAIL_SUBJECT_MAX);
}

/* 0 for what is no date, and for one that no mail has. */
static int64_t date_of(const char *text)
{
    GDateTime *when = g_mime_utils_header_decode_date(text);
    if (when == NULL)
        return 0;
    int64_t ms = (int64_t)g_date_time_to_unix(when) * 1000;
    g_date_time_unref(when);
    return ms < MS_1990 || ms >= MS_2100 ? 0 : ms;
}

static void read_date(struct field *f)
{
    if (!f->mail->has_date)
        f->mail->date_ms = date_of(f->raw);
    f->mail->has_date = f->mail->date_ms > 0;
}

/* Each server puts its own above those of the servers before it. */
static void read_received(struct field *f)
{
    const char *date = strrchr(f->raw, ';');
    if (f->mail->received_ms == 0 && date != NULL)
        f->mail->received_ms = date_of(date + 1);
}

static const struct {
    const char *name;
    void (*read)(struct field *f);
} fields[] = {
    {"From", read_from},
    {"Reply-To", read_reply_to},
    {"To", read_to},
    {"Cc", read_cc},
    {"Delivered-To", read_delivered},
    {"X-Original-To", read_delivered},
    {"X-Forwarded-To", read_delivered},
    {"Envelope-To", read_delivered},
    {"Return-Path", read_return_path},
    {"Message-ID", read_message_id},
    {"In-Reply-To", read_in_reply_to},
    {"References", read_references},
    {"Subject", read_subject},
    {"Date", read_date},
    {"Received", read_received},
};

/* Fields of servers, in which nothing is encoded: what looks so is a stranger's word, which decoded
 * could end a comment and begin a statement. */
static bool is_literal(const char *name)
{
    return mail_same_name(name, "Authentication-Results");
}

/* As one line; without encoded words and 8-bit bytes it is what it says. */
static const char *decoded_value(const struct field *f)
{
    if (is_literal(f->name) || (strstr(f->raw, "=?") == NULL && is_ascii(f->raw)))
        return mail_line(f->arena, f->raw, MAIL_VALUE_MAX);
    char *decoded = g_mime_utils_header_decode_text(f->options, f->raw);
    const char *value = mail_line(f->arena, decoded == NULL ? "" : decoded, MAIL_VALUE_MAX);
    g_free(decoded);
    return value;
}

void mail_parse_headers(struct arena *arena, GMimeParserOptions *options, struct mail_fields *from,
                        struct mail *mail)
{
    struct mail_field field;
    struct mail_header *headers = NULL;
    size_t count = 0, room = 0;
    size_t bytes = 0, addresses = ADDRESS_BYTES_MAX;
    mail->odd_from = true; /* until there is one */
    while (count < MAIL_HEADERS_MAX && bytes < HEAD_BYTES_MAX &&
           mail_fields_next(from, arena, &field)) {
        struct field f = {arena, options, mail, field.name, field.raw, NULL, &addresses};
        bytes += strlen(field.raw);
        if (count == room) {
            room += HEADERS_ROOM;
            headers = xreallocarray(headers, room, sizeof *headers);
        }
        f.value = decoded_value(&f);
        headers[count].name = mail_line(arena, field.name, MAIL_NAME_MAX);
        headers[count].value = f.value;
        for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++)
            if (mail_same_name(headers[count].name, fields[j].name))
                fields[j].read(&f);
        count++;
    }
    while (mail_fields_next(from, arena, NULL))
        mail->cut = true;
    struct mail_header *copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    if (count > 0)
        memcpy(copy, headers, count * sizeof *copy);
    free(headers);
    mail->headers = copy;
    mail->header_count = count;
}

const char *mail_parse_subject(struct arena *arena, GMimeParserOptions *options, const char *bytes,
                               size_t length)
{
    struct mail_fields from;
    struct mail_field field;
    size_t count = 0;
    length = length < HEAD_BYTES_MAX ? length : HEAD_BYTES_MAX;
    mail_fields_init(&from, arena_strndup(arena, bytes, length), length);
    for (; count < MAIL_HEADERS_MAX && mail_fields_next(&from, arena, &field); count++) {
        struct field f = {.arena = arena, .options = options, .name = field.name, .raw = field.raw};
        if (mail_same_name(field.name, "Subject"))
            return decoded_value(&f);
    }
    return "";
}
