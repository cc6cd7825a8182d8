/* The dialogue of the reception without a model: every row of its table, every language, whole
 * walks, and texts that want more than there is room for. */
#include "reception.h"
#include "reply.h"

#include "base/strbuf.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#define OPENING "Our system is slow."
#define LONG    "I would like to know whether you could see my daughter this week"

static struct arena *arena;

static struct reception_output step_with(const struct reception_notes *before,
                                         const struct reception_input *input)
{
    struct reception_output out;
    reception_step(arena, before, input, &out);
    CU_ASSERT(reply_units(out.body) <= REPLY_UNITS_MAX);
    CU_ASSERT(out.body[0] != '\0');
    return out;
}

static struct reception_output step(const struct reception_notes *before, const char *text)
{
    return step_with(
        before, &(struct reception_input){
                    .words = wording_of("en-US"), .opening = OPENING, .texts = &text, .count = 1});
}

static bool says(const struct reception_output *out, const char *part)
{
    return strstr(out->body, part) != NULL;
}

static const char *or_dash(const char *text)
{
    return text != NULL ? text : "-";
}

/* ---- the table ---- */

static void every_pair_has_one_rule(void)
{
    for (int asked = 0; asked < RECEPTION_ASKED; asked++)
        for (int heard = 0; heard < RECEPTION_HEARD; heard++) {
            const struct reception_rule *rule =
                reception_rule((enum reception_asked)asked, (enum reception_heard)heard);
            CU_ASSERT_EQUAL(rule->asked, asked);
            CU_ASSERT_EQUAL(rule->heard, heard);
            bool is_speechless =
                heard == RECEPTION_HEARD_NOTHING || heard == RECEPTION_HEARD_GREETING;
            CU_ASSERT_EQUAL(rule->take == RECEPTION_TAKE_NOTHING, is_speechless);
        }
}

static void names_of_the_row(void)
{
    for (int asked = 0; asked < RECEPTION_ASKED; asked++)
        CU_ASSERT_EQUAL(reception_asked_of(reception_asked_name((enum reception_asked)asked)),
                        asked);
    CU_ASSERT_EQUAL(reception_asked_of("of a newer release"), RECEPTION_NOTHING);
}

/* What is recorded and asked next after one text, from each state. */
static void one_step_from_each_state(void)
{
    static const struct {
        enum reception_asked asked;
        int tries;
        const char *text, *caller, *reason, *call_back;
        enum reception_asked next;
        int next_tries;
    } cases[] = {
        {RECEPTION_NOTHING, 0, "", "-", "-", "-", RECEPTION_NAME, 1},
        {RECEPTION_NOTHING, 0, "Hello!", "-", "-", "-", RECEPTION_NAME, 1},
        {RECEPTION_NOTHING, 0, "my tooth hurts", "-", "my tooth hurts", "-", RECEPTION_NAME, 1},
        {RECEPTION_NOTHING, 0, LONG, "-", LONG, "-", RECEPTION_NAME, 1},
        {RECEPTION_NAME, 1, "\xf0\x9f\x98\x80", "-", "-", "-", RECEPTION_NAME, 2},
        {RECEPTION_NAME, 1, "ok thanks", "-", "-", "-", RECEPTION_NAME, 2},
        {RECEPTION_NAME, 1, "patient 2041", "patient 2041", "-", "-", RECEPTION_REASON, 1},
        {RECEPTION_NAME, 1, "My name is Blue.", "Blue", "-", "-", RECEPTION_REASON, 1},
        {RECEPTION_NAME, 1, "Hi, my name is Blue", "Blue", "-", "-", RECEPTION_REASON, 1},
        {RECEPTION_NAME, 1,
         "ich hei\xc3\x9f"
         "e Gr\xc3\xbcn",
         "Gr\xc3\xbcn", "-", "-", RECEPTION_REASON, 1},
        {RECEPTION_NAME, 1, "why do you ask?", "-", "why do you ask?", "-", RECEPTION_NAME, 2},
        {RECEPTION_NAME, 1, LONG, "-", LONG, "-", RECEPTION_NAME, 2},
        {RECEPTION_NAME, 2, LONG, "-", LONG, "-", RECEPTION_CALL_BACK, 1},
        {RECEPTION_NAME, 2, "", "-", "-", "-", RECEPTION_REASON, 1},
        {RECEPTION_REASON, 1, "", "-", "-", "-", RECEPTION_REASON, 2},
        {RECEPTION_REASON, 1, "a crown", "-", "a crown", "-", RECEPTION_CALL_BACK, 1},
        {RECEPTION_REASON, 2, "", "-", "-", "-", RECEPTION_CALL_BACK, 1},
        {RECEPTION_CALL_BACK, 1, "yes", "-", "-", "yes", RECEPTION_DONE, 0},
        {RECEPTION_CALL_BACK, 1, "here, after 5 pm?", "-", "-", "here, after 5 pm?", RECEPTION_DONE,
         0},
        {RECEPTION_CALL_BACK, 1, "ok", "-", "-", "-", RECEPTION_CALL_BACK, 2},
        {RECEPTION_CALL_BACK, 2, "ok", "-", "-", "-", RECEPTION_REASON, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct reception_notes before = {.asked = cases[i].asked, .tries = cases[i].tries};
        struct reception_output out = step(&before, cases[i].text);
        CU_ASSERT_STRING_EQUAL(or_dash(out.notes.caller), cases[i].caller);
        CU_ASSERT_STRING_EQUAL(or_dash(out.notes.reason), cases[i].reason);
        CU_ASSERT_STRING_EQUAL(or_dash(out.notes.call_back), cases[i].call_back);
        CU_ASSERT_EQUAL(out.notes.asked, cases[i].next);
        CU_ASSERT_EQUAL(out.notes.tries, cases[i].next_tries);
        CU_ASSERT_EQUAL(out.summary != NULL, cases[i].next == RECEPTION_DONE);
    }
}

/* The after-hours wording holds for each text: it stands before the question and the record. */
static void outside_the_hours(void)
{
    const char *texts[] = {"patient 2041", "tomorrow at 5"};
    struct reception_notes notes = {.asked = RECEPTION_NAME, .tries = 1, .reason = "a tooth"};
    struct reception_output out;
    for (size_t k = 0; k < 2; k++) {
        const struct reception_input input = {.words = wording_of("en"),
                                              .opening = OPENING,
                                              .says_opening = true,
                                              .texts = &texts[k],
                                              .count = 1};
        out = step_with(&notes, &input);
        notes = out.notes;
        CU_ASSERT_EQUAL(strncmp(out.body, OPENING " ", strlen(OPENING " ")), 0);
        CU_ASSERT_EQUAL(says(&out, "How and when"), k == 0);
    }
    CU_ASSERT(says(&out, "patient 2041") && says(&out, "a tooth") && says(&out, "tomorrow at 5"));
    CU_ASSERT_STRING_EQUAL(out.summary, "a tooth");
}

/* ---- walks ---- */

static void three_texts_in_every_language(void)
{
    static const char *const languages[] = {"en", "es", "de", "fr"};
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        const struct wording *words = wording_of(languages[i]);
        CU_ASSERT_STRING_EQUAL(words->language, languages[i]);
        const char *texts[] = {"a broken tooth", "patient 2041", "tomorrow at 5"};
        struct reception_notes notes = {.asked = RECEPTION_NOTHING};
        struct reception_output out;
        for (size_t k = 0; k < 3; k++) {
            const struct reception_input input = {
                .words = words, .opening = OPENING, .texts = &texts[k], .count = 1};
            out = step_with(&notes, &input);
            notes = out.notes;
            CU_ASSERT_EQUAL(strncmp(out.body, OPENING, strlen(OPENING)) == 0, k == 0);
            CU_ASSERT_EQUAL(says(&out, words->offer), k == 0);
            CU_ASSERT_EQUAL(says(&out, words->ask_name), k == 0);
            CU_ASSERT_EQUAL(says(&out, words->ask_call_back), k == 1);
            CU_ASSERT_FALSE(says(&out, words->ask_reason)); /* known from the first text */
            CU_ASSERT_EQUAL(says(&out, words->noted), k == 2);
            CU_ASSERT_EQUAL(out.due, k < 2 ? RECEPTION_DUE_LATER : RECEPTION_DUE_NEVER);
        }
        CU_ASSERT_STRING_EQUAL(out.summary, texts[0]);
        CU_ASSERT_STRING_EQUAL(notes.caller, texts[1]);
        CU_ASSERT_STRING_EQUAL(notes.call_back, texts[2]);
        for (size_t k = 0; k < 3; k++)
            CU_ASSERT(says(&out, texts[k]));
    }
}

/* Nothing that makes sense comes, for ever: it neither ends nor records nor repeats one question
 * more than twice in a row. */
static void a_silent_customer(void)
{
    struct reception_notes notes = {.asked = RECEPTION_NOTHING};
    enum reception_asked last = RECEPTION_NOTHING;
    int same = 0;
    for (int i = 0; i < 20; i++) {
        struct reception_output out = step(&notes, i % 2 == 0 ? "..." : "hi");
        CU_ASSERT_PTR_NULL(out.summary);
        CU_ASSERT_EQUAL(out.due, RECEPTION_DUE_AS_IT_WAS);
        CU_ASSERT_NOT_EQUAL(out.notes.asked, RECEPTION_DONE);
        notes = out.notes;
        same = notes.asked == last ? same + 1 : 1;
        last = notes.asked;
        CU_ASSERT(same <= RECEPTION_TRIES_MAX);
    }
}

static void a_burst_is_read_text_by_text(void)
{
    const struct reception_notes before = {.asked = RECEPTION_NAME, .tries = 1};
    const char *texts[] = {"hi", "Blue", "my tooth hurts"};
    struct reception_output out = step_with(
        &before, &(struct reception_input){
                     .words = wording_of("en"), .opening = OPENING, .texts = texts, .count = 3});
    CU_ASSERT_STRING_EQUAL(out.notes.caller, "Blue");
    CU_ASSERT_STRING_EQUAL(out.notes.reason, "my tooth hurts");
    CU_ASSERT_EQUAL(out.notes.asked, RECEPTION_CALL_BACK);
}

/* What comes behind the end is added, and only what was added is said. */
static void behind_the_end(void)
{
    struct reception_notes notes = {
        .asked = RECEPTION_DONE, .caller = "Blue", .reason = "a crown", .call_back = "here"};
    struct reception_output out = step(&notes, "and it is urgent");
    CU_ASSERT_STRING_EQUAL(out.summary, "a crown\nand it is urgent");
    CU_ASSERT(says(&out, "added") && says(&out, "and it is urgent") && !says(&out, OPENING));
    out = step(&out.notes, "thank you!");
    CU_ASSERT_PTR_NULL(out.summary);
    CU_ASSERT(says(&out, "is recorded"));
    char *full = malloc(RECEPTION_REASON_UNITS + 1);
    memset(full, 'x', RECEPTION_REASON_UNITS);
    full[RECEPTION_REASON_UNITS] = '\0';
    notes.reason = full;
    out = step(&notes, "one thing more that has no room");
    CU_ASSERT_PTR_NULL(out.summary);
    CU_ASSERT_STRING_EQUAL(out.notes.reason, full);
    CU_ASSERT(says(&out, "cannot add"));
    free(full);
}

/* The same after a model answered in between: nothing known is asked, the wording is said again. */
static void a_second_outage(void)
{
    const struct reception_notes before = {
        .asked = RECEPTION_NOTHING, .caller = "Blue", .reason = "a crown"};
    struct reception_output out = step(&before, "are you there?");
    CU_ASSERT_EQUAL(out.notes.asked, RECEPTION_CALL_BACK);
    CU_ASSERT_STRING_EQUAL(out.notes.reason, "a crown\nare you there?");
    CU_ASSERT_EQUAL(strncmp(out.body, OPENING, strlen(OPENING)), 0);
}

/* A turn that killed three workers: its texts are not read, the question comes all the same. */
static void texts_that_are_not_read(void)
{
    const struct reception_notes before = {.asked = RECEPTION_NOTHING};
    struct reception_output out = step_with(
        &before, &(struct reception_input){.words = wording_of("en"), .opening = OPENING});
    CU_ASSERT_EQUAL(out.notes.asked, RECEPTION_NAME);
    CU_ASSERT_PTR_NULL(out.notes.reason);
    CU_ASSERT(says(&out, "your name?"));
    out = step_with(&out.notes,
                    &(struct reception_input){.words = wording_of("en"), .opening = OPENING});
    CU_ASSERT(says(&out, OPENING) && says(&out, "your name?"));
    CU_ASSERT_EQUAL(out.notes.tries, 2);
}

/* ---- what the notes answer ---- */

static struct reception_output with_answer(enum reception_asked asked, const char *text,
                                           const char *answer)
{
    const struct reception_notes before = {.asked = asked, .tries = asked > 0};
    return step_with(&before, &(struct reception_input){.words = wording_of("en"),
                                                        .opening = OPENING,
                                                        .texts = &text,
                                                        .count = 1,
                                                        .answer = answer});
}

static void passages_are_quoted(void)
{
    struct reception_output out =
        with_answer(RECEPTION_NOTHING, "what does whitening cost", "350 dollars.");
    CU_ASSERT(says(&out, OPENING) && says(&out, "automatic answer") && says(&out, "350 dollars."));
    CU_ASSERT(says(&out, "take a message") && says(&out, "your name?"));
    CU_ASSERT_STRING_EQUAL(out.notes.reason, "what does whitening cost");
    CU_ASSERT_EQUAL(out.due, RECEPTION_DUE_AS_IT_WAS); /* it was answered: no task by itself */
    out = with_answer(RECEPTION_NAME, "Blue Whitening", "350 dollars.");
    CU_ASSERT_FALSE(says(&out, "350")); /* an answer to our question is no question */
    CU_ASSERT_STRING_EQUAL(out.notes.caller, "Blue Whitening");
    out = with_answer(RECEPTION_CALL_BACK, "and what is whitening?", "350 dollars.");
    CU_ASSERT(says(&out, "350") && says(&out, "reach you"));
    CU_ASSERT_PTR_NULL(out.notes.call_back);
    CU_ASSERT_EQUAL(out.due, RECEPTION_DUE_AS_IT_WAS);
    out = with_answer(RECEPTION_NOTHING, "hello", "350 dollars.");
    CU_ASSERT_FALSE(says(&out, "350"));
    out = with_answer(RECEPTION_DONE, "what does whitening cost", "350 dollars.");
    CU_ASSERT(says(&out, "350") && says(&out, "added"));
}

static void which_passages(void)
{
    CU_ASSERT_TRUE(reception_may_quote(true, "Prices", 0.4));
    CU_ASSERT_FALSE(reception_may_quote(true, "Prices", 0.39));
    CU_ASSERT_TRUE(reception_may_quote(false, "Parking > Where can I park?", 0.7));
    CU_ASSERT_FALSE(reception_may_quote(false, "Prices", 0.99));
    CU_ASSERT_FALSE(reception_may_quote(false, "", 0.99));
}

/* ---- bounds ---- */

static const char *repeated(const char *unit, size_t times)
{
    struct strbuf text;
    strbuf_init(&text, 1024 * 1024);
    for (size_t i = 0; i < times; i++)
        strbuf_add_text(&text, unit);
    const char *copy = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return copy;
}

/* Whatever is written, in whatever state, with the longest wording and passage: one text message,
 * the question whole, what is said to be recorded recorded. */
static void hostile_texts(void)
{
    const char *texts[] = {
        repeated("x", 5000),
        repeated("word ", 2000),
        repeated("\xf0\x9f\x98\x80 a ", 900),
        repeated("\xf0\xa0\x80\x80", 1600), /* letters of two units each */
        repeated("? ", 800),
        "\x01\x1b[31m\x7f",
        "%s%s%n {\"a\":1} '; DROP TABLE x; --",
        "\xe2\x80\xae"
        "gnp",
        "I am ",
        "my name is ",
        " \n\t ",
    };
    const char *opening = repeated("The system is slow. ", 80);
    const char *passage = repeated("It costs 350 dollars. ", 60);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int asked = 0; asked < RECEPTION_ASKED; asked++)
            for (int known = 0; known < 4; known++) {
                const struct reception_notes before = {
                    .asked = (enum reception_asked)asked,
                    .tries = 1,
                    .caller = known & 1 ? repeated("\xf0\xa0\x80\x80", 60) : NULL,
                    .reason = known & 2 ? repeated("y", 900) : NULL};
                const struct reception_input input = {.words = wording_of("fr"),
                                                      .opening = opening,
                                                      .texts = &texts[i],
                                                      .count = 1,
                                                      .answer = passage};
                struct reception_output out = step_with(&before, &input);
                const char *reason = out.notes.reason, *caller = out.notes.caller;
                CU_ASSERT(reason == NULL || reply_units(reason) <= RECEPTION_REASON_UNITS);
                CU_ASSERT(caller == NULL || reply_units(caller) <= RECEPTION_SHORT_UNITS);
                CU_ASSERT(strlen(out.body) == 0 || out.body[strlen(out.body) - 1] != ' ');
                CU_ASSERT(strpbrk(out.body, "\x01\x1b\x7f") == NULL);
                if (out.notes.asked == RECEPTION_DONE && asked != RECEPTION_DONE)
                    CU_ASSERT(reason == NULL || says(&out, reason));
            }
}

/* With own words as long as a tenant file may have them, of characters of two units each, the whole
 * record still fits. */
static void the_longest_words(void)
{
    struct wording words = {.language = "en"};
    for (size_t i = 0; i < WORDING_KEYS; i++)
        *(const char **)((char *)&words + wording_keys[i].offset) =
            repeated("\xf0\xa0\x80\x80", (size_t)wording_keys[i].max);
    const char *wish = repeated("w", RECEPTION_SHORT_UNITS);
    const struct reception_notes before = {.asked = RECEPTION_CALL_BACK,
                                           .tries = 1,
                                           .caller = repeated("n", RECEPTION_SHORT_UNITS),
                                           .reason = repeated("r", RECEPTION_REASON_UNITS)};
    const struct reception_input input = {
        .words = &words, .opening = OPENING, .texts = &wish, .count = 1};
    struct reception_output out = step_with(&before, &input);
    CU_ASSERT_EQUAL(out.notes.asked, RECEPTION_DONE);
    CU_ASSERT(says(&out, before.caller) && says(&out, before.reason) && says(&out, wish));
}

static int open_arena(void)
{
    arena = arena_new();
    return 0;
}

static int close_arena(void)
{
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("reception", open_arena, close_arena);
    CU_add_test(suite, "every pair has one rule", every_pair_has_one_rule);
    CU_add_test(suite, "names of the row", names_of_the_row);
    CU_add_test(suite, "one step from each state", one_step_from_each_state);
    CU_add_test(suite, "outside the hours", outside_the_hours);
    CU_add_test(suite, "three texts in every language", three_texts_in_every_language);
    CU_add_test(suite, "the longest words of a tenant", the_longest_words);
    CU_add_test(suite, "a silent customer", a_silent_customer);
    CU_add_test(suite, "a burst is read text by text", a_burst_is_read_text_by_text);
    CU_add_test(suite, "behind the end", behind_the_end);
    CU_add_test(suite, "a second outage", a_second_outage);
    CU_add_test(suite, "texts that are not read", texts_that_are_not_read);
    CU_add_test(suite, "passages are quoted", passages_are_quoted);
    CU_add_test(suite, "which passages", which_passages);
    CU_add_test(suite, "hostile texts", hostile_texts);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
