/* The machine of a mailbox in hand: executes the table. boxes.c opens one for each claimed mailbox.
 */
#include "box.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "box_inside.h"
#include "box_login.h"
#include "boxes.h"
#include "counters.h"
#include "service/log.h"

#define PAUSE_MS 1000

static void log_out(struct box *box)
{
    box_stop_reading(box);
    timer_stop(box->timer);
    if (box->session != NULL)
        imap_session_logout(box->session);
    else
        box_happen(box, BOX_ON_FAILED);
}

static void pause_publishing(struct box *box)
{
    timer_start(box->timer, PAUSE_MS, 0);
}

static void drop(struct box *box)
{
    box_stop_reading(box);
    box_hang_up(box);
    timer_stop(box->timer);
    box_release(box);
}

static void (*const acts[])(struct box *box) = {
    [BOX_DO_SELECT] = box_select,       [BOX_DO_FIND_END] = box_find_end,
    [BOX_DO_KEEP] = box_keep,           [BOX_DO_SEARCH] = box_search,
    [BOX_DO_LOOK] = box_ask_looks,      [BOX_DO_BEGIN] = box_begin,
    [BOX_DO_PROBE] = box_probe,         [BOX_DO_PROBE_NEXT] = box_probe_next,
    [BOX_DO_FETCH] = box_fetch,         [BOX_DO_READ] = box_read,
    [BOX_DO_STORE] = box_store,         [BOX_DO_PUBLISH] = box_publish,
    [BOX_DO_PAUSE] = pause_publishing,  [BOX_DO_MOVE] = box_move,
    [BOX_DO_WAIT] = box_wait,           [BOX_DO_LOG_OUT] = log_out,
    [BOX_DO_GIVE_BACK] = box_give_back, [BOX_DO_DROP] = drop,
};

/* A drain, and a session that is over, wait until the mails in hand are done: what was begun to be
 * published shall not be published again by another process if that can be helped. */
static enum box_event substitute(const struct box *box, enum box_event event)
{
    bool in_hand =
        box->state == BOX_READING || box->state == BOX_STORING || box->state == BOX_PUBLISHING;
    bool on_its_way = box->state == BOX_LEAVING || box->state == BOX_ENDING;
    if (in_hand || on_its_way || event >= BOX_ON_DRAIN)
        return event;
    if (box->over)
        return BOX_ON_FAILED;
    return box->draining ? BOX_ON_DRAIN : event;
}

void box_happen(struct box *box, enum box_event event)
{
    const struct box_rule *rule = box_rule_for(box->state, substitute(box, event));
    if (rule == NULL)
        return;
    log_debug("mailbox.step", LOG_TEXT("mailbox", box->id),
              LOG_TEXT("state", box_state_name(rule->to)), LOG_TEXT("why", rule->sentence));
    box->state = rule->to;
    acts[rule->act](box);
}

const struct imap_look *box_look(const struct box *box)
{
    return &box->looks[box->look_at];
}

static void on_timer(void *arg)
{
    struct box *box = arg;
    box_happen(box, box->state == BOX_CONNECTING ? BOX_ON_FAILED : BOX_ON_TIME);
}

/* ---- life ---- */

struct box *box_open(struct mailpoller *mailpoller, struct arena *arena,
                     const struct mailbox *mailbox)
{
    struct box *box = xcalloc(1, sizeof *box);
    box->mailpoller = mailpoller;
    box->link.box = box;
    box->arena = arena;
    box->mailbox = *mailbox;
    box->kept = mailbox->cursor;
    box->unwell = mailbox->failures > 0;
    uuid_format(&mailbox->id, box->id);
    memcpy(box->worker, worker_id(mailpoller->worker), UUID_TEXT_SIZE);
    box->mail_arena = arena_new();
    box->unit_arena = arena_new();
    box->timer = timer_new(mailpoller->loop, on_timer, box);
    metric_add(counters.mailboxes, 1);
    box_log_in(box);
    return box;
}

void box_release(struct box *box)
{
    if (box->mailpoller->large == box)
        box->mailpoller->large = NULL;
    box->mailpoller->owes += box->begun;
    if (box->pending > 0)
        return;
    metric_add(counters.mailboxes, -1);
    timer_free(&box->timer);
    arena_free(&box->mail_arena);
    arena_free(&box->unit_arena);
    arena_free(&box->arena);
    free(box->uids);
    free(box->looks);
    boxes_gone(box->mailpoller->boxes, box);
    free(box);
}

void box_drain(struct box *box)
{
    box->draining = true;
    if (box->state == BOX_CONNECTING || box->state == BOX_WAITING)
        box_happen(box, BOX_ON_DRAIN);
}

void box_drop(struct box *box)
{
    box->state = BOX_GONE;
    drop(box);
}

bool box_is_gone(const struct box *box)
{
    return box->state == BOX_GONE;
}

bool box_keeps(const struct box *box)
{
    return box->keeps;
}

const struct mailbox *box_mailbox(const struct box *box)
{
    return &box->mailbox;
}

const struct uuid *box_id(const struct box *box)
{
    return &box->mailbox.id;
}

struct box_link *box_link(struct box *box)
{
    return &box->link;
}
