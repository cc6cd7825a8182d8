/* The `extra` block of a vendor file, which goes into the request's body as it stands. One thread.
 */
#ifndef DESKCTL_VENDOR_EXTRA_H
#define DESKCTL_VENDOR_EXTRA_H

#include "fields.h"

/* The block as a canonical JSON object in the arena of `problems`; NULL after adding a problem. A
 * plain true, false, whole or decimal number (at most 15 digits, no exponent) is one in JSON too;
 * everything else and all that stands in quotes is text. */
const char *vendor_extra_read(struct problems *problems, const struct yaml_node *block);

#endif
