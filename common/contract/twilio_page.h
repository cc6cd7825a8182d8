/* Twilio's lists as JSON: one page of messages, the media of one message; for deskctl reconcile and
 * the responder's gap audit. No network. Any thread. */
#ifndef DESK_CONTRACT_TWILIO_PAGE_H
#define DESK_CONTRACT_TWILIO_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "contract/event.h"
#include "json/json.h"

struct twilio_message {
    const char *sid;
    /* What came in: date_sent, else date_created. What went out: date_created, else date_sent,
     * because it answers what had come in when it was made. 0: unreadable. */
    int64_t at_ms;
    bool inbound;
    const char *from, *to; /* as the provider writes them, "" if absent: a service chooses later */
    const char *service;   /* of a messaging service, "" if none */
    size_t listed;         /* place in the list that it was added to */
    int64_t media;         /* how many */
    /* Complete but for tenant, envelope and media; only if `error` is empty. */
    struct sms_received sms;
    const char *error; /* why it cannot be an event: "" if it can */
};

struct twilio_page {
    struct twilio_message *messages;
    size_t count;
    const char *next; /* path of the next page, starting with "/", NULL at the end */
};

/* Which messages a page lists: to a number, from it, or all of the account. A service's replies may
 * leave from any number of its pool, and have none while they wait for one. */
enum twilio_page_side { TWILIO_PAGE_TO, TWILIO_PAGE_FROM, TWILIO_PAGE_ACCOUNT };

/* Address of the first page, in the arena. TO: since the day of since_ms. The others have no filter
 * by date, because a queued message has none (Twilio, "Messages resource"): stop reading at
 * twilio_page_is_older. */
struct twilio_page_query {
    const char *base, *account_sid, *number;
    enum twilio_page_side side;
    int64_t since_ms;
};
const char *twilio_page_url(struct arena *arena, const struct twilio_page_query *query);

/* Adds the filter "since the day of": days are GMT's. For all of Twilio's lists. */
void twilio_page_add_day(struct strbuf *url, const char *name, int64_t since_ms);

/* The next page of a list of that resource ("Messages") as its document names it; *path NULL: none.
 * PERMANENT "twilio.page" if it is outside the account. */
int twilio_page_next(struct arena *arena, const struct json *document, const char *account_sid,
                     const char *resource, const char **path, struct err *err);

/* Reads a page. PERMANENT "twilio.page" if it is none, or if its next page is outside the account.
 */
int twilio_page_read(struct arena *arena, const char *bytes, size_t length, const char *account_sid,
                     struct twilio_page *page, struct err *err);

/* Address of a message's media list. In the arena. */
const char *twilio_page_media_url(struct arena *arena, const char *base, const char *account_sid,
                                  const char *sid);

/* Reads the media list of a message into sms->media (at most EVENT_MEDIA_MAX). PERMANENT
 * "twilio.media". */
int twilio_page_read_media(struct arena *arena, const char *bytes, size_t length, const char *base,
                           struct sms_received *sms, struct err *err);

/* True for what came in to the number at since_ms or later; also for what cannot be an event, so
 * that it is told rather than passed over. */
bool twilio_page_came_in(const struct twilio_message *message, const char *number,
                         const char *account_sid, int64_t since_ms);

/* True for what went out at since_ms or later from the number or through the messaging service
 * (NULL: none), whatever became of it. */
bool twilio_page_went_out(const struct twilio_message *message, const char *number,
                          const char *service, int64_t since_ms);

/* True if the page holds messages and all of them are older; those of unreadable date are not. */
bool twilio_page_is_older(const struct twilio_page *page, int64_t since_ms);

/* Messages of many pages, to be told in the order in which they came. Starts zeroed. */
struct twilio_list {
    struct twilio_message **items;
    size_t count, room;
    size_t added; /* ever */
};

/* Adds a borrowed message. Call in the order of the provider's list. */
void twilio_list_add(struct arena *arena, struct twilio_list *list, struct twilio_message *message);

/* Drops so many that were added first, as many as there are at most: the provider lists the newest
 * first. Not of one that is sorted. */
void twilio_list_drop_newest(struct twilio_list *list, size_t count);

/* Puts the oldest first. */
void twilio_list_sort(struct twilio_list *list);

/* Gives the message the same envelope that its webhook would have had (the MessageSid is the
 * event's id), so that whatever arrives twice is one event; and says that it is a replay: newer
 * ones may have come before it. `tenant` is borrowed. */
void twilio_page_to_event(struct arena *arena, const char *tenant, const char *account_sid,
                          struct twilio_message *message);

#endif
