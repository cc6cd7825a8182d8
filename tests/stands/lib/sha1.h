/* SHA-1, which a WebSocket handshake needs and nothing else here may use. */
#ifndef STANDS_LIB_SHA1_H
#define STANDS_LIB_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { STAND_SHA1_BYTES = 20 };

/* Writes SHA-1(data) to `out`. */
void stand_sha1(const void *data, size_t len, uint8_t out[STAND_SHA1_BYTES]);

#endif
