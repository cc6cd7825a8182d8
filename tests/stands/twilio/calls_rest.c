/*
 * The Calls resource: create, fetch, list and update. Called by twilio.c for requests that are
 * authenticated.
 */
#include "stands/twilio/calls_rest.h"

#include <stdlib.h>
#include <string.h>

#include "stands/lib/segments.h"
#include "stands/twilio/call_settings.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/create.h"
#include "stands/twilio/events.h"
#include "stands/twilio/fetch.h"
#include "stands/twilio/leg.h"
#include "stands/twilio/list.h"
#include "stands/twilio/outbound.h"
#include "stands/twilio/progress.h"
#include "stands/twilio/recordings.h"
#include "stands/twilio/verbs.h"

enum {
    ANSWER_MAX = 16 * 1024 * 1024,
    PAGE_SIZE = 50,
    PAGE_SIZE_MAX = 1000,
    TIMEOUT_S = 60,
    TIMEOUT_MAX_S = 600,
    LIMIT_S = 14400
};

/* --- the resource --- */

static void text_member(struct stand_buf *out, const char *name, const char *value)
{
    stand_buf_printf(out, ",\"%s\":", name);
    stand_buf_json_text(out, value);
}

static void render(const struct call *call, struct stand_buf *out)
{
    struct call_texts texts;
    struct stand_form form;
    stand_form_borrow(&form);
    call_form(call, &texts, &form);
    stand_buf_printf(out, "{\"sid\":\"%s\",\"account_sid\":\"%s\"", call->sid, call->account->sid);
    text_member(out, "parent_call_sid", call->parent ? call->parent->sid : NULL);
    text_member(out, "to", call->to);
    text_member(out, "from", call->from);
    text_member(out, "status", call_status(call));
    text_member(out, "direction", call->direction);
    text_member(out, "answered_by", call->answered_by);
    text_member(out, "forwarded_from", call->forwarded_from);
    text_member(out, "caller_name", call->caller_name);
    text_member(out, "duration", call_over(call) ? texts.duration : NULL);
    text_member(out, "price", NULL);
    text_member(out, "price_unit", "USD");
    text_member(out, "queue_time", "0");
    text_member(out, "api_version", "2010-04-01");
    message_date("date_created", (int64_t)call->created_ms, out);
    message_date("start_time", (int64_t)call->answered_ms, out);
    message_date("end_time", (int64_t)call->ended_ms, out);
    stand_buf_printf(out, ",\"uri\":\"/2010-04-01/Accounts/%s/Calls/%s.json\"}", call->account->sid,
                     call->sid);
}

static void answer_call(struct stand_call *request, const struct call *call, int status)
{
    struct stand_buf out;
    stand_buf_init(&out, ANSWER_MAX);
    render(call, &out);
    twilio_answer(request, status, &out);
    stand_buf_fini(&out);
}

/* --- create --- */

static bool given(const char *text)
{
    return text && *text;
}

static int check_url(const struct stand_form *form, const char *name, int code)
{
    const char *url = stand_form_get(form, name);
    return !given(url) || stand_url_valid(url) ? 0 : code;
}

/* What is wrong with a create; 0 or Twilio's code. */
static int check(const struct stand_form *form, const struct account *account)
{
    const char *to = stand_form_get(form, "To"), *from = stand_form_get(form, "From");
    const char *twiml = stand_form_get(form, "Twiml"), *url = stand_form_get(form, "Url");
    const char *timeout = stand_form_get(form, "Timeout");
    if (!given(to))
        return 21201;
    if (!create_number_valid(to))
        return 21211;
    if (!given(from))
        return 21213;
    if (!create_number_valid(from))
        return 21212;
    if (!account_owns(account, from) && strcmp(from, "+15005550006") != 0)
        return 21210;
    if (!given(url) && !given(twiml))
        return 21205;
    if (!given(url) && stand_characters(twiml, strlen(twiml)) > TWIML_INLINE_CHARACTERS_MAX)
        return 32018;
    if (timeout && (strtol(timeout, NULL, 10) < 1 || strtol(timeout, NULL, 10) > TIMEOUT_MAX_S))
        return 20001;
    for (size_t i = 0; i < form->count; i++) {
        const char *value = form->pairs[i].value;
        if (strcmp(form->pairs[i].name, "StatusCallbackEvent") == 0 &&
            progress_of(value, strlen(value)) == 0)
            return 21626;
    }
    int code = check_url(form, "Url", 21205);
    code = code ? code : check_url(form, "FallbackUrl", 21205);
    return code ? code : check_url(form, "StatusCallback", 21609);
}

static char *copy_of(const struct stand_form *form, const char *name)
{
    const char *value = stand_form_get(form, name);
    return given(value) ? stand_copy(value, strlen(value)) : NULL;
}

static double number_of(const struct stand_form *form, const char *name, double fallback)
{
    const char *value = stand_form_get(form, name);
    return given(value) ? strtod(value, NULL) : fallback;
}

static bool is(const struct stand_form *form, const char *name, const char *value)
{
    const char *text = stand_form_get(form, name);
    return text && strcmp(text, value) == 0;
}

static void read_detection(struct call *call, const struct stand_form *form)
{
    leg_listen_as_usual(call);
    call->detect_silence_ms =
        number_of(form, "MachineDetectionSilenceTimeout", call->detect_silence_ms);
    call->detect_speech_ms =
        number_of(form, "MachineDetectionSpeechThreshold", call->detect_speech_ms);
    call->detect_end_ms =
        number_of(form, "MachineDetectionSpeechEndThreshold", call->detect_end_ms);
    call->detect_timeout_ms =
        number_of(form, "MachineDetectionTimeout", call->detect_timeout_ms / 1000) * 1000;
}

static void read_form(struct call *call, const struct stand_form *form)
{
    call->settings = call_settings_default();
    call->settings.max_ms = number_of(form, "TimeLimit", LIMIT_S) * 1000;
    call->url = copy_of(form, "Url");
    call->method = copy_of(form, "Method");
    call->inline_twiml = copy_of(form, "Twiml");
    call->fallback_url = copy_of(form, "FallbackUrl");
    call->status_callback = copy_of(form, "StatusCallback");
    call->amd_callback = copy_of(form, "AsyncAmdStatusCallback");
    bool digits = given(stand_form_get(form, "SendDigits"));
    call->detects_end = is(form, "MachineDetection", "DetectMessageEnd");
    call->detects = !digits && (call->detects_end || is(form, "MachineDetection", "Enable"));
    call->detects_async = is(form, "AsyncAmd", "true");
    read_detection(call, form);
    unsigned mask = 0;
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->pairs[i].name, "StatusCallbackEvent") == 0)
            mask |= progress_of(form->pairs[i].value, strlen(form->pairs[i].value));
    }
    call->progress_mask = mask ? mask : PROGRESS_COMPLETED;
}

static void create(struct twilio *twilio, struct stand_call *request, struct account *account)
{
    const struct twilio_request *parsed = request->parsed;
    const struct stand_form *form = &parsed->form;
    const struct stand_action *action = request->plan.callbacks;
    int code = check(form, account);
    if (code) {
        twilio_fail(request, 400, code, NULL);
        return;
    }
    struct call *call = call_new(twilio, account, "outbound-api", stand_form_get(form, "From"),
                                 stand_form_get(form, "To"));
    if (!call) {
        twilio_fail(request, 429, 20429, "This stand-in keeps no more calls");
        return;
    }
    read_form(call, form);
    if (action && action->mode)
        call->settings.callbacks = progress_mode(action->mode);
    if (action && action->ms >= 0)
        call->settings.callbacks_ms = (double)action->ms;
    stand_ledger_sid(twilio->app.ledger, request->entry, call->sid);
    double timeout_ms = number_of(form, "Timeout", TIMEOUT_S) * 1000;
    answer_call(request, call, 201); /* the request and its form may be gone after this */
    outbound_place(call, timeout_ms);
}

/* --- update --- */

static void replace(char **text, const struct stand_form *form, const char *name)
{
    char *fresh = copy_of(form, name);
    if (!fresh)
        return;
    free(*text);
    *text = fresh;
}

/* New TwiML for a call: its verb in hand is dropped. One that rings still asks it when answered. */
static void redirect(struct call *call, const struct stand_form *form)
{
    struct twiml_problem problem;
    const char *url = stand_form_get(form, "Url"), *text = stand_form_get(form, "Twiml");
    struct event event;
    event_start(&event, call, "update");
    event_text(&event, "url", url);
    event_text(&event, "twiml", text);
    event_end(&event);
    if (call->state != CALL_IN_PROGRESS && call->direction[0] == 'o') {
        replace(&call->url, form, "Url");
        replace(&call->inline_twiml, form, "Twiml");
        return;
    }
    verbs_drop(call);
    free(call->document_url);
    call->document_url = NULL;
    if (given(url)) {
        struct fetch fetch = {
            .url = url, .method = stand_form_get(form, "Method"), .why = "update"};
        fetch_document(call, &fetch);
        return;
    }
    struct twiml *twiml = twiml_parse(text, strlen(text), &problem);
    if (twiml) {
        verbs_run(call, twiml, NULL);
    } else {
        event_error(call, problem.code, problem.message);
        verbs_sorry(call);
    }
}

static void update(struct stand_call *request, struct call *call)
{
    const struct twilio_request *parsed = request->parsed;
    const struct stand_form *form = &parsed->form;
    const char *text = stand_form_get(form, "Twiml"), *status = stand_form_get(form, "Status");
    bool redirects = given(stand_form_get(form, "Url")) || given(text);
    bool completes = is(form, "Status", "completed"), cancels = is(form, "Status", "canceled");
    int code = check_url(form, "Url", 21205);
    if (call_over(call) || (cancels && call->state == CALL_IN_PROGRESS))
        code = 21220;
    else if (given(text) && stand_characters(text, strlen(text)) > TWIML_INLINE_CHARACTERS_MAX)
        code = 32018;
    else if (!code && ((given(status) && !completes && !cancels) || (!redirects && !given(status))))
        code = 20001;
    if (code) {
        twilio_fail(request, 400, code, NULL);
        return;
    }
    replace(&call->fallback_url, form, "FallbackUrl");
    replace(&call->status_callback, form, "StatusCallback");
    if (completes || cancels)
        call_hang_up(call, CALL_IS_CANCELED, "REST");
    else
        redirect(call, form);
    answer_call(request, call, 200);
}

/* --- list --- */

struct filter {
    const char *to, *from, *status, *parent, *token;
    int64_t from_ms, until_ms;
    size_t page_size;
};

static int read_filter(const struct stand_form *form, struct filter *filter)
{
    static const struct {
        const char *name;
        bool from, until;
    } bounds[] = {
        {"StartTime", true, true}, {"StartTime>", true, false}, {"StartTime<", false, true}};
    double size = number_of(form, "PageSize", PAGE_SIZE);
    *filter = (struct filter){.to = stand_form_get(form, "To"),
                              .from = stand_form_get(form, "From"),
                              .status = stand_form_get(form, "Status"),
                              .parent = stand_form_get(form, "ParentCallSid"),
                              .token = stand_form_get(form, "PageToken"),
                              .from_ms = INT64_MIN,
                              .until_ms = INT64_MAX,
                              .page_size = (size_t)size};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const char *text = stand_form_get(form, bounds[i].name);
        int64_t from_ms, until_ms;
        if (!text)
            continue;
        if (list_parse_date(text, &from_ms, &until_ms) != 0)
            return 20001;
        filter->from_ms = bounds[i].from ? from_ms : filter->from_ms;
        filter->until_ms = bounds[i].until ? until_ms : filter->until_ms;
    }
    return size < 1 ? 20001 : size > PAGE_SIZE_MAX ? 20007 : 0;
}

static bool passes(const struct filter *filter, const struct call *call)
{
    int64_t start_ms = (int64_t)(call->answered_ms > 0 ? call->answered_ms : call->created_ms);
    const char *parent = call->parent ? call->parent->sid : "";
    return (!filter->to || strcmp(filter->to, call->to) == 0) &&
           (!filter->from || strcmp(filter->from, call->from) == 0) &&
           (!filter->status || strcmp(filter->status, call_status(call)) == 0) &&
           (!filter->parent || strcmp(filter->parent, parent) == 0) &&
           start_ms >= filter->from_ms && start_ms < filter->until_ms;
}

static void add_next_page(const struct account *account, const struct stand_form *form,
                          const char *token, struct stand_buf *out)
{
    struct stand_buf query;
    if (!token) {
        stand_buf_puts(out, ",\"next_page_uri\":null");
        return;
    }
    stand_buf_init(&query, 16 * 1024);
    for (size_t i = 0; i < form->count; i++) {
        if (strncmp(form->pairs[i].name, "Page", 4) != 0 ||
            strcmp(form->pairs[i].name, "PageSize") == 0)
            stand_buf_form_pair(&query, form->pairs[i].name, form->pairs[i].value);
    }
    stand_buf_form_pair(&query, "PageToken", token);
    stand_buf_printf(out, ",\"next_page_uri\":\"/2010-04-01/Accounts/%s/Calls.json?%s\"",
                     account->sid, query.data);
    stand_buf_fini(&query);
}

static void list(struct twilio *twilio, struct stand_call *request, const struct account *account)
{
    const struct twilio_request *parsed = request->parsed;
    const struct calls *calls = twilio->calls;
    struct filter filter;
    int code = read_filter(&parsed->form, &filter);
    if (code) {
        twilio_fail(request, 400, code, NULL);
        return;
    }
    int64_t indexed_ms = messages_now_ms() - twilio->index_delay_ms;
    struct stand_buf out;
    size_t found = 0;
    const char *last = NULL;
    bool more = false, begun = !filter.token;
    stand_buf_init(&out, ANSWER_MAX);
    stand_buf_puts(&out, "{\"calls\":[");
    for (size_t i = calls->count; i > 0 && !more; i--) {
        const struct call *call = calls->list[i - 1];
        if (!begun) {
            begun = strcmp(call->sid, filter.token) == 0;
            continue;
        }
        if (call->account != account || (int64_t)call->created_ms > indexed_ms ||
            !passes(&filter, call))
            continue;
        more = found == filter.page_size;
        if (more)
            break;
        stand_buf_puts(&out, found++ ? "," : "");
        render(call, &out);
        last = call->sid;
    }
    stand_buf_printf(&out, "],\"page\":0,\"page_size\":%zu,\"previous_page_uri\":null",
                     filter.page_size);
    add_next_page(account, &parsed->form, more ? last : NULL, &out);
    stand_buf_puts(&out, "}");
    twilio_answer(request, 200, &out);
    stand_buf_fini(&out);
}

/* --- routes --- */

static void route_call(struct twilio *twilio, struct stand_call *request, struct account *account,
                       const char *name)
{
    const char *method = stand_exchange_method(request->x);
    bool post = strcmp(method, "POST") == 0, get = strcmp(method, "GET") == 0;
    char sid[35] = "";
    if (strcspn(name, "./") == 34)
        memcpy(sid, name, 34);
    struct call *call = calls_find(twilio->calls, sid);
    const char *ending = *sid ? name + 34 : "";
    if (!call || call->account != account) {
        twilio_fail(request, 404, 20404, NULL);
        return;
    }
    stand_ledger_sid(twilio->app.ledger, request->entry, call->sid);
    if (strncmp(ending, "/Recordings", 11) == 0)
        recordings_route(twilio, request, account, call, ending + 11);
    else if (strcmp(ending, ".json") != 0)
        twilio_fail(request, 404, 20404, NULL);
    else if (post)
        update(request, call);
    else if (get)
        answer_call(request, call, 200);
    else
        twilio_fail(request, 405, 20004, NULL);
}

bool calls_rest_route(struct twilio *twilio, struct stand_call *request, struct account *account,
                      const char *rest)
{
    const char *method = stand_exchange_method(request->x);
    if (strcmp(rest, "/Calls.json") == 0 && strcmp(method, "POST") == 0)
        create(twilio, request, account);
    else if (strcmp(rest, "/Calls.json") == 0 && strcmp(method, "GET") == 0)
        list(twilio, request, account);
    else if (strncmp(rest, "/Calls/", 7) == 0)
        route_call(twilio, request, account, rest + 7);
    else if (strncmp(rest, "/Recordings", 11) == 0)
        recordings_route(twilio, request, account, NULL, rest + 11);
    else
        return false;
    return true;
}
