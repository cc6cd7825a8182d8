/* The table of the delivery. Every event leads to one state, whatever it is left from, so a row
 * names its sources as a set; the statements of the store get both from here. */
#include "store/delivery_state.h"

#include <stddef.h>
#include <string.h>

/* In the order of enum delivery_event. */
static const struct rule {
    const char *name;
    const char *sources; /* text[] literal */
    const char *target;
    const char *sentence;
    bool latest_only;
} rules[DELIVERY_EVENTS] = {
    [DELIVERY_CLAIM] = {"claim", DELIVERY_WAITING, "sending",
                        "due, allowed and first in line: the attempt is recorded, then sent"},
    [DELIVERY_WAIT] = {"wait", DELIVERY_WAITING, "deferred",
                       "a call outside the calling hours: due when they begin"},
    [DELIVERY_REFUSE] =
        {"refuse", DELIVERY_WAITING, "suppressed",
         "old epoch, opt-out, answer-by time or a removed channel: it never leaves"},
    [DELIVERY_TAKE_OVER] = {"take_over", DELIVERY_UNSENT, "suppressed",
                            "a person has the conversation: it never leaves"},
    [DELIVERY_RECONCILE] = {"reconcile", DELIVERY_UNPROVEN, "suppressed",
                            "after a restore: the provider shows that an answer left already"},
    [DELIVERY_PARK] = {"park", DELIVERY_WAITING, "parked",
                       "not settled long after its first attempt: a person decides"},
    [DELIVERY_ACCEPTED] = {"accepted", "{pending,sending,deferred,unknown,held,parked,suppressed}",
                           "sent", "the provider took it, however late we learn it"},
    [DELIVERY_DECLINED] = {"declined", DELIVERY_IN_FLIGHT, "failed",
                           "the provider refused it for good", true},
    [DELIVERY_DEFER] = {"defer", DELIVERY_IN_FLIGHT, "deferred",
                        "nothing left, or the provider asked to come again: back-off", true},
    [DELIVERY_NO_ANSWER] = {"no_answer", "{sending}", "unknown",
                            "the first byte left and no answer came: the provider is asked later",
                            true},
    [DELIVERY_EXPIRE] = {"expire", "{sending}", "unknown",
                         "its worker died or does not know of it: the provider is asked later"},
    [DELIVERY_NOT_FOUND] = {"not_found", "{unknown}", "pending",
                            "the provider knows nothing of it: it is sent again", true},
    [DELIVERY_GIVE_UP] = {"give_up", "{unknown}", "parked", "unknown too often: a person decides",
                          true},
    [DELIVERY_SEEN] = {"seen", "{pending,sending,deferred,unknown,held,parked,suppressed}", "sent",
                       "a receipt or look-up shows it on its way: a late yes"},
    [DELIVERY_ARRIVED] = {"arrived",
                          "{pending,sending,deferred,unknown,held,parked,suppressed,sent}",
                          "delivered", "the carrier confirmed it"},
    [DELIVERY_LOST] = {"lost", "{pending,sending,deferred,unknown,held,parked,suppressed,sent}",
                       "failed", "the carrier or the provider gave up", true},
    [DELIVERY_BOUNCED] = {"bounced",
                          "{pending,sending,deferred,unknown,held,parked,suppressed,sent}",
                          "bounced", "a mail server that had taken it sent it back"},
};

static const char *const states[] = {"pending",   "sending", "deferred",   "unknown",
                                     "held",      "parked",  "suppressed", "sent",
                                     "delivered", "failed",  "bounced"};
#define STATES (sizeof states / sizeof states[0])

static bool is_source(const struct rule *rule, const char *state)
{
    size_t length = strlen(state);
    for (const char *at = strstr(rule->sources, state); at != NULL; at = strstr(at + 1, state))
        if ((at[-1] == '{' || at[-1] == ',') && (at[length] == ',' || at[length] == '}'))
            return true;
    return false;
}

const char *delivery_target(enum delivery_event event)
{
    return rules[event].target;
}

const char *delivery_sources(enum delivery_event event)
{
    return rules[event].sources;
}

bool delivery_latest_only(enum delivery_event event)
{
    return rules[event].latest_only;
}

void delivery_state_print(struct strbuf *out)
{
    strbuf_add_text(out, "# The delivery\n\nPrinted by `frontdesk-responder --diagram` from "
                         "common/store/delivery_state.c.\n\n"
                         "| event | from | to | what happens |\n| --- | --- | --- | --- |\n");
    for (int i = 0; i < DELIVERY_EVENTS; i++) {
        const struct rule *rule = &rules[i];
        strbuf_printf(out, "| %s | %.*s | %s | %s |\n", rule->name, (int)strlen(rule->sources) - 2,
                      rule->sources + 1, rule->target, rule->sentence);
    }
    strbuf_add_text(out, "\n```mermaid\nstateDiagram-v2\n    [*] --> pending: committed turn\n");
    for (int i = 0; i < DELIVERY_EVENTS; i++)
        for (size_t from = 0; from < STATES; from++)
            if (is_source(&rules[i], states[from]))
                strbuf_printf(out, "    %s --> %s: %s\n", states[from], rules[i].target,
                              rules[i].name);
    strbuf_add_text(out, "```\n");
}
