/* Whose call a request is, as its path tells it.
 *
 * The relay socket's path /relay/<tenant>/<CallSid>/<expiry>/<mac> is made when a call is answered
 * and given to Twilio; any ingress that has the key can check it. It is good for one call and for a
 * short time, and once at the process that let its socket in, beside Twilio's signature, which
 * covers the URL only as far as the account goes. Its mac also tells whether the call had a socket
 * before: any ingress must know, and nobody may say so but who answered the call.
 *
 * The paths of a call's further webhooks, /twilio/voice/<kind>/<tenant>/<step>, carry no mac:
 * Twilio's signature covers them, and they count only after it fitted a key of that very tenant.
 *
 * One spelling of everything: lower-case uuid and mac, no leading zeros, nothing behind. Any
 * thread. */
#ifndef DESK_CONTRACT_CALL_TOKEN_H
#define DESK_CONTRACT_CALL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/uuid.h"

#define CALL_TOKEN_SID_SIZE  35          /* CA and 32 hex, with the NUL */
#define CALL_TOKEN_LIFE_MAX  (24 * 3600) /* s; a call lasts no longer */
#define CALL_TOKEN_KIND_SIZE 33          /* with the NUL */
#define CALL_TOKEN_STEP_MAX  1000000

struct call_token {
    struct uuid tenant;
    char call_sid[CALL_TOKEN_SID_SIZE];
    int64_t expires_s; /* wall clock; good until this second has passed */
    bool resumed;      /* not the call's first socket */
};

/* The path under the current key, in the arena. BUG "call_token.bug" for a CallSid of another shape
 * or an expiry before 2001 or after 5138; *path is untouched. */
int call_token_write(struct arena *arena, const struct call_token *token, const struct secret *key,
                     const char **path, struct err *err);

/* Checks a path (without query) against each of the keys, the current one and those before it, in
 * constant time, and fills *out. PERMANENT, *out untouched:
 * - "call_token.syntax": not such a path;
 * - "call_token.mac": made under none of the keys, or changed;
 * - "call_token.expired": ours, but too late; one that expires more than CALL_TOKEN_LIFE_MAX after
 *   now_ms (wall clock) was made by a clock that is wrong and counts as this too. */
int call_token_check(const char *path, const struct secret *const *keys, size_t count,
                     int64_t now_ms, struct call_token *out, struct err *err);

/* A step of a call. */
struct call_step {
    char kind[CALL_TOKEN_KIND_SIZE]; /* a-z and '-', begins with a letter */
    struct uuid tenant;
    int step; /* 0-CALL_TOKEN_STEP_MAX */
};

/* The path of a step, in the arena. */
const char *call_token_step_path(struct arena *arena, const struct call_step *step);

/* Reads such a path (without query); false, *out untouched, for any other. */
bool call_token_read_step(const char *path, struct call_step *out);

#endif
