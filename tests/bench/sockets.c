/* Servers that hold sockets and do nothing else, for row M3 of docs/BENCHMARKS.md: CivetWeb, which
 * has a thread for each, and the product's own with no owner behind it. Whoever runs this
 * (tests/bench/rows_voice.py) opens the sockets and looks at this process's memory. */
#include <civetweb.h>
#include <poll.h>
#include <string.h>

#include "bench/samples.h"
#include "http/socket.h"

/* What ingress gives its own. */
#define QUEUE_BYTES  SOCKET_QUEUE_MAX_BYTES
#define FRAMES_PER_S 50
#define PING_MS      20000

/* ---- civetweb PORT THREADS ---- */

static int on_connect(const struct mg_connection *connection, void *arg)
{
    (void)connection, (void)arg;
    return 0;
}

static int on_data(struct mg_connection *connection, int bits, char *data, size_t length, void *arg)
{
    (void)connection, (void)bits, (void)data, (void)length, (void)arg;
    return 1;
}

static int run_civetweb(char **args)
{
    const char *options[] = {
        "listening_ports",    args[0],  "num_threads", args[1], "websocket_timeout_ms", "600000",
        "request_timeout_ms", "600000", NULL};
    struct mg_callbacks none = {NULL};
    mg_init_library(0);
    struct mg_context *server = mg_start(&none, NULL, options);
    if (server == NULL)
        die("CivetWeb does not start");
    mg_set_websocket_handler(server, "/relay/", on_connect, NULL, on_data, NULL, NULL);
    printf("ready\n");
    fflush(stdout);
    poll(NULL, 0, -1); /* until it is killed */
    return 0;
}

/* ---- loop PORT SOCKETS ---- */

static int on_handshake(void *arg, const struct socket_handshake *handshake, void **user)
{
    (void)arg, (void)handshake, (void)user;
    return 0;
}

static void on_opened(void *arg, uint64_t socket, void *user)
{
    (void)arg, (void)socket, (void)user;
}

static void on_text(void *arg, uint64_t socket, void *user, const char *text, size_t length)
{
    (void)arg, (void)socket, (void)user, (void)text, (void)length;
}

static void on_closed(void *arg, uint64_t socket, void *user, const struct socket_end *end)
{
    (void)arg, (void)socket, (void)user, (void)end;
}

static int run_loop(char **args)
{
    char listen[32];
    struct socket_server *server;
    struct err err;
    snprintf(listen, sizeof listen, "127.0.0.1:%s", args[0]);
    struct socket_options options = {.loop = loop_new(),
                                     .listen = listen,
                                     .path_prefix = "/relay/",
                                     .max_sockets = number_of(args[1], 1, 60000, "1-60000"),
                                     .message_max_bytes = SOCKET_MESSAGE_MAX_BYTES,
                                     .queue_max_bytes = QUEUE_BYTES,
                                     .frames_per_s = FRAMES_PER_S,
                                     .frame_burst = 2 * FRAMES_PER_S,
                                     .ping_ms = PING_MS,
                                     .close_wait_ms = 5000,
                                     .handshake = on_handshake,
                                     .opened = on_opened,
                                     .text = on_text,
                                     .closed = on_closed};
    if (socket_server_start(&options, &server, &err) != 0)
        die(err.message);
    printf("ready\n");
    fflush(stdout);
    loop_run(options.loop);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "civetweb") == 0)
        return run_civetweb(argv + 2);
    if (argc == 4 && strcmp(argv[1], "loop") == 0)
        return run_loop(argv + 2);
    die("civetweb PORT THREADS | loop PORT SOCKETS");
}
