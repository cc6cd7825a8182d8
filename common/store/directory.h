/* The directory's rows: channels as the edge must know them. Used by the engine's relay and by
 * deskctl's full publication. Loop thread, but for what is deskctl's. */
#ifndef DESK_STORE_DIRECTORY_H
#define DESK_STORE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "contract/event.h"
#include "pg/pg.h"

struct directory_row {
    struct directory_channel channel; /* complete, ready to encode */
    bool removed;                     /* publish a tombstone */
    bool landed;                      /* the publisher's: Kafka has acknowledged the record */
};

/* The statement's text for channels whose version is not published ($1: limit), and for all of them
 * ($1: limit; deskctl). Columns are for directory_read_row. */
extern const char directory_unpublished_sql[];
extern const char directory_all_sql[];

/* Adds directory_unpublished_sql. `limit` is decimal text. */
void directory_add_unpublished(struct pg_unit *unit, const char *limit);

/* Reads row `row` into arena copies; false when there is none. */
bool directory_read_row(const struct pg_answer *answer, int row, struct arena *arena,
                        struct directory_row *out);

/* The same from a bare result of statement 0 (deskctl's blocking session). */
bool directory_read_result(const struct pg_result *result, int row, struct arena *arena,
                           struct directory_row *out);

/* How calls of the tenant's number are answered by its assistant's newest version; NULL if they are
 * not. In the arena. Blocking (deskctl). */
int directory_find_voice(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                         const char *number, const struct directory_voice **voice, struct err *err);

/* After records were sent, also those whose fate is unknown: marks versions that landed and are
 * still the newest of their address as published; where a newer one exists by now, makes that due
 * again, since an old record may lie behind its record. Arrays in the arena. */
void directory_add_published(struct pg_unit *unit, struct arena *arena,
                             const struct directory_row *rows, size_t count);

#endif
