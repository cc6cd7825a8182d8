/* Who gets the next free place among the turns at work: calls before texts before mails, tenants in
 * turn, whoever wrote first within a tenant. One tenant may hold places, and sessions in memory,
 * only as long as it has fewer than SHARES_ALPHA times those that are free: alone it gets three
 * quarters, and however much it floods, a quarter stays free for the others (dynamic thresholds:
 * Choudhury and Hahne, 1998). Loop thread only.
 */
#ifndef DESK_ENGINE_SHARES_H
#define DESK_ENGINE_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/arena.h"

#define SHARES_ALPHA 3

struct shares; /* all */
struct share;  /* a tenant's */

/* Who waits how: a caller hears it, who texts looks at it, a mail is read some time. Whoever of a
 * more urgent kind is in line comes first, whatever tenant's he is. */
enum share_kind { SHARE_TEXT, SHARE_CALL, SHARE_MAIL, SHARE_KINDS };

/* Stands in line for a place; part of what wants one. */
struct share_entry {
    TAILQ_ENTRY(share_entry) link; /* private */
    struct share *share;           /* NULL: not in line */
    enum share_kind kind;          /* not changed while in line */
};

/* Returns owned: so many places at work, so many sessions in memory at most. Frees it, when nothing
 * is in it any more; sets to NULL. */
struct shares *shares_new(size_t places, size_t memory);
void shares_free(struct shares **shares);

/* A session of the tenant comes into memory, or goes. The share lives until its last one went. */
struct share *shares_join(struct shares *shares, const char *tenant);
void shares_part(struct shares *shares, struct share *share);

/* Whether one more session of the tenant should come into memory. Mails leave half of it to others.
 */
bool shares_have_room(const struct shares *shares, const char *tenant, enum share_kind kind);

/* Array literal, in the arena, of the tenants for which shares_have_room says no to a text. */
const char *shares_full(const struct shares *shares, struct arena *arena);

/* Gets in line, at its end; or out of it. */
void shares_wait(struct shares *shares, struct share *share, struct share_entry *entry);
void shares_leave(struct shares *shares, struct share_entry *entry);

/* Takes the next one out of line and gives it a place; NULL: no place, or nobody who may have it.
 */
struct share_entry *shares_next(struct shares *shares);

/* A place is free again. */
void shares_give_back(struct shares *shares, struct share *share);

/* Places taken. */
size_t shares_at_work(const struct shares *shares);

#endif
