/* Arena: memory of one webhook, turn or delivery, freed as a whole.
 *
 * Not thread-safe: one arena belongs to one thread at a time. Allocation never fails (mem.h). */
#ifndef DESK_BASE_ARENA_H
#define DESK_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* Returns an owned empty arena; its first block comes with the first allocation. */
struct arena *arena_new(void);

/* Frees the arena and all that it gave; sets *arena to NULL; accepts NULL. */
void arena_free(struct arena **arena);

/* Gives all memory back but keeps one block for reuse; every pointer from the arena is void. */
void arena_reset(struct arena *arena);

/* Returns zeroed memory, aligned for any type, that lives as long as the arena. */
void *arena_alloc(struct arena *arena, size_t size_bytes) __attribute__((returns_nonnull));

/* Returns a NUL-terminated copy of the text in the arena; NULL stays NULL. */
char *arena_strdup(struct arena *arena, const char *text);

/* Returns a NUL-terminated copy of `length` bytes in the arena. */
char *arena_strndup(struct arena *arena, const char *bytes, size_t length)
    __attribute__((returns_nonnull));

/* Formats into the arena. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

#endif
