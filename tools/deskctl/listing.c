/* The provider lists the newest first, page by page. reconcile.c calls it for each number and
 * direction. What left is listed without a filter by date, because what is queued has none: reading
 * stops at the first page that is older throughout. */
#include "listing.h"

#include <string.h>

#include "base/clock.h"

#define PAGES_MAX 1000

static const char *first_url(const struct listing *listing)
{
    const struct tenant_channel *channel = listing->channel;
    struct twilio_page_query query = {listing->base, channel->account_sid, channel->address,
                                      TWILIO_PAGE_TO, listing->since_ms};
    if (listing->outgoing)
        query.side =
            channel->messaging_service_sid != NULL ? TWILIO_PAGE_ACCOUNT : TWILIO_PAGE_FROM;
    return twilio_page_url(listing->arena, &query);
}

static bool counts(const struct listing *listing, const struct twilio_message *message)
{
    const struct tenant_channel *channel = listing->channel;
    return listing->outgoing
               ? twilio_page_went_out(message, channel->address, channel->messaging_service_sid,
                                      listing->since_ms)
               : twilio_page_came_in(message, channel->address, channel->account_sid,
                                     listing->since_ms);
}

static int read_page(const struct listing *listing, const char *url, struct twilio_page *page,
                     struct err *err)
{
    const char *body = NULL, *account_sid = listing->channel->account_sid;
    size_t length = 0;
    if (fetch_get(listing->fetch, listing->arena, url, account_sid, listing->token, &body, &length,
                  err) != 0)
        return -1;
    return twilio_page_read(listing->arena, body, length, account_sid, page, err);
}

int listing_read(const struct listing *listing, struct twilio_list *list, struct err *err)
{
    char since[CLOCK_RFC3339_SIZE];
    const char *url = first_url(listing);
    for (int pages = 0; url != NULL; pages++) {
        struct twilio_page page;
        clock_format_rfc3339(listing->since_ms, since);
        if (pages == PAGES_MAX)
            return err_set(err, ERR_PERMANENT, "reconcile.pages",
                           "the provider lists more than %d pages since %s", PAGES_MAX, since);
        if (read_page(listing, url, &page, err) != 0)
            return -1;
        for (size_t i = 0; i < page.count; i++)
            if (counts(listing, &page.messages[i]))
                twilio_list_add(listing->arena, list, &page.messages[i]);
        bool more = page.next != NULL && !twilio_page_is_older(&page, listing->since_ms);
        url = more ? arena_printf(listing->arena, "%s%s", listing->base, page.next) : NULL;
    }
    twilio_list_sort(list);
    return 0;
}
