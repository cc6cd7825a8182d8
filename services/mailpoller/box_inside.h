/* What the files of a mailbox in hand share: box.c holds the machine, box_session.c what it asks
 * the mail server, box_write.c what it writes to the database and to Kafka. */
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
#define BOX_TEXT_BYTES  ((size_t)256 * 1024) /* of a mail that is fetched in part */

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

    struct imap_cursor kept;       /* as it stands in the row */
    struct imap_selected selected; /* what the last SELECT said */
    uint32_t *uids;                /* owned: what the last search found */
    size_t uid_count, uid_at;
    uint32_t window_last;
    struct imap_look looks[IMAP_LOOKS_MAX];
    size_t look_count, look_at;

    struct arena *mail_arena; /* of the mail in hand */
    struct mail_outcome outcome;
    struct child *child;   /* that reads one of its files */
    size_t read_at;        /* the attachment that it reads, or the next one */
    int64_t read_until_ms; /* 0: none was read yet */
    size_t stored;         /* attachments kept */
    int64_t fetched_us, tries;
    bool in_part;

    struct arena *unit_arena;
    int guard;               /* the statement that must have a row; -1: none */
    size_t pending, reports; /* units and records in flight; records of those */
    bool unpublished;
};

/* ---- box.c ---- */

/* Does what the table says for the event. The box may be gone then. */
void box_happen(struct box *box, enum box_event event);

/* What comes after a mail: the next one (BOX_ON_NEXT), the next UIDs, or nothing. */
enum box_event box_after_mail(struct box *box);

/* The mail in hand. */
const struct imap_look *box_look(const struct box *box);

/* Frees a box that is gone, once nothing of it is in flight. */
void box_release(struct box *box);

/* ---- box_session.c: each asks, and an event follows ---- */

void box_open_session(struct box *box, enum imap_auth auth); /* with box->secret */
void box_hang_up(struct box *box);
void box_select(struct box *box);
void box_find_end(struct box *box);
void box_search(struct box *box);
void box_ask_looks(struct box *box);
void box_fetch(struct box *box);
void box_wait(struct box *box);

/* ---- box_files.c: BOX_ON_NEXT or BOX_ON_READ follows ---- */

void box_read(struct box *box);
void box_stop_reading(struct box *box);

/* ---- box_write.c: each writes, and BOX_ON_KEPT, BOX_ON_DATABASE or BOX_ON_NOT_HELD follows ----
 */

void box_keep(struct box *box);
void box_begin(struct box *box);
void box_store(struct box *box);
void box_publish(struct box *box);
void box_move(struct box *box);
void box_skip(struct box *box);
void box_give_back(struct box *box);

/* Puts on record what a server wants an operator to see. */
void box_alert(struct box *box, const char *words);

#endif
