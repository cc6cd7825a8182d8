/* The loop itself and the queue of posted calls, on libuv. Posts are collected in an array that the
 * loop takes over as a whole, so a post costs no allocation once the arrays have grown, and what
 * callbacks post themselves waits for the next pass instead of starving descriptors. Every service
 * thread that waits for something runs one of these. */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "loop/inside.h"

#include <assert.h>
#include <stdlib.h>

#define BEAT_MS 1000

/* libuv's set-up calls fail only for want of memory or descriptors, like xmalloc. */
static void must(int result)
{
    if (result != 0)
        abort();
}

static void beat(struct loop *loop)
{
    atomic_store_explicit(&loop->heartbeat_ms, clock_mono_ms(), memory_order_relaxed);
}

static void on_prepare(uv_prepare_t *handle)
{
    beat(handle->data);
}

static void on_check(uv_check_t *handle)
{
    beat(handle->data);
}

static void on_beat(uv_timer_t *handle)
{
    beat(handle->data);
}

/* Moves what waits into the empty `running`; both arrays keep their memory. */
static void take_posts(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct posts empty = loop->running;
    empty.count = 0;
    loop->running = loop->waiting;
    loop->waiting = empty;
    pthread_mutex_unlock(&loop->lock);
    loop->next_post = 0;
}

static void on_wake(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    if (loop->ended)
        return;
    bool rest = loop->next_post < loop->running.count; /* a stop cut the last round short */
    if (!rest)
        take_posts(loop);
    while (loop->next_post < loop->running.count && !loop->stopping) {
        struct post post = loop->running.items[loop->next_post++];
        post.fn(post.arg);
    }
    if (rest)
        uv_async_send(&loop->wake);
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    must(uv_loop_init(&loop->uv));
    must(pthread_mutex_init(&loop->lock, NULL));
    must(uv_async_init(&loop->uv, &loop->wake, on_wake));
    must(uv_prepare_init(&loop->uv, &loop->before_poll));
    must(uv_check_init(&loop->uv, &loop->after_poll));
    must(uv_timer_init(&loop->uv, &loop->beat));
    loop->wake.data = loop->before_poll.data = loop->after_poll.data = loop->beat.data = loop;
    must(uv_prepare_start(&loop->before_poll, on_prepare));
    must(uv_check_start(&loop->after_poll, on_check));
    must(uv_timer_start(&loop->beat, on_beat, BEAT_MS, BEAT_MS));
    uv_unref((uv_handle_t *)&loop->before_poll);
    uv_unref((uv_handle_t *)&loop->after_poll);
    uv_unref((uv_handle_t *)&loop->beat);
    beat(loop);
    return loop;
}

void loop_free(struct loop **loop)
{
    struct loop *l = *loop;
    if (l == NULL)
        return;
    assert(l->handles == 0);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->before_poll, NULL);
    uv_close((uv_handle_t *)&l->after_poll, NULL);
    uv_close((uv_handle_t *)&l->beat, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* only closing handles are left: it ends by itself */
    int busy = uv_loop_close(&l->uv);
    assert(busy == 0);
    (void)busy;
    pthread_mutex_destroy(&l->lock);
    free(l->waiting.items);
    free(l->running.items);
    free(l);
    *loop = NULL;
}

void loop_run(struct loop *loop)
{
    loop->ended = false;
    uv_async_send(&loop->wake); /* posts left over from an earlier run */
    while (!loop->stopping)
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->stopping = false;
    loop->ended = true;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
    uv_stop(&loop->uv);
}

void loop_pass(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    loop->stopping = false;
}

int64_t loop_heartbeat_ms(const struct loop *loop)
{
    return atomic_load_explicit(&loop->heartbeat_ms, memory_order_relaxed);
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&loop->lock);
    struct posts *posts = &loop->waiting;
    if (posts->count == posts->capacity) {
        posts->capacity = posts->capacity > 0 ? 2 * posts->capacity : 64;
        posts->items = xreallocarray(posts->items, posts->capacity, sizeof *posts->items);
    }
    posts->items[posts->count++] = (struct post){fn, arg};
    /* Inside the lock: after the unlock the loop may already have run it and been freed. */
    uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
}
