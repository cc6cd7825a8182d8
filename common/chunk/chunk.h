/* Cuts a document into chunks: passages that are small enough to be found and quoted, each under
 * the path of its headings. Pure: bytes in, chunks out. */
#ifndef DESK_CHUNK_CHUNK_H
#define DESK_CHUNK_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define CHUNK_DOCUMENT_MAX (4u * 1024 * 1024) /* bytes of a document */
#define CHUNK_TEXT_MAX     1200               /* bytes of a chunk's text */
#define CHUNK_HEADING_MAX  300                /* bytes of its path of headings */
#define CHUNK_COUNT_MAX    5000               /* chunks of a document */

enum chunk_format { CHUNK_MARKDOWN, CHUNK_PLAIN, CHUNK_HTML };
enum chunk_kind { CHUNK_TEXT, CHUNK_FAQ };

struct chunk {
    enum chunk_kind kind;
    const char *heading; /* "Prices > Fillings", outermost first; "" where there is none */
    const char *text;    /* never blank */
    int line;            /* of the document, from 1; 0: not known */
};

struct chunk_options {
    enum chunk_format format;
    bool faq; /* each heading is a question, the text below it its whole answer */
};

struct chunks {
    struct chunk *items;
    size_t count;
};

/* Cuts at headings, then joins what stands below one up to CHUNK_TEXT_MAX bytes; what is larger is
 * cut between paragraphs, then lines or sentences, then words. A list, a table or a code block
 * stays whole where it fits. A path that is too long loses its outermost headings. With `faq` a
 * question and its answer are one chunk of the kind CHUNK_FAQ. All is made in the arena.
 *
 * PERMANENT, the message begins with "line N: " where there is a line: "chunk.size", "chunk.utf8"
 * (also a NUL), "chunk.count", "chunk.empty", "chunk.faq" (no question, a question without an
 * answer, an answer over CHUNK_TEXT_MAX bytes), and those of html_read. Any thread. */
int chunk_document(struct arena *arena, const char *bytes, size_t length,
                   const struct chunk_options *options, struct chunks *out, struct err *err);

/* The format that a file's name tells: .md, .markdown; .txt; .html, .htm. False for any other. */
bool chunk_format_of(const char *name, enum chunk_format *format);

#endif
