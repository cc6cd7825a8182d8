/* Speaks into a resumed call: see voice_resume.h. voice_intake.c calls it when the setup of another
 * socket is committed. */
#include "voice_resume.h"

#include "prompt/phone_words.h"
#include "speak.h"
#include "voice_stream.h"

#include <string.h>

struct speech {
    struct engine *engine;
    const struct voice_resumed *call;
    const char *tenant;
    struct uuid turn;
    int64_t seq;
};

static void say(struct speech *speech, struct voice_frame frame)
{
    const struct voice_resumed *call = speech->call;
    frame.event.tenant = speech->tenant;
    frame.event.traceparent = "";
    frame.call_sid = call->call_sid;
    frame.turn = speech->turn;
    frame.turn_number = call->number;
    frame.epoch = call->epoch;
    frame.fence = call->fence;
    frame.seq = speech->seq++;
    frame.text = frame.text != NULL ? frame.text : "";
    frame.lang = frame.keys = frame.handoff = "";
    voice_stream_send(speech->engine, call->partition, &frame);
}

/* From the beginning of the sentence that was cut. */
static void say_rest(struct speech *speech)
{
    const struct voice_resumed *call = speech->call;
    const size_t heard = speak_cut_heard(call->body, call->heard);
    const char *rest = call->body + speak_resume(call->body, heard, call->language);
    struct arena *arena = arena_new();
    struct speak *speak = speak_new(call->language);
    const char *piece;
    speak_add(speak, rest, strlen(rest));
    speak_finish(speak);
    while ((piece = speak_next(speak, arena)) != NULL)
        say(speech, (struct voice_frame){.kind = VOICE_FRAME_TEXT, .text = piece});
    speak_free(&speak);
    arena_free(&arena);
}

static const char *bridge_of(const struct voice_resumed *resumed)
{
    return resumed->bridge[0] != '\0' ? resumed->bridge : phone_words_of(resumed->language)->bridge;
}

void voice_resume(struct engine *engine, const char *tenant, const struct voice_resumed *resumed)
{
    const bool half = !uuid_is_nil(&resumed->turn);
    struct speech speech = {.engine = engine,
                            .call = resumed,
                            .tenant = tenant,
                            .turn = half ? resumed->turn : uuid_new()};
    if (half)
        say(&speech, (struct voice_frame){.kind = VOICE_FRAME_OPEN});
    if (!resumed->is_news)
        say(&speech, (struct voice_frame){
                         .kind = VOICE_FRAME_TEXT, .text = bridge_of(resumed), .aside = true});
    if (half)
        say_rest(&speech);
    say(&speech, (struct voice_frame){.kind = VOICE_FRAME_TEXT, .last = true});
}
