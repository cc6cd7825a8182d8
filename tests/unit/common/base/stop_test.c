/* Unit tests of the stop points: in the test builds a point acts on its own process as armed, in
 * the release build it does nothing at all. */
#include "base/stop.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stop_slot *slots;
static char path[] = "/tmp/stop-points-XXXXXX";

static int set_up(void)
{
    int fd = mkstemp(path);
    size_t size = STOP_SLOTS * sizeof(struct stop_slot);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        return 1;
    slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    setenv("FRONTDESK_STOP_FILE", path, 1);
    return slots == MAP_FAILED ? 1 : 0;
}

static int tear_down(void)
{
    munmap(slots, STOP_SLOTS * sizeof(struct stop_slot));
    return unlink(path);
}

static void arm(enum stop_action action, int armed, int skip, const char *match)
{
    memset(slots, 0, sizeof *slots);
    memcpy(slots[0].name, "test.point", 11);
    slots[0].action = (int32_t)action;
    slots[0].armed = armed;
    slots[0].skip = skip;
    memcpy(slots[0].match, match, strlen(match) + 1);
}

/* A child passes the point four times; returns how it ended. */
static int pass_in_child(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        STOP_POINT("test.other", "event-0");
        for (int i = 0; i < 4; i++) {
            const char *const subjects[] = {"event-0", "event-1", "event-2", NULL};
            STOP_POINT("test.point", subjects[i]);
        }
        _exit(0);
    }
    while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status))
        kill(pid, SIGCONT);
    return status;
}

static void test_unarmed_only_counts(void)
{
    arm(STOP_KILL, 0, 0, "");
    CU_ASSERT_EQUAL(pass_in_child(), 0);
    CU_ASSERT_EQUAL(slots[0].passed, FRONTDESK_STOP_POINTS ? 4 : 0);
    CU_ASSERT_EQUAL(slots[0].hits, 0);
}

static void test_kills_after_skips(void)
{
    arm(STOP_KILL, 1, 2, "");
    int status = pass_in_child();
#if FRONTDESK_STOP_POINTS
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CU_ASSERT_EQUAL(slots[0].passed, 3);
    CU_ASSERT_EQUAL(slots[0].hits, 1);
    CU_ASSERT_EQUAL(slots[0].armed, 0);
    CU_ASSERT_STRING_EQUAL(slots[0].subject, "event-2");
    CU_ASSERT_TRUE(slots[0].pid > 0 && slots[0].pid != getpid());
#else
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(slots[0].armed, 1);
#endif
}

static void test_acts_only_on_its_subject(void)
{
    arm(STOP_ABORT, 1, 0, "event-1");
    int status = pass_in_child();
#if FRONTDESK_STOP_POINTS
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CU_ASSERT_STRING_EQUAL(slots[0].subject, "event-1");
    CU_ASSERT_EQUAL(slots[0].passed, 1);
#else
    CU_ASSERT_EQUAL(status, 0);
#endif
}

static void test_freezes_and_goes_on(void)
{
    arm(STOP_FREEZE, 2, 0, "");
    CU_ASSERT_EQUAL(pass_in_child(), 0); /* ends in order after two SIGCONT */
    CU_ASSERT_EQUAL(slots[0].hits, FRONTDESK_STOP_POINTS ? 2 : 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: stop points", set_up, tear_down);
    CU_add_test(suite, "unarmed", test_unarmed_only_counts);
    CU_add_test(suite, "kill after skips", test_kills_after_skips);
    CU_add_test(suite, "subject", test_acts_only_on_its_subject);
    CU_add_test(suite, "freeze", test_freezes_and_goes_on);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
