/* Handshakes, messages and closing of the WebSocket server over real sockets. */
#include "unit/common/http/socket_rig.h"

#define HOST "Host: a.example\r\n"
#define UPGRADE                                                                                    \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: " KEY "\r\n"
#define GOOD HEAD_OF(PREFIX "x")

/* ---- handshakes ---- */

/* The example of RFC 6455 1.3, with what browsers and proxies make of the headers. */
static void test_accepted(void)
{
    char head[1024];
    serve(usual_options());
    struct client client = client_open();
    static const char request[] =
        "GET /relay/t/CA1/9/mac%2F?a=1&b= HTTP/1.1\r\nhost: a.example\r\nUPGRADE: h2c, "
        "WebSocket\r\n"
        "Connection: keep-alive, upgrade\r\nsec-websocket-version: 13\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n"
        "x-twilio-signature: abc=\r\nSEC-WEBSOCKET-KEY: " KEY "\r\n\r\n";
    for (size_t i = 0; i < sizeof request - 1; i++)
        client_put(&client, request + i, 1); /* byte by byte */
    CU_ASSERT_EQUAL(client_status(&client, head, sizeof head), 101);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    CU_ASSERT_PTR_NULL(strstr(head, "Extensions"));
    CU_ASSERT_PTR_NULL(strstr(head, "Protocol:"));
    CU_ASSERT_STRING_EQUAL(last_guest()->target, "/relay/t/CA1/9/mac%2F?a=1&b=");
    CU_ASSERT_STRING_EQUAL(last_guest()->signature, "abc=");
    CU_ASSERT_EQUAL(last_guest()->signatures, 1);
    CU_ASSERT_STRING_EQUAL(last_guest()->remote, "127.0.0.1");
    client_text(&client, "Gr\xc3\xbc\xc3\x9f"
                         "e");
    client_expect(&client, "Gr\xc3\xbc\xc3\x9f"
                           "e");
    client_close(&client);
    WAIT_FOR(last_guest()->closed == 1);
    unserve();
}

static const struct {
    const char *request;
    int status;
    const char *has; /* in the answer's head */
} refusals[] = {
    {"\r\n\r\n", 400, ""},
    {"GET\r\n\r\n", 400, ""},
    {"GET /relay/x\r\n\r\n", 400, ""},
    {"GET  /relay/x HTTP/1.1\r\n" HOST UPGRADE "\r\n", 400, ""},
    {"GET /relay/x y HTTP/1.1\r\n" HOST UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1 \r\n" HOST UPGRADE "\r\n", 505, ""},
    {"GET /relay/x HTTP/1.0\r\n" HOST UPGRADE "\r\n", 505, ""},
    {"GET /relay/x HTTP/2.0\r\n" HOST UPGRADE "\r\n", 505, ""},
    {"GET /relay/x HTTP/1.1\n" HOST UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "A: b\n" UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "A: b\rc\r\n" UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "A: \x01\r\n" UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "A: b\r\n c\r\n" UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "A : b\r\n" UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "no colon\r\n" UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" UPGRADE "\r\n", 400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST HOST UPGRADE "\r\n", 400, ""},
    {"GET /relay/x%00 HTTP/1.1\r\n" HOST UPGRADE "\r\n", 400, ""},
    {"GET /relay/x#y HTTP/1.1\r\n" HOST UPGRADE "\r\n", 400, ""},
    {"GET http://a.example/relay/x HTTP/1.1\r\n" HOST UPGRADE "\r\n", 400, ""},
    {GOOD "Content-Length: 3\r\n\r\n", 400, ""},
    {GOOD "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400, ""},
    {GOOD "Transfer-Encoding: chunked\r\n\r\n", 400, ""},
    {GOOD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400, ""},
    {GOOD "\r\n\x81\x80mask", 400, ""}, /* a frame before the answer */
    {GOOD "Sec-WebSocket-Key: " KEY "\r\n\r\n", 400, ""},
    {"POST /relay/x HTTP/1.1\r\n" HOST UPGRADE "\r\n", 405, "\r\nAllow: GET\r\n"},
    {"HEAD /relay/x HTTP/1.1\r\n" HOST UPGRADE "\r\n", 405, "\r\nAllow: GET\r\n"},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE "\r\n", 404, ""},
    {"GET /relay HTTP/1.1\r\n" HOST UPGRADE "\r\n", 404, ""},
    {"GET /x/relay/ HTTP/1.1\r\n" HOST UPGRADE "\r\n", 404, ""},
    {"GET /?/relay/ HTTP/1.1\r\n" HOST UPGRADE "\r\n", 404, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "\r\n", 426,
     "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
    {"GET /relay/x HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 426, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: " KEY "\r\n\r\n",
     426, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: " KEY "\r\n\r\n",
     426, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\n\r\n",
     400, ""},
    {"GET /relay/x HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dG9vIHNob3J0\r\n\r\n",
     400, ""},
};

static void test_refused(void)
{
    serve(usual_options());
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char head[1024] = "";
        struct client client = client_open();
        client_put(&client, refusals[i].request, strlen(refusals[i].request));
        int status = client_status(&client, head, sizeof head);
        if (status != refusals[i].status)
            fprintf(stderr, "refusal[%zu]: %d\n", i, status);
        CU_ASSERT_EQUAL(status, refusals[i].status);
        CU_ASSERT_PTR_NOT_NULL(strstr(head, refusals[i].has));
        CU_ASSERT_PTR_NOT_NULL(strstr(head, "\r\nConnection: close\r\n"));
        CU_ASSERT_FALSE(client_await(&client, 1 << 20)); /* the connection ends */
        CU_ASSERT_TRUE(client.ended);
        client_close(&client);
    }
    CU_ASSERT_EQUAL(guest_count, 0);
    const struct socket_counts *counts = socket_server_counts(server);
    CU_ASSERT_EQUAL(counts->refused[SOCKET_REFUSED_PATH], 4);
    CU_ASSERT_EQUAL(counts->refused[SOCKET_REFUSED_MALFORMED],
                    sizeof refusals / sizeof refusals[0] - 4);
    CU_ASSERT_EQUAL(counts->opened, 0);
    unserve();
}

static void test_large_head(void)
{
    serve(usual_options());
    struct client client = client_open();
    struct strbuf request;
    strbuf_init(&request, 1 << 16);
    strbuf_add_text(&request, GOOD "X-Long: ");
    while (request.length < 20000)
        strbuf_add_char(&request, 'a');
    CU_ASSERT_EQUAL(client_ask(&client, request.data), 431);
    client_close(&client);
    strbuf_fini(&request);
    unserve();
}

static void test_owner_refuses(void)
{
    static const int statuses[] = {403, 404, 503};
    serve(usual_options());
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char head[1024] = "";
        struct client client = client_open();
        refuse_with = statuses[i];
        client_put(&client, GOOD "\r\n", strlen(GOOD "\r\n"));
        CU_ASSERT_EQUAL(client_status(&client, head, sizeof head), statuses[i]);
        CU_ASSERT_EQUAL(strstr(head, "\r\nRetry-After: ") != NULL, statuses[i] == 503);
        client_close(&client);
    }
    CU_ASSERT_EQUAL(socket_server_counts(server)->refused[SOCKET_REFUSED_BY_OWNER], 3);
    unserve();
}

/* Full is said before the owner is asked, and a place is free as soon as its socket is closed. */
static void test_full(void)
{
    serve(usual_options());
    struct client clients[4];
    for (int i = 0; i < 4; i++)
        clients[i] = client_upgraded();
    struct client fifth = client_open();
    CU_ASSERT_EQUAL(client_ask(&fifth, GOOD "\r\n"), 503);
    CU_ASSERT_EQUAL(guest_count, 4);
    CU_ASSERT_EQUAL(socket_server_counts(server)->refused[SOCKET_REFUSED_FULL], 1);
    client_close(&fifth);
    client_close(&clients[2]);
    WAIT_FOR(guests[2]->closed == 1);
    CU_ASSERT_EQUAL(guests[2]->end.cause, SOCKET_LOST);
    CU_ASSERT_EQUAL(guests[2]->end.code, 1006);
    CU_ASSERT_FALSE(guests[2]->end.clean);
    clients[2] = client_upgraded();
    CU_ASSERT_EQUAL(socket_server_counts(server)->open, 4);
    for (int i = 0; i < 4; i++)
        client_close(&clients[i]);
    unserve();
}

/* Silent connections are more than are allowed: a good client still gets through at once, and those
 * that stay are ended in time. */
static void test_silent_connections(void)
{
    enum { SILENT = 300 };
    static struct client silent[SILENT];
    char head[1024];
    serve(usual_options());
    int64_t begin_ms = clock_mono_ms();
    for (int i = 0; i < SILENT; i++) {
        silent[i] = client_open();
        loop_pass(loop);
    }
    client_put(&silent[SILENT - 1], "GET /rel", 8);
    struct client good = client_upgraded();
    CU_ASSERT_EQUAL(client_status(&silent[0], head, sizeof head), 0);
    CU_ASSERT_TRUE(silent[0].ended); /* the oldest made room */
    WAIT_FOR_MS((client_read(&silent[SILENT - 1]), silent[SILENT - 1].in.length > 0),
                SOCKET_HEAD_MS + WAIT_MS);
    CU_ASSERT_TRUE(clock_mono_ms() - begin_ms >= SOCKET_HEAD_MS);
    CU_ASSERT_EQUAL(client_status(&silent[SILENT - 1], head, sizeof head), 408);
    client_text(&good, "still here");
    client_expect(&good, "still here");
    for (int i = 0; i < SILENT; i++)
        client_close(&silent[i]);
    WAIT_FOR(socket_server_counts(server)->refused[SOCKET_REFUSED_LATE] == SILENT);
    client_close(&good);
    unserve();
}

/* ---- messages ---- */

static void test_fragments_and_pings(void)
{
    char payload[256];
    serve(usual_options());
    struct client client = client_upgraded();
    client_frame(&client, 0x01, "one ", 4);
    client_frame(&client, 0x89, "ping", 4);
    client_frame(&client, 0x00, "", 0);
    client_frame(&client, 0x8A, "unasked", 7);
    client_frame(&client, 0x80, "two", 3);
    CU_ASSERT_EQUAL(client_take(&client, payload, sizeof payload, NULL), 0x8A);
    CU_ASSERT_STRING_EQUAL(payload, "ping");
    client_expect(&client, "one two");
    CU_ASSERT_EQUAL(last_guest()->texts, 1);
    client_text(&client, "");
    client_expect(&client, "");
    CU_ASSERT_EQUAL(socket_server_counts(server)->frames_in, 6);
    CU_ASSERT_EQUAL(socket_server_counts(server)->frames_out, 3);
    client_close(&client);
    unserve();
}

/* The largest message, in one frame and in many; one byte more is refused. */
static void test_largest_message(void)
{
    enum { MAX = SOCKET_MESSAGE_MAX_BYTES, PART = MAX / 64 };
    char *text = xcalloc(1, MAX + 2);
    memset(text, 'a', MAX);
    serve(usual_options());
    struct client client = client_upgraded();
    client_text(&client, text);
    client_expect(&client, text);
    for (int i = 0; i < 64; i++)
        client_frame(&client, i == 0 ? 0x01 : i == 63 ? 0x80 : 0x00, text + (size_t)i * PART, PART);
    client_expect(&client, text);
    text[MAX] = 'a';
    client_text(&client, text);
    CU_ASSERT_EQUAL(client_closed(&client), 1009);
    WAIT_FOR(last_guest()->closed == 1);
    CU_ASSERT_EQUAL(last_guest()->end.cause, SOCKET_TOO_LARGE);
    CU_ASSERT_EQUAL(last_guest()->texts, 2);
    client_close(&client);
    unserve();
    free(text);
}

/* Virtual memory and resident memory of this process, in kB. */
static long memory_kb(const char *which)
{
    char line[256];
    long kb = -1;
    FILE *file = fopen("/proc/self/status", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, which, strlen(which)) == 0)
            kb = strtol(line + strlen(which), NULL, 10);
    fclose(file);
    return kb;
}

/* Fourteen bytes that claim 1 GiB are answered at once and cost nothing. */
static void test_claimed_gigabyte(void)
{
    static const char header[] = "\x81\xff\0\0\0\0\x40\0\0\0mask";
    serve(usual_options());
    long virtual_kb = memory_kb("VmSize:"), resident_kb = memory_kb("VmRSS:");
    for (int i = 0; i < 20; i++) {
        struct client client = client_upgraded();
        client_put(&client, header, sizeof header - 1);
        CU_ASSERT_EQUAL(client_closed(&client), 1009);
        client_close(&client);
        WAIT_FOR(last_guest()->closed == 1);
        CU_ASSERT_EQUAL(last_guest()->end.cause, SOCKET_TOO_LARGE);
    }
    CU_ASSERT_TRUE(memory_kb("VmSize:") - virtual_kb < 64 * 1024);
    CU_ASSERT_TRUE(memory_kb("VmRSS:") - resident_kb < 16 * 1024);
    unserve();
}

static const struct {
    const char *frame; /* as a client writes it: first byte, payload */
    size_t length;
    int code;
    enum socket_cause cause;
} broken[] = {
    {"\x82x", 2, 1003, SOCKET_BINARY},       {"\x81\xff", 2, 1007, SOCKET_NOT_UTF8},
    {"\x81 a\0b", 5, 1007, SOCKET_NOT_UTF8}, {"\x80x", 2, 1002, SOCKET_PROTOCOL},
    {"\xc1x", 2, 1002, SOCKET_PROTOCOL},     {"\x83x", 2, 1002, SOCKET_PROTOCOL},
    {"\x09x", 2, 1002, SOCKET_PROTOCOL},     {"\x88\x03\xed", 3, 1002, SOCKET_PROTOCOL},
};

/* One wrong frame ends the socket with its code, while the client goes on sending. */
static void test_broken_frames(void)
{
    char more[1000];
    memset(more, 'm', sizeof more);
    serve(usual_options());
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct client client = client_upgraded();
        client_frame(&client, (uint8_t)broken[i].frame[0], broken[i].frame + 1,
                     broken[i].length - 1);
        client_put(&client, more, sizeof more);
        CU_ASSERT_EQUAL(client_closed(&client), broken[i].code);
        CU_ASSERT_FALSE(client_await(&client, 1 << 20));
        WAIT_FOR(last_guest()->closed == 1);
        CU_ASSERT_EQUAL(last_guest()->end.cause, broken[i].cause);
        CU_ASSERT_EQUAL(last_guest()->end.code, broken[i].code);
        CU_ASSERT_FALSE(last_guest()->end.clean);
        CU_ASSERT_EQUAL(last_guest()->texts, 0);
        client_close(&client);
    }
    unserve();
}

/* The burst is allowed, one frame more in the same moment is not; fragments and pongs count. */
static void test_rate(void)
{
    struct socket_options options = usual_options();
    options.frames_per_s = 1;
    options.frame_burst = 20;
    serve(options);
    for (int kind = 0; kind < 2; kind++) {
        struct client client = client_upgraded();
        struct strbuf bytes;
        strbuf_init(&bytes, 1 << 16);
        for (int i = 0; i < 21; i++)
            frame_add(&bytes, kind == 0 ? 0x8A : i == 0 ? 0x01 : 0x00, "p", 1, 1);
        client_put(&client, bytes.data, bytes.length);
        CU_ASSERT_EQUAL(client_closed(&client), 1008);
        WAIT_FOR(last_guest()->closed == 1);
        CU_ASSERT_EQUAL(last_guest()->end.cause, SOCKET_TOO_MANY);
        strbuf_fini(&bytes);
        client_close(&client);
    }
    CU_ASSERT_EQUAL(socket_server_counts(server)->frames_in, 42);
    options.frames_per_s = 1000; /* 20 at once, and again after the bucket filled up */
    unserve();
    serve(options);
    struct client client = client_upgraded();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++)
            client_text(&client, "t");
        WAIT_FOR(last_guest()->texts == 20 * (round + 1));
        int64_t full_ms = clock_mono_ms() + 25;
        WAIT_FOR(clock_mono_ms() >= full_ms);
    }
    CU_ASSERT_EQUAL(last_guest()->closed, 0);
    client_close(&client);
    unserve();
}

/* ---- closing ---- */

static void test_peer_closes(void)
{
    static const int codes[] = {1000, 1001, 1011, 3000, 4999};
    serve(usual_options());
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct client client = client_upgraded();
        client_say_close(&client, codes[i]);
        client_text(&client, "behind the end");
        CU_ASSERT_EQUAL(client_closed(&client), codes[i]);
        CU_ASSERT_FALSE(client_await(&client, 1));
        CU_ASSERT_TRUE(client.ended);
        WAIT_FOR(last_guest()->closed == 1);
        CU_ASSERT_EQUAL(last_guest()->end.cause, SOCKET_BY_PEER);
        CU_ASSERT_EQUAL(last_guest()->end.code, codes[i]);
        CU_ASSERT_TRUE(last_guest()->end.clean);
        CU_ASSERT_EQUAL(last_guest()->texts, 0);
        client_close(&client);
    }
    struct client client = client_upgraded();
    client_frame(&client, 0x88, "", 0);
    CU_ASSERT_EQUAL(client_closed(&client), 1005);
    WAIT_FOR(last_guest()->closed == 1);
    CU_ASSERT_EQUAL(last_guest()->end.code, 1005);
    client_close(&client);
    unserve();
}

/* What was sent before a close leaves before it; what comes after it is not delivered. */
static void test_we_close(void)
{
    char payload[256];
    size_t length = 0;
    serve(usual_options());
    struct client client = client_upgraded();
    struct guest *guest = last_guest();
    CU_ASSERT_TRUE(socket_send(server, guest->socket, SOCKET_MAY_DROP, "last words", 10));
    socket_close(server, guest->socket, 4000, "enough");
    CU_ASSERT_FALSE(socket_send(server, guest->socket, SOCKET_KEEP, "too late", 8));
    CU_ASSERT_EQUAL(guest->closed, 0);
    client_text(&client, "not delivered");
    client_frame(&client, 0x89, "p", 1);
    client_expect(&client, "last words");
    CU_ASSERT_EQUAL(client_take(&client, payload, sizeof payload, &length), 0x88);
    CU_ASSERT_EQUAL(length, 8);
    CU_ASSERT_EQUAL(memcmp(payload,
                           "\x0f\xa0"
                           "enough",
                           8),
                    0);
    client_say_close(&client, 4000);
    WAIT_FOR(guest->closed == 1);
    CU_ASSERT_EQUAL(guest->end.cause, SOCKET_BY_US);
    CU_ASSERT_EQUAL(guest->end.code, 4000);
    CU_ASSERT_TRUE(guest->end.clean);
    CU_ASSERT_EQUAL(guest->texts, 0);
    CU_ASSERT_FALSE(client_await(&client, 1));
    CU_ASSERT_TRUE(client.ended);
    client_close(&client);
    unserve();
}

/* A peer that does not answer our close is cut in time, and the owner told that it was not clean.
 */
static void test_close_unanswered(void)
{
    struct socket_options options = usual_options();
    options.close_wait_ms = 300;
    serve(options);
    struct client client = client_upgraded();
    int64_t begin_ms = clock_mono_ms();
    socket_close(server, last_guest()->socket, 1000, "");
    CU_ASSERT_EQUAL(client_closed(&client), 1000);
    WAIT_FOR(last_guest()->closed == 1);
    CU_ASSERT_TRUE(clock_mono_ms() - begin_ms >= 300);
    CU_ASSERT_EQUAL(last_guest()->end.cause, SOCKET_BY_US);
    CU_ASSERT_FALSE(last_guest()->end.clean);
    client_close(&client);
    unserve();
}

static void test_listen(void)
{
    static const char *const bad[] = {"",
                                      "127.0.0.1",
                                      "8083",
                                      "[::1]:8083",
                                      "127.0.0.1:8083s",
                                      "localhost:8083",
                                      "127.0.0.1:99999"};
    struct socket_options options = usual_options();
    struct socket_server *none = NULL;
    struct err err;
    char taken[64];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.listen = bad[i];
        CU_ASSERT_EQUAL(socket_server_start(&options, &none, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, "socket.listen");
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    }
    serve(usual_options());
    snprintf(taken, sizeof taken, "127.0.0.1:%d", socket_server_port(server));
    options.listen = taken;
    CU_ASSERT_EQUAL(socket_server_start(&options, &none, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "socket.listen");
    CU_ASSERT_PTR_NULL(none);
    unserve();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("sockets", set_up, tear_down);
    CU_add_test(suite, "accepted", test_accepted);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "large head", test_large_head);
    CU_add_test(suite, "owner refuses", test_owner_refuses);
    CU_add_test(suite, "full", test_full);
    CU_add_test(suite, "silent connections", test_silent_connections);
    CU_add_test(suite, "fragments and pings", test_fragments_and_pings);
    CU_add_test(suite, "largest message", test_largest_message);
    CU_add_test(suite, "claimed gigabyte", test_claimed_gigabyte);
    CU_add_test(suite, "broken frames", test_broken_frames);
    CU_add_test(suite, "rate", test_rate);
    CU_add_test(suite, "peer closes", test_peer_closes);
    CU_add_test(suite, "we close", test_we_close);
    CU_add_test(suite, "close unanswered", test_close_unanswered);
    CU_add_test(suite, "listen", test_listen);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
