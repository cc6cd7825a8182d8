/* desk.mail.received is a mail, desk.mail.reported a server's word on a mail of ours. Written by
 * the mailpoller; the one read by the engine, the other by the responder. */
#include "contract/event_codec.h"
#include "contract/mail.h"

#include "base/text.h"

#include <string.h>

static const char *uuid_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

const char *mail_event_id(struct arena *arena, const struct uuid *mailbox, int64_t uid_validity,
                          int64_t uid)
{
    return arena_printf(arena, "%s:%lld:%lld", uuid_text(arena, mailbox), (long long)uid_validity,
                        (long long)uid);
}

/* Two spellings of one address would be two contacts. */
static bool is_address(const char *text)
{
    const char *at = strchr(text, '@');
    if (at == NULL || at == text || at[1] == '\0' || strchr(at + 1, '@') != NULL)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || (*c >= 'A' && *c <= 'Z'))
            return false;
    return true;
}

static bool is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* Lines and tabs, nothing else that is no character to be seen. */
static bool is_text(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if ((*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f)
            return false;
    return true;
}

#define WORD(name, at, required, max)                                                              \
    {                                                                                              \
        name, EVENT_TEXT, at, required, 1, max, event_is_word,                                     \
            "a lower-case word of at most " #max " bytes", 0, 0, NULL                              \
    }
#define LINE(name, at, required, min, max, what)                                                   \
    {                                                                                              \
        name, EVENT_TEXT, at, required, min, max, event_is_line, what, 0, 0, NULL                  \
    }
#define NUMBER(name, at, required, min, max)                                                       \
    {                                                                                              \
        name, EVENT_INT64, at, required, min, max, NULL, "a whole number within its bounds", 0, 0, \
            NULL                                                                                   \
    }
#define UUID(name, at, required)                                                                   \
    {                                                                                              \
        name, EVENT_ID, at, required, 0, 0, NULL, "a uuid", 0, 0, NULL                             \
    }
#define COUNT_MAX 9007199254740991 /* what JSON carries */
#define UID_MAX   4294967295

/* The same in both events. */
#define PLACE_ROWS(type)                                                                           \
    UUID("mailbox", offsetof(type, mailbox), true),                                                \
        NUMBER("uid_validity", offsetof(type, uid_validity), true, 1, UID_MAX),                    \
        NUMBER("uid", offsetof(type, uid), true, 1, UID_MAX)

/* ---- received ---- */

static const char *received_id(struct arena *arena, const void *event)
{
    const struct mail_received *mail = event;
    return mail_event_id(arena, &mail->mailbox, mail->uid_validity, mail->uid);
}

static const char *received_key(struct arena *arena, const void *event)
{
    const struct mail_received *mail = event;
    return topic_key_contact(arena, mail->event.tenant, mail->from);
}

static const struct event_member address_elements[] = {
    {NULL, EVENT_TEXT, 0, true, 3, MAIL_EVENT_ADDRESS_MAX, is_address,
     "a lower-case mail address of at most 254 bytes", 0, 0, NULL},
    {0},
};

static const struct event_member id_elements[] = {
    LINE(NULL, 0, true, 1, MAIL_EVENT_ID_MAX, "an id of at most 500 bytes"),
    {0},
};

#define AT(m) offsetof(struct mail_event_file, m)
static const struct event_member file_members[] = {
    {"number", EVENT_INT, AT(number), true, 0, 1000, NULL, "a number from 0 to 1000", 0, 0, NULL},
    WORD("kind", AT(kind), true, 16),
    LINE("name", AT(name), false, 1, MAIL_EVENT_NAME_MAX, "a name of at most 200 bytes"),
    LINE("type", AT(type), true, 1, MAIL_EVENT_TYPE_MAX, "a media type of at most 127 bytes"),
    NUMBER("size_bytes", AT(size_bytes), true, 0, COUNT_MAX),
    {"stored", EVENT_BOOL, AT(stored), false, 0, 0, NULL, "true or false", 0, 0, NULL},
    {"text", EVENT_TEXT, AT(text), false, 1, MAIL_EVENT_FILE_TEXT_MAX, is_text,
     "a text of at most 16384 bytes", 0, 0, NULL},
    {"text_cut", EVENT_BOOL, AT(text_cut), false, 0, 0, NULL, "true or false", 0, 0, NULL},
    {0},
};
#undef AT

#define AT(m) offsetof(struct mail_received, m)
#define LIST(name, items, count, max, elements, what)                                              \
    {                                                                                              \
        name, EVENT_LIST, AT(items), false, 0, max, NULL, what, AT(count), sizeof(const char *),   \
            elements                                                                               \
    }
static const struct event_member received_members[] = {
    PLACE_ROWS(struct mail_received),
    {"from", EVENT_TEXT, AT(from), true, 3, MAIL_EVENT_ADDRESS_MAX, is_address,
     "a lower-case mail address of at most 254 bytes", 0, 0, NULL},
    LINE("from_name", AT(from_name), false, 1, MAIL_EVENT_NAME_MAX, "a name of at most 200 bytes"),
    {"reply_to", EVENT_TEXT, AT(reply_to), false, 3, MAIL_EVENT_ADDRESS_MAX, is_address,
     "a lower-case mail address of at most 254 bytes", 0, 0, NULL},
    LIST("to", to, to_count, MAIL_EVENT_ADDRESSES_MAX, address_elements,
         "a list of at most 20 addresses"),
    LIST("cc", cc, cc_count, MAIL_EVENT_ADDRESSES_MAX, address_elements,
         "a list of at most 20 addresses"),
    LINE("message_id", AT(message_id), false, 1, MAIL_EVENT_ID_MAX, "an id of at most 500 bytes"),
    LIST("in_reply_to", in_reply_to, in_reply_to_count, MAIL_EVENT_IDS_MAX, id_elements,
         "a list of at most 20 ids"),
    LIST("references", references, reference_count, MAIL_EVENT_IDS_MAX, id_elements,
         "a list of at most 20 ids"),
    LINE("subject", AT(subject), false, 1, MAIL_EVENT_SUBJECT_MAX, "one line of at most 500 bytes"),
    NUMBER("sent_ms", AT(sent_ms), false, 0, COUNT_MAX),
    WORD("class", AT(class), true, 32),
    WORD("rule", AT(rule), false, 64),
    WORD("spf", AT(spf), true, 16),
    WORD("dkim", AT(dkim), true, 16),
    WORD("dmarc", AT(dmarc), true, 16),
    {"verified", EVENT_BOOL, AT(verified), false, 0, 0, NULL, "true or false", 0, 0, NULL},
    UUID("conversation", AT(conversation), false),
    UUID("delivery", AT(delivery), false),
    {"text", EVENT_TEXT, AT(text), true, 0, MAIL_EVENT_TEXT_MAX, is_text,
     "a text of at most 65536 bytes", 0, 0, NULL},
    {"body", EVENT_TEXT, AT(body), false, 1, MAIL_EVENT_BODY_MAX, is_text,
     "a text of at most 262144 bytes", 0, 0, NULL},
    WORD("shape", AT(shape), true, 16),
    {"cut", EVENT_BOOL, AT(cut), false, 0, 0, NULL, "true or false", 0, 0, NULL},
    {"content_hash", EVENT_TEXT, AT(content_hash), true, 64, 64, is_sha256, "64 hexadecimal digits",
     0, 0, NULL},
    {"files", EVENT_LIST, AT(files), false, 0, MAIL_EVENT_FILES_MAX, NULL,
     "a list of at most 50 files", AT(file_count), sizeof(struct mail_event_file), file_members},
    {0},
};
#undef AT

static const struct event_codec received_codec = {
    .type = EVENT_MAIL_RECEIVED,
    .topic = TOPIC_INBOUND_EMAIL,
    .size = sizeof(struct mail_received),
    .has_tenant = true,
    .id_is_derived = true,
    .members = received_members,
    .id = received_id,
    .key = received_key,
};

void mail_received_encode(struct arena *arena, const char *prefix, const struct mail_received *in,
                          struct bus_record *record)
{
    event_encode(&received_codec, arena, prefix, in, record);
}

int mail_received_decode(struct arena *arena, const struct bus_record *record,
                         struct mail_received *out, struct err *err)
{
    return event_decode(&received_codec, arena, record, out, err);
}

/* ---- reported ---- */

static const char *reported_id(struct arena *arena, const void *event)
{
    const struct mail_reported *report = event;
    return arena_printf(arena, "%s:%d",
                        mail_event_id(arena, &report->mailbox, report->uid_validity, report->uid),
                        report->number);
}

static const char *reported_key(struct arena *arena, const void *event)
{
    const struct mail_reported *report = event;
    return topic_key_delivery(arena, report->event.tenant, uuid_text(arena, &report->delivery));
}

static bool is_status(const char *text)
{
    return strspn(text, "0123456789.") == strlen(text);
}

#define AT(m) offsetof(struct mail_reported, m)
static const struct event_member reported_members[] = {
    PLACE_ROWS(struct mail_reported),
    {"number", EVENT_INT, AT(number), true, 0, MAIL_EVENT_RECIPIENTS_MAX - 1, NULL,
     "a number from 0 to 19", 0, 0, NULL},
    UUID("delivery", AT(delivery), true),
    WORD("action", AT(action), true, 32),
    WORD("fault", AT(fault), true, 32),
    {"status", EVENT_TEXT, AT(status), false, 1, 11, is_status, "digits and dots, at most 11", 0, 0,
     NULL},
    LINE("recipient", AT(recipient), false, 1, MAIL_EVENT_ADDRESS_MAX,
         "an address of at most 254 bytes"),
    LINE("diagnostic", AT(diagnostic), false, 1, MAIL_EVENT_DIAGNOSTIC_MAX,
         "one line of at most 500 bytes"),
    LINE("feedback", AT(feedback), false, 1, 64, "a word of at most 64 bytes"),
    {0},
};
#undef AT

static const struct event_codec reported_codec = {
    .type = EVENT_MAIL_REPORTED,
    .topic = TOPIC_RECEIPTS,
    .size = sizeof(struct mail_reported),
    .has_tenant = true,
    .id_is_derived = true,
    .members = reported_members,
    .id = reported_id,
    .key = reported_key,
};

void mail_reported_encode(struct arena *arena, const char *prefix, const struct mail_reported *in,
                          struct bus_record *record)
{
    event_encode(&reported_codec, arena, prefix, in, record);
}

int mail_reported_decode(struct arena *arena, const struct bus_record *record,
                         struct mail_reported *out, struct err *err)
{
    return event_decode(&reported_codec, arena, record, out, err);
}
