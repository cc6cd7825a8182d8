/* Answers to steps: see voice_step.h. session.c has one sent when its turn is committed,
 * voice_intake.c when a request asks for it again. */
#include "voice_step.h"

#include "assistants.h"
#include "base/text.h"
#include "contract/voice.h"
#include "voice_inside.h"
#include "voice_stream.h"

#include <string.h>

/* Of `<call_sid>:<number>`, or of `<call_sid>:<relay_session>:<number>`; 0: the id is another's. */
static int64_t number_of(const char *id, const char *call_sid, bool in_session)
{
    const size_t length = strlen(call_sid);
    int64_t number = 0;
    if (strncmp(id, call_sid, length) != 0 || id[length] != ':')
        return 0;
    const char *behind = id + length + 1, *colon = strchr(behind, ':');
    if ((colon != NULL) != in_session)
        return 0;
    behind = in_session ? colon + 1 : behind;
    return text_parse_int(behind, 1, in_session ? VOICE_NUMBER_MAX : VOICE_STEP_MAX, &number)
               ? number
               : 0;
}

static int64_t newest_of(const char *events, const char *call_sid, bool in_session)
{
    struct arena *arena = arena_new();
    const char **ids;
    size_t count = 0;
    int64_t newest = 0;
    struct err err;
    if (pg_array_decode(arena, events, &ids, &count, &err) != 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        const int64_t number = number_of(ids[i], call_sid, in_session);
        newest = number > newest ? number : newest;
    }
    arena_free(&arena);
    return newest;
}

int64_t voice_step_of(const char *events, const char *call_sid)
{
    return newest_of(events, call_sid, false);
}

int64_t voice_prompt_of(const char *events, const char *call_sid)
{
    return newest_of(events, call_sid, true);
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

const char *voice_step_language(struct session *session)
{
    const struct assistant *assistant = think_assistant(session);
    if (session->voice->step > 0)
        return voice_language(session);
    return assistant != NULL ? assistant->profile.language : "en";
}

void voice_step_prepare(struct session *session)
{
    const struct voice *voice = session->voice;
    if (voice == NULL)
        return;
    const bool switched = strcmp(voice->lang, session->turn.language) != 0;
    session->commit.handoff = voice->step > 0 ? voice->handoff : NULL;
    session->commit.lang =
        voice->lang[0] != '\0' && (voice->step > 0 || switched) ? voice->lang : NULL;
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
