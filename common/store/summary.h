/* Summaries of what was said and no longer fits into a prompt (docs/PROTOCOL.md, summaries). The
 * engine reads and writes them beside its turns; a turn's start brings the newest ones
 * (store/turn.h). Loop thread. */
#ifndef DESK_STORE_SUMMARY_H
#define DESK_STORE_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/turn.h"
#include "store/usage.h"

#define SUMMARY_MESSAGES_MAX 100 /* read at once, the oldest first */
#define SUMMARY_TENANT_MAX   2   /* made at once for a tenant, by all engines */

/* What is to be summarised: a conversation up to before a position, or the contact's last one
 * before it. */
struct summary_wish {
    const char *tenant;
    struct uuid conversation;
    struct uuid contact; /* nil: the conversation itself */
    int64_t before;      /* positions below; INT64_MAX: all */
};

/* Adds two statements to an empty unit: what is known, and the messages since. The tenant's text
 * lives until the unit is done, the rest is in the arena. */
void summary_add_read(struct pg_unit *unit, struct arena *arena, const struct summary_wish *wish);

/* Borrowed from the answer. */
struct summary_known {
    struct uuid conversation; /* whose summary it is */
    const char *body;         /* "" if there is none yet */
    int64_t up_to;            /* the last message that it tells of; 0: none */
};
struct summary_message {
    int64_t position;
    const char *author, *text;
};

/* Read that unit's answer; false: there is no such conversation, or somebody is at its summary, or
 * failed a short while ago; no such row. */
bool summary_read_known(const struct pg_answer *answer, struct summary_known *out);
bool summary_read_message(const struct pg_answer *answer, int row, struct summary_message *out);

/* ---- claim ---- */

struct summary_claim {
    const char *tenant;
    struct uuid conversation, turn; /* the turn after which it is made */
    struct uuid call;               /* the id of the last model call to come */
    int64_t after;                  /* up_to of the summary that it goes on from */
    struct usage_amounts most;      /* that the calls may use; no segments */
    struct usage_limits limits;     /* of the tenant */
    int64_t lease_ms;               /* nobody else makes it for so long, whatever becomes of us */
};

/* Adds to an empty unit the claim of a conversation's summary, with what it reserves of the
 * tenant's budgets: all that it may use must be left of them. */
void summary_add_claim(struct pg_unit *unit, struct arena *arena,
                       const struct summary_claim *claim);

/* NULL: claimed, the model may be asked. Else why not, borrowed: "taken", "made" (by another
 * engine), "budget", "busy" (SUMMARY_TENANT_MAX of the tenant), "gone" (erased). */
const char *summary_read_claimed(const struct pg_answer *answer);

/* ---- writing ---- */

struct summary_made {
    const char *tenant;
    struct uuid id, conversation, turn; /* the turn after which it was made */
    int64_t up_to;
    int assistant_version;
    const char *body;                   /* NULL: all calls failed, and are all that is written */
    struct turn_llm_call call;          /* the last one; its id is the claim's */
    const struct turn_llm_call *failed; /* the ones before it, of other models */
    size_t failed_count;                /* at most 12 */
};

/* Adds to an empty unit the statements that write the calls, the summary unless there is one up to
 * there, and what the calls used, and give back the claim; without a body nobody tries again for a
 * minute, for two after the next failure, and so on to an hour. Written twice it counts once. Texts
 * live until the unit is done. summary_read_written of the answer: false when nothing was written
 * because the conversation or the turn is gone, as after an erasure. */
void summary_add_write(struct pg_unit *unit, struct arena *arena, const struct summary_made *made);
bool summary_read_written(const struct pg_answer *answer);

#endif
