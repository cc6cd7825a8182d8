/* The model stand-in's reply to conversations. */
#include "stands/lib/nonce.h"

#include <CUnit/Basic.h>
#include <string.h>

#define SYSTEM(text)                                                                               \
    {                                                                                              \
        STAND_OTHER, false, text                                                                   \
    }
#define USER(text)                                                                                 \
    {                                                                                              \
        STAND_USER, false, text                                                                    \
    }
#define ASSISTANT(text)                                                                            \
    {                                                                                              \
        STAND_ASSISTANT, false, text                                                               \
    }
#define CALLS(text)                                                                                \
    {                                                                                              \
        STAND_ASSISTANT, true, text                                                                \
    }
#define TOOL(text)                                                                                 \
    {                                                                                              \
        STAND_TOOL, false, text                                                                    \
    }

static const struct {
    struct stand_message messages[6];
    size_t count;
    const char *reply, *nonces;
} cases[] = {
    {{USER("hi n-aa11")}, 1, "You wrote n-aa11.", "[\"n-aa11\"]"},
    {{SYSTEM("n-sys1"), USER("n-aa11 x n-bb22"), USER("n-cc33")},
     3,
     "You wrote n-aa11 and n-bb22 and n-cc33.",
     "[\"n-aa11\",\"n-bb22\",\"n-cc33\"]"},
    {{USER("n-aa11"), ASSISTANT("You wrote n-aa11."), USER("n-bb22")},
     3,
     "You wrote n-bb22; earlier n-aa11.",
     "[\"n-bb22\"]"},
    {{USER("n-aa11"), CALLS(""), TOOL("n-tool1")}, 3, "You wrote n-aa11.", "[\"n-aa11\"]"},
    {{USER("n-aa11 n-aa11")}, 1, "You wrote n-aa11.", "[\"n-aa11\"]"},
    {{USER("n-old11"), ASSISTANT("ok"), USER("thanks")},
     3,
     "You wrote \"thanks\"; earlier n-old11.",
     "[]"},
    {{USER("hello {{stand action=hang}}")}, 1, "You wrote \"hello\". How can I help you?", "[]"},
    {{USER("in-aa11 N-aa11 n-aaA1 n-abc n-ab_1 x_n-abcd n--n-dd44")},
     1,
     "You wrote \"in-aa11 N-aa11 n-aaA1 n-abc n-ab_1 x_n-abcd n--n-dd44\". How can I help you?",
     "[]"},
    {{USER("n-0123456789abcdef0123456789abcdef,n-0123456789abcdef0123456789abcdef0")},
     1,
     "You wrote n-0123456789abcdef0123456789abcdef.",
     "[\"n-0123456789abcdef0123456789abcdef\"]"},
    {{SYSTEM("you are")}, 1, "You wrote \"\". How can I help you?", "[]"},
};

static void replies(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_buf reply, nonces;
        stand_buf_init(&reply, 10000);
        stand_buf_init(&nonces, 10000);
        stand_nonce_reply(cases[i].messages, cases[i].count, &reply);
        stand_nonce_json(cases[i].messages, cases[i].count, 10, &nonces);
        CU_ASSERT_STRING_EQUAL(reply.data, cases[i].reply);
        CU_ASSERT_STRING_EQUAL(nonces.data, cases[i].nonces);
        stand_buf_fini(&reply);
        stand_buf_fini(&nonces);
    }
}

static void quotes_sixty_characters(void)
{
    struct stand_buf text, reply;
    stand_buf_init(&text, 10000);
    stand_buf_init(&reply, 10000);
    for (int i = 0; i < 100; i++)
        stand_buf_puts(&text, "é");
    struct stand_message message = {STAND_USER, false, text.data};
    stand_nonce_reply(&message, 1, &reply);
    CU_ASSERT_EQUAL(reply.len, strlen("You wrote \"\". How can I help you?") + 120);
    stand_buf_fini(&text);
    stand_buf_fini(&reply);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/lib/nonce", NULL, NULL);
    CU_add_test(suite, "replies", replies);
    CU_add_test(suite, "quotes sixty characters", quotes_sixty_characters);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
