/* The race: see race.h. The rival's call is begun, recorded and cancelled as the session's own is,
 * while the two have changed places; so there is one way to do each. */
#include "race.h"

#include "session.h"
#include "think_inside.h"
#include "voice.h"

/* A caller who has heard nothing for so long hears a filler (docs/VOICE.md). */
#define SILENCE_MS 4000

int64_t race_after_ms(const struct assistant_model *model)
{
    if (model->race_after_ms >= 0)
        return model->race_after_ms;
    const int64_t within_ms = model->first_token_ms > 0 && model->first_token_ms < SILENCE_MS
                                  ? model->first_token_ms
                                  : SILENCE_MS;
    return within_ms / 2;
}

bool race_is_wanted(const struct session *session, const struct assistant *assistant)
{
    return voice_is_urgent(session) && assistant->model_count > 1;
}

void race_plan(struct session *session, const struct assistant *assistant)
{
    const int64_t after_ms = race_after_ms(&assistant->models[session->asked.model_index]);
    const bool is_last = session->asked.model_index + 1 >= (int)assistant->model_count;
    if (race_is_wanted(session, assistant) && !is_last && after_ms > 0)
        timer_start(session->timer, after_ms, 0);
}

static void change_places(struct session *session)
{
    const struct ask rival = session->rival;
    session->rival = session->asked;
    session->asked = rival;
}

static void end_rival(struct session *session, const char *outcome)
{
    if (session->rival.call == NULL)
        return;
    change_places(session);
    think_cancel(session, outcome);
    change_places(session);
    session->rival = (struct ask){.call = NULL};
}

void race_won(void *arg)
{
    struct session *session = arg;
    timer_stop(session->timer);
    end_rival(session, CALLS_LOST_RACE);
}

void race_stop(struct session *session)
{
    end_rival(session, CALLS_STOPPED);
}

bool race_goes_on(struct session *session, const struct err *err)
{
    if (session->rival.call == NULL)
        return false;
    if (err->class == ERR_PERMANENT) {
        race_stop(session);
        return false;
    }
    change_places(session);
    session->rival = (struct ask){.call = NULL};
    session->model_tries = 0;
    return true;
}

/* ---- the rival's call: the session's own once the other has failed or lost ---- */

static void on_first(void *arg)
{
    struct session *session = arg;
    if (session->rival.call != NULL)
        change_places(session);
    race_won(session);
}

/* The other one still works: nothing is decided. */
static void on_done(void *arg, const struct llm_result *result)
{
    struct session *session = arg;
    if (session->rival.call == NULL) {
        think_done(session, result);
        return;
    }
    change_places(session);
    session->asked.call = NULL;
    think_note(session, result);
    change_places(session);
    session->rival = (struct ask){.call = NULL};
}

/* Takes the next model that has a place at once and asks it; the session's own fields are free. */
static void ask_next(struct session *session, const struct assistant *assistant)
{
    const struct llm_callbacks callbacks = {.on_first = on_first,
                                            .on_text = voice_listener(session),
                                            .on_done = on_done,
                                            .arg = session};
    const bool failed = session->failed;
    int64_t wait_ms;
    for (int i = session->rival.model_index + 1; i < (int)assistant->model_count; i++) {
        if (!choose_take(session, assistant, i, 0, &wait_ms))
            continue;
        if (think_send(session, assistant, &callbacks) != 0)
            choose_give_back(session, assistant);
        break;
    }
    session->failed = failed; /* one that is left alone is no outage while this one works */
}

void race_start(struct session *session)
{
    const struct assistant *assistant = think_assistant(session);
    if (assistant == NULL || session->asked.call == NULL || session->rival.call != NULL)
        return;
    change_places(session);
    ask_next(session, assistant);
    change_places(session);
}
