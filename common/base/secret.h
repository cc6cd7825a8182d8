/* A secret: wiped when freed, and never printable by accident because it is opaque. */
#ifndef DESK_BASE_SECRET_H
#define DESK_BASE_SECRET_H

#include <stddef.h>

struct secret;

/* Returns an owned secret that holds a copy of the bytes; a NUL follows them. Any thread. */
struct secret *secret_new(const void *bytes, size_t length);

/* Wipes and frees; sets *secret to NULL; accepts NULL. */
void secret_free(struct secret **secret);

/* Borrows the bytes (NUL-terminated); only for the call that needs them. */
const char *secret_reveal(const struct secret *secret);

/* Length without the NUL. */
size_t secret_length(const struct secret *secret);

#endif
