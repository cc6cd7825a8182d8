/* Sends by libesmtp: STARTTLS or none, PLAIN and LOGIN, DSN. The library tells little and its
 * return values less (it returns success when nothing was sent), so the session is followed by what
 * goes over the wire. It is used around these traits of version 1.1.0:
 *
 * - the mail is read through a callback; when that leaves errno set, the connection is dropped
 *   without the mail's end. That is how a mail is stopped.
 * - its own check of the certificate compares with the canonical name and knows no SNI: the context
 *   of crypto/tls.h checks instead.
 * - after a failed AUTH it goes on without: smtp_may_begin refuses that.
 * - with CHUNKING it would send by BDAT: there a chunk's 250 looks like the mail's own when the
 *   connection dies, and one blocked write over TLS ends the session (EAGAIN left in errno). The
 * word is therefore taken out of the answer to EHLO.
 * - it asks OpenSSL for the reason of a wait without emptying the queue of errors first: each time
 *   that bytes pass, it is emptied.
 * - what comes in the clear behind "220" to STARTTLS it takes for the server's: the dialogue sees
 * it.
 * - it waits as long for each byte as for a whole reply, so a server that drips keeps it for ever.
 * Once nobody waits any more, nothing but ends of lines comes in, which are no replies.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "crypto/tls.h"
#include "mail/smtp_inside.h"

/* libesmtp declares smtp_starttls_set_ctx only to those who have seen OpenSSL's header. */
typedef struct ssl_ctx_st SSL_CTX;
#define SSL_SESSION_ASN1_VERSION 1
#include <auth-client.h>
#include <libesmtp.h>

#define BLOCK_BYTES 16384
#define SERVER_SIZE (MAIL_SMTP_HOST_MAX + 8)
#define MAILS_MAX   100 /* over one connection */

struct session {
    struct smtp_kept *kept;         /* the thread's */
    struct mail_smtp_transfer *job; /* in hand; NULL: it is done, and no other came */
    struct smtp_login login;
    int mails; /* that it has carried, with the one in hand */
    smtp_session_t smtp;
    auth_context_t auth;
    struct crypto_tls *tls;
    bool connected;
    int64_t active_ms; /* when something last went over the wire */
    int64_t done_ms;   /* when the last mail was, if none is in hand */
};

/* Behind STARTTLS it looks for our certificate below $XDG_CONFIG_DIR, or $HOME/.config, and fails
 * if that may not be looked into (HOME=/root of another user, ProtectHome): all but "there is no
 * such file" is an error to it. HOME stays as it is, since libpq has its files there. */
void mail_smtp_prepare(void)
{
    if (setenv("XDG_CONFIG_DIR", "/nonexistent", 1) != 0)
        abort(); /* out of memory, like xmalloc */
}

/* ---- callbacks ---- */

/* The library hands out its own read buffer before it parses it. */
static void hide_chunking(const char *bytes, size_t length)
{
    static const char word[] = "CHUNKING", other[] = "X-HIDDEN";
    for (size_t i = 4; i + sizeof word - 1 <= length; i++)
        if ((bytes[i - 1] == '-' || bytes[i - 1] == ' ') &&
            strncasecmp(bytes + i, word, sizeof word - 1) == 0)
            memcpy((char *)(uintptr_t)(bytes + i), other, sizeof other - 1);
}

/* Nobody waits for what comes: the mail was given up, or the end of the session takes too long. */
static bool is_over(void *arg)
{
    const struct session *s = arg;
    return s->job != NULL ? smtp_given_up(s->job)
                          : clock_mono_ms() - s->done_ms >= s->login.limits.command_ms;
}

static void on_bytes(const char *bytes, int length, int writing, void *arg)
{
    struct session *s = arg;
    s->active_ms = clock_mono_ms();
    crypto_tls_forget_errors();
    if (is_over(s) && writing == 0)
        memset((char *)(uintptr_t)bytes, '\n', (size_t)length);
    if (s->job == NULL)
        return;
    struct smtp_dialogue *d = &s->job->dialogue;
    if (writing != 0) {
        smtp_dialogue_sent(d, bytes, (size_t)length);
    } else {
        if (smtp_dialogue_stage(d) == SMTP_HELLO)
            hide_chunking(bytes, (size_t)length);
        smtp_dialogue_received(d, bytes, (size_t)length);
    }
    smtp_given_up(s->job); /* tells where the session is now */
}

/* No block ends the mail: the library then drops the connection because of errno. */
static const char *stop_mail(int *length)
{
    *length = 0;
    errno = ECANCELED;
    return NULL;
}

static const char *read_mail(void **state, int *length, void *arg)
{
    struct session *s = arg;
    struct mail_smtp_transfer *job = s->job;
    (void)state;
    if (length == NULL) {
        job->given = 0;
        return NULL;
    }
    if (job->given == job->length) {
        bool yes = smtp_may_end(job);
        *length = 0;
        errno = yes ? 0 : ECANCELED;
        return NULL;
    }
    if (!(job->given == 0 ? smtp_may_begin(job) : smtp_may_go_on(job)))
        return stop_mail(length);
    size_t left = job->length - job->given;
    *length = (int)(left < BLOCK_BYTES ? left : BLOCK_BYTES);
    const char *block = job->message + job->given;
    job->given += (size_t)*length;
    errno = 0;
    return block;
}

/* The mail in hand, as the session's next. A notice of delay lets an agent know before the customer
 * has waited for days. */
static void add_mail(struct session *s)
{
    const struct mail_smtp_transfer *job = s->job;
    smtp_message_t message = smtp_add_message(s->smtp);
    if (message == NULL)
        abort(); /* out of memory, like xmalloc */
    smtp_set_reverse_path(message, job->from);
    if (job->envelope_id != NULL) {
        smtp_dsn_set_envid(message, job->envelope_id);
        smtp_dsn_set_ret(message, Ret_HDRS);
    }
    for (size_t i = 0; i < job->to_count; i++) {
        smtp_recipient_t to = smtp_add_recipient(message, job->to[i]);
        smtp_dsn_set_notify(to, Notify_FAILURE | Notify_DELAY);
    }
    smtp_size_set_estimate(message, job->length);
    smtp_set_messagecb(message, read_mail, s);
}

/* A mail was accepted: its sender need not wait for the session's end, and the next one for the
 * same account goes over the same connection. */
static void next_mail(struct session *s)
{
    const struct smtp_dialogue *d = &s->job->dialogue;
    const int64_t size_limit = d->size_limit;
    if (s->mails == MAILS_MAX || d->broken || d->replies[SMTP_DOT].code / 100 != 2)
        return;
    struct mail_smtp_transfer *next = smtp_next_alike(s->job, &s->login, s->kept);
    s->job = next;
    s->active_ms = s->done_ms = clock_mono_ms();
    if (next == NULL)
        return;
    s->mails++;
    smtp_dialogue_init(&next->dialogue);
    next->dialogue.size_limit = size_limit;
    add_mail(s);
}

static void on_event(smtp_session_t smtp, int event, void *arg, ...)
{
    struct session *s = arg;
    va_list rest;
    (void)smtp;
    if (s->job == NULL)
        return;
    va_start(rest, arg);
    if (event == SMTP_EV_CONNECT) {
        s->connected = true;
        smtp_dialogue_init(&s->job->dialogue); /* the next of the server's addresses */
        s->active_ms = clock_mono_ms();
    } else if (event == SMTP_EV_STARTTLS_OK) {
        smtp_dialogue_secured(&s->job->dialogue);
    } else if (event == SMTP_EV_WRONG_PEER_CERTIFICATE) {
        *va_arg(rest, int *) = 1; /* our context has compared the name that we asked for */
    } else if (event == SMTP_EV_EXTNA_STARTTLS) {
        s->job->error = "smtp.no_starttls";
    } else if (event == SMTP_EV_MESSAGESENT) {
        next_mail(s);
    }
    va_end(rest);
}

static int on_credentials(auth_client_request_t request, char **result, int fields, void *arg)
{
    const struct session *s = arg;
    for (int i = 0; i < fields; i++) {
        const char *value = NULL;
        if (request[i].flags & AUTH_USER)
            value = s->job->account.user;
        else if (request[i].flags & AUTH_PASS)
            value = secret_reveal(s->job->secret);
        if (value == NULL)
            return 0;
        result[i] = (char *)(uintptr_t)value; /* the library copies it */
    }
    return 1;
}

/* ---- a session ---- */

static void set_limit(struct session *s, int which, int64_t ms)
{
    smtp_set_timeout(s->smtp, which | Timeout_OVERRIDE_RFC2822_MINIMUM, (long)ms);
}

static void set_limits(struct session *s)
{
    const struct mail_smtp_limits *limits = &s->job->limits;
    set_limit(s, Timeout_GREETING, limits->command_ms);
    set_limit(s, Timeout_ENVELOPE, limits->command_ms);
    set_limit(s, Timeout_DATA, limits->command_ms);
    set_limit(s, Timeout_TRANSFER, limits->data_ms);
    set_limit(s, Timeout_DATA2, limits->dot_ms);
}

static void set_security(struct session *s)
{
    const struct mail_smtp_transfer *job = s->job;
    if (job->account.security == MAIL_SMTP_PLAIN)
        return;
    s->tls = crypto_tls_new(smtp_trust(job), job->account.host);
    crypto_tls_end_when(s->tls, is_over, s);
    smtp_starttls_enable(s->smtp, Starttls_REQUIRED);
    smtp_starttls_set_ctx(s->smtp, crypto_tls_context(s->tls));
}

static void set_auth(struct session *s)
{
    if (s->job->account.auth == MAIL_SMTP_NO_AUTH)
        return;
    s->auth = auth_create_context();
    auth_set_mechanism_flags(s->auth, AUTH_PLUGIN_PLAIN, 0);
    auth_set_interact_cb(s->auth, on_credentials, s);
    smtp_auth_set_context(s->smtp, s->auth);
}

/* What the dialogue cannot know: why there is none, or why it broke off. */
static const char *problem(const struct session *s, int code)
{
    const struct smtp_dialogue *d = &s->job->dialogue;
    int64_t silent_ms = clock_mono_ms() - s->active_ms;
    if (s->tls != NULL && crypto_tls_refusal(s->tls) != NULL)
        return "smtp.certificate";
    if (!s->connected)
        return code >= SMTP_ERR_EAI_ADDRFAMILY && code <= SMTP_ERR_EAI_NONAME ? "smtp.resolve"
                                                                              : "smtp.connect";
    if (d->tls_expected)
        return silent_ms >= s->job->limits.command_ms ? "smtp.timeout" : "smtp.tls";
    if (d->broken)
        return "smtp.protocol";
    return silent_ms >= s->job->limits.command_ms ? "smtp.timeout" : "smtp.dropped";
}

static void run(struct session *s)
{
    const struct mail_smtp_transfer *job = s->job;
    char server[SERVER_SIZE];
    snprintf(server, sizeof server, "%s:%d", job->account.host, job->account.port);
    s->smtp = smtp_create_session();
    if (s->smtp == NULL)
        abort(); /* out of memory, like xmalloc */
    smtp_set_server(s->smtp, server);
    if (smtp_hello(job) != NULL)
        smtp_set_hostname(s->smtp, smtp_hello(job));
    smtp_set_eventcb(s->smtp, on_event, s);
    smtp_set_monitorcb(s->smtp, on_bytes, s, 0);
    set_limits(s);
    add_mail(s);
    set_security(s);
    set_auth(s);
    smtp_start_session(s->smtp);
}

static void close_session(struct session *s)
{
    smtp_destroy_session(s->smtp);
    if (s->auth != NULL)
        auth_destroy_context(s->auth);
    crypto_tls_free(&s->tls);
    smtp_login_fini(&s->login);
}

/* A connection that carried others before may be dead by now, or its server may want no more on it:
 * as long as nothing of the mail has left, it is tried once more on a new one. */
struct mail_smtp_transfer *smtp_esmtp_send(struct mail_smtp_transfer *job, struct smtp_kept *kept)
{
    bool again;
    do {
        struct session s = {.kept = kept, .job = job, .mails = 1, .active_ms = clock_mono_ms()};
        smtp_dialogue_init(&job->dialogue);
        smtp_login_init(&s.login, job);
        run(&s);
        int code = smtp_errno();
        job = s.job;
        again = job != NULL && s.mails > 1 && job->given == 0 && job->error == NULL &&
                !smtp_given_up(job);
        if (job != NULL && !again && job->error == NULL)
            job->error = problem(&s, code);
        close_session(&s);
    } while (again);
    return job;
}
