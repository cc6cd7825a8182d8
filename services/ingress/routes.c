/* The table of paths: method and content type are judged here, before anything of the request is
 * parsed. Called by the HTTP server's threads. */
#include "routes.h"

#include "counters.h"
#include "sms.h"
#include "status.h"

#include <string.h>
#include <strings.h>

#define FORM_TYPE "application/x-www-form-urlencoded"

static const struct {
    const char *path, *method, *type, *name;
    enum route route;
    void (*handle)(struct webhook *webhook);
} routes[] = {
    {"/twilio/sms", "POST", FORM_TYPE, "sms", ROUTE_SMS, sms_handle},
    {"/twilio/status", "POST", FORM_TYPE, "status", ROUTE_STATUS, status_handle},
};
#define ROUTES (sizeof routes / sizeof routes[0])

/* The type without its parameters. */
static bool is_type(const char *given, const char *wanted)
{
    size_t length = strcspn(given, "; \t");
    return length == strlen(wanted) && strncasecmp(given, wanted, length) == 0;
}

static void dispatch(struct ingress *ingress, size_t i, const struct http_request *request,
                     struct http_response *response)
{
    if (strcmp(request->method, routes[i].method) != 0) {
        *response = (struct http_response){.status = 405, .allow = routes[i].method};
    } else if (!is_type(request->content_type, routes[i].type)) {
        response->status = 415;
    } else {
        struct webhook webhook = {
            .ingress = ingress, .request = request, .response = response, .name = routes[i].name};
        routes[i].handle(&webhook);
    }
}

void routes_handle(void *arg, const struct http_request *request, struct http_response *response)
{
    enum route route = ROUTE_OTHER;
    metric_add(counters.in_flight, 1);
    response->status = 404;
    for (size_t i = 0; i < ROUTES; i++) {
        if (strcmp(request->path, routes[i].path) != 0)
            continue;
        route = routes[i].route;
        response->status = 500;
        dispatch(arg, i, request, response);
        break;
    }
    counters_answered(route, response->status);
    metric_add(counters.in_flight, -1);
}
