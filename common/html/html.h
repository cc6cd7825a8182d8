/* HTML as blocks of text (libxml2), for documents that a tenant wrote for a browser. What a visitor
 * does not read is left out: head, script, style, navigation, templates, hidden elements. */
#ifndef DESK_HTML_HTML_H
#define DESK_HTML_HTML_H

#include <stddef.h>

#include "base/err.h"

enum html_kind {
    HTML_HEADING, /* h1-h6 */
    HTML_PROSE,   /* flowing text; br is a line end */
    HTML_LINES,   /* lines that belong together: a list, a table ("a | b" a row), preformatted */
};

struct html_block {
    enum html_kind kind;
    int level;        /* of a heading, 1-6; else 0 */
    int line;         /* where it begins, from 1; 0: not known (behind line 65,534) */
    const char *text; /* UTF-8, NUL-terminated, never blank; borrowed until visit returns */
};

#define HTML_BYTES_MAX (8u * 1024 * 1024)

/* Calls `visit` with the blocks of a document in its order. The bytes are UTF-8 without NUL,
 * whatever encoding they name; broken markup is read as a browser would. PERMANENT "html.size" for
 * more than HTML_BYTES_MAX or more text than that, "html.depth" for elements nested deeper than 256
 * (some blocks may have been visited), "html.syntax" if there is no document in it. Any thread. */
int html_read(const char *bytes, size_t length,
              void (*visit)(void *arg, const struct html_block *block), void *arg, struct err *err);

#endif
