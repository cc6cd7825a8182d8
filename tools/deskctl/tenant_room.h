/* Whether the models of a tenant file have room for what it says. One thread. */
#ifndef DESKCTL_TENANT_ROOM_H
#define DESKCTL_TENANT_ROOM_H

#include "store/tenant.h"
#include "tenant_file.h"

/* Adds a problem for each entry of the chain whose window is too small for what stands in every
 * prompt of the version that the row shall have (rules, business, workflow, tools), a customer's
 * text and an answer. */
void tenant_room_check(struct problems *problems, const struct tenant_file *file,
                       const struct tenant_row *row);

#endif
