/* Reading one version of an assistant: what the engine's prompt and model chain are made of.
 * Loop thread. */
#ifndef DESK_STORE_ASSISTANT_H
#define DESK_STORE_ASSISTANT_H

#include <stdbool.h>

#include "pg/pg.h"

/* Adds the statement that reads the version. Texts are borrowed until the unit is done; ids are
 * uuids as text, the version a decimal from 1 on. */
void assistant_add_read(struct pg_unit *unit, const char *tenant, const char *assistant,
                        const char *version);

/* Borrowed from the answer; as long as a tenant file may make them (docs/TENANT_FILE.md). */
struct assistant_row {
    const char *business; /* the tenant's display name */
    const char *timezone, *language;
    const char *config; /* JSON, as `deskctl tenant apply` wrote it */
};

/* Reads the answer to the unit's first statement; false: there is no such version. */
bool assistant_read(const struct pg_answer *answer, struct assistant_row *out);

/* Adds the statement that reads a zone's clock. Its row: "2026-12-01T09:00", "tue". A zone that the
 * database does not know fails the unit. `timezone` is borrowed until the unit is done. */
void assistant_add_clock(struct pg_unit *unit, const char *timezone);

#endif
