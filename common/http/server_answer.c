/* An answer as one ready-made buffer: one write per answer doubles CivetWeb's rate. Called by
 * server.c and socket_upgrade.c. */
#include "http/server_inside.h"

#include <time.h>

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {204, "No Content"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *phrase_of(int status)
{
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Status";
}

static void add_date(struct strbuf *out)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm tm;
    if (gmtime_r(&now, &tm) == NULL)
        return;
    strbuf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
                  months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void http_answer_begin(int status, struct strbuf *out)
{
    strbuf_printf(out, "HTTP/1.1 %d %s\r\n", status, phrase_of(status));
    add_date(out);
}

void http_answer_format(const struct http_response *response, bool head_only, struct strbuf *out)
{
    bool has_body = response->content_type != NULL && response->status != 204;
    http_answer_begin(response->status, out);
    if (has_body)
        strbuf_printf(out, "Content-Type: %s\r\n", response->content_type);
    if (response->status != 204)
        strbuf_printf(out, "Content-Length: %zu\r\n", has_body ? response->body_length : 0);
    if (response->retry_after_s > 0)
        strbuf_printf(out, "Retry-After: %d\r\n", response->retry_after_s);
    if (response->allow != NULL)
        strbuf_printf(out, "Allow: %s\r\n", response->allow);
    strbuf_add_text(out, response->close ? "Connection: close\r\n\r\n"
                                         : "Connection: keep-alive\r\n\r\n");
    if (has_body && !head_only)
        strbuf_add(out, response->body, response->body_length);
}
