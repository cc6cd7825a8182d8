/* Reads Markdown into blocks, line by line: headings of both kinds, fenced code, lists, tables,
 * paragraphs. What only steers a program (front matter, comments, rules) is left out; marks inside
 * of a line stay as they are, models and people read them. chunk.c calls it. */
#include "chunk/inside.h"

#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"

enum open_kind { OPEN_NONE, OPEN_PROSE, OPEN_LIST, OPEN_CODE };

struct reader {
    block_visit *visit;
    void *arg;
    const char *at, *end;
    int line; /* of `at` */
    enum open_kind open;
    int open_line;
    struct strbuf text;  /* of the open block */
    bool table;          /* the open prose is a table */
    bool gap;            /* an empty line was read in a list */
    char fence;          /* of open code, 0: none */
    size_t fence_length; /* how many of it opened */
    bool no_comment;     /* no comment ends from here on */
};

struct line {
    const char *text;
    size_t length; /* without the white space at its end */
    size_t indent; /* columns */
    const char *body;
    size_t body_length; /* without the indent */
};

/* ---- blocks ---- */

static void flush(struct reader *r)
{
    if (r->open != OPEN_NONE && !is_blank(r->text.data, r->text.length)) {
        const struct block block = {
            .kind = r->open == OPEN_PROSE && !r->table ? BLOCK_PROSE : BLOCK_LINES,
            .line = r->open_line,
            .text = r->text.data,
            .length = r->text.length,
        };
        r->visit(r->arg, &block);
    }
    strbuf_truncate(&r->text, 0);
    r->open = OPEN_NONE;
    r->table = r->gap = false;
    r->fence = '\0';
}

static void add_line(struct reader *r, enum open_kind kind, const struct line *line)
{
    if (r->open == OPEN_NONE) {
        r->open = kind;
        r->open_line = r->line;
    } else {
        strbuf_add_text(&r->text, r->gap ? "\n\n" : "\n");
    }
    r->gap = false;
    strbuf_add(&r->text, line->text, line->length);
}

static void add_heading(struct reader *r, int level, int line, const char *text, size_t length)
{
    const struct block block = {
        .kind = BLOCK_HEADING, .level = level, .line = line, .text = text, .length = length};
    if (!is_blank(text, length))
        r->visit(r->arg, &block);
}

/* ---- what a line is ---- */

static struct line line_at(const char *at, const char *end)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    struct line line = {.text = at};
    line.length = (size_t)((stop != NULL ? stop : end) - at);
    while (line.length > 0 && strchr(" \t", at[line.length - 1]) != NULL)
        line.length--;
    size_t skip = 0;
    for (; skip < line.length && (at[skip] == ' ' || at[skip] == '\t'); skip++)
        line.indent = at[skip] == '\t' ? line.indent / 4 * 4 + 4 : line.indent + 1;
    line.body = at + skip;
    line.body_length = line.length - skip;
    return line;
}

static size_t run_of(const struct line *line, char c)
{
    size_t count = 0;
    while (count < line->body_length && line->body[count] == c)
        count++;
    return count;
}

static bool consists_of(const char *text, size_t length, const char *set)
{
    for (size_t i = 0; i < length; i++)
        if (strchr(set, text[i]) == NULL)
            return false;
    return true;
}

/* The level of "## Heading", and what of it is text; 0 for any other line. */
static int atx_level(const struct line *line, const char **text, size_t *length)
{
    size_t level = run_of(line, '#');
    if (line->indent > 3 || level == 0 || level > 6)
        return 0;
    if (level < line->body_length && line->body[level] != ' ' && line->body[level] != '\t')
        return 0;
    const char *at = line->body + level;
    size_t left = line->body_length - level;
    size_t closing = left;
    while (closing > 0 && at[closing - 1] == '#')
        closing--;
    if (closing > 0 && closing < left && strchr(" \t", at[closing - 1]) != NULL)
        left = closing;
    while (left > 0 && strchr(" \t", at[left - 1]) != NULL)
        left--;
    while (left > 0 && strchr(" \t", *at) != NULL) {
        at++;
        left--;
    }
    *text = at;
    *length = left;
    return (int)level;
}

/* 1 or 2 for a line of = or - below a paragraph. */
static int setext_level(const struct line *line)
{
    if (line->indent > 3 || line->body_length == 0)
        return 0;
    return run_of(line, '=') == line->body_length   ? 1
           : run_of(line, '-') == line->body_length ? 2
                                                    : 0;
}

static bool is_rule(const struct line *line)
{
    const char marks[] = {line->body_length > 0 ? line->body[0] : ' ', ' ', '\t', '\0'};
    size_t count = 0;
    if (line->indent > 3 || strchr("-*_", marks[0]) == NULL ||
        !consists_of(line->body, line->body_length, marks))
        return false;
    for (size_t i = 0; i < line->body_length; i++)
        count += line->body[i] == marks[0];
    return count >= 3;
}

/* The row of a table below its headings: it says nothing. */
static bool is_table_rule(const struct line *line)
{
    return line->body_length > 1 && memchr(line->body, '|', line->body_length) != NULL &&
           memchr(line->body, '-', line->body_length) != NULL &&
           consists_of(line->body, line->body_length, "|-: \t");
}

/* A list's item; only one that starts a list may follow a paragraph without an empty line. */
static bool is_item(const struct line *line, bool may_go_on)
{
    const char *at = line->body;
    size_t digits = 0;
    if (line->body_length >= 2 && strchr("-*+", at[0]) != NULL)
        return at[1] == ' ' || at[1] == '\t';
    while (digits < line->body_length && digits < 9 && isdigit((unsigned char)at[digits]))
        digits++;
    if (digits == 0 || line->body_length < digits + 2 || strchr(".)", at[digits]) == NULL)
        return false;
    if (at[digits + 1] != ' ' && at[digits + 1] != '\t')
        return false;
    return may_go_on || (digits == 1 && at[0] == '1');
}

static bool opens_fence(struct reader *r, const struct line *line)
{
    char mark = line->body_length > 0 ? line->body[0] : '\0';
    if (mark != '`' && mark != '~')
        return false;
    size_t count = run_of(line, mark);
    if (count < 3 ||
        (mark == '`' && memchr(line->body + count, '`', line->body_length - count) != NULL))
        return false;
    r->fence = mark;
    r->fence_length = count;
    return true;
}

static bool closes_fence(const struct reader *r, const struct line *line)
{
    size_t count = run_of(line, r->fence);
    return line->indent <= 3 + (r->open == OPEN_LIST ? 60u : 0u) && count >= r->fence_length &&
           count == line->body_length;
}

/* ---- reading ---- */

/* A paragraph becomes a heading by the line below it. */
static void take_setext(struct reader *r, int level)
{
    for (size_t i = 0; i < r->text.length; i++)
        if (r->text.data[i] == '\n')
            r->text.data[i] = ' ';
    add_heading(r, level, r->open_line, r->text.data, r->text.length);
    strbuf_truncate(&r->text, 0);
    flush(r);
}

static void take_code(struct reader *r, const struct line *line)
{
    add_line(r, OPEN_CODE, line);
    if (!closes_fence(r, line))
        return;
    r->fence = '\0';
    if (r->open == OPEN_CODE)
        flush(r);
}

/* A line that starts with a mark of its own; false if it is ordinary text. */
static bool take_marked(struct reader *r, const struct line *line)
{
    const char *text = NULL;
    size_t length = 0;
    int level = atx_level(line, &text, &length);
    if (level > 0) {
        flush(r);
        add_heading(r, level, r->line, text, length);
        return true;
    }
    level = r->open == OPEN_PROSE && !r->table ? setext_level(line) : 0;
    if (level > 0) {
        take_setext(r, level);
        return true;
    }
    if (is_rule(line)) {
        flush(r);
        return true;
    }
    return false;
}

static void take_text(struct reader *r, const struct line *line)
{
    bool item = is_item(line, r->open != OPEN_PROSE);
    bool inside = r->open == OPEN_LIST && (!r->gap || item || line->indent >= 2);
    bool fence = line->indent <= 3 || inside ? opens_fence(r, line) : false;
    char mark = r->fence;
    if (inside) {
        add_line(r, OPEN_LIST, line);
        return;
    }
    if (item || fence || r->open == OPEN_LIST)
        flush(r);
    r->fence = fence ? mark : '\0';
    if (r->open == OPEN_PROSE && is_table_rule(line)) {
        r->table = true;
        return;
    }
    add_line(r, fence ? OPEN_CODE : item ? OPEN_LIST : OPEN_PROSE, line);
}

static void take_line(struct reader *r, const struct line *line)
{
    if (r->fence != '\0')
        take_code(r, line);
    else if (line->body_length == 0 && r->open == OPEN_LIST)
        r->gap = true;
    else if (line->body_length == 0)
        flush(r);
    else if (!take_marked(r, line))
        take_text(r, line);
}

/* Moves behind a comment that starts here and has an end. */
static bool skip_comment(struct reader *r)
{
    struct line line = line_at(r->at, r->end);
    if (r->no_comment || r->fence != '\0' || line.indent > 3 || line.body_length < 4 ||
        memcmp(line.body, "<!--", 4) != 0)
        return false;
    const char *stop = memmem(line.body + 4, (size_t)(r->end - line.body) - 4, "-->", 3);
    r->no_comment = stop == NULL;
    if (stop == NULL)
        return false;
    for (; r->at < stop + 3; r->at++)
        r->line += *r->at == '\n';
    line = line_at(r->at, r->end);
    if (line.body_length == 0) {
        r->at = line.text + line.length;
        r->at += strspn(r->at, " \t");
        r->line += *r->at == '\n';
        r->at += *r->at == '\n';
    }
    return true;
}

static bool is_mark(const struct line *line, const char *mark)
{
    return line->length == strlen(mark) && memcmp(line->text, mark, line->length) == 0;
}

static const char *next_line(const char *at, const char *end)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    return stop != NULL ? stop + 1 : end;
}

/* "---", lines like "title: Prices", "---": what a site's generator reads. */
static void skip_front_matter(struct reader *r)
{
    struct line line = line_at(r->at, r->end);
    const char *at = next_line(r->at, r->end);
    if (!is_mark(&line, "---"))
        return;
    for (int count = 2; at < r->end; at = next_line(at, r->end), count++) {
        line = line_at(at, r->end);
        if (is_mark(&line, "---") || is_mark(&line, "...")) {
            r->at = next_line(at, r->end);
            r->line = count + 1;
            return;
        }
        if (line.indent == 0 && line.length > 0 && strchr("-#", *line.text) == NULL &&
            memchr(line.text, ':', line.length) == NULL)
            return;
    }
}

void markdown_read(const char *text, size_t length, block_visit *visit, void *arg)
{
    struct reader r = {.visit = visit, .arg = arg, .at = text, .end = text + length, .line = 1};
    strbuf_init(&r.text, 2 * length + 16);
    skip_front_matter(&r);
    while (r.at < r.end) {
        if (skip_comment(&r))
            continue;
        struct line line = line_at(r.at, r.end);
        take_line(&r, &line);
        r.at = next_line(r.at, r.end);
        r.line++;
    }
    flush(&r);
    strbuf_fini(&r.text);
}

void plain_read(const char *text, size_t length, block_visit *visit, void *arg)
{
    struct reader r = {.visit = visit, .arg = arg, .at = text, .end = text + length, .line = 1};
    strbuf_init(&r.text, 2 * length + 16);
    for (; r.at < r.end; r.at = next_line(r.at, r.end), r.line++) {
        struct line line = line_at(r.at, r.end);
        if (line.body_length == 0)
            flush(&r);
        else
            add_line(&r, OPEN_PROSE, &line);
    }
    flush(&r);
    strbuf_fini(&r.text);
}
