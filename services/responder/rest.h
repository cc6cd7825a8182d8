/* Twilio's Messages and Calls resources: building requests and judging answers, without sending
 * anything. Source: Twilio's API reference (Message resource, list filters and paging) and its
 * OpenAPI description. Any thread. */
#ifndef DESK_RESPONDER_REST_H
#define DESK_RESPONDER_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "http/client.h"
#include "store/delivery.h"

#define REST_SID_MAX 64

/* What was claimed and could not leave is due again so late: never at once, or it would be claimed
 * and given back in a loop for as long as the cause lasts. */
#define REST_GIVE_BACK_MS 1000

/* URL of the account's messages: POST creates, GET lists. In the arena. */
const char *rest_messages_url(struct arena *arena, const char *base_url, const char *account_sid);

/* The provider's base URL without its last slash, in the arena. */
const char *rest_base(struct arena *arena, const char *base_url);

/* The same of its calls. */
const char *rest_calls_url(struct arena *arena, const char *base_url, const char *account_sid);

/* What one attempt sends; texts are borrowed. */
struct rest_create {
    const char *public_url; /* ours: status callbacks come back there */
    const struct delivery_route *route;
    const struct delivery_ref *ref;
    int attempt;
    const char *body, *traceparent;   /* traceparent "": none */
    const struct delivery_call *call; /* of a call; else NULL */
};

/* The form that places a call: To, From, Timeout, MachineDetection and its times, the Url that is
 * asked when it was taken, which carries the words, and a StatusCallback as below for each step of
 * the call. In the arena. Words that do not fit into a URL are cut. */
const char *rest_create_call_form(struct arena *arena, const struct rest_create *create);

/* For rest_call.c: a form's pair, and the StatusCallback. */
void rest_add_pair(struct strbuf *form, const char *name, const char *value);
const char *rest_callback_url(struct arena *arena, const struct rest_create *create);

/* The form that creates the message: To, From or MessagingServiceSid, Body, and a StatusCallback
 * that names tenant, delivery, attempt and trace. In the arena. */
const char *rest_create_form(struct arena *arena, const struct rest_create *create);

/* What the answer to a create means for the delivery. */
struct rest_verdict {
    struct delivery_change change; /* ref, attempt, segments stay the caller's; texts are the
                                      arena's */
    bool alert;                    /* tell the operator of the installation */
    const char *meaning;           /* one sentence for the log */
};
/* When an unknown one is looked up (next_in_ms -1) is the caller's to say. `wait_max_ms` bounds
 * what the answer's Retry-After may ask for: the session waits as long. */
void rest_judge_create(struct arena *arena, const struct http_result *result, int attempt,
                       int64_t wait_max_ms, struct rest_verdict *out);

/* Back-off before attempt + 1: 1 s doubling to 60 s, +-20 %. */
int64_t rest_back_off_ms(int attempt);

/* ---- look-up ---- */
struct rest_wanted {
    const char *from, *to, *service_sid; /* the channel's of now; service_sid "" if none */
    const char *body;
    bool is_call;               /* calls carry no text: address, sender and time are all there is */
    int64_t since_ms, until_ms; /* date_created, by the provider's clock */
};

/* URL of the first page of messages to this number: the sender may be another one by now, and a
 * service's is any of its numbers. In the arena. */
const char *rest_list_url(struct arena *arena, const char *base_url, const char *account_sid,
                          const struct rest_wanted *wanted);

/* A message that is ours by address, sender and text; or one that may be: to the same address
 * (whose last four digits Twilio's Message Redaction may have masked), from the channel's number or
 * any service, with another text (which redaction empties or replaces), or with ours, created at
 * another time, by up to a day (our database's clock may be wrong). */
struct rest_found {
    char sid[REST_SID_MAX];
    bool ours;
    const char *status, *error_code; /* arena's; error_code NULL if none */
    int64_t created_ms;
};

#define REST_FOUND_MAX 32

struct rest_page {
    struct rest_found found[REST_FOUND_MAX]; /* what fits, over all pages so far; oldest first */
    size_t count;
    bool more;            /* that fits and had no room */
    const char *next_url; /* of the next page if it may hold more, else NULL; arena's */
};

/* URL of one call, and what its document says of it (found->ours is true): RETRY_LATER
 * "twilio.call" if the answer is none of that call. */
const char *rest_call_url(struct arena *arena, const char *base_url, const char *account_sid,
                          const char *sid);
int rest_read_call(struct arena *arena, const struct http_result *result, const char *sid,
                   struct rest_found *found, struct err *err);

/* Reads one page of a list into *page (kept from page to page). -1: RETRY_LATER "twilio.list" if
 * the answer is no such page. */
int rest_read_page(struct arena *arena, const struct http_result *result, const char *base_url,
                   const struct rest_wanted *wanted, struct rest_page *page, struct err *err);

#endif
