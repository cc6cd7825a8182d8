/* The table of an IMAP session and its printing. imap_session.c executes it. */
#include "mail/imap_inside.h"

static const struct imap_rule rules[] = {
    {IMAP_OPENING, IMAP_ON_OPEN, IMAP_GREETING, IMAP_DO_WAIT, "connected: the server greets first"},
    {IMAP_OPENING, IMAP_ON_SECURED, IMAP_ASKING_WHAT, IMAP_DO_ASK_WHAT,
     "greeted in the clear, then TLS: what was said before it does not count"},
    {IMAP_GREETING, IMAP_ON_GREETING, IMAP_ASKING_WHAT, IMAP_DO_ASK_WHAT,
     "greeted: what can the server do"},
    {IMAP_ASKING_WHAT, IMAP_ON_OK, IMAP_LOGGING_IN, IMAP_DO_LOG_IN,
     "logs in by the best way that both know"},
    {IMAP_LOGGING_IN, IMAP_ON_CONTINUE, IMAP_LOGGING_IN, IMAP_DO_SEND_PART,
     "the server wants the rest, or tells why it refuses"},
    {IMAP_LOGGING_IN, IMAP_ON_OK, IMAP_ASKING_AGAIN, IMAP_DO_ASK_WHAT,
     "logged in: more may be possible now"},
    {IMAP_LOGGING_IN, IMAP_ON_NO, IMAP_OVER, IMAP_DO_FAIL_LOGIN,
     "user and secret are not taken: not tried again soon, or the account is locked"},
    {IMAP_LOGGING_IN, IMAP_ON_BAD, IMAP_OVER, IMAP_DO_FAIL_PROTOCOL,
     "the server does not understand its own way to log in"},
    {IMAP_ASKING_AGAIN, IMAP_ON_OK, IMAP_INTRODUCING, IMAP_DO_INTRODUCE,
     "says who we are, where the server likes that"},
    {IMAP_INTRODUCING, IMAP_ON_OK, IMAP_ENABLING, IMAP_DO_ENABLE,
     "asks for QRESYNC or CONDSTORE, where there is one"},
    {IMAP_INTRODUCING, IMAP_ON_NO, IMAP_ENABLING, IMAP_DO_ENABLE, "it does not want to know"},
    {IMAP_INTRODUCING, IMAP_ON_BAD, IMAP_ENABLING, IMAP_DO_ENABLE, "it does not want to know"},
    {IMAP_ENABLING, IMAP_ON_OK, IMAP_READY, IMAP_DO_TELL_READY, "ready"},
    {IMAP_ENABLING, IMAP_ON_NO, IMAP_READY, IMAP_DO_TELL_READY, "ready without"},
    {IMAP_ENABLING, IMAP_ON_BAD, IMAP_READY, IMAP_DO_TELL_READY, "ready without"},

    {IMAP_READY, IMAP_ON_COMMAND, IMAP_COMMANDED, IMAP_DO_SEND, "asks"},
    {IMAP_COMMANDED, IMAP_ON_CONTINUE, IMAP_COMMANDED, IMAP_DO_SEND_PART,
     "the server waits for the literal"},
    {IMAP_COMMANDED, IMAP_ON_OK, IMAP_READY, IMAP_DO_ANSWER, "answered"},
    {IMAP_COMMANDED, IMAP_ON_NO, IMAP_READY, IMAP_DO_ANSWER, "refused"},
    {IMAP_COMMANDED, IMAP_ON_BAD, IMAP_READY, IMAP_DO_ANSWER, "not understood"},

    {IMAP_READY, IMAP_ON_IDLE, IMAP_IDLE_ASKED, IMAP_DO_SEND, "waits for mail"},
    {IMAP_IDLE_ASKED, IMAP_ON_CONTINUE, IMAP_IDLING, IMAP_DO_BEGIN_IDLE, "the server will tell"},
    {IMAP_IDLE_ASKED, IMAP_ON_WAKE, IMAP_IDLE_ASKED, IMAP_DO_NOTE_WAKE,
     "DONE may not be said before the server has agreed"},
    {IMAP_IDLE_ASKED, IMAP_ON_OK, IMAP_READY, IMAP_DO_ANSWER, "over before it began"},
    {IMAP_IDLE_ASKED, IMAP_ON_NO, IMAP_READY, IMAP_DO_ANSWER, "refused"},
    {IMAP_IDLE_ASKED, IMAP_ON_BAD, IMAP_READY, IMAP_DO_ANSWER, "not understood"},
    {IMAP_IDLING, IMAP_ON_WAKE, IMAP_IDLE_ENDING, IMAP_DO_SEND_DONE,
     "mail came, there is other work, or it is time to look"},
    {IMAP_IDLING, IMAP_ON_OK, IMAP_READY, IMAP_DO_ANSWER, "the server ended it by itself"},
    {IMAP_IDLING, IMAP_ON_NO, IMAP_READY, IMAP_DO_ANSWER, "the server ended it by itself"},
    {IMAP_IDLING, IMAP_ON_BAD, IMAP_READY, IMAP_DO_ANSWER, "the server ended it by itself"},
    {IMAP_IDLE_ENDING, IMAP_ON_WAKE, IMAP_IDLE_ENDING, IMAP_DO_WAIT, "said already"},
    {IMAP_IDLE_ENDING, IMAP_ON_OK, IMAP_READY, IMAP_DO_ANSWER, "awake"},
    {IMAP_IDLE_ENDING, IMAP_ON_NO, IMAP_READY, IMAP_DO_ANSWER, "awake"},
    {IMAP_IDLE_ENDING, IMAP_ON_BAD, IMAP_READY, IMAP_DO_ANSWER, "awake"},

    {IMAP_READY, IMAP_ON_LOGOUT, IMAP_LEAVING, IMAP_DO_LOG_OUT, "says goodbye"},
    {IMAP_LEAVING, IMAP_ON_BYE, IMAP_LEAVING, IMAP_DO_WAIT, "goodbye"},
    {IMAP_LEAVING, IMAP_ON_OK, IMAP_OVER, IMAP_DO_END, "gone"},
    {IMAP_LEAVING, IMAP_ON_NO, IMAP_OVER, IMAP_DO_END, "gone anyway"},
    {IMAP_LEAVING, IMAP_ON_BAD, IMAP_OVER, IMAP_DO_END, "gone anyway"},
    {IMAP_LEAVING, IMAP_ON_BROKEN, IMAP_OVER, IMAP_DO_END, "gone"},
    {IMAP_LEAVING, IMAP_ON_LATE, IMAP_OVER, IMAP_DO_END, "gone anyway"},

    {IMAP_ANY, IMAP_ON_BYE, IMAP_OVER, IMAP_DO_FAIL_BYE, "the server ends the session"},
    {IMAP_ANY, IMAP_ON_LATE, IMAP_OVER, IMAP_DO_FAIL_LATE, "no answer in time"},
    {IMAP_ANY, IMAP_ON_BROKEN, IMAP_OVER, IMAP_DO_FAIL_BROKEN, "the connection ended"},
};

static const struct imap_rule breach = {IMAP_ANY, IMAP_ON_BAD, IMAP_OVER, IMAP_DO_FAIL_PROTOCOL,
                                        "the server breaks the protocol"};

#define RULES (sizeof rules / sizeof rules[0])

const struct imap_rule *imap_rule_for(enum imap_state state, enum imap_event event)
{
    for (size_t i = 0; i < RULES; i++)
        if (rules[i].event == event && (rules[i].from == state || rules[i].from == IMAP_ANY))
            return &rules[i];
    return &breach;
}

static const char *const states[] = {
    [IMAP_OPENING] = "opening",
    [IMAP_GREETING] = "greeting",
    [IMAP_ASKING_WHAT] = "asking_what",
    [IMAP_LOGGING_IN] = "logging_in",
    [IMAP_ASKING_AGAIN] = "asking_again",
    [IMAP_INTRODUCING] = "introducing",
    [IMAP_ENABLING] = "enabling",
    [IMAP_READY] = "ready",
    [IMAP_COMMANDED] = "commanded",
    [IMAP_IDLE_ASKED] = "idle_asked",
    [IMAP_IDLING] = "idling",
    [IMAP_IDLE_ENDING] = "idle_ending",
    [IMAP_LEAVING] = "leaving",
    [IMAP_OVER] = "over",
    [IMAP_ANY] = "any",
};
static const char *const events[] = {
    [IMAP_ON_OPEN] = "open",
    [IMAP_ON_SECURED] = "secured",
    [IMAP_ON_GREETING] = "greeting",
    [IMAP_ON_OK] = "OK",
    [IMAP_ON_NO] = "NO",
    [IMAP_ON_BAD] = "BAD",
    [IMAP_ON_CONTINUE] = "+",
    [IMAP_ON_COMMAND] = "a command",
    [IMAP_ON_IDLE] = "IDLE",
    [IMAP_ON_WAKE] = "wake",
    [IMAP_ON_LOGOUT] = "LOGOUT",
    [IMAP_ON_BYE] = "BYE",
    [IMAP_ON_LATE] = "too late",
    [IMAP_ON_BROKEN] = "broken",
};

void imap_session_print(struct strbuf *out)
{
    strbuf_add_text(out, "# A session with an IMAP server\n\nPrinted by `frontdesk-mailpoller "
                         "--diagram` from common/mail/imap_table.c.\n\n"
                         "| state | event | next | what happens |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < RULES; i++)
        strbuf_printf(out, "| %s | %s | %s | %s |\n", states[rules[i].from], events[rules[i].event],
                      states[rules[i].to], rules[i].sentence);
}
