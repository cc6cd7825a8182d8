/* OpenSSL's part of the cryptography: HMAC, hashes, derived ids, AES-256-GCM; and random bytes,
 * which come from the kernel, at a tenth of what OpenSSL's generator costs. The only file that
 * includes it. Its calls fail here only when the library is broken or memory is out, which ends the
 * process: a service that cannot authenticate must not go on. */
#include "crypto/crypto.h"

#include "base/mem.h"
#include "crypto/sha1.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- hashes ---- */

static EVP_MAC *hmac;
static EVP_MD *sha256;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

/* Looked up once: a fetch per call costs more than the hash of a webhook. */
static void fetch(void)
{
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(hmac != NULL && sha256 != NULL);
}

static EVP_MAC_CTX *hmac_start(const char *digest, const void *key, size_t key_length)
{
    char name[16];
    size_t length = strlen(digest);
    assert(length < sizeof name);
    memcpy(name, digest, length + 1);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    pthread_once(&fetch_once, fetch);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    must(mac != NULL);
    /* A NULL key would mean "the key of before". */
    must(EVP_MAC_init(mac, key_length > 0 ? key : "", key_length, params) == 1);
    return mac;
}

static void hmac_finish(EVP_MAC_CTX *mac, uint8_t *out, size_t out_bytes)
{
    size_t written = 0;
    must(EVP_MAC_final(mac, out, &written, out_bytes) == 1 && written == out_bytes);
    EVP_MAC_CTX_free(mac);
}

void crypto_hmac_sha1(const void *key, size_t key_length, const void *bytes, size_t length,
                      uint8_t out[CRYPTO_SHA1_BYTES])
{
    EVP_MAC_CTX *mac = hmac_start("SHA1", key, key_length);
    must(EVP_MAC_update(mac, bytes, length) == 1);
    hmac_finish(mac, out, CRYPTO_SHA1_BYTES);
}

void crypto_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                        uint8_t out[CRYPTO_SHA256_BYTES])
{
    EVP_MAC_CTX *mac = hmac_start("SHA256", key, key_length);
    must(EVP_MAC_update(mac, bytes, length) == 1);
    hmac_finish(mac, out, CRYPTO_SHA256_BYTES);
}

void crypto_sha1(const void *bytes, size_t length, uint8_t out[CRYPTO_SHA1_BYTES])
{
    must(EVP_Digest(bytes, length, out, NULL, EVP_sha1(), NULL) == 1);
}

void crypto_sha256(const void *bytes, size_t length, uint8_t out[CRYPTO_SHA256_BYTES])
{
    pthread_once(&fetch_once, fetch);
    must(EVP_Digest(bytes, length, out, NULL, sha256, NULL) == 1);
}

bool crypto_equal(const void *a, const void *b, size_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}

bool crypto_equal_secrets(const struct secret *a, const struct secret *b)
{
    return secret_length(a) == secret_length(b) &&
           crypto_equal(secret_reveal(a), secret_reveal(b), secret_length(a));
}

void crypto_random(void *out, size_t length)
{
    for (uint8_t *p = out, *end = p + length; p < end;) {
        ssize_t got = getrandom(p, (size_t)(end - p), 0);
        must(got > 0 || errno == EINTR);
        p += got > 0 ? got : 0;
    }
}

/* ---- derived ids ---- */

/* A thread's HMAC with the key of its ids: making one costs several times the hash of so few bytes.
 */
struct ident_mac {
    EVP_MAC_CTX *mac;
    struct secret *key;
};

static pthread_key_t ident_slot;
static pthread_once_t ident_once = PTHREAD_ONCE_INIT;

static void ident_mac_free(void *arg)
{
    struct ident_mac *kept = arg;
    EVP_MAC_CTX_free(kept->mac);
    secret_free(&kept->key);
    free(kept);
}

static void make_ident_slot(void)
{
    must(pthread_key_create(&ident_slot, ident_mac_free) == 0);
}

/* Borrowed from the thread. */
static EVP_MAC_CTX *ident_start(const struct secret *key)
{
    pthread_once(&ident_once, make_ident_slot);
    struct ident_mac *kept = pthread_getspecific(ident_slot);
    if (kept != NULL && crypto_equal_secrets(kept->key, key)) {
        must(EVP_MAC_init(kept->mac, NULL, 0, NULL) == 1); /* with the key of before */
        return kept->mac;
    }
    if (kept != NULL)
        ident_mac_free(kept);
    kept = xcalloc(1, sizeof *kept);
    kept->key = secret_new(secret_reveal(key), secret_length(key));
    kept->mac = hmac_start("SHA256", secret_reveal(key), secret_length(key));
    must(pthread_setspecific(ident_slot, kept) == 0);
    return kept->mac;
}

/* Each part is preceded by its length in 8 bytes, so no two lists hash alike. Ids live for ever:
 * this encoding may never change. */
struct uuid crypto_ident(const struct secret *id_key, const char *const *parts, size_t count)
{
    EVP_MAC_CTX *mac = ident_start(id_key);
    uint8_t hash[CRYPTO_SHA256_BYTES];
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(parts[i]);
        uint8_t prefix[8];
        for (int k = 0; k < 8; k++)
            prefix[k] = (uint8_t)((uint64_t)length >> (56 - 8 * k));
        must(EVP_MAC_update(mac, prefix, sizeof prefix) == 1);
        must(EVP_MAC_update(mac, (const uint8_t *)parts[i], length) == 1);
    }
    must(EVP_MAC_final(mac, hash, &written, sizeof hash) == 1 && written == sizeof hash);
    return uuid_from_hash(hash);
}

/* ---- credentials at rest ---- */

#define WRAP_VERSION 1
#define KEY_ID_BYTES 4
#define NONCE_BYTES  12
#define TAG_BYTES    16
#define HEADER_BYTES (1 + KEY_ID_BYTES)
#define EXTRA_BYTES  (HEADER_BYTES + NONCE_BYTES + TAG_BYTES)

static void make_header(const struct secret *key, uint8_t header[HEADER_BYTES])
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    assert(secret_length(key) == CRYPTO_KEY_BYTES);
    crypto_sha256(secret_reveal(key), CRYPTO_KEY_BYTES, hash);
    header[0] = WRAP_VERSION;
    memcpy(header + 1, hash, KEY_ID_BYTES);
}

/* Starts AES-256-GCM with header and context as authenticated data. */
static EVP_CIPHER_CTX *gcm_start(const struct secret *key, const uint8_t *wrapped,
                                 const char *context, bool encrypt)
{
    int used = 0;
    size_t context_length = strlen(context);
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    must(gcm != NULL && context_length <= INT_MAX);
    must(EVP_CipherInit_ex2(gcm, EVP_aes_256_gcm(), (const uint8_t *)secret_reveal(key),
                            wrapped + HEADER_BYTES, encrypt, NULL) == 1);
    must(EVP_CipherUpdate(gcm, NULL, &used, wrapped, HEADER_BYTES) == 1);
    must(EVP_CipherUpdate(gcm, NULL, &used, (const uint8_t *)context, (int)context_length) == 1);
    return gcm;
}

void crypto_wrap(const struct secret *key, const char *context, const void *bytes, size_t length,
                 struct strbuf *out)
{
    must(length <= INT_MAX - EXTRA_BYTES);
    uint8_t *wrapped = xmalloc(length + EXTRA_BYTES);
    uint8_t *text = wrapped + HEADER_BYTES + NONCE_BYTES;
    int used = 0;
    make_header(key, wrapped);
    crypto_random(wrapped + HEADER_BYTES, NONCE_BYTES);
    EVP_CIPHER_CTX *gcm = gcm_start(key, wrapped, context, true);
    if (length > 0) /* an update of nothing is refused */
        must(EVP_CipherUpdate(gcm, text, &used, bytes, (int)length) == 1);
    must(EVP_CipherFinal_ex(gcm, text + length, &used) == 1);
    must(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + length) == 1);
    EVP_CIPHER_CTX_free(gcm);
    strbuf_add(out, wrapped, length + EXTRA_BYTES);
    free(wrapped);
}

/* Opens with one key; NULL if it was altered or moved. */
static struct secret *open_with(const struct secret *key, const char *context, uint8_t *wrapped,
                                size_t length)
{
    size_t text_length = length - EXTRA_BYTES;
    uint8_t *sealed = wrapped + HEADER_BYTES + NONCE_BYTES;
    uint8_t *text = xmalloc(text_length + TAG_BYTES);
    struct secret *opened = NULL;
    int used = 0;
    EVP_CIPHER_CTX *gcm = gcm_start(key, wrapped, context, false);
    if (text_length > 0)
        must(EVP_CipherUpdate(gcm, text, &used, sealed, (int)text_length) == 1);
    must(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, sealed + text_length) == 1);
    if (EVP_CipherFinal_ex(gcm, text + text_length, &used) == 1)
        opened = secret_new(text, text_length);
    EVP_CIPHER_CTX_free(gcm);
    OPENSSL_cleanse(text, text_length);
    free(text);
    return opened;
}

int crypto_unwrap(const struct secret *const *keys, size_t count, const char *context,
                  const void *wrapped, size_t length, struct secret **opened, struct err *err)
{
    if (length < EXTRA_BYTES || length > INT_MAX || ((const uint8_t *)wrapped)[0] != WRAP_VERSION)
        return err_set(err, ERR_PERMANENT, "crypto.wrap", "not a credential that we wrapped");
    bool key_known = false;
    struct secret *found = NULL;
    uint8_t *copy = xmalloc(length); /* the tag goes in through a pointer that is not const */
    memcpy(copy, wrapped, length);
    for (size_t i = 0; i < count && found == NULL; i++) {
        uint8_t header[HEADER_BYTES];
        make_header(keys[i], header);
        if (memcmp(header, copy, HEADER_BYTES) != 0)
            continue;
        key_known = true;
        found = open_with(keys[i], context, copy, length);
    }
    free(copy);
    if (found == NULL)
        return err_set(err, ERR_PERMANENT, "crypto.wrap",
                       key_known ? "the credential was altered or moved; enter it again"
                                 : "no configured key opens the credential; add the former key");
    *opened = found;
    return 0;
}
