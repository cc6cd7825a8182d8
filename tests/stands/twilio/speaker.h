/* What a relay that asked for `speaker-events` is told of the person who speaks. */
#ifndef STANDS_TWILIO_SPEAKER_H
#define STANDS_TWILIO_SPEAKER_H

#include "stands/twilio/call.h"

/* He began or ceased to speak. Nothing where the call's `speaker` is "untold", or nobody asked. */
void speaker_tell(struct call *call, bool on);

#endif
