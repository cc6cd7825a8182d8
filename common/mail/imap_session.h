/* A session with an IMAP server: from the connection to a mailbox that can be read. One command at
 * a time; the state machine is the table in imap_table.c, which knows the order of greeting,
 * capabilities, login, ID, ENABLE, commands, IDLE and LOGOUT.
 *
 * Messages are read with BODY.PEEK: nothing is ever marked as seen. What the server sends unasked
 * is looked at for news and otherwise left out. All calls and callbacks on the loop's thread. */
#ifndef DESK_MAIL_IMAP_SESSION_H
#define DESK_MAIL_IMAP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "http/stream.h"
#include "loop/loop.h"
#include "mail/imap_cursor.h"

#define IMAP_WORDS_MAX 200 /* bytes of a server's words that are passed on */

enum imap_auth {
    IMAP_AUTH_PASSWORD, /* AUTHENTICATE PLAIN, or LOGIN where there is no PLAIN */
    IMAP_AUTH_XOAUTH2,  /* the secret is an access token */
};

/* What can be asked of an open session. */
enum imap_ask {
    IMAP_ASK_SELECT,
    IMAP_ASK_SEARCH,
    IMAP_ASK_LOOK,  /* sizes and dates of mails */
    IMAP_ASK_FETCH, /* mails */
    IMAP_ASK_APPEND,
    IMAP_ASK_FIND_SENT,
    IMAP_ASK_NOOP,
    IMAP_ASK_IDLE,
};

struct imap_look {
    uint32_t uid;
    int64_t size_bytes;  /* as the server says */
    int64_t internal_ms; /* when it came, as the server says; 0: it does not */
};

/* What became of what was asked; borrowed until the callback returns or asks for something else. */
struct imap_answer {
    enum imap_ask ask;
    bool ok;           /* false: the server refused */
    const char *code;  /* of the answer, upper-case: "NONEXISTENT"; "" */
    const char *words; /* the server's, one line of UTF-8; "" */

    struct imap_selected selected; /* SELECT */
    uint32_t *uids;                /* SEARCH: as they came; may be sorted in place */
    size_t uid_count;
    const struct imap_look *looks; /* LOOK: of those that are still there */
    size_t look_count;
    bool found; /* FIND_SENT: false if there is none */
};

/* What a refusal says that is over by itself: the server is busy, or the account has too many
 * connections or too much traffic for now. `code` and `words` as in an answer. NULL for others. */
const char *imap_answer_passing(const char *code, const char *words);

/* True for such a one when it is said of mails: a bug, or a case for its administrator, is what
 * servers call a mail that they cannot read. */
bool imap_is_servers_trouble(const char *code, const char *words);

/* A mail of a FETCH, as it comes; borrowed until the callback returns. */
struct imap_mail {
    uint32_t uid;
    const char *bytes; /* the whole mail, or its headers and, behind them, the beginning of its
                          body */
    size_t length;
    size_t text_length; /* of that beginning; 0 of a whole mail */
    /* All its parts as the server knows them, as a mail without contents (mail/imap_outline.h);
     * NULL: they were not asked for, or it did not tell them. */
    const char *outline;
    size_t outline_length;
};

struct imap_session_options {
    struct loop *loop; /* borrowed */
    const char *host;  /* copied, as user, ca_file */
    int port;
    enum stream_security security;
    const char *ca_file; /* NULL: the system's; as the next two, see http/stream.h */
    const struct crypto_trust *trust;
    bool public_only;
    const struct address_list *exceptions;
    enum imap_auth auth;
    const char *user;
    const struct secret *secret; /* password or token; borrowed until on_ready or on_end */
    size_t mail_max;    /* bytes of all mails of a FETCH that are taken; 0: MAIL_BYTES_MAX */
    int64_t connect_ms; /* 0: stream's own */
    int64_t quiet_ms;   /* a command's answer stops for so long: given up; 0: 60,000 */
    int64_t total_ms;   /* a command's whole answer; 0: 600,000 */
    void (*on_ready)(void *arg); /* logged in: ask */
    /* A mail that was to be fetched, each at most once, in the server's order; those that are gone
     * do not come. May ask for nothing, and may not close the session. Needed by those who fetch.
     */
    void (*on_mail)(void *arg, const struct imap_mail *mail);
    /* What was asked is over: ask the next, close, or wait. */
    void (*on_answer)(void *arg, const struct imap_answer *answer);
    /* The server told something that an operator must see ([ALERT]); may be NULL. */
    void (*on_alert)(void *arg, const char *words); /* may not close the session */
    /* The session is over, once; the owner still closes it. NULL: logged out as asked. Else what
     * http/stream.h says, or RETRY_LATER "imap.bye", "imap.timeout", "imap.unavailable",
     * "imap.line", "imap.literal", "imap.syntax", "imap.protocol"; FALL_BACK "imap.authentication"
     * (the server does not take user and secret: trying on locks the account), "imap.mechanism" (no
     * way to log in that both know). */
    void (*on_end)(void *arg, const struct err *err);
    void *arg;
};

struct imap_session;

/* Starts to connect and log in. Returns owned. */
struct imap_session *imap_session_open(const struct imap_session_options *options);

/* Closes at once, without LOGOUT and without a callback; sets to NULL; accepts NULL. Allowed inside
 * its own callbacks. */
void imap_session_close(struct imap_session **session);

/* True when nothing is being asked: one of the following may be called. They never call back from
 * inside; what they are given is copied. */
bool imap_session_is_ready(const struct imap_session *session);

/* EXAMINE for `read_only`, else SELECT. The name is UTF-8. False, and nothing is asked, for a name
 * that cannot be one. */
bool imap_session_select(struct imap_session *session, const char *mailbox, bool read_only);

/* UIDs from first to last; last 0: the one mail with the highest UID, whatever `first`. since_ms >
 * 0: only those that came on that day (UTC) or later. */
void imap_session_search(struct imap_session *session, uint32_t first, uint32_t last,
                         int64_t since_ms);

/* Sizes and dates of at most IMAP_LOOKS_MAX mails. */
#define IMAP_LOOKS_MAX 100
void imap_session_look(struct imap_session *session, const uint32_t *uids, size_t count);

/* At most IMAP_FETCH_MAX whole mails, or, `text_max` > 0, of each its headers and so many bytes of
 * what follows. Each comes by on_mail. */
#define IMAP_FETCH_MAX 100
void imap_session_fetch(struct imap_session *session, const uint32_t *uids, size_t count,
                        size_t text_max);

/* The same for one mail in part, and the outline of all its parts. Some servers fail at that of a
 * mail that is broken. */
void imap_session_fetch_outlined(struct imap_session *session, uint32_t uid, size_t text_max);

/* Looks for the mailbox that sent mails are kept in: the one that the server calls \Sent (RFC
 * 6154), else one that is named as usual. Its name stays with the session. */
void imap_session_find_sent(struct imap_session *session);

/* Puts a mail into a mailbox, seen; NULL: into the one that was found last. False as select. */
bool imap_session_append(struct imap_session *session, const char *mailbox, const char *mail,
                         size_t length);

/* Lets the server say what it has. */
void imap_session_noop(struct imap_session *session);

/* Waits until a mail comes, imap_session_wake is called or max_ms are over (a server may end a
 * session after 30 minutes, a NAT after 5). Only if imap_session_can "IDLE"; else noop asks. */
void imap_session_idle(struct imap_session *session, int64_t max_ms);

/* Ends IDLE early; its answer follows. Does nothing otherwise. */
void imap_session_wake(struct imap_session *session);

/* Says goodbye as soon as nothing is being asked; on_end follows. */
void imap_session_logout(struct imap_session *session);

/* True if the BYE that ended the session ("imap.bye") is none of what was asked of it: the server
 * is busy (imap_is_servers_trouble), shuts down or found the session idle. Until it is closed. */
bool imap_session_bye_is_passing(const struct imap_session *session);

/* True if the server spoke of mails since the last search began, or since the owner saw what it
 * told: SELECT speaks of them each time. */
bool imap_session_has_news(const struct imap_session *session);
void imap_session_saw_news(struct imap_session *session);

/* True if the server has the capability, upper-case ("IDLE"); after login. */
bool imap_session_can(const struct imap_session *session, const char *capability);

/* All capabilities, upper-case, with a space around each; after login. Borrowed until the next
 * callback. */
const char *imap_session_capabilities(const struct imap_session *session);

/* Prints the state machine with its sentences. */
void imap_session_print(struct strbuf *out);

#endif
