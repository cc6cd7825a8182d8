/* Who of a rota is told next, in which words, and the code that accepts it (docs/TENANT_FILE.md,
 * escalation). Pure but for the randomness of codes. */
#ifndef DESK_ENGINE_ROTA_PLAN_H
#define DESK_ENGINE_ROTA_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "store/rota.h"

#define ROTA_CODE_SIZE 5 /* 4 letters and digits that nobody takes for another, and the NUL */

struct rota_plan {
    bool tells;            /* false: `pause` */
    enum rota_pause pause; /* ROTA_AT or ROTA_NOBODY */
    const char *name, *address;
    bool by_mail; /* the address is a mail address; else a number */
    bool by_call; /* that is called */
    int ring_s;
    int steps_now, round; /* with this one */
    int64_t accept_ms;
    int days; /* from today by the tenant's clock, for ROTA_AT */
    const char *time;
};

/* Decides the next step of an escalation. Places come round after round in the order of the rota;
 * whoever is not on duty, or cannot be told (a call where they have a number for it and the tenant
 * one to call from, else a text, else a mail, and nothing where they have opted out), is passed
 * over; when nobody is on duty it waits for the first hours that begin. Texts are in the arena. */
void rota_plan_next(struct arena *arena, const struct rota_due *due, struct rota_plan *out);

/* The text of a notice: who needs what, cut short, and how to accept it. In the arena. */
const char *rota_plan_text(struct arena *arena, const struct rota_due *due,
                           const struct rota_plan *plan, const char *code);

/* What somebody who is called hears: the same in the tenant's language, and which key does what. In
 * the arena. */
const char *rota_plan_spoken(struct arena *arena, const struct rota_due *due);

/* The subject of a notice by mail. In the arena. */
const char *rota_plan_subject(struct arena *arena, const struct rota_due *due, const char *code);

/* What the customer is told when nobody of the rota has accepted: in the tenant's words. In the
 * arena. */
const char *rota_plan_nobody(struct arena *arena, const struct rota_due *due);

/* A fresh code: digits stand alone, between letters or with letters between them, so that no word,
 * no number, and no day or time is one. */
void rota_plan_code(char out[ROTA_CODE_SIZE]);

enum rota_said {
    ROTA_SAYS_NOTHING,
    ROTA_SAYS_YES,  /* a code, and nothing but words like OK, thanks and "I take it" */
    ROTA_NAMES_CODE /* a short text with a code in it: it may say no, or ask something */
};

/* What a text says that may be the answer to a notice. A code may be in whatever case, and is
 * written in capitals. */
enum rota_said rota_plan_read_text(const char *text, char out[ROTA_CODE_SIZE]);

/* True if the first line of a mail that is not empty says yes: with a code, as above, or OK alone,
 * which is written as "OK". Signatures may follow. */
bool rota_plan_read_mail(const char *text, char out[ROTA_CODE_SIZE]);

#endif
