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
                                 .fence = box->mailbox.fence};
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

/* The mail is done for good. */
static enum box_event moved(struct box *box)
{
    STOP_POINT("mailpoller.moved", box->id);
    if (box->mailpoller->large == box)
        box->mailpoller->large = NULL;
    box->look_at++;
    return box_after_mail(box);
}

static enum box_event kept_event(struct box *box, const struct pg_answer *answer)
{
    switch (box->state) {
    case BOX_KEEPING:
        box->kept = box->mailbox.cursor;
        box->unwell = false;
        return BOX_ON_KEPT;
    case BOX_BEGINNING:
        box->tries = pg_int(answer->results, 0, 0, 0);
        return box->tries > BOX_TRIES_MAX ? BOX_ON_TOO_OFTEN : BOX_ON_KEPT;
    case BOX_STORING:
        box->stored++;
        return BOX_ON_KEPT;
    case BOX_MOVING:
        box->kept = box->mailbox.cursor;
        box->unwell = false;
        return moved(box);
    default:
        return BOX_ON_KEPT;
    }
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
        box_happen(box, BOX_ON_DATABASE);
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
    mailbox_add_begin(&unit, box->unit_arena, &hold, box_look(box)->uid);
    submit(box, &unit, 0);
}

/* One attachment a unit: in hexadecimal it is twice as large. */
void box_store(struct box *box)
{
    if (box->stored == box->outcome.attachment_count) {
        STOP_POINT("mailpoller.stored", box->outcome.id);
        box_happen(box, BOX_ON_STORED);
        return;
    }
    const struct attachment *attachment = &box->outcome.attachments[box->stored];
    struct pg_unit unit = unit_of(box);
    attachment_add(&unit, box->unit_arena, &box->mailbox.tenant, attachment);
    metric_add(counters.attachments, 1);
    metric_add(counters.attachment_bytes, (int64_t)attachment->length);
    submit(box, &unit, -1);
}

static void pass_mail(struct box *box)
{
    const struct imap_look *look = box_look(box);
    imap_cursor_done(&box->mailbox.cursor, look->uid, look->internal_ms, clock_wall_ms());
}

void box_move(struct box *box)
{
    struct pg_unit unit = unit_of(box);
    struct mailbox_hold hold = hold_of(box);
    pass_mail(box);
    mailbox_add_cursor(&unit, box->unit_arena, &hold, &box->mailbox.cursor);
    submit(box, &unit, 0);
}

void box_skip(struct box *box)
{
    bool too_often = box->tries > BOX_TRIES_MAX;
    const char *reason = too_often ? "too_often" : box->outcome.skip;
    struct pg_unit unit = unit_of(box);
    struct mailbox_hold hold = hold_of(box);
    uint32_t uid = box_look(box)->uid;
    metric_add(counters.skipped, 1);
    log_warn("mail.skipped", LOG_TEXT("mailbox", box->id), LOG_INT("uid", uid),
             LOG_TEXT("reason", reason));
    pass_mail(box);
    mailbox_add_skip(&unit, box->unit_arena, &hold, &box->mailbox.cursor, uid, reason);
    mailbox_add_cursor(&unit, box->unit_arena, &hold, &box->mailbox.cursor);
    submit(box, &unit, 1);
}

/* ---- records ---- */

static void count_published(const struct box *box)
{
    const struct mail_outcome *outcome = &box->outcome;
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
    if (box->unpublished) {
        metric_add(counters.publish_failures, 1);
        box_happen(box, BOX_ON_UNPUBLISHED);
        return;
    }
    STOP_POINT("mailpoller.published", box->outcome.id);
    count_published(box);
    box_happen(box, BOX_ON_PUBLISHED);
}

static void record_done(void *arg, const struct err *err)
{
    struct box *box = arg;
    box->reports--;
    if (!came_back(box))
        return;
    if (err != NULL) {
        box->unpublished = true;
        log_warn("mail.not_published", LOG_TEXT("mailbox", box->id), LOG_ERR(err));
    }
    if (box->reports == 0)
        all_reported(box);
}

void box_publish(struct box *box)
{
    struct err err;
    box->unpublished = false;
    for (size_t i = 0; i < box->outcome.record_count; i++) {
        if (bus_produce(box->mailpoller->producer, &box->outcome.records[i], record_done, box,
                        &err) == 0) {
            box->reports++;
            box->pending++;
            continue;
        }
        box->unpublished = true;
        log_warn("mail.not_published", LOG_TEXT("mailbox", box->id), LOG_ERR(&err));
    }
    if (box->reports == 0)
        all_reported(box);
}

/* ---- ends ---- */

/* Doubles with each failure, and a fifth of it is the box's own, so that mailboxes of one server do
 * not come back all at once. */
static int64_t pause_ms(const struct box *box)
{
    const struct mailpoller_settings *settings = &box->mailpoller->shared->settings;
    int64_t doublings = box->mailbox.failures < 20 ? box->mailbox.failures : 20;
    int64_t ms = settings->retry_ms << doublings;
    if (ms > settings->retry_max_ms)
        ms = settings->retry_max_ms;
    if (box_login_is_refused(&box->err))
        ms = settings->login_retry_ms;
    return ms - (box->mailbox.fence * 7919 + clock_mono_ms()) % (ms / 5 + 1);
}

static bool is_mails_fault(const struct err *err)
{
    return strcmp(err->code, "imap.literal") == 0 || strcmp(err->code, "imap.line") == 0 ||
           strcmp(err->code, "imap.syntax") == 0;
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
    char *text = arena_printf(box->unit_arena, "%.40s: %.155s", box->err.code, box->err.message);
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
    if (!box->draining && box->err.code[0] != '\0') {
        end.error = error_text(box);
        end.next_in_ms = pause_ms(box);
        end.mail_at_fault = is_mails_fault(&box->err);
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
    mailbox_add_alert(&unit, arena, &hold, arena_printf(arena, "%.200s", words));
    box->pending++;
    pg_submit(box->mailpoller->pg, &unit);
}
