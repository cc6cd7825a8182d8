/* The filter of a call: which frame of desk.voice.stream is spoken, in which order (the table in
 * docs/VOICE.md). call.c has what happens then. */
#include "base/mem.h"
#include "call_inside.h"

#include <stdlib.h>
#include <string.h>

/* ---- frames that wait for a missing one ---- */

static void free_frame(struct voice_frame *frame)
{
    const char *texts[] = {frame->text, frame->lang, frame->keys, frame->handoff};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free((void *)(uintptr_t)texts[i]);
}

void call_drop_held(struct call *call)
{
    struct call_turn *turn = &call->turn;
    for (size_t i = 0; i < turn->held_count; i++)
        free_frame(&turn->held[i]);
    free(turn->held);
    turn->held = NULL;
    turn->held_count = 0;
    turn->missing_ms = -1;
}

static char *copy(const char *text)
{
    return xstrdup(text != NULL ? text : "");
}

/* What is beyond the bound is dropped, and missing in its turn. */
static enum call_verdict hold(struct call *call, int64_t now_ms, const struct voice_frame *frame)
{
    struct call_turn *turn = &call->turn;
    for (size_t i = 0; i < turn->held_count; i++)
        if (turn->held[i].seq == frame->seq)
            return VERDICT_REPEAT;
    if (turn->missing_ms < 0)
        turn->missing_ms = now_ms;
    if (turn->held_count == CALL_HELD_MAX)
        return VERDICT_SHUT;
    if (turn->held == NULL)
        turn->held = xcalloc(CALL_HELD_MAX, sizeof *turn->held);
    struct voice_frame *kept = &turn->held[turn->held_count++];
    *kept = *frame;
    kept->text = copy(frame->text);
    kept->lang = copy(frame->lang);
    kept->keys = copy(frame->keys);
    kept->handoff = copy(frame->handoff);
    return VERDICT_HELD;
}

/* Takes the frame of that number out of those that wait. */
static bool unhold(struct call_turn *turn, int64_t seq, struct voice_frame *frame)
{
    for (size_t i = 0; i < turn->held_count; i++) {
        if (turn->held[i].seq != seq)
            continue;
        *frame = turn->held[i];
        turn->held[i] = turn->held[--turn->held_count];
        return true;
    }
    return false;
}

void call_give_up_missing(struct call *call, const struct call_input *in)
{
    const struct speech *speech = &call->speech;
    size_t length = call->turn.finished ? speech->text.length : speech_heard(speech, in->now_ms);
    call_drop_held(call);
    call_tell(call, VOICE_STALL, length, in->acts);
    call->turn.shut = true;
    call_fire(call, ON_STALL, in);
}

/* ---- one frame that is next ---- */

/* What a fence answers whose engine does not tell: all that was said before it, or before the
 * socket where its turn is of before that. */
static int64_t held_by(const struct call *call, const struct voice_frame *frame)
{
    if (frame->prompt > 0)
        return frame->prompt;
    return frame->turn_number <= call->before.turn_number ? call->before.number : call->number;
}

/* True if the caller has an answer to all that he said. Asides alone answer nothing: who comes back
 * over another socket gets the bridge, whatever he has said into it by then. */
static bool answers_all(const struct call *call, const struct voice_frame *frame)
{
    bool words = frame->kind == VOICE_FRAME_END || (frame->text[0] != '\0' && !frame->aside);
    return !call->turn.interrupted && call->turn.holds >= call->number &&
           (words || frame->prompt > 0 || call->number == call->before.number);
}

/* The turn may have begun before the newest socket, where another ingress may have spoken of it.
 * Numbers of prompts begin anew with a relay session: one that was not counted in this is older. */
static bool may_be_older(const struct call *call, const struct voice_frame *frame)
{
    bool of_here = frame->prompt > call->before.number && frame->prompt <= call->number;
    return call->before.elsewhere && !of_here;
}

#define KEY_MS 250 /* that a digit of sendDigits sounds, about */

static void take(struct call *call, const struct voice_frame *frame, const struct call_input *from)
{
    struct call_input in = *from;
    in.frame = frame;
    call->turn.next = frame->seq + 1;
    call->frame_ms = in.now_ms;
    if (answers_all(call, frame))
        call->owed = false;
    switch (frame->kind) {
    case VOICE_FRAME_OPEN:
        call->turn.elsewhere =
            call->turn.elsewhere || (!call->turn.begun && may_be_older(call, frame));
        call_fire(call, ON_OPEN, &in);
        break;
    case VOICE_FRAME_TEXT:
        call_fire(call, frame->last ? ON_LAST : ON_TEXT, &in);
        break;
    case VOICE_FRAME_END:
        call_fire(call, ON_END, &in);
        break;
    case VOICE_FRAME_LANGUAGE:
        call_add(in.acts, CALL_ACT_LANGUAGE)->text = arena_strdup(in.acts->arena, frame->lang);
        call_speak_in(call, frame->lang);
        break;
    case VOICE_FRAME_KEYS:
        call_add(in.acts, CALL_ACT_KEYS)->text = arena_strdup(in.acts->arena, frame->keys);
        speech_sound(&call->speech, in.now_ms, (int64_t)strlen(frame->keys) * KEY_MS);
        break;
    case VOICE_FRAME_STOP:
    case VOICE_FRAME_STEP:
        break;
    }
    call->wait_ms = call_later(call->wait_ms, call_later(in.now_ms, call->speech.audible_ms));
}

static void take_held(struct call *call, const struct call_input *in)
{
    struct call_turn *turn = &call->turn;
    struct voice_frame frame;
    if (turn->held_count == 0)
        return;
    while (unhold(turn, turn->next, &frame)) {
        if (frame.kind != VOICE_FRAME_TEXT || !turn->finished)
            take(call, &frame, in);
        free_frame(&frame);
    }
    if (turn->held_count == 0)
        call_drop_held(call);
    else
        turn->missing_ms = in->now_ms;
}

/* ---- the filter ---- */

/* Nothing can be said: before a socket, between two, after the fallback or `end`. */
static bool is_silent(const struct call *call)
{
    return call->state == CALL_WAITING || call->state == CALL_OVER || call->state == CALL_PARTED;
}

static void raise_epoch(struct call *call, const struct voice_frame *frame,
                        const struct call_input *in)
{
    call->epoch = frame->epoch;
    if (frame->kind == VOICE_FRAME_STOP || call_unsettled(call, in->now_ms))
        call_fire(call, ON_STOP, in);
}

static void begin_turn(struct call *call, const struct voice_frame *frame,
                       const struct call_input *in)
{
    struct call_turn *turn = &call->turn;
    if (turn->begun && !turn->finished && !turn->interrupted && !turn->shut)
        call_tell(call, VOICE_OPEN, call->speech.text.length, in->acts);
    call_drop_held(call);
    speech_begin(&call->speech);
    *turn = (struct call_turn){
        .id = frame->turn, .number = frame->turn_number, .fence = turn->fence, .missing_ms = -1};
}

/* A higher fence: its engine has the turn, whatever becomes of the frame. */
static enum call_verdict begin_fence(struct call *call, const struct voice_frame *frame,
                                     const struct call_input *in)
{
    struct call_turn *turn = &call->turn;
    bool same = frame->turn_number == turn->number && uuid_equal(&frame->turn, &turn->id);
    if (!same && frame->turn_number <= turn->number)
        return VERDICT_OLD_TURN;
    if (same && turn->begun && frame->kind != VOICE_FRAME_OPEN && frame->seq == 0)
        return VERDICT_AGAIN;
    if (!same)
        begin_turn(call, frame, in);
    call_drop_held(call);
    turn->fence = frame->fence;
    turn->epoch = frame->epoch;
    turn->next = 0;
    turn->said_seq = -1;
    turn->holds = held_by(call, frame);
    turn->shut = is_silent(call);
    if (turn->shut)
        call_tell(call, call->state == CALL_OVER ? VOICE_FALLBACK : VOICE_CLOSE,
                  call->speech.text.length, in->acts);
    return VERDICT_TAKEN;
}

/* A frame of the call's fence. */
static enum call_verdict in_fence(struct call *call, const struct voice_frame *frame,
                                  const struct call_input *in)
{
    struct call_turn *turn = &call->turn;
    bool open = frame->kind == VOICE_FRAME_OPEN;
    if (is_silent(call))
        return VERDICT_OVER;
    if (frame->seq < turn->next)
        return VERDICT_REPEAT;
    if (turn->interrupted && !open)
        return VERDICT_INTERRUPTED;
    if (turn->shut || (turn->finished && frame->kind == VOICE_FRAME_TEXT))
        return VERDICT_SHUT;
    if (frame->seq > turn->next)
        return hold(call, in->now_ms, frame);
    take(call, frame, in);
    take_held(call, in);
    return VERDICT_TAKEN;
}

static enum call_verdict judge(struct call *call, const struct voice_frame *frame,
                               const struct call_input *in)
{
    if (call->state == CALL_GONE || frame->kind == VOICE_FRAME_STEP ||
        strcmp(frame->call_sid, call->call_sid) != 0)
        return VERDICT_FOREIGN;
    if (frame->epoch < call->epoch)
        return VERDICT_OLD_EPOCH;
    bool newer = frame->epoch > call->epoch;
    if (newer)
        raise_epoch(call, frame, in);
    if (frame->kind == VOICE_FRAME_STOP)
        return newer ? VERDICT_TAKEN : VERDICT_REPEAT;
    if (frame->fence < call->turn.fence)
        return VERDICT_OLD_FENCE;
    if (frame->fence > call->turn.fence) {
        enum call_verdict verdict = begin_fence(call, frame, in);
        return verdict == VERDICT_TAKEN ? in_fence(call, frame, in) : verdict;
    }
    if (frame->turn_number != call->turn.number || !uuid_equal(&frame->turn, &call->turn.id))
        return VERDICT_OLD_TURN;
    return in_fence(call, frame, in);
}

enum call_verdict call_frame(struct call *call, int64_t now_ms, const struct voice_frame *frame,
                             struct call_acts *acts)
{
    struct call_input in = {.now_ms = now_ms, .frame = frame, .acts = acts};
    enum call_verdict verdict = judge(call, frame, &in);
    acts->due_ms = call_due(call);
    return verdict;
}
