/* Mails that the server lists and does not give, with a refusal or without a word: their index is
 * broken, they cannot be read, or something hides them. A mail that somebody removed between two
 * commands looks the same at first, so a new search says whether it still is there. One that is,
 * and again does not come, is tried in new sessions, with a pause before each; then, if others were
 * given (box_probe.c), it is listed for a person, and those behind it are read. Mails that were not
 * told together are passed by together, but none that was not there at each of the tries. */
#include <inttypes.h>

#include "box_inside.h"
#include "counters.h"

#define UNTOLD_BYTES (-1) /* as its size */

bool box_is_untold(const struct imap_look *look)
{
    return look->size_bytes == UNTOLD_BYTES;
}

uint32_t box_last_untold(const struct box *box)
{
    const struct imap_look *next = box_look(box);
    return box_is_untold(next) ? box->looks[box->look_count - 1].uid : next->uid;
}

/* Nothing is left to look at: a new search follows. */
static void look_anew(struct box *box, uint32_t first, uint32_t last)
{
    box->withheld = first;
    box->withheld_to = last;
    box->uid_count = box->uid_at;
    box->look_count = box->look_at = box->mail_count = 0;
}

/* The first `count` of those that were asked for were not told. Those that were not told the last
 * time either are taken together: a broken index has more than one. */
static enum box_event not_told(struct box *box, const uint32_t *uids, size_t count)
{
    if (uids[0] != box->withheld) {
        look_anew(box, uids[0], uids[count - 1]);
        return BOX_ON_NOTHING;
    }
    box->look_count = 0;
    for (size_t i = 0; i < count && uids[i] <= box->withheld_to; i++)
        box->looks[box->look_count++] =
            (struct imap_look){.uid = uids[i], .size_bytes = UNTOLD_BYTES};
    box->uid_at = (size_t)(uids - box->uids) + box->look_count;
    return BOX_ON_WITHHELD;
}

static const struct imap_look *look_of(const struct box *box, uint32_t uid)
{
    size_t from = 0, to = box->look_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (box->looks[middle].uid == uid)
            return &box->looks[middle];
        if (box->looks[middle].uid < uid)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* One of several may be why the server refuses to tell of any: half of them are asked for, until
 * the one is found. It costs a few commands, however many there are; those behind it grow again. */
static enum box_event ask_half(struct box *box)
{
    box->look_most = box->asked / 2;
    box->uid_at -= box->asked;
    box->look_count = 0;
    return BOX_ON_FOUND;
}

enum box_event box_told(struct box *box, bool refused)
{
    const uint32_t *uids = box->uids + (box->uid_at - box->asked);
    size_t told = 0, untold = 0;
    for (; told < box->asked; told++) {
        const struct imap_look *look = look_of(box, uids[told]);
        if (look == NULL)
            break;
        box->looks[told] = *look; /* what was told of others goes */
    }
    while (told == 0 && untold < box->asked && look_of(box, uids[untold]) == NULL)
        untold++;
    if (refused && told == 0 && box->asked > 1)
        return ask_half(box);
    if (!refused)
        box->look_most = 2 * box->look_most < IMAP_LOOKS_MAX ? 2 * box->look_most : 0;
    if (untold > 0)
        return not_told(box, uids, untold);
    box->look_count = told;
    box->uid_at -= box->asked - told;
    return box_after_mails(box);
}

bool box_put_off(struct box *box)
{
    if (box->tries > BOX_TRIES_MAX || (box->tries == BOX_TRIES_MAX && box_is_proven(box))) {
        box_pass_by(box, "unreadable");
        return false;
    }
    const bool refused = box->refusal[0] != '\0';
    err_set(&box->err, ERR_RETRY_LATER, "mailbox.withheld",
            "the mail server lists the mail with UID %" PRIu32 " and does not give it%s%s%s%s",
            box->mails[0].look->uid, refused ? " (" : "", box->refusal, refused ? ")" : "",
            box_is_proven(box) ? "" : box->doubt);
    return true;
}

enum box_event box_not_come(struct box *box)
{
    const uint32_t uid = box->mails[0].look->uid;
    if (box->mailpoller->large == box)
        box->mailpoller->large = NULL;
    if (box->withheld == uid)
        return box_put_off(box) ? BOX_ON_FAILED : BOX_ON_UNWANTED;
    look_anew(box, uid, uid);
    return BOX_ON_WITHHELD;
}

void box_listed(struct box *box)
{
    if (box->withheld == 0 || (box->uid_count > 0 && box->uids[0] == box->withheld))
        return;
    metric_add(counters.gone, 1);
    box->withheld = 0;
}
