/* TLS for libraries that take an OpenSSL context: one reading of the certificates for all of them,
 * and for one that checks too little by itself (libesmtp: no SNI, TLS 1.0, the canonical name
 * instead of the one we asked for) a context that does. */
#ifndef DESK_CRYPTO_TLS_H
#define DESK_CRYPTO_TLS_H

#include <stdbool.h>

#include "base/err.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */
struct crypto_trust;
struct crypto_tls;

/* Reads the certificates of those who may vouch for a server from a PEM file. Returns owned.
 * PERMANENT "crypto.trust" when it cannot be read. Any thread; may be used by many at once. */
int crypto_trust_open(const char *ca_file, struct crypto_trust **trust, struct err *err);

/* Frees; sets to NULL; accepts NULL. Contexts that were given it keep it. */
void crypto_trust_free(struct crypto_trust **trust);

/* Lets a context that somebody else made, and that checks by itself, check against it instead of
 * what it has read. */
void crypto_trust_give(const struct crypto_trust *trust, struct ssl_ctx_st *context);

/* Frees what the library keeps for the calling thread, which it does by itself only when the thread
 * is over: the end of the process may come before that of a thread that nobody joins. The last that
 * such a thread does with it. */
void crypto_thread_end(void);

/* A context for one session with `host` (copied): TLS 1.2 and no newer (libesmtp takes
 * the wait behind a ticket of TLS 1.3 for a failure), its name in SNI, and no handshake without a
 * chain to `trust` (borrowed) and that name (or IPv4 address) in the certificate. Returns owned.
 * One thread at a time. */
struct crypto_tls *crypto_tls_new(const struct crypto_trust *trust, const char *host);

/* Has the session fail once `is_over` says so when bytes are read: a server that sends one now and
 * then would keep a library that waits for the whole record (libesmtp) for ever. Before the
 * session. */
void crypto_tls_end_when(struct crypto_tls *tls, bool (*is_over)(void *arg), void *arg);

/* After the session. Sets to NULL; accepts NULL. */
void crypto_tls_free(struct crypto_tls **tls);

/* OpenSSL's context; borrowed. */
struct ssl_ctx_st *crypto_tls_context(const struct crypto_tls *tls);

/* Why the server's certificate was refused, static text; NULL if it was not. */
const char *crypto_tls_refusal(const struct crypto_tls *tls);

/* Empties the calling thread's queue of OpenSSL errors. What something before left in it, a library
 * that asks SSL_get_error without emptying it first (libesmtp) takes for its own failure. */
void crypto_tls_forget_errors(void);

#endif
