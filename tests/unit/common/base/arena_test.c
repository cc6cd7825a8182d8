/* Unit tests of the arena: alignment, zeroing, big blocks, reset. */
#include "base/arena.h"

#include <CUnit/Basic.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_zero(const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Every piece is aligned, zeroed, and keeps what is written into it. */
static void test_pieces_do_not_overlap(void)
{
    enum { COUNT = 2000 };
    static unsigned char *pieces[COUNT];
    static size_t sizes[COUNT];
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = i % 97 == 0 ? 9000 + i : i % 131;
        pieces[i] = arena_alloc(arena, sizes[i]);
        CU_ASSERT_EQUAL((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        CU_ASSERT_TRUE(is_zero(pieces[i], sizes[i]));
        memset(pieces[i], (int)(i % 255) + 1, sizes[i]);
    }
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            wrong += pieces[i][k] != i % 255 + 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    arena_free(&arena);
    CU_ASSERT_PTR_NULL(arena);
    arena_free(&arena);
}

static void test_reset_gives_zeroed_memory_again(void)
{
    struct arena *arena = arena_new();
    for (int round = 0; round < 50; round++) {
        unsigned char *small = arena_alloc(arena, 3000);
        unsigned char *big = arena_alloc(arena, 100000);
        unsigned char *more = arena_alloc(arena, 3000);
        CU_ASSERT_TRUE(is_zero(small, 3000) && is_zero(big, 100000) && is_zero(more, 3000));
        memset(small, 1, 3000);
        memset(big, 2, 100000);
        memset(more, 3, 3000);
        arena_reset(arena);
    }
    arena_reset(arena);
    arena_free(&arena);
    arena = arena_new();
    arena_reset(arena); /* empty */
    (void)arena_alloc(arena, 100000);
    arena_reset(arena); /* only a big block */
    CU_ASSERT_TRUE(is_zero(arena_alloc(arena, 64), 64));
    arena_free(&arena);
}

/* A big piece must not hide the room that is left in the current block. */
static void test_big_piece_keeps_the_block_in_use(void)
{
    struct arena *arena = arena_new();
    char *first = arena_alloc(arena, 16);
    (void)arena_alloc(arena, 50000);
    char *second = arena_alloc(arena, 16);
    CU_ASSERT_EQUAL(second - first, 16);
    arena_free(&arena);
}

static void test_texts(void)
{
    struct arena *arena = arena_new();
    char long_text[10001];
    memset(long_text, 'a', 10000);
    long_text[10000] = '\0';
    CU_ASSERT_STRING_EQUAL(arena_strdup(arena, "hello"), "hello");
    CU_ASSERT_STRING_EQUAL(arena_strdup(arena, ""), "");
    CU_ASSERT_PTR_NULL(arena_strdup(arena, NULL));
    CU_ASSERT_STRING_EQUAL(arena_strdup(arena, long_text), long_text);
    CU_ASSERT_STRING_EQUAL(arena_strndup(arena, "hello", 2), "he");
    CU_ASSERT_STRING_EQUAL(arena_strndup(arena, "hello", 0), "");
    char *nul = arena_strndup(arena, "a\0b", 3);
    CU_ASSERT_EQUAL(memcmp(nul, "a\0b", 4), 0);
    CU_ASSERT_STRING_EQUAL(arena_printf(arena, "%s-%05d", "x", 42), "x-00042");
    CU_ASSERT_STRING_EQUAL(arena_printf(arena, "%s", ""), "");
    CU_ASSERT_STRING_EQUAL(arena_printf(arena, "<%s>", long_text) + 1 + 10000, ">");
    for (int length = 250; length < 260; length++) { /* around what is formatted at once */
        const char *text = arena_printf(arena, "%.*s>", length, long_text);
        CU_ASSERT_EQUAL(strspn(text, "a"), (size_t)length);
        CU_ASSERT_STRING_EQUAL(text + length, ">");
    }
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: arena", NULL, NULL);
    CU_add_test(suite, "pieces do not overlap", test_pieces_do_not_overlap);
    CU_add_test(suite, "reset", test_reset_gives_zeroed_memory_again);
    CU_add_test(suite, "big piece", test_big_piece_keeps_the_block_in_use);
    CU_add_test(suite, "texts", test_texts);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
