/* Whole words, whatever their case, in texts as people write them. */
#include "triggers.h"
#include "words.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

static void whole_words(void)
{
    static const struct {
        const char *text, *word;
        bool want;
    } cases[] = {
        {"I call my lawyer", "lawyer", true},
        {"LAWYER!", "lawyer", true},
        {"lawyer's letter", "lawyer", true},
        {"lawyer\xe2\x80\x99s letter", "lawyer", true}, /* a typographic apostrophe */
        {"lawyers", "lawyer", false},
        {"my-lawyer", "lawyer", true},
        {"outlawyer", "lawyer", false},
        {"lawyer2", "lawyer", false},
        {"(refund)", "refund", true},
        {"refund", "refunds", false},
        {"", "refund", false},
        {"refund", "", false},
        {"refund", "  ", false},
        {"a small\n  claims court", "small claims", true},
        {"small claimsman", "small claims", false},
        {"smallclaims", "small claims", false},
        {"small", "small claims", false},
        {"UNFALL in K\xc3\x96LN", "k\xc3\xb6ln", true},
        {"\xc3\x89T\xc3\x89", "\xc3\xa9t\xc3\xa9", true},
        {"caf\xc3\xa9", "cafe", false},
        {"cafe\xcc\x81", "cafe", false}, /* a combining accent belongs to its letter */
        {"Stra\xc3\x9f"
         "e",
         "stra\xc3\x9f"
         "e",
         true},
        {"\xd0\x90\xd0\x94\xd0\x92\xd0\x9e\xd0\x9a\xd0\x90\xd0\xa2",
         "\xd0\xb0\xd0\xb4\xd0\xb2\xd0\xbe\xd0\xba\xd0\xb0\xd1\x82", true},
        {"\xce\x9b\xce\x8c\xce\x93\xce\x9f\xce\xa3", "\xce\xbb\xcf\x8c\xce\xb3\xce\xbf\xcf\x82",
         true}, /* the sigma of an end */
        {"\xe6\x88\x91\xe8\xa6\x81\xe5\xbe\x8b\xe5\xb8\x88\xe6\x9d\xa5", "\xe5\xbe\x8b\xe5\xb8\x88",
         true},                                     /* no spaces in Chinese */
        {"lawyer\xf0\x9f\x98\xa1", "lawyer", true}, /* an angry face */
        {"\xc5\xbb\xc3\x93\xc5\x81\xc4\x86", "\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87", true}, /* Polish */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (words_have(cases[i].text, cases[i].word) != cases[i].want)
            printf("    \"%s\" in \"%s\"\n", cases[i].word, cases[i].text);
        CU_ASSERT_EQUAL(words_have(cases[i].text, cases[i].word), cases[i].want);
    }
}

static void triggers_of(struct arena *arena, const char *section, struct triggers *out)
{
    struct json *json = NULL;
    struct err err;
    if (section != NULL)
        CU_ASSERT_EQUAL_FATAL(json_parse(section, strlen(section), &json, &err), 0);
    triggers_read(arena, json, out);
    json_free(&json);
}

static void what_a_tenant_listed(void)
{
    struct arena *arena = arena_new();
    struct triggers triggers;
    triggers_of(arena,
                "{\"on\":[\"customer_asks\",\"policy_word\"],\"words\":[\"lawyer\",\"refund\"],"
                "\"rota\":[{\"name\":\"a\",\"sms\":\"+15550001\"}],\"tell\":\"Asked.\"}",
                &triggers);
    CU_ASSERT_TRUE(triggers_call(&triggers, "customer_asks"));
    CU_ASSERT_TRUE(triggers_call(&triggers, "assistant"));
    CU_ASSERT_FALSE(triggers_call(&triggers, "anger"));
    CU_ASSERT_STRING_EQUAL(triggers_word_in(&triggers, "a REFUND, please"), "refund");
    CU_ASSERT_PTR_NULL(triggers_word_in(&triggers, "a table, please"));
    triggers_of(arena, "{\"on\":[\"anger\"],\"rota\":[]}", &triggers);
    CU_ASSERT_TRUE(triggers_want(&triggers, "anger"));
    CU_ASSERT_FALSE(triggers_call(&triggers, "anger"));
    triggers_of(arena, NULL, &triggers);
    CU_ASSERT_FALSE(triggers_call(&triggers, "assistant"));
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("words", NULL, NULL);
    CU_add_test(suite, "whole words", whole_words);
    CU_add_test(suite, "what a tenant listed", what_a_tenant_listed);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
