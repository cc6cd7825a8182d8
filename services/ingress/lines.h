/* The relay sockets that Twilio opens to us: judged before the upgrade, their frames read and given
 * to their calls. Loop thread. */
#ifndef DESK_INGRESS_LINES_H
#define DESK_INGRESS_LINES_H

#include "calls.h"

struct lines;

/* Listens on relay_listen; becomes the wire of the calls. PERMANENT "socket.listen". Returns owned.
 */
int lines_open(struct ingress *ingress, struct calls *calls, struct loop *loop,
               struct lines **lines, struct err *err);

/* Cuts all sockets: their calls hear of it. Sets to NULL; accepts NULL. */
void lines_close(struct lines **lines);

/* No new sockets; `gone` is called, from the loop, when none is open any more. */
void lines_drain(struct lines *lines, void (*gone)(void *arg), void *arg);

/* Copies the server's numbers into the metrics. */
void lines_count(struct lines *lines);

#endif
