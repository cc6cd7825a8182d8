/* Whose call it is that a webhook tells of, whether it is over, and whether people are to hear of
 * it: ingress judges it live, deskctl when it releases a webhook from quarantine; both must judge
 * alike. Any thread, no state. */
#ifndef DESK_CONTRACT_TWILIO_CALL_END_H
#define DESK_CONTRACT_TWILIO_CALL_END_H

#include <stdbool.h>

#include "contract/directory_voice.h"
#include "contract/twilio_call.h"
#include "contract/voice.h"

/* True for Direction "outbound-api" and its like: we placed the call. NULL is none. */
bool twilio_call_is_outbound(const char *direction);

/* Who the other end of a call is, and which number is ours: of a call that we placed they are told
 * the other way round. Borrowed. */
const char *twilio_call_person(const struct twilio_call *call);
const char *twilio_call_ours(const struct twilio_call *call);

/* True for a status after which nothing comes; *reason: what it means. */
bool twilio_call_is_over(const char *status, enum voice_end *reason);

/* True if the number takes no calls of this person. */
bool twilio_call_is_blocked(const struct directory_voice *voice, const char *person);

/* True if the number's business wants to hear of a call like this one when its caller says nothing:
 * one that came in, of a caller who is not blocked. `voice` may be NULL. */
bool twilio_call_may_be_missed(const struct directory_voice *voice, const struct twilio_call *call);

#endif
