/* YAML for tenant, vendor and topic files (libyaml): a bounded tree that knows its lines, without
 * aliases, anchors, tags or doubled keys. Any thread. */
#ifndef DESK_YAML_YAML_H
#define DESK_YAML_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    int line;                /* from 1 */
    const char *key;         /* name inside a mapping; NULL otherwise */
    const char *text;        /* scalar's text; NULL otherwise */
    bool quoted;             /* scalar in quotes or as a block: text, whatever it looks like */
    struct yaml_node *first; /* children of a sequence or mapping */
    struct yaml_node *next;  /* sibling */
    size_t count;            /* children */
};

#define YAML_BYTES_MAX (1024 * 1024)
#define YAML_DEPTH_MAX 16

/* Parses one document; the tree lives in the arena. PERMANENT "yaml.syntax", "yaml.alias",
 * "yaml.duplicate", "yaml.size", "yaml.depth"; the message names the line. */
int yaml_parse(struct arena *arena, const char *bytes, size_t length, struct yaml_node **root,
               struct err *err);

/* The mapping's child of that key, or NULL (also for a NULL or non-mapping node). */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);

/* The child's scalar text, or NULL. */
const char *yaml_get_text(const struct yaml_node *mapping, const char *key);

#endif
