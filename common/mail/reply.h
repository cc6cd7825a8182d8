/* What a person wrote anew in a mail, apart from what it quotes and from the signature. No rule is
 * safe: when unsure more is kept, and the whole text is always there beside it. Pure, any thread.
 */
#ifndef DESK_MAIL_REPLY_H
#define DESK_MAIL_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "mail/html.h"

enum mail_reply_shape {
    MAIL_REPLY_WHOLE,  /* nothing was quoted, or all is kept (a forward, no answer, answers within)
                        */
    MAIL_REPLY_TOP,    /* the answer stands above what it quotes */
    MAIL_REPLY_BOTTOM, /* ... below it */
    MAIL_REPLY_INTERLEAVED, /* ... between it: the quotes in front of answers are kept, with ">" */
};

struct mail_reply {
    const char *text; /* what is new; blank only if the whole text is */
    enum mail_reply_shape shape;
    bool signature_cut;
    const char *rule; /* what found the quote: "attribution: de, Thunderbird"; "" if none did */
};

#define MAIL_REPLY_LINES_MAX 20000 /* lines that are looked at; the rest counts as quoted */

/* Reads a mail's text (mail_body_read); `subject` tells whether it is a forward, of which all is
 * kept. All memory in the arena. Time is linear in the text. */
void mail_reply_read(struct arena *arena, const struct mail_text *whole, const char *subject,
                     struct mail_reply *out);

#endif
