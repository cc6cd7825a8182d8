/*
 * SHA-1 (FIPS 180-4, 6.1), of our own so that the stand-ins share nothing with the product but
 * HMAC. Called by websocket.c for Sec-WebSocket-Accept.
 */
#include "stands/lib/sha1.h"

#include <string.h>

enum { BLOCK = 64, LENGTH_BYTES = 8 };

static uint32_t rotated(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void mix(uint32_t state[5], const uint8_t *block)
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 |
               (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (i < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;
        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }
        uint32_t next = rotated(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = rotated(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void stand_sha1(const void *data, size_t len, uint8_t out[STAND_SHA1_BYTES])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint8_t *bytes = data;
    size_t at = 0;
    for (; len - at >= BLOCK; at += BLOCK)
        mix(state, bytes + at);
    uint8_t tail[2 * BLOCK] = {0};
    size_t left = len - at;
    if (left)
        memcpy(tail, bytes + at, left);
    tail[left] = 0x80;
    size_t size = left + 1 + LENGTH_BYTES > BLOCK ? 2 * BLOCK : BLOCK;
    uint64_t bits = (uint64_t)len * 8;
    for (int i = 0; i < LENGTH_BYTES; i++)
        tail[size - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
    for (size_t i = 0; i < size; i += BLOCK)
        mix(state, tail + i);
    for (int i = 0; i < STAND_SHA1_BYTES; i++)
        out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
