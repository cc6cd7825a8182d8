/* Unit tests of `tools:`, `budgets:`, `knowledge:` and `recover:`. */
#include "section_rig.h"

#define SERVICES                                                                                   \
    "resources: [Chair 1]\nservices:\n  - {name: Filling, duration: 1h, resources: [Chair 1]}\n"

#define PHONE                                                                                      \
    "phone: {greeting: f, fillers: [a], fallback: b, record_prompt: c, still_there: d, "           \
    "goodbye: e}\n"

static const struct good_section good[] = {
    {"tools: []\n", "tools", "[]"},
    {"tools: [take_message, escalate, end_conversation, search_knowledge]\n", "tools",
     "[\"take_message\",\"escalate\",\"end_conversation\",\"search_knowledge\"]"},
    {SERVICES "tools: [check_availability, book, reschedule, cancel]\n", "tools",
     "[\"check_availability\",\"book\",\"reschedule\",\"cancel\"]"},
    {PHONE "escalation: {on: [anger], rota: [{name: a, sms: \"+15550100901\", phone: "
           "\"+15550100901\"}]}\ntools: [send_text, transfer_call, switch_language]\n",
     "tools", "[\"send_text\",\"transfer_call\",\"switch_language\"]"},
    {"budgets:\n  day: {tokens: 1, dollars: 0.01, sms_segments: 1}\n"
     "  month: {tokens: 1000000000, dollars: 100000, sms_segments: 1000000}\n",
     "budgets",
     "{\"day\":{\"tokens\":1,\"cost\":10000000,\"segments\":1},"
     "\"month\":{\"tokens\":1000000000,\"cost\":100000000000000,\"segments\":1000000}}"},
    {"budgets:\n  month:\n    dollars: 12.5\n", "budgets", "{\"month\":{\"cost\":12500000000}}"},
    {"knowledge: {passages: 0}\n", "knowledge", "{\"passages\":0}"},
    {"knowledge: {}\n", "knowledge", "{\"passages\":4}"},
    {"recover: {answer: true}\n", "recover", "{\"answer\":true,\"by_itself\":false}"},
    {"recover: {answer: true, by_itself: true}\n", "recover",
     "{\"answer\":true,\"by_itself\":true}"},
    {"recover: {}\n", "recover", "{\"answer\":false,\"by_itself\":false}"},
};

static const struct bad_section bad[] = {
    {"tools: [take_messages]\n", "1: tools: \"take_messages\" is not known; write take_message\n"},
    {"tools: [escalate, escalate]\n", "1: tools: \"escalate\" is there twice; remove one\n"},
    {"tools:\n  - escalate\n  - book\n",
     "3: tools: book needs services:; add them, or remove it\n"},
    {"services: []\ntools: [cancel]\n",
     "2: tools: cancel needs services:; add them, or remove it\n"},
    {"tools: [send_text]\n", "1: tools: send_text needs phone:; add it, or remove the tool\n"},
    {PHONE "tools: [transfer_call]\n",
     "2: tools: transfer_call needs somebody in rota: of escalation: with a phone:; add it, or "
     "remove the tool\n"},
    {"tools: book\n", "1: tools: must be a list: lines that start with \"- \"\n"},
    {"budgets:\n  week: {tokens: 1}\n", "2: budgets has no \"week\"; remove it\n"},
    {"budgets:\n  day: 5\n", "2: day: must be a block of indented name: value lines\n"},
    {"budgets:\n  day:\n    tokens: 0\n",
     "3: tokens: \"0\" must be a whole number from 1 to 1000000000\n"},
    {"budgets:\n  day:\n    tokens: 1.5\n",
     "3: tokens: \"1.5\" must be a whole number from 1 to 1000000000\n"},
    {"budgets:\n  day:\n    dollars: 0\n",
     "3: dollars: \"0\" must be a number from 0.01 to 100000.00 with at most two decimal places\n"},
    {"budgets:\n  day:\n    dollars: 1.005\n",
     "3: dollars: \"1.005\" must be a number from 0.01 to 100000.00 with at most two decimal "
     "places\n"},
    {"budgets:\n  day:\n    dollars: 100000.01\n",
     "3: dollars: \"100000.01\" must be a number from 0.01 to 100000.00 with at most two decimal "
     "places\n"},
    {"budgets:\n  month:\n    sms_segments: -1\n",
     "3: sms_segments: \"-1\" must be a whole number from 1 to 1000000\n"},
    {"budgets:\n  month:\n    segments: 1\n", "3: month has no \"segments\"; remove it\n"},
    {"knowledge: {passages: 9}\n", "1: passages: \"9\" must be a whole number from 0 to 8\n"},
    {"knowledge: {passage: 1}\n", "1: knowledge has no \"passage\"; did you mean passages?\n"},
    {"recover: {answer: yes}\n", "1: answer: \"yes\" must be true or false\n"},
    {"recover: {by_itself: yes}\n", "1: by_itself: \"yes\" must be true or false\n"},
    {"recover:\n  by_itself: true\n", "2: by_itself: needs answer: true; add it, or remove this\n"},
    {"recover: true\n", "1: recover: must be a block of indented name: value lines\n"},
};

static void test_good(void)
{
    rig_good(good, sizeof good / sizeof good[0]);
}

static void test_bad(void)
{
    rig_bad(bad, sizeof bad / sizeof bad[0]);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_file_limits", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    return rig_run();
}
