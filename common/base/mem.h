/* Heap: allocation never fails for the caller; running out of memory ends the process, because a
 * service that limps on without memory loses work silently and a restarted one does not. */
#ifndef DESK_BASE_MEM_H
#define DESK_BASE_MEM_H

#include <stddef.h>

/* Return owned memory, never NULL; size 0 gives a unique pointer. Free with free(). Any thread. */
void *xmalloc(size_t size_bytes) __attribute__((returns_nonnull, malloc, warn_unused_result));

/* As xmalloc, zeroed; the product is checked for overflow. */
void *xcalloc(size_t count, size_t size_bytes)
    __attribute__((returns_nonnull, malloc, warn_unused_result));

/* Grows or shrinks `ptr` (takes it, may be NULL); the product is checked for overflow. */
void *xreallocarray(void *ptr, size_t count, size_t size_bytes)
    __attribute__((returns_nonnull, warn_unused_result));

/* Returns an owned copy of the text. */
char *xstrdup(const char *text) __attribute__((returns_nonnull, malloc, warn_unused_result));

/* Returns an owned, NUL-terminated copy of the first `length` bytes at `bytes`. */
char *xstrndup(const char *bytes, size_t length)
    __attribute__((returns_nonnull, malloc, warn_unused_result));

#endif
