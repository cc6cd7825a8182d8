/* The task of a message, by whichever of recording and transcript comes first: callbacks have no
 * order. voice_intake.c calls it. */
#include "voice_message.h"

#include <string.h>

#include "store/voice_task.h"

/* Who withheld his number cannot be called back: his address is the call's. */
static const char *call_back(const struct inbox_event *event, const struct voice_message *message)
{
    return strcmp(event->address, message->call_sid) != 0 ? event->address : NULL;
}

const char *voice_message_note(struct arena *arena, const char *transcript)
{
    return transcript[0] == '\0'
               ? "What the caller's spoken message says could not be written down."
               : arena_printf(arena, "The caller's spoken message: %s", transcript);
}

void voice_message_add(struct pg_unit *unit, struct arena *arena, const struct inbox_event *event,
                       const struct voice_message *message)
{
    struct voice_task task = {.tenant = event->tenant,
                              .session = event->session,
                              .id = message->task,
                              .summary = event->body,
                              .said = "Missed call: the caller was not answered, and left no "
                                      "message. The caller said: ",
                              .call_back = call_back(event, message),
                              .was_answered = message->was_answered,
                              .recording_sid = message->recording_sid,
                              .account_sid = message->account_sid,
                              .duration_s = message->duration_s,
                              .tell_in_ms = message->tell_in_ms};
    if (message->recording_sid == NULL && message->found) {
        task.summary = "Somebody called while the desk could hear nothing, and left no message.";
        voice_task_add_found(unit, arena, &task);
        return;
    }
    if (message->recording_sid == NULL) {
        task.summary = "Missed call: the caller said nothing, and left no message.";
        voice_task_add_missed(unit, arena, &task);
        return;
    }
    if (message->transcript != NULL)
        task.summary = "The caller left a spoken message.";
    voice_task_add(unit, arena, &task);
    voice_task_add_not_missed(unit, arena, event->tenant, &message->missed);
    if (message->transcript != NULL)
        voice_task_add_transcript(unit, arena, &task, message->transcript);
}
