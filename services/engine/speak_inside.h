/* Private to speak.c, speak_clean.c and speak_heard.c. */
#ifndef DESK_ENGINE_SPEAK_INSIDE_H
#define DESK_ENGINE_SPEAK_INSIDE_H

#include <stdint.h>

#include "base/strbuf.h"
#include "speak.h"

/* The cleaning of one text: whole characters in, cleaned text out. */
struct speak_clean {
    struct strbuf raw;   /* what cannot be decided yet; bounded by the longest look ahead */
    struct strbuf out;   /* cleaned, not taken yet */
    size_t total;        /* bytes of cleaned text so far */
    uint32_t last;       /* last visible character; 0 before the first */
    bool space;          /* white space before the next one */
    bool dropped;        /* an emoji was dropped since the last one */
    bool line_start;     /* nothing visible of the line yet */
    bool in_list, title; /* the line is an item of a list, a heading */
    bool in_link;        /* the next "](...)" belongs to a link */
    bool in_angle;       /* the next ">" belongs to an address */
    bool skip_line;      /* the rest of the line is a fence's */
    bool ended, full;
};

/* Prepares and frees caller's storage. */
void speak_clean_init(struct speak_clean *clean);
void speak_clean_fini(struct speak_clean *clean);

/* Takes well-formed UTF-8, and cleans as much of it as can be decided; all of it once `ended`. */
void speak_clean_add(struct speak_clean *clean, const char *text, size_t length);

enum speak_edge { SPEAK_NO_EDGE, SPEAK_CLAUSE, SPEAK_SENTENCE };

/* What ends in front of the byte `at` of the text, if white space or the end of the text follows:
 * a sentence, a clause or neither. `begin` is where to stop looking back. */
enum speak_edge speak_edge(const char *text, size_t begin, size_t at, const char *language);

/* True if the words on both sides of the space at `at` belong together: a number in groups, an
 * abbreviation and what it abbreviates. */
bool speak_binds(const char *text, size_t begin, size_t at, const char *language);

#endif
