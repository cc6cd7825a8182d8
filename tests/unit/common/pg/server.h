/* A private PostgreSQL for a test: initdb in a folder of its own, Unix socket only, no fsync. As
 * root it runs as user postgres. It dies with the test. Included by each test program that needs
 * one; all calls on the main thread. */
#ifndef DESK_TEST_PG_SERVER_H
#define DESK_TEST_PG_SERVER_H

#include "base/clock.h"
#include "pg/pg.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_PG_BIN     "/usr/lib/postgresql/15/bin/"
#define TEST_PG_WAIT_MS 120000 /* a busy machine takes a minute to make a cluster */

#define TEST_PG_SETTINGS                                                                           \
    "\nlisten_addresses = ''\nfsync = off\nfull_page_writes = off\nshared_buffers = 16MB\n"        \
    "max_connections = 40\ndeadlock_timeout = 100ms\n"

struct test_server {
    char dir[72];
    char url[192];
    pid_t pid; /* of the postmaster; 0: not running */
};

/* Starts a program, as postgres when we are root, with its output in the folder's log. */
static inline pid_t test_server_spawn(const struct test_server *server, const char *const argv[])
{
    char log[96];
    const char *full[40] = {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                            "--pdeathsig=KILL"};
    int used = geteuid() == 0 ? 5 : 0;
    for (int i = 0; argv[i] != NULL && used < 39; i++)
        full[used++] = argv[i];
    full[used] = NULL;
    snprintf(log, sizeof log, "%s/log", server->dir);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (chdir(server->dir) != 0)
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(full[0], (char *const *)(uintptr_t)full);
    _exit(127);
}

static inline bool test_server_reap(pid_t pid)
{
    int status = -1;
    int64_t end = clock_mono_ms() + TEST_PG_WAIT_MS;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_mono_ms() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return false;
        }
        poll(NULL, 0, 5); /* between two looks */
    }
    return status == 0;
}

/* Runs one script on a connection of its own. */
static inline bool test_server_sql(const struct test_server *server, const char *sql)
{
    struct pg_session *session = NULL;
    struct err err;
    if (pg_session_open(server->url, "test", &session, &err) != 0)
        return false;
    bool good = pg_session_script(session, sql, &err) == 0;
    if (!good)
        printf("    %s: %s\n", err.code, err.message);
    pg_session_close(&session);
    return good;
}

/* Appends settings, which the next launch reads; later ones win. */
static inline bool test_server_config(const struct test_server *server, const char *settings)
{
    char path[96];
    snprintf(path, sizeof path, "%s/data/postgresql.conf", server->dir);
    FILE *file = fopen(path, "a");
    if (file == NULL)
        return false;
    bool good = fputs(settings, file) >= 0;
    return fclose(file) == 0 && good;
}

static inline bool test_server_launch(struct test_server *server)
{
    char data[96];
    snprintf(data, sizeof data, "%s/data", server->dir);
    const char *const argv[] = {TEST_PG_BIN "postgres", "-D", data, "-k", server->dir, NULL};
    server->pid = test_server_spawn(server, argv);
    int64_t end = clock_mono_ms() + TEST_PG_WAIT_MS;
    while (clock_mono_ms() < end) {
        struct pg_session *session = NULL;
        if (pg_session_open(server->url, "test", &session, NULL) == 0) {
            pg_session_close(&session);
            return true;
        }
        poll(NULL, 0, 20); /* between two tries */
    }
    return false;
}

/* Ends the postmaster: SIGINT closes every connection in order, SIGQUIT is a crash. */
static inline bool test_server_halt(struct test_server *server, int signal_number)
{
    if (server->pid == 0)
        return true;
    kill(server->pid, signal_number);
    bool good = test_server_reap(server->pid);
    server->pid = 0;
    return good || signal_number != SIGINT;
}

static inline int test_server_remove(const char *path, const struct stat *info, int flag,
                                     struct FTW *place)
{
    (void)info;
    (void)flag;
    (void)place;
    return remove(path);
}

static inline void test_server_end(struct test_server *server)
{
    test_server_halt(server, SIGINT);
    if (server->dir[0] != '\0')
        nftw(server->dir, test_server_remove, 16, FTW_DEPTH | FTW_PHYS);
    server->dir[0] = '\0';
}

/* In the folder for what tests write, where ./test removes what belongs to nobody any more. */
static inline bool test_server_dir(struct test_server *server)
{
    const char *state = getenv("FRONTDESK_STATE");
    *server = (struct test_server){.pid = 0};
    for (int n = 0; n < 100; n++) {
        snprintf(server->dir, sizeof server->dir, "%s/test-pg%d-%d",
                 state != NULL ? state : "/var/tmp", n, (int)getpid());
        if (mkdir(server->dir, 0700) == 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    printf("    no folder %s: %s\n", server->dir, strerror(errno));
    server->dir[0] = '\0';
    return false;
}

/* The cluster that ./test has made for all programs, or one of our own. */
static inline bool test_server_fill(struct test_server *server, const char *cluster)
{
    char data[96], ready[256];
    const char *clusters = getenv("FRONTDESK_TEST_CLUSTERS");
    snprintf(data, sizeof data, "%s/data", server->dir);
    snprintf(ready, sizeof ready, "%s/%s", clusters != NULL ? clusters : "", cluster);
    /* clang-format off */
    const char *const copy[] = {"cp", "-r", ready, data, NULL};
    const char *const make[] = {
        TEST_PG_BIN "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
        "--locale=C.UTF-8", "-N", NULL};
    /* clang-format on */
    return test_server_reap(test_server_spawn(server, clusters != NULL ? copy : make));
}

/* Starts with a copy of that cluster of FRONTDESK_TEST_CLUSTERS (tests/harness/clusters.py), or,
 * without that, with an empty one. False: see what it printed. */
static inline bool test_server_start_from(struct test_server *server, const char *cluster)
{
    if (!test_server_dir(server))
        return false;
    const struct passwd *owner = getpwnam("postgres");
    if (geteuid() == 0 && (owner == NULL || chown(server->dir, owner->pw_uid, owner->pw_gid) != 0))
        return false;
    snprintf(server->url, sizeof server->url, "host=%s user=postgres dbname=postgres", server->dir);
    if (test_server_fill(server, cluster) && test_server_config(server, TEST_PG_SETTINGS) &&
        test_server_launch(server))
        return true;
    printf("    PostgreSQL did not start; its log is in %s\n", server->dir);
    return false;
}

static inline bool test_server_start(struct test_server *server)
{
    return test_server_start_from(server, "empty");
}

#endif
