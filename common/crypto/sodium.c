/* libsodium's part of the cryptography: sealing to the edge. The only file that includes it. The
 * engine and deskctl seal, only ingress, which holds the secret key, opens. */
#include "crypto/crypto.h"

#include "base/mem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

_Static_assert(CRYPTO_EDGE_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "size of a public key");
_Static_assert(CRYPTO_EDGE_KEY_BYTES == crypto_box_SECRETKEYBYTES, "size of a secret key");

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
    if (sodium_init() < 0)
        abort(); /* no random source */
}

void crypto_edge_keypair(uint8_t public_key[CRYPTO_EDGE_KEY_BYTES],
                         uint8_t secret_key[CRYPTO_EDGE_KEY_BYTES])
{
    pthread_once(&once, start_library);
    crypto_box_keypair(public_key, secret_key);
}

void crypto_edge_public(const uint8_t secret_key[CRYPTO_EDGE_KEY_BYTES],
                        uint8_t public_key[CRYPTO_EDGE_KEY_BYTES])
{
    pthread_once(&once, start_library);
    if (crypto_scalarmult_base(public_key, secret_key) != 0)
        abort(); /* documented to succeed always */
}

void crypto_seal(const uint8_t public_key[CRYPTO_EDGE_KEY_BYTES], const void *bytes, size_t length,
                 struct strbuf *out)
{
    pthread_once(&once, start_library);
    uint8_t *sealed = xmalloc(length + crypto_box_SEALBYTES);
    if (crypto_box_seal(sealed, bytes, length, public_key) != 0)
        abort(); /* only for a public key of low order: not one that we made */
    strbuf_add(out, sealed, length + crypto_box_SEALBYTES);
    free(sealed);
}

int crypto_seal_open(const uint8_t public_key[CRYPTO_EDGE_KEY_BYTES],
                     const uint8_t secret_key[CRYPTO_EDGE_KEY_BYTES], const void *sealed,
                     size_t length, struct secret **opened, struct err *err)
{
    pthread_once(&once, start_library);
    if (length < crypto_box_SEALBYTES)
        return err_set(err, ERR_PERMANENT, "crypto.seal", "too short to be sealed to the edge");
    size_t text_length = length - crypto_box_SEALBYTES;
    uint8_t *text = xmalloc(text_length);
    int failed = crypto_box_seal_open(text, sealed, length, public_key, secret_key);
    if (failed == 0)
        *opened = secret_new(text, text_length);
    sodium_memzero(text, text_length);
    free(text);
    if (failed != 0)
        return err_set(err, ERR_PERMANENT, "crypto.seal",
                       "not sealed to this edge key, or altered; enter the key again");
    return 0;
}
