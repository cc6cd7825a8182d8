/* A gap audit in hand, for what looks through one kind of list: gap_audit_texts.c,
 * gap_audit_calls.c.
 */
#ifndef DESK_RESPONDER_GAP_AUDIT_INSIDE_H
#define DESK_RESPONDER_GAP_AUDIT_INSIDE_H

#include <sys/queue.h>

#include "base/map.h"
#include "contract/twilio_calls.h"
#include "contract/twilio_page.h"
#include "gap_audit.h"
#include "http/client.h"
#include "store/delivery.h"
#include "store/job.h"

#define GAP_AUDIT_UNIT_MS   10000
#define GAP_AUDIT_PAGES_MAX 1000

/* The messages of a page that the inbox does not know live in the page's arena. */
struct page {
    TAILQ_ENTRY(page) link;
    struct arena *arena;
    size_t kept; /* of its messages */
};

struct gap_audit {
    LIST_ENTRY(gap_audit) link;
    struct gap_audits *all;
    struct arena *arena;
    TAILQ_HEAD(audit_pages, page) pages; /* as they came: the newest messages first */
    struct job job;
    const char *base; /* of the provider's REST interface, without its last slash */
    char tenant[UUID_TEXT_SIZE], worker[UUID_TEXT_SIZE], channel_text[UUID_TEXT_SIZE];
    struct delivery_route route;
    struct channel *channel; /* borrowed: its token */
    int64_t since_ms;
    struct http_transfer *transfer;
    struct twilio_page page;    /* in hand */
    const char *next_url;       /* of the page after it; NULL: none */
    struct twilio_list missing; /* what the inbox does not know, of all pages */
    struct twilio_listed *calls, *placed, *recordings; /* of a number for calls, all pages */
    enum twilio_calls_kind kind;                       /* of the list in hand */
    struct twilio_listed **calls_end;                  /* its end */
    struct map *unknown;                               /* event ids that are to be injected */
    bool left_newest;                                  /* more are missing than one run may hold */
    size_t next, injected;
    int page_count,
        reports; /* records not yet acknowledged, and one for the step that sends them */
    void (*then)(struct gap_audit *audit); /* the step after it, if all were; NULL: none */
    bool failed;
    struct err err; /* why */
    int64_t retry_after_ms;
};

/* Whose it is, and whether it drains. */
struct responder *gap_audit_responder(const struct gap_audit *audit);
bool gap_audit_stopping(const struct gap_audit *audit);

/* Asks; gap_audit_check: 0 when it is a 200, else why not. */
void gap_audit_ask(struct gap_audit *audit, const char *url,
                   void (*done)(void *arg, const struct http_result *result));
int gap_audit_check(struct gap_audit *audit, const struct http_result *result, struct err *err);

/* Frees the page that came first, and its messages. */
void gap_audit_drop_page(struct gap_audit *audit);

/* Counts one more page. PERMANENT "gap_audit.pages" when there are too many. */
int gap_audit_count_page(struct gap_audit *audit, struct err *err);

/* Puts a record into its topic; a failure is kept and ends the run when all reports are there. */
void gap_audit_produce(struct gap_audit *audit, const struct bus_record *record);

/* The run has failed; it ends badly, once nothing is under way. */
void gap_audit_fail(struct gap_audit *audit, const struct err *err);
void gap_audit_end_badly(struct gap_audit *audit);

/* One report of audit->reports has come: with the last the run ends, or goes on (audit->then). */
void gap_audit_landed(struct gap_audit *audit);

/* Whether an answer of the database is to be left: the loop closes, or the run has just ended badly
 * by it. */
bool gap_audit_leaves(struct gap_audit *audit, const struct pg_answer *answer);

/* Look through the lists of a number: from audit->since_ms on. */
void gap_audit_texts(struct gap_audit *audit);
void gap_audit_calls(struct gap_audit *audit);

#endif
