/* The table of a phone call and its printing. call.c executes it. */
#include "call_table.h"

#include <stdbool.h>
#include <stddef.h>

static const struct call_rule rules[] = {
    {CALL_WAITING, ON_SOCKET, CALL_LISTENING, DO_GREET,
     "a relay socket is there: the caller has the word"},
    {CALL_WAITING, ON_SOCKET_OWED, CALL_ASKED, DO_GREET,
     "a relay socket is there, and the desk is to speak first"},
    {CALL_WAITING, ON_LINGER, CALL_GONE, DO_FORGET,
     "no socket came back here: another ingress has the call"},
    {CALL_WAITING, ON_DRAINED, CALL_GONE, DO_FORGET,
     "this process ends: another ingress has the call, or has not taken it"},
    {CALL_WAITING, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over"},

    {CALL_LISTENING, ON_PROMPT, CALL_ASKED, DO_ASK, "the caller said something: the clock runs"},
    {CALL_LISTENING, ON_INTERRUPT, CALL_LISTENING, DO_HUSH,
     "the caller cut into what still sounded: its turn is dropped"},
    {CALL_LISTENING, ON_OPEN, CALL_LISTENING, DO_SHOW,
     "an adopter asks what was spoken: it is told"},
    {CALL_LISTENING, ON_TEXT, CALL_SPEAKING, DO_SAY, "a turn begins to speak"},
    {CALL_LISTENING, ON_LAST, CALL_LISTENING, DO_FINISH, "a turn spoke in one piece"},
    {CALL_LISTENING, ON_END, CALL_LEAVING, DO_LEAVE,
     "the turn ends the relay session when it is spoken"},
    {CALL_LISTENING, ON_STOP, CALL_LISTENING, DO_CUT,
     "a person took over, or the conversation moved: nothing older is spoken"},
    {CALL_LISTENING, ON_OWED, CALL_ASKED, DO_OWE,
     "what the caller said during the turn is still to be answered"},
    {CALL_LISTENING, ON_SILENT, CALL_LISTENING, DO_STILL_THERE,
     "the caller says nothing: he is asked whether he is there"},
    {CALL_LISTENING, ON_SILENT_AGAIN, CALL_LEAVING, DO_GOODBYE,
     "the caller still says nothing: goodbye"},
    {CALL_LISTENING, ON_DRAINED, CALL_PARTED, DO_MOVE,
     "this process ends, and nobody speaks or has just spoken: another ingress takes the call"},
    {CALL_LISTENING, ON_FAILED, CALL_OVER, DO_FALL_BACK,
     "Kafka takes nothing: the fallback is said"},
    {CALL_LISTENING, ON_CLOSED, CALL_WAITING, DO_LOSE, "the socket is closed"},
    {CALL_LISTENING, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over"},

    {CALL_ASKED, ON_PROMPT, CALL_ASKED, DO_ASK,
     "the caller said more: the silence begins anew, the 12 s run on"},
    {CALL_ASKED, ON_INTERRUPT, CALL_ASKED, DO_HUSH,
     "the caller cut into a filler or the turn before: the silence begins anew, the 12 s run on"},
    {CALL_ASKED, ON_OPEN, CALL_ASKED, DO_SHOW,
     "an adopter asks what was spoken: it is told, and has 12 s"},
    {CALL_ASKED, ON_TEXT, CALL_SPEAKING, DO_SAY, "the answer begins"},
    {CALL_ASKED, ON_LAST, CALL_LISTENING, DO_FINISH, "the answer came in one piece"},
    {CALL_ASKED, ON_END, CALL_LEAVING, DO_LEAVE, "the answer ends the relay session"},
    {CALL_ASKED, ON_STOP, CALL_ASKED, DO_CUT,
     "a person took over, or the conversation moved: somebody speaks within 12 s"},
    {CALL_ASKED, ON_QUIET, CALL_ASKED, DO_FILL, "4 s of silence: a filler"},
    {CALL_ASKED, ON_GIVE_UP, CALL_OVER, DO_FALL_BACK, "12 s without a frame: the fallback"},
    {CALL_ASKED, ON_DRAINED, CALL_PARTED, DO_MOVE,
     "this process ends very soon: the call leaves in the middle of a word"},
    {CALL_ASKED, ON_FAILED, CALL_OVER, DO_FALL_BACK, "Kafka takes nothing: the fallback is said"},
    {CALL_ASKED, ON_CLOSED, CALL_WAITING, DO_LOSE, "the socket is closed"},
    {CALL_ASKED, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over"},

    {CALL_SPEAKING, ON_PROMPT, CALL_SPEAKING, DO_PASS_ON,
     "the caller spoke without cutting in: it is for the next turn"},
    {CALL_SPEAKING, ON_INTERRUPT, CALL_LISTENING, DO_HUSH,
     "the caller cut in: the turn is dropped, what was heard is told"},
    {CALL_SPEAKING, ON_OPEN, CALL_STALLED, DO_SHOW,
     "an adopter asks what was spoken: it is told and goes on from there"},
    {CALL_SPEAKING, ON_TEXT, CALL_SPEAKING, DO_SAY, "the turn goes on"},
    {CALL_SPEAKING, ON_LAST, CALL_LISTENING, DO_FINISH,
     "the turn is spoken: the caller has the word"},
    {CALL_SPEAKING, ON_END, CALL_LEAVING, DO_LEAVE,
     "the turn ends the relay session when it is spoken"},
    {CALL_SPEAKING, ON_STOP, CALL_ASKED, DO_CUT,
     "a person took over, or the conversation moved: somebody speaks within 12 s"},
    {CALL_SPEAKING, ON_STALL, CALL_STALLED, DO_REPORT, "1.5 s without a frame: it is told"},
    {CALL_SPEAKING, ON_DRAINED, CALL_PARTED, DO_MOVE,
     "this process ends very soon: the call leaves in the middle of a word"},
    {CALL_SPEAKING, ON_FAILED, CALL_OVER, DO_FALL_BACK,
     "Kafka takes nothing: the fallback is said"},
    {CALL_SPEAKING, ON_CLOSED, CALL_WAITING, DO_LOSE,
     "the socket is closed: what was heard is told"},
    {CALL_SPEAKING, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over: what was heard is told"},

    {CALL_STALLED, ON_PROMPT, CALL_STALLED, DO_PASS_ON,
     "the caller spoke meanwhile: it is for the next turn"},
    {CALL_STALLED, ON_INTERRUPT, CALL_LISTENING, DO_HUSH,
     "the caller cut in: the turn is dropped, what was heard is told"},
    {CALL_STALLED, ON_OPEN, CALL_STALLED, DO_SHOW,
     "an adopter asks what was spoken: it is told and goes on from there"},
    {CALL_STALLED, ON_TEXT, CALL_SPEAKING, DO_SAY, "the turn goes on"},
    {CALL_STALLED, ON_LAST, CALL_LISTENING, DO_FINISH,
     "the turn is spoken: the caller has the word"},
    {CALL_STALLED, ON_END, CALL_LEAVING, DO_LEAVE,
     "the turn ends the relay session when it is spoken"},
    {CALL_STALLED, ON_STOP, CALL_ASKED, DO_CUT,
     "a person took over, or the conversation moved: somebody speaks within 12 s"},
    {CALL_STALLED, ON_QUIET, CALL_STALLED, DO_FILL, "4 s of silence in mid-turn: a filler"},
    {CALL_STALLED, ON_GIVE_UP, CALL_OVER, DO_FALL_BACK,
     "12 s without a frame in mid-turn: the fallback"},
    {CALL_STALLED, ON_DRAINED, CALL_PARTED, DO_MOVE,
     "this process ends very soon: the call leaves in the middle of a word"},
    {CALL_STALLED, ON_FAILED, CALL_OVER, DO_FALL_BACK, "Kafka takes nothing: the fallback is said"},
    {CALL_STALLED, ON_CLOSED, CALL_WAITING, DO_LOSE,
     "the socket is closed: what was heard is told"},
    {CALL_STALLED, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over: what was heard is told"},

    {CALL_LEAVING, ON_SPOKEN, CALL_PARTED, DO_HAND_OFF, "all is spoken: the relay session ends"},
    {CALL_LEAVING, ON_PROMPT, CALL_ASKED, DO_ASK,
     "the caller said something before the end: we stay"},
    {CALL_LEAVING, ON_OWED, CALL_ASKED, DO_OWE,
     "what the caller said during the turn is still to be answered: we stay"},
    {CALL_LEAVING, ON_INTERRUPT, CALL_LISTENING, DO_HUSH,
     "the caller cut in before the end: we stay, the turn is dropped"},
    {CALL_LEAVING, ON_FILLER_CUT, CALL_LEAVING, DO_YIELD,
     "the caller cut into a filler before the end: his words are waited for"},
    {CALL_LEAVING, ON_QUIET, CALL_LEAVING, DO_FILL,
     "4 s of silence while the caller is said to speak: a filler"},
    {CALL_LEAVING, ON_OPEN, CALL_LEAVING, DO_SHOW, "an adopter asks what was spoken: it is told"},
    {CALL_LEAVING, ON_TEXT, CALL_SPEAKING, DO_SAY, "a newer turn speaks: we stay"},
    {CALL_LEAVING, ON_LAST, CALL_LISTENING, DO_FINISH, "a newer turn spoke: we stay"},
    {CALL_LEAVING, ON_END, CALL_LEAVING, DO_LEAVE, "a newer end takes the place of the former"},
    {CALL_LEAVING, ON_STOP, CALL_ASKED, DO_CUT,
     "a person took over, or the conversation moved: we stay"},
    {CALL_LEAVING, ON_CLOSED, CALL_WAITING, DO_LOSE, "the socket is closed before its end"},
    {CALL_LEAVING, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over"},

    {CALL_OVER, ON_SPOKEN, CALL_PARTED, DO_HAND_OFF,
     "the fallback is spoken: the caller's message is recorded"},
    {CALL_OVER, ON_INTERRUPT, CALL_PARTED, DO_HAND_OFF,
     "the caller speaks into the fallback: his message is recorded"},
    {CALL_OVER, ON_PROMPT, CALL_OVER, DO_PASS_ON,
     "the caller said something into the fallback: it is passed on"},
    {CALL_OVER, ON_CLOSED, CALL_WAITING, DO_LOSE, "the socket is closed"},
    {CALL_OVER, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over"},

    {CALL_PARTED, ON_PROMPT, CALL_PARTED, DO_PASS_ON,
     "words that came before Twilio ended the session are passed on"},
    {CALL_PARTED, ON_LINGER, CALL_WAITING, DO_SHUT,
     "Twilio does not end the session: the socket is closed"},
    {CALL_PARTED, ON_CLOSED, CALL_WAITING, DO_LOSE, "the relay session ended as it was to"},
    {CALL_PARTED, ON_ENDED, CALL_GONE, DO_CONCLUDE, "the call is over"},
};

const struct call_rule *call_rule(enum call_state from, enum call_event event)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].from == from && rules[i].event == event)
            return &rules[i];
    return NULL;
}

const char *call_state_name(enum call_state state)
{
    static const char *const names[CALL_STATES] = {"waiting",  "listening", "asked",
                                                   "speaking", "stalled",   "leaving",
                                                   "over",     "parted",    "gone"};
    return names[state];
}

const char *call_event_name(enum call_event event)
{
    static const char *const names[CALL_EVENTS] = {
        "socket", "socket_owed",  "prompt",  "interrupt", "filler_cut", "open",   "text",   "last",
        "end",    "stop",         "stall",   "quiet",     "give_up",    "failed", "spoken", "owed",
        "silent", "silent_again", "drained", "closed",    "linger",     "ended"};
    return names[event];
}

void call_table_print(struct strbuf *out)
{
    strbuf_add_text(out, "# A phone call at ingress\n\nPrinted by `frontdesk-ingress --diagram` "
                         "from services/ingress/call_table.c.\n\n"
                         "| state | event | next | what happens |\n| --- | --- | --- | --- |\n");
    const size_t count = sizeof rules / sizeof rules[0];
    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, "| %s | %s | %s | %s |\n", call_state_name(rules[i].from),
                      call_event_name(rules[i].event), call_state_name(rules[i].to),
                      rules[i].sentence);
    strbuf_add_text(out, "\n```mermaid\nstateDiagram-v2\n    [*] --> waiting: the first webhook\n");
    for (size_t i = 0; i < count; i++)
        if (rules[i].from != rules[i].to)
            strbuf_printf(out, "    %s --> %s: %s\n", call_state_name(rules[i].from),
                          rules[i].to == CALL_GONE ? "[*]" : call_state_name(rules[i].to),
                          call_event_name(rules[i].event));
    strbuf_add_text(out, "```\n");
}
