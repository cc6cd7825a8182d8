/* What is one function of the database (store/statements.h) is what units send: a sequence that
 * none has would be made for nothing, and its statements called one by one. */
#include <CUnit/Basic.h>
#include <string.h>

#include "base/arena.h"
#include "store/inbox_call.h"
#include "store/round.h"
#include "store/statements.h"
#include "store/turn.h"
#include "store/usage.h"
#include "store/voice.h"

#define TENANT "00000000-0000-7000-8000-000000000001"
#define WORKER "00000000-0000-7000-8000-00000000000a"

static struct arena *arena;

static const struct inbox_event event = {.tenant = TENANT,
                                         .channel = "voice",
                                         .provider_id = "CA1:1",
                                         .sender = "+15550000001",
                                         .address = "+15550000002",
                                         .body = "hello",
                                         .traceparent = ""};

static void add_claim(struct pg_unit *unit)
{
    inbox_add_claim(unit, arena, WORKER, &event, 1, &(struct inbox_timing){0});
}

static void add_start(struct pg_unit *unit)
{
    turn_add_start(unit, arena, WORKER, &(struct turn_start){.tenant = TENANT}, 1,
                   &(struct turn_times){0});
}

static void add_fresh(struct pg_unit *unit)
{
    const struct voice_place place = {.tenant = TENANT, .call_sid = "CA1"};
    add_claim(unit);
    voice_add_locks(unit, arena, &place, 1);
    voice_add_places(unit, arena, &place, 1);
    turn_add_fresh(unit, arena, WORKER, &(struct turn_start){.tenant = TENANT}, 1,
                   &(struct turn_times){0}, NULL);
}

static void add_plain(struct pg_unit *unit)
{
    const char *claim = inbox_call_add(unit, arena, WORKER,
                                       &(struct inbox_call){.event = &event, .call_sid = "CA1"});
    turn_add_fresh(unit, arena, WORKER, &(struct turn_start){.tenant = TENANT}, 1,
                   &(struct turn_times){0}, claim);
}

static void add_reserve(struct pg_unit *unit)
{
    usage_add_reserve(unit, arena, WORKER, &(struct usage_wish){.tenant = TENANT}, 1);
}

static void add_round(struct pg_unit *unit)
{
    round_add_store(unit, arena, WORKER, &(struct round){.of.tenant = TENANT, .said = ""}, 1);
}

static void add_commit(struct pg_unit *unit)
{
    const struct turn_commit commit = {.tenant = TENANT,
                                       .events = "{}",
                                       .event_state = "answered",
                                       .turn_state = "finished",
                                       .outcome = "reply",
                                       .body = "hello",
                                       .traceparent = ""};
    turn_add_commit(unit, arena, WORKER, &commit, 1);
}

static void add_word(struct pg_unit *unit)
{
    voice_add_word(unit, arena, WORKER,
                   &(struct voice_word){.tenant = TENANT, .text = "", .reason = "last"});
}

static void (*const units[])(struct pg_unit *unit) = {add_claim, add_start,  add_fresh, add_reserve,
                                                      add_round, add_commit, add_word,  add_plain};

static bool holds(const struct pg_unit *unit, const char *const *sequence)
{
    for (int from = 0; from < unit->count; from++) {
        int same = 0;
        while (sequence[same] != NULL && from + same < unit->count &&
               unit->statements[from + same].sql == sequence[same])
            same++;
        if (sequence[same] == NULL)
            return true;
    }
    return false;
}

static void every_sequence_is_sent(void)
{
    const char *const *const *all = statements_frequent();
    size_t sequences = 0;
    for (size_t i = 0; all[i] != NULL; i++) {
        bool sent = all[i][1] == NULL;
        sequences += !sent;
        for (size_t k = 0; k < sizeof units / sizeof units[0] && !sent; k++) {
            static struct pg_unit unit;
            memset(&unit, 0, sizeof unit);
            units[k](&unit);
            sent = holds(&unit, all[i]);
        }
        if (!sent)
            printf("\n    no unit has this: %.200s\n", all[i][0]);
        CU_ASSERT_TRUE(sent);
    }
    CU_ASSERT(sequences >= 8);
}

/* Of two that begin alike the longer one stands first, and each of their statements is one alone.
 */
static void every_statement_is_one_alone(void)
{
    const char *const *const *all = statements_frequent();
    for (size_t i = 0; all[i] != NULL; i++)
        for (size_t k = 0; all[i][1] != NULL && all[i][k] != NULL; k++) {
            bool found = false;
            for (size_t n = i; all[n] != NULL && !found; n++)
                found = all[n][0] == all[i][k] && all[n][1] == NULL;
            CU_ASSERT_TRUE(found);
        }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("statements", NULL, NULL);
    arena = arena_new();
    CU_add_test(suite, "every sequence is sent", every_sequence_is_sent);
    CU_add_test(suite, "every statement is one alone", every_statement_is_one_alone);
    CU_basic_run_tests();
    const unsigned failures = CU_get_number_of_failures();
    arena_free(&arena);
    CU_cleanup_registry();
    return failures != 0;
}
