/* What a search in the knowledge is asked for: all that was written last, or what a letter asks. */
#include "question.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

static struct arena *arena;

#define SAID(text)                                                                                 \
    "[{\"author\":\"contact\",\"open\":true,\"subject\":\"A question\",\"text\":\"" text "\"}]"

static void letters(void)
{
    static const struct {
        const char *context, *asked;
    } cases[] = {
        {SAID("Good morning,\\n\\nhow much is whitening?\\n\\nKind regards\\nAnn"),
         "how much is whitening?\n"},
        {SAID("Dear team,\\nhow much is whitening?"), "how much is whitening?\n"},
        {SAID("I was there. How much is it? Thank you! Is it safe?"),
         " How much is it?\n Is it safe?\n"},
        /* A line that is broken for its length goes on. */
        {SAID("Hello,\\nI wonder since I was with you in the spring how much\\na whitening is?"),
         "I wonder since I was with you in the spring how much\na whitening is?\n"},
        {SAID("at 9.30 or 10?"), "at 9.30 or 10?\n"},
        {SAID("\\u00bfCu\\u00e1nto cuesta?"), "\xc2\xbf"
                                              "Cu\xc3\xa1nto cuesta?\n"},
        {SAID("\\u591a\\u5c11\\u94b1\\uff1f"),
         "\xe5\xa4\x9a\xe5\xb0\x91\xe9\x92\xb1\xef\xbc\x9f\n"},
        {SAID("What? Why?"), "What?\n Why?\n"},
        {SAID("Please move my appointment."), ""},
        {SAID("?"), "?\n"},
        {SAID(""), ""},
        {"[]", ""},
        {"nonsense", ""},
        {"[{\"author\":\"contact\"},{\"text\":\"who?\"}]", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *asked = question_asked(arena, cases[i].context);
        if (strcmp(asked, cases[i].asked) != 0)
            printf("    %s: \"%s\"\n", cases[i].context, asked);
        CU_ASSERT_STRING_EQUAL(asked, cases[i].asked);
    }
}

static void subjects_ask_as_well(void)
{
    CU_ASSERT_STRING_EQUAL(
        question_asked(arena, "[{\"author\":\"contact\",\"subject\":\"How much is it?\","
                              "\"text\":\"See above.\"}]"),
        "How much is it?\n");
}

static void all_that_was_written_last(void)
{
    CU_ASSERT_STRING_EQUAL(question_of(arena, SAID("How much?")), "A question\nHow much?\n");
    CU_ASSERT_STRING_EQUAL(question_of(arena,
                                       "[{\"author\":\"contact\",\"text\":\"old\"},"
                                       "{\"author\":\"ai\",\"text\":\"answer\"},"
                                       "{\"author\":\"contact\",\"open\":true,\"text\":\"new\"},"
                                       "{\"author\":\"contact\",\"open\":true,\"text\":\"and?\"}]"),
                           "new\nand?\n");
    /* A text that came while a reply was being made belongs to what is open. */
    CU_ASSERT_STRING_EQUAL(question_of(arena,
                                       "[{\"author\":\"contact\",\"open\":true,\"text\":\"one\"},"
                                       "{\"author\":\"ai\",\"text\":\"answer\"},"
                                       "{\"author\":\"contact\",\"open\":true,\"text\":\"two\"}]"),
                           "one\ntwo\n");
}

static void long_letters_end_somewhere(void)
{
    static char context[40000];
    size_t length =
        (size_t)snprintf(context, sizeof context, "[{\"author\":\"contact\",\"text\":\"");
    while (length < sizeof context - 100)
        length += (size_t)snprintf(context + length, sizeof context - length, "Is it? ");
    snprintf(context + length, sizeof context - length, "\"}]");
    CU_ASSERT_TRUE(strlen(question_asked(arena, context)) <= 6400);
    CU_ASSERT_TRUE(strlen(question_of(arena, context)) <= 6400);
}

int main(void)
{
    CU_initialize_registry();
    arena = arena_new();
    CU_pSuite suite = CU_add_suite("question", NULL, NULL);
    CU_add_test(suite, "letters", letters);
    CU_add_test(suite, "subjects ask as well", subjects_ask_as_well);
    CU_add_test(suite, "all that was written last", all_that_was_written_last);
    CU_add_test(suite, "long letters end somewhere", long_letters_end_somewhere);
    CU_basic_run_tests();
    arena_free(&arena);
    return CU_get_number_of_failures() != 0;
}
