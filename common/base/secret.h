/* A secret: wiped when freed, and never printable by accident because it is opaque. */
#ifndef DESK_BASE_SECRET_H
#define DESK_BASE_SECRET_H

#include <stddef.h>

#include "base/err.h"

#define SECRET_MAX (64 * 1024) /* bytes of one that is read */

struct secret;

/* Returns an owned secret that holds a copy of the bytes; a NUL follows them. Any thread. */
struct secret *secret_new(const void *bytes, size_t length);

/* Reads what "file:PATH" (without one line end behind it) or "env:NAME" names, anew each time.
 * Returns owned; NULL in *secret when it is empty. PERMANENT "secret.reference" with what to do
 * when it is neither, is not there, or is over SECRET_MAX. Any thread; reads a small local file. */
int secret_read(const char *reference, struct secret **secret, struct err *err);

/* Wipes and frees; sets *secret to NULL; accepts NULL. */
void secret_free(struct secret **secret);

/* Borrows the bytes (NUL-terminated); only for the call that needs them. */
const char *secret_reveal(const struct secret *secret);

/* Length without the NUL. */
size_t secret_length(const struct secret *secret);

#endif
