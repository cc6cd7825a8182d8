/* Private to common/mail/reply*.c: the words by which mail programs announce what they quote. */
#ifndef DESK_MAIL_REPLY_INSIDE_H
#define DESK_MAIL_REPLY_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

#define REPLY_LINE_MAX  600 /* bytes of a line, or of joined lines, that are looked at */
#define REPLY_INTRO_MAX 4   /* lines that an attribution may be wrapped to */

/* "On <date>, <name> wrote:". Returns the rule's name, or NULL. *anchored: its first words are the
 * rule's. `line` is trimmed, at most
 * REPLY_LINE_MAX bytes. *strong: it holds an address, or a time of day and a year, and no pronoun,
 * so that no person wrote it: what is behind is a quote without marks, too. */
const char *reply_words_attribution(const char *line, bool *strong, bool *anchored);

/* True if a line can be an attribution's last one: only these are worth joining with the ones
 * before. */
bool reply_words_can_end_attribution(const char *line, size_t length);

/* "-----Original Message-----"; *forward: it announces a forwarded mail. The rule's name, or NULL.
 */
const char *reply_words_separator(const char *line, bool *forward);

/* A header as Outlook writes it above what it quotes. Returns bits of enum reply_header, 0 if it is
 * none. */
unsigned reply_words_header(const char *line);

enum reply_header {
    REPLY_FROM = 1,
    REPLY_DATE = 2,
    REPLY_TO = 4,
    REPLY_CC = 8,
    REPLY_SUBJECT = 16,
    REPLY_OTHER = 32, /* importance, attachments */
};

/* "Sent from my iPhone". */
bool reply_words_footer(const char *line);

/* "See my answers below": the answers stand in what is quoted. */
bool reply_words_tell_below(const char *line);

/* "Hello,": whoever wrote this line wrote another one. */
bool reply_words_go_on(const char *line);

#endif
