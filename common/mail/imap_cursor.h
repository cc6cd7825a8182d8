/* How far a mailbox has been read, and what comes next. UIDs only grow, within one UIDVALIDITY; a
 * changed one voids them all (RFC 9051 section 2.3.1.1). Pure, any thread.
 *
 * A mailbox that is new to us starts at its next mail. One whose UIDVALIDITY changed is read again
 * from the beginning, but only what came since a day before the newest mail that we knew, and never
 * what was there before we began; the events of what was read before are the same by content. One
 * that is at another place, whose UIDVALIDITY may be the same by chance, likewise. */
#ifndef DESK_MAIL_IMAP_CURSOR_H
#define DESK_MAIL_IMAP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAP_WINDOW 50000 /* UIDs that one search looks at, so that its answer has a bound */
#define IMAP_DAY_MS ((int64_t)24 * 3600 * 1000)

struct imap_cursor {
    uint32_t validity;  /* 0: the mailbox was never read, or never at this place */
    uint32_t last_uid;  /* all up to this one are done */
    int64_t since_ms;   /* a rescan's: what is older is left out; 0: no rescan is under way */
    int64_t rescan_to;  /* the rescan's last UID; what is above came by itself */
    int64_t newest_ms;  /* INTERNALDATE of the newest mail that was done, or when reading began */
    int64_t started_ms; /* when reading began; 0: the mailbox was never read */
    bool all; /* the next window has no end; not kept: a new session begins with a window again */
};

/* What SELECT said. */
struct imap_selected {
    uint32_t validity; /* never 0 */
    uint32_t next_uid; /* 0: not told */
    uint32_t exists;
    uint64_t mod_sequence; /* 0: none */
};

enum imap_cursor_change {
    IMAP_CURSOR_SAME,
    IMAP_CURSOR_NEW,    /* starts behind the mails that are there */
    IMAP_CURSOR_RESCAN, /* starts again */
};

/* Compares with what SELECT said at now_ms and changes the cursor; a change must be kept before
 * anything is read by it. If the server does not tell UIDNEXT, `highest`, the highest UID that a
 * search found (0: it is empty), says where a new mailbox starts, and how far a rescan goes. */
enum imap_cursor_change imap_cursor_select(struct imap_cursor *cursor,
                                           const struct imap_selected *selected, uint32_t highest,
                                           int64_t now_ms);

/* The UIDs to search next: first..last. False if there can be none, as the highest UID is done. */
bool imap_cursor_window(const struct imap_cursor *cursor, uint32_t *first, uint32_t *last);

/* Sorts what a search found, and leaves out twins and what is not within first..last: a server may
 * answer "n:*" with less than n. Returns how many are left. */
size_t imap_cursor_sort(uint32_t *uids, size_t count, uint32_t first, uint32_t last);

/* The time since which a search has to look, a day earlier than a rescan's since_ms, as dates in
 * searches know neither hours nor zones; 0: any. */
int64_t imap_cursor_search_since(const struct imap_cursor *cursor);

/* True if a mail is to be published: not one of a rescan that is older than since_ms by the
 * server's date, nor a day older by its own (0: not known yet): a mailbox that was moved has the
 * day of the move on all its mails. One that tells no date of its own is taken for an old one. */
#define IMAP_CURSOR_UNDATED 1
bool imap_cursor_wants(const struct imap_cursor *cursor, uint32_t uid, int64_t internal_ms,
                       int64_t own_ms);

/* The mail is done (published, or not wanted): moves the cursor forward, never back. internal_ms 0:
 * unknown; later than now_ms, as a mail that somebody put there may have it, counts as now. A
 * rescan ends when its last UID is done. */
void imap_cursor_done(struct imap_cursor *cursor, uint32_t uid, int64_t internal_ms,
                      int64_t now_ms);

/* The window was searched and all that was found in it is done. The cursor moves to its end if more
 * UIDs are known to be above it (next_uid of SELECT), so that a gap is not searched for ever. Where
 * that is not told, the next window is all that is above, so that mails behind a gap are found, and
 * the cursor stays. Returns true if the next window is to be searched now. */
bool imap_cursor_window_done(struct imap_cursor *cursor, uint32_t last, uint32_t next_uid);

#endif
