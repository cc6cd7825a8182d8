/* One order for all who ask: breaker, calls at once, limits per minute; see asking.h. */
#include "asking.h"

#include "assistants.h"
#include "base/clock.h"
#include "breaker.h"
#include "counters.h"
#include "recovery.h"
#include "service/log.h"
#include "session.h"

struct asking_model asking_model(struct arena *arena, const char *tenant, const char *assistant,
                                 int version, int index, const struct assistant_model *model)
{
    return (struct asking_model){
        .tenant = tenant,
        .breaker = breaker_key_of(arena, tenant, assistant, version, index),
        .account = model != NULL ? rate_key(arena, tenant, model->base_url, model->model) : "",
        .index = index,
        .model = model};
}

bool asking_holds(const struct asking_hold *hold)
{
    return hold->is_probe || hold->rate.key != NULL || hold->crowd.provider != NULL;
}

static void let_probe_go(struct engine *engine, const struct asking_model *which,
                         struct asking_hold *hold)
{
    if (hold->is_probe)
        breaker_let_go(engine->breakers, which->breaker);
    hold->is_probe = false;
}

static struct crowd_wish crowd_wish(const struct asking_model *which)
{
    return (struct crowd_wish){.account = which->account,
                               .most = which->model->concurrent,
                               .provider = which->model->base_url};
}

static enum asking_answer take(struct engine *engine, const struct asking_model *which,
                               const struct asking_wish *wish, struct asking_hold *hold,
                               int64_t *wait_ms)
{
    const struct crowd_wish crowd = crowd_wish(which);
    *wait_ms = breaker_wait_ms(engine->breakers, which->breaker, clock_mono_ms(), &hold->is_probe);
    if (*wait_ms > 0 || (hold->is_probe && !wish->may_probe))
        return ASKING_LEFT_ALONE;
    *wait_ms = INT64_MAX;
    if (hold->crowd.provider == NULL && !crowd_take(engine->crowds, &crowd, &hold->crowd))
        return ASKING_CROWDED;
    *wait_ms = rate_take(engine->rates, which->account, &which->model->rate, wish->tokens,
                         clock_mono_ms(), wish->most_ms, &hold->rate);
    return *wait_ms <= wish->most_ms ? ASKING_TAKEN : ASKING_LATE;
}

enum asking_answer asking_take(struct engine *engine, const struct asking_model *which,
                               const struct asking_wish *wish, struct asking_hold *hold,
                               int64_t *wait_ms)
{
    const enum asking_answer answer = take(engine, which, wish, hold, wait_ms);
    if (answer == ASKING_CROWDED)
        metric_add(counters.models_crowded, 1);
    if (answer != ASKING_TAKEN)
        asking_give_back(engine, which, hold);
    else if (*wait_ms > 0) /* whoever is first when the time comes */
        let_probe_go(engine, which, hold);
    return answer;
}

bool asking_wait(struct engine *engine, const struct asking_model *which, struct crowd_entry *entry)
{
    const struct crowd_wish wish = crowd_wish(which);
    return crowd_wait(engine->crowds, &wish, entry);
}

static void tell_breaker(struct engine *engine, const struct asking_model *which, bool is_probe,
                         const struct err *err)
{
    struct breakers *breakers = engine->breakers;
    const bool was_open = breaker_is_open(breakers, which->breaker);
    const int64_t alone_ms =
        breaker_report(breakers, which->breaker, is_probe, err, clock_mono_ms());
    if (was_open && !breaker_is_open(breakers, which->breaker))
        recovery_wake(engine, which->tenant);
    if (alone_ms > 0)
        log_warn("model.left_alone", LOG_TEXT("tenant", which->tenant),
                 LOG_INT("model", which->model != NULL ? which->model->number : which->index + 1),
                 LOG_INT("ms", alone_ms), LOG_ERR(err));
}

void asking_ended(struct engine *engine, const struct asking_model *which, struct asking_hold *hold,
                  const struct llm_result *result)
{
    const int64_t in = calls_believed(result->tokens_in);
    const int64_t out = calls_believed(result->tokens_out);
    tell_breaker(engine, which, hold->is_probe, result->err);
    hold->is_probe = false;
    /* what was taken for the call was a guess */
    rate_settle(engine->rates, &hold->rate, in >= 0 && out >= 0 ? in + out : -1);
    crowd_give_back(engine->crowds, &hold->crowd);
}

void asking_cut(struct engine *engine, const struct asking_model *which, struct asking_hold *hold)
{
    let_probe_go(engine, which, hold);
    rate_settle(engine->rates, &hold->rate, -1);
    crowd_give_back(engine->crowds, &hold->crowd);
}

void asking_give_back(struct engine *engine, const struct asking_model *which,
                      struct asking_hold *hold)
{
    let_probe_go(engine, which, hold);
    rate_give_back(engine->rates, &hold->rate);
    crowd_give_back(engine->crowds, &hold->crowd);
}
