/* Webhooks of phone calls: a call comes in (/twilio/voice), its status changes
 * (/twilio/voice/status), one of its verbs is over (/twilio/voice/<kind>/<tenant>/<step>,
 * voice_step.c). Whoever is answered at all is answered with TwiML. Server threads. */
#ifndef DESK_INGRESS_VOICE_H
#define DESK_INGRESS_VOICE_H

#include "contract/directory_voice.h"
#include "contract/twilio_call.h"
#include "contract/voice.h"
#include "news.h"
#include "webhook.h"

/* Answers a request of that path; the last one any path below /twilio/voice/. */
void voice_handle(struct webhook *webhook);
void voice_status_handle(struct webhook *webhook);
void voice_step_handle(struct webhook *webhook);

/* True if a relay would be there for a call now. */
bool voice_is_open(const struct ingress *ingress);

/* True while this ingress drains and the request should go to another one: the first one of the
 * call that comes, unless Twilio has nobody else to ask (ErrorCode). Then it is answered 503. */
bool voice_pass_on(struct webhook *webhook, const char *call_sid);

/* The call as its events name it, in the arena; false if our number is none. */
bool voice_call_of(struct arena *arena, const struct ingress *ingress,
                   const struct twilio_call *call, struct voice_call *out);

/* Tells that the call is over if its status says so; then true. `hung_up`: a verb was running, so
 * it was the caller who ended it. */
struct voice_owner {
    const char *tenant;
    const struct directory_voice *voice; /* of our number; NULL: it is none, or not looked up */
};
bool voice_tell_ended(struct webhook *webhook, const struct voice_owner *owner,
                      const struct twilio_call *call, bool hung_up);

/* Answers 204 once Kafka has the news, else 503: it is told on all the same when Kafka is back, but
 * that is promised to nobody. Takes *news. */
void voice_deliver(struct webhook *webhook, struct news **news);

#endif
