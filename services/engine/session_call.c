/* A call's start in the unit of its claim: taken into memory before it, judged when the unit's last
 * statement is answered, and standing once it is committed. Between the two the model is asked, and
 * nothing of the turn is said (voice.c) or stored (session.c). voice_intake.c calls it. */
#include "session.h"

#include "base/map.h"
#include "voice.h"

bool sessions_begin_call(struct sessions *sessions, const char *tenant, const struct uuid *id,
                         uint64_t *ticket)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    if (session == NULL && shares_have_room(sessions->shares, tenant, SHARE_CALL))
        session = session_new(sessions, tenant, id);
    if (session == NULL || session->state != TURN_WAITING)
        return false;
    timer_stop(session->timer);
    session->entry.kind = SHARE_CALL;
    session->with_claim = true;
    session_apply(session, EVENT_DUE);
    const bool begins = session->with_claim = session->state == TURN_STARTING;
    /* A start would find no row yet: the answer of its claim puts it in line. */
    if (!begins && uuid_is_nil(&session->conversation))
        session_apply(session, EVENT_NOT_OURS);
    if (!begins)
        return false; /* in line for a place: it starts by itself */
    *ticket = session->ticket = ++sessions->next_ticket;
    return true;
}

/* The session whose start has that ticket and waits for its answer. */
static struct session *call_of(struct sessions *sessions, const struct uuid *id, uint64_t ticket)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    if (session == NULL || session->ticket != ticket)
        return NULL;
    session->ticket = 0;
    return session;
}

void sessions_call_judged(struct sessions *sessions, const struct uuid *id, uint64_t ticket,
                          const struct turn_started *started)
{
    struct session *session = call_of(sessions, id, ticket);
    if (session == NULL)
        return;
    if (session->claimed < started->claimed)
        session->claimed = started->claimed; /* its claim is a part of the same unit */
    statements_started(session, started);
}

/* One that was judged before is at work by now; what had to wait for the commit goes on. */
static void start_stands(struct session *session)
{
    session->with_claim = false;
    voice_start_stands(session);
    session_line_up(session);
    think_start_stands(session);
    statements_flush(session->engine->sessions);
}

void sessions_call_by_itself(struct sessions *sessions, const struct uuid *id, uint64_t ticket)
{
    struct session *session = call_of(sessions, id, ticket);
    if (session == NULL)
        return;
    session->with_claim = false;
    briefing_drop_ahead(session);
    session_apply(session, EVENT_NOT_FRESH);
    statements_flush(sessions);
}

void sessions_call_begun(struct sessions *sessions, const struct uuid *id, uint64_t ticket,
                         const struct turn_started *started)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    if (session != NULL && session->with_claim && session->state != TURN_STARTING) {
        if (started != NULL)
            start_stands(session);
        else
            session_apply(session, EVENT_NOT_OURS);
        return;
    }
    session = call_of(sessions, id, ticket);
    if (session == NULL)
        return;
    session->with_claim = false;
    if (started == NULL || started->kind != TURN_START_RUN)
        briefing_drop_ahead(session);
    if (started != NULL)
        statements_started(session, started);
    else
        session_apply(session, EVENT_NOT_OURS);
}
