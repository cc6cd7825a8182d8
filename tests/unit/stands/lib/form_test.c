/* Strict forms, and Twilio's published signature vectors. */
#include "stands/lib/form.h"

#include <CUnit/Basic.h>
#include <string.h>

static void parses_and_prints(void)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "{}"},
        {"a=1", "{\"a\":\"1\"}"},
        {"a", "{\"a\":\"\"}"},
        {"a=1&b=&a=2", "{\"a\":[\"1\",\"2\"],\"b\":\"\"}"},
        {"Body=Gr%C3%BC%C3%9Fe+%F0%9F%91%8B", "{\"Body\":\"Grüße 👋\"}"},
        {"a=x%3Dy%26z", "{\"a\":\"x=y&z\"}"},
        {"DateSent%3E=2026-01-01", "{\"DateSent>\":\"2026-01-01\"}"},
        {"q=%22%5C%0A", "{\"q\":\"\\\"\\\\\\n\"}"},
        {"a=%41", "{\"a\":\"A\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_form form;
        struct stand_buf out;
        const char *why = NULL;
        stand_buf_init(&out, 10000);
        CU_ASSERT_EQUAL(stand_form_parse(&form, cases[i].text, strlen(cases[i].text), &why), 0);
        stand_form_json(&form, &out);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].json);
        stand_form_fini(&form);
        stand_buf_fini(&out);
    }
}

static void refuses(void)
{
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {{"a=%", 3},   {"a=%4", 4},         {"a=%zz", 5}, {"a=%ff", 5},    {"a=%00", 5},
                 {"a=b c", 5}, {"a=\xc3\xbc", 4},   {"=1", 2},    {"a=1&&b=2", 8}, {"a=\0b", 4},
                 {"a=%C3", 5}, {"a=%ED%A0%80", 11}, {"%", 1},     {"a%0=1", 5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_form form;
        const char *why = NULL;
        CU_ASSERT_EQUAL(stand_form_parse(&form, cases[i].text, cases[i].len, &why), -1);
        CU_ASSERT_PTR_NOT_NULL(why);
        CU_ASSERT_EQUAL(form.count, 0);
        stand_form_fini(&form);
    }
}

static void bounds_the_pairs(void)
{
    struct stand_buf text;
    struct stand_form form;
    const char *why = NULL;
    stand_buf_init(&text, 100000);
    for (int i = 0; i < STAND_FORM_PAIRS_MAX; i++)
        stand_buf_form_pair(&text, "k", "v");
    CU_ASSERT_EQUAL(stand_form_parse(&form, text.data, text.len, &why), 0);
    CU_ASSERT_EQUAL(stand_form_times(&form, "k"), STAND_FORM_PAIRS_MAX);
    stand_form_fini(&form);
    stand_buf_form_pair(&text, "k", "v");
    CU_ASSERT_EQUAL(stand_form_parse(&form, text.data, text.len, &why), -1);
    stand_form_fini(&form);
    stand_buf_fini(&text);
}

/* The token is always 12345; vectors 1, 4 and 6 of Twilio's libraries, and one with edge spaces. */
static void signs_as_twilio_does(void)
{
    static const struct {
        const char *url, *form, *signature;
    } cases[] = {
        {"https://mycompany.com/myapp.php?foo=1&bar=2",
         "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309"
         "&To=%2B18005551212",
         "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        {"http://mycompany.com:1234/myapp.php?foo=1&bar=2",
         "To=%2B18005551212&Digits=1234&CallSid=CA1234567890ABCDE&From=%2B14158675309"
         "&Caller=%2B14158675309",
         "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="},
        {"https://mycompany.com/myapp.php?foo=1&bar=2",
         "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
         "IK+Dwps556ElfBT0I3Rgjkr1wJU="},
        {"https://desk.example.com/hooks/sms",
         "Body=+Gr%C3%BC%C3%9Fe+%F0%9F%91%8B+&From=%2B4915112345678&MediaUrl0=&NumMedia=0"
         "&To=%2B15005550006&Zed=y&aLower=x",
         "2sttQmuVgDCVMqsoCFfKnHFVJhQ="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_form form;
        struct stand_buf out;
        const char *why = NULL;
        stand_buf_init(&out, 100);
        CU_ASSERT_EQUAL(stand_form_parse(&form, cases[i].form, strlen(cases[i].form), &why), 0);
        stand_form_sign(&form, cases[i].url, "12345", &out);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].signature);
        stand_form_fini(&form);
        stand_buf_fini(&out);
    }
    struct stand_buf out;
    stand_buf_init(&out, 100);
    stand_form_sign(NULL, "wss://desk.example.com/relay", "12345", &out);
    CU_ASSERT_STRING_EQUAL(out.data, "5Mx16SEGsoexnZNSJIKip7V1cJM=");
    stand_buf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/lib/form", NULL, NULL);
    CU_add_test(suite, "parses and prints", parses_and_prints);
    CU_add_test(suite, "refuses what is malformed", refuses);
    CU_add_test(suite, "bounds the pairs", bounds_the_pairs);
    CU_add_test(suite, "signs as Twilio does", signs_as_twilio_does);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
