/* Wake-ups become entries in the line of claims; their offsets are stored once the claim that they
 * asked for has committed, whatever it decided. */
#include "wake.h"

#include <stdlib.h>

#include "base/mem.h"
#include "claim.h"
#include "contract/event.h"
#include "intake.h"

struct wake {
    struct responder *responder;
    struct claims *claims;
    struct intake *intake;
};

/* Not more than can soon be claimed: what stays in the log another responder may take. */
static bool ready(void *arg)
{
    const struct wake *self = arg;
    const struct responder *responder = self->responder;
    return responder_can_claim(responder) && responder_can_consume(responder) &&
           claims_count(self->claims) < (size_t)responder->shared->settings.claim_batch;
}

static int take_record(void *arg, const struct bus_record *record, struct err *err)
{
    struct wake *self = arg;
    struct delivery_requested requested;
    struct delivery_ref ref;
    if (delivery_requested_decode(intake_arena(self->intake), record, &requested, err) != 0)
        return -1;
    if (!uuid_parse(requested.event.tenant, &ref.tenant))
        return err_set(err, ERR_PERMANENT, "event.tenant", "the tenant is no uuid");
    ref.id = requested.delivery;
    if (claims_add(self->claims, &ref, self))
        intake_begin(self->intake, 1);
    return 0;
}

static void batch_over(void *arg)
{
    struct wake *self = arg;
    claims_wake(self->claims);
}

int wake_open(struct responder *responder, enum topic topic, const char *group, struct wake **wake,
              struct err *err)
{
    struct wake *self = xcalloc(1, sizeof *self);
    self->responder = responder;
    self->claims = claims_for(responder, topic == TOPIC_OUTBOUND_EMAIL);
    struct intake_options options = {.responder = responder,
                                     .topic = topic,
                                     .group = group,
                                     .batch_max = (size_t)responder->shared->settings.claim_batch,
                                     .ready = ready,
                                     .record = take_record,
                                     .batch = batch_over,
                                     .arg = self};
    if (intake_open(&options, &self->intake, err) != 0) {
        free(self);
        return -1;
    }
    *wake = self;
    return 0;
}

void wake_close(struct wake **wake)
{
    if (*wake == NULL)
        return;
    intake_close(&(*wake)->intake);
    free(*wake);
    *wake = NULL;
}

void wake_claimed(struct wake *wake, size_t count)
{
    if (wake != NULL)
        intake_end(wake->intake, count);
}

void wake_dropped(struct wake *wake, size_t count)
{
    if (wake != NULL)
        intake_abandon(wake->intake, count);
}

void wake_look(struct wake *wake)
{
    intake_wake(wake->intake);
}

bool wake_idle(const struct wake *wake)
{
    return intake_idle(wake->intake);
}
