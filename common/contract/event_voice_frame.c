/* desk.voice.frame: what is spoken into a call. Written by the engine, and by deskctl when a
 * person takes over; read by the ingress that holds the call. */
#include "contract/event_voice.h"

#include <inttypes.h>
#include <string.h>

static const char *frame_id(struct arena *arena, const void *event)
{
    const struct voice_frame *frame = event;
    char turn[UUID_TEXT_SIZE];
    if (frame->kind == VOICE_FRAME_STOP)
        return arena_printf(arena, "%s:stop:%" PRId64, frame->call_sid, frame->epoch);
    return arena_printf(arena, "%s:%" PRId64 ":%" PRId64, uuid_format(&frame->turn, turn),
                        frame->fence, frame->seq);
}

static const char *frame_key(struct arena *arena, const void *event)
{
    const struct voice_frame *frame = event;
    return topic_key_call(arena, frame->call_sid);
}

/* ---- what each kind carries ---- */

enum {
    TEXT = 1,
    LAST = 2,
    LANG = 4,
    KEYS = 8,
    HANDOFF = 16,
    STEP = 32,
    TURN = 64,
    SEQ = 128,
    ASIDE = 256,
    PROMPT = 512
};

/* Indexed by enum voice_frame_kind. `all` must be there, at least one of `any` (0: no such rule),
 * and nothing but these and `may`. */
static const struct {
    unsigned all, any, may;
    const char *what;
} kinds[] = {
    [VOICE_FRAME_OPEN] = {TURN, 0, PROMPT,
                          "an open frame names a turn, is its fence's first (seq 0), "
                          "and carries nothing else"},
    [VOICE_FRAME_TEXT] =
        {TURN, TEXT | LAST, LANG | SEQ | ASIDE | PROMPT,
         "a text frame names a turn, has text or is the last, and may have a lang"},
    [VOICE_FRAME_LANGUAGE] = {TURN | LANG, 0, SEQ | PROMPT,
                              "a language frame names a turn and has a lang"},
    [VOICE_FRAME_KEYS] = {TURN | KEYS, 0, SEQ | PROMPT, "a keys frame names a turn and has keys"},
    [VOICE_FRAME_END] = {TURN | HANDOFF, 0, SEQ | PROMPT,
                         "an end frame names a turn and has a handoff"},
    [VOICE_FRAME_STOP] = {0, 0, 0, "a stop frame has an epoch and names no turn"},
    [VOICE_FRAME_STEP] = {TURN | STEP, TEXT | HANDOFF, LANG | SEQ,
                          "a step frame names a turn and a step, and has text or a handoff"},
};

static unsigned carried_by(const struct voice_frame *frame)
{
    return (frame->text[0] != '\0' ? TEXT : 0) | (frame->last ? LAST : 0) |
           (frame->aside ? ASIDE : 0) | (frame->lang[0] != '\0' ? LANG : 0) |
           (frame->keys[0] != '\0' ? KEYS : 0) | (frame->handoff[0] != '\0' ? HANDOFF : 0) |
           (frame->step > 0 ? STEP : 0) | (frame->prompt > 0 ? PROMPT : 0) |
           (uuid_is_nil(&frame->turn) ? 0 : TURN) | (frame->seq > 0 ? SEQ : 0);
}

static const char *frame_check(const void *event)
{
    const struct voice_frame *frame = event;
    const unsigned carried = carried_by(frame), all = kinds[frame->kind].all,
                   any = kinds[frame->kind].any, may = kinds[frame->kind].may;
    bool named = (carried & TURN) != 0;
    if ((carried & all) != all || (any != 0 && (carried & any) == 0) ||
        (carried & ~(all | any | may)) != 0)
        return kinds[frame->kind].what;
    if (named != (frame->fence > 0) || named != (frame->turn_number > 0))
        return "turn, fence and turn_number go together";
    return NULL;
}

/* ---- members ---- */

static const char *const kind_names[] = {"open", "text", "language", "keys",
                                         "end",  "stop", "step",     NULL};

static bool is_digits_to_send(const char *text)
{
    return text[strspn(text, "0123456789*#w")] == '\0';
}

static bool is_json_object(const char *text)
{
    struct json *document;
    struct err err;
    if (json_parse(text, strlen(text), &document, &err) != 0)
        return false;
    bool object = json_type(document) == JSON_OBJECT;
    json_free(&document);
    return object;
}

#define AT(m) offsetof(struct voice_frame, m)
static const struct event_member members[] = {
    VOICE_CALL_SID(AT(call_sid)),
    VOICE_ENUM("kind", AT(kind), true, kind_names, "open, text, language, keys, end, stop or step"),
    VOICE_ID("turn", AT(turn), false),
    VOICE_NUMBER("turn_number", EVENT_INT64, AT(turn_number), true, 0, VOICE_COUNT_MAX,
                 "a whole number from 0"),
    VOICE_NUMBER("epoch", EVENT_INT64, AT(epoch), true, 0, VOICE_COUNT_MAX,
                 "a whole number from 0"),
    VOICE_NUMBER("fence", EVENT_INT64, AT(fence), true, 0, VOICE_COUNT_MAX,
                 "a whole number from 0"),
    VOICE_NUMBER("seq", EVENT_INT64, AT(seq), true, 0, VOICE_SEQ_MAX, "a number from 0 to 1000000"),
    VOICE_TEXT("text", AT(text), false, 1, VOICE_PIECE_MAX, NULL, "a text of at most 2048 bytes"),
    VOICE_BOOL("last", AT(last)),
    VOICE_BOOL("aside", AT(aside)),
    VOICE_TEXT("lang", AT(lang), false, 1, VOICE_LANG_MAX, event_is_language_tag,
               "a language tag of at most 35 bytes"),
    VOICE_TEXT("keys", AT(keys), false, 1, VOICE_KEYS_MAX, is_digits_to_send,
               "at most 64 of 0-9 * # w"),
    VOICE_TEXT("handoff", AT(handoff), false, 2, VOICE_HANDOFF_MAX, is_json_object,
               "a JSON object in at most 4096 bytes of text"),
    VOICE_NUMBER("step", EVENT_INT64, AT(step), false, 0, VOICE_STEP_MAX,
                 "a number from 0 to 1000000"),
    VOICE_NUMBER("prompt", EVENT_INT64, AT(prompt), false, 0, VOICE_NUMBER_MAX,
                 "a number from 0 to 1000000000"),
    {0},
};

static const struct event_codec codec = {
    .type = EVENT_VOICE_FRAME,
    .topic = TOPIC_VOICE_STREAM,
    .size = sizeof(struct voice_frame),
    .has_tenant = true,
    .id_is_derived = true,
    .members = members,
    .id = frame_id,
    .key = frame_key,
    .check = frame_check,
};

void voice_frame_encode(struct arena *arena, const char *prefix, const struct voice_frame *in,
                        struct bus_record *record)
{
    event_encode(&codec, arena, prefix, in, record);
}

int voice_frame_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_frame *out, struct err *err)
{
    return event_decode(&codec, arena, record, out, err);
}
