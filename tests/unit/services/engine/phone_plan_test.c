/* What a version says of the phone: who can be rung up, in which languages calls are held. */
#include "phone_plan.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct arena *arena;

static void read_text(const char *text, struct phone_plan *out)
{
    struct json *config = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &config, &err), 0);
    phone_plan_read(arena, config, out);
    json_free(&config);
}

static void test_people(void)
{
    struct phone_plan plan;
    read_text("{\"escalation\":{\"rota\":[{\"name\":\"Front Desk\",\"sms\":\"+15550100901\","
              "\"phone\":\"+15550100901\",\"hours\":{\"mon\":[[\"08:00\",\"12:00\"]]}},"
              "{\"name\":\"owner\",\"sms\":\"+15550100902\"},"
              "{\"name\":\"odd\",\"phone\":\"extension 12\"},"
              "{\"name\":\"dentist\",\"phone\":\"+15550100903\"}],"
              "\"transfer\":{\"mode\":\"cold\",\"ring_ms\":7000}}}",
              &plan);
    CU_ASSERT_EQUAL_FATAL(plan.person_count, 2);
    CU_ASSERT_PTR_EQUAL(phone_plan_find(&plan, "front desk"), &plan.people[0]);
    CU_ASSERT_PTR_EQUAL(phone_plan_find(&plan, "dentist"), &plan.people[1]);
    CU_ASSERT_PTR_NULL(phone_plan_find(&plan, "owner"));
    CU_ASSERT_STRING_EQUAL(plan.people[0].hours, "{\"mon\":[[\"08:00\",\"12:00\"]]}");
    CU_ASSERT_PTR_NULL(plan.people[1].hours);
    CU_ASSERT_TRUE(plan.cold);
    CU_ASSERT_EQUAL(plan.ring_s, 7);
}

static void test_nothing_is_said(void)
{
    struct phone_plan plan;
    read_text("{}", &plan);
    CU_ASSERT_EQUAL(plan.person_count, 0);
    CU_ASSERT_EQUAL(plan.language_count, 0);
    CU_ASSERT_FALSE(plan.cold);
    CU_ASSERT_EQUAL(plan.ring_s, 20);
    CU_ASSERT_EQUAL(plan.speaking_rate, 150);
    CU_ASSERT_PTR_NULL(phone_plan_language(&plan, "en"));
}

static void test_languages(void)
{
    static const struct {
        const char *tag, *language;
    } cases[] = {{"en-US", "en-US"}, {"EN-us", "en-US"}, {"en", "en-US"},
                 {"en-GB", "en-GB"}, {"es", "es-US"},    {"es-MX", "es-US"},
                 {"e", NULL},        {"fr", NULL},       {"", NULL}};
    struct phone_plan plan;
    read_text("{\"phone\":{\"language\":\"en-US\",\"languages\":[{\"code\":\"es-US\"},"
              "{\"code\":\"en-GB\"}],\"speaking_rate\":80}}",
              &plan);
    CU_ASSERT_EQUAL(plan.speaking_rate, 80);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *language = phone_plan_language(&plan, cases[i].tag);
        if (cases[i].language == NULL)
            CU_ASSERT_PTR_NULL(language)
        else
            CU_ASSERT_STRING_EQUAL(language, cases[i].language);
    }
}

/* Of each language that calls are held in; of another one there are ours. */
static void test_words(void)
{
    struct phone_plan plan;
    read_text("{\"phone\":{\"language\":\"it-IT\",\"words\":{\"filler\":\"Un attimo.\","
              "\"nobody\":\"\"},\"languages\":[{\"code\":\"de-DE\",\"words\":"
              "{\"bridge\":\"Weiter.\"}},{\"code\":\"fr-FR\"}]}}",
              &plan);
    CU_ASSERT_STRING_EQUAL(phone_plan_words(&plan, "it")->filler, "Un attimo.");
    CU_ASSERT_STRING_EQUAL(phone_plan_words(&plan, "it-IT")->nobody, phone_words_of("en")->nobody);
    CU_ASSERT_STRING_EQUAL(phone_plan_words(&plan, "de-CH")->bridge, "Weiter.");
    CU_ASSERT_STRING_EQUAL(phone_plan_words(&plan, "de-CH")->filler, phone_words_of("de")->filler);
    CU_ASSERT_STRING_EQUAL(phone_plan_words(&plan, "fr")->bridge, phone_words_of("fr")->bridge);
    CU_ASSERT_STRING_EQUAL(phone_plan_words(&plan, "es")->bridge, phone_words_of("es")->bridge);
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    arena = arena_new();
    CU_pSuite suite = CU_add_suite("phone_plan", NULL, NULL);
    CU_add_test(suite, "people", test_people);
    CU_add_test(suite, "nothing is said", test_nothing_is_said);
    CU_add_test(suite, "languages", test_languages);
    CU_add_test(suite, "words", test_words);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    arena_free(&arena);
    CU_cleanup_registry();
    return failures != 0;
}
