/* The record that wakes a responder for a delivery that was committed. */
#ifndef DESK_ENGINE_WAKE_UP_H
#define DESK_ENGINE_WAKE_UP_H

#include "base/uuid.h"
#include "engine.h"

struct wake_up {
    const char *tenant;
    struct uuid session, delivery;
    const char *traceparent; /* NULL: none */
    bool by_mail, by_call;
};

/* Publishes it; one that is lost is found by its row. Loop thread. */
void wake_up_send(struct engine *engine, const struct wake_up *wake_up);

#endif
