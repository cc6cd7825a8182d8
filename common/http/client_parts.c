/* The parts of the HTTP client that need no curl: answer headers, authorization, time limits and
 * the words for our own reasons to stop. client.c calls them; http_retry_after_ms is also for
 * everybody who has a raw Retry-After. */
#include "http/client_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define HEADER_VALUE_MAX   200
#define RETRY_AFTER_MAX_MS (24 * 3600 * 1000LL)

static char *value_of(const char *line, size_t length, const char *name)
{
    size_t name_length = strlen(name);
    if (length <= name_length || line[name_length] != ':' ||
        strncasecmp(line, name, name_length) != 0)
        return NULL;
    const char *value = line + name_length + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    size_t size = (size_t)(end - value);
    if (size == 0 || size > HEADER_VALUE_MAX || !text_is_utf8(value, size))
        return NULL;
    return xstrndup(value, size);
}

static void keep(char **slot, char *value)
{
    if (value == NULL)
        return;
    free(*slot);
    *slot = value;
}

void http_answer_headers_add(struct http_answer_headers *headers, const char *line, size_t length)
{
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        http_answer_headers_fini(headers);
        return;
    }
    keep(&headers->retry_after, value_of(line, length, "retry-after"));
    keep(&headers->retry_after_ms, value_of(line, length, "retry-after-ms"));
    keep(&headers->request_id, value_of(line, length, "x-request-id"));
    keep(&headers->request_id, value_of(line, length, "request-id"));
}

void http_answer_headers_fini(struct http_answer_headers *headers)
{
    free(headers->retry_after);
    free(headers->retry_after_ms);
    free(headers->request_id);
    *headers = (struct http_answer_headers){0};
}

bool http_authorization(const struct http_call *call, struct strbuf *out)
{
    if (call->bearer != NULL) {
        if (call->bearer_header != NULL)
            strbuf_printf(out, "%s: ", call->bearer_header);
        else
            strbuf_add_text(out, "Authorization: Bearer ");
        strbuf_add_text(out, secret_reveal(call->bearer));
        return true;
    }
    if (call->user == NULL)
        return false;
    size_t user = strlen(call->user);
    size_t password = call->password != NULL ? secret_length(call->password) : 0;
    char *pair = xmalloc(user + password + 2);
    memcpy(pair, call->user, user);
    pair[user] = ':';
    if (password > 0)
        memcpy(pair + user + 1, secret_reveal(call->password), password);
    strbuf_add_text(out, "Authorization: Basic ");
    text_add_base64(out, pair, user + 1 + password);
    explicit_bzero(pair, user + 1 + password);
    free(pair);
    return true;
}

static const struct {
    enum err_class class;
    const char *code, *message;
} stops[] = {
    [HTTP_STOP_GATE] = {ERR_RETRY_LATER, "http.gate",
                        "the caller withdrew the request before it left"},
    [HTTP_STOP_LARGE] = {ERR_PERMANENT, "http.too_large", "the answer is larger than allowed"},
    [HTTP_STOP_ABORTED] = {ERR_PERMANENT, "http.aborted", "the caller ended the transfer"},
    [HTTP_STOP_DIED] = {ERR_RETRY_LATER, "http.reset",
                        "a kept connection died under the request, which is not sent twice"},
    [HTTP_STOP_ADDRESS] = {ERR_PERMANENT, "http.address",
                           "the address of this host is not a public one; allow its network with "
                           "tool_networks"},
};

void http_stop_error(enum http_stop stop, struct err *err)
{
    err_set(err, stops[stop].class, stops[stop].code, "%s", stops[stop].message);
}

int64_t http_limits_deadline(const struct http_limits *limits)
{
    int64_t deadline = INT64_MAX;
    if (limits->total_ms > 0)
        deadline = limits->started_ms + limits->total_ms;
    int64_t other = INT64_MAX;
    if (limits->last_ms == 0 && limits->first_byte_ms > 0)
        other = limits->started_ms + limits->first_byte_ms;
    if (limits->last_ms > 0 && limits->idle_ms > 0)
        other = limits->last_ms + limits->idle_ms;
    return other < deadline ? other : deadline;
}

const char *http_limits_name(const struct http_limits *limits, int64_t now_ms)
{
    if (limits->total_ms > 0 && now_ms >= limits->started_ms + limits->total_ms)
        return "total";
    return limits->last_ms == 0 ? "first byte" : "idle";
}

/* RFC 9110's preferred date form is RFC 2822's with the zone spelt GMT. */
static bool parse_http_date(const char *value, int64_t *wall_ms)
{
    char date[64];
    size_t length = strlen(value);
    if (length < 4 || length > 40 || strcmp(value + length - 4, " GMT") != 0)
        return false;
    snprintf(date, sizeof date, "%.*s +0000", (int)(length - 4), value);
    return clock_parse_rfc2822(date, wall_ms, NULL) == 0;
}

int64_t http_retry_after_ms(const char *value)
{
    int64_t seconds, wall_ms, wait_ms = 0;
    if (value == NULL)
        return 0;
    if (text_parse_int(value, 0, INT64_MAX / 1000, &seconds))
        wait_ms = seconds * 1000;
    else if (parse_http_date(value, &wall_ms))
        wait_ms = wall_ms - clock_wall_ms();
    if (wait_ms < 0)
        return 0;
    return wait_ms < RETRY_AFTER_MAX_MS ? wait_ms : RETRY_AFTER_MAX_MS;
}
