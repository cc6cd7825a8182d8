/* The tables of a tenant file and the rules that tie fields together. `tenant apply` calls it; all
 * problems of all files are found in one go. */
#include "tenant_file.h"

#include <string.h>

#include "base/map.h"
#include "contract/segments.h"

static const char *const channel_kinds[] = {"sms", "voice", NULL};

#define AT(type, member) offsetof(struct type, member)

static const struct field channel_fields[] = {
    {"kind", FIELD_CHOICE, AT(tenant_file_channel, kind), 0, 0, true, channel_kinds},
    {"number", FIELD_E164, AT(tenant_file_channel, number), 0, 0, true, NULL},
    {"account_sid", FIELD_ACCOUNT, AT(tenant_file_channel, account_sid), 0, 0, true, NULL},
    {"auth_token", FIELD_SECRET, AT(tenant_file_channel, auth_token), 0, 0, true, NULL},
    {"signing_keys", FIELD_LIST, AT(tenant_file_channel, keys), 0, TENANT_KEYS_MAX - 1, false,
     NULL},
    {"messaging_service_sid", FIELD_SERVICE, AT(tenant_file_channel, messaging_service_sid), 0, 0,
     false, NULL},
};

struct assistant_block {
    const char *persona, *facts, *tone, *fallback, *degraded;
    const struct yaml_node *models;
};

static const struct field assistant_fields[] = {
    {"models", FIELD_LIST, AT(assistant_block, models), 1, TENANT_MODELS_MAX, true, NULL},
    {"persona", FIELD_TEXT, AT(assistant_block, persona), 20, 8000, true, NULL},
    {"facts", FIELD_TEXT, AT(assistant_block, facts), 1, 16000, true, NULL},
    {"tone", FIELD_TEXT, AT(assistant_block, tone), 1, 500, false, NULL},
    /* These two are sent as they stand. */
    {"fallback", FIELD_TEXT, AT(assistant_block, fallback), 10, SEGMENTS_CHARACTERS_MAX, true,
     NULL},
    {"degraded", FIELD_TEXT, AT(assistant_block, degraded), 10, SEGMENTS_CHARACTERS_MAX, true,
     NULL},
};

static const struct field policy_fields[] = {
    {"retention_days", FIELD_INT, AT(tenant_file, retention_days), 30, 3650, false, NULL},
};

struct head {
    const char *name, *display_name, *timezone, *language;
    const struct yaml_node *channels, *assistant, *policy;
    const struct yaml_node *sections[TENANT_SECTIONS];
};

static const struct field head_fields[] = {
    {"name", FIELD_SLUG, AT(head, name), 0, 0, true, NULL},
    {"display_name", FIELD_TEXT, AT(head, display_name), 1, 100, true, NULL},
    {"timezone", FIELD_ZONE, AT(head, timezone), 0, 0, true, NULL},
    {"language", FIELD_LANGUAGE, AT(head, language), 0, 0, false, NULL},
    {"channels", FIELD_LIST, AT(head, channels), 0, TENANT_CHANNELS_MAX, true, NULL},
    {"assistant", FIELD_MAPPING, AT(head, assistant), 0, 0, true, NULL},
    {"policy", FIELD_MAPPING, AT(head, policy), 0, 0, false, NULL},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void read_channel(struct problems *problems, const struct yaml_node *node,
                         struct tenant_file_channel *channel)
{
    channel->line = node->line;
    fields_read(problems, node, "a channel", channel_fields, COUNT(channel_fields), channel);
    const struct yaml_node *key = channel->keys != NULL ? channel->keys->first : NULL;
    for (; key != NULL; key = key->next) {
        struct secret *secret = fields_read_secret(problems, key, "signing_keys");
        if (secret != NULL)
            channel->signing_keys[channel->signing_key_count++] = secret;
    }
    channel->keys = NULL; /* the tree goes away */
    channel->is_voice = channel->kind != NULL && strcmp(channel->kind, "voice") == 0;
    if (channel->is_voice && channel->messaging_service_sid != NULL)
        problems_add(problems, node->line,
                     "messaging_service_sid: a channel of kind voice has none; remove it");
}

static void read_assistant(struct problems *problems, const struct vendors *vendors,
                           const struct yaml_node *node, struct tenant_file *file)
{
    struct assistant_block block = {.tone = ""};
    fields_read(problems, node, "assistant", assistant_fields, COUNT(assistant_fields), &block);
    file->persona = block.persona;
    file->facts = block.facts;
    file->tone = block.tone;
    file->fallback = block.fallback;
    file->degraded = block.degraded;
    const struct yaml_node *model = block.models != NULL ? block.models->first : NULL;
    for (; model != NULL; model = model->next)
        tenant_file_model_read(problems, vendors, model, &file->models[file->model_count++]);
}

static void read_head(struct problems *problems, const struct yaml_node *root, struct head *head)
{
    struct field fields[COUNT(head_fields) + TENANT_SECTIONS];
    memcpy(fields, head_fields, sizeof head_fields);
    tenant_section_fields(AT(head, sections), fields + COUNT(head_fields));
    fields_read(problems, root, "a tenant file", fields, COUNT(fields), head);
}

static void read_tree(struct problems *problems, const struct vendors *vendors,
                      const struct yaml_node *root, struct tenant_file *file)
{
    struct head head = {.language = "en"};
    read_head(problems, root, &head);
    file->name = head.name;
    file->display_name = head.display_name;
    file->timezone = head.timezone;
    file->language = head.language;
    const struct yaml_node *channel = head.channels != NULL ? head.channels->first : NULL;
    for (; channel != NULL; channel = channel->next)
        read_channel(problems, channel, &file->channels[file->channel_count++]);
    if (head.assistant != NULL)
        read_assistant(problems, vendors, head.assistant, file);
    if (head.policy != NULL)
        fields_read(problems, head.policy, "policy", policy_fields, COUNT(policy_fields), file);
    tenant_section_read(problems, root, head.sections, file);
    if (file->language != NULL)
        section_note_words(problems, root, file->language);
    for (size_t i = 0; i < file->channel_count; i++)
        if (file->channels[i].is_voice && yaml_get(root, "phone") == NULL)
            problems_add(problems, file->channels[i].line,
                         "kind: voice needs the section phone; add what a caller is to hear");
}

/* ---- over all files ---- */

/* A number may be there for texts and for calls, of one tenant. `numbers`: file by number. */
static void check_number(struct problems *problems, struct map *numbers, struct tenant_file *file,
                         size_t index)
{
    const struct tenant_file_channel *channel = &file->channels[index];
    struct tenant_file *other;
    if (channel->number == NULL)
        return;
    bool twice = false;
    for (size_t i = 0; i < index; i++)
        twice |= file->channels[i].number != NULL &&
                 strcmp(file->channels[i].number, channel->number) == 0 &&
                 file->channels[i].is_voice == channel->is_voice;
    other = map_get_text(numbers, channel->number);
    if (twice || (other != NULL && other != file))
        problems_add(problems, channel->line,
                     "number: %s is taken already in %s; a number belongs to one channel",
                     channel->number, twice ? file->path : other->path);
    else
        map_put_text(numbers, channel->number, file);
}

static void check_unique(struct problems *problems, struct tenant_file *files, size_t count)
{
    struct map *names = map_new(), *numbers = map_new();
    for (size_t i = 0; i < count; i++) {
        struct tenant_file *file = &files[i], *other;
        problems->file = file->path;
        if (file->name != NULL && (other = map_get_text(names, file->name)) != NULL)
            problems_add(problems, 1, "name: \"%s\" is also in %s; a tenant has one file",
                         file->name, other->path);
        else if (file->name != NULL)
            map_put_text(names, file->name, file);
        for (size_t j = 0; j < file->channel_count; j++)
            check_number(problems, numbers, file, j);
    }
    map_free(&names);
    map_free(&numbers);
}

void tenant_file_read(struct problems *problems, const struct vendors *vendors,
                      const char *const *paths, size_t count, struct tenant_file *files)
{
    for (size_t i = 0; i < count; i++) {
        files[i] = (struct tenant_file){.path = paths[i], .retention_days = 730};
        const struct yaml_node *root = fields_read_file(problems, paths[i]);
        if (root != NULL)
            read_tree(problems, vendors, root, &files[i]);
    }
    check_unique(problems, files, count);
}

void tenant_file_fini(struct tenant_file *file)
{
    for (size_t i = 0; i < file->channel_count; i++) {
        secret_free(&file->channels[i].auth_token);
        for (size_t j = 0; j < file->channels[i].signing_key_count; j++)
            secret_free(&file->channels[i].signing_keys[j]);
    }
    for (size_t i = 0; i < file->model_count; i++)
        secret_free(&file->models[i].key);
    for (size_t i = 0; i < file->tool_count; i++)
        secret_free(&file->tool_secrets[i]);
}
