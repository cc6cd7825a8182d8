/* The table of the turn and its printing. session.c executes it. */
#include "turn_table.h"

static const struct turn_rule rules[] = {
    {TURN_WAITING, EVENT_CLAIMED, TURN_WAITING, ACTION_WAIT,
     "another text came: the burst window moves"},
    {TURN_WAITING, EVENT_DUE, TURN_QUEUED, ACTION_QUEUE, "the burst is over: a turn is due"},
    {TURN_WAITING, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "another worker has the session"},

    {TURN_QUEUED, EVENT_CLAIMED, TURN_WAITING, ACTION_WAIT,
     "another text came while in line: the burst goes on"},
    {TURN_QUEUED, EVENT_PLACE, TURN_STARTING, ACTION_START, "a place is free: the turn starts"},
    {TURN_QUEUED, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "another worker has the session"},

    {TURN_SUSPECT, EVENT_CLAIMED, TURN_SUSPECT, ACTION_NONE,
     "another text came: the turn still waits for the suspect place"},
    {TURN_SUSPECT, EVENT_PLACE, TURN_STARTING, ACTION_START,
     "the suspect place is free: the turn starts alone"},
    {TURN_SUSPECT, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "another worker has the session"},

    {TURN_STARTING, EVENT_CLAIMED, TURN_STARTING, ACTION_NONE,
     "another text came: the start will show whether it holds it"},
    {TURN_STARTING, EVENT_FINAL_TEXT, TURN_STARTING, ACTION_NONE,
     "another text came: it is for the next turn"},
    {TURN_STARTING, EVENT_RUN, TURN_THINKING, ACTION_THINK, "started: the model is asked"},
    {TURN_STARTING, EVENT_RESUME, TURN_ACTING, ACTION_ACT,
     "started again: the tools of the stored round go on"},
    {TURN_STARTING, EVENT_STALE, TURN_WAITING, ACTION_RECOMPUTE,
     "a newer text is known already: the burst goes on"},
    {TURN_STARTING, EVENT_LOST_OFTEN, TURN_COMMITTING, ACTION_ASK_WORDING,
     "lost with three workers: the degraded reply ends it and a person is told"},
    {TURN_STARTING, EVENT_IS_SUSPECT, TURN_SUSPECT, ACTION_STAND_BY,
     "lost with two workers: it runs alone from now on"},
    {TURN_STARTING, EVENT_NOTHING, TURN_GONE, ACTION_DROP, "nothing is open: nothing to answer"},
    {TURN_STARTING, EVENT_HELD, TURN_GONE, ACTION_DROP, "a person has the conversation"},
    {TURN_STARTING, EVENT_MOVED, TURN_STARTING, ACTION_START,
     "the session moved to another conversation: the turn starts there"},
    {TURN_STARTING, EVENT_NOT_FRESH, TURN_STARTING, ACTION_START,
     "more than a new turn, where it was to start with its claim: it starts by itself"},
    {TURN_STARTING, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "another worker has the session"},
    {TURN_STARTING, EVENT_DB_AWAY, TURN_WAITING, ACTION_RETRY,
     "the database did not answer: the start is tried again"},
    {TURN_STARTING, EVENT_UNFIT, TURN_GIVING_UP, ACTION_GIVE_UP,
     "the database never takes the start: its texts are given to people"},

    {TURN_GIVING_UP, EVENT_CLAIMED, TURN_GIVING_UP, ACTION_NONE,
     "a text came: the answer will show whether it is open"},
    {TURN_GIVING_UP, EVENT_COMMITTED, TURN_GONE, ACTION_DROP,
     "a person is told, the conversation goes on with the next text"},
    {TURN_GIVING_UP, EVENT_MORE, TURN_WAITING, ACTION_RETRY,
     "a person is told: a start will show whether newer texts are open"},
    {TURN_GIVING_UP, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "another worker has the session"},
    {TURN_GIVING_UP, EVENT_DB_AWAY, TURN_GIVING_UP, ACTION_BACK_OFF,
     "the database did not answer, or does not take that either: it is tried again"},
    {TURN_GIVING_UP, EVENT_DUE, TURN_GIVING_UP, ACTION_GIVE_UP, "the same once more"},

    {TURN_THINKING, EVENT_CLAIMED, TURN_WAITING, ACTION_RECOMPUTE,
     "a text came while the model worked: the turn starts anew with it"},
    {TURN_THINKING, EVENT_FINAL_TEXT, TURN_THINKING, ACTION_NONE,
     "texts kept coming: this reply is finished, the rest is the next turn"},
    {TURN_THINKING, EVENT_ANSWER, TURN_COMMITTING, ACTION_REPLY, "the model answered"},
    {TURN_THINKING, EVENT_TOOLS, TURN_STORING, ACTION_STORE,
     "the model asked for tools: its round is stored first"},
    {TURN_THINKING, EVENT_CLOSED, TURN_COMMITTING, ACTION_SAY_CLOSED,
     "the business is closed: its after-hours wording is the reply, no model is asked"},
    {TURN_THINKING, EVENT_DUE, TURN_THINKING, ACTION_RACE,
     "the model is slow to begin and somebody listens: the next one is asked, too"},
    {TURN_THINKING, EVENT_MODEL_AWAY, TURN_PAUSED, ACTION_PAUSE,
     "the model failed: it is asked again in a moment"},
    {TURN_THINKING, EVENT_NO_MODEL, TURN_COMMITTING, ACTION_FALL_BACK,
     "no model answers: the reception replies without one"},
    {TURN_THINKING, EVENT_RATE, TURN_PAUSED, ACTION_PAUSE,
     "the model's limit per minute is reached: the turn waits for its place"},
    {TURN_THINKING, EVENT_CROWDED, TURN_PAUSED, ACTION_PAUSE,
     "the model has as many calls at once as it may: the turn waits in its line"},
    {TURN_THINKING, EVENT_FULL, TURN_PAUSED, ACTION_PAUSE,
     "other turns have reserved what is left of the budget: a moment is waited for"},
    {TURN_THINKING, EVENT_SPENT, TURN_COMMITTING, ACTION_SAY_SPENT,
     "the budget is spent: the reception replies without a model"},
    {TURN_THINKING, EVENT_DEADLINE, TURN_COMMITTING, ACTION_FALL_BACK,
     "the turn's time is over: the reception replies without a model"},
    {TURN_THINKING, EVENT_INTERRUPTED, TURN_COMMITTING, ACTION_CUT_OFF,
     "the caller cut in: what was heard is the reply"},
    {TURN_THINKING, EVENT_REDIAL, TURN_WAITING, ACTION_RESTART,
     "another socket, or a lost frame: what was heard is asked for, and the turn goes on from "
     "there"},
    {TURN_THINKING, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP,
     "the session moved on: the model is stopped"},

    {TURN_PAUSED, EVENT_DUE, TURN_THINKING, ACTION_THINK, "the model is asked again"},
    {TURN_PAUSED, EVENT_CLAIMED, TURN_WAITING, ACTION_RECOMPUTE,
     "a text came while the model was away: the turn starts anew with it"},
    {TURN_PAUSED, EVENT_FINAL_TEXT, TURN_PAUSED, ACTION_NONE,
     "texts kept coming: the rest is the next turn"},
    {TURN_PAUSED, EVENT_DEADLINE, TURN_COMMITTING, ACTION_FALL_BACK,
     "the turn's time is over: the reception replies without a model"},
    {TURN_PAUSED, EVENT_INTERRUPTED, TURN_COMMITTING, ACTION_CUT_OFF,
     "the caller cut in: what was heard is the reply"},
    {TURN_PAUSED, EVENT_REDIAL, TURN_WAITING, ACTION_RESTART,
     "another socket, or a lost frame: the turn goes on from what was heard"},
    {TURN_PAUSED, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "the session moved on"},

    {TURN_STORING, EVENT_CLAIMED, TURN_STORING, ACTION_NONE,
     "a text came: the store will show whether it was first"},
    {TURN_STORING, EVENT_FINAL_TEXT, TURN_STORING, ACTION_NONE,
     "a text came: it is for the next turn"},
    {TURN_STORING, EVENT_STORED, TURN_ACTING, ACTION_ACT, "stored: its tools work"},
    {TURN_STORING, EVENT_NEWER, TURN_WAITING, ACTION_RECOMPUTE,
     "a text came before the round: the turn starts anew with it"},
    {TURN_STORING, EVENT_EPOCH, TURN_GONE, ACTION_DROP,
     "a person took over or handed back: no tool works, the session is given back"},
    {TURN_STORING, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP,
     "another worker has the session: the round is discarded"},
    {TURN_STORING, EVENT_DB_AWAY, TURN_STORING, ACTION_BACK_OFF,
     "the database did not answer: the same round waits a moment"},
    {TURN_STORING, EVENT_UNFIT, TURN_COMMITTING, ACTION_FALL_BACK,
     "the database will never take the round: the reception replies without a model"},
    {TURN_STORING, EVENT_INTERRUPTED, TURN_COMMITTING, ACTION_CUT_OFF,
     "the caller cut in: no tool works, what was heard is the reply"},
    {TURN_STORING, EVENT_DUE, TURN_STORING, ACTION_STORE, "the same round is sent again"},
    {TURN_STORING, EVENT_DEADLINE, TURN_COMMITTING, ACTION_FALL_BACK,
     "the turn's time is over: the reception replies without a model"},

    {TURN_ACTING, EVENT_CLAIMED, TURN_ACTING, ACTION_GIVE_WAY,
     "a text came: what has begun ends first, a question outside is dropped"},
    {TURN_ACTING, EVENT_FINAL_TEXT, TURN_ACTING, ACTION_NONE,
     "a text came: it is for the next turn"},
    {TURN_ACTING, EVENT_ACTED, TURN_THINKING, ACTION_THINK,
     "the tools answered: the model goes on"},
    {TURN_ACTING, EVENT_NEWER, TURN_WAITING, ACTION_RECOMPUTE,
     "a text came: the turn starts anew with it, and with what has begun"},
    {TURN_ACTING, EVENT_EPOCH, TURN_GONE, ACTION_DROP,
     "a person took over or handed back: no further tool works, the session is given back"},
    {TURN_ACTING, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "another worker has the session"},
    {TURN_ACTING, EVENT_DB_AWAY, TURN_ACTING, ACTION_BACK_OFF,
     "the database did not answer: the same call waits a moment"},
    {TURN_ACTING, EVENT_DUE, TURN_ACTING, ACTION_ACT, "the same call goes on"},
    {TURN_ACTING, EVENT_NO_MODEL, TURN_COMMITTING, ACTION_FALL_BACK,
     "the assistant cannot be read: the reception replies without a model"},
    {TURN_ACTING, EVENT_INTERRUPTED, TURN_ENDING, ACTION_CUT,
     "the caller cut in: what a tool of ours has done is heard of first"},
    {TURN_ACTING, EVENT_DEADLINE, TURN_ENDING, ACTION_CUT,
     "the turn's time is over: what a tool of ours has done is heard of first"},

    {TURN_ENDING, EVENT_CLAIMED, TURN_ENDING, ACTION_NONE,
     "a text came: the commit will show whether it was first"},
    {TURN_ENDING, EVENT_FINAL_TEXT, TURN_ENDING, ACTION_NONE,
     "a text came: it is for the next turn"},
    {TURN_ENDING, EVENT_ACTED, TURN_COMMITTING, ACTION_FALL_BACK,
     "what was done is known: the reception tells it without a model"},
    {TURN_ENDING, EVENT_INTERRUPTED, TURN_ENDING, ACTION_NONE,
     "the caller cut in: what was heard is the reply"},
    {TURN_ENDING, EVENT_NEWER, TURN_WAITING, ACTION_RECOMPUTE,
     "a text came: the turn starts anew with it, and with what has begun"},
    {TURN_ENDING, EVENT_EPOCH, TURN_GONE, ACTION_DROP,
     "a person took over or handed back: the session is given back"},
    {TURN_ENDING, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP, "another worker has the session"},
    {TURN_ENDING, EVENT_DB_AWAY, TURN_ENDING, ACTION_BACK_OFF,
     "the database did not answer: the same call waits a moment"},
    {TURN_ENDING, EVENT_DUE, TURN_ENDING, ACTION_ACT, "the same call goes on"},
    {TURN_ENDING, EVENT_NO_MODEL, TURN_COMMITTING, ACTION_FALL_BACK,
     "the assistant cannot be read: the reception replies without a model"},

    {TURN_COMMITTING, EVENT_CLAIMED, TURN_COMMITTING, ACTION_NONE,
     "a text came: the commit will show whether it was first"},
    {TURN_COMMITTING, EVENT_FINAL_TEXT, TURN_COMMITTING, ACTION_NONE,
     "a text came: it is for the next turn"},
    {TURN_COMMITTING, EVENT_COMMITTED, TURN_GONE, ACTION_PUBLISH,
     "committed: the responder is woken"},
    {TURN_COMMITTING, EVENT_MORE, TURN_WAITING, ACTION_PUBLISH_WAIT,
     "committed: the responder is woken, newer texts are the next turn"},
    {TURN_COMMITTING, EVENT_NEWER, TURN_WAITING, ACTION_RECOMPUTE,
     "a text came before the commit: the turn starts anew with it"},
    {TURN_COMMITTING, EVENT_EPOCH, TURN_GONE, ACTION_DROP,
     "a person took over or handed back: the reply is discarded, the session given back"},
    {TURN_COMMITTING, EVENT_NOT_OURS, TURN_GONE, ACTION_DROP,
     "another worker has the session: the reply is discarded"},
    {TURN_COMMITTING, EVENT_REDIAL, TURN_WAITING, ACTION_RESTART,
     "another socket before the commit, or a frame was lost: the turn goes on from what was heard"},
    {TURN_COMMITTING, EVENT_WORDING, TURN_COMMITTING, ACTION_DEGRADE,
     "the tenant's wording is known: the degraded reply is committed"},
    {TURN_COMMITTING, EVENT_DB_AWAY, TURN_COMMITTING, ACTION_BACK_OFF,
     "the database did not answer: the same commit waits a moment"},
    {TURN_COMMITTING, EVENT_UNFIT, TURN_COMMITTING, ACTION_COMMIT_PLAIN,
     "the database will never take this commit: the fallback wording alone is committed"},
    {TURN_COMMITTING, EVENT_UNFIT_TOO, TURN_COMMITTING, ACTION_COMMIT_BARE,
     "nor a plain one: the turn is failed without a reply and a person is told"},
    {TURN_COMMITTING, EVENT_DUE, TURN_COMMITTING, ACTION_COMMIT_AGAIN,
     "the same commit is sent again"},
};

const struct turn_rule *turn_rule(enum turn_state from, enum turn_event event)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].from == from && rules[i].event == event)
            return &rules[i];
    return NULL;
}

const char *turn_state_name(enum turn_state state)
{
    static const char *const names[TURN_STATES] = {
        "waiting", "queued",  "suspect", "starting", "giving_up",  "thinking",
        "paused",  "storing", "acting",  "ending",   "committing", "gone"};
    return names[state];
}

const char *turn_event_name(enum turn_event event)
{
    static const char *const names[TURN_EVENTS] = {
        "due",       "claimed",    "final_text", "place",   "run",         "resume",
        "stale",     "lost_often", "is_suspect", "nothing", "held",        "moved",
        "not_fresh", "not_ours",   "db_away",    "unfit",   "unfit_too",   "answer",
        "tools",     "closed",     "stored",     "acted",   "model_away",  "no_model",
        "rate",      "crowded",    "full",       "spent",   "deadline",    "committed",
        "more",      "newer",      "epoch",      "wording", "interrupted", "redial"};
    return names[event];
}

void turn_table_print(struct strbuf *out)
{
    strbuf_add_text(out, "# The turn\n\nPrinted by `frontdesk-engine --diagram` from "
                         "services/engine/turn_table.c.\n\n"
                         "| state | event | next | what happens |\n| --- | --- | --- | --- |\n");
    const size_t count = sizeof rules / sizeof rules[0];
    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, "| %s | %s | %s | %s |\n", turn_state_name(rules[i].from),
                      turn_event_name(rules[i].event), turn_state_name(rules[i].to),
                      rules[i].sentence);
    strbuf_add_text(out,
                    "\n```mermaid\nstateDiagram-v2\n    [*] --> waiting: claimed or adopted\n");
    for (size_t i = 0; i < count; i++)
        if (rules[i].from != rules[i].to)
            strbuf_printf(out, "    %s --> %s: %s\n", turn_state_name(rules[i].from),
                          rules[i].to == TURN_GONE ? "[*]" : turn_state_name(rules[i].to),
                          turn_event_name(rules[i].event));
    strbuf_add_text(out, "```\n");
}
