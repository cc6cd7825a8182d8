/* The same call once more in a turn: which of its effects have been undone since. */
#include "tools.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#define A "0198f6a0-0000-7000-8000-00000000000a"
#define B "0198f6a0-0000-7000-8000-00000000000b"

#define NINE "Tue 2026-12-01 09:00"
#define TEN  "Tue 2026-12-01 10:00"

/* A done call; its arguments are told apart by `asks`. */
#define DONE(name, asks, outcome, result)                                                          \
    "{\"id\":\"00000000-0000-7000-8000-000000000001\",\"provider_id\":\"p\",\"name\":\"" name      \
    "\",\"arguments\":\"{\\\"start\\\":\\\"" asks                                                  \
    "\\\"}\",\"signature\":null,\"state\":\"done\",\"outcome\":\"" outcome                         \
    "\",\"result\":\"" result "\"},"
#define ABOUT(id, state, start)                                                                    \
    "{\\\"appointment\\\":{\\\"id\\\":\\\"" id "\\\",\\\"state\\\":\\\"" state                     \
    "\\\",\\\"start\\\":\\\"" start "\\\"}}"
#define NOTHING "{\\\"result\\\":\\\"done\\\"}"
#define AGAIN(name, asks)                                                                          \
    "{\"id\":\"00000000-0000-7000-8000-000000000002\",\"provider_id\":\"p\",\"name\":\"" name      \
    "\",\"arguments\":\"{\\\"start\\\":\\\"" asks                                                  \
    "\\\"}\",\"signature\":null,\"state\":\"asked\",\"outcome\":null,\"result\":null}"

#define BOOKED    DONE("book", "9", "ok", ABOUT(A, "booked", NINE))
#define CANCELLED DONE("cancel", "a", "ok", ABOUT(A, "cancelled", NINE))
#define MOVED     DONE("reschedule", "10", "ok", ABOUT(A, "booked", TEN))
#define BACK      DONE("reschedule", "9", "ok", ABOUT(A, "booked", NINE))

/* Guard: is_undone of tool_booking.c, and the last of the same calls in rounds_same. */
static void what_was_undone(void)
{
    static const struct {
        const char *name, *json;
        const struct tool *tool;
        bool acts;
    } cases[] = {
        {"repeated", BOOKED AGAIN("book", "9"), &tool_book, false},
        {"booked, cancelled, booked", BOOKED CANCELLED AGAIN("book", "9"), &tool_book, true},
        {"and once more",
         BOOKED CANCELLED DONE("book", "9", "ok", ABOUT(B, "booked", NINE)) AGAIN("book", "9"),
         &tool_book, false},
        {"another one cancelled",
         BOOKED DONE("cancel", "b", "ok", ABOUT(B, "cancelled", NINE)) AGAIN("book", "9"),
         &tool_book, false},
        {"not cancelled", BOOKED DONE("cancel", "a", "refused", NOTHING) AGAIN("book", "9"),
         &tool_book, false},
        {"perhaps cancelled",
         BOOKED DONE("cancel", "a", "unknown", ABOUT(A, "cancelled", NINE)) AGAIN("book", "9"),
         &tool_book, false},
        {"cancelled before", CANCELLED BOOKED AGAIN("book", "9"), &tool_book, false},
        {"moved elsewhere", BOOKED MOVED AGAIN("book", "9"), &tool_book, true},
        {"moved there and back", BOOKED MOVED BACK AGAIN("book", "9"), &tool_book, false},
        {"a move once more", MOVED BACK AGAIN("reschedule", "10"), &tool_reschedule, true},
        {"a move repeated", MOVED AGAIN("reschedule", "10"), &tool_reschedule, false},
        {"held, then booked",
         DONE("book", "9", "ok", ABOUT(A, "held", NINE))
             DONE("book", "9, with a name", "ok", ABOUT(A, "booked", NINE)) AGAIN("book", "9"),
         &tool_book, false},
        {"the tenant's own tool says so",
         BOOKED DONE("crm", "a", "ok", ABOUT(A, "cancelled", NINE)) AGAIN("book", "9"), &tool_book,
         false},
        {"nothing is known of it",
         DONE("book", "9", "unknown", NOTHING) CANCELLED AGAIN("book", "9"), &tool_book, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new();
        struct rounds rounds = {.count = 0};
        struct err err;
        const char *json = arena_printf(
            arena, "[{\"number\":1,\"after\":5,\"claimed\":3,\"said\":\"\",\"calls\":[%s]}]",
            cases[i].json);
        CU_ASSERT_EQUAL_FATAL(rounds_read(arena, json, &rounds, &err), 0);
        const struct rounds_call *call = rounds_next(&rounds, 3);
        CU_ASSERT_PTR_NOT_NULL_FATAL(call);
        const struct rounds_call *before = rounds_same(&rounds, call);
        CU_ASSERT_PTR_NOT_NULL_FATAL(before);
        bool acts = cases[i].tool->undone(&rounds, before);
        if (acts != cases[i].acts)
            printf("    %s\n", cases[i].name);
        CU_ASSERT_EQUAL(acts, cases[i].acts);
        arena_free(&arena);
    }
    CU_ASSERT_PTR_NULL(tool_take_message.undone);
    CU_ASSERT_PTR_NULL(tool_cancel.undone); /* one that is cancelled stays so */
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tools about appointments", NULL, NULL);
    CU_add_test(suite, "what was undone", what_was_undone);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
