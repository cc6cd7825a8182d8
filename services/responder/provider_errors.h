/* Twilio's error codes and what we do about each: data, not code. Source: Twilio's error dictionary
 * and its pages on message delivery. Any thread. */
#ifndef DESK_RESPONDER_PROVIDER_ERRORS_H
#define DESK_RESPONDER_PROVIDER_ERRORS_H

#include <stdbool.h>

enum provider_action {
    PROVIDER_FINAL,    /* this message will never be taken */
    PROVIDER_OPT_OUT,  /* final, and the customer opted out: recorded as consent */
    PROVIDER_BACK_OFF, /* not processed: again soon */
    PROVIDER_HOLD_OFF, /* a person must mend something: again, seldom */
};

struct provider_error {
    int code;
    enum provider_action action;
    bool alert; /* the operator of the installation must know */
    const char *meaning;
};

/* The row of the code, or NULL. Codes 30xxx come in status callbacks, the others answer a create.
 */
const struct provider_error *provider_error_find(int code);

/* What to do with an HTTP status of 400-499: by code if it is known, else by status. */
struct provider_error provider_error_judge(int status, int code);

#endif
