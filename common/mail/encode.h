/* Text as ASCII for the wire: encoded words in headers (RFC 2047), quoted-printable in bodies (RFC
 * 2045). Nothing that comes out needs 8BITMIME, ends a header, or is longer than a line may be.
 * Pure, any thread. */
#ifndef DESK_MAIL_ENCODE_H
#define DESK_MAIL_ENCODE_H

#include "base/strbuf.h"

#define MAIL_ENCODE_COLUMN 76 /* lines are folded behind it */

/* Appends "Name: value" CRLF, folded. Control characters of the value (UTF-8) are spaces; what is
 * not ASCII, or could not be folded, is encoded. For unstructured fields: Subject. */
void mail_encode_header(struct strbuf *out, const char *name, const char *value);

/* Appends a display name as a phrase: an atom, a quoted string, or encoded words. `column` is where
 * it begins in its line. Returns the column behind it. */
size_t mail_encode_phrase(struct strbuf *out, const char *name, size_t column);

/* Appends the text (UTF-8, LF or CRLF) as quoted-printable with CRLF. No line begins with "." or
 * "From ", so that no transport has to change one. */
void mail_encode_body(struct strbuf *out, const char *text);

#endif
