/* Who answers which number: see answering.h. voice_intake.c notes it and looks. */
#include "answering.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_SIZE 128 /* a tenant's id and an address in E.164 */

struct answering {
    struct map *versions;
};

struct answering *answering_new(void)
{
    struct answering *answering = xcalloc(1, sizeof *answering);
    answering->versions = map_new();
    return answering;
}

static bool free_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    free(value);
    return true;
}

void answering_free(struct answering **answering)
{
    if (*answering == NULL)
        return;
    map_each((*answering)->versions, free_one, NULL);
    map_free(&(*answering)->versions);
    free(*answering);
    *answering = NULL;
}

/* False: no number of ours is that long. */
static bool key_of(const char *tenant, const char *number, char key[KEY_SIZE])
{
    return snprintf(key, KEY_SIZE, "%s %s", tenant, number) < KEY_SIZE;
}

void answering_note(struct answering *answering, const char *tenant, const char *number,
                    const struct turn_started *started)
{
    char key[KEY_SIZE];
    if (!key_of(tenant, number, key))
        return;
    struct answering_version *known = map_get_text(answering->versions, key);
    if (known == NULL) {
        known = xcalloc(1, sizeof *known);
        map_put_text(answering->versions, key, known);
    }
    snprintf(known->assistant, sizeof known->assistant, "%s", started->assistant);
    known->version = started->assistant_version;
    known->has_knowledge = started->has_knowledge;
}

const struct answering_version *answering_look(const struct answering *answering,
                                               const char *tenant, const char *number)
{
    char key[KEY_SIZE];
    return key_of(tenant, number, key) ? map_get_text(answering->versions, key) : NULL;
}
