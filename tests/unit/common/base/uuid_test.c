/* Unit tests of ids. */
#include "base/uuid.h"

#include "base/clock.h"

#include <CUnit/Basic.h>
#include <ctype.h>
#include <string.h>

static void test_new_is_version_7_in_time_order(void)
{
    struct uuid ids[1000];
    int64_t before = clock_wall_ms();
    for (int i = 0; i < 1000; i++)
        ids[i] = uuid_new();
    int64_t after = clock_wall_ms();
    int wrong = 0, equal = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t ms = 0;
        for (int k = 0; k < 6; k++)
            ms = ms << 8 | ids[i].bytes[k];
        wrong +=
            ms < before || ms > after || ids[i].bytes[6] >> 4 != 7 || ids[i].bytes[8] >> 6 != 2;
        wrong += i > 0 && memcmp(ids[i - 1].bytes, ids[i].bytes, 6) > 0;
        for (int k = 0; k < i; k++)
            equal += uuid_equal(&ids[i], &ids[k]);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(equal, 0);
}

static void test_from_hash_keeps_the_rest(void)
{
    uint8_t hash[16];
    char text[UUID_TEXT_SIZE];
    memset(hash, 0xff, sizeof hash);
    struct uuid id = uuid_from_hash(hash);
    CU_ASSERT_STRING_EQUAL(uuid_format(&id, text), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    memset(hash, 0, sizeof hash);
    id = uuid_from_hash(hash);
    CU_ASSERT_STRING_EQUAL(uuid_format(&id, text), "00000000-0000-8000-8000-000000000000");
}

static void test_format_and_parse(void)
{
    static const char text[] = "0192f0c1-2345-7abc-8def-0123456789ab";
    char out[UUID_TEXT_SIZE], upper[UUID_TEXT_SIZE];
    struct uuid id, other;
    CU_ASSERT_TRUE(uuid_parse(text, &id));
    CU_ASSERT_EQUAL(id.bytes[0], 0x01);
    CU_ASSERT_EQUAL(id.bytes[15], 0xab);
    CU_ASSERT_PTR_EQUAL(uuid_format(&id, out), out);
    CU_ASSERT_STRING_EQUAL(out, text);
    for (size_t i = 0; i < sizeof text; i++)
        upper[i] = (char)toupper((unsigned char)text[i]);
    CU_ASSERT_TRUE(uuid_parse(upper, &other));
    CU_ASSERT_TRUE(uuid_equal(&id, &other));
    CU_ASSERT_FALSE(uuid_is_nil(&id));
    CU_ASSERT_TRUE(uuid_parse("00000000-0000-0000-0000-000000000000", &other));
    CU_ASSERT_TRUE(uuid_is_nil(&other));
    CU_ASSERT_FALSE(uuid_equal(&id, &other));
}

static void test_parse_refuses(void)
{
    static const char *const bad[] = {
        "",
        "0192f0c1",
        "0192f0c1-2345-7abc-8def-0123456789a",
        "0192f0c1-2345-7abc-8def-0123456789abc",
        "0192f0c123457abc8def0123456789ab",
        "0192f0c1-2345-7abc-8def-0123456789ag",
        "0192f0c1-2345-7abc-8def_0123456789ab",
        "0192f0c-12345-7abc-8def-0123456789ab",
        "{0192f0c1-2345-7abc-8def-0123456789a}",
        "0192f0c1-2345-7abc-8def-0123456789a ",
        "------------------------------------",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct uuid id;
        CU_ASSERT_FALSE(uuid_parse(bad[i], &id));
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: uuid", NULL, NULL);
    CU_add_test(suite, "version 7", test_new_is_version_7_in_time_order);
    CU_add_test(suite, "from a hash", test_from_hash_keeps_the_rest);
    CU_add_test(suite, "format and parse", test_format_and_parse);
    CU_add_test(suite, "parse refuses", test_parse_refuses);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
