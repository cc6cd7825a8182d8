/* The breakers: closed (not in the map, or a few failures in a row), open until a time, and half
 * open while a probe runs. think.c and tool_http.c ask before each call and report after it. */
#include "breaker.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "llm/llm.h"

#define FAILURES_MAX   5 /* in a row; the last of them opens */
#define TROUBLE_MS     5000
#define TROUBLE_MAX_MS 60000
#define SHUT_MS        60000 /* key, model or credit: only a person mends it */
#define SHUT_MAX_MS    300000
#define ASKED_MAX_MS   3600000 /* what a provider asks for is obeyed so far */
#define PROBE_MAX_MS   120000
#define PROBE_WAIT_MS  250
#define FORGET_MS      600000
#define NEWS_MS        1000 /* less than that longer alone is not told */

struct breaker {
    int failures;     /* in a row */
    int opened;       /* times in a row; 0: closed */
    int64_t until_ms; /* open until then, or the probe's last moment; closed: the last failure */
    bool probing;
};

struct breakers {
    struct map *troubled;
};

struct breakers *breakers_new(void)
{
    struct breakers *made = xcalloc(1, sizeof *made);
    made->troubled = map_new();
    return made;
}

static bool free_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    free(value);
    return true;
}

void breakers_free(struct breakers **breakers)
{
    if (*breakers == NULL)
        return;
    map_each((*breakers)->troubled, free_one, NULL);
    map_free(&(*breakers)->troubled);
    free(*breakers);
    *breakers = NULL;
}

size_t breakers_count(const struct breakers *breakers)
{
    return map_count(breakers->troubled);
}

const char *breaker_key_of(struct arena *arena, const char *tenant, const char *assistant,
                           int version, int entry)
{
    return arena_printf(arena, "%s/%s/%d/%d", tenant, assistant, version, entry);
}

int64_t breaker_wait_ms(struct breakers *breakers, const char *key, int64_t now_ms, bool *probe)
{
    struct breaker *breaker = map_get_text(breakers->troubled, key);
    *probe = false;
    if (breaker == NULL || breaker->opened == 0)
        return 0;
    if (breaker->until_ms > now_ms)
        return breaker->probing ? PROBE_WAIT_MS : breaker->until_ms - now_ms;
    *probe = breaker->probing = true;
    breaker->until_ms = now_ms + PROBE_MAX_MS;
    return 0;
}

bool breaker_is_tried(const struct breakers *breakers, const char *key)
{
    const struct breaker *breaker = map_get_text(breakers->troubled, key);
    return breaker != NULL && breaker->probing;
}

bool breaker_is_open(const struct breakers *breakers, const char *key)
{
    const struct breaker *breaker = map_get_text(breakers->troubled, key);
    return breaker != NULL && breaker->opened > 0;
}

/* `first_ms`, doubled each time that it opens again before a call has gone well. */
static int64_t longer(int64_t first_ms, int64_t max_ms, int opened)
{
    while (opened-- > 0 && first_ms < max_ms)
        first_ms *= 2;
    return first_ms < max_ms ? first_ms : max_ms;
}

static bool tells_how_long(enum llm_health health, const struct err *err)
{
    return health == LLM_SHUT || err->retry_after_ms > 0;
}

/* How long it is left alone that has opened so many times in a row. */
static int64_t alone_ms(enum llm_health health, const struct err *err, int opened)
{
    const int64_t asked_ms =
        err->retry_after_ms < ASKED_MAX_MS ? err->retry_after_ms : ASKED_MAX_MS;
    if (health == LLM_SHUT) {
        const int64_t shut_ms = longer(SHUT_MS, SHUT_MAX_MS, opened);
        return asked_ms > shut_ms ? asked_ms : shut_ms;
    }
    return asked_ms > 0 ? asked_ms : longer(TROUBLE_MS, TROUBLE_MAX_MS, opened);
}

static int64_t open_up(struct breaker *breaker, enum llm_health health, const struct err *err,
                       int64_t now_ms)
{
    int64_t wait_ms = alone_ms(health, err, breaker->opened);
    breaker->opened++;
    breaker->until_ms = now_ms + wait_ms;
    return wait_ms;
}

/* A call that began before it opened failed as well: only a longer wish is new. A probe on its way
 * will tell better. */
static int64_t stay_open(struct breaker *breaker, enum llm_health health, const struct err *err,
                         int64_t now_ms)
{
    if (breaker->probing || !tells_how_long(health, err))
        return 0;
    const int64_t wait_ms = alone_ms(health, err, breaker->opened - 1);
    const int64_t more_ms = now_ms + wait_ms - breaker->until_ms;
    breaker->until_ms += more_ms > 0 ? more_ms : 0;
    return more_ms >= NEWS_MS ? wait_ms : 0;
}

int64_t breaker_report(struct breakers *breakers, const char *key, bool probe,
                       const struct err *err, int64_t now_ms)
{
    enum llm_health health = err != NULL ? llm_health(err) : LLM_HEALTHY;
    struct breaker *breaker = map_get_text(breakers->troubled, key);
    if (health == LLM_HEALTHY) {
        /* While it is open only probes begin: any other call began before, and tells of then. */
        if (breaker != NULL && (breaker->opened == 0 || probe))
            free(map_remove_text(breakers->troubled, key));
        return 0;
    }
    if (breaker == NULL) {
        breaker = xcalloc(1, sizeof *breaker);
        map_put_text(breakers->troubled, key, breaker);
    }
    if (breaker->opened > 0 && !probe)
        return stay_open(breaker, health, err, now_ms);
    breaker->probing = false;
    breaker->failures++;
    breaker->until_ms = now_ms;
    if (probe || tells_how_long(health, err) || breaker->failures >= FAILURES_MAX)
        return open_up(breaker, health, err, now_ms);
    return 0;
}

struct forgetting {
    struct map *troubled;
    int64_t now_ms;
};

static bool forget(void *arg, const void *key, size_t key_length, void *value)
{
    const struct forgetting *all = arg;
    const struct breaker *breaker = value;
    if (breaker->until_ms + FORGET_MS <= all->now_ms)
        free(map_remove(all->troubled, key, key_length));
    return true;
}

void breakers_forget(struct breakers *breakers, int64_t now_ms)
{
    struct forgetting all = {breakers->troubled, now_ms};
    map_each(breakers->troubled, forget, &all);
}

void breaker_let_go(struct breakers *breakers, const char *key)
{
    struct breaker *breaker = map_get_text(breakers->troubled, key);
    if (breaker == NULL || !breaker->probing)
        return;
    breaker->probing = false;
    breaker->until_ms -= PROBE_MAX_MS; /* it is due as it was */
}
