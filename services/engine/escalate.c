/* Triggers of a turn: see escalate.h. think.c calls it for every commit. */
#include "escalate.h"

#include "base/text.h"
#include "crypto/crypto.h"
#include "mail_turn.h"
#include "reception_turn.h"
#include "reply.h"
#include "tools.h"
#include "json/json.h"

#include <string.h>

#define QUOTE_BYTES 300

static struct uuid ident(const struct session *session, const char *cause, const char *which)
{
    const char *const parts[] = {"escalation", session->tenant, cause, which};
    return crypto_ident(session->engine->shared->id_key, parts, 4);
}

static const char *quote(struct arena *arena, const char *text)
{
    size_t length = text_utf8_prefix(text, QUOTE_BYTES);
    return arena_printf(arena, "%.*s%s", (int)length, text, text[length] != '\0' ? "..." : "");
}

/* The customer's text that is open, or NULL: only those have an event. */
static const char *open_text(const struct json *item)
{
    const char *author = json_member_text(item, "author");
    if (json_member_text(item, "event") == NULL || author == NULL || strcmp(author, "contact") != 0)
        return NULL;
    return json_member_text(item, "text");
}

/* ---- a word of the customer's ---- */

/* By the first text that holds one: a rerun finds the same. */
static bool find_word(struct session *session, const struct triggers *triggers,
                      const struct json *context)
{
    struct escalation_trigger *trigger = &session->commit.trigger;
    for (const struct json *item = json_first(context); item != NULL; item = json_next(item)) {
        const char *text = open_text(item);
        const char *word = text != NULL ? triggers_word_in(triggers, text) : NULL;
        if (word == NULL)
            continue;
        trigger->reason = "policy_word";
        trigger->id = ident(session, "policy_word", json_member_text(item, "event"));
        trigger->summary =
            arena_printf(session->arena, "\"%s\" in: %s", word, quote(session->arena, text));
        return true;
    }
    return false;
}

/* A model that called `escalate` was told what to say. The tenant's wordings go out as they stand.
 */
static void tell_customer(struct session *session, const struct assistant *assistant)
{
    struct turn_commit *commit = &session->commit;
    const struct wording *words = &assistant->words;
    const size_t most = mail_turn_reply_units(session);
    const char *tell = assistant->workflow.tell;
    bool told = rounds_have_done(&session->rounds, commit->claimed, tool_escalate.name);
    if (tell[0] == '\0' || told || strcmp(commit->outcome, "reply") != 0)
        return;
    tell = assistant->triggers.has_rota ? tell : words->passed_on;
    commit->trigger.promised = tell;
    commit->trigger.if_taken = reply_append_to(session->arena, commit->body, words->taken, most);
    if (strstr(commit->body, tell) == NULL)
        commit->body = reply_append_to(session->arena, commit->body, tell, most);
}

/* ---- no answer ---- */

static const char *newest_text(const struct json *context)
{
    const char *text = "";
    for (const struct json *item = json_first(context); item != NULL; item = json_next(item))
        text = open_text(item) != NULL ? open_text(item) : text;
    return text;
}

static void note_failure(struct session *session, const struct triggers *triggers,
                         const struct json *context)
{
    struct escalation_trigger *trigger = &session->commit.trigger;
    const char *outcome = session->commit.outcome;
    char turn[UUID_TEXT_SIZE];
    if (strcmp(outcome, "fallback") == 0 && session->failed &&
        triggers_want(triggers, "provider_outage"))
        trigger->reason = "provider_outage";
    trigger->if_repeated = triggers_want(triggers, "repeated_failure");
    trigger->id = ident(session, "turn", uuid_format(&session->turn.turn, turn));
    trigger->summary = arena_printf(session->arena, "Sent the %s wording to: %s", outcome,
                                    quote(session->arena, newest_text(context)));
}

/* ---- a tool of the tenant's own that is away ---- */

static bool went_well(const struct rounds *rounds, const char *tool)
{
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            const struct rounds_call *call = &rounds->items[i]->calls[k];
            if (strcmp(call->name, tool) == 0 && call->done && strcmp(call->outcome, "ok") == 0)
                return true;
        }
    return false;
}

/* The first call of such a tool that failed, whatever the turn stood at, and of which none went
 * well; NULL: none. What was called wrongly, and what the tool said no to (no such order), was
 * refused: that is no fault of the tool's. */
static const struct rounds_call *lost_call(const struct session *session,
                                           const struct assistant *assistant)
{
    const struct rounds *rounds = &session->rounds;
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            const struct rounds_call *call = &rounds->items[i]->calls[k];
            if (call->done && strcmp(call->outcome, "ok") != 0 &&
                strcmp(call->outcome, "refused") != 0 &&
                assistant_http_tool(assistant, call->name) != NULL &&
                !went_well(rounds, call->name))
                return call;
        }
    return NULL;
}

/* Nobody would see what the customer wanted: the model has answered, and recorded nothing. */
static const struct rounds_call *unseen_call(const struct session *session,
                                             const struct assistant *assistant)
{
    const char *outcome = session->commit.outcome;
    const bool answered = strcmp(outcome, "reply") == 0 || strcmp(outcome, "interrupted") == 0;
    if (!answered || reception_turn_has_message(session) ||
        went_well(&session->rounds, tool_transfer_call.name))
        return NULL;
    return lost_call(session, assistant);
}

/* It is listed, and nobody is woken for it. */
static void note_tool(struct session *session, const struct rounds_call *call,
                      const struct json *context)
{
    struct escalation_trigger *trigger = &session->commit.trigger;
    const bool may_be_done = strcmp(call->outcome, "unknown") == 0;
    char turn[UUID_TEXT_SIZE];
    trigger->reason = "tool_outage";
    trigger->calls = false;
    trigger->id = ident(session, "tool_outage", uuid_format(&session->turn.turn, turn));
    trigger->summary =
        arena_printf(session->arena, "The tool %s did not work%s. The customer wrote: %s",
                     call->name, may_be_done ? ", and may have done what it was asked for" : "",
                     quote(session->arena, newest_text(context)));
}

void escalate_prepare(struct session *session, const struct assistant *assistant)
{
    const struct triggers *triggers = &assistant->triggers;
    const struct rounds_call *unseen = unseen_call(session, assistant);
    struct json *context = NULL;
    struct err err;
    bool failed = strcmp(session->commit.outcome, "fallback") == 0 ||
                  strcmp(session->commit.outcome, "degraded") == 0;
    if ((triggers->word_count == 0 && !failed && unseen == NULL) ||
        json_parse(session->turn.context, strlen(session->turn.context), &context, &err) != 0)
        return;
    session->commit.trigger.calls = triggers->has_rota;
    if (triggers_want(triggers, "policy_word") && find_word(session, triggers, context))
        tell_customer(session, assistant);
    else if (failed)
        note_failure(session, triggers, context);
    else if (unseen != NULL)
        note_tool(session, unseen, context);
    json_free(&context);
}
