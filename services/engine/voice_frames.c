/* The frames of a call's turn: see voice_inside.h. voice.c says what is in them. */
#include "voice_inside.h"

#include "base/clock.h"
#include "session.h"
#include "voice_stream.h"

#include <string.h>

static void hold(struct voice *voice, const struct voice_frame *frame)
{
    struct arena *arena = voice->session->arena;
    struct voice_held *held = arena_alloc(arena, sizeof *held);
    held->frame = *frame;
    held->frame.text = arena_strdup(arena, frame->text);
    held->frame.handoff = arena_strdup(arena, frame->handoff);
    held->frame.lang = arena_strdup(arena, frame->lang);
    STAILQ_INSERT_TAIL(&voice->unsent, held, link);
}

static void send(struct voice *voice, struct voice_frame *frame)
{
    const struct session *session = voice->session;
    if (voice_stream_send_of(session->engine, voice->partition, frame, &session->id))
        voice->in_flight++;
    else
        voice->is_lost = true;
}

void voice_start_stands(struct session *session)
{
    struct voice *voice = session->voice;
    struct voice_held *held;
    while (voice != NULL && (held = STAILQ_FIRST(&voice->unsent)) != NULL) {
        STAILQ_REMOVE_HEAD(&voice->unsent, link);
        send(voice, &held->frame);
    }
}

bool voice_waits(const struct session *session)
{
    const struct voice *voice = session->voice;
    return voice != NULL && voice->in_flight > 0 && !voice->is_cut;
}

/* A caller who has said more may have heard it all: only the reports were lost. Fixed wordings
 * would be said again whole. */
bool voice_repeats(struct session *session)
{
    struct voice *voice = session->voice;
    const struct turn_started *turn = &session->turn;
    if (voice == NULL || !voice->is_lost || voice->is_cut || session->claimed > turn->claimed ||
        strcmp(session->commit.outcome, "reply") != 0 ||
        uuid_equal(&voice->repeated, &turn->turn) || think_time_left_ms(session) <= 0)
        return false;
    voice->repeated = turn->turn;
    return true;
}

/* Of a turn that is over by now, or began anew, it says nothing. */
void voice_landed(struct sessions *sessions, const struct uuid *id, int64_t fence, bool is_lost)
{
    struct voice *voice = sessions != NULL ? voice_of(sessions, id) : NULL;
    if (voice == NULL || voice->session->turn.fence != fence)
        return;
    voice->is_lost = voice->is_lost || is_lost;
    if (--voice->in_flight > 0 || voice->is_cut || voice->session->state != TURN_COMMITTING)
        return;
    session_line_up(voice->session);
    statements_flush(sessions);
}

void voice_send_frame(struct voice *voice, struct voice_frame frame)
{
    const struct session *session = voice->session;
    if (voice->step > 0) {
        if (frame.kind == VOICE_FRAME_END)
            voice->handoff = frame.handoff;
        return;
    }
    frame.event.tenant = session->tenant;
    frame.event.traceparent = "";
    frame.call_sid = voice->call_sid;
    frame.turn = session->turn.turn;
    frame.turn_number = voice->number;
    frame.prompt = voice->prompt;
    frame.epoch = session->turn.epoch;
    frame.fence = session->turn.fence;
    frame.seq = voice->seq++;
    voice->sent_ms = clock_mono_ms();
    frame.text = frame.text != NULL ? frame.text : "";
    frame.handoff = frame.handoff != NULL ? frame.handoff : "";
    frame.lang = frame.lang != NULL ? frame.lang : "";
    frame.keys = "";
    if (session->with_claim)
        hold(voice, &frame);
    else
        send(voice, &frame);
}
