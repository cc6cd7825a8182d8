/* The rows of a tenant's resources follow the current version of its assistant: what is booked
 * takes up a row, not a name. Blocking, in the caller's transaction. */
#ifndef DESKCTL_TENANT_RESOURCES_H
#define DESKCTL_TENANT_RESOURCES_H

#include "base/arena.h"
#include "base/err.h"
#include "store/tenant.h"

/* Makes the tenant's resources those of the row's config. Appointments stay as they are. */
int tenant_resources_write(struct pg_session *session, struct arena *arena,
                           const struct tenant_row *row, struct err *err);

#endif
