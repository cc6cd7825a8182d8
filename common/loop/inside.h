/* What the files of this folder share. Private to common/loop: nobody else includes it or uv.h. */
#ifndef DESK_LOOP_INSIDE_H
#define DESK_LOOP_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct post {
    void (*fn)(void *arg);
    void *arg;
};

struct posts {
    struct post *items;
    size_t count, capacity;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_timer_t beat; /* unref'd: an idle loop still beats */
    _Atomic int64_t heartbeat_ms;
    pthread_mutex_t lock;
    struct posts waiting; /* under the lock */
    struct posts running; /* loop thread only; taken over from `waiting` as a whole */
    size_t next_post;     /* first of `running` that has not run */
    size_t handles;       /* timers, watches and signal watches not yet freed by their owners */
    bool in_timer;        /* a timer's callback is on the stack */
    bool stopping, ended;
};

#endif
