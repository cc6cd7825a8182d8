/* The turn as a state machine: one table, (state, event) -> (state, action, sentence). The sentence
 * is what the log shows; the table prints itself as a diagram (docs/TURN.md). */
#ifndef DESK_ENGINE_TURN_TABLE_H
#define DESK_ENGINE_TURN_TABLE_H

#include <stddef.h>

#include "base/strbuf.h"

/* Where a channel session with work stands in this process. */
enum turn_state {
    TURN_WAITING,    /* for the end of the burst window, or for a retry */
    TURN_QUEUED,     /* for a free place among the turns at work */
    TURN_SUSPECT,    /* for the one place of turns that were lost with two workers */
    TURN_STARTING,   /* the start statement is on its way */
    TURN_GIVING_UP,  /* it never passes: its texts are on their way to people */
    TURN_THINKING,   /* the model works */
    TURN_PAUSED,     /* the model is asked again in a moment */
    TURN_STORING,    /* a round that calls tools is on its way to the database */
    TURN_ACTING,     /* the tools of a stored round work */
    TURN_ENDING,     /* no time is left: what one of our tools may have done is asked after */
    TURN_COMMITTING, /* the commit is on its way */
    TURN_GONE,       /* nothing in memory any more */
    TURN_STATES,
};

enum turn_event {
    EVENT_DUE,         /* the timer of a state that waits, or backs off */
    EVENT_CLAIMED,     /* a newer text of this session was claimed */
    EVENT_FINAL_TEXT,  /* the same, after two recomputes */
    EVENT_PLACE,       /* a place is free */
    EVENT_RUN,         /* started */
    EVENT_RESUME,      /* started again: a stored round has calls that are not done */
    EVENT_STALE,       /* started or found empty, but a newer text is known already */
    EVENT_LOST_OFTEN,  /* started for the last time: lost with three workers */
    EVENT_IS_SUSPECT,  /* not started: needs the suspect place */
    EVENT_NOTHING,     /* no open event */
    EVENT_HELD,        /* a person has the conversation */
    EVENT_MOVED,       /* the session points to another conversation now */
    EVENT_NOT_FRESH,   /* not started with its claim: a turn is at work, or something is too old */
    EVENT_NOT_OURS,    /* another worker or a newer fence has the session */
    EVENT_DB_AWAY,     /* the statement failed in a way that passes */
    EVENT_UNFIT,       /* the database will never take the statement, which was alone */
    EVENT_UNFIT_TOO,   /* nor the plain commit in its place, or there is none */
    EVENT_ANSWER,      /* the model gave a reply */
    EVENT_TOOLS,       /* the model asked for tools */
    EVENT_CLOSED,      /* the business is closed and answers with its own words only */
    EVENT_STORED,      /* the round is stored */
    EVENT_ACTED,       /* all calls of the round are done, or all that have begun */
    EVENT_MODEL_AWAY,  /* the model failed in a way that passes, with time left */
    EVENT_NO_MODEL,    /* no model of the chain can answer */
    EVENT_RATE,        /* the model's limit per minute is reached: the turn has a place later */
    EVENT_CROWDED,     /* the model has as many calls at once as it may: the turn is in its line */
    EVENT_FULL,        /* other turns have reserved what is left of a budget */
    EVENT_SPENT,       /* a budget is spent */
    EVENT_DEADLINE,    /* the turn's time is over */
    EVENT_COMMITTED,   /* committed, nothing else open */
    EVENT_MORE,        /* committed, other texts are open */
    EVENT_NEWER,       /* refused: a text came after the prompt */
    EVENT_EPOCH,       /* refused: a person took over or handed back; given back */
    EVENT_WORDING,     /* the tenant's wordings are there, or cannot be had */
    EVENT_INTERRUPTED, /* the caller cut in on a spoken reply and has heard some of it */
    EVENT_REDIAL,      /* the call has another socket in mid-turn, or a frame was lost */
    TURN_EVENTS,
};

enum turn_action {
    ACTION_NONE,
    ACTION_WAIT,         /* arm the due timer */
    ACTION_RETRY,        /* arm the due timer with a back-off */
    ACTION_QUEUE,        /* stand in line for a place */
    ACTION_STAND_BY,     /* stand in line for the suspect place */
    ACTION_START,        /* send the start statement */
    ACTION_GIVE_UP,      /* give what it would have answered to people */
    ACTION_THINK,        /* ask the model */
    ACTION_RACE,         /* ask the next model, too */
    ACTION_PAUSE,        /* arm the timer for the next try of the model */
    ACTION_STORE,        /* send the round */
    ACTION_ACT,          /* go on with the first call that is not done */
    ACTION_GIVE_WAY,     /* a question to a tenant's tool is dropped: EVENT_NEWER */
    ACTION_CUT,          /* cut a tenant's tool, hear of what one of ours has done */
    ACTION_RECOMPUTE,    /* stop the model, wait for the burst to end */
    ACTION_REPLY,        /* commit the model's reply */
    ACTION_FALL_BACK,    /* stop the model, commit the fallback wording */
    ACTION_SAY_SPENT,    /* commit what the reception says: no budget, no model */
    ACTION_SAY_CLOSED,   /* commit the after-hours wording */
    ACTION_ASK_WORDING,  /* get the tenant's wordings */
    ACTION_DEGRADE,      /* commit the degraded wording, the turn is failed */
    ACTION_BACK_OFF,     /* arm the timer for the same statement */
    ACTION_COMMIT_AGAIN, /* send the same commit again */
    ACTION_COMMIT_PLAIN, /* commit the fallback wording and nothing else that could be refused */
    ACTION_COMMIT_BARE,  /* commit that the turn is failed, without a reply */
    ACTION_PUBLISH,      /* wake the responder, forget the session */
    ACTION_PUBLISH_WAIT, /* wake the responder, wait for the next turn */
    ACTION_CUT_OFF,      /* stop the model, commit what was heard */
    ACTION_RESTART, /* stop the model, start the turn again as if another engine had begun it */
    ACTION_DROP,    /* stop everything, forget the session */
    TURN_ACTIONS,
};

struct turn_rule {
    enum turn_state from;
    enum turn_event event;
    enum turn_state to;
    enum turn_action action;
    const char *sentence;
};

/* The rule for the pair, or NULL: the event means nothing in that state. */
const struct turn_rule *turn_rule(enum turn_state from, enum turn_event event);

/* Names for logs: "waiting", "due". */
const char *turn_state_name(enum turn_state state);
const char *turn_event_name(enum turn_event event);

/* Appends docs/TURN.md: the table and a Mermaid state diagram. */
void turn_table_print(struct strbuf *out);

#endif
