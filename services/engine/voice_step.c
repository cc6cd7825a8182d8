/* Answers to steps: see voice_step.h. session.c has one sent when its turn is committed,
 * voice_intake.c when a request asks for it again. */
#include "voice_step.h"

#include "base/text.h"
#include "contract/voice.h"
#include "voice_inside.h"
#include "voice_stream.h"

#include <string.h>

int64_t voice_step_of(const char *events, const char *call_sid)
{
    struct arena *arena = arena_new();
    const size_t length = strlen(call_sid);
    const char **ids;
    size_t count = 0;
    int64_t step, newest = 0;
    struct err err;
    if (pg_array_decode(arena, events, &ids, &count, &err) != 0)
        count = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(ids[i], call_sid, length) == 0 && ids[i][length] == ':' &&
            text_parse_int(ids[i] + length + 1, 1, VOICE_STEP_MAX, &step) && step > newest)
            newest = step;
    arena_free(&arena);
    return newest;
}

void voice_step_answer(struct engine *engine, const struct voice_step *step,
                       const struct voice_step_answer *answer)
{
    struct arena *arena = arena_new();
    struct voice_frame frame = {
        .event = {.tenant = step->tenant, .traceparent = ""},
        .call_sid = step->call_sid,
        .turn = answer->turn,
        .turn_number = answer->number,
        .epoch = answer->epoch,
        .fence = answer->fence,
        .kind = VOICE_FRAME_STEP,
        /* The model's words are less; a tenant's own may not be. */
        .text = arena_strndup(arena, answer->text, text_utf8_prefix(answer->text, VOICE_PIECE_MAX)),
        .lang = answer->lang,
        .keys = "",
        .handoff = answer->handoff,
        .step = step->step};
    voice_stream_send(engine, (int)step->partition, &frame);
    arena_free(&arena);
}

void voice_step_prepare(struct session *session)
{
    const struct voice *voice = session->voice;
    if (voice == NULL || voice->step == 0)
        return;
    session->commit.handoff = voice->handoff;
    session->commit.lang = voice->lang[0] != '\0' ? voice->lang : NULL;
}

bool voice_step_committed(struct session *session)
{
    const struct voice *voice = session->voice;
    const struct turn_commit *commit = &session->commit;
    if (voice == NULL || voice->step == 0)
        return voice != NULL;
    const struct voice_step step = {.tenant = session->tenant,
                                    .session = session->id,
                                    .call_sid = voice->call_sid,
                                    .partition = voice->partition,
                                    .step = voice->step};
    const struct voice_step_answer answer = {.turn = session->turn.turn,
                                             .number = voice->number,
                                             .fence = session->turn.fence,
                                             .epoch = session->turn.epoch,
                                             .text = commit->body,
                                             .handoff =
                                                 commit->handoff != NULL ? commit->handoff : "",
                                             .lang = commit->lang != NULL ? commit->lang : ""};
    voice_step_answer(session->engine, &step, &answer);
    return true;
}

void voice_step_asked(struct sessions *sessions, const struct voice_step *step)
{
    struct voice *voice = voice_of(sessions, &step->session);
    if (voice != NULL && voice->step == step->step)
        voice->partition = (int)step->partition;
}
