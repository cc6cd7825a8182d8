/* Whether a mail server that does not give a mail gives any. One whose store is away refuses all of
 * them, however long, and each may be tried so often only. So a mail's tries count from the second
 * one on only behind another mail that the server gave in the same session, when it was asked the
 * same: one behind it, or, where there is none behind it, one before it, which was read. Without
 * that the mail is tried all the same, and waits as long as it takes. box.c calls. */
#include "box_inside.h"

#define SPAN  (IMAP_WINDOW / 2) /* UIDs on each side in which others are looked for */
#define BYTES 512               /* of the body of another one */

/* Every fourth time a mail is tried without: the others may be such as end the session. */
#define WITHOUT_EVERY 4

bool box_in_doubt(const struct box *box)
{
    return box->tries > 1 && box->tries <= BOX_TRIES_MAX && box->probed != box->mails[0].look->uid;
}

bool box_is_proven(const struct box *box)
{
    return box->tries <= 1 || box->proven;
}

/* As many failures of the mailbox came before this try's. */
static size_t failures_before(const struct box *box)
{
    return box->mailbox.failures > 0 ? (size_t)box->mailbox.failures - 1 : 0;
}

static uint32_t last_in_hand(const struct box *box)
{
    return box->mails[box->mail_count - 1].look->uid;
}

static enum box_event over(struct box *box)
{
    if (!box_is_untold(box->mails[0].look))
        return BOX_ON_NEXT;
    return box_put_off(box) ? BOX_ON_FAILED : BOX_ON_TOO_OFTEN;
}

void box_probe(struct box *box)
{
    const uint32_t first = box->mails[0].look->uid, last = last_in_hand(box);
    box->probed = first;
    box->probe_count = box->probe_at = 0;
    box->proven = false;
    box->doubt = "";
    if (failures_before(box) % WITHOUT_EVERY == WITHOUT_EVERY - 1)
        box_happen(box, over(box));
    else
        imap_session_search(box->session, first > SPAN ? first - SPAN : 1,
                            last > UINT32_MAX - SPAN ? UINT32_MAX : last + SPAN, 0);
}

/* The next ones of those that the search found, beginning with another one each time. */
static void choose(struct box *box, const struct imap_answer *answer)
{
    const uint32_t *uids = answer->uids;
    const size_t count = imap_cursor_sort(answer->uids, answer->uid_count, 1, UINT32_MAX);
    size_t before = 0, behind = count;
    while (before < count && uids[before] < box->probed)
        before++;
    while (behind > before && uids[behind - 1] > last_in_hand(box))
        behind--;
    const size_t others = behind < count ? count - behind : before;
    const size_t times = failures_before(box) - failures_before(box) / WITHOUT_EVERY;
    for (size_t i = 0; i < others && i < BOX_PROBES_MAX; i++) {
        const size_t at = (times + i) % others;
        box->probes[box->probe_count++] =
            behind < count ? uids[behind + at] : uids[before - 1 - at];
    }
    box->doubt = others > 0 ? "; it gives none of the others either"
                            : "; there is no other to tell whether it gives any";
}

void box_probe_next(struct box *box)
{
    const uint32_t *uid = &box->probes[box->probe_at++];
    if (box_is_untold(box->mails[0].look))
        imap_session_look(box->session, uid, 1);
    else
        imap_session_fetch(box->session, uid, 1, BYTES);
}

/* Headers alone may be from a cache, which a server has whose store is away. */
void box_probe_came(struct box *box, const struct imap_mail *came)
{
    box->proven |= came->text_length > 0;
}

void box_probe_answered(struct box *box, const struct imap_answer *answer)
{
    if (answer->ask == IMAP_ASK_SEARCH)
        choose(box, answer);
    else if (answer->ask == IMAP_ASK_LOOK)
        box->proven |= answer->look_count > 0;
    const bool more = !box->proven && box->probe_at < box->probe_count;
    box_happen(box, more ? BOX_ON_FOUND : over(box));
}
