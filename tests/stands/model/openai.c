/*
 * OpenAI Chat Completions, read and written. A stream's first delta carries the role, then come
 * content deltas, a delta with the finish_reason, the usage chunk when asked for, and
 * `data: [DONE]`. A rule's code and error_type are the members `code` and `type` of the error.
 * Called through its table by chat.c, answer.c and model.c.
 */
#include <cjson/cJSON.h>
#include <string.h>
#include <time.h>

#include "stands/model/wire.h"

/* --- reading --- */

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

static bool read_message(struct chat *chat, const cJSON *json)
{
    enum stand_role role;
    if (!cJSON_IsObject(json) || role_of(json, &role) != 0)
        return chat_refuse(chat, "messages",
                           "Invalid value for 'role': supported values are 'system', 'developer', "
                           "'assistant', 'user', 'function', and 'tool'.");
    char *text = content_text(cJSON_GetObjectItemCaseSensitive(json, "content"));
    if (!text)
        return chat_refuse(chat, "messages",
                           "Invalid type for 'content': expected a string or an array of parts.");
    const cJSON *calls = cJSON_GetObjectItemCaseSensitive(json, "tool_calls");
    chat_say(chat, role, cJSON_GetArraySize(calls) > 0, text);
    return true;
}

static void read_messages(struct chat *chat, const cJSON *list)
{
    int size = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (size < 1 || size > CHAT_TURNS_MAX) {
        chat_refuse(chat, "messages",
                    "Invalid 'messages': an array of 1 to 10000 messages is required.");
        return;
    }
    chat->turns = (size_t)size;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!read_message(chat, item))
            return;
    }
}

static void openai_read(struct chat *chat, const struct stand_exchange *x, const cJSON *root)
{
    (void)x;
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model");
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(root, "stream_options");
    chat->stream = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "stream"));
    chat->usage = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(options, "include_usage"));
    if (!cJSON_IsString(model) || !*model->valuestring) {
        chat_refuse(chat, NULL, "you must provide a model parameter");
        return;
    }
    chat_set_model(chat, model->valuestring, strlen(model->valuestring));
    if (options && !cJSON_IsNull(options) && !chat->stream)
        chat_refuse(chat, "stream_options",
                    "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    else
        read_messages(chat, cJSON_GetObjectItemCaseSensitive(root, "messages"));
}

static bool openai_owns(const struct stand_exchange *x)
{
    (void)x; /* what no other format owns */
    return true;
}

/* Vendors have it below paths of their own: /openai/v1 (Groq), none (DeepSeek). */
static bool openai_is_chat_path(const char *path)
{
    static const char end[] = "/chat/completions";
    const size_t length = strlen(path), tail = sizeof end - 1;
    return length >= tail && strcmp(path + length - tail, end) == 0;
}

static const char *openai_key(const struct stand_exchange *x)
{
    const char *given = stand_exchange_header(x, "Authorization");
    return given && strncmp(given, "Bearer ", 7) == 0 ? given + 7 : NULL;
}

/* --- errors and headers --- */

/* Appends the body `{"error":{...}}` with its four members; NULL texts become null. */
static void openai_error(const struct wire_error *error, const char *request, struct stand_buf *out)
{
    (void)request;
    stand_buf_puts(out, "{\"error\":{\"message\":");
    stand_buf_json_text(out, error->words.message);
    stand_buf_puts(out, ",\"type\":");
    stand_buf_json_text(out, error->words.type);
    stand_buf_puts(out, ",\"param\":");
    stand_buf_json_text(out, error->param);
    stand_buf_puts(out, ",\"code\":");
    stand_buf_json_text(out, error->words.code);
    stand_buf_puts(out, "}}");
}

static void openai_headers(const char *request, bool failed, struct stand_buf *out)
{
    stand_buf_printf(out, "x-request-id: %s\r\n", request);
    if (failed) {
        stand_buf_puts(out, "openai-version: 2020-10-01\r\n");
        return;
    }
    stand_buf_puts(out, "openai-organization: stand\r\n"
                        "openai-processing-ms: 1\r\nopenai-version: 2020-10-01\r\n"
                        "x-ratelimit-limit-requests: 100000\r\n"
                        "x-ratelimit-limit-tokens: 10000000\r\n"
                        "x-ratelimit-remaining-requests: 99999\r\n"
                        "x-ratelimit-remaining-tokens: 9999000\r\n"
                        "x-ratelimit-reset-requests: 1ms\r\nx-ratelimit-reset-tokens: 6ms\r\n");
}

/* --- one object --- */

static void add_usage(const struct answer *answer, struct stand_buf *out)
{
    unsigned long prompt = wire_prompt_tokens(answer->chat);
    unsigned long completion = wire_answer_tokens(answer->len);
    stand_buf_printf(out,
                     "{\"prompt_tokens\":%lu,\"completion_tokens\":%lu,\"total_tokens\":%lu,"
                     "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
                     "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
                     "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
                     prompt, completion, prompt + completion);
}

static void add_head(const struct answer *answer, const char *object, struct stand_buf *out)
{
    stand_buf_printf(out,
                     "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%lld,\"model\":", answer->id,
                     object, (long long)time(NULL));
    stand_buf_json_text(out, answer->chat->model);
    stand_buf_puts(out, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_stand\",");
}

static void openai_whole(struct answer *answer, struct stand_buf *out)
{
    add_head(answer, "chat.completion", out);
    stand_buf_puts(out,
                   "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (answer->tool) {
        stand_buf_printf(out, "null,\"tool_calls\":[{\"id\":\"%s\",\"type\":\"function\",",
                         answer->tool_id);
        stand_buf_puts(out, "\"function\":{\"name\":");
        stand_buf_json_text(out, answer->tool);
        stand_buf_puts(out, ",\"arguments\":");
        stand_buf_json(out, answer->text, answer->len);
        stand_buf_puts(out, "}}]");
    } else {
        stand_buf_json(out, answer->text, answer->len);
    }
    stand_buf_puts(out,
                   ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":");
    stand_buf_json_text(out, answer->finish);
    stand_buf_puts(out, "}],\"usage\":");
    add_usage(answer, out);
    stand_buf_puts(out, "}");
}

/* --- a stream --- */

/* Begins an event up to the content of its delta. */
static void event_start(const struct answer *answer, struct stand_buf *out)
{
    stand_buf_add(out, answer->head.data, answer->head.len);
}

/* Ends an event begun with event_start and a delta's content. */
static void event_end(const struct answer *answer, const char *finish, struct stand_buf *out)
{
    stand_buf_puts(out, "},\"logprobs\":null,\"finish_reason\":");
    stand_buf_json_text(out, finish);
    stand_buf_puts(out, answer->chat->usage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void openai_start(struct answer *answer, struct stand_buf *out)
{
    stand_buf_puts(&answer->head, "data: ");
    add_head(answer, "chat.completion.chunk", &answer->head);
    stand_buf_puts(&answer->head, "\"choices\":[{\"index\":0,\"delta\":{");
    event_start(answer, out);
    if (answer->tool) {
        stand_buf_printf(out,
                         "\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,"
                         "\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":",
                         answer->tool_id);
        stand_buf_json_text(out, answer->tool);
        stand_buf_puts(out, ",\"arguments\":\"\"}}],\"refusal\":null");
    } else {
        stand_buf_puts(out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
    }
    event_end(answer, NULL, out);
}

static void openai_piece(struct answer *answer, const char *text, size_t len, struct stand_buf *out)
{
    event_start(answer, out);
    stand_buf_puts(out, answer->tool ? "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
                                     : "\"content\":");
    stand_buf_json(out, text, len);
    if (answer->tool)
        stand_buf_puts(out, "}}]");
    event_end(answer, NULL, out);
}

static void openai_end(struct answer *answer, struct stand_buf *out)
{
    event_start(answer, out);
    event_end(answer, answer->finish, out);
    if (answer->chat->usage) {
        stand_buf_puts(out, "data: ");
        add_head(answer, "chat.completion.chunk", out);
        stand_buf_puts(out, "\"choices\":[],\"usage\":");
        add_usage(answer, out);
        stand_buf_puts(out, "}\n\n");
    }
    stand_buf_puts(out, "data: [DONE]\n\n");
}

static void openai_fail(struct answer *answer, const struct wire_error *error,
                        struct stand_buf *out)
{
    (void)answer;
    stand_buf_puts(out, "data: ");
    openai_error(error, NULL, out);
    stand_buf_puts(out, "\n\n");
}

static void openai_spoil(struct answer *answer, struct stand_buf *out)
{
    event_start(answer, out);
    stand_buf_puts(out, "\"content\":\"half a te\n\ndata: [DONE]\n\n");
}

/* --- the table --- */

static const struct wire_words usual[] = {
    {400, "Invalid request.", "invalid_request_error", NULL},
    {401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"},
    {403, "Country, region, or territory not supported", "request_forbidden",
     "unsupported_country_region_territory"},
    {404, "The model does not exist or you do not have access to it.", "invalid_request_error",
     "model_not_found"},
    {429, "Rate limit reached for requests", "requests", "rate_limit_exceeded"},
    {503, "The server is currently overloaded.", "service_unavailable_error",
     "server_is_overloaded"},
    {500, "The server had an error while processing your request.", "server_error", NULL},
};

const struct wire wire_openai = {
    .name = "openai",
    .id = "chatcmpl-",
    .id_digits = 29,
    .tool_id = "call_",
    .tool_id_digits = 24,
    .stop = "stop",
    .tool_stop = "tool_calls",
    .not_json = "We could not parse the JSON body of your request.",
    .models_path = "/v1/models",
    .models = "{\"object\":\"list\",\"data\":[{\"id\":\"stand-1\",\"object\":"
              "\"model\",\"created\":1700000000,\"owned_by\":\"stand\"}]}",
    .refusals =
        {
            [WIRE_NO_KEY] = {401, "Incorrect API key provided.", "invalid_request_error",
                             "invalid_api_key"},
            [WIRE_WRONG_KEY] = {401, "Incorrect API key provided.", "invalid_request_error",
                                "invalid_api_key"},
            [WIRE_BAD_REQUEST] = {400, NULL, "invalid_request_error", NULL},
            [WIRE_BAD_METHOD] = {405, "Not allowed by this method.", "invalid_request_error", NULL},
            [WIRE_UNKNOWN_PATH] = {404, "Invalid URL", "invalid_request_error", NULL},
        },
    .broken = {500, "The server had an error", "server_error", NULL},
    .usual = usual,
    .usual_count = sizeof usual / sizeof usual[0],
    .owns = openai_owns,
    .is_chat_path = openai_is_chat_path,
    .key = openai_key,
    .read = openai_read,
    .headers = openai_headers,
    .error = openai_error,
    .whole = openai_whole,
    .start = openai_start,
    .piece = openai_piece,
    .end = openai_end,
    .fail = openai_fail,
    .spoil = openai_spoil,
};
