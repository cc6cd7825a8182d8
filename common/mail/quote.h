/* What a reply says of the mail that it answers: the line above the quote, and so much of its text
 * as is quoted. The same input gives the same words, as a second copy is the same mail. reply.c
 * cuts both again from what the customer answers. Pure, any thread. */
#ifndef DESK_MAIL_QUOTE_H
#define DESK_MAIL_QUOTE_H

#include "base/arena.h"

#define MAIL_QUOTE_MAX (16u * 1024) /* bytes that are quoted: as many as the model is told */

/* "Am 02.11.2026 um 10:15 schrieb ann@customer.example:". `language`: a tag, as "de-CH"; English
 * for one whose words are not known. `when`: "2026-11-02 10:15", where the business is. In the
 * arena; "" if `when` has another form. */
const char *mail_quote_intro(struct arena *arena, const char *language, const char *when,
                             const char *address);

/* The text (UTF-8), cut behind a line or a word where it is longer, without empty lines around it;
 * a cut one ends with the line "[...]". In the arena; "" if there is nothing but white space. */
const char *mail_quote_text(struct arena *arena, const char *text);

#endif
