/* Unit tests of the event loop: order of posts, timers, watches, frees inside callbacks. */
#include "loop/loop.h"

#include "base/clock.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUARD_MS 20000

static struct loop *loop;
static struct timer *guard;
static bool timed_out;

static void on_guard(void *arg)
{
    (void)arg;
    timed_out = true;
    loop_stop(loop);
}

static void set_up(void)
{
    timed_out = false;
    loop = loop_new();
    guard = timer_new(loop, on_guard, NULL);
    timer_start(guard, GUARD_MS, 0);
}

static void tear_down(void)
{
    timer_free(&guard);
    loop_pass(loop);
    loop_free(&loop);
}

/* Runs until some callback stops the loop; fails when only the guard did. */
static void run(void)
{
    loop_run(loop);
    CU_ASSERT_FALSE(timed_out);
}

/* ---- posts ---- */

#define POSTERS   4
#define POST_EACH 5000

struct note {
    int poster, number;
};
static struct note notes[POSTERS][POST_EACH];
static int last_seen[POSTERS], posts_seen, posts_out_of_order;

static void on_note(void *arg)
{
    const struct note *note = arg;
    posts_out_of_order += note->number != last_seen[note->poster] + 1;
    last_seen[note->poster] = note->number;
    if (++posts_seen == POSTERS * POST_EACH)
        loop_stop(loop);
}

static void post_many(void *arg)
{
    int poster = *(int *)arg;
    for (int i = 0; i < POST_EACH; i++) {
        notes[poster][i] = (struct note){poster, i};
        loop_post(loop, on_note, &notes[poster][i]);
    }
}

static void test_posts_from_threads_keep_order(void)
{
    struct thread *threads[POSTERS];
    int ids[POSTERS] = {0, 1, 2, 3};
    posts_seen = posts_out_of_order = 0;
    for (int i = 0; i < POSTERS; i++) {
        last_seen[i] = -1;
        threads[i] = thread_start(post_many, &ids[i]);
    }
    run();
    for (int i = 0; i < POSTERS; i++)
        thread_join(&threads[i]);
    CU_ASSERT_EQUAL(posts_seen, POSTERS * POST_EACH);
    CU_ASSERT_EQUAL(posts_out_of_order, 0);
    CU_ASSERT_PTR_NULL(threads[0]);
}

static int counted;
static void count(void *arg)
{
    (void)arg;
    counted++;
}
static void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void test_stop_leaves_later_posts_for_the_next_run(void)
{
    counted = 0;
    loop_post(loop, count, NULL);
    loop_post(loop, stop, NULL);
    loop_post(loop, count, NULL);
    run();
    CU_ASSERT_EQUAL(counted, 1);
    loop_post(loop, count, NULL);
    loop_post(loop, stop, NULL);
    for (int i = 0; i < 3; i++)
        loop_pass(loop); /* clean-up passes run no posts */
    CU_ASSERT_EQUAL(counted, 1);
    run();
    CU_ASSERT_EQUAL(counted, 3);
}

static void post_again(void *arg)
{
    counted++;
    loop_post(loop, post_again, arg);
}

static void test_endless_posts_do_not_starve_a_timer(void)
{
    counted = 0;
    struct timer *timer = timer_new(loop, stop, NULL);
    timer_start(timer, 20, 0);
    loop_post(loop, post_again, NULL);
    run();
    CU_ASSERT_TRUE(counted > 1);
    timer_free(&timer);
}

/* ---- timers ---- */

struct ticker {
    struct timer *timer;
    int ticks, free_at;
    bool active_inside;
};

static void on_tick(void *arg)
{
    struct ticker *ticker = arg;
    ticker->active_inside = timer_is_active(ticker->timer);
    if (++ticker->ticks == ticker->free_at) {
        timer_free(&ticker->timer);
        loop_stop(loop);
    }
}

static void test_timer_repeats_and_frees_itself(void)
{
    struct ticker ticker = {.free_at = 3};
    ticker.timer = timer_new(loop, on_tick, &ticker);
    CU_ASSERT_FALSE(timer_is_active(ticker.timer));
    int64_t start = clock_mono_ms();
    timer_start(ticker.timer, 20, 10);
    CU_ASSERT_TRUE(timer_is_active(ticker.timer));
    run();
    CU_ASSERT_EQUAL(ticker.ticks, 3);
    CU_ASSERT_TRUE(ticker.active_inside);
    CU_ASSERT_PTR_NULL(ticker.timer);
    CU_ASSERT_TRUE(clock_mono_ms() - start >= 39);
}

static void test_timer_once_stop_and_restart(void)
{
    struct ticker ticker = {.free_at = 1};
    ticker.timer = timer_new(loop, on_tick, &ticker);
    timer_start(ticker.timer, 5000, 0);
    timer_stop(ticker.timer);
    CU_ASSERT_FALSE(timer_is_active(ticker.timer));
    timer_start(ticker.timer, 5000, 0);
    timer_start(ticker.timer, 1, 0); /* restarts: the first due time is void */
    int64_t start = clock_mono_ms();
    run();
    CU_ASSERT_TRUE(clock_mono_ms() - start < 4000);
    CU_ASSERT_EQUAL(ticker.ticks, 1);
    CU_ASSERT_FALSE(ticker.active_inside);
    timer_free(&ticker.timer); /* NULL is fine */
}

static int64_t busy_until, fired_at;
static struct timer *late;
static void on_late(void *arg)
{
    (void)arg;
    fired_at = clock_mono_ms();
    loop_stop(loop);
}
static void work_then_start(void *arg)
{
    (void)arg;
    int64_t start = clock_mono_ms();
    while (clock_mono_ms() - start < 60)
        continue;
    busy_until = clock_mono_ms();
    timer_start(late, 30, 0);
}

static void test_delay_counts_from_the_call(void)
{
    late = timer_new(loop, on_late, NULL);
    loop_post(loop, work_then_start, NULL);
    run();
    CU_ASSERT_TRUE(fired_at - busy_until >= 29);
    timer_free(&late);
}

static struct timer *eager;
static int eager_fired;
static void on_eager(void *arg)
{
    (void)arg;
    eager_fired++;
    timer_start(eager, 0, 0);
}

static void test_zero_timer_in_its_own_callback_lets_others_run(void)
{
    eager_fired = 0;
    eager = timer_new(loop, on_eager, NULL);
    timer_start(eager, 0, 0);
    loop_post(loop, stop, NULL);
    run();
    CU_ASSERT_TRUE(eager_fired >= 1);
    timer_free(&eager);
}

static void test_zero_timer_runs_in_the_next_pass(void)
{
    struct ticker ticker = {.free_at = 1};
    ticker.timer = timer_new(loop, on_tick, &ticker);
    timer_start(ticker.timer, 0, 0);
    loop_pass(loop);
    CU_ASSERT_EQUAL(ticker.ticks, 1);
}

/* ---- watches ---- */

struct reader {
    struct watch *watch;
    int fd, calls, events;
    bool free_inside, keep_unread;
};

static void on_ready(void *arg, int events)
{
    struct reader *reader = arg;
    char byte;
    reader->calls++;
    reader->events |= events;
    if (!reader->keep_unread && (events & WATCH_READ) != 0)
        CU_ASSERT_EQUAL(read(reader->fd, &byte, 1), 1);
    if (reader->free_inside) {
        watch_free(&reader->watch);
        close(reader->fd);
    }
    if (!reader->keep_unread || reader->calls == 3)
        loop_stop(loop);
}

static void test_watch_is_level_triggered_and_pauses(void)
{
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct reader reader = {.fd = fds[0], .keep_unread = true};
    reader.watch = watch_new(loop, fds[0], on_ready, &reader);
    CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
    loop_pass(loop);
    CU_ASSERT_EQUAL(reader.calls, 0); /* nothing set yet */
    watch_set(reader.watch, WATCH_READ);
    run(); /* the byte stays: called again and again */
    CU_ASSERT_EQUAL(reader.calls, 3);
    CU_ASSERT_EQUAL(reader.events, WATCH_READ);
    watch_set(reader.watch, 0);
    loop_pass(loop);
    loop_pass(loop);
    CU_ASSERT_EQUAL(reader.calls, 3);
    reader.keep_unread = false;
    watch_set(reader.watch, WATCH_READ | WATCH_WRITE);
    run();
    CU_ASSERT_EQUAL(reader.events, WATCH_READ | WATCH_WRITE);
    watch_free(&reader.watch);
    close(fds[0]);
    close(fds[1]);
}

static void test_watch_freed_inside_and_descriptor_reused(void)
{
    for (int round = 0; round < 50; round++) {
        int fds[2];
        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        struct reader reader = {.fd = fds[0], .free_inside = true};
        reader.watch = watch_new(loop, fds[0], on_ready, &reader);
        watch_set(reader.watch, WATCH_READ);
        CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
        run();
        CU_ASSERT_EQUAL(reader.calls, 1);
        CU_ASSERT_PTR_NULL(reader.watch);
        close(fds[1]);
    }
}

static int connect_error, connect_calls;
static struct watch *connecting;
static int connect_fd;

static void on_connect(void *arg, int events)
{
    (void)arg;
    CU_ASSERT_TRUE(events != 0);
    if (++connect_calls < 3)
        return; /* an owner that does not look is called again: level-triggered */
    socklen_t size = sizeof connect_error;
    getsockopt(connect_fd, SOL_SOCKET, SO_ERROR, &connect_error, &size);
    watch_free(&connecting);
    loop_stop(loop);
}

static void test_refused_connect_is_reported(void)
{
    /* A port that was just bound and closed again refuses. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(probe, (struct sockaddr *)&address, size), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(probe, (struct sockaddr *)&address, &size), 0);
    close(probe);
    connect_calls = connect_error = 0;
    connect_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL(connect(connect_fd, (struct sockaddr *)&address, size), -1);
    CU_ASSERT_EQUAL(errno, EINPROGRESS);
    connecting = watch_new(loop, connect_fd, on_connect, NULL);
    watch_set(connecting, WATCH_WRITE);
    run();
    CU_ASSERT_EQUAL(connect_calls, 3);
    CU_ASSERT_EQUAL(connect_error, ECONNREFUSED);
    close(connect_fd);
}

/* ---- signals, threads, heartbeat ---- */

static int signal_seen;
static void on_signal(void *arg, int signal_number)
{
    (void)arg;
    signal_seen = signal_number;
    loop_stop(loop);
}

static void test_signal_reaches_the_loop(void)
{
    struct signal_watch *watch = signal_watch_new(loop, SIGUSR1, on_signal, NULL);
    kill(getpid(), SIGUSR1);
    run();
    CU_ASSERT_EQUAL(signal_seen, SIGUSR1);
    signal_watch_free(&watch);
    CU_ASSERT_PTR_NULL(watch);
    signal_watch_free(&watch);
}

static sigset_t mask_in_thread;
static void read_mask(void *arg)
{
    (void)arg;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_in_thread);
}

static void test_threads_block_signals(void)
{
    struct thread *thread = thread_start(read_mask, NULL);
    thread_join(&thread);
    CU_ASSERT_EQUAL(sigismember(&mask_in_thread, SIGTERM), 1);
    CU_ASSERT_EQUAL(sigismember(&mask_in_thread, SIGCHLD), 1);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CU_ASSERT_EQUAL(sigismember(&mine, SIGTERM), 0);
    thread_join(&thread);
}

static atomic_int beats_seen;
static void watch_heart(void *arg)
{
    const struct loop *watched = arg;
    int64_t last = loop_heartbeat_ms(watched), end = clock_mono_ms() + GUARD_MS / 2;
    while (atomic_load(&beats_seen) < 2 && clock_mono_ms() < end) {
        poll(NULL, 0, 10); /* between two looks */
        int64_t now = loop_heartbeat_ms(watched);
        if (now != last)
            atomic_fetch_add(&beats_seen, 1);
        last = now;
    }
    loop_post(loop, stop, NULL);
}

static void test_an_idle_loop_beats(void)
{
    struct thread *thread = thread_start(watch_heart, loop);
    run();
    thread_join(&thread);
    CU_ASSERT_EQUAL(atomic_load(&beats_seen), 2);
    CU_ASSERT_TRUE(clock_mono_ms() - loop_heartbeat_ms(loop) < 2000);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown("loop", NULL, NULL, set_up, tear_down);
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"posts from threads keep order", test_posts_from_threads_keep_order},
        {"stop leaves later posts", test_stop_leaves_later_posts_for_the_next_run},
        {"endless posts starve nobody", test_endless_posts_do_not_starve_a_timer},
        {"timer repeats, frees itself", test_timer_repeats_and_frees_itself},
        {"timer once, stop, restart", test_timer_once_stop_and_restart},
        {"delay counts from the call", test_delay_counts_from_the_call},
        {"zero timer in own callback", test_zero_timer_in_its_own_callback_lets_others_run},
        {"zero timer: next pass", test_zero_timer_runs_in_the_next_pass},
        {"watch is level-triggered", test_watch_is_level_triggered_and_pauses},
        {"watch freed inside", test_watch_freed_inside_and_descriptor_reused},
        {"refused connect", test_refused_connect_is_reported},
        {"signal", test_signal_reaches_the_loop},
        {"threads block signals", test_threads_block_signals},
        {"idle loop beats", test_an_idle_loop_beats},
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].name, tests[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
