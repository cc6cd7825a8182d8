/* What the commit of a turn holds: its reply, the rows that it settles and the records beside it.
 * session.c calls it when a turn ends, think.c has what the model said. */
#include "assistants.h"
#include "contract/segments.h"
#include "escalate.h"
#include "mail_turn.h"
#include "reception_turn.h"
#include "reply.h"
#include "session.h"
#include "tools.h"
#include "voice.h"
#include "voice_step.h"

#include <string.h>

/* Wording for a tenant whose assistant could not be read: said in no one's name. */
static const char last_resort[] = "Thank you for your message. We will get back to you shortly.";

/* A model's text, behind the greeting if it is the conversation's first. */
static const char *greeted(struct session *session, const struct assistant *assistant,
                           const char *text)
{
    const char *greeting = assistant != NULL ? assistant->workflow.greeting : "";
    if (greeting[0] == '\0' || !session->asked.is_first || session->voice != NULL)
        return text; /* a call was greeted by its ingress */
    return arena_printf(session->arena, "%s%s%s", greeting, session->turn.is_mail ? "\n\n" : "\n",
                        text);
}

/* What is sent: a model's text, the after-hours wording, or what the reception says without a
 * model. */
static struct reception_reply reply_of(struct session *session, const char *outcome,
                                       const char *text)
{
    const struct assistant *assistant = think_assistant(session);
    struct reception_reply reply = {.body = NULL};
    if (text != NULL) {
        reply.body = greeted(session, assistant, text);
        reply.record = reception_turn_answered(session);
    } else if (reception_turn_is_recovery(session))
        reception_turn_facts(session, assistant, &reply);
    else if (assistant == NULL)
        reply.body = last_resort;
    else
        reception_turn_reply(session, assistant, outcome, &reply);
    return reply;
}

/* What each commit of the turn has in common. */
static struct turn_commit commit_of(struct session *session, const char *outcome, const char *body)
{
    const struct turn_started *turn = &session->turn;
    const struct engine_settings *settings = &session->engine->shared->settings;
    bool failed = strcmp(outcome, "degraded") == 0;
    return (struct turn_commit){
        .tenant = session->tenant,
        .session = session->id,
        .conversation = turn->conversation,
        .turn = turn->turn,
        .fence = turn->fence,
        .epoch = turn->epoch,
        .claimed = turn->claimed,
        .final = failed || session_is_final(session),
        .sockets = voice_sockets(session),
        .events = turn->events,
        .event_state = body[0] == '\0' ? "ended"
                       : failed        ? "failed"
                                       : "answered",
        .turn_state = failed ? "failed" : "finished",
        .outcome = outcome,
        .error_code = failed ? "turn.lost_often" : NULL,
        .body = session->voice != NULL
                    ? body
                    : reply_clean_to(session->arena, body, mail_turn_reply_units(session)),
        .by_mail = turn->is_mail && body[0] != '\0',
        .message = uuid_new(),
        .delivery = uuid_new(),
        .answer_within_ms =
            turn->is_mail ? settings->mail_answer_within_ms : settings->answer_within_ms,
        .traceparent = turn->traceparent,
        .calls = session->calls,
        .call_count = session->call_count,
    };
}

static void count_segments(struct session *session)
{
    struct segments segments;
    if (session->commit.body[0] == '\0' || session->voice != NULL || session->commit.by_mail)
        return;
    segments_count(session->commit.body, &segments);
    session->commit.segments = segments.count;
}

void prepare_commit(struct session *session, const char *outcome, const char *text)
{
    const struct assistant *assistant = think_assistant(session);
    struct reception_reply reply = reply_of(session, outcome, text);
    reply.body = voice_concluded(session, reply.body, text != NULL);
    session->commit = commit_of(session, outcome, reply.body);
    voice_step_prepare(session);
    if (voice_is_cut(session) && reply.body[0] == '\0')
        session->commit.event_state = "late"; /* the ingress has said its own words, for people */
    session->commit.ends = /* a call may still go on behind its goodbye: it closes at its end */
        session->voice == NULL && strcmp(outcome, "reply") == 0 &&
        rounds_have_done(&session->rounds, session->turn.claimed, tool_end_conversation.name);
    session->commit.passages = text != NULL ? session->asked.prompt_passages : reply.passages;
    session->commit.prompt = session->asked.prompt_record;
    session->commit.reception = reply.record;
    bool says_why = text != NULL || !reception_turn_is_recovery(session);
    if (assistant != NULL && says_why && reply.body[0] != '\0')
        escalate_prepare(session, assistant);
    count_segments(session);
}

bool prepare_has_plain(struct session *session)
{
    return session->shape == COMMIT_WHOLE && !reception_turn_is_recovery(session);
}

void prepare_plain(struct session *session)
{
    const struct assistant *assistant = think_assistant(session);
    bool bare = session->shape == COMMIT_BARE;
    bool failed = bare || strcmp(session->commit.outcome, "degraded") == 0;
    const char *wording = assistant == NULL ? last_resort
                          : failed          ? assistant->degraded
                                            : assistant->fallback;
    calls_make_plain(session);
    session->commit = commit_of(session, failed ? "degraded" : "fallback", bare ? "" : wording);
    if (bare || !failed)
        session->commit.error_code = "commit.unfit";
    if (bare) {
        session->commit.event_state = "failed";
        session->commit.call_count = 0;
    }
    count_segments(session);
}
