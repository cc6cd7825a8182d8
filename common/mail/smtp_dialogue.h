/* What an SMTP session has come to, read off the bytes that go both ways (RFC 5321, 2920, 2034,
 * 4954). Both back ends feed it, so that libesmtp and libcurl, which tell little of the replies to
 * anything but the mail itself, are judged by the same words. It keeps no command's arguments and
 * no text of a reply to AUTH: neither can hold a secret. Pure, one thread at a time. */
#ifndef DESK_MAIL_SMTP_DIALOGUE_H
#define DESK_MAIL_SMTP_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_RECIPIENTS_MAX 100
#define SMTP_TEXT_MAX       200 /* bytes kept of a reply's text */
#define SMTP_ENHANCED_MAX   12  /* "5.123.456" and its end */

/* Where in the session something happened. */
enum smtp_stage {
    SMTP_CONNECT, /* name, TCP, and TLS from the first byte */
    SMTP_GREETING,
    SMTP_HELLO, /* EHLO or HELO */
    SMTP_STARTTLS,
    SMTP_AUTH,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA, /* the command, and the mail itself */
    SMTP_DOT,  /* behind the end of the mail: an answer, or nobody knows */
    SMTP_OTHER,
    SMTP_STAGES,
};

/* The stage as a word for logs: "connect" ... "dot". */
const char *smtp_stage_name(enum smtp_stage stage);

struct smtp_reply {
    int code;                         /* 200-599; 0: none */
    char enhanced[SMTP_ENHANCED_MAX]; /* RFC 3463, or "" */
    char text[SMTP_TEXT_MAX + 1];     /* printable ASCII, the first line's; "" for AUTH */
};

struct smtp_dialogue {
    struct smtp_reply replies[SMTP_STAGES];            /* the last one of each stage */
    struct smtp_reply recipients[SMTP_RECIPIENTS_MAX]; /* one for each RCPT, in order */
    size_t recipient_count;                            /* answered RCPTs */
    enum smtp_stage pending[SMTP_RECIPIENTS_MAX + 8];  /* stages whose reply is due, in order */
    size_t pending_first, pending_count;
    enum smtp_stage last; /* of the last command, or of what the server said unasked */
    int64_t size_limit;   /* bytes that the server says it takes; 0: not told */
    bool tls_expected;    /* 220 to STARTTLS: what comes in the clear behind it is an attack */
    bool injected;        /* and such came */
    bool auth_goes_on;    /* 334: what is sent next is no command */
    bool authenticated;   /* 235 */
    bool broken;          /* a reply that was none, or too many commands: nothing counts after it */
    char verb[9];         /* the line being sent, its beginning */
    size_t verb_length;
    char line[1024]; /* the line being received */
    size_t line_length;
    struct smtp_reply reply; /* being received; its first line's text */
    bool in_reply;
};

/* Begins a session on a connection that is new, or one that greeted before. */
void smtp_dialogue_init(struct smtp_dialogue *dialogue);

/* Takes bytes that were sent as commands; not the mail's own. */
void smtp_dialogue_sent(struct smtp_dialogue *dialogue, const char *bytes, size_t length);

/* Takes bytes that were received. */
void smtp_dialogue_received(struct smtp_dialogue *dialogue, const char *bytes, size_t length);

/* The TLS that STARTTLS began stands: what comes now is the server's own again. */
void smtp_dialogue_secured(struct smtp_dialogue *dialogue);

/* What the session waits for: the stage of the oldest command without a reply, else of the last. */
enum smtp_stage smtp_dialogue_stage(const struct smtp_dialogue *dialogue);

/* Reads "250 2.1.0 text" (the rest of a line behind the code when the code is given apart): fills
 * code, enhanced code and text. False if it is no reply. */
bool smtp_reply_parse(const char *line, size_t length, struct smtp_reply *reply, bool *more);

#endif
