/* Unit tests of the chunker: where documents are cut, what they must not hold, and that its
 * promises (sizes, nothing empty, nothing lost) hold for any bytes. */
#include "chunk/chunk.h"

#include <CUnit/Basic.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

static struct arena *arena;

/* "[heading] text" a chunk, FAQ with "?"; line ends are "/". */
static const char *shown(const struct chunks *chunks)
{
    struct strbuf out;
    strbuf_init(&out, 8 * 1024 * 1024);
    for (size_t i = 0; i < chunks->count; i++) {
        strbuf_printf(&out, "%s[%s] ", chunks->items[i].kind == CHUNK_FAQ ? "?" : "",
                      chunks->items[i].heading);
        for (const char *c = chunks->items[i].text; *c != '\0'; c++)
            strbuf_add_char(&out, *c == '\n' ? '/' : *c);
        strbuf_add_char(&out, '\n');
    }
    const char *text = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return text;
}

static struct chunks good(const char *text, size_t length, const struct chunk_options *options)
{
    struct chunks chunks = {.count = 0};
    struct err err = {.message = ""};
    int result = chunk_document(arena, text, length, options, &chunks, &err);
    if (result != 0)
        fprintf(stderr, "%s: %s\n", err.code, err.message);
    CU_ASSERT_EQUAL_FATAL(result, 0);
    return chunks;
}

static void expect(const struct chunk_options *options, const char *text, const char *wanted)
{
    struct chunks chunks = good(text, strlen(text), options);
    const char *got = shown(&chunks);
    if (strcmp(got, wanted) != 0)
        fprintf(stderr, "\n%s\ngave\n%swanted\n%s", text, got, wanted);
    CU_ASSERT_STRING_EQUAL(got, wanted);
}

static const struct chunk_options markdown = {.format = CHUNK_MARKDOWN};
static const struct chunk_options plain = {.format = CHUNK_PLAIN};
static const struct chunk_options html = {.format = CHUNK_HTML};
static const struct chunk_options faq = {.format = CHUNK_MARKDOWN, .faq = true};

static void test_headings(void)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"intro\n\n# Prices\n\nfrom 120\n\n## Fillings ##\n\nfrom 180\n# Hours\n8 to 5\n",
         "[] intro\n[Prices] from 120\n[Prices > Fillings] from 180\n[Hours] 8 to 5\n"},
        {"Prices\n======\nfrom 120\n\nFillings\nand crowns\n---\nfrom 180",
         "[Prices] from 120\n[Prices > Fillings and crowns] from 180\n"},
        {"# A\n### C\nx\n## B\ny", "[A > C] x\n[A > B] y\n"},
        {"#no heading\n\n    # nor this\n\n####### nor this",
         "[] #no heading//# nor this//####### nor this\n"},
        {"# C# and F#\nx\n#\n\ny", "[C# and F#] x//y\n"},
        {"# Closed on Sundays\n# Parking\nbehind the house",
         "[Closed on Sundays] Closed on Sundays\n[Parking] behind the house\n"},
        {"a\n\n---\n\nb\n\n* * *\nc", "[] a//b//c\n"},
        {"- item\n---\ntext", "[] - item//text\n"},
        {"```\n# no heading\n\n<!-- kept -->\n```\nend",
         "[] ```/# no heading//<!-- kept -->/```//end\n"},
        {"<!-- for\nus -->\n# A\n<!-- x --> y\n<!-- open", "[A] y/<!-- open\n"},
        {"---\ntitle: Prices\ntags:\n  - a\n---\ntext", "[] text\n"},
        {"---\nno front matter\n---\nx", "[no front matter] x\n"},
        {"\xef\xbb\xbf# A\r\nx\r\ny\rz\f\x1b[31m", "[A] x/y/z  [31m\n"},
        {"| Service | Price |\n|---|---:|\n| Filling | 180 |",
         "[] | Service | Price |/| Filling | 180 |\n"},
        {"1. one\n2. two\n\n   more\n\n10. ten\ntext", "[] 1. one/2. two//   more//10. ten/text\n"},
        {"in\n2024. that\n- a\n  ```\n  # code\n  ```\n- b\n\nend",
         "[] in/2024. that//- a/  ```/  # code/  ```/- b//end\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(&markdown, cases[i].text, cases[i].wanted);
    expect(&plain, "# no\nheading\n\n\ntwo", "[] # no/heading//two\n");
    expect(&html, "<h1>Prices</h1><p>a</p><table><tr><td>x<td>5</table><h2>More</h2>b",
           "[Prices] a//x | 5\n[Prices > More] b\n");
}

static void test_lines_are_told(void)
{
    static const char text[] = "# A\n\none\n\n<!--\n\n-->\n# B\ntwo";
    struct chunks chunks = good(text, sizeof text - 1, &markdown);
    CU_ASSERT_EQUAL_FATAL(chunks.count, 2);
    CU_ASSERT_EQUAL(chunks.items[0].line, 3);
    CU_ASSERT_EQUAL(chunks.items[1].line, 9);
}

/* `count` times `part`, which may hold one %d for the number. */
static const char *many(const char *part, int count)
{
    struct strbuf out;
    strbuf_init(&out, 8 * 1024 * 1024);
    const char *mark = strstr(part, "%d");
    for (int i = 1; i <= count; i++) {
        strbuf_add(&out, part, mark != NULL ? (size_t)(mark - part) : strlen(part));
        if (mark != NULL)
            strbuf_printf(&out, "%d%s", i, mark + 2);
    }
    const char *text = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return text;
}

/* Each chunk ends where its kind is cut best. */
static void test_cuts(void)
{
    static const struct {
        const char *part;
        int count;
        const char *start, *end; /* of each chunk, but the last one's end */
    } cases[] = {
        {"This is the sentence number %d. ", 200, "This is", "."},
        {"Paragraph %d of some words that go on.\n\n", 200, "Paragraph", "go on."},
        {"- item number %d of a long list\n", 200, "- item", "list"},
        {"| row %d | of a table |\n", 200, "| row", "table |"},
        {"word ", 1000, "word", "word"},
        {"x", 5000, "x", "x"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", 1000, "", ""},
        {"Ask Dr. No about number %d of them. ", 200, "Ask Dr.", "them."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = many(cases[i].part, cases[i].count);
        struct chunks chunks = good(text, strlen(text), &markdown);
        CU_ASSERT(chunks.count >= strlen(text) / CHUNK_TEXT_MAX);
        CU_ASSERT(chunks.count <= strlen(text) / (CHUNK_TEXT_MAX / 2) + 1);
        for (size_t k = 0; k < chunks.count; k++) {
            const char *got = chunks.items[k].text;
            size_t length = strlen(got);
            CU_ASSERT(length > 0 && length <= CHUNK_TEXT_MAX && text_is_utf8(got, length));
            CU_ASSERT_EQUAL(strncmp(got, cases[i].start, strlen(cases[i].start)), 0);
            if (k + 1 < chunks.count)
                CU_ASSERT_STRING_EQUAL(got + length - strlen(cases[i].end), cases[i].end);
        }
    }
}

/* What fits stays together, even when what stands before it is put apart for it. */
static void test_blocks_stay_whole(void)
{
    const char *list = many("- item %d of a list\n", 40);
    const char *code = arena_printf(arena, "```\n%s```\n", many("line %d;\n\n", 60));
    const char *text = arena_printf(arena, "%s\n\n%s\n%s", many("Some words. ", 50), list, code);
    struct chunks chunks = good(text, strlen(text), &markdown);
    CU_ASSERT_EQUAL_FATAL(chunks.count, 3);
    CU_ASSERT_EQUAL(strncmp(chunks.items[1].text, "- item 1 ", 9), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(chunks.items[1].text, "- item 40 "));
    CU_ASSERT_EQUAL(strncmp(chunks.items[2].text, "```", 3), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(chunks.items[2].text, "line 60;"));
}

static void test_long_headings(void)
{
    const char *text =
        arena_printf(arena, "# %s\n## %s\n### Inner\nx", many("long ", 100), many("\xc3\xa4", 300));
    struct chunks chunks = good(text, strlen(text), &markdown);
    CU_ASSERT_EQUAL_FATAL(chunks.count, 1);
    const char *heading = chunks.items[0].heading;
    CU_ASSERT(strlen(heading) <= CHUNK_HEADING_MAX);
    CU_ASSERT(text_is_utf8(heading, strlen(heading)));
    CU_ASSERT_PTR_NOT_NULL(strstr(heading, " > Inner"));
    CU_ASSERT_PTR_NULL(strstr(heading, "long"));
}

static void test_faq(void)
{
    expect(&faq,
           "Hello.\n# Questions\n## Do you take cards?\nYes.\n\nAll of them.\n## Is it far?\nNo.",
           "[] Hello.\n?[Questions > Do you take cards?] Yes.//All of them.\n"
           "?[Questions > Is it far?] No.\n");
}

static void bad(const struct chunk_options *options, const char *text, size_t length,
                const char *code, const char *start)
{
    struct chunks chunks = {.count = 77};
    struct err err = {.message = ""};
    CU_ASSERT_EQUAL(chunk_document(arena, text, length, options, &chunks, &err), -1);
    if (strcmp(err.code, code) != 0 || strncmp(err.message, start, strlen(start)) != 0)
        fprintf(stderr, "\n%.40s: %s: %s\n", text, err.code, err.message);
    CU_ASSERT_STRING_EQUAL(err.code, code);
    CU_ASSERT_EQUAL(strncmp(err.message, start, strlen(start)), 0);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_EQUAL(chunks.count, 77);
}

static void test_refused(void)
{
    char *large = arena_alloc(arena, CHUNK_DOCUMENT_MAX + 2);
    memset(large, 'x', CHUNK_DOCUMENT_MAX + 1);
    bad(&markdown, large, CHUNK_DOCUMENT_MAX + 1, "chunk.size", "the document is larger");
    bad(&markdown, "a\nb\n\xff", 5, "chunk.utf8", "line 3: ");
    bad(&markdown, "a\n\0b", 4, "chunk.utf8", "line 2: ");
    bad(&markdown, "", 0, "chunk.empty", "there is no text");
    bad(&html, "  \n", 3, "chunk.empty", "there is no text");
    bad(&html, "<p></p>", 7, "chunk.empty", "there is no text");
    bad(&markdown, " \n\t\n---\n", 8, "chunk.empty", "there is no text");
    bad(&faq, "no question", 11, "chunk.faq", "there is no question");
    bad(&faq, "# A\n\n## B?\n\n## C?\nyes", 21, "chunk.faq", "line 3: the question has no answer");
    bad(&faq, "# A?\nx\n# B?\n", 12, "chunk.faq", "line 3: the question has no answer");
    const char *text = arena_printf(arena, "# A?\nyes\n# B?\n%s", many("words ", 250));
    bad(&faq, text, strlen(text), "chunk.faq", "line 3: the answer is longer");
    text = many("# heading %d\ntext\n", CHUNK_COUNT_MAX + 1);
    bad(&markdown, text, strlen(text), "chunk.count", "line 10002: more than 5,000");
    text = many("<div>", 300);
    bad(&html, text, strlen(text), "html.depth", "elements are nested");
    text = many("# heading %d\ntext\n", CHUNK_COUNT_MAX);
    CU_ASSERT_EQUAL(good(text, strlen(text), &markdown).count, CHUNK_COUNT_MAX);
}

/* The examples of deploy/knowledge, as docs/KNOWLEDGE.md imports them. */
static void test_examples(void)
{
    static const struct {
        const char *path;
        const struct chunk_options *options;
        size_t count;
    } cases[] = {{"deploy/knowledge/dental.md", &markdown, 11},
                 {"deploy/knowledge/dental-faq.md", &faq, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *file = fopen(cases[i].path, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        ssize_t length = getdelim(&text, &size, '\0', file);
        fclose(file);
        CU_ASSERT_FATAL(length > 0);
        struct chunks chunks = good(text, (size_t)length, cases[i].options);
        CU_ASSERT_EQUAL(chunks.count, cases[i].count);
        for (size_t k = 0; k < chunks.count; k++)
            CU_ASSERT_EQUAL(chunks.items[k].kind, cases[i].options->faq ? CHUNK_FAQ : CHUNK_TEXT);
        free(text);
    }
}

static void test_formats(void)
{
    enum chunk_format format = CHUNK_PLAIN;
    CU_ASSERT(chunk_format_of("a.b.MD", &format) && format == CHUNK_MARKDOWN);
    CU_ASSERT(chunk_format_of("a.htm", &format) && format == CHUNK_HTML);
    CU_ASSERT(chunk_format_of("a.txt", &format) && format == CHUNK_PLAIN);
    CU_ASSERT_FALSE(chunk_format_of("a.pdf", &format));
    CU_ASSERT_FALSE(chunk_format_of("md", &format));
}

/* Letters and digits of all that comes out, in order. */
static void add_letters(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (isalnum((unsigned char)*text))
            strbuf_add_char(out, *text);
}

/* Any mixture of marks and words: no crash, and the promises hold. Of plain text nothing is lost.
 */
static void test_any_bytes(void)
{
    static const char *const parts[] = {"# ",
                                        "## ",
                                        "#",
                                        "\n",
                                        "\n\n",
                                        "- ",
                                        "1. ",
                                        "```\n",
                                        "~~~",
                                        "---\n",
                                        "===\n",
                                        "|",
                                        "<!--",
                                        "-->",
                                        "word ",
                                        "Dr. ",
                                        "end. ",
                                        "\t",
                                        "    ",
                                        "> ",
                                        "\xc3\xa9",
                                        "\r",
                                        "\x01",
                                        "*",
                                        "a long run of words without any mark in it ",
                                        "<h2>",
                                        "</h2>",
                                        "<ul><li>",
                                        "<table><tr><td>"};
    unsigned seed = 7;
    for (int round = 0; round < 4000; round++) {
        struct chunk_options options = {.format = (enum chunk_format)(round % 3),
                                        .faq = round % 5 == 0};
        struct arena *own = arena_new(), *outer = arena;
        struct strbuf text, in, out;
        struct chunks chunks = {.count = 0};
        struct err err;
        strbuf_init(&text, 256 * 1024);
        strbuf_init(&in, 256 * 1024);
        strbuf_init(&out, 256 * 1024);
        for (int i = rand_r(&seed) % 400; i > 0; i--)
            strbuf_add_text(&text, parts[(size_t)rand_r(&seed) % (sizeof parts / sizeof parts[0])]);
        arena = own;
        int result = chunk_document(own, text.data, text.length, &options, &chunks, &err);
        for (size_t i = 0; result == 0 && i < chunks.count; i++) {
            const char *got = chunks.items[i].text;
            CU_ASSERT(strlen(got) <= CHUNK_TEXT_MAX && text_is_utf8(got, strlen(got)));
            CU_ASSERT(got[strspn(got, " \t\n")] != '\0');
            CU_ASSERT(strlen(chunks.items[i].heading) <= CHUNK_HEADING_MAX);
            add_letters(&out, got);
        }
        if (result == 0 && options.format == CHUNK_PLAIN) {
            add_letters(&in, text.data);
            CU_ASSERT_STRING_EQUAL(in.data, out.data);
        }
        strbuf_fini(&text);
        strbuf_fini(&in);
        strbuf_fini(&out);
        arena = outer;
        arena_free(&own);
    }
}

/* Bytes that are no text, and text that would make a careless reader slow. */
static void test_hostile(void)
{
    unsigned seed = 3;
    char bytes[2000];
    for (int round = 0; round < 2000; round++) {
        struct chunks chunks;
        struct err err;
        size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)rand_r(&seed);
        (void)chunk_document(arena, bytes, length, &markdown, &chunks, &err);
    }
    static const char *const slow[] = {"<!--\n", "---\n", "#\n", "> ", "`", "- \n\n", "\n"};
    for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
        struct chunks chunks;
        struct err err;
        const char *text = many(slow[i], 300000);
        (void)chunk_document(arena, text, strlen(text), &markdown, &chunks, &err);
        (void)chunk_document(arena, text, strlen(text), &html, &chunks, &err);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("chunk", NULL, NULL);
    CU_add_test(suite, "headings", test_headings);
    CU_add_test(suite, "lines are told", test_lines_are_told);
    CU_add_test(suite, "cuts", test_cuts);
    CU_add_test(suite, "blocks stay whole", test_blocks_stay_whole);
    CU_add_test(suite, "long headings", test_long_headings);
    CU_add_test(suite, "faq", test_faq);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "examples", test_examples);
    CU_add_test(suite, "formats", test_formats);
    CU_add_test(suite, "any bytes", test_any_bytes);
    CU_add_test(suite, "hostile", test_hostile);
    arena = arena_new();
    CU_basic_run_tests();
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
