/* Copies of what a unit borrows: the session may be dropped while it is on its way. */
#include "copies.h"

static const struct turn_llm_call *copy_asked(struct arena *arena, const struct turn_llm_call *from,
                                              size_t count)
{
    struct turn_llm_call *calls = arena_alloc(arena, count * sizeof *calls);
    for (size_t i = 0; i < count; i++) {
        struct turn_llm_call *call = &calls[i];
        *call = from[i];
        call->provider = arena_strdup(arena, call->provider);
        call->model = arena_strdup(arena, call->model);
        call->error_code = arena_strdup(arena, call->error_code);
        call->request_id = arena_strdup(arena, call->request_id);
    }
    return calls;
}

struct round copies_round(struct arena *arena, struct session *session)
{
    const struct rounds_round *from = session->rounds.items[session->rounds.count - 1];
    struct round_call *calls = arena_alloc(arena, from->call_count * sizeof *calls);
    for (size_t i = 0; i < from->call_count; i++)
        calls[i] =
            (struct round_call){.id = from->calls[i].id,
                                .provider_id = arena_strdup(arena, from->calls[i].provider_id),
                                .name = arena_strdup(arena, from->calls[i].name),
                                .arguments = arena_strdup(arena, from->calls[i].arguments),
                                .signature = arena_strdup(arena, from->calls[i].signature)};
    struct round round = {.of = statements_turn(session),
                          .number = from->number,
                          .after_position = from->after_position,
                          .said = arena_strdup(arena, from->said),
                          .calls = calls,
                          .call_count = from->call_count,
                          .asked = copy_asked(arena, session->calls, session->call_count),
                          .asked_count = session->call_count};
    round.of.tenant = arena_strdup(arena, session->tenant);
    session->calls_sent = session->call_count;
    return round;
}

static const struct reception_record *copy_record(struct arena *arena,
                                                  const struct reception_record *from)
{
    if (from == NULL)
        return NULL;
    struct reception_record *record = arena_alloc(arena, sizeof *record);
    *record = *from; /* `asked` is static */
    record->caller = arena_strdup(arena, from->caller);
    record->reason = arena_strdup(arena, from->reason);
    record->call_back = arena_strdup(arena, from->call_back);
    record->escalation = arena_strdup(arena, from->escalation);
    record->summary = arena_strdup(arena, from->summary);
    return record;
}

void copies_commit(struct arena *arena, struct turn_commit *commit)
{
    commit->tenant = arena_strdup(arena, commit->tenant);
    commit->events = arena_strdup(arena, commit->events);
    commit->body = arena_strdup(arena, commit->body);
    commit->error_code = arena_strdup(arena, commit->error_code);
    commit->traceparent = arena_strdup(arena, commit->traceparent);
    commit->passages = arena_strdup(arena, commit->passages);
    commit->prompt = arena_strdup(arena, commit->prompt);
    commit->handoff = arena_strdup(arena, commit->handoff);
    commit->lang = arena_strdup(arena, commit->lang);
    commit->trigger.summary = arena_strdup(arena, commit->trigger.summary);
    commit->trigger.promised = arena_strdup(arena, commit->trigger.promised);
    commit->reception = copy_record(arena, commit->reception);
    commit->calls = copy_asked(arena, commit->calls, commit->call_count);
}
