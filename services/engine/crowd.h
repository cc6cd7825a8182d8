/* How many calls may be at a model at once: of a tenant's account (`concurrent` of its chain's
 * entry), and at a provider, of all tenants, so that one that is slow does not take the places of
 * all turns. Accounts have a line: whoever finds as many calls as there may be waits for one to
 * end, callers first, else first come, first served. Providers have none: who waits for his
 * account's place is at the provider already, and one too many has to go elsewhere.
 *
 * They belong to a loop and are used on its thread. Only what is asked or waited for takes memory.
 */
#ifndef DESK_ENGINE_CROWD_H
#define DESK_ENGINE_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct crowds;
struct crowd; /* private */

/* Who asks, and how many may: texts are borrowed for the call. */
struct crowd_wish {
    const char *account; /* what is counted under that tenant's limit (rate_key) */
    int64_t most;        /* of it at once; 0: not limited */
    const char *provider;
};

/* What a call has; all NULL: nothing. */
struct crowd_place {
    struct crowd *account, *provider; /* private */
};

/* In line for a place. */
struct crowd_entry {
    TAILQ_ENTRY(crowd_entry) link;                     /* private */
    struct crowd_place at;                             /* private: NULLs while it is not in line */
    int64_t most;                                      /* private */
    bool first;                                        /* somebody waits in silence */
    void (*wake)(void *arg, struct crowd_place place); /* it has one now: called once, from inside
                                                          another one's crowd_give_back */
    void *arg;
};

/* Returns owned: a loop has its part of each account's limit (`parts`, 1 or more: one call always),
 * and so many calls at a provider. Frees, and sets to NULL: what is still in it must not be given
 * back any more. */
struct crowds *crowds_new(int64_t parts, int64_t provider_most);
void crowds_free(struct crowds **crowds);

/* Takes a place at both; false: there is none, and *place, which must be nothing before, stays so.
 */
bool crowd_take(struct crowds *crowds, const struct crowd_wish *wish, struct crowd_place *place);

/* Gets in the account's line (`first`, `wake` and `arg` are the caller's); false: the provider has
 * as many as it may. */
bool crowd_wait(struct crowds *crowds, const struct crowd_wish *wish, struct crowd_entry *entry);

/* Out of it again; may be in none. */
void crowd_leave(struct crowds *crowds, struct crowd_entry *entry);

/* The call has ended, or is not made: the next in line has its place. *place becomes nothing; may
 * be nothing. */
void crowd_give_back(struct crowds *crowds, struct crowd_place *place);

/* In line, everywhere. */
size_t crowds_waiting(const struct crowds *crowds);

#endif
