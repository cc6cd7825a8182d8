/* UUIDs (RFC 9562). New rows get version 7 (time-ordered, so that index inserts stay local); rows
 * whose identity comes from the provider get a keyed hash as version 8 (crypto_ident). */
#ifndef DESK_BASE_UUID_H
#define DESK_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37

struct uuid {
    uint8_t bytes[16];
};

/* A new version 7 id: 48 bits of wall milliseconds, 74 random bits. Any thread. */
struct uuid uuid_new(void);

/* Stamps version 8 and the variant on 16 given bytes. */
struct uuid uuid_from_hash(const uint8_t bytes[16]);

/* Lower-case canonical text. Returns `out`. */
const char *uuid_format(const struct uuid *id, char out[UUID_TEXT_SIZE]);

/* Parses the canonical form (36 characters, either case), NUL-terminated; false otherwise. */
bool uuid_parse(const char *text, struct uuid *id);

/* Equality; and "is the nil id". */
bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *id);

#endif
