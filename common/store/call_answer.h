/* Who took a call that the desk placed, and what they pressed (docs/CALLING.md): told by ingress,
 * written by the engine. Texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_CALL_ANSWER_H
#define DESK_STORE_CALL_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct call_answer {
    const char *tenant;
    struct uuid delivery;
    const char *outcome; /* human, machine, accepted, refused: contract/voice.h */
    int64_t at_ms;       /* when it was told: an engine may learn it later */
};

/* Adds it, once or again; 2 statements. Who accepts has the escalation unless somebody else was
 * faster, or its time was over when they pressed the key; exactly one has it, whether by a call, a
 * text, a mail or deskctl. Who does not, or is a machine, lets the rota go on at once. */
void call_answer_add(struct pg_unit *unit, struct arena *arena, const struct call_answer *answer);

enum call_answer_kind {
    CALL_ANSWER_NOTED,  /* nothing is to be said of it */
    CALL_ANSWER_THEIRS, /* it is theirs now, or was already */
    CALL_ANSWER_TAKEN,  /* somebody else has it */
    CALL_ANSWER_CLOSED, /* it is settled */
    CALL_ANSWER_LATE,   /* its time was over */
};

struct call_answered {
    enum call_answer_kind kind;
    const char *by;       /* who has it; "" */
    const char *language; /* the tenant's tag */
};

/* What came of it; texts are borrowed from the answer. False: there is no such call. */
bool call_answer_read(const struct pg_answer *answer, struct call_answered *out);

#endif
