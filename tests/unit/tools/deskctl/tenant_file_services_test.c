/* Unit tests of `services:`, `resources:` and `intake:`. */
#include "section_rig.h"

#define CHAIRS "resources: [Chair 1, Chair 2]\n"
#define INTAKE "intake:\n  - {field: full_name, ask: your full name}\n"

static const struct good_section good[] = {
    {CHAIRS, "resources", "[\"Chair 1\",\"Chair 2\"]"},
    {"resources:\n  - name: Chair 1\n  - Room \"B\"\n", "resources",
     "[\"Chair 1\",\"Room \\\"B\\\"\"]"},
    {"resources: []\n", "resources", "[]"},
    {INTAKE, "intake",
     "[{\"field\":\"full_name\",\"ask\":\"your full name\",\"type\":\"text\",\"required\":true,"
     "\"max\":200}]"},
    {"intake:\n"
     "  - field: insurer\n"
     "    ask: who insures you\n"
     "    type: choice\n"
     "    choices: [none, Acme Health, \"no\"]\n"
     "    required: false\n"
     "  - {field: note_2, ask: anything else, max: 1000}\n"
     "  - {field: born, ask: your birthday, type: date, required: true}\n",
     "intake",
     "[{\"field\":\"insurer\",\"ask\":\"who insures you\",\"type\":\"choice\",\"required\":false,"
     "\"choices\":[\"none\",\"Acme Health\",\"no\"]},"
     "{\"field\":\"note_2\",\"ask\":\"anything else\",\"type\":\"text\",\"required\":true,"
     "\"max\":1000},"
     "{\"field\":\"born\",\"ask\":\"your birthday\",\"type\":\"date\",\"required\":true}]"},
    {CHAIRS "services:\n  - {name: Check-up, duration: 1h, resources: [Chair 2]}\n", "services",
     "[{\"name\":\"Check-up\",\"duration_min\":60,\"buffer_before_min\":0,\"buffer_after_min\":0,"
     "\"step_min\":30,\"lead_min\":120,\"horizon_days\":60,\"hold_min\":10,\"change_min\":1440,"
     "\"resources\":[\"Chair 2\"]}]"},
    {CHAIRS INTAKE "services:\n"
                   "  - name: Filling\n"
                   "    duration: 45m\n"
                   "    buffer_before: 5m\n"
                   "    buffer_after: 4h\n"
                   "    step: 15m\n"
                   "    lead: 1d\n"
                   "    horizon: 366d\n"
                   "    hold: 1m\n"
                   "    change: 48h\n"
                   "    resources: [Chair 2, Chair 1]\n"
                   "    price: from 180 dollars\n"
                   "    description: One tooth.\n"
                   "    intake: [full_name]\n",
     "services",
     "[{\"name\":\"Filling\",\"duration_min\":45,\"buffer_before_min\":5,\"buffer_after_min\":240,"
     "\"step_min\":15,\"lead_min\":1440,\"horizon_days\":366,\"hold_min\":1,\"change_min\":2880,"
     "\"price\":\"from 180 dollars\",\"description\":\"One tooth.\","
     "\"resources\":[\"Chair 2\",\"Chair 1\"],\"intake\":[\"full_name\"]}]"},
    {"", "services", "(absent)"},
    {"booking: {}\n", "booking", "{\"most_per_customer\":2}"},
    {"booking: {most_per_customer: 0}\n", "booking", "{\"most_per_customer\":0}"},
    {"booking: {most_per_customer: 100}\n", "booking", "{\"most_per_customer\":100}"},
};

/* A service with these members more, on line 3. */
#define SERVICE(more) CHAIRS "services:\n  - {name: A, resources: [Chair 1], " more "}\n"

static const struct bad_section bad[] = {
    /* resources */
    {"resources: [Chair 1, Chair 2, Chair 1]\n",
     "1: resources: \"Chair 1\" is there twice; remove one\n"},
    {"resources:\n  - Chair 1\n  - name: Chair 1\n",
     "3: resources: \"Chair 1\" is there twice; remove one\n"},
    {"resources: [\"\"]\n", "1: name: is empty; write something or remove the line\n"},
    {"resources: [{seat: 1}]\n", "1: a resource has no \"seat\"; remove it\n"
                                 "1: a resource needs name:; add it\n"},
    {"resources: [[a]]\n", "1: a resource must be a block of name: value lines\n"},
    /* intake */
    {"intake:\n  - {ask: your name}\n", "2: a field of intake needs field:; add it\n"},
    {"intake:\n  - {field: a}\n", "2: a field of intake needs ask:; add it\n"},
    {"intake:\n  - {field: Name, ask: x}\n",
     "2: field: \"Name\" must be small letters, digits and _, starting with a letter, like "
     "insurance_card\n"},
    {"intake:\n  - {field: 1a, ask: x}\n",
     "2: field: \"1a\" must be small letters, digits and _, starting with a letter, like "
     "insurance_card\n"},
    {"intake:\n  - {field: aaaaaaaaaabbbbbbbbbbccccccccccdd, ask: x}\n",
     "2: field: has 32 characters; shorten it to 31\n"},
    {"intake:\n  - {field: a, ask: x}\n  - field: a\n    ask: y\n",
     "3: field: \"a\" is there twice; remove one\n"},
    {"intake:\n  - {field: a, ask: x, type: txt}\n", "2: type: \"txt\" is not known; write text\n"},
    {"intake:\n  - {field: a, ask: x, type: choice}\n",
     "2: type: choice needs choices:; add them\n"},
    {"intake:\n  - field: a\n    ask: x\n    choices: [p, q]\n",
     "4: choices: only type: choice has them; remove them or write that type\n"},
    {"intake:\n  - {field: a, ask: x, type: choice, choices: [p]}\n",
     "2: choices: has 1 entries; it must have 2 to 20\n"},
    {"intake:\n  - {field: a, ask: x, type: choice, choices: [p, p]}\n",
     "2: choices: \"p\" is there twice; remove one\n"},
    {"intake:\n  - field: a\n    ask: x\n    type: date\n    max: 5\n",
     "5: max: only type: text has a longest answer; remove it\n"},
    {"intake:\n  - {field: a, ask: x, max: 1001}\n",
     "2: max: \"1001\" must be a whole number from 1 to 1000\n"},
    {"intake:\n  - {field: a, ask: x, required: yes}\n",
     "2: required: \"yes\" must be true or false\n"},
    {"intake: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]\n",
     "1: intake: has 21 entries; it must have 0 to 20\n"},
    /* booking */
    {"booking:\n  most_per_customer: 101\n",
     "2: most_per_customer: \"101\" must be a whole number from 0 to 100\n"},
    {"booking:\n  most_per_customer: two\n",
     "2: most_per_customer: \"two\" must be a whole number from 0 to 100\n"},
    {"booking:\n  most: 2\n", "2: booking has no \"most\"; remove it\n"},
    /* services */
    {CHAIRS "services:\n  - {duration: 1h, resources: [Chair 1]}\n",
     "3: a service needs name:; add it\n"},
    {CHAIRS "services:\n  - {name: A, resources: [Chair 1]}\n",
     "3: a service needs duration:; add it\n"},
    {CHAIRS "services:\n  - {name: A, duration: 1h}\n", "3: a service needs resources:; add it\n"},
    {SERVICE("duration: 60"),
     "3: duration: \"60\" must be a time with its unit, like 45m, 2h or 1d\n"},
    {SERVICE("duration: 30s"),
     "3: duration: \"30s\" must be a time with its unit, like 45m, 2h or 1d\n"},
    {SERVICE("duration: 4m"), "3: duration: \"4m\" must be from 5m to 1d\n"},
    {SERVICE("duration: 25h"), "3: duration: \"25h\" must be from 5m to 1d\n"},
    {SERVICE("duration: 1h, buffer_before: 241m"),
     "3: buffer_before: \"241m\" must be from 0m to 4h\n"},
    {SERVICE("duration: 1h, buffer_after: 5h"), "3: buffer_after: \"5h\" must be from 0m to 4h\n"},
    {SERVICE("duration: 1h, step: 1m"), "3: step: \"1m\" must be from 5m to 4h\n"},
    {SERVICE("duration: 1h, lead: 31d"), "3: lead: \"31d\" must be from 0m to 30d\n"},
    {SERVICE("duration: 1h, horizon: 0d"), "3: horizon: \"0d\" must be days from 1d to 366d\n"},
    {SERVICE("duration: 1h, horizon: 367d"), "3: horizon: \"367d\" must be days from 1d to 366d\n"},
    {SERVICE("duration: 1h, horizon: 24h"), "3: horizon: \"24h\" must be days from 1d to 366d\n"},
    {SERVICE("duration: 1h, hold: 0m"), "3: hold: \"0m\" must be from 1m to 1d\n"},
    {SERVICE("duration: 1h, change: 99999999999999999999m"),
     "3: change: \"99999999999999999999m\" must be a time with its unit, like 45m, 2h or 1d\n"},
    {SERVICE("duration: 1h, bufer_after: 1m"),
     "3: a service has no \"bufer_after\"; did you mean buffer_after?\n"},
    {SERVICE("duration: 1h, price: \"\""),
     "3: price: is empty; write something or remove the line\n"},
    {SERVICE("duration: 1h, intake: [name]"),
     "3: intake: \"name\" is not in intake:; add it there\n"},
    {CHAIRS INTAKE
     "services:\n  - {name: A, duration: 1h, resources: [Chair 1], intake: [fullname]}\n",
     "5: intake: \"fullname\" is not in intake:; did you mean full_name?\n"},
    {CHAIRS "services:\n  - name: A\n    duration: 1h\n    resources:\n      - Chair 1\n"
            "      - Chair 3\n",
     "7: resources: \"Chair 3\" is not in resources:; did you mean Chair 1?\n"},
    {"services:\n  - {name: A, duration: 1h, resources: [Chair 1]}\n",
     "2: resources: \"Chair 1\" is not in resources:; add it there\n"},
    {CHAIRS "services:\n  - {name: A, duration: 1h, resources: []}\n",
     "3: resources: has 0 entries; it must have 1 to 100\n"},
    {CHAIRS "services:\n  - {name: A, duration: 1h, resources: [Chair 1, Chair 1]}\n",
     "3: resources: \"Chair 1\" is there twice; remove one\n"},
    {CHAIRS "services:\n  - {name: A, duration: 1h, resources: [Chair 1]}\n"
            "  - {name: \"A \", duration: 2h, resources: [Chair 1]}\n",
     "4: name: \"A\" is there twice; remove one\n"},
    {CHAIRS "services: [A]\n", "2: a service must be a block of name: value lines\n"},
    /* the section's own name */
    {"servises: []\n", "1: a tenant file has no \"servises\"; did you mean services?\n"},
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
    CU_pSuite suite = CU_add_suite("tenant_file_services", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    return rig_run();
}
