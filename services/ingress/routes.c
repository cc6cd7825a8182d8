/* The table of paths: method and content type are judged here, before anything of the request is
 * parsed. Called by the HTTP server's threads. */
#include "routes.h"

#include "counters.h"
#include "sms.h"
#include "status.h"
#include "voice.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#define BUSY_RETRY_AFTER_S  1
#define DRAIN_RETRY_AFTER_S 1
#define FORM_TYPE           "application/x-www-form-urlencoded"

/* `bounded`: at most status_concurrency at once. A reply brings four statuses, and a customer's
 * text must not wait behind those of a thousand others. `drains`: also in a drain, of whose callers
 * somebody must take care; the rest is the next ingress's, or comes again. A path with a slash at
 * its end stands for all below it; the first one that fits counts. */
static const struct {
    const char *path, *method, *type, *name;
    enum route route;
    bool bounded, drains;
    void (*handle)(struct webhook *webhook);
} routes[] = {
    {"/twilio/sms", "POST", FORM_TYPE, "sms", ROUTE_SMS, false, false, sms_handle},
    {"/twilio/status", "POST", FORM_TYPE, "status", ROUTE_STATUS, true, false, status_handle},
    {"/twilio/voice", "POST", FORM_TYPE, "voice", ROUTE_VOICE, false, true, voice_handle},
    {"/twilio/voice/status", "POST", FORM_TYPE, "voice_status", ROUTE_VOICE_STATUS, true, true,
     voice_status_handle},
    {"/twilio/voice/", "POST", FORM_TYPE, "voice_step", ROUTE_VOICE_STEP, false, true,
     voice_step_handle},
};
#define ROUTES (sizeof routes / sizeof routes[0])

static bool is_path(const char *given, const char *wanted)
{
    size_t length = strlen(wanted);
    return wanted[length - 1] == '/' ? strncmp(given, wanted, length) == 0
                                     : strcmp(given, wanted) == 0;
}

/* The type without its parameters. */
static bool is_type(const char *given, const char *wanted)
{
    size_t length = strcspn(given, "; \t");
    return length == strlen(wanted) && strncasecmp(given, wanted, length) == 0;
}

static void handle(struct ingress *ingress, size_t i, const struct http_request *request,
                   struct http_response *response)
{
    static atomic_int inside; /* of bounded routes */
    struct webhook webhook = {
        .ingress = ingress, .request = request, .response = response, .name = routes[i].name};
    if (atomic_load(&ingress->draining) && !routes[i].drains) {
        *response = (struct http_response){.status = 503, .retry_after_s = DRAIN_RETRY_AFTER_S};
    } else if (!routes[i].bounded) {
        routes[i].handle(&webhook);
    } else if (atomic_fetch_add(&inside, 1) >= ingress->settings.status_concurrency) {
        *response = (struct http_response){.status = 503, .retry_after_s = BUSY_RETRY_AFTER_S};
        atomic_fetch_sub(&inside, 1);
    } else {
        routes[i].handle(&webhook);
        atomic_fetch_sub(&inside, 1);
    }
}

static void dispatch(struct ingress *ingress, size_t i, const struct http_request *request,
                     struct http_response *response)
{
    if (strcmp(request->method, routes[i].method) != 0) {
        *response = (struct http_response){.status = 405, .allow = routes[i].method};
    } else if (!is_type(request->content_type, routes[i].type)) {
        response->status = 415;
    } else {
        handle(ingress, i, request, response);
    }
}

void routes_handle(void *arg, const struct http_request *request, struct http_response *response)
{
    struct ingress *ingress = arg;
    enum route route = ROUTE_OTHER;
    metric_add(counters.in_flight, 1);
    response->status = 404;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!is_path(request->path, routes[i].path))
            continue;
        route = routes[i].route;
        response->status = 500;
        dispatch(ingress, i, request, response);
        break;
    }
    response->close |= atomic_load(&ingress->draining);
    counters_answered(route, response->status);
    metric_add(counters.in_flight, -1);
}
