/* Unit tests of `escalation:`. */
#include "section_rig.h"

static const struct good_section good[] = {
    {"escalation:\n  on: [customer_asks]\n", "escalation",
     "{\"on\":[\"customer_asks\"],\"accept_within_min\":5,\"rounds\":2}"},
    {"escalation:\n"
     "  on: [customer_asks, policy_word, repeated_failure, low_grounding, anger, provider_outage]\n"
     "  words: [lawsuit, see a lawyer]\n"
     "  rota:\n"
     "    - {name: front desk, sms: \"+15550100901\", hours: {mon-tue: 08:00-12:00}}\n"
     "    - {name: owner, sms: \"env:DESK_TEST_NONE:-+15550100902\"}\n"
     "  accept_within: 1h\n"
     "  rounds: 5\n"
     "  tell: I have asked the front desk.\n",
     "escalation",
     "{\"on\":[\"customer_asks\",\"policy_word\",\"repeated_failure\",\"low_grounding\",\"anger\","
     "\"provider_outage\"],\"words\":[\"lawsuit\",\"see a lawyer\"],"
     "\"rota\":[{\"name\":\"front desk\",\"sms\":\"+15550100901\","
     "\"hours\":{\"mon\":[[\"08:00\",\"12:00\"]],\"tue\":[[\"08:00\",\"12:00\"]]}},"
     "{\"name\":\"owner\",\"sms\":\"+15550100902\"}],"
     "\"accept_within_min\":60,\"rounds\":5,\"tell\":\"I have asked the front desk.\"}"},
    {"escalation:\n  on: [anger]\n  rota:\n"
     "    - {name: owner, sms: \"+15550100902\", phone: \"+15550100903\"}\n"
     "  transfer: {mode: cold, ring: 7s}\n",
     "escalation",
     "{\"on\":[\"anger\"],\"rota\":[{\"name\":\"owner\",\"sms\":\"+15550100902\","
     "\"phone\":\"+15550100903\"}],\"transfer\":{\"mode\":\"cold\",\"ring_ms\":7000},"
     "\"accept_within_min\":5,\"rounds\":2}"},
    {"escalation: {on: [anger], transfer: {}}\n", "escalation",
     "{\"on\":[\"anger\"],\"transfer\":{\"mode\":\"warm\",\"ring_ms\":20000},"
     "\"accept_within_min\":5,\"rounds\":2}"},
    {"escalation:\n  on: [anger]\n  rota:\n    - {name: ines, mail: ines@clinic.example}\n",
     "escalation",
     "{\"on\":[\"anger\"],\"rota\":[{\"name\":\"ines\",\"mail\":\"ines@clinic.example\"}],"
     "\"accept_within_min\":5,\"rounds\":2}"},
    {"escalation: {on: [anger], rota: []}\n", "escalation",
     "{\"on\":[\"anger\"],\"rota\":[],\"accept_within_min\":5,\"rounds\":2}"},
};

#define HEAD "escalation:\n  on: [anger]\n"
#define ROTA HEAD "  rota:\n"

static const struct bad_section bad[] = {
    {"escalation:\n  rounds: 1\n", "2: escalation needs on:; add it\n"},
    {"escalation:\n  on: []\n", "2: on: has 0 entries; it must have 1 to 6\n"},
    {"escalation:\n  on: [angry]\n", "2: on: \"angry\" is not known; write anger\n"},
    {"escalation:\n  on: [policy_words]\n  words: [a]\n",
     "2: on: \"policy_words\" is not known; write policy_word\n"
     "3: words: nothing looks for them; add policy_word to on:, or remove them\n"},
    {"escalation:\n  on: [anger, anger]\n", "2: on: \"anger\" is there twice; remove one\n"},
    {"escalation:\n  on: [policy_word]\n", "2: on: policy_word needs words:; add them\n"},
    {"escalation:\n  on: [policy_word]\n  words: []\n",
     "3: words: has 0 entries; it must have 1 to 50\n"},
    {"escalation:\n  on: [policy_word]\n  words: [sue, sue]\n",
     "3: words: \"sue\" is there twice; remove one\n"},
    {HEAD "  words: [sue]\n",
     "3: words: nothing looks for them; add policy_word to on:, or remove them\n"},
    {HEAD "  accept_within: 0m\n", "3: accept_within: \"0m\" must be from 1m to 1h\n"},
    {HEAD "  accept_within: 61m\n", "3: accept_within: \"61m\" must be from 1m to 1h\n"},
    {HEAD "  accept_within: 5\n",
     "3: accept_within: \"5\" must be a time with its unit, like 45m, 2h or 1d\n"},
    {HEAD "  rounds: 0\n", "3: rounds: \"0\" must be a whole number from 1 to 5\n"},
    {HEAD "  rounds: 6\n", "3: rounds: \"6\" must be a whole number from 1 to 5\n"},
    {HEAD "  accept_withn: 5m\n",
     "3: escalation has no \"accept_withn\"; did you mean accept_within?\n"},
    {ROTA "    - {sms: \"+15550100901\"}\n", "4: an entry of the rota needs name:; add it\n"},
    {ROTA "    - {name: a}\n",
     "4: an entry of the rota needs call:, sms: or mail:; without them nobody can tell them\n"},
    {ROTA "    - {name: a, mail: ines}\n",
     "4: mail: \"ines\" is no address; write ines@clinic.example\n"},
    {ROTA "    - {name: a, mail: Ines@clinic.example}\n",
     "4: mail: write the address in lower case\n"},
    {ROTA "    - {name: a, sms: 5550100901}\n",
     "4: sms: \"5550100901\" must be a number with + and country code, no spaces, like "
     "+15550100101\n"},
    {ROTA "    - {name: a, sms: env:DESK_TEST_NONE}\n",
     "4: sms: the environment variable DESK_TEST_NONE is not set; set it, or write "
     "env:DESK_TEST_NONE:-DEFAULT\n"},
    {ROTA "    - name: a\n      sms: \"+15550100101\"\n",
     "5: sms: +15550100101 is the number of a channel here; write a person's\n"},
    {ROTA "    - name: a\n      sms: \"+15550100901\"\n      phone: \"+15550100101\"\n",
     "6: phone: +15550100101 is the number of a channel here; write a person's\n"},
    {HEAD "  transfer: {mode: hot}\n", "3: mode: \"hot\" is not known; write warm\n"},
    {HEAD "  transfer: {ring: 4s}\n", "3: ring: \"4s\" must be from 5000ms to 60000ms\n"},
    {ROTA "    - {name: a, sms: \"+15550100901\"}\n    - name: a\n      sms: \"+15550100902\"\n",
     "5: name: \"a\" is there twice; remove one\n"},
    {ROTA "    - {name: a, sms: \"+15550100901\", hours: 08:00-12:00}\n",
     "4: hours: must be a block of indented lines like mon-fri: 08:00-17:00\n"},
    {ROTA "    - name: a\n      sms: \"+15550100901\"\n      hours:\n        mon: 9-5\n",
     "7: mon: \"9-5\" must be hours, like 08:00-17:00, or closed\n"},
    {ROTA "    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\n",
     "4: rota: has 11 entries; it must have 0 to 10\n"},
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
    CU_pSuite suite = CU_add_suite("tenant_file_escalation", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    return rig_run();
}
