/* Who of a rota is told next, by the hours; the words of a notice; codes. */
#include "rota_plan.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

static struct arena *arena;

#define DESK                                                                                       \
    "{\"name\":\"desk\",\"sms\":\"+15550100901\",\"hours\":{\"mon\":[[\"08:00\",\"12:00\"],"       \
    "[\"13:00\",\"17:00\"]],\"fri\":[[\"09:00\",\"24:00\"]]}}"
#define ON_CALL "{\"name\":\"on call\",\"sms\":\"+15550100902\"}"
#define NEVER   "{\"name\":\"never\",\"sms\":\"+15550100903\",\"hours\":{}}"
#define ROTA(list)                                                                                 \
    "{\"on\":[\"customer_asks\"],\"accept_within_min\":7,\"rounds\":2,\"rota\":[" list "]}"

static struct rota_due due_at(const char *policy, int steps, const char *weekday, const char *time)
{
    return (struct rota_due){.runs = true,
                             .steps = steps,
                             .reason = "customer_asks",
                             .summary = "wants a person",
                             .caller = "",
                             .customer = "+15550199",
                             .business = "Dental",
                             .policy = policy,
                             .number = "+15550001",
                             .mailbox = "",
                             .day = "2026-12-01",
                             .time = time,
                             .weekday = weekday,
                             .opted_out = ""};
}

static struct rota_plan plan(const char *policy, int steps, const char *weekday, const char *time)
{
    struct rota_plan out;
    struct rota_due due = due_at(policy, steps, weekday, time);
    rota_plan_next(arena, &due, &out);
    return out;
}

static void in_order_and_in_rounds(void)
{
    static const struct {
        int steps;
        const char *name;
        int round;
    } cases[] = {{0, "desk", 1}, {1, "on call", 1}, {2, "desk", 2}, {3, "on call", 2}};
    arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rota_plan next = plan(ROTA(DESK "," ON_CALL), cases[i].steps, "mon", "09:00");
        CU_ASSERT_TRUE_FATAL(next.tells);
        CU_ASSERT_STRING_EQUAL(next.name, cases[i].name);
        CU_ASSERT_EQUAL(next.steps_now, cases[i].steps + 1);
        CU_ASSERT_EQUAL(next.round, cases[i].round);
        CU_ASSERT_EQUAL(next.accept_ms, 420000);
    }
    struct rota_plan end = plan(ROTA(DESK "," ON_CALL), 4, "mon", "09:00");
    CU_ASSERT_FALSE(end.tells);
    CU_ASSERT_EQUAL(end.pause, ROTA_NOBODY);
    arena_free(&arena);
}

static void by_hours(void)
{
    static const struct {
        const char *policy, *weekday, *time, *name; /* NULL: waits */
        int days;
        const char *at;
    } cases[] = {
        {ROTA(DESK "," ON_CALL), "mon", "12:30", "on call", 0, NULL},
        {ROTA(DESK "," ON_CALL), "mon", "17:00", "on call", 0, NULL},
        {ROTA(DESK "," ON_CALL), "mon", "08:00", "desk", 0, NULL},
        {ROTA(DESK), "mon", "07:59", NULL, 0, "08:00"},
        {ROTA(DESK), "mon", "12:00", NULL, 0, "13:00"},
        {ROTA(DESK), "mon", "17:00", NULL, 4, "09:00"},
        {ROTA(DESK), "fri", "23:59", "desk", 0, NULL},
        {ROTA(DESK), "sat", "10:00", NULL, 2, "08:00"},
        {ROTA(NEVER "," DESK), "sun", "10:00", NULL, 1, "08:00"},
        {ROTA(NEVER), "sun", "10:00", NULL, -1, NULL},
        {ROTA(""), "sun", "10:00", NULL, -1, NULL},
        {"", "sun", "10:00", NULL, -1, NULL},
        {"[]", "sun", "10:00", NULL, -1, NULL},
    };
    arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rota_plan next = plan(cases[i].policy, 0, cases[i].weekday, cases[i].time);
        CU_ASSERT_EQUAL(next.tells, cases[i].name != NULL);
        if (next.tells && cases[i].name != NULL)
            CU_ASSERT_STRING_EQUAL(next.name, cases[i].name);
        if (cases[i].name != NULL)
            continue;
        CU_ASSERT_EQUAL(next.pause, cases[i].days < 0 ? ROTA_NOBODY : ROTA_AT);
        if (next.pause == ROTA_AT && cases[i].at != NULL) {
            CU_ASSERT_EQUAL(next.days, cases[i].days);
            CU_ASSERT_STRING_EQUAL(next.time, cases[i].at);
        }
    }
    arena_free(&arena);
}

/* Only that Monday is left of the week: it comes again after seven days. */
static void the_same_day_next_week(void)
{
    arena = arena_new();
    struct rota_plan next = plan(ROTA("{\"name\":\"x\",\"sms\":\"+15550100901\",\"hours\":"
                                      "{\"mon\":[[\"08:00\",\"09:00\"]]}}"),
                                 0, "mon", "10:00");
    CU_ASSERT_EQUAL(next.pause, ROTA_AT);
    CU_ASSERT_EQUAL(next.days, 7);
    arena_free(&arena);
}

/* After the last of the others, somebody who had his turn is on duty: the rounds are over. */
static void the_rest_is_off_duty(void)
{
    arena = arena_new();
    struct rota_plan next = plan(ROTA(ON_CALL "," DESK), 3, "sun", "10:00");
    CU_ASSERT_FALSE(next.tells);
    CU_ASSERT_EQUAL(next.pause, ROTA_NOBODY);
    arena_free(&arena);
}

static void who_opted_out_is_passed_over(void)
{
    arena = arena_new();
    struct rota_plan next;
    struct rota_due due = due_at(ROTA(DESK "," ON_CALL), 0, "mon", "09:00");
    due.opted_out = "[\"+15550100901\"]";
    rota_plan_next(arena, &due, &next);
    CU_ASSERT_TRUE_FATAL(next.tells);
    CU_ASSERT_STRING_EQUAL(next.name, "on call");
    due.opted_out = "[\"+15550100901\", \"+15550100902\"]";
    rota_plan_next(arena, &due, &next);
    CU_ASSERT_FALSE(next.tells);
    CU_ASSERT_EQUAL(next.pause, ROTA_NOBODY);
    arena_free(&arena);
}

#define INES "{\"name\":\"ines\",\"sms\":\"+15550100904\",\"mail\":\"ines@clinic.example\"}"
#define TOM  "{\"name\":\"tom\",\"mail\":\"tom@clinic.example\"}"

/* A text where one can reach them, else a mail, else the next one. */
static void by_text_or_by_mail(void)
{
    static const struct {
        const char *number, *mailbox, *opted_out, *want;
    } cases[] = {
        {"+15550001", "desk@clinic.example", "", "+15550100904"},
        {"", "desk@clinic.example", "", "ines@clinic.example"},
        {"+15550001", "desk@clinic.example", "[\"+15550100904\"]", "ines@clinic.example"},
        {"+15550001", "desk@clinic.example", "[\"+15550100904\", \"ines@clinic.example\"]",
         "tom@clinic.example"},
        {"+15550001", "", "[\"+15550100904\"]", NULL},
    };
    arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rota_due due = due_at(ROTA(INES "," TOM), 0, "mon", "09:00");
        struct rota_plan next;
        due.number = cases[i].number;
        due.mailbox = cases[i].mailbox;
        due.opted_out = cases[i].opted_out;
        rota_plan_next(arena, &due, &next);
        CU_ASSERT_EQUAL_FATAL(next.tells, cases[i].want != NULL);
        if (!next.tells)
            continue;
        CU_ASSERT_STRING_EQUAL(next.address, cases[i].want);
        CU_ASSERT_EQUAL(next.by_mail, strchr(cases[i].want, '@') != NULL);
        CU_ASSERT_STRING_EQUAL(rota_plan_subject(arena, &due, "7K3F"),
                               "Dental: A customer asks for a person (7K3F)");
    }
    arena_free(&arena);
}

/* A call where the business has a number to call from, whatever else there is. */
static void by_call(void)
{
    arena = arena_new();
    struct rota_due due = due_at(ROTA("{\"name\":\"ines\",\"call\":\"+15550100907\","
                                      "\"sms\":\"+15550100904\"}"),
                                 0, "mon", "09:00");
    struct rota_plan next;
    rota_plan_next(arena, &due, &next);
    CU_ASSERT(next.tells && !next.by_call && strcmp(next.address, "+15550100904") == 0);
    due.call_channel = uuid_new();
    rota_plan_next(arena, &due, &next);
    CU_ASSERT(next.tells && next.by_call && !next.by_mail);
    CU_ASSERT_STRING_EQUAL(next.address, "+15550100907");
    CU_ASSERT_EQUAL(next.ring_s, 20);
    due.opted_out = "[\"+15550100907\"]";
    rota_plan_next(arena, &due, &next);
    CU_ASSERT(next.tells && !next.by_call);
    due.customer = "+15550199";
    due.caller = "Ann";
    due.summary = "Wants\nsomebody.";
    due.language = "en-US";
    CU_ASSERT_STRING_EQUAL(rota_plan_spoken(arena, &due),
                           "Dental: A customer asks for a person. Ann, 1 5 5 5 0 1 9 9. Wants "
                           "somebody. Press 1 to take it, or 2 if you cannot.");
    due.language = "de";
    due.customer = due.caller = "";
    CU_ASSERT_STRING_EQUAL(rota_plan_spoken(arena, &due),
                           "Dental: Ein Kunde möchte mit einem Menschen sprechen. Wants somebody. "
                           "Drücken Sie die 1, um es zu übernehmen, oder die 2, wenn Sie nicht "
                           "können.");
    arena_free(&arena);
}

static void mails_that_say_yes(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"OK", "OK"},
        {"\n ok.\n\n-- \nInes", "OK"},
        {"OK 7k3f\r\nInes", "7K3F"},
        {"7K3F", "7K3F"},
        {"OK 7K3F, thanks", "7K3F"},
        {"OK 24th", NULL},
        {"OK but who is it?", NULL},
        {"okay", NULL},
        {"", NULL},
        {"I am on it\nOK", NULL},
        {"OK                                            7K3F", NULL},
    };
    char code[ROTA_CODE_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool read = rota_plan_read_mail(cases[i].text, code);
        CU_ASSERT_EQUAL(read, cases[i].want != NULL);
        if (read && cases[i].want != NULL)
            CU_ASSERT_STRING_EQUAL(code, cases[i].want);
    }
}

static void words_of_a_notice(void)
{
    arena = arena_new();
    char summary[400];
    memset(summary, 'z', sizeof summary - 1);
    summary[sizeof summary - 1] = '\0';
    summary[5] = '\n';
    struct rota_due due = due_at(ROTA(DESK), 0, "mon", "09:00");
    struct rota_plan next;
    due.summary = summary;
    due.caller = "Ann";
    rota_plan_next(arena, &due, &next);
    const char *text = rota_plan_text(arena, &due, &next, "7K3F");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "Dental: A customer asks for a person (+15550199, Ann). zzzzz zzz"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "zzz...\nReply OK 7K3F within 7 min to take it."));
    CU_ASSERT_TRUE(strlen(text) < 320);
    due.customer = "";
    due.reason = "assistant";
    due.summary = "Short.";
    CU_ASSERT_STRING_EQUAL(rota_plan_text(arena, &due, &next, "7K3F"),
                           "Dental: A customer needs a person. Short.\nReply OK 7K3F within 7 min "
                           "to take it.");
    arena_free(&arena);
}

static void codes_are_read(void)
{
    static const struct {
        const char *text, *want;
        enum rota_said said;
    } cases[] = {
        {"7K3F", "7K3F", ROTA_SAYS_YES},
        {"ok 7k3f", "7K3F", ROTA_SAYS_YES},
        {" OK,  7K3F.\n", "7K3F", ROTA_SAYS_YES},
        {"Ok: 7k3f!", "7K3F", ROTA_SAYS_YES},
        {"ok ok 7K3F", "7K3F", ROTA_SAYS_YES},
        {"OK 7K3F, thanks", "7K3F", ROTA_SAYS_YES},
        {"Hi - yes, 7k3f is", "7K3F", ROTA_NAMES_CODE},
        {"okay 7K3F. Thank you!", "7K3F", ROTA_SAYS_YES},
        {"I cannot take 7K3F", "7K3F", ROTA_NAMES_CODE},
        {"OK 7K3F?", "7K3F", ROTA_NAMES_CODE},
        {"Who has got \"7K3F\"", "7K3F", ROTA_NAMES_CODE},
        {"7K3F please", "7K3F", ROTA_NAMES_CODE},
        {"OK 7K3F, on the 24th", "7K3F", ROTA_NAMES_CODE}, /* the first one */
        {"ok 7K3F I take it", "7K3F", ROTA_SAYS_YES},
        {"I'll take 7K3F", "7K3F", ROTA_SAYS_YES},
        {"I\xe2\x80\x99ll take it: 7K3F. Thanks", "7K3F", ROTA_SAYS_YES},
        {"7K3F I will take it", "7K3F", ROTA_SAYS_YES},
        {"7K3F I will not take it", "7K3F", ROTA_NAMES_CODE},
        {"You take it: 7K3F", "7K3F", ROTA_NAMES_CODE},
        {"Can I take 7K3F", "7K3F", ROTA_NAMES_CODE},
        {"OK on the 24th, 7K3F", "7K3F", ROTA_NAMES_CODE}, /* the first that is one */
        {"Thanks, 24th", NULL, ROTA_SAYS_NOTHING},
        {"OK, 22nd!", NULL, ROTA_SAYS_NOTHING},
        {"Yes 23rd", NULL, ROTA_SAYS_NOTHING},
        {"I can come on the 24th", NULL, ROTA_SAYS_NOTHING},
        {"Hi, 24th of May", NULL, ROTA_SAYS_NOTHING},
        {"OK 9h45", NULL, ROTA_SAYS_NOTHING},
        {"OK 24hr", NULL, ROTA_SAYS_NOTHING},
        {"Sure, 5pmx", NULL, ROTA_SAYS_NOTHING},
        {"Thanks, 24x7", NULL, ROTA_SAYS_NOTHING},
        {"Hi, CF24", NULL, ROTA_SAYS_NOTHING},
        {"ok room 12", NULL, ROTA_SAYS_NOTHING},
        {"7K3", NULL, ROTA_SAYS_NOTHING},
        {"7K3FF", NULL, ROTA_SAYS_NOTHING},
        {"OK7K3F", NULL, ROTA_SAYS_NOTHING},
        {"OK", NULL, ROTA_SAYS_NOTHING},
        {"", NULL, ROTA_SAYS_NOTHING},
        {"2345", NULL, ROTA_SAYS_NOTHING},
        {"KFKF", NULL, ROTA_SAYS_NOTHING},
        {"7K30", NULL, ROTA_SAYS_NOTHING},
        {"7K3A", NULL, ROTA_SAYS_NOTHING},
        {"7K3\xc3\x89", NULL, ROTA_SAYS_NOTHING},
    };
    char code[ROTA_CODE_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const enum rota_said said = rota_plan_read_text(cases[i].text, code);
        CU_ASSERT_EQUAL(said, cases[i].said);
        if (said != ROTA_SAYS_NOTHING && cases[i].want != NULL)
            CU_ASSERT_STRING_EQUAL(code, cases[i].want);
    }
    char letter[200] = "OK 7K3F";
    memset(letter + 7, ' ', 180);
    CU_ASSERT_EQUAL(rota_plan_read_text(letter, code), ROTA_SAYS_NOTHING);
    for (int i = 0; i < 2000; i++) {
        char again[ROTA_CODE_SIZE];
        rota_plan_code(code);
        CU_ASSERT_EQUAL_FATAL(rota_plan_read_text(code, again), ROTA_SAYS_YES);
        CU_ASSERT_STRING_EQUAL(code, again);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rota plan", NULL, NULL);
    CU_add_test(suite, "in order and in rounds", in_order_and_in_rounds);
    CU_add_test(suite, "by hours", by_hours);
    CU_add_test(suite, "by text or by mail", by_text_or_by_mail);
    CU_add_test(suite, "by call", by_call);
    CU_add_test(suite, "mails that say yes", mails_that_say_yes);
    CU_add_test(suite, "the same day next week", the_same_day_next_week);
    CU_add_test(suite, "the rest is off duty", the_rest_is_off_duty);
    CU_add_test(suite, "opted out", who_opted_out_is_passed_over);
    CU_add_test(suite, "words of a notice", words_of_a_notice);
    CU_add_test(suite, "codes", codes_are_read);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
