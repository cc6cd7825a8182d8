/* What a mailbox in hand asks its mail server, and what the answers mean for it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "box_inside.h"
#include "box_login.h"
#include "counters.h"
#include "mail/parse.h"
#include "service/log.h"

#define LARGE_BYTES   (1024 * 1024)
#define LARGE_WAIT_MS 100
#define FOLDER_MAX    60 /* bytes of its name that an error tells */

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

/* A server may end its session, or say no more, for a mail that it cannot read: the mail was tried,
 * then. It is not to blame if the server says that it serves nobody, or if the connection breaks.
 */
static bool is_of_mails_in_hand(const struct box *box, const struct err *err)
{
    const bool bye = strcmp(err->code, "imap.bye") == 0;
    return box->giving && ((bye && !imap_session_bye_is_passing(box->session)) ||
                           strcmp(err->code, "imap.timeout") == 0);
}

/* The owner shall see what the mailbox waits for. */
static void tell_of_mail(struct box *box)
{
    const struct err was = box->err;
    const uint32_t uid = box->mails[0].look->uid;
    if (box->state == BOX_PROBING)
        err_set(&box->err, was.class, was.code,
                "%.90s, asked for another mail than UID %" PRIu32 ", which it did not give",
                was.message, uid);
    else
        err_set(&box->err, was.class, was.code, "%.90s, asked for the mail with UID %" PRIu32 "%s",
                was.message, uid, box_is_proven(box) ? "" : box->doubt);
}

static void on_end(void *arg, const struct err *err)
{
    struct box *box = arg;
    if (err != NULL)
        box->err = *err;
    if (err != NULL && strcmp(err->code, "imap.authentication") == 0)
        box_login_refused(box);
    box->over = true;
    box->broken = err != NULL && is_of_mails_in_hand(box, err);
    if (box->broken || (err != NULL && box->state == BOX_PROBING))
        tell_of_mail(box);
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

static void on_mail(void *arg, const struct imap_mail *mail)
{
    box_take_mail(arg, mail);
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
    box->session =
        imap_session_open(&(struct imap_session_options){.loop = box->mailpoller->loop,
                                                         .host = mailbox->host,
                                                         .port = mailbox->port,
                                                         .security = security_of(mailbox->security),
                                                         .trust = shared->trust,
                                                         .public_only = true,
                                                         .exceptions = shared->networks,
                                                         .auth = auth,
                                                         .user = mailbox->user_name,
                                                         .secret = box->secret,
                                                         .connect_ms = settings->connect_timeout_ms,
                                                         .quiet_ms = settings->command_timeout_ms,
                                                         .on_ready = on_ready,
                                                         .on_mail = on_mail,
                                                         .on_answer = on_answer,
                                                         .on_alert = on_alert,
                                                         .on_end = on_end,
                                                         .arg = box});
}

void box_hang_up(struct box *box)
{
    imap_session_close(&box->session);
    if (box->keeps)
        box->mailpoller->kept--;
    box->keeps = false;
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
    size_t most = box->look_most > 0 ? box->look_most : IMAP_LOOKS_MAX;
    size_t count = left < most ? left : most;
    box->refusal[0] = '\0';
    imap_session_look(box->session, box->uids + box->uid_at, count);
    box->uid_at += count;
    box->asked = count;
}

void box_fetch(struct box *box)
{
    uint32_t uids[IMAP_FETCH_MAX];
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
    box->refusal[0] = '\0';
    for (size_t i = 0; i < box->mail_count; i++)
        uids[i] = look[i].uid;
    box->giving = true;
    /* A server may fail at the outline with what tells nothing against the mail, and counts no try:
     * after a session that failed it is not asked for. */
    box->outlined = box->in_part && box->tries == 1 && !box->unwell && !box->no_outlines;
    if (box->outlined)
        imap_session_fetch_outlined(box->session, uids[0], BOX_TEXT_BYTES);
    else
        imap_session_fetch(box->session, uids, box->mail_count, box->in_part ? BOX_TEXT_BYTES : 0);
}

/* What only mails need: a mailbox in which nothing happens shall cost its connection. */
static void forget_mails(struct box *box)
{
    free(box->uids);
    free(box->looks);
    box->uids = NULL;
    box->looks = NULL;
    box->uid_count = box->look_count = box->uid_at = box->look_at = box->look_most = 0;
    arena_free(&box->mail_arena);
    arena_free(&box->unit_arena);
    box->mail_arena = arena_new();
    box->unit_arena = arena_new();
}

void box_wait(struct box *box)
{
    struct mailpoller *mailpoller = box->mailpoller;
    const struct mailpoller_settings *settings = &mailpoller->shared->settings;
    forget_mails(box);
    if (!box->keeps && (int64_t)mailpoller->kept >= settings->idle_max) {
        box->polled = true;
        box_happen(box, BOX_ON_FULL);
        return;
    }
    mailpoller->kept += !box->keeps;
    box->keeps = true;
    if (imap_session_can(box->session, "IDLE"))
        imap_session_idle(box->session, settings->idle_ms);
    else
        timer_start(box->timer, settings->poll_every_ms, 0);
}

/* ---- answers ---- */

/* Each mail that comes raises the mod-sequence (RFC 7162): without it UIDNEXT alone would have to
 * be trusted. */
static bool is_unchanged(const struct box *box)
{
    const struct imap_selected *now = &box->selected, *then = &box->all_read;
    return now->mod_sequence > 0 && now->mod_sequence == then->mod_sequence &&
           now->validity == then->validity && now->next_uid == then->next_uid &&
           now->exists == then->exists;
}

/* The cursor changed as SELECT, or the search behind it, says. */
static void tell_change(const struct box *box, enum imap_cursor_change change)
{
    const struct imap_cursor *cursor = &box->mailbox.cursor;
    if (change == IMAP_CURSOR_RESCAN) {
        metric_add(counters.rescans, 1);
        log_warn("mailbox.rescan", LOG_TEXT("mailbox", box->id),
                 LOG_INT("uid_validity", cursor->validity), LOG_INT("to", cursor->rescan_to));
    } else {
        log_info("mailbox.new", LOG_TEXT("mailbox", box->id),
                 LOG_INT("uid_validity", cursor->validity), LOG_INT("last_uid", cursor->last_uid));
    }
}

static void selected(struct box *box, const struct imap_answer *answer)
{
    struct imap_cursor *cursor = &box->mailbox.cursor;
    box->selected = answer->selected;
    if (cursor->validity != answer->selected.validity && answer->selected.next_uid == 0) {
        box_happen(box, BOX_ON_UNTOLD);
        return;
    }
    const enum imap_cursor_change change =
        imap_cursor_select(cursor, &answer->selected, 0, clock_wall_ms());
    if (change != IMAP_CURSOR_SAME) {
        tell_change(box, change);
        box_happen(box, BOX_ON_CHANGED);
        return;
    }
    if (is_unchanged(box))
        imap_session_saw_news(box->session);
    box_happen(box, is_unchanged(box) ? BOX_ON_NOTHING : BOX_ON_SAME);
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
        tell_change(box, imap_cursor_select(cursor, &box->selected, highest, clock_wall_ms()));
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
    box_listed(box);
    if (count > 0) {
        box_happen(box, BOX_ON_FOUND);
    } else if (imap_cursor_window_done(cursor, box->window_last, box->selected.next_uid)) {
        box_happen(box, BOX_ON_GAP);
    } else if (is_kept(box) && !box->unwell) {
        box->all_read = box->selected;
        box_happen(box, BOX_ON_NOTHING);
    } else {
        box_happen(box, BOX_ON_CHANGED);
    }
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
    box->looks = xreallocarray(box->looks, IMAP_LOOKS_MAX, sizeof *box->looks);
    for (size_t i = 0; i < answer->look_count; i++)
        box->looks[i] = answer->looks[i];
    if (box->look_count > 0)
        qsort(box->looks, box->look_count, sizeof *box->looks, by_uid);
    box_happen(box, box_told(box, !answer->ok));
}

static void fetched(struct box *box, const struct imap_answer *answer)
{
    box->giving = false;
    box_happen(box, box_taken(box, !answer->ok));
}

static void waited(struct box *box, const struct imap_answer *answer)
{
    if (!answer->ok && box->state == BOX_WAITING) /* it offers IDLE, and does not mean it */
        timer_start(box->timer, box->mailpoller->shared->settings.poll_every_ms, 0);
    else
        box_happen(box, imap_session_has_news(box->session) ? BOX_ON_NEWS : BOX_ON_TIME);
}

static const char *reason_of(const struct imap_answer *answer)
{
    return answer->code[0] != '\0' ? answer->code : "no reason given";
}

/* What a server does not tell or give of mails with a refusal is withheld like what it leaves out
 * (box_withheld.c), unless it says that it is busy. */
static bool is_of_mails(const struct imap_answer *answer)
{
    return (answer->ask == IMAP_ASK_LOOK || answer->ask == IMAP_ASK_FETCH) &&
           !imap_is_servers_trouble(answer->code, answer->words);
}

static void refused_mails(struct box *box, const struct imap_answer *answer)
{
    if (box->state != BOX_PROBING)
        snprintf(box->refusal, sizeof box->refusal, "%s", reason_of(answer));
    log_warn("mailbox.mails_refused", LOG_TEXT("mailbox", box->id),
             LOG_TEXT("state", box_state_name(box->state)), LOG_TEXT("code", reason_of(answer)));
}

static void refused(struct box *box, const struct imap_answer *answer)
{
    const char *folder = box->mailbox.folder;
    const char *code = reason_of(answer);
    const char *passing = imap_answer_passing(answer->code, answer->words);
    if (passing != NULL)
        err_set(&box->err, ERR_RETRY_LATER, "imap.unavailable",
                "the mail server serves nobody now (%s) while %s", passing,
                box_state_name(box->state));
    else if (answer->ask == IMAP_ASK_SELECT)
        err_set(&box->err, ERR_RETRY_LATER, "mailbox.folder",
                "the mail server does not open the folder \"%.*s\" (%s): is it there",
                (int)text_utf8_prefix(folder, FOLDER_MAX), folder, code);
    else
        err_set(&box->err, ERR_RETRY_LATER, "mailbox.refused",
                "the mail server refuses (%s) while %s", code, box_state_name(box->state));
    box_happen(box, BOX_ON_FAILED);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    struct box *box = arg;
    if (box->state == BOX_LEAVING)
        return;
    if (!answer->ok && answer->ask != IMAP_ASK_IDLE && !is_of_mails(answer)) {
        refused(box, answer);
        return;
    }
    if (!answer->ok && answer->ask != IMAP_ASK_IDLE)
        refused_mails(box, answer);
    static void (*const takers[])(struct box *, const struct imap_answer *) = {
        [IMAP_ASK_SELECT] = selected, [IMAP_ASK_SEARCH] = searched, [IMAP_ASK_LOOK] = looked,
        [IMAP_ASK_FETCH] = fetched,   [IMAP_ASK_IDLE] = waited,
    };
    if (box->state == BOX_PROBING)
        box_probe_answered(box, answer);
    else
        takers[answer->ask](box, answer);
}
