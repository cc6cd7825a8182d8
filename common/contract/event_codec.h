/* Private to common/contract: how an event type is described, and the one encoder and decoder that
 * all types share. event_head.c does the headers, event_value.c the members, event_codec.c both.
 *
 * Every event struct starts with its struct event. */
#ifndef DESK_CONTRACT_EVENT_CODEC_H
#define DESK_CONTRACT_EVENT_CODEC_H

#include "contract/event.h"
#include "contract/topics.h"
#include "json/json.h"

#define EVENT_URL_MAX       (20 * 1024) /* public base and a raw target: a request's head is 16 kB */
#define EVENT_SIGNATURE_MAX (16 * 1024)
#define EVENT_PATH_MAX      (16 * 1024)
#define EVENT_BODY_MAX      (128 * 1024) /* ingress takes bodies up to 64 kB */
#define EVENT_SUBJECT_MAX   200
#define EVENT_ADDRESS_MAX   320 /* the longest mail address */

enum event_kind {
    EVENT_TEXT,   /* const char *, UTF-8 */
    EVENT_RAW,    /* const char *, any bytes but NUL: member NAME, or NAME_base64 if not UTF-8 */
    EVENT_BYTES,  /* const char * and, at `more`, its size_t length: member NAME_base64 */
    EVENT_BOOL,   /* bool */
    EVENT_INT,    /* int */
    EVENT_INT64,  /* int64_t */
    EVENT_ENUM,   /* an enum from 0 without gaps: its names are at `of` */
    EVENT_ID,     /* struct uuid */
    EVENT_LIST,   /* array of `stride` bytes an element, its size_t count at `more` */
    EVENT_OBJECT, /* pointer to a struct of `stride` bytes, NULL when absent */
};

struct event_member {
    const char *name; /* NULL: the element of a list itself */
    enum event_kind kind;
    size_t offset;
    /* An optional member is absent when it has no value: "", 0, false, the nil id, an enum's first
     * name, an empty list, NULL; of a number with the minimum -1 that is -1, and never written. */
    bool required;
    int64_t min, max;                /* of a number; bytes of a text; elements of a list */
    bool (*check)(const char *text); /* further rule of a text, NULL: none; not asked about "" when
                                        the member is optional */
    const char *what;                /* for the message: "an E.164 number" */
    size_t more, stride;
    const void *of; /* of a list or an object: rows as these, ended by one without `what`;
                       of an enum: const char *[], ended by NULL */
};

struct event_codec {
    const char *type;
    enum topic topic;
    size_t size; /* of the struct */
    bool has_tenant;
    bool id_is_derived;                 /* ce_id must be what id() says */
    const struct event_member *members; /* ended by a row without `what` */
    const char *(*id)(struct arena *arena, const void *event);
    const char *(*key)(struct arena *arena, const void *event);
    /* A rule over several members: NULL, or what is wrong. May be NULL. */
    const char *(*check)(const void *event);
};

/* The public functions of a type are these two with its codec. */
void event_encode(const struct event_codec *codec, struct arena *arena, const char *prefix,
                  const void *in, struct bus_record *record);
int event_decode(const struct event_codec *codec, struct arena *arena,
                 const struct bus_record *record, void *out, struct err *err);

/* ---- event_head.c ---- */

/* Appends a text header; bytes stay borrowed. */
void event_add_header(struct bus_record *record, const char *name, const char *text);

/* Fills the record's headers from the envelope. */
void event_head_encode(const struct event_codec *codec, struct arena *arena,
                       const struct event *event, const char *id, struct bus_record *record);

/* Checks the headers and fills the envelope. */
int event_head_decode(const struct event_codec *codec, struct arena *arena,
                      const struct bus_record *record, struct event *event, struct err *err);

/* ---- event_value.c ---- */

/* Writes all members of `in`; asserts their sizes, not their shapes. */
void event_members_encode(const struct event_member *members, const void *in,
                          struct json_writer *writer);

/* Reads and checks all members: PERMANENT "event.member" with its name. */
int event_members_decode(const struct event_member *members, struct arena *arena,
                         const struct json *object, void *out, struct err *err);

/* Rules of texts. */
bool event_is_message_sid(const char *text);   /* SM or MM and 32 hex, or a uuid */
bool event_is_sent_sid(const char *text);      /* such a one, or CA and 32 hex */
bool event_is_account_sid(const char *text);   /* AC and 32 hex, or a uuid */
bool event_is_service_sid(const char *text);   /* MG and 32 hex, or a uuid */
bool event_is_call_sid(const char *text);      /* CA and 32 hex, or a uuid */
bool event_is_relay_sid(const char *text);     /* VX and 32 hex, or a uuid */
bool event_is_recording_sid(const char *text); /* RE and 32 hex, or a uuid */
bool event_is_word(const char *text);          /* a-z, 0-9, '.', '_', '-'; not empty */
bool event_is_digits(const char *text);
bool event_is_base64(const char *text);
bool event_is_line(const char *text);         /* no control characters */
bool event_is_wording(const char *text);      /* none but tab and newline; not all blank */
bool event_is_language_tag(const char *text); /* letters, then parts of letters and digits */

/* ---- event_directory_voice.c ---- */

/* Rows of struct directory_voice. */
extern const struct event_member event_directory_voice_members[];

#endif
