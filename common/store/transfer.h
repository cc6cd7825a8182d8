/* Calls that are put through to a person (docs/VOICE.md, transfer): the escalation that a transfer
 * opens, how it ended, and the words to a caller who comes back. Texts live until the unit is done.
 * Loop thread. */
#ifndef DESK_STORE_TRANSFER_H
#define DESK_STORE_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* Somebody who can be rung up. */
struct transfer_person {
    const char *name;
    const char *hours; /* JSON of the rota's entry; NULL: always on duty */
};

struct transfer_opening {
    const char *tenant;
    struct uuid id; /* of the tool call, which must have begun: the transfer's id as well */
    const char *summary;
    const char *words;                    /* to the caller, if nobody takes the call */
    bool calls;                           /* the rota is told then */
    bool cold;                            /* who or what answers has the call at once */
    const struct transfer_person *people; /* in their order */
    size_t count;
};

/* Adds it, behind round_add_begin in the same unit; 1 statement: an escalation for the first of the
 * people who is on duty by the tenant's clock, once however often the call is repeated. An earlier
 * transfer of the call of which nothing came is dropped. */
void transfer_add_open(struct pg_unit *unit, struct arena *arena,
                       const struct transfer_opening *opening);

/* The name of who is rung up, borrowed from statement `s` of an answer whose call has begun; "":
 * nobody is on duty. */
const char *transfer_read_opened(const struct pg_answer *answer, int s);

/* What the ingress says that became of it. */
struct transfer_outcome {
    const char *tenant;
    struct uuid id;
    const char
        *outcome; /* "accepted", "refused", "no_answer", "busy", "failed", "hung_up", "voicemail" */
};

/* Adds it; 1 statement, no rows. Accepted: the escalation is that person's. Else the rota is told,
 * where it is to be. A voicemail has a cold transfer whatever else is told of it, and a job brings
 * the caller back (store/transfer_back.h); of a warm one it is no more than the reason why nobody
 * took it: a machine presses no key. */
void transfer_add_outcome(struct pg_unit *unit, struct arena *arena,
                          const struct transfer_outcome *outcome);

/* Another socket of a call, or, in webhook mode, a request that waits for a word of the desk's. */
struct transfer_return {
    const char *tenant, *record; /* the setup's ce_id */
    struct uuid session;
    const char *prompt; /* ce_id of the words that the request waits for an answer to: if there are
                         * such, he is not back; "": there cannot be any */
};

/* Adds it, between the claim of the setup and voice_add_resume, which then says it; 1 statement, no
 * rows: a caller whom nobody took, or whose transfer never began, is owed the transfer's words.
 * They are a turn's reply, and `promised` has them. */
void transfer_add_return(struct pg_unit *unit, struct arena *arena,
                         const struct transfer_return *back);

/* Adds, behind the end of a call, the end of its transfers of which nothing was told: the caller
 * hung up before, or had said something else meanwhile; 1 statement, no rows. */
void transfer_add_end(struct pg_unit *unit, struct arena *arena, const char *tenant,
                      const struct uuid *session);

#endif
