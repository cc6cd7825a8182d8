/* What a text says about consent: only a whole message counts ("Cancel the 3 pm" is an answer). */
#ifndef DESK_ENGINE_CONSENT_H
#define DESK_ENGINE_CONSENT_H

#include "store/inbox.h"

/* Judges a body and Twilio's OptOutType ("" if absent; it decides when present). Leading and
 * trailing white space and one closing full stop or exclamation mark are ignored; case is. */
enum inbox_consent consent_word(const char *body, const char *opt_out_type);

#endif
