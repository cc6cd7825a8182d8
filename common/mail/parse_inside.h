/* Private to common/mail/parse*.c: what its files share. */
#ifndef DESK_MAIL_PARSE_INSIDE_H
#define DESK_MAIL_PARSE_INSIDE_H

#include <gmime/gmime.h>
#include <string.h>

#include "mail/parse.h"

/* Bytes of a header as text on one line: UTF-8 (what is broken is guessed as in charset.h), white
 * space and control characters are single spaces, none at the ends, at most `max` bytes. */
const char *mail_line(struct arena *arena, const char *bytes, size_t max);

/* A file's name as it may be stored and shown: without folders, leading dots and characters that
 * turn the direction of text. */
const char *mail_file_name(struct arena *arena, const char *name);

/* Takes from the value of a field of addresses what GMime cannot bear. False if it was cut. */
bool mail_parse_mend_field(char *field);

/* Readies the bytes of a mail's parts, which begin with the Content- fields of the mail itself, for
 * GMime, and returns how many it is to read: up to the line where they are more than it can bear.
 * In "message/..." and "multipart/digest" one letter is another one then. */
size_t mail_parse_scan(char *bytes, size_t length);
#define MAIL_SCAN_LETTER 'a' /* for the "e" in "message" and in "digest" */

/* An empty line; a CR may be the last byte of all. */
static inline bool mail_is_empty_line(const char *at, const char *end)
{
    return *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'));
}

/* Behind the line. */
static inline char *mail_line_end(char *at, char *end)
{
    char *found = memchr(at, '\n', (size_t)(end - at));
    return found == NULL ? end : found + 1;
}

/* A mail's fields, as they are read one after the other. */
struct mail_fields {
    char *start;
    char *kept; /* behind the Content- fields so far, which are moved to the start */
    char *at, *end;
    bool any;    /* there was a field */
    bool broken; /* it is no mail: what it begins with is no field */
};

struct mail_field {
    const char *name; /* without blanks */
    const char *raw;  /* what is behind the colon, line ends as well; the first 64 kB */
};

/* Begins with a mail's bytes, in which fields are moved about. */
void mail_fields_init(struct mail_fields *fields, char *bytes, size_t length);

/* Fills *out (NULL: nothing) with copies in the arena; false if there are no more. Content- fields
 * are left out. */
bool mail_fields_next(struct mail_fields *fields, struct arena *arena, struct mail_field *out);

/* When there are no more: puts the Content- fields before the empty line, and returns where they
 * begin. From there on the bytes are the mail without the fields that were read. */
size_t mail_fields_rest(struct mail_fields *fields);

/* Reads a mail's fields into *mail, all of them. */
void mail_parse_headers(struct arena *arena, GMimeParserOptions *options,
                        struct mail_fields *fields, struct mail *mail);

/* The subject of a mail of which only that is asked for; "" if it has none. */
const char *mail_parse_subject(struct arena *arena, GMimeParserOptions *options, const char *bytes,
                               size_t length);

/* Reads its parts; `top` may be NULL. */
void mail_parse_parts(struct arena *arena, GMimeParserOptions *options, GMimeObject *top,
                      const struct mail_sink *sink, struct mail *mail);

#endif
