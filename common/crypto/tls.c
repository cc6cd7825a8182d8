/* Contexts of OpenSSL that check the server by themselves, whatever the library that uses them
 * does. The certificates are read once: parsing the bundle costs more than a handshake. The SMTP
 * sender makes one per session. */
#include "crypto/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

struct crypto_trust {
    X509_STORE *store;
};

struct crypto_tls {
    SSL_CTX *context;
    char *host;
    bool is_address;
    const char *refusal;
    bool (*is_over)(void *arg); /* NULL: never */
    void *arg;
};

/* OpenSSL's set-up calls fail only for want of memory or by our own mistake. */
static void must(int worked)
{
    if (!worked)
        abort();
}

int crypto_trust_open(const char *ca_file, struct crypto_trust **trust, struct err *err)
{
    X509_STORE *store = X509_STORE_new();
    must(store != NULL);
    if (X509_STORE_load_file(store, ca_file) != 1) {
        X509_STORE_free(store);
        return err_set(err, ERR_PERMANENT, "crypto.trust",
                       "%s holds no certificates that can be read", ca_file);
    }
    *trust = xcalloc(1, sizeof **trust);
    (*trust)->store = store;
    return 0;
}

void crypto_trust_free(struct crypto_trust **trust)
{
    if (*trust == NULL)
        return;
    X509_STORE_free((*trust)->store);
    free(*trust);
    *trust = NULL;
}

void crypto_thread_end(void)
{
    OPENSSL_thread_stop();
}

void crypto_trust_give(const struct crypto_trust *trust, struct ssl_ctx_st *context)
{
    SSL_CTX_set1_cert_store(context, trust->store);
}

static int on_verify(int good, X509_STORE_CTX *chain)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct crypto_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!good)
        tls->refusal = X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain));
    return good;
}

/* Asked before each read of the socket. Without the flags the failure is none that passes. */
static long on_read(BIO *bio, int what, const char *bytes, size_t length, int number, long more,
                    int result, size_t *done)
{
    const struct crypto_tls *tls = (const struct crypto_tls *)(void *)BIO_get_callback_arg(bio);
    (void)bytes, (void)length, (void)number, (void)more, (void)done;
    if (what != BIO_CB_READ || !tls->is_over(tls->arg))
        return result;
    BIO_clear_retry_flags(bio);
    return -1;
}

/* The one call that comes with each session's own object before its first byte. An address is no
 * name: RFC 6066 keeps it out of SNI. */
static void on_progress(const SSL *ssl, int where, int value)
{
    struct crypto_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    (void)value;
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0)
        ERR_clear_error();
    if ((where & SSL_CB_HANDSHAKE_START) == 0)
        return;
    if (tls->is_over != NULL) {
        BIO_set_callback_arg(SSL_get_rbio(ssl), (char *)tls);
        BIO_set_callback_ex(SSL_get_rbio(ssl), on_read);
    }
    if (tls->is_address)
        return;
    SSL *own = (SSL *)(uintptr_t)ssl; /* const only by the callback's type */
    if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == NULL)
        must(SSL_set_tlsext_host_name(own, tls->host) == 1);
}

struct crypto_tls *crypto_tls_new(const struct crypto_trust *trust, const char *host)
{
    struct crypto_tls *tls = xcalloc(1, sizeof *tls);
    tls->host = xstrdup(host);
    tls->context = SSL_CTX_new(TLS_client_method());
    must(tls->context != NULL);
    /* No tickets behind the handshake: libesmtp takes a wait for what follows one for a failure. */
    must(SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1);
    must(SSL_CTX_set_max_proto_version(tls->context, TLS1_2_VERSION) == 1);
    SSL_CTX_set1_cert_store(tls->context, trust->store);
    SSL_CTX_set_app_data(tls->context, tls);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_info_callback(tls->context, on_progress);
    X509_VERIFY_PARAM *checks = SSL_CTX_get0_param(tls->context);
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    tls->is_address = X509_VERIFY_PARAM_set1_ip_asc(checks, host) == 1;
    if (!tls->is_address)
        must(X509_VERIFY_PARAM_set1_host(checks, host, 0) == 1);
    return tls;
}

void crypto_tls_end_when(struct crypto_tls *tls, bool (*is_over)(void *arg), void *arg)
{
    tls->is_over = is_over;
    tls->arg = arg;
}

void crypto_tls_free(struct crypto_tls **tls)
{
    if (*tls == NULL)
        return;
    SSL_CTX_free((*tls)->context);
    free((*tls)->host);
    free(*tls);
    *tls = NULL;
}

struct ssl_ctx_st *crypto_tls_context(const struct crypto_tls *tls)
{
    return tls->context;
}

const char *crypto_tls_refusal(const struct crypto_tls *tls)
{
    return tls->refusal;
}

void crypto_tls_forget_errors(void)
{
    ERR_clear_error();
}
