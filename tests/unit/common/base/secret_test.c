/* Unit tests of secrets and of the heap wrappers. */
#include "base/secret.h"

#include "base/mem.h"

#include <CUnit/Basic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_holds_a_copy(void)
{
    char bytes[] = "to\0ken";
    struct secret *secret = secret_new(bytes, 6);
    memset(bytes, 'x', sizeof bytes);
    CU_ASSERT_EQUAL(secret_length(secret), 6);
    CU_ASSERT_EQUAL(memcmp(secret_reveal(secret), "to\0ken", 7), 0);
    secret_free(&secret);
    CU_ASSERT_PTR_NULL(secret);
    secret_free(&secret);
    secret = secret_new("", 0);
    CU_ASSERT_EQUAL(secret_length(secret), 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(secret), "");
    secret_free(&secret);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

/* Read anew each time; what it is called is told, never what it is. */
static void test_read(void)
{
    char path[] = "/tmp/frontdesk-secret-XXXXXX", reference[64], large[SECRET_MAX + 2];
    struct secret *secret = NULL;
    struct err err;
    close(mkstemp(path));
    snprintf(reference, sizeof reference, "file:%s", path);
    static const char *const texts[] = {"one", "two\n", "three\r\n"};
    for (size_t i = 0; i < 3; i++) {
        write_file(path, texts[i]);
        CU_ASSERT_EQUAL_FATAL(secret_read(reference, &secret, &err), 0);
        CU_ASSERT_EQUAL(secret_length(secret), strcspn(texts[i], "\r\n"));
        secret_free(&secret);
    }
    write_file(path, "");
    CU_ASSERT_EQUAL(secret_read(reference, &secret, &err), 0);
    CU_ASSERT_PTR_NULL(secret);
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    write_file(path, large);
    CU_ASSERT_EQUAL(secret_read(reference, &secret, &err), -1);
    unlink(path);
    CU_ASSERT_EQUAL(secret_read(reference, &secret, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, path));
    setenv("FRONTDESK_TEST_SECRET", "four", 1);
    CU_ASSERT_EQUAL_FATAL(secret_read("env:FRONTDESK_TEST_SECRET", &secret, &err), 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(secret), "four");
    secret_free(&secret);
    CU_ASSERT_EQUAL(secret_read("env:FRONTDESK_TEST_NONE", &secret, &err), -1);
    CU_ASSERT_EQUAL(secret_read("hunter7", &secret, &err), -1);
    CU_ASSERT_PTR_NULL(strstr(err.message, "hunter7"));
}

static void test_heap(void)
{
    char *nothing = xmalloc(0);
    CU_ASSERT_PTR_NOT_NULL(nothing);
    free(nothing);
    unsigned char *zero = xcalloc(100, 7);
    int sum = 0;
    for (int i = 0; i < 700; i++)
        sum += zero[i];
    CU_ASSERT_EQUAL(sum, 0);
    zero = xreallocarray(zero, 10, 100);
    memset(zero, 1, 1000);
    free(zero);
    char *copy = xstrdup("abc"), *part = xstrndup("abcdef", 2);
    CU_ASSERT_STRING_EQUAL(copy, "abc");
    CU_ASSERT_STRING_EQUAL(part, "ab");
    free(copy);
    free(part);
}

/* Out of memory ends the process; a product that overflows is one such case. */
static void test_overflow_aborts(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        (void)!freopen("/dev/null", "w", stderr);
        volatile size_t huge = SIZE_MAX / 2;
        char *never = xreallocarray(NULL, huge, 4);
        _exit(never != NULL ? 0 : 1);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: secret and heap", NULL, NULL);
    CU_add_test(suite, "holds a copy", test_holds_a_copy);
    CU_add_test(suite, "read by name", test_read);
    CU_add_test(suite, "heap", test_heap);
    CU_add_test(suite, "overflow aborts", test_overflow_aborts);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
