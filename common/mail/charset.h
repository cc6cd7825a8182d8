/* Bytes of a mail as UTF-8, whatever the mail says they are. Pure, any thread. */
#ifndef DESK_MAIL_CHARSET_H
#define DESK_MAIL_CHARSET_H

#include <stddef.h>

#include "base/strbuf.h"

/* Appends well-formed UTF-8 with LF as line end and without NUL or other control characters but
 * tab. `charset` is the declared name, NULL or "" if none was declared. What is declared is tried
 * with the aliases that mail programs mean by it; then strict UTF-8, then windows-1252. Text that
 * calls itself Western or ASCII and is well-formed UTF-8 is that. UTF-7 is never read. A byte that
 * means nothing becomes U+FFFD. Text that has no room in `out` is cut between characters and leaves
 * the buffer marked as overflowed. */
void mail_charset_decode(const char *charset, const char *bytes, size_t length, struct strbuf *out);

/* The charset that an HTML document's meta element declares in its first 1,024 bytes, copied to
 * `name`; "" if it declares none. */
void mail_charset_of_html(const char *bytes, size_t length, char name[48]);

#endif
