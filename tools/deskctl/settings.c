/* deskctl's configuration. No key is required here: a command that needs one says so by itself, so
 * that `keys generate` works before there is any server. command.c calls it. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "json/json.h"

#define AT(member) offsetof(struct settings, member)
#define TEXT_ROW(key, member, fallback, help)                                                      \
    {                                                                                              \
        key, CONFIG_TEXT, AT(member), fallback, 0, 0, 0, NULL, help                                \
    }
#define SECRET_ROW(key, member, help)                                                              \
    {                                                                                              \
        key, CONFIG_SECRET, AT(member), "", 0, 0, 0, NULL, help                                    \
    }

static const struct config_spec specs[] = {
    SECRET_ROW("database_direct_url", database_direct_url,
               "PostgreSQL as its owner, not through a pooler: for migrations."),
    SECRET_ROW("database_url", database_url,
               "PostgreSQL as a member of frontdesk_ops; empty: database_direct_url."),
    CONFIG_KAFKA_ROWS(settings, kafka),
    TEXT_ROW("keys_dir", keys_dir, "", "Folder of the key files that `keys generate` makes."),
    TEXT_ROW("edge_public_key_file", edge_public_key_file, "",
             "Public key that signing keys are sealed to; empty: keys_dir/edge.public."),
    TEXT_ROW("edge_secret_key_file", edge_secret_key_file, "",
             "Its secret half, only to re-verify under extra signing keys; empty: "
             "keys_dir/edge.secret."),
    TEXT_ROW("credentials_key_file", credentials_key_file, "",
             "Key that wraps credentials at rest; empty: keys_dir/credentials.key."),
    TEXT_ROW("id_key_file", id_key_file, "",
             "Key that ids are derived with; empty: keys_dir/id.key."),
    TEXT_ROW("twilio_base_url", twilio_base_url, "https://api.twilio.com",
             "Where Twilio's REST interface is."),
    TEXT_ROW("public_url", public_url, "", "Base of the webhook addresses, as Twilio signs them."),
    TEXT_ROW("mail_ca_file", mail_ca_file, "",
             "CA bundle (PEM) that signed the mail servers' certificates; empty: the system's."),
    TEXT_ROW("mail_networks", mail_networks, "",
             "Networks that mailboxes may be in besides public addresses, as the mailpoller's; for "
             "mailbox check."),
    TEXT_ROW("schema_dir", schema_dir, "",
             "Folder with migrations/ and topics.yaml; empty: schema/ here or beside the program."),
    TEXT_ROW("vendors_dir", vendors_dir, "",
             "Folder of the model vendors' files; empty: deploy/vendors/ here or beside the "
             "program."),
};

#define SPEC_COUNT (sizeof specs / sizeof specs[0])

/* The shared Kafka rows demand brokers; here only some commands need them. */
static const struct config_spec *optional_specs(void)
{
    static struct config_spec table[SPEC_COUNT];
    if (table[0].key == NULL) {
        memcpy(table, specs, sizeof specs);
        for (size_t i = 0; i < SPEC_COUNT; i++)
            table[i].flags &= ~(unsigned)CONFIG_REQUIRED;
    }
    return table;
}

/* ---- .run/endpoints.json ---- */

#define ENDPOINTS_BYTES_MAX (1024 * 1024)

static bool is_environment_name(const char *name)
{
    return *name >= 'A' && *name <= 'Z' &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

/* Whether the environment names a part of another installation. */
static bool is_mixed(const struct json *names)
{
    for (const struct json *item = json_first(names); item != NULL; item = json_next(item)) {
        const char *set = getenv(json_name(item)), *ours = json_text(item);
        if (strncmp(json_name(item), "FRONTDESK_", 10) == 0 && set != NULL &&
            (ours == NULL || strcmp(set, ours) != 0))
            return true;
    }
    return false;
}

static void adopt(const struct json *document)
{
    const struct json *names = json_member(document, "deskctl");
    if (is_mixed(names))
        return;
    for (const struct json *item = json_first(names); item != NULL; item = json_next(item))
        if (json_text(item) != NULL && is_environment_name(json_name(item)))
            setenv(json_name(item), json_text(item), 0);
    const char *stand = json_member_text(document, "twilio_stand_url");
    if (names != NULL && stand != NULL)
        setenv("FRONTDESK_TWILIO_BASE_URL", stand, 0);
}

int settings_adopt_endpoints(const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return 0;
    if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & S_IWOTH) != 0)
        return err_set(err, ERR_PERMANENT, "settings.endpoints",
                       "%s belongs to somebody else or anybody may write it; remove it", path);
    struct arena *arena = arena_new();
    struct json *document = NULL;
    char *bytes = NULL;
    size_t length = 0;
    int result = files_read(arena, path, ENDPOINTS_BYTES_MAX, &bytes, &length, err);
    if (result == 0)
        result = json_parse(bytes, length, &document, err);
    if (result == 0)
        adopt(document);
    else
        err_set(err, ERR_PERMANENT, "settings.endpoints",
                "%s cannot be read as JSON; start ./run again or remove the file", path);
    json_free(&document);
    arena_free(&arena);
    return result;
}

/* ---- loading ---- */

int settings_load(const char *const *arguments, struct settings *settings, struct strbuf *problems,
                  struct err *err)
{
    const struct config_sources sources = {.arguments = arguments, .file = NULL};
    return config_load(optional_specs(), SPEC_COUNT, &sources, settings, problems, err);
}

void settings_free(struct settings *settings)
{
    config_free(optional_specs(), SPEC_COUNT, settings);
}

const char *settings_key(size_t index)
{
    return index < SPEC_COUNT ? specs[index].key : NULL;
}

void settings_help(struct strbuf *out)
{
    config_help(optional_specs(), SPEC_COUNT, out);
}

void settings_document(struct strbuf *out)
{
    config_document(optional_specs(), SPEC_COUNT, "deskctl", out);
}
