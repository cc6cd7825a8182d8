/* Whether a customer may be answered after words for that which came in by clocks that differ: what
 * came in order counts in that order, most of all a STOP; what is replayed, by its time. */
#include "unit/common/store/turn_rig.h"

#define HOUR      3600000LL
#define WORDS_MAX 3

struct word {
    enum inbox_consent word; /* INBOX_NO_WORD: there is none */
    int64_t off_ms;          /* of the time that its ingress gave it */
    bool replay;
};

static const struct {
    const char *name;
    struct word words[WORDS_MAX];
    const char *state;
} cases[] = {
    {"in order", {{INBOX_START, -2, false}, {INBOX_STOP, -1, false}}, "opted_out"},
    {"and back", {{INBOX_STOP, -2, false}, {INBOX_START, -1, false}}, "opted_in"},
    {"an ingress that is ahead",
     {{INBOX_START, HOUR, false}, {INBOX_STOP, -1, false}},
     "opted_out"},
    {"one that is behind", {{INBOX_START, -1, false}, {INBOX_STOP, -HOUR, false}}, "opted_out"},
    {"a stop word from ahead", {{INBOX_STOP, HOUR, false}, {INBOX_START, 0, false}}, "opted_in"},
    {"and out again",
     {{INBOX_START, -1, false}, {INBOX_STOP, -HOUR, false}, {INBOX_START, 0, false}},
     "opted_in"},
    {"an old stop word, replayed",
     {{INBOX_START, -1, false}, {INBOX_STOP, -HOUR, true}},
     "opted_in"},
    {"a newer one", {{INBOX_START, -HOUR, false}, {INBOX_STOP, -1, true}}, "opted_out"},
    {"an old start word, replayed",
     {{INBOX_STOP, -1, false}, {INBOX_START, -HOUR, true}},
     "opted_out"},
};

#define CASES (sizeof cases / sizeof cases[0])

/* The words of a case, each in a claim of its own or all in one; of a customer of their own. */
static const char *state_after(size_t which, bool in_one_claim)
{
    struct inbox_event events[WORDS_MAX];
    size_t count = 0;
    begin_test();
    for (; count < WORDS_MAX && cases[which].words[count].word != INBOX_NO_WORD; count++) {
        const struct word *word = &cases[which].words[count];
        events[count] = text_of(1, (int)count, "word");
        events[count].consent = word->word;
        events[count].event_time_ms += word->off_ms;
        events[count].replay = word->replay;
        events[count].place = (int64_t)count;
    }
    for (size_t i = 0; !in_one_claim && i < count; i++)
        claim(WORKER_A, &events[i], 1);
    if (in_one_claim)
        claim(WORKER_A, events, count);
    const char *state = arena_strdup(arena, value("SELECT state FROM consents"));
    CU_ASSERT_STRING_EQUAL(value("SELECT changed_at <= clock_timestamp() FROM consents"), "t");
    return state;
}

static void words_and_clocks(void)
{
    for (size_t i = 0; i < CASES; i++)
        for (int in_one = 0; in_one < 2; in_one++) {
            const char *state = state_after(i, in_one == 1);
            if (strcmp(state, cases[i].state) != 0)
                printf("\n    %s%s: %s\n", cases[i].name, in_one ? ", in one claim" : "", state);
            CU_ASSERT_STRING_EQUAL(state, cases[i].state);
            end_test();
        }
}

/* What comes in before the clock of its ingress says so is not kept as of later than now. */
static void nothing_was_written_later_than_now(void)
{
    begin_test();
    struct inbox_event text = text_of(1, 1, "hello");
    text.event_time_ms += HOUR;
    CU_ASSERT_STRING_EQUAL(claim(WORKER_A, &text, 1).states[0], "open");
    CU_ASSERT_STRING_EQUAL(value("SELECT event_time <= clock_timestamp() FROM inbox_events"), "t");
    CU_ASSERT_STRING_EQUAL(value("SELECT event_time <= clock_timestamp() FROM messages"), "t");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("consent", open_server, rig_end_server);
    CU_add_test(suite, "words and clocks", words_and_clocks);
    CU_add_test(suite, "nothing from later", nothing_was_written_later_than_now);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
