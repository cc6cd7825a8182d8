/* What a caller left for people: a recording, what the provider wrote down of it, or only the sign
 * that he called (docs/VOICE.md, calls in which nothing was said). Each is a task of the
 * conversation. Loop thread. */
#ifndef DESK_ENGINE_VOICE_MESSAGE_H
#define DESK_ENGINE_VOICE_MESSAGE_H

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/inbox.h"

struct voice_message {
    const char *call_sid, *account_sid;
    const char *recording_sid; /* NULL: none */
    bool found;                /* without one: the call is known from the provider's list alone */
    bool was_answered;         /* that call */
    const char *transcript;    /* NULL: this is the recording; "": nothing was understood */
    struct uuid task;          /* the same for a recording and its transcript */
    struct uuid missed;        /* the task that the call itself would be, without anything in it */
    int64_t duration_s, tell_in_ms; /* of a recording; until the rota is told, 0: at once */
};

/* What the conversation's note says of a transcript, for whoever answers next; in the arena. */
const char *voice_message_note(struct arena *arena, const char *transcript);

/* Adds the task, and what is known of its recording, behind the claim of the event. Texts live
 * until the unit is done. */
void voice_message_add(struct pg_unit *unit, struct arena *arena, const struct inbox_event *event,
                       const struct voice_message *message);

#endif
