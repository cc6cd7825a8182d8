/* The lane of calls: what ingress tells on desk.inbound.voice, in its order (docs/VOICE.md). What a
 * caller says is claimed as a text is, and its turn starts in the same unit. How far a turn was
 * heard, and the end of a call, are units of their own between the claims, since they change what
 * the next one finds. What happened to a call otherwise is a note in its conversation. */
#include "voice_record.h"

#include "answering.h"
#include "base/mem.h"
#include "base/stop.h"
#include "counters.h"
#include "service/log.h"
#include "session.h"
#include "store/inbox_call.h"
#include "store/transfer.h"
#include "store/turn.h"
#include "store/voice.h"
#include "voice.h"
#include "voice_answered.h"
#include "voice_message.h"
#include "voice_resume.h"
#include "voice_step.h"

#include <stdlib.h>
#include <string.h>

/* What a caller said so long ago is not answered any more: he has heard something else since. */
#define LATE_MS 600000

#define AHEAD_MAX 8 /* turns of a unit for which more is asked beside it */

/* The slice that is in flight. */
struct slice {
    struct inbox_event *events; /* sorted */
    struct voice_place *places; /* those of calls in streaming mode first */
    size_t place_count;         /* so many */
    struct voice_step *steps;   /* of those in webhook mode */
    size_t step_count;
    struct turn_start *starts;       /* of calls whose turn starts with their claim */
    const struct inbox_event **said; /* by which */
    uint64_t *tickets;
    size_t count, start_count;
    int start_statement, answers_statement; /* of the unit */
    bool is_plain; /* one event, in the claim that looks at nothing else (store/inbox_call.h) */
};

static struct voice_record *record_of(const struct intake *intake, const struct inbox_event *event)
{
    struct voice_record *records = intake->batch;
    return &records[event->place];
}

/* ---- records ---- */

static void decode(struct intake *intake)
{
    struct map *seen = map_new();
    struct voice_record *records =
        arena_alloc(intake->arena, (intake->record_count + 1) * sizeof *records);
    intake->batch = records;
    for (size_t i = 0; i < intake->record_count; i++) {
        struct inbox_event event;
        struct err err;
        if (voice_record_read(intake, &intake->records[i], &records[i], &event, &err) == 0)
            intake_add(intake, seen, &event, i);
        else
            intake_dead_letter(intake, i, err.code);
    }
    map_free(&seen);
}

/* ---- a unit ---- */

static bool is_claim(const struct intake *intake, size_t event)
{
    return record_of(intake, &intake->events[event])->kind <= ITEM_PROMPT;
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
        if (record_of(intake, event)->kind != ITEM_PROMPT ||
            !sessions_begin_call(intake->engine->sessions, event->tenant, &event->session, &ticket))
            continue;
        slice->tickets[slice->start_count] = ticket;
        slice->said[slice->start_count] = event;
        slice->starts[slice->start_count++] = (struct turn_start){
            .tenant = event->tenant, .session = event->session, .turn = uuid_new()};
    }
}

/* In the order of arrival: the newest place counts. */
static void add_place(struct slice *slice, const struct inbox_event *event,
                      const struct voice_record *item)
{
    const struct voice_place place = {.tenant = event->tenant,
                                      .session = event->session,
                                      .call_sid = item->call_sid,
                                      .attestation = item->attestation,
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
                            .said = arena_alloc(arena, n * sizeof *slice->said),
                            .tickets = arena_alloc(arena, n * sizeof *slice->tickets),
                            .count = n};
    memcpy(slice->events, &intake->events[intake->first], n * sizeof *slice->events);
    qsort(slice->events, n, sizeof *slice->events, intake_by_identity);
    for (size_t i = 0; i < n; i++)
        add_place(slice, &intake->events[intake->first + i],
                  record_of(intake, &intake->events[intake->first + i]));
    return slice;
}

/* Words in a call in streaming mode, whose turn starts with them. One that failed is looked at
 * whole, and so is one that was not plain. */
static bool is_plain(const struct intake *intake, const struct slice *slice)
{
    return slice->count == 1 && slice->start_count == 1 && slice->step_count == 0 &&
           intake->failures == 0 && !record_of(intake, &slice->events[0])->is_not_plain;
}

/* Returns the claim's id. */
static const char *fill_plain(struct intake *intake, struct pg_unit *unit, const char *worker)
{
    const struct slice *slice = intake->slice;
    return inbox_call_add(
        unit, intake->claim_arena, worker,
        &(struct inbox_call){.event = &slice->events[0],
                             .call_sid = slice->places[0].call_sid,
                             .partition = slice->places[0].partition,
                             .answer_within_ms = LATE_MS,
                             .quiet_ms = intake->engine->shared->settings.quiet_ms});
}

static void fill_whole(struct intake *intake, struct pg_unit *unit, const char *worker)
{
    struct arena *arena = intake->claim_arena;
    const struct slice *slice = intake->slice;
    inbox_add_claim(unit, arena, worker, slice->events, slice->count,
                    &(struct inbox_timing){.answer_within_ms = LATE_MS,
                                           .quiet_ms = intake->engine->shared->settings.quiet_ms});
    voice_add_locks(unit, arena, slice->places, slice->count);
    voice_add_places(unit, arena, slice->places, slice->place_count);
    if (slice->step_count > 0)
        voice_step_add(unit, arena, slice->steps, slice->step_count);
}

static void fill_claims(struct intake *intake, struct pg_unit *unit, const char *worker)
{
    struct slice *slice = intake->slice;
    begin_turns(intake, slice);
    slice->is_plain = is_plain(intake, slice);
    const char *claim =
        NULL; /* older words may be open beside those that a plain one did not take */
    if (slice->is_plain)
        claim = fill_plain(intake, unit, worker);
    else
        fill_whole(intake, unit, worker);
    const struct turn_times times = statements_times(&intake->engine->shared->settings, SHARE_CALL);
    slice->start_statement = unit->count;
    turn_add_fresh(unit, intake->claim_arena, worker, slice->starts, slice->start_count, &times,
                   claim);
}

/* The unit's last statement, where there is a step in it. */
static void fill_answers(struct intake *intake, struct pg_unit *unit)
{
    struct slice *slice = intake->slice;
    slice->answers_statement = unit->count;
    if (slice->step_count > 0)
        voice_step_add_answers(unit, intake->claim_arena, slice->steps, slice->step_count);
}

static void fill_word(struct intake *intake, struct pg_unit *unit, const char *worker,
                      bool is_whole)
{
    const struct inbox_event *event = &intake->events[intake->first];
    const struct voice_record *item = record_of(intake, event);
    const struct voice_word word = {.tenant = event->tenant,
                                    .session = event->session,
                                    .turn = item->spoken.turn,
                                    .fence = item->spoken.fence,
                                    .epoch = item->spoken.epoch,
                                    .seq = item->spoken.seq,
                                    .text = item->spoken.text,
                                    .is_whole = is_whole,
                                    .reason = item->reason};
    voice_add_word(unit, intake->claim_arena, worker, &word);
}

/* A caller whom nobody has taken over the telephone may be back. */
static void fill_return(struct intake *intake, struct pg_unit *unit)
{
    struct arena *arena = intake->claim_arena;
    const struct inbox_event *event = &intake->events[intake->first];
    const struct voice_record *item = record_of(intake, event);
    const char *prompt =
        item->step > 0 ? arena_printf(arena, "%s:%lld", item->call_sid, (long long)item->step) : "";
    transfer_add_return(unit, arena,
                        &(struct transfer_return){.tenant = event->tenant,
                                                  .record = event->provider_id,
                                                  .session = event->session,
                                                  .prompt = prompt});
}

#define LINE_MS 600  /* from a frame to its sound, and from a socket's end to who answers that */
#define GONE_MS 1000 /* the same, and to the next socket, where nobody tells when the end was */

/* What was written to the socket before by then has sounded. */
static int64_t heard_until(const struct voice_record *item, const struct inbox_event *event)
{
    return event->event_time_ms - (item->gone_ms > 0 ? item->gone_ms + LINE_MS : GONE_MS);
}

/* Who did not hold the call before tells nothing: what was heard of a turn that is at work here is
 * then judged by the time. The question what to say is the unit's last statement. */
static void fill_resume(struct intake *intake, struct pg_unit *unit, const char *worker)
{
    const struct inbox_event *event = &intake->events[intake->first];
    struct voice_record *item = record_of(intake, event);
    const bool is_told = !uuid_is_nil(&item->spoken.turn);
    const int64_t until_ms = heard_until(item, event);
    if (is_told || voice_reckon(intake->engine->sessions, &event->session, until_ms,
                                intake->claim_arena, &item->spoken))
        fill_word(intake, unit, worker, !is_told);
    fill_return(intake, unit);
    voice_add_resume(unit, intake->claim_arena,
                     &(struct voice_resume){.tenant = event->tenant,
                                            .record = event->provider_id,
                                            .session = event->session,
                                            .until_ms = until_ms,
                                            .is_told = is_told});
}

static bool is_end(enum item_kind kind)
{
    return kind == ITEM_FOUND || kind == ITEM_MISSED || kind == ITEM_OVER || kind == ITEM_ENDED;
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
    const struct voice_record *item = record_of(intake, event);
    transfer_add_outcome(unit, intake->claim_arena,
                         &(struct transfer_outcome){
                             .tenant = event->tenant, .id = item->dial, .outcome = item->reason});
}

/* What the caller left is a task, whose id is made of its recording's, by whichever event; a call
 * of which only the provider knows is one as well, or one in which nobody answered the caller,
 * whose id is made of its end's. */
static void fill_task(struct intake *intake, struct pg_unit *unit)
{
    const struct inbox_event *event = &intake->events[intake->first];
    struct voice_record *item = record_of(intake, event);
    const char *sid = item->message.recording_sid;
    const char *end = arena_printf(intake->claim_arena, "%s:ended", item->call_sid);
    item->message.call_sid = item->call_sid;
    item->message.task = event->message;
    item->message.missed =
        intake_ident(intake, (const char *[]){"message", event->tenant, "voice", end}, 4);
    if (item->kind == ITEM_TRANSCRIPT)
        item->message.task =
            intake_ident(intake, (const char *[]){"message", event->tenant, "voice", sid}, 4);
    if (is_end(item->kind))
        fill_end(unit, intake->claim_arena, event);
    voice_message_add(unit, intake->claim_arena, event, &item->message);
}

/* The start is judged, and the unit is all but committed: the model may be asked, nothing may be
 * said. A turn that somebody else began asks first what was said, so it waits. */
static void judged(void *arg, const struct pg_answer *answer)
{
    struct intake *intake = arg;
    const struct slice *slice = intake->slice;
    struct turn_started started;
    for (int row = 0; turn_read_started_at(answer, slice->start_statement, row, &started); row++) {
        if (started.index >= slice->start_count || started.kind != TURN_START_RUN || started.again)
            continue;
        sessions_call_judged(intake->engine->sessions, &slice->starts[started.index].session,
                             slice->tickets[started.index], &started);
    }
}

static void fill(struct intake *intake, struct pg_unit *unit)
{
    struct arena *arena = intake->claim_arena;
    const char *worker = arena_strdup(arena, worker_id(intake->engine->worker));
    const struct inbox_event *event = &intake->events[intake->first];
    const enum item_kind kind = record_of(intake, event)->kind;
    intake->slice = NULL;
    if (kind == ITEM_ANSWERED)
        call_answer_add(unit, arena, &record_of(intake, event)->answered);
    else if (kind >= ITEM_HEARD)
        fill_word(intake, unit, worker, false);
    if (kind == ITEM_ENDED)
        fill_end(unit, arena, event);
    if (kind >= ITEM_HEARD)
        return;
    intake->slice = make_slice(intake);
    fill_claims(intake, unit, worker);
    if (kind == ITEM_RESUMED)
        fill_resume(intake, unit, worker);
    if (is_end(kind))
        fill_word(intake, unit, worker, false);
    if (kind == ITEM_WAIT)
        fill_return(intake, unit);
    if (kind == ITEM_DIALLED)
        fill_dialled(intake, unit);
    if (kind == ITEM_TASK || kind == ITEM_TRANSCRIPT || kind == ITEM_FOUND || kind == ITEM_MISSED)
        fill_task(intake, unit);
    if (kind == ITEM_OVER)
        fill_end(unit, arena, event);
    fill_answers(intake, unit);
    const struct slice *slice = intake->slice;
    if (intake->failures == 0 && slice->start_count > 0 &&
        slice->start_statement == unit->count - 1)
        unit->early = judged; /* not again where its commit fails: a model is paid for each time */
}

/* What is known of the numbers that were called. A unit that is tried singly has failed once. */
static void sent(struct intake *intake)
{
    const struct slice *slice = intake->slice;
    struct briefing_guess guesses[AHEAD_MAX];
    size_t count = 0;
    if (slice == NULL || intake->singly)
        return;
    for (size_t i = 0; i < slice->start_count && count < AHEAD_MAX; i++) {
        const struct inbox_event *said = slice->said[i];
        const struct answering_version *known =
            answering_look(intake->engine->answering, said->tenant, said->sender);
        if (known != NULL)
            guesses[count++] = (struct briefing_guess){.session = said->session,
                                                       .contact = said->contact,
                                                       .words = said->body,
                                                       .assistant = known->assistant,
                                                       .version = known->version,
                                                       .has_knowledge = known->has_knowledge};
    }
    briefing_ask_ahead(intake->engine->sessions, guesses, count);
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
        const struct inbox_event *said = slice->said[started.index];
        found[started.index] = true;
        if (started.kind == TURN_START_RUN)
            answering_note(intake->engine->answering, said->tenant, said->sender, &started);
        sessions_call_begun(sessions, &slice->starts[started.index].session,
                            slice->tickets[started.index], &started);
    }
    for (size_t i = 0; i < slice->start_count; i++)
        if (!found[i])
            sessions_call_by_itself(sessions, &slice->starts[i].session, slice->tickets[i]);
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

static void report_claim(struct intake *intake, const struct inbox_claimed *claimed)
{
    struct sessions *sessions = intake->engine->sessions;
    const struct slice *slice = intake->slice;
    const struct inbox_event *event = &slice->events[claimed->index];
    const struct voice_record *item = record_of(intake, event);
    const bool is_new = claimed->fresh || item->is_not_plain; /* that claim told nothing */
    metric_add(is_new ? counters.voice_claimed : counters.voice_duplicates, 1);
    STOP_POINT("engine.claimed", event->provider_id);
    if (item->kind == ITEM_RESUMED && claimed->fresh)
        voice_moved(sessions, &claimed->session, item->partition);
    if (is_end(item->kind))
        sessions_forget(sessions, &claimed->session);
    if (!claimed->mine ||
        !sessions_have_room(sessions, event->tenant, &claimed->session, SHARE_CALL))
        return;
    sessions_claimed(sessions, event->tenant, &claimed->session, &claimed->conversation,
                     claimed->claimed, claimed->due_in_ms);
    sessions_mark(sessions, &claimed->session, SHARE_CALL);
}

/* A start tells that its event was claimed. Without one the event is claimed whole. */
static void report_plain(struct intake *intake, const struct pg_answer *answer)
{
    struct slice *slice = intake->slice;
    struct turn_started started;
    if (turn_read_started_at(answer, slice->start_statement, 0, &started)) {
        report_claim(intake, &(struct inbox_claimed){.fresh = true,
                                                     .mine = true,
                                                     .session = slice->events[0].session,
                                                     .conversation = started.conversation,
                                                     .claimed = started.claimed});
        report_turns(intake, answer);
        return;
    }
    record_of(intake, &slice->events[0])->is_not_plain = true;
    intake->lane->undo(intake);
    intake->claim_count = 0;
}

static void report_claims(struct intake *intake, const struct pg_answer *answer)
{
    struct slice *slice = intake->slice;
    struct inbox_claimed claimed;
    bool *found = arena_alloc(intake->claim_arena, (slice->count + 1) * sizeof *found);
    for (int row = 0; inbox_read_claim(answer, row, &claimed); row++) {
        if (claimed.index >= slice->count)
            continue;
        found[claimed.index] = true;
        report_claim(intake, &claimed);
    }
    for (size_t i = 0; i < slice->count; i++) {
        const struct inbox_event *event = &slice->events[i];
        if (!found[i] && is_end(record_of(intake, event)->kind)) /* it has ended all the same */
            sessions_forget(intake->engine->sessions, &event->session);
        else if (!found[i])
            intake_dead_letter(intake, (size_t)event->place, "claim.no_channel");
    }
    report_turns(intake, answer);
    report_steps(intake, answer);
    struct voice_resumed resumed;
    if (record_of(intake, &slice->events[0])->kind == ITEM_RESUMED &&
        voice_read_resumed(answer, answer->count - 1, &resumed))
        voice_resume(intake->engine, slice->events[0].tenant, &resumed);
}

static void report_word(struct intake *intake, const struct pg_answer *answer)
{
    const struct inbox_event *event = &intake->events[intake->first];
    const struct voice_record *item = record_of(intake, event);
    struct sessions *sessions = intake->engine->sessions;
    struct voice_told told;
    voice_read_told(answer, 0, &told);
    log_debug("voice.heard", LOG_TEXT("reason", item->reason), LOG_INT("fence", item->spoken.fence),
              LOG_INT("seq", item->spoken.seq), LOG_INT("told", told.kind));
    if (item->kind == ITEM_ENDED || told.kind == VOICE_TOLD_ANEW ||
        (strcmp(item->reason, "stop") == 0 &&
         voice_is_stopped(sessions, &event->session, item->spoken.epoch)))
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
    const struct voice_record *record = record_of(intake, &intake->events[intake->first]);
    const struct slice *slice = intake->slice;
    if (slice != NULL && slice->is_plain)
        report_plain(intake, answer);
    else if (slice != NULL)
        report_claims(intake, answer);
    else if (record->kind == ITEM_ANSWERED)
        voice_answered_tell(intake->engine, &record->answered, record->call_sid, record->partition,
                            answer);
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
                                         .sent = sent,
                                         .report = report,
                                         .undo = undo};
