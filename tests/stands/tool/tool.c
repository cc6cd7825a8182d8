/*
 * The tool stand-in: takes signed calls on any path, does each call once and answers a repeated one
 * with what it answered before. An entry of its ledger has a sid, the call's id, exactly if that
 * request did something. Called by main.c; its hooks are called by the frame (lib/app.c).
 */
#include "stands/tool/tool.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/lib/args.h"
#include "stands/lib/hmac.h"

enum { BODY_MAX = 256 * 1024, CALL_MAX = 63, DONE_MAX = 100000, SKEW_S = 300 };

struct request {
    cJSON *document; /* NULL: not one JSON object */
    const char *call, *tool;
    bool is_signed;
};

/* A call that was done. */
struct done {
    struct done *next;
    char call[CALL_MAX + 1];
    char *answer;
};

static struct tool_options options = {.listen = "127.0.0.1:0"};
static struct done *done_calls;
static size_t done_count;

static const struct done *find_done(const char *call)
{
    const struct done *d = done_calls;
    while (d && strcmp(d->call, call) != 0)
        d = d->next;
    return d;
}

/* --- reading --- */

static const char *header(const struct stand_exchange *x, const char *name)
{
    const char *value = stand_exchange_header(x, name);
    return value ? value : "";
}

static bool is_recent(const char *stamp)
{
    size_t len = strlen(stamp);
    if (len == 0 || len > 12 || strspn(stamp, "0123456789") != len)
        return false;
    long long off = strtoll(stamp, NULL, 10) - (long long)time(NULL);
    return off >= -SKEW_S && off <= SKEW_S;
}

/* As the page tells a tenant to: the raw body, the stamp as it stands in the header. */
static bool check_signature(const struct stand_exchange *x)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    const char *stamp = header(x, "Frontdesk-Timestamp");
    struct stand_buf text, want;
    if (!options.key)
        return true;
    if (!is_recent(stamp))
        return false;
    stand_buf_init(&text, BODY_MAX);
    stand_buf_init(&want, BODY_MAX);
    stand_buf_printf(&text, "%s.", stamp);
    stand_buf_add(&text, body, len);
    stand_buf_puts(&want, "v1=");
    stand_hmac_sha256_hex(options.key, text.data, text.len, &want);
    bool same = !text.overflow && strcmp(want.data, header(x, "Frontdesk-Signature")) == 0;
    stand_buf_fini(&text);
    stand_buf_fini(&want);
    return same;
}

static const char *text_of(const cJSON *document, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(document, name));
}

static void add_member(struct stand_buf *out, const char *name, const char *value)
{
    stand_buf_printf(out, "\"%s\":", name);
    stand_buf_json_text(out, value);
    stand_buf_puts(out, ",");
}

static void write_params(const struct stand_exchange *x, const struct request *request,
                         struct stand_buf *out)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    stand_buf_puts(out, "{");
    add_member(out, "call", request->call);
    add_member(out, "tool", request->tool);
    add_member(out, "conversation", text_of(request->document, "conversation"));
    add_member(out, "idempotency_key", stand_exchange_header(x, "Idempotency-Key"));
    add_member(out, "timestamp", stand_exchange_header(x, "Frontdesk-Timestamp"));
    add_member(out, "signature", stand_exchange_header(x, "Frontdesk-Signature"));
    stand_buf_printf(
        out, "\"signed\":%s,\"repeated\":%s,\"body\":", request->is_signed ? "true" : "false",
        request->call && find_done(request->call) ? "true" : "false");
    stand_buf_json(out, body, len);
    stand_buf_puts(out, "}");
}

static void *tool_parse(void *ctx, struct stand_exchange *x, struct stand_buf *params)
{
    (void)ctx;
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    struct request *request = stand_alloc(sizeof *request);
    request->document = cJSON_ParseWithLength(body, len);
    request->call = text_of(request->document, "call");
    request->tool = text_of(request->document, "tool");
    request->is_signed = check_signature(x);
    write_params(x, request, params);
    return request;
}

static void tool_release(struct stand_call *call)
{
    struct request *request = call->parsed;
    cJSON_Delete(request->document);
    free(request);
}

/* --- answering --- */

static void reply(struct stand_call *call, int status, const char *body)
{
    struct stand_answer answer = {
        .status = status, .content_type = "application/json", .body = body, .len = strlen(body)};
    stand_call_reply(call, &answer);
}

/* What the call is answered, owned: the rule's text, else what was asked. */
static char *compose(const struct stand_call *call, const struct request *request)
{
    const struct stand_action *action = call->plan.main;
    struct stand_buf out;
    if (action && action->type == STAND_REPLY && action->text)
        return stand_copy(action->text, strlen(action->text));
    char *arguments =
        cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(request->document, "arguments"));
    stand_buf_init(&out, BODY_MAX);
    stand_buf_printf(&out, "{\"number\":%zu,\"asked\":%s}", done_count + 1,
                     arguments ? arguments : "null");
    char *text = stand_copy(out.data, out.len);
    stand_buf_fini(&out);
    cJSON_free(arguments);
    return text;
}

static const struct done *do_call(struct stand_call *call, const struct request *request)
{
    struct done *d = stand_alloc(sizeof *d);
    size_t len = strlen(request->call);
    memcpy(d->call, request->call, len < CALL_MAX ? len : CALL_MAX);
    d->answer = compose(call, request);
    d->next = done_calls;
    done_calls = d;
    done_count++;
    stand_ledger_sid(call->app->ledger, call->entry, d->call);
    return d;
}

static void tool_handle(void *ctx, struct stand_call *call)
{
    (void)ctx;
    const struct request *request = call->parsed;
    const char *key = header(call->x, "Idempotency-Key");
    if (strcmp(stand_exchange_method(call->x), "POST") != 0)
        reply(call, 405, "{\"error\":\"POST only\"}");
    else if (!request->is_signed)
        reply(call, 401, "{\"error\":\"the signature does not fit\"}");
    else if (!request->call || !request->tool || strlen(request->call) > CALL_MAX ||
             strcmp(request->call, key) != 0)
        reply(call, 400, "{\"error\":\"no call, or not the one of the header\"}");
    else if (find_done(request->call))
        reply(call, 200, find_done(request->call)->answer);
    else if (done_count == DONE_MAX)
        reply(call, 503, "{\"error\":\"no room for more calls\"}");
    else
        reply(call, 200, do_call(call, request)->answer);
}

/* --- the rest of the hooks --- */

/* A redirect's address is the rule's `message`. */
static void tool_error(const struct stand_action *action, struct stand_buf *body,
                       struct stand_buf *headers)
{
    bool redirects = action->status >= 300 && action->status < 400;
    const char *message = action->message ? action->message : "as the rule says";
    stand_buf_puts(headers, "");
    if (redirects && !strpbrk(message, "\r\n"))
        stand_buf_printf(headers, "Location: %s\r\n", message);
    stand_buf_puts(body, "{\"error\":");
    stand_buf_json_text(body, message);
    stand_buf_puts(body, "}");
}

static bool tool_check(const struct stand_action *action, struct stand_buf *why)
{
    bool known = action->type <= STAND_ANSWER_LOST || action->type == STAND_REPLY ||
                 action->type == STAND_HANG || action->type == STAND_REFUSE;
    if (!known)
        stand_buf_puts(why, "a tool answers once, with JSON");
    return known;
}

static void tool_stats(void *ctx, struct stand_buf *out)
{
    (void)ctx;
    stand_buf_printf(out, ",\"done\":%zu", done_count);
}

static void tool_reset(void *ctx)
{
    (void)ctx;
    for (struct done *d = done_calls, *next; d; d = next) {
        next = d->next;
        free(d->answer);
        free(d);
    }
    done_calls = NULL;
    done_count = 0;
}

int tool_main(int argc, char **argv)
{
    static const struct stand_arg table[] = {
        {"listen", STAND_ARG_TEXT, &options.listen, "127.0.0.1:PORT, 0 picks a free one"},
        {"key", STAND_ARG_TEXT, &options.key, "the key of the signatures to demand"},
        {"die-with-parent", STAND_ARG_FLAG, &options.die_with_parent, "end with the parent"},
        {0},
    };
    static const struct stand_hooks hooks = {.parse = tool_parse,
                                             .handle = tool_handle,
                                             .error = tool_error,
                                             .check = tool_check,
                                             .release = tool_release,
                                             .stats = tool_stats,
                                             .reset = tool_reset};
    static struct stand_app app;
    stand_args_parse(argc, argv, table);
    stand_args_process(options.die_with_parent);
    if (stand_app_open(&app, options.listen, &hooks, NULL) != 0)
        return 1;
    return stand_app_run(&app);
}
