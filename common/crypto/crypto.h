/* Cryptography: OpenSSL for HMAC and hashes, libsodium for sealing. Any thread. */
#ifndef DESK_CRYPTO_CRYPTO_H
#define DESK_CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "base/uuid.h"

#define CRYPTO_SHA1_BYTES   20
#define CRYPTO_SHA256_BYTES 32

/* HMAC-SHA1 (Twilio's signature) and HMAC-SHA256 over `length` bytes. */
void crypto_hmac_sha1(const void *key, size_t key_length, const void *bytes, size_t length,
                      uint8_t out[CRYPTO_SHA1_BYTES]);
void crypto_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                        uint8_t out[CRYPTO_SHA256_BYTES]);

/* SHA-256 over `length` bytes. */
void crypto_sha256(const void *bytes, size_t length, uint8_t out[CRYPTO_SHA256_BYTES]);

/* Constant-time equality of `length` bytes. */
bool crypto_equal(const void *a, const void *b, size_t length);

/* The same of two secrets; only whether they are as long as each other shows in the time. */
bool crypto_equal_secrets(const struct secret *a, const struct secret *b);

/* Fills with random bytes. */
void crypto_random(void *out, size_t length);

/* An id that every process derives alike: a keyed hash of the parts, as a version 8 uuid. `parts`
 * are `count` texts; their boundaries count ("a","bc" differs from "ab","c"). */
struct uuid crypto_ident(const struct secret *id_key, const char *const *parts, size_t count);

/* ---- sealing to the edge: anybody with the public key seals, only ingress opens ---- */
#define CRYPTO_EDGE_KEY_BYTES 32

/* Makes a key pair for crypto_seal. */
void crypto_edge_keypair(uint8_t public_key[CRYPTO_EDGE_KEY_BYTES],
                         uint8_t secret_key[CRYPTO_EDGE_KEY_BYTES]);

/* The public key that belongs to the secret key: ingress is given the secret one only. */
void crypto_edge_public(const uint8_t secret_key[CRYPTO_EDGE_KEY_BYTES],
                        uint8_t public_key[CRYPTO_EDGE_KEY_BYTES]);

/* Appends the sealed bytes (crypto_box_seal). */
void crypto_seal(const uint8_t public_key[CRYPTO_EDGE_KEY_BYTES], const void *bytes, size_t length,
                 struct strbuf *out);

/* Opens what was sealed to the pair. PERMANENT "crypto.seal" if it was not or was changed. Returns
 * an owned secret in *opened. */
int crypto_seal_open(const uint8_t public_key[CRYPTO_EDGE_KEY_BYTES],
                     const uint8_t secret_key[CRYPTO_EDGE_KEY_BYTES], const void *sealed,
                     size_t length, struct secret **opened, struct err *err);

/* ---- credentials at rest: AES-256-GCM under a key from a file ---- */
#define CRYPTO_KEY_BYTES 32

/* Appends version byte, key id (first 4 bytes of the key's SHA-256), nonce, ciphertext and tag.
 * `context` (tenant, table, column, row) is authenticated: a sealed value moved to another row does
 * not open. */
void crypto_wrap(const struct secret *key, const char *context, const void *bytes, size_t length,
                 struct strbuf *out);

/* Opens with whichever of the `count` keys was used (rotation). PERMANENT "crypto.wrap" when none
 * fits or it was altered or moved. Returns an owned secret in *opened. */
int crypto_unwrap(const struct secret *const *keys, size_t count, const char *context,
                  const void *wrapped, size_t length, struct secret **opened, struct err *err);

/* Reads a key file: exactly `length` bytes as hexadecimal text, one line. PERMANENT
 * "crypto.key_file" with the path and what to do. Returns an owned secret of the raw bytes. */
int crypto_read_key_file(const char *path, size_t length, struct secret **key, struct err *err);

/* Reads the files of a list of paths with commas between, the current key first. *count gets how
 * many keys are owned by the caller, also after a failure. PERMANENT "crypto.key_file", also for
 * more than `max`. */
int crypto_read_key_files(const char *paths, size_t length, struct secret **keys, size_t max,
                          size_t *count, struct err *err);

#endif
