/* The lane of calls: what ingress tells on desk.inbound.voice, in its order (docs/VOICE.md). What a
 * caller says is claimed as a text is, and its turn starts in the same unit. How far a turn was
 * heard, and the end of a call, are units of their own between the claims, since they change what
 * the next one finds. What happened to a call otherwise is a note in its conversation. */
#include "contract/voice.h"

#include "base/mem.h"
#include "base/stop.h"
#include "base/strbuf.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "intake_inside.h"
#include "service/log.h"
#include "session.h"
#include "store/transfer.h"
#include "store/turn.h"
#include "store/voice.h"
#include "voice.h"
#include "voice_resume.h"
#include "voice_step.h"

#include <stdlib.h>
#include <string.h>

/* What a caller said so long ago is not answered any more: he has heard something else since. */
#define LATE_MS 600000

/* A record, by its place in the batch. */
struct item {
    enum item_kind {
        ITEM_NOTE,
        ITEM_PROMPT,
        ITEM_RESUMED, /* the call has another socket */
        ITEM_WAIT,    /* webhook mode: a request waits for the answer to a step */
        ITEM_TASK,
        ITEM_FOUND, /* the call's end, which only the provider has told */
        ITEM_DIALLED,
        ITEM_HEARD,
        ITEM_ENDED
    } kind;
    const char *call_sid;
    int partition;
    int64_t step, wait;         /* webhook mode: of the request that told it; else 0 */
    const char *reason;         /* of what was heard; what became of a transfer */
    struct uuid dial;           /* that transfer's id */
    struct voice_spoken spoken; /* no turn: nothing is told of one */
    const char *account_sid;    /* of a recording */
    int64_t duration_s;
};

/* The slice that is in flight. */
struct slice {
    struct inbox_event *events; /* sorted */
    struct voice_place *places; /* those of calls in streaming mode first */
    size_t place_count;         /* so many */
    struct voice_step *steps;   /* of those in webhook mode */
    size_t step_count;
    struct turn_start *starts; /* of calls whose turn starts with their claim */
    uint64_t *tickets;
    size_t count, start_count;
    int start_statement, answers_statement; /* of the unit */
};

static struct item *item_of(const struct intake *intake, const struct inbox_event *event)
{
    struct item *items = intake->batch;
    return &items[event->place];
}

/* ---- records ---- */

static void hash_text(const char *from, const char *to, const char *text, uint8_t out[32])
{
    struct strbuf all;
    strbuf_init(&all, 64 * 1024);
    strbuf_printf(&all, "%s\n%s\n%s", from, to, text);
    crypto_sha256(all.data, all.length, out);
    strbuf_fini(&all);
}

/* `body` is "" where nothing is said. */
static struct inbox_event event_of(struct intake *intake, const struct event *event,
                                   const struct voice_call *call, const char *body)
{
    const char *tenant = event->tenant, *address = voice_contact(call);
    struct inbox_event out = {
        .tenant = tenant,
        .channel = "voice",
        .provider_id = event->id,
        .sender = call->to,
        .address = address,
        .body = body,
        .event_time_ms = event->time_ms,
        .consent = INBOX_NOTE,
        .traceparent = event->traceparent,
        .session =
            intake_ident(intake, (const char *[]){"session", tenant, "voice", call->call_sid}, 4),
        .contact = intake_ident(intake, (const char *[]){"contact", tenant, "phone", address}, 4),
        .message = intake_ident(intake, (const char *[]){"message", tenant, "voice", event->id}, 4),
        .address_hash =
            intake_ident(intake, (const char *[]){"address", tenant, "phone", address}, 4),
        .conversation = uuid_new(),
    };
    hash_text(address, call->to, body, out.content_hash);
    return out;
}

static struct item item_from(enum item_kind kind, const struct voice_call *call)
{
    return (struct item){
        .kind = kind, .call_sid = call->call_sid, .partition = call->stream_partition};
}

static int read_setup(struct intake *intake, const struct bus_record *record, struct item *item,
                      struct inbox_event *event, struct err *err)
{
    struct voice_setup setup;
    if (voice_setup_decode(intake->arena, record, &setup, err) != 0)
        return -1;
    *item = item_from(!setup.resumed    ? ITEM_NOTE
                      : setup.step == 0 ? ITEM_RESUMED
                                        : ITEM_WAIT,
                      &setup.call);
    item->reason = "close";
    item->spoken = setup.spoken;
    item->step = setup.step;
    item->wait = setup.wait;
    *event = event_of(intake, &setup.event, &setup.call, "");
    return 0;
}

static int read_prompt(struct intake *intake, const struct bus_record *record, struct item *item,
                       struct inbox_event *event, struct err *err)
{
    struct voice_prompt prompt;
    if (voice_prompt_decode(intake->arena, record, &prompt, err) != 0)
        return -1;
    *item = item_from(ITEM_PROMPT, &prompt.call);
    item->step = prompt.call.relay_session[0] == '\0' ? prompt.number : 0;
    *event = event_of(intake, &prompt.event, &prompt.call,
                      prompt.keys[0] == '\0'
                          ? prompt.text
                          : arena_printf(intake->arena, "[keys pressed: %s]", prompt.keys));
    event->consent = INBOX_NO_WORD;
    return 0;
}

static int read_heard(struct intake *intake, const struct bus_record *record, struct item *item,
                      struct inbox_event *event, struct err *err)
{
    static const char *const words[] = {
        [VOICE_LAST] = "last",        [VOICE_INTERRUPT] = "interrupt", [VOICE_STALL] = "stall",
        [VOICE_OPEN] = "open",        [VOICE_CLOSE] = "close",         [VOICE_STOP] = "stop",
        [VOICE_FALLBACK] = "fallback"};
    struct voice_heard heard;
    if (voice_heard_decode(intake->arena, record, &heard, err) != 0)
        return -1;
    *item = item_from(ITEM_HEARD, &heard.call);
    item->reason = words[heard.reason];
    item->spoken = heard.spoken;
    *event = event_of(intake, &heard.event, &heard.call, "");
    return 0;
}

static int read_ended(struct intake *intake, const struct bus_record *record, struct item *item,
                      struct inbox_event *event, struct err *err)
{
    struct voice_ended ended;
    if (voice_ended_decode(intake->arena, record, &ended, err) != 0)
        return -1;
    *item = item_from(ended.found ? ITEM_FOUND : ITEM_ENDED, &ended.call);
    item->reason = "close";
    item->spoken = ended.spoken;
    *event = event_of(intake, &ended.event, &ended.call, "");
    return 0;
}

static int read_dialled(struct intake *intake, const struct bus_record *record, struct item *item,
                        struct inbox_event *event, struct err *err)
{
    static const char *const words[] = {
        [VOICE_ACCEPTED] = "a person took the call", [VOICE_REFUSED] = "the person declined",
        [VOICE_DIAL_NO_ANSWER] = "nobody answered",  [VOICE_DIAL_BUSY] = "the line was busy",
        [VOICE_DIAL_FAILED] = "it failed",           [VOICE_DIAL_HUNG_UP] = "the caller hung up"};
    static const char *const outcomes[] = {
        [VOICE_ACCEPTED] = "accepted",        [VOICE_REFUSED] = "refused",
        [VOICE_DIAL_NO_ANSWER] = "no_answer", [VOICE_DIAL_BUSY] = "busy",
        [VOICE_DIAL_FAILED] = "failed",       [VOICE_DIAL_HUNG_UP] = "hung_up"};
    struct voice_dialled dialled;
    if (voice_dialled_decode(intake->arena, record, &dialled, err) != 0)
        return -1;
    *item = item_from(ITEM_DIALLED, &dialled.call);
    item->dial = dialled.dial;
    item->reason = outcomes[dialled.outcome];
    *event = event_of(intake, &dialled.event, &dialled.call,
                      arena_printf(intake->arena, "Transfer of the call: %s (%lld s).",
                                   words[dialled.outcome], (long long)dialled.duration_s));
    return 0;
}

static int read_recorded(struct intake *intake, const struct bus_record *record, struct item *item,
                         struct inbox_event *event, struct err *err)
{
    struct voice_recorded recorded;
    if (voice_recorded_decode(intake->arena, record, &recorded, err) != 0)
        return -1;
    *item = item_from(ITEM_TASK, &recorded.call);
    item->account_sid = recorded.call.account_sid;
    item->duration_s = recorded.duration_s;
    *event = event_of(intake, &recorded.event, &recorded.call,
                      arena_printf(intake->arena, "The caller left a spoken message (%lld s).",
                                   (long long)recorded.duration_s));
    return 0;
}

static int read_record(struct intake *intake, const struct bus_record *record, struct item *item,
                       struct inbox_event *event, struct err *err)
{
    static const struct {
        const char *type;
        int (*read)(struct intake *intake, const struct bus_record *record, struct item *item,
                    struct inbox_event *event, struct err *err);
    } types[] = {{EVENT_VOICE_SETUP, read_setup},     {EVENT_VOICE_PROMPT, read_prompt},
                 {EVENT_VOICE_HEARD, read_heard},     {EVENT_VOICE_ENDED, read_ended},
                 {EVENT_VOICE_DIALLED, read_dialled}, {EVENT_VOICE_RECORDED, read_recorded}};
    const char *type = bus_header_text(record, intake->arena, "ce_type");
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].read(intake, record, item, event, err);
    return err_set(err, ERR_PERMANENT, "event.type", "no event of a call that is known here");
}

static void decode(struct intake *intake)
{
    struct map *seen = map_new();
    struct item *items = arena_alloc(intake->arena, (intake->record_count + 1) * sizeof *items);
    intake->batch = items;
    for (size_t i = 0; i < intake->record_count; i++) {
        struct inbox_event event;
        struct err err;
        if (read_record(intake, &intake->records[i], &items[i], &event, &err) == 0)
            intake_add(intake, seen, &event, i);
        else
            intake_dead_letter(intake, i, err.code);
    }
    map_free(&seen);
}

/* ---- a unit ---- */

static bool is_claim(const struct intake *intake, size_t event)
{
    return item_of(intake, &intake->events[event])->kind <= ITEM_PROMPT;
}

static size_t count(const struct intake *intake)
{
    size_t n = 0;
    while (!intake->singly && intake->first + n < intake->event_count &&
           is_claim(intake, intake->first + n))
        n++;
    return n > 0 ? n : 1;
}

static void begin_turns(struct intake *intake, struct slice *slice)
{
    for (size_t i = 0; i < slice->count; i++) {
        const struct inbox_event *event = &slice->events[i];
        uint64_t ticket;
        if (item_of(intake, event)->kind != ITEM_PROMPT ||
            !sessions_begin_call(intake->engine->sessions, event->tenant, &event->session, &ticket))
            continue;
        slice->tickets[slice->start_count] = ticket;
        slice->starts[slice->start_count++] = (struct turn_start){
            .tenant = event->tenant, .session = event->session, .turn = uuid_new()};
    }
}

/* In the order of arrival: the newest place counts. */
static void add_place(struct slice *slice, const struct inbox_event *event, const struct item *item)
{
    const struct voice_place place = {.tenant = event->tenant,
                                      .session = event->session,
                                      .call_sid = item->call_sid,
                                      .partition = item->partition};
    if (item->step == 0) {
        slice->places[slice->place_count++] = place;
        return;
    }
    slice->places[slice->count - 1 - slice->step_count] = place;
    slice->steps[slice->step_count++] = (struct voice_step){.tenant = event->tenant,
                                                            .session = event->session,
                                                            .call_sid = item->call_sid,
                                                            .partition = item->partition,
                                                            .step = item->step,
                                                            .wait = item->wait};
}

static struct slice *make_slice(struct intake *intake)
{
    struct arena *arena = intake->claim_arena;
    struct slice *slice = arena_alloc(arena, sizeof *slice);
    const size_t n = intake->claim_count;
    *slice = (struct slice){.events = arena_alloc(arena, n * sizeof *slice->events),
                            .places = arena_alloc(arena, n * sizeof *slice->places),
                            .steps = arena_alloc(arena, n * sizeof *slice->steps),
                            .starts = arena_alloc(arena, n * sizeof *slice->starts),
                            .tickets = arena_alloc(arena, n * sizeof *slice->tickets),
                            .count = n};
    memcpy(slice->events, &intake->events[intake->first], n * sizeof *slice->events);
    qsort(slice->events, n, sizeof *slice->events, intake_by_identity);
    for (size_t i = 0; i < n; i++)
        add_place(slice, &intake->events[intake->first + i],
                  item_of(intake, &intake->events[intake->first + i]));
    return slice;
}

enum { CLAIM_FIRST = 1 /* behind the mark of workers */ };

static void fill_claims(struct intake *intake, struct pg_unit *unit, const char *worker)
{
    struct arena *arena = intake->claim_arena;
    const struct engine_settings *settings = &intake->engine->shared->settings;
    struct slice *slice = intake->slice;
    begin_turns(intake, slice);
    turn_add_mark_before(unit, arena, worker, slice->starts, slice->start_count);
    inbox_add_claim(
        unit, arena, worker, slice->events, slice->count,
        &(struct inbox_timing){.answer_within_ms = LATE_MS, .quiet_ms = settings->quiet_ms});
    voice_add_locks(unit, arena, slice->places, slice->count);
    voice_add_places(unit, arena, slice->places, slice->place_count);
    if (slice->step_count > 0)
        voice_step_add(unit, arena, slice->steps, slice->step_count);
    struct turn_times times = statements_times(settings, SHARE_CALL);
    times.claimed_before = true;
    slice->start_statement = unit->count;
    turn_add_start(unit, arena, worker, slice->starts, slice->start_count, &times);
}

/* The unit's last statement, where there is a step in it. */
static void fill_answers(struct intake *intake, struct pg_unit *unit)
{
    struct slice *slice = intake->slice;
    slice->answers_statement = unit->count;
    if (slice->step_count > 0)
        voice_step_add_answers(unit, intake->claim_arena, slice->steps, slice->step_count);
}

static void fill_word(struct intake *intake, struct pg_unit *unit, const char *worker)
{
    const struct inbox_event *event = &intake->events[intake->first];
    const struct item *item = item_of(intake, event);
    const struct voice_word word = {.tenant = event->tenant,
                                    .session = event->session,
                                    .turn = item->spoken.turn,
                                    .fence = item->spoken.fence,
                                    .seq = item->spoken.seq,
                                    .text = item->spoken.text,
                                    .reason = item->reason};
    voice_add_word(unit, intake->claim_arena, worker, &word);
}

/* A caller whom nobody has taken over the telephone may be back. */
static void fill_return(struct intake *intake, struct pg_unit *unit)
{
    struct arena *arena = intake->claim_arena;
    const struct inbox_event *event = &intake->events[intake->first];
    const struct item *item = item_of(intake, event);
    const char *prompt =
        item->step > 0 ? arena_printf(arena, "%s:%lld", item->call_sid, (long long)item->step) : "";
    transfer_add_return(unit, arena,
                        &(struct transfer_return){.tenant = event->tenant,
                                                  .record = event->provider_id,
                                                  .session = event->session,
                                                  .prompt = prompt});
}

/* Who did not hold the call before tells nothing: what was heard of a turn that is at work here is
 * then judged by the time. The question what to say is the unit's last statement. */
static void fill_resume(struct intake *intake, struct pg_unit *unit, const char *worker)
{
    const struct inbox_event *event = &intake->events[intake->first];
    struct item *item = item_of(intake, event);
    const bool is_told = !uuid_is_nil(&item->spoken.turn);
    if (is_told ||
        voice_reckon(intake->engine->sessions, &event->session, intake->claim_arena, &item->spoken))
        fill_word(intake, unit, worker);
    fill_return(intake, unit);
    voice_add_resume(unit, intake->claim_arena,
                     &(struct voice_resume){.tenant = event->tenant,
                                            .record = event->provider_id,
                                            .session = event->session,
                                            .at_ms = event->event_time_ms,
                                            .is_told = is_told});
}

static void fill_end(struct pg_unit *unit, struct arena *arena, const struct inbox_event *event)
{
    voice_add_end(unit, arena,
                  &(struct voice_end_of_call){.tenant = event->tenant,
                                              .session = event->session,
                                              .at_ms = event->event_time_ms});
    transfer_add_end(unit, arena, event->tenant, &event->session);
}

static void fill_dialled(struct intake *intake, struct pg_unit *unit)
{
    const struct inbox_event *event = &intake->events[intake->first];
    const struct item *item = item_of(intake, event);
    transfer_add_outcome(unit, intake->claim_arena,
                         &(struct transfer_outcome){
                             .tenant = event->tenant, .id = item->dial, .outcome = item->reason});
}

/* A recording, whose id is its record's; or a call of which only the provider knows. Who withheld
 * his number cannot be called back. */
static void fill_task(struct intake *intake, struct pg_unit *unit)
{
    struct arena *arena = intake->claim_arena;
    const struct inbox_event *event = &intake->events[intake->first];
    const struct item *item = item_of(intake, event);
    const bool has_number = strcmp(event->address, item->call_sid) != 0;
    struct voice_task task = {.tenant = event->tenant,
                              .session = event->session,
                              .id = event->message,
                              .summary = event->body,
                              .call_back = has_number ? event->address : NULL,
                              .recording_sid = event->provider_id,
                              .account_sid = item->account_sid,
                              .duration_s = item->duration_s};
    if (item->kind == ITEM_TASK) {
        voice_add_task(unit, arena, &task);
        return;
    }
    task.summary = "Somebody called while the desk could hear nothing, and left no message.";
    fill_end(unit, arena, event);
    voice_add_missed(unit, arena, &task);
}

static void fill(struct intake *intake, struct pg_unit *unit)
{
    struct arena *arena = intake->claim_arena;
    const char *worker = arena_strdup(arena, worker_id(intake->engine->worker));
    const struct inbox_event *event = &intake->events[intake->first];
    const enum item_kind kind = item_of(intake, event)->kind;
    intake->slice = NULL;
    if (kind == ITEM_HEARD || kind == ITEM_ENDED) {
        fill_word(intake, unit, worker);
        if (kind == ITEM_ENDED)
            fill_end(unit, arena, event);
        return;
    }
    intake->slice = make_slice(intake);
    fill_claims(intake, unit, worker);
    if (kind == ITEM_RESUMED)
        fill_resume(intake, unit, worker);
    if (kind == ITEM_WAIT)
        fill_return(intake, unit);
    if (kind == ITEM_DIALLED)
        fill_dialled(intake, unit);
    if (kind == ITEM_TASK || kind == ITEM_FOUND)
        fill_task(intake, unit);
    fill_answers(intake, unit);
}

/* ---- its answer ---- */

static void report_turns(struct intake *intake, const struct pg_answer *answer)
{
    struct slice *slice = intake->slice;
    struct sessions *sessions = intake->engine->sessions;
    struct turn_started started;
    bool *found = arena_alloc(intake->claim_arena, (slice->start_count + 1) * sizeof *found);
    for (int row = 0; turn_read_started_at(answer, slice->start_statement, row, &started); row++) {
        if (started.index >= slice->start_count)
            continue;
        found[started.index] = true;
        sessions_call_begun(sessions, &slice->starts[started.index].session,
                            slice->tickets[started.index], &started);
    }
    for (size_t i = 0; i < slice->start_count; i++)
        if (!found[i])
            sessions_call_begun(sessions, &slice->starts[i].session, slice->tickets[i], NULL);
}

/* A turn that is at work, also one that has just started, answers the newest request; what was
 * answered before is said again to whoever asks. */
static void report_steps(struct intake *intake, const struct pg_answer *answer)
{
    struct slice *slice = intake->slice;
    struct voice_step_answer found;
    for (size_t i = 0; i < slice->step_count; i++)
        voice_step_asked(intake->engine->sessions, &slice->steps[i]);
    for (int row = 0; slice->step_count > 0 &&
                      voice_step_read_answer(answer, slice->answers_statement, row, &found);
         row++)
        if (found.index < slice->step_count)
            voice_step_answer(intake->engine, &slice->steps[found.index], &found);
}

static void report_claims(struct intake *intake, const struct pg_answer *answer)
{
    struct slice *slice = intake->slice;
    struct sessions *sessions = intake->engine->sessions;
    struct inbox_claimed claimed;
    bool *found = arena_alloc(intake->claim_arena, (slice->count + 1) * sizeof *found);
    for (int row = 0; inbox_read_claim_behind(answer, CLAIM_FIRST, row, &claimed); row++) {
        if (claimed.index >= slice->count)
            continue;
        const struct inbox_event *event = &slice->events[claimed.index];
        const struct item *item = item_of(intake, event);
        found[claimed.index] = true;
        metric_add(claimed.fresh ? counters.voice_claimed : counters.voice_duplicates, 1);
        STOP_POINT("engine.claimed", event->provider_id);
        if (item->kind == ITEM_RESUMED && claimed.fresh)
            voice_moved(sessions, &claimed.session, item->partition);
        if (item->kind == ITEM_FOUND)
            sessions_forget(sessions, &claimed.session);
        if (!claimed.mine ||
            !sessions_have_room(sessions, event->tenant, &claimed.session, SHARE_CALL))
            continue;
        sessions_claimed(sessions, event->tenant, &claimed.session, &claimed.conversation,
                         claimed.claimed, claimed.due_in_ms);
        sessions_mark(sessions, &claimed.session, SHARE_CALL);
    }
    for (size_t i = 0; i < slice->count; i++)
        if (!found[i])
            intake_dead_letter(intake, (size_t)slice->events[i].place, "claim.no_channel");
    report_turns(intake, answer);
    report_steps(intake, answer);
    struct voice_resumed resumed;
    if (item_of(intake, &slice->events[0])->kind == ITEM_RESUMED &&
        voice_read_resumed(answer, answer->count - 1, &resumed))
        voice_resume(intake->engine, slice->events[0].tenant, &resumed);
}

static void report_word(struct intake *intake, const struct pg_answer *answer)
{
    const struct inbox_event *event = &intake->events[intake->first];
    const struct item *item = item_of(intake, event);
    struct sessions *sessions = intake->engine->sessions;
    struct voice_told told;
    voice_read_told(answer, 0, &told);
    log_debug("voice.heard", LOG_TEXT("reason", item->reason), LOG_INT("fence", item->spoken.fence),
              LOG_INT("seq", item->spoken.seq), LOG_INT("told", told.kind));
    if (item->kind == ITEM_ENDED || told.kind == VOICE_TOLD_ANEW ||
        strcmp(item->reason, "stop") == 0)
        sessions_forget(sessions, &event->session);
    if (item->kind == ITEM_ENDED)
        return;
    if (told.kind == VOICE_TOLD_RUNNING)
        voice_heard(sessions, &event->session, &item->spoken, item->reason, told.words);
    if (told.kind != VOICE_TOLD_ANEW ||
        !sessions_have_room(sessions, event->tenant, &event->session, SHARE_CALL))
        return;
    sessions_claimed(sessions, event->tenant, &event->session, &told.conversation, told.claimed,
                     told.due_in_ms);
    sessions_mark(sessions, &event->session, SHARE_CALL);
}

static void report(struct intake *intake, const struct pg_answer *answer)
{
    if (intake->slice != NULL)
        report_claims(intake, answer);
    else
        report_word(intake, answer);
}

/* The turns that were to start with the claim wait for its next try. */
static void undo(struct intake *intake)
{
    struct slice *slice = intake->slice;
    for (size_t i = 0; slice != NULL && i < slice->start_count; i++)
        sessions_call_begun(intake->engine->sessions, &slice->starts[i].session, slice->tickets[i],
                            NULL);
}

const struct intake_lane intake_voice = {.topic = TOPIC_INBOUND_VOICE,
                                         .decode = decode,
                                         .count = count,
                                         .fill = fill,
                                         .report = report,
                                         .undo = undo};
