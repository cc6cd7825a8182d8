/* The cryptography that the stand-ins need, behind three functions. */
#ifndef STANDS_LIB_HMAC_H
#define STANDS_LIB_HMAC_H

#include "stands/lib/buf.h"

/* Appends Base64(HMAC-SHA1(key, data)), 28 characters, to `out`. `key` is NUL-terminated. */
void stand_hmac_sha1_base64(const char *key, const char *data, size_t len, struct stand_buf *out);

/* Appends HMAC-SHA256(key, data) as 64 lower-case hexadecimal digits. `key` is NUL-terminated. */
void stand_hmac_sha256_hex(const char *key, const char *data, size_t len, struct stand_buf *out);

/* Appends the standard Base64 of `len` bytes, padded, without line breaks, to `out`. */
void stand_base64(const void *data, size_t len, struct stand_buf *out);

#endif
