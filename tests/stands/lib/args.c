/* Options and process set-up of the stand-ins. Called once by each program before its loop runs. */
#include "stands/lib/args.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void print_help(const char *program, const struct stand_arg *table)
{
    printf("usage: %s [options]\n", program);
    for (const struct stand_arg *arg = table; arg->name; arg++) {
        static const char *const shape[] = {"", " N", " TEXT"};
        printf("  --%s%s\n      %s\n", arg->name, shape[arg->kind], arg->help);
    }
}

static void fail(const char *program, const char *what, const char *option)
{
    fprintf(stderr, "%s: %s: %s (--help lists the options)\n", program, what, option);
    exit(2);
}

static void set_value(const char *program, const struct stand_arg *arg, const char *text)
{
    if (arg->kind == STAND_ARG_TEXT) {
        *(const char **)arg->value = text;
        return;
    }
    char *end;
    long long number = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < 0 || number > 1000000000)
        fail(program, "not a number from 0 to 1000000000", text);
    *(int64_t *)arg->value = number;
}

void stand_args_parse(int argc, char **argv, const struct stand_arg *table)
{
    for (int i = 1; i < argc; i++) {
        const struct stand_arg *arg = table;
        if (strcmp(argv[i], "--help") == 0) {
            print_help(argv[0], table);
            exit(0);
        }
        if (strncmp(argv[i], "--", 2) != 0)
            fail(argv[0], "not an option", argv[i]);
        while (arg->name && strcmp(arg->name, argv[i] + 2) != 0)
            arg++;
        if (!arg->name)
            fail(argv[0], "unknown option", argv[i]);
        if (arg->kind == STAND_ARG_FLAG)
            *(bool *)arg->value = true;
        else if (i + 1 == argc)
            fail(argv[0], "a value is missing", argv[i]);
        else
            set_value(argv[0], arg, argv[++i]);
    }
}

int stand_args_address(const char *text, char *host, int *port)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (len == 0 || len >= 64)
        return -1;
    char *end;
    long number = strtol(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || number > 65535)
        return -1;
    if (len == 9 && strncmp(text, "localhost", 9) == 0) {
        memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
    } else {
        memcpy(host, text, len);
        host[len] = '\0';
    }
    *port = (int)number;
    return 0;
}

void stand_args_process(bool die_with_parent)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    if (!die_with_parent)
        return;
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        exit(1); /* the parent went before the request took effect */
}
