/* Triggers of a turn: see escalate.h. think.c calls it for every commit. */
#include "escalate.h"

#include "base/text.h"
#include "crypto/crypto.h"
#include "mail_turn.h"
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

static void note_failure(struct session *session, const struct triggers *triggers,
                         const struct json *context)
{
    struct escalation_trigger *trigger = &session->commit.trigger;
    const char *outcome = session->commit.outcome, *text = "";
    char turn[UUID_TEXT_SIZE];
    for (const struct json *item = json_first(context); item != NULL; item = json_next(item))
        text = open_text(item) != NULL ? open_text(item) : text;
    if (strcmp(outcome, "fallback") == 0 && session->failed &&
        triggers_want(triggers, "provider_outage"))
        trigger->reason = "provider_outage";
    trigger->if_repeated = triggers_want(triggers, "repeated_failure");
    trigger->id = ident(session, "turn", uuid_format(&session->turn.turn, turn));
    trigger->summary = arena_printf(session->arena, "Sent the %s wording to: %s", outcome,
                                    quote(session->arena, text));
}

void escalate_prepare(struct session *session, const struct assistant *assistant)
{
    const struct triggers *triggers = &assistant->triggers;
    struct json *context = NULL;
    struct err err;
    bool failed = strcmp(session->commit.outcome, "fallback") == 0 ||
                  strcmp(session->commit.outcome, "degraded") == 0;
    if ((triggers->word_count == 0 && !failed) ||
        json_parse(session->turn.context, strlen(session->turn.context), &context, &err) != 0)
        return;
    session->commit.trigger.calls = triggers->has_rota;
    if (triggers_want(triggers, "policy_word") && find_word(session, triggers, context))
        tell_customer(session, assistant);
    else if (failed)
        note_failure(session, triggers, context);
    json_free(&context);
}
