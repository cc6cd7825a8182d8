/* The mails in hand: which ones are fetched together, what became of each, and what comes after
 * them. One statement, one FETCH and one wait for the brokers serve all of a batch, which is most
 * of what a mail costs.
 *
 * A batch that was begun before and did not come to its end may hold a mail that kills its poller,
 * or for which the server ends the session: then, as many mails as it may have had are taken one at
 * a time, so that the deadly one is found and passed by. A batch that the server refuses likewise.
 */
#include "base/clock.h"
#include "base/stop.h"
#include "box_inside.h"
#include "counters.h"

bool box_mail_counts(const struct box_mail *mail)
{
    return mail->found && mail->outcome.skip == NULL;
}

/* A mail of a rescan that is older than what was read before: passed by without a word. */
static bool is_old(const struct box *box, const struct imap_look *look)
{
    return !box_is_untold(look) &&
           !imap_cursor_wants(&box->mailbox.cursor, look->uid, look->internal_ms, 0);
}

enum box_event box_after_mails(struct box *box)
{
    for (; box->look_at < box->look_count; box->look_at++) {
        const struct imap_look *look = box_look(box);
        if (!is_old(box, look))
            return BOX_ON_NEXT;
        imap_cursor_done(&box->mailbox.cursor, look->uid, look->internal_ms, clock_wall_ms());
    }
    return box->uid_at < box->uid_count ? BOX_ON_FOUND : BOX_ON_NOTHING;
}

/* By the sizes that the server tells; what it sends is bounded by the session. */
static size_t batch_size(const struct box *box)
{
    size_t left = box->look_count - box->look_at, count = 1;
    int64_t room = BOX_BATCH_BYTES - box_look(box)->size_bytes;
    for (; count < left && box->alone == 0; count++) {
        const struct imap_look *look = box_look(box) + count;
        if (look->size_bytes > room || is_old(box, look))
            break;
        room -= look->size_bytes;
    }
    return count;
}

/* Of those that are not told, as many as were begun together each time; at least the first. */
static size_t untold_size(const struct box *box, int64_t last)
{
    size_t left = box->look_count - box->look_at, count = 1;
    while (count < left && box_look(box)[count].uid <= last)
        count++;
    return count;
}

void box_pass_by(struct box *box, const char *reason)
{
    for (size_t i = 0; i < box->mail_count; i++) {
        box->mails[i].found = true;
        box->mails[i].outcome.skip = reason;
    }
}

enum box_event box_take_in_hand(struct box *box, int64_t tries, int64_t last)
{
    STOP_POINT("mailpoller.begun", box->id);
    const bool untold = box_is_untold(box_look(box));
    box->tries = tries;
    if (tries > 1 && !untold)
        box->alone = IMAP_FETCH_MAX;
    arena_reset(box->mail_arena);
    box->mail_count = untold ? untold_size(box, last) : batch_size(box);
    box->mails = arena_alloc(box->mail_arena, box->mail_count * sizeof *box->mails);
    for (size_t i = 0; i < box->mail_count; i++)
        box->mails[i] = (struct box_mail){.box = box, .look = box_look(box) + i};
    box->mail_at = box->read_at = 0;
    box->read_until_ms = 0;
    box->no_outlines = false;
    if (box_in_doubt(box))
        return BOX_ON_DOUBT;
    if (untold)
        return box_put_off(box) ? BOX_ON_FAILED : BOX_ON_TOO_OFTEN;
    if (tries <= BOX_TRIES_MAX)
        return BOX_ON_KEPT;
    box_pass_by(box, box->withheld == box_look(box)->uid ? "unreadable" : "too_often");
    return BOX_ON_TOO_OFTEN;
}

/* ---- what came ---- */

static struct box_mail *find(const struct box *box, uint32_t uid)
{
    for (size_t i = 0; i < box->mail_count; i++)
        if (box->mails[i].look->uid == uid)
            return &box->mails[i];
    return NULL;
}

/* A mail that was asked for in part may have come whole all the same. */
static bool is_cut(const struct box *box, const struct imap_look *look,
                   const struct imap_mail *came)
{
    return box->in_part &&
           (came->text_length >= BOX_TEXT_BYTES || (int64_t)came->length < look->size_bytes);
}

void box_take_mail(struct box *box, const struct imap_mail *came)
{
    const struct mailpoller_shared *shared = box->mailpoller->shared;
    const struct mailbox *mailbox = &box->mailbox;
    struct box_mail *mail = find(box, came->uid);
    if (box->state == BOX_PROBING)
        box_probe_came(box, came);
    if (mail == NULL || box->state != BOX_FETCHING)
        return;
    if (came->length == 0 && mail->look->size_bytes > 0)
        return; /* its bytes are lost, or hidden: it has not come */
    const struct mail_source source = {.prefix = shared->settings.kafka.topic_prefix,
                                       .mailbox = mailbox,
                                       .keys = (const struct secret *const *)shared->token_keys,
                                       .key_count = shared->token_key_count,
                                       .uid = came->uid,
                                       .internal_ms = mail->look->internal_ms,
                                       .now_ms = clock_wall_ms(),
                                       .bytes = came->bytes,
                                       .length = came->length,
                                       .cut = is_cut(box, mail->look, came),
                                       .outline = came->outline,
                                       .outline_length = came->outline_length};
    mail->found = true;
    mail_event_make(box->mail_arena, &source, &mail->outcome);
    if (mail->outcome.skip == NULL &&
        !imap_cursor_wants(&mailbox->cursor, came->uid, source.internal_ms, mail->outcome.sent_ms))
        mail->outcome.skip = "old";
    STOP_POINT("mailpoller.fetched", mail->outcome.id);
}

/* A mail that a server left out of several may be there all the same: what stands before it goes
 * on, and when it is the first it is asked for alone. So may one that it does not know the parts
 * of. */
enum box_event box_taken(struct box *box, bool refused)
{
    size_t came = 0;
    if (refused && box->alone < box->mail_count)
        box->alone = box->mail_count;
    while (came < box->mail_count && box->mails[came].found)
        came++;
    if (came == 0 && (box->mail_count > 1 || box->outlined)) {
        box->mail_count = 1;
        box->no_outlines = box->outlined;
        box->outlined = false;
        return BOX_ON_MISSING;
    }
    if (came == 0)
        return box_not_come(box);
    box->mail_count = came;
    for (size_t i = 0; i < came; i++)
        if (box_mail_counts(&box->mails[i]))
            return BOX_ON_FETCHED;
    return BOX_ON_UNWANTED;
}

enum box_event box_moved(struct box *box)
{
    STOP_POINT("mailpoller.moved", box->id);
    if (box->mailpoller->large == box)
        box->mailpoller->large = NULL;
    box->alone -= box->alone < box->mail_count ? box->alone : box->mail_count;
    box->look_at += box->mail_count;
    box->mail_count = 0;
    box->withheld = 0;
    return box_after_mails(box);
}
