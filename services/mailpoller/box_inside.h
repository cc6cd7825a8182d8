/* What the files of a mailbox in hand share: box.c holds the machine, box_session.c what it asks
 * the mail server, box_batch.c the mails in hand, box_withheld.c those that do not come,
 * box_probe.c whether others do, box_write.c what it writes to the database and to Kafka. */
#ifndef DESK_MAILPOLLER_BOX_INSIDE_H
#define DESK_MAILPOLLER_BOX_INSIDE_H

#include "box.h"
#include "box_table.h"
#include "child.h"
#include "mail/imap_session.h"
#include "mail/oauth.h"
#include "mail_event.h"
#include "mailpoller.h"

#define BOX_TRIES_WHOLE 2 /* then a mail is fetched in part, and once only */
#define BOX_TRIES_MAX   3
#define BOX_TEXT_BYTES  ((size_t)256 * 1024)   /* of a mail that is fetched in part */
#define BOX_BATCH_BYTES ((int64_t)1024 * 1024) /* of mails that are fetched together */
#define BOX_REFUSAL_MAX 32
#define BOX_PROBES_MAX  5 /* others that are asked for when a mail was refused */

/* A mail in hand. */
struct box_mail {
    struct box *box;
    const struct imap_look *look;
    bool found;                  /* false: it has not come */
    bool published;              /* all brokers have its records */
    bool unpublished;            /* one of them failed */
    size_t stored;               /* attachments kept */
    size_t reports;              /* records in flight */
    struct mail_outcome outcome; /* once it is found */
};

struct box {
    struct mailpoller *mailpoller;
    struct box_link link;
    struct arena *arena; /* of the mailbox's texts */
    struct mailbox mailbox;
    char id[UUID_TEXT_SIZE], worker[UUID_TEXT_SIZE];
    enum box_state state;
    struct imap_session *session;
    struct secret *secret;
    struct oauth_wait *token_wait; /* for an access token */
    struct timer *timer;
    struct err err; /* why the session is over, or what was asked of it went wrong */
    bool over, ready, draining, unwell;
    bool begun;   /* the row may say that this life began a mail */
    bool refused; /* a record that brokers will never take */
    bool giving;  /* the server was asked for the mails in hand */
    bool broken;  /* it ended the session then, or fell silent */
    bool polled;  /* looked into, given back until the next look */
    bool keeps;   /* its connection, while nothing comes: one of idle_max */

    struct imap_cursor kept;       /* as it stands in the row */
    struct imap_selected selected; /* what the last SELECT said */
    struct imap_selected all_read; /* what the one said behind which all was read; or none */
    uint32_t *uids;                /* owned: what the last search found */
    size_t uid_count, uid_at;
    size_t asked;                  /* of them, before uid_at: what the server was asked to tell */
    size_t look_most;              /* so many are asked for at once; 0: IMAP_LOOKS_MAX */
    char refusal[BOX_REFUSAL_MAX]; /* the code of the last refusal to tell or give mails; "" */
    uint32_t window_last;
    uint32_t withheld, withheld_to; /* the next mails, listed and not told once; 0: none */
    struct imap_look *looks;        /* owned: the next of them */
    size_t look_count, look_at;

    uint32_t probed; /* the mail in hand beside which others were asked for; 0: none */
    uint32_t probes[BOX_PROBES_MAX];
    size_t probe_count, probe_at;
    bool proven;       /* one of them was given */
    const char *doubt; /* what an error says behind its sentence if none was */

    struct arena *mail_arena; /* of the mails in hand */
    struct box_mail *mails;   /* by UID: the looks from look_at on */
    size_t mail_count;
    size_t mail_at;        /* whose files are read or kept */
    struct child *child;   /* that reads one of them */
    size_t read_at;        /* the attachment that it reads, or the next one */
    int64_t read_until_ms; /* 0: none was read yet */
    int64_t fetched_us, tries;
    size_t alone; /* so many mails are taken one at a time */
    bool in_part;
    bool outlined;    /* the server was asked for the outline of its parts as well */
    bool no_outlines; /* and did not give it with that: it is asked for without */

    struct arena *unit_arena;
    int guard;               /* the statement that must have a row; -1: none */
    size_t pending, reports; /* units and records in flight; records of those */
};

/* ---- box.c ---- */

/* Does what the table says for the event. The box may be gone then. */
void box_happen(struct box *box, enum box_event event);

/* The first of the mails in hand, or the next one. */
const struct imap_look *box_look(const struct box *box);

/* Frees a box that is gone, once nothing of it is in flight. */
void box_release(struct box *box);

/* ---- box_batch.c ---- */

/* What comes behind the mails that were looked at: the next of them (BOX_ON_NEXT), the next UIDs,
 * or nothing. */
enum box_event box_after_mails(struct box *box);

/* The next mails were begun `tries` times, of those that are not told the ones up to `last`: takes
 * them in hand. BOX_ON_KEPT, BOX_ON_DOUBT, BOX_ON_FAILED or BOX_ON_TOO_OFTEN. */
enum box_event box_take_in_hand(struct box *box, int64_t tries, int64_t last);

/* They are listed for a person, and not published. */
void box_pass_by(struct box *box, const char *reason);

/* One of them came. */
void box_take_mail(struct box *box, const struct imap_mail *came);

/* All came that come, or the server refused the rest: BOX_ON_FETCHED if one of them is to be
 * published, else BOX_ON_UNWANTED; BOX_ON_MISSING if one must be asked for alone, else what
 * box_not_come says. */
enum box_event box_taken(struct box *box, bool refused);

/* True for one that is to be published. */
bool box_mail_counts(const struct box_mail *mail);

/* The cursor has passed them: what comes next. */
enum box_event box_moved(struct box *box);

/* ---- box_withheld.c ---- */

/* True for one that the server lists, and of which it has not even told the size. */
bool box_is_untold(const struct imap_look *look);

/* The UID of the last mail that is begun with the next one, as neither was told; else its own. */
uint32_t box_last_untold(const struct box *box);

/* box->looks is what was told of the UIDs that were asked for, before the server refused the rest
 * or of all: leaves those before the first one that was not told, and says what follows. */
enum box_event box_told(struct box *box, bool refused);

/* The mail in hand, alone, did not come. BOX_ON_WITHHELD; the second time BOX_ON_FAILED or, passed
 * by, BOX_ON_UNWANTED. */
enum box_event box_not_come(struct box *box);

/* A new search found these: a mail that is no more listed is gone, and was withheld by nobody. */
void box_listed(struct box *box);

/* The mails in hand are listed and not given: says why the mailbox is given back, to be tried
 * again. False if that was often enough: they are passed by. */
bool box_put_off(struct box *box);

/* ---- box_probe.c ---- */

/* The mails in hand were tried before, and no other one was asked for yet in this session. */
bool box_in_doubt(const struct box *box);

/* Whether it counts against the mails in hand that the server does not give them. */
bool box_is_proven(const struct box *box);

/* Looks for others, asks for the next of them. BOX_ON_FOUND follows while there is one to ask for;
 * then, proven or not, BOX_ON_NEXT for mails that were told, else BOX_ON_FAILED or BOX_ON_TOO_OFTEN
 * as of box_put_off. */
void box_probe(struct box *box);
void box_probe_next(struct box *box);
void box_probe_came(struct box *box, const struct imap_mail *came);
void box_probe_answered(struct box *box, const struct imap_answer *answer);

/* ---- box_session.c: each asks, and an event follows ---- */

/* Connects and logs in, with box->secret. */
void box_open_session(struct box *box, enum imap_auth auth);

/* Closes the session, if there is one; no event follows. */
void box_hang_up(struct box *box);

/* The commands of a session: the folder, its highest UID, the UIDs behind the cursor, what of their
 * looks is asked first, the mails in hand, and a change of the folder. */
void box_select(struct box *box);
void box_find_end(struct box *box);
void box_search(struct box *box);
void box_ask_looks(struct box *box);
void box_fetch(struct box *box);
void box_wait(struct box *box);

/* ---- box_files.c: BOX_ON_NEXT or BOX_ON_READ follows ---- */

/* Has the next file of a mail in hand read by a child, which stopping ends without an event. */
void box_read(struct box *box);
void box_stop_reading(struct box *box);

/* ---- box_write.c: each writes, and BOX_ON_KEPT, BOX_ON_DATABASE or BOX_ON_NOT_HELD follows ----
 */

/* The cursor of a folder that was opened; the note of the mails that are begun; a mail's
 * attachments; its records, to Kafka; the cursor behind the mails in hand; and the end of this
 * worker's hold, with what failed. */
void box_keep(struct box *box);
void box_begin(struct box *box);
void box_store(struct box *box);
void box_publish(struct box *box);
void box_move(struct box *box);
void box_give_back(struct box *box);

/* Puts on record what a server wants an operator to see. */
void box_alert(struct box *box, const char *words);

#endif
