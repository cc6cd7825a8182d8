/* Handlers of `deskctl tenant history` and `tenant rollback`. */
#ifndef DESKCTL_TENANT_HISTORY_H
#define DESKCTL_TENANT_HISTORY_H

#include "command.h"

/* Prints the versions of the tenant that the operand names; returns an exit code. */
int tenant_history_list(struct desk *desk, const struct words *words);

/* Makes a new version with the content of an older one, the second operand or the one before the
 * current; returns an exit code. */
int tenant_history_rollback(struct desk *desk, const struct words *words);

#endif
