/* Which handler answers which path. */
#ifndef DESK_INGRESS_ROUTES_H
#define DESK_INGRESS_ROUTES_H

#include "http/server.h"

/* The HTTP server's handler; `arg` is the struct ingress. Any thread. */
void routes_handle(void *arg, const struct http_request *request, struct http_response *response);

#endif
