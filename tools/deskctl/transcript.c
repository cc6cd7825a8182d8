/* The transcript of `conversation show` and `dead show`. Everything that came from outside passes
 * table_add_safe. */
#include "transcript.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "table.h"

#define INDENT 26 /* under the text, behind the time */

static const char *text_of(const struct json *object, const char *name)
{
    const char *text = json_member_text(object, name);
    return text != NULL ? text : "";
}

static bool number_of(const struct json *object, const char *name, int64_t *value)
{
    return json_member_int(object, name, INT64_MIN / 2, INT64_MAX / 2, value);
}

/* ", label text" when there is one. */
static void add_text(const struct json *object, const char *name, const char *label,
                     struct strbuf *out)
{
    const char *text = json_member_text(object, name);
    if (text == NULL)
        return;
    strbuf_printf(out, ", %s", label);
    table_add_safe(out, text, false, 0);
}

static void add_number(const struct json *object, const char *name, const char *before,
                       const char *after, struct strbuf *out)
{
    int64_t value;
    if (number_of(object, name, &value))
        strbuf_printf(out, ", %s%" PRId64 "%s", before, value, after);
}

/* Milliseconds between two times of the object, if both are there. */
static void add_span(const struct json *object, const char *from, const char *to, const char *label,
                     struct strbuf *out)
{
    int64_t began, ended;
    struct err err;
    const char *a = json_member_text(object, from), *b = json_member_text(object, to);
    if (a == NULL || b == NULL || clock_parse_rfc3339(a, &began, &err) != 0 ||
        clock_parse_rfc3339(b, &ended, &err) != 0)
        return;
    strbuf_printf(out, ", %s%" PRId64 " ms", label, ended - began);
}

static void add_call(const struct json *call, struct strbuf *out)
{
    int64_t in = -1, tokens_out = -1, cost = -1;
    const bool is_turns = strcmp(text_of(call, "purpose"), "summary") != 0;
    strbuf_printf(out, "%*s%s ", INDENT, "", is_turns ? "model" : "summary's model");
    table_add_safe(out, text_of(call, "provider"), false, 0);
    strbuf_add_char(out, ' ');
    table_add_safe(out, text_of(call, "model"), false, 0);
    strbuf_printf(out, ": %s", text_of(call, "outcome"));
    add_text(call, "error_code", "", out);
    if (number_of(call, "tokens_in", &in) && number_of(call, "tokens_out", &tokens_out))
        strbuf_printf(out, ", tokens %" PRId64 " in %" PRId64 " out", in, tokens_out);
    if (number_of(call, "cost", &cost)) /* in billionths */
        strbuf_printf(out, ", some $%" PRId64 ".%06" PRId64, cost / 1000000000,
                      cost % 1000000000 / 1000);
    add_number(call, "queue_ms", "queued ", " ms", out);
    add_number(call, "first_token_ms", "first token ", " ms", out);
    add_number(call, "total_ms", "total ", " ms", out);
    strbuf_add_char(out, '\n');
}

/* What the model asked of a tool, and what it was answered. */
static void add_tool(const struct json *tool, struct strbuf *out)
{
    const char *outcome = json_member_text(tool, "outcome");
    strbuf_printf(out, "%*stool ", INDENT, "");
    table_add_safe(out, text_of(tool, "name"), false, 0);
    strbuf_add_char(out, ' ');
    table_add_safe(out, text_of(tool, "arguments"), false, 0);
    strbuf_printf(out, ": %s", outcome != NULL ? outcome : text_of(tool, "state"));
    add_span(tool, "started_at", "finished_at", "", out);
    add_text(tool, "result", "", out);
    strbuf_add_char(out, '\n');
}

/* A passage of the tenant's knowledge that the prompt held. */
static void add_passage(const struct json *passage, struct strbuf *out)
{
    strbuf_printf(out, "%*sknew ", INDENT, "");
    table_add_safe(out, text_of(passage, "document"), false, 0);
    add_text(passage, "heading", "", out);
    strbuf_add_char(out, '\n');
}

void transcript_add_turn(const struct json *turn, struct strbuf *out)
{
    int64_t number = 0, count = 0;
    if (turn == NULL)
        return;
    number_of(turn, "number", &number);
    strbuf_printf(out, "%*sturn %" PRId64 " %s", INDENT, "", number, text_of(turn, "state"));
    add_text(turn, "outcome", "", out);
    add_text(turn, "error_code", "", out);
    add_span(turn, "started_at", "finished_at", "", out);
    if (number_of(turn, "recomputes", &count) && count > 0)
        strbuf_printf(out, ", recomputed %" PRId64 " times", count);
    if (number_of(turn, "tries", &count) && count > 0)
        strbuf_printf(out, ", lost %" PRId64 " times", count);
    strbuf_add_char(out, '\n');
    for (const struct json *passage = json_first(json_member(turn, "passages")); passage != NULL;
         passage = json_next(passage))
        add_passage(passage, out);
    for (const struct json *call = json_first(json_member(turn, "calls")); call != NULL;
         call = json_next(call))
        add_call(call, out);
    for (const struct json *tool = json_first(json_member(turn, "tools")); tool != NULL;
         tool = json_next(tool))
        add_tool(tool, out);
}

static void add_attempt(const struct json *attempt, struct strbuf *out)
{
    int64_t number = 0;
    const char *outcome = json_member_text(attempt, "outcome");
    number_of(attempt, "number", &number);
    strbuf_printf(out, "%*sattempt %" PRId64 " %s", INDENT, "", number,
                  outcome != NULL ? outcome : "in flight");
    add_number(attempt, "http_status", "HTTP ", "", out);
    add_text(attempt, "error_code", "error ", out);
    add_span(attempt, "started_at", "finished_at", "", out);
    strbuf_add_char(out, '\n');
}

/* Whom a call reached, or how it ended. */
static void add_reached(const struct json *delivery, struct strbuf *out)
{
    const char *by = json_member_text(json_member(delivery, "call"), "answered_by");
    if (by == NULL)
        add_text(delivery, "provider_status", "call ", out);
    else
        strbuf_printf(out, ", call, a %s answered", strcmp(by, "human") == 0 ? "person" : by);
}

void transcript_add_delivery(const struct json *delivery, struct strbuf *out)
{
    if (delivery == NULL)
        return;
    strbuf_printf(out, "%*sdelivery %s", INDENT, "", text_of(delivery, "state"));
    add_text(delivery, "reason", "", out);
    if (strcmp(text_of(delivery, "via"), "mail") == 0)
        add_text(json_member(delivery, "mail"), "subject", "mail on ", out);
    if (strcmp(text_of(delivery, "via"), "call") == 0)
        add_reached(delivery, out);
    add_text(delivery, "provider_sid", "", out);
    add_text(delivery, "error_code", "error ", out);
    add_number(delivery, "segments", "segments ", "", out);
    add_text(delivery, "encoding", "", out);
    add_span(delivery, "created_at", "settled_at", "settled after ", out);
    strbuf_add_char(out, '\n');
    for (const struct json *attempt = json_first(json_member(delivery, "attempts"));
         attempt != NULL; attempt = json_next(attempt))
        add_attempt(attempt, out);
}

/* By which of the business's channels; a dead letter's text does not say it. */
static void add_channel(const struct json *message, struct strbuf *out)
{
    const char *channel = json_member_text(message, "channel");
    if (channel == NULL)
        return;
    strbuf_printf(out, " (%s ", channel);
    table_add_safe(out, text_of(message, "number"), false, 0);
    strbuf_add_char(out, ')');
}

/* How far a caller heard what was said to him, if not to its end. */
static void add_heard(const struct json *message, struct strbuf *out)
{
    const char *heard = json_member_text(message, "heard");
    if (heard == NULL || strcmp(heard, text_of(message, "body")) == 0)
        return;
    strbuf_printf(out, "%*sheard: ", INDENT, "");
    table_add_safe(out, heard, true, INDENT + 3);
    strbuf_add_char(out, '\n');
}

/* What a mail that came in is besides its text. */
static void add_mail(const struct json *message, struct strbuf *out)
{
    const struct json *mail = json_member(message, "mail");
    const char *subject = json_member_text(message, "subject");
    if (subject != NULL) {
        strbuf_printf(out, "%*ssubject: ", INDENT, "");
        table_add_safe(out, subject, false, 0);
        strbuf_add_char(out, '\n');
    }
    for (const struct json *file = json_first(json_member(message, "media")); file != NULL;
         file = json_next(file)) {
        int64_t bytes = 0;
        if (json_member_text(file, "name") == NULL)
            continue; /* of a text: only a place at the provider */
        number_of(file, "size_bytes", &bytes);
        strbuf_printf(out, "%*sfile ", INDENT, "");
        table_add_safe(out, text_of(file, "name"), false, 0);
        add_text(file, "type", "", out);
        strbuf_printf(out, ", %" PRId64 " bytes\n", bytes);
    }
    if (mail == NULL || json_member_text(mail, "class") == NULL)
        return;
    strbuf_printf(out, "%*smail of class %s", INDENT, "", text_of(mail, "class"));
    if (!json_member_bool(mail, "verified", false))
        strbuf_add_text(out, ", sender not verified");
    add_text(mail, "suggested", "answers to the address of conversation ", out);
    strbuf_add_char(out, '\n');
}

void transcript_add_message(const struct json *message, struct strbuf *out)
{
    if (message == NULL)
        return;
    bool in = strcmp(text_of(message, "direction"), "in") == 0;
    bool is_customers = in && strcmp(text_of(message, "author"), "system") != 0;
    const struct json *inbox = json_member(message, "inbox");
    strbuf_printf(out, "%-24s  %s ", text_of(message, "at"), in ? "<-" : "->");
    table_add_safe(out, is_customers ? text_of(message, "address") : text_of(message, "author"),
                   false, 0);
    add_channel(message, out);
    strbuf_add_text(out, ": ");
    table_add_safe(out, text_of(message, "body"), true, INDENT + 3);
    strbuf_add_char(out, '\n');
    add_heard(message, out);
    add_mail(message, out);
    if (inbox != NULL) {
        strbuf_printf(out, "%*s%s", INDENT, "", text_of(inbox, "state"));
        add_text(inbox, "reason", "", out);
        add_text(message, "provider_id", "", out);
        add_span(inbox, "claimed_at", "settled_at", "after ", out);
        strbuf_add_char(out, '\n');
    }
    if (!in)
        transcript_add_turn(json_member(message, "turn"), out);
    for (const struct json *delivery = json_first(json_member(message, "deliveries"));
         delivery != NULL; delivery = json_next(delivery))
        transcript_add_delivery(delivery, out);
}

static void add_escalation(const struct json *escalation, struct strbuf *out)
{
    strbuf_printf(out, "%-24s  for a person (%s, %s): ", text_of(escalation, "created_at"),
                  text_of(escalation, "reason"), text_of(escalation, "state"));
    table_add_safe(out, text_of(escalation, "summary"), true, INDENT + 3);
    add_text(escalation, "caller", "from ", out);
    add_text(escalation, "call_back", "call back ", out);
    add_text(escalation, "promised", "promised ", out);
    add_text(escalation, "accepted_by", "accepted by ", out);
    strbuf_add_char(out, '\n');
}

/* What somebody of the business did with the conversation, by its row of the audit log. */
static void add_deed(const struct json *deed, struct strbuf *out)
{
    strbuf_printf(out, "%-24s  %s by ", text_of(deed, "at"), text_of(deed, "action"));
    table_add_safe(out, text_of(deed, "actor"), false, 0);
    strbuf_add_char(out, '\n');
}

static void add_summary(const struct json *summary, struct strbuf *out)
{
    strbuf_printf(out, "%-24s  summary by ", text_of(summary, "created_at"));
    table_add_safe(out, text_of(summary, "model"), false, 0);
    strbuf_add_text(out, ": ");
    table_add_safe(out, text_of(summary, "body"), true, INDENT + 3);
    strbuf_add_char(out, '\n');
}

static void add_turns(const struct json *turns, struct strbuf *out)
{
    for (const struct json *turn = json_first(turns); turn != NULL; turn = json_next(turn))
        transcript_add_turn(turn, out);
}

void transcript_print(const struct json *conversation, struct strbuf *out)
{
    strbuf_printf(out, "conversation %s of %s, opened %s", text_of(conversation, "id"),
                  text_of(conversation, "tenant"), text_of(conversation, "opened_at"));
    add_text(conversation, "closed_at", "closed ", out);
    add_text(conversation, "held_by", "held by ", out);
    add_text(conversation, "flagged", "flagged ", out);
    strbuf_add_char(out, '\n');
    for (const struct json *message = json_first(json_member(conversation, "messages"));
         message != NULL; message = json_next(message))
        transcript_add_message(message, out);
    add_turns(json_member(conversation, "failed_turns"), out);
    add_turns(json_member(conversation, "cut_turns"), out);
    for (const struct json *escalation = json_first(json_member(conversation, "escalations"));
         escalation != NULL; escalation = json_next(escalation))
        add_escalation(escalation, out);
    for (const struct json *deed = json_first(json_member(conversation, "people")); deed != NULL;
         deed = json_next(deed))
        add_deed(deed, out);
    for (const struct json *summary = json_first(json_member(conversation, "summaries"));
         summary != NULL; summary = json_next(summary))
        add_summary(summary, out);
}
