/* Blocking requests for a command: the loop's HTTP client, run until each is done. One thread. */
#ifndef DESKCTL_FETCH_H
#define DESKCTL_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"

#define FETCH_BYTES_MAX (16 * 1024 * 1024)

struct fetch;

/* Returns an owned client with a loop of its own. */
struct fetch *fetch_new(void);

/* Frees; sets to NULL; accepts NULL. */
void fetch_free(struct fetch **fetch);

/* Gets the URL with Basic auth; a 200's body goes into the arena. No connection, 429 and 5xx are
 * tried 4 times with growing pauses (or what Retry-After says, at most 30 s). PERMANENT "fetch.401"
 * and so on for other answers, RETRY_LATER when all tries failed. */
int fetch_get(struct fetch *fetch, struct arena *arena, const char *url, const char *user,
              const struct secret *password, const char **body, size_t *length, struct err *err);

/* Posts JSON, once: whoever repeats it must know that it may have been done. A 200's body goes into
 * the arena. PERMANENT "fetch.400" and so on for other answers, with the beginning of what they
 * say, or the client's error. */
int fetch_post(struct fetch *fetch, struct arena *arena, const char *url, const char *json,
               const char **body, size_t *length, struct err *err);

/* Waits, at most 30 s. */
void fetch_pause(struct fetch *fetch, int64_t ms);

#endif
