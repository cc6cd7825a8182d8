/* A map from bytes to a pointer (uthash inside). Keys are copied, values are borrowed. Not
 * thread-safe. Lookups of attacker-chosen keys are safe: the hash is seeded per process. */
#ifndef DESK_BASE_MAP_H
#define DESK_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;

/* Returns an owned empty map. */
struct map *map_new(void);

/* Frees the map (not the values); sets *map to NULL; accepts NULL. */
void map_free(struct map **map);

/* The value of the key, or NULL. */
void *map_get(const struct map *map, const void *key, size_t key_length);

/* Sets the value (not NULL); returns the former value or NULL. */
void *map_put(struct map *map, const void *key, size_t key_length, void *value);

/* Removes the key; returns its value or NULL. */
void *map_remove(struct map *map, const void *key, size_t key_length);

/* Number of keys. */
size_t map_count(const struct map *map);

/* Calls `visit` for each value, in order of insertion, until it returns false. `visit` may remove
 * the very key that it is called for, no other. */
void map_each(struct map *map,
              bool (*visit)(void *arg, const void *key, size_t key_length, void *value), void *arg);

/* The same for text keys (without their NUL). */
void *map_get_text(const struct map *map, const char *key);
void *map_put_text(struct map *map, const char *key, void *value);
void *map_remove_text(struct map *map, const char *key);

#endif
