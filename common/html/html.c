/* Walks the tree that libxml2 makes of a document and writes down what a visitor reads. libxml2
 * mends any markup, but stops without a word where elements nest too deep: that is looked for, so
 * that no part of a document is lost silently. The chunker of documents and the mail reader call
 * it. */
#include "html/html.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>

#include "base/strbuf.h"

#define OPTIONS                                                                                    \
    (HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |           \
     HTML_PARSE_IGNORE_ENC)
#define DEPTH_MAX  300 /* libxml2 stops at 256 */
#define INDENT_MAX 4   /* levels of a list that are shown */
#define HREF_MAX   300
#define ALT_MAX    100
#define LINE_END   65535 /* libxml2 counts no further */

enum role {
    ROLE_INLINE,
    ROLE_DROP,
    ROLE_BLOCK,
    ROLE_BREAK,
    ROLE_HEADING,
    ROLE_LIST,
    ROLE_ITEM,
    ROLE_TABLE,
    ROLE_ROW,
    ROLE_CELL,
    ROLE_PRE,
    ROLE_LINK,
    ROLE_IMAGE,
};

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"head", ROLE_DROP},      {"script", ROLE_DROP},      {"style", ROLE_DROP},
    {"nav", ROLE_DROP},       {"template", ROLE_DROP},    {"noscript", ROLE_DROP},
    {"svg", ROLE_DROP},       {"iframe", ROLE_DROP},      {"object", ROLE_DROP},
    {"button", ROLE_DROP},    {"select", ROLE_DROP},      {"textarea", ROLE_DROP},
    {"h1", ROLE_HEADING},     {"h2", ROLE_HEADING},       {"h3", ROLE_HEADING},
    {"h4", ROLE_HEADING},     {"h5", ROLE_HEADING},       {"h6", ROLE_HEADING},
    {"br", ROLE_BREAK},       {"ul", ROLE_LIST},          {"ol", ROLE_LIST},
    {"menu", ROLE_LIST},      {"li", ROLE_ITEM},          {"table", ROLE_TABLE},
    {"tr", ROLE_ROW},         {"td", ROLE_CELL},          {"th", ROLE_CELL},
    {"pre", ROLE_PRE},        {"a", ROLE_LINK},           {"p", ROLE_BLOCK},
    {"div", ROLE_BLOCK},      {"section", ROLE_BLOCK},    {"article", ROLE_BLOCK},
    {"header", ROLE_BLOCK},   {"footer", ROLE_BLOCK},     {"main", ROLE_BLOCK},
    {"aside", ROLE_BLOCK},    {"address", ROLE_BLOCK},    {"blockquote", ROLE_BLOCK},
    {"figure", ROLE_BLOCK},   {"figcaption", ROLE_BLOCK}, {"caption", ROLE_BLOCK},
    {"dl", ROLE_BLOCK},       {"dt", ROLE_BLOCK},         {"dd", ROLE_BLOCK},
    {"details", ROLE_BLOCK},  {"summary", ROLE_BLOCK},    {"form", ROLE_BLOCK},
    {"fieldset", ROLE_BLOCK}, {"legend", ROLE_BLOCK},     {"hr", ROLE_BLOCK},
    {"center", ROLE_BLOCK},   {"hgroup", ROLE_BLOCK},     {"body", ROLE_BLOCK},
    {"img", ROLE_IMAGE},
};

static enum role role_of(const xmlNode *node)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcasecmp((const char *)node->name, roles[i].name) == 0)
            return roles[i].role;
    return ROLE_INLINE;
}

struct walk {
    const struct html_reader *reader;
    bool mail;          /* read as html_read_as says */
    struct strbuf text; /* of the block that is open */
    int line;           /* where its first character stands */
    int here;           /* line of the node that is read */
    int heading;        /* level of the open one, 0: none */
    int lists, tables, cells, pres;
    bool space;                 /* white space was read since the last character */
    char marker[24];            /* of a list's item, until its first character */
    int numbers[DEPTH_MAX + 1]; /* by depth of the list: of the last item; -1: no numbers */
    int depth;
    bool too_deep;
    bool gap; /* before the next block */
    int quote, mark;
    int rest; /* the mark of what has none, since an element said so */
};

/* ---- writing ---- */

static bool is_lines(const struct walk *w)
{
    return w->lists > 0 || w->tables > 0 || w->pres > 0;
}

static void trim_end(struct strbuf *text)
{
    size_t length = text->length;
    while (length > 0 && strchr(" \t\n", text->data[length - 1]) != NULL)
        length--;
    strbuf_truncate(text, length);
}

/* Ends the block. */
static void flush(struct walk *w)
{
    w->space = false;
    trim_end(&w->text);
    if (w->text.length > 0 && w->text.data[strspn(w->text.data, " \t\n|")] != '\0') {
        const struct html_block block = {
            .kind = w->heading > 0 ? HTML_HEADING
                    : is_lines(w)  ? HTML_LINES
                                   : HTML_PROSE,
            .level = w->heading,
            .line = w->line < LINE_END ? w->line : 0,
            .text = w->text.data + strspn(w->text.data, "\n"),
            .gap = w->gap,
            .quote = w->quote,
            .mark = w->mark != 0 ? w->mark : w->rest,
        };
        w->reader->visit(w->reader->arg, &block);
        w->gap = false;
    }
    strbuf_truncate(&w->text, 0);
    w->line = 0;
}

/* A line end in a mail behind a line end, or behind nothing, is an empty line. */
static void break_mail(struct walk *w)
{
    if (w->text.length == 0 || w->text.data[w->text.length - 1] == '\n') {
        flush(w);
        w->gap = true;
    }
}

static void break_line(struct walk *w)
{
    if (w->mail && w->heading == 0 && !is_lines(w))
        break_mail(w);
    w->space = w->heading > 0 || w->cells > 0;
    if (!w->space && w->text.length > 0 && w->text.data[w->text.length - 1] != '\n')
        strbuf_add_char(&w->text, '\n');
}

/* Elements that a browser sets apart from what is around them. */
static bool is_set_apart(const xmlNode *node)
{
    static const char *const names[] = {"p", "ul", "ol", "table", "blockquote", "hr", "pre"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp((const char *)node->name, names[i]) == 0)
            return true;
    return role_of(node) == ROLE_HEADING;
}

/* Where a block-level element begins or ends. */
static void boundary(struct walk *w)
{
    if (w->heading > 0 || is_lines(w))
        break_line(w);
    else
        flush(w);
}

/* A run of bytes without white space. */
static void add_word(struct walk *w, const char *bytes, size_t length)
{
    bool at_start = w->text.length == 0 || w->text.data[w->text.length - 1] == '\n';
    if (w->line == 0)
        w->line = w->here;
    if (w->marker[0] != '\0') {
        strbuf_add_text(&w->text, w->marker);
        w->marker[0] = '\0';
    } else if (w->space && !at_start) {
        strbuf_add_char(&w->text, ' ');
    }
    w->space = false;
    strbuf_add(&w->text, bytes, length);
}

/* The length of the white space at `at`; a no-break space is one too. */
static size_t space_length(const char *at)
{
    if (*at != '\0' && strchr(" \t\r\n\f\v", *at) != NULL)
        return 1;
    return strncmp(at, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

static void add_text(struct walk *w, const char *at)
{
    while (*at != '\0') {
        const char *start = at;
        for (size_t space; (space = space_length(at)) > 0; at += space)
            w->space = true;
        if (w->pres > 0 && at > start && w->cells == 0) {
            strbuf_add(&w->text, start, (size_t)(at - start));
            w->space = false;
        }
        start = at;
        while (*at != '\0' && space_length(at) == 0)
            at++;
        if (at > start)
            add_word(w, start, (size_t)(at - start));
    }
}

/* ---- walking ---- */

/* Asks the reader what the element is. */
static struct html_look look_at(const struct walk *w, const xmlNode *node)
{
    static const char *const names[] = {"id", "class", "style", "name", "data-marker"};
    enum { NAMES = sizeof names / sizeof names[0] };
    struct html_look look = {0};
    xmlChar *values[NAMES];
    const char *texts[NAMES];
    if (w->reader->look == NULL)
        return look;
    for (size_t i = 0; i < NAMES; i++) {
        values[i] = node->properties == NULL ? NULL : xmlGetProp(node, (const xmlChar *)names[i]);
        texts[i] = values[i] == NULL ? "" : (const char *)values[i];
    }
    const struct html_element element = {
        (const char *)node->name, texts[0], texts[1], texts[2], texts[3], texts[4]};
    w->reader->look(w->reader->arg, &element, &look);
    for (size_t i = 0; i < NAMES; i++)
        xmlFree(values[i]);
    return look;
}

static void walk_children(struct walk *w, const xmlNode *node);

static void walk_heading(struct walk *w, const xmlNode *node)
{
    flush(w);
    int before = w->heading;
    w->heading = node->name[1] - '0';
    walk_children(w, node);
    flush(w);
    w->heading = before;
}

static void walk_list(struct walk *w, const xmlNode *node)
{
    boundary(w);
    w->numbers[++w->lists] = strcasecmp((const char *)node->name, "ol") == 0 ? 0 : -1;
    walk_children(w, node);
    w->marker[0] = '\0';
    if (w->lists == 1 && w->tables == 0)
        flush(w);
    else
        break_line(w);
    w->lists--;
}

static void walk_item(struct walk *w, const xmlNode *node)
{
    boundary(w);
    int level = w->lists > INDENT_MAX ? INDENT_MAX : w->lists;
    int *number = &w->numbers[w->lists]; /* the outermost is of items without a list */
    int indent = level > 1 && w->cells == 0 ? 2 * (level - 1) : 0;
    if (w->lists == 0 || *number < 0) {
        snprintf(w->marker, sizeof w->marker, "%*s- ", indent, "");
    } else {
        *number += *number < 999999;
        snprintf(w->marker, sizeof w->marker, "%*s%d. ", indent, "", *number);
    }
    if (w->cells > 0 && w->text.length > 0)
        strbuf_add_char(&w->text, ' ');
    walk_children(w, node);
    w->marker[0] = '\0';
    boundary(w);
}

static bool is_element(const xmlNode *node, enum role role)
{
    return node->type == XML_ELEMENT_NODE && role_of(node) == role;
}

static size_t cells_of(const xmlNode *row)
{
    size_t count = 0;
    for (const xmlNode *child = row->children; child != NULL; child = child->next)
        count += is_element(child, ROLE_CELL);
    return count;
}

/* True if no row (of the table, or of a part of it) has two cells: a frame around a text. */
static bool is_frame(const xmlNode *table)
{
    for (const xmlNode *child = table->children; child != NULL; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (is_element(child, ROLE_ROW) ? cells_of(child) > 1
                                        : role_of(child) == ROLE_INLINE && !is_frame(child))
            return false;
    }
    return true;
}

/* A table in a cell, as old pages have it for their layout, is rows of its own. */
static void walk_table(struct walk *w, const xmlNode *node)
{
    int cells = w->cells;
    if (w->mail && cells == 0 && is_frame(node)) {
        walk_children(w, node);
        return;
    }
    w->cells = 0;
    boundary(w);
    w->tables++;
    walk_children(w, node);
    if (w->tables == 1 && w->lists == 0)
        flush(w);
    else
        break_line(w);
    w->tables--;
    w->cells = cells;
}

static void walk_row(struct walk *w, const xmlNode *node)
{
    bool first = true;
    if (w->mail && w->tables == 0) {
        boundary(w);
        walk_children(w, node);
        boundary(w);
        return;
    }
    break_line(w);
    size_t start = w->text.length;
    for (const xmlNode *child = node->children; child != NULL; child = child->next) {
        if (!is_element(child, ROLE_CELL) || (w->mail && look_at(w, child).drop))
            continue;
        if (!first && w->text.length > 0)
            strbuf_add_text(&w->text, " | ");
        first = false;
        w->space = false;
        w->cells++;
        walk_children(w, child);
        w->cells--;
    }
    w->space = false;
    if (start <= w->text.length && w->text.data[start + strspn(w->text.data + start, " |")] == '\0')
        strbuf_truncate(&w->text, start);
    break_line(w);
}

/* What a text says may hang on where its link leads: a form, a map. */
static void walk_link(struct walk *w, const xmlNode *node)
{
    size_t before = w->text.length;
    walk_children(w, node);
    xmlChar *href = xmlGetProp(node, (const xmlChar *)"href");
    const char *to = (const char *)href;
    if (to != NULL && w->text.length > before && w->heading == 0 && strlen(to) <= HREF_MAX &&
        strncmp(to, "http", 4) == 0 && to[strcspn(to, " \t\r\n<>\"")] == '\0' &&
        strstr(w->text.data + before, to) == NULL) {
        w->space = true;
        add_word(w, "(", 1);
        add_word(w, to, strlen(to));
        add_word(w, ")", 1);
    }
    xmlFree(href);
}

static void walk_pre(struct walk *w, const xmlNode *node)
{
    boundary(w);
    w->pres++;
    walk_children(w, node);
    boundary(w);
    if (w->pres == 1 && w->lists == 0 && w->tables == 0)
        flush(w);
    w->pres--;
}

static void walk_image(struct walk *w, const xmlNode *node)
{
    xmlChar *alt = w->mail ? xmlGetProp(node, (const xmlChar *)"alt") : NULL;
    if (alt != NULL && strlen((const char *)alt) <= ALT_MAX)
        add_text(w, (const char *)alt);
    xmlFree(alt);
}

static void walk_role(struct walk *w, const xmlNode *node)
{
    switch (role_of(node)) {
    case ROLE_DROP:
        return;
    case ROLE_BREAK:
        break_line(w);
        return;
    case ROLE_HEADING:
        walk_heading(w, node);
        return;
    case ROLE_LIST:
        walk_list(w, node);
        return;
    case ROLE_ITEM:
        walk_item(w, node);
        return;
    case ROLE_TABLE:
        walk_table(w, node);
        return;
    case ROLE_ROW:
        walk_row(w, node);
        return;
    case ROLE_LINK:
        walk_link(w, node);
        return;
    case ROLE_PRE:
        walk_pre(w, node);
        return;
    case ROLE_IMAGE:
        walk_image(w, node);
        return;
    case ROLE_BLOCK:
    case ROLE_CELL: /* outside of a row */
        boundary(w);
        walk_children(w, node);
        boundary(w);
        return;
    case ROLE_INLINE:
        walk_children(w, node);
    }
}

static void walk_mail(struct walk *w, const xmlNode *node)
{
    struct html_look look = look_at(w, node);
    int mark = w->mark;
    bool apart = is_set_apart(node), marked = look.quote || look.mark != 0;
    if (look.drop)
        return;
    if (apart || marked)
        boundary(w);
    if (marked)
        flush(w); /* also in the middle of a table */
    w->gap |= apart;
    w->quote += look.quote;
    w->mark = look.mark != 0 ? look.mark : w->mark;
    if (look.rest)
        w->rest = look.mark;
    walk_role(w, node);
    if (marked)
        flush(w);
    w->gap |= apart;
    w->mark = mark;
    w->quote -= look.quote;
}

static void walk_element(struct walk *w, const xmlNode *node)
{
    if (xmlHasProp(node, (const xmlChar *)"hidden") != NULL)
        return;
    if (w->mail)
        walk_mail(w, node);
    else
        walk_role(w, node);
}

static void walk_children(struct walk *w, const xmlNode *node)
{
    if (w->depth + 1 >= DEPTH_MAX) {
        w->too_deep = true;
        return;
    }
    w->depth++;
    for (const xmlNode *child = node->children; child != NULL; child = child->next) {
        w->here = (int)xmlGetLineNo(child);
        if (child->type == XML_ELEMENT_NODE)
            walk_element(w, child);
        else if (child->type == XML_TEXT_NODE && child->content != NULL)
            add_text(w, (const char *)child->content);
    }
    w->depth--;
}

/* ---- reading ---- */

static void prepare(void)
{
    xmlInitParser(); /* before threads use it */
}

static int read_tree(const xmlDoc *document, struct walk *w, struct err *err)
{
    strbuf_init(&w->text, HTML_BYTES_MAX);
    for (const xmlNode *node = document->children; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            walk_element(w, node);
    flush(w);
    bool overflow = w->text.overflow;
    strbuf_fini(&w->text);
    if (overflow)
        return err_set(err, ERR_PERMANENT, "html.size",
                       "one block holds more than %u bytes of text; split the document",
                       HTML_BYTES_MAX);
    return 0;
}

static int read_bytes(const char *bytes, size_t length, struct walk *w, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int result = -1;
    if (length > HTML_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, "html.size",
                       "the document is larger than %u bytes; split it", HTML_BYTES_MAX);
    pthread_once(&once, prepare);
    htmlParserCtxtPtr context = htmlNewParserCtxt();
    xmlDoc *document =
        context == NULL ? NULL
                        : htmlCtxtReadMemory(context, bytes, (int)length, NULL, "UTF-8", OPTIONS);
    /* Only a parser that gave up has its callbacks disabled: it recovers from all else. */
    bool gave_up = context != NULL && context->disableSAX != 0;
    if (document == NULL)
        err_set(err, ERR_PERMANENT, "html.syntax", "there is no HTML in it");
    else
        result = gave_up && !w->mail ? -1 : read_tree(document, w, err);
    if (document != NULL && (gave_up || w->too_deep))
        result = err_set(err, ERR_PERMANENT, "html.depth",
                         "elements are nested deeper than 256; take out those that only lay out");
    xmlFreeDoc(document);
    htmlFreeParserCtxt(context);
    return result;
}

int html_read(const char *bytes, size_t length,
              void (*visit)(void *arg, const struct html_block *block), void *arg, struct err *err)
{
    const struct html_reader reader = {.visit = visit, .arg = arg};
    struct walk w = {.reader = &reader};
    return read_bytes(bytes, length, &w, err);
}

int html_read_as(const char *bytes, size_t length, const struct html_reader *reader,
                 struct err *err)
{
    struct walk w = {.reader = reader, .mail = true};
    return read_bytes(bytes, length, &w, err);
}
