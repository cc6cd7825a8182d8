/* The engine's consumers: a batch of a lane's records after another, each claimed before its
 * offsets are stored; and the lane of texts. voice_intake.c has the lane of calls, mail_intake.c
 * that of mails. */
#include "intake_inside.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/strbuf.h"
#include "consent.h"
#include "contract/event.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "rota_plan.h"
#include "service/log.h"
#include "session.h"
#include "slow.h"
#include "store/inbox_mail.h"
#include "wake_up.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIM_MS      10000
#define BUG_TRIES_MAX 5 /* of one event whose error is none of its data's: 3 s */

static void go_on(struct intake *intake);

struct uuid intake_ident(struct intake *intake, const char *const *parts, size_t count)
{
    return crypto_ident(intake->engine->shared->id_key, parts, count);
}

/* Twilio retries with other parameters but the same text: the hash covers what the customer sent.
 */
static void hash_content(const struct sms_received *sms, uint8_t out[32])
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    strbuf_printf(&text, "%s\n%s\n", sms->from, sms->to);
    strbuf_add_text(&text, sms->body);
    for (size_t i = 0; i < sms->media_count; i++)
        strbuf_printf(&text, "\n%s", sms->media[i].url);
    crypto_sha256(text.data, text.length, out);
    strbuf_fini(&text);
}

static const char *media_json(struct arena *arena, const struct sms_received *sms)
{
    if (sms->media_count == 0)
        return NULL;
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, 64 * 1024);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    for (size_t i = 0; i < sms->media_count; i++) {
        json_open_object(&writer, NULL);
        json_add_text(&writer, "url", sms->media[i].url);
        json_add_text(&writer, "type", sms->media[i].content_type);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    const char *text = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return text;
}

static void to_event(struct intake *intake, const struct sms_received *sms, struct inbox_event *out)
{
    const char *tenant = sms->event.tenant;
    *out = (struct inbox_event){
        .tenant = tenant,
        .channel = "sms",
        .provider_id = sms->message_sid,
        .sender = sms->to,
        .address = sms->from,
        .body = sms->body,
        .media_json = media_json(intake->arena, sms),
        .event_time_ms = sms->event.time_ms,
        .replay = sms->event.replay,
        .consent = consent_word(sms->body, sms->opt_out_type),
        .traceparent = sms->event.traceparent,
        .session =
            intake_ident(intake, (const char *[]){"session", tenant, "sms", sms->to, sms->from}, 5),
        .contact = intake_ident(intake, (const char *[]){"contact", tenant, "phone", sms->from}, 4),
        .message =
            intake_ident(intake, (const char *[]){"message", tenant, "sms", sms->message_sid}, 4),
        .address_hash =
            intake_ident(intake, (const char *[]){"address", tenant, "phone", sms->from}, 4),
        .conversation = uuid_new(),
    };
    hash_content(sms, out->content_hash);
    char code[ROTA_CODE_SIZE];
    const enum rota_said said = rota_plan_read_text(sms->body, code);
    if (out->consent == INBOX_NO_WORD && said != ROTA_SAYS_NOTHING) {
        out->consent = said == ROTA_SAYS_YES ? INBOX_CODE : INBOX_CODE_WITHIN;
        out->code = arena_strdup(intake->arena, code);
    }
}

/* ---- dead letters ---- */

void intake_dead_letter(struct intake *intake, size_t place, const char *code)
{
    dead_letters_add(intake->letters, &intake->records[place], code);
}

/* ---- a batch ---- */

int intake_by_identity(const void *a, const void *b)
{
    const struct inbox_event *x = a, *y = b;
    int tenants = strcmp(x->tenant, y->tenant);
    return tenants != 0 ? tenants : strcmp(x->provider_id, y->provider_id);
}

static int by_place(const void *a, const void *b)
{
    const struct inbox_event *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

void intake_add(struct intake *intake, struct map *seen, const struct inbox_event *event,
                size_t place)
{
    const char *key = arena_printf(intake->arena, "%s %s", event->tenant, event->provider_id);
    if (map_put_text(seen, key, &intake->records[place]) != NULL)
        return;
    intake->events[intake->event_count] = *event;
    intake->events[intake->event_count++].place = (int64_t)place;
}

static void decode_texts(struct intake *intake)
{
    struct map *seen = map_new();
    for (size_t i = 0; i < intake->record_count; i++) {
        struct sms_received sms;
        struct inbox_event event;
        struct err err;
        if (sms_received_decode(intake->arena, &intake->records[i], &sms, &err) != 0) {
            intake_dead_letter(intake, i, err.code);
            continue;
        }
        to_event(intake, &sms, &event);
        intake_add(intake, seen, &event, i);
    }
    qsort(intake->events, intake->event_count, sizeof *intake->events, intake_by_identity);
    map_free(&seen);
}

/* One by one in the order in which they came: it is the order of the conversation. */
static void go_singly(struct intake *intake)
{
    if (!intake->singly)
        qsort(&intake->events[intake->first], intake->event_count - intake->first,
              sizeof *intake->events, by_place);
    intake->singly = true;
}

/* The number of the record that an event came in. */
static size_t origin(const struct intake *intake, size_t event)
{
    return (size_t)intake->events[event].place;
}

static void claim_next(struct intake *intake);

static void batch_over(struct intake *intake)
{
    for (size_t i = 0; i < intake->record_count; i++)
        bus_consumer_store(intake->consumer, &intake->records[i]);
    intake->in_hand = false;
    intake->failures = 0;
    if (intake->paused)
        bus_consumer_pause(intake->consumer, false);
    intake->paused = false;
}

void intake_wake_answers(struct intake *intake, const struct pg_answer *answer, bool by_mail)
{
    bool (*const read)(const struct pg_answer *, int, struct rota_answer *) =
        by_mail ? inbox_mail_read_answer : inbox_read_answer;
    struct rota_answer reply;
    char tenant[UUID_TEXT_SIZE];
    for (int row = 0; read(answer, row, &reply); row++)
        wake_up_send(intake->engine, &(struct wake_up){.tenant = uuid_format(&reply.tenant, tenant),
                                                       .session = reply.session,
                                                       .delivery = reply.delivery,
                                                       .by_mail = by_mail});
}

void intake_report(struct intake *intake, const struct pg_answer *answer, enum share_kind kind,
                   const struct intake_counters *count)
{
    struct sessions *sessions = intake->engine->sessions;
    struct inbox_claimed claimed;
    bool *found = arena_alloc(intake->claim_arena, (intake->claim_count + 1) * sizeof *found);
    for (int row = 0; inbox_read_claim(answer, row, &claimed); row++) {
        if (claimed.index >= intake->claim_count)
            continue;
        const struct inbox_event *event = &intake->events[intake->first + claimed.index];
        found[claimed.index] = true;
        metric_add(claimed.fresh ? count->claimed : count->duplicates, 1);
        STOP_POINT("engine.claimed", event->provider_id);
        if (!claimed.mine || !sessions_have_room(sessions, event->tenant, &claimed.session, kind))
            continue;
        sessions_claimed(sessions, event->tenant, &claimed.session, &claimed.conversation,
                         claimed.claimed, claimed.due_in_ms);
        sessions_mark(sessions, &claimed.session, kind);
    }
    for (size_t i = 0; i < intake->claim_count; i++)
        if (!found[i])
            intake_dead_letter(intake, origin(intake, intake->first + i), "claim.no_channel");
}

static void report_texts(struct intake *intake, const struct pg_answer *answer)
{
    intake_report(intake, answer, SHARE_TEXT,
                  &(struct intake_counters){counters.claimed, counters.duplicates});
    intake_wake_answers(intake, answer, false);
}

static size_t count_texts(const struct intake *intake)
{
    return intake->singly ? 1 : intake->event_count - intake->first;
}

static void fill_texts(struct intake *intake, struct pg_unit *unit)
{
    struct engine *engine = intake->engine;
    const struct engine_settings *settings = &engine->shared->settings;
    inbox_add_claim(unit, intake->claim_arena,
                    arena_strdup(intake->claim_arena, worker_id(engine->worker)),
                    &intake->events[intake->first], intake->claim_count,
                    &(struct inbox_timing){settings->burst_ms, settings->burst_max_ms,
                                           settings->answer_within_ms, settings->quiet_ms,
                                           settings->loop_replies, settings->loop_window_ms});
}

const struct intake_lane intake_sms = {.topic = TOPIC_INBOUND_SMS,
                                       .is_static = true,
                                       .decode = decode_texts,
                                       .count = count_texts,
                                       .fill = fill_texts,
                                       .report = report_texts};

/* ---- every lane ---- */

static bool is_same_address(const struct inbox_event *a, const struct inbox_event *b)
{
    return strcmp(a->tenant, b->tenant) == 0 && strcmp(a->address, b->address) == 0;
}

/* The event that took too long, and those of its address behind it, in their order, wait until all
 * others have been claimed. */
static void move_behind(struct intake *intake)
{
    struct inbox_event *left = &intake->events[intake->first];
    const size_t count = intake->event_count - intake->first;
    struct inbox_event *behind = arena_alloc(intake->arena, count * sizeof *behind);
    size_t kept = 0, moved = 0;
    behind[moved++] = left[0];
    for (size_t i = 1; i < count; i++)
        if (is_same_address(&left[i], &behind[0]))
            behind[moved++] = left[i];
        else
            left[kept++] = left[i];
    memcpy(&left[kept], behind, moved * sizeof *behind);
}

/* It is a dead letter. What follows of an address whose data take too long is tried once. */
static void give_up_first(struct intake *intake, const struct err *err, bool slow)
{
    const struct inbox_event *event = &intake->events[intake->first++];
    const bool goes_on = slow && intake->first < intake->event_count &&
                         is_same_address(event, &intake->events[intake->first]);
    if (!goes_on)
        intake->failures = 0;
    intake_dead_letter(intake, (size_t)event->place, slow ? "claim.slow" : err->code);
    claim_next(intake);
}

/* A batch that one event spoils is tried again singly; a single event that PostgreSQL will never
 * take is a dead letter, at once if its own data are the reason. */
static void claim_failed(struct intake *intake, const struct err *err)
{
    const bool slow = slow_is_own(intake->engine, err, intake->sent_us, CLAIM_MS);
    metric_add(counters.claim_failures, 1);
    log_warn("claim.failed", LOG_INT("events", (int64_t)intake->claim_count),
             LOG_BOOL("slow", slow), LOG_ERR(err));
    bool passes = err_is_retryable(err) && !slow;
    bool hopeless = err->class == ERR_PERMANENT || intake->failures >= BUG_TRIES_MAX;
    if (!passes && intake->claim_count == 1 && hopeless) {
        give_up_first(intake, err, slow);
        return;
    }
    if (slow && intake->singly)
        move_behind(intake);
    if (slow ? intake->failures >= 1
             : !passes || (err->class == ERR_RETRY_NOW && intake->failures >= 2))
        go_singly(intake);
    intake->failures++;
    bool away = err->class == ERR_RETRY_LATER || err->class == ERR_BUG;
    if (away && !intake->paused) {
        intake->paused = true;
        bus_consumer_pause(intake->consumer, true);
    }
    unsigned shift = intake->failures < 5 ? intake->failures : 5;
    timer_start(intake->retry, away ? (int64_t)50 << shift : 5, 0);
}

static void claim_done(void *arg, const struct pg_answer *answer)
{
    struct intake *intake = arg;
    intake->in_flight = false;
    if (answer->err != NULL && intake->lane->undo != NULL)
        intake->lane->undo(intake);
    if (answer->err != NULL) {
        claim_failed(intake, answer->err);
        return;
    }
    metric_observe_us(counters.claim_seconds, clock_mono_us() - intake->sent_us);
    intake->lane->report(intake, answer);
    intake->first += intake->claim_count;
    if (intake->singly)
        intake->failures = 0;
    claim_next(intake);
}

static void claim_next(struct intake *intake)
{
    struct engine *engine = intake->engine;
    if (intake->first >= intake->event_count) {
        go_on(intake);
        return;
    }
    if (worker_id(engine->worker)[0] == '\0') {
        timer_start(intake->retry, 50, 0);
        return;
    }
    intake->claim_count = intake->lane->count(intake);
    arena_reset(intake->claim_arena);
    struct pg_unit unit = {.deadline_ms = CLAIM_MS, .done = claim_done, .arg = intake};
    intake->in_flight = true;
    intake->lane->fill(intake, &unit);
    intake->sent_us = clock_mono_us();
    STOP_POINT("engine.claiming", intake->events[intake->first].provider_id);
    pg_submit(engine->pg, &unit);
    if (intake->lane->sent != NULL)
        intake->lane->sent(intake);
}

static size_t batch_max(const struct intake *intake)
{
    const size_t most = intake->lane->batch_max;
    const size_t set = (size_t)intake->engine->shared->settings.claim_batch;
    return most > 0 && most < set ? most : set;
}

static void take_batch(struct intake *intake)
{
    const size_t max = batch_max(intake);
    arena_reset(intake->arena);
    intake->record_count = bus_consumer_take(intake->consumer, intake->arena, intake->records, max);
    if (intake->record_count == 0)
        return;
    intake->in_hand = true;
    intake->singly = false;
    intake->first = intake->claim_count = 0;
    intake->event_count = 0;
    intake->lane->decode(intake);
    claim_next(intake);
}

/* The one place that decides what comes next. */
static void go_on(struct intake *intake)
{
    if (intake->in_flight || dead_letters_left(intake->letters) > 0 ||
        timer_is_active(intake->retry))
        return;
    if (intake->in_hand && intake->first < intake->event_count) {
        claim_next(intake);
        return;
    }
    if (intake->in_hand) {
        batch_over(intake);
        engine_drain_step(intake->engine);
    }
    if (!intake->in_hand && engine_can_claim(intake->engine))
        take_batch(intake);
}

static void on_retry(void *arg)
{
    go_on(arg);
}

/* The group has settled for us, with or without partitions. */
static void on_assign(void *arg, int partitions)
{
    struct intake *intake = arg;
    intake->assigned = true;
    log_info("intake.assigned", LOG_INT("partitions", partitions));
    engine_assigned(intake->engine);
}

bool intake_is_assigned(const struct intake *intake)
{
    return intake != NULL && intake->assigned;
}

/* Nothing comes any more: the loop drains, which ends the process with 1, to be started anew. */
static void on_fatal(void *arg)
{
    const struct intake *intake = arg;
    struct engine *engine = intake->engine;
    log_error("consumer.fenced", LOG_TEXT("reason", "another process has this instance's name"));
    service_set(service_of(engine->self), engine->shared->ready_assigned, false);
    engine_drain(engine);
}

static void on_ready(void *arg)
{
    go_on(arg);
}

/* The consumer group of the lane: one whose callers wait has short leases, and no member's name
 * that a restart would have to wait for. */
static int open_consumer(struct intake *self, struct err *err)
{
    struct engine *engine = self->engine;
    const struct engine_settings *settings = &engine->shared->settings;
    const bool calls = !self->lane->is_static;
    char member[128];
    snprintf(member, sizeof member, "%s-%d", settings->common.instance,
             service_loop_index(engine->self));
    struct arena *names = arena_new();
    const char *prefix = settings->kafka.topic_prefix;
    const char *topics[] = {topic_name(names, prefix, self->lane->topic), NULL};
    struct bus_consumer_options options = {
        .loop = engine->loop,
        .group = topic_engine_group(names, prefix, self->lane->topic),
        .instance_id = calls ? "" : member,
        .topics = topics,
        .session_timeout_ms =
            calls ? settings->voice_session_timeout_ms : settings->session_timeout_ms,
        .heartbeat_ms = calls ? settings->voice_heartbeat_ms : settings->heartbeat_ms,
        .on_ready = on_ready,
        .on_assign = on_assign,
        .on_fatal = on_fatal,
        .arg = self};
    service_bus_options(&settings->kafka, &settings->common, "engine", &options.client);
    int rc = bus_consumer_open(&options, &self->consumer, err);
    arena_free(&names);
    return rc;
}

int intake_open(struct engine *engine, const struct intake_lane *lane, struct intake **intake,
                struct err *err)
{
    const struct engine_settings *settings = &engine->shared->settings;
    struct intake *self = xcalloc(1, sizeof *self);
    self->engine = engine;
    self->lane = lane;
    const size_t max = batch_max(self);
    self->arena = arena_new();
    self->claim_arena = arena_new();
    self->records = xcalloc(max, sizeof *self->records);
    self->events = xcalloc(max, sizeof *self->events);
    self->retry = timer_new(engine->loop, on_retry, self);
    self->letters =
        dead_letters_new(&(struct dead_letters_options){.loop = engine->loop,
                                                        .producer = engine->producer,
                                                        .prefix = settings->kafka.topic_prefix,
                                                        .service = "engine",
                                                        .dead = counters.dead_letters,
                                                        .lost = counters.dead_letters_lost,
                                                        .on_over = on_retry,
                                                        .arg = self});
    int rc = open_consumer(self, err);
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
    timer_free(&self->retry);
    arena_free(&self->arena);
    arena_free(&self->claim_arena);
    free(self->records);
    free(self->events);
    free(self);
    *intake = NULL;
}

void intake_wake(struct intake *intake)
{
    go_on(intake);
}

bool intake_idle(const struct intake *intake)
{
    return !intake->in_hand;
}
