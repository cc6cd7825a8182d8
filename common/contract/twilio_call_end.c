/* Judging a webhook of a call: see twilio_call_end.h. */
#include "contract/twilio_call_end.h"

#include <string.h>

bool twilio_call_is_outbound(const char *direction)
{
    return direction != NULL && strncmp(direction, "outbound", 8) == 0;
}

const char *twilio_call_person(const struct twilio_call *call)
{
    return twilio_call_is_outbound(call->direction) ? call->to : call->from;
}

const char *twilio_call_ours(const struct twilio_call *call)
{
    return twilio_call_is_outbound(call->direction) ? call->from : call->to;
}

bool twilio_call_is_over(const char *status, enum voice_end *reason)
{
    static const struct {
        const char *status;
        enum voice_end reason;
    } finals[] = {{"completed", VOICE_COMPLETED},
                  {"busy", VOICE_BUSY},
                  {"failed", VOICE_FAILED},
                  {"no-answer", VOICE_NO_ANSWER},
                  {"canceled", VOICE_CANCELED}};
    for (size_t i = 0; i < sizeof finals / sizeof finals[0]; i++) {
        if (strcmp(finals[i].status, status) != 0)
            continue;
        *reason = finals[i].reason;
        return true;
    }
    return false;
}

bool twilio_call_is_blocked(const struct directory_voice *voice, const char *person)
{
    for (size_t i = 0; i < voice->blocked_count; i++)
        if (strcmp(voice->blocked[i], person) == 0)
            return true;
    return false;
}

bool twilio_call_may_be_missed(const struct directory_voice *voice, const struct twilio_call *call)
{
    return voice != NULL && voice->missed_calls && !twilio_call_is_outbound(call->direction) &&
           !twilio_call_is_blocked(voice, call->from);
}
