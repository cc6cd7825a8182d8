/* Where one answer of an IMAP server ends (RFC 9051 section 2.2): bytes as they come from the
 * network become whole responses, each a line in which literals may stand.
 *
 * A size that the server announces is never believed: memory grows with what has come, and what is
 * announced beyond the bounds ends the session before it comes. A line of status ("* OK ...", a
 * tagged one, "+") has no literals, whatever its text looks like. One thread at a time. */
#ifndef DESK_MAIL_IMAP_READ_H
#define DESK_MAIL_IMAP_READ_H

#include <stddef.h>

#include "base/err.h"
#include "base/strbuf.h"

#define IMAP_LINE_MAX     (1024u * 1024) /* bytes of a response without its literals */
#define IMAP_LITERALS_MAX 64             /* in one response */

struct imap_reader {
    struct strbuf response; /* what came of it, literals as they came; without the last line's end
                               once it is whole */
    size_t literals_max;    /* private, as the rest: bytes of all literals of a response */
    size_t line_start;      /* of the line that is being read */
    size_t line_bytes, literal_bytes, literal_left;
    int literals;
};

/* Prepares caller's storage. `literals_max` bounds the literals of one response together. */
void imap_reader_init(struct imap_reader *reader, size_t literals_max);

/* Frees the memory. */
void imap_reader_fini(struct imap_reader *reader);

/* Takes bytes up to the end of a response; *used says how many. Returns 1 when reader->response is
 * a whole response, 0 when more is needed (all bytes are used then), -1 when the server is not to
 * be spoken with any more: RETRY_LATER "imap.line" (too long), "imap.literal" (too large or too
 * many), "imap.syntax" (a NUL in a line). */
int imap_reader_take(struct imap_reader *reader, const char *bytes, size_t length, size_t *used,
                     struct err *err);

/* Forgets the response that was whole: the next one may come. */
void imap_reader_next(struct imap_reader *reader);

/* Gives memory back; no response is being read. */
void imap_reader_rest(struct imap_reader *reader);

#endif
