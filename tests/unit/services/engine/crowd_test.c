/* Places among the calls at once: of accounts, with their lines, and of providers. */
#include "crowd.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include <string.h>

static struct crowds *crowds;
static char woken[64]; /* who, in order */

struct waiter {
    struct crowd_entry entry;
    struct crowd_place place;
    char name;
};

static void on_place(void *arg, struct crowd_place place)
{
    struct waiter *waiter = arg;
    waiter->place = place;
    woken[strlen(woken)] = waiter->name;
}

static struct crowd_wish wish(const char *account, int64_t most, const char *provider)
{
    return (struct crowd_wish){.account = account, .most = most, .provider = provider};
}

static bool takes(const char *account, int64_t most, const char *provider,
                  struct crowd_place *place)
{
    const struct crowd_wish what = wish(account, most, provider);
    *place = (struct crowd_place){NULL, NULL};
    return crowd_take(crowds, &what, place);
}

static bool waits(const char *account, int64_t most, const char *provider, bool first,
                  struct waiter *waiter)
{
    const struct crowd_wish what = wish(account, most, provider);
    waiter->entry = (struct crowd_entry){.first = first, .wake = on_place, .arg = waiter};
    return crowd_wait(crowds, &what, &waiter->entry);
}

static void begin(int64_t parts, int64_t provider_most)
{
    crowds = crowds_new(parts, provider_most);
    memset(woken, 0, sizeof woken);
}

static void end(void)
{
    CU_ASSERT_EQUAL(crowds_waiting(crowds), 0);
    crowds_free(&crowds);
}

static void an_account_has_so_many_calls(void)
{
    struct crowd_place places[3];
    begin(1, 100);
    CU_ASSERT_TRUE(takes("a", 2, "p", &places[0]));
    CU_ASSERT_TRUE(takes("a", 2, "p", &places[1]));
    CU_ASSERT_FALSE(takes("a", 2, "p", &places[2]));
    CU_ASSERT_PTR_NULL(places[2].provider);
    CU_ASSERT_TRUE(takes("b", 2, "p", &places[2])); /* another one's are its own */
    crowd_give_back(crowds, &places[2]);
    crowd_give_back(crowds, &places[0]);
    CU_ASSERT_TRUE(takes("a", 2, "p", &places[2]));
    for (int i = 0; i < 3; i++)
        crowd_give_back(crowds, &places[i]);
    crowd_give_back(crowds, &places[0]); /* nothing */
    end();
}

/* Each loop has its part, and one call at least. */
static void loops_have_their_parts(void)
{
    struct crowd_place one, two;
    begin(4, 100);
    CU_ASSERT_TRUE(takes("a", 3, "p", &one));
    CU_ASSERT_FALSE(takes("a", 3, "p", &two));
    crowd_give_back(crowds, &one);
    CU_ASSERT_TRUE(takes("b", 8, "p", &one));
    CU_ASSERT_TRUE(takes("b", 8, "p", &two));
    crowd_give_back(crowds, &one);
    crowd_give_back(crowds, &two);
    end();
}

/* First come, first served, but a caller does not wait behind texts; nobody passes the line. */
static void a_place_goes_to_the_first_in_line(void)
{
    struct crowd_place held, late;
    struct waiter text = {.name = 't'}, other = {.name = 'o'}, call = {.name = 'c'},
                  second = {.name = 's'};
    begin(1, 100);
    CU_ASSERT_TRUE(takes("a", 1, "p", &held));
    CU_ASSERT_TRUE(waits("a", 1, "p", false, &text));
    CU_ASSERT_TRUE(waits("a", 1, "p", false, &other));
    CU_ASSERT_TRUE(waits("a", 1, "p", true, &call));
    CU_ASSERT_TRUE(waits("a", 1, "p", true, &second));
    CU_ASSERT_EQUAL(crowds_waiting(crowds), 4);
    crowd_leave(crowds, &other.entry);
    crowd_leave(crowds, &other.entry);
    crowd_give_back(crowds, &held);
    CU_ASSERT_STRING_EQUAL(woken, "c");
    CU_ASSERT_FALSE(takes("a", 1, "p", &late));
    crowd_give_back(crowds, &call.place);
    crowd_give_back(crowds, &second.place);
    CU_ASSERT_STRING_EQUAL(woken, "cst");
    CU_ASSERT_FALSE(takes("a", 1, "p", &late));
    crowd_give_back(crowds, &text.place);
    end();
}

/* Of a version with a smaller limit: those behind are not held up longer than it waits. */
static void who_leaves_lets_those_behind_go(void)
{
    struct crowd_place held;
    struct waiter small = {.name = 's'}, large = {.name = 'l'};
    begin(1, 100);
    CU_ASSERT_TRUE(takes("a", 2, "p", &held));
    CU_ASSERT_TRUE(waits("a", 1, "p", false, &small));
    CU_ASSERT_TRUE(waits("a", 2, "p", false, &large));
    crowd_leave(crowds, &small.entry);
    CU_ASSERT_STRING_EQUAL(woken, "l");
    crowd_give_back(crowds, &large.place);
    crowd_give_back(crowds, &held);
    end();
}

/* Whoever waits there counts as one: the turns of one provider are bounded. */
static void a_provider_has_so_many_turns(void)
{
    struct crowd_place one, two, none;
    struct waiter waiter = {.name = 'w'}, refused = {.name = 'r'};
    begin(1, 3);
    CU_ASSERT_TRUE(takes("a", 1, "slow", &one));
    CU_ASSERT_TRUE(takes("b", 0, "slow", &two)); /* has no limit of its own */
    CU_ASSERT_TRUE(waits("a", 1, "slow", false, &waiter));
    CU_ASSERT_FALSE(takes("c", 0, "slow", &none));
    CU_ASSERT_FALSE(waits("a", 1, "slow", false, &refused));
    CU_ASSERT_TRUE(takes("c", 0, "quick", &none));
    crowd_give_back(crowds, &none);
    crowd_give_back(crowds, &one); /* the waiter has it now */
    CU_ASSERT_STRING_EQUAL(woken, "w");
    CU_ASSERT_TRUE(takes("c", 0, "slow", &one));
    CU_ASSERT_FALSE(takes("c", 0, "slow", &none));
    crowd_give_back(crowds, &one);
    crowd_give_back(crowds, &two);
    crowd_give_back(crowds, &waiter.place);
    end();
}

/* Without a limit nobody waits: the provider is what is full. */
static void no_limit_has_no_line(void)
{
    struct waiter waiter = {.name = 'w'};
    begin(1, 3);
    CU_ASSERT_FALSE(waits("a", 0, "p", false, &waiter));
    end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("crowd", NULL, NULL);
    CU_add_test(suite, "an account's calls", an_account_has_so_many_calls);
    CU_add_test(suite, "parts of loops", loops_have_their_parts);
    CU_add_test(suite, "the line", a_place_goes_to_the_first_in_line);
    CU_add_test(suite, "who leaves", who_leaves_lets_those_behind_go);
    CU_add_test(suite, "a provider's turns", a_provider_has_so_many_turns);
    CU_add_test(suite, "no limit", no_limit_has_no_line);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
