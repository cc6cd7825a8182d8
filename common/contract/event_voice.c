/* What the events of a phone call have in common: whose they are, and what a turn's words need.
 * Called by event_voice_call.c and its neighbours, and by whoever asks for a caller's contact. */
#include "contract/event_voice.h"

#include <string.h>

#define CALL_AT offsetof(struct voice_setup, call)
_Static_assert(offsetof(struct voice_prompt, call) == CALL_AT &&
                   offsetof(struct voice_heard, call) == CALL_AT &&
                   offsetof(struct voice_ended, call) == CALL_AT &&
                   offsetof(struct voice_dialled, call) == CALL_AT &&
                   offsetof(struct voice_answered, call) == CALL_AT &&
                   offsetof(struct voice_recorded, call) == CALL_AT,
               "the call follows the envelope in every event of it");

const struct voice_call *event_voice_call(const void *event)
{
    return (const void *)((const char *)event + CALL_AT);
}

/* Words that carriers spell on a telephone's keys where the caller withheld his number. They look
 * like numbers and are too short or too long to be one of the country that they begin with; taken
 * for a number, all such callers would be one person who hears of the others' business. Source:
 * Twilio's help page on calls from such numbers. */
static bool is_spelled_word(const char *number)
{
    static const char *const words[] = {
        "+266696687",   /* anonymous */
        "+2562533",     /* blocked */
        "+7378742833",  /* restricted */
        "+8656696",     /* unknown */
        "+86282452253", /* unavailable */
        "+7748283",     /* private */
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], number) == 0)
            return true;
    return false;
}

const char *voice_contact(const struct voice_call *call)
{
    bool known = call->from != NULL && text_is_e164(call->from) && !is_spelled_word(call->from);
    return known ? call->from : call->call_sid;
}

const char *event_voice_key(struct arena *arena, const void *event)
{
    const struct event *envelope = event;
    return topic_key_contact(arena, envelope->tenant, voice_contact(event_voice_call(event)));
}

struct voice_spoken event_voice_spoken(const struct voice_spoken *spoken)
{
    return uuid_is_nil(&spoken->turn) ? (struct voice_spoken){.seq = -1} : *spoken;
}

const char *event_voice_spoken_check(const struct voice_spoken *spoken)
{
    if (!uuid_is_nil(&spoken->turn))
        return spoken->fence > 0 ? NULL : "heard_turn needs heard_fence";
    if (spoken->fence != 0 || spoken->epoch != 0 || spoken->seq >= 0 || spoken->text[0] != '\0')
        return "what was heard needs heard_turn";
    return NULL;
}
