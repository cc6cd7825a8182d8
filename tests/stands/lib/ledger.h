/*
 * The record of everything a stand-in accepted (or sent), which tests compare with what they did.
 * Append only, never de-duplicated, bounded; about 50 bytes per entry beside its texts.
 */
#ifndef STANDS_LIB_LEDGER_H
#define STANDS_LIB_LEDGER_H

#include "stands/lib/buf.h"

enum stand_outcome {
    STAND_OPEN,        /* not over yet */
    STAND_ANSWERED,    /* the whole answer was written */
    STAND_CUT,         /* connection closed before or within the answer, by a fault */
    STAND_LOST,        /* what was asked for was done, the answer withheld, by a fault */
    STAND_HUNG,        /* accepted and never answered, by a fault */
    STAND_STALLED,     /* answer stopped for good in its middle, by a fault */
    STAND_REFUSED,     /* closed together with the listening socket, by a fault */
    STAND_CLIENT_GONE, /* the client left first */
    STAND_FAILED,      /* something sent got no HTTP answer */
    STAND_OUTCOMES
};

struct stand_ledger;

/* An empty ledger of at most `max` entries; later ones are counted but not kept. Owned. */
struct stand_ledger *stand_ledger_new(size_t max);

/* Frees a ledger and NULLs the pointer; NULL inside is fine. */
void stand_ledger_free(struct stand_ledger **ledger);

/* Forgets everything; ids given out before are void, and harmless to use. */
void stand_ledger_reset(struct stand_ledger *ledger);

/* Appends an entry, stamped now. `method` must live for ever; `path` and `params` (JSON) are
 * copied. Returns the id of the entry, 0 when the ledger is full. */
uint64_t stand_ledger_add(struct stand_ledger *ledger, const char *method, const char *path,
                          const char *params);

/* Sets status (0 = none) and outcome of an entry. */
void stand_ledger_settle(struct stand_ledger *ledger, uint64_t id, int status,
                         enum stand_outcome outcome);

/* Sets the sid of an entry (copied). */
void stand_ledger_sid(struct stand_ledger *ledger, uint64_t id, const char *sid);

/* The number of entries kept, and of those that found it full. */
size_t stand_ledger_count(const struct stand_ledger *ledger);
size_t stand_ledger_dropped(const struct stand_ledger *ledger);

/* Grows with every reset: tells a reader that its position is void. */
uint32_t stand_ledger_epoch(const struct stand_ledger *ledger);

/* What an entry holds; texts are borrowed until the next reset. */
struct stand_ledger_view {
    double time_ms; /* epoch */
    const char *method, *path, *params, *sid;
};

/* Reads entry number `seq` (1..count). */
void stand_ledger_view(const struct stand_ledger *ledger, size_t seq,
                       struct stand_ledger_view *view);

/* Appends an entry to `out` as a program writes it. */
typedef void stand_ledger_render(const struct stand_ledger *ledger, size_t seq,
                                 struct stand_buf *out);

/* Appends entry number `seq` (1..count) as a JSON object. */
void stand_ledger_json(const struct stand_ledger *ledger, size_t seq, struct stand_buf *out);

/* The name of an outcome in the JSON. */
const char *stand_outcome_name(enum stand_outcome outcome);

#endif
