/* Named SQL behind deskctl's looking: conversations, dead turns, the inbox. Blocking, inside a
 * transaction that schema_begin_as_ops opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_ADMIN_H
#define DESK_STORE_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

#define ADMIN_ROWS_MAX 1000

struct admin_conversation {
    const char *id, *tenant, *address, *number, *last_activity_at;
    const char *state;             /* open, closed, held */
    const char *held_by, *flagged; /* NULL: no */
    int64_t messages, open_events, epoch;
};

/* The conversations that were active last, of one tenant (its name) or of all (NULL). `limit` is
 * 1-ADMIN_ROWS_MAX. */
int admin_list_conversations(struct pg_session *session, struct arena *arena, const char *tenant,
                             int64_t limit, struct admin_conversation **rows, size_t *count,
                             struct err *err);

/* One conversation whole, as a JSON object: head, and messages in order, each with its inbox row,
 * channel, turn, model calls, delivery and attempts; escalations, and what people did with it (rows
 * of the audit log). *json stays NULL if there is none. At most ADMIN_ROWS_MAX messages, the
 * newest. */
int admin_show_conversation(struct pg_session *session, struct arena *arena, const struct uuid *id,
                            const char **json, struct err *err);

/* Tenant of a conversation; *found is false if there is none. */
int admin_find_conversation(struct pg_session *session, const struct uuid *id, struct uuid *tenant,
                            bool *found, struct err *err);

struct admin_dead {
    /* "turn" (failed), "delivery" (parked: waits for a person; or suppressed because its text had
     * waited too long) or "event" (a text that came in too late to be answered by itself, or whose
     * turn the database never started) */
    const char *kind;
    const char *id; /* of an event: its message's */
    const char *tenant, *conversation, *at, *code;
    int64_t tries;
};

/* Failed turns, parked and late deliveries and dead events, newest first, of one tenant or of all.
 */
int admin_list_dead(struct pg_session *session, struct arena *arena, const char *tenant,
                    int64_t limit, struct admin_dead **rows, size_t *count, struct err *err);

/* One of them as a JSON object; *json stays NULL if there is none. */
int admin_show_dead(struct pg_session *session, struct arena *arena, const struct uuid *id,
                    const char **json, struct err *err);

/* A message that the provider sent from one of our numbers, as its list shows it. */
struct admin_sent {
    struct uuid tenant;
    const char *sender, *address, *sid;
    int64_t at_ms; /* whole seconds: the provider shows no more */
};

/* After a restore: if no delivery of ours has this message's sid, somebody answered before the
 * database went back. Ends the open events of that address up to then and suppresses replies to
 * them that have not left, by address and time, never by text. *settled gets how many rows. */
int admin_settle_sent(struct pg_session *session, const struct admin_sent *sent, int64_t *settled,
                      struct err *err);

/* What bounds the listing of a channel's messages at the provider. */
struct admin_window {
    int64_t arrived_ms; /* the number is the tenant's since then; what came before is not its own */
    int64_t audited_ms; /* its last good gap audit began; 0: there was none */
    int64_t open_ms;    /* the oldest text that an answer may still be sent to, or call
                           that may still be placed; 0: none */
};

/* Reads the bounds of a channel; PERMANENT "channel.not_found". */
int admin_read_window(struct pg_session *session, const struct uuid *tenant,
                      const struct uuid *channel, struct admin_window *window, struct err *err);

/* True in *known if the inbox has that event of the tenant. */
int admin_inbox_knows(struct pg_session *session, const struct uuid *tenant, const char *channel,
                      const char *provider_id, bool *known, struct err *err);

/* A channel's periodic job as doctor looks at it. */
struct admin_job {
    const char *tenant, *address, *channel; /* channel: its kind */
    const char *error;  /* of its last run, NULL: it was good, or there was none */
    int64_t tries;      /* since the last good one */
    int64_t overdue_ms; /* since it was due and did not begin, or was last done; 0: on time */
};

/* The jobs of that kind of living channels, by tenant and address. */
int admin_list_jobs(struct pg_session *session, struct arena *arena, const char *kind,
                    struct admin_job **rows, size_t *count, struct err *err);

#endif
