/* A phone call as a state machine: one table, (state, event) -> (state, action, sentence). call.c
 * executes it; the table prints itself as docs/CALL.md. */
#ifndef DESK_INGRESS_CALL_TABLE_H
#define DESK_INGRESS_CALL_TABLE_H

#include "base/strbuf.h"

/* Where a call stands at the ingress that holds it. */
enum call_state {
    CALL_WAITING,   /* for a relay socket: the first, or another one */
    CALL_LISTENING, /* the caller has the word */
    CALL_ASKED,     /* we have the word, and nothing of the answer is here */
    CALL_SPEAKING,  /* a turn is being spoken */
    CALL_STALLED,   /* a turn is half spoken and does not go on */
    CALL_LEAVING,   /* `end` is sent when all before it was spoken */
    CALL_OVER,      /* the fallback was said; `end` is sent behind it */
    CALL_PARTED,    /* `end` was sent: Twilio closes the socket */
    CALL_GONE,      /* the call is over, or somebody else's */
    CALL_STATES,
};

enum call_event {
    ON_SOCKET,       /* a relay socket is there, the caller has the word */
    ON_SOCKET_OWED,  /* a relay socket is there, and we have the word */
    ON_PROMPT,       /* the caller said something, or pressed keys */
    ON_INTERRUPT,    /* he cut in */
    ON_FILLER_CUT,   /* into nothing but a filler that was said before an `end` */
    ON_OPEN,         /* a fence that asks what was spoken */
    ON_TEXT,         /* words of a turn, more follow */
    ON_LAST,         /* a turn's last words */
    ON_END,          /* a turn ends the relay session */
    ON_STOP,         /* a newer epoch */
    ON_STALL,        /* 1.5 s without a frame in mid-turn */
    ON_QUIET,        /* 4 s of silence while we have the word */
    ON_GIVE_UP,      /* 12 s without a frame while we have the word */
    ON_FAILED,       /* Kafka does not take what the call publishes */
    ON_SPOKEN,       /* all that was written has sounded */
    ON_OWED,         /* something that the caller said before has no answer yet */
    ON_SILENT,       /* the caller has the word and says nothing */
    ON_SILENT_AGAIN, /* still nothing after he was asked */
    ON_DRAINED,      /* this process ends, and nothing is being said */
    ON_CLOSED,       /* the relay socket is closed */
    ON_LINGER,       /* what was waited for does not come */
    ON_ENDED,        /* the call is over */
    CALL_EVENTS,
};

enum call_action {
    DO_GREET,       /* publish `setup` */
    DO_ASK,         /* publish the prompt, start the clock unless it runs */
    DO_PASS_ON,     /* publish the prompt, nothing more */
    DO_HUSH,        /* drop the turn, publish what of it was heard */
    DO_YIELD,       /* drop what is queued: the silence begins anew */
    DO_SHOW,        /* publish what was spoken: the answer to `open` */
    DO_SAY,         /* say it */
    DO_FINISH,      /* say it, publish `heard` (`last`) */
    DO_LEAVE,       /* keep the handoff until all is spoken, publish `heard` (`last`) */
    DO_CUT,         /* drop what is queued, publish `heard` (`stop`) */
    DO_REPORT,      /* publish `heard` (`stall`) */
    DO_FILL,        /* say a filler */
    DO_FALL_BACK,   /* say the fallback, publish `heard` (`fallback`), keep {"do":"record"} */
    DO_HAND_OFF,    /* send `end` with the handoff */
    DO_OWE,         /* start the 12 s; the silence goes on */
    DO_STILL_THERE, /* ask whether he is still there */
    DO_GOODBYE,     /* say goodbye, keep {"do":"hangup"} */
    DO_MOVE,        /* send `end` with {"do":"relay"}: another ingress takes the call */
    DO_LOSE,        /* publish `heard` (`close`) */
    DO_SHUT,        /* close the socket, publish `heard` (`close`) */
    DO_CONCLUDE,    /* publish `heard` (`close`) and `ended`, forget the call */
    DO_FORGET,      /* forget the call */
    CALL_ACTIONS,
};

struct call_rule {
    enum call_state from;
    enum call_event event;
    enum call_state to;
    enum call_action action;
    const char *sentence;
};

/* The rule for the pair, or NULL: the event means nothing in that state. Any thread. */
const struct call_rule *call_rule(enum call_state from, enum call_event event);

/* Names for logs: "listening", "prompt". Any thread. */
const char *call_state_name(enum call_state state);
const char *call_event_name(enum call_event event);

/* Appends docs/CALL.md: the table and a Mermaid state diagram. */
void call_table_print(struct strbuf *out);

#endif
