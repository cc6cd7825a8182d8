/* The event loop: one libuv loop per thread. Everything registered on a loop is called on that
 * loop's thread, and may be changed only there, except loop_wake and loop_post, which any thread
 * may call. No callback may block. */
#ifndef DESK_LOOP_LOOP_H
#define DESK_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* Returns an owned loop for the calling thread. */
struct loop *loop_new(void);

/* Frees the loop after all its timers, watches and wakes are closed (asserts); sets *loop to NULL;
 * accepts NULL. */
void loop_free(struct loop **loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);

/* Ends loop_run after the current callback. Loop thread only. */
void loop_stop(struct loop *loop);

/* Runs one non-blocking pass; for clean-up after loop_stop so that closes finish. */
void loop_pass(struct loop *loop);

/* Monotonic milliseconds when the last pass of the loop began; for the liveness check. Any thread.
 */
int64_t loop_heartbeat_ms(const struct loop *loop);

/* Queues `fn(arg)` to run on the loop's thread, in order. Any thread. Wakes the loop. What is
 * posted after loop_run has ended is never run. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* ---- timers ---- */
struct timer;

/* Returns an owned, stopped timer. */
struct timer *timer_new(struct loop *loop, void (*fn)(void *arg), void *arg);

/* Stops and frees; sets *timer to NULL; accepts NULL. Allowed inside its own callback. */
void timer_free(struct timer **timer);

/* Runs fn once after delay_ms (0: next pass); then every repeat_ms if that is > 0. Restarts. */
void timer_start(struct timer *timer, int64_t delay_ms, int64_t repeat_ms);

/* Stops; a stopped timer may be started again. */
void timer_stop(struct timer *timer);

/* True between start and the last call. */
bool timer_is_active(const struct timer *timer);

/* ---- file descriptors ---- */
struct watch;

enum watch_events { WATCH_READ = 1, WATCH_WRITE = 2 };

/* Returns an owned watch of a non-blocking descriptor (borrowed: the owner closes it after
 * watch_free). No events until watch_set. */
struct watch *watch_new(struct loop *loop, int fd, void (*fn)(void *arg, int events), void *arg);

/* Sets the awaited events (bits of watch_events; 0 pauses). Level-triggered. */
void watch_set(struct watch *watch, int events);

/* Stops and frees; sets *watch to NULL; accepts NULL. Allowed inside its own callback. */
void watch_free(struct watch **watch);

/* ---- signals ---- */
struct signal_watch;

/* Returns an owned watch that calls fn(arg, signal_number) on the loop for that signal. */
struct signal_watch *signal_watch_new(struct loop *loop, int signal_number,
                                      void (*fn)(void *arg, int signal_number), void *arg);

/* Stops and frees; sets *watch to NULL; accepts NULL. */
void signal_watch_free(struct signal_watch **watch);

/* ---- threads ---- */
struct thread;

/* Starts a thread that runs fn(arg); returns it owned. Signals are blocked in it. */
struct thread *thread_start(void (*fn)(void *arg), void *arg);

/* Starts a thread that nobody waits for: it calls what no one can cancel (a look-up of a name), and
 * shares what it uses with its owner. Signals are blocked in it. */
void thread_detach(void (*fn)(void *arg), void *arg);

/* Waits for its end and frees; sets *thread to NULL; accepts NULL. */
void thread_join(struct thread **thread);

#endif
