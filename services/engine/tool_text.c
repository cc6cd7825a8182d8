/* The tool that texts the caller while he is on the phone: to the number that he calls from, and to
 * nobody else (docs/VOICE.md). */
#include "base/text.h"
#include "contract/segments.h"
#include "reply.h"
#include "store/call_text.h"
#include "tools.h"

static const char *body_of(const struct tool_call *call)
{
    return reply_clean(call->arena, json_member_text(call->arguments, "text"));
}

static int add_text(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const char *body = body_of(call);
    struct segments segments;
    if (!text_is_e164(call->caller))
        return err_set(err, ERR_PERMANENT, "tool.caller",
                       "the caller withholds his number: no text can be sent to him");
    if (call->text_number[0] == '\0')
        return err_set(err, ERR_PERMANENT, "tool.number", "the business sends no texts");
    if (body[0] == '\0')
        return err_set(err, ERR_PERMANENT, "tool.text", "arguments.text: nothing to be read");
    segments_count(body, &segments);
    call_text_add(unit, call->arena,
                  &(struct call_text){.tenant = call->tenant,
                                      .id = call->id,
                                      .session = call->text_session,
                                      .message = uuid_new(),
                                      .from = call->text_number,
                                      .to = call->caller,
                                      .body = body,
                                      .segments = segments.count,
                                      .limits = call->assistant->budget,
                                      .answer_within_ms = call->answer_within_ms});
    return 0;
}

/* It has left for the network at best: nobody knows yet whether it arrives. */
static void read_text(const struct tool_call *call, const struct pg_answer *answer, int first,
                      struct tool_result *out)
{
    static const struct {
        const char *outcome, *name, *text;
    } words[] = {
        [CALL_TEXT_SENT] = {"ok", "sent",
                            "It is on its way to the number that the caller calls from. Say so, "
                            "and that it may take a moment."},
        [CALL_TEXT_OPTED_OUT] = {"refused", "error",
                                 "the caller has asked for no more texts: none is sent"},
        [CALL_TEXT_NO_NUMBER] = {"refused", "error", "the business sends no texts"},
        [CALL_TEXT_ENOUGH] = {"refused", "error",
                              "not sent: enough texts have been sent during this call"},
        [CALL_TEXT_SPENT] = {"refused", "error",
                             "not sent: the business sends no more texts for now. Tell the caller "
                             "what it was to say"},
    };
    enum call_text_kind kind = call_text_read(answer);
    (void)first;
    out->outcome = words[kind].outcome;
    out->text = tools_text(call->arena, words[kind].name, words[kind].text);
    if (kind == CALL_TEXT_SENT) {
        out->wake_session = call->text_session;
        out->wake_delivery = call->id;
    }
}

const struct tool tool_send_text = {
    .name = "send_text",
    .description = "Sends a text message to the number that the caller calls from, to no other. "
                   "Use it for what is better read than heard, such as an address or a summary of "
                   "an appointment, when the caller wants it.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\","
                  "\"minLength\":1,\"maxLength\":640,\"description\":\"the whole message\"}},"
                  "\"required\":[\"text\"],\"additionalProperties\":false}",
    .changes = true,
    .on_calls = true,
    .sends = "text",
    .add = add_text,
    .read = read_text};
