/* Wiring of ingress: the HTTP server's threads handle webhooks and wait for their own
 * acknowledgement; the one loop reads the directory and holds the phone calls with their sockets.
 * What start, drain and stop do. */
#include "ingress.h"

#include "base/clock.h"
#include "base/mem.h"
#include "call_table.h"
#include "calls.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "feed.h"
#include "lines.h"
#include "news.h"
#include "routes.h"
#include "service/log.h"
#include "stream.h"
#include "waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_BYTES_MAX    (64 * 1024)
#define DIAGRAM_BYTES_MAX (64 * 1024)

static struct ingress ingress;

/* One loop's state. */
struct edge {
    struct service_loop *self;
    struct feed *feed;
    struct calls *calls;
    struct stream *stream;
    struct lines *lines;
    struct timer *tick;
    struct thread *drain;
    int64_t opened_ms;
    bool settled;  /* whether calls can be answered does not matter for readiness any more */
    int undrained; /* of requests, calls and sockets: how many are not gone yet */
};

/* ---- start and stop ---- */

#define FLUSH_MAX_MS 1000
#define TICK_MS      1000
#define TICK_SOON_MS 100 /* until it is ready */

/* That long texts wait for calls at start: usually both can be answered a second after it. */
#define CALLS_WAIT_MS 10000

/* No webhook waits any more when the server is gone: what is still in flight was answered with 503
 * and comes again. */
static void release(int64_t flush_ms)
{
    http_server_free(&ingress.server);
    publisher_close(&ingress.publisher, flush_ms < FLUSH_MAX_MS ? flush_ms : FLUSH_MAX_MS);
    quarantine_free(&ingress.quarantine);
    waiting_free(&ingress.waiting);
    directory_free(&ingress.directory);
    passed_free(&ingress.passed);
    secret_free(&ingress.edge_secret);
    secret_free(&ingress.relay_key);
    free(ingress.relay_base);
}

/* The key of the sockets' paths is not a secret to keep: it follows from the one that all have. */
static void prepare_relay(void)
{
    static const char label[] = "frontdesk relay key 1";
    uint8_t key[CRYPTO_SHA256_BYTES];
    crypto_hmac_sha256(secret_reveal(ingress.edge_secret), secret_length(ingress.edge_secret),
                       label, sizeof label - 1, key);
    ingress.relay_key = secret_new(key, sizeof key);
    const char *host = strstr(ingress.settings.public_url, "://");
    struct strbuf base;
    strbuf_init(&base, strlen(ingress.settings.public_url) + 8);
    strbuf_printf(&base, "wss%s", host);
    ingress.relay_base = strbuf_take(&base);
    atomic_store(&ingress.stream_partition, -1);
}

/* Requests that wait for an engine hold a thread each. */
static size_t most_steps(void)
{
    const struct ingress_settings *settings = &ingress.settings;
    const int64_t half = settings->concurrency / 2;
    const int64_t most = settings->step_concurrency < half ? settings->step_concurrency : half;
    return most > 1 ? (size_t)most : 1;
}

static int listen_http(struct err *err)
{
    struct http_server_options options = {
        .listen = ingress.settings.listen,
        .threads = (int)ingress.settings.threads,
        .concurrency = (int)ingress.settings.concurrency,
        .body_max_bytes = BODY_BYTES_MAX,
        .request_deadline_ms = ingress.settings.request_deadline_ms,
        .handles_drain = true,
        .handle = routes_handle,
        .arg = &ingress,
    };
    if (http_server_start(&options, &ingress.server, err) != 0)
        return -1;
    log_info("ingress.listening", LOG_TEXT("listen", ingress.settings.listen),
             LOG_INT("port", http_server_port(ingress.server)));
    return 0;
}

static int start(struct service *service, bool check_only, struct err *err)
{
    if (ingress_settings_check(&ingress.settings, err) != 0 ||
        crypto_read_key_file(ingress.settings.edge_secret_key_file, CRYPTO_EDGE_KEY_BYTES,
                             &ingress.edge_secret, err) != 0)
        return -1;
    if (check_only) {
        secret_free(&ingress.edge_secret);
        return 0;
    }
    counters_init();
    ingress.ready_directory = service_condition(service, "directory");
    ingress.ready_bus = service_condition(service, "bus");
    ingress.ready_stream = service_condition(service, "stream");
    prepare_relay();
    ingress.directory = directory_new(ingress.edge_secret);
    ingress.passed = passed_new();
    ingress.waiting = waiting_new(most_steps());
    ingress.quarantine = quarantine_new(ingress.settings.quarantine_per_source,
                                        ingress.settings.quarantine_per_number);
    if (publisher_open(&ingress.settings, &ingress.publisher, err) == 0 && listen_http(err) == 0)
        return 0;
    release(0);
    return -1;
}

static void stop(struct service *service, int64_t drain_left_ms)
{
    (void)service;
    release(drain_left_ms);
}

/* ---- the loop ---- */

/* A caller who is sent here too early is asked for a message. Their topics may be in trouble by
 * themselves: that is no reason to refuse texts for long. */
static void settle(struct edge *edge, bool mute)
{
    bool open = !mute && atomic_load(&ingress.stream_partition) >= 0;
    bool waited = clock_mono_ms() - edge->opened_ms >= CALLS_WAIT_MS;
    if (edge->settled || !(open || waited || edge->lines == NULL))
        return;
    edge->settled = true;
    if (!open && edge->lines != NULL)
        log_warn("calls.not_ready", LOG_BOOL("mute", mute),
                 LOG_INT("partition", atomic_load(&ingress.stream_partition)));
    service_set(service_of(edge->self), ingress.ready_stream, true);
}

/* What the threads of webhooks ask about is a second old at most. */
static void on_tick(void *arg)
{
    struct edge *edge = arg;
    bool mute = calls_are_mute(edge->calls);
    atomic_store(&ingress.mute, mute);
    if (edge->lines != NULL)
        lines_count(edge->lines);
    settle(edge, mute);
    timer_start(edge->tick, edge->settled ? TICK_MS : TICK_SOON_MS, 0);
}

static void loop_stop_all(void *state)
{
    struct edge *edge = state;
    thread_join(&edge->drain);
    news_deafen(&ingress);
    timer_free(&edge->tick);
    lines_close(&edge->lines); /* what was heard is told */
    stream_close(&edge->stream);
    feed_stop(&edge->feed);
    ingress.calls = NULL;
    calls_close(&edge->calls, FLUSH_MAX_MS);
    free(edge);
}

/* Sockets and frames; without an address for sockets there are none, and each call is asked for a
 * message. */
static int open_lines(struct edge *edge, struct loop *loop, struct err *err)
{
    if (ingress.settings.relay_listen[0] == '\0')
        return 0;
    if (lines_open(&ingress, edge->calls, loop, &edge->lines, err) != 0)
        return -1;
    return stream_open(&ingress, edge->calls, loop, &edge->stream, err);
}

static int loop_start(struct service_loop *self, void **state, struct err *err)
{
    struct edge *edge = xcalloc(1, sizeof *edge);
    struct loop *loop = service_loop_of(self);
    edge->self = self;
    edge->opened_ms = clock_mono_ms();
    if (calls_open(&ingress, loop, &edge->calls, err) != 0 || open_lines(edge, loop, err) != 0 ||
        feed_start(&ingress, self, &edge->feed, err) != 0) {
        loop_stop_all(edge);
        return -1;
    }
    edge->tick = timer_new(loop, on_tick, edge);
    timer_start(edge->tick, 0, 0);
    ingress.calls = edge->calls;
    news_listen(&ingress, loop);
    *state = edge;
    return 0;
}

/* Requests, calls or sockets are gone. */
static void drained(void *arg)
{
    struct edge *edge = arg;
    if (--edge->undrained == 0)
        service_loop_drained(edge->self);
}

/* Waits for the requests inside on a thread of its own: the loop must go on passing. */
static void drain_run(void *arg)
{
    struct edge *edge = arg;
    bool finished = http_server_drain(ingress.server, ingress.settings.common.drain_ms);
    log_info("ingress.drained", LOG_BOOL("finished", finished));
    loop_post(service_loop_of(edge->self), drained, edge);
}

static void loop_drain(void *state)
{
    struct edge *edge = state;
    atomic_store(&ingress.draining, true);
    edge->undrained = edge->lines != NULL ? 3 : 2;
    edge->drain = thread_start(drain_run, edge);
    if (edge->lines != NULL)
        lines_drain(edge->lines, drained, edge);
    calls_drain(edge->calls, drained, edge);
}

static int command(const char *word)
{
    if (strcmp(word, "--diagram") != 0)
        return -1;
    struct strbuf out;
    strbuf_init(&out, DIAGRAM_BYTES_MAX);
    call_table_print(&out);
    fputs(out.data, stdout);
    strbuf_fini(&out);
    return 0;
}

int ingress_main(int argc, char **argv)
{
    const struct service_spec spec = {
        .name = "ingress",
        .summary = "Verifies Twilio's webhooks, publishes them to Kafka, and holds phone calls.",
        .config = ingress_config,
        .config_count = ingress_config_count,
        .settings = &ingress.settings,
        .command = command,
        .start = start,
        .loop_start = loop_start,
        .loop_drain = loop_drain,
        .loop_stop = loop_stop_all,
        .stop = stop,
    };
    return service_main(argc, argv, &spec);
}
