/* A stream of bytes to a server, plain or under TLS, for protocols that are not HTTP: libcurl makes
 * the connection (names, TCP, TLS, certificates; for IMAP also STARTTLS) without blocking the loop,
 * the owner speaks the protocol.
 *
 * TLS is 1.2 or newer; the certificate and its host name are checked, and nothing switches that
 * off. With STARTTLS nothing that was said in the clear is kept: curl refuses a server that does
 * not offer it, says that it is logged in already, or sends more behind its consent
 * (CVE-2021-22946, CVE-2021-22947). All calls and callbacks on the loop's thread. */
#ifndef DESK_HTTP_STREAM_H
#define DESK_HTTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/tls.h"
#include "http/address.h"
#include "loop/loop.h"

#define STREAM_SEND_MAX  (32u * 1024 * 1024) /* bytes that may wait to be sent */
#define STREAM_HOST_MAX  253
#define STREAM_STRIDE    (16u * 1024)  /* most bytes in one on_data: a record of TLS */
#define STREAM_BURST_MAX (256u * 1024) /* bytes read before the loop's other work has its turn */

enum stream_security {
    STREAM_PLAIN,
    STREAM_TLS,           /* from the first byte on */
    STREAM_STARTTLS_IMAP, /* the server's greeting was read by then */
};

struct stream;

struct stream_options {
    struct loop *loop; /* borrowed */
    const char *host;  /* a name, or an address (IPv6 without brackets); copied */
    int port;          /* 1-65535 */
    enum stream_security security;
    const char *ca_file; /* PEM bundle that signs the server's certificate; NULL: the system's;
                            copied */
    /* What was read of such a bundle instead, borrowed: many streams share it, as 1 MB of
     * certificates each would be most of what they cost. NULL: ca_file is read. */
    const struct crypto_trust *trust;
    /* True: only public addresses, and what `exceptions` lists (http/address.h), are connected to.
     * The list is borrowed for the stream's life; NULL: none. */
    bool public_only;
    const struct address_list *exceptions;
    int64_t connect_ms; /* until on_open, all in all; 0: 15,000 */
    int64_t stall_ms;   /* bytes wait and none was taken for so long; 0: 30,000 */
    void (*on_open)(void *arg);
    /* Bytes came, at most STREAM_STRIDE; borrowed until it returns. */
    void (*on_data)(void *arg, const char *bytes, size_t length);
    /* The stream is over, once, also before on_open: RETRY_LATER "stream.closed" (the other side
     * ended it), "stream.resolve", "stream.connect", "stream.reset", "stream.stalled",
     * "stream.full" (more than STREAM_SEND_MAX), "stream.protocol" (STARTTLS went wrong); FALL_BACK
     * "stream.tls" (the certificate), "stream.starttls" (not offered); PERMANENT "stream.host" (no
     * host or port), "stream.address" (public_only). The owner still closes it. */
    void (*on_end)(void *arg, const struct err *err);
    void *arg;
};

/* Starts to connect; returns owned. Never calls back from inside. */
struct stream *stream_open(const struct stream_options *options);

/* Closes at once, without a callback; sets *stream to NULL; accepts NULL. Allowed inside its own
 * callbacks. */
void stream_close(struct stream **stream);

/* Queues a copy of the bytes behind what waits; before on_open too. It is wiped once sent; a secret
 * shall be given whole and when nothing waits, as a queue that grows leaves its old bytes behind.
 * After the end it does nothing. Never calls back from inside. */
void stream_send(struct stream *stream, const void *bytes, size_t length);

#endif
