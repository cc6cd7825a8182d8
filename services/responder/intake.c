/* The batch consumer. Offsets are stored in order, for the whole batch, after the last piece of its
 * work has ended; what a crash leaves behind is consumed again and finds its rows changed. */
#include "intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/stop.h"
#include "counters.h"
#include "service/dead_letters.h"
#include "service/log.h"

struct intake {
    struct intake_options options;
    struct bus_consumer *consumer;
    struct arena *arena;
    struct bus_record *records;
    struct dead_letters *letters;
    size_t count, pieces;
    bool in_hand, taking, abandoned;
};

static void take(struct intake *self)
{
    arena_reset(self->arena);
    self->count =
        bus_consumer_take(self->consumer, self->arena, self->records, self->options.batch_max);
    if (self->count == 0)
        return;
    self->in_hand = true;
    self->taking = true;
    self->abandoned = false;
    for (size_t i = 0; i < self->count; i++) {
        struct err err;
        if (self->options.record(self->options.arg, &self->records[i], &err) != 0) {
            STOP_POINT("responder.letter", err.code);
            dead_letters_add(self->letters, &self->records[i], err.code);
        }
    }
    self->options.batch(self->options.arg);
    self->taking = false;
}

static void finish(struct intake *self)
{
    for (size_t i = 0; i < self->count && !self->abandoned; i++)
        bus_consumer_store(self->consumer, &self->records[i]);
    self->count = 0;
    self->in_hand = false;
}

/* The one place that decides what comes next. */
static void go_on(struct intake *self)
{
    if (self->taking)
        return;
    for (;;) {
        if (self->in_hand) {
            if (self->pieces > 0 || dead_letters_left(self->letters) > 0)
                return;
            finish(self);
            if (self->options.responder->draining)
                responder_step(self->options.responder);
        }
        if (!self->options.ready(self->options.arg))
            return;
        take(self);
        if (!self->in_hand)
            return;
    }
}

static void on_ready(void *arg)
{
    go_on(arg);
}

static void on_fatal(void *arg)
{
    const struct intake *self = arg;
    log_error("consumer.fenced", LOG_TEXT("group", self->options.group),
              LOG_TEXT("reason", "another process has this instance's name"));
    responder_give_up(self->options.responder);
}

int intake_open(const struct intake_options *options, struct intake **intake, struct err *err)
{
    struct responder *responder = options->responder;
    const struct responder_settings *settings = &responder->shared->settings;
    struct intake *self = xcalloc(1, sizeof *self);
    self->options = *options;
    self->arena = arena_new();
    self->records = xcalloc(options->batch_max, sizeof *self->records);
    self->letters =
        dead_letters_new(&(struct dead_letters_options){.loop = responder->loop,
                                                        .producer = responder->producer,
                                                        .prefix = settings->kafka.topic_prefix,
                                                        .service = "responder",
                                                        .dead = counters.dead_letters,
                                                        .lost = counters.dead_letters_lost,
                                                        .on_over = on_ready,
                                                        .arg = self});
    char member[128];
    snprintf(member, sizeof member, "%s-%d", settings->common.instance,
             service_loop_index(responder->self));
    struct arena *names = arena_new();
    const char *prefix = settings->kafka.topic_prefix;
    const char *topics[] = {topic_name(names, prefix, options->topic), NULL};
    struct bus_consumer_options consumer = {.loop = responder->loop,
                                            .group =
                                                arena_printf(names, "%s%s", prefix, options->group),
                                            .instance_id = member,
                                            .topics = topics,
                                            .session_timeout_ms = settings->session_timeout_ms,
                                            .heartbeat_ms = settings->heartbeat_ms,
                                            .on_ready = on_ready,
                                            .on_fatal = on_fatal,
                                            .arg = self};
    service_bus_options(&settings->kafka, &settings->common, "responder", &consumer.client);
    int rc = bus_consumer_open(&consumer, &self->consumer, err);
    arena_free(&names);
    *intake = self;
    if (rc != 0)
        intake_close(intake);
    return rc;
}

void intake_close(struct intake **intake)
{
    struct intake *self = *intake;
    if (self == NULL)
        return;
    bus_consumer_close(&self->consumer);
    dead_letters_free(&self->letters);
    arena_free(&self->arena);
    free(self->records);
    free(self);
    *intake = NULL;
}

struct arena *intake_arena(struct intake *intake)
{
    return intake->arena;
}

void intake_begin(struct intake *intake, size_t count)
{
    intake->pieces += count;
}

void intake_end(struct intake *intake, size_t count)
{
    intake->pieces -= count;
    if (count > 0)
        go_on(intake);
}

void intake_give_up(struct intake *intake, const struct bus_record *record, const char *code)
{
    dead_letters_add(intake->letters, record, code);
}

void intake_abandon(struct intake *intake, size_t count)
{
    intake->abandoned = intake->abandoned || count > 0;
    intake_end(intake, count);
}

void intake_wake(struct intake *intake)
{
    go_on(intake);
}

bool intake_idle(const struct intake *intake)
{
    return !intake->in_hand;
}
