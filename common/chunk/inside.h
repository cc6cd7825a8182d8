/* Private to common/chunk: the blocks that a document's format is read into. */
#ifndef DESK_CHUNK_INSIDE_H
#define DESK_CHUNK_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

enum block_kind {
    BLOCK_HEADING,
    BLOCK_PROSE, /* cut at sentences */
    BLOCK_LINES, /* a list, a table, code: cut at lines */
};

struct block {
    enum block_kind kind;
    int level; /* of a heading, 1-6 */
    int line;  /* from 1; 0: not known */
    const char *text;
    size_t length;
};

/* Takes one block, whose text lives until it returns. */
typedef void block_visit(void *arg, const struct block *block);

/* Reads Markdown, or paragraphs between empty lines. The text is UTF-8 with \n as line ends and no
 * other control characters but tabs. */
void markdown_read(const char *text, size_t length, block_visit *visit, void *arg);
void plain_read(const char *text, size_t length, block_visit *visit, void *arg);

/* How much of a text of `length` bytes to take so that it is at most `max` (at least 8): up to the
 * last good place to cut. More than 0, and never inside a character. */
size_t cut_at(const char *text, size_t length, size_t max, bool lines);

/* True if there is nothing but white space. */
bool is_blank(const char *text, size_t length);

#endif
