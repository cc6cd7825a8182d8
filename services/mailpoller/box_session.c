/* What a mailbox in hand asks its mail server, and what the answers mean for it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "box_inside.h"
#include "box_login.h"
#include "counters.h"
#include "mail/parse.h"
#include "service/log.h"

#define LARGE_BYTES   (1024 * 1024)
#define LARGE_WAIT_MS 100

/* ---- connecting ---- */

static void on_ready(void *arg)
{
    struct box *box = arg;
    box->ready = true;
    metric_add(counters.connected, 1);
    secret_free(&box->secret);
    box_happen(box, BOX_ON_READY);
}

static void on_alert(void *arg, const char *words)
{
    box_alert(arg, words);
}

static void on_end(void *arg, const struct err *err)
{
    struct box *box = arg;
    if (err != NULL)
        box->err = *err;
    if (err != NULL && strcmp(err->code, "imap.authentication") == 0)
        box_login_refused(box);
    box->over = true;
    box_hang_up(box);
    switch (box->state) {
    case BOX_KEEPING:
    case BOX_BEGINNING:
    case BOX_READING:
    case BOX_STORING:
    case BOX_PUBLISHING:
    case BOX_MOVING:
    case BOX_ENDING:
        return; /* what is being written comes back first */
    default:
        box_happen(box, BOX_ON_FAILED);
    }
}

static void on_answer(void *arg, const struct imap_answer *answer);

static enum stream_security security_of(const char *name)
{
    return strcmp(name, "plain") == 0      ? STREAM_PLAIN
           : strcmp(name, "starttls") == 0 ? STREAM_STARTTLS_IMAP
                                           : STREAM_TLS;
}

void box_open_session(struct box *box, enum imap_auth auth)
{
    const struct mailbox *mailbox = &box->mailbox;
    const struct mailpoller_shared *shared = box->mailpoller->shared;
    const struct mailpoller_settings *settings = &shared->settings;
    box->session = imap_session_open(&(struct imap_session_options){
        .loop = box->mailpoller->loop,
        .host = mailbox->host,
        .port = mailbox->port,
        .security = security_of(mailbox->security),
        .ca_file = settings->mail_ca_file[0] != '\0' ? settings->mail_ca_file : NULL,
        .public_only = true,
        .exceptions = shared->networks,
        .auth = auth,
        .user = mailbox->user_name,
        .secret = box->secret,
        .connect_ms = settings->connect_timeout_ms,
        .quiet_ms = settings->command_timeout_ms,
        .on_ready = on_ready,
        .on_answer = on_answer,
        .on_alert = on_alert,
        .on_end = on_end,
        .arg = box});
}

void box_hang_up(struct box *box)
{
    imap_session_close(&box->session);
    oauth_cancel(&box->token_wait);
    secret_free(&box->secret);
    if (box->ready)
        metric_add(counters.connected, -1);
    box->ready = false;
}

/* ---- asking ---- */

void box_select(struct box *box)
{
    if (imap_session_select(box->session, box->mailbox.folder, false))
        return;
    err_set(&box->err, ERR_FALL_BACK, "mailbox.folder", "the folder's name can be none");
    box_happen(box, BOX_ON_FAILED);
}

void box_find_end(struct box *box)
{
    imap_session_search(box->session, 1, 0, 0);
}

void box_search(struct box *box)
{
    uint32_t first, last;
    if (!imap_cursor_window(&box->mailbox.cursor, &first, &last)) {
        box_happen(box, BOX_ON_NOTHING);
        return;
    }
    box->window_last = last;
    imap_session_search(box->session, first, last, imap_cursor_search_since(&box->mailbox.cursor));
}

void box_ask_looks(struct box *box)
{
    size_t left = box->uid_count - box->uid_at;
    size_t count = left < IMAP_LOOKS_MAX ? left : IMAP_LOOKS_MAX;
    imap_session_look(box->session, box->uids + box->uid_at, count);
    box->uid_at += count;
}

void box_fetch(struct box *box)
{
    const struct imap_look *look = box_look(box);
    struct mailpoller *mailpoller = box->mailpoller;
    if (look->size_bytes > LARGE_BYTES && mailpoller->large != NULL && mailpoller->large != box) {
        timer_start(box->timer, LARGE_WAIT_MS, 0);
        return;
    }
    if (look->size_bytes > LARGE_BYTES)
        mailpoller->large = box;
    box->in_part = look->size_bytes > (int64_t)MAIL_BYTES_MAX || box->tries > BOX_TRIES_WHOLE;
    box->fetched_us = clock_mono_us();
    imap_session_fetch(box->session, look->uid, box->in_part ? BOX_TEXT_BYTES : 0);
}

void box_wait(struct box *box)
{
    const struct mailpoller_settings *settings = &box->mailpoller->shared->settings;
    if (imap_session_can(box->session, "IDLE"))
        imap_session_idle(box->session, settings->idle_ms);
    else
        timer_start(box->timer, settings->poll_every_ms, 0);
}

/* ---- answers ---- */

static void selected(struct box *box, const struct imap_answer *answer)
{
    struct imap_cursor *cursor = &box->mailbox.cursor;
    box->selected = answer->selected;
    if (cursor->validity == 0 && answer->selected.next_uid == 0) {
        box_happen(box, BOX_ON_UNTOLD);
        return;
    }
    switch (imap_cursor_select(cursor, &answer->selected, 0, clock_wall_ms())) {
    case IMAP_CURSOR_SAME:
        box_happen(box, BOX_ON_SAME);
        return;
    case IMAP_CURSOR_RESCAN:
        metric_add(counters.rescans, 1);
        log_warn("mailbox.rescan", LOG_TEXT("mailbox", box->id),
                 LOG_INT("uid_validity", cursor->validity), LOG_INT("to", cursor->rescan_to));
        break;
    case IMAP_CURSOR_NEW:
        log_info("mailbox.new", LOG_TEXT("mailbox", box->id),
                 LOG_INT("uid_validity", cursor->validity), LOG_INT("last_uid", cursor->last_uid));
        break;
    }
    box_happen(box, BOX_ON_CHANGED);
}

static bool is_kept(const struct box *box)
{
    const struct imap_cursor *a = &box->mailbox.cursor, *b = &box->kept;
    return a->validity == b->validity && a->last_uid == b->last_uid && a->since_ms == b->since_ms &&
           a->rescan_to == b->rescan_to;
}

static void searched(struct box *box, const struct imap_answer *answer)
{
    struct imap_cursor *cursor = &box->mailbox.cursor;
    if (box->state == BOX_FINDING_END) {
        uint32_t highest = answer->uid_count > 0 ? answer->uids[0] : 0;
        imap_cursor_select(cursor, &box->selected, highest, clock_wall_ms());
        box_happen(box, BOX_ON_CHANGED);
        return;
    }
    size_t count =
        imap_cursor_sort(answer->uids, answer->uid_count, cursor->last_uid + 1, box->window_last);
    box->uids = xreallocarray(box->uids, count > 0 ? count : 1, sizeof *box->uids);
    for (size_t i = 0; i < count; i++)
        box->uids[i] = answer->uids[i];
    box->uid_count = count;
    box->uid_at = 0;
    if (count > 0)
        box_happen(box, BOX_ON_FOUND);
    else if (imap_cursor_window_done(cursor, box->window_last, box->selected.next_uid))
        box_happen(box, BOX_ON_GAP);
    else
        box_happen(box, is_kept(box) && !box->unwell ? BOX_ON_NOTHING : BOX_ON_CHANGED);
}

static int by_uid(const void *a, const void *b)
{
    const struct imap_look *x = a, *y = b;
    return (x->uid > y->uid) - (x->uid < y->uid);
}

static void looked(struct box *box, const struct imap_answer *answer)
{
    box->look_count = answer->look_count;
    box->look_at = 0;
    for (size_t i = 0; i < answer->look_count; i++)
        box->looks[i] = answer->looks[i];
    if (box->look_count > 0)
        qsort(box->looks, box->look_count, sizeof *box->looks, by_uid);
    box_happen(box, box_after_mail(box));
}

static bool is_of_before(const struct box *box)
{
    const struct imap_look *look = box_look(box);
    return !imap_cursor_wants(&box->mailbox.cursor, look->uid, look->internal_ms,
                              box->outcome.sent_ms);
}

static void fetched(struct box *box, const struct imap_answer *answer)
{
    const struct mailpoller_shared *shared = box->mailpoller->shared;
    if (!answer->found) {
        metric_add(counters.gone, 1);
        box_happen(box, BOX_ON_VANISHED);
        return;
    }
    arena_reset(box->mail_arena);
    box->stored = box->read_at = 0;
    box->read_until_ms = 0;
    mail_event_make(box->mail_arena,
                    &(struct mail_source){.prefix = shared->settings.kafka.topic_prefix,
                                          .mailbox = &box->mailbox,
                                          .keys = (const struct secret *const *)shared->token_keys,
                                          .key_count = shared->token_key_count,
                                          .uid = box_look(box)->uid,
                                          .internal_ms = box_look(box)->internal_ms,
                                          .now_ms = clock_wall_ms(),
                                          .bytes = answer->mail,
                                          .length = answer->mail_length,
                                          .cut = box->in_part},
                    &box->outcome);
    if (box->outcome.skip == NULL && is_of_before(box))
        box->outcome.skip = "old";
    STOP_POINT("mailpoller.fetched", box->outcome.id);
    box_happen(box, box->outcome.skip != NULL ? BOX_ON_UNWANTED : BOX_ON_FETCHED);
}

static void waited(struct box *box, const struct imap_answer *answer)
{
    if (!answer->ok && box->state == BOX_WAITING) /* it offers IDLE, and does not mean it */
        timer_start(box->timer, box->mailpoller->shared->settings.poll_every_ms, 0);
    else
        box_happen(box, imap_session_has_news(box->session) ? BOX_ON_NEWS : BOX_ON_TIME);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    struct box *box = arg;
    if (box->state == BOX_LEAVING)
        return;
    if (!answer->ok && answer->ask != IMAP_ASK_IDLE) {
        err_set(&box->err, ERR_RETRY_LATER,
                answer->ask == IMAP_ASK_SELECT ? "mailbox.folder" : "mailbox.refused",
                "the mail server refuses (%s) while %s",
                answer->code[0] != '\0' ? answer->code : "no reason given",
                box_state_name(box->state));
        box_happen(box, BOX_ON_FAILED);
        return;
    }
    static void (*const takers[])(struct box *, const struct imap_answer *) = {
        [IMAP_ASK_SELECT] = selected, [IMAP_ASK_SEARCH] = searched, [IMAP_ASK_LOOK] = looked,
        [IMAP_ASK_FETCH] = fetched,   [IMAP_ASK_IDLE] = waited,
    };
    takers[answer->ask](box, answer);
}
