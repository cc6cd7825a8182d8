/* Calls whose request this ingress has refused once while it drains, so that the proxy gives it to
 * another one. Who asks again has nobody else: Twilio repeats a step of ours after a 503
 * (answer.c), and asks the number's fallback URL. */
#ifndef DESK_INGRESS_PASSED_H
#define DESK_INGRESS_PASSED_H

#include <stdbool.h>

#define PASSED_MAX 65536 /* calls; of more nobody is refused */

struct passed;

/* Returns owned, empty; frees and sets to NULL, accepts NULL. */
struct passed *passed_new(void);
void passed_free(struct passed **passed);

/* True when the call is refused for the first time, as it is from then on. Any thread. */
bool passed_on(struct passed *passed, const char *call_sid);

#endif
