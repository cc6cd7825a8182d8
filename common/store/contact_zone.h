/* The time zone in which somebody is called (docs/CALLING.md). Blocking, inside a transaction that
 * schema_begin_as_ops opened. One thread. */
#ifndef DESK_STORE_CONTACT_ZONE_H
#define DESK_STORE_CONTACT_ZONE_H

#include "base/err.h"
#include "pg/pg.h"

/* Sets it for the contact of that telephone number; zone "": the business's again. PERMANENT
 * "contact.not_found", "contact.zone" (the database knows no such zone). */
int contact_zone_set(struct pg_session *session, const char *tenant, const char *address,
                     const char *zone, struct err *err);

#endif
