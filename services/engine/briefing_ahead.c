/* A briefing that is asked for while the turn's start is on its way, beside it: a caller waits, and
 * what the start will find is mostly known (answering.h). What it was asked with is compared with
 * what the start found: if anything differs, the turn asks for itself. A unit of its own, because a
 * claim holds up the calls behind it and must not fail for a question. voice_intake.c asks, think.c
 * takes. */
#include "briefing_inside.h"

#include "base/map.h"
#include "base/mem.h"
#include "counters.h"
#include "question.h"
#include "service/log.h"
#include "stranger.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_MS 1000 /* then there is time to ask behind the start */

/* What was asked ahead for a session; all else of it lives in its arena. */
struct briefing_ahead {
    struct arena *arena;
    uint64_t ticket; /* of the unit */
    enum { COMING, THERE, FAILED } state;
    struct uuid contact;
    const char *assistant, *question;
    int version;
    bool has_knowledge;
    struct briefing briefing;
};

void briefing_drop_ahead(struct session *session)
{
    struct briefing_ahead *ahead = session->ahead;
    if (ahead == NULL)
        return;
    session->ahead = NULL;
    arena_free(&ahead->arena);
    free(ahead);
}

/* ---- the answer ---- */

static void tell(const struct briefing_unit *reading, const struct briefing_asked *asked,
                 const struct pg_answer *answer)
{
    struct session *session =
        map_get(reading->sessions->by_id, asked->session_id.bytes, sizeof asked->session_id.bytes);
    struct briefing_ahead *ahead = session != NULL ? session->ahead : NULL;
    if (ahead == NULL || ahead->ticket != asked->ticket)
        return;
    const struct assistant *assistant =
        assistants_get(session->engine->assistants, session->tenant, ahead->assistant,
                       ahead->version, &session->id);
    ahead->state = answer->err == NULL && assistant != NULL ? THERE : FAILED;
    if (ahead->state == THERE)
        briefing_keep(&ahead->briefing, ahead->arena, assistant, asked, answer);
    if (!briefing_waits(session, ahead->ticket))
        return; /* the start is not answered yet */
    session->ticket = 0;
    think_start(session);
}

static void was_read(void *arg, const struct pg_answer *answer)
{
    struct briefing_unit *reading = arg;
    struct sessions *sessions = reading->sessions;
    sessions->briefings_in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "briefing"),
                 LOG_INT("turns", (int64_t)reading->count), LOG_ERR(answer->err));
    for (size_t i = 0; i < reading->count; i++)
        tell(reading, &reading->turns[i], answer);
    briefing_unit_free(reading);
    briefing_flush(sessions);
}

/* ---- taking it ---- */

/* It was asked as of the person whose number it is. */
static bool is_as_guessed(const struct briefing_ahead *ahead, const struct session *session)
{
    const struct turn_started *turn = &session->turn;
    const struct assistant *assistant =
        assistants_get(session->engine->assistants, session->tenant, ahead->assistant,
                       ahead->version, &session->id);
    return assistant != NULL && !stranger_is(session, assistant) &&
           strcmp(ahead->assistant, turn->assistant) == 0 &&
           ahead->version == turn->assistant_version &&
           uuid_equal(&ahead->contact, &turn->contact) &&
           ahead->has_knowledge == turn->has_knowledge &&
           (!ahead->has_knowledge ||
            strcmp(ahead->question, question_of(session->arena, turn->context)) == 0);
}

static const char *copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

bool briefing_take_ahead(struct session *session)
{
    const struct briefing_ahead *ahead = session->ahead;
    if (ahead == NULL)
        return false;
    if (ahead->state == FAILED || !is_as_guessed(ahead, session)) {
        briefing_drop_ahead(session);
        return false;
    }
    if (ahead->state == COMING)
        return false;
    metric_add(counters.briefed_ahead, 1);
    session->briefing = ahead->briefing;
    session->briefing.text = copy(session->arena, ahead->briefing.text);
    session->briefing.passages = copy(session->arena, ahead->briefing.passages);
    session->briefing.answer = copy(session->arena, ahead->briefing.answer);
    session->briefing.quoted = copy(session->arena, ahead->briefing.quoted);
    briefing_drop_ahead(session);
    return true;
}

bool briefing_comes(struct session *session)
{
    if (session->ahead == NULL || session->ahead->state != COMING)
        return false;
    session->ticket = session->ahead->ticket;
    return true;
}

/* ---- asking ---- */

static void ask(struct briefing_unit *reading, struct pg_unit *unit, struct session *session,
                const struct briefing_guess *guess)
{
    struct sessions *sessions = reading->sessions;
    const struct assistant *assistant =
        assistants_get(sessions->engine->assistants, session->tenant, guess->assistant,
                       guess->version, &session->id);
    if (assistant == NULL || !briefing_is_needed(assistant))
        return;
    briefing_drop_ahead(session);
    struct briefing_ahead *ahead = xcalloc(1, sizeof *ahead);
    ahead->arena = arena_new();
    ahead->ticket = ++sessions->next_ticket;
    ahead->contact = guess->contact;
    ahead->assistant = arena_strdup(ahead->arena, guess->assistant);
    ahead->version = guess->version;
    ahead->has_knowledge = guess->has_knowledge;
    ahead->question = arena_printf(ahead->arena, "%s\n", guess->words);
    session->ahead = ahead;
    briefing_unit_add(
        reading, unit,
        &(struct briefing_wish){.tenant = session->tenant,
                                .session = session->id,
                                .contact = guess->contact,
                                .ticket = ahead->ticket,
                                .is_known = true,
                                .search = guess->has_knowledge ? ahead->question : NULL,
                                .letter = "",
                                .assistant = assistant});
}

void briefing_ask_ahead(struct sessions *sessions, const struct briefing_guess *guesses,
                        size_t count)
{
    if (count == 0 || sessions->briefings_in_flight >= BRIEFING_UNITS_IN_FLIGHT)
        return;
    struct briefing_unit *reading = briefing_unit_new(sessions);
    struct pg_unit unit = {.deadline_ms = AHEAD_MS, .done = was_read, .arg = reading};
    for (size_t i = 0; i < count && reading->count < BRIEFING_TURNS_MAX; i++) {
        struct session *session =
            map_get(sessions->by_id, guesses[i].session.bytes, sizeof guesses[i].session.bytes);
        if (session != NULL && session->state == TURN_STARTING)
            ask(reading, &unit, session, &guesses[i]);
    }
    if (reading->count == 0) {
        briefing_unit_free(reading);
        return;
    }
    sessions->briefings_in_flight++;
    pg_submit(sessions->engine->pg, &unit);
}
