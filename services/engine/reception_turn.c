/* The glue between a turn and reception.c: the notes as the start's JSON has them, the texts that
 * are to be answered, and the row that the commit keeps. think.c calls it. */
#include "reception_turn.h"

#include "base/strbuf.h"
#include "reception.h"
#include "reception_facts.h"
#include "reply.h"
#include "session.h"
#include "store/recover.h"
#include "tools.h"
#include "json/json.h"

#include <string.h>

#define BRIEF_MAX 1024

struct kept {
    struct reception_notes notes;
    const char *escalation; /* NULL: none yet */
    int64_t position;       /* of the newest message that was read */
    bool recorded;          /* people were given it */
    bool due;               /* they will be, if nobody goes on */
};

static const char *text_of(struct arena *arena, const struct json *row, const char *name)
{
    const char *text = json_member_text(row, name);
    return text != NULL && text[0] != '\0' ? arena_strdup(arena, text) : NULL;
}

/* Nothing noted is the beginning; so is what cannot be read, which only a newer release writes. */
static void read_kept(struct session *session, struct kept *out)
{
    const char *text = session->turn.reception;
    struct json *row = NULL;
    struct err err;
    int64_t tries = 0;
    *out = (struct kept){.recorded = false};
    if (text == NULL || text[0] == '\0' || json_parse(text, strlen(text), &row, &err) != 0)
        return;
    const char *asked = json_member_text(row, "asked");
    json_member_int(row, "tries", 0, 1000, &tries);
    json_member_int(row, "position", 0, INT64_MAX, &out->position);
    out->notes = (struct reception_notes){.asked = reception_asked_of(asked != NULL ? asked : ""),
                                          .tries = (int)tries,
                                          .caller = text_of(session->arena, row, "caller"),
                                          .reason = text_of(session->arena, row, "reason"),
                                          .call_back = text_of(session->arena, row, "call_back")};
    out->escalation = text_of(session->arena, row, "escalation");
    out->recorded = json_member_bool(row, "recorded", false);
    out->due = json_member_bool(row, "due", false);
    json_free(&row);
}

/* ---- what the customer wrote ---- */

struct unread {
    const char **texts;
    size_t count;
    int64_t position; /* of the newest one, or what was read before */
};

/* Every event of the turn asks the desk to answer again. The ids alone say so. */
bool reception_turn_is_recovery(struct session *session)
{
    const char **ids = NULL;
    size_t count = 0;
    struct err err;
    if (pg_array_decode(session->arena, session->turn.events, &ids, &count, &err) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strncmp(ids[i], RECOVER_EVENT, strlen(RECOVER_EVENT)) != 0)
            return false;
    return count > 0;
}

/* Open texts that were not read before: those of a suppressed reply are open again (hand-back). */
static void read_texts(struct session *session, int64_t read_position, struct unread *out)
{
    const char *context = session->turn.context;
    struct json *items = NULL;
    struct err err;
    if (json_parse(context, strlen(context), &items, &err) != 0)
        return;
    out->texts = arena_alloc(session->arena, (json_count(items) + 1) * sizeof *out->texts);
    for (const struct json *i = json_first(items); i != NULL; i = json_next(i)) {
        const char *author = json_member_text(i, "author"), *text = json_member_text(i, "text");
        int64_t position = 0;
        if (author == NULL || text == NULL || strcmp(author, "contact") != 0 ||
            !json_member_bool(i, "open", false) ||
            !json_member_int(i, "position", read_position + 1, INT64_MAX, &position))
            continue;
        out->texts[out->count++] = arena_strdup(session->arena, text);
        out->position = position;
    }
    json_free(&items);
}

/* ---- the reply ---- */

static const struct reception_record *record_of(struct session *session, const struct kept *kept,
                                                const struct reception_output *step,
                                                int64_t position)
{
    const struct reception_notes *notes = &step->notes;
    bool is_noted = notes->caller != NULL || notes->reason != NULL || notes->call_back != NULL;
    const struct uuid fresh = uuid_new();
    struct reception_record *record = arena_alloc(session->arena, sizeof *record);
    *record = (struct reception_record){
        .asked = reception_asked_name(notes->asked),
        .tries = notes->tries,
        .caller = notes->caller,
        .reason = notes->reason,
        .call_back = notes->call_back,
        .position = position,
        .escalation = kept->escalation != NULL ? kept->escalation
                      : is_noted ? uuid_format(&fresh, arena_alloc(session->arena, UUID_TEXT_SIZE))
                                 : NULL,
        .summary = step->summary,
        .due_ms = step->due == RECEPTION_DUE_LATER
                      ? session->engine->shared->settings.unfinished_message_ms
                  : step->due == RECEPTION_DUE_NEVER ? 0
                                                     : RECEPTION_RECORD_AS_IT_WAS,
    };
    return record;
}

/* A message or wish for a person is recorded in the unit in which its call begins. It stands
 * whatever the customer wrote since: people read that in the conversation. */
bool reception_turn_has_message(const struct session *session)
{
    const struct rounds *rounds = &session->rounds;
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            const struct rounds_call *call = &rounds->items[i]->calls[k];
            bool records = strcmp(call->name, tool_take_message.name) == 0 ||
                           strcmp(call->name, tool_escalate.name) == 0;
            bool did = call->done ? strcmp(call->outcome, "ok") == 0 : call->begun;
            if (records && did)
                return true;
        }
    return false;
}

/* What the tools have changed is told even if the model that wanted it cannot. */
static const char *with_facts(struct session *session, const struct assistant *assistant,
                              const char *opening)
{
    const struct wording *words = &assistant->words;
    const char *body = opening;
    if (reception_turn_has_message(session))
        body = reply_append(session->arena, body, words->stands);
    const char *facts = reception_facts(session->arena, &session->rounds, words);
    return facts != NULL ? reply_append(session->arena, body, facts) : body;
}

/* Whether the desk has put a question that is not answered yet. */
static bool waits_for_answer(const struct kept *kept)
{
    return kept->notes.asked != RECEPTION_NOTHING && kept->notes.asked != RECEPTION_DONE;
}

void reception_turn_facts(struct session *session, const struct assistant *assistant,
                          struct reception_reply *out)
{
    *out = (struct reception_reply){
        .body = assistant != NULL ? with_facts(session, assistant, "") : "",
        .record = reception_turn_has_message(session) ? reception_turn_answered(session) : NULL};
}

void reception_turn_reply(struct session *session, const struct assistant *assistant,
                          const char *outcome, struct reception_reply *out)
{
    bool is_lost = strcmp(outcome, "degraded") == 0;
    bool is_closed = strcmp(outcome, "closed") == 0 && assistant->workflow.closed_say[0] != '\0';
    const char *opening = is_lost     ? assistant->degraded
                          : is_closed ? assistant->workflow.closed_say
                                      : assistant->fallback;
    struct kept kept;
    struct reception_output step;
    *out = (struct reception_reply){.body = with_facts(session, assistant, opening)};
    if (reception_turn_has_message(session))
        out->record = reception_turn_answered(session);
    if (out->body != opening)
        return;
    read_kept(session, &kept);
    if (is_closed && !waits_for_answer(&kept))
        return;
    struct unread unread = {.position = kept.position};
    if (!is_lost)
        read_texts(session, kept.position, &unread);
    const struct reception_input input = {.words = &assistant->words,
                                          .opening = opening,
                                          .says_opening = is_closed,
                                          .texts = unread.texts,
                                          .count = unread.count,
                                          .answer = session->briefing.answer};
    reception_step(session->arena, &kept.notes, &input, &step);
    out->body = step.body;
    out->passages = step.quotes ? session->briefing.quoted : NULL;
    out->record = record_of(session, &kept, &step, unread.position);
}

const struct reception_record *reception_turn_answered(struct session *session)
{
    struct kept kept;
    read_kept(session, &kept);
    if (kept.notes.asked == RECEPTION_NOTHING && !kept.due)
        return NULL;
    bool is_over = kept.notes.asked == RECEPTION_DONE;
    struct reception_record *record = arena_alloc(session->arena, sizeof *record);
    *record = (struct reception_record){
        .asked = reception_asked_name(RECEPTION_NOTHING),
        .caller = kept.notes.caller,
        .reason = is_over ? NULL : kept.notes.reason,
        .call_back = is_over ? NULL : kept.notes.call_back,
        .position = kept.position,
        .escalation = is_over ? NULL : kept.escalation,
    };
    return record;
}

/* ---- what the model is told ---- */

const char *reception_turn_brief(struct session *session, const struct assistant *assistant)
{
    struct kept kept;
    struct strbuf out;
    read_kept(session, &kept);
    if (kept.notes.asked == RECEPTION_NOTHING)
        return NULL;
    strbuf_init(&out, BRIEF_MAX);
    strbuf_add_text(&out, "While no model could answer, the desk itself took a message, question "
                          "by question, as the conversation shows. ");
    strbuf_printf(&out, "It knows the customer's name: %s; the reason: %s; how to reach them: %s. ",
                  kept.notes.caller != NULL ? "yes" : "no",
                  kept.notes.reason != NULL ? "yes" : "no",
                  kept.notes.call_back != NULL ? "yes" : "no");
    strbuf_add_text(&out, kept.recorded ? "The message is recorded for the people of the business. "
                                        : "Nothing of it is recorded for people yet. ");
    if (!kept.recorded &&
        assistant_may_use(think_tools(session, assistant), tool_take_message.name))
        strbuf_printf(&out, "Use %s if they should see it. ", tool_take_message.name);
    strbuf_add_text(&out, "Answer now, and do not ask again for what is known.\n");
    const char *text = arena_strndup(session->arena, out.data, out.length);
    strbuf_fini(&out);
    return text;
}
