/*
 * Reading Gemini's generateContent requests, as strictly as the real service: members at every
 * level that is looked at, roles, parts (text, functionCall, functionResponse), and as many results
 * as calls. Called by gemini.c.
 */
#include "stands/model/gemini_request.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "stands/model/fields.h"

/* --- routes --- */

struct route {
    const char *model;
    size_t model_len;
    bool stream;
};

/* Splits `/v1beta/models/{model}:{method}`. */
static bool find_route(const char *path, struct route *route)
{
    static const char start[] = "/v1beta/models/";
    size_t len = sizeof start - 1;
    if (strncmp(path, start, len) != 0)
        return false;
    size_t model_len = strcspn(path + len, ":/");
    const char *method = path + len + model_len;
    route->model = path + len;
    route->model_len = model_len;
    route->stream = strcmp(method, ":streamGenerateContent") == 0;
    return model_len > 0 && (route->stream || strcmp(method, ":generateContent") == 0);
}

bool gemini_request_path(const char *path)
{
    struct route route;
    return find_route(path, &route);
}

static bool wants_events(const char *query)
{
    while (query) {
        size_t len = strcspn(query, "&");
        if (len == 7 && memcmp(query, "alt=sse", 7) == 0)
            return true;
        query = query[len] ? query + len + 1 : NULL;
    }
    return false;
}

/* --- reading --- */

/* The kind's name in Google's messages. */
static const char *const kind_names[FIELD_KINDS] = {
    [FIELD_ANY] = "any",        [FIELD_TEXT] = "TYPE_STRING",   [FIELD_NUMBER] = "TYPE_DOUBLE",
    [FIELD_BOOL] = "TYPE_BOOL", [FIELD_INTEGER] = "TYPE_INT32", [FIELD_LIST] = "list",
    [FIELD_OBJECT] = "object",
};

/* Refuses members that are unknown or of the wrong kind; `where` is "" at the top. */
static bool check(struct chat *chat, const cJSON *object, const struct field *table,
                  const char *where)
{
    const struct field *known;
    const cJSON *wrong = fields_wrong(object, table, &known);
    if (!wrong)
        return true;
    if (known)
        return chat_refuse(chat, where, "Invalid value at '%s%s%s' (%s)", where, *where ? "." : "",
                           wrong->string, kind_names[known->kind]);
    if (*where)
        return chat_refuse(chat, where,
                           "Invalid JSON payload received. Unknown name \"%s\" at '%s': "
                           "Cannot find field.",
                           wrong->string, where);
    return chat_refuse(chat, where,
                       "Invalid JSON payload received. Unknown name \"%s\": Cannot find field.",
                       wrong->string);
}

/* Where in the request a part is, and what its turn may hold. */
struct place {
    char where[64];
    enum stand_role role;
    bool calls_tools; /* the turn asks for tools */
};

static bool read_call(struct chat *chat, const cJSON *call, const struct place *place)
{
    static const struct field table[] = {
        {"id", FIELD_TEXT}, {"name", FIELD_TEXT}, {"args", FIELD_OBJECT}, {NULL, FIELD_ANY}};
    char where[96];
    snprintf(where, sizeof where, "%s.function_call", place->where);
    if (!check(chat, call, table, where))
        return false;
    if (!fields_text(call, "name"))
        return chat_refuse(chat, NULL, "* GenerateContentRequest.%s.name: Name cannot be empty.",
                           where);
    if (place->role != STAND_ASSISTANT)
        return chat_refuse(chat, NULL, "* GenerateContentRequest.%s: only the model calls tools.",
                           where);
    chat_say(chat, STAND_ASSISTANT, true, stand_copy("", 0));
    return true;
}

static bool read_result(struct chat *chat, const cJSON *result, const struct place *place)
{
    static const struct field table[] = {
        {"id", FIELD_TEXT}, {"name", FIELD_TEXT}, {"response", FIELD_OBJECT}, {NULL, FIELD_ANY}};
    char where[96];
    snprintf(where, sizeof where, "%s.function_response", place->where);
    if (!check(chat, result, table, where))
        return false;
    const cJSON *response = fields_get(result, "response");
    if (!fields_text(result, "name") || !response)
        return chat_refuse(chat, NULL,
                           "* GenerateContentRequest.%s: name and response are required.", where);
    if (place->role != STAND_USER)
        return chat_refuse(chat, NULL, "* GenerateContentRequest.%s: a result is the user's.",
                           where);
    chat_say(chat, STAND_TOOL, false, cJSON_PrintUnformatted(response));
    return true;
}

/* A part holds exactly one of text, functionCall and functionResponse. */
static bool read_part(struct chat *chat, const cJSON *part, const struct place *place)
{
    static const struct field table[] = {{"text", FIELD_TEXT},
                                         {"functionCall", FIELD_OBJECT},
                                         {"thought", FIELD_BOOL},
                                         {"functionResponse", FIELD_OBJECT},
                                         {"thoughtSignature", FIELD_TEXT},
                                         {NULL, FIELD_ANY}};
    if (!cJSON_IsObject(part))
        return chat_refuse(chat, place->where, "Invalid value at '%s' (object)", place->where);
    if (!check(chat, part, table, place->where))
        return false;
    const char *text = fields_text(part, "text");
    const cJSON *call = fields_get(part, "functionCall");
    const cJSON *result = fields_get(part, "functionResponse");
    int data = (text != NULL) + (call != NULL) + (result != NULL);
    if (data == 0)
        return chat_refuse(chat, NULL,
                           "* GenerateContentRequest.%s.data: required oneof field 'data' must "
                           "have one initialized field",
                           place->where);
    if (data > 1)
        return chat_refuse(chat, place->where,
                           "Invalid value at '%s' (oneof), oneof field 'data' is already set.",
                           place->where);
    if (call)
        return read_call(chat, call, place);
    if (result)
        return read_result(chat, result, place);
    if (!cJSON_IsTrue(fields_get(part, "thought")))
        chat_say(chat, place->role, place->calls_tools, stand_copy(text, strlen(text)));
    return true;
}

static size_t count_parts(const cJSON *content, const char *name)
{
    size_t count = 0;
    const cJSON *part;
    cJSON_ArrayForEach(part, fields_get(content, "parts"))
    {
        if (fields_get(part, name))
            count++;
    }
    return count;
}

/* Only a content that is `alone` may leave its role open. */
static bool read_role(struct chat *chat, const cJSON *content, bool alone, struct place *place)
{
    const char *role = fields_text(content, "role");
    if ((role && strcmp(role, "user") == 0) || (!role && alone))
        place->role = STAND_USER;
    else if (role && strcmp(role, "model") == 0)
        place->role = STAND_ASSISTANT;
    else
        return chat_refuse(chat, NULL, "Please use a valid role: user, model.");
    return true;
}

/* Reads content number `at`; the one before it called so many tools. */
static bool read_content(struct chat *chat, const cJSON *content, size_t at, size_t called)
{
    static const struct field table[] = {
        {"role", FIELD_TEXT}, {"parts", FIELD_LIST}, {NULL, FIELD_ANY}};
    char where[32];
    struct place place = {.calls_tools = count_parts(content, "functionCall") > 0};
    snprintf(where, sizeof where, "contents[%zu]", at);
    if (!cJSON_IsObject(content))
        return chat_refuse(chat, where, "Invalid value at '%s' (object)", where);
    if (!check(chat, content, table, where) ||
        !read_role(chat, content, at == 0 && !content->next, &place))
        return false;
    const cJSON *parts = fields_get(content, "parts");
    if (cJSON_GetArraySize(parts) == 0)
        return chat_refuse(chat, NULL,
                           "* GenerateContentRequest.%s.parts: contents.parts must not be empty.",
                           where);
    if (count_parts(content, "functionResponse") != called)
        return chat_refuse(chat, NULL,
                           "Please ensure that the number of function response parts is equal to "
                           "the number of function call parts of the function call turn.");
    size_t number = 0;
    const cJSON *part;
    cJSON_ArrayForEach(part, parts)
    {
        snprintf(place.where, sizeof place.where, "%s.parts[%zu]", where, number++);
        if (!read_part(chat, part, &place))
            return false;
    }
    return true;
}

static bool read_contents(struct chat *chat, const cJSON *list)
{
    int size = cJSON_GetArraySize(list);
    if (size < 1 || size > CHAT_TURNS_MAX)
        return chat_refuse(chat, NULL,
                           "* GenerateContentRequest.contents: contents is not specified");
    size_t at = 0, called = 0;
    const cJSON *content;
    cJSON_ArrayForEach(content, list)
    {
        if (!read_content(chat, content, at++, called))
            return false;
        called = count_parts(content, "functionCall");
    }
    chat->turns = (size_t)size;
    return true;
}

/* The system instruction is a content whose role does not matter and whose parts are texts. */
static bool read_system(struct chat *chat, const cJSON *system)
{
    static const struct field table[] = {
        {"role", FIELD_TEXT}, {"parts", FIELD_LIST}, {NULL, FIELD_ANY}};
    static const struct field part_table[] = {{"text", FIELD_TEXT}, {NULL, FIELD_ANY}};
    char where[64] = "system_instruction";
    if (!system)
        return true;
    if (!check(chat, system, table, where))
        return false;
    const cJSON *part;
    size_t number = 0;
    cJSON_ArrayForEach(part, fields_get(system, "parts"))
    {
        snprintf(where, sizeof where, "system_instruction.parts[%zu]", number++);
        const char *text = fields_text(part, "text");
        if (!cJSON_IsObject(part) || !check(chat, part, part_table, where) || !text)
            return chat_refuse(chat, where, "Invalid value at '%s' (text)", where);
        chat->prompt_chars += strlen(text);
    }
    return number > 0 || chat_refuse(chat, NULL,
                                     "* GenerateContentRequest.system_instruction.parts: "
                                     "contents.parts must not be empty.");
}

static bool read_config(struct chat *chat, const cJSON *config)
{
    static const struct field table[] = {{"temperature", FIELD_NUMBER},
                                         {"topP", FIELD_NUMBER},
                                         {"topK", FIELD_NUMBER},
                                         {"maxOutputTokens", FIELD_INTEGER},
                                         {"stopSequences", FIELD_LIST},
                                         {"candidateCount", FIELD_INTEGER},
                                         {"seed", FIELD_INTEGER},
                                         {"presencePenalty", FIELD_NUMBER},
                                         {"frequencyPenalty", FIELD_NUMBER},
                                         {"responseMimeType", FIELD_TEXT},
                                         {"responseSchema", FIELD_OBJECT},
                                         {"responseJsonSchema", FIELD_ANY},
                                         {"thinkingConfig", FIELD_OBJECT},
                                         {NULL, FIELD_ANY}};
    static const struct field thinking_table[] = {{"thinkingLevel", FIELD_TEXT},
                                                  {"thinkingBudget", FIELD_INTEGER},
                                                  {"includeThoughts", FIELD_BOOL},
                                                  {NULL, FIELD_ANY}};
    return check(chat, config, table, "generation_config") &&
           check(chat, fields_get(config, "thinkingConfig"), thinking_table,
                 "generation_config.thinking_config");
}

void gemini_request_read(struct chat *chat, const struct stand_exchange *x, const cJSON *root)
{
    static const struct field table[] = {{"model", FIELD_TEXT},
                                         {"contents", FIELD_LIST},
                                         {"systemInstruction", FIELD_OBJECT},
                                         {"tools", FIELD_LIST},
                                         {"toolConfig", FIELD_OBJECT},
                                         {"generationConfig", FIELD_OBJECT},
                                         {"safetySettings", FIELD_LIST},
                                         {"cachedContent", FIELD_TEXT},
                                         {"serviceTier", FIELD_TEXT},
                                         {NULL, FIELD_ANY}};
    struct route route;
    if (!find_route(stand_exchange_path(x), &route))
        return;
    chat_set_model(chat, route.model, route.model_len);
    chat->stream = route.stream;
    chat->array = route.stream && !wants_events(stand_exchange_query(x));
    if (check(chat, root, table, "") && read_config(chat, fields_get(root, "generationConfig")) &&
        read_system(chat, fields_get(root, "systemInstruction")))
        read_contents(chat, fields_get(root, "contents"));
}
