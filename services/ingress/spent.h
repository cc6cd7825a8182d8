/* Paths of relay sockets that were used: each is good for one socket (contract/call_token.h has
 * their form, and how long they live). What another process let in is not known here: a path that
 * was used there is good once more, with Twilio's signature, until it expires. Not thread-safe: the
 * loop's. */
#ifndef DESK_INGRESS_SPENT_H
#define DESK_INGRESS_SPENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPENT_MAX 65536 /* paths; a thousand new sockets a second for as long as a path lives */

struct spent;

/* Remembers at most `most` paths, then forgets the oldest first. Returns owned, empty; frees and
 * sets to NULL, accepts NULL. */
struct spent *spent_new(size_t most);
void spent_free(struct spent **spent);

/* True if the verified path was not used here yet; from now on it was. Times are seconds of the
 * wall clock; a path that has expired is forgotten, and the caller does not ask about one. */
bool spent_take(struct spent *spent, const char *path, int64_t expires_s, int64_t now_s);

#endif
