/* What the prompt of a turn was made of, for deskctl. Blocking, inside a transaction that
 * schema_begin_as_ops opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_PROMPT_ADMIN_H
#define DESK_STORE_PROMPT_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct prompt_row {
    const char *turn, *state, *started_at;
    const char *outcome;                        /* NULL: the turn has not ended */
    int64_t number;                             /* of the turn in its session */
    const char *business, *timezone, *language; /* as they are now */
    const char *config;   /* JSON of the version that the prompt was made of; NULL: it is gone */
    const char *record;   /* JSON (prompt/record.h); NULL: none was kept */
    const char *passages; /* JSON, or NULL */
    const char
        *context; /* JSON: the messages that the record names and that are still there; or NULL */
    const char *rounds; /* JSON: the rounds that it names; NULL if none */
    const char *model;  /* the last one that was asked, or NULL */
};

/* A turn of the conversation, or its newest one (`turn` NULL). *found is false if there is none. */
int prompt_admin_read(struct pg_session *session, struct arena *arena,
                      const struct uuid *conversation, const struct uuid *turn,
                      struct prompt_row *row, bool *found, struct err *err);

#endif
