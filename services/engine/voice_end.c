/* The end of a turn that does something with its call: see voice_end.h. think.c asks before a model
 * is, voice.c when the last words have left. The transfer itself is the ingress's; what comes of it
 * is a record of its (voice_intake.c). */
#include "voice_end.h"

#include "assistants.h"
#include "base/strbuf.h"
#include "contract/voice.h"
#include "tools.h"
#include "voice.h"

#include <string.h>

#define BRIEFING_MAX 2400 /* a name of 100 characters, a summary of 400, our own words */

/* The last call of that tool which went well, in rounds from `claimed` on; NULL: none. */
static const struct rounds_call *done_by(const struct session *session, const struct tool *tool,
                                         int64_t claimed)
{
    const struct rounds_call *found = NULL;
    for (size_t i = 0; i < session->rounds.count; i++) {
        const struct rounds_round *round = session->rounds.items[i];
        for (size_t k = 0; k < round->call_count && round->claimed >= claimed; k++) {
            const struct rounds_call *call = &round->calls[k];
            if (call->done && strcmp(call->name, tool->name) == 0 &&
                strcmp(call->outcome, "ok") == 0)
                found = call;
        }
    }
    return found;
}

/* The transfer that the turn has opened, unless the caller spoke behind it; NULL: none. */
static const struct rounds_call *transfer_of(const struct session *session)
{
    return done_by(session, &tool_transfer_call, session->turn.claimed);
}

/* Who is rung up: named by the row, the number by the version. NULL: nobody, after all. */
static const struct phone_person *person_of(const struct assistant *assistant,
                                            const struct rounds_call *call)
{
    struct json *result = NULL;
    const struct phone_person *person = NULL;
    if (json_parse(call->result, strlen(call->result), &result, NULL) != 0)
        return NULL;
    const char *name = json_member_text(result, "to");
    if (name != NULL)
        person = phone_plan_find(&assistant->phone, name);
    json_free(&result);
    return person;
}

/* What the person hears before he takes the call. The summary stands last: ingress cuts off what a
 * URL has no room for. */
static const char *briefing_of(struct session *session, const struct assistant *assistant,
                               const struct rounds_call *call)
{
    const struct phone_words *words =
        phone_plan_words(&assistant->phone, assistant->profile.language);
    struct json *arguments = NULL;
    struct strbuf text;
    strbuf_init(&text, BRIEFING_MAX);
    strbuf_printf(&text, "%s %s",
                  wording_fill(session->arena, words->call_for, assistant->profile.business),
                  words->press);
    if (json_parse(call->arguments, strlen(call->arguments), &arguments, NULL) == 0)
        strbuf_printf(&text, " %s", json_member_text(arguments, "summary"));
    json_free(&arguments);
    const char *briefing = arena_strndup(session->arena, text.data, text.length);
    strbuf_fini(&text);
    return briefing;
}

static const char *dial(struct session *session, const struct assistant *assistant,
                        const struct rounds_call *call, const struct phone_person *person)
{
    char id[UUID_TEXT_SIZE];
    struct strbuf text;
    struct json_writer w;
    strbuf_init(&text, VOICE_HANDOFF_MAX);
    json_writer_init(&w, &text);
    json_open_object(&w, NULL);
    json_add_text(&w, "do", "dial");
    json_add_text(&w, "dial", uuid_format(&call->id, id));
    json_add_text(&w, "to", person->phone);
    json_add_int(&w, "timeout_s", assistant->phone.ring_s);
    if (assistant->phone.cold)
        json_add_bool(&w, "cold", true);
    else
        json_add_text(&w, "briefing", briefing_of(session, assistant, call));
    json_close_object(&w);
    const char *handoff = arena_strndup(session->arena, text.data, text.length);
    strbuf_fini(&text);
    return handoff;
}

const char *voice_end_handoff(struct session *session)
{
    const struct assistant *assistant = think_assistant(session);
    const struct rounds_call *call = assistant != NULL ? transfer_of(session) : NULL;
    const struct phone_person *person = call != NULL ? person_of(assistant, call) : NULL;
    if (person != NULL)
        return dial(session, assistant, call, person);
    if (rounds_have_done(&session->rounds, session->turn.claimed, tool_end_conversation.name))
        return "{\"do\":\"hangup\"}";
    return NULL;
}

bool voice_end_says(struct session *session, const struct assistant *assistant)
{
    const struct rounds_call *call = session->voice != NULL ? transfer_of(session) : NULL;
    if (call == NULL || person_of(assistant, call) == NULL)
        return false;
    session->commit.body =
        voice_say(session, phone_plan_words(&assistant->phone, voice_language(session))->reaching);
    session_apply(session, EVENT_ANSWER);
    return true;
}

const char *voice_end_language(struct session *session)
{
    const struct rounds_call *call = done_by(session, &tool_switch_language, 0);
    const struct assistant *assistant = call != NULL ? think_assistant(session) : NULL;
    struct json *arguments = NULL;
    const char *lang = NULL;
    if (assistant == NULL ||
        json_parse(call->arguments, strlen(call->arguments), &arguments, NULL) != 0)
        return NULL;
    const char *tag = json_member_text(arguments, "language");
    if (tag != NULL)
        lang = phone_plan_language(&assistant->phone, tag);
    json_free(&arguments);
    return lang;
}
