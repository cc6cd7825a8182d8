/*
 * The Twilio stand-in: credentials, routes and its control paths. Called by main.c; its hooks are
 * called by the frame (lib/app.c).
 *
 * Control paths besides those of lib/app.h: POST /_inbound (inbound.h), POST /_optouts
 * {"account_sid","from","to","opted_out"}, GET /_callbacks (what was sent, like /_ledger), and
 * those of calls (calls_control.h).
 */
#include "stands/twilio/twilio.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stands/lib/args.h"
#include "stands/lib/ids.h"
#include "stands/twilio/callbacks.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/calls_control.h"
#include "stands/twilio/calls_rest.h"
#include "stands/twilio/create.h"
#include "stands/twilio/errors.h"
#include "stands/twilio/inbound.h"
#include "stands/twilio/list.h"
#include "stands/twilio/media.h"

enum {
    MESSAGES_MAX = 2000000,
    SENT_MAX = 4000000,
    CALLBACK_CONNECTIONS = 64,
    WEBHOOK_CONNECTIONS = 256,
    QUEUE_MAX = 1000000,
    WEBHOOK_TIMEOUT_MS = 15000,
    ERROR_MAX = 64 * 1024
};

static const char prefix[] = "/2010-04-01/Accounts/";

/* --- answers --- */

static void add_headers(struct stand_buf *headers)
{
    char id[33];
    stand_hex(id, 32);
    stand_buf_printf(headers, "Twilio-Request-Id: RQ%s\r\nTwilio-Concurrent-Requests: 1\r\n", id);
}

void twilio_answer(struct stand_call *call, int status, const struct stand_buf *body)
{
    struct stand_buf headers;
    stand_buf_init(&headers, ERROR_MAX);
    add_headers(&headers);
    struct stand_answer answer = {.status = status,
                                  .content_type = "application/json",
                                  .headers = headers.data,
                                  .body = body->data,
                                  .len = body->len};
    stand_call_reply(call, &answer);
    stand_buf_fini(&headers);
}

void twilio_fail(struct stand_call *call, int status, int code, const char *message)
{
    struct stand_buf body;
    stand_buf_init(&body, ERROR_MAX);
    errors_body(status, code, message, &body);
    twilio_answer(call, status, &body);
    stand_buf_fini(&body);
}

static void twilio_error(const struct stand_action *action, struct stand_buf *body,
                         struct stand_buf *headers)
{
    int status = action->status >= 200 && action->status < 1000 ? (int)action->status : 500;
    int code = action->code ? (int)strtol(action->code, NULL, 10) : errors_code_of_status(status);
    errors_body(status, code, action->message, body);
    add_headers(headers);
}

/* --- requests --- */

static void *twilio_parse(void *ctx, struct stand_exchange *x, struct stand_buf *params)
{
    (void)ctx;
    struct twilio_request *request = stand_alloc(sizeof *request);
    const char *text = stand_exchange_query(x);
    const char *type = stand_exchange_header(x, "Content-Type");
    size_t len = text ? strlen(text) : 0;
    if (strcmp(stand_exchange_method(x), "POST") == 0) {
        static const char form[] = "application/x-www-form-urlencoded";
        text = stand_exchange_body(x, &len);
        if (!type || strncasecmp(type, form, sizeof form - 1) != 0)
            request->problem = "Content-Type must be application/x-www-form-urlencoded";
    }
    const char *why = NULL;
    if (stand_form_parse(&request->form, text ? text : "", len, &why) != 0)
        request->problem = why;
    else
        stand_form_json(&request->form, params);
    return request;
}

static void twilio_release(struct stand_call *call)
{
    struct twilio_request *request = call->parsed;
    stand_form_fini(&request->form);
    free(request);
}

static void fetch_message(struct twilio *twilio, struct stand_call *call,
                          const struct account *account, const char *name)
{
    char sid[35];
    size_t len = strcspn(name, "./");
    bool media = strcmp(name + len, "/Media.json") == 0;
    const struct message *message = NULL;
    if (len == 34 && (media || strcmp(name + len, ".json") == 0)) {
        memcpy(sid, name, 34);
        sid[34] = '\0';
        message = messages_find(twilio->messages, sid);
    }
    if (!message || message->account != account) {
        twilio_fail(call, 404, 20404, NULL);
        return;
    }
    stand_ledger_sid(twilio->app.ledger, call->entry, message->sid);
    if (media) {
        media_list(call, message);
        return;
    }
    struct stand_buf out;
    stand_buf_init(&out, ERROR_MAX);
    message_json(message, &out);
    twilio_answer(call, 200, &out);
    stand_buf_fini(&out);
}

static void fetch_account(struct stand_call *call, const struct account *account)
{
    struct stand_buf out;
    stand_buf_init(&out, ERROR_MAX);
    stand_buf_printf(&out,
                     "{\"sid\":\"%s\",\"owner_account_sid\":\"%s\",\"friendly_name\":\"stand\","
                     "\"status\":\"active\",\"type\":\"Full\",\"uri\":\"%s%s.json\"}",
                     account->sid, account->sid, prefix, account->sid);
    twilio_answer(call, 200, &out);
    stand_buf_fini(&out);
}

/* The account that a path names and whose credentials the request carries, or NULL. */
static struct account *authenticate(const struct twilio *twilio, const struct stand_exchange *x)
{
    const char *path = stand_exchange_path(x);
    const char *given = stand_exchange_header(x, "Authorization");
    if (strncmp(path, prefix, sizeof prefix - 1) != 0 || strlen(path) < sizeof prefix - 1 + 34)
        return NULL;
    struct account *account = accounts_find(&twilio->accounts, path + sizeof prefix - 1);
    return account && given && strcmp(given, account->basic) == 0 ? account : NULL;
}

static void route(struct twilio *twilio, struct stand_call *call, struct account *account)
{
    const char *rest = stand_exchange_path(call->x) + sizeof prefix - 1 + 34;
    bool post = strcmp(stand_exchange_method(call->x), "POST") == 0;
    bool get = strcmp(stand_exchange_method(call->x), "GET") == 0;
    bool list = strcmp(rest, "/Messages.json") == 0;
    if (list && post)
        create_message(twilio, call, account);
    else if (list && get)
        list_messages(twilio, call, account);
    else if (get && strncmp(rest, "/Messages/", 10) == 0)
        fetch_message(twilio, call, account, rest + 10);
    else if (get && strcmp(rest, ".json") == 0)
        fetch_account(call, account);
    else if (calls_rest_route(twilio, call, account, rest))
        return;
    else if (list || strncmp(rest, "/Messages/", 10) == 0)
        twilio_fail(call, 405, 20004, NULL);
    else
        twilio_fail(call, 404, 20404, NULL);
}

static void twilio_handle(void *ctx, struct stand_call *call)
{
    struct twilio *twilio = ctx;
    const struct twilio_request *request = call->parsed;
    struct account *account = authenticate(twilio, call->x);
    if (strncmp(stand_exchange_path(call->x), prefix, sizeof prefix - 1) != 0)
        twilio_fail(call, 404, 20404, NULL);
    else if (!account)
        twilio_fail(call, 401, 20003, NULL);
    else if (request->problem)
        twilio_fail(call, 400, 20001, request->problem);
    else
        route(twilio, call, account);
}

/* --- control --- */

static void post_opt_outs(struct twilio *twilio, struct stand_exchange *x)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    cJSON *json = cJSON_ParseWithLength(body, len);
    const cJSON *sid = cJSON_GetObjectItemCaseSensitive(json, "account_sid");
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(json, "from");
    const cJSON *to = cJSON_GetObjectItemCaseSensitive(json, "to");
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(json, "opted_out");
    struct account *account = cJSON_IsString(sid) && strlen(sid->valuestring) == 34
                                  ? accounts_find(&twilio->accounts, sid->valuestring)
                                  : NULL;
    if (account && cJSON_IsString(from) && cJSON_IsString(to) && cJSON_IsBool(state)) {
        account_set_opted_out(account, from->valuestring, to->valuestring, cJSON_IsTrue(state));
        stand_control_answer(x, 200, "{\"ok\":true}\n");
    } else {
        stand_control_answer(x, 400,
                             "{\"error\":\"expected account_sid (a known one), from (our number "
                             "or service), to and opted_out\"}\n");
    }
    cJSON_Delete(json);
}

/* As if a message had been made, and sent if it is, at another time. */
static void post_dates(struct twilio *twilio, struct stand_exchange *x)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    cJSON *json = cJSON_ParseWithLength(body, len);
    const cJSON *sid = cJSON_GetObjectItemCaseSensitive(json, "sid");
    const cJSON *date = cJSON_GetObjectItemCaseSensitive(json, "date");
    struct message *message =
        cJSON_IsString(sid) ? messages_find(twilio->messages, sid->valuestring) : NULL;
    if (message && cJSON_IsNumber(date) && date->valuedouble > 0 && date->valuedouble < 1e14) {
        message->created_ms = (int64_t)date->valuedouble;
        if (message->sent_ms)
            message->sent_ms = message->created_ms;
        stand_control_answer(x, 200, "{\"ok\":true}\n");
    } else {
        stand_control_answer(x, 400,
                             "{\"error\":\"expected sid (a known one) and date (epoch ms)\"}\n");
    }
    cJSON_Delete(json);
}

static bool twilio_control(void *ctx, struct stand_exchange *x)
{
    struct twilio *twilio = ctx;
    const char *path = stand_exchange_path(x);
    bool post = strcmp(stand_exchange_method(x), "POST") == 0;
    if (post && strcmp(path, "/_inbound") == 0)
        inbound_post(twilio, x);
    else if (post && strcmp(path, "/_optouts") == 0)
        post_opt_outs(twilio, x);
    else if (post && strcmp(path, "/_dates") == 0)
        post_dates(twilio, x);
    else if (!post && strcmp(path, "/_callbacks") == 0)
        stand_control_ledger(x, twilio->sent);
    else
        return calls_control(twilio, x);
    return true;
}

static bool twilio_check(const struct stand_action *action, struct stand_buf *why)
{
    bool model_only = action->type == STAND_ERROR_IN_STREAM || action->type == STAND_TRUNCATE ||
                      action->type == STAND_TOOL_CALL || action->type == STAND_REPLY ||
                      action->type == STAND_OBEY;
    bool bad_mode = action->type == STAND_CALLBACKS && !callbacks_mode_valid(action->mode);
    if (model_only)
        stand_buf_puts(why, "this action is for a model");
    else if (bad_mode)
        stand_buf_puts(why, "callbacks needs a known mode");
    return !model_only && !bad_mode;
}

static void twilio_stats(void *ctx, struct stand_buf *out)
{
    const struct twilio *twilio = ctx;
    stand_buf_printf(out,
                     ",\"messages\":%zu,\"callback_jobs\":%llu,\"callbacks_sent\":%zu,"
                     "\"callbacks_waiting\":%zu,\"callbacks_in_flight\":%zu,"
                     "\"webhooks_waiting\":%zu,\"webhooks_in_flight\":%zu",
                     messages_count(twilio->messages), (unsigned long long)twilio->jobs,
                     stand_ledger_count(twilio->sent), stand_client_waiting(twilio->callbacks),
                     stand_client_in_flight(twilio->callbacks),
                     stand_client_waiting(twilio->webhooks),
                     stand_client_in_flight(twilio->webhooks));
    calls_control_stats(twilio, out);
}

static void twilio_reset(void *ctx)
{
    struct twilio *twilio = ctx;
    twilio->epoch++;
    calls_reset(twilio->calls);
    twilio->epoch++; /* what an end among the calls may have begun */
    stand_ledger_reset(twilio->sent);
    messages_reset(twilio->messages, &twilio->accounts);
    for (size_t i = 0; i < twilio->accounts.count; i++)
        account_forget_opt_outs(&twilio->accounts.list[i]);
}

static void parse_arguments(struct twilio *twilio, int argc, char **argv)
{
    const struct stand_arg table[] = {
        {"listen", STAND_ARG_TEXT, &twilio->listen, "127.0.0.1:PORT, 0 picks a free one"},
        {"accounts", STAND_ARG_TEXT, &twilio->accounts_file,
         "JSON: [{account_sid, auth_token, numbers, services}]"},
        {"index-delay-ms", STAND_ARG_NUMBER, &twilio->index_delay_ms,
         "how long a new message is missing from lists"},
        {"callback-delay-ms", STAND_ARG_NUMBER, &twilio->callback_delay_ms,
         "wait before each status callback"},
        {"connect-to", STAND_ARG_TEXT, &twilio->connect_to,
         "127.0.0.1:PORT to send callbacks and webhooks to, whatever host their URL names"},
        {"relay-to", STAND_ARG_TEXT, &twilio->relay_to,
         "127.0.0.1:PORT to open relay sockets to, whatever host their URL names (connect-to)"},
        {"calls-per-second", STAND_ARG_NUMBER, &twilio->calls_per_second,
         "outbound calls that are dialled in a second; 0 for no limit"},
        {"die-with-parent", STAND_ARG_FLAG, &twilio->die_with_parent, "end with the parent"},
        {0},
    };
    stand_args_parse(argc, argv, table);
}

int twilio_main(int argc, char **argv)
{
    static const struct stand_hooks hooks = {.parse = twilio_parse,
                                             .handle = twilio_handle,
                                             .error = twilio_error,
                                             .release = twilio_release,
                                             .control = twilio_control,
                                             .check = twilio_check,
                                             .stats = twilio_stats,
                                             .reset = twilio_reset};
    static struct twilio twilio = {.listen = "127.0.0.1:0"};
    parse_arguments(&twilio, argc, argv);
    stand_args_process(twilio.die_with_parent);
    if (!twilio.accounts_file) {
        fprintf(stderr, "--accounts is missing (--help lists the options)\n");
        return 2;
    }
    if (accounts_load(&twilio.accounts, twilio.accounts_file) != 0 ||
        stand_app_open(&twilio.app, twilio.listen, &hooks, &twilio) != 0)
        return 1;
    uv_loop_t *loop = &twilio.app.loop;
    if (!twilio.relay_to)
        twilio.relay_to = twilio.connect_to;
    twilio.calls = calls_new(loop);
    twilio.messages = messages_new(MESSAGES_MAX);
    twilio.sent = stand_ledger_new(SENT_MAX);
    twilio.callbacks = stand_client_new(loop, CALLBACK_CONNECTIONS, QUEUE_MAX, WEBHOOK_TIMEOUT_MS);
    twilio.webhooks = stand_client_new(loop, WEBHOOK_CONNECTIONS, QUEUE_MAX, WEBHOOK_TIMEOUT_MS);
    return stand_app_run(&twilio.app);
}
