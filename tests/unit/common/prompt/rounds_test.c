/* The rounds of a turn in memory: what a start found, what is next, and what is passed over. */
#include "prompt/rounds.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#define CALL(id, state, outcome, result)                                                           \
    "{\"id\":\"00000000-0000-7000-8000-00000000000" id                                             \
    "\",\"provider_id\":\"p\",\"name\":\"book\","                                                  \
    "\"arguments\":\"{}\",\"signature\":null,\"state\":\"" state "\",\"outcome\":" outcome         \
    ",\"result\":" result "}"
#define ROUND(number, claimed, calls)                                                              \
    "{\"number\":" number ",\"after\":5,\"claimed\":" claimed ",\"said\":\"\",\"calls\":[" calls   \
    "]}"
#define DONE(id)    CALL(id, "done", "\"ok\"", "\"{}\"")
#define ASKED(id)   CALL(id, "asked", "null", "null")
#define STARTED(id) CALL(id, "started", "null", "null")

static void stored_rounds(void)
{
    static const struct {
        const char *name, *json;
        int64_t claimed;
        char next; /* the last digit of the id of the next call; 0: none */
    } cases[] = {
        {"none", "", 3, 0},
        {"all done", "[" ROUND("1", "3", DONE("1") "," DONE("2")) "]", 3, 0},
        {"one asked", "[" ROUND("1", "3", DONE("1") "," ASKED("2")) "]", 3, '2'},
        {"begun", "[" ROUND("1", "3", STARTED("1") "," ASKED("2")) "]", 3, '1'},
        {"asked before a newer text", "[" ROUND("1", "2", DONE("1") "," ASKED("2")) "]", 3, 0},
        {"begun before a newer text", "[" ROUND("1", "2", ASKED("1") "," STARTED("2")) "]", 3, '2'},
        {"the second round", "[" ROUND("1", "3", DONE("1")) "," ROUND("2", "3", ASKED("2")) "]", 3,
         '2'},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new();
        struct rounds rounds = {.count = 0};
        struct err err;
        char id[UUID_TEXT_SIZE];
        CU_ASSERT_EQUAL_FATAL(rounds_read(arena, cases[i].json, &rounds, &err), 0);
        const struct rounds_call *next = rounds_next(&rounds, cases[i].claimed);
        char got = next == NULL ? 0 : uuid_format(&next->id, id)[35];
        if (got != cases[i].next)
            printf("    %s\n", cases[i].name);
        CU_ASSERT_EQUAL(got, cases[i].next);
        arena_free(&arena);
    }
}

static void what_is_passed_over_is_told_as_refused(void)
{
    struct arena *arena = arena_new();
    struct rounds rounds = {.count = 0};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(
        rounds_read(arena, "[" ROUND("4", "2", DONE("1") "," ASKED("2")) "]", &rounds, &err), 0);
    CU_ASSERT_PTR_NULL(rounds_next(&rounds, 3));
    CU_ASSERT_STRING_EQUAL(rounds.items[0]->calls[1].outcome, "refused");
    CU_ASSERT_PTR_NOT_NULL(strstr(rounds.items[0]->calls[1].result, "wrote again"));
    CU_ASSERT_TRUE(rounds_have_done(&rounds, 2, "book"));
    CU_ASSERT_FALSE(rounds_have_done(&rounds, 3, "book")); /* the customer wrote again since */
    CU_ASSERT_FALSE(rounds_have_done(&rounds, 2, "cancel"));
    arena_free(&arena);
}

static void added_rounds(void)
{
    const struct llm_tool_call calls[] = {{"a", "book", "{}", NULL}, {"b", "cancel", "{", "sig"}};
    const struct llm_result result = {.text = "wait", .calls = calls, .call_count = 2};
    const struct rounds_said said = {.result = &result, .after_position = 7, .claimed = 3};
    struct arena *arena = arena_new();
    struct rounds rounds = {.last_number = 4};
    for (int i = 0; i < ROUNDS_MAX; i++) {
        CU_ASSERT_TRUE(rounds_have_room(&rounds));
        const struct rounds_round *round = rounds_add(arena, &rounds, &said);
        CU_ASSERT_PTR_NOT_NULL_FATAL(round);
        CU_ASSERT_EQUAL(round->number, 5 + i);
        CU_ASSERT_FALSE(uuid_equal(&round->calls[0].id, &round->calls[1].id));
        CU_ASSERT_STRING_EQUAL(round->calls[1].signature, "sig");
        CU_ASSERT_PTR_NULL(round->calls[0].signature);
    }
    CU_ASSERT_FALSE(rounds_have_room(&rounds));
    CU_ASSERT_PTR_NULL(rounds_add(arena, &rounds, &said));
    CU_ASSERT_PTR_NOT_NULL(rounds_next(&rounds, 3));
    CU_ASSERT_FALSE(rounds_have_done(&rounds, 3, "book"));
    arena_free(&arena);
}

#define ASKS(id, name, arguments, state, outcome)                                                  \
    "{\"id\":\"00000000-0000-7000-8000-00000000000" id "\",\"provider_id\":\"p\",\"name\":\"" name \
    "\",\"arguments\":\"" arguments "\",\"signature\":null,\"state\":\"" state                     \
    "\",\"outcome\":" outcome ",\"result\":\"{}\"}"
#define BOOKED(arguments, outcome) ASKS("1", "book", arguments, "done", "\"" outcome "\"")
#define AGAIN(name, arguments)     ASKS("2", name, arguments, "asked", "null")

/* The first call of a turn that asked for the same and may have had its effect answers the second.
 */
static void the_same_call_again(void)
{
    static const struct {
        const char *name, *json;
        bool same;
    } cases[] = {
        {"the same",
         BOOKED("{\\\"a\\\":[1,{\\\"b\\\":null}]}",
                "ok") "," AGAIN("book", "{\\\"a\\\":[1,{\\\"b\\\":null}]}"),
         true},
        {"in another order",
         BOOKED("{\\\"a\\\":1,\\\"b\\\":\\\"x\\\"}",
                "ok") "," AGAIN("book", "{ \\\"b\\\":\\\"x\\\", \\\"a\\\": 1.0}"),
         true},
        {"not known", BOOKED("{}", "unknown") "," AGAIN("book", "{}"), true},
        {"refused", BOOKED("{}", "refused") "," AGAIN("book", "{}"), false},
        {"failed", BOOKED("{}", "failed") "," AGAIN("book", "{}"), false},
        {"another tool", BOOKED("{}", "ok") "," AGAIN("cancel", "{}"), false},
        {"another value", BOOKED("{\\\"a\\\":1}", "ok") "," AGAIN("book", "{\\\"a\\\":2}"), false},
        {"one member more", BOOKED("{}", "ok") "," AGAIN("book", "{\\\"a\\\":2}"), false},
        {"one member less", BOOKED("{\\\"a\\\":2}", "ok") "," AGAIN("book", "{}"), false},
        {"another list", BOOKED("{\\\"a\\\":[1]}", "ok") "," AGAIN("book", "{\\\"a\\\":[1,1]}"),
         false},
        {"no JSON", BOOKED("{", "ok") "," AGAIN("book", "{"), false},
        {"the first one", AGAIN("book", "{}"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new();
        struct rounds rounds = {.count = 0};
        struct err err;
        const char *json = arena_printf(arena, "[" ROUND("1", "3", "%s") "]", cases[i].json);
        CU_ASSERT_EQUAL_FATAL(rounds_read(arena, json, &rounds, &err), 0);
        const struct rounds_call *call = rounds_next(&rounds, 3);
        CU_ASSERT_PTR_NOT_NULL_FATAL(call);
        const struct rounds_call *before = rounds_same(&rounds, call);
        if ((before != NULL) != cases[i].same)
            printf("    %s\n", cases[i].name);
        CU_ASSERT_EQUAL(before != NULL, cases[i].same);
        CU_ASSERT_TRUE(rounds_have_open(&rounds));
        arena_free(&arena);
    }
}

static void what_cannot_be_read(void)
{
    static const char *const cases[] = {
        "nul",
        "[{}]",
        "[1]",
        "[" ROUND("0", "3", DONE("1")) "]",
        "[" ROUND("1", "3", "") "]",
        "[" ROUND("1", "3", CALL("1", "done", "null", "\"{}\"")) "]",
        "[" ROUND("1", "3", CALL("x", "asked", "null", "null")) "]",
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rounds rounds = {.count = 0};
        struct err err;
        if (rounds_read(arena, cases[i], &rounds, &err) == 0)
            CU_FAIL(cases[i]);
    }
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rounds", NULL, NULL);
    CU_add_test(suite, "stored rounds", stored_rounds);
    CU_add_test(suite, "passed over", what_is_passed_over_is_told_as_refused);
    CU_add_test(suite, "added rounds", added_rounds);
    CU_add_test(suite, "the same call again", the_same_call_again);
    CU_add_test(suite, "what cannot be read", what_cannot_be_read);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
