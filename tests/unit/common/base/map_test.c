/* Unit tests of the map. */
#include "base/map.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static int values[5000];

static void test_put_get_remove(void)
{
    struct map *map = map_new();
    CU_ASSERT_EQUAL(map_count(map), 0);
    CU_ASSERT_PTR_NULL(map_get_text(map, "a"));
    CU_ASSERT_PTR_NULL(map_put_text(map, "a", &values[0]));
    CU_ASSERT_PTR_EQUAL(map_get_text(map, "a"), &values[0]);
    CU_ASSERT_PTR_EQUAL(map_put_text(map, "a", &values[1]), &values[0]);
    CU_ASSERT_EQUAL(map_count(map), 1);
    CU_ASSERT_PTR_EQUAL(map_remove_text(map, "a"), &values[1]);
    CU_ASSERT_PTR_NULL(map_remove_text(map, "a"));
    CU_ASSERT_PTR_NULL(map_get_text(map, "a"));
    CU_ASSERT_EQUAL(map_count(map), 0);
    map_free(&map);
    CU_ASSERT_PTR_NULL(map);
    map_free(&map);
}

static void test_keys_are_bytes_and_are_copied(void)
{
    struct map *map = map_new();
    char key[4] = "a\0b";
    map_put(map, key, 3, &values[0]);
    map_put(map, key, 2, &values[1]);
    map_put(map, key, 1, &values[2]);
    map_put(map, key, 0, &values[3]);
    memset(key, 'x', sizeof key);
    CU_ASSERT_EQUAL(map_count(map), 4);
    CU_ASSERT_PTR_EQUAL(map_get(map, "a\0b", 3), &values[0]);
    CU_ASSERT_PTR_EQUAL(map_get(map, "a\0", 2), &values[1]);
    CU_ASSERT_PTR_EQUAL(map_get_text(map, "a"), &values[2]);
    CU_ASSERT_PTR_EQUAL(map_get_text(map, ""), &values[3]);
    CU_ASSERT_PTR_NULL(map_get(map, "a\0c", 3));
    map_free(&map);
}

static void test_many(void)
{
    struct map *map = map_new();
    char key[32];
    int wrong = 0;
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "+1555%07d", i);
        map_put_text(map, key, &values[i]);
    }
    CU_ASSERT_EQUAL(map_count(map), 5000);
    for (int i = 0; i < 5000; i += 2) {
        snprintf(key, sizeof key, "+1555%07d", i);
        wrong += map_remove_text(map, key) != &values[i];
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "+1555%07d", i);
        wrong += map_get_text(map, key) != (i % 2 == 1 ? &values[i] : NULL);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(map_count(map), 2500);
    map_free(&map);
}

struct tour {
    struct map *map;
    char seen[64];
    int left; /* visits until it stops */
    bool remove;
};

static bool on_visit(void *arg, const void *key, size_t key_length, void *value)
{
    struct tour *tour = arg;
    size_t used = strlen(tour->seen);
    snprintf(tour->seen + used, sizeof tour->seen - used, "%.*s=%d ", (int)key_length,
             (const char *)key, (int)((int *)value - values));
    if (tour->remove)
        map_remove(tour->map, key, key_length);
    return --tour->left > 0;
}

static void test_each(void)
{
    struct tour tour = {.map = map_new(), .left = 99};
    map_each(tour.map, on_visit, &tour);
    CU_ASSERT_STRING_EQUAL(tour.seen, "");
    map_put_text(tour.map, "b", &values[1]);
    map_put_text(tour.map, "a", &values[2]);
    map_put_text(tour.map, "c", &values[3]);
    map_put_text(tour.map, "b", &values[4]); /* keeps its place */
    map_each(tour.map, on_visit, &tour);
    CU_ASSERT_STRING_EQUAL(tour.seen, "b=4 a=2 c=3 ");
    tour = (struct tour){.map = tour.map, .left = 2, .remove = true};
    map_each(tour.map, on_visit, &tour);
    CU_ASSERT_STRING_EQUAL(tour.seen, "b=4 a=2 ");
    CU_ASSERT_EQUAL(map_count(tour.map), 1);
    tour = (struct tour){.map = tour.map, .left = 99, .remove = true};
    map_each(tour.map, on_visit, &tour);
    CU_ASSERT_EQUAL(map_count(tour.map), 0);
    map_free(&tour.map);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: map", NULL, NULL);
    CU_add_test(suite, "put, get, remove", test_put_get_remove);
    CU_add_test(suite, "keys are bytes", test_keys_are_bytes_and_are_copied);
    CU_add_test(suite, "many", test_many);
    CU_add_test(suite, "each", test_each);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
