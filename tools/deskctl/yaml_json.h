/* A block of YAML as JSON, for values that are passed on as they are: members of a vendor's
 * request, JSON Schemas. One thread. */
#ifndef DESKCTL_YAML_JSON_H
#define DESKCTL_YAML_JSON_H

#include "fields.h"
#include "json/json.h"

struct yaml_json {
    struct problems *problems;
    const char *what; /* begins each message */
    int depth_max;    /* blocks inside each other */
    struct json_writer *writer;
};

/* Writes the value under that name (NULL inside arrays and at the top). Quoted scalars are text;
 * plain ones are truths or numbers if they look so. False after adding a problem: what is written
 * is then no good. */
bool yaml_json_write(const struct yaml_json *to, const char *name, const struct yaml_node *node);

#endif
