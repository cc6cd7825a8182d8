/* Which model of the chain a turn asks next, and when: the first that its breaker, the calls at
 * once and its limits per minute let be asked, or the one that is worth a wait. think.c asks,
 * race.c for a second model; asking.c holds the answers of one model. */
#include "assistants.h"
#include "base/clock.h"
#include "breaker.h"
#include "prompt/prompt.h"
#include "session.h"
#include "think_inside.h"

#define CALL_LEAST_MS 2000 /* a place that leaves a call less time is not waited for */

struct asking_model choose_entry(struct session *session, const struct assistant *assistant,
                                 int index)
{
    return asking_model(session->arena, session->tenant, session->turn.assistant,
                        session->turn.assistant_version, index,
                        assistant != NULL ? &assistant->models[index] : NULL);
}

void choose_give_back(struct session *session, const struct assistant *assistant)
{
    const struct asking_model which = choose_entry(session, assistant, session->asked.model_index);
    asking_give_back(session->engine, &which, &session->asked.hold);
}

/* The prompt that the model would be sent, and an answer of the length that it may have. It leaves
 * for nobody yet, so nothing is recorded. One that cannot be built takes nothing: ask() says so. */
static int64_t measure_call(struct session *session, const struct assistant *assistant,
                            const struct assistant_model *model)
{
    const struct prompt_parts parts =
        think_parts(session, assistant, think_prompt_budget(session, model));
    struct prompt prompt;
    struct err err;
    if (prompt_build(session->arena, &parts, &prompt, &err) != 0)
        return 0;
    return prompt.tokens + (model->max_tokens > 0 ? model->max_tokens : THINK_ANSWER_TOKENS);
}

/* What a call of that model takes of its limits. Who waits for a place looks often: measured once a
 * model, until the turn has another round. */
static int64_t tokens_of_call(struct session *session, const struct assistant *assistant, int index)
{
    const struct assistant_model *model = &assistant->models[index];
    struct measured *all = &session->measured;
    if (model->rate.tokens == 0)
        return 0;
    if (all->tokens == NULL || all->rounds != session->rounds.count) {
        all->tokens = arena_alloc(session->arena, assistant->model_count * sizeof *all->tokens);
        all->rounds = session->rounds.count;
        for (size_t i = 0; i < assistant->model_count; i++)
            all->tokens[i] = -1;
    }
    if (all->tokens[index] < 0)
        all->tokens[index] = measure_call(session, assistant, model);
    return all->tokens[index];
}

bool choose_take(struct session *session, const struct assistant *assistant, int index,
                 int64_t most_ms, int64_t *wait_ms)
{
    const struct asking_model which = choose_entry(session, assistant, index);
    const struct asking_wish wish = {
        .tokens = tokens_of_call(session, assistant, index), .most_ms = most_ms, .may_probe = true};
    const enum asking_answer answer =
        asking_take(session->engine, &which, &wish, &session->asked.hold, wait_ms);
    session->failed |= answer == ASKING_LEFT_ALONE; /* it has failed others, by now */
    if (answer == ASKING_TAKEN)
        session->asked.model_index = index;
    return answer == ASKING_TAKEN;
}

/* How long a place of that model is waited for: its first word may take so long anyway. The last
 * one has what the turn has. */
static int64_t patience_for(const struct assistant *assistant, int index, int64_t left_ms)
{
    const struct assistant_model *model = &assistant->models[index];
    bool is_last = index + 1 >= (int)assistant->model_count;
    return is_last || model->first_token_ms > left_ms ? left_ms : model->first_token_ms;
}

static bool is_tried(struct session *session, const struct assistant *assistant, int index)
{
    return breaker_is_tried(session->engine->breakers,
                            choose_entry(session, assistant, index).breaker);
}

static int64_t time_for_place_ms(const struct session *session)
{
    const int64_t left_ms = think_time_left_ms(session) - CALL_LEAST_MS;
    return left_ms > 0 ? left_ms : 0;
}

/* The first model from model_index on that can be asked soon enough, else the one that comes first:
 * true, and *wait_ms is when. False: none can be asked for *wait_ms. One that somebody else tries
 * comes when that call ends: no place is left for it. */
static bool choose(struct session *session, const struct assistant *assistant, int64_t *wait_ms)
{
    const int64_t left_ms = time_for_place_ms(session);
    int64_t least_ms = INT64_MAX, soonest_ms = INT64_MAX;
    int least = session->asked.model_index;
    for (int i = session->asked.model_index; i < (int)assistant->model_count; i++) {
        if (choose_take(session, assistant, i, patience_for(assistant, i, left_ms), wait_ms))
            return true;
        soonest_ms = *wait_ms < soonest_ms ? *wait_ms : soonest_ms;
        if (*wait_ms < least_ms && !is_tried(session, assistant, i)) {
            least_ms = *wait_ms;
            least = i;
        }
    }
    if (least_ms <= left_ms && choose_take(session, assistant, least, left_ms, wait_ms))
        return true;
    *wait_ms = soonest_ms;
    return false;
}

/* ---- a place among the calls at once of a model ---- */

static void on_crowd_place(void *arg, struct crowd_place place)
{
    struct session *session = arg;
    session->asked.hold.crowd = place;
    timer_start(session->timer, 0, 0);
}

/* Whether the turn waits, as long as it can, behind the calls of a model that has as many as it
 * may. None of the chain could be asked: the first that has a line is it. */
static bool gets_in_line(struct session *session, const struct assistant *assistant,
                         int64_t *wait_ms)
{
    const int64_t left_ms = time_for_place_ms(session);
    session->line =
        (struct crowd_entry){.first = session->is_voice, .wake = on_crowd_place, .arg = session};
    for (int i = session->asked.model_index; left_ms > 0 && i < (int)assistant->model_count; i++) {
        const struct asking_model which = choose_entry(session, assistant, i);
        if (breaker_is_open(session->engine->breakers, which.breaker) ||
            !asking_wait(session->engine, &which, &session->line))
            continue;
        session->asked.model_index = i;
        *wait_ms = left_ms;
        return true;
    }
    return false;
}

/* Whether the turn has waited for a place, it has come, and the model can still be asked, perhaps
 * in *wait_ms. */
static bool take_up_place(struct session *session, const struct assistant *assistant,
                          int64_t *wait_ms)
{
    struct asking_hold *hold = &session->asked.hold;
    const int index = session->asked.model_index;
    crowd_leave(session->engine->crowds, &session->line);
    if (hold->rate.key == NULL)
        return hold->crowd.provider != NULL &&
               choose_take(session, assistant, index, time_for_place_ms(session), wait_ms);
    if (breaker_wait_ms(session->engine->breakers, choose_entry(session, assistant, index).breaker,
                        clock_mono_ms(), &hold->is_probe) == 0)
        return true;
    choose_give_back(session, assistant);
    return false;
}

enum choice choose_model(struct session *session, const struct assistant *assistant,
                         int64_t *wait_ms)
{
    *wait_ms = 0;
    if (take_up_place(session, assistant, wait_ms) || choose(session, assistant, wait_ms))
        return *wait_ms > 0 ? CHOICE_LATER : CHOICE_NOW;
    return gets_in_line(session, assistant, wait_ms) ? CHOICE_IN_LINE : CHOICE_NONE;
}

void choose_stop(struct session *session)
{
    crowd_leave(session->engine->crowds, &session->line);
    if (asking_holds(&session->asked.hold))
        choose_give_back(session, NULL);
}
