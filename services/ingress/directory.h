/* The directory: which tenant a number belongs to and which keys sign for it, read from the
 * compacted topic. Fed by one thread, asked by all. */
#ifndef DESK_INGRESS_DIRECTORY_H
#define DESK_INGRESS_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "bus/bus.h"
#include "contract/directory_voice.h"

#define DIRECTORY_KEYS_MAX          8
#define DIRECTORY_TENANT_LOOKUP_MAX 64 /* a tenant has at most 32 numbers, for texts and calls */

/* One channel. Never changed but for the count of those who hold it. */
struct channel {
    _Atomic int references;
    int64_t version;
    char *key;                   /* "sms:+15550001" */
    char tenant[UUID_TEXT_SIZE]; /* lower case */
    char *address, *account_sid;
    struct secret *keys[DIRECTORY_KEYS_MAX];
    size_t key_count;
    const struct directory_voice *voice; /* of kind "voice"; else NULL */
    struct arena *arena;                 /* holds it; NULL without */
};

struct directory;

/* Returns an owned, empty directory that opens sealed keys with this secret key (borrowed). */
struct directory *directory_new(const struct secret *edge_secret);

/* Sets *directory to NULL; accepts NULL. Channels still held stay valid until released. */
void directory_free(struct directory **directory);

/* Takes one record of the topic: a channel of any kind, a tombstone, the marker. A lower version
 * never replaces a higher one. PERMANENT "event.*" for a record that cannot be read: it changes
 * nothing. *unopened (may be NULL) gets the number of keys that did not open. */
int directory_apply(struct directory *directory, const struct bus_record *record, int *unopened,
                    struct err *err);

/* True once a marker that ends a full publication has been read. Any thread. */
bool directory_has_marker(const struct directory *directory);

/* The channel of kind and address, or NULL. Held until channel_release. Any thread. */
struct channel *directory_find(struct directory *directory, const char *kind, const char *address);

/* Fills `found` with up to DIRECTORY_TENANT_LOOKUP_MAX channels of the tenant (canonical lower-case
 * uuid), those of the account first; each held. Returns how many. Any thread. */
size_t directory_find_tenant(struct directory *directory, const char *tenant, const char *account,
                             struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX]);

/* All keys of the channels, each once, borrowed from them; returns how many. Any thread. */
#define DIRECTORY_ALL_KEYS_MAX (DIRECTORY_TENANT_LOOKUP_MAX * DIRECTORY_KEYS_MAX)
size_t channel_keys(struct channel *const *channels, size_t count,
                    const struct secret *keys[DIRECTORY_ALL_KEYS_MAX]);

/* Gives the channel back; sets *channel to NULL; accepts NULL. Any thread. */
void channel_release(struct channel **channel);

/* For the gauges: channels and the highest version among all records read. Any thread. */
size_t directory_channels(struct directory *directory);
int64_t directory_version(const struct directory *directory);

#endif
