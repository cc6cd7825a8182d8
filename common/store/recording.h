/* Messages that callers left as recordings: the responder fetches each once into attachments (job
 * of kind JOB_RECORDING, docs/VOICE.md). What becomes of one is written only while the job is the
 * worker's and the recording still waits, behind its task's lock, which erasure takes as well.
 * Texts live until the unit is done. Loop thread, but for what is deskctl's. */
#ifndef DESK_STORE_RECORDING_H
#define DESK_STORE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/delivery.h"
#include "store/job.h"

#define RECORDING_TYPE "audio/mpeg"

/* One to be fetched. */
struct recording_due {
    struct delivery_route route;   /* of the number that was called: its account and token; borrowed
                                      from the answer */
    const char *sid, *account_sid; /* borrowed from the answer */
    int64_t age_ms;                /* since when we know of it */
    const char *last_error;        /* of the try before, as its miss told; "" if none; borrowed */
};

/* Adds the question which recording the job is about; 1 statement. */
void recording_add_read(struct pg_unit *unit, struct arena *arena, const struct job *job);

/* Reads its answer, statement 0; false: it is not to be fetched any more. */
bool recording_read(const struct pg_answer *answer, struct recording_due *out);

/* Adds that its bytes are kept, and the job's end; 3 statements. The bytes are copied into the
 * arena, in twice their size. */
void recording_add_kept(struct pg_unit *unit, struct arena *arena, const struct job *job,
                        const char *worker, const char *bytes, size_t length);

/* Adds that it is not fetched: tried again in next_in_ms because of `error`, or given up for good
 * (`state` gone, too_large or failed), which its task then says in `words`; and the job's end. 3
 * statements. */
struct recording_miss {
    const char *error; /* at most JOB_ERROR_MAX bytes, for people */
    int64_t next_in_ms;
    const char *state, *words; /* NULL: tried again */
};
void recording_add_miss(struct pg_unit *unit, struct arena *arena, const struct job *job,
                        const char *worker, const struct recording_miss *miss);

/* The bytes of a task's recording, in the arena. PERMANENT "recording.none" if there are none.
 * Blocking (deskctl). */
int recording_bytes(struct pg_session *session, struct arena *arena, const struct uuid *task,
                    const char **bytes, size_t *length, struct err *err);

/* How many wait although they were tried a few times, and how many were given up, of tasks that are
 * open. Blocking (deskctl). */
int recording_count_left(struct pg_session *session, int64_t *waiting, int64_t *given_up,
                         struct err *err);

#endif
