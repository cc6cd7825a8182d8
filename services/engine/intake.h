/* Intake: from records to claims. One claim in flight per lane and loop, so that offsets are stored
 * in order; what cannot be claimed becomes a dead letter; what PostgreSQL refuses as a batch is
 * tried singly. Not the responder's intake, which hands records over and waits for its caller. Loop
 * thread only. */
#ifndef DESK_ENGINE_INTAKE_H
#define DESK_ENGINE_INTAKE_H

#include "base/err.h"
#include "engine.h"

struct intake;

/* What is one lane's own (intake_inside.h): that of texts, of calls, of mails. */
struct intake_lane;
extern const struct intake_lane intake_sms, intake_voice, intake_mail;

/* Opens the lane's consumer. Returns owned. */
int intake_open(struct engine *engine, const struct intake_lane *lane, struct intake **intake,
                struct err *err);

/* Leaves the group; a claim in flight must be over (intake_idle). NULL-safe, sets to NULL. */
void intake_close(struct intake **intake);

/* Something changed (worker registered, database up): go on if possible. */
void intake_wake(struct intake *intake);

/* True once the group has given us its partitions, or none; false of NULL. */
bool intake_is_assigned(const struct intake *intake);

/* True when no claim is in flight. */
bool intake_idle(const struct intake *intake);

#endif
