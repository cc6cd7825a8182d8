/* The estimate of tokens: by script, never too low for what tokenizers are known to make. */
#include "prompt/tokens.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

static void texts(void)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"", 0},
        {"a", 1},
        {"abc", 1},
        {"abcd", 2},
        {"twelve bytes", 4},
        {"\xc3\xbc", 1},
        {"\xd0\xb4\xd0\xb0", 2},         /* Cyrillic */
        {"\xe6\x97\xa5\xe6\x9c\xac", 4}, /* Japanese */
        {"\xf0\x9f\x91\x8b", 3},         /* an emoji */
        {"a\xc3\xbc\xe6\x97\xa5\xf0\x9f\x91\x8b", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_EQUAL(tokens_of_text(cases[i].text), cases[i].want);
}

static void messages_and_tools(void)
{
    const struct llm_tool_call call = {.id = "x", .name = "book", .arguments = "{}"};
    const struct llm_message plain = {.role = LLM_USER, .text = "abc"};
    const struct llm_message calls = {
        .role = LLM_ASSISTANT, .text = "", .calls = &call, .call_count = 1};
    const struct llm_tool tools[] = {{"book", "abc", "{}"}, {"cancel", NULL, NULL}};
    CU_ASSERT_EQUAL(tokens_of_message(&plain), 5);
    CU_ASSERT_EQUAL(tokens_of_message(&calls), 4 + 4 + 2 + 1);
    CU_ASSERT_EQUAL(tokens_of_tools(tools, 2), 4 + 2 + 1 + 1 + 4 + 2);
    CU_ASSERT_EQUAL(tokens_of_tools(NULL, 0), 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tokens", NULL, NULL);
    CU_add_test(suite, "texts", texts);
    CU_add_test(suite, "messages and tools", messages_and_tools);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
