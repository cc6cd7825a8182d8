/* Callers who have a person's voicemail at the other end of a cold transfer: the responder takes
 * each out of it, to the desk (job of kind JOB_TRANSFER_BACK, docs/VOICE.md). Loop thread. */
#ifndef DESK_STORE_TRANSFER_BACK_H
#define DESK_STORE_TRANSFER_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "pg/pg.h"
#include "store/delivery.h"
#include "store/job.h"

/* A caller who is to come back; texts are borrowed from the answer. */
struct transfer_back {
    struct delivery_route route; /* of the number that was called: its account and token */
    const char *call_sid;
    int64_t step; /* of webhook mode, whose answer put him through; 0: streaming */
};

/* Adds the question whom the job is about; 1 statement. */
void transfer_back_add_read(struct pg_unit *unit, struct arena *arena, const struct job *job);

/* Reads its answer, statement 0; false: nobody is to come back any more. The call is over, or he
 * was told the words already. */
bool transfer_back_read(const struct pg_answer *answer, struct transfer_back *out);

#endif
