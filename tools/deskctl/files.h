/* Small files of deskctl: reading whole, writing keys, finding its folders. Any thread. */
#ifndef DESKCTL_FILES_H
#define DESKCTL_FILES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* Reads a regular file of at most max_bytes into the arena; a NUL follows the bytes. PERMANENT
 * "file.open", "file.size", "file.read", each naming the path. */
int files_read(struct arena *arena, const char *path, size_t max_bytes, char **bytes,
               size_t *length, struct err *err);

/* Creates the file with mode 0400 and the text; durable on return. PERMANENT "file.exists" if it is
 * there (it is then untouched), "file.write". */
int files_create_key(const char *path, const char *text, struct err *err);

/* The folder with migrations/ and topics.yaml: `configured` if not empty, else schema/ in the
 * working directory or in a folder above this program. PERMANENT "file.schema" if there is none. */
int files_schema_dir(struct arena *arena, const char *configured, const char **dir,
                     struct err *err);

/* The folder of the vendors' files: `configured` if not empty, else deploy/vendors/ in the working
 * directory or in a folder above this program. PERMANENT "file.vendors" if there is none. */
int files_vendors_dir(struct arena *arena, const char *configured, const char **dir,
                      struct err *err);

#endif
