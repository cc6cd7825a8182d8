/* The words of calls: every language has every one, by which tag it is found, and a tenant's own in
 * their place. */
#include "prompt/phone_words.h"

#include <CUnit/Basic.h>
#include <string.h>

static const char *said(const struct phone_words *words, const struct wording_key *key)
{
    return *(const char *const *)((const char *)words + key->offset);
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static void languages(void)
{
    static const char *const known[] = {"en", "es-US", "DE", "fr_CA"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct phone_words *words = phone_words_of(known[i]);
        CU_ASSERT_TRUE(phone_words_is_known(known[i]));
        CU_ASSERT_PTR_NOT_NULL(strstr(words->call_for, "{business}"));
        for (size_t k = 0; k < PHONE_WORDS_KEYS; k++) {
            CU_ASSERT_PTR_NOT_NULL_FATAL(said(words, &phone_words_keys[k]));
            CU_ASSERT(characters(said(words, &phone_words_keys[k])) <=
                      (size_t)phone_words_keys[k].max);
            CU_ASSERT_PTR_NULL(
                wording_wrong_mark(&phone_words_keys[k], said(words, &phone_words_keys[k])));
        }
    }
    CU_ASSERT_STRING_EQUAL(phone_words_of("DE")->language, "de");
    CU_ASSERT_STRING_EQUAL(phone_words_of("it-IT")->language, "en");
    CU_ASSERT_STRING_EQUAL(phone_words_of("den")->language, "en"); /* Slavey, not German */
    CU_ASSERT_STRING_EQUAL(phone_words_of("")->language, "en");
    CU_ASSERT_FALSE(phone_words_is_known("it-IT") || phone_words_is_known("den") ||
                    phone_words_is_known("multi") || phone_words_is_known(""));
}

static void own_words(void)
{
    struct arena *arena = arena_new();
    struct json *own = NULL;
    struct err err;
    const char *text = "{\"filler\":\"Un attimo.\",\"press\":\"\",\"more\":7}";
    struct phone_words words;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &own, &err), 0);
    phone_words_read(arena, own, "it-IT", &words);
    json_free(&own);
    CU_ASSERT_STRING_EQUAL(words.filler, "Un attimo.");
    CU_ASSERT_STRING_EQUAL(words.press, phone_words_of("en")->press);
    CU_ASSERT_STRING_EQUAL(words.more, phone_words_of("en")->more);
    phone_words_read(arena, NULL, "de", &words);
    CU_ASSERT_STRING_EQUAL(words.filler, phone_words_of("de")->filler);
    arena_free(&arena);
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite("phone_words", NULL, NULL);
    CU_add_test(suite, "languages", languages);
    CU_add_test(suite, "own words", own_words);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
