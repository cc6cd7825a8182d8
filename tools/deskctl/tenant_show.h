/* Handlers of `deskctl tenant list` and `tenant show`. */
#ifndef DESKCTL_TENANT_SHOW_H
#define DESKCTL_TENANT_SHOW_H

#include "command.h"

/* Prints all tenants; returns an exit code. */
int tenant_show_list(struct desk *desk, const struct words *words);

/* Prints the tenant that the operand names; returns an exit code. */
int tenant_show_one(struct desk *desk, const struct words *words);

#endif
