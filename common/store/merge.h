/* Two contacts that are one person become one, and apart again (docs/PROTOCOL.md, merge). Blocking,
 * in a transaction of the caller (schema_begin_as_ops), who commits it, or rolls it back after a
 * failure. The order of calls: merge_find both, merge_addresses, merge_lock what it found, then
 * again merge_find and merge_addresses: if they find the same, nothing can come between any more.
 * One thread. */
#ifndef DESK_STORE_MERGE_H
#define DESK_STORE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/conversation.h"

/* An address of a contact: kind "phone" or "mail". In the arena. */
struct merge_address {
    struct uuid contact;
    const char *kind, *address;
};

/* The contact that `word` names: by its id, or, of the named tenant, by an address (E.164, or a
 * mail address in lower case); whom it was joined with, if it was. *found is false if there is
 * none. `tenant_name` may be NULL with an id. */
int merge_find(struct pg_session *session, const char *tenant_name, const char *word,
               struct uuid *tenant, struct uuid *contact, bool *found, struct err *err);

/* All addresses of the two contacts, in order. */
int merge_addresses(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                    const struct uuid *first, const struct uuid *second,
                    struct merge_address **list, size_t *count, struct err *err);

/* Locks addresses by the keys that claims and erasure lock (the first 8 bytes of the keyed hash):
 * a claim is before the merge, or after it. RETRY_NOW after the lock timeout. */
int merge_lock(struct pg_session *session, struct arena *arena, const int64_t *keys, size_t count,
               struct err *err);

struct merge {
    struct uuid tenant, kept, gone; /* contacts, not the same */
    const char *actor;
    /* out: */
    bool joined;                         /* two open conversations became one, */
    struct uuid conversation;            /* this one (else the open one, or nil) */
    bool is_held;                        /* by a person: */
    struct conversation_takeover silent; /* what of the assistant's is stopped */
    int64_t messages;                    /* that came into the conversation */
};

/* What is gone's becomes kept's. Turns in flight of both conversations are refused and begin anew
 * with the whole thread, what is unsent goes on under the new epoch; if a person holds either, he
 * holds all of it. PERMANENT "contact.held_by_two" when two people hold one each. */
int merge_run(struct pg_session *session, struct arena *arena, struct merge *merge,
              struct err *err);

struct merge_split {
    struct uuid tenant, id, kept, gone; /* of the merge: merge_split_find */
    const char *actor;
    int64_t conversations; /* out: that went with gone */
};

/* The newest merge that is not undone in which `word` (as for merge_find) went. */
int merge_split_find(struct pg_session *session, const char *tenant_name, const char *word,
                     struct merge_split *split, bool *found, struct err *err);

/* What was gone's, and what was said with its addresses since, is gone's again. PERMANENT
 * "contact.joined_on" when kept has since become part of somebody else: that comes first;
 * RETRY_NOW "contact.split" when somebody undid it meanwhile. */
int merge_split_run(struct pg_session *session, struct arena *arena, struct merge_split *split,
                    struct err *err);

/* Somebody who wrote to the signed address of another contact's conversation. */
struct merge_suggestion {
    const char *at, *tenant, *contact, *address, *name; /* who wrote; the name he gave may be "" */
    const char *other, *other_address;                  /* whose conversation it was */
    bool verified;                                      /* it is from whom it says */
};

/* Those that nobody has joined, the latest first; pairs that were split are left out. */
int merge_suggestions(struct pg_session *session, struct arena *arena, const char *tenant_name,
                      int64_t limit, struct merge_suggestion **rows, size_t *count,
                      struct err *err);

/* A conversation that became part of another one stands for it: *id is replaced. */
int merge_find_conversation(struct pg_session *session, const struct uuid *tenant, struct uuid *id,
                            struct err *err);

#endif
