/* A line of copies, few at a time: a mailbox may have few sessions at once. Each is noted in the
 * database before it is tried, then its mailbox's login is opened, then common/mail/sent_copy.h
 * does the rest. What failed for now, before the server was asked to keep it, has its note taken
 * back and waits beside the line, as others' copies have servers of their own. The mail is composed
 * anew: the same rows give the same bytes. */
#include "sent_copies.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "counters.h"
#include "mail/compose.h"
#include "mail/sent_copy.h"
#include "mail_send.h"
#include "mailbox_login.h"
#include "service/log.h"
#include "store/mail_copy.h"

#define AT_ONCE  2
#define LINE_MAX 256
#define UNIT_MS  10000

/* A second, four, and so on: over within six minutes, as the mail is kept in memory. */
#define TRIES_MAX     6
#define FIRST_WAIT_MS 1000

struct copy {
    TAILQ_ENTRY(copy) entry;
    struct sent_copies *copies;
    struct arena *arena;
    struct delivery_ref ref;
    char id[UUID_TEXT_SIZE];
    struct strbuf message;
    struct mail_copy account; /* texts in the arena */
    struct secret *secret;
    struct oauth_wait *token_wait;
    struct mail_sent_copy *sending;
    struct timer *timer;
    int tries;
    bool running, in_unit, given_up;
    bool waiting; /* to be tried again */
};

struct sent_copies {
    struct responder *responder;
    TAILQ_HEAD(, copy) line;
    size_t count, running;
};

static void go_on(struct sent_copies *copies);

static void destroy(struct copy *copy)
{
    struct sent_copies *copies = copy->copies;
    TAILQ_REMOVE(&copies->line, copy, entry);
    copies->count--;
    copies->running -= copy->running;
    timer_free(&copy->timer);
    oauth_cancel(&copy->token_wait);
    mail_sent_copy_cancel(&copy->sending);
    secret_free(&copy->secret);
    strbuf_fini(&copy->message);
    arena_free(&copy->arena);
    free(copy);
}

static void end(struct copy *copy, const struct err *err)
{
    struct sent_copies *copies = copy->copies;
    metric_add(err == NULL ? counters.copies : counters.copies_failed, 1);
    if (err != NULL)
        log_warn("sent_copy.failed", LOG_TEXT("delivery", copy->id), LOG_ERR(err));
    destroy(copy);
    go_on(copies);
    responder_step(copies->responder);
}

/* ---- another try ---- */

/* Others have its place meanwhile. */
static void put_back(void *arg, const struct pg_answer *answer)
{
    struct copy *copy = arg;
    struct sent_copies *copies = copy->copies;
    copy->in_unit = false;
    if (answer->err != NULL) {
        end(copy, answer->err);
        return;
    }
    copies->running--;
    copy->running = false;
    copy->waiting = !copies->responder->draining;
    if (copy->given_up)
        destroy(copy);
    else if (copy->waiting)
        timer_start(copy->timer, (int64_t)FIRST_WAIT_MS << (2 * (copy->tries - 1)), 0);
    go_on(copies);
    responder_step(copies->responder);
}

/* The server has certainly no copy. */
static void fail(struct copy *copy, const struct err *err)
{
    struct responder *responder = copy->copies->responder;
    const bool passing = err->class == ERR_RETRY_NOW || err->class == ERR_RETRY_LATER;
    if (!passing || copy->tries == TRIES_MAX || responder->draining) {
        end(copy, err);
        return;
    }
    log_info("sent_copy.later", LOG_TEXT("delivery", copy->id), LOG_INT("tries", copy->tries),
             LOG_ERR(err));
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = put_back, .arg = copy};
    copy->in_unit = true;
    secret_free(&copy->secret);
    mail_copy_add_put_back(&unit, copy->arena, &copy->ref);
    pg_submit(responder->pg, &unit);
}

static void on_timer(void *arg)
{
    struct copy *copy = arg;
    copy->waiting = false;
    go_on(copy->copies);
}

void sent_copies_drain(struct sent_copies *copies)
{
    struct copy *copy;
    TAILQ_FOREACH(copy, &copies->line, entry)
    {
        copy->waiting = false;
        timer_stop(copy->timer);
    }
    go_on(copies);
}

/* ---- appending ---- */

static void on_kept(void *arg, const struct err *err, bool perhaps)
{
    struct copy *copy = arg;
    struct err why;
    copy->sending = NULL;
    if (err != NULL)
        why = *err;
    if (err != NULL && strcmp(why.code, "imap.authentication") == 0)
        mailbox_login_refused(copy->copies->responder->logins, &copy->account.login.mailbox);
    if (err != NULL && !perhaps)
        fail(copy, &why);
    else
        end(copy, err != NULL ? &why : NULL);
}

static enum stream_security security_of(const char *name)
{
    if (strcmp(name, "starttls") == 0)
        return STREAM_STARTTLS_IMAP;
    return strcmp(name, "plain") == 0 ? STREAM_PLAIN : STREAM_TLS;
}

static void append(struct copy *copy, enum imap_auth auth)
{
    const struct responder *responder = copy->copies->responder;
    const char *ca_file = responder->shared->settings.mail_ca_file;
    const struct mail_copy *account = &copy->account;
    copy->sending = mail_sent_copy_start(&(struct mail_sent_copy_options){
        .session = {.loop = responder->loop,
                    .host = account->host,
                    .port = account->port,
                    .security = security_of(account->security),
                    .ca_file = ca_file[0] != '\0' ? ca_file : NULL,
                    .public_only = true,
                    .exceptions = responder->shared->networks,
                    .auth = auth,
                    .user = account->user,
                    .secret = copy->secret,
                    .connect_ms = responder->shared->settings.mail_connect_ms},
        .folder = account->folder,
        .message = copy->message.data,
        .length = copy->message.length,
        .on_done = on_kept,
        .arg = copy});
}

/* ---- logging in ---- */

static void on_token(void *arg, const struct secret *token, const struct err *err)
{
    struct copy *copy = arg;
    copy->token_wait = NULL;
    if (token == NULL) {
        fail(copy, err);
        return;
    }
    copy->secret = secret_new(secret_reveal(token), secret_length(token));
    append(copy, IMAP_AUTH_XOAUTH2);
}

static int read_secret(struct copy *copy, struct err *err)
{
    const struct mail_copy *account = &copy->account;
    if (strcmp(account->secret_from, "sealed") != 0)
        return secret_read(
            arena_printf(copy->arena, "%s:%s", account->secret_from, account->secret_name),
            &copy->secret, err);
    struct mailbox_key key;
    if (mailbox_login_open(copy->copies->responder->logins, &copy->ref.tenant, &account->login,
                           on_token, copy, &key, err) != 0)
        return -1;
    copy->secret = key.password;
    copy->token_wait = key.wait;
    return 0;
}

static void log_in(struct copy *copy)
{
    struct err err;
    if (read_secret(copy, &err) != 0) {
        fail(copy, &err);
        return;
    }
    if (copy->token_wait != NULL)
        return;
    if (copy->secret == NULL) {
        err_set(&err, ERR_PERMANENT, "secret.reference", "the mailbox's secret is empty");
        end(copy, &err);
        return;
    }
    append(copy,
           strcmp(copy->account.auth, "xoauth2") == 0 ? IMAP_AUTH_XOAUTH2 : IMAP_AUTH_PASSWORD);
}

/* ---- the note ---- */

static void take_account(struct copy *copy, const struct mail_copy *account)
{
    struct mail_copy *own = &copy->account;
    *own = *account;
    const char **texts[] = {&own->login.way, &own->login.hex,   &own->host,
                            &own->security,  &own->auth,        &own->user,
                            &own->folder,    &own->secret_from, &own->secret_name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_strdup(copy->arena, *texts[i]);
}

static void noted(void *arg, const struct pg_answer *answer)
{
    struct copy *copy = arg;
    struct sent_copies *copies = copy->copies;
    struct mail_copy account;
    copy->in_unit = false;
    if (answer->err != NULL) {
        end(copy, answer->err);
    } else if (!copy->given_up && mail_copy_read(answer, &account)) {
        take_account(copy, &account);
        log_in(copy);
    } else {
        destroy(copy);
        go_on(copies);
        responder_step(copies->responder);
    }
}

static void start(struct copy *copy)
{
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = noted, .arg = copy};
    copy->running = copy->in_unit = true;
    copy->copies->running++;
    copy->tries++;
    mail_copy_add(&unit, copy->arena, &copy->ref);
    pg_submit(copy->copies->responder->pg, &unit);
}

static void go_on(struct sent_copies *copies)
{
    struct copy *copy;
    TAILQ_FOREACH(copy, &copies->line, entry)
    if (!copy->running && !copy->waiting && copies->running < AT_ONCE)
        start(copy);
}

/* ---- the line ---- */

static void drop(const char *id)
{
    metric_add(counters.copies_failed, 1);
    log_warn("sent_copy.dropped", LOG_TEXT("delivery", id));
}

/* A server that is away for long shall take no place from the mails of the others. */
static void make_room(struct sent_copies *copies)
{
    struct copy *copy;
    TAILQ_FOREACH(copy, &copies->line, entry)
    if (copy->waiting) {
        drop(copy->id);
        destroy(copy);
        return;
    }
}

void sent_copies_add(struct sent_copies *copies, const struct flight *flight)
{
    struct err err;
    if (copies->count >= LINE_MAX)
        make_room(copies);
    if (copies->count >= LINE_MAX) {
        drop(flight->id);
        return;
    }
    struct copy *copy = xcalloc(1, sizeof *copy);
    copy->copies = copies;
    copy->arena = arena_new();
    copy->ref = flight->ref;
    memcpy(copy->id, flight->id, sizeof copy->id);
    copy->timer = timer_new(copies->responder->loop, on_timer, copy);
    strbuf_init(&copy->message, MAIL_COMPOSE_MAX);
    TAILQ_INSERT_TAIL(&copies->line, copy, entry);
    copies->count++;
    if (mail_send_compose(flight, &copy->message, &err) != 0)
        end(copy, &err);
    else
        go_on(copies);
}

size_t sent_copies_count(const struct sent_copies *copies)
{
    return copies->count;
}

void sent_copies_give_up(struct sent_copies *copies)
{
    struct copy *copy = TAILQ_FIRST(&copies->line);
    while (copy != NULL) {
        struct copy *next = TAILQ_NEXT(copy, entry);
        copy->given_up = true;
        drop(copy->id);
        if (!copy->in_unit)
            destroy(copy);
        copy = next;
    }
}

struct sent_copies *sent_copies_new(struct responder *responder)
{
    struct sent_copies *copies = xcalloc(1, sizeof *copies);
    copies->responder = responder;
    TAILQ_INIT(&copies->line);
    return copies;
}

void sent_copies_free(struct sent_copies **copies)
{
    if (*copies == NULL)
        return;
    while (!TAILQ_EMPTY(&(*copies)->line))
        destroy(TAILQ_FIRST(&(*copies)->line));
    free(*copies);
    *copies = NULL;
}
