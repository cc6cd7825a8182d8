/* The claim: a batch of inbound events becomes rows in one transaction (docs/PROTOCOL.md, claim).
 *
 * After it commits the events are safe in PostgreSQL: their offsets may be stored. Loop thread. */
#ifndef DESK_STORE_INBOX_H
#define DESK_STORE_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/rota_reply.h"

/* What a text says about consent (contract: a whole message that is a stop or start word, or the
 * provider's OptOutType); INBOX_CODE: it looks like the code of a notice and is one if its sender
 * was sent any (store/rota_reply.h); INBOX_CODE_WITHIN: it names what looks like one, and counts
 * only if its sender was sent that very code. */
enum inbox_consent {
    INBOX_NO_WORD,
    INBOX_STOP,
    INBOX_START,
    INBOX_HELP,
    INBOX_CODE,
    INBOX_CODE_WITHIN,
    INBOX_NOTE, /* nobody's words: what happened to a call; ends at once, `body` may be "" */
};

struct inbox_event {
    const char *tenant;      /* uuid text */
    const char *channel;     /* "sms", "voice" or "mail" */
    const char *provider_id; /* MessageSid; of a call what its record is known by (VOICE.md) */
    const char *sender;      /* our number */
    const char *address;     /* the customer's */
    const char *body;
    const char *media_json; /* JSON array or NULL */
    int64_t event_time_ms;
    enum inbox_consent consent;
    const char *code; /* in capitals, of INBOX_CODE and _WITHIN; else NULL */
    bool replay;      /* not in the order in which it was written: its words count by their time */
    int64_t place;    /* order of arrival within the batch */
    const char *traceparent;                             /* or "" */
    struct uuid session, contact, message, address_hash; /* keyed hashes (crypto_ident) */
    struct uuid conversation; /* a fresh id, used if the contact has no open conversation */
    uint8_t content_hash[32];
};

struct inbox_timing {
    int64_t burst_ms, burst_max_ms; /* due after the last, at most after the first text */
    int64_t answer_within_ms;       /* older events are stored as late */
    int64_t quiet_ms;               /* a conversation silent for so long is closed */
    /* So many replies of the AI in a row within the window are a loop; 0: no bound. */
    int64_t loop_replies, loop_window_ms;
};

/* Adds the claim's statements to an empty unit. `worker` owns the claimed sessions. Events must be
 * without repeats of (tenant, provider_id) and sorted by them; all texts live until the unit is
 * done; arrays are made in the arena. At most 500 events. */
void inbox_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct inbox_event *events, size_t count,
                     const struct inbox_timing *timing);

/* What became of one event. */
struct inbox_claimed {
    size_t index;      /* into the events given */
    const char *state; /* open, answered, ended, human, late, failed */
    bool fresh;        /* this very claim made the row */
    bool mine;         /* the session is due and names our worker */
    struct uuid session, conversation;
    int64_t claimed;   /* the session's claim counter */
    int64_t due_in_ms; /* by the database's clock; may be negative */
};

/* Reads row `row` of an inbox_add_claim answer, or false when there is no such row. Events without
 * any row have no channel of their tenant: they are dead letters. Texts are borrowed from the
 * answer. */
bool inbox_read_claim(const struct pg_answer *answer, int row, struct inbox_claimed *out);

/* Reads row `row` of the answers to codes that this claim wrote and that are to leave, or false. */
bool inbox_read_answer(const struct pg_answer *answer, int row, struct rota_answer *out);

/* Adds the statement that says which of the provider ids (array literal) the tenant's inbox does
 * not have; its answer has one id a row, as text. Texts are borrowed until the unit is done. */
void inbox_add_unknown(struct pg_unit *unit, const char *tenant, const char *channel,
                       const char *provider_ids);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const inbox_statements[];

#endif
