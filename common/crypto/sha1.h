/* Plain SHA-1, for the WebSocket handshake alone (RFC 6455 4.2.2), where it proves nothing but that
 * the server speaks WebSocket. Nothing may rely on it for security. */
#ifndef DESK_CRYPTO_SHA1_H
#define DESK_CRYPTO_SHA1_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto.h"

/* SHA-1 over `length` bytes. Any thread. */
void crypto_sha1(const void *bytes, size_t length, uint8_t out[CRYPTO_SHA1_BYTES]);

#endif
