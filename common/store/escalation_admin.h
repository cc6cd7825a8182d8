/* Escalations for people who work them off: deskctl. Blocking, inside a transaction that
 * schema_begin_as_ops opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_ESCALATION_ADMIN_H
#define DESK_STORE_ESCALATION_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

#define ESCALATION_ROWS_MAX 1000

struct escalation_row {
    const char *id, *tenant, *conversation, *reason, *state, *summary, *created_at;
    const char *caller, *call_back, *accepted_by; /* NULL if not known */
    const char *rota; /* "running", "nobody accepted", "parked", "over"; NULL: nobody is told */
    const char *told; /* who of the rota was told last; NULL: nobody yet */
};

/* Open escalations of a tenant whose rota is over with them, and that nobody has taken. */
struct escalation_left {
    const char *tenant;
    int64_t unaccepted, parked; /* asked in vain; could not be asked */
    const char *since;          /* ISO 8601, of the oldest */
};

/* By tenant; those without one are left out. In the arena. */
int escalation_admin_left(struct pg_session *session, struct arena *arena,
                          struct escalation_left **rows, size_t *count, struct err *err);

/* Those that are not closed (`all`: every one) of a tenant (NULL: all), the oldest first, at most
 * `limit` (1-ESCALATION_ROWS_MAX). */
int escalation_admin_list(struct pg_session *session, struct arena *arena, const char *tenant,
                          bool all, int64_t limit, struct escalation_row **rows, size_t *count,
                          struct err *err);

/* All of one with its notices as a JSON object (docs/PROTOCOL.md, escalations); PERMANENT
 * "escalation.not_found". */
int escalation_admin_show(struct pg_session *session, struct arena *arena, const struct uuid *id,
                          const char **json, struct err *err);

enum escalation_step { ESCALATION_ACCEPT, ESCALATION_CLOSE, ESCALATION_RETRY };

/* Takes the step as `actor` and writes the audit row; nobody else of the rota is told from then on,
 * and no code accepts it. An accepted one stays with who accepted it. Or, with ESCALATION_RETRY, an
 * open one that is parked, or that nobody has accepted, is told to its rota again from the first
 * person on. PERMANENT "escalation.not_found", "escalation.taken" (accepted by somebody else, or
 * closed); of a retry also "escalation.running", "escalation.no_rota". */
int escalation_admin_step(struct pg_session *session, const struct uuid *id, const char *actor,
                          enum escalation_step step, struct err *err);

#endif
