/* The splitter of server-sent events: the same events however the bytes are cut. */
#include "llm/sse.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct strbuf seen;
static int stop_after;

static bool on_event(void *arg, const char *data, size_t length)
{
    (void)arg;
    CU_ASSERT_EQUAL(strlen(data), length);
    strbuf_add_char(&seen, '[');
    strbuf_add(&seen, data, length);
    strbuf_add_char(&seen, ']');
    return --stop_after != 0;
}

static const struct {
    const char *stream, *events;
} cases[] = {
    {"data: one\n\ndata: two\n\n", "[one][two]"},
    {"data: one\r\n\r\ndata: two\r\n\r\n", "[one][two]"},
    {"data: one\r\rdata: two\r\r", "[one][two]"},
    {"data: a\r\ndata: b\n\r\n", "[a\nb]"},
    {"data:no space\n\ndata:  two spaces\n\n", "[no space][ two spaces]"},
    {": keep-alive\n\n:\n\ndata: x\n\n", "[x]"},
    {"event: m\nid: 7\nretry: 5\ndata: x\n\n", "[x]"},
    {"event: m\n\n\n\ndata: x\n\n", "[x]"},
    {"data\n\ndata:\n\n", "[][]"},
    {"datax: no\ndat: no\ndata: yes\n\n", "[yes]"},
    {"\xEF\xBB\xBF"
     "data: bom\n\n",
     "[bom]"},
    {"data: unfinished\n", ""},
    {"data: unfinished", ""},
    {"data: gr\xC3\xBC\xC3\x9F"
     "e \xF0\x9F\x91\x8B\n\n",
     "[gr\xC3\xBC\xC3\x9F"
     "e \xF0\x9F\x91\x8B]"},
    {"data: a:b: c\n\n", "[a:b: c]"},
    {"", ""},
};

static void push_in_pieces(const char *stream, size_t piece)
{
    struct sse sse;
    sse_init(&sse, on_event, NULL);
    stop_after = -1;
    strbuf_clear(&seen);
    for (size_t at = 0, length = strlen(stream); at < length; at += piece) {
        char *copy = xstrndup(stream + at, length - at < piece ? length - at : piece);
        CU_ASSERT_EQUAL(sse_push(&sse, copy, strlen(copy)), SSE_MORE);
        free(copy); /* whatever is kept must have been copied */
    }
    sse_fini(&sse);
}

static void test_any_cut(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece <= strlen(cases[i].stream) + 1; piece++) {
            push_in_pieces(cases[i].stream, piece);
            CU_ASSERT_EQUAL(seen.length, strlen(cases[i].events));
            CU_ASSERT_STRING_EQUAL(seen.length > 0 ? seen.data : "", cases[i].events);
        }
}

static void test_two_cuts(void)
{
    const char *stream = "data: a\r\n: c\r\n\r\ndata: b\n\n";
    for (size_t i = 0; i < strlen(stream); i++)
        for (size_t j = i; j < strlen(stream); j++) {
            struct sse sse;
            sse_init(&sse, on_event, NULL);
            stop_after = -1;
            strbuf_clear(&seen);
            sse_push(&sse, stream, i);
            sse_push(&sse, stream + i, j - i);
            sse_push(&sse, stream + j, strlen(stream) - j);
            CU_ASSERT_STRING_EQUAL(seen.data, "[a][b]");
            sse_fini(&sse);
        }
}

static void test_stop(void)
{
    struct sse sse;
    const char *stream = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
    sse_init(&sse, on_event, NULL);
    stop_after = 2;
    strbuf_clear(&seen);
    CU_ASSERT_EQUAL(sse_push(&sse, stream, strlen(stream)), SSE_STOPPED);
    CU_ASSERT_STRING_EQUAL(seen.data, "[1][2]");
    sse_fini(&sse);
}

static enum sse_outcome push_much(const char *head, const char *each, size_t times)
{
    struct sse sse;
    enum sse_outcome outcome;
    sse_init(&sse, on_event, NULL);
    stop_after = -1;
    strbuf_clear(&seen);
    outcome = sse_push(&sse, head, strlen(head));
    for (size_t i = 0; i < times && outcome == SSE_MORE; i++)
        outcome = sse_push(&sse, each, strlen(each));
    sse_fini(&sse);
    return outcome;
}

static void test_bounds(void)
{
    char block[1025], line[1040];
    memset(block, 'x', 1024);
    block[1024] = '\0';
    snprintf(line, sizeof line, "data: %s\n", block);
    CU_ASSERT_EQUAL(push_much("data: ", block, 1000), SSE_MORE);
    CU_ASSERT_EQUAL(push_much("data: ", block, 1025), SSE_TOO_LONG); /* a line without end */
    CU_ASSERT_EQUAL(push_much("", line, 1025), SSE_TOO_LONG);        /* an event without end */
    CU_ASSERT_EQUAL(push_much("", ": comment\n", 200000), SSE_MORE);
    char *whole = xmalloc(SSE_LINE_MAX + 10);
    memset(whole, 'y', SSE_LINE_MAX + 9);
    whole[SSE_LINE_MAX + 8] = '\n';
    whole[SSE_LINE_MAX + 9] = '\0';
    CU_ASSERT_EQUAL(push_much(whole, "", 0), SSE_TOO_LONG); /* in one push */
    free(whole);
}

int main(void)
{
    strbuf_init(&seen, 1 << 22);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("sse", NULL, NULL);
    CU_add_test(suite, "any cut gives the same events", test_any_cut);
    CU_add_test(suite, "any two cuts", test_two_cuts);
    CU_add_test(suite, "stop", test_stop);
    CU_add_test(suite, "bounds", test_bounds);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    strbuf_fini(&seen);
    return failures > 0 ? 1 : 0;
}
