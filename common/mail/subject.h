/* Subjects: the prefixes that mail programs put before them in a dozen languages. Pure, any
 * thread. */
#ifndef DESK_MAIL_SUBJECT_H
#define DESK_MAIL_SUBJECT_H

#include <stdbool.h>

#include "base/arena.h"

/* The subject of an answer: as it is if it begins with a reply's prefix, else "Re: " before it;
 * just "Re:" for an empty one. In the arena, or the subject itself. */
const char *mail_subject_reply(struct arena *arena, const char *subject);

/* True if the first prefix is that of a forward: what such a mail quotes is its message. "VS",
 * which answers in Finland and forwards in Denmark, counts as a forward: nothing is cut off then.
 */
bool mail_subject_is_forward(const char *subject);

#endif
