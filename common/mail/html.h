/* The HTML of a mail as text, with what the markup of mail programs says of its lines. Pure, any
 * thread. */
#ifndef DESK_MAIL_HTML_H
#define DESK_MAIL_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

#define MAIL_HTML_MAX (2u * 1024 * 1024) /* bytes of a part that are read */

enum mail_span_kind {
    MAIL_SPAN_QUOTED,    /* older messages, with the line that introduces them */
    MAIL_SPAN_SIGNATURE, /* what the program puts under each mail */
};

/* Whole lines of a text of which the markup says what they are. */
struct mail_span {
    size_t from, to; /* bytes of the text; `to` is behind the last line's end */
    enum mail_span_kind kind;
    const char *program; /* whose markup it is: "Gmail"; static */
};

/* A mail's text. */
struct mail_text {
    const char *text;              /* UTF-8, LF; quoted lines begin with ">"; "" if there is none */
    const struct mail_span *spans; /* in the order of the text, apart from each other */
    size_t span_count;
    bool cut; /* something was left out: it was too long, or nested too deep */
};

/* Reads a part's HTML (UTF-8), all memory in the arena. Blocks become lines, an empty line stands
 * where a reader sees white space; what is hidden (also by style) is dropped, as it would speak to
 * a model behind the reader's back. Nothing is fetched. Broken markup is read as far as it goes. */
void mail_html_read(struct arena *arena, const char *html, size_t length, struct mail_text *out);

#endif
