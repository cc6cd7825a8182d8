/* What a mailbox in hand writes: rows under its fence, and records. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "box_inside.h"
#include "box_login.h"
#include "boxes.h"
#include "counters.h"
#include "service/log.h"

#define UNIT_MS 10000

static struct mailbox_hold hold_of(const struct box *box)
{
    return (struct mailbox_hold){.tenant = box->mailbox.tenant,
                                 .id = box->mailbox.id,
                                 .worker = box->worker,
                                 .fence = box->mailbox.fence,
                                 .life = box->mailpoller->life};
}

/* ---- units ---- */

static bool came_back(struct box *box)
{
    box->pending--;
    if (box->state != BOX_GONE)
        return true;
    box_release(box);
    return false;
}

static enum box_event kept_event(struct box *box, const struct pg_answer *answer)
{
    switch (box->state) {
    case BOX_KEEPING:
        box->kept = box->mailbox.cursor;
        box->unwell = false;
        return BOX_ON_KEPT;
    case BOX_BEGINNING:
        return box_take_in_hand(box, pg_int(answer->results, 0, 0, 0),
                                pg_int(answer->results, 0, 0, 1));
    case BOX_STORING:
        box->mails[box->mail_at].stored++;
        return BOX_ON_KEPT;
    case BOX_MOVING:
        box->kept = box->mailbox.cursor;
        box->unwell = box->begun = false;
        return box_moved(box);
    case BOX_ENDING:
        box->begun = false;
        return BOX_ON_KEPT;
    default:
        return BOX_ON_KEPT;
    }
}

/* A refusal that no time mends, of what a mail brought, is the mail's doing. All else is the
 * database's, however often: the box is dropped, and the mail counts as not begun. */
static enum box_event failed_event(struct box *box, const struct err *err)
{
    bool of_mails = box->state == BOX_STORING || box->state == BOX_MOVING;
    if (err->class != ERR_PERMANENT || !of_mails)
        return BOX_ON_DATABASE;
    box->err = *err;
    return BOX_ON_FAILED;
}

static void unit_done(void *arg, const struct pg_answer *answer)
{
    struct box *box = arg;
    if (!came_back(box))
        return;
    if (answer->err != NULL) {
        metric_add(counters.database_failures, 1);
        log_warn("mailbox.unit_failed", LOG_TEXT("mailbox", box->id),
                 LOG_TEXT("state", box_state_name(box->state)), LOG_ERR(answer->err));
        box_happen(box, failed_event(box, answer->err));
    } else if (box->guard >= 0 && pg_rows(answer->results, box->guard) == 0) {
        metric_add(counters.not_held, 1);
        log_warn("mailbox.not_held", LOG_TEXT("mailbox", box->id),
                 LOG_TEXT("state", box_state_name(box->state)));
        box_happen(box, BOX_ON_NOT_HELD);
    } else {
        box_happen(box, kept_event(box, answer));
    }
}

static struct pg_unit unit_of(struct box *box)
{
    arena_reset(box->unit_arena);
    return (struct pg_unit){.deadline_ms = UNIT_MS, .done = unit_done, .arg = box};
}

/* Sends the unit, of which statement `guard` must have a row (-1: none). */
static void submit(struct box *box, const struct pg_unit *unit, int guard)
{
    box->guard = guard;
    box->pending++;
    pg_submit(box->mailpoller->pg, unit);
}

void box_keep(struct box *box)
{
    struct pg_unit unit = unit_of(box);
    struct mailbox_hold hold = hold_of(box);
    mailbox_add_cursor(&unit, box->unit_arena, &hold, &box->mailbox.cursor);
    submit(box, &unit, 0);
}

void box_begin(struct box *box)
{
    struct pg_unit unit = unit_of(box);
    struct mailbox_hold hold = hold_of(box);
    box->begun = true;
    mailbox_add_begin(&unit, box->unit_arena, &hold, box_look(box)->uid, box_last_untold(box));
    submit(box, &unit, 0);
}

/* One attachment a unit, with the time for its size: in hexadecimal it is twice as large. */
static void store_next(struct box *box, const struct box_mail *mail)
{
    const struct attachment *attachment = &mail->outcome.attachments[mail->stored];
    struct pg_unit unit = unit_of(box);
    attachment_add(&unit, box->unit_arena, &box->mailbox.tenant, attachment);
    metric_add(counters.attachments, 1);
    metric_add(counters.attachment_bytes, (int64_t)attachment->length);
    submit(box, &unit, -1);
}

void box_store(struct box *box)
{
    for (; box->mail_at < box->mail_count; box->mail_at++) {
        const struct box_mail *mail = &box->mails[box->mail_at];
        if (!box_mail_counts(mail))
            continue;
        if (mail->stored < mail->outcome.attachment_count) {
            store_next(box, mail);
            return;
        }
        STOP_POINT("mailpoller.stored", mail->outcome.id);
    }
    box_happen(box, BOX_ON_STORED);
}

/* Adds the statement that lists those that are passed by unread, if there are any. */
static void add_skips(const struct box *box, struct pg_unit *unit, const struct mailbox_hold *hold)
{
    struct mailbox_skip skips[IMAP_FETCH_MAX];
    size_t count = 0;
    for (size_t i = 0; i < box->mail_count; i++) {
        const struct box_mail *mail = &box->mails[i];
        if (!mail->found || mail->outcome.skip == NULL)
            continue;
        skips[count++] = (struct mailbox_skip){mail->look->uid, mail->outcome.skip};
        metric_add(counters.skipped, 1);
        log_warn("mail.skipped", LOG_TEXT("mailbox", box->id), LOG_INT("uid", mail->look->uid),
                 LOG_TEXT("reason", mail->outcome.skip));
    }
    if (count > 0)
        mailbox_add_skips(unit, box->unit_arena, hold, &box->mailbox.cursor, skips, count);
}

void box_move(struct box *box)
{
    struct pg_unit unit = unit_of(box);
    struct mailbox_hold hold = hold_of(box);
    for (size_t i = 0; i < box->mail_count; i++)
        imap_cursor_done(&box->mailbox.cursor, box->mails[i].look->uid,
                         box->mails[i].look->internal_ms, clock_wall_ms());
    add_skips(box, &unit, &hold);
    mailbox_add_cursor(&unit, box->unit_arena, &hold, &box->mailbox.cursor);
    submit(box, &unit, unit.count - 1);
}

/* ---- records ---- */

static void count_published(const struct box *box, const struct mail_outcome *outcome)
{
    metric_observe_us(counters.publish_seconds, clock_mono_us() - box->fetched_us);
    if (outcome->reported)
        metric_add(counters.reported, (int64_t)outcome->record_count);
    else
        metric_add(counters.published[outcome->class], 1);
    log_info("mail.published", LOG_TEXT("mailbox", box->id), LOG_TEXT("event_id", outcome->id),
             LOG_TEXT("class", mail_class_name(outcome->class)), LOG_TEXT("rule", outcome->rule),
             LOG_BOOL("report", outcome->reported));
}

static void all_reported(struct box *box)
{
    bool all = true;
    for (size_t i = 0; i < box->mail_count; i++) {
        struct box_mail *mail = &box->mails[i];
        if (!box_mail_counts(mail) || mail->published)
            continue;
        mail->published = !mail->unpublished;
        all &= mail->published;
        if (!mail->published)
            continue;
        STOP_POINT("mailpoller.published", mail->outcome.id);
        count_published(box, &mail->outcome);
    }
    if (!all)
        metric_add(counters.publish_failures, 1);
    box_happen(box, all ? BOX_ON_PUBLISHED : box->refused ? BOX_ON_FAILED : BOX_ON_UNPUBLISHED);
}

/* Not one of the topic's or the client's: those are for people to mend, and no mail is to blame. */
static bool is_records_fault(const struct err *err)
{
    return strcmp(err->code, "bus.too_large") == 0 || strcmp(err->code, "bus.invalid_record") == 0;
}

static void not_published(struct box_mail *mail, const struct err *err)
{
    struct box *box = mail->box;
    mail->unpublished = true;
    if (is_records_fault(err)) {
        box->err = *err;
        box->refused = true;
    }
    log_warn("mail.not_published", LOG_TEXT("mailbox", box->id),
             LOG_TEXT("event_id", mail->outcome.id), LOG_ERR(err));
}

static void record_done(void *arg, const struct err *err)
{
    struct box_mail *mail = arg;
    struct box *box = mail->box;
    box->reports--;
    if (!came_back(box))
        return;
    if (err != NULL)
        not_published(mail, err);
    if (box->reports == 0)
        all_reported(box);
}

static void publish(struct box_mail *mail)
{
    struct box *box = mail->box;
    struct err err;
    mail->unpublished = false;
    for (size_t i = 0; i < mail->outcome.record_count; i++) {
        if (bus_produce(box->mailpoller->producer, &mail->outcome.records[i], record_done, mail,
                        &err) != 0) {
            not_published(mail, &err);
            return;
        }
        box->reports++;
        box->pending++;
    }
}

void box_publish(struct box *box)
{
    for (size_t i = 0; i < box->mail_count; i++)
        if (box_mail_counts(&box->mails[i]) && !box->mails[i].published)
            publish(&box->mails[i]);
    if (box->reports == 0)
        all_reported(box);
}

/* ---- ends ---- */

/* Whether the server refused a mail, or fell silent with it in hand. That may be the mail, or a
 * server whose store is away: then the next mail would be refused as well. */
static bool is_refused(const struct box *box)
{
    return box->broken || strcmp(box->err.code, "mailbox.withheld") == 0;
}

/* Doubles with each failure, and a fifth of it is the box's own, so that mailboxes of one server do
 * not come back all at once. A mail's tries are as far apart as that goes, so that a server that is
 * in trouble for some minutes has no mail passed by. */
static int64_t pause_ms(const struct box *box)
{
    const struct mailpoller_settings *settings = &box->mailpoller->shared->settings;
    int64_t doublings = box->mailbox.failures < 20 ? box->mailbox.failures : 20;
    int64_t ms = settings->retry_ms << doublings;
    if (ms > settings->retry_max_ms || is_refused(box))
        ms = settings->retry_max_ms;
    if (box_login_is_refused(&box->err))
        ms = settings->login_retry_ms;
    return ms - (box->mailbox.fence * 7919 + clock_mono_ms()) % (ms / 5 + 1);
}

/* A database or brokers that answer refuse what it brought; or the server refused it, or the
 * session broke on its bytes, and the server gives others. */
static bool is_mails_fault(const struct box *box)
{
    const struct err *err = &box->err;
    if (is_records_fault(err) || (err->class == ERR_PERMANENT && strncmp(err->code, "pg.", 3) == 0))
        return true;
    return box_is_proven(box) &&
           (is_refused(box) || strcmp(err->code, "imap.literal") == 0 ||
            strcmp(err->code, "imap.line") == 0 || strcmp(err->code, "imap.syntax") == 0);
}

static void tell_failure(const struct box *box, int64_t next_in_ms)
{
    if (strcmp(box->err.code, "imap.authentication") == 0 || box_login_is_lost(&box->err)) {
        metric_add(counters.logins_refused, 1);
        log_error("mailbox.login_refused", LOG_TEXT("mailbox", box->id),
                  LOG_BOOL("paused", box_login_is_lost(&box->err)),
                  LOG_INT("next_in_ms", next_in_ms), LOG_ERR(&box->err));
        return;
    }
    metric_add(counters.sessions_failed, 1);
    log_warn("mailbox.failed", LOG_TEXT("mailbox", box->id), LOG_INT("next_in_ms", next_in_ms),
             LOG_ERR(&box->err));
}

/* For the row: no more than it takes, and text whatever a message was cut from. */
static const char *error_text(struct box *box)
{
    char *text = arena_printf(box->unit_arena, "%.40s: %.*s", box->err.code, MAILBOX_ERROR_MAX - 42,
                              box->err.message);
    if (!text_is_utf8(text, strlen(text)))
        for (char *c = text; *c != '\0'; c++)
            *c = (unsigned char)*c < 0x80 ? *c : '?';
    return text;
}

void box_give_back(struct box *box)
{
    struct pg_unit unit = unit_of(box);
    struct mailbox_hold hold = hold_of(box);
    struct mailbox_end end = {0};
    box_stop_reading(box);
    box_hang_up(box);
    timer_stop(box->timer);
    if (box->polled && !box->draining)
        end.next_in_ms = box->mailpoller->shared->settings.poll_every_ms;
    if (!box->draining && box->err.code[0] != '\0') {
        end.error = error_text(box);
        end.next_in_ms = pause_ms(box);
        end.mail_at_fault = is_mails_fault(box);
        end.pause = box_login_is_lost(&box->err);
        end.login_version = box->mailbox.wrapped_version;
        tell_failure(box, end.next_in_ms);
    }
    mailbox_add_end(&unit, box->unit_arena, &hold, &end);
    submit(box, &unit, -1);
}

/* ---- alerts: beside what else is in flight ---- */

struct note {
    struct box *box;
    struct arena *arena;
};

static void noted(void *arg, const struct pg_answer *answer)
{
    struct note *note = arg;
    struct box *box = note->box;
    struct arena *arena = note->arena;
    if (answer->err != NULL)
        log_warn("mailbox.alert_not_kept", LOG_TEXT("mailbox", box->id), LOG_ERR(answer->err));
    arena_free(&arena);
    came_back(box);
}

void box_alert(struct box *box, const char *words)
{
    struct arena *arena = arena_new();
    struct note *note = arena_alloc(arena, sizeof *note);
    struct mailbox_hold hold = hold_of(box);
    *note = (struct note){box, arena};
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = noted, .arg = note};
    log_warn("mailbox.alert", LOG_TEXT("mailbox", box->id));
    mailbox_add_alert(&unit, arena, &hold, arena_printf(arena, "%.*s", MAILBOX_ERROR_MAX, words));
    box->pending++;
    pg_submit(box->mailpoller->pg, &unit);
}
