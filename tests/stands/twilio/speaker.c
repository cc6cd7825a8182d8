/*
 * The `info` frames of a person who speaks. Twilio's documents do not promise them. Called by
 * caller.c.
 */
#include "stands/twilio/speaker.h"

#include <stdio.h>
#include <string.h>

#include "stands/lib/frames.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/relay.h"

static bool is_wanted(const struct call *call)
{
    const char *events = NULL;
    for (size_t i = 0; call->element && i < call->element->child_count; i++)
        if (strcmp(call->element->children[i].name, "ConversationRelay") == 0)
            events = twiml_attribute(&call->element->children[i], "events");
    return events && strstr(events, "speaker-events");
}

void speaker_tell(struct call *call, bool on)
{
    char frame[128];
    if (!call->settings.tells_speaker || !relay_open(call) || !is_wanted(call))
        return;
    int length =
        snprintf(frame, sizeof frame,
                 "{\"type\":\"info\",\"name\":\"clientSpeaking\",\"value\":\"%s\",\"ts\":%.0f}",
                 on ? "on" : "off", calls_now(call->twilio->calls));
    relay_send(call, STAND_FRAME_TEXT, frame, (size_t)length, 1);
}
