/* Limits, the worst case of a turn, and warnings. think.c reserves before it asks, statements.c
 * sends the reservations in batches. */
#include "budget.h"

#include "assistants.h"
#include "base/map.h"
#include "base/mem.h"
#include "counters.h"
#include "reply.h"
#include "service/log.h"
#include "session.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_MAX         1000000000000000 /* of the tenant file, in billionths of a dollar: 1e14 */
#define ANSWER_TOKENS_MAX 4096             /* of a model without max_tokens of its own */
#define ROUND_TOKENS      4096             /* results of a round's tools; think.c: longer ones */
/* UCS-2, and surrogate pairs, which no segment splits: the shortest that a long text has. */
#define SEGMENTS_WORST ((REPLY_UNITS_MAX + 65) / 66)

/* ---- limits ---- */

static struct usage_amounts read_amounts(const struct json *from)
{
    struct usage_amounts amounts = {-1, -1, -1};
    json_member_int(from, "tokens", 1, LIMIT_MAX, &amounts.tokens);
    json_member_int(from, "cost", 1, LIMIT_MAX, &amounts.cost);
    json_member_int(from, "segments", 1, LIMIT_MAX, &amounts.segments);
    return amounts;
}

struct usage_limits budget_read(const struct json *budgets)
{
    return (struct usage_limits){read_amounts(json_member(budgets, "day")),
                                 read_amounts(json_member(budgets, "month"))};
}

static bool is_any_set(const struct usage_amounts *amounts)
{
    return amounts->tokens >= 0 || amounts->cost >= 0 || amounts->segments >= 0;
}

bool budget_is_set(const struct usage_limits *limits)
{
    return is_any_set(&limits->day) || is_any_set(&limits->month);
}

struct usage_limits budget_of_turn(const struct usage_limits *limits, bool by_text)
{
    struct usage_limits held = *limits;
    if (!by_text)
        held.day.segments = held.month.segments = -1;
    return held;
}

/* ---- the worst case ---- */

/* By the dearest way to read: all of it may be new to the provider's cache. */
struct usage_amounts budget_of_call(const struct assistant_model *model, int64_t in, int64_t out)
{
    const int64_t written = calls_price_written(model);
    const int64_t price = written > model->price_in ? written : model->price_in;
    return (struct usage_amounts){.tokens = in + out,
                                  .cost = in * (price > 0 ? price : 0) +
                                          out * (model->price_out > 0 ? model->price_out : 0)};
}

static int longest_answer(const struct assistant_model *model)
{
    return model->max_tokens > 0 ? model->max_tokens : ANSWER_TOKENS_MAX;
}

int budget_answer_tokens(const struct assistant *assistant, const struct assistant_model *model)
{
    return budget_is_set(&assistant->budget) ? longest_answer(model) : model->max_tokens;
}

static void keep_dearer(struct usage_amounts *most, const struct usage_amounts *other)
{
    most->tokens = other->tokens > most->tokens ? other->tokens : most->tokens;
    most->cost = other->cost > most->cost ? other->cost : most->cost;
}

struct usage_amounts budget_worst(const struct assistant *assistant, int64_t prompt_tokens,
                                  const struct rounds *rounds, bool raced)
{
    struct usage_amounts lost = {0}, worst = {0};
    const int64_t calls =
        assistant->call_tools.count > 0 ? ROUNDS_MAX - (int64_t)rounds->count + 1 : 1;
    for (size_t i = 0; i < assistant->model_count; i++) {
        const struct assistant_model *model = &assistant->models[i];
        const int64_t answer = longest_answer(model);
        /* each prompt holds the rounds before it */
        const int64_t in =
            calls * prompt_tokens + (answer + ROUND_TOKENS) * (calls * (calls - 1) / 2);
        const struct usage_amounts all = budget_of_call(model, in, calls * answer);
        const struct usage_amounts read = budget_of_call(model, in, 0);
        keep_dearer(&worst, &all);
        keep_dearer(&lost, &read);
    }
    if (raced) {
        worst.tokens += lost.tokens;
        worst.cost += lost.cost;
    }
    return worst;
}

int64_t budget_segments(bool by_text)
{
    return by_text ? SEGMENTS_WORST : 0;
}

void budget_reserve(struct session *session, const struct usage_limits *limits)
{
    if (session->list == LIST_RESERVES || session->ticket != 0)
        return; /* on its way already */
    session->limits = *limits;
    session->list = LIST_RESERVES;
    TAILQ_INSERT_TAIL(&session->engine->sessions->reserves, session, link);
    statements_flush(session->engine->sessions);
}

/* ---- warnings ---- */

#define LEVEL_LOW  80
#define LEVEL_GONE 100

struct told {
    char since[16];
    int level;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map *told; /* "tenant/period" to what was said last; for the life of the process */

/* Whether nobody said so much of this period yet; notes that it is said now. */
static bool is_news(const char *tenant, const char *period, const char *since, int level)
{
    char key[64];
    snprintf(key, sizeof key, "%s/%s", tenant, period);
    pthread_mutex_lock(&mutex);
    if (told == NULL)
        told = map_new();
    struct told *last = map_get_text(told, key);
    if (last == NULL) {
        last = xcalloc(1, sizeof *last);
        map_put_text(told, key, last);
    }
    bool same = strcmp(last->since, since) == 0;
    bool news = !same || last->level < level;
    if (news) {
        snprintf(last->since, sizeof last->since, "%s", since);
        last->level = level;
    }
    pthread_mutex_unlock(&mutex);
    return news;
}

static void tell(const char *tenant, const char *period, const char *since, int64_t per_cent)
{
    const int level = per_cent >= LEVEL_GONE ? LEVEL_GONE : LEVEL_LOW;
    if (per_cent < LEVEL_LOW || !is_news(tenant, period, since, level))
        return;
    metric_add(level == LEVEL_GONE ? counters.budgets_gone : counters.budgets_low, 1);
    log_warn(level == LEVEL_GONE ? "budget.spent" : "budget.nearly_spent",
             LOG_TEXT("tenant", tenant), LOG_TEXT("period", period), LOG_TEXT("since", since),
             LOG_INT("per_cent", per_cent));
}

void budget_tell(const char *tenant, const struct usage_reserved *reserved)
{
    tell(tenant, "day", reserved->day, reserved->day_per_cent);
    tell(tenant, "month", reserved->month, reserved->month_per_cent);
}
