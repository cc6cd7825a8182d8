/* What the engine does with texts: consent words, cleaning of replies. */
#include "consent.h"
#include "reply.h"

#include "base/strbuf.h"
#include "base/text.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

static void consent_words(void)
{
    static const struct {
        const char *body, *type;
        enum inbox_consent want;
    } cases[] = {
        {"STOP", "", INBOX_STOP},
        {"stop", "", INBOX_STOP},
        {" Stop. ", "", INBOX_STOP},
        {"Unsubscribe!", "", INBOX_STOP},
        {"stopall\n", "", INBOX_STOP},
        {"OPTOUT", "", INBOX_STOP},
        {"revoke", "", INBOX_STOP},
        {"STOP PLEASE", "", INBOX_NO_WORD},
        {"please stop", "", INBOX_NO_WORD},
        {"Cancel the 3 pm", "", INBOX_NO_WORD},
        {"cancel", "", INBOX_STOP},
        {"End", "", INBOX_STOP},
        {"The end", "", INBOX_NO_WORD},
        {"yes", "", INBOX_START},
        {"Yes, Tuesday works", "", INBOX_NO_WORD},
        {"START", "", INBOX_START},
        {"unstop", "", INBOX_START},
        {"help", "", INBOX_HELP},
        {" Info. ", "", INBOX_HELP},
        {"help me with my booking", "", INBOX_NO_WORD},
        {"anything", "STOP", INBOX_STOP},
        {"anything", "START", INBOX_START},
        {"anything", "HELP", INBOX_HELP},
        {"", "", INBOX_NO_WORD},
        {".", "", INBOX_NO_WORD},
        {"   ", "", INBOX_NO_WORD},
        {"stopp", "", INBOX_NO_WORD},
        {"sto", "", INBOX_NO_WORD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(consent_word(cases[i].body, cases[i].type), cases[i].want);
}

static void replies_are_cleaned(void)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"Hello", "Hello"},
        {"  Hello \n\n", "Hello"},
        {"a\x01"
         "b\x1b[31mc",
         "ab[31mc"},
        {"line\r\nnext", "line\nnext"},
        {"tab\there", "tab here"},
        {"\xc2\x85next", "next"}, /* a C1 control */
        {"Gr\xc3\xbc\xc3\x9f"
         "e \xf0\x9f\x91\x8b",
         "Gr\xc3\xbc\xc3\x9f"
         "e \xf0\x9f\x91\x8b"},
        {"", ""},
        {" \n\t ", ""},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_STRING_EQUAL(reply_clean(arena, cases[i].in), cases[i].want);
    arena_free(&arena);
}

static char *repeat(const char *piece, size_t times);
static size_t units(const char *text);

/* What is told behind a reply is never cut; the reply is. */
static void more_is_told_below(void)
{
    struct arena *arena = arena_new();
    char *much = repeat("This is a sentence. ", 79);
    CU_ASSERT_STRING_EQUAL(reply_append(arena, "See you.", "A colleague was asked. "),
                           "See you.\n\nA colleague was asked.");
    CU_ASSERT_STRING_EQUAL(reply_append(arena, "", "Asked."), "Asked.");
    const char *all = reply_append(arena, reply_clean(arena, much), "A colleague was asked.");
    CU_ASSERT_TRUE(units(all) <= REPLY_UNITS_MAX);
    CU_ASSERT_PTR_NOT_NULL(strstr(all, "sentence.\n\nA colleague was asked."));
    free(much);
    char *long_one = repeat("This is a sentence. ", 900);
    CU_ASSERT_TRUE(units(reply_clean_to(arena, long_one, REPLY_MAIL_UNITS_MAX)) >
                   REPLY_MAIL_UNITS_MAX - 30);
    all = reply_append_to(arena, long_one, "Asked.", REPLY_MAIL_UNITS_MAX);
    CU_ASSERT_TRUE(units(all) <= REPLY_MAIL_UNITS_MAX);
    CU_ASSERT_PTR_NOT_NULL(strstr(all, "sentence.\n\nAsked."));
    free(long_one);
    arena_free(&arena);
}

static size_t units(const char *text)
{
    size_t sum = 0;
    while (*text != '\0')
        sum += text_next_code_point(&text) >= 0x10000 ? 2 : 1;
    return sum;
}

static char *repeat(const char *piece, size_t times)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    for (size_t i = 0; i < times; i++)
        strbuf_add_text(&out, piece);
    return strbuf_take(&out);
}

static void long_replies_are_cut(void)
{
    static const struct {
        const char *piece;
        size_t times;
        const char *tail;
    } cases[] = {
        {"This is a sentence. ", 200, "sentence."},
        {"word ", 1000, "word"},
        {"x", 5000, "x"},
        {"\xf0\x9f\x91\x8b", 2000, "\x8b"},
        {"\xc3\xbc", 3000, "\xbc"},
        {"What? ", 600, "What?"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = repeat(cases[i].piece, cases[i].times);
        const char *cut = reply_clean(arena, text);
        size_t length = strlen(cut), tail = strlen(cases[i].tail);
        CU_ASSERT(units(cut) <= REPLY_UNITS_MAX);
        CU_ASSERT(units(cut) > REPLY_UNITS_MAX / 2);
        CU_ASSERT(text_is_utf8(cut, length));
        CU_ASSERT(length >= tail && strcmp(cut + length - tail, cases[i].tail) == 0);
        free(text);
    }
    char *exact = repeat("y", REPLY_UNITS_MAX);
    CU_ASSERT_EQUAL(strlen(reply_clean(arena, exact)), REPLY_UNITS_MAX);
    free(exact);
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("text", NULL, NULL);
    CU_add_test(suite, "consent words", consent_words);
    CU_add_test(suite, "replies are cleaned", replies_are_cleaned);
    CU_add_test(suite, "long replies are cut", long_replies_are_cut);
    CU_add_test(suite, "more is told below", more_is_told_below);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
