/* The regular look into the database: marks lapsed mailpollers dead, takes due mailboxes, sweeps
 * attachments that nobody claimed. It begins only after one lease of renewals, so that after an
 * outage all renew before any adopts. */
#include "boxes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "box.h"
#include "counters.h"
#include "mailpoller.h"
#include "service/log.h"
#include "store/mailbox.h"

#define UNIT_MS        5000
#define CLAIMS_MAX     50 /* at once: each opens a connection */
#define SWEEP_EVERY_MS 60000

struct boxes {
    struct mailpoller *mailpoller;
    struct timer *timer;
    struct arena *arena; /* of the unit in flight */
    LIST_HEAD(, box_link) list;
    size_t count;
    int64_t swept_ms;
    size_t paying; /* of what is owed */
    bool in_flight, sweeping;
};

static void take(struct boxes *boxes, const struct pg_answer *answer)
{
    struct mailpoller *mailpoller = boxes->mailpoller;
    for (int row = 0;; row++) {
        struct arena *arena = arena_new();
        struct mailbox mailbox;
        if (!mailbox_read_claimed(answer, 1, row, arena, &mailbox)) {
            arena_free(&arena);
            return;
        }
        struct box *box = box_open(mailpoller, arena, &mailbox);
        LIST_INSERT_HEAD(&boxes->list, box_link(box), entry);
        boxes->count++;
    }
}

struct box *boxes_find(const struct boxes *boxes, const struct uuid *id)
{
    struct box_link *link;
    LIST_FOREACH(link, &boxes->list, entry)
    if (memcmp(box_id(link->box)->bytes, id->bytes, sizeof id->bytes) == 0)
        return link->box;
    return NULL;
}

/* Somebody paused or removed them: they end as in a drain. */
static void end_some(struct boxes *boxes, const struct pg_answer *answer)
{
    for (int row = 0; row < pg_rows(answer->results, 2); row++) {
        struct uuid id = pg_uuid(answer->results, 2, row, 0);
        struct box *box = boxes_find(boxes, &id);
        if (box != NULL)
            box_drain(box);
    }
}

static void done(void *arg, const struct pg_answer *answer)
{
    struct boxes *boxes = arg;
    struct mailpoller *mailpoller = boxes->mailpoller;
    boxes->in_flight = false;
    if (answer->err != NULL)
        log_warn("poll.failed", LOG_ERR(answer->err));
    else if (mailpoller->owes == boxes->paying)
        mailpoller->owes = 0;
    if (answer->err == NULL && boxes->sweeping)
        metric_add(counters.swept, pg_rows(answer->results, 3));
    /* A worker that was lost meanwhile has no more right to them; while draining they are given
     * back by the unit that retires the worker. */
    if (answer->err == NULL && !mailpoller->draining &&
        worker_lease_left_ms(mailpoller->worker) > 0) {
        end_some(boxes, answer);
        take(boxes, answer);
    }
    mailpoller_step(mailpoller);
}

static const char *held(struct boxes *boxes, bool with_gone)
{
    struct pg_array ids;
    struct box_link *link;
    pg_array_init(&ids);
    LIST_FOREACH(link, &boxes->list, entry)
    if (with_gone || !box_is_gone(link->box))
        pg_array_add_uuid(&ids, box_id(link->box));
    const char *literal = pg_array_take(&ids, boxes->arena);
    pg_array_fini(&ids);
    return literal;
}

/* Of those that do not keep their connection while nothing comes. */
static const char *servers(struct boxes *boxes)
{
    struct pg_array names;
    struct box_link *link;
    pg_array_init(&names);
    LIST_FOREACH(link, &boxes->list, entry)
    if (!box_keeps(link->box)) {
        const struct mailbox *mailbox = box_mailbox(link->box);
        pg_array_add(&names, arena_printf(boxes->arena, "%s:%d", mailbox->host, mailbox->port));
    }
    const char *literal = pg_array_take(&names, boxes->arena);
    pg_array_fini(&names);
    return literal;
}

/* A server that hangs has its mailboxes in hand until they are given up, and soon again: it gets at
 * most half of the places that go round. */
static struct mailbox_room room(struct boxes *boxes)
{
    const int64_t max = boxes->mailpoller->shared->settings.max_mailboxes;
    const int64_t left = max - (int64_t)boxes->count;
    const int64_t half = (max - (int64_t)boxes->mailpoller->kept) / 2;
    struct mailbox_room out = {.servers = servers(boxes)};
    out.places = (int)(left < 0 ? 0 : left < CLAIMS_MAX ? left : CLAIMS_MAX);
    out.per_server = (int)(half > 1 ? half : 1);
    return out;
}

static void look(void *arg)
{
    struct boxes *boxes = arg;
    struct mailpoller *mailpoller = boxes->mailpoller;
    const struct mailpoller_settings *settings = &mailpoller->shared->settings;
    if (boxes->in_flight || mailpoller->draining || !pg_is_up(mailpoller->pg) ||
        worker_lease_left_ms(mailpoller->worker) <= 0 || !worker_may_adopt(mailpoller->worker))
        return;
    arena_reset(boxes->arena);
    const char *worker = arena_strdup(boxes->arena, worker_id(mailpoller->worker));
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = done, .arg = boxes};
    worker_add_mark_dead(&unit, boxes->arena, "mailpoller", worker, settings->worker_lease_ms);
    const struct mailbox_room left = room(boxes);
    mailbox_add_claim(&unit, boxes->arena, worker, held(boxes, true), &left);
    mailbox_add_ended(&unit, worker);
    int64_t now_ms = clock_mono_ms();
    boxes->sweeping = now_ms - boxes->swept_ms >= SWEEP_EVERY_MS;
    if (boxes->sweeping) {
        attachment_add_sweep(&unit);
        boxes->swept_ms = now_ms;
    }
    boxes->paying = mailpoller->owes;
    if (boxes->paying > 0)
        mailbox_add_outlived(&unit, mailpoller->life, held(boxes, false));
    boxes->in_flight = true;
    pg_submit(mailpoller->pg, &unit);
}

struct boxes *boxes_new(struct mailpoller *mailpoller)
{
    struct boxes *boxes = xcalloc(1, sizeof *boxes);
    int64_t every_ms = mailpoller->shared->settings.adopt_every_ms;
    boxes->mailpoller = mailpoller;
    boxes->arena = arena_new();
    LIST_INIT(&boxes->list);
    boxes->timer = timer_new(mailpoller->loop, look, boxes);
    timer_start(boxes->timer, every_ms, every_ms);
    return boxes;
}

/* Calls `fn` for each; it may take the box, and only that one, out of the list. */
static void for_each(struct boxes *boxes, void (*fn)(struct box *box))
{
    struct box_link *link, *next;
    for (link = LIST_FIRST(&boxes->list); link != NULL; link = next) {
        next = LIST_NEXT(link, entry);
        fn(link->box);
    }
}

void boxes_drain(struct boxes *boxes)
{
    for_each(boxes, box_drain);
}

void boxes_drop(struct boxes *boxes)
{
    for_each(boxes, box_drop);
}

void boxes_free(struct boxes **boxes)
{
    if (*boxes == NULL)
        return;
    boxes_drop(*boxes);
    timer_free(&(*boxes)->timer);
    arena_free(&(*boxes)->arena);
    free(*boxes);
    *boxes = NULL;
}

size_t boxes_count(const struct boxes *boxes)
{
    return boxes->count;
}

bool boxes_in_flight(const struct boxes *boxes)
{
    return boxes->in_flight;
}

void boxes_gone(struct boxes *boxes, struct box *box)
{
    LIST_REMOVE(box_link(box), entry);
    boxes->count--;
    mailpoller_step(boxes->mailpoller);
}
