/* The messages of a Twilio stand-in. */
#ifndef STANDS_TWILIO_MESSAGES_H
#define STANDS_TWILIO_MESSAGES_H

#include "stands/lib/buf.h"
#include "stands/twilio/accounts.h"

enum { MEDIA_MAX = 10 };

struct medium {
    char sid[35];
    char *type;
};

/* One message. Shared by reference count: the store holds one, a running callback job another. */
struct message {
    int references;
    struct account *account;
    char sid[35];
    bool inbound;
    char *from; /* NULL until a service chose a sender */
    char *to, *body, *service, *callback;
    const char *status; /* static text */
    int error_code;     /* 0: none */
    int segments, media;
    struct medium *medium;       /* `media` of them */
    int64_t created_ms, sent_ms; /* epoch; sent_ms 0: not yet */
};

/* What a new message is made of; texts are copied, NULL ones stay NULL. */
struct message_draft {
    struct account *account;
    const char *sid; /* NULL: a new one is made */
    bool inbound;
    const char *from, *to, *body, *service, *callback;
    int media;                          /* at most MEDIA_MAX */
    const char *media_types[MEDIA_MAX]; /* NULL: nobody said */
};

struct messages;

/* An empty store of at most `max` messages. Owned. */
struct messages *messages_new(size_t max);

/* Adds a message with the status that it starts with. Returns it (borrowed), or NULL when the
 * store is full. */
struct message *messages_add(struct messages *messages, const struct message_draft *draft);

/* The message of a sid, or NULL. Borrowed. */
struct message *messages_find(const struct messages *messages, const char *sid);

/* How many are kept. */
size_t messages_count(const struct messages *messages);

/* Forgets all messages; those that somebody holds live until released. */
void messages_reset(struct messages *messages, struct accounts *accounts);

/* Gives back one reference. */
void message_release(struct message *message);

/* Moves an outbound message to `status` (static text) unless it already is as far; an error code
 * other than 0 is kept with it. Stamps the time of sending. */
void message_advance(struct message *message, const char *status, int error_code);

/* Appends the Message resource as JSON. */
void message_json(const struct message *message, struct stand_buf *out);

/* Appends `,"name":` and a date as Twilio writes it; 0 is null. */
void message_date(const char *name, int64_t ms, struct stand_buf *out);

/* Epoch milliseconds. */
int64_t messages_now_ms(void);

#endif
