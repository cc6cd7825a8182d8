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

/* A new thread inherits the mask: no signal can slip in before it sets one itself. */
static pthread_t start(struct thread *thread, const pthread_attr_t *attributes,
                       void *(*fn)(void *arg))
{
    pthread_t id;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&id, attributes, fn, thread) != 0)
        abort(); /* no memory or over the process limit, like xmalloc */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return id;
}

struct thread *thread_start(void (*fn)(void *arg), void *arg)
{
    struct thread *thread = xcalloc(1, sizeof *thread);
    thread->fn = fn;
    thread->arg = arg;
    thread->id = start(thread, NULL, run);
    return thread;
}

static void *run_alone(void *arg)
{
    struct thread thread = *(struct thread *)arg;
    free(arg);
    thread.fn(thread.arg);
    return NULL;
}

void thread_detach(void (*fn)(void *arg), void *arg)
{
    struct thread *thread = xcalloc(1, sizeof *thread);
    pthread_attr_t attributes;
    thread->fn = fn;
    thread->arg = arg;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    start(thread, &attributes, run_alone);
    pthread_attr_destroy(&attributes);
}

void thread_join(struct thread **thread)
{
    if (*thread == NULL)
        return;
    pthread_join((*thread)->id, NULL);
    free(*thread);
    *thread = NULL;
}
