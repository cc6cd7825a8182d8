/* Tools for people: a message that somebody of the business will read, and the end of a
 * conversation. */
#include "store/escalation.h"
#include "tools.h"

#include <string.h>

/* ---- take_message ---- */

static int add_message(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    (void)err;
    escalation_add_open(
        unit, call->arena,
        &(struct escalation_opening){.tenant = call->tenant,
                                     .id = call->id,
                                     .reason = "message",
                                     .summary = json_member_text(call->arguments, "message"),
                                     .caller = json_member_text(call->arguments, "name"),
                                     .call_back = json_member_text(call->arguments, "call_back")});
    return 0;
}

static void read_message(const struct tool_call *call, const struct pg_answer *answer, int first,
                         struct tool_result *out)
{
    (void)answer, (void)first;
    out->outcome = "ok";
    out->text = tools_text(call->arena, "noted",
                           "The message is recorded for the people of the "
                           "business. Promise no time for an answer.");
}

const struct tool tool_take_message = {
    .name = "take_message",
    .description = "Records a message for the people of the business, who read it and get back to "
                   "the customer. Use it when you cannot settle something yourself.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\","
        "\"minLength\":1,\"maxLength\":1000,\"description\":\"what the customer wants, "
        "complete enough for somebody who has not read the conversation\"},"
        "\"name\":{\"type\":\"string\",\"maxLength\":120,\"description\":\"the customer's "
        "name, if known\"},\"call_back\":{\"type\":\"string\",\"maxLength\":120,"
        "\"description\":\"when and how the customer wants to be reached, if said\"}},"
        "\"required\":[\"message\"],\"additionalProperties\":false}",
    .changes = true,
    .when_closed = true,
    .add = add_message,
    .read = read_message};

/* ---- escalate ---- */

/* What the customer is told: of a wish that people of a rota are asked about, the tenant's words.
 */
static const char *promise(const struct tool_call *call)
{
    const char *reason = json_member_text(call->arguments, "reason");
    return triggers_call(&call->assistant->triggers, reason) ? call->assistant->workflow.tell : "";
}

static int add_escalation(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const char *reason = json_member_text(call->arguments, "reason");
    (void)err;
    escalation_add_open(
        unit, call->arena,
        &(struct escalation_opening){.tenant = call->tenant,
                                     .id = call->id,
                                     .reason = reason,
                                     .calls = triggers_call(&call->assistant->triggers, reason),
                                     .summary = json_member_text(call->arguments, "summary"),
                                     .promised = promise(call)});
    return 0;
}

/* Nobody has accepted it yet, and the customer is told no more than that. */
static void read_escalation(const struct tool_call *call, const struct pg_answer *answer, int first,
                            struct tool_result *out)
{
    static const struct {
        const char *name, *text;
    } words[] = {
        [ESCALATION_OPENED] = {"recorded", "The people of the business see it. Say that you have "
                                           "passed it on, and promise no time."},
        [ESCALATION_LISTED] = {"recorded_already", "The people of the business see that there is a "
                                                   "wish already. Say that you have passed it on, "
                                                   "and promise no time."},
        [ESCALATION_ASKED] = {"asked_already", "People of the business are being asked already, "
                                               "and nobody has accepted yet. Say that, and promise "
                                               "no time."},
        [ESCALATION_TAKEN] = {"taken_already", "Somebody of the business has accepted it already. "
                                               "Say that, and promise no time."},
    };
    const char *tell = promise(call);
    enum escalation_opened opened = escalation_read_opened(answer, first);
    out->outcome = "ok";
    out->text = opened == ESCALATION_OPENED && tell[0] != '\0'
                    ? tools_text(call->arena, "tell_the_customer", tell)
                    : tools_text(call->arena, words[opened].name, words[opened].text);
}

const struct tool tool_escalate = {
    .name = "escalate",
    .description = "Asks a person of the business to take over. Use it when the customer wants a "
                   "person, is upset, or needs what you cannot do. Nobody is called through: say "
                   "only what it returns.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\",\"enum\":"
                  "[\"customer_asks\",\"anger\",\"low_grounding\",\"assistant\"],"
                  "\"description\":\"assistant: another reason of yours\"},\"summary\":{\"type\":"
                  "\"string\",\"minLength\":1,\"maxLength\":1000,\"description\":\"what the "
                  "customer wants and what was said, for somebody who has read nothing\"}},"
                  "\"required\":[\"reason\",\"summary\"],\"additionalProperties\":false}",
    .changes = true,
    .add = add_escalation,
    .read = read_escalation};

/* ---- end_conversation: the commit of the turn closes it ---- */

static void read_end(const struct tool_call *call, const struct pg_answer *answer, int first,
                     struct tool_result *out)
{
    (void)answer, (void)first;
    out->outcome = "ok";
    out->text = tools_text(call->arena, "ended", "The conversation ends with your next words.");
}

const struct tool tool_end_conversation = {
    .name = "end_conversation",
    .description = "Ends the conversation after your reply, once nothing is left to do and the "
                   "customer has said so.",
    .parameters = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .when_closed = true,
    .read = read_end};
