/*
 * HMAC and Base64 for the stand-ins: the only file of tests/stands that touches cryptography.
 * Called by form.c (signatures), by the Twilio stand-in's accounts (Basic credentials) and by the
 * tool stand-in.
 */
#include "stands/lib/hmac.h"

#include <string.h>

#include "crypto/crypto.h"

void stand_base64(const void *data, size_t len, struct stand_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *byte = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)byte[i] << 16;
        group |= left > 1 ? (uint32_t)byte[i + 1] << 8 : 0;
        group |= left > 2 ? byte[i + 2] : 0;
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        stand_buf_add(out, four, 4);
    }
}

void stand_hmac_sha1_base64(const char *key, const char *data, size_t len, struct stand_buf *out)
{
    uint8_t mac[CRYPTO_SHA1_BYTES];
    crypto_hmac_sha1(key, strlen(key), data, len, mac);
    stand_base64(mac, sizeof mac, out);
}

void stand_hmac_sha256_hex(const char *key, const char *data, size_t len, struct stand_buf *out)
{
    uint8_t mac[CRYPTO_SHA256_BYTES];
    crypto_hmac_sha256(key, strlen(key), data, len, mac);
    for (size_t i = 0; i < sizeof mac; i++)
        stand_buf_printf(out, "%02x", mac[i]);
}
