/* Unit tests of the cursor: every mail once, none of before, none lost when the mailbox is made
 * anew, whatever the server says and wherever reading stops. */
#include "mail/imap_cursor.h"

#include <CUnit/Basic.h>
#include <string.h>

#define NOW ((int64_t)1790000000000)

static struct imap_cursor started(uint32_t next_uid)
{
    struct imap_cursor cursor = {0};
    struct imap_selected selected = {.validity = 7, .next_uid = next_uid};
    CU_ASSERT_EQUAL(imap_cursor_select(&cursor, &selected, 0, NOW), IMAP_CURSOR_NEW);
    return cursor;
}

/* A thousand mails are there: none is read. */
static void test_new_mailbox(void)
{
    uint32_t first, last;
    struct imap_cursor cursor = started(1001);
    CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
    CU_ASSERT_EQUAL(first, 1001);
    CU_ASSERT_EQUAL(last, 1001 + IMAP_WINDOW - 1);
    CU_ASSERT_EQUAL(imap_cursor_search_since(&cursor), 0);
    struct imap_selected same = {.validity = 7, .next_uid = 1005};
    CU_ASSERT_EQUAL(imap_cursor_select(&cursor, &same, 0, NOW), IMAP_CURSOR_SAME);
    CU_ASSERT_EQUAL(cursor.last_uid, 1000);
    cursor = started(1); /* an empty one */
    CU_ASSERT_EQUAL(cursor.last_uid, 0);

    struct imap_cursor silent = {0}; /* a server that does not tell UIDNEXT */
    struct imap_selected untold = {.validity = 7};
    CU_ASSERT_EQUAL(imap_cursor_select(&silent, &untold, 812, NOW), IMAP_CURSOR_NEW);
    CU_ASSERT_EQUAL(silent.last_uid, 812);
}

static void test_sorts_and_leaves_out(void)
{
    uint32_t uids[] = {9, 5, 5, 3, 12, 11, 4};
    size_t count = imap_cursor_sort(uids, 7, 5, 11); /* "5:*" brings the newest of all, too */
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL(uids[0], 5);
    CU_ASSERT_EQUAL(uids[1], 9);
    CU_ASSERT_EQUAL(uids[2], 11);
    CU_ASSERT_EQUAL(imap_cursor_sort(uids, 0, 1, 9), 0);
}

static void test_goes_forward_only(void)
{
    uint32_t first, last;
    struct imap_cursor cursor = started(10);
    imap_cursor_done(&cursor, 12, NOW + 5, NOW + 9);
    imap_cursor_done(&cursor, 11, NOW + 3, NOW + 9);
    CU_ASSERT_EQUAL(cursor.last_uid, 12);
    CU_ASSERT_EQUAL(cursor.newest_ms, NOW + 5);
    imap_cursor_done(&cursor, 13, NOW + 1000000, NOW + 20); /* somebody's clock is wrong */
    CU_ASSERT_EQUAL(cursor.newest_ms, NOW + 20);
    imap_cursor_done(&cursor, UINT32_MAX, 0, NOW);
    CU_ASSERT_FALSE(imap_cursor_window(&cursor, &first, &last));
    cursor.last_uid = UINT32_MAX - 3;
    CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
    CU_ASSERT_EQUAL(last, UINT32_MAX);
}

/* A gap is passed in windows, but never further than what the server is known to have given out. */
static void test_windows(void)
{
    uint32_t first, last;
    int windows = 0;
    struct imap_cursor cursor = started(100);
    bool more = true;
    while (more && windows < 100) {
        CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
        more = imap_cursor_window_done(&cursor, last, 170000);
        windows++;
    }
    CU_ASSERT_EQUAL(windows, 4);
    CU_ASSERT_EQUAL(cursor.last_uid, 169999);
    CU_ASSERT_FALSE(imap_cursor_window_done(&cursor, 200000, 170000));
    CU_ASSERT_EQUAL(cursor.last_uid, 169999); /* 170000 may be there in a moment */
}

/* A server that does not tell where the UIDs end may have given out a million in between: behind an
 * empty window all that is above is searched, once for each look. */
static void test_gap_without_an_end(void)
{
    uint32_t first, last;
    struct imap_cursor cursor = {0};
    struct imap_selected untold = {.validity = 7};
    imap_cursor_select(&cursor, &untold, 100, NOW);
    for (int look = 0; look < 3; look++) {
        CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
        CU_ASSERT_EQUAL(first, 101);
        CU_ASSERT_EQUAL(last, 100 + IMAP_WINDOW);
        CU_ASSERT_TRUE(imap_cursor_window_done(&cursor, last, 0));
        CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
        CU_ASSERT_EQUAL(first, 101);
        CU_ASSERT_EQUAL(last, UINT32_MAX);
        if (look < 2) { /* nothing */
            CU_ASSERT_FALSE(imap_cursor_window_done(&cursor, last, 0));
            CU_ASSERT_EQUAL(cursor.last_uid, 100);
        }
    }
    imap_cursor_done(&cursor, 1000000, NOW, NOW);
    CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
    CU_ASSERT_EQUAL(first, 1000001);
    CU_ASSERT_EQUAL(last, 1000000 + IMAP_WINDOW);
}

/* Within a rescan its end is known. */
static void test_rescan_without_an_end(void)
{
    uint32_t first, last;
    struct imap_cursor cursor = started(100);
    struct imap_selected anew = {.validity = 8};
    imap_cursor_select(&cursor, &anew, 120000, NOW);
    int windows = 0;
    do {
        CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
        windows++;
    } while (imap_cursor_window_done(&cursor, last, 0) && windows < 10);
    CU_ASSERT_EQUAL(windows, 3);
    CU_ASSERT_EQUAL(last, 120000);
    CU_ASSERT_EQUAL(cursor.last_uid, 120000);
    CU_ASSERT_EQUAL(cursor.since_ms, 0);
}

static void test_validity_changes(void)
{
    struct imap_cursor cursor = started(100);
    cursor.started_ms = NOW - 10 * IMAP_DAY_MS;
    imap_cursor_done(&cursor, 105, NOW, NOW);
    struct imap_selected anew = {.validity = 8, .next_uid = 51};
    CU_ASSERT_EQUAL(imap_cursor_select(&cursor, &anew, 0, NOW + 5), IMAP_CURSOR_RESCAN);
    CU_ASSERT_EQUAL(cursor.last_uid, 0);
    CU_ASSERT_EQUAL(cursor.since_ms, NOW - IMAP_DAY_MS);
    CU_ASSERT_EQUAL(imap_cursor_search_since(&cursor), NOW - 2 * IMAP_DAY_MS);
    CU_ASSERT_FALSE(imap_cursor_wants(&cursor, 3, NOW - IMAP_DAY_MS - 1, 0));
    CU_ASSERT_TRUE(imap_cursor_wants(&cursor, 3, NOW - IMAP_DAY_MS, 0));
    /* moved here today, written long ago */
    CU_ASSERT_FALSE(imap_cursor_wants(&cursor, 3, NOW, NOW - 30 * IMAP_DAY_MS));
    CU_ASSERT_TRUE(imap_cursor_wants(&cursor, 3, NOW, NOW - IMAP_DAY_MS));
    CU_ASSERT_FALSE(imap_cursor_wants(&cursor, 3, NOW, IMAP_CURSOR_UNDATED)); /* who knows when */
    CU_ASSERT_TRUE(imap_cursor_wants(&cursor, 51, NOW, IMAP_CURSOR_UNDATED));
    CU_ASSERT_TRUE(imap_cursor_wants(&cursor, 51, NOW, NOW - 30 * IMAP_DAY_MS)); /* came since */
    imap_cursor_done(&cursor, 49, NOW, NOW);
    CU_ASSERT_TRUE(cursor.since_ms > 0);
    imap_cursor_done(&cursor, 50, NOW, NOW);
    CU_ASSERT_EQUAL(cursor.since_ms, 0);
    CU_ASSERT_TRUE(imap_cursor_wants(&cursor, 51, NOW, 1));
}

/* What came behind a rescan's end is asked for without its date: it may have been moved there. */
static void test_rescan_ends_its_window(void)
{
    uint32_t first, last;
    struct imap_cursor cursor = started(100);
    struct imap_selected anew = {.validity = 8, .next_uid = 51};
    imap_cursor_select(&cursor, &anew, 0, NOW);
    CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
    CU_ASSERT_EQUAL(last, 50);
    CU_ASSERT_TRUE(imap_cursor_search_since(&cursor) > 0);
    CU_ASSERT_TRUE(imap_cursor_window_done(&cursor, last, 53));
    CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
    CU_ASSERT_EQUAL(first, 51);
    CU_ASSERT_EQUAL(last, 51 + IMAP_WINDOW - 1);
    CU_ASSERT_EQUAL(imap_cursor_search_since(&cursor), 0);
}

/* A mail of before we began is not read either, however near it is. */
static void test_rescan_knows_the_beginning(void)
{
    struct imap_cursor cursor = started(100);
    imap_cursor_done(&cursor, 100, NOW + 1000, NOW + 1000);
    struct imap_selected anew = {.validity = 8, .next_uid = 51};
    imap_cursor_select(&cursor, &anew, 0, NOW + 5000);
    CU_ASSERT_EQUAL(cursor.since_ms, NOW);
    CU_ASSERT_FALSE(imap_cursor_wants(&cursor, 3, NOW - 1, 0));
    /* changes again in the middle: what the first rescan owed is still owed */
    imap_cursor_done(&cursor, 20, NOW + 9 * IMAP_DAY_MS, NOW + 9 * IMAP_DAY_MS);
    struct imap_selected again = {.validity = 9, .next_uid = 51};
    CU_ASSERT_EQUAL(imap_cursor_select(&cursor, &again, 0, NOW + 6000), IMAP_CURSOR_RESCAN);
    CU_ASSERT_EQUAL(cursor.since_ms, NOW);
    CU_ASSERT_EQUAL(cursor.last_uid, 0);
}

/* Its UIDs of before say nothing of another place, and when it was read does. */
static void test_another_place(void)
{
    struct imap_cursor cursor = {.newest_ms = NOW, .started_ms = NOW - 10 * IMAP_DAY_MS};
    struct imap_selected there = {.validity = 7, .next_uid = 51};
    CU_ASSERT_EQUAL(imap_cursor_select(&cursor, &there, 0, NOW + 5), IMAP_CURSOR_RESCAN);
    CU_ASSERT_EQUAL(cursor.last_uid, 0);
    CU_ASSERT_EQUAL(cursor.rescan_to, 50);
    CU_ASSERT_EQUAL(cursor.since_ms, NOW - IMAP_DAY_MS);
    CU_ASSERT_EQUAL(cursor.started_ms, NOW - 10 * IMAP_DAY_MS);
}

static void test_rescan_ends_without_mails(void)
{
    uint32_t first, last;
    struct imap_cursor cursor = started(100);
    struct imap_selected anew = {.validity = 8, .next_uid = 51};
    imap_cursor_select(&cursor, &anew, 0, NOW);
    CU_ASSERT_TRUE(imap_cursor_window(&cursor, &first, &last));
    CU_ASSERT_EQUAL(first, 1);
    CU_ASSERT_FALSE(imap_cursor_window_done(&cursor, last, 51));
    CU_ASSERT_EQUAL(cursor.since_ms, 0);
    CU_ASSERT_EQUAL(cursor.last_uid, 50);

    cursor = started(100);
    anew = (struct imap_selected){.validity = 8, .next_uid = 1};
    imap_cursor_select(&cursor, &anew, 0, NOW);
    CU_ASSERT_EQUAL(cursor.since_ms, 0);
    CU_ASSERT_EQUAL(cursor.last_uid, 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/imap_cursor", NULL, NULL);
    CU_add_test(suite, "new mailbox", test_new_mailbox);
    CU_add_test(suite, "sorts and leaves out", test_sorts_and_leaves_out);
    CU_add_test(suite, "goes forward only", test_goes_forward_only);
    CU_add_test(suite, "windows", test_windows);
    CU_add_test(suite, "a gap without an end", test_gap_without_an_end);
    CU_add_test(suite, "a rescan without an end", test_rescan_without_an_end);
    CU_add_test(suite, "a rescan's window", test_rescan_ends_its_window);
    CU_add_test(suite, "validity changes", test_validity_changes);
    CU_add_test(suite, "a rescan knows the beginning", test_rescan_knows_the_beginning);
    CU_add_test(suite, "another place", test_another_place);
    CU_add_test(suite, "a rescan ends without mails", test_rescan_ends_without_mails);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
