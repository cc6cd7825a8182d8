/* The fixed wordings: every language has every sentence, by which tag it is found, and a tenant's
 * own words in their place. */
#include "prompt/wording.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

static struct arena *arena;

static int open_arena(void)
{
    arena = arena_new();
    return 0;
}

static int close_arena(void)
{
    arena_free(&arena);
    return 0;
}

static const char *said(const struct wording *words, const struct wording_key *key)
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
    int known = 0;
    for (int i = 0; i < 26 * 26; i++) { /* each of two letters that there are words of */
        const char tag[] = {(char)('a' + i / 26), (char)('a' + i % 26), '\0'};
        const struct wording *words = wording_of(tag);
        known += wording_is_known(tag);
        CU_ASSERT_STRING_EQUAL(words->language, wording_is_known(tag) ? tag : "en");
        for (size_t k = 0; k < WORDING_KEYS; k++) {
            CU_ASSERT_PTR_NOT_NULL_FATAL(said(words, &wording_keys[k]));
            CU_ASSERT(characters(said(words, &wording_keys[k])) <= (size_t)wording_keys[k].max);
        }
    }
    CU_ASSERT_EQUAL(known, 4);
    CU_ASSERT_STRING_EQUAL(wording_of("de-CH")->language, "de");
    CU_ASSERT_STRING_EQUAL(wording_of("ES")->language, "es");
    CU_ASSERT_STRING_EQUAL(wording_of("fr_CA")->language, "fr");
    CU_ASSERT_STRING_EQUAL(wording_of("ja")->language, "en");
    CU_ASSERT_STRING_EQUAL(wording_of("den")->language, "en"); /* Slavey, not German */
    CU_ASSERT_STRING_EQUAL(wording_of("")->language, "en");
    CU_ASSERT_TRUE(wording_is_known("en-US") && wording_is_known("fr_CA"));
    CU_ASSERT_FALSE(wording_is_known("pt-BR") || wording_is_known("den") || wording_is_known(""));
}

static void own_words(void)
{
    static const char text[] = "{\"nobody\":\"Ninguém da {business} ({business}).\",\"name\":\"\","
                               "\"thanks\":7,\"of a newer release\":\"x\"}";
    struct json *own = NULL;
    struct wording words;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &own, &err), 0);
    wording_read(arena, own, "pt-BR", "Clínica {x}", &words);
    json_free(&own);
    CU_ASSERT_STRING_EQUAL(words.nobody, "Ninguém da Clínica {x} (Clínica {x}).");
    CU_ASSERT_STRING_EQUAL(words.name, "Name");
    CU_ASSERT_STRING_EQUAL(words.thanks, "Thank you.");
    wording_read(arena, NULL, "de", "x", &words);
    CU_ASSERT_STRING_EQUAL(words.thanks, "Danke.");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("wording", open_arena, close_arena);
    CU_add_test(suite, "languages", languages);
    CU_add_test(suite, "a tenant's own words", own_words);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
