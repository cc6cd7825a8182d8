/* What a caller leaves to people: a recording and what was written down of it, or only that he
 * called. Each is a task (an escalation of reason `message`), of which the rota is told, if there
 * is one. Statements are added to a unit behind the claim of the record that tells of it, whose
 * session they name; texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_VOICE_TASK_H
#define DESK_STORE_VOICE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct voice_task {
    const char *tenant;
    struct uuid session, id; /* the task's: opened once */
    const char *summary;
    const char *said; /* of a call that nobody answered: what its summary is before his words */
    const char *call_back; /* or NULL */
    bool was_answered;     /* of a call that was found: not while it rang did the caller hang up */
    int64_t tell_in_ms;    /* the rota is told so much later; 0: at once */
    /* Of a message that was left, whose task's id is made of the recording's. */
    const char *recording_sid, *account_sid;
    int64_t duration_s;
};

/* Adds a message that was left, with the job that fetches the recording; call_back_add_auto. */
void voice_task_add(struct pg_unit *unit, struct arena *arena, const struct voice_task *task);

/* Adds what was understood of the task's recording ("": nothing), behind voice_task_add: kept with
 * it once and said in the task, and the rota is told now if it waited for it. 2 statements. Only
 * tenant and id of the task count. */
void voice_task_add_transcript(struct pg_unit *unit, struct arena *arena,
                               const struct voice_task *task, const char *text);

/* Adds a call of which nothing but its end has come, found at the provider; that end's claim makes
 * the call's session if nothing else has. Also one of which only the end was lost, or that was not
 * answered, as voice_task_add_missed, if its number's business wants that; none of a caller who is
 * blocked. Told at once; 1 statement. */
void voice_task_add_found(struct pg_unit *unit, struct arena *arena, const struct voice_task *task);

/* Adds a call in which nothing was said, pressed or left, or nobody answered what was, behind its
 * end (voice_add_end); else no task. The beginning of such words stands in it. 1 statement. */
void voice_task_add_missed(struct pg_unit *unit, struct arena *arena,
                           const struct voice_task *task);

/* Adds that something was left in the call after all: its task as a missed one is closed, unless
 * somebody has been told of it. 1 statement. */
void voice_task_add_not_missed(struct pg_unit *unit, struct arena *arena, const char *tenant,
                               const struct uuid *missed);

#endif
