/* The word to whoever has pressed a key: see voice_answered.h. It travels as the answer to a step
 * of webhook mode does, and like that one is said again to whoever asks again. */
#include "voice_answered.h"

#include "base/stop.h"
#include "contract/voice.h"
#include "counters.h"
#include "rota_words.h"
#include "service/log.h"
#include "voice_stream.h"

#include <string.h>

#define KEY_STEP 1 /* as ingress numbers it (voice_placed.c) */

static const char *word_of(struct arena *arena, const struct call_answered *answered)
{
    const struct rota_words *words = rota_words_of(answered->language);
    switch (answered->kind) {
    case CALL_ANSWER_THEIRS:
        return words->yours;
    case CALL_ANSWER_TAKEN:
        return rota_words_fill(arena, words->taken, answered->by);
    case CALL_ANSWER_CLOSED:
        return words->closed;
    case CALL_ANSWER_LATE:
        return words->late;
    case CALL_ANSWER_NOTED:
        break;
    }
    return NULL;
}

void voice_answered_tell(struct engine *engine, const struct call_answer *told,
                         const char *call_sid, int partition, const struct pg_answer *answer)
{
    struct call_answered answered;
    char id[UUID_TEXT_SIZE];
    if (!call_answer_read(answer, &answered)) {
        log_warn("call.answered_unknown", LOG_TEXT("delivery", uuid_format(&told->delivery, id)));
        return;
    }
    struct arena *arena = arena_new();
    const char *word = word_of(arena, &answered);
    struct voice_frame frame = {.event = {.tenant = told->tenant, .traceparent = ""},
                                .call_sid = call_sid,
                                .turn = told->delivery,
                                .turn_number = 1,
                                .fence = 1,
                                .kind = VOICE_FRAME_STEP,
                                .text = word,
                                .lang = "",
                                .keys = "",
                                .handoff = "",
                                .step = KEY_STEP};
    log_info("call.answered", LOG_TEXT("delivery", uuid_format(&told->delivery, id)),
             LOG_TEXT("outcome", told->outcome), LOG_INT("kind", answered.kind));
    if (word != NULL) {
        STOP_POINT("engine.call_answered", id);
        voice_stream_send(engine, partition, &frame);
    }
    arena_free(&arena);
}
