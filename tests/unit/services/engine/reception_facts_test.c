/* What a customer is told of the effects of a turn's tools when no model can. */
#include "reception_facts.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#define APPOINTMENT(id, state, start)                                                              \
    "{\"result\":\"-\",\"appointment\":{\"id\":\"" id "\",\"state\":\"" state                      \
    "\",\"service\":\"Oil change\",\"with\":\"Bay 1\",\"start\":\"" start "\"}}"
#define MON "Monday 2026-12-07 09:00"
#define TUE "Tuesday 2026-12-08 10:30"

struct call {
    const char *name, *outcome, *result;
};

static const struct {
    const char *name, *language;
    struct call calls[3];
    const char *said; /* NULL: nothing */
} cases[] = {
    {"nothing", "en", {{"take_message", "ok", "{\"noted\":\"x\"}"}}, NULL},
    {"booked",
     "en",
     {{"book", "ok", APPOINTMENT("a", "booked", MON)}},
     "Your appointment is booked: Oil change, 2026-12-07 09:00"},
    {"held", "en", {{"book", "ok", APPOINTMENT("a", "held", MON)}}, NULL},
    {"refused", "en", {{"book", "refused", APPOINTMENT("a", "booked", MON)}}, NULL},
    {"not known", "en", {{"book", "unknown", "{\"error\":\"x\"}"}}, NULL},
    {"booked and moved",
     "de-CH",
     {{"book", "ok", APPOINTMENT("a", "booked", MON)},
      {"reschedule", "ok", APPOINTMENT("a", "booked", TUE)}},
     "Ihr Termin ist gebucht: Oil change, 2026-12-08 10:30"},
    {"booked and cancelled",
     "es",
     {{"book", "ok", APPOINTMENT("a", "booked", MON)},
      {"cancel", "ok", APPOINTMENT("a", "cancelled", MON)}},
     "Su cita est\xc3\xa1 cancelada: Oil change, 2026-12-07 09:00"},
    {"two",
     "en",
     {{"book", "ok", APPOINTMENT("a", "booked", MON)},
      {"cancel", "ok", APPOINTMENT("b", "cancelled", TUE)}},
     "Your appointment is booked: Oil change, 2026-12-07 09:00\n"
     "Your appointment is cancelled: Oil change, 2026-12-08 10:30"},
    {"no JSON", "en", {{"book", "ok", "{"}}, NULL},
    {"no appointment", "en", {{"book", "ok", "{\"result\":\"booked\"}"}}, NULL},
    {"a tenant's own tool", "en", {{"order", "ok", APPOINTMENT("a", "booked", MON)}}, NULL},
};

static void facts(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new();
        struct rounds_round round = {.number = 1};
        struct rounds rounds = {.items = {&round}, .count = 1};
        for (; round.call_count < 3 && cases[i].calls[round.call_count].name != NULL;
             round.call_count++) {
            const struct call *from = &cases[i].calls[round.call_count];
            round.calls[round.call_count] = (struct rounds_call){
                .name = from->name, .done = true, .outcome = from->outcome, .result = from->result};
        }
        const char *said = reception_facts(arena, &rounds, wording_of(cases[i].language));
        bool good =
            cases[i].said != NULL ? said != NULL && strcmp(said, cases[i].said) == 0 : said == NULL;
        if (!good)
            printf("    %s: %s\n", cases[i].name, said != NULL ? said : "-");
        CU_ASSERT_TRUE(good);
        arena_free(&arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("reception facts", NULL, NULL);
    CU_add_test(suite, "facts", facts);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
