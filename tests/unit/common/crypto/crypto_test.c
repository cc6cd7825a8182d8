/* Unit tests of the cryptography: published vectors, tampering, rotation, key files. */
#include "crypto/crypto.h"
#include "crypto/sha1.h"

#include "base/text.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_hex(const uint8_t *bytes, size_t length, const char *expected)
{
    struct strbuf hex;
    strbuf_init(&hex, 1024);
    text_add_hex(&hex, bytes, length);
    CU_ASSERT_STRING_EQUAL(hex.data, expected);
    strbuf_fini(&hex);
}

/* RFC 2202 and RFC 4231: one table, both digests over the same key and data where both have it. */
static void test_hmac_vectors(void)
{
    static const struct {
        int key_byte; /* the key is this byte repeated, or the text if 0 */
        const char *key_text;
        size_t key_length;
        int data_byte;
        const char *data_text;
        size_t data_length;
        const char *sha1, *sha256;
    } cases[] = {
        {0x0b, NULL, 20, 0, "Hi There", 8, "b617318655057264e28bc0b6fb378c8ef146be00",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {0, "Jefe", 4, 0, "what do ya want for nothing?", 28,
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {0xaa, NULL, 20, 0xdd, NULL, 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {0xaa, NULL, 131, 0, "Test Using Larger Than Block-Size Key - Hash Key First", 54, NULL,
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {0xaa, NULL, 80, 0, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
         "aa4ae5e15272d00e95705637ce8a3b55ed402112", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char key[131], data[64];
        uint8_t out[CRYPTO_SHA256_BYTES];
        memset(key, cases[i].key_byte, sizeof key);
        memset(data, cases[i].data_byte, sizeof data);
        const char *k = cases[i].key_text != NULL ? cases[i].key_text : key;
        const char *d = cases[i].data_text != NULL ? cases[i].data_text : data;
        if (cases[i].sha1 != NULL) {
            crypto_hmac_sha1(k, cases[i].key_length, d, cases[i].data_length, out);
            assert_hex(out, CRYPTO_SHA1_BYTES, cases[i].sha1);
        }
        if (cases[i].sha256 != NULL) {
            crypto_hmac_sha256(k, cases[i].key_length, d, cases[i].data_length, out);
            assert_hex(out, CRYPTO_SHA256_BYTES, cases[i].sha256);
        }
    }
}

static void test_hmac_of_nothing(void)
{
    uint8_t out[CRYPTO_SHA256_BYTES];
    crypto_hmac_sha256("", 0, "", 0, out);
    assert_hex(out, sizeof out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    crypto_hmac_sha1(NULL, 0, "", 0, out);
    assert_hex(out, CRYPTO_SHA1_BYTES, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

/* FIPS 180-2; RFC 6455 1.3 */
static void test_sha1_vectors(void)
{
    static const char upgrade[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t out[CRYPTO_SHA1_BYTES];
    crypto_sha1("abc", 3, out);
    assert_hex(out, sizeof out, "a9993e364706816aba3e25717850c26c9cd0d89d");
    crypto_sha1("", 0, out);
    assert_hex(out, sizeof out, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    crypto_sha1(upgrade, sizeof upgrade - 1, out);
    assert_hex(out, sizeof out, "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
}

/* FIPS 180-2 */
static void test_sha256_vectors(void)
{
    uint8_t out[CRYPTO_SHA256_BYTES];
    crypto_sha256("abc", 3, out);
    assert_hex(out, sizeof out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256("", 0, out);
    assert_hex(out, sizeof out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, out);
    assert_hex(out, sizeof out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_equal_and_random(void)
{
    uint8_t a[32], b[32];
    static const uint8_t zero[32];
    CU_ASSERT_TRUE(crypto_equal("abc", "abc", 3));
    CU_ASSERT_FALSE(crypto_equal("abc", "abd", 3));
    CU_ASSERT_TRUE(crypto_equal("abc", "abd", 2));
    crypto_random(a, sizeof a);
    crypto_random(b, sizeof b);
    CU_ASSERT_FALSE(crypto_equal(a, b, sizeof a));
    CU_ASSERT_FALSE(crypto_equal(a, zero, sizeof a));
}

static struct uuid ident(const char *key, const char *a, const char *b, const char *c)
{
    struct secret *secret = secret_new(key, strlen(key));
    const char *parts[] = {a, b, c};
    struct uuid id = crypto_ident(secret, parts, c != NULL ? 3 : b != NULL ? 2 : a != NULL ? 1 : 0);
    secret_free(&secret);
    return id;
}

static void test_ident(void)
{
    struct uuid id = ident("key", "a", "bc", NULL), other;
    char text[UUID_TEXT_SIZE];
    /* Pinned: ids are in databases for ever. HMAC-SHA256("key", 8-byte length and text of each). */
    CU_ASSERT_STRING_EQUAL(uuid_format(&id, text), "ba41d3aa-ace0-84bb-b1fb-49a559ae1df1");
    struct {
        const char *key, *a, *b, *c;
    } others[] = {
        {"key", "ab", "c", NULL}, {"key", "abc", NULL, NULL}, {"key", "a", "bc", ""},
        {"Key", "a", "bc", NULL}, {"key", "a", "bd", NULL},   {"key", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        other = ident(others[i].key, others[i].a, others[i].b, others[i].c);
        CU_ASSERT_FALSE(uuid_equal(&id, &other));
    }
    other = ident("key", "a", "bc", NULL);
    CU_ASSERT_TRUE(uuid_equal(&id, &other));
}

static void *derive(void *arg)
{
    struct uuid *id = arg;
    *id = ident("key", "a", "bc", NULL);
    return NULL;
}

/* Each thread keeps what its last key was made into: another one's is not its own, and it goes with
 * the thread (else the sanitizer says so). */
static void test_ident_in_threads(void)
{
    struct uuid here = ident("key", "a", "bc", NULL), there[2];
    (void)ident("another key", "a", "bc", NULL);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, derive, &there[i]), 0);
        pthread_join(thread, NULL);
        CU_ASSERT_TRUE(uuid_equal(&here, &there[i]));
    }
}

static void test_seal(void)
{
    uint8_t public_key[CRYPTO_EDGE_KEY_BYTES], secret_key[CRYPTO_EDGE_KEY_BYTES];
    uint8_t other_public[CRYPTO_EDGE_KEY_BYTES], other_secret[CRYPTO_EDGE_KEY_BYTES];
    struct strbuf sealed, again;
    struct secret *opened = NULL;
    struct err err;
    strbuf_init(&sealed, 4096);
    strbuf_init(&again, 4096);
    crypto_edge_keypair(public_key, secret_key);
    crypto_edge_keypair(other_public, other_secret);
    crypto_seal(public_key, "tok\0en", 6, &sealed);
    crypto_seal(public_key, "tok\0en", 6, &again);
    CU_ASSERT_EQUAL(sealed.length, 6 + 48);
    CU_ASSERT_FALSE(crypto_equal(sealed.data, again.data, sealed.length));
    CU_ASSERT_EQUAL_FATAL(
        crypto_seal_open(public_key, secret_key, sealed.data, sealed.length, &opened, &err), 0);
    CU_ASSERT_EQUAL(secret_length(opened), 6);
    CU_ASSERT_TRUE(crypto_equal(secret_reveal(opened), "tok\0en", 6));
    secret_free(&opened);
    CU_ASSERT_EQUAL(
        crypto_seal_open(other_public, other_secret, sealed.data, sealed.length, &opened, &err),
        -1);
    CU_ASSERT_STRING_EQUAL(err.code, "crypto.seal");
    for (size_t i = 0; i < sealed.length; i++) {
        sealed.data[i] ^= 1;
        CU_ASSERT_EQUAL(
            crypto_seal_open(public_key, secret_key, sealed.data, sealed.length, &opened, &err),
            -1);
        sealed.data[i] ^= 1;
    }
    for (size_t cut = 0; cut < sealed.length; cut++)
        CU_ASSERT_EQUAL(crypto_seal_open(public_key, secret_key, sealed.data, cut, &opened, &err),
                        -1);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_PTR_NULL(opened);
    strbuf_fini(&sealed);
    strbuf_fini(&again);
}

static struct secret *key_of(int byte)
{
    char bytes[CRYPTO_KEY_BYTES];
    memset(bytes, byte, sizeof bytes);
    return secret_new(bytes, sizeof bytes);
}

static void test_wrap(void)
{
    struct secret *key = key_of(1), *opened = NULL;
    const struct secret *keys[] = {key};
    struct strbuf wrapped;
    struct err err;
    static const char context[] = "tenant/channels/auth_token/42";
    strbuf_init(&wrapped, 4096);
    crypto_wrap(key, context, "hunter2", 7, &wrapped);
    CU_ASSERT_EQUAL(wrapped.length, 1 + 4 + 12 + 7 + 16);
    CU_ASSERT_EQUAL(wrapped.data[0], 1);
    /* the first bytes of SHA-256 of 32 times 0x01 */
    assert_hex((const uint8_t *)wrapped.data + 1, 4, "72cd6e84");
    CU_ASSERT_EQUAL_FATAL(
        crypto_unwrap(keys, 1, context, wrapped.data, wrapped.length, &opened, &err), 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(opened), "hunter2");
    secret_free(&opened);
    CU_ASSERT_EQUAL(crypto_unwrap(keys, 1, "tenant/channels/auth_token/43", wrapped.data,
                                  wrapped.length, &opened, &err),
                    -1);
    CU_ASSERT_STRING_EQUAL(err.code, "crypto.wrap");
    for (size_t i = 0; i < wrapped.length; i++) {
        wrapped.data[i] ^= 0x80;
        CU_ASSERT_EQUAL(
            crypto_unwrap(keys, 1, context, wrapped.data, wrapped.length, &opened, &err), -1);
        wrapped.data[i] = (char)(wrapped.data[i] ^ 0x80);
    }
    for (size_t cut = 0; cut < wrapped.length; cut++)
        CU_ASSERT_EQUAL(crypto_unwrap(keys, 1, context, wrapped.data, cut, &opened, &err), -1);
    CU_ASSERT_PTR_NULL(opened);
    strbuf_fini(&wrapped);
    secret_free(&key);
}

static void test_wrap_rotation_and_empty(void)
{
    struct secret *old_key = key_of(1), *new_key = key_of(2), *opened = NULL;
    const struct secret *both[] = {new_key, old_key};
    struct strbuf wrapped;
    struct err err;
    strbuf_init(&wrapped, 4096);
    crypto_wrap(old_key, "", "", 0, &wrapped);
    CU_ASSERT_EQUAL_FATAL(crypto_unwrap(both, 2, "", wrapped.data, wrapped.length, &opened, &err),
                          0);
    CU_ASSERT_EQUAL(secret_length(opened), 0);
    secret_free(&opened);
    CU_ASSERT_EQUAL(crypto_unwrap(both, 1, "", wrapped.data, wrapped.length, &opened, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "former key"));
    CU_ASSERT_EQUAL(crypto_unwrap(both, 0, "", wrapped.data, wrapped.length, &opened, &err), -1);
    CU_ASSERT_EQUAL(crypto_unwrap(both, 2, "x", wrapped.data, wrapped.length, &opened, &err), -1);
    strbuf_fini(&wrapped);
    secret_free(&old_key);
    secret_free(&new_key);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void test_key_file(void)
{
    static const struct {
        const char *text;
        size_t length;
        bool good;
    } cases[] = {
        {"00112233aAbBcCfF", 16, true},
        {"00112233aabbccff\n", 17, true},
        {"00112233aabbccf", 15, false},
        {"00112233aabbccff\n\n", 18, false},
        {"00112233aabbccff00", 18, false},
        {" 00112233aabbccff", 17, false},
        {"00112233aabbccfg", 16, false},
        {"", 0, false},
        {"\n", 1, false},
        {"00112233\0abbccff", 16, false},
    };
    char path[] = "/tmp/crypto-key-XXXXXX";
    struct secret *key = NULL;
    struct err err;
    int fd = mkstemp(path);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(path, cases[i].text, cases[i].length);
        CU_ASSERT_EQUAL(crypto_read_key_file(path, 8, &key, &err), cases[i].good ? 0 : -1);
        if (cases[i].good) {
            CU_ASSERT_EQUAL(secret_length(key), 8);
            CU_ASSERT_TRUE(crypto_equal(secret_reveal(key), "\x00\x11\x22\x33\xaa\xbb\xcc\xff", 8));
        } else {
            CU_ASSERT_STRING_EQUAL(err.code, "crypto.key_file");
            CU_ASSERT_PTR_NOT_NULL(strstr(err.message, path));
        }
        CU_ASSERT_EQUAL(key != NULL, cases[i].good);
        secret_free(&key);
    }
    unlink(path);
    CU_ASSERT_EQUAL(crypto_read_key_file(path, 8, &key, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, path));
    CU_ASSERT_EQUAL(crypto_read_key_file("/tmp", 8, &key, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
}

static void test_key_files(void)
{
    char one[] = "/tmp/keyfile.XXXXXX", two[] = "/tmp/keyfile.XXXXXX", list[100];
    struct secret *keys[2] = {NULL, NULL};
    size_t count = 7;
    struct err err;
    close(mkstemp(one));
    close(mkstemp(two));
    write_file(one, "0011223344556677", 16);
    write_file(two, "8899aabbccddeeff", 16);
    snprintf(list, sizeof list, "%s,%s", one, two);
    CU_ASSERT_EQUAL(crypto_read_key_files(list, 8, keys, 2, &count, &err), 0);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT_TRUE(crypto_equal(secret_reveal(keys[1]), "\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 8));
    secret_free(&keys[0]);
    secret_free(&keys[1]);
    /* None is left out silently. */
    CU_ASSERT_EQUAL(crypto_read_key_files(list, 8, keys, 1, &count, &err), -1);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_STRING_EQUAL(err.code, "crypto.key_file");
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "more than 1"));
    secret_free(&keys[0]);
    snprintf(list, sizeof list, "%s,", one);
    CU_ASSERT_EQUAL(crypto_read_key_files(list, 8, keys, 2, &count, &err), -1);
    CU_ASSERT_EQUAL(count, 1);
    secret_free(&keys[0]);
    unlink(one);
    unlink(two);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("crypto", NULL, NULL);
    CU_add_test(suite, "HMAC vectors", test_hmac_vectors);
    CU_add_test(suite, "HMAC of nothing", test_hmac_of_nothing);
    CU_add_test(suite, "SHA-1 vectors", test_sha1_vectors);
    CU_add_test(suite, "SHA-256 vectors", test_sha256_vectors);
    CU_add_test(suite, "equality and random", test_equal_and_random);
    CU_add_test(suite, "derived ids", test_ident);
    CU_add_test(suite, "derived ids in threads", test_ident_in_threads);
    CU_add_test(suite, "seal", test_seal);
    CU_add_test(suite, "wrap", test_wrap);
    CU_add_test(suite, "wrap: rotation, empty", test_wrap_rotation_and_empty);
    CU_add_test(suite, "key file", test_key_file);
    CU_add_test(suite, "key files", test_key_files);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
