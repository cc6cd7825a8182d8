/* What the files of the SMTP sender share. Private to common/mail/smtp*: nobody else includes it.
 */
#ifndef DESK_MAIL_SMTP_INSIDE_H
#define DESK_MAIL_SMTP_INSIDE_H

#include <pthread.h>
#include <time.h>

#include "base/arena.h"
#include "mail/smtp.h"

/* How far a job is. Guarded by its pool's lock. */
enum smtp_phase {
    SMTP_QUEUED,
    SMTP_RUNNING, /* on a thread */
    SMTP_ASKING,  /* the loop is asked whether it may leave */
    SMTP_BEGUN,   /* it may; bytes of the mail leave */
    SMTP_ENDED,   /* its end may have left */
    SMTP_DONE,    /* the result is on its way to the loop */
};

struct crypto_trust;
struct map;
struct smtp_host; /* a server, by host and port */

/* What the loop and its threads share; all of them own it. */
struct smtp_pool {
    struct crypto_trust *trust;
    char *ca_file, *hello;
    int event_fd;
    pthread_mutex_t lock;
    pthread_cond_t work, answered, ended;
    /* guarded by the lock */
    struct mail_smtp_transfer *first, **behind; /* the line */
    struct map *hosts;                          /* those with mails in line or threads */
    struct mail_smtp_transfer *asking, *over;   /* for the loop */
    int owners;                                 /* the sender, each thread, each mail */
    int threads, live, idle, stuck;             /* stuck: with a mail that was given up */
    int per_host;                               /* threads of one server, at most */
    bool closed;                                /* the loop is not to be called any more */
};

/* One mail. Owned by the loop's side and by the thread that sends it; the last one frees. */
struct mail_smtp_transfer {
    struct smtp_pool *pool;
    /* guarded by the pool's lock */
    int owners;
    enum smtp_phase phase;
    int64_t phase_ms;                         /* when it began */
    enum smtp_stage stage;                    /* where the thread was when it last said so */
    bool began, ended;                        /* phases that it reached */
    bool given_up;                            /* nobody waits: nothing may leave any more */
    bool refused;                             /* the loop, or nobody in time, let it leave */
    struct mail_smtp_transfer *waiting;       /* behind it in the line */
    struct smtp_host *host;                   /* while it is in line */
    struct mail_smtp_transfer *asking, *over; /* behind it on the way to the loop */
    /* set once */
    struct mail_smtp_account account;
    struct secret *secret;
    const char *from, *envelope_id, *message;
    const char **to;
    size_t to_count, length;
    struct mail_smtp_limits limits;
    struct arena *arena;
    bool (*may_send)(void *arg);
    void (*on_done)(void *arg, const struct mail_smtp_result *result);
    void *arg;
    int64_t started_us;
    /* the loop's */
    struct mail_smtp *owner;
    struct timer *timer;
    struct mail_smtp_transfer *prev, *next;
    /* the thread's, until SMTP_DONE */
    struct smtp_dialogue dialogue;
    const char *error; /* what the library told; static; NULL: nothing but the dialogue */
    size_t given;      /* bytes of the mail handed to the library */
    int64_t given_ms;  /* when the last of them was asked for; curl: or something was said */
};

/* What a thread keeps between mails. */
struct smtp_kept {
    void *curl;             /* CURL: its connections live on */
    struct smtp_host *host; /* the server that it is at; NULL: none */
};

/* ---- smtp_line.c: mails in line; with the lock held ---- */

void smtp_line_init(struct smtp_pool *pool);
void smtp_line_fini(struct smtp_pool *pool);

/* Puts it at the end. */
void smtp_line_add(struct mail_smtp_transfer *job);

/* Takes it out, if it is there. */
void smtp_line_remove(struct mail_smtp_transfer *job);

/* The first whose server may have a further thread; NULL: none. */
struct mail_smtp_transfer *smtp_line_first(const struct smtp_pool *pool);

/* How many threads those in line may have now. */
int smtp_line_wanted(const struct smtp_pool *pool);

/* A thread begins with a mail for that server, or ends with it. The host is borrowed in between. */
struct smtp_host *smtp_host_enter(struct smtp_pool *pool, const struct mail_smtp_account *account);
void smtp_host_leave(struct smtp_pool *pool, struct smtp_host *host);

/* ---- smtp_pool.c: threads, and what is guarded by the lock ---- */

/* Returns an owned pool with one owner. PERMANENT "crypto.trust". */
int smtp_pool_new(const struct mail_smtp_options *options, struct smtp_pool **pool,
                  struct err *err);

/* Gives an owner's share back; with the lock held, which is given back too. */
void smtp_pool_leave(struct smtp_pool *pool);

/* With the lock held: starts threads for the mails in line, as far as they are allowed. */
void smtp_pool_start_threads(struct smtp_pool *pool);

/* A monotonic time `ms` from now, for the pool's conditions. */
void smtp_pool_after_ms(struct timespec *until, int64_t ms);

/* With the lock held. */
void smtp_set_phase(struct mail_smtp_transfer *job, enum smtp_phase phase);

/* With the lock held: nobody waits for it any more. The caller has a share of it. */
void smtp_give_up(struct mail_smtp_transfer *job);

/* Gives a share of the mail back. */
void smtp_release(struct mail_smtp_transfer *job);

/* ---- smtp_pool.c: what a back end asks while it sends; on its thread ---- */

/* Before the mail's first byte: false when it must not leave, for whatever reason. Asks the loop.
 */
bool smtp_may_begin(struct mail_smtp_transfer *job);

/* Before a further block of it: false when it was given up, or the last block took too long. */
bool smtp_may_go_on(struct mail_smtp_transfer *job);

/* Before its end: as smtp_may_go_on, and from then on nobody can say that it did not arrive. May be
 * called again. */
bool smtp_may_end(struct mail_smtp_transfer *job);

/* True once the end of the mail may have left: the answer to it has a limit of its own. */
bool smtp_has_ended(struct mail_smtp_transfer *job);

/* Tells the loop where the session is; true if the mail was given up, and its end, if that has
 * left, was given its time. */
bool smtp_given_up(struct mail_smtp_transfer *job);

/* To whom a connection belongs: mails through the same account with the same secret may go over it.
 */
struct smtp_login {
    struct mail_smtp_account account;
    struct secret *secret; /* owned; NULL: none */
    struct mail_smtp_limits limits;
};

/* Copies what the mail is to be sent with; the thread frees it. */
void smtp_login_init(struct smtp_login *login, const struct mail_smtp_transfer *job);
void smtp_login_fini(struct smtp_login *login);

/* Tells the loop that the mail in hand is done, which the thread then has no more, and waits a
 * little for the next one in line if it may go over the same connection. NULL: there is none, or
 * another's mail is in front of it, which shall not wait. */
struct mail_smtp_transfer *smtp_next_alike(struct mail_smtp_transfer *job,
                                           const struct smtp_login *login, struct smtp_kept *kept);

/* The own name for EHLO, the file of CAs, and what it holds. */
const char *smtp_hello(const struct mail_smtp_transfer *job);
const char *smtp_ca_file(const struct mail_smtp_transfer *job);
struct crypto_trust *smtp_trust(const struct mail_smtp_transfer *job);

/* ---- the back ends: block until the session is over; fill dialogue and error ---- */

/* Returns the mail in hand at its end, others may have gone before it (smtp_next_alike); NULL:
 * none.
 */
struct mail_smtp_transfer *smtp_esmtp_send(struct mail_smtp_transfer *job, struct smtp_kept *kept);
void smtp_curl_send(struct mail_smtp_transfer *job, struct smtp_kept *kept);
void smtp_curl_forget(struct smtp_kept *kept);

/* ---- smtp_verdict.c ---- */

/* What the session came to. `ended`: the end of the mail may have left. Recipients are made in the
 * arena. */
void smtp_judge(struct arena *arena, const struct smtp_dialogue *dialogue, const char *error,
                size_t recipients, bool began, bool ended, struct mail_smtp_result *result);

#endif
