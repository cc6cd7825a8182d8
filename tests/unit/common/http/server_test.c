/* The HTTP server over real sockets: what the gate refuses (each refusal also closes the connection
 * and never lets a second request through), what it accepts, limits of time and number, drain. */
#include "http/server.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "loop/loop.h"

#define BODY_MAX    4096
#define DEADLINE_MS 3000
#define THREADS     8
#define CONCURRENCY 4

static struct http_server *server;
static atomic_int handled, inside;
static atomic_bool hold;
static char last_seen[512];

/* Answers with what it saw; /hold waits until the test lets go. */
static void handle(void *arg, const struct http_request *request, struct http_response *response)
{
    (void)arg;
    atomic_fetch_add(&handled, 1);
    atomic_fetch_add(&inside, 1);
    for (int i = 0; strcmp(request->path, "/hold") == 0 && atomic_load(&hold) && i < 5000; i++)
        poll(NULL, 0, 1);
    int doubled = 0;
    const char *mark = http_request_header(request, "x-mark", &doubled);
    snprintf(last_seen, sizeof last_seen, "%s|%s|%s|%s|%s|%.*s|%s%d", request->method,
             request->target, request->path, request->query, request->content_type,
             request->body_length < 64 ? (int)request->body_length : 64, request->body,
             mark == NULL ? "-" : mark, doubled);
    if (strcmp(request->path, "/405") == 0) {
        *response = (struct http_response){.status = 405, .allow = "POST"};
    } else if (strcmp(request->path, "/204") == 0) {
        response->status = 204;
    } else if (strcmp(request->path, "/503") == 0) {
        *response = (struct http_response){.status = 503, .retry_after_s = 7};
    } else if (strcmp(request->path, "/silent") != 0) {
        response->status = 200;
        response->content_type = "text/plain";
        response->body = arena_strdup(request->arena, last_seen);
        response->body_length = strlen(last_seen);
    }
    atomic_fetch_sub(&inside, 1);
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int open_connection(void)
{
    return connect_to(http_server_port(server));
}

static void put(int fd, const char *bytes, size_t length)
{
    size_t sent = 0;
    while (sent < length) {
        ssize_t n = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server closed: the answer tells why */
        sent += (size_t)n;
    }
}

/* Reads until the peer closes or the time is over; true if it closed. */
static bool take(int fd, struct strbuf *out, int64_t wait_ms)
{
    int64_t end_ms = clock_mono_ms() + wait_ms;
    for (;;) {
        char bytes[8192];
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_mono_ms();
        if (left_ms <= 0 || poll(&poller, 1, (int)left_ms) <= 0)
            return false;
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0)
            return true;
        strbuf_add(out, bytes, (size_t)n);
    }
}

/* "200 400": the statuses of all answers in the bytes. */
static void statuses_of(const struct strbuf *answers, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *p = answers->data; (p = strstr(p, "HTTP/1.1 ")) != NULL; p += 9)
        if (used + 5 < size)
            used += (size_t)snprintf(out + used, size - used, "%s%.3s", used > 0 ? " " : "", p + 9);
}

/* Sends all at once, ends the sending side, and gives the statuses of the answers. */
static void talk(const char *bytes, size_t length, char *statuses, size_t size)
{
    struct strbuf answers;
    strbuf_init(&answers, 1 << 20);
    int fd = open_connection();
    put(fd, bytes, length);
    shutdown(fd, SHUT_WR);
    CU_ASSERT_TRUE(take(fd, &answers, 5000));
    statuses_of(&answers, statuses, size);
    close(fd);
    strbuf_fini(&answers);
}

/* ---- the gate ---- */

struct gate_case {
    const char *bytes;
    size_t length;
    const char *expected; /* statuses; "" for a connection that is closed without a word */
};

#define CASE(expected, bytes)                                                                      \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, expected                                                         \
    }
#define HOST "Host: a.example\r\n"
#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define H8(n)                                                                                      \
    "A" n "0: 1\r\nA" n "1: 1\r\nA" n "2: 1\r\nA" n "3: 1\r\nA" n "4: 1\r\nA" n "5: 1\r\nA" n      \
    "6: 1\r\nA" n "7: 1\r\n"
#define H56 H8("0") H8("1") H8("2") H8("3") H8("4") H8("5") H8("6")

static const struct gate_case refused[] = {
    /* Host */
    CASE("400", "GET /x HTTP/1.1\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.0\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST HOST "\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "host: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost:\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: \r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a,b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a \r\n\r\n"),
    /* Content-Length */
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 9\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\ncontent-length: 0\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3,3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3abc\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3 \r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3.0\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3 4\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 1e1\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: abc\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: \"3\"\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3;\r\n\r\nabc"),
    CASE("400",
         "POST /x HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length\t: 3\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST " Content-Length: 3\r\n\r\nabc"),
    CASE("413", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4097\r\n\r\nabc"),
    CASE("413", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999\r\n\r\nabc"),
    /* Transfer-Encoding */
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"
                "\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"
                "\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"
                "\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
                "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n"
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding:\x0b"
                "chunked\r\n\r\n0\r\n\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                "ffffffffffffffff\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                "8000000000000000\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                "10000000000000000\r\nabc\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\n"),
    /* line ends and folding */
    CASE("400", "GET /x HTTP/1.1\n" HOST "\r\n"),
    CASE("400", "GET /x HTTP/1.1\nHost: a\n\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a\nAccept: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a\n\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a\r\n\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a\rAccept: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A: b\r\n c\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A: b\r\n\tc\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A: b\r\n  \r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A:\r\n b\r\nX-B: c\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n  " HOST "\r\n"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "X: y\r\n Content-Length: 3\r\n\r\nabc"),
    /* header names and values */
    CASE("400", "GET /x HTTP/1.1\r\n" HOST ": b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X A: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A : b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A :\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A  : b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X(A): b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X\"A: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X/A: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X@A: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X\xc3\xa4: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X\0A: b\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A: b\0c\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A: b\x01"
                "c\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST "X-A: b\x7f"
                "c\r\n\r\n"),
    CASE("400", "GET /x HTTP/1.1\r\n" HOST H56 H8("7") "\r\n"), /* 65 */
    CASE("400", "GET /x HTTP/1.1\r\n" HOST H56 H8("7") H8("8") H8("9") "\r\n"),
    CASE("417", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 200-ok\r\n\r\nabc"),
    CASE("417", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n"
                "Expect: 100-continue\r\n\r\nabc"),
    /* request line */
    CASE("400", "GET  /x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x  HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET\t/x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x\tHTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x HTTP/1.1 \r\n" HOST "\r\n"),
    CASE("400", "GET /x\r\n" HOST "\r\n"),
    CASE("400", "GET HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x y HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x\r\n HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x \r\nHTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x http/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x HTCPCP/1.1\r\n" HOST "\r\n"),
    CASE("505", "GET /x HTTP/2.0\r\n" HOST "\r\n"),
    CASE("505", "GET /x HTTP/1.2\r\n" HOST "\r\n"),
    CASE("505", "GET /x HTTP/1.10\r\n" HOST "\r\n"),
    CASE("505", "GET /x HTTP/0.9\r\n" HOST "\r\n"),
    CASE("505", "GET /x HTTP/\r\n" HOST "\r\n"),
    CASE("400", "FOO /x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "get /x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    CASE("400", "G\0T /x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "\0GET /x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), /* a TLS hello */
    /* target */
    CASE("400", "GET /x%00y HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x?a=%00 HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x\0y HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x#y HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /x?a#y HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET ?x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("", "GET http://a.example/x HTTP/1.1\r\n" HOST "\r\n"),
    CASE("", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n"),
    CASE("400", "GET http:/x HTTP/1.1\r\n" HOST "\r\n"),
    /* short bodies */
    CASE("408", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 500\r\n\r\nabc"),
    CASE("400", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n50\r\nabc"),
    /* blank lines that make CivetWeb lose the boundary between head and body */
    CASE("400", "\n\nPOST /x HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabcdefghi"),
    CASE("400", "\r\n\r\nPOST /x HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabcdefghi"),
};

#define SECOND "GET /second HTTP/1.1\r\n" HOST "\r\n"

static void test_gate_refuses(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const struct gate_case *c = &refused[i];
        char statuses[64];
        int before = atomic_load(&handled);
        struct strbuf bytes;
        strbuf_init(&bytes, 1 << 16);
        strbuf_add(&bytes, c->bytes, c->length);
        strbuf_add_text(&bytes, SECOND);
        bool short_body = strcmp(c->expected, "408") == 0 || strstr(c->bytes, "50\r\nabc") != NULL;
        talk(bytes.data, short_body ? c->length : bytes.length, statuses, sizeof statuses);
        bool ok = atomic_load(&handled) == before && strncmp(statuses, c->expected, 3) == 0 &&
                  strlen(statuses) == strlen(c->expected);
        /* a lost sender and one who gave up are the same to us: 400 or 408 */
        if (short_body)
            ok = atomic_load(&handled) == before && statuses[0] == '4';
        if (!ok)
            fprintf(stderr, "refused[%zu]: got \"%s\", handled %d: %s\n", i, statuses,
                    atomic_load(&handled) - before, c->bytes);
        CU_ASSERT_TRUE(ok);
        strbuf_fini(&bytes);
    }
}

struct good_case {
    const char *bytes, *seen;
};

static const struct good_case accepted[] = {
    {"GET /x HTTP/1.1\r\n" HOST "\r\n", "GET|/x|/x||||-0"},
    {"GET /x? HTTP/1.1\r\n" HOST "\r\n", "GET|/x?|/x||||-0"},
    {"GET /x?a=1&b=%20+%2B HTTP/1.1\r\n" HOST "\r\n", "GET|/x?a=1&b=%20+%2B|/x|a=1&b=%20+%2B|||-0"},
    {"GET /a%2Fb/../c//d;e HTTP/1.1\r\n" HOST "\r\n",
     "GET|/a%2Fb/../c//d;e|/a%2Fb/../c//d;e||||-0"},
    {"GET /x?a?b HTTP/1.1\r\n" HOST "\r\n", "GET|/x?a?b|/x|a?b|||-0"},
    {"GET /'\"~! HTTP/1.1\r\n" HOST "\r\n", "GET|/'\"~!|/'\"~!||||-0"},
    {"GET /x HTTP/1.0\r\n" HOST "\r\n", "GET|/x|/x||||-0"},
    {"GET /x HTTP/1.1\r\nhOsT:a:8080\r\nX-Mark:  v w \r\n\r\n", "GET|/x|/x||||v w 1"},
    {"GET /x HTTP/1.1\r\n" HOST "X-Mark: 1\r\nx-mARK: 2\r\n\r\n", "GET|/x|/x||||12"},
    {"GET /x HTTP/1.1\r\n" HOST "X-Mark:\r\n\r\n", "GET|/x|/x||||1"},
    {"GET /x HTTP/1.1\r\n" HOST "X-Mark: gr\xc3\xbc\xc3\x9f"
     "e\r\n\r\n",
     "GET|/x|/x||||gr\xc3\xbc\xc3\x9f"
     "e1"},
    {"GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET|/x|/x||||-0"},
    {"GET /x HTTP/1.1\r\n" HOST H56 "B0: 1\r\nB1: 1\r\nB2: 1\r\nB3: 1\r\nB4: 1\r\nB5: 1\r\n"
     "B6: 1\r\n\r\n",
     "GET|/x|/x||||-0"}, /* 64 */
    {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Type: a/b; c=d\r\n\r\nabc",
     "POST|/x|/x||a/b; c=d|abc|-0"},
    {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 0003\r\n\r\nabc", "POST|/x|/x|||abc|-0"},
    {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST|/x|/x||||-0"},
    {"POST /x HTTP/1.1\r\n" HOST "\r\n", "POST|/x|/x||||-0"},
    {"POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
     "0\r\n\r\n",
     "POST|/x|/x|||abcde|-0"},
    {"POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST|/x|/x||||-0"},
    {"POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n"
     "0\r\n\r\n",
     "POST|/x|/x|||0123456789|-0"},
    {"PUT /x HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nq", "PUT|/x|/x|||q|-0"},
    {"DELETE /x HTTP/1.1\r\n" HOST "\r\n", "DELETE|/x|/x||||-0"},
    {"OPTIONS /x HTTP/1.1\r\n" HOST "Origin: b\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
     "OPTIONS|/x|/x||||-0"},
    {"GET /x HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     "GET|/x|/x||||-0"},
};

static void test_gate_accepts(void)
{
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        char statuses[64];
        last_seen[0] = '\0';
        talk(accepted[i].bytes, strlen(accepted[i].bytes), statuses, sizeof statuses);
        bool ok = strcmp(statuses, "200") == 0 && strcmp(last_seen, accepted[i].seen) == 0;
        if (!ok)
            fprintf(stderr, "accepted[%zu]: got \"%s\", saw %s\n", i, statuses, last_seen);
        CU_ASSERT_TRUE(ok);
    }
}

/* A head of exactly 16 kB passes, one byte more does not, 40 kB neither; nothing crashes. */
static void test_head_size(void)
{
    static const struct {
        size_t total;
        const char *expected;
    } cases[] = {{16384, "200"}, {16385, "400"}, {20000, "400"},
                 {32767, "400"}, {32768, "400"}, {40000, "400"}};
    static const char start[] = "GET /x HTTP/1.1\r\n" HOST "X-Long: ";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char statuses[64];
        struct strbuf bytes;
        strbuf_init(&bytes, 1 << 17);
        strbuf_add_text(&bytes, start);
        while (bytes.length < cases[i].total - 4)
            strbuf_add_char(&bytes, 'x');
        strbuf_add_text(&bytes, "\r\n\r\n");
        talk(bytes.data, bytes.length, statuses, sizeof statuses);
        if (strcmp(statuses, cases[i].expected) != 0)
            fprintf(stderr, "head of %zu: got \"%s\"\n", cases[i].total, statuses);
        CU_ASSERT_STRING_EQUAL(statuses, cases[i].expected);
        strbuf_fini(&bytes);
    }
}

static void test_body_size(void)
{
    static const struct {
        size_t size;
        bool chunked;
        const char *expected;
    } cases[] = {{BODY_MAX, false, "200"}, {BODY_MAX + 1, false, "413"}, {300000, false, "413"},
                 {BODY_MAX, true, "200"},  {BODY_MAX + 1, true, "413"},  {300000, true, "413"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char statuses[64];
        struct strbuf bytes;
        strbuf_init(&bytes, 1 << 20);
        strbuf_add_text(&bytes, "POST /x HTTP/1.1\r\n" HOST);
        if (cases[i].chunked)
            strbuf_printf(&bytes, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", cases[i].size);
        else
            strbuf_printf(&bytes, "Content-Length: %zu\r\n\r\n", cases[i].size);
        for (size_t n = 0; n < cases[i].size; n++)
            strbuf_add_char(&bytes, 'b');
        if (cases[i].chunked)
            strbuf_add_text(&bytes, "\r\n0\r\n\r\n");
        talk(bytes.data, bytes.length, statuses, sizeof statuses);
        if (strcmp(statuses, cases[i].expected) != 0)
            fprintf(stderr, "body of %zu: got \"%s\"\n", cases[i].size, statuses);
        CU_ASSERT_STRING_EQUAL(statuses, cases[i].expected);
        strbuf_fini(&bytes);
    }
}

/* ---- connections ---- */

static void test_pipelined(void)
{
    static const char body[] = "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    static const char chunked[] =
        "POST /b HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    char statuses[64];
    struct strbuf bytes;
    strbuf_init(&bytes, 1 << 16);
    for (int i = 0; i < 3; i++) {
        strbuf_add_text(&bytes, body);
        strbuf_add_text(&bytes, chunked);
    }
    int before = atomic_load(&handled);
    talk(bytes.data, bytes.length, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200 200 200 200 200 200");
    CU_ASSERT_EQUAL(atomic_load(&handled) - before, 6);
    strbuf_clear(&bytes);
    strbuf_add_text(&bytes, body);
    strbuf_add_text(&bytes, "GET /405 HTTP/1.1\r\n" HOST "\r\n" SECOND);
    talk(bytes.data, bytes.length, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200 405");
    CU_ASSERT_PTR_NOT_NULL(strstr(last_seen, "/405"));
    strbuf_fini(&bytes);
}

static void test_connection_header(void)
{
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"GET /x HTTP/1.1\r\n" HOST "\r\n" SECOND, "200 200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n" SECOND, "200 200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" SECOND, "200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: keep-alive, upgrade\r\n\r\n" SECOND, "200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n" SECOND,
         "200"},
        {"GET /x HTTP/1.0\r\n" HOST "\r\n" SECOND, "200"},
        {"GET /x HTTP/1.0\r\n" HOST "Connection: Keep-Alive\r\n\r\n" SECOND, "200 200"},
        {"GET /204 HTTP/1.1\r\n" HOST "\r\n" SECOND, "204 200"},
        {"GET /silent HTTP/1.1\r\n" HOST "\r\n" SECOND, "500"},
        {"GET /503 HTTP/1.1\r\n" HOST "\r\n" SECOND, "503"},
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc" SECOND,
         "100 200 200"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char statuses[64];
        talk(cases[i].bytes, strlen(cases[i].bytes), statuses, sizeof statuses);
        if (strcmp(statuses, cases[i].expected) != 0)
            fprintf(stderr, "connection[%zu]: got \"%s\"\n", i, statuses);
        CU_ASSERT_STRING_EQUAL(statuses, cases[i].expected);
    }
}

static void test_answer_bytes(void)
{
    static const struct {
        const char *bytes;
        const char *has[4], *lacks;
    } cases[] = {
        {"GET /405 HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: POST\r\n", "\r\nContent-Length: 0\r\n",
          "\r\nConnection: close\r\n\r\n"},
         "keep-alive"},
        {"GET /503 HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 503 ", "\r\nRetry-After: 7\r\n", "\r\nDate: ", "GMT\r\n"},
         "keep-alive"},
        {"GET /204 HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 204 ", "\r\nConnection: keep-alive\r\n\r\n", "", ""},
         "Content-Length"},
        {"GET /x HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 200 OK\r\n", "\r\nContent-Type: text/plain\r\n", "\r\nContent-Length: 15\r\n",
          "\r\n\r\nGET|/x|/x||||-0"},
         "close"},
        {"HEAD /x HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 200 OK\r\n", "\r\nContent-Length: 16\r\n", "", ""},
         "HEAD|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf answer;
        strbuf_init(&answer, 1 << 16);
        int fd = open_connection();
        put(fd, cases[i].bytes, strlen(cases[i].bytes));
        shutdown(fd, SHUT_WR);
        CU_ASSERT_TRUE(take(fd, &answer, 5000));
        for (int k = 0; k < 4; k++)
            CU_ASSERT_PTR_NOT_NULL(strstr(answer.data, cases[i].has[k]));
        CU_ASSERT_PTR_NULL(strstr(answer.data, cases[i].lacks));
        close(fd);
        strbuf_fini(&answer);
    }
}

/* ---- time ---- */

/* Sends one byte each `every_ms` until the server closes; returns how long that took. */
static int64_t drip(const char *head, const char *byte, int every_ms, char *statuses, size_t size)
{
    struct strbuf answer;
    strbuf_init(&answer, 1 << 16);
    int64_t begin_ms = clock_mono_ms();
    int fd = open_connection();
    put(fd, head, strlen(head));
    while (clock_mono_ms() - begin_ms < 3L * DEADLINE_MS) {
        if (take(fd, &answer, every_ms))
            break;
        if (byte != NULL)
            put(fd, byte, 1);
    }
    close(fd);
    statuses_of(&answer, statuses, size);
    strbuf_fini(&answer);
    return clock_mono_ms() - begin_ms;
}

static void test_slow_senders(void)
{
    static const struct {
        const char *head, *byte, *expected;
        int64_t least_ms, most_ms;
    } cases[] = {
        {"", NULL, "", 1500, 4800},                         /* silent */
        {"GET /x HT", NULL, "408", 1500, 4800},             /* half a head */
        {"GET /x HTTP/1.1\r\nX: ", "y", "408", 1500, 4800}, /* a dripping head */
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 3000\r\n\r\n", "y", "408", 2500, 4500},
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 3000\r\n\r\n", NULL, "408", 1400, 4500},
        {"POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfff\r\n", "y", "408", 2500,
         4500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char statuses[64];
        int before = atomic_load(&handled);
        int64_t took_ms = drip(cases[i].head, cases[i].byte, 50, statuses, sizeof statuses);
        bool ok = strcmp(statuses, cases[i].expected) == 0 && took_ms >= cases[i].least_ms &&
                  took_ms <= cases[i].most_ms && atomic_load(&handled) == before;
        if (!ok)
            fprintf(stderr, "slow[%zu]: \"%s\" after %lld ms\n", i, statuses, (long long)took_ms);
        CU_ASSERT_TRUE(ok);
    }
}

/* Far more idle connections than threads: a good client still gets through, and soon. */
static void test_idle_connections(void)
{
    enum { IDLE = 100 };
    int fds[IDLE];
    char statuses[64];
    for (int i = 0; i < IDLE; i++)
        fds[i] = open_connection();
    int64_t begin_ms = clock_mono_ms();
    talk(SECOND, strlen(SECOND), statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200");
    CU_ASSERT_TRUE(clock_mono_ms() - begin_ms < 1000L + IDLE / THREADS * 500);
    for (int i = 0; i < IDLE; i++)
        close(fds[i]);
}

/* ---- number ---- */

static bool wait_for(const atomic_int *value, int wanted)
{
    for (int i = 0; i < 3000; i++) {
        if (atomic_load(value) == wanted)
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

static void test_concurrency(void)
{
    static const char held[] = "GET /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    int fds[CONCURRENCY];
    char statuses[64];
    atomic_store(&hold, true);
    for (int i = 0; i < CONCURRENCY; i++) {
        fds[i] = open_connection();
        put(fds[i], held, sizeof held - 1);
    }
    CU_ASSERT_TRUE(wait_for(&inside, CONCURRENCY));
    static const char another[] = "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" SECOND;
    talk(another, sizeof another - 1, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "503");
    atomic_store(&hold, false);
    for (int i = 0; i < CONCURRENCY; i++) {
        struct strbuf answer;
        strbuf_init(&answer, 1 << 16);
        CU_ASSERT_TRUE(take(fds[i], &answer, 3000));
        statuses_of(&answer, statuses, sizeof statuses);
        CU_ASSERT_STRING_EQUAL(statuses, "200");
        strbuf_fini(&answer);
        close(fds[i]);
    }
    talk(SECOND, strlen(SECOND), statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200");
}

struct hammer {
    int good, bad;
};

static void hammer_run(void *arg)
{
    struct hammer *hammer = arg;
    for (int i = 0; i < 100; i++) {
        char statuses[64];
        static const char bytes[] =
            "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" SECOND;
        struct strbuf answers;
        strbuf_init(&answers, 1 << 16);
        int fd = open_connection();
        put(fd, bytes, sizeof bytes - 1);
        shutdown(fd, SHUT_WR);
        take(fd, &answers, 5000);
        statuses_of(&answers, statuses, sizeof statuses);
        bool good = strcmp(statuses, "200 200") == 0 || strcmp(statuses, "503") == 0 ||
                    strcmp(statuses, "200 503") == 0;
        hammer->good += good;
        hammer->bad += !good;
        close(fd);
        strbuf_fini(&answers);
    }
}

static void test_many_at_once(void)
{
    struct thread *threads[6];
    struct hammer hammers[6] = {{0, 0}};
    for (int i = 0; i < 6; i++)
        threads[i] = thread_start(hammer_run, &hammers[i]);
    for (int i = 0; i < 6; i++) {
        thread_join(&threads[i]);
        CU_ASSERT_EQUAL(hammers[i].bad, 0);
        CU_ASSERT_EQUAL(hammers[i].good, 100);
    }
}

/* ---- start and drain ---- */

static void test_listen_addresses(void)
{
    static const char *const bad[] = {
        "127.0.0.1:8443s",  "127.0.0.1:80r",
        "127.0.0.1:80o",    "8080",
        "127.0.0.1",        ":8080",
        "127.0.0.1:",       "127.0.0.1:99999",
        "[::1]:8080",       "+8080",
        "127.0.0.1:80,81",  "x.example:80",
        "127.0.0.1:80,90s", "0.0.0.0:80s",
        "127.0.0.1:-1",     "127.0.0.1: 80",
        "127.0.0.1:8080 ",  "",
        "x127.0.0.1:8080",  "127.0.0.1:8080:8081",
    };
    struct http_server_options options = {.threads = 1,
                                          .concurrency = 1,
                                          .body_max_bytes = 1,
                                          .request_deadline_ms = 1000,
                                          .handle = handle};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_server *none = NULL;
        struct err err = {0};
        options.listen = bad[i];
        CU_ASSERT_EQUAL(http_server_start(&options, &none, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, "http.listen");
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_PTR_NULL(none);
    }
}

static void test_address_in_use(void)
{
    char listen[64];
    struct err err = {0};
    struct http_server *none = NULL;
    snprintf(listen, sizeof listen, "127.0.0.1:%d", http_server_port(server));
    struct http_server_options options = {.listen = listen,
                                          .threads = 1,
                                          .concurrency = 1,
                                          .body_max_bytes = 1,
                                          .request_deadline_ms = 1000,
                                          .handle = handle};
    CU_ASSERT_EQUAL(http_server_start(&options, &none, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "http.listen");
    CU_ASSERT_PTR_NULL(none);
}

static void let_go(void *arg)
{
    (void)arg;
    poll(NULL, 0, 300);
    atomic_store(&hold, false);
}

/* The last test: the server is of no use afterwards. */
static void test_drain(void)
{
    static const char held[] = "GET /hold HTTP/1.1\r\n" HOST "\r\n";
    char statuses[64];
    atomic_store(&hold, true);
    int fd = open_connection();
    put(fd, held, sizeof held - 1);
    CU_ASSERT_TRUE(wait_for(&inside, 1));
    CU_ASSERT_FALSE(http_server_drain(server, 50));
    talk(SECOND, strlen(SECOND), statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "503");
    struct thread *thread = thread_start(let_go, NULL);
    CU_ASSERT_TRUE(http_server_drain(server, 3000));
    thread_join(&thread);
    struct strbuf answer;
    strbuf_init(&answer, 1 << 16);
    take(fd, &answer, 1000);
    statuses_of(&answer, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200");
    strbuf_fini(&answer);
    close(fd);
}

static int set_up(void)
{
    struct err err;
    struct http_server_options options = {.listen = "127.0.0.1:0",
                                          .threads = THREADS,
                                          .concurrency = CONCURRENCY,
                                          .body_max_bytes = BODY_MAX,
                                          .request_deadline_ms = DEADLINE_MS,
                                          .handle = handle};
    signal(SIGPIPE, SIG_IGN);
    return http_server_start(&options, &server, &err);
}

static int tear_down(void)
{
    http_server_free(&server);
    return server == NULL ? 0 : -1;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http server", set_up, tear_down);
    CU_add_test(suite, "the gate refuses", test_gate_refuses);
    CU_add_test(suite, "the gate accepts", test_gate_accepts);
    CU_add_test(suite, "size of the head", test_head_size);
    CU_add_test(suite, "size of the body", test_body_size);
    CU_add_test(suite, "pipelined requests", test_pipelined);
    CU_add_test(suite, "keep-alive and close", test_connection_header);
    CU_add_test(suite, "the bytes of answers", test_answer_bytes);
    CU_add_test(suite, "slow senders", test_slow_senders);
    CU_add_test(suite, "idle connections", test_idle_connections);
    CU_add_test(suite, "bounded concurrency", test_concurrency);
    CU_add_test(suite, "many at once", test_many_at_once);
    CU_add_test(suite, "listen addresses", test_listen_addresses);
    CU_add_test(suite, "address in use", test_address_in_use);
    CU_add_test(suite, "drain", test_drain);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
