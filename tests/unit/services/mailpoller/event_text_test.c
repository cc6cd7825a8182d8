/* Unit tests of an event's texts: what is cut and what is cleaned, against a look at each byte. */
#include "event_text.h"

#include <CUnit/Basic.h>
#include <string.h>

/* By the definition: character after character, until a bound is reached. */
static const char *slow_fit(struct arena *arena, const char *text, size_t max_bytes,
                            size_t max_written, bool *cut)
{
    size_t length = strlen(text), written = 0, end = 0;
    char *copy = arena_strdup(arena, text);
    for (; end < length && end < max_bytes && written + 2 <= max_written; end++) {
        unsigned char c = (unsigned char)copy[end];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 127)
            copy[end] = ' ';
        written += strchr("\n\t\"\\", copy[end]) != NULL ? 2 : 1;
    }
    if (end == length)
        return copy;
    *cut = true;
    end = end <= 6 ? 0 : end - 7;
    while (end > 0 && ((unsigned char)copy[end] & 0xc0) == 0x80)
        end--;
    return arena_printf(arena, "%.*s\n[...]", (int)end, copy);
}

static void test_fit_against_the_definition(void)
{
    static const char *const texts[] = {
        "",
        "\n",
        "to be, or not to be",
        "\"to be\", \\or\t not to be\n\n",
        "\x01to be, \x7for\x1f not to be\x7f",
        "Gr\xc3\xbc\xc3\x9f"
        "e, Gr\xc3\xbc\xc3\x9f"
        "e, \xe2\x82\xac \xf0\x9f\x98\x80 \"\xf0\x9f\x98\x80\"",
        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t bytes = 0; bytes < 50; bytes++)
            for (size_t written = 2; written < 90; written++) {
                struct arena *arena = arena_new();
                bool cut = false, slowly_cut = false;
                const char *fit = event_text_fit(arena, texts[i], bytes, written, &cut);
                const char *slow = slow_fit(arena, texts[i], bytes, written, &slowly_cut);
                wrong += strcmp(fit, slow) != 0 || cut != slowly_cut;
                arena_free(&arena);
            }
    CU_ASSERT_EQUAL(wrong, 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailpoller: an event's texts", NULL, NULL);
    CU_add_test(suite, "fit, by the definition", test_fit_against_the_definition);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
