/* A program that reads what a stranger sent: a child of its own, without network, with bounds for
 * its processor time, its memory, its output and its patience. Loop thread only. */
#ifndef DESK_MAILPOLLER_CHILD_H
#define DESK_MAILPOLLER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"

struct child;

/* From now on nobody without root's rights reads through /proc what this process knows: its
 * environment has secrets, and its children are of the same user. It leaves no core dump, and a
 * debugger has to be root's. Once, before the first. */
void child_keep_out(void);

/* How it went. */
struct child_end {
    bool ok;            /* it ended well, or was stopped at output_max */
    bool cut;           /* there was more than output_max */
    const char *output; /* what it wrote; borrowed until the callback returns; NULL if not ok */
    size_t length;
    const char *why; /* if not ok: "exit 1", "signal 9", "time"; borrowed as well */
};

/* All borrowed until child_start returns. */
struct child_options {
    const char *const *argv; /* argv[0] is an absolute path; at most 16, then NULL */
    const void *input;       /* its standard input: a file in memory */
    size_t length;
    size_t output_max, memory_max; /* bytes */
    int cpu_s;
    int64_t wall_ms;
    void (*done)(void *arg, const struct child_end *end); /* once, unless cancelled */
    void *arg;
};

/* Starts it; NULL with RETRY_LATER "child.start" if the system gives no process. It has no
 * descriptor of ours, no variable of ours, may open no socket and has no rights but its user's, and
 * of root only the name. */
struct child *child_start(struct loop *loop, const struct child_options *options, struct err *err);

/* Kills it if it lives, and frees; done is not called. Sets *child to NULL; accepts NULL. */
void child_cancel(struct child **child);

#endif
