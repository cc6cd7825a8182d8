/* Configuration of deskctl: flags --key=value, environment FRONTDESK_KEY, .run/endpoints.json of
 * the working directory, defaults; in this order. One thread. */
#ifndef DESKCTL_SETTINGS_H
#define DESKCTL_SETTINGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "service/config.h"

struct settings {
    struct secret *database_direct_url, *database_url;
    struct config_kafka kafka;
    const char *keys_dir;
    const char *edge_public_key_file, *edge_secret_key_file, *credentials_key_file, *id_key_file;
    const char *twilio_base_url, *public_url, *mail_ca_file, *mail_networks;
    const char *schema_dir, *vendors_dir;
};

/* Takes over the environment that a running ./run left in `path` (its member "deskctl"), unless one
 * of those FRONTDESK_ names is set already, so that two installations never mix. A missing file is
 * no error. PERMANENT "settings.endpoints" if the file cannot be read as such or others may write
 * it. */
int settings_adopt_endpoints(const char *path, struct err *err);

/* Fills *settings (zeroed by the caller) from `arguments` ("--key=value" words, NULL-terminated)
 * and the environment. PERMANENT "config.invalid"; `problems` says what. Give *settings to
 * settings_free in any case. */
int settings_load(const char *const *arguments, struct settings *settings, struct strbuf *problems,
                  struct err *err);

/* Frees what settings_load put there. */
void settings_free(struct settings *settings);

/* The key of that index, NULL behind the last. */
const char *settings_key(size_t index);

/* Appends the keys with their help. */
void settings_help(struct strbuf *out);

/* Appends docs/CONFIGURATION.md's section on deskctl. */
void settings_document(struct strbuf *out);

#endif
