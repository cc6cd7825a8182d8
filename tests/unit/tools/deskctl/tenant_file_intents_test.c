/* Unit tests of `greeting:`, `languages:`, `after_hours:` and `intents:`. */
#include "section_rig.h"

#define SERVICES                                                                                   \
    "resources: [Chair 1]\nservices:\n  - {name: Filling, duration: 1h, resources: [Chair 1]}\n"

static const struct good_section good[] = {
    {"greeting: Hello, \"you\".\n", "greeting", "\"Hello, \\\"you\\\".\""},
    {"greeting: |\n  Hello\n  there.\n", "greeting", "\"Hello\\nthere.\""},
    {"", "greeting", "(absent)"},
    {"languages: [en-US, es, zh-Hant, es-419, zh-Hans-CN]\n", "languages",
     "[\"en-US\",\"es\",\"zh-Hant\",\"es-419\",\"zh-Hans-CN\"]"},
    {"after_hours: {}\n", "after_hours", "{\"mode\":\"answer\"}"},
    {"after_hours:\n  mode: take_message\n  say: We are closed.\n", "after_hours",
     "{\"mode\":\"take_message\",\"say\":\"We are closed.\"}"},
    {"after_hours: {mode: closed_text, say: We are closed.}\n", "after_hours",
     "{\"mode\":\"closed_text\",\"say\":\"We are closed.\"}"},
    {"intents: []\n", "intents", "[]"},
    {SERVICES "intents:\n"
              "  - {name: book, when: wants an appointment, action: book}\n"
              "  - name: filling\n"
              "    when: has a hole\n"
              "    action: book\n"
              "    service: Filling\n"
              "    say: I can do that.\n"
              "  - {name: bye, when: is done, action: end}\n",
     "intents",
     "[{\"name\":\"book\",\"when\":\"wants an appointment\",\"action\":\"book\"},"
     "{\"name\":\"filling\",\"when\":\"has a hole\",\"action\":\"book\",\"service\":\"Filling\","
     "\"say\":\"I can do that.\"},"
     "{\"name\":\"bye\",\"when\":\"is done\",\"action\":\"end\"}]"},
};

static const struct bad_section bad[] = {
    {"greeting: \"\"\n", "1: greeting: is empty; write something or remove the line\n"},
    {"greeting: [a]\n", "1: greeting: must be one value, not a list or block\n"},
    {"languages: [es, en-US]\n",
     "1: languages: the first must be the tenant's own, en-US; put it first\n"},
    {"languages: []\n", "1: languages: the first must be the tenant's own, en-US; put it first\n"},
    {"languages:\n  - en-US\n  - Spanish\n",
     "3: languages: \"Spanish\" must be a language tag, like en or en-US\n"},
    {"languages: [en-US, es-4190]\n",
     "1: languages: \"es-4190\" must be a language tag, like en or en-US\n"},
    {"languages: [en-US, es, es]\n", "1: languages: \"es\" is there twice; remove one\n"},
    {"languages: [en-US, aa, ab, ac, ad, ae, af, ag, ah, ai, aj]\n",
     "1: languages: has 11 entries; it must have 0 to 10\n"},
    {"after_hours: {mode: closed}\n", "1: mode: \"closed\" is not known; write answer\n"},
    {"after_hours: {mode: take_mesage}\n",
     "1: mode: \"take_mesage\" is not known; write take_message\n"},
    {"after_hours: {says: x}\n", "1: after_hours has no \"says\"; did you mean say?\n"},
    {"after_hours: {mode: closed_text}\n",
     "1: after_hours: closed_text needs say:; add what a customer is answered then\n"},
    {"after_hours: closed_text\n",
     "1: after_hours: must be a block of indented name: value lines\n"},
    {"intents:\n  - {when: x, action: end}\n", "2: an intent needs name:; add it\n"},
    {"intents:\n  - {name: a, action: end}\n", "2: an intent needs when:; add it\n"},
    {"intents:\n  - {name: a, when: x}\n", "2: an intent needs action:; add it\n"},
    {"intents:\n  - {name: a, when: x, action: reply}\n",
     "2: action: \"reply\" is not known; write answer\n"},
    {"intents:\n  - {name: a, when: x, action: end}\n  - {name: a, when: y, action: end}\n",
     "3: name: \"a\" is there twice; remove one\n"},
    {"intents:\n  - name: a\n    when: x\n    action: book\n",
     "4: action: book needs services:; add them, or write take_message\n"},
    {SERVICES "intents:\n  - name: a\n    when: x\n    action: book\n    service: Fillings\n",
     "8: service: \"Fillings\" is not in services:; did you mean Filling?\n"},
    {"intents:\n  - {name: a, when: x, action: answer, service: Whitening}\n",
     "2: service: \"Whitening\" is not in services:; add it there\n"},
};

static void test_good(void)
{
    rig_good(good, sizeof good / sizeof good[0]);
}

static void test_bad(void)
{
    rig_bad(bad, sizeof bad / sizeof bad[0]);
}

/* Texts of exactly the longest length, and one more. */
static void test_longest(void)
{
    static const struct {
        const char *format, *key;
        int max;
    } cases[] = {
        {"greeting: %s\n", "greeting", 320},
        {"after_hours: {say: %s}\n", "say", 640},
        {"intents: [{name: %s, when: x, action: end}]\n", "name", 60},
        {"intents: [{name: a, when: %s, action: end}]\n", "when", 200},
        {"intents: [{name: a, when: x, action: end, say: %s}]\n", "say", 640},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int more = 0; more < 2; more++) {
            char text[700] = "";
            struct strbuf file;
            memset(text, 'x', (size_t)(cases[i].max + more));
            const char *at = strstr(cases[i].format, "%s");
            strbuf_init(&file, 4096);
            strbuf_add(&file, cases[i].format, (size_t)(at - cases[i].format));
            strbuf_printf(&file, "%s%s", text, at + 2);
            const struct bad_section one = {
                file.data,
                more == 0 ? ""
                          : arena_printf(rig_arena, "1: %s: has %d characters; shorten it to %d\n",
                                         cases[i].key, cases[i].max + 1, cases[i].max)};
            rig_bad(&one, 1);
            strbuf_fini(&file);
        }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_file_intents", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    CU_add_test(suite, "longest", test_longest);
    return rig_run();
}
