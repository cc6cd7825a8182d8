/* The statements that services run again and again: `deskctl db migrate` makes functions of them.
 */
#ifndef DESK_STORE_STATEMENTS_H
#define DESK_STORE_STATEMENTS_H

#include <stddef.h>

#include "base/err.h"
#include "pg/pg.h"

/* All of them and what is run as one, for pg_options.functions. Any thread. */
const char *const *const *statements_frequent(void);

/* Makes the functions that are missing and drops those of other releases (which then send the
 * text). As owner, under schema_lock. *count gets how many there are. */
int statements_define(struct pg_session *session, size_t *count, struct err *err);

#endif
