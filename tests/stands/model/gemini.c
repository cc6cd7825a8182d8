/*
 * Google's Gemini, native REST (v1beta), as it is written (gemini_request.c reads). A stream is
 * server-sent events with `?alt=sse` and one JSON array without; each object holds only the new
 * part and the usage so far, the last one the finishReason; there is no end mark. A tool call comes
 * whole, with STOP, because its arguments are an object; arguments that are none end the answer
 * with MALFORMED_FUNCTION_CALL.
 *
 * In an error a rule's error_type is the status word, its retry_after the RetryInfo ("2": 2 s;
 * "900ms" and "2s" as they are) and its code the quotaId of a QuotaFailure with 429, else the
 * reason of an ErrorInfo.
 *
 * Called through its table by chat.c, answer.c and model.c.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/model/gemini_request.h"
#include "stands/model/wire.h"

#define DETAIL "{\"@type\":\"type.googleapis.com/google.rpc."

static bool gemini_owns(const struct stand_exchange *x)
{
    return strncmp(stand_exchange_path(x), "/v1beta/", 8) == 0;
}

static const char *gemini_key(const struct stand_exchange *x)
{
    return stand_exchange_header(x, "x-goog-api-key");
}

/* --- errors and headers --- */

static void add_quota(const char *quota, struct stand_buf *out)
{
    stand_buf_puts(out, "," DETAIL "QuotaFailure\",\"violations\":[{\"quotaMetric\":"
                        "\"generativelanguage.googleapis.com/generate_content_requests\","
                        "\"quotaId\":");
    stand_buf_json_text(out, quota);
    stand_buf_puts(out, "}]}");
}

static void add_reason(const char *reason, struct stand_buf *out)
{
    stand_buf_puts(out, "," DETAIL "ErrorInfo\",\"reason\":");
    stand_buf_json_text(out, reason);
    stand_buf_puts(out, ",\"domain\":\"googleapis.com\",\"metadata\":{\"service\":"
                        "\"generativelanguage.googleapis.com\"}}");
}

static void add_retry(const char *after, struct stand_buf *out)
{
    char delay[40];
    size_t len = strlen(after);
    snprintf(delay, sizeof delay, "%.30s%s", after, len > 0 && after[len - 1] == 's' ? "" : "s");
    stand_buf_puts(out, "," DETAIL "RetryInfo\",\"retryDelay\":");
    stand_buf_json_text(out, delay);
    stand_buf_puts(out, "}");
}

static void add_violation(const struct wire_error *error, struct stand_buf *out)
{
    stand_buf_puts(out, "," DETAIL "BadRequest\",\"fieldViolations\":[{");
    if (*error->param) {
        stand_buf_puts(out, "\"field\":");
        stand_buf_json_text(out, error->param);
        stand_buf_puts(out, ",");
    }
    stand_buf_puts(out, "\"description\":");
    stand_buf_json_text(out, error->words.message);
    stand_buf_puts(out, "}]}");
}

static void gemini_error(const struct wire_error *error, const char *request, struct stand_buf *out)
{
    (void)request;
    struct stand_buf details; /* each begins with a comma */
    stand_buf_init(&details, out->max);
    if (error->words.code && error->words.status == 429)
        add_quota(error->words.code, &details);
    else if (error->words.code)
        add_reason(error->words.code, &details);
    if (error->retry_after)
        add_retry(error->retry_after, &details);
    if (error->param)
        add_violation(error, &details);
    stand_buf_printf(out, "{\"error\":{\"code\":%d,\"message\":", error->words.status);
    stand_buf_json_text(out, error->words.message);
    stand_buf_puts(out, ",\"status\":");
    stand_buf_json_text(out, error->words.type);
    if (details.len) {
        stand_buf_puts(out, ",\"details\":[");
        stand_buf_puts(out, details.data + 1);
        stand_buf_puts(out, "]");
    }
    stand_buf_puts(out, "}}");
    stand_buf_fini(&details);
}

static void gemini_headers(const char *request, bool failed, struct stand_buf *out)
{
    (void)request; /* Google names none */
    (void)failed;
    stand_buf_puts(out, "Vary: Origin, X-Origin, Referer\r\nServer-Timing: gfet4t7; dur=1\r\n");
}

/* --- answers --- */

/* Makes head the arguments as an object's JSON; it stays empty when they are none. */
static void keep_args(struct answer *answer)
{
    cJSON *args = cJSON_ParseWithLength(answer->text, answer->len);
    char *json = cJSON_IsObject(args) ? cJSON_PrintUnformatted(args) : NULL;
    if (answer->tool && (json || answer->len == 0))
        stand_buf_puts(&answer->head, json ? json : "{}");
    free(json);
    cJSON_Delete(args);
}

static bool can_call(const struct answer *answer)
{
    return answer->tool && answer->head.len > 0;
}

/* Appends the answer's parts: this text, or the call, if it can be made. */
static void add_parts(const struct answer *answer, const char *text, size_t len,
                      struct stand_buf *out)
{
    if (!answer->tool) {
        stand_buf_puts(out, "{\"text\":");
        stand_buf_json(out, text, len);
        stand_buf_puts(out, "}");
    } else if (can_call(answer)) {
        stand_buf_puts(out, "{\"functionCall\":{\"id\":");
        stand_buf_json_text(out, answer->tool_id);
        stand_buf_puts(out, ",\"name\":");
        stand_buf_json_text(out, answer->tool);
        stand_buf_puts(out, ",\"args\":");
        stand_buf_add(out, answer->head.data, answer->head.len);
        stand_buf_printf(out, "},\"thoughtSignature\":\"c3RhbmQ%.4s\"}", answer->tool_id);
    }
}

static void object_start(struct stand_buf *out)
{
    stand_buf_puts(out, "{\"candidates\":[{\"content\":{\"parts\":[");
}

/* Ends an object begun with object_start and its parts. */
static void object_end(const struct answer *answer, const char *finish, struct stand_buf *out)
{
    unsigned long prompt = wire_prompt_tokens(answer->chat);
    unsigned long said = wire_answer_tokens(answer->at);
    stand_buf_puts(out, "],\"role\":\"model\"}");
    if (finish) {
        stand_buf_puts(out, ",\"finishReason\":");
        stand_buf_json_text(out, finish);
    }
    stand_buf_printf(out,
                     ",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":%lu,"
                     "\"candidatesTokenCount\":%lu,\"totalTokenCount\":%lu,"
                     "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":%lu}]},"
                     "\"modelVersion\":",
                     prompt, said, prompt + said, prompt);
    stand_buf_json_text(out, answer->chat->model);
    stand_buf_printf(out, ",\"responseId\":\"%s\"}", answer->id);
}

/* A call that cannot be made has a finish reason of its own, unless a rule names one. */
static const char *finish_of(const struct answer *answer)
{
    bool failed = answer->tool && !can_call(answer);
    return failed && strcmp(answer->finish, "STOP") == 0 ? "MALFORMED_FUNCTION_CALL"
                                                         : answer->finish;
}

static void gemini_whole(struct answer *answer, struct stand_buf *out)
{
    keep_args(answer);
    object_start(out);
    if (answer->tool || answer->len)
        add_parts(answer, answer->text, answer->len, out);
    object_end(answer, finish_of(answer), out);
}

/* --- a stream --- */

/* What comes before an object of a stream. */
static void frame_start(struct answer *answer, struct stand_buf *out)
{
    if (!answer->chat->array)
        stand_buf_puts(out, "data: ");
    else if (answer->objects > 0)
        stand_buf_puts(out, ",\r\n");
    answer->objects++;
}

static void frame_end(const struct answer *answer, struct stand_buf *out)
{
    if (!answer->chat->array)
        stand_buf_puts(out, "\r\n\r\n");
}

static void gemini_close(struct answer *answer, struct stand_buf *out)
{
    if (answer->chat->array)
        stand_buf_puts(out, "]");
}

static void gemini_start(struct answer *answer, struct stand_buf *out)
{
    keep_args(answer);
    if (answer->chat->array)
        stand_buf_puts(out, "[");
}

static void gemini_piece(struct answer *answer, const char *text, size_t len, struct stand_buf *out)
{
    if (answer->tool && !can_call(answer))
        return; /* the end says why */
    frame_start(answer, out);
    object_start(out);
    add_parts(answer, text, len, out);
    object_end(answer, NULL, out);
    frame_end(answer, out);
}

static void gemini_end(struct answer *answer, struct stand_buf *out)
{
    frame_start(answer, out);
    object_start(out);
    if (!answer->tool)
        add_parts(answer, "", 0, out);
    object_end(answer, finish_of(answer), out);
    frame_end(answer, out);
    gemini_close(answer, out);
}

/* Between events it stands as it is, without `data:`; in an array it is one more element. */
static void gemini_fail(struct answer *answer, const struct wire_error *error,
                        struct stand_buf *out)
{
    if (answer->chat->array)
        frame_start(answer, out);
    gemini_error(error, NULL, out);
    gemini_close(answer, out);
}

static void gemini_spoil(struct answer *answer, struct stand_buf *out)
{
    frame_start(answer, out);
    object_start(out);
    stand_buf_puts(out, "{\"text\":\"half a te");
    frame_end(answer, out);
    gemini_close(answer, out);
}

/* --- the table --- */

static const struct wire_words usual[] = {
    {400, "Request contains an invalid argument.", "INVALID_ARGUMENT", NULL},
    {401, "Request had invalid authentication credentials.", "UNAUTHENTICATED", NULL},
    {403, "The caller does not have permission", "PERMISSION_DENIED", NULL},
    {404, "The model is not found, or is not supported for generateContent.", "NOT_FOUND", NULL},
    {429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED", NULL},
    {402, "Your prepaid credits are used up.", "RESOURCE_EXHAUSTED", NULL},
    {499, "The operation was cancelled.", "CANCELLED", NULL},
    {503, "The model is overloaded. Please try again later.", "UNAVAILABLE", NULL},
    {504, "Deadline expired before operation could complete.", "DEADLINE_EXCEEDED", NULL},
    {500, "An internal error has occurred. Please retry.", "INTERNAL", NULL},
};

const struct wire wire_gemini = {
    .name = "gemini",
    .id = "",
    .id_digits = 22,
    .tool_id = "",
    .tool_id_digits = 8,
    .stop = "STOP",
    .tool_stop = "STOP",
    .whole_calls = true,
    .bare_errors = true,
    .not_json = "Invalid JSON payload received. Unexpected token.",
    .models_path = "/v1beta/models",
    .models = "{\"models\":[{\"name\":\"models/stand-1\",\"version\":\"1\",\"displayName\":"
              "\"Stand 1\",\"description\":\"Quotes what it was told\",\"inputTokenLimit\":1048576,"
              "\"outputTokenLimit\":65536,\"supportedGenerationMethods\":[\"generateContent\"]}]}",
    .refusals =
        {
            [WIRE_NO_KEY] = {403, "Method doesn't allow unregistered callers.", "PERMISSION_DENIED",
                             NULL},
            [WIRE_WRONG_KEY] = {400, "API key not valid. Please pass a valid API key.",
                                "INVALID_ARGUMENT", "API_KEY_INVALID"},
            [WIRE_BAD_REQUEST] = {400, NULL, "INVALID_ARGUMENT", NULL},
            [WIRE_BAD_METHOD] = {404, "Not found.", "NOT_FOUND", NULL},
            [WIRE_UNKNOWN_PATH] = {404, "Not found.", "NOT_FOUND", NULL},
        },
    .broken = {500, "An internal error has occurred. Please retry.", "INTERNAL", NULL},
    .usual = usual,
    .usual_count = sizeof usual / sizeof usual[0],
    .owns = gemini_owns,
    .is_chat_path = gemini_request_path,
    .key = gemini_key,
    .read = gemini_request_read,
    .headers = gemini_headers,
    .error = gemini_error,
    .whole = gemini_whole,
    .start = gemini_start,
    .piece = gemini_piece,
    .end = gemini_end,
    .fail = gemini_fail,
    .spoil = gemini_spoil,
    .close = gemini_close,
};
