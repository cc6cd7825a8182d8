/* Shards of the HTTP client: multi handles with 100 transfers each, driven by the loop. What a
 * transfer costs grows with the connections of its multi (2.7 times the CPU at 10,000), so further
 * ones are made on demand. curl's descriptors are loop watches; its time-out is one timer per
 * shard. */
#include <curl/curl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/client_inside.h"

/* A descriptor that curl watches. */
struct socket {
    struct http_shard *shard;
    struct watch *watch;
    int fd;
};

static void act(struct http_shard *shard, curl_socket_t fd, int events)
{
    struct http_client *client = shard->client;
    int running;
    client->inside = true;
    curl_multi_socket_action(shard->multi, fd, events, &running);
    client->inside = false;
    http_client_flush(shard);
}

static void on_shard_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(void *arg, int events)
{
    struct socket *socket = arg;
    act(socket->shard, socket->fd,
        (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
            (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *at)
{
    (void)easy;
    struct http_shard *shard = arg;
    struct socket *socket = at;
    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) {
            watch_free(&socket->watch);
            free(socket);
            curl_multi_assign(shard->multi, fd, NULL);
        }
        return 0;
    }
    if (socket == NULL) {
        socket = xcalloc(1, sizeof *socket);
        *socket = (struct socket){.shard = shard, .fd = fd};
        socket->watch = watch_new(shard->client->loop, fd, on_socket, socket);
        curl_multi_assign(shard->multi, fd, socket);
    }
    watch_set(socket->watch,
              (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct http_shard *shard = arg;
    if (timeout_ms < 0)
        timer_stop(shard->timer);
    else
        timer_start(shard->timer, timeout_ms, 0);
    return 0;
}

static struct http_shard *shard_new(struct http_client *client)
{
    struct http_shard *shard = xcalloc(1, sizeof *shard);
    size_t used = client->shard_count * HTTP_SHARD_TRANSFERS, left = client->max_connections - used;
    long hosts = (long)(left < HTTP_SHARD_TRANSFERS ? left : HTTP_SHARD_TRANSFERS);
    shard->client = client;
    shard->timer = timer_new(client->loop, on_shard_timer, shard);
    shard->multi = curl_multi_init();
    http_must(shard->multi == NULL);
    http_must(curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket));
    http_must(curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard));
    http_must(curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer));
    http_must(curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard));
    http_must(curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX));
    http_must(curl_multi_setopt(shard->multi, CURLMOPT_MAX_HOST_CONNECTIONS, hosts));
    http_must(curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_SHARD_TRANSFERS));
    client->shards = xreallocarray(client->shards, client->shard_count + 1, sizeof *client->shards);
    client->shards[client->shard_count++] = shard;
    return shard;
}

/* The first shard with room, so that kept connections are used again; when the bound on
 * connections forbids another shard, the emptiest, where curl queues what has to wait. */
static struct http_shard *shard_for_next(struct http_client *client)
{
    struct http_shard *emptiest = NULL;
    for (size_t i = 0; i < client->shard_count; i++) {
        struct http_shard *shard = client->shards[i];
        if (shard->count < HTTP_SHARD_TRANSFERS)
            return shard;
        if (emptiest == NULL || shard->count < emptiest->count)
            emptiest = shard;
    }
    return client->shard_count < client->shard_max ? shard_new(client) : emptiest;
}

void http_shard_add(struct http_transfer *transfer)
{
    transfer->shard = shard_for_next(transfer->client);
    transfer->shard->count++;
    http_must((int)curl_multi_add_handle(transfer->shard->multi, transfer->easy));
}

void http_shard_remove(struct http_transfer *transfer)
{
    if (transfer->shard == NULL)
        return;
    curl_multi_remove_handle(transfer->shard->multi, transfer->easy);
    transfer->shard->count--;
    transfer->shard = NULL;
}

void http_shards_free(struct http_client *client)
{
    for (size_t i = 0; i < client->shard_count; i++) {
        curl_multi_cleanup(client->shards[i]->multi);
        timer_free(&client->shards[i]->timer);
        free(client->shards[i]);
    }
    free(client->shards);
}
