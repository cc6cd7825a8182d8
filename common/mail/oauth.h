/* Access tokens of mailboxes (RFC 6749): bought from the provider's token endpoint with a refresh
 * token (section 6) or with the client's own credentials (section 4.4), and kept in memory until
 * shortly before they expire. Who asks for the same mailbox meanwhile waits for the same request.
 * One cache per loop; all calls and callbacks on the loop's thread. */
#ifndef DESK_MAIL_OAUTH_H
#define DESK_MAIL_OAUTH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "http/client.h"
#include "loop/loop.h"

#define OAUTH_TOKEN_MAX (16u * 1024) /* bytes of a token */

/* What tokens are bought with. */
struct oauth_grant {
    const char *token_url;              /* of the token endpoint */
    const char *client_id;              /* "" if the endpoint wants none */
    const char *scope;                  /* "": what was granted */
    const struct secret *client_secret; /* NULL: a public client */
    const struct secret *refresh_token; /* NULL: the client's own credentials are enough */
};

struct oauth;

struct oauth_options {
    struct loop *loop;          /* borrowed, as client */
    struct http_client *client; /* shared with whoever */
    int64_t total_ms;           /* of a request; 0: 30,000 */
    /* The endpoint gave a new refresh token, and may not take the old one again: to be kept.
     * `version` is the one of the grant that it replaces, `grant` the new one, borrowed. Once more,
     * from inside oauth_ask, if the old one comes back under a newer version. NULL: they
     * are used as long as the process lives, and then lost. */
    void (*on_rotated)(void *arg, const struct uuid *owner, int64_t version,
                       const struct oauth_grant *grant);
    void *arg;
};

/* Returns an owned, empty cache. */
struct oauth *oauth_new(const struct oauth_options *options);

/* Ends what is in flight without callbacks, wipes and frees; sets to NULL; accepts NULL. The client
 * must still be there. */
void oauth_free(struct oauth **oauth);

/* Who asks, until the answer or oauth_cancel. */
struct oauth_wait;

/* Called once, never from inside oauth_ask: the token, borrowed until it returns; or NULL and why.
 * FALL_BACK "oauth.refused": the endpoint takes grant or client no more, a person must log in anew;
 * FALL_BACK "oauth.endpoint": it is none; RETRY_LATER "oauth.unavailable", "oauth.answer", or what
 * http/client.h says. */
typedef void oauth_done(void *arg, const struct secret *token, const struct err *err);

/* Asks for a token of the owner (a mailbox). `version` rises with each change of its grant: a token
 * of another one is not taken. With another refresh token alone it is the same grant, as that comes
 * back from where on_rotated, of whichever process, had it kept. All of `grant` is copied. Returns
 * borrowed. */
struct oauth_wait *oauth_ask(struct oauth *oauth, const struct uuid *owner, int64_t version,
                             const struct oauth_grant *grant, oauth_done *done, void *arg);

/* Gives up waiting, without a callback; sets to NULL; accepts NULL. Not in its own callback. */
void oauth_cancel(struct oauth_wait **wait);

/* A server did not take the owner's token: the next who asks gets a new one. */
void oauth_forget(struct oauth *oauth, const struct uuid *owner);

#endif
