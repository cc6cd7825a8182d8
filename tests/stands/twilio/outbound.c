/* Placing outbound calls. Called by calls_rest.c. */
#include "stands/twilio/outbound.h"

#include <stdlib.h>
#include <string.h>

#include "stands/twilio/calls.h"
#include "stands/twilio/events.h"
#include "stands/twilio/fetch.h"
#include "stands/twilio/leg.h"
#include "stands/twilio/progress.h"
#include "stands/twilio/verbs.h"

enum { WAITING_MAX = 100000 };

struct queue {
    uv_timer_t timer;
    bool armed;
    struct call *waiting[WAITING_MAX];
    double timeouts_ms[WAITING_MAX];
    size_t first, count;
};

struct queue *outbound_queue_new(uv_loop_t *loop)
{
    struct queue *queue = stand_alloc(sizeof *queue);
    uv_timer_init(loop, &queue->timer);
    queue->timer.data = queue;
    return queue;
}

void outbound_queue_clear(struct queue *queue)
{
    queue->count = 0;
    queue->armed = false;
    uv_timer_stop(&queue->timer);
}

/* --- after the answer --- */

static void ask_twiml(struct call *call)
{
    struct twiml_problem problem;
    if (call->url) {
        struct fetch fetch = {.url = call->url, .method = call->method, .why = "voice"};
        fetch_document(call, &fetch);
        return;
    }
    struct twiml *twiml = twiml_parse(call->inline_twiml, strlen(call->inline_twiml), &problem);
    if (twiml) {
        verbs_run(call, twiml, NULL);
        return;
    }
    event_error(call, problem.code, problem.message);
    verbs_sorry(call);
}

static void record_detection(struct call *call, double ms)
{
    struct event event;
    event_start(&event, call, "detected");
    event_text(&event, "answered_by", call->answered_by);
    event_number(&event, "ms", ms);
    event_end(&event);
}

static void on_detected(struct call *call)
{
    call->answered_by = leg_answered_by(call);
    record_detection(call, leg_detection_ms(call));
    ask_twiml(call);
}

static void on_answered(struct call *call)
{
    if (call->detects && !call->detects_async) {
        call_after(call, leg_detection_ms(call), on_detected);
        return;
    }
    if (call->detects)
        leg_detect_aside(call);
    ask_twiml(call);
}

/* --- the queue --- */

static void dial_next(struct queue *queue)
{
    struct call *call = queue->waiting[queue->first];
    double timeout_ms = queue->timeouts_ms[queue->first];
    queue->first = (queue->first + 1) % WAITING_MAX;
    queue->count--;
    if (!call_over(call))
        leg_dial(call, timeout_ms, on_answered);
}

static void on_turn(uv_timer_t *timer)
{
    struct queue *queue = timer->data;
    if (queue->count > 0) {
        dial_next(queue);
        return;
    }
    queue->armed = false;
    uv_timer_stop(timer);
}

void outbound_place(struct call *call, double timeout_ms)
{
    struct twilio *twilio = call->twilio;
    struct queue *queue = twilio->calls->queue;
    size_t at = (queue->first + queue->count) % WAITING_MAX;
    if (queue->count == WAITING_MAX) {
        call_hang_up(call, CALL_FAILS, "queue full");
        return;
    }
    queue->waiting[at] = call;
    queue->timeouts_ms[at] = timeout_ms;
    queue->count++;
    if (twilio->calls_per_second == 0) {
        dial_next(queue);
    } else if (!queue->armed) {
        uint64_t every_ms = 1000 / (uint64_t)twilio->calls_per_second;
        queue->armed = true;
        dial_next(queue);
        uv_timer_start(&queue->timer, on_turn, every_ms, every_ms ? every_ms : 1);
    }
}
