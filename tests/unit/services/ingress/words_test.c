/* A call's words, made of the directory's record of its number. */
#include "words.h"

#include <CUnit/Basic.h>

static struct arena *arena;

static struct directory_voice a_voice(size_t fillers)
{
    return (struct directory_voice){.language = {.code = "en-US"},
                                    .consent_line = "",
                                    .greeting = "Hello.",
                                    .fillers = {"one", "two", "three"},
                                    .filler_count = fillers,
                                    .fallback = "fallback",
                                    .still_there = "still there",
                                    .goodbye = "goodbye",
                                    .silence_ms = 30000,
                                    .speaking_rate = 157};
}

static void test_words(void)
{
    struct directory_voice voice = a_voice(3);
    const struct call_words *words = words_make(arena, &voice, true, 0);
    CU_ASSERT_EQUAL(words->phrase_count, 1);
    CU_ASSERT_STRING_EQUAL(words->phrases[0].lang, "en-US");
    CU_ASSERT_STRING_EQUAL(words->phrases[0].fallback, "fallback");
    CU_ASSERT_STRING_EQUAL(words->greeting, "Hello.");
    CU_ASSERT_EQUAL(words->chars_per_s, 15);
    CU_ASSERT_EQUAL(words->silence_ms, 30000);
    CU_ASSERT_STRING_EQUAL(words_make(arena, &voice, false, 0)->greeting, "");
    voice.consent_line = "Recorded.";
    CU_ASSERT_STRING_EQUAL(words_greeting(arena, &voice, NULL), "Recorded. Hello.");
    CU_ASSERT_STRING_EQUAL(words_greeting(arena, &voice, "We call back."),
                           "Recorded. We call back.");
}

/* In turn over calls, and never the same one twice in a row where there are two. */
static void test_fillers(void)
{
    static const struct {
        size_t count, turn;
        const char *filler, *again;
    } cases[] = {{1, 0, "one", "one"},  {1, 9, "one", "one"},   {2, 0, "one", "two"},
                 {2, 1, "two", "one"},  {3, 1, "two", "three"}, {3, 2, "three", "one"},
                 {3, 4, "two", "three"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct directory_voice voice = a_voice(cases[i].count);
        const struct call_words *words = words_make(arena, &voice, true, cases[i].turn);
        CU_ASSERT_STRING_EQUAL(words->phrases[0].filler, cases[i].filler);
        CU_ASSERT_STRING_EQUAL(words->phrases[0].filler_again, cases[i].again);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("words", NULL, NULL);
    arena = arena_new();
    CU_add_test(suite, "words", test_words);
    CU_add_test(suite, "fillers", test_fillers);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(&arena);
    return failures != 0 ? 1 : 0;
}
