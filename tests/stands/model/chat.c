/*
 * Reading a chat completion request. The JSON lives only while it is read: an open stream keeps its
 * reply and a few numbers. Called by model.c for every POST.
 */
#include "stands/model/chat.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "stands/lib/nonce.h"

enum { MESSAGES_MAX = 10000, REPLY_MAX = 64 * 1024, LEDGER_NONCES = 10 };

/* Joins the text parts of a content array; NULL when it is neither text, null nor such an array. */
static char *content_text(const cJSON *content)
{
    struct stand_buf text;
    stand_buf_init(&text, STAND_HTTP_BODY_MAX);
    stand_buf_puts(&text, "");
    const cJSON *part;
    if (cJSON_IsString(content))
        stand_buf_puts(&text, content->valuestring);
    else if (cJSON_IsArray(content))
        cJSON_ArrayForEach(part, content)
        {
            const cJSON *words = cJSON_GetObjectItemCaseSensitive(part, "text");
            if (cJSON_IsString(words))
                stand_buf_puts(&text, words->valuestring);
        }
    else if (content && !cJSON_IsNull(content))
        stand_buf_fini(&text);
    return text.data;
}

static int role_of(const cJSON *message, enum stand_role *role)
{
    static const struct {
        const char *name;
        enum stand_role role;
    } roles[] = {{"user", STAND_USER},     {"assistant", STAND_ASSISTANT}, {"tool", STAND_TOOL},
                 {"function", STAND_TOOL}, {"developer", STAND_OTHER},     {"system", STAND_OTHER}};
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(message, "role");
    for (size_t i = 0; cJSON_IsString(name) && i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(name->valuestring, roles[i].name) == 0) {
            *role = roles[i].role;
            return 0;
        }
    }
    return -1;
}

/* Reads one message; its text, which is returned owned, is NULL when it is refused. */
static char *read_message(struct chat *chat, const cJSON *json, struct stand_message *message)
{
    chat->param = "messages";
    if (!cJSON_IsObject(json) || role_of(json, &message->role) != 0) {
        chat->problem = "Invalid value for 'role': supported values are 'system', 'developer', "
                        "'assistant', 'user', 'function', and 'tool'.";
        return NULL;
    }
    char *text = content_text(cJSON_GetObjectItemCaseSensitive(json, "content"));
    if (!text) {
        chat->problem = "Invalid type for 'content': expected a string or an array of parts.";
        return NULL;
    }
    message->text = text;
    message->calls_tools =
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "tool_calls")) > 0;
    chat->prompt_chars += strlen(text);
    chat->has_tool_result = message->role == STAND_TOOL;
    chat->param = NULL;
    return text;
}

static void write_params(const struct chat *chat, const struct stand_message *messages,
                         size_t count, struct stand_buf *params)
{
    const char *last = stand_last_user(messages, count);
    size_t shown = strlen(last);
    if (shown > CHAT_LAST_MAX) {
        shown = CHAT_LAST_MAX;
        while (shown > 0 && ((unsigned char)last[shown] & 0xc0) == 0x80)
            shown--;
    }
    stand_buf_puts(params, "{\"model\":");
    stand_buf_json_text(params, chat->model);
    stand_buf_printf(params, ",\"messages\":%zu,\"last_user\":", count);
    stand_buf_json(params, last, shown);
    stand_buf_puts(params, ",\"nonces\":");
    stand_nonce_json(messages, count, LEDGER_NONCES, params);
    stand_buf_puts(params, "}");
}

static void read_messages(struct chat *chat, const cJSON *list, struct stand_buf *params)
{
    int size = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (size < 1 || size > MESSAGES_MAX) {
        chat->problem = "Invalid 'messages': an array of 1 to 10000 messages is required.";
        chat->param = "messages";
        return;
    }
    struct stand_message *messages = stand_alloc((size_t)size * sizeof *messages);
    char **texts = stand_alloc((size_t)size * sizeof(char *));
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        texts[count] = read_message(chat, item, &messages[count]);
        if (!texts[count])
            break;
        count++;
    }
    if (!chat->problem) {
        struct stand_buf reply;
        stand_buf_init(&reply, REPLY_MAX);
        stand_nonce_reply(messages, count, &reply);
        chat->reply = reply.data;
        chat->directive = stand_faults_directive(stand_last_user(messages, count));
        write_params(chat, messages, count, params);
    }
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
    free(messages);
}

static void read_members(struct chat *chat, const cJSON *root, struct stand_buf *params)
{
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model");
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(root, "stream_options");
    chat->stream = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "stream"));
    chat->usage = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(options, "include_usage"));
    if (!cJSON_IsString(model) || !*model->valuestring) {
        chat->problem = "you must provide a model parameter";
        return;
    }
    size_t len = stand_utf8_prefix(model->valuestring, strlen(model->valuestring), CHAT_MODEL_MAX);
    if (len > CHAT_MODEL_MAX)
        len = CHAT_MODEL_MAX;
    memcpy(chat->model, model->valuestring, len);
    if (options && !cJSON_IsNull(options) && !chat->stream) {
        chat->problem = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        chat->param = "stream_options";
        return;
    }
    read_messages(chat, cJSON_GetObjectItemCaseSensitive(root, "messages"), params);
}

struct chat *chat_parse(const char *body, size_t len, struct stand_buf *params)
{
    struct chat *chat = stand_alloc(sizeof *chat);
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(body, len, &end, false);
    while (root && end < body + len && strchr(" \t\r\n", *end) && *end)
        end++;
    if (cJSON_IsObject(root) && end == body + len)
        read_members(chat, root, params);
    else
        chat->problem = "We could not parse the JSON body of your request.";
    cJSON_Delete(root);
    return chat;
}

void chat_free(struct chat *chat)
{
    if (!chat)
        return;
    stand_action_release(chat->directive);
    free(chat->reply);
    free(chat);
}
