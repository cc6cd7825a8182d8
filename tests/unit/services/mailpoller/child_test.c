/* Unit tests of a child that reads a stranger's bytes: what it says comes back, and it gets past
 * none of its bounds. */
#include "child.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"

static struct loop *loop;
static bool ended, ok, cut;
static char output[4096], why[64];

static void done(void *arg, const struct child_end *end)
{
    CU_ASSERT_PTR_EQUAL(arg, &ended);
    ended = true;
    ok = end->ok;
    cut = end->cut;
    output[0] = why[0] = '\0';
    if (end->ok) {
        CU_ASSERT_EQUAL(strlen(end->output), end->length);
        strncat(output, end->output, sizeof output - 1);
    } else {
        strncat(why, end->why, sizeof why - 1);
    }
    loop_stop(loop);
}

static struct child *begin(const char *const *argv, const char *input, int64_t wall_ms)
{
    struct err err;
    ended = false;
    struct child *child = child_start(loop,
                                      &(struct child_options){.argv = argv,
                                                              .input = input,
                                                              .length = strlen(input),
                                                              .output_max = 1000,
                                                              .memory_max = (size_t)256 << 20,
                                                              .cpu_s = 30,
                                                              .wall_ms = wall_ms,
                                                              .done = done,
                                                              .arg = &ended},
                                      &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(child);
    return child;
}

static void run(const char *const *argv, const char *input, int64_t wall_ms)
{
    begin(argv, input, wall_ms);
    loop_run(loop);
    CU_ASSERT_TRUE_FATAL(ended);
}

/* A program of Python, which ends with 3 if it was let do what it tries. */
static void run_python(const char *code)
{
    const char *const argv[] = {PYTHON, "-I", "-c", code, NULL};
    run(argv, "", 60000);
}

static void test_says(void)
{
    static const char *const cat[] = {"/bin/cat", NULL}, *const env[] = {"/usr/bin/env", NULL};
    run(cat, "what is in it\n", 60000);
    CU_ASSERT_TRUE(ok && !cut);
    CU_ASSERT_STRING_EQUAL(output, "what is in it\n");
    setenv("FRONTDESK_SECRET", "x", 1);
    run(env, "", 60000);
    CU_ASSERT_STRING_EQUAL(output, "LC_ALL=C.UTF-8\nPATH=/usr/bin:/bin\n");
}

static void test_fails(void)
{
    static const char *const no[] = {"/bin/false", NULL}, *const none[] = {"/no/program", NULL};
    run(no, "", 60000);
    CU_ASSERT_FALSE(ok);
    CU_ASSERT_STRING_EQUAL(why, "exit 1");
    run(none, "", 60000);
    CU_ASSERT_STRING_EQUAL(why, "exit 127");
}

static void test_is_stopped(void)
{
    static const char *const much[] = {"/usr/bin/yes", NULL}, *const slow[] = {"/bin/sleep", "600",
                                                                               NULL};
    run(much, "", 60000);
    CU_ASSERT_TRUE(ok && cut);
    CU_ASSERT_EQUAL(strlen(output), 1000);
    run(slow, "", 50);
    CU_ASSERT_FALSE(ok);
    CU_ASSERT_STRING_EQUAL(why, "time");
}

static void test_bounds(void)
{
    run_python("import socket; socket.socket(); raise SystemExit(3)");
    CU_ASSERT_STRING_EQUAL(why, "exit 1");
    run_python("x = bytearray(1 << 30); raise SystemExit(3)");
    CU_ASSERT_STRING_EQUAL(why, "exit 1");
    run_python("import os; x = [os.dup(0) for n in range(100)]; raise SystemExit(3)");
    CU_ASSERT_STRING_EQUAL(why, "exit 1");
    run_python("import os; print(sorted(os.listdir('/proc/self/fd')))");
    CU_ASSERT_STRING_EQUAL(output, "['0', '1', '2', '3']\n"); /* 3 is the listing's own */
}

static const char *peek(void)
{
    run_python("import os\n"
               "try: open(f'/proc/{os.getppid()}/environ', 'rb').read(1)\n"
               "except PermissionError: print('kept out')\n");
    return output;
}

/* Who runs as root keeps it from a child without root's rights; anybody else from all others. */
static void test_parent(void)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        bool is_other = getuid() != 0 || setuid(65534) == 0;
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as one that was begun by that user */
        child_keep_out();
        loop = loop_new();
        _exit(is_other && strcmp(peek(), "kept out\n") == 0 ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    child_keep_out();
    CU_ASSERT_STRING_EQUAL(peek(), "kept out\n");
}

/* Nothing is said of one that nobody waits for any more, and nothing is left of it. */
static void test_cancelled(void)
{
    static const char *const slow[] = {"/bin/sleep", "600", NULL};
    struct child *child = begin(slow, "", 60000);
    child_cancel(&child);
    CU_ASSERT_PTR_NULL(child);
    child_cancel(&child);
    loop_pass(loop);
    CU_ASSERT_FALSE(ended);
}

static int set_up(void)
{
    loop = loop_new();
    return 0;
}

static int tear_down(void)
{
    loop_pass(loop);
    loop_free(&loop);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailpoller/child", set_up, tear_down);
    CU_add_test(suite, "says", test_says);
    CU_add_test(suite, "fails", test_fails);
    CU_add_test(suite, "is stopped", test_is_stopped);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "cancelled", test_cancelled);
    CU_add_test(suite, "its parent", test_parent);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
