/* What the files of the IMAP session share. Private to common/mail: nobody else includes it. */
#ifndef DESK_MAIL_IMAP_INSIDE_H
#define DESK_MAIL_IMAP_INSIDE_H

#include "base/strbuf.h"
#include "mail/imap_parse.h"
#include "mail/imap_read.h"
#include "mail/imap_session.h"
#include "mail/imap_write.h"

/* ---- imap_table.c ---- */

enum imap_state {
    IMAP_OPENING,
    IMAP_GREETING,
    IMAP_ASKING_WHAT, /* capabilities before login */
    IMAP_LOGGING_IN,
    IMAP_ASKING_AGAIN, /* capabilities after login: they differ */
    IMAP_INTRODUCING,
    IMAP_ENABLING,
    IMAP_READY,
    IMAP_COMMANDED,
    IMAP_IDLE_ASKED,
    IMAP_IDLING,
    IMAP_IDLE_ENDING,
    IMAP_LEAVING,
    IMAP_OVER,
    IMAP_ANY, /* in the table: every state but IMAP_OVER that has no row of its own */
};

enum imap_event {
    IMAP_ON_OPEN,
    IMAP_ON_SECURED, /* open, and the greeting was read before TLS began */
    IMAP_ON_GREETING,
    IMAP_ON_OK, /* the command's own answer, or there was nothing to send */
    IMAP_ON_NO,
    IMAP_ON_BAD,
    IMAP_ON_CONTINUE,
    IMAP_ON_COMMAND, /* asked by the owner */
    IMAP_ON_IDLE,
    IMAP_ON_WAKE,
    IMAP_ON_LOGOUT,
    IMAP_ON_BYE,
    IMAP_ON_LATE,
    IMAP_ON_BROKEN,
};

enum imap_act {
    IMAP_DO_WAIT,
    IMAP_DO_ASK_WHAT,
    IMAP_DO_LOG_IN,
    IMAP_DO_SEND_PART,
    IMAP_DO_INTRODUCE,
    IMAP_DO_ENABLE,
    IMAP_DO_TELL_READY,
    IMAP_DO_SEND,
    IMAP_DO_BEGIN_IDLE,
    IMAP_DO_NOTE_WAKE,
    IMAP_DO_SEND_DONE,
    IMAP_DO_ANSWER,
    IMAP_DO_LOG_OUT,
    IMAP_DO_END,
    IMAP_DO_FAIL_LOGIN,
    IMAP_DO_FAIL_PROTOCOL,
    IMAP_DO_FAIL_BYE,
    IMAP_DO_FAIL_LATE,
    IMAP_DO_FAIL_BROKEN,
};

struct imap_rule {
    enum imap_state from;
    enum imap_event event;
    enum imap_state to;
    enum imap_act act;
    const char *sentence;
};

/* The rule for an event; what no row speaks of breaks the protocol. */
const struct imap_rule *imap_rule_for(enum imap_state state, enum imap_event event);

/* ---- imap_session.c ---- */

#define IMAP_CAPABILITIES_MAX 8192
#define IMAP_CODE_MAX         64
#define IMAP_LITERALS_SLACK   ((size_t)64 * 1024) /* above mail_max */

/* What was asked, and what came of it so far. */
struct imap_asked {
    enum imap_ask ask;
    struct imap_command command;
    uint32_t *awaited;                          /* FETCH: owned; 0: has come */
    size_t awaited_count, text_max, mail_bytes; /* FETCH; what came so far */
    struct imap_answer answer;
    uint32_t uids_first, uids_last; /* SEARCH: others are left out as they come */
    struct imap_look *looks;        /* LOOK: owned; IMAP_LOOKS_MAX of them */
    size_t uids_room;
    int64_t idle_ms;
};

struct imap_session {
    struct imap_session_options options;
    char *host, *user, *ca_file;
    struct stream *stream;
    struct timer *timer;
    struct imap_reader reader;
    struct arena *arena; /* of the response in hand */
    enum imap_state state;
    char tag[IMAP_TAG_MAX];
    struct imap_command command; /* of the session's own steps */
    struct imap_asked asked;
    struct strbuf capabilities; /* " IMAP4REV1 IDLE ", upper-case */
    struct strbuf sent;         /* name of the mailbox of sent mails, as the server writes it */
    char code[IMAP_CODE_MAX], words[IMAP_WORDS_MAX + 1];
    int64_t total_end_ms; /* of the command in flight */
    int challenges;       /* of the login */
    bool news, wake, leaving;
    struct err broken; /* why the stream ended */
    int depth;         /* steps of it that are on the stack */
    bool closed;       /* by its owner, in one of them */
};

/* Does what the table says for the event. The owner may close the session in it. */
void imap_dispatch(struct imap_session *session, enum imap_event event);

/* Makes the tag of the next command. */
void imap_new_tag(struct imap_session *session);

/* Which literals the server takes at once. */
enum imap_literals imap_literals_of(const struct imap_session *session);

/* ---- imap_take.c: what untagged responses bring ---- */

/* Takes what a response says: capabilities, news, what was asked for. RETRY_LATER "imap.literal"
 * for more bytes of mails than the session takes. */
int imap_take(struct imap_session *session, const struct imap_response *response, struct err *err);

/* Keeps the code and the words of a status. */
void imap_take_status(struct imap_session *session, const struct imap_response *response);

/* Forgets what came of the last question. */
void imap_take_reset(struct imap_asked *asked);

#endif
