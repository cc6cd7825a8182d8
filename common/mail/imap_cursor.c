/* The cursor of a mailbox. The mailpoller keeps it in the mailbox's row and asks here what follows.
 */
#include "mail/imap_cursor.h"

#include <stdlib.h>

static uint32_t behind_all(const struct imap_selected *selected, uint32_t highest)
{
    uint32_t told = selected->next_uid > 0 ? selected->next_uid - 1 : 0;
    return told > highest ? told : highest;
}

enum imap_cursor_change imap_cursor_select(struct imap_cursor *cursor,
                                           const struct imap_selected *selected, uint32_t highest,
                                           int64_t now_ms)
{
    if (cursor->validity == selected->validity)
        return IMAP_CURSOR_SAME;
    if (cursor->validity == 0 && cursor->started_ms == 0) {
        *cursor = (struct imap_cursor){.validity = selected->validity,
                                       .last_uid = behind_all(selected, highest),
                                       .newest_ms = now_ms,
                                       .started_ms = now_ms - now_ms % 1000}; /* as a server's */
        return IMAP_CURSOR_NEW;
    }
    /* A rescan that is voided by another one still owes what the first one did. */
    int64_t since_ms = cursor->since_ms;
    if (since_ms == 0)
        since_ms = cursor->newest_ms - IMAP_DAY_MS;
    if (since_ms < cursor->started_ms)
        since_ms = cursor->started_ms;
    *cursor = (struct imap_cursor){.validity = selected->validity,
                                   .since_ms = since_ms > 0 ? since_ms : 1,
                                   .rescan_to = behind_all(selected, highest),
                                   .newest_ms = cursor->newest_ms,
                                   .started_ms = cursor->started_ms};
    if (cursor->rescan_to == 0)
        cursor->since_ms = 0; /* it is empty */
    return IMAP_CURSOR_RESCAN;
}

bool imap_cursor_window(const struct imap_cursor *cursor, uint32_t *first, uint32_t *last)
{
    if (cursor->last_uid == UINT32_MAX)
        return false;
    *first = cursor->last_uid + 1;
    *last = cursor->all || UINT32_MAX - *first < IMAP_WINDOW - 1 ? UINT32_MAX
                                                                 : *first + (IMAP_WINDOW - 1);
    /* What came behind the rescan counts whatever its date, by which a rescan is searched. */
    if (cursor->since_ms > 0 && *first <= cursor->rescan_to && *last > cursor->rescan_to)
        *last = (uint32_t)cursor->rescan_to;
    return true;
}

static int compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

size_t imap_cursor_sort(uint32_t *uids, size_t count, uint32_t first, uint32_t last)
{
    size_t kept = 0;
    if (count == 0)
        return 0;
    qsort(uids, count, sizeof *uids, compare);
    for (size_t i = 0; i < count; i++)
        if (uids[i] >= first && uids[i] <= last && (kept == 0 || uids[kept - 1] != uids[i]))
            uids[kept++] = uids[i];
    return kept;
}

int64_t imap_cursor_search_since(const struct imap_cursor *cursor)
{
    return cursor->since_ms > IMAP_DAY_MS ? cursor->since_ms - IMAP_DAY_MS : cursor->since_ms;
}

bool imap_cursor_wants(const struct imap_cursor *cursor, uint32_t uid, int64_t internal_ms,
                       int64_t own_ms)
{
    if (cursor->since_ms == 0 || uid > cursor->rescan_to)
        return true;
    return internal_ms >= cursor->since_ms &&
           (own_ms == 0 || own_ms >= cursor->since_ms - IMAP_DAY_MS);
}

static void end_rescan(struct imap_cursor *cursor)
{
    if (cursor->since_ms == 0 || cursor->last_uid < cursor->rescan_to)
        return;
    cursor->since_ms = 0;
    cursor->rescan_to = 0;
}

void imap_cursor_done(struct imap_cursor *cursor, uint32_t uid, int64_t internal_ms, int64_t now_ms)
{
    int64_t came_ms = internal_ms < now_ms ? internal_ms : now_ms;
    if (uid > cursor->last_uid)
        cursor->last_uid = uid;
    cursor->all = false;
    if (came_ms > cursor->newest_ms)
        cursor->newest_ms = came_ms;
    end_rescan(cursor);
}

bool imap_cursor_window_done(struct imap_cursor *cursor, uint32_t last, uint32_t next_uid)
{
    uint32_t known = next_uid > 0 ? next_uid - 1 : 0;
    if (known < cursor->rescan_to)
        known = (uint32_t)cursor->rescan_to;
    uint32_t end = last < known ? last : known;
    if (end > cursor->last_uid)
        cursor->last_uid = end;
    end_rescan(cursor);
    cursor->all = next_uid == 0 && last > known && last < UINT32_MAX;
    return cursor->all || known > cursor->last_uid;
}
