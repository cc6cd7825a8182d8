/* Handshakes of RFC 6455: the request's head is split here in the shape that CivetWeb leaves, so
 * that the same strict gate judges it (server_gate.c). Called by socket.c. */
#include "http/socket_inside.h"

#include "base/text.h"
#include "crypto/sha1.h"

#include <string.h>
#include <strings.h>

#define KEY_BYTES   16
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define VERSION     "HTTP/"

/* ---- splitting ---- */

size_t upgrade_head_length(const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end - bytes) + 4;
}

/* No control character but the CR LF of line ends, and tabs. */
static bool is_printable(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\r' && i + 1 < length && bytes[i + 1] == '\n')
            i++;
        else if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Ends the line at `line` with NULs; returns the next. */
static char *cut_line(char *line)
{
    char *end = strstr(line, "\r\n");
    end[0] = end[1] = '\0';
    return end + 2;
}

/* "GET /path?query HTTP/1.1" */
static bool split_request_line(char *line, struct upgrade_head *head)
{
    char *target = strchr(line, ' ');
    char *version = target == NULL ? NULL : strchr(target + 1, ' ');
    if (version == NULL || strncmp(version + 1, VERSION, strlen(VERSION)) != 0)
        return false;
    *target++ = *version++ = '\0';
    head->http.method = line;
    head->http.uri = target;
    head->http.version = version + strlen(VERSION);
    head->question = strchr(target, '?');
    if (head->question != NULL) {
        *head->question = '\0';
        head->http.query = head->question + 1;
    }
    return true;
}

static bool split_line(char *line, struct http_line *out)
{
    char *colon = strchr(line, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    *out = (struct http_line){.name = line, .value = colon + 1 + strspn(colon + 1, " \t")};
    return true;
}

/* `length` bytes that end with the empty line, which is left as CR NUL: the gate wants to see it.
 */
static bool split_head(char *bytes, size_t length, struct upgrade_head *head)
{
    *head = (struct upgrade_head){.http.lines = head->lines};
    if (!is_printable(bytes, length))
        return false;
    bytes[length - 1] = '\0';
    char *line = cut_line(bytes);
    if (!split_request_line(bytes, head))
        return false;
    while (strcmp(line, "\r") != 0) {
        if (head->http.line_count > HTTP_HEADERS_MAX)
            return false;
        char *next = cut_line(line);
        if (!split_line(line, &head->lines[head->http.line_count++]))
            return false;
        line = next;
    }
    return true;
}

/* ---- judging ---- */

static int find(const struct upgrade_head *head, const char *name, const char **value)
{
    return http_gate_find(head->lines, head->http.line_count, name, value);
}

static bool list_has(const char *list, const char *word)
{
    while (*list != '\0') {
        list += strspn(list, ", \t");
        size_t length = strcspn(list, ", \t");
        if (length == strlen(word) && strncasecmp(list, word, length) == 0)
            return true;
        list += length;
    }
    return false;
}

/* True if one of the headers of that name lists the word. */
static bool lists(const struct upgrade_head *head, const char *name, const char *word)
{
    for (size_t i = 0; i < head->http.line_count; i++)
        if (strcasecmp(head->lines[i].name, name) == 0 && list_has(head->lines[i].value, word))
            return true;
    return false;
}

static bool is_upgrade(const struct upgrade_head *head)
{
    const char *version = "";
    return lists(head, "Connection", "upgrade") && lists(head, "Upgrade", "websocket") &&
           find(head, "Sec-WebSocket-Version", &version) == 1 && strcmp(version, "13") == 0;
}

static bool has_key(const struct upgrade_head *head)
{
    const char *key = "";
    struct strbuf decoded;
    strbuf_init(&decoded, HTTP_HEAD_BYTES_MAX);
    bool ok = find(head, "Sec-WebSocket-Key", &key) == 1 &&
              text_decode_base64(key, strlen(key), &decoded) && decoded.length == KEY_BYTES;
    strbuf_fini(&decoded);
    return ok;
}

static struct upgrade_answer refusal(int status, const char *reason)
{
    return (struct upgrade_answer){
        .status = status, .refusal = SOCKET_REFUSED_MALFORMED, .reason = reason};
}

static struct upgrade_answer judge(const struct upgrade_head *head, const char *path_prefix)
{
    struct http_framing framing;
    const char *reason = "";
    int status = http_gate_judge(&head->http, &framing, &reason);
    if (status != 0)
        return refusal(status, reason);
    if (framing.chunked || framing.content_length > 0)
        return refusal(400, "a body where none belongs");
    if (strcmp(head->http.version, "1.1") != 0)
        return refusal(505, "HTTP/1.1 only");
    if (strcmp(head->http.method, "GET") != 0)
        return refusal(405, "GET only");
    if (strncmp(head->http.uri, path_prefix, strlen(path_prefix)) != 0)
        return (struct upgrade_answer){404, SOCKET_REFUSED_PATH, "no such path"};
    if (!is_upgrade(head))
        return refusal(426, "this path speaks WebSocket, version 13");
    if (!has_key(head))
        return refusal(400, "Sec-WebSocket-Key is missing, doubled or malformed");
    return (struct upgrade_answer){.reason = ""};
}

bool upgrade_judge(char *bytes, size_t length, const char *path_prefix, struct upgrade_head *head,
                   struct upgrade_answer *answer)
{
    bool split = split_head(bytes, length, head);
    *answer = split ? judge(head, path_prefix) : refusal(400, "the request's head is malformed");
    if (split && head->question != NULL)
        *head->question = '?';
    return answer->status == 0;
}

const char *socket_handshake_header(const struct socket_handshake *handshake, const char *name,
                                    int *count)
{
    const char *value = NULL;
    int found = find(handshake->head, name, &value);
    if (count != NULL)
        *count = found;
    return value;
}

/* ---- answering ---- */

void upgrade_accept(const struct upgrade_head *head, struct strbuf *out)
{
    const char *key = "";
    uint8_t hash[CRYPTO_SHA1_BYTES];
    struct strbuf text;
    find(head, "Sec-WebSocket-Key", &key);
    strbuf_init(&text, HTTP_HEAD_BYTES_MAX);
    strbuf_printf(&text, "%s" ACCEPT_GUID, key);
    crypto_sha1(text.data, text.length, hash);
    strbuf_fini(&text);
    strbuf_add_text(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    text_add_base64(out, hash, sizeof hash);
    strbuf_add_text(out, "\r\n\r\n");
}

static const char *headers_of(int status)
{
    static const struct {
        int status;
        const char *headers;
    } more[] = {
        {405, "Allow: GET\r\n"},
        {426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
        {503, "Retry-After: 1\r\n"},
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (more[i].status == status)
            return more[i].headers;
    return "";
}

void upgrade_refuse(const struct upgrade_answer *answer, struct strbuf *out)
{
    http_answer_begin(answer->status, out);
    strbuf_printf(out,
                  "%sContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n"
                  "%s\n",
                  headers_of(answer->status), strlen(answer->reason) + 1, answer->reason);
}
