/* A tenant file (deploy/tenants/): read, checked, nothing applied. One thread. */
#ifndef DESKCTL_TENANT_FILE_H
#define DESKCTL_TENANT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "fields.h"
#include "tenant_file_model.h"
#include "tenant_section.h"

#define TENANT_CHANNELS_MAX   32
#define TENANT_MODELS_MAX     8
#define TENANT_HTTP_TOOLS_MAX 16
#define TENANT_KEYS_MAX       8 /* signing keys of a channel, the auth token among them */

struct tenant_file_channel {
    const char *kind, *number, *account_sid;
    const char *messaging_service_sid; /* NULL: send from the number */
    struct secret *auth_token;
    const struct yaml_node *keys; /* private */
    struct secret *signing_keys[TENANT_KEYS_MAX - 1];
    size_t signing_key_count;
    bool is_voice;
    int line;
};

struct tenant_file {
    const char *path;
    const char *name, *display_name, *timezone, *language;
    struct tenant_file_channel channels[TENANT_CHANNELS_MAX];
    size_t channel_count;
    const char *persona, *facts, *tone, *fallback, *degraded;
    struct tenant_file_model models[TENANT_MODELS_MAX]; /* the first is asked first */
    size_t model_count;
    int64_t retention_days;
    const char *sections[TENANT_SECTIONS]; /* JSON, as tenant_sections has them; NULL: absent */
    /* Of the entries of http_tools; NULL: none. */
    struct secret *tool_secrets[TENANT_HTTP_TOOLS_MAX];
    size_t tool_count;
};

/* Reads `count` files, which may name these vendors. Everything that is wrong is in `problems`;
 * files[i] is usable only if there is none. Numbers and names must be unique over all files. Each
 * files[i] must be given to tenant_file_fini in any case. */
void tenant_file_read(struct problems *problems, const struct vendors *vendors,
                      const char *const *paths, size_t count, struct tenant_file *files);

/* Wipes the secrets. */
void tenant_file_fini(struct tenant_file *file);

#endif
