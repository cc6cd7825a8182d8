/* What the commands on a tenant's knowledge share. One thread. */
#ifndef DESKCTL_KB_H
#define DESKCTL_KB_H

#include "command.h"
#include "store/knowledge.h"
#include "store/tenant.h"

/* Begins a transaction and finds the tenant. PERMANENT "tenant.not_found". */
int kb_begin(struct desk *desk, const char *name, struct pg_session **session,
             struct tenant_row **tenant, struct err *err);

/* `deskctl kb import`. */
int kb_import(struct desk *desk, const struct words *words);

#endif
