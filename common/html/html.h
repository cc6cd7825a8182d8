/* HTML as blocks of text (libxml2), for documents that a tenant wrote for a browser, and for mails.
 * What a visitor does not read is left out: head, script, style, navigation, templates, hidden
 * elements. */
#ifndef DESK_HTML_HTML_H
#define DESK_HTML_HTML_H

#include <stdbool.h>
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
    /* Of html_read_as only: */
    bool gap;  /* a reader sees white space between it and the block before */
    int quote; /* how many elements around it were said to be quotes */
    int mark;  /* what was said of the innermost element around it that has a mark; 0: nothing */
};

/* An element that is about to be read; "" for an attribute that it lacks. Borrowed for the call. */
struct html_element {
    const char *tag; /* lower-case */
    const char *id, *class, *style, *name, *marker /* data-marker */;
};

/* What the reader of a document makes of an element; all zero: nothing. */
struct html_look {
    bool drop;  /* nobody sees it: leave it out with all that it holds */
    bool quote; /* it holds what somebody else wrote */
    bool rest;  /* the mark is for all that follows in the document as well */
    int mark;   /* of the blocks in it; 0: that of the element around it */
};

/* How a document is read. `look` may be NULL. */
struct html_reader {
    void (*visit)(void *arg, const struct html_block *block);
    void (*look)(void *arg, const struct html_element *element, struct html_look *look);
    void *arg;
};

#define HTML_BYTES_MAX (8u * 1024 * 1024)

/* Calls `visit` with the blocks of a document in its order. The bytes are UTF-8 without NUL,
 * whatever encoding they name; broken markup is read as a browser would. PERMANENT "html.size" for
 * more than HTML_BYTES_MAX or more text than that, "html.depth" for elements nested deeper than 256
 * (some blocks may have been visited), "html.syntax" if there is no document in it. Any thread. */
int html_read(const char *bytes, size_t length,
              void (*visit)(void *arg, const struct html_block *block), void *arg, struct err *err);

/* As html_read, for markup of mail programs: `look` judges each element before it is read, an empty
 * line ends a block, and an image is its alternative text. */
int html_read_as(const char *bytes, size_t length, const struct html_reader *reader,
                 struct err *err);

#endif
