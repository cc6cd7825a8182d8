/* Unit tests of the HTML reader: what a visitor reads comes out as blocks, all else does not, and
 * no bytes make it fall. */
#include "html/html.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/text.h"

/* One line a block: "2 text" for a heading, "P text", "L text"; line ends of it are "/". */
static void note(void *arg, const struct html_block *block)
{
    struct strbuf *out = arg;
    CU_ASSERT(text_is_utf8(block->text, strlen(block->text)));
    CU_ASSERT(block->text[strspn(block->text, " \t\n")] != '\0');
    if (block->kind == HTML_HEADING)
        strbuf_printf(out, "%d ", block->level);
    else
        strbuf_add_text(out, block->kind == HTML_PROSE ? "P " : "L ");
    for (const char *c = block->text; *c != '\0'; c++)
        strbuf_add_char(out, *c == '\n' ? '/' : *c);
    strbuf_add_char(out, '\n');
}

static void test_blocks(void)
{
    static const struct {
        const char *html, *wanted;
    } cases[] = {
        {"<h1>Prices</h1><p>Check-up\n  <b>120</b> dollars.</p><h3>More</h3>text",
         "1 Prices\nP Check-up 120 dollars.\n3 More\nP text\n"},
        {"<html><head><title>T</title><style>p{}</style></head><body><nav>Home</nav>"
         "<script>alert(1)</script><p>kept</p><template>no</template><p "
         "hidden>no</p></body></html>",
         "P kept\n"},
        {"<ul><li>one<li><p>two</p><ul><li>inner</li></ul><li>three</ul>after",
         "L - one/- two/  - inner/- three\nP after\n"},
        {"<ol><li>first</li><li></li><li>second</li></ol>", "L 1. first/3. second\n"},
        {"<table><caption>Fees</caption><tr><th>Service</th><th>Price</th></tr>"
         "<tr><td>Filling</td><td>from <p>180</p></td></tr><tr><td> </td><td></td></tr></table>end",
         "L Fees/Service | Price/Filling | from 180\nP end\n"},
        {"<table><tr><td><h2>Hours</h2>Mon to Fri</td></tr></table>", "2 Hours\nL Mon to Fri\n"},
        {"<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td></tr></table>",
         "L a/b | c\n"},
        {"<pre>\na\n  b\n</pre>", "L a/  b\n"},
        {"<p>one<br>two<hr>three</p>", "P one/two\nP three\n"},
        {"<div>a<div>b</div>c</div>", "P a\nP b\nP c\n"},
        {"<p>see <a href=\"https://x.example/map\">the map</a>, <a href=\"#top\">top</a></p>",
         "P see the map (https://x.example/map), top\n"},
        {"<p>caf&eacute; &#8364;5 &amp; a&nbsp;&nbsp;b &#1; x</p>", "P café €5 & a b x\n"},
        {"<meta charset=iso-8859-1><p>Zürich", "P Zürich\n"},
        {"<h2></h2><p>   </p><ul><li></ul>", ""},
        {"plain words", "P plain words\n"},
        {"<h2>two<br>lines</h2>", "2 two lines\n"},
        {"<!-- not this --><p>this<!-- nor this --></p>", "P this\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out;
        struct err err;
        strbuf_init(&out, 4096);
        CU_ASSERT_EQUAL(html_read(cases[i].html, strlen(cases[i].html), note, &out, &err), 0);
        if (strcmp(out.data, cases[i].wanted) != 0)
            fprintf(stderr, "\n%s\ngave\n%swanted\n%s", cases[i].html, out.data, cases[i].wanted);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].wanted);
        strbuf_fini(&out);
    }
}

/* A block of a mail: "+" for a gap before it (but the first), its quotes, its mark. */
static void note_mail(void *arg, const struct html_block *block)
{
    struct strbuf *out = arg;
    if (block->gap && out->length > 0)
        strbuf_add_char(out, '+');
    for (int i = 0; i < block->quote; i++)
        strbuf_add_char(out, '>');
    if (block->mark > 0)
        strbuf_printf(out, "%d ", block->mark);
    for (const char *c = block->text; *c != '\0'; c++)
        strbuf_add_char(out, *c == '\n' ? '/' : *c);
    strbuf_add_char(out, '\n');
}

static void look_at_mail(void *arg, const struct html_element *element, struct html_look *look)
{
    (void)arg;
    look->drop = strcmp(element->style, "display:none") == 0;
    look->quote = strcmp(element->tag, "blockquote") == 0;
    if (strcmp(element->class, "sign") == 0)
        look->mark = 1;
    if (strcmp(element->id, "rest") == 0 || strcmp(element->marker, "rest") == 0) {
        look->mark = 2;
        look->rest = true;
    }
}

static int last_line;

static void note_line(void *arg, const struct html_block *block)
{
    (void)arg;
    last_line = block->line;
}

static void test_lines(void)
{
    static const char html[] = "<html>\n<body>\n<p>one</p>\n\n<h2>\ntwo</h2>";
    struct err err;
    CU_ASSERT_EQUAL(html_read(html, sizeof html - 1, note_line, NULL, &err), 0);
    CU_ASSERT(last_line == 5 || last_line == 6);
}

static void ignore(void *arg, const struct html_block *block)
{
    (void)arg;
    (void)block;
}

/* `count` times `part`. */
static char *repeated(const char *part, size_t count)
{
    struct strbuf out;
    strbuf_init(&out, HTML_BYTES_MAX + 100);
    for (size_t i = 0; i < count; i++)
        strbuf_add_text(&out, part);
    return strbuf_take(&out);
}

static void refused(const char *part, size_t count, const char *code)
{
    struct err err = {.code = ""};
    char *html = repeated(part, count);
    int result = html_read(html, strlen(html), ignore, NULL, &err);
    if (result != -1)
        fprintf(stderr, "\n  %zu times %s was taken\n", count, part);
    CU_ASSERT_EQUAL(result, -1);
    CU_ASSERT_STRING_EQUAL(err.code, code);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    free(html);
}

/* What would be lost is not lost silently. */
static void test_limits(void)
{
    refused("<div>x", 300, "html.depth");
    refused("<ul><li>x", 200, "html.depth");
    refused("<p>123456789", HTML_BYTES_MAX / 12 + 1, "html.size");
    struct err err;
    CU_ASSERT_EQUAL(html_read("", 0, ignore, NULL, &err), 0);
    char *html = repeated("<div>x", 200);
    CU_ASSERT_EQUAL(html_read(html, strlen(html), ignore, NULL, &err), 0);
    free(html);
}

/* Pieces of markup in any order, cut anywhere, with any bytes between. */
static void test_any_bytes(void)
{
    static const char *const parts[] = {"<h1>",
                                        "</h1>",
                                        "<ul>",
                                        "<ol>",
                                        "<li>",
                                        "</ul>",
                                        "<table>",
                                        "<tr>",
                                        "<td>",
                                        "</td>",
                                        "<pre>",
                                        "</table>",
                                        "<a href=http://x>",
                                        "</a>",
                                        "&nbsp;",
                                        "&#xfffe;",
                                        "&bogus;",
                                        "<!--",
                                        "-->",
                                        "<script>",
                                        "<p",
                                        ">",
                                        "\n",
                                        " ",
                                        "word ",
                                        "é",
                                        "</",
                                        "<![CDATA[",
                                        "]]>",
                                        "<?x ?>",
                                        "\"",
                                        "\x01",
                                        "\xf4\x8f\xbf\xbf",
                                        "<br/>",
                                        "'"};
    unsigned seed = 1;
    for (int round = 0; round < 3000; round++) {
        struct strbuf html, out;
        struct err err;
        strbuf_init(&html, 64 * 1024);
        strbuf_init(&out, 1024 * 1024);
        for (int i = rand_r(&seed) % 120; i > 0; i--)
            strbuf_add_text(&html, parts[(size_t)rand_r(&seed) % (sizeof parts / sizeof parts[0])]);
        (void)html_read(html.data, html.length, note, &out, &err);
        const struct html_reader reader = {note_mail, look_at_mail, &out};
        (void)html_read_as(html.data, html.length, &reader, &err);
        strbuf_fini(&html);
        strbuf_fini(&out);
    }
}

static void test_mails(void)
{
    static const struct {
        const char *html, *wanted;
    } cases[] = {
        {"<div>a</div><div>b</div>", "a\nb\n"},
        {"<div>a</div><div><br></div><div>b</div>", "a\n+b\n"},
        {"a<br>b<br><br>c", "a/b\n+c\n"},
        {"<p>a</p><p>b</p>", "a\n+b\n"},
        {"a<blockquote>b<blockquote>c</blockquote></blockquote>d", "a\n+>b\n+>>c\n+d\n"},
        {"a <span class=sign>b</span> c", "a\n1 b\nc\n"},
        {"<p>a<p id=rest>b<p>c<div class=sign>d</div>", "a\n+2 b\n+2 c\n+1 d\n"},
        {"a<hr data-marker=rest>b", "a\n+2 b\n"},
        {"a<div style='display:none'>b</div><table><tr><td>c<td "
         "style='display:none'>d<td>e</table>",
         "a\n+c | e\n"},
        {"<table><tr><td>a<br>b<p>c</td></tr><tr><td>d</td></tr></table>", "a/b\n+c\n+d\n"},
        {"<table><tbody><tr><td>a<td>b</tbody></table>", "a | b\n"},
        {"<p>a <img src=x alt='(smile)'> b <img src=y></p>", "a (smile) b\n"},
        {"<ul><li>a<li class=sign>b</ul>c", "- a\n1 - b\n+c\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out;
        struct err err;
        const struct html_reader reader = {note_mail, look_at_mail, &out};
        strbuf_init(&out, 4096);
        CU_ASSERT_EQUAL(html_read_as(cases[i].html, strlen(cases[i].html), &reader, &err), 0);
        if (strcmp(out.data, cases[i].wanted) != 0)
            fprintf(stderr, "\n%s\ngave\n%swanted\n%s", cases[i].html, out.data, cases[i].wanted);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].wanted);
        strbuf_fini(&out);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("html", NULL, NULL);
    CU_add_test(suite, "blocks", test_blocks);
    CU_add_test(suite, "lines", test_lines);
    CU_add_test(suite, "limits", test_limits);
    CU_add_test(suite, "mails", test_mails);
    CU_add_test(suite, "any bytes", test_any_bytes);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
