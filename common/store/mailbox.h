/* Mailboxes that are read, and what their mails bring (schema/migrations/0028_mailboxes.sql). A
 * mailbox names its worker; whoever writes to it names worker and fence, and nothing happens if it
 * was claimed by another one since. Statements only; texts are borrowed until the unit is done. */
#ifndef DESK_STORE_MAILBOX_H
#define DESK_STORE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "mail/imap_cursor.h"
#include "pg/pg.h"

#define MAILBOX_ERROR_MAX   200 /* bytes */
#define MAILBOX_TRUSTED_MAX 8
#define MAILBOX_HOUSE_MAX   100 /* addresses of one tenant */

struct mailbox {
    struct uuid tenant, id;
    const char *address; /* lower-case */
    const char *host;
    int port;
    const char *security; /* "tls", "starttls", "plain" */
    const char *auth;     /* "password", "xoauth2" */
    const char *user_name;
    const char *secret_from,
        *secret_name;        /* "file" and a path, "env" and a name, "sealed" and "" */
    const char *wrapped_hex; /* of a sealed one (mail/login.h); "" if there is none */
    int64_t wrapped_version; /* rises when it changes */
    const char *folder;
    const char *trusted[MAILBOX_TRUSTED_MAX]; /* servers whose Authentication-Results count */
    size_t trusted_count;
    const char *house[MAILBOX_HOUSE_MAX]; /* all addresses of the tenant's mailboxes */
    size_t house_count;
    struct imap_cursor cursor;
    int64_t fence, failures;
};

/* Whose hand a statement is of. */
struct mailbox_hold {
    struct uuid tenant, id;
    const char *worker;
    int64_t fence;
    /* The id of the loop's own life, from its start to its end. A worker's id is another one after
     * each lease that was lost, while the loop lives on. */
    const char *life;
};

/* How many more may be taken. */
struct mailbox_room {
    int places;
    int per_server;      /* of one server, with those of `servers` */
    const char *servers; /* array literal: HOST:PORT of each that takes one of the places now */
};

/* Adds the statement that takes due mailboxes in the worker's name while there is room, by due
 * time: those without a live worker, and those that name it but are not in `held` (array literal of
 * ids). One that is paused or removed is not due. */
void mailbox_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                       const char *held, const struct mailbox_room *room);

/* Reads row `row` of the claim, which is statement `statement`; texts are copied to the arena.
 * False: no more. */
bool mailbox_read_claimed(const struct pg_answer *answer, int statement, int row,
                          struct arena *arena, struct mailbox *out);

/* Adds the statement that keeps the cursor, and with it that all is well; it never moves back
 * within one UIDVALIDITY. One row if the hold is good, none if not. */
void mailbox_add_cursor(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                        const struct imap_cursor *cursor);

/* Adds the statement that finds the ids of those of the worker's mailboxes that were paused or
 * removed since it took them. */
void mailbox_add_ended(struct pg_unit *unit, const char *worker);

/* Adds the statement that notes that a mail is begun, and with it those up to `last`. One row with
 * the number of lives that began it and did not tell that they outlived it, and of failures that
 * were its own, from 1, and with the last one that all of these tries were of as well; none if the
 * hold is not good, or the mailbox was paused or removed. */
void mailbox_add_begin(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                       uint32_t uid, uint32_t last);

/* Adds the statement that tells that the life outlived all mails that it began, but those of the
 * mailboxes `in_hand` (array literal of ids), which it may be at. */
void mailbox_add_outlived(struct pg_unit *unit, const char *life, const char *in_hand);

/* Adds the statement that notes what an operator must see; at most MAILBOX_ERROR_MAX bytes. */
void mailbox_add_alert(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                       const char *words);

/* How a mailbox is given back. */
struct mailbox_end {
    const char
        *error; /* NULL: without a failure; else at most MAILBOX_ERROR_MAX bytes, for people */
    int64_t next_in_ms;    /* due then */
    bool mail_at_fault;    /* false: the mail that was begun in this life counts as not begun */
    bool pause;            /* for a person to mend: nobody takes it until it is resumed */
    int64_t login_version; /* that was tried: a newer one is tried at once instead of a pause */
};

/* Adds the statement that gives the mailbox back. */
void mailbox_add_end(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                     const struct mailbox_end *end);

/* A login that was wrapped anew. */
struct mailbox_renewal {
    int64_t version;         /* of the one that it was made from */
    const char *former_hex;  /* what the same process had written instead of that; "": nothing */
    const char *wrapped_hex; /* the new one */
};

/* Adds the statement that keeps it, if the row still has that version, or what the process wrote
 * there; no row if another process was first. */
void mailbox_add_login(struct pg_unit *unit, struct arena *arena, const struct uuid *tenant,
                       const struct uuid *id, const struct mailbox_renewal *renewal);

/* Adds the statement that gives back all mailboxes of the worker, due now (drain). */
void mailbox_add_release(struct pg_unit *unit, const char *worker);

/* A mail that is passed by. */
struct mailbox_skip {
    uint32_t uid;
    const char *reason; /* "no_sender", "unreadable", "too_often", "old" */
};

/* Adds the statement that notes that these mails were passed by. */
void mailbox_add_skips(struct pg_unit *unit, struct arena *arena, const struct mailbox_hold *hold,
                       const struct imap_cursor *cursor, const struct mailbox_skip *skips,
                       size_t count);

/* What a mail brings besides text. */
struct attachment {
    const char *event_id; /* its ce_id */
    int number;
    const char *kind, *name, *type;
    const void *bytes;
    size_t length;
};

/* How long it may take to keep one: also over a slow line, or in a busy database, a large one must
 * come to its end, or its mail never does. A megabit a second, or two in hexadecimal, is less than
 * whatever a desk can work with. */
#define ATTACHMENT_FLOOR_MS    20000
#define ATTACHMENT_BYTES_PER_S ((int64_t)128 * 1024)
int64_t attachment_time_ms(size_t length);

/* Adds the statements that keep it, once, and gives the unit the time that it may take. The bytes
 * are copied into the arena. */
void attachment_add(struct pg_unit *unit, struct arena *arena, const struct uuid *tenant,
                    const struct attachment *attachment);

/* Adds the statement that drops up to 100 attachments whose event nobody claimed in 30 days,
 * or that are older than a day and of an erased person. As many rows as were dropped. */
void attachment_add_sweep(struct pg_unit *unit);

#endif
