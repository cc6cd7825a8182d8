/* The threads of the SMTP sender. Mails wait in one line (smtp_line.c) for few threads, each of
 * which sends one at a time and ends when there has been none for a while. Whether a mail may leave
 * is asked of the loop, where the lease is known, when the server is ready for its first byte. A
 * thread that hangs with a mail that was given up is not counted: as many more may run beside
 * those. smtp.c is the loop's side.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/tls.h"
#include "mail/smtp_inside.h"

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt" /* Debian's */
#define ASK_MS    2000                                 /* the loop's answer may take so long */
#define IDLE_MS   20000 /* a thread without work ends, and its connections with it */
#define KEEP_MS   5000  /* libesmtp's connection waits so long for a mail: inside the session */

/* ---- life of pool and mail ---- */

static void pool_free(struct smtp_pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->answered);
    pthread_cond_destroy(&pool->ended);
    smtp_line_fini(pool);
    crypto_trust_free(&pool->trust);
    close(pool->event_fd);
    free(pool->ca_file);
    free(pool->hello);
    free(pool);
}

/* With the lock held, which is given back: the last owner frees the pool. */
void smtp_pool_leave(struct smtp_pool *pool)
{
    bool last = --pool->owners == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        pool_free(pool);
}

void smtp_release(struct mail_smtp_transfer *job)
{
    struct smtp_pool *pool = job->pool;
    pthread_mutex_lock(&pool->lock);
    if (--job->owners > 0) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    secret_free(&job->secret);
    arena_free(&job->arena);
    free(job);
    smtp_pool_leave(pool);
}

/* With the lock held. */
void smtp_set_phase(struct mail_smtp_transfer *job, enum smtp_phase phase)
{
    job->phase = phase;
    job->phase_ms = clock_mono_ms();
    job->began |= phase == SMTP_BEGUN;
    job->ended |= phase == SMTP_ENDED;
}

/* With the lock held: something for the loop is in its lists. */
static void tell_loop(const struct smtp_pool *pool)
{
    uint64_t one = 1;
    if (write(pool->event_fd, &one, sizeof one) != sizeof one)
        abort(); /* an eventfd far from its maximum takes 1 */
}

/* ---- what a back end asks; its thread ---- */

void smtp_pool_after_ms(struct timespec *until, int64_t ms)
{
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_sec += (time_t)(ms / 1000);
    until->tv_nsec += (long)(ms % 1000) * 1000000;
    if (until->tv_nsec >= 1000000000) {
        until->tv_sec++;
        until->tv_nsec -= 1000000000;
    }
}

/* With the lock held. */
static bool ask(struct mail_smtp_transfer *job)
{
    struct smtp_pool *pool = job->pool;
    struct timespec until;
    if (pool->closed || job->given_up)
        return false;
    smtp_set_phase(job, SMTP_ASKING);
    job->owners++;
    job->asking = pool->asking;
    pool->asking = job;
    tell_loop(pool);
    smtp_pool_after_ms(&until, ASK_MS);
    while (job->phase == SMTP_ASKING && !job->refused && !job->given_up)
        if (pthread_cond_timedwait(&pool->answered, &pool->lock, &until) == ETIMEDOUT)
            job->refused = true;
    return job->phase == SMTP_BEGUN && !job->given_up;
}

bool smtp_may_begin(struct mail_smtp_transfer *job)
{
    const struct smtp_dialogue *d = &job->dialogue;
    bool kept = d->replies[SMTP_GREETING].code == 0; /* a connection that logged in before */
    bool wants_auth = job->account.auth != MAIL_SMTP_NO_AUTH && !kept;
    if (d->injected || (wants_auth && !d->authenticated)) {
        job->error = "smtp.no_auth"; /* what the server said to AUTH outweighs it */
        return false;
    }
    if (d->size_limit > 0 && job->length > (uint64_t)d->size_limit) {
        job->error = "smtp.size";
        return false;
    }
    pthread_mutex_lock(&job->pool->lock);
    bool yes = ask(job);
    if (!yes)
        job->error = job->given_up ? "smtp.timeout" : "smtp.gate";
    pthread_mutex_unlock(&job->pool->lock);
    job->given_ms = clock_mono_ms();
    return yes;
}

/* libesmtp goes on with the rest when a block could not be written in time: its end must not. */
static bool in_time(struct mail_smtp_transfer *job)
{
    int64_t now_ms = clock_mono_ms();
    bool late = now_ms - job->given_ms >= job->limits.data_ms;
    job->given_ms = now_ms;
    if (late)
        job->error = "smtp.timeout";
    return !late;
}

bool smtp_may_go_on(struct mail_smtp_transfer *job)
{
    pthread_mutex_lock(&job->pool->lock);
    bool yes = job->phase == SMTP_BEGUN && !job->given_up;
    pthread_mutex_unlock(&job->pool->lock);
    return yes && in_time(job);
}

bool smtp_may_end(struct mail_smtp_transfer *job)
{
    pthread_mutex_lock(&job->pool->lock);
    bool yes = job->phase == SMTP_ENDED;
    if (!yes && job->phase == SMTP_BEGUN && !job->given_up && in_time(job)) {
        smtp_set_phase(job, SMTP_ENDED);
        yes = true;
    }
    pthread_mutex_unlock(&job->pool->lock);
    return yes;
}

bool smtp_has_ended(struct mail_smtp_transfer *job)
{
    pthread_mutex_lock(&job->pool->lock);
    bool yes = job->ended;
    pthread_mutex_unlock(&job->pool->lock);
    return yes;
}

bool smtp_given_up(struct mail_smtp_transfer *job)
{
    pthread_mutex_lock(&job->pool->lock);
    job->stage = smtp_dialogue_stage(&job->dialogue);
    bool waits = job->ended && clock_mono_ms() - job->phase_ms < job->limits.dot_ms;
    bool yes = job->given_up && !waits;
    pthread_mutex_unlock(&job->pool->lock);
    return yes;
}

const char *smtp_hello(const struct mail_smtp_transfer *job)
{
    return job->pool->hello;
}

const char *smtp_ca_file(const struct mail_smtp_transfer *job)
{
    return job->pool->ca_file;
}

struct crypto_trust *smtp_trust(const struct mail_smtp_transfer *job)
{
    return job->pool->trust;
}

/* ---- threads ---- */

/* One in line is out of it, and the line's share of it with it. */
void smtp_give_up(struct mail_smtp_transfer *job)
{
    struct smtp_pool *pool = job->pool;
    job->given_up = true;
    if (job->host != NULL) {
        smtp_line_remove(job);
        job->owners--;
    } else if (job->phase != SMTP_QUEUED) {
        pool->stuck++;
    }
    pthread_cond_broadcast(&pool->answered);
}

/* With the lock held: the mail is the calling thread's from now on. */
static void take(struct mail_smtp_transfer *job, struct smtp_host **host)
{
    smtp_line_remove(job);
    *host = smtp_host_enter(job->pool, &job->account);
    smtp_set_phase(job, SMTP_RUNNING);
}

/* With the lock held: the first mail that may go, as soon as there is one; NULL when there is none
 * for so long, or the pool is closed. */
static struct mail_smtp_transfer *wait_for_line(struct smtp_pool *pool, int64_t ms)
{
    struct timespec until;
    struct mail_smtp_transfer *job;
    int rc = 0;
    smtp_pool_after_ms(&until, ms);
    pool->idle++;
    while ((job = smtp_line_first(pool)) == NULL && !pool->closed && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
    pool->idle--;
    return pool->closed ? NULL : job;
}

/* With the lock held: the thread is through with it. False if the thread's share is still its own:
 * nobody is to be told. */
static bool settle(struct mail_smtp_transfer *job)
{
    struct smtp_pool *pool = job->pool;
    smtp_set_phase(job, SMTP_DONE);
    if (job->given_up)
        pool->stuck--;
    if (pool->closed)
        return false;
    job->over = pool->over;
    pool->over = job;
    tell_loop(pool);
    return true;
}

void smtp_login_init(struct smtp_login *login, const struct mail_smtp_transfer *job)
{
    *login = (struct smtp_login){.account = job->account, .limits = job->limits};
    if (job->secret != NULL)
        login->secret = secret_new(secret_reveal(job->secret), secret_length(job->secret));
}

void smtp_login_fini(struct smtp_login *login)
{
    secret_free(&login->secret);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return secret_length(a) == secret_length(b) &&
           memcmp(secret_reveal(a), secret_reveal(b), secret_length(a)) == 0;
}

static bool is_alike(const struct mail_smtp_transfer *job, const struct smtp_login *login)
{
    const struct mail_smtp_account *a = &job->account, *b = &login->account;
    return strcmp(a->host, b->host) == 0 && strcmp(a->user, b->user) == 0 && a->port == b->port &&
           a->security == b->security && a->auth == b->auth &&
           same_secret(job->secret, login->secret) &&
           memcmp(&job->limits, &login->limits, sizeof job->limits) == 0;
}

struct mail_smtp_transfer *smtp_next_alike(struct mail_smtp_transfer *job,
                                           const struct smtp_login *login, struct smtp_kept *kept)
{
    struct smtp_pool *pool = job->pool;
    struct mail_smtp_transfer *next = NULL;
    pthread_mutex_lock(&pool->lock);
    bool told = settle(job);
    smtp_host_leave(pool, kept->host); /* who only waits takes nobody's place */
    kept->host = NULL;
    struct mail_smtp_transfer *first = wait_for_line(pool, KEEP_MS);
    if (first != NULL && is_alike(first, login)) {
        next = first;
        take(next, &kept->host);
    } else {
        kept->host = smtp_host_enter(pool, &login->account); /* until its session has ended */
        if (first != NULL) {                                 /* and that may take a while */
            smtp_pool_start_threads(pool);
            pthread_cond_signal(&pool->work);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    if (!told)
        smtp_release(job);
    return next;
}

static void send_one(struct smtp_pool *pool, struct mail_smtp_transfer *job, struct smtp_kept *kept)
{
    if (mail_smtp_account_wants_curl(&job->account))
        smtp_curl_send(job, kept);
    else
        job = smtp_esmtp_send(job, kept);
    pthread_mutex_lock(&pool->lock);
    bool told = job == NULL || settle(job);
    smtp_host_leave(pool, kept->host);
    kept->host = NULL;
    pthread_mutex_unlock(&pool->lock);
    if (!told)
        smtp_release(job);
}

static void thread_main(void *arg)
{
    struct smtp_pool *pool = arg;
    struct smtp_kept kept = {NULL, NULL};
    struct mail_smtp_transfer *job;
    pthread_mutex_lock(&pool->lock);
    while ((job = wait_for_line(pool, IDLE_MS)) != NULL) {
        take(job, &kept.host);
        pthread_mutex_unlock(&pool->lock);
        send_one(pool, job, &kept);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    smtp_curl_forget(&kept);
    crypto_thread_end();
    pthread_mutex_lock(&pool->lock);
    pool->live--;
    pthread_cond_broadcast(&pool->ended);
    smtp_pool_leave(pool);
}

/* With the lock held: as many as there are mails in line, and no more than are allowed. Beside
 * those that hang, as many again. */
void smtp_pool_start_threads(struct smtp_pool *pool)
{
    for (int wanted = smtp_line_wanted(pool) - pool->idle; wanted > 0; wanted--) {
        if (pool->live - pool->stuck >= pool->threads || pool->live >= 2 * pool->threads)
            return;
        pool->live++;
        pool->owners++;
        thread_detach(thread_main, pool);
    }
}

/* ---- beginning ---- */

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

int smtp_pool_new(const struct mail_smtp_options *options, struct smtp_pool **out, struct err *err)
{
    assert(options->threads >= 1 && options->threads <= MAIL_SMTP_THREADS_MAX);
    struct crypto_trust *trust;
    const char *ca_file = options->ca_file != NULL ? options->ca_file : CA_BUNDLE;
    if (crypto_trust_open(ca_file, &trust, err) != 0)
        return -1;
    struct smtp_pool *pool = xcalloc(1, sizeof *pool);
    pool->trust = trust;
    pool->ca_file = xstrdup(ca_file);
    pool->hello = options->hello != NULL ? xstrdup(options->hello) : NULL;
    pool->threads = options->threads;
    pool->owners = 1;
    smtp_line_init(pool);
    pthread_mutex_init(&pool->lock, NULL);
    cond_init(&pool->work);
    cond_init(&pool->answered);
    cond_init(&pool->ended);
    pool->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->event_fd < 0)
        abort(); /* out of descriptors, like out of memory */
    *out = pool;
    return 0;
}
