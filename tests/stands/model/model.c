/*
 * The model stand-in: routes, keys and errors of an OpenAI-compatible server. Called by main.c; its
 * hooks are called by the frame (lib/app.c).
 */
#include "stands/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "stands/lib/args.h"
#include "stands/lib/ids.h"
#include "stands/model/answer.h"
#include "stands/model/chat.h"

enum { BODY_MAX = 64 * 1024 };

static struct model_options options = {.listen = "127.0.0.1:0", .chunks = 20};

void model_error_body(const char *message, const char *type, const char *param, const char *code,
                      struct stand_buf *out)
{
    stand_buf_puts(out, "{\"error\":{\"message\":");
    stand_buf_json_text(out, message);
    stand_buf_puts(out, ",\"type\":");
    stand_buf_json_text(out, type);
    stand_buf_puts(out, ",\"param\":");
    stand_buf_json_text(out, param);
    stand_buf_puts(out, ",\"code\":");
    stand_buf_json_text(out, code);
    stand_buf_puts(out, "}}");
}

/* What OpenAI says with a status unless the rule says otherwise. */
static const struct {
    int64_t status;
    const char *message, *type, *code;
} usual_errors[] = {
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

static void add_request_id(struct stand_buf *headers)
{
    char id[33];
    stand_hex(id, 32);
    stand_buf_printf(headers, "x-request-id: req_%s\r\nopenai-version: 2020-10-01\r\n", id);
}

static void model_error(const struct stand_action *action, struct stand_buf *body,
                        struct stand_buf *headers)
{
    size_t i = 0;
    size_t last = sizeof usual_errors / sizeof usual_errors[0] - 1;
    while (i < last && usual_errors[i].status != action->status)
        i++;
    model_error_body(action->message ? action->message : usual_errors[i].message,
                     action->error_type ? action->error_type : usual_errors[i].type, NULL,
                     action->code ? action->code : usual_errors[i].code, body);
    add_request_id(headers);
}

static void refuse(struct stand_call *call, int status, const char *message, const char *param,
                   const char *code)
{
    struct stand_buf body, headers;
    stand_buf_init(&body, BODY_MAX);
    stand_buf_init(&headers, BODY_MAX);
    model_error_body(message, "invalid_request_error", param, code, &body);
    add_request_id(&headers);
    struct stand_answer answer = {.status = status,
                                  .content_type = "application/json",
                                  .headers = headers.data,
                                  .body = body.data,
                                  .len = body.len};
    stand_call_reply(call, &answer);
    stand_buf_fini(&body);
    stand_buf_fini(&headers);
}

static bool is_chat(const struct stand_exchange *x)
{
    return strcmp(stand_exchange_path(x), "/v1/chat/completions") == 0 &&
           strcmp(stand_exchange_method(x), "POST") == 0;
}

static void *model_parse(void *ctx, struct stand_exchange *x, struct stand_buf *params)
{
    (void)ctx;
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    return is_chat(x) ? chat_parse(body, len, params) : NULL;
}

static struct stand_action *model_directive(const struct stand_call *call)
{
    struct chat *chat = call->parsed;
    struct stand_action *action = chat ? chat->directive : NULL;
    if (chat)
        chat->directive = NULL;
    return action;
}

static void model_release(struct stand_call *call)
{
    chat_free(call->parsed);
    answer_free(call->user);
}

static void list_models(struct stand_call *call)
{
    static const char list[] = "{\"object\":\"list\",\"data\":[{\"id\":\"stand-1\",\"object\":"
                               "\"model\",\"created\":1700000000,\"owned_by\":\"stand\"}]}";
    struct stand_answer answer = {
        .status = 200, .content_type = "application/json", .body = list, .len = sizeof list - 1};
    stand_call_reply(call, &answer);
}

static bool key_is_good(const struct stand_exchange *x)
{
    const char *given = stand_exchange_header(x, "Authorization");
    return !options.key ||
           (given && strncmp(given, "Bearer ", 7) == 0 && strcmp(given + 7, options.key) == 0);
}

static void model_handle(void *ctx, struct stand_call *call)
{
    (void)ctx;
    const struct chat *chat = call->parsed;
    const char *method = stand_exchange_method(call->x);
    const char *path = stand_exchange_path(call->x);
    if (!key_is_good(call->x))
        refuse(call, 401, "Incorrect API key provided.", NULL, "invalid_api_key");
    else if (chat && chat->problem)
        refuse(call, 400, chat->problem, chat->param, NULL);
    else if (chat)
        answer_start(&options, call);
    else if (strcmp(method, "GET") == 0 && strcmp(path, "/v1/models") == 0)
        list_models(call);
    else if (strcmp(path, "/v1/models") == 0 || strcmp(path, "/v1/chat/completions") == 0)
        refuse(call, 405, "Not allowed by this method.", NULL, NULL);
    else
        refuse(call, 404, "Invalid URL", NULL, NULL);
}

static bool model_check(const struct stand_action *action, struct stand_buf *why)
{
    bool known = action->type != STAND_CALLBACKS && action->type != STAND_REDACT;
    if (!known)
        stand_buf_puts(why, "a model makes no callbacks and lists no messages");
    return known;
}

int model_main(int argc, char **argv)
{
    static const struct stand_arg table[] = {
        {"listen", STAND_ARG_TEXT, &options.listen, "127.0.0.1:PORT, 0 picks a free one"},
        {"delay-ms", STAND_ARG_NUMBER, &options.delay_ms, "pause between two content deltas"},
        {"first-token-ms", STAND_ARG_NUMBER, &options.first_token_ms, "wait before an answer"},
        {"chunks", STAND_ARG_NUMBER, &options.chunks, "content deltas per answer (20)"},
        {"key", STAND_ARG_TEXT, &options.key, "the bearer token to demand"},
        {"die-with-parent", STAND_ARG_FLAG, &options.die_with_parent, "end with the parent"},
        {0},
    };
    static const struct stand_hooks hooks = {.parse = model_parse,
                                             .handle = model_handle,
                                             .error = model_error,
                                             .directive = model_directive,
                                             .check = model_check,
                                             .release = model_release,
                                             .sizes_are_text = true};
    static struct stand_app app;
    stand_args_parse(argc, argv, table);
    stand_args_process(options.die_with_parent);
    if (options.chunks < 1)
        options.chunks = 1;
    if (stand_app_open(&app, options.listen, &hooks, NULL) != 0)
        return 1;
    return stand_app_run(&app);
}
