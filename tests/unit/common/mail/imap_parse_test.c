/* Unit tests of reading an IMAP server: where a response ends, however it is cut into pieces, what
 * it says, and that no server can make us take more than the bounds. */
#include "mail/imap_parse.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/imap_read.h"

#define LITERALS ((size_t)1 << 20)

/* Feeds the bytes in pieces of `piece` and joins the whole responses with "|"; "!code" at an error.
 */
static char *responses_of(const char *bytes, size_t length, size_t piece)
{
    struct imap_reader reader;
    struct strbuf out;
    struct err err;
    imap_reader_init(&reader, LITERALS);
    strbuf_init(&out, (size_t)8 << 20);
    for (size_t at = 0; at < length;) {
        size_t used = 0, part = length - at < piece ? length - at : piece;
        char *copy = xmalloc(part); /* exactly so large: reading beyond it is seen */
        memcpy(copy, bytes + at, part);
        int whole = imap_reader_take(&reader, copy, part, &used, &err);
        free(copy);
        if (whole < 0) {
            strbuf_printf(&out, "!%s", err.code);
            break;
        }
        CU_ASSERT_TRUE(whole == 1 || used == part);
        at += used;
        if (whole == 1) {
            strbuf_add(&out, reader.response.data, reader.response.length);
            strbuf_add_char(&out, '|');
            imap_reader_next(&reader);
        }
    }
    imap_reader_fini(&reader);
    return strbuf_take(&out);
}

static const struct {
    const char *bytes, *wanted;
} framings[] = {
    {"* OK hello\r\n", "* OK hello|"},
    {"* OK bare\n", "* OK bare|"},
    {"* 1 FETCH (BODY[] {5}\r\na\r\nbc UID 3)\r\n+ go\r\n",
     "* 1 FETCH (BODY[] {5}\r\na\r\nbc UID 3)|+ go|"},
    {"* 1 FETCH (A {0}\r\n B {2}\r\nxy)\r\n", "* 1 FETCH (A {0}\r\n B {2}\r\nxy)|"},
    /* a mail that looks like the end of its own response */
    {"* 1 FETCH (BODY[] {12}\r\n)\r\nA5 OK no\r UID 3)\r\nA5 OK yes\r\n",
     "* 1 FETCH (BODY[] {12}\r\n)\r\nA5 OK no\r UID 3)|A5 OK yes|"},
    /* text of a status announces nothing */
    {"* OK see {5}\r\n* BYE {9}\r\nA1 NO {3}\r\n+ {4}\r\n",
     "* OK see {5}|* BYE {9}|A1 NO {3}|+ {4}|"},
    {"* OKAY {2}\r\nab\r\n", "* OKAY {2}\r\nab|"},
    {"* LIST () {x}\r\n* X {}\r\n* X {1+}\r\n", "* LIST () {x}|* X {}|* X {1+}|"},
    {"* 1 FETCH (B {1048577}\r\n", "!imap.literal"},
    {"* 1 FETCH (B {4294967295}\r\n", "!imap.literal"},
    {"* 1 FETCH (B {99999999999}\r\n", "* 1 FETCH (B {99999999999}|"},
    {"* 1 FETCH (A {1048570}\r\n", ""}, /* announced, not come: nothing is taken for it */
};

static void test_framing(void)
{
    for (size_t i = 0; i < sizeof framings / sizeof *framings; i++)
        for (size_t piece = 1; piece <= 70; piece++) {
            char *found = responses_of(framings[i].bytes, strlen(framings[i].bytes), piece);
            if (strcmp(found, framings[i].wanted) != 0)
                printf("\n    pieces of %zu: %s\n", piece, found);
            CU_ASSERT_STRING_EQUAL(found, framings[i].wanted);
            free(found);
        }
}

static void test_bounds(void)
{
    size_t size = IMAP_LINE_MAX + 2;
    char *bytes = xmalloc(size + 1);
    memset(bytes, 'x', size);
    memcpy(bytes, "* X ", 4);
    bytes[size] = '\0';
    char *found = responses_of(bytes, size, 65536);
    CU_ASSERT_STRING_EQUAL(found, "!imap.line");
    free(found);
    free(bytes);
    struct strbuf many;
    strbuf_init(&many, 65536);
    strbuf_add_text(&many, "* X");
    for (int i = 0; i <= IMAP_LITERALS_MAX; i++)
        strbuf_add_text(&many, " {1}\r\na");
    found = responses_of(many.data, many.length, 65536);
    CU_ASSERT_STRING_EQUAL(found, "!imap.literal");
    free(found);
    strbuf_fini(&many);
    /* two that fit alone do not fit together */
    strbuf_init(&many, (size_t)2 << 20);
    strbuf_add_text(&many, "* X {600000}\r\n");
    for (int i = 0; i < 600000; i++)
        strbuf_add_char(&many, 'y');
    strbuf_add_text(&many, " {600000}\r\n");
    found = responses_of(many.data, many.length, 65536);
    CU_ASSERT_STRING_EQUAL(found, "!imap.literal");
    free(found);
    strbuf_fini(&many);
    found = responses_of("* X a\0b\r\n", 9, 100);
    CU_ASSERT_STRING_EQUAL(found, "!imap.syntax");
    free(found);
}

/* ---- what it says ---- */

/* Writes a tree as "(UID 3 'text')". */
static void write_nodes(struct strbuf *out, const struct imap_node *first)
{
    for (const struct imap_node *node = first; node != NULL; node = node->next) {
        if (node != first)
            strbuf_add_char(out, ' ');
        if (node->kind == IMAP_LIST) {
            strbuf_add_char(out, '(');
            write_nodes(out, node->first);
            strbuf_add_char(out, ')');
        } else {
            const char *quote = node->kind == IMAP_STRING ? "'" : "";
            strbuf_printf(out, "%s%.*s%s", quote, (int)node->length, node->text, quote);
        }
    }
}

static char *said(const char *bytes)
{
    static const char *const kinds[] = {"*", "tagged", "+"};
    static const char *const statuses[] = {"", "OK", "NO", "BAD", "BYE", "PREAUTH"};
    struct arena *arena = arena_new();
    struct imap_response response;
    struct strbuf out;
    struct err err;
    strbuf_init(&out, (size_t)1 << 20);
    char *copy = xmalloc(strlen(bytes) + 1);
    memcpy(copy, bytes, strlen(bytes));
    if (imap_parse(arena, copy, strlen(bytes), &response, &err) != 0) {
        strbuf_add_text(&out, err.code);
    } else {
        strbuf_printf(&out, "%s %s%s", kinds[response.kind],
                      response.tag[0] == '*' ? "" : response.tag, statuses[response.status]);
        if (response.has_number)
            strbuf_printf(&out, "%u ", response.number);
        strbuf_add_text(&out, response.name);
        if (response.code != NULL) {
            strbuf_add_text(&out, " [");
            write_nodes(&out, response.code);
            strbuf_add_text(&out, "]");
        }
        if (response.data != NULL) {
            strbuf_add_char(&out, ' ');
            write_nodes(&out, response.data);
        }
        if (response.text[0] != '\0')
            strbuf_printf(&out, " \"%s\"", response.text);
    }
    free(copy);
    arena_free(&arena);
    return strbuf_take(&out);
}

static const struct {
    const char *bytes, *wanted;
} sayings[] = {
    {"* OK hello there", "* OK \"hello there\""},
    {"* OK", "* OK"},
    {"* ok [UIDNEXT 7] more", "* OK [UIDNEXT 7] \"more\""},
    {"* OK [PERMANENTFLAGS (\\Seen \\*)] x", "* OK [PERMANENTFLAGS (\\Seen \\*)] \"x\""},
    {"* OK [HIGHESTMODSEQ 715194045007]", "* OK [HIGHESTMODSEQ 715194045007]"},
    {"* OK [REFERRAL imap://x/] no", "* OK [REFERRAL imap://x/] \"no\""},
    {"* OK [broken (x] text", "* OK \"[broken (x] text\""},
    {"* BYE [UNAVAILABLE] later", "* BYE [UNAVAILABLE] \"later\""},
    {"A1 NO [AUTHENTICATIONFAILED] no", "tagged A1NO [AUTHENTICATIONFAILED] \"no\""},
    {"A1 BAD what", "tagged A1BAD \"what\""},
    {"A1 FETCH 1", "imap.syntax"},
    {"A1", "imap.syntax"},
    {"", "imap.syntax"},
    {"*", "imap.syntax"},
    {"* ", "imap.syntax"},
    {"* 5", "imap.syntax"},
    {"+", "+ "},
    {"+ dGVzdA==", "+  \"dGVzdA==\""},
    {"* CAPABILITY IMAP4rev1 IDLE", "* CAPABILITY IMAP4rev1 IDLE"},
    {"* search", "* SEARCH"},
    {"* SEARCH 1 2 33 ", "* SEARCH 1 2 33"},
    {"* 12 EXISTS", "* 12 EXISTS"},
    {"* 1 FETCH (UID 3 FLAGS (\\Seen) BODY[HEADER.FIELDS (DATE TO)]<0> \"a\\\"b\\\\c\" X NIL)",
     "* 1 FETCH (UID 3 FLAGS (\\Seen) BODY[HEADER.FIELDS (DATE TO)]<0> 'a\"b\\c' X NIL)"},
    {"* 1 FETCH (BODY[] {5}\r\na(\r\n) UID 3)", "* 1 FETCH (BODY[] 'a(\r\n)' UID 3)"},
    {"* 1 FETCH (BODY[] ~{2}\r\nab)", "* 1 FETCH (BODY[] 'ab')"},
    {"* 1 FETCH (BODY[] {3}\nabc)", "* 1 FETCH (BODY[] 'abc')"},
    {"* 1 FETCH (()())", "* 1 FETCH (() ())"},
    {"* 1 FETCH (BODY[] {9}\r\nab)", "imap.syntax"},
    {"* 1 FETCH (BODY[] {4294967295}\r\nab)", "imap.syntax"},
    {"* 1 FETCH (UID 3", "imap.syntax"},
    {"* 1 FETCH (UID 3))", "imap.syntax"},
    {"* 1 FETCH \"open", "imap.syntax"},
    {"* 1 FETCH \"open\\", "imap.syntax"},
    {"* 1 FETCH BODY[open", "imap.syntax"},
    {"* 1 FETCH {5", "imap.syntax"},
    {"* 99999999999 EXISTS", "* 99999999999 EXISTS"}, /* no number of ours: a name nobody knows */
};

static void test_sayings(void)
{
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++) {
        char *found = said(sayings[i].bytes);
        if (strcmp(found, sayings[i].wanted) != 0)
            printf("\n    %s\n    is %s\n", sayings[i].bytes, found);
        CU_ASSERT_STRING_EQUAL(found, sayings[i].wanted);
        free(found);
    }
}

/* Every beginning, and every changed byte, of every saying ends without a read beyond the bytes. */
static void test_damaged(void)
{
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++) {
        size_t length = strlen(sayings[i].bytes);
        for (size_t cut = 0; cut <= length; cut++) {
            struct arena *arena = arena_new();
            struct imap_response response;
            char *copy = xmalloc(length + 1);
            memcpy(copy, sayings[i].bytes, length);
            char *part = xmalloc(cut + 1);
            memcpy(part, copy, cut);
            part = xreallocarray(part, cut > 0 ? cut : 1, 1);
            (void)imap_parse(arena, part, cut, &response, NULL);
            free(part);
            for (const char *c = "(){}[]\"\\ \r\n\x80~*"; cut < length && *c != '\0'; c++) {
                copy[cut] = *c;
                (void)imap_parse(arena, copy, length, &response, NULL);
            }
            free(copy);
            arena_free(&arena);
        }
    }
}

static void test_depth_and_count(void)
{
    struct strbuf text;
    for (int depth = IMAP_DEPTH_MAX - 1; depth <= IMAP_DEPTH_MAX + 1; depth++) {
        strbuf_init(&text, 1000);
        strbuf_add_text(&text, "* X ");
        for (int i = 0; i < depth; i++)
            strbuf_add_char(&text, '(');
        for (int i = 0; i < depth; i++)
            strbuf_add_char(&text, ')');
        char *found = said(text.data);
        CU_ASSERT_EQUAL(strcmp(found, "imap.syntax") == 0, depth > IMAP_DEPTH_MAX);
        free(found);
        strbuf_fini(&text);
    }
    strbuf_init(&text, IMAP_LINE_MAX);
    strbuf_add_text(&text, "* X");
    for (int i = 0; i <= IMAP_NODES_MAX; i++)
        strbuf_add_text(&text, " 1");
    char *found = said(text.data);
    CU_ASSERT_STRING_EQUAL(found, "imap.syntax");
    free(found);
    strbuf_fini(&text);
}

static void test_pairs_and_times(void)
{
    static const struct {
        const char *text;
        int64_t wanted;
    } times[] = {
        {"17-Jul-1996 02:44:25 -0700", 837596665000},
        {" 1-Feb-2026 00:00:00 +0000", 1769904000000},
        {"30-Feb-2026 00:00:00 +0000", -1},
        {"2026-02-01T00:00:00Z", -1},
        {"17-Jul-1996", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct imap_node node = {
            .kind = IMAP_STRING, .text = times[i].text, .length = strlen(times[i].text)};
        int64_t ms = -1;
        CU_ASSERT_EQUAL(imap_node_time(&node, &ms), times[i].wanted >= 0);
        CU_ASSERT_EQUAL(ms, times[i].wanted);
    }
    struct arena *arena = arena_new();
    struct imap_response response;
    int64_t value = 0;
    static const char text[] = "* 1 FETCH (FLAGS (UID 4) uid 3 BODY[TEXT]<0> \"x\" UID)";
    CU_ASSERT_EQUAL_FATAL(imap_parse(arena, text, strlen(text), &response, NULL), 0);
    const struct imap_node *pairs = response.data->first;
    CU_ASSERT_TRUE(imap_node_number(imap_pair(pairs, "UID"), 1, 9, &value));
    CU_ASSERT_EQUAL(value, 3);
    CU_ASSERT_TRUE(imap_node_is(imap_pair(pairs, "BODY[TEXT]"), "X"));
    CU_ASSERT_PTR_NULL(imap_pair(pairs, "BODY[]"));
    CU_ASSERT_PTR_NULL(imap_pair(pairs, "BODY"));
    CU_ASSERT_FALSE(imap_node_number(imap_pair(pairs, "UID"), 4, 9, &value));
    CU_ASSERT_FALSE(imap_node_number(NULL, 0, 9, &value));
    CU_ASSERT_FALSE(imap_node_time(NULL, &value));
    CU_ASSERT_FALSE(imap_node_is(NULL, ""));
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/imap_parse", NULL, NULL);
    CU_add_test(suite, "framing", test_framing);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "sayings", test_sayings);
    CU_add_test(suite, "damaged", test_damaged);
    CU_add_test(suite, "depth and count", test_depth_and_count);
    CU_add_test(suite, "pairs and times", test_pairs_and_times);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
