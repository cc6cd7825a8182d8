/* A model's text for a voice: what is taken out, where pieces end, that the cuts of the tokens do
 * not matter, and where in the text a caller is. */
#include "speak.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "contract/voice.h"

/* ---- helpers ---- */

/* A small generator of our own: the same numbers everywhere. */
static uint32_t seed;
static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % below;
}

/* All pieces with `|` between them; the text in tokens of `token` bytes (0: random, all: one). */
static char *pieces(const char *language, const char *text, size_t length, size_t token)
{
    struct arena *arena = arena_new();
    struct speak *speak = speak_new(language);
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    const char *piece;
    for (size_t at = 0; at < length;) {
        size_t part = token > 0 ? token : 1 + next_random(12);
        part = part < length - at ? part : length - at;
        speak_add(speak, text + at, part);
        at += part;
        while ((piece = speak_next(speak, arena)) != NULL) {
            strbuf_add_text(&out, piece);
            strbuf_add_char(&out, '|');
        }
    }
    speak_finish(speak);
    while ((piece = speak_next(speak, arena)) != NULL) {
        CU_ASSERT(strlen(piece) <= VOICE_PIECE_MAX);
        strbuf_add_text(&out, piece);
        strbuf_add_char(&out, '|');
    }
    speak_free(&speak);
    arena_free(&arena);
    return strbuf_take(&out);
}

/* Without the marks. */
static char *joined(const char *language, const char *text, size_t length, size_t token)
{
    char *all = pieces(language, text, length, token), *to = all;
    for (const char *from = all; *from != '\0'; from++)
        if (*from != '|')
            *to++ = *from;
    *to = '\0';
    return all;
}

static void expect_pieces(const char *language, const char *text, const char *expected)
{
    char *all = pieces(language, text, strlen(text), 1);
    if (strcmp(all, expected) != 0)
        printf("\n  got      %s\n  expected %s\n", all, expected);
    CU_ASSERT_STRING_EQUAL(all, expected);
    free(all);
}

static void expect_clean(const char *text, const char *expected)
{
    char *all = joined("en-US", text, strlen(text), 1);
    if (strcmp(all, expected) != 0)
        printf("\n  text     %s\n  got      %s\n  expected %s\n", text, all, expected);
    CU_ASSERT_STRING_EQUAL(all, expected);
    free(all);
}

/* ---- cleaning ---- */

static void markup_is_taken_out(void)
{
    static const char *const cases[][2] = {
        {"We are **open** until *six*.", "We are open until six."},
        {"__Very__ _good_, snake_case stays.", "Very good, snake_case stays."},
        {"Call `+1 555 0100` now.", "Call +1 555 0100 now."},
        {"# Hours\nMonday to Friday", "Hours. Monday to Friday"},
        {"## Our hours:\nMonday", "Our hours: Monday"},
        {"We have:\n- cleaning\n- a check-up\n\nShall I book?",
         "We have: cleaning, a check-up. Shall I book?"},
        {"* one\n* two", "one, two"},
        {"1. Cleaning\n2. Check-up\n", "1. Cleaning, 2. Check-up"},
        {"See [our page](https://example.com/a?b=c) for more.", "See our page for more."},
        {"![A chair](chair.png) Nice", "A chair Nice"},
        {"Footnote [1] and [ ] stay.", "Footnote [1] and [ ] stay."},
        {"Write to <info@example.com> or <https://example.com>.",
         "Write to info@example.com or https://example.com."},
        {"One<br/>two<break time=\"10s\"/> three", "One two three"},
        {"3 < 5 and 7 > 6", "3 < 5 and 7 > 6"},
        {"2*3 is 6, 2 * 3 too, **4** too.", "2×3 is 6, 2 × 3 too, 4 too."},
        {"```json\n{}\n```\nDone", "{} Done"},
        {"| Day | Hours |\n|---|---|\n| Mon | 8-18 |\n", "Day Hours. Mon 8-18"},
        {"One\n\n---\n\nTwo", "One. Two"},
        {"> He said so.\n> Really.", "He said so. Really."},
        {"A line that\ngoes on.", "A line that goes on."},
        {"About ~5 or ~~six~~ seven", "About ~5 or six seven"},
        {"\\*not bold\\* C:\\dir", "*not bold* C:\\dir"},
        {"Great 😊! Yes 👍🏽", "Great! Yes"},
        {"Mon → Fri, 1️⃣ first", "Mon Fri, 1 first"},
        {"  two\t\tspaces \r\n here  ", "two spaces here"},
        {"a\xc2\xa0"
         "b\xe2\x80\x8b"
         "c\xc2\xad"
         "d\x01",
         "a bcd"},
        {"Schön, daß «Öl» à la carte kostet: 5 €.", "Schön, daß «Öl» à la carte kostet: 5 €."},
        {"", ""},
        {"***", ""},
        {"[", "["},
        {"[a](", "[a]("},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_clean(cases[i][0], cases[i][1]);
}

static void what_is_no_text_is_left_out(void)
{
    static const char *const cases[][2] = {
        {"a\xff"
         "b\xc3",
         "ab"},
        {"\xe2\x82"
         "A\xe2\x82\xac",
         "A€"},
        {"\xf0\x9f\x98", ""},
        {"\xed\xa0\x80x\xc0\x80y", "xy"},
        {"\x80\x80\xc3\xa9", "é"},
        {"\xe2"
         "A",
         "A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_clean(cases[i][0], cases[i][1]);
    char *all = joined("en", "a\0b", 3, 3);
    CU_ASSERT_STRING_EQUAL(all, "ab");
    free(all);
}

/* ---- pieces ---- */

static void the_first_piece_ends_early(void)
{
    expect_pieces("en-US", "Yes, we are open today. Until six, as always. See you!",
                  "Yes,| we are open today.| Until six, as always.| See you!|");
    expect_pieces("en-US", "Hello! We are here.", "Hello!| We are here.|");
    expect_pieces("en-US", "We would be very glad to welcome you to our practice tomorrow. Bye.",
                  "We would be very glad to welcome you to| our practice tomorrow.| Bye.|");
}

static void numbers_and_addresses_stay_whole(void)
{
    expect_pieces("de-DE", "Das kostet 1.250,50 Euro am 3. Mai um 9:30 Uhr. Gut?",
                  "Das kostet 1.250,50 Euro am 3. Mai um| 9:30 Uhr.| Gut?|");
    expect_pieces("en-US", "It is exactly $1,250.50, see example.com/a.b,c or mail a.b@c.de. Good.",
                  "It is exactly $1,250.50,| see example.com/a.b,c or mail a.b@c.de.| Good.|");
    expect_pieces("fr-FR", "Le prix total pour cette intervention est 1 250 000 euros. Oui.",
                  "Le prix total pour cette intervention|"
                  " est 1 250 000 euros.| Oui.|");
    expect_pieces("en-US", "Open at 9. We close at 5. Good", "Open at 9.| We close at 5.| Good|");
    expect_pieces("en-US", "1. Cleaning is first. 2. Then we look.",
                  "1. Cleaning is first.| 2. Then we look.|");
}

static void abbreviations_end_no_sentence(void)
{
    expect_pieces("en-US", "Ask Dr. Smith, e.g. at 9 a.m. on Jan. 5. Fine.",
                  "Ask Dr. Smith,| e.g. at 9 a.m. on Jan. 5.| Fine.|");
    expect_pieces("de-DE", "Frau Dr. Weber hat z.B. am Mo. Zeit, d.h. bald. Gut.",
                  "Frau Dr. Weber hat z.B. am Mo. Zeit,| d.h. bald.| Gut.|");
    expect_pieces("en-US", "No. We are closed.", "No.| We are closed.|");
    expect_pieces("es-ES", "La Sra. Ruiz y el Dr. Sanz atienden hoy. Bien.",
                  "La Sra. Ruiz y el Dr. Sanz atienden hoy.| Bien.|");
    expect_pieces("fr-FR", "M. Petit et Mme. Blanc sont là. Bien.",
                  "M. Petit et Mme. Blanc sont là.| Bien.|");
    expect_pieces("de-DE", "Fragen Sie Herrn Professor Doktor med. Dr. Weber heute.",
                  "Fragen Sie Herrn Professor Doktor|"
                  " med. Dr. Weber heute.|");
}

static void quotes_and_other_stops(void)
{
    expect_pieces("en-US", "He said \"yes.\" Then… Well?! \xe3\x81\xaf\xe3\x81\x84\xe3\x80\x82 So.",
                  "He said \"yes.\"| Then…| Well?!| \xe3\x81\xaf\xe3\x81\x84\xe3\x80\x82| So.|");
}

/* A later piece without an end is cut at a word; a word without an end at a character. */
static void long_sentences_and_words_are_cut(void)
{
    struct strbuf text;
    strbuf_init(&text, 65536);
    strbuf_add_text(&text, "Well,");
    for (int i = 0; i < 100; i++)
        strbuf_add_text(&text, " word");
    char *all = pieces("en", text.data, text.length, 7);
    const char *second = strchr(all, '|') + 1;
    CU_ASSERT_EQUAL(strcspn(second, "|"), 200);
    free(all);
    strbuf_clear(&text);
    for (int i = 0; i < 3000; i++)
        strbuf_add_text(&text, "é");
    all = pieces("en", text.data, text.length, 5);
    size_t count = 0;
    for (const char *p = all; *p != '\0'; count++) {
        size_t length = strcspn(p, "|");
        CU_ASSERT(length <= VOICE_PIECE_MAX && text_is_utf8(p, length));
        p += length + 1;
    }
    CU_ASSERT(count >= 3);
    free(all);
    strbuf_fini(&text);
}

static void a_text_is_bounded(void)
{
    struct arena *arena = arena_new();
    struct speak *speak = speak_new("en");
    size_t total = 0;
    for (int i = 0; i < 10000; i++)
        speak_add(speak, "Some words. ", 12);
    speak_finish(speak);
    const char *piece;
    while ((piece = speak_next(speak, arena)) != NULL)
        total += strlen(piece);
    CU_ASSERT(total <= SPEAK_TEXT_MAX && total > SPEAK_TEXT_MAX - 20);
    speak_free(&speak);
    arena_free(&arena);
}

/* A look ahead that never ends is given up within its bound: nothing is held back for ever. */
static void unclosed_markup_is_given_up(void)
{
    struct arena *arena = arena_new();
    struct speak *speak = speak_new("en");
    speak_add(speak, "Look [here ", 11);
    for (int i = 0; i < 30; i++)
        speak_add(speak, "and there ", 10);
    CU_ASSERT_PTR_NOT_NULL(speak_next(speak, arena));
    speak_free(&speak);
    arena_free(&arena);
}

/* ---- the property ---- */

/* Guard: what is spoken depends on the text alone. Texts of all that is special, cut anywhere. */
static void cuts_do_not_matter(void)
{
    static const char *const parts[] = {
        "word ", "Wort",     " ",    "\n",   "\n\n",     "- ",   "* ",    "**", "*",
        "_",     "`",        "```",  "# ",   "[",        "](",   ")",     "]",  "<",
        ">",     "://",      "@",    "~",    "~~",       "|",    "---",   "1",  "2",
        ".",     ",",        "!",    "? ",   ": ",       "Dr. ", "\\",    "é",  "€",
        "😊",     "👍🏽", "\xff", "\xc3", "\xe2\x82", "…",    "z.B. ", "• ", "> ",
        "1. ",   "\xa0",     "\r\n", "\t",   "br/",      "http", "text",  "(",  "\xc2\xa0"};
    seed = 7;
    for (int round = 0; round < 3000; round++) {
        struct strbuf text;
        strbuf_init(&text, 8192);
        for (uint32_t n = 1 + next_random(60); n > 0; n--)
            strbuf_add_text(&text, parts[next_random(sizeof parts / sizeof parts[0])]);
        char *whole = joined("de-DE", text.data, text.length, text.length);
        char *cut = joined("de-DE", text.data, text.length, 0);
        char *bytes = joined("de-DE", text.data, text.length, 1);
        bool same = strcmp(whole, cut) == 0 && strcmp(whole, bytes) == 0;
        CU_ASSERT_TRUE(same);
        CU_ASSERT_TRUE(text_is_utf8(whole, strlen(whole)));
        CU_ASSERT(strchr(whole, '\n') == NULL);
        /* A pipe that is spoken looks like a cut to joined(), which leaves its spaces. */
        CU_ASSERT(strstr(text.data, "\\|") != NULL || strstr(whole, "  ") == NULL);
        if (!same) {
            printf("\n  text  %s\n  whole %s\n  cut   %s\n  bytes %s\n", text.data, whole, cut,
                   bytes);
            round = 3000;
        }
        free(whole);
        free(cut);
        free(bytes);
        strbuf_fini(&text);
    }
}

/* ---- what was heard ---- */

static const char reply[] =
    "Yes, we're open until six. Dr. Weber is here on Mondays. It's 25 euros, "
    "and you may pay by card.";

static void what_was_heard_is_found(void)
{
    static const struct {
        const char *heard, *upto;
    } cases[] = {
        {"", ""},
        {"Completely other things", ""},
        {"Yes, we're open until six.", "Yes, we're open until six."},
        {"yes  we're open until", "Yes, we're open until"},
        {"Yes, we're open until six", "Yes, we're open until six."},
        {"Yes, we're op", "Yes, we're op"},
        {"Yes we are open until six", "Yes, we're open until six."},
        {"One moment please. Yes, we're open until six. Dr Weber is",
         "Yes, we're open until six. Dr. Weber is"},
        {"Yes, we're open until six. Let me see. Dr. Weber is here on Mondays. It's twenty five "
         "euros, and",
         "Yes, we're open until six. Dr. Weber is here on Mondays. It's 25 euros, and"},
        {reply, reply},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t at = speak_cut_heard(reply, cases[i].heard);
        CU_ASSERT_EQUAL(at, strlen(cases[i].upto));
        CU_ASSERT_EQUAL(strncmp(reply, cases[i].upto, at), 0);
    }
}

static void it_goes_on_at_a_sentence(void)
{
    static const char second[] = "Dr. Weber is here on Mondays.";
    size_t two = (size_t)(strstr(reply, second) - reply);
    size_t three = (size_t)(strstr(reply, "It's 25") - reply);
    CU_ASSERT_EQUAL(speak_resume(reply, 0, "en-US"), 0);
    CU_ASSERT_EQUAL(speak_resume(reply, 10, "en-US"), 0);
    CU_ASSERT_EQUAL(speak_resume(reply, two - 1, "en-US"), two);
    CU_ASSERT_EQUAL(speak_resume(reply, two, "en-US"), two);
    CU_ASSERT_EQUAL(speak_resume(reply, two + 4, "en-US"), two); /* behind "Dr. " */
    CU_ASSERT_EQUAL(speak_resume(reply, three + 9, "en-US"), three);
    CU_ASSERT_EQUAL(speak_resume(reply, strlen(reply), "en-US"), strlen(reply));
    CU_ASSERT_EQUAL(speak_resume("", 0, "en-US"), 0);
}

/* Guard: whatever a provider writes, the place lies in the text and between two characters. */
static void any_heard_text_is_safe(void)
{
    seed = 11;
    for (int round = 0; round < 2000; round++) {
        char heard[64];
        size_t length = next_random(60);
        for (size_t i = 0; i < length; i++)
            heard[i] = reply[next_random(sizeof reply - 1)];
        heard[length] = '\0';
        CU_ASSERT(speak_cut_heard(reply, heard) <= strlen(reply));
        CU_ASSERT(speak_cut_heard(heard, reply) <= length);
        CU_ASSERT(speak_resume(heard, next_random(70), "en") <= length);
    }
    size_t at = speak_cut_heard("Schön ist es", "Sch\xc3");
    CU_ASSERT(at <= 3 || text_is_utf8("Schön ist es", at));
}

/* Words that sounded to their end, and more was to come. */
static void it_goes_on_behind_what_sounded(void)
{
    static const struct {
        const char *heard;
        size_t at;
    } cases[] = {{"", 0},
                 {"We are open", 0},
                 {"We are open.", 12},
                 {"We are open. On Saturdays,", 13},
                 {"We are open. Dr.", 13},
                 {"Good morning! We are open. ", 27}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(speak_resume_end(cases[i].heard, "en-US"), cases[i].at);
}

static void what_is_said_again_is_not_spoken(void)
{
    static const struct {
        const char *text;
        bool repeats;
        size_t from;
    } cases[] = {{"", true, 0},
                 {"We are", true, 0},
                 {"We are open.", true, 0},
                 {"We are open. On Saturdays", false, 12},
                 {"We are closed.", false, 0},
                 {"On Saturdays we close.", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t from = 99;
        CU_ASSERT_EQUAL(speak_repeats("We are open.", cases[i].text, &from), cases[i].repeats);
        CU_ASSERT_EQUAL(from, cases[i].repeats ? 99 : cases[i].from);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("speak", NULL, NULL);
    CU_add_test(suite, "markup", markup_is_taken_out);
    CU_add_test(suite, "what is no text", what_is_no_text_is_left_out);
    CU_add_test(suite, "the first piece", the_first_piece_ends_early);
    CU_add_test(suite, "numbers and addresses", numbers_and_addresses_stay_whole);
    CU_add_test(suite, "abbreviations", abbreviations_end_no_sentence);
    CU_add_test(suite, "quotes and other stops", quotes_and_other_stops);
    CU_add_test(suite, "long sentences and words", long_sentences_and_words_are_cut);
    CU_add_test(suite, "a text is bounded", a_text_is_bounded);
    CU_add_test(suite, "unclosed markup", unclosed_markup_is_given_up);
    CU_add_test(suite, "cuts do not matter", cuts_do_not_matter);
    CU_add_test(suite, "what was heard", what_was_heard_is_found);
    CU_add_test(suite, "where it goes on", it_goes_on_at_a_sentence);
    CU_add_test(suite, "behind what sounded", it_goes_on_behind_what_sounded);
    CU_add_test(suite, "said again", what_is_said_again_is_not_spoken);
    CU_add_test(suite, "any heard text", any_heard_text_is_safe);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
