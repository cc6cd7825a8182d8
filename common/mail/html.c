/* Knows the markup by which mail programs set apart what they quote and sign. The programs are
 * data: a row for each. The body's reader calls it; reply.c makes use of the spans. Sources: the
 * extractors of talon and of Discourse, mails of the programs themselves. */
#include "mail/html.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "html/html.h"

#define TEXT_MAX  (512u * 1024)
#define SPANS_MAX 2000
#define STYLE_MAX 1000

enum where { IN_ID, IN_CLASS, IN_STYLE, IN_NAME, IN_MARKER };
enum how { WHOLE, WORD, BEGIN, PART };
enum kind { QUOTE = 1, SIGN }; /* 0 is no mark */

/* An element that a program marks. `rest`: it stands before all that the mail quotes. */
static const struct mark_row {
    enum where where;
    enum how how;
    const char *value;
    enum kind kind;
    bool rest;
    const char *program;
} rows[] = {
    {IN_CLASS, WORD, "gmail_attr", QUOTE, false, "Gmail"},
    {IN_CLASS, WORD, "gmail_signature", SIGN, false, "Gmail"},
    {IN_CLASS, WORD, "gmail_signature_prefix", SIGN, false, "Gmail"},
    {IN_ID, WHOLE, "divRplyFwdMsg", QUOTE, true, "Outlook on the web"},
    {IN_ID, WHOLE, "appendonsend", QUOTE, true, "Outlook on the web"},
    {IN_ID, WHOLE, "Signature", SIGN, false, "Outlook on the web"},
    {IN_ID, WHOLE, "mail-editor-reference-message-container", QUOTE, true, "Outlook mobile"},
    {IN_ID, WHOLE, "ms-outlook-mobile-signature", SIGN, false, "Outlook mobile"},
    {IN_ID, WHOLE, "OLK_SRC_BODY_SECTION", QUOTE, true, "Outlook for Mac"},
    {IN_STYLE, PART, "border:none;border-top:solid", QUOTE, true, "Outlook"},
    {IN_STYLE, BEGIN, "padding-top:5px;border-top-color:", QUOTE, true, "Windows Mail"},
    {IN_ID, BEGIN, "AppleMailSignature", SIGN, false, "Apple Mail"},
    {IN_ID, BEGIN, "lineBreakAtBeginningOfSignature", SIGN, false, "Apple Mail"},
    {IN_CLASS, WORD, "moz-cite-prefix", QUOTE, false, "Thunderbird"},
    {IN_CLASS, WORD, "moz-signature", SIGN, false, "Thunderbird"},
    {IN_CLASS, WORD, "yahoo_quoted", QUOTE, false, "Yahoo"},
    {IN_CLASS, WORD, "ydpyahoo_quoted", QUOTE, false, "Yahoo"},
    {IN_CLASS, WORD, "protonmail_quote", QUOTE, false, "Proton Mail"},
    {IN_CLASS, WORD, "protonmail_signature_block", SIGN, false, "Proton Mail"},
    {IN_CLASS, WORD, "tutanota_quote", QUOTE, false, "Tuta"},
    {IN_NAME, WHOLE, "quote", QUOTE, false, "GMX and WEB.DE"},
    {IN_NAME, WHOLE, "messageReplySection", QUOTE, true, "Spark"},
    {IN_NAME, WHOLE, "messageSignatureSection", SIGN, false, "Spark"},
    {IN_MARKER, WHOLE, "__DIVIDER__", QUOTE, true, "Zimbra"},
    {IN_MARKER, WHOLE, "__QUOTED_TEXT__", QUOTE, true, "Zimbra"},
    {IN_MARKER, BEGIN, "__SIG_", SIGN, false, "Zimbra"},
    {IN_CLASS, WORD, "zmail_extra", QUOTE, false, "Zoho Mail"},
    {IN_ID, WHOLE, "reply-intro", QUOTE, false, "Roundcube"},
    {IN_CLASS, WORD, "front-blockquote", QUOTE, false, "Front"},
};

/* By which a quote is a blockquote of any program. */
static const struct mark_row blockquote = {IN_ID, WHOLE, "", QUOTE, false, "blockquote"};

/* Styles, without spaces and in small letters, under which nobody sees an element. A digit or a dot
 * behind one that ends in 0 makes it another value. */
static const char *const hidden_styles[] = {
    "display:none", "visibility:hidden", "mso-hide:all", "font-size:0", "max-height:0", "opacity:0",
};

struct mail_html {
    struct strbuf text;
    struct mail_span *spans;
    size_t count;
    bool cut;
};

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || isspace((unsigned char)at[-1])) &&
            (at[length] == '\0' || isspace((unsigned char)at[length])))
            return true;
    return false;
}

static bool is_value(const char *text, enum how how, const char *value)
{
    switch (how) {
    case WHOLE:
        return strcmp(text, value) == 0;
    case WORD:
        return has_word(text, value);
    case BEGIN:
        return strncmp(text, value, strlen(value)) == 0;
    case PART:
        return strstr(text, value) != NULL;
    }
    return false;
}

/* The style's first bytes in small letters and without white space. */
static void plain_style(const char *style, char out[STYLE_MAX + 1])
{
    size_t used = 0;
    for (; *style != '\0' && used < STYLE_MAX; style++)
        if (!isspace((unsigned char)*style))
            out[used++] = (char)tolower((unsigned char)*style);
    out[used] = '\0';
}

static bool is_hidden(const char *style)
{
    for (size_t i = 0; i < sizeof hidden_styles / sizeof hidden_styles[0]; i++) {
        size_t length = strlen(hidden_styles[i]);
        bool zero = hidden_styles[i][length - 1] == '0';
        for (const char *at = style; (at = strstr(at, hidden_styles[i])) != NULL; at += length)
            if ((at == style || at[-1] == ';') &&
                (!zero || (at[length] != '.' && !isdigit((unsigned char)at[length]))))
                return true;
    }
    return false;
}

/* Gmail and Outlook indent with the same element; only a quote has a line or a class. */
static bool is_indent(const struct html_element *element, const char *style)
{
    return element->class[0] == '\0' && strstr(style, "border:none") != NULL &&
           strstr(style, "border-left:") == NULL;
}

static int mark_of(const struct mark_row *row)
{
    return row == &blockquote ? 1 : 2 + (int)(row - rows);
}

static const struct mark_row *row_of(int mark)
{
    return mark == 1 ? &blockquote : &rows[mark - 2];
}

static void look(void *arg, const struct html_element *element, struct html_look *out)
{
    char style[STYLE_MAX + 1];
    (void)arg;
    plain_style(element->style, style);
    const char *const values[] = {element->id, element->class, style, element->name,
                                  element->marker};
    out->drop = is_hidden(style);
    if (strcmp(element->tag, "blockquote") == 0 && !is_indent(element, style)) {
        out->quote = true;
        out->mark = mark_of(&blockquote);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct mark_row *row = &rows[i];
        if (values[row->where][0] != '\0' && is_value(values[row->where], row->how, row->value)) {
            out->mark = mark_of(row);
            out->rest = row->rest;
            return;
        }
    }
}

/* Neighbours of one kind are one span. */
static void add_span(struct mail_html *h, size_t from, const struct mark_row *row)
{
    enum mail_span_kind kind = row->kind == QUOTE ? MAIL_SPAN_QUOTED : MAIL_SPAN_SIGNATURE;
    struct mail_span *last = h->count > 0 ? &h->spans[h->count - 1] : NULL;
    if (last != NULL && last->to == from && last->kind == kind) {
        last->to = h->text.length;
    } else if (h->count < SPANS_MAX) {
        h->spans = xreallocarray(h->spans, h->count + 1, sizeof *h->spans);
        h->spans[h->count++] = (struct mail_span){from, h->text.length, kind, row->program};
    }
}

static void visit(void *arg, const struct html_block *block)
{
    struct mail_html *h = arg;
    size_t from = h->text.length;
    if (h->text.overflow)
        return;
    if (block->gap && from > 0)
        strbuf_add_char(&h->text, '\n');
    for (const char *at = block->text; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        for (int i = 0; i < block->quote; i++)
            strbuf_add_text(&h->text, i + 1 < block->quote ? ">" : "> ");
        strbuf_add(&h->text, at, length);
        strbuf_add_char(&h->text, '\n');
        at += length + (at[length] == '\n');
    }
    if (block->mark > 0)
        add_span(h, from, row_of(block->mark));
}

void mail_html_read(struct arena *arena, const char *html, size_t length, struct mail_text *out)
{
    struct mail_html h = {0};
    const struct html_reader reader = {visit, look, &h};
    struct err err;
    strbuf_init(&h.text, TEXT_MAX);
    h.cut = length > MAIL_HTML_MAX;
    if (html_read_as(html, h.cut ? MAIL_HTML_MAX : length, &reader, &err) != 0)
        h.cut |= strcmp(err.code, "html.syntax") != 0;
    *out = (struct mail_text){
        .text = arena_strndup(arena, h.text.data, h.text.length),
        .span_count = h.count,
        .cut = h.cut || h.text.overflow,
    };
    struct mail_span *spans = arena_alloc(arena, (h.count + 1) * sizeof *spans);
    if (h.count > 0)
        memcpy(spans, h.spans, h.count * sizeof *spans);
    out->spans = spans;
    free(h.spans);
    strbuf_fini(&h.text);
}
