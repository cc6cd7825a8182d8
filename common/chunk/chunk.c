/* Packs the blocks of a document into chunks under their headings. `deskctl kb import` calls it, so
 * that what is stored is what an answer quotes. */
#include "chunk/chunk.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "chunk/inside.h"
#include "html/html.h"

#define LEVELS        6
#define HEADING_BYTES 200 /* of one heading; a longer one is cut */
#define SEPARATOR     " > "

struct packer {
    struct arena *arena;
    const struct chunk_options *options;
    const char *path[LEVELS]; /* headings by level, NULL: none */
    int level, heading_line;  /* of the innermost, 0: none yet */
    size_t section;           /* chunks of the open section */
    struct strbuf text;       /* of the open chunk */
    int line;                 /* where it begins */
    struct chunk *items;
    size_t count, room, questions;
    bool failed;
    struct err *err;
};

/* ---- errors ---- */

static void refuse(struct packer *p, const char *code, int line, const char *what)
{
    const char *place = line > 0 ? arena_printf(p->arena, "line %d: ", line) : "";
    if (!p->failed)
        err_set(p->err, ERR_PERMANENT, code, "%s%s", place, what);
    p->failed = true;
}

/* ---- chunks ---- */

/* The path, without its outermost parts if it is too long. */
static const char *heading_of(const struct packer *p)
{
    const char *path = "";
    for (int i = p->level - 1; i >= 0; i--) {
        if (p->path[i] == NULL)
            continue;
        if (*path != '\0' &&
            strlen(p->path[i]) + strlen(SEPARATOR) + strlen(path) > CHUNK_HEADING_MAX)
            break;
        path = arena_printf(p->arena, "%s%s%s", p->path[i], *path != '\0' ? SEPARATOR : "", path);
    }
    return path;
}

static bool is_question(const struct packer *p)
{
    return p->options->faq && p->level > 0;
}

static void add_chunk(struct packer *p, const char *text, size_t length, int line)
{
    if (p->failed || is_blank(text, length))
        return;
    if (p->count == CHUNK_COUNT_MAX) {
        refuse(p, "chunk.count", line, "more than 5,000 chunks; split the document");
        return;
    }
    if (p->count == p->room) {
        size_t room = p->room > 0 ? 2 * p->room : 32;
        struct chunk *items = arena_alloc(p->arena, room * sizeof *items);
        if (p->count > 0)
            memcpy(items, p->items, p->count * sizeof *items);
        p->items = items;
        p->room = room;
    }
    p->items[p->count++] = (struct chunk){
        .kind = is_question(p) ? CHUNK_FAQ : CHUNK_TEXT,
        .heading = heading_of(p),
        .text = arena_strndup(p->arena, text, length),
        .line = line,
    };
    p->section++;
    p->questions += is_question(p);
}

static void close_chunk(struct packer *p)
{
    add_chunk(p, p->text.data, p->text.length, p->line);
    strbuf_truncate(&p->text, 0);
}

/* Adds text that fits into a chunk: to the open one, or to a new one. */
static void add_piece(struct packer *p, const char *text, size_t length, int line)
{
    if (p->text.length > 0 && p->text.length + 2 + length > CHUNK_TEXT_MAX)
        close_chunk(p);
    if (p->text.length > 0)
        strbuf_add_text(&p->text, "\n\n");
    else
        p->line = line;
    strbuf_add(&p->text, text, length);
}

static size_t trim(const char **text, size_t length, bool lines)
{
    const char *front = lines ? "\n" : " \t\n";
    while (length > 0 && strchr(" \t\n", (*text)[length - 1]) != NULL)
        length--;
    while (length > 0 && strchr(front, **text) != NULL) {
        (*text)++;
        length--;
    }
    return length;
}

static int lines_in(const char *from, const char *to)
{
    int count = 0;
    for (; from < to; from++)
        count += *from == '\n';
    return count;
}

/* A block of any length. A long one starts a chunk of its own, so that it is cut where it is
 * cut best. */
static void add_block(struct packer *p, const struct block *block)
{
    bool lines = block->kind == BLOCK_LINES;
    const char *text = block->text;
    size_t length = trim(&text, block->length, lines);
    int line = block->line > 0 ? block->line + lines_in(block->text, text) : 0;
    size_t before = p->text.length > 0 ? p->text.length + 2 : 0;
    if (is_question(p) && before + length > CHUNK_TEXT_MAX) {
        refuse(p, "chunk.faq", p->heading_line,
               "the answer is longer than 1,200 bytes, more than one message holds; shorten it or "
               "make two questions of it");
        return;
    }
    if (length > CHUNK_TEXT_MAX)
        close_chunk(p);
    while (length > 0 && !p->failed) {
        size_t taken = cut_at(text, length, CHUNK_TEXT_MAX, lines);
        const char *piece = text;
        size_t kept = trim(&piece, taken, lines);
        if (!is_blank(piece, kept))
            add_piece(p, piece, kept, line);
        const char *rest = text + taken;
        length = trim(&rest, length - taken, lines);
        line += line > 0 ? lines_in(text, rest) : 0;
        text = rest;
    }
}

/* ---- headings ---- */

/* Ends what stands below the heading. One without text is the title of those below it; if there is
 * none it says something by itself. */
static void close_section(struct packer *p, int next_level)
{
    close_chunk(p);
    bool bare = p->level > 0 && p->section == 0 && next_level <= p->level;
    if (bare && p->options->faq)
        refuse(p, "chunk.faq", p->heading_line,
               "the question has no answer; write one below it or take it out");
    else if (bare)
        add_chunk(p, p->path[p->level - 1], strlen(p->path[p->level - 1]), p->heading_line);
    p->section = 0;
}

static void open_section(struct packer *p, const struct block *block)
{
    const char *text = arena_strndup(p->arena, block->text, block->length);
    size_t length = text_utf8_prefix(text, HEADING_BYTES);
    length = trim(&text, length, false);
    char *heading = arena_strndup(p->arena, text, length);
    for (char *c = heading; *c != '\0'; c++)
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    p->level = block->level;
    p->heading_line = block->line;
    p->path[p->level - 1] = heading;
    for (int i = p->level; i < LEVELS; i++)
        p->path[i] = NULL;
}

static void take_block(void *arg, const struct block *block)
{
    struct packer *p = arg;
    if (p->failed)
        return;
    if (block->kind == BLOCK_HEADING) {
        close_section(p, block->level);
        open_section(p, block);
    } else {
        add_block(p, block);
    }
}

static void take_html(void *arg, const struct html_block *html)
{
    static const enum block_kind kinds[] = {
        [HTML_HEADING] = BLOCK_HEADING, [HTML_PROSE] = BLOCK_PROSE, [HTML_LINES] = BLOCK_LINES};
    const struct block block = {.kind = kinds[html->kind],
                                .level = html->level,
                                .line = html->line,
                                .text = html->text,
                                .length = strlen(html->text)};
    take_block(arg, &block);
}

/* ---- documents ---- */

/* The first line that is not UTF-8 or holds a NUL. */
static int bad_line(const char *bytes, size_t length)
{
    int line = 1;
    for (size_t at = 0; at < length; line++) {
        const char *stop = memchr(bytes + at, '\n', length - at);
        size_t size = stop != NULL ? (size_t)(stop - bytes) + 1 - at : length - at;
        if (!text_is_utf8(bytes + at, size))
            return line;
        at += size;
    }
    return line;
}

/* Line ends become \n, other control characters a space, tabs stay; a byte order mark goes. */
static char *normalise(struct arena *arena, const char *bytes, size_t *length)
{
    size_t mark = *length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    char *text = arena_strndup(arena, bytes + mark, *length - mark), *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == '\r' && from[1] == '\n')
            continue;
        *to++ = *from == '\r' ? '\n'
                : ((unsigned char)*from < ' ' && *from != '\n' && *from != '\t') || *from == 0x7f
                    ? ' '
                    : *from;
    }
    *to = '\0';
    *length = (size_t)(to - text);
    return text;
}

static void read_blocks(struct packer *p, const char *text, size_t length)
{
    struct err err;
    if (p->options->format == CHUNK_MARKDOWN) {
        markdown_read(text, length, take_block, p);
    } else if (p->options->format == CHUNK_PLAIN) {
        plain_read(text, length, take_block, p);
    } else if (!is_blank(text, length) && html_read(text, length, take_html, p, &err) != 0) {
        refuse(p, err.code, 0, err.message);
    }
    close_section(p, 0);
    if (p->count == 0)
        refuse(p, "chunk.empty", 0, "there is no text in it");
    else if (p->options->faq && p->questions == 0)
        refuse(p, "chunk.faq", 0,
               "there is no question in it: each must be a heading, with its answer below");
}

int chunk_document(struct arena *arena, const char *bytes, size_t length,
                   const struct chunk_options *options, struct chunks *out, struct err *err)
{
    struct packer p = {.arena = arena, .options = options, .err = err};
    if (length > CHUNK_DOCUMENT_MAX)
        return err_set(err, ERR_PERMANENT, "chunk.size",
                       "the document is larger than 4 MB; split it");
    if (!text_is_utf8(bytes, length))
        return err_set(err, ERR_PERMANENT, "chunk.utf8",
                       "line %d: this is not UTF-8 text; save the document as UTF-8",
                       bad_line(bytes, length));
    strbuf_init(&p.text, CHUNK_TEXT_MAX);
    const char *text = normalise(arena, bytes, &length);
    read_blocks(&p, text, length);
    strbuf_fini(&p.text);
    if (p.failed)
        return -1;
    *out = (struct chunks){.items = p.items, .count = p.count};
    return 0;
}

bool chunk_format_of(const char *name, enum chunk_format *format)
{
    static const struct {
        const char *ending;
        enum chunk_format format;
    } endings[] = {{".md", CHUNK_MARKDOWN},
                   {".markdown", CHUNK_MARKDOWN},
                   {".txt", CHUNK_PLAIN},
                   {".html", CHUNK_HTML},
                   {".htm", CHUNK_HTML}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot, endings[i].ending) == 0) {
            *format = endings[i].format;
            return true;
        }
    return false;
}
