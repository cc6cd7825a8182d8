/* What tests of connections stand on: a loop that runs until the test has seen enough, and a peer
 * in Python that prints "<name> <value>" lines, the last of them "ready 0", obeys its standard
 * input and ends with it. */
#ifndef DESK_TESTS_PEER_RIG_H
#define DESK_TESTS_PEER_RIG_H

#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"

#define PEER_NAMES_MAX 20

struct peer_rig {
    struct {
        char name[32], value[200];
    } told[PEER_NAMES_MAX];
    size_t count;
    FILE *to, *from;
    pid_t pid;
};

static struct peer_rig rig;
static struct loop *loop;

/* What the peer printed under the name. */
static inline const char *peer_says(const char *name)
{
    for (size_t i = 0; i < rig.count; i++)
        if (strcmp(rig.told[i].name, name) == 0)
            return rig.told[i].value;
    CU_FAIL_FATAL("the peer did not say that");
    return "";
}

/* Makes the loop and starts the script; 0 once it is ready. */
static inline int peer_rig_start(const char *script)
{
    int in[2], out[2];
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    if (pipe(in) != 0 || pipe(out) != 0)
        return 1;
    rig.pid = fork();
    if (rig.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execl("/usr/bin/python3", "python3", script, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    rig.to = fdopen(in[1], "w");
    rig.from = fdopen(out[0], "r");
    while (rig.count < PEER_NAMES_MAX &&
           fscanf(rig.from, "%31s %199s", rig.told[rig.count].name, rig.told[rig.count].value) == 2)
        if (strcmp(rig.told[rig.count++].name, "ready") == 0)
            return 0;
    return 1;
}

/* Ends both; 0 if the peer ended well. */
static inline int peer_rig_stop(void)
{
    int status = 1;
    loop_free(&loop);
    fclose(rig.to);
    fclose(rig.from);
    return waitpid(rig.pid, &status, 0) == rig.pid && status == 0 ? 0 : 1;
}

static inline void peer_rig_too_late(void *arg)
{
    *(bool *)arg = true;
    loop_stop(loop);
}

/* Runs the loop until a callback of the test stops it. */
static inline void run(void)
{
    bool late = false;
    struct timer *limit = timer_new(loop, peer_rig_too_late, &late);
    timer_start(limit, 30000, 0);
    loop_run(loop);
    timer_free(&limit);
    loop_pass(loop);
    CU_ASSERT_FALSE_FATAL(late);
}

#endif
