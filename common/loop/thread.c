/* Threads with all signals blocked, so that signals reach the main loop only. */
#include "base/mem.h"
#include "loop/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct thread {
    pthread_t id;
    void (*fn)(void *arg);
    void *arg;
};

static void *run(void *arg)
{
    struct thread *thread = arg;
    thread->fn(thread->arg);
    return NULL;
}

struct thread *thread_start(void (*fn)(void *arg), void *arg)
{
    struct thread *thread = xcalloc(1, sizeof *thread);
    thread->fn = fn;
    thread->arg = arg;
    sigset_t all, before;
    sigfillset(&all);
    /* A new thread inherits the mask: no signal can slip in before it sets one itself. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread->id, NULL, run, thread) != 0)
        abort(); /* no memory or over the process limit, like xmalloc */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread;
}

void thread_join(struct thread **thread)
{
    if (*thread == NULL)
        return;
    pthread_join((*thread)->id, NULL);
    free(*thread);
    *thread = NULL;
}
