/* What the tests of the WebSocket server share: a server and its loop in the test's own thread, so
 * that every pass is the test's decision, an owner that notes what it is told, and a bare client
 * that writes frames byte by byte. */
#ifndef DESK_TESTS_SOCKET_RIG_H
#define DESK_TESTS_SOCKET_RIG_H

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "http/socket.h"
#include "loop/loop.h"

#define KEY     "dGhlIHNhbXBsZSBub25jZQ=="
#define PREFIX  "/relay/"
#define WAIT_MS 20000
#define GUESTS  1024
#define HEAD_OF(target)                                                                            \
    "GET " target " HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"  \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"

/* ---- the owner ---- */

struct guest {
    uint64_t socket;
    char target[128], signature[64], remote[64];
    int signatures, opened, closed, texts;
    struct strbuf last; /* text */
    struct socket_end end;
    /* Called for each text after it is noted; NULL: it is sent back. */
    void (*on_text)(struct guest *guest, const char *text, size_t length);
};

static struct loop *loop;
static struct socket_server *server;
static struct guest *guests[GUESTS];
static size_t guest_count;
static int refuse_with; /* what the owner answers to handshakes */

static inline int on_handshake(void *arg, const struct socket_handshake *handshake, void **user)
{
    (void)arg;
    if (refuse_with != 0)
        return refuse_with;
    struct guest *guest = xcalloc(1, sizeof *guest);
    strbuf_init(&guest->last, 1 << 20);
    snprintf(guest->target, sizeof guest->target, "%s", handshake->target);
    snprintf(guest->remote, sizeof guest->remote, "%s", handshake->remote);
    const char *signature =
        socket_handshake_header(handshake, "X-Twilio-Signature", &guest->signatures);
    snprintf(guest->signature, sizeof guest->signature, "%s", signature == NULL ? "-" : signature);
    CU_ASSERT_FATAL(guest_count < GUESTS);
    guests[guest_count++] = guest;
    *user = guest;
    return 0;
}

static inline void on_opened(void *arg, uint64_t socket, void *user)
{
    struct guest *guest = user;
    (void)arg;
    guest->socket = socket;
    guest->opened++;
}

static inline void on_text(void *arg, uint64_t socket, void *user, const char *text, size_t length)
{
    struct guest *guest = user;
    (void)arg;
    CU_ASSERT_EQUAL(socket, guest->socket);
    CU_ASSERT_EQUAL(strlen(text), length);
    guest->texts++;
    strbuf_clear(&guest->last);
    strbuf_add(&guest->last, text, length);
    if (guest->on_text != NULL)
        guest->on_text(guest, text, length);
    else
        CU_ASSERT_TRUE(socket_send(server, socket, SOCKET_MAY_DROP, text, length));
}

static inline void on_closed(void *arg, uint64_t socket, void *user, const struct socket_end *end)
{
    struct guest *guest = user;
    (void)arg;
    CU_ASSERT_EQUAL(socket, guest->socket);
    CU_ASSERT_EQUAL(guest->opened, 1);
    guest->closed++;
    guest->end = *end;
}

static inline struct socket_options usual_options(void)
{
    return (struct socket_options){
        .loop = loop,
        .listen = "127.0.0.1:0",
        .path_prefix = PREFIX,
        .max_sockets = 4,
        .message_max_bytes = SOCKET_MESSAGE_MAX_BYTES,
        .queue_max_bytes = SOCKET_QUEUE_MAX_BYTES,
        .frames_per_s = 100,
        .frame_burst = 200,
        .ping_ms = 60000,
        .close_wait_ms = 3000,
        .handshake = on_handshake,
        .opened = on_opened,
        .text = on_text,
        .closed = on_closed,
    };
}

static inline void serve(struct socket_options options)
{
    struct err err = {.message = ""};
    refuse_with = 0;
    int code = socket_server_start(&options, &server, &err);
    if (code != 0)
        fprintf(stderr, "%s\n", err.message);
    CU_ASSERT_EQUAL_FATAL(code, 0);
}

/* Frees the server and what its owner noted: every guest was opened and closed once. */
static inline void unserve(void)
{
    socket_server_free(&server);
    CU_ASSERT_PTR_NULL(server);
    loop_pass(loop);
    for (size_t i = 0; i < guest_count; i++) {
        CU_ASSERT_EQUAL(guests[i]->opened, 1);
        CU_ASSERT_EQUAL(guests[i]->closed, 1);
        strbuf_fini(&guests[i]->last);
        free(guests[i]);
    }
    guest_count = 0;
}

static inline struct guest *last_guest(void)
{
    CU_ASSERT_FATAL(guest_count > 0);
    return guests[guest_count - 1];
}

/* Lets the loop pass until the condition holds; the test fails if that takes too long. */
#define WAIT_FOR_MS(condition, most_ms)                                                            \
    do {                                                                                           \
        int64_t wait_end_ms = clock_mono_ms() + (most_ms);                                         \
        while (loop_pass(loop), !(condition)) {                                                    \
            if (clock_mono_ms() >= wait_end_ms) {                                                  \
                CU_FAIL("not in time: " #condition);                                               \
                break;                                                                             \
            }                                                                                      \
            poll(NULL, 0, 1);                                                                      \
        }                                                                                          \
    } while (0)
#define WAIT_FOR(condition) WAIT_FOR_MS(condition, WAIT_MS)

/* ---- the client ---- */

struct client {
    int fd;
    bool ended; /* the server ended its side */
    struct strbuf in;
};

static inline struct client client_open(void)
{
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)socket_server_port(server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL_FATAL(connect(client.fd, (struct sockaddr *)&address, sizeof address), 0);
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    strbuf_init(&client.in, 8 << 20);
    return client;
}

static inline void client_close(struct client *client)
{
    close(client->fd);
    strbuf_fini(&client->in);
}

/* Sends all, or until the server has closed: its answer tells why. */
static inline void client_put(struct client *client, const void *bytes, size_t length)
{
    const char *at = bytes;
    for (int i = 0; length > 0 && i < 100000; i++) {
        ssize_t n = send(client->fd, at, length, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        at += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
        loop_pass(loop);
    }
}

/* Reads what is there; true if something came. */
static inline bool client_read(struct client *client)
{
    char bytes[65536];
    ssize_t n = client->ended ? -1 : recv(client->fd, bytes, sizeof bytes, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        client->ended = true;
    if (n > 0)
        strbuf_add(&client->in, bytes, (size_t)n);
    return n > 0;
}

/* Reads until `wanted` bytes are there; false if the server ended before. */
static inline bool client_await(struct client *client, size_t wanted)
{
    int64_t end_ms = clock_mono_ms() + WAIT_MS;
    while (client->in.length < wanted) {
        loop_pass(loop);
        if (client_read(client))
            continue;
        if (client->ended || clock_mono_ms() >= end_ms)
            return false;
        poll(NULL, 0, 1);
    }
    return true;
}

/* Reads an answer's head away; returns its status, 0 if none came. */
static inline int client_status(struct client *client, char *head, size_t size)
{
    char *end = NULL;
    for (size_t wanted = 1; client_await(client, wanted); wanted = client->in.length + 1)
        if ((end = strstr(client->in.data, "\r\n\r\n")) != NULL)
            break;
    if (end == NULL)
        return 0;
    size_t length = (size_t)(end - client->in.data) + 4;
    snprintf(head, size, "%.*s", (int)length, client->in.data);
    strbuf_consume(&client->in, length);
    return (int)strtol(head + strlen("HTTP/1.1 "), NULL, 10);
}

/* Sends a request and returns the status of the answer. */
static inline int client_ask(struct client *client, const char *request)
{
    char head[1024];
    client_put(client, request, strlen(request));
    return client_status(client, head, sizeof head);
}

/* A client whose socket is open. */
static inline struct client client_upgraded(void)
{
    struct client client = client_open();
    CU_ASSERT_EQUAL_FATAL(client_ask(&client, HEAD_OF(PREFIX "x") "\r\n"), 101);
    return client;
}

/* Appends a frame as clients write it; `first` is its first byte, `claim` the length that its
 * header tells. */
static inline void frame_add(struct strbuf *out, int first, const void *payload, size_t length,
                             uint64_t claim)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t bytes = claim < 126 ? 0 : claim <= UINT16_MAX ? 2 : 8;
    strbuf_add_char(out, (char)first);
    strbuf_add_char(out, (char)(0x80 | (bytes == 0 ? claim : bytes == 2 ? 126 : 127)));
    for (size_t i = 0; i < bytes; i++)
        strbuf_add_char(out, (char)(claim >> 8 * (bytes - 1 - i)));
    strbuf_add(out, mask, sizeof mask);
    for (size_t i = 0; i < length; i++)
        strbuf_add_char(out, (char)(((const uint8_t *)payload)[i] ^ mask[i % 4]));
}

static inline void client_frame(struct client *client, int first, const void *payload,
                                size_t length)
{
    struct strbuf bytes;
    strbuf_init(&bytes, 2 << 20);
    frame_add(&bytes, first, payload, length, length);
    client_put(client, bytes.data, bytes.length);
    strbuf_fini(&bytes);
}

static inline void client_text(struct client *client, const char *text)
{
    client_frame(client, 0x81, text, strlen(text));
}

/* Takes the next frame: its first byte, or -1 if the server ended before; `payload` gets it with a
 * NUL behind. */
static inline int client_take(struct client *client, char *payload, size_t size, size_t *length)
{
    if (!client_await(client, 2))
        return -1;
    size_t coded = (uint8_t)client->in.data[1], head = coded < 126 ? 2 : coded == 126 ? 4 : 10;
    CU_ASSERT_TRUE_FATAL(coded <= 127); /* not masked */
    if (!client_await(client, head))
        return -1;
    const uint8_t *bytes = (const uint8_t *)client->in.data;
    size_t wanted = coded < 126 ? coded : 0;
    for (size_t i = 2; i < head; i++)
        wanted = wanted << 8 | bytes[i];
    if (!client_await(client, head + wanted))
        return -1;
    int first = (uint8_t)client->in.data[0];
    CU_ASSERT_TRUE_FATAL(wanted < size);
    memcpy(payload, client->in.data + head, wanted);
    payload[wanted] = '\0';
    if (length != NULL)
        *length = wanted;
    strbuf_consume(&client->in, head + wanted);
    return first;
}

/* Expects this text as the next frame. */
static inline void client_expect(struct client *client, const char *text)
{
    char *payload = xmalloc(1 << 20);
    payload[0] = '\0';
    CU_ASSERT_EQUAL(client_take(client, payload, 1 << 20, NULL), 0x81);
    CU_ASSERT_STRING_EQUAL(payload, text);
    free(payload);
}

/* The code of the close frame that comes next: 1005 if it names none, -1 if no close frame came. */
static inline int client_closed(struct client *client)
{
    char payload[128];
    size_t length = 0;
    if (client_take(client, payload, sizeof payload, &length) != 0x88)
        return -1;
    return length < 2 ? 1005 : (uint8_t)payload[0] << 8 | (uint8_t)payload[1];
}

/* Sends a close frame with a code. */
static inline void client_say_close(struct client *client, int code)
{
    char payload[2] = {(char)(code >> 8), (char)code};
    client_frame(client, 0x88, payload, 2);
}

/* ---- the suite ---- */

static inline int set_up(void)
{
    struct rlimit limit;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    loop = loop_new();
    return 0;
}

static inline int tear_down(void)
{
    loop_pass(loop);
    loop_free(&loop);
    return 0;
}

#endif
