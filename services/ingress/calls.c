/* The calls of this process. Every event goes the same way: into the call, then what it asks for is
 * done in order, then its timer is set anew; a record that could not be given to Kafka is told to
 * the call after that, which may ask for more. Called by lines.c (sockets), stream.c (frames),
 * news.c (webhooks) and its own timers. */
#include "calls.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "contract/event.h"
#include "contract/twilio_call_end.h"
#include "counters.h"
#include "reporter.h"
#include "service/log.h"
#include "waiting.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAVE_MS (CALL_MOVED_MS + 3000) /* before a drain's deadline */

/* One call. */
struct live {
    struct calls *calls;
    struct arena *arena; /* of what lives as long as the call */
    const char *sid, *tenant, *trace;
    struct channel *channel; /* held: the words are its */
    struct call *call;
    struct timer *timer;
    struct calls_socket now, before; /* sockets: the newest one, and the one it took over from */
    bool failed;                     /* a record was not taken; the call is not told yet */
    bool over;                       /* FORGET was asked for */
};

struct calls {
    struct ingress *ingress;
    struct loop *loop;
    struct reporter *reporter;
    struct calls_wire wire;
    struct map *live; /* by CallSid */
    struct arena *arena;
    struct strbuf frame; /* of the frame in hand */
    struct call_acts acts;
    size_t begun;
    struct news_wait *wait;  /* for the end of a call that is being told of; NULL: nobody */
    void (*gone)(void *arg); /* NULL unless draining */
    void *gone_arg;
    struct timer *gone_timer, *leave_timer;
};

/* ---- frames out ---- */

static int write_frame(const struct call_act *act, struct strbuf *out, struct err *err)
{
    struct relay_text text = {
        .token = act->text, .last = act->last, .lang = act->lang[0] != '\0' ? act->lang : NULL};
    switch (act->kind) {
    case CALL_ACT_SAY:
        return relay_write_text(&text, out, err);
    case CALL_ACT_LANGUAGE:
        return relay_write_language(act->text, act->text, out, err);
    case CALL_ACT_KEYS:
        return relay_write_digits(act->text, out, err);
    default:
        return relay_write_end(act->text, out, err);
    }
}

/* A socket that does not take it closes by itself, and the call hears of that. */
static void send_frame(struct live *live, const struct call_act *act)
{
    struct calls *calls = live->calls;
    struct err err;
    strbuf_clear(&calls->frame);
    if (write_frame(act, &calls->frame, &err) != 0) {
        log_error("call.frame", LOG_TEXT("call", live->sid), LOG_ERR(&err));
        return;
    }
    calls->wire.say(calls->wire.arg, live->now.socket, act->kind == CALL_ACT_SAY, calls->frame.data,
                    calls->frame.length);
}

static void close_socket(struct live *live, uint64_t serial)
{
    const struct calls_wire *wire = &live->calls->wire;
    if (serial == live->now.serial)
        wire->close(wire->arg, live->now.socket);
    else if (serial == live->before.serial)
        wire->close(wire->arg, live->before.socket);
}

/* ---- records out ---- */

static void stamp(const struct live *live, struct event *event)
{
    event->time_ms = clock_wall_ms();
    event->traceparent = event_traceparent(live->calls->arena, live->trace);
}

static void send_record(struct live *live, const struct bus_record *record,
                        struct reporter_note note)
{
    note.call_sid = live->sid;
    if (!reporter_send(live->calls->reporter, record, &note))
        live->failed = true;
}

/* The last argument: members of a struct reporter_note. */
#define SEND(live, type, in, ...)                                                                  \
    do {                                                                                           \
        struct type event_ = *(in);                                                                \
        struct bus_record record_;                                                                 \
        stamp(live, &event_.event);                                                                \
        type##_encode((live)->calls->arena, (live)->calls->ingress->settings.kafka.topic_prefix,   \
                      &event_, &record_);                                                          \
        send_record(live, &record_, (struct reporter_note){__VA_ARGS__});                          \
    } while (0)

/* ---- acts ---- */

static void do_act(struct live *live, const struct call_act *act)
{
    const struct calls_wire *wire = &live->calls->wire;
    switch (act->kind) {
    case CALL_ACT_SAY:
    case CALL_ACT_LANGUAGE:
    case CALL_ACT_KEYS:
    case CALL_ACT_END:
        send_frame(live, act);
        break;
    case CALL_ACT_DROP:
        wire->drop(wire->arg, live->now.socket);
        break;
    case CALL_ACT_CLOSE:
        close_socket(live, act->socket);
        break;
    case CALL_ACT_SETUP:
        SEND(live, voice_setup, act->setup, .urgent = false);
        break;
    case CALL_ACT_PROMPT:
        SEND(live, voice_prompt, act->prompt, .urgent = true);
        break;
    case CALL_ACT_HEARD:
        SEND(live, voice_heard, act->heard, .urgent = false);
        break;
    case CALL_ACT_ENDED:
        SEND(live, voice_ended, act->ended, .wait = live->calls->wait);
        live->calls->wait = NULL;
        break;
    case CALL_ACT_FORGET:
        live->over = true;
        break;
    }
}

static void do_acts(struct live *live)
{
    struct call_acts *acts = &live->calls->acts;
    for (size_t i = 0; i < acts->count; i++)
        do_act(live, &acts->list[i]);
    acts->count = 0;
}

static void set_timer(struct live *live)
{
    int64_t due_ms = call_due(live->call);
    int64_t left_ms = due_ms - clock_mono_ms();
    if (due_ms < 0)
        timer_stop(live->timer);
    else
        timer_start(live->timer, left_ms > 0 ? left_ms : 0, 0);
}

static void live_free(struct live *live)
{
    timer_free(&live->timer);
    call_free(&live->call);
    channel_release(&live->channel);
    arena_free(&live->arena);
    free(live);
}

static void tell_gone(void *arg)
{
    struct calls *calls = arg;
    void (*gone)(void *arg) = calls->gone;
    if (gone == NULL || map_count(calls->live) > 0)
        return;
    calls->gone = NULL;
    gone(calls->gone_arg);
}

static void forget(struct live *live)
{
    struct calls *calls = live->calls;
    map_remove_text(calls->live, live->sid);
    metric_set(counters.calls, (int64_t)map_count(calls->live));
    live_free(live);
    timer_start(calls->gone_timer, 0, 0);
}

/* Entered, and nothing of it done: where a test ends the process once in each state. */
static void reach_state(const struct live *live)
{
    char subject[64];
    if (!FRONTDESK_STOP_POINTS)
        return;
    snprintf(subject, sizeof subject, "%s %s", call_state_name(call_state(live->call)), live->sid);
    STOP_POINT("ingress.state", subject);
}

/* After each event: `state` is the call's before it. The call may be freed in here. */
static void settle(struct live *live, enum call_state state)
{
    struct calls *calls = live->calls;
    if (call_state(live->call) != state)
        reach_state(live);
    do_acts(live);
    const char *cause = "silence";
    while (live->failed && !live->over) {
        cause = "kafka";
        live->failed = false;
        call_failed(live->call, clock_mono_ms(), &calls->acts);
        do_acts(live);
    }
    if (state != CALL_OVER && call_state(live->call) == CALL_OVER) {
        metric_add(counters.fallbacks, 1);
        log_warn("call.fallback", LOG_TEXT("call", live->sid), LOG_TEXT("cause", cause));
    }
    if (live->over)
        forget(live);
    else
        set_timer(live);
    arena_reset(calls->arena);
}

static void on_timer(void *arg)
{
    struct live *live = arg;
    enum call_state state = call_state(live->call);
    call_tick(live->call, clock_mono_ms(), &live->calls->acts);
    settle(live, state);
}

static void on_failed(void *arg, const char *call_sid)
{
    struct calls *calls = arg;
    struct live *live = map_get_text(calls->live, call_sid);
    waiting_fail(calls->ingress->waiting, call_sid);
    if (live == NULL)
        return;
    live->failed = true;
    settle(live, call_state(live->call));
}

/* ---- sockets ---- */

static struct live *begin(struct calls *calls, const struct calls_socket *socket,
                          const struct relay_setup *setup, struct channel **channel)
{
    bool outbound = twilio_call_is_outbound(setup->direction);
    struct live *live = xcalloc(1, sizeof *live);
    live->calls = calls;
    live->arena = arena_new();
    live->channel = *channel;
    *channel = NULL;
    live->sid = arena_strdup(live->arena, socket->token->call_sid);
    live->tenant = live->channel->tenant;
    live->trace = event_traceparent(live->arena, NULL);
    live->timer = timer_new(calls->loop, on_timer, live);
    struct call_options options = {
        .tenant = live->tenant,
        .call = {.call_sid = live->sid,
                 .account_sid = setup->account_sid,
                 .from = outbound ? setup->to : setup->from,
                 .to = live->channel->address,
                 .relay_session = "",
                 .stream_partition = atomic_load(&calls->ingress->stream_partition)},
        .outbound = outbound,
        .missed = !outbound && live->channel->voice->missed_calls,
        .resumed = socket->token->resumed,
        .forwarded_from = setup->forwarded_from,
        .caller_name = arena_strndup(calls->arena, setup->caller_name,
                                     text_utf8_prefix(setup->caller_name, VOICE_NAME_MAX)),
        .attestation = strlen(setup->attestation) <= VOICE_ATTESTED_MAX ? setup->attestation : "",
        .words =
            words_make(live->arena, live->channel->voice, !socket->token->resumed, calls->begun++)};
    live->call = call_new(&options, clock_mono_ms());
    map_put_text(calls->live, live->sid, live);
    metric_set(counters.calls, (int64_t)map_count(calls->live));
    return live;
}

static const char *find_or_begin(struct calls *calls, const struct calls_socket *socket,
                                 const struct relay_setup *setup, struct live **found)
{
    char tenant[UUID_TEXT_SIZE];
    uuid_format(&socket->token->tenant, tenant);
    if (strcmp(setup->call_sid, socket->token->call_sid) != 0)
        return "the setup is of another call than the path";
    *found = map_get_text(calls->live, setup->call_sid);
    if (*found != NULL)
        return strcmp((*found)->tenant, tenant) == 0 ? NULL : "the call is another tenant's";
    const char *ours = twilio_call_is_outbound(setup->direction) ? setup->from : setup->to;
    struct channel *channel = directory_find(calls->ingress->directory, "voice", ours);
    const char *why = NULL;
    if (channel == NULL || channel->voice == NULL || strcmp(channel->tenant, tenant) != 0)
        why = "the number is not one of the tenant's";
    else if (strcmp(channel->account_sid, setup->account_sid) != 0)
        why = "the call is another account's";
    else
        *found = begin(calls, socket, setup, &channel);
    channel_release(&channel);
    return why;
}

/* The clock of whoever answered that request may be ahead. */
static int64_t gone_ms(const struct relay_setup *setup)
{
    int64_t ms = clock_wall_ms() - setup->parted_ms;
    if (setup->parted_ms == 0)
        return 0;
    return ms < 1 ? 1 : ms < VOICE_GONE_MAX_MS ? ms : VOICE_GONE_MAX_MS;
}

const char *calls_setup(struct calls *calls, const struct calls_socket *socket,
                        const struct relay_setup *setup)
{
    struct live *live;
    const char *why = find_or_begin(calls, socket, setup, &live);
    if (why != NULL)
        return why;
    if (socket->serial <= live->now.serial)
        return "the call has a newer socket";
    enum call_state state = call_state(live->call);
    live->before = live->now;
    live->now = *socket;
    live->now.token = NULL;
    struct call_relay event = {.kind = CALL_RELAY_SETUP,
                               .socket = socket->serial,
                               .session = setup->session_id,
                               .gone_ms = gone_ms(setup),
                               .greets = !socket->token->resumed};
    call_relay(live->call, clock_mono_ms(), &event, &calls->acts);
    if (atomic_load(&calls->ingress->draining))
        call_drain(live->call, clock_mono_ms(), &calls->acts);
    settle(live, state);
    return NULL;
}

bool calls_relay(struct calls *calls, const char *call_sid, const struct call_relay *event)
{
    struct live *live = map_get_text(calls->live, call_sid);
    if (live == NULL)
        return false;
    enum call_state state = call_state(live->call);
    bool taken = call_relay(live->call, clock_mono_ms(), event, &calls->acts);
    settle(live, state);
    return taken;
}

/* ---- frames in ---- */

bool calls_frame(struct calls *calls, const struct voice_frame *frame)
{
    struct live *live = map_get_text(calls->live, frame->call_sid);
    if (live == NULL || strcmp(live->tenant, frame->event.tenant) != 0)
        return false;
    enum call_state state = call_state(live->call);
    enum call_verdict verdict = call_frame(live->call, clock_mono_ms(), frame, &calls->acts);
    counters_frame(verdict);
    settle(live, state);
    return true;
}

/* ---- webhooks ---- */

/* What the news is as a record; returns the call's sid. */
static const char *encode_news(struct calls *calls, struct news *news, struct bus_record *record)
{
    const char *prefix = calls->ingress->settings.kafka.topic_prefix;
    switch (news->kind) {
    case NEWS_DIALLED:
        voice_dialled_encode(news->arena, prefix, &news->dialled, record);
        return news->dialled.call.call_sid;
    case NEWS_RECORDED:
        voice_recorded_encode(news->arena, prefix, &news->recorded, record);
        return news->recorded.call.call_sid;
    case NEWS_TRANSCRIBED:
        voice_transcribed_encode(news->arena, prefix, &news->transcribed, record);
        return news->transcribed.call.call_sid;
    case NEWS_ANSWERED:
        voice_answered_encode(news->arena, prefix, &news->answered, record);
        return news->answered.call.call_sid;
    case NEWS_SETUP:
        voice_setup_encode(news->arena, prefix, &news->setup, record);
        return news->setup.call.call_sid;
    case NEWS_PROMPT:
        voice_prompt_encode(news->arena, prefix, &news->prompt, record);
        return news->prompt.call.call_sid;
    case NEWS_HEARD:
        voice_heard_encode(news->arena, prefix, &news->heard, record);
        return news->heard.call.call_sid;
    default:
        voice_ended_encode(news->arena, prefix, &news->ended, record);
        return news->ended.call.call_sid;
    }
}

/* A request waits for an engine's answer to it: a step's own, and the ones that wait on for it. The
 * first may have ceased to wait when its words are late. */
static bool is_waited_for(const struct news *news)
{
    return news->kind == NEWS_PROMPT || (news->kind == NEWS_SETUP && news->setup.step > 0);
}

/* Whoever waits for an engine's answer to it hears when Kafka does not take it. */
static void publish_news(struct calls *calls, struct news *news)
{
    struct bus_record record;
    const char *call_sid = encode_news(calls, news, &record);
    const struct reporter_note note = {
        .call_sid = call_sid, .urgent = is_waited_for(news), .wait = news->wait};
    news->wait = NULL;
    if (!reporter_send(calls->reporter, &record, &note))
        waiting_fail(calls->ingress->waiting, call_sid);
}

void calls_hear(struct calls *calls, struct news *news)
{
    if (news->kind != NEWS_ENDED) {
        publish_news(calls, news);
        return;
    }
    struct live *live = map_get_text(calls->live, news->ended.call.call_sid);
    if (live == NULL || strcmp(live->tenant, news->ended.event.tenant) != 0) {
        publish_news(calls, news);
        return;
    }
    enum call_state state = call_state(live->call);
    call_ended(live->call, clock_mono_ms(), news->ended.reason, news->ended.duration_s,
               &calls->acts);
    calls->wait = news->wait;
    news->wait = NULL;
    settle(live, state);
    news_settle(&calls->wait, false); /* its record has it, unless none was made */
}

/* ---- the whole ---- */

static void leave_all(void *arg);

int calls_open(struct ingress *ingress, struct loop *loop, struct calls **calls, struct err *err)
{
    struct calls *made = xcalloc(1, sizeof *made);
    struct reporter_options options = {
        .settings = &ingress->settings, .loop = loop, .failed = on_failed, .arg = made};
    if (reporter_open(&options, &made->reporter, err) != 0) {
        free(made);
        return -1;
    }
    made->ingress = ingress;
    made->loop = loop;
    made->live = map_new();
    made->arena = arena_new();
    made->acts.arena = made->arena;
    made->gone_timer = timer_new(loop, tell_gone, made);
    made->leave_timer = timer_new(loop, leave_all, made);
    strbuf_init(&made->frame, RELAY_FRAME_MAX);
    *calls = made;
    return 0;
}

void calls_set_wire(struct calls *calls, const struct calls_wire *wire)
{
    calls->wire = *wire;
}

static bool forget_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    live_free(value);
    return true;
}

void calls_close(struct calls **calls, int64_t flush_ms)
{
    struct calls *closed = *calls;
    if (closed == NULL)
        return;
    *calls = NULL;
    map_each(closed->live, forget_one, NULL);
    map_free(&closed->live);
    closed->live = map_new(); /* reports of the last records look into it */
    reporter_close(&closed->reporter, flush_ms);
    map_free(&closed->live);
    timer_free(&closed->gone_timer);
    timer_free(&closed->leave_timer);
    strbuf_fini(&closed->frame);
    arena_free(&closed->arena);
    free(closed);
}

static bool drain_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    struct live *live = value;
    enum call_state state = call_state(live->call);
    call_drain(live->call, clock_mono_ms(), &live->calls->acts);
    settle(live, state);
    return true;
}

static bool leave_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    struct live *live = value;
    enum call_state state = call_state(live->call);
    call_leave(live->call, clock_mono_ms(), &live->calls->acts);
    settle(live, state);
    return true;
}

/* What is left of the drain is for those who leave now: until Twilio has asked for their next step.
 */
static void leave_all(void *arg)
{
    struct calls *calls = arg;
    map_each(calls->live, leave_one, NULL);
}

void calls_drain(struct calls *calls, void (*gone)(void *arg), void *arg)
{
    int64_t left_ms = calls->ingress->settings.common.drain_ms - LEAVE_MS;
    calls->gone = gone;
    calls->gone_arg = arg;
    map_each(calls->live, drain_one, NULL);
    timer_start(calls->leave_timer, left_ms > 0 ? left_ms : 0, 0);
    timer_start(calls->gone_timer, 0, 0);
}

bool calls_are_mute(const struct calls *calls)
{
    return reporter_is_away(calls->reporter);
}
