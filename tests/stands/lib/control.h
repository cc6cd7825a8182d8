/* The control paths of a stand-in, all under "/_". */
#ifndef STANDS_LIB_CONTROL_H
#define STANDS_LIB_CONTROL_H

#include "stands/lib/app.h"

/* Answers one control request; unknown paths get 404. */
void stand_control_handle(struct stand_app *app, struct stand_exchange *x);

#endif
