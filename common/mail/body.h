/* A mail's text: of each section the form that says it best. Pure, any thread. */
#ifndef DESK_MAIL_BODY_H
#define DESK_MAIL_BODY_H

#include "base/arena.h"
#include "mail/html.h"
#include "mail/parse.h"

#define MAIL_BODY_MAX (256u * 1024) /* bytes; what is longer is cut between lines */

/* Fills *out with the whole text, all memory in the arena. Plain text is preferred, as its quotes
 * are marked; HTML is taken where there is no other form, or where the plain one is a stub of it
 * ("your program cannot show this message"). */
void mail_body_read(struct arena *arena, const struct mail *mail, struct mail_text *out);

#endif
