/* Fair shares: tenants in turn, and a flooder never has all. */
#include "shares.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

#define FLOOD 200

struct waiting {
    struct share_entry entry; /* first: an entry is its waiting */
    struct share *share;
    char who;
};

static void get_in_line(struct shares *shares, struct waiting *one, const char *tenant)
{
    one->share = shares_join(shares, tenant);
    one->who = tenant[0];
    shares_wait(shares, one->share, &one->entry);
}

/* Gives places away until none is left; who got them, in order. */
static void give_all(struct shares *shares, char *got, size_t size)
{
    struct share_entry *entry;
    size_t count = 0;
    while ((entry = shares_next(shares)) != NULL && count + 1 < size)
        got[count++] = ((struct waiting *)entry)->who;
    got[count] = '\0';
}

static void end_all(struct shares **shares, struct waiting *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (all[i].entry.share != NULL)
            shares_leave(*shares, &all[i].entry);
        else
            shares_give_back(*shares, all[i].share);
    }
    for (size_t i = 0; i < count; i++)
        shares_part(*shares, all[i].share);
    CU_ASSERT_EQUAL(shares_at_work(*shares), 0);
    shares_free(shares);
    CU_ASSERT_PTR_NULL(*shares);
}

static void tenants_take_turns(void)
{
    struct shares *shares = shares_new(6, 100);
    struct waiting all[7] = {{.who = 0}};
    static const char *const tenants[7] = {"a", "a", "a", "a", "b", "c", "b"};
    char got[16];
    for (int i = 0; i < 7; i++)
        get_in_line(shares, &all[i], tenants[i]);
    give_all(shares, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "abcaba");
    CU_ASSERT_EQUAL(shares_at_work(shares), 6);
    shares_give_back(shares, all[0].share); /* one of a's is over: the last of a gets its place */
    give_all(shares, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "a");
    shares_wait(shares, all[0].share, &all[0].entry);
    end_all(&shares, all, 7);
}

static void who_leaves_the_line_gets_nothing(void)
{
    struct shares *shares = shares_new(1, 100);
    struct waiting all[2] = {{.who = 0}};
    get_in_line(shares, &all[0], "a");
    get_in_line(shares, &all[1], "b");
    shares_leave(shares, &all[0].entry);
    CU_ASSERT_PTR_EQUAL(shares_next(shares), &all[1].entry);
    CU_ASSERT_PTR_NULL(shares_next(shares));
    shares_wait(shares, all[0].share, &all[0].entry);
    end_all(&shares, all, 2);
}

/* However much one tenant floods, some places stay free, and who comes next gets one at once. */
static void a_flooder_leaves_places(void)
{
    static const size_t places[] = {1, 2, 9, 18, 100};
    static const size_t most[] = {1, 2, 7, 14, 75};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        static struct waiting all[FLOOD + 1];
        char got[FLOOD + 2];
        memset(all, 0, sizeof all);
        struct shares *shares = shares_new(places[i], 1000);
        for (int k = 0; k < FLOOD; k++)
            get_in_line(shares, &all[k], "flooder");
        give_all(shares, got, sizeof got);
        CU_ASSERT_EQUAL(strlen(got), most[i]);
        get_in_line(shares, &all[FLOOD], "other");
        give_all(shares, got, sizeof got);
        CU_ASSERT_STRING_EQUAL(got, places[i] > most[i] ? "o" : "");
        end_all(&shares, all, FLOOD + 1);
    }
}

static void a_flooder_leaves_memory(void)
{
    struct shares *shares = shares_new(10, 90);
    struct share *flooder = NULL;
    int count = 0;
    while (shares_have_room(shares, "flooder", SHARE_TEXT) && count < 1000) {
        flooder = shares_join(shares, "flooder");
        count++;
    }
    CU_ASSERT_EQUAL(count, 68);
    CU_ASSERT_TRUE(shares_have_room(shares, "other", SHARE_TEXT));
    struct share *other = shares_join(shares, "other");
    CU_ASSERT_TRUE(shares_have_room(shares, "other", SHARE_TEXT));
    shares_part(shares, other);
    while (count-- > 0)
        shares_part(shares, flooder);
    shares_free(&shares);
}

/* Calls go before texts of all tenants, and among themselves in turn by tenant. */
static void calls_are_first(void)
{
    struct shares *shares = shares_new(2, 100);
    struct waiting all[6] = {{.who = 0}};
    static const char *const tenants[6] = {"a", "b", "b", "c", "c", "b"};
    for (int i = 0; i < 6; i++) {
        all[i].entry.kind = i >= 2 && i <= 4 ? SHARE_CALL : SHARE_TEXT; /* one of b's, two of c's */
        get_in_line(shares, &all[i], tenants[i]);
    }
    CU_ASSERT_PTR_EQUAL(shares_next(shares), &all[2].entry);
    CU_ASSERT_PTR_EQUAL(shares_next(shares), &all[3].entry);
    CU_ASSERT_PTR_NULL(shares_next(shares));
    shares_give_back(shares, all[3].share);
    shares_give_back(shares, all[2].share);
    shares_wait(shares, all[3].share, &all[3].entry);
    CU_ASSERT_PTR_EQUAL(shares_next(shares), &all[4].entry); /* it came first */
    shares_wait(shares, all[2].share, &all[2].entry);
    CU_ASSERT_PTR_EQUAL(shares_next(shares), &all[3].entry); /* b's came after it */
    end_all(&shares, all, 6);
}

/* Whatever came first, and whoever's it is: calls, then texts, then mails; mails leave half of the
 * memory. */
static void mails_are_last(void)
{
    struct shares *shares = shares_new(10, 100);
    struct waiting all[6] = {{.who = 0}};
    static const char *const tenants[6] = {"m", "m", "n", "t", "m", "c"};
    static const enum share_kind kinds[6] = {SHARE_MAIL, SHARE_MAIL, SHARE_MAIL,
                                             SHARE_TEXT, SHARE_TEXT, SHARE_CALL};
    static const int want[6] = {5, 3, 4, 0, 2, 1};
    for (int i = 0; i < 6; i++) {
        all[i].entry.kind = kinds[i];
        get_in_line(shares, &all[i], tenants[i]);
    }
    for (int i = 0; i < 6; i++)
        CU_ASSERT_PTR_EQUAL(shares_next(shares), &all[want[i]].entry);
    end_all(&shares, all, 6);
    shares = shares_new(10, 20);
    struct share *many[10];
    for (size_t i = 0; i < 10; i++)
        many[i] = shares_join(shares, i % 2 == 0 ? "even" : "odd");
    CU_ASSERT_FALSE(shares_have_room(shares, "other", SHARE_MAIL));
    CU_ASSERT_TRUE(shares_have_room(shares, "other", SHARE_TEXT));
    CU_ASSERT_TRUE(shares_have_room(shares, "other", SHARE_CALL));
    for (size_t i = 0; i < 10; i++)
        shares_part(shares, many[i]);
    shares_free(&shares);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("shares", NULL, NULL);
    CU_add_test(suite, "tenants take turns", tenants_take_turns);
    CU_add_test(suite, "out of line", who_leaves_the_line_gets_nothing);
    CU_add_test(suite, "calls are first", calls_are_first);
    CU_add_test(suite, "mails are last", mails_are_last);
    CU_add_test(suite, "a flooder leaves places", a_flooder_leaves_places);
    CU_add_test(suite, "a flooder leaves memory", a_flooder_leaves_memory);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
