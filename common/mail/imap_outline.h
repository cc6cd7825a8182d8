/* What a server knows of a mail's parts (BODYSTRUCTURE, RFC 9051 section 7.5.2) as a mail of the
 * same parts with nothing in them. So what reads mails (mail/parse.h) tells files by their names
 * and types of which no byte was fetched, by the same rules. Hostile input: parts, texts and the
 * whole are bounded. Any thread. */
#ifndef DESK_MAIL_IMAP_OUTLINE_H
#define DESK_MAIL_IMAP_OUTLINE_H

#include "mail/imap_parse.h"

#define IMAP_OUTLINE_MAX (256u * 1024) /* bytes */

/* Writes the mail, in the arena. NULL if there is no structure (`structure` is NULL or no list). */
const char *imap_outline(struct arena *arena, const struct imap_node *structure, size_t *length);

#endif
