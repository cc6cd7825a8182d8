/*
 * Reading Anthropic's Messages requests, as strictly as the real service: versions, members, roles,
 * content blocks (text, tool_use, tool_result), and that each tool_use is answered at once. Called
 * by anthropic.c.
 */
#include "stands/model/anthropic_request.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/model/fields.h"

/* From this version on requests have no sampling fields. */
#define WITHOUT_SAMPLING "2026-10-21"
#define CACHE_MARKS_MAX  4

/* Refuses members that are unknown, of the wrong kind or missing: of the rows those before
 * `required` must be there. `where` is "" at the top, else it ends with a point. */
static bool check(struct chat *chat, const cJSON *object, const struct field *table,
                  size_t required, const char *where)
{
    static const char *const kinds[FIELD_KINDS] = {"value",   "string", "number",    "integer",
                                                   "boolean", "list",   "dictionary"};
    const struct field *known;
    for (size_t i = 0; i < required; i++) {
        if (!fields_get(object, table[i].name))
            return chat_refuse(chat, NULL, "%s%s: Field required", where, table[i].name);
    }
    const cJSON *wrong = fields_wrong(object, table, &known);
    if (!wrong)
        return true;
    if (known)
        return chat_refuse(chat, NULL, "%s%s: Input should be a valid %s", where, wrong->string,
                           kinds[known->kind]);
    return chat_refuse(chat, NULL, "%s%s: Extra inputs are not permitted", where, wrong->string);
}

static bool is_block(const cJSON *block, const char *type)
{
    const char *given = fields_text(block, "type");
    return given && strcmp(given, type) == 0;
}

/* Adds up the text blocks of a content that is a text or such a list. Returns owned, or NULL when
 * it is neither. */
static char *joined_text(const cJSON *content)
{
    struct stand_buf text;
    stand_buf_init(&text, STAND_HTTP_BODY_MAX);
    stand_buf_puts(&text, cJSON_IsString(content) ? content->valuestring : "");
    bool good = !content || cJSON_IsString(content) || cJSON_IsArray(content);
    const cJSON *block;
    cJSON_ArrayForEach(block, content)
    {
        const char *words = is_block(block, "text") ? fields_text(block, "text") : NULL;
        good = good && words;
        stand_buf_puts(&text, words ? words : "");
    }
    if (!good)
        stand_buf_fini(&text);
    return text.data;
}

/* One block, and what its turn is. */
struct place {
    char where[64]; /* ends with a point */
    enum stand_role role;
    bool calls_tools; /* the turn asks for tools */
    bool late;        /* something other than a tool's result came before it */
};

static bool read_text(struct chat *chat, const cJSON *block, struct place *place)
{
    static const struct field table[] = {{"type", FIELD_TEXT},
                                         {"text", FIELD_TEXT},
                                         {"cache_control", FIELD_OBJECT},
                                         {"citations", FIELD_LIST},
                                         {NULL, FIELD_ANY}};
    if (!check(chat, block, table, 2, place->where))
        return false;
    const char *text = fields_text(block, "text");
    if (!*text)
        return chat_refuse(chat, NULL, "messages: text content blocks must be non-empty");
    chat_say(chat, place->role, place->calls_tools, stand_copy(text, strlen(text)));
    place->late = true;
    return true;
}

static bool read_tool_use(struct chat *chat, const cJSON *block, struct place *place)
{
    static const struct field table[] = {{"type", FIELD_TEXT},
                                         {"id", FIELD_TEXT},
                                         {"name", FIELD_TEXT},
                                         {"input", FIELD_OBJECT},
                                         {"cache_control", FIELD_OBJECT},
                                         {NULL, FIELD_ANY}};
    if (!check(chat, block, table, 4, place->where))
        return false;
    if (place->role != STAND_ASSISTANT)
        return chat_refuse(chat, NULL,
                           "messages: `tool_use` blocks can only be in `assistant` "
                           "messages");
    chat_say(chat, STAND_ASSISTANT, true, stand_copy("", 0));
    place->late = true;
    return true;
}

static bool read_tool_result(struct chat *chat, const cJSON *block, struct place *place)
{
    static const struct field table[] = {
        {"type", FIELD_TEXT},     {"tool_use_id", FIELD_TEXT},     {"content", FIELD_ANY},
        {"is_error", FIELD_BOOL}, {"cache_control", FIELD_OBJECT}, {NULL, FIELD_ANY}};
    if (!check(chat, block, table, 2, place->where))
        return false;
    if (place->role != STAND_USER)
        return chat_refuse(chat, NULL,
                           "messages: `tool_result` blocks can only be in `user` messages");
    if (place->late)
        return chat_refuse(chat, NULL, "%stype: `tool_result` blocks must come first in a message",
                           place->where);
    char *text = joined_text(fields_get(block, "content"));
    if (!text)
        return chat_refuse(chat, NULL,
                           "%scontent: Input should be a valid string or list of text "
                           "blocks",
                           place->where);
    chat_say(chat, STAND_TOOL, false, text);
    return true;
}

static bool read_block(struct chat *chat, const cJSON *block, struct place *place)
{
    static const struct {
        const char *type;
        bool (*read)(struct chat *chat, const cJSON *block, struct place *place);
    } kinds[] = {
        {"text", read_text}, {"tool_use", read_tool_use}, {"tool_result", read_tool_result}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (is_block(block, kinds[i].type))
            return kinds[i].read(chat, block, place);
    }
    const char *type = fields_text(block, "type");
    return chat_refuse(chat, NULL,
                       "%stype: Input tag '%s' found using 'type' does not match any of the "
                       "expected tags: 'text', 'tool_result', 'tool_use'",
                       place->where, type ? type : "");
}

/* Whether a message holds a block of this type whose `key` is `id`. */
static bool holds(const cJSON *message, const char *type, const char *key, const char *id)
{
    const cJSON *block;
    cJSON_ArrayForEach(block, fields_get(message, "content"))
    {
        const char *given = is_block(block, type) ? fields_text(block, key) : NULL;
        if (given && id && strcmp(given, id) == 0)
            return true;
    }
    return false;
}

/* Each call of the message before needs its result in message number `at`, which has no other.
 * Either may be NULL. */
static bool check_results(struct chat *chat, const cJSON *before, const cJSON *message, size_t at)
{
    const cJSON *block;
    cJSON_ArrayForEach(block, fields_get(before, "content"))
    {
        const char *id = fields_text(block, "id");
        if (is_block(block, "tool_use") && !holds(message, "tool_result", "tool_use_id", id))
            return chat_refuse(chat, NULL,
                               "messages.%zu: `tool_use` ids were found without `tool_result` "
                               "blocks immediately after: %s",
                               at - 1, id ? id : "");
    }
    cJSON_ArrayForEach(block, fields_get(message, "content"))
    {
        const char *id = fields_text(block, "tool_use_id");
        if (is_block(block, "tool_result") && !holds(before, "tool_use", "id", id))
            return chat_refuse(chat, NULL,
                               "messages.%zu: unexpected `tool_use_id` found in `tool_result` "
                               "blocks: %s",
                               at, id ? id : "");
    }
    return true;
}

static bool read_role(struct chat *chat, const char *role, size_t at, struct place *place)
{
    place->role = strcmp(role, "user") == 0 ? STAND_USER : STAND_ASSISTANT;
    if (strcmp(role, "system") == 0)
        return chat_refuse(
            chat, NULL,
            "messages: Unexpected role \"system\". The Messages API accepts a "
            "top-level `system` parameter, not \"system\" as an input message role.");
    if (place->role == STAND_ASSISTANT && strcmp(role, "assistant") != 0)
        return chat_refuse(chat, NULL, "%srole: Input should be 'user' or 'assistant'",
                           place->where);
    if (at == 0 && place->role != STAND_USER)
        return chat_refuse(chat, NULL, "messages: first message must use the \"user\" role");
    return true;
}

static bool read_content(struct chat *chat, const cJSON *content, size_t at, struct place *place)
{
    if (cJSON_IsString(content) && *content->valuestring) {
        chat_say(chat, place->role, false,
                 stand_copy(content->valuestring, strlen(content->valuestring)));
        return true;
    }
    if (!cJSON_IsString(content) && !cJSON_IsArray(content))
        return chat_refuse(chat, NULL, "%scontent: Input should be a valid string or list",
                           place->where);
    if (cJSON_GetArraySize(content) == 0)
        return chat_refuse(chat, NULL, "messages.%zu: all messages must have non-empty content",
                           at);
    size_t number = 0;
    const cJSON *block;
    cJSON_ArrayForEach(block, content) place->calls_tools |= is_block(block, "tool_use");
    cJSON_ArrayForEach(block, content)
    {
        snprintf(place->where, sizeof place->where, "messages.%zu.content.%zu.", at, number++);
        if (!read_block(chat, block, place))
            return false;
    }
    return true;
}

static bool read_message(struct chat *chat, const cJSON *message, size_t at)
{
    static const struct field table[] = {
        {"role", FIELD_TEXT}, {"content", FIELD_ANY}, {NULL, FIELD_ANY}};
    struct place place = {.role = STAND_USER};
    snprintf(place.where, sizeof place.where, "messages.%zu.", at);
    if (!cJSON_IsObject(message))
        return chat_refuse(chat, NULL, "messages.%zu: Input should be a valid dictionary", at);
    return check(chat, message, table, 2, place.where) &&
           read_role(chat, fields_text(message, "role"), at, &place) &&
           read_content(chat, fields_get(message, "content"), at, &place);
}

static bool read_messages(struct chat *chat, const cJSON *list)
{
    int size = cJSON_GetArraySize(list);
    if (size < 1 || size > CHAT_TURNS_MAX)
        return chat_refuse(chat, NULL, "messages: at least one message is required");
    size_t at = 0;
    const cJSON *message;
    const cJSON *before = NULL;
    cJSON_ArrayForEach(message, list)
    {
        if (!read_message(chat, message, at) || !check_results(chat, before, message, at))
            return false;
        before = message;
        at++;
    }
    chat->turns = (size_t)size;
    return check_results(chat, before, NULL, at);
}

static bool read_system(struct chat *chat, const cJSON *system)
{
    char *text = joined_text(system);
    if (!text)
        return chat_refuse(chat, NULL,
                           "system: Input should be a valid string or list of text "
                           "blocks");
    chat->prompt_chars += strlen(text);
    free(text);
    return true;
}

/* Marks of what the service shall keep: each says how long, and there are not many. */
static bool check_cache(struct chat *chat, const cJSON *node, size_t *count)
{
    const cJSON *child;
    if (node && node->string && strcmp(node->string, "cache_control") == 0) {
        const char *type = fields_text(node, "type");
        const char *ttl = fields_text(node, "ttl");
        if (!type || strcmp(type, "ephemeral") != 0)
            return chat_refuse(chat, NULL, "cache_control.type: Input should be 'ephemeral'");
        if (ttl && strcmp(ttl, "5m") != 0 && strcmp(ttl, "1h") != 0)
            return chat_refuse(chat, NULL, "cache_control.ttl: Input should be '5m' or '1h'");
        if (++*count > CACHE_MARKS_MAX)
            return chat_refuse(chat, NULL,
                               "A maximum of %d blocks with cache_control may be provided. "
                               "Found %zu.",
                               CACHE_MARKS_MAX, *count);
        return true;
    }
    if (node && node->string && strcmp(node->string, "input") == 0)
        return true; /* the model's own words */
    cJSON_ArrayForEach(child, node)
    {
        if (!check_cache(chat, child, count))
            return false;
    }
    return true;
}

static bool check_version(struct chat *chat, const char *version)
{
    static const char *const known[] = {"2023-01-01", "2023-06-01", WITHOUT_SAMPLING};
    if (!version)
        return chat_refuse(chat, NULL, "anthropic-version: header is required");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], version) == 0)
            return true;
    }
    return chat_refuse(chat, NULL, "anthropic-version: \"%s\" is not a valid version", version);
}

static bool check_sampling(struct chat *chat, const cJSON *root, const char *version)
{
    static const char *const names[] = {"temperature", "top_p", "top_k"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(version, WITHOUT_SAMPLING) == 0 && fields_get(root, names[i]))
            return chat_refuse(chat, NULL, "%s: Extra inputs are not permitted", names[i]);
    }
    return true;
}

void anthropic_request_read(struct chat *chat, const struct stand_exchange *x, const cJSON *root)
{
    static const struct field table[] = {{"model", FIELD_TEXT},
                                         {"max_tokens", FIELD_INTEGER},
                                         {"messages", FIELD_LIST},
                                         {"system", FIELD_ANY},
                                         {"tools", FIELD_LIST},
                                         {"tool_choice", FIELD_OBJECT},
                                         {"stop_sequences", FIELD_LIST},
                                         {"stream", FIELD_BOOL},
                                         {"thinking", FIELD_OBJECT},
                                         {"output_config", FIELD_OBJECT},
                                         {"service_tier", FIELD_TEXT},
                                         {"metadata", FIELD_OBJECT},
                                         {"cache_control", FIELD_OBJECT},
                                         {"temperature", FIELD_NUMBER},
                                         {"top_p", FIELD_NUMBER},
                                         {"top_k", FIELD_INTEGER},
                                         {NULL, FIELD_ANY}};
    const char *version = stand_exchange_header(x, "anthropic-version");
    size_t marks = 0;
    if (!check_version(chat, version) || !check(chat, root, table, 3, "") ||
        !check_sampling(chat, root, version) || !check_cache(chat, root, &marks))
        return;
    const char *model = fields_text(root, "model");
    chat_set_model(chat, model, strlen(model));
    chat->stream = cJSON_IsTrue(fields_get(root, "stream"));
    if (!*model)
        chat_refuse(chat, NULL, "model: String should have at least 1 character");
    else if (fields_get(root, "max_tokens")->valuedouble < 1)
        chat_refuse(chat, NULL, "max_tokens: Input should be greater than or equal to 1");
    else if (read_system(chat, fields_get(root, "system")))
        read_messages(chat, fields_get(root, "messages"));
}
