/* How far a voice is with its words, at its rate and counted in characters. */
#include "voice_pace.h"

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WORDS "We are open."
#define CZECH "Dobrý večer, přejete si?" /* 24 characters, 28 bytes */

static void test_it_sounds(void)
{
    CU_ASSERT_EQUAL(voice_pace_ms("", 150), 0);
    CU_ASSERT_EQUAL(voice_pace_ms(WORDS, 150), 800);
    CU_ASSERT_EQUAL(voice_pace_ms(WORDS, 80), 1500);
    CU_ASSERT_EQUAL(voice_pace_ms(CZECH, 80), 3000);
    CU_ASSERT_EQUAL(voice_pace_ms("\xe4\xbd\xa0\xe5\xa5\xbd", 100), 200);
}

static void test_so_far(void)
{
    static const struct {
        const char *text;
        int rate;
        int64_t left_ms;
        const char *sounded;
    } cases[] = {
        {WORDS, 80, 0, WORDS},
        {WORDS, 80, -5, WORDS},
        {WORDS, 80, 130, "We are"},
        {WORDS, 80, 750, "We are"},
        {WORDS, 80, 1250, "We"},
        {WORDS, 80, 60000, ""},
        {WORDS, 150, 750, ""},
        {WORDS, 400, 200, "We"},
        {CZECH, 80, 500, "Dobrý večer, přejete"},
        {CZECH, 80, 1300, "Dobrý večer,"},
        {CZECH, 80, 1500, "Dobrý večer,"},
        {CZECH, 80, 2500, ""},
        {"", 150, 1000, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t length = voice_pace_sounded(cases[i].text, cases[i].rate, cases[i].left_ms);
        const bool fits = length == strlen(cases[i].sounded) &&
                          memcmp(cases[i].text, cases[i].sounded, length) == 0;
        CU_ASSERT_TRUE(fits);
        if (!fits)
            printf("    %zu: \"%.*s\"\n", i, (int)length, cases[i].text);
    }
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite("voice_pace", NULL, NULL);
    CU_add_test(suite, "it sounds", test_it_sounds);
    CU_add_test(suite, "so far", test_so_far);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
