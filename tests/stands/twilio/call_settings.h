/*
 * How Twilio, the line and the ear behave in a call, as JSON members of POST /_calls and of a
 * callee's entry:
 *
 *   rate 15              characters a second that are spoken
 *   speed 1              Twilio's own waits (ringing, timeouts, pauses, beep) are divided by this
 *   tts_ms 0             from a text's arrival after a pause to its first sound
 *   endpoint_ms 0        from the end of speech to the prompt
 *   play_ms 2000         how long any Play lasts
 *   ring_ms 0            before the first TwiML of an inbound call is asked
 *   max_ms 14400000      of a call
 *   end "at_once"        an `end` frame cuts what is spoken; "after_speech": it waits for it
 *   setup "once"         or "none": the relay's first frame is left out
 *   speaker "untold"     or "told": a relay that asks for it hears when the person speaks
 *   fillers []           texts that do not end our turn, by themselves or at the end of others
 *   callbacks "normal"   mode of status callbacks (progress.h), with callbacks_ms
 *   recording_bytes      size of a recording; by default 44 and 8000 a second
 *   recording_delay_ms 0 until it can be fetched and its callback is sent
 *   recording_status     "completed", "absent" or "failed"
 *   transcription        "completed": what was said, "failed", or "none": it is never told
 *   transcription_delay_ms 0 from the recording's end until its callback is sent
 *   params {}            further parameters of every request, or other values of them
 *   auth_token           signs everything of this call, instead of the account's
 */
#ifndef STANDS_TWILIO_CALL_SETTINGS_H
#define STANDS_TWILIO_CALL_SETTINGS_H

#include "stands/twilio/call.h"

/* The settings of a call about which nothing was said. */
struct call_settings call_settings_default(void);

/* Whether `item` is one of the members above. Returns 1; 0 when it is another one, -1 when its
 * value is wrong. */
int call_settings_check(const cJSON *item);

/* Takes the members above from a checked object, which must live as long as the call. */
void call_settings_read(struct call *call, cJSON *json);

#endif
