/* Receipts become changes of deliveries; the table of states and the statement of delivery.c do the
 * rest. The responder's receipt consumer and its look-ups call it. */
#include "store/receipt.h"

#include <string.h>

static const struct {
    const char *status;
    enum delivery_event event;
} words[] = {
    {"accepted", DELIVERY_SEEN}, {"scheduled", DELIVERY_SEEN},   {"queued", DELIVERY_SEEN},
    {"sending", DELIVERY_SEEN},  {"sent", DELIVERY_SEEN},        {"delivered", DELIVERY_ARRIVED},
    {"read", DELIVERY_ARRIVED},  {"undelivered", DELIVERY_LOST}, {"failed", DELIVERY_LOST},
    {"canceled", DELIVERY_LOST},
};

bool receipt_event(const char *status, enum delivery_event *event)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].status, status) == 0) {
            *event = words[i].event;
            return true;
        }
    return false;
}

void receipt_add_apply(struct pg_unit *unit, struct arena *arena, const struct receipt *receipts,
                       size_t count)
{
    struct delivery_change *changes = arena_alloc(arena, count * sizeof *changes);
    for (size_t i = 0; i < count; i++) {
        enum delivery_event event = DELIVERY_SEEN;
        receipt_event(receipts[i].status, &event);
        changes[i] = (struct delivery_change){
            .ref = receipts[i].ref,
            .attempt = receipts[i].attempt,
            .event = event,
            .sid = receipts[i].sid,
            .provider_status = receipts[i].status,
            .error_code = receipts[i].error_code[0] != '\0' ? receipts[i].error_code : NULL,
            .next_in_ms = -1,
            /* of an attempt whose outcome nobody learnt */
            .outcome = event == DELIVERY_LOST ? "refused" : "accepted",
        };
    }
    delivery_add_change(unit, arena, changes, count);
}
