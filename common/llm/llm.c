/* Calls to chat models over the HTTP client. A call's answer is split into events while it streams;
 * what was judged inside (an error object, nonsense, too much text) ends the transfer and stands
 * above what the transport says. The engine's turns call it. */
#include "llm/llm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/client.h"
#include "llm/llm_inside.h"
#include "llm/sse.h"

#define REQUEST_MAX_BYTES      ((size_t)8 << 20)
#define ANSWER_DEFAULT_BYTES   ((size_t)64 << 10)
#define BODY_MAX_BYTES         ((size_t)1 << 20)
#define CONNECT_DEFAULT_MS     3000
#define FIRST_TOKEN_DEFAULT_MS 20000
#define IDLE_DEFAULT_MS        60000
#define TOTAL_DEFAULT_MS       90000
#define WAIT_MAX_MS            (24 * 3600 * 1000LL)
#define AFTER_DONE_MS          250 /* for the transport's end, so that the connection can be kept */

struct llm {
    struct loop *loop;
    struct http_client *http;
    struct llm_call *first;
};

enum body_kind { BODY_UNSEEN, BODY_EVENTS, BODY_JSON };

struct llm_call {
    struct llm *llm;
    const struct llm_wire *wire;
    struct llm_call *prev, *next;
    struct http_transfer *transfer;
    struct llm_callbacks callbacks;
    struct timer *timer; /* first token, later the wait after the end marker; else NULL */
    struct sse sse;
    struct strbuf whole; /* an unstreamed answer */
    struct llm_answer answer;
    struct err err; /* what was found inside the answer */
    enum body_kind kind;
    bool failed, inside, cancelled, begun;
    bool sent; /* what is known of a transfer that is gone */
    int64_t started_us, first_token_us;
};

/* ---- life ---- */

static void unlist(struct llm_call *call)
{
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        call->llm->first = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
}

static void destroy(struct llm_call *call)
{
    timer_free(&call->timer);
    sse_fini(&call->sse);
    strbuf_fini(&call->whole);
    llm_answer_fini(&call->answer);
    free(call);
}

struct llm_result llm_look(const struct llm_call *call)
{
    const struct llm_answer *answer = &call->answer;
    struct llm_result result = {
        .text = answer->text.data,
        .text_length = answer->text.length,
        .finish = llm_answer_finish_of(answer),
        .model = answer->model,
        .request_id = answer->request_id,
        .tokens_in = answer->tokens_in,
        .tokens_out = answer->tokens_out,
        .tokens_cached = answer->tokens_cached,
        .tokens_written = answer->tokens_written,
        .argument_bytes = llm_calls_bytes(answer),
        .sent = call->sent || (call->transfer != NULL && http_body_sent(call->transfer)),
        .connect_us = -1,
        .first_token_us = call->first_token_us,
        .total_us = clock_mono_us() - call->started_us,
        .status = 200,
    };
    result.calls = llm_calls_complete(answer, &result.call_count);
    return result;
}

/* Tells the caller, who may start or cancel other calls from there, and ends. The transfer is over
 * (`http`), or cancelled by now. */
static void report(struct llm_call *call, const struct http_result *http, const struct err *err)
{
    struct llm_result result = llm_look(call);
    result.err = err;
    if (http != NULL) {
        result.connect_us = http->connect_us;
        result.status = http->status;
        if (http->request_id != NULL)
            result.request_id = http->request_id;
    }
    unlist(call);
    call->callbacks.on_done(call->callbacks.arg, &result);
    destroy(call);
}

/* Ends a call whose transfer goes on. */
static void cut(struct llm_call *call, const struct err *err)
{
    call->sent = http_body_sent(call->transfer);
    http_cancel(call->llm->http, call->transfer);
    call->transfer = NULL;
    report(call, NULL, err);
}

static void on_first_token_limit(void *arg)
{
    struct llm_call *call = arg;
    struct err err;
    err_set(&err, ERR_RETRY_LATER, "llm.first_token", "the model did not begin in time");
    cut(call, &err);
}

static void on_after_done(void *arg)
{
    struct llm_call *call = arg;
    struct err err;
    cut(call, llm_answer_judge(&call->answer, false, &err) == 0 ? NULL : &err);
}

/* ---- reading ---- */

static void tell_first(struct llm_call *call)
{
    const struct llm_answer *answer = &call->answer;
    if (call->begun ||
        (answer->text.length == 0 && (!answer->offered || llm_calls_begun(answer) == 0)))
        return;
    call->begun = true;
    if (call->callbacks.on_first != NULL)
        call->callbacks.on_first(call->callbacks.arg);
}

static void tell_text(struct llm_call *call, size_t before)
{
    size_t length = call->answer.text.length - before;
    if (length > 0 && call->first_token_us < 0)
        call->first_token_us = clock_mono_us() - call->started_us;
    if (length > 0 && call->callbacks.on_text != NULL)
        call->callbacks.on_text(call->callbacks.arg, call->answer.text.data + before, length);
}

static bool take(struct llm_call *call, const char *data, size_t length)
{
    size_t before = call->answer.text.length;
    if (call->answer.done)
        return true; /* whatever follows the end marker */
    if (llm_answer_take(&call->answer, call->wire, data, length, &call->err) != 0)
        call->failed = true;
    tell_first(call);
    if (!call->cancelled)
        tell_text(call, before);
    if (call->failed || call->cancelled)
        return false;
    if (call->answer.alive && !call->answer.done)
        timer_free(&call->timer);
    if (call->answer.done) {
        timer_free(&call->timer);
        call->timer = timer_new(call->llm->loop, on_after_done, call);
        timer_start(call->timer, AFTER_DONE_MS, 0);
    }
    return true;
}

static bool on_event(void *arg, const char *data, size_t length)
{
    return take(arg, data, length);
}

/* A server that does not stream, or refuses with a 200, sends one JSON value. */
static enum body_kind kind_of(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '{' || bytes[i] == '[')
            return BODY_JSON;
        if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n')
            return BODY_EVENTS;
    }
    return BODY_UNSEEN;
}

/* Gemini can end a stream with an error that is no event: an object, or an array of one. A chunk
 * that only happens to begin like one is read as part of the stream. */
static bool find_bare_fault(struct llm_call *call, const char *bytes, size_t length)
{
    struct llm_fault fault = {.status = 200};
    struct json *document = NULL;
    bool found =
        json_parse(bytes, length, &document, NULL) == 0 && llm_fault_read(document, &fault);
    if (found)
        llm_classify(&fault, &call->err);
    json_free(&document);
    return found;
}

static int read_on(struct llm_call *call, const char *bytes, size_t length)
{
    if (call->kind == BODY_UNSEEN)
        call->kind = kind_of(bytes, length);
    if (call->kind == BODY_JSON) {
        strbuf_add(&call->whole, bytes, length);
        return call->whole.overflow
                   ? err_set(&call->err, ERR_FALL_BACK, "llm.nonsense", "a huge answer")
                   : 0;
    }
    if (length > 0 && (bytes[0] == '{' || bytes[0] == '[') && find_bare_fault(call, bytes, length))
        return -1;
    if (sse_push(&call->sse, bytes, length) == SSE_TOO_LONG)
        return err_set(&call->err, ERR_FALL_BACK, "llm.nonsense", "a line without end");
    return 0;
}

static bool on_data(void *arg, const char *bytes, size_t length)
{
    struct llm_call *call = arg;
    call->inside = true;
    if (read_on(call, bytes, length) != 0)
        call->failed = true;
    call->inside = false;
    return !call->failed && !call->cancelled;
}

/* ---- the end ---- */

/* retry-after-ms says more exactly what Retry-After says. */
static int64_t asked_ms(const struct http_result *http)
{
    int64_t ms;
    if (http->retry_after_ms != NULL && text_parse_int(http->retry_after_ms, 0, WAIT_MAX_MS, &ms))
        return ms;
    return http_retry_after_ms(http->retry_after);
}

static int classify_status(const struct http_result *http, struct err *err)
{
    struct llm_fault fault = {.status = http->status, .retry_after_ms = asked_ms(http)};
    struct json *document = NULL;
    if (json_parse(http->body, http->body_length, &document, NULL) == 0)
        llm_fault_read(document, &fault);
    int result = llm_classify(&fault, err);
    json_free(&document);
    return result;
}

/* The transport's words for what the caller acts on; the rest keeps its own. */
static const struct {
    const char *http, *llm;
    enum err_class class;
} transport[] = {
    {"http.url", "llm.config", ERR_FALL_BACK},
    {"http.too_large", "llm.nonsense", ERR_FALL_BACK},
};

static int classify_transport(const struct err *from, struct err *err)
{
    for (size_t i = 0; i < sizeof transport / sizeof *transport; i++)
        if (strcmp(from->code, transport[i].http) == 0)
            return err_set(err, transport[i].class, transport[i].llm, "%s", from->message);
    *err = *from;
    return -1;
}

static int judge(struct llm_call *call, const struct http_result *http, struct err *err)
{
    bool good_status = http->status >= 200 && http->status <= 299;
    if (call->failed) {
        *err = call->err;
        return -1;
    }
    if (http->status != 0 && !good_status)
        return classify_status(http, err);
    if (http->err == NULL && call->kind == BODY_JSON) {
        if (!take(call, call->whole.data, call->whole.length)) {
            *err = call->err;
            return -1;
        }
        call->answer.finished = call->answer.recognised; /* it came whole */
    }
    if (call->answer.finished || call->answer.done || http->err == NULL)
        return llm_answer_judge(&call->answer, http->err != NULL, err);
    if (call->answer.text.length > 0)
        return llm_answer_judge(&call->answer, true, err);
    return classify_transport(http->err, err);
}

static void on_http_done(void *arg, const struct http_result *http)
{
    struct llm_call *call = arg;
    struct err err;
    if (call->cancelled) {
        destroy(call);
        return;
    }
    call->inside = true;
    int bad = judge(call, http, &err);
    call->inside = false;
    if (call->cancelled)
        destroy(call);
    else
        report(call, http, bad != 0 ? &err : NULL);
}

/* ---- public ---- */

static int64_t limit(int64_t value_ms, int64_t fallback_ms)
{
    return value_ms > 0 ? value_ms : fallback_ms;
}

static void send_request(struct llm_call *call, const struct llm_request *request)
{
    const char *headers[LLM_HEADERS_MAX + 3];
    char *url = llm_request_url(request);
    struct strbuf body;
    strbuf_init(&body, REQUEST_MAX_BYTES);
    llm_request_write(request, &body);
    llm_request_headers(request, headers);
    struct http_call http = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .bearer = request->key,
        .bearer_header = request->key_header,
        .body = body.data,
        .body_length = body.length,
        .connect_ms = limit(request->connect_ms, CONNECT_DEFAULT_MS),
        .idle_ms = limit(request->idle_ms, IDLE_DEFAULT_MS),
        .total_ms = limit(request->total_ms, TOTAL_DEFAULT_MS),
        .on_data = on_data,
        .on_done = on_http_done,
        .arg = call,
    };
    call->transfer = http_start(call->llm->http, &http);
    strbuf_fini(&body);
    free(url);
}

struct llm_call *llm_start(struct llm *llm, const struct llm_request *request,
                           const struct llm_callbacks *callbacks)
{
    struct llm_call *call = xcalloc(1, sizeof *call);
    assert(request->tool_count <= LLM_TOOLS_MAX);
    call->llm = llm;
    call->wire = llm_wire_of(request->dialect);
    call->callbacks = *callbacks;
    call->started_us = clock_mono_us();
    call->first_token_us = -1;
    sse_init(&call->sse, on_event, call);
    strbuf_init(&call->whole, BODY_MAX_BYTES);
    llm_answer_init(&call->answer, request->answer_max_bytes > 0 ? request->answer_max_bytes
                                                                 : ANSWER_DEFAULT_BYTES);
    llm_calls_expect(&call->answer, request);
    call->timer = timer_new(llm->loop, on_first_token_limit, call);
    timer_start(call->timer, limit(request->first_token_ms, FIRST_TOKEN_DEFAULT_MS), 0);
    call->next = llm->first;
    if (call->next != NULL)
        call->next->prev = call;
    llm->first = call;
    send_request(call, request);
    return call;
}

void llm_cancel(struct llm *llm, struct llm_call *call)
{
    unlist(call);
    if (call->inside) { /* the reader is on the stack: it ends the transfer, then all is freed */
        call->cancelled = true;
        timer_free(&call->timer);
        return;
    }
    http_cancel(llm->http, call->transfer);
    destroy(call);
}

struct llm *llm_new(struct loop *loop)
{
    struct llm *llm = xcalloc(1, sizeof *llm);
    struct http_client_options options = {.loop = loop};
    llm->loop = loop;
    llm->http = http_client_new(&options);
    return llm;
}

void llm_free(struct llm **llm)
{
    struct llm *l = *llm;
    if (l == NULL)
        return;
    while (l->first != NULL)
        llm_cancel(l, l->first);
    http_client_free(&l->http);
    free(l);
    *llm = NULL;
}
