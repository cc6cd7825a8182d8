/* One call of a tenant's HTTP tool: the body, its signature, and the judgement of what comes back.
 * The endpoint is somebody else's program: nothing of an answer is passed on unless all of it is in
 * order, and of a failed one only the status. The engine runs tools with it between model rounds.
 */
#include "tool/http_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "json/json.h"

#define CONNECT_MS     5000
#define BODY_MAX_BYTES (HTTP_TOOL_ARGUMENTS_MAX_BYTES + 1024)
#define HEADER_SIZE    128

struct http_tool_call {
    struct http_client *client;
    struct http_transfer *transfer;
    const struct json_schema *answer_schema;
    void (*on_done)(void *arg, const struct http_tool_result *result);
    void *arg;
};

/* ---- the request ---- */

void http_tool_sign(const struct secret *key, int64_t timestamp, const char *body, size_t length,
                    struct strbuf *out)
{
    uint8_t mac[CRYPTO_SHA256_BYTES];
    struct strbuf signed_text;
    strbuf_init(&signed_text, length + 32);
    strbuf_printf(&signed_text, "%lld.", (long long)timestamp);
    strbuf_add(&signed_text, body, length);
    crypto_hmac_sha256(secret_reveal(key), secret_length(key), signed_text.data, signed_text.length,
                       mac);
    strbuf_fini(&signed_text);
    strbuf_add_text(out, "v1=");
    text_add_hex(out, mac, sizeof mac);
}

static void write_body(const struct http_tool_request *request, struct strbuf *out)
{
    char id[UUID_TEXT_SIZE];
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "call", uuid_format(&request->call, id));
    json_add_text(&writer, "tool", request->name);
    json_add_text(&writer, "conversation", uuid_format(&request->conversation, id));
    json_add_raw(&writer, "arguments", request->arguments);
    json_close_object(&writer);
}

/* Lines of the request: those that vary, and all of them with NULL behind. */
struct header_lines {
    char id[HEADER_SIZE], timestamp[HEADER_SIZE], signature[HEADER_SIZE];
    const char *list[6];
};

static void sign(const struct http_tool_request *request, const struct strbuf *body,
                 struct header_lines *lines)
{
    int64_t timestamp = clock_wall_ms() / 1000;
    struct strbuf signature;
    strbuf_init(&signature, HEADER_SIZE);
    http_tool_sign(request->key, timestamp, body->data, body->length, &signature);
    snprintf(lines->timestamp, HEADER_SIZE, "Frontdesk-Timestamp: %lld", (long long)timestamp);
    snprintf(lines->signature, HEADER_SIZE, "Frontdesk-Signature: %s", signature.data);
    strbuf_fini(&signature);
    lines->list[3] = lines->timestamp;
    lines->list[4] = lines->signature;
}

static void write_headers(const struct http_tool_request *request, const struct strbuf *body,
                          struct header_lines *lines)
{
    char id[UUID_TEXT_SIZE];
    snprintf(lines->id, HEADER_SIZE, "Idempotency-Key: %s", uuid_format(&request->call, id));
    const char *const list[] = {
        "Content-Type: application/json", "Accept: application/json", lines->id, NULL, NULL, NULL};
    memcpy(lines->list, list, sizeof list);
    if (request->key != NULL)
        sign(request, body, lines);
}

/* ---- the answer ---- */

static const struct {
    int from, to;
    enum err_class class;
    const char *code, *message;
} statuses[] = {
    {300, 399, ERR_PERMANENT, "tool.redirect",
     "the endpoint answered with a redirect, which is not followed; name its final address"},
    {408, 408, ERR_RETRY_LATER, "tool.unavailable", "the endpoint asks to try again"},
    {429, 429, ERR_RETRY_LATER, "tool.unavailable", "the endpoint asks for fewer requests"},
    {400, 499, ERR_PERMANENT, "tool.refused", "the endpoint refused the request"},
    {500, 599, ERR_RETRY_LATER, "tool.unavailable", "the endpoint is failing"},
    {0, 199, ERR_FALL_BACK, "tool.status", "the endpoint answered with a status that is no answer"},
    {600, 999, ERR_FALL_BACK, "tool.status",
     "the endpoint answered with a status that is no answer"},
};

static int judge_status(const struct http_result *result, struct err *err)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (result->status < statuses[i].from || result->status > statuses[i].to)
            continue;
        err_set(err, statuses[i].class, statuses[i].code, "%s (HTTP %d)", statuses[i].message,
                result->status);
        if (statuses[i].class == ERR_RETRY_LATER)
            err->retry_after_ms = http_retry_after_ms(result->retry_after);
        return -1;
    }
    return 0;
}

/* "application/json" or "application/...+json", with or without parameters. */
static bool is_json_type(const char *content_type)
{
    static const char family[] = "application/";
    const size_t family_length = sizeof family - 1;
    if (content_type == NULL || strncasecmp(content_type, family, family_length) != 0)
        return false;
    const char *subtype = content_type + family_length;
    size_t length = strcspn(subtype, "; \t");
    if (length == 4)
        return strncasecmp(subtype, "json", 4) == 0;
    return length > 5 && strncasecmp(subtype + length - 5, "+json", 5) == 0;
}

static int bad_answer(struct err *err, const char *message)
{
    return err_set(err, ERR_FALL_BACK, "tool.answer", "%s", message);
}

static int judge_document(const struct http_tool_call *call, const struct json *document,
                          struct strbuf *text, struct err *err)
{
    struct err why;
    if (json_type(document) != JSON_OBJECT)
        return bad_answer(err, "the endpoint's answer is no JSON object");
    if (call->answer_schema != NULL &&
        json_schema_check_answer(call->answer_schema, document, &why) != 0)
        return err_set(err, ERR_FALL_BACK, "tool.schema",
                       "the endpoint's answer does not fit the tool's schema: %s", why.message);
    json_print(document, text);
    if (text->overflow)
        return err_set(err, ERR_FALL_BACK, "tool.too_large",
                       "the endpoint's answer has more than %d bytes", HTTP_TOOL_RESULT_MAX_BYTES);
    return 0;
}

static int judge_body(const struct http_tool_call *call, const struct http_result *result,
                      struct strbuf *text, struct err *err)
{
    struct json *document = NULL;
    if (!is_json_type(result->content_type))
        return bad_answer(err, "the endpoint's answer is not declared as application/json");
    if (json_parse(result->body, result->body_length, &document, NULL) != 0)
        return bad_answer(err, "the endpoint's answer is no strict JSON");
    int outcome = judge_document(call, document, text, err);
    json_free(&document);
    return outcome;
}

static int judge(const struct http_tool_call *call, const struct http_result *result,
                 struct strbuf *text, struct err *err)
{
    if (result->err == NULL)
        return judge_status(result, err) != 0 ? -1 : judge_body(call, result, text, err);
    if (strcmp(result->err->code, "http.too_large") == 0)
        return err_set(err, ERR_FALL_BACK, "tool.too_large",
                       "the endpoint's answer has more than %d bytes", HTTP_TOOL_ANSWER_MAX_BYTES);
    *err = *result->err;
    return -1;
}

static void on_http_done(void *arg, const struct http_result *result)
{
    struct http_tool_call *call = arg;
    struct err err;
    struct strbuf text;
    strbuf_init(&text, HTTP_TOOL_RESULT_MAX_BYTES);
    bool good = judge(call, result, &text, &err) == 0;
    if (!good) {
        err.provider_status = result->status;
        strbuf_clear(&text);
    }
    struct http_tool_result told = {
        .err = good ? NULL : &err,
        .text = text.data,
        .length = text.length,
        .sent = result->body_sent,
        .status = result->status,
        .total_us = result->total_us,
    };
    call->on_done(call->arg, &told);
    strbuf_fini(&text);
    free(call);
}

/* ---- start and cancel ---- */

static struct http_transfer *send_request(struct http_tool_call *call,
                                          const struct http_tool_request *request)
{
    struct header_lines lines;
    struct strbuf body;
    strbuf_init(&body, BODY_MAX_BYTES);
    write_body(request, &body);
    write_headers(request, &body, &lines);
    struct http_call http = {
        .method = "POST",
        .url = request->url,
        .headers = lines.list,
        .body = body.data,
        .body_length = body.length,
        .answer_max_bytes = HTTP_TOOL_ANSWER_MAX_BYTES,
        .public_only = true,
        .connect_ms = CONNECT_MS,
        .total_ms = request->limit_ms > 0 ? request->limit_ms : HTTP_TOOL_LIMIT_DEFAULT_MS,
        .on_done = on_http_done,
        .arg = call,
    };
    struct http_transfer *transfer = http_start(call->client, &http);
    strbuf_fini(&body);
    return transfer;
}

int http_tool_start(struct http_client *client, const struct http_tool_request *request,
                    struct http_tool_call **call, struct err *err)
{
    if (strlen(request->name) > HTTP_TOOL_NAME_MAX ||
        strlen(request->arguments) > HTTP_TOOL_ARGUMENTS_MAX_BYTES)
        return err_set(err, ERR_PERMANENT, "tool.arguments",
                       "the arguments have more than %d bytes, or the tool's name more than %d",
                       HTTP_TOOL_ARGUMENTS_MAX_BYTES, HTTP_TOOL_NAME_MAX);
    struct http_tool_call *started = xcalloc(1, sizeof *started);
    *started = (struct http_tool_call){.client = client,
                                       .answer_schema = request->answer_schema,
                                       .on_done = request->on_done,
                                       .arg = request->arg};
    started->transfer = send_request(started, request);
    *call = started;
    return 0;
}

void http_tool_cancel(struct http_tool_call **call)
{
    struct http_tool_call *c = *call;
    if (c == NULL)
        return;
    http_cancel(c->client, c->transfer);
    free(c);
    *call = NULL;
}
