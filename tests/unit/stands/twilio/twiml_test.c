/* TwiML: what Twilio reads, and each thing that it would complain of, with the code of that. */
#include "stands/twilio/twiml.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static struct twiml *parse(const char *text, struct twiml_problem *problem)
{
    return twiml_parse(text, strlen(text), problem);
}

static void reads_what_a_desk_answers(void)
{
    static const char text[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<Response><!-- one --><Say voice=\"Polly.Vicki-Neural\" language=\"de-DE\">Gr&#xFC;&#xDF; "
        "&amp; <break time=\"300ms\"/><![CDATA[<Gott>]]></Say>\n"
        "<Connect action=\"https://h/a?b=1&amp;c=2\"><ConversationRelay url=\"wss://h/relay\" "
        "welcomeGreeting=\"Hi\" interruptible=\"any\" dtmfDetection=\"true\">"
        "<Language code=\"de-DE\" voice=\"Vicki-Neural\" ttsProvider=\"Amazon\"/>"
        "<Parameter name=\"case\" value=\"42\"/></ConversationRelay></Connect></Response>";
    struct twiml_problem problem;
    struct twiml *twiml = parse(text, &problem);
    CU_ASSERT_PTR_NOT_NULL_FATAL(twiml);
    const struct twiml_element *root = twiml_root(twiml);
    CU_ASSERT_EQUAL(root->child_count, 2);
    CU_ASSERT_STRING_EQUAL(root->children[0].name, "Say");
    CU_ASSERT_STRING_EQUAL(root->children[0].text, "Grüß & <Gott>");
    const struct twiml_element *connect = &root->children[1];
    CU_ASSERT_STRING_EQUAL(twiml_attribute(connect, "action"), "https://h/a?b=1&c=2");
    CU_ASSERT_PTR_NULL(twiml_attribute(connect, "method"));
    const struct twiml_element *relay = twiml_child(connect, "ConversationRelay");
    CU_ASSERT_PTR_NOT_NULL_FATAL(relay);
    CU_ASSERT(twiml_flag(relay, "dtmfDetection", false));
    CU_ASSERT(!twiml_flag(relay, "preemptible", false));
    CU_ASSERT_STRING_EQUAL(twiml_attribute(twiml_child(relay, "Parameter"), "value"), "42");
    twiml_free(&twiml);
    CU_ASSERT_PTR_NULL(twiml);
}

static void reads_each_verb(void)
{
    static const char *const good[] = {
        "<Response/>",
        "<Response></Response>",
        "<Response><Pause length=\"2\"/><Play "
        "loop=\"2\">https://h/a.wav</Play><Hangup/></Response>",
        "<Response><Gather input=\"dtmf speech\" timeout=\"3\" speechTimeout=\"auto\" "
        "numDigits=\"1\" finishOnKey=\"\" action=\"/next\"><Say>One</Say><Pause/>"
        "<Play>u</Play></Gather><Redirect method=\"POST\">/again</Redirect></Response>",
        "<Response><Record maxLength=\"120\" timeout=\"5\" playBeep=\"true\" action=\"/r\" "
        "recordingStatusCallback=\"/s\" recordingStatusCallbackEvent=\"completed absent\"/>"
        "</Response>",
        "<Response><Dial timeout=\"20\" action=\"/d\" answerOnBridge=\"true\"><Number url=\"/w\" "
        "statusCallbackEvent=\"initiated answered\">+15551230001</Number></Dial></Response>",
        "<Response><Dial>+15551230001</Dial></Response>",
        "<Response><Reject reason=\"busy\"/></Response>",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct twiml_problem problem;
        struct twiml *twiml = parse(good[i], &problem);
        CU_ASSERT_PTR_NOT_NULL(twiml);
        if (!twiml)
            printf("\n%s: %s\n", good[i], problem.message);
        twiml_free(&twiml);
    }
}

static void refuses_with_twilios_code(void)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"", 12100},
        {"hello", 12100},
        {"<Response>", 12100},
        {"<Response><Say>a & b</Say></Response>", 12100},
        {"<Response><Say>&uuml;</Say></Response>", 12100},
        {"<Response><Say>\xc3\x28</Say></Response>", 12100},
        {"<response/>", 12100},
        {"<Say>Hi</Say>", 12100},
        {"<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Response><Say>&x;</Say>"
         "</Response>",
         12100},
        {"<!DOCTYPE r [<!ENTITY a \"b\">]><Response/>", 12100},
        {"<Response><?php 1 ?></Response>", 12100},
        {"<Response><say>Hi</say></Response>", 12200},
        {"<Response><Enqueue>q</Enqueue></Response>", 12200},
        {"<Response><Say Voice=\"man\">Hi</Say></Response>", 12200},
        {"<Response><Say/></Response>", 12200},
        {"<Response>Hi</Response>", 12200},
        {"<Response><Gather>Press<Say>one</Say></Gather></Response>", 12200},
        {"<Response><Say>Hi<Pause/></Say></Response>", 12200},
        {"<Response><Number>+1</Number></Response>", 12200},
        {"<Response><Gather><Dial>+1</Dial></Gather></Response>", 12200},
        {"<Response><Response/></Response>", 12200},
        {"<Response><Gather input=\"voice\"/></Response>", 12200},
        {"<Response><Gather timeout=\"-1\"/></Response>", 12200},
        {"<Response><Gather timeout=\"5s\"/></Response>", 12200},
        {"<Response><Dial timeout=\"4\">+1</Dial></Response>", 12200},
        {"<Response><Redirect method=\"PUT\">/a</Redirect></Response>", 12200},
        {"<Response><Redirect></Redirect></Response>", 12200},
        {"<Response><Record playBeep=\"yes\"/></Response>", 12200},
        {"<Response><Dial action=\"/a b\">+1</Dial></Response>", 12200},
        {"<Response><Connect><ConversationRelay/></Connect></Response>", 12200},
        {"<Response><Connect><ConversationRelay url=\"https://h/r\"/></Connect></Response>", 12200},
        {"<Response><Connect><ConversationRelay url=\"ws://h/r\"/></Connect></Response>", 12200},
        {"<Response><Connect><ConversationRelay url=\"wss://h/r\" speechtimeout=\"1\"/></Connect>"
         "</Response>",
         12200},
        {"<Response><Connect><ConversationRelay url=\"wss://h/r\"><Parameter name=\"a\"/>"
         "</ConversationRelay></Connect></Response>",
         12200},
        {"<x:Response xmlns:x=\"urn:x\"/>", 12200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct twiml_problem problem;
        struct twiml *twiml = parse(cases[i].text, &problem);
        CU_ASSERT_PTR_NULL(twiml);
        CU_ASSERT_EQUAL(problem.code, cases[i].code);
        CU_ASSERT(strlen(problem.message) > 0);
        if (twiml || problem.code != cases[i].code)
            printf("\n%s: %d %s\n", cases[i].text, problem.code, problem.message);
        twiml_free(&twiml);
    }
}

static void refuses_what_is_too_big(void)
{
    struct twiml_problem problem;
    struct stand_buf text;
    stand_buf_init(&text, 200000);
    stand_buf_puts(&text, "<Response><Say>");
    while (text.len < TWIML_BYTES_MAX - 17)
        stand_buf_puts(&text, "a");
    stand_buf_puts(&text, "</Say></Response>");
    CU_ASSERT_EQUAL(text.len, TWIML_BYTES_MAX);
    struct twiml *twiml = twiml_parse(text.data, text.len, &problem);
    CU_ASSERT_PTR_NOT_NULL(twiml);
    twiml_free(&twiml);
    stand_buf_puts(&text, "\n");
    twiml = twiml_parse(text.data, text.len, &problem);
    CU_ASSERT_PTR_NULL(twiml);
    CU_ASSERT_EQUAL(problem.code, 11750);
    stand_buf_clear(&text);
    stand_buf_puts(&text, "<Response>");
    for (int i = 0; i < 3000; i++)
        stand_buf_puts(&text, "<Pause/>");
    stand_buf_puts(&text, "</Response>");
    CU_ASSERT_PTR_NULL(twiml_parse(text.data, text.len, &problem));
    CU_ASSERT_EQUAL(problem.code, 12200);
    stand_buf_fini(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/twilio/twiml", NULL, NULL);
    CU_add_test(suite, "reads what a desk answers", reads_what_a_desk_answers);
    CU_add_test(suite, "reads each verb", reads_each_verb);
    CU_add_test(suite, "refuses with Twilio's code", refuses_with_twilios_code);
    CU_add_test(suite, "refuses what is too big", refuses_what_is_too_big);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
