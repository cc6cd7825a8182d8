/*
 * Anthropic's Messages as they are written (anthropic_request.c reads). A stream is named events:
 * message_start, a content block of text or of a tool call with a ping at its start, message_delta
 * with the stop_reason, message_stop. An empty answer has no block. A tool call's arguments come in
 * pieces as they are; in a whole answer arguments that are no object become `{}`.
 *
 * In an error a rule's error_type is the error's type and its code the details' error_code.
 *
 * Called through its table by chat.c, answer.c and model.c.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/model/anthropic_request.h"
#include "stands/model/wire.h"

#define MESSAGES_PATH "/v1/messages"
#define MODELS_PATH   "/v1/models"

/* --- routes --- */

static const char *version_of(const struct stand_exchange *x)
{
    return stand_exchange_header(x, "anthropic-version");
}

static bool anthropic_is_chat_path(const char *path)
{
    return strcmp(path, MESSAGES_PATH) == 0;
}

/* The list of models shares its path with OpenAI's; the header tells them apart. */
static bool anthropic_owns(const struct stand_exchange *x)
{
    const char *path = stand_exchange_path(x);
    bool messages = strncmp(path, MESSAGES_PATH "/", sizeof MESSAGES_PATH) == 0;
    return anthropic_is_chat_path(path) || messages ||
           (strcmp(path, MODELS_PATH) == 0 && version_of(x));
}

static const char *anthropic_key(const struct stand_exchange *x)
{
    return stand_exchange_header(x, "x-api-key");
}

/* --- errors and headers --- */

static void anthropic_error(const struct wire_error *error, const char *request,
                            struct stand_buf *out)
{
    stand_buf_puts(out, "{\"type\":\"error\",\"error\":{\"type\":");
    stand_buf_json_text(out, error->words.type);
    stand_buf_puts(out, ",\"message\":");
    stand_buf_json_text(out, error->words.message);
    if (error->words.code) {
        stand_buf_puts(out, ",\"details\":{\"error_code\":");
        stand_buf_json_text(out, error->words.code);
        stand_buf_puts(out, "}");
    }
    stand_buf_puts(out, "}");
    if (request) {
        stand_buf_puts(out, ",\"request_id\":");
        stand_buf_json_text(out, request);
    }
    stand_buf_puts(out, "}");
}

static void anthropic_headers(const char *request, bool failed, struct stand_buf *out)
{
    static const char *const limits[] = {"requests", "tokens", "input-tokens", "output-tokens"};
    char reset[32];
    struct tm tm;
    time_t now = time(NULL);
    strftime(reset, sizeof reset, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    stand_buf_printf(out, "request-id: %s\r\n", request);
    if (failed)
        return;
    stand_buf_puts(out, "anthropic-organization-id: stand\r\n");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        stand_buf_printf(out,
                         "anthropic-ratelimit-%s-limit: 10000000\r\n"
                         "anthropic-ratelimit-%s-remaining: 9999000\r\n"
                         "anthropic-ratelimit-%s-reset: %s\r\n",
                         limits[i], limits[i], limits[i], reset);
}

/* --- one object --- */

static void add_usage(const struct answer *answer, size_t bytes, struct stand_buf *out)
{
    stand_buf_printf(out,
                     "{\"input_tokens\":%lu,\"cache_creation_input_tokens\":0,"
                     "\"cache_read_input_tokens\":0,\"output_tokens\":%lu}",
                     wire_prompt_tokens(answer->chat), wire_answer_tokens(bytes));
}

/* Appends a message up to its content. */
static void message_start(const struct answer *answer, struct stand_buf *out)
{
    stand_buf_printf(
        out, "{\"id\":\"%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", answer->id);
    stand_buf_json_text(out, answer->chat->model);
    stand_buf_puts(out, ",\"content\":[");
}

/* Ends a message begun with message_start and its content. */
static void message_end(const struct answer *answer, const char *stop, size_t bytes,
                        struct stand_buf *out)
{
    stand_buf_puts(out, "],\"stop_reason\":");
    stand_buf_json_text(out, stop);
    stand_buf_puts(out, ",\"stop_sequence\":null,\"usage\":");
    add_usage(answer, bytes, out);
    stand_buf_puts(out, "}");
}

/* Appends the content block with this text, or the tool call with this input (JSON). */
static void add_block(const struct answer *answer, const char *text, size_t len, const char *input,
                      struct stand_buf *out)
{
    if (!answer->tool) {
        stand_buf_puts(out, "{\"type\":\"text\",\"text\":");
        stand_buf_json(out, text, len);
    } else {
        stand_buf_printf(out, "{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":", answer->tool_id);
        stand_buf_json_text(out, answer->tool);
        stand_buf_puts(out, ",\"input\":");
        stand_buf_puts(out, input);
    }
    stand_buf_puts(out, "}");
}

static bool has_block(const struct answer *answer)
{
    return answer->tool || answer->len > 0;
}

static void anthropic_whole(struct answer *answer, struct stand_buf *out)
{
    cJSON *args = cJSON_ParseWithLength(answer->text, answer->len);
    char *input = cJSON_IsObject(args) ? cJSON_PrintUnformatted(args) : NULL;
    message_start(answer, out);
    if (has_block(answer))
        add_block(answer, answer->text, answer->len, input ? input : "{}", out);
    message_end(answer, answer->finish, answer->len, out);
    free(input);
    cJSON_Delete(args);
}

/* --- a stream --- */

static void event_start(const char *name, struct stand_buf *out)
{
    stand_buf_printf(out, "event: %s\ndata: {\"type\":\"%s\"", name, name);
}

static void event_end(struct stand_buf *out)
{
    stand_buf_puts(out, "}\n\n");
}

static void add_ping(struct stand_buf *out)
{
    event_start("ping", out);
    event_end(out);
}

static void anthropic_start(struct answer *answer, struct stand_buf *out)
{
    event_start("message_start", out);
    stand_buf_puts(out, ",\"message\":");
    message_start(answer, out);
    message_end(answer, NULL, 0, out);
    event_end(out);
    if (has_block(answer)) {
        event_start("content_block_start", out);
        stand_buf_puts(out, ",\"index\":0,\"content_block\":");
        add_block(answer, "", 0, "{}", out);
        event_end(out);
    }
    add_ping(out);
}

/* Begins a content_block_delta up to its text. */
static void delta_start(const struct answer *answer, struct stand_buf *out)
{
    event_start("content_block_delta", out);
    stand_buf_puts(out, answer->tool ? ",\"index\":0,\"delta\":{\"type\":\"input_json_delta\","
                                       "\"partial_json\":"
                                     : ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":");
}

static void anthropic_piece(struct answer *answer, const char *text, size_t len,
                            struct stand_buf *out)
{
    delta_start(answer, out);
    stand_buf_json(out, text, len);
    stand_buf_puts(out, "}");
    event_end(out);
}

static void anthropic_end(struct answer *answer, struct stand_buf *out)
{
    if (has_block(answer)) {
        event_start("content_block_stop", out);
        stand_buf_puts(out, ",\"index\":0");
        event_end(out);
    }
    event_start("message_delta", out);
    stand_buf_puts(out, ",\"delta\":{\"stop_reason\":");
    stand_buf_json_text(out, answer->finish);
    stand_buf_puts(out, ",\"stop_sequence\":null},\"usage\":");
    add_usage(answer, answer->len, out);
    event_end(out);
    event_start("message_stop", out);
    event_end(out);
}

static void anthropic_fail(struct answer *answer, const struct wire_error *error,
                           struct stand_buf *out)
{
    (void)answer;
    stand_buf_puts(out, "event: error\ndata: ");
    anthropic_error(error, NULL, out);
    stand_buf_puts(out, "\n\n");
}

static void anthropic_spoil(struct answer *answer, struct stand_buf *out)
{
    delta_start(answer, out);
    stand_buf_puts(out, "\"half a te\n\n");
    event_start("message_stop", out);
    event_end(out);
}

/* --- the table --- */

static const struct wire_words usual[] = {
    {400, "Invalid request.", "invalid_request_error", NULL},
    {401, "invalid x-api-key", "authentication_error", NULL},
    {402, "There is an issue with your billing.", "billing_error", NULL},
    {403, "Your API key may not use this resource.", "permission_error", NULL},
    {404, "The model is not found.", "not_found_error", NULL},
    {409, "The request conflicts with another one.", "conflict_error", NULL},
    {413, "Request exceeds the maximum size", "request_too_large", NULL},
    {429, "This request would exceed your account's rate limit.", "rate_limit_error", NULL},
    {504, "The request timed out while processing.", "timeout_error", NULL},
    {529, "Overloaded", "overloaded_error", NULL},
    {500, "Internal server error", "api_error", NULL},
};

const struct wire wire_anthropic = {
    .name = "anthropic",
    .id = "msg_01",
    .id_digits = 22,
    .tool_id = "toolu_01",
    .tool_id_digits = 22,
    .stop = "end_turn",
    .tool_stop = "tool_use",
    .not_json = "The request body is not valid JSON",
    .models_path = MODELS_PATH,
    .models = "{\"data\":[{\"type\":\"model\",\"id\":\"stand-1\",\"display_name\":\"Stand 1\","
              "\"created_at\":\"2026-01-01T00:00:00Z\"}],\"has_more\":false,"
              "\"first_id\":\"stand-1\",\"last_id\":\"stand-1\"}",
    .refusals =
        {
            [WIRE_NO_KEY] = {401, "x-api-key header is required", "authentication_error", NULL},
            [WIRE_WRONG_KEY] = {401, "invalid x-api-key", "authentication_error", NULL},
            [WIRE_BAD_REQUEST] = {400, NULL, "invalid_request_error", NULL},
            [WIRE_BAD_METHOD] = {405, "Method Not Allowed", "invalid_request_error", NULL},
            [WIRE_UNKNOWN_PATH] = {404, "Not Found", "not_found_error", NULL},
        },
    .broken = {500, "Internal server error", "api_error", NULL},
    .usual = usual,
    .usual_count = sizeof usual / sizeof usual[0],
    .owns = anthropic_owns,
    .is_chat_path = anthropic_is_chat_path,
    .key = anthropic_key,
    .read = anthropic_request_read,
    .headers = anthropic_headers,
    .error = anthropic_error,
    .whole = anthropic_whole,
    .start = anthropic_start,
    .piece = anthropic_piece,
    .end = anthropic_end,
    .fail = anthropic_fail,
    .spoil = anthropic_spoil,
};
