/* What a mail brings besides its text: what is kept of it, and what a model can be told of it. No
 * I/O; one thread at a time per arena. */
#ifndef DESK_MAILPOLLER_MAIL_FILES_H
#define DESK_MAILPOLLER_MAIL_FILES_H

#include "mail/parse.h"
#include "mail_event.h"

/* Takes the parts of the mail that is being read. */
struct mail_keeper {
    struct arena *arena;
    struct mail_outcome *out;
    size_t bytes;
    size_t markup; /* bytes of HTML that were read */
    bool in_part;  /* so is the mail read */
};

/* A sink of mail_parse whose `arg` is a keeper: notes what is to be stored, and reads what is
 * text. */
void mail_files_keep(void *arg, const struct mail_part *part, const void *bytes, size_t length);

/* Lists the mail's files in out->event. Of a mail that was read in part, or whose last parts were
 * not, the one that is cut is listed without a size. */
void mail_files_list(struct arena *arena, const struct mail *mail, bool in_part,
                     struct mail_outcome *out);

/* Lists those behind them, of which no byte was read, from the outline of the mail's parts: without
 * a size. */
void mail_files_list_rest(struct arena *arena, const struct mail *mail, const struct mail *outline,
                          struct mail_outcome *out);

/* Notes the text that a program made of attachment `index`; too much of it is cut. */
void mail_files_read(struct arena *arena, struct mail_outcome *out, size_t index, const char *bytes,
                     size_t length, bool cut);

/* Puts the texts into the event, in the mail's order, as many as have room. */
void mail_files_tell(struct arena *arena, struct mail_outcome *out);

#endif
