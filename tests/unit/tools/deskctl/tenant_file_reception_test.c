/* Unit tests of `reception:`: the business's own words, their placeholders, and the notice about a
 * language that the desk has no words in. */
#include "section_rig.h"

#include "prompt/wording.h"

#define SIXTY "123456789 123456789 123456789 123456789 123456789 123456789 "

static const struct good_section good[] = {
    {"reception: {words: {}}\n", "reception", "{\"words\":{}}"},
    {"reception:\n  words:\n    nobody: Ninguém da {business} pôde responder.\n    name: Nome\n",
     "reception",
     "{\"words\":{\"name\":\"Nome\",\"nobody\":\"Ninguém da {business} pôde responder.\"}}"},
};

static const struct bad_section bad[] = {
    {"reception: {}\n", "1: reception needs words:; add it\n"},
    {"reception:\n  words:\n    nobdy: x\n", "3: words has no \"nobdy\"; did you mean nobody?\n"},
    {"reception:\n  words:\n    offer: Hi from {busines}.\n",
     "3: offer: \"{busines}\" is not known; write {business} or no braces\n"},
    {"reception:\n  words:\n    offer: \"{business} } x\"\n",
     "3: offer: \"}\" is not known; write {business} or no braces\n"},
    {"reception:\n  words:\n    noted: \"{business}:\"\n",
     "3: noted: takes no {business}; write it without braces\n"},
    {"reception:\n  words:\n    noted: \"" SIXTY "!\"\n",
     "3: noted: has 61 characters; shorten it to 60\n"},
    {"reception:\n  words:\n    thanks: \"\"\n",
     "3: thanks: is empty; write something or remove the line\n"},
};

static void test_good(void)
{
    rig_good(good, sizeof good / sizeof good[0]);
}

static void test_bad(void)
{
    rig_bad(bad, sizeof bad / sizeof bad[0]);
}

/* The words of a reception section with every key but one. */
static const char *all_but(const char *left_out)
{
    const char *text = "reception:\n  words:\n";
    for (size_t i = 0; i < WORDING_KEYS; i++)
        if (strcmp(wording_keys[i].name, left_out) != 0)
            text = arena_printf(rig_arena, "%s    %s: x\n", text, wording_keys[i].name);
    return text;
}

static void test_notice(void)
{
    const struct {
        const char *language, *words, *said; /* the end of the notice; NULL: none */
    } cases[] = {
        {"de-CH", "", NULL},
        {"pt-BR", all_but(""), NULL},
        {"pt-BR", all_but("nobody"),
         "in pt-BR and says these in English; give them under "
         "reception: words: (nobody)\n"},
        {"ja", "",
         "(offer, ask_name, ask_reason, ask_call_back, thanks, automatic, noted, name, "
         "reason, call_back, added, stands, full, nothing, booked, cancelled, passed_on, "
         "taken, nobody)\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *paths[] = {rig_path};
        struct problems problems;
        struct tenant_file file;
        FILE *out = fopen(rig_path, "w");
        CU_ASSERT_PTR_NOT_NULL_FATAL(out);
        fprintf(out, "name: ab\ndisplay_name: A\ntimezone: UTC\nlanguage: %s\n%s%s%s",
                cases[i].language, cases[i].words, rig_channels, rig_rest);
        fclose(out);
        problems_init(&problems, rig_arena, "");
        tenant_file_read(&problems, &rig_vendors, paths, 1, &file);
        CU_ASSERT_STRING_EQUAL(problems.text.data, ""); /* no problem */
        if (cases[i].said == NULL) {
            CU_ASSERT_STRING_EQUAL(problems.notices, "");
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(problems.notices, ":4: notice: language: "));
            CU_ASSERT_PTR_NOT_NULL(strstr(problems.notices, cases[i].said));
        }
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_file_reception", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    CU_add_test(suite, "notice", test_notice);
    return rig_run();
}
