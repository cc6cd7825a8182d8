/* Private to common/mail/parse*.c: what its files share. */
#ifndef DESK_MAIL_PARSE_INSIDE_H
#define DESK_MAIL_PARSE_INSIDE_H

#include <gmime/gmime.h>

#include "mail/parse.h"

/* Bytes of a header as text on one line: UTF-8 (what is broken is guessed as in charset.h), white
 * space and control characters are single spaces, none at the ends, at most `max` bytes. */
const char *mail_line(struct arena *arena, const char *bytes, size_t max);

/* A file's name as it may be stored and shown: without folders, leading dots and characters that
 * turn the direction of text. */
const char *mail_file_name(struct arena *arena, const char *name);

/* Takes from a mail's bytes, from the value of a field, what GMime cannot bear. */
void mail_parse_mend(char *bytes, size_t length);
void mail_parse_mend_field(char *field, size_t length);

/* Reads the mail's headers into *mail. */
void mail_parse_headers(struct arena *arena, GMimeParserOptions *options, GMimeMessage *message,
                        struct mail *mail);

/* Reads its parts. */
void mail_parse_parts(struct arena *arena, GMimeMessage *message, const struct mail_sink *sink,
                      struct mail *mail);

#endif
