/*
 * The model stand-in: routes, keys and errors of three providers on one port; the path tells which
 * one is meant (wire.h). Called by main.c; its hooks are called by the frame (lib/app.c).
 */
#include "stands/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "stands/lib/args.h"
#include "stands/lib/ids.h"
#include "stands/model/answer.h"
#include "stands/model/wire.h"

enum { BODY_MAX = 64 * 1024 };

static struct model_options options = {.listen = "127.0.0.1:0", .chunks = 20};

/* The format of the request read last. The frame asks for an error's text with the action alone,
 * but always before it reads another request. */
static const struct wire *asked = &wire_openai;

static void render_error(const struct wire *wire, const struct wire_error *error,
                         struct stand_buf *body, struct stand_buf *headers)
{
    char request[WIRE_ID_BYTES] = "req_";
    stand_hex(request + 4, 32);
    wire->error(error, request, body);
    stand_buf_puts(headers, "");
    wire->headers(request, true, headers);
}

static void model_error(const struct stand_action *action, struct stand_buf *body,
                        struct stand_buf *headers)
{
    struct wire_error error = wire_status_error(asked, action);
    render_error(asked, &error, body, headers);
}

static void refuse(struct stand_call *call, const struct wire *wire, enum wire_refusal why)
{
    struct stand_buf body, headers;
    struct wire_error error = wire_refusal_error(wire, why, call->parsed);
    stand_buf_init(&body, BODY_MAX);
    stand_buf_init(&headers, BODY_MAX);
    render_error(wire, &error, &body, &headers);
    struct stand_answer answer = {.status = error.words.status,
                                  .content_type = "application/json",
                                  .headers = headers.data,
                                  .body = body.data,
                                  .len = body.len};
    stand_call_reply(call, &answer);
    stand_buf_fini(&body);
    stand_buf_fini(&headers);
}

static bool is_method(const struct stand_exchange *x, const char *method)
{
    return strcmp(stand_exchange_method(x), method) == 0;
}

static void *model_parse(void *ctx, struct stand_exchange *x, struct stand_buf *params)
{
    (void)ctx;
    asked = wire_of(x);
    bool asks = is_method(x, "POST") && asked->is_chat_path(stand_exchange_path(x));
    return asks ? chat_parse(asked, x, params) : NULL;
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

static void list_models(struct stand_call *call, const struct wire *wire)
{
    struct stand_answer answer = {.status = 200,
                                  .content_type = "application/json",
                                  .body = wire->models,
                                  .len = strlen(wire->models)};
    stand_call_reply(call, &answer);
}

static void model_handle(void *ctx, struct stand_call *call)
{
    (void)ctx;
    const struct chat *chat = call->parsed;
    const struct wire *wire = wire_of(call->x);
    const char *path = stand_exchange_path(call->x);
    const char *key = wire->key(call->x);
    bool lists = strcmp(path, wire->models_path) == 0;
    if (options.key && !key)
        refuse(call, wire, WIRE_NO_KEY);
    else if (options.key && strcmp(key, options.key) != 0)
        refuse(call, wire, WIRE_WRONG_KEY);
    else if (chat && chat->problem)
        refuse(call, wire, WIRE_BAD_REQUEST);
    else if (chat)
        answer_start(&options, call);
    else if (lists && is_method(call->x, "GET"))
        list_models(call, wire);
    else if (lists || wire->is_chat_path(path))
        refuse(call, wire, WIRE_BAD_METHOD);
    else
        refuse(call, wire, WIRE_UNKNOWN_PATH);
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
        {"key", STAND_ARG_TEXT, &options.key, "the key to demand"},
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
