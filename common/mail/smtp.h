/* Sends composed mails by SMTP, each through its account's server, by libesmtp or libcurl
 * (mail/smtp_account.h). Both block, so they run on few threads of their own; everything here is
 * called on the loop's thread, and so are the callbacks.
 *
 * A result is one of four: accepted, refused for good, refused for now, unknown. Unknown is said
 * only when the end of the mail may have reached the server and no answer was heard: then, and only
 * then, may sending it again make a second copy. Anything before leaves the server with an
 * unfinished mail, which it throws away (RFC 5321 4.1.1.4). */
#ifndef DESK_MAIL_SMTP_H
#define DESK_MAIL_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "loop/loop.h"
#include "mail/smtp_account.h"
#include "mail/smtp_codes.h"
#include "mail/smtp_dialogue.h"

#define MAIL_SMTP_THREADS_MAX 64
#define MAIL_SMTP_MAX         (25u * 1024 * 1024) /* bytes of a mail */
#define MAIL_SMTP_ENVELOPE_ID 64                  /* characters */

struct mail_smtp;

struct mail_smtp_options {
    struct loop *loop;   /* borrowed */
    int threads;         /* mails being sent at once: 1 to MAIL_SMTP_THREADS_MAX; half of them, or
                            1, through one server (host and port) */
    const char *ca_file; /* who may vouch for a server; NULL: the system's bundle */
    const char *hello;   /* our own name for EHLO; NULL: the host's */
};

/* Once in a process that sends, before it has threads: keeps libesmtp from looking for certificates
 * of ours in a folder of the user's. */
void mail_smtp_prepare(void);

/* Returns an owned sender. Threads start with the first mail and end when there is none. PERMANENT
 * "crypto.trust" when the CA file cannot be read. */
int mail_smtp_new(const struct mail_smtp_options *options, struct mail_smtp **smtp,
                  struct err *err);

/* Takes back all mails whose end was not sent, without callbacks, and frees; sets to NULL; accepts
 * NULL. A thread that hangs in a look-up of a name ends by itself later. */
void mail_smtp_free(struct mail_smtp **smtp);

/* ---- a mail ---- */

/* Time limits in milliseconds; 0: the value in brackets. RFC 5321 4.5.3.2 asks for minutes because
 * a relay has nothing else to do; we come again instead, except behind the dot. */
struct mail_smtp_limits {
    int64_t connect_ms; /* name, TCP and TLS (15,000) */
    int64_t command_ms; /* for each reply up to the one to DATA (60,000) */
    int64_t data_ms;    /* for each block of the mail (60,000); twice that for all */
    int64_t dot_ms;     /* for the reply to the end (600,000) */
    int64_t begin_ms;   /* from mail_smtp_start until the mail's first byte (120,000) */
};

enum mail_smtp_class {
    MAIL_SMTP_ACCEPTED, /* by the server, for at least one recipient: see `recipients` */
    MAIL_SMTP_REFUSED,  /* for good */
    MAIL_SMTP_DEFERRED, /* nothing was taken; trying again may help */
    MAIL_SMTP_UNKNOWN,  /* nothing was heard behind the end of the mail */
};

struct mail_smtp_recipient {
    enum mail_smtp_class class;
    struct smtp_reply reply; /* of RCPT, or of the end of the mail once that was reached */
    struct smtp_judgement judgement;
};

/* How it ended. Borrowed by the callback for its duration. */
struct mail_smtp_result {
    enum mail_smtp_class class;
    enum smtp_stage stage;           /* where it was decided */
    struct smtp_reply reply;         /* the server's word that decided; code 0: none */
    const char *error;               /* without one, what went wrong: "smtp.timeout"; else "" */
    struct smtp_judgement judgement; /* of what decided; not of an accepted one */
    bool began;                      /* the mail's first byte may have left */
    const struct mail_smtp_recipient *recipients; /* as many as the call had, in its order */
    size_t recipient_count;
    int64_t total_us; /* since mail_smtp_start */
};

struct mail_smtp_call {
    const struct mail_smtp_account *account;
    const struct secret *secret; /* password or access token; NULL without AUTH */
    const char *from;            /* envelope sender: plain (mail/address.h) */
    const char *const *to;       /* envelope recipients: plain */
    size_t to_count;             /* 1 to SMTP_RECIPIENTS_MAX */
    const char *envelope_id;     /* returned in a DSN (RFC 3461): letters, digits, "-"; or NULL */
    const char *message;         /* as mail_compose writes it: ASCII, CRLF */
    size_t length;               /* up to MAIL_SMTP_MAX */
    struct mail_smtp_limits limits;
    /* Asked once, when the server is ready for the mail's first byte; false: nothing leaves. NULL:
     * always. */
    bool (*may_send)(void *arg);
    /* Called exactly once unless cancelled; never from inside mail_smtp_start. */
    void (*on_done)(void *arg, const struct mail_smtp_result *result);
    void *arg;
};

struct mail_smtp_transfer;

/* Starts sending (all of `call` is copied, `arg` borrowed). Never fails: what cannot be sent comes
 * through on_done as REFUSED "smtp.message". Returns a handle for cancel, valid until on_done. */
struct mail_smtp_transfer *mail_smtp_start(struct mail_smtp *smtp,
                                           const struct mail_smtp_call *call);

/* Gives up without a callback: nothing more of it leaves unless its end has already. */
void mail_smtp_cancel(struct mail_smtp *smtp, struct mail_smtp_transfer *transfer);

/* True if the mail is one that may be handed to a server: plain addresses, a header of well-formed
 * fields with exactly one each of Date, From, Message-ID, Subject and To, and no Bcc,
 * an empty line, ASCII without control characters, CRLF at every line's end, no line over 998
 * bytes. What composing guards is asked here once more, where the bytes leave. PERMANENT
 * "smtp.message" otherwise. */
int mail_smtp_check(const struct mail_smtp_call *call, struct err *err);

#endif
