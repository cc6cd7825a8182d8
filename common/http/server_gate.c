/* The strict gate: everything about a request's head that two readers could understand differently
 * is refused, because a proxy stands before us and both must see the same requests. CivetWeb has
 * parsed the head by replacing separators with NUL; where it was lenient, the distances between the
 * fields tell. One thing leaves no trace: "\n " or "\r " instead of CR LF before the first header
 * line; it moves no boundary, and the proxy refuses it. Called by server.c before anything of the
 * request is used. */
#include "http/server_inside.h"

#include <string.h>
#include <strings.h>

#define CONTENT_LENGTH_DIGITS_MAX 18

/* RFC 9110: tchar. */
static bool is_token(const char *text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        char c = *text;
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && strchr(marks, c) == NULL)
            return false;
    }
    return true;
}

static bool is_host(const char *text)
{
    return *text != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789.-_:[]") == strlen(text);
}

static bool is_digits(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= CONTENT_LENGTH_DIGITS_MAX &&
           strspn(text, "0123456789") == length;
}

static int64_t number_of(const char *digits)
{
    int64_t value = 0;
    for (; *digits != '\0'; digits++)
        value = value * 10 + (*digits - '0');
    return value;
}

int http_gate_find(const struct http_line *lines, size_t count, const char *name,
                   const char **value)
{
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(lines[i].name, name) != 0)
            continue;
        if (found++ == 0 && value != NULL)
            *value = lines[i].value;
    }
    return found;
}

/* ---- the bytes between the fields ---- */

static const char *end_of(const char *text)
{
    return text + strlen(text);
}

/* One space between the words of the request line, CR LF behind it. */
static bool request_line_is_strict(const struct http_head *head)
{
    const char *target_end = end_of(head->query != NULL ? head->query : head->uri);
    return head->uri == end_of(head->method) + 1 &&
           head->version == target_end + 1 + strlen("HTTP/") &&
           head->lines[0].name == end_of(head->version) + 2;
}

/* Nothing but blanks between the colon and the value: CivetWeb zeroes blanks before the colon. */
static bool colon_is_strict(const struct http_line *line)
{
    for (const char *p = end_of(line->name) + 1; p < line->value; p++)
        if (*p != ' ' && *p != '\t')
            return false;
    return true;
}

/* CR LF, both zeroed, then the next name; behind the last line CR and the zeroed end of the head. A
 * folded line, a bare LF or a header too many leaves something else there. */
static bool ends_are_strict(const struct http_head *head)
{
    for (size_t i = 0; i + 1 < head->line_count; i++)
        if (head->lines[i + 1].name != end_of(head->lines[i].value) + 2)
            return false;
    const char *end = end_of(head->lines[head->line_count - 1].value);
    if (end - head->method > HTTP_HEAD_BYTES_MAX - 4)
        return false;
    return end[1] == '\0' && end[2] == '\r' && end[3] == '\0';
}

/* ---- the rules, in the order of their check ---- */

static bool check_target(const struct http_head *head)
{
    if (head->uri[0] != '/' || strchr(head->uri, '#') != NULL || strstr(head->uri, "%00") != NULL)
        return false;
    return head->query == NULL ||
           (strchr(head->query, '#') == NULL && strstr(head->query, "%00") == NULL);
}

static bool check_line_count(const struct http_head *head)
{
    return head->line_count > 0 && head->line_count <= HTTP_HEADERS_MAX;
}

static bool check_names(const struct http_head *head)
{
    for (size_t i = 0; i < head->line_count; i++)
        if (!is_token(head->lines[i].name) || !colon_is_strict(&head->lines[i]))
            return false;
    return true;
}

static bool check_host(const struct http_head *head)
{
    const char *host = "";
    return http_gate_find(head->lines, head->line_count, "Host", &host) == 1 && is_host(host);
}

static bool check_length(const struct http_head *head)
{
    const char *length = "0";
    int lengths = http_gate_find(head->lines, head->line_count, "Content-Length", &length);
    int codings = http_gate_find(head->lines, head->line_count, "Transfer-Encoding", NULL);
    return lengths <= 1 && is_digits(length) && (lengths == 0 || codings == 0);
}

static bool check_coding(const struct http_head *head)
{
    const char *coding = "chunked";
    return http_gate_find(head->lines, head->line_count, "Transfer-Encoding", &coding) <= 1 &&
           strcmp(coding, "chunked") == 0 &&
           (strcmp(head->version, "1.1") == 0 ||
            http_gate_find(head->lines, head->line_count, "Transfer-Encoding", NULL) == 0);
}

static const struct {
    bool (*passes)(const struct http_head *head);
    const char *reason;
} rules[] = {
    {check_line_count, "the header fields are missing or too many"},
    {request_line_is_strict, "the request line is malformed"},
    {ends_are_strict, "a header line is folded, not ended by CR LF, or too much"},
    {check_names, "a header name is malformed"},
    {check_target, "the request target is malformed"},
    {check_host, "Host is missing, doubled or malformed"},
    {check_length, "Content-Length is doubled, malformed or beside Transfer-Encoding"},
    {check_coding, "Transfer-Encoding is not chunked"},
};

static bool wants_keep_alive(const struct http_head *head)
{
    const char *connection = "keep-alive";
    int count = http_gate_find(head->lines, head->line_count, "Connection", &connection);
    if (count == 0)
        return strcmp(head->version, "1.1") == 0;
    return count == 1 && strcasecmp(connection, "keep-alive") == 0;
}

static int judge_expect(const struct http_head *head, struct http_framing *framing,
                        const char **reason)
{
    const char *expect = "";
    int count = http_gate_find(head->lines, head->line_count, "Expect", &expect);
    framing->expects_continue = count == 1 && strcasecmp(expect, "100-continue") == 0;
    if (count == 0 || framing->expects_continue)
        return 0;
    *reason = "only 100-continue can be expected";
    return 417;
}

int http_gate_judge(const struct http_head *head, struct http_framing *framing, const char **reason)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].passes(head))
            continue;
        *reason = rules[i].reason;
        return 400;
    }
    const char *length = "0";
    http_gate_find(head->lines, head->line_count, "Content-Length", &length);
    struct http_framing found = {
        .chunked = http_gate_find(head->lines, head->line_count, "Transfer-Encoding", NULL) == 1,
        .keep_alive = wants_keep_alive(head),
        .content_length = number_of(length),
    };
    int status = judge_expect(head, &found, reason);
    if (status == 0)
        *framing = found;
    return status;
}
