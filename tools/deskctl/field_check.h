/* Shapes of single values: names, numbers, addresses. Any thread, no state. */
#ifndef DESKCTL_FIELD_CHECK_H
#define DESKCTL_FIELD_CHECK_H

#include "fields.h"

/* NULL if the text is a good value of the kind (FIELD_SLUG to FIELD_URL), else the rest of a
 * sentence that says what it must be. Static. */
const char *field_check_text(enum field_kind kind, const char *text);

#endif
