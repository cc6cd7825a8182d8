/*
 * The inside of a connection, shared by http_server.c (accepts and reads) and exchange.c (answers).
 * Nobody else includes this.
 */
#ifndef STANDS_LIB_EXCHANGE_H
#define STANDS_LIB_EXCHANGE_H

#include <http_parser.h>

#include "stands/lib/http_server.h"

enum { HEADERS_MAX = 64, READ_BYTES = 64 * 1024 };

enum exchange_state { EXCHANGE_READING, EXCHANGE_SERVING, EXCHANGE_CLOSING };

struct header {
    uint32_t name, value; /* offsets into head; each text ends with a NUL */
};

struct stand_exchange {
    uv_tcp_t tcp;
    uv_timer_t timer;
    int handles;
    struct stand_server *server;
    struct stand_exchange *prev, *next;
    http_parser parser;
    enum exchange_state state;
    bool feeding, keep_alive, chunked, old_client, closing_after_send, in_value;
    struct stand_buf head, body, pending;
    struct header headers[HEADERS_MAX];
    size_t header_count;
    size_t target_len;
    char *query;
    const char *method;
    stand_done *done;
    void *done_user;
    stand_step *timer_step, *sent_step;
    void *timer_user, *sent_user;
};

struct stand_server {
    uv_loop_t *loop;
    uv_tcp_t *listener;
    uv_timer_t refusal;
    struct sockaddr_in address;
    stand_handler *handler;
    void *ctx;
    struct stand_exchange *first;
    http_parser_settings settings;
    struct stand_server_counts counts;
    char input[READ_BYTES];
};

/* Closes the connection now (by RST when `reset`), ending the request in hand as gone. */
void stand_exchange_close(struct stand_exchange *x, bool reset);

/* Whether everything written has left the process. */
bool stand_exchange_all_sent(const struct stand_exchange *x);

#endif
