/* format=flowed (RFC 3676): paragraphs that were broken for the wire, put together again. Pure, any
 * thread. */
#ifndef DESK_MAIL_FLOWED_H
#define DESK_MAIL_FLOWED_H

#include <stdbool.h>

#include "base/strbuf.h"

/* Appends the text (UTF-8, LF) with soft line breaks undone: a line that ends in a space goes on in
 * the next one of the same quote depth. `delsp`: that space is not part of the text (DelSp=yes).
 * Stuffed spaces are taken away; quoted lines begin with their ">"s and one space. The signature's
 * delimiter "-- " stands alone always. */
void mail_flowed_join(const char *text, bool delsp, struct strbuf *out);

#endif
