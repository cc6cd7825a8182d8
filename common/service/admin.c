/* The admin listener: /healthz, /readyz and /metrics on an address of their own, so that no public
 * request can reach them. Two threads: a probe is answered while metrics are read. Called by
 * service.c. */
#include "service/inside.h"
#include "service/metrics.h"

#include "json/json.h"

#include <string.h>

#define METRICS_BYTES_MAX (4 * 1024 * 1024)
#define ANSWER_BYTES_MAX  4096

static void answer(const struct http_request *request, struct http_response *response, int status,
                   const char *content_type, struct strbuf *body)
{
    response->status = body->overflow ? 500 : status;
    response->content_type = content_type;
    response->body = arena_strndup(request->arena, body->data, body->length);
    response->body_length = body->length;
    strbuf_fini(body);
}

/* Liveness looks at our own loops only: restarting us mends neither Kafka nor PostgreSQL. */
static void answer_health(struct service *service, const struct http_request *request,
                          struct http_response *response)
{
    bool healthy = loops_healthy(service);
    struct strbuf body;
    strbuf_init(&body, ANSWER_BYTES_MAX);
    strbuf_add_text(&body, healthy ? "{\"healthy\":true}\n" : "{\"healthy\":false}\n");
    answer(request, response, healthy ? 200 : 503, "application/json", &body);
}

static bool print_readiness(struct service *service, struct strbuf *out)
{
    bool draining = atomic_load(&service->draining);
    bool ready = !draining && atomic_load(&service->serving);
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_add_bool(&writer, "draining", draining);
    json_open_array(&writer, "waiting_for");
    if (!atomic_load(&service->serving))
        json_add_text(&writer, NULL, "start");
    pthread_mutex_lock(&service->mutex);
    for (int i = 0; i < service->condition_count; i++) {
        if (service->conditions[i].met)
            continue;
        ready = false;
        json_add_text(&writer, NULL, service->conditions[i].name);
    }
    pthread_mutex_unlock(&service->mutex);
    json_close_array(&writer);
    json_add_bool(&writer, "ready", ready);
    json_close_object(&writer);
    strbuf_add_char(out, '\n');
    return ready;
}

static void answer_ready(struct service *service, const struct http_request *request,
                         struct http_response *response)
{
    struct strbuf body;
    strbuf_init(&body, ANSWER_BYTES_MAX);
    bool ready = print_readiness(service, &body);
    answer(request, response, ready ? 200 : 503, "application/json", &body);
}

static void answer_metrics(struct service *service, const struct http_request *request,
                           struct http_response *response)
{
    (void)service;
    struct strbuf body;
    strbuf_init(&body, METRICS_BYTES_MAX);
    metrics_print(&body);
    answer(request, response, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static const struct {
    const char *path;
    void (*answer)(struct service *service, const struct http_request *request,
                   struct http_response *response);
} pages[] = {
    {"/healthz", answer_health},
    {"/readyz", answer_ready},
    {"/metrics", answer_metrics},
};

/* Each answer closes its connection: two scrapers that keep theirs open would else hold both
 * threads, and the liveness probe would find nobody. */
static void handle(void *arg, const struct http_request *request, struct http_response *response)
{
    response->close = true;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(request->path, pages[i].path) != 0)
            continue;
        if (strcmp(request->method, "GET") == 0) {
            pages[i].answer(arg, request, response);
        } else {
            response->status = 405;
            response->allow = "GET";
        }
        return;
    }
    response->status = 404;
}

int admin_start(struct service *service, struct err *err)
{
    struct http_server_options options = {
        .listen = service->common->admin_listen,
        .threads = 2,
        .concurrency = 2,
        .body_max_bytes = 1024,
        .request_deadline_ms = 5000,
        .handle = handle,
        .arg = service,
    };
    if (http_server_start(&options, &service->admin, err) != 0)
        return -1;
    log_info("admin.listening", LOG_TEXT("listen", service->common->admin_listen),
             LOG_INT("port", http_server_port(service->admin)));
    return 0;
}

void admin_stop(struct service *service)
{
    http_server_free(&service->admin);
}
