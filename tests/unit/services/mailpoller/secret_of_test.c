/* Unit tests of where a mailbox's secret is found. */
#include "secret_of.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/frontdesk-secret-XXXXXX";

static void write_file(const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void check_refused(const char *from, const char *name)
{
    struct secret *secret = NULL;
    struct err err;
    CU_ASSERT_EQUAL(secret_of(from, name, &secret, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "mailbox.secret");
    CU_ASSERT_EQUAL(err.class, ERR_FALL_BACK);
    CU_ASSERT_PTR_NULL(secret);
}

static void check_found(const char *from, const char *name, const char *wanted)
{
    struct secret *secret = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(secret_of(from, name, &secret, &err), 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(secret), wanted);
    secret_free(&secret);
}

static void test_files(void)
{
    static char large[SECRET_OF_MAX + 2];
    write_file("two words \r\n\n", 13);
    check_found("file", path, "two words ");
    write_file("", 0);
    check_refused("file", path);
    write_file("\n", 1);
    check_refused("file", path);
    write_file("a\0b", 3);
    check_refused("file", path);
    memset(large, 'x', sizeof large);
    write_file(large, SECRET_OF_MAX);
    struct secret *secret = NULL;
    CU_ASSERT_EQUAL(secret_of("file", path, &secret, NULL), 0);
    secret_free(&secret);
    write_file(large, SECRET_OF_MAX + 1);
    check_refused("file", path);
    check_refused("file", "/nowhere/at/all");
    check_refused("file", "relative");
    check_refused("file", "");
    check_refused("file", "/");
}

static void test_variables(void)
{
    setenv("FRONTDESK_TEST_SECRET", "p w", 1);
    check_found("env", "FRONTDESK_TEST_SECRET", "p w");
    setenv("FRONTDESK_TEST_SECRET", "", 1);
    check_refused("env", "FRONTDESK_TEST_SECRET");
    unsetenv("FRONTDESK_TEST_SECRET");
    check_refused("env", "FRONTDESK_TEST_SECRET");
}

static int set_up(void)
{
    int fd = mkstemp(path);
    return fd < 0 ? 1 : close(fd);
}

static int tear_down(void)
{
    return unlink(path);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailpoller/secret_of", set_up, tear_down);
    CU_add_test(suite, "files", test_files);
    CU_add_test(suite, "variables", test_variables);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
