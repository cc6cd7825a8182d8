/* The tools that a tenant defined as HTTP endpoints (`http_tools` of an assistant's version;
 * docs/TENANT_FILE.md says what the JSON holds): read once with the version, then never changed.
 * Loop thread. */
#ifndef DESK_ENGINE_TENANT_TOOLS_H
#define DESK_ENGINE_TENANT_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "json/json.h"
#include "json/schema.h"

#define TENANT_TOOLS_MAX 16

struct tenant_tool {
    const char *name, *description, *url;
    const char *parameters;        /* JSON text of a schema, as the model is told it */
    struct json_schema *arguments; /* the same, read; owned */
    struct json_schema *answer;    /* of its answers; owned; NULL: any object */
    struct secret *key;            /* signs its requests; owned; NULL: they carry no signature */
    int64_t limit_ms;              /* of one request */
    bool changes;                  /* a call of it begins before it leaves */
};

/* Reads an entry of `http_tools`, all but its key, into the arena and *out. -1 PERMANENT
 * "assistant.http_tool" with what is wrong of it. */
int tenant_tool_read(struct arena *arena, const struct json *entry, struct tenant_tool *out,
                     struct err *err);

/* Frees what it owns; accepts one that is all zero. */
void tenant_tool_fini(struct tenant_tool *tool);

#endif
