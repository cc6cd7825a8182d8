/* Placing calls, and telling what became of them. Called by twilio.c. */
#include "stands/twilio/calls_control.h"

#include <stdlib.h>
#include <string.h>

#include "stands/twilio/call_settings.h"
#include "stands/twilio/callees.h"
#include "stands/twilio/caller.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/events.h"
#include "stands/twilio/fetch.h"
#include "stands/twilio/progress.h"
#include "stands/twilio/script.h"

enum { ANSWER_MAX = 256 * 1024 * 1024, WHY_MAX = 1024, SMALL_MAX = 64 * 1024 };

static const char *text_of(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static void answer_error(struct stand_exchange *x, int status, const char *why)
{
    struct stand_buf out;
    stand_buf_init(&out, SMALL_MAX);
    stand_buf_puts(&out, "{\"error\":");
    stand_buf_json_text(&out, why);
    stand_buf_puts(&out, "}\n");
    stand_control_answer(x, status, out.data);
    stand_buf_fini(&out);
}

/* --- placing --- */

/* The bits of a list of events; -1 when it is none. */
static int read_events(const cJSON *list)
{
    int mask = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        unsigned bit =
            cJSON_IsString(item) ? progress_of(item->valuestring, strlen(item->valuestring)) : 0;
        if (bit == 0)
            return -1;
        mask |= (int)bit;
    }
    return cJSON_IsArray(list) ? mask : -1;
}

static int check_member(const cJSON *item, struct stand_buf *why)
{
    static const char *const texts[] = {
        "account_sid",     "from",           "to",         "url", "method", "fallback_url",
        "status_callback", "forwarded_from", "caller_name"};
    if (strcmp(item->string, "script") == 0)
        return script_check(item, why);
    if (strcmp(item->string, "status_callback_events") == 0)
        return read_events(item) >= 0 ? 0 : -1;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(item->string, texts[i]) == 0)
            return cJSON_IsString(item) ? 0 : -1;
    }
    return call_settings_check(item) == 1 ? 0 : -1;
}

static int check(const cJSON *json, struct stand_buf *why)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, json)
    {
        if (check_member(item, why) == 0)
            continue;
        if (why->len == 0)
            stand_buf_printf(why, "bad key or value: %.60s", item->string);
        return -1;
    }
    const char *url = text_of(json, "url");
    if (text_of(json, "account_sid") && text_of(json, "from") && text_of(json, "to") && url &&
        stand_url_valid(url))
        return 0;
    stand_buf_puts(why, "expected account_sid (a known one), from, to and url");
    return -1;
}

static char *copy_of(const cJSON *json, const char *name)
{
    const char *text = text_of(json, name);
    return text ? stand_copy(text, strlen(text)) : NULL;
}

static void ask_first(struct call *call)
{
    struct fetch fetch = {.url = call->url, .method = call->method, .why = "voice"};
    fetch_document(call, &fetch);
}

/* Takes `json`. */
static struct call *place(struct twilio *twilio, struct account *account, cJSON *json)
{
    struct call *call =
        call_new(twilio, account, "inbound", text_of(json, "from"), text_of(json, "to"));
    if (!call) {
        cJSON_Delete(json);
        return NULL;
    }
    const cJSON *events = cJSON_GetObjectItemCaseSensitive(json, "status_callback_events");
    call->options = json;
    call->settings = call_settings_default();
    call_settings_read(call, json);
    call->url = copy_of(json, "url");
    call->method = copy_of(json, "method");
    call->fallback_url = copy_of(json, "fallback_url");
    call->status_callback = copy_of(json, "status_callback");
    call->forwarded_from = copy_of(json, "forwarded_from");
    call->caller_name = copy_of(json, "caller_name");
    if (events)
        call->progress_mask = (unsigned)read_events(events);
    progress_note(call, PROGRESS_INITIATED);
    call_move(call, CALL_RINGS);
    caller_start(call, cJSON_GetObjectItemCaseSensitive(json, "script"));
    if (!call_over(call))
        call_after(call, call->settings.ring_ms, ask_first);
    return call;
}

static void post_call(struct twilio *twilio, struct stand_exchange *x)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    cJSON *json = cJSON_ParseWithLength(body, len);
    struct stand_buf why;
    stand_buf_init(&why, WHY_MAX);
    struct account *account = NULL;
    if (!cJSON_IsObject(json))
        stand_buf_puts(&why, "expected a JSON object");
    else if (check(json, &why) == 0) {
        const char *sid = text_of(json, "account_sid");
        account = strlen(sid) == 34 ? accounts_find(&twilio->accounts, sid) : NULL;
    }
    if (!account) {
        cJSON_Delete(json);
        answer_error(x, 400, why.len ? why.data : "expected account_sid to be a known one");
        stand_buf_fini(&why);
        return;
    }
    stand_buf_fini(&why);
    const struct call *call = place(twilio, account, json);
    if (!call) {
        answer_error(x, 400, "no more calls are kept");
        return;
    }
    struct stand_buf out;
    stand_buf_init(&out, WHY_MAX);
    stand_buf_printf(&out, "{\"sid\":\"%s\"}\n", call->sid);
    stand_control_answer(x, 200, out.data);
    stand_buf_fini(&out);
}

/* --- telling --- */

static void member(struct stand_buf *out, const char *name, const char *text)
{
    stand_buf_printf(out, ",\"%s\":", name);
    stand_buf_json_text(out, text);
}

static void number(struct stand_buf *out, const char *name, double value)
{
    stand_buf_printf(out, ",\"%s\":%.3f", name, value);
}

static void render(const struct call *call, struct stand_buf *out)
{
    const struct silence *silence = &call->silence;
    double until_ms = call->ended_ms > 0 ? call->ended_ms : calls_now(call->twilio->calls);
    stand_buf_printf(out, "{\"sid\":\"%s\"", call->sid);
    member(out, "account_sid", call->account->sid);
    member(out, "parent", call->parent ? call->parent->sid : NULL);
    member(out, "direction", call->direction);
    member(out, "from", call->from);
    member(out, "to", call->to);
    member(out, "status", call_status(call));
    member(out, "ended_by", call->ended_by);
    member(out, "script", caller_state(call));
    stand_buf_printf(out, ",\"over\":%s", call_over(call) ? "true" : "false");
    number(out, "created", call->created_ms);
    number(out, "answered", call->answered_ms);
    number(out, "ended", call->ended_ms);
    number(out, "silence_max_ms", silence->max_ms);
    number(out, "gap_max_ms", silence->gap_max_ms);
    number(out, "stalled_ms",
           stalls_within(&call->twilio->calls->stalls, call->created_ms, until_ms));
    stand_buf_printf(out,
                     ",\"silences\":%llu,\"errors\":%llu,\"documents\":%llu,\"frames\":%llu,"
                     "\"tokens\":%llu,\"prompts\":%llu",
                     (unsigned long long)silence->count, (unsigned long long)call->errors,
                     (unsigned long long)call->documents, (unsigned long long)call->frames,
                     (unsigned long long)call->tokens, (unsigned long long)call->prompts);
}

static void get_calls(struct twilio *twilio, struct stand_exchange *x)
{
    const struct calls *calls = twilio->calls;
    struct stand_buf out;
    stand_buf_init(&out, ANSWER_MAX);
    stand_buf_puts(&out, "[");
    for (size_t i = 0; i < calls->count; i++) {
        stand_buf_puts(&out, i ? ",\n" : "\n");
        render(calls->list[i], &out);
        stand_buf_puts(&out, "}");
    }
    stand_buf_puts(&out, "]\n");
    stand_control_answer(x, out.overflow ? 500 : 200, out.data);
    stand_buf_fini(&out);
}

static void get_call(struct twilio *twilio, struct stand_exchange *x, const struct call *call)
{
    struct stand_buf out;
    stand_buf_init(&out, ANSWER_MAX);
    render(call, &out);
    stand_buf_puts(&out, ",\"events\":[");
    for (size_t i = 0; i < call->event_count; i++) {
        stand_buf_puts(&out, i ? ",\n" : "\n");
        event_json(twilio->calls->events, call->events[i], &out);
    }
    stand_buf_puts(&out, "]}\n");
    stand_control_answer(x, out.overflow ? 500 : 200, out.data);
    stand_buf_fini(&out);
}

/* --- moving a call that runs --- */

static void change_call(struct stand_exchange *x, struct call *call)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    cJSON *json = cJSON_ParseWithLength(body, len);
    const cJSON *script = cJSON_GetObjectItemCaseSensitive(json, "script");
    bool hangs_up = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "hangup"));
    struct stand_buf why;
    stand_buf_init(&why, WHY_MAX);
    if (cJSON_GetArraySize(json) != 1 || (!script && !hangs_up))
        stand_buf_puts(&why, "expected {\"script\":[...]} or {\"hangup\":true}");
    else if (call_over(call))
        stand_buf_puts(&why, "the call is over");
    else if (script && script_check(script, &why) == 0)
        caller_start(call, script);
    if (hangs_up && why.len == 0)
        call_hang_up(call, CALL_IS_NOT_ANSWERED, "caller");
    cJSON_Delete(json);
    if (why.len)
        answer_error(x, 400, why.data);
    else
        stand_control_answer(x, 200, "{\"ok\":true}\n");
    stand_buf_fini(&why);
}

bool calls_control(struct twilio *twilio, struct stand_exchange *x)
{
    static const char one[] = "/_calls/";
    const char *path = stand_exchange_path(x);
    bool post = strcmp(stand_exchange_method(x), "POST") == 0;
    struct call *call = NULL;
    if (strncmp(path, one, sizeof one - 1) == 0) {
        call = calls_find(twilio->calls, path + sizeof one - 1);
        if (!call)
            answer_error(x, 404, "no such call");
        else if (post)
            change_call(x, call);
        else
            get_call(twilio, x, call);
    } else if (strcmp(path, "/_calls") == 0 && post) {
        post_call(twilio, x);
    } else if (strcmp(path, "/_calls") == 0) {
        get_calls(twilio, x);
    } else if (strcmp(path, "/_callees") == 0 && post) {
        callees_post(twilio, x);
    } else if (strcmp(path, "/_events") == 0 && !post) {
        stand_control_entries(x, twilio->calls->events, event_json);
    } else {
        return false;
    }
    return true;
}

void calls_control_stats(const struct twilio *twilio, struct stand_buf *out)
{
    const struct calls *calls = twilio->calls;
    stand_buf_printf(out,
                     ",\"calls\":%zu,\"calls_live\":%zu,\"calls_live_max\":%zu,"
                     "\"call_events\":%zu,\"call_events_dropped\":%zu,"
                     "\"stalls\":%llu,\"stalled_ms\":%.3f,\"stall_longest_ms\":%.3f",
                     calls->count, calls->live, calls->live_max, stand_ledger_count(calls->events),
                     stand_ledger_dropped(calls->events), (unsigned long long)calls->stalls.count,
                     calls->stalls.total_ms, calls->stalls.longest_ms);
}
