/* The state machine of a mailbox in hand, as a table. Pure. */
#ifndef DESK_MAILPOLLER_BOX_TABLE_H
#define DESK_MAILPOLLER_BOX_TABLE_H

#include "base/strbuf.h"

enum box_state {
    BOX_CONNECTING,
    BOX_SELECTING,
    BOX_FINDING_END,
    BOX_KEEPING,
    BOX_SEARCHING,
    BOX_LOOKING,
    BOX_BEGINNING,
    BOX_PROBING,
    BOX_FETCHING,
    BOX_READING,
    BOX_STORING,
    BOX_PUBLISHING,
    BOX_MOVING,
    BOX_WAITING,
    BOX_LEAVING,
    BOX_ENDING,
    BOX_GONE,
    BOX_ANY, /* in the table: every state but BOX_GONE that has no row of its own */
};

enum box_event {
    BOX_ON_READY,     /* logged in */
    BOX_ON_SAME,      /* the mailbox is the one that we know */
    BOX_ON_CHANGED,   /* the cursor changed otherwise than by a mail */
    BOX_ON_UNTOLD,    /* new, or made anew, and its server does not tell where it ends */
    BOX_ON_KEPT,      /* what was to be written is written */
    BOX_ON_FOUND,     /* there are UIDs to look at */
    BOX_ON_NOTHING,   /* there are none (left) */
    BOX_ON_GAP,       /* there are none here, but perhaps above */
    BOX_ON_NEXT,      /* there is a mail to begin, or a file to read */
    BOX_ON_DOUBT,     /* it was begun before: is it the mail, or the server */
    BOX_ON_TOO_OFTEN, /* it was begun too often */
    BOX_ON_FETCHED,
    BOX_ON_UNWANTED, /* all that came */
    BOX_ON_MISSING,  /* the first of several did not come */
    BOX_ON_WITHHELD, /* the server lists a mail and does not give it */
    BOX_ON_READ,     /* what its files say is in the event */
    BOX_ON_STORED,   /* all its attachments are kept */
    BOX_ON_PUBLISHED,
    BOX_ON_UNPUBLISHED,
    BOX_ON_FULL, /* enough mailboxes keep their connection */
    BOX_ON_NEWS,
    BOX_ON_TIME,
    BOX_ON_DRAIN,
    BOX_ON_FAILED,   /* the session, or what it was asked */
    BOX_ON_DATABASE, /* a unit failed */
    BOX_ON_NOT_HELD, /* another one has the mailbox */
};

enum box_act {
    BOX_DO_SELECT,
    BOX_DO_FIND_END,
    BOX_DO_KEEP,
    BOX_DO_SEARCH,
    BOX_DO_LOOK,
    BOX_DO_BEGIN,
    BOX_DO_PROBE,
    BOX_DO_PROBE_NEXT,
    BOX_DO_FETCH,
    BOX_DO_READ,
    BOX_DO_STORE,
    BOX_DO_PUBLISH,
    BOX_DO_PAUSE,
    BOX_DO_MOVE,
    BOX_DO_WAIT,
    BOX_DO_LOG_OUT,
    BOX_DO_GIVE_BACK,
    BOX_DO_DROP,
};

struct box_rule {
    enum box_state from;
    enum box_event event;
    enum box_state to;
    enum box_act act;
    const char *sentence;
};

/* The rule, or NULL: nothing happens. */
const struct box_rule *box_rule_for(enum box_state state, enum box_event event);

/* "fetching". */
const char *box_state_name(enum box_state state);

/* Prints the table with its sentences. */
void box_table_print(struct strbuf *out);

#endif
