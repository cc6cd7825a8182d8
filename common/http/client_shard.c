/* Shards of the HTTP client: multi handles with 100 transfers each, driven by the loop
 * (client_multi.c). What a transfer costs grows with the connections of its multi (2.7 times the
 * CPU at 10,000), so further ones are made on demand. */
#include <curl/curl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/client_inside.h"

static void on_acted(void *arg)
{
    http_client_flush(arg);
}

static struct http_shard *shard_new(struct http_client *client)
{
    struct http_shard *shard = xcalloc(1, sizeof *shard);
    size_t used = client->shard_count * HTTP_SHARD_TRANSFERS, left = client->max_connections - used;
    long hosts = (long)(left < HTTP_SHARD_TRANSFERS ? left : HTTP_SHARD_TRANSFERS);
    shard->client = client;
    shard->multi = (struct http_multi){
        .loop = client->loop, .inside = &client->inside, .acted = on_acted, .arg = shard};
    http_multi_open(&shard->multi);
    CURLM *curl = shard->multi.curl;
    http_must(curl_multi_setopt(curl, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX));
    http_must(curl_multi_setopt(curl, CURLMOPT_MAX_HOST_CONNECTIONS, hosts));
    http_must(curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, (long)HTTP_SHARD_TRANSFERS));
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
    http_must((int)curl_multi_add_handle(transfer->shard->multi.curl, transfer->easy));
}

void http_shard_remove(struct http_transfer *transfer)
{
    if (transfer->shard == NULL)
        return;
    curl_multi_remove_handle(transfer->shard->multi.curl, transfer->easy);
    transfer->shard->count--;
    transfer->shard = NULL;
}

void http_shards_free(struct http_client *client)
{
    for (size_t i = 0; i < client->shard_count; i++) {
        http_multi_close(&client->shards[i]->multi);
        free(client->shards[i]);
    }
    free(client->shards);
}
