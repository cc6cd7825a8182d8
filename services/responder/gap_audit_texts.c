/* The texts of a number: page by page of the provider's list, which of its messages the inbox does
 * not know; then their media lists and records, oldest first (the list is newest first). */
#include "gap_audit_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "contract/event.h"
#include "service/log.h"
#include "store/inbox.h"

#define MISSING_MAX 5000 /* texts of one run; the newest beyond them are the next run's */

static void ask_page(struct gap_audit *audit, const char *url);
static void inject_missing(struct gap_audit *audit);

static void inject(struct gap_audit *audit, struct twilio_message *message)
{
    struct bus_record record;
    twilio_page_to_event(audit->arena, audit->tenant, audit->route.account_sid, message);
    sms_received_encode(audit->arena,
                        gap_audit_responder(audit)->shared->settings.kafka.topic_prefix,
                        &message->sms, &record);
    gap_audit_produce(audit, &record);
}

static void media_done(void *arg, const struct http_result *result)
{
    struct gap_audit *audit = arg;
    struct twilio_message *message = audit->missing.items[audit->next];
    struct err err;
    audit->transfer = NULL;
    if (gap_audit_check(audit, result, &err) != 0 ||
        twilio_page_read_media(audit->arena, result->body, result->body_length, audit->base,
                               &message->sms, &err) != 0) {
        gap_audit_fail(audit, &err);
    } else {
        inject(audit, message);
        audit->next++;
    }
    inject_missing(audit);
}

static void inject_missing(struct gap_audit *audit)
{
    while (!audit->failed && !gap_audit_stopping(audit) && audit->next < audit->missing.count) {
        struct twilio_message *message = audit->missing.items[audit->next];
        if (message->media > 0 && *message->error == '\0') {
            gap_audit_ask(audit,
                          twilio_page_media_url(audit->arena, audit->base, audit->route.account_sid,
                                                message->sid),
                          media_done);
            return;
        }
        if (*message->error == '\0')
            inject(audit, message);
        else
            log_warn("gap_audit.unreadable", LOG_TEXT("sid", message->sid),
                     LOG_TEXT("why", message->error));
        audit->next++;
    }
    if (!audit->failed && audit->left_newest) {
        struct err err;
        err_set(&err, ERR_RETRY_LATER, "gap_audit.many", "more than %d texts are missing",
                MISSING_MAX);
        gap_audit_fail(audit, &err); /* so that the next run begins where this one did */
    }
    gap_audit_landed(audit);
}

/* Oldest first, as they would have come. */
static void inject_all(struct gap_audit *audit)
{
    twilio_list_sort(&audit->missing);
    audit->reports = 1; /* our own, until all are sent */
    inject_missing(audit);
}

/* ---- pages ---- */

/* A conversation has the order of its texts: of too many, whole pages of the newest are left. */
static void leave_newest(struct gap_audit *audit)
{
    struct page *page = TAILQ_FIRST(&audit->pages);
    while (page != TAILQ_LAST(&audit->pages, audit_pages) &&
           audit->missing.count - page->kept >= MISSING_MAX) {
        twilio_list_drop_newest(&audit->missing, page->kept);
        gap_audit_drop_page(audit);
        audit->left_newest = true;
        page = TAILQ_FIRST(&audit->pages);
    }
}

static void page_over(struct gap_audit *audit)
{
    leave_newest(audit);
    if (audit->next_url != NULL)
        ask_page(audit, audit->next_url);
    else
        inject_all(audit);
}

static bool came_in(const struct gap_audit *audit, size_t i)
{
    return twilio_page_came_in(&audit->page.messages[i], audit->route.from,
                               audit->route.account_sid, audit->since_ms);
}

static void keep_unknown(struct gap_audit *audit, const struct pg_answer *answer)
{
    struct map *unknown = map_new();
    for (int row = 0; row < pg_rows(answer->results, 0); row++)
        map_put_text(unknown, pg_text(answer->results, 0, row, 0), audit);
    for (size_t i = 0; i < audit->page.count; i++)
        if (came_in(audit, i) && map_get_text(unknown, audit->page.messages[i].sid) != NULL) {
            twilio_list_add(audit->arena, &audit->missing, &audit->page.messages[i]);
            TAILQ_LAST(&audit->pages, audit_pages)->kept++;
        }
    map_free(&unknown);
}

static void unknown_known(void *arg, const struct pg_answer *answer)
{
    struct gap_audit *audit = arg;
    if (gap_audit_leaves(audit, answer))
        return;
    keep_unknown(audit, answer);
    page_over(audit);
}

static void take_page(struct gap_audit *audit)
{
    struct arena *arena = TAILQ_LAST(&audit->pages, audit_pages)->arena;
    struct pg_array sids;
    audit->next_url = audit->page.next != NULL
                          ? arena_printf(audit->arena, "%s%s", audit->base, audit->page.next)
                          : NULL;
    pg_array_init(&sids);
    for (size_t i = 0; i < audit->page.count; i++)
        if (came_in(audit, i))
            pg_array_add(&sids, audit->page.messages[i].sid);
    if (sids.count == 0) {
        page_over(audit);
    } else {
        struct pg_unit unit = {
            .deadline_ms = GAP_AUDIT_UNIT_MS, .done = unknown_known, .arg = audit};
        inbox_add_unknown(&unit, audit->tenant, "sms", pg_array_take(&sids, arena));
        pg_submit(gap_audit_responder(audit)->pg, &unit);
    }
    pg_array_fini(&sids);
}

/* The arena of the last page is used again when nothing of it is missing. */
static struct arena *page_arena(struct gap_audit *audit)
{
    struct page *page = TAILQ_LAST(&audit->pages, audit_pages);
    if (page == NULL || page->kept > 0) {
        page = xcalloc(1, sizeof *page);
        page->arena = arena_new();
        TAILQ_INSERT_TAIL(&audit->pages, page, link);
    }
    arena_reset(page->arena);
    return page->arena;
}

static void page_done(void *arg, const struct http_result *result)
{
    struct gap_audit *audit = arg;
    struct err err;
    audit->transfer = NULL;
    if (gap_audit_check(audit, result, &err) != 0 ||
        twilio_page_read(page_arena(audit), result->body, result->body_length,
                         audit->route.account_sid, &audit->page, &err) != 0 ||
        gap_audit_count_page(audit, &err) != 0) {
        gap_audit_fail(audit, &err);
        gap_audit_end_badly(audit);
    } else {
        take_page(audit);
    }
}

static void ask_page(struct gap_audit *audit, const char *url)
{
    gap_audit_ask(audit, url, page_done);
}

void gap_audit_texts(struct gap_audit *audit)
{
    ask_page(audit, twilio_page_url(audit->arena,
                                    &(struct twilio_page_query){
                                        audit->base, audit->route.account_sid, audit->route.from,
                                        TWILIO_PAGE_TO, audit->since_ms}));
}
