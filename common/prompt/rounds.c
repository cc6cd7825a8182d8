/* Reading, adding and stepping through the rounds of a turn: see rounds.h. statements.c reads them
 * at a start, think.c adds, act.c steps. */
#include "prompt/rounds.h"

#include "json/equal.h"
#include "json/json.h"

#include <string.h>

#define SUPERSEDED "{\"error\":\"not done: the customer wrote again; call again if still wanted\"}"

static bool read_call(struct arena *arena, const struct json *from, struct rounds_call *call)
{
    const char *id = json_member_text(from, "id"), *state = json_member_text(from, "state");
    const char *names[] = {"provider_id", "name", "arguments"};
    const char **const texts[] = {&call->provider_id, &call->name, &call->arguments};
    if (id == NULL || state == NULL || !uuid_parse(id, &call->id))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = json_member_text(from, names[i]);
        if (text == NULL)
            return false;
        *texts[i] = arena_strdup(arena, text);
    }
    call->signature = arena_strdup(arena, json_member_text(from, "signature"));
    call->outcome = arena_strdup(arena, json_member_text(from, "outcome"));
    call->result = arena_strdup(arena, json_member_text(from, "result"));
    call->begun = strcmp(state, "started") == 0;
    call->done = strcmp(state, "done") == 0;
    return !call->done || (call->outcome != NULL && call->result != NULL);
}

static bool read_round(struct arena *arena, const struct json *from, struct rounds_round *round)
{
    const char *said = json_member_text(from, "said");
    if (said == NULL || !json_member_int(from, "number", 1, INT32_MAX, &round->number) ||
        !json_member_int(from, "after", 0, INT64_MAX, &round->after_position) ||
        !json_member_int(from, "claimed", 0, INT64_MAX, &round->claimed))
        return false;
    round->said = arena_strdup(arena, said);
    for (const struct json *c = json_first(json_member(from, "calls")); c != NULL; c = json_next(c))
        if (round->call_count == ROUND_CALLS_MAX ||
            !read_call(arena, c, &round->calls[round->call_count++]))
            return false;
    return round->call_count > 0;
}

int rounds_read(struct arena *arena, const char *json, struct rounds *rounds, struct err *err)
{
    struct json *document = NULL;
    bool good = true;
    if (json[0] == '\0')
        return 0;
    if (json_parse(json, strlen(json), &document, err) != 0)
        return -1;
    for (const struct json *r = json_first(document); r != NULL && good; r = json_next(r)) {
        struct rounds_round *round = arena_alloc(arena, sizeof *round);
        memset(round, 0, sizeof *round);
        good = rounds->count < ROUNDS_MAX && read_round(arena, r, round);
        if (good)
            rounds->items[rounds->count++] = round;
    }
    json_free(&document);
    return good ? 0 : err_set(err, ERR_BUG, "rounds.stored", "a stored round cannot be read");
}

struct rounds_round *rounds_add(struct arena *arena, struct rounds *rounds,
                                const struct rounds_said *said)
{
    const struct llm_result *result = said->result;
    if (rounds->count == ROUNDS_MAX || result->call_count > ROUND_CALLS_MAX)
        return NULL;
    struct rounds_round *round = arena_alloc(arena, sizeof *round);
    *round = (struct rounds_round){.number = ++rounds->last_number,
                                   .after_position = said->after_position,
                                   .claimed = said->claimed,
                                   .said = arena_strdup(arena, result->text),
                                   .call_count = result->call_count};
    for (size_t i = 0; i < result->call_count; i++) {
        const struct llm_tool_call *from = &result->calls[i];
        round->calls[i] = (struct rounds_call){.id = uuid_new(),
                                               .provider_id = arena_strdup(arena, from->id),
                                               .name = arena_strdup(arena, from->name),
                                               .arguments = arena_strdup(arena, from->arguments),
                                               .signature = arena_strdup(arena, from->signature)};
    }
    rounds->items[rounds->count++] = round;
    return round;
}

struct rounds_call *rounds_next(struct rounds *rounds, int64_t claimed)
{
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            struct rounds_call *call = &rounds->items[i]->calls[k];
            if (call->done)
                continue;
            if (call->begun || rounds->items[i]->claimed == claimed)
                return call;
            call->done = true;
            call->outcome = "refused";
            call->result = SUPERSEDED;
        }
    return NULL;
}

static bool same_arguments(const char *a, const char *b)
{
    struct json *x = NULL, *y = NULL;
    bool same = json_parse(a, strlen(a), &x, NULL) == 0 &&
                json_parse(b, strlen(b), &y, NULL) == 0 && json_equal(x, y);
    json_free(&x);
    json_free(&y);
    return same;
}

static bool took_effect(const struct rounds_call *call)
{
    return call->done &&
           (strcmp(call->outcome, "ok") == 0 || strcmp(call->outcome, "unknown") == 0);
}

const struct rounds_call *rounds_same(const struct rounds *rounds, const struct rounds_call *call)
{
    const struct rounds_call *last = NULL;
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            const struct rounds_call *before = &rounds->items[i]->calls[k];
            if (before == call)
                return last;
            if (took_effect(before) && strcmp(before->name, call->name) == 0 &&
                same_arguments(before->arguments, call->arguments))
                last = before;
        }
    return NULL;
}

bool rounds_have_open(const struct rounds *rounds)
{
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++)
            if (!rounds->items[i]->calls[k].done)
                return true;
    return false;
}

bool rounds_have_done(const struct rounds *rounds, int64_t claimed, const char *tool)
{
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            const struct rounds_call *call = &rounds->items[i]->calls[k];
            if (rounds->items[i]->claimed == claimed && call->done &&
                strcmp(call->name, tool) == 0 && strcmp(call->outcome, "ok") == 0)
                return true;
        }
    return false;
}

bool rounds_have_room(const struct rounds *rounds)
{
    return rounds->count < ROUNDS_MAX;
}
