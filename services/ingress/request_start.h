/* When the proxy before us got a request: it hands the same one to the next ingress where the first
 * has died or answers nothing, and who speaks to a caller must know for how long he has been silent
 * already. Server threads. */
#ifndef DESK_INGRESS_REQUEST_START_H
#define DESK_INGRESS_REQUEST_START_H

#include <stdint.h>

#include "http/server.h"

/* Nobody waits for so long (Twilio's own deadline): a header that tells of more is of a clock that
 * is wrong, and so is one that tells of the time to come. */
#define REQUEST_START_MAX_MS 15000

/* For how long the proxy has had the request; 0 where its header tells nothing. */
int64_t request_start_held_ms(const struct http_request *request);

/* The same of the header's text (`t=1796130901.217`, seconds since 1970 as nginx's $msec is
 * written; NULL: there is none) at this time of the wall clock. */
int64_t request_start_ago_ms(const char *text, int64_t now_ms);

#endif
