/* Reading what the tools about appointments answered (tool_booking.c), for a customer whom no model
 * tells it. reception_turn.c calls it. */
#include "reception_facts.h"

#include "base/strbuf.h"
#include "reply.h"
#include "tools.h"
#include "json/json.h"

#include <string.h>

#define FACTS_MAX  (ROUNDS_MAX * ROUND_CALLS_MAX)
#define TEXT_BYTES (16 * 1024)

struct fact {
    const char *id, *state, *service, *start;
};

static bool read_fact(struct arena *arena, const char *result, struct fact *out)
{
    struct json *document = NULL;
    if (json_parse(result, strlen(result), &document, NULL) != 0)
        return false;
    const struct json *appointment = json_member(document, "appointment");
    *out = (struct fact){.id = arena_strdup(arena, json_member_text(appointment, "id")),
                         .state = arena_strdup(arena, json_member_text(appointment, "state")),
                         .service = arena_strdup(arena, json_member_text(appointment, "service")),
                         .start = arena_strdup(arena, json_member_text(appointment, "start"))};
    json_free(&document);
    return out->id != NULL && out->state != NULL && out->service != NULL && out->start != NULL;
}

/* A later call on the same appointment takes the place of an earlier one. */
static void keep(struct fact *facts, size_t *count, const struct fact *fact)
{
    size_t i = 0;
    while (i < *count && strcmp(facts[i].id, fact->id) != 0)
        i++;
    facts[i] = *fact;
    *count = i == *count ? i + 1 : *count;
}

/* The weekday, which is English, stays away: "2026-12-01 09:00" is read everywhere. */
static void tell(struct strbuf *out, const struct fact *fact, const struct wording *words)
{
    const char *space = strchr(fact->start, ' ');
    const char *said = strcmp(fact->state, "booked") == 0      ? words->booked
                       : strcmp(fact->state, "cancelled") == 0 ? words->cancelled
                                                               : NULL;
    if (said != NULL)
        strbuf_printf(out, "%s%s %s, %s", out->length > 0 ? "\n" : "", said, fact->service,
                      space != NULL ? space + 1 : fact->start);
}

const char *reception_facts(struct arena *arena, const struct rounds *rounds,
                            const struct wording *words)
{
    struct fact facts[FACTS_MAX], fact;
    struct strbuf out;
    size_t count = 0;
    strbuf_init(&out, TEXT_BYTES);
    for (size_t i = 0; i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            const struct rounds_call *call = &rounds->items[i]->calls[k];
            if (tools_changed_appointment(call) && read_fact(arena, call->result, &fact))
                keep(facts, &count, &fact);
        }
    for (size_t i = 0; i < count; i++)
        tell(&out, &facts[i], words);
    const char *text = out.length > 0 ? reply_cut(arena, out.data, REPLY_UNITS_MAX / 2) : NULL;
    strbuf_fini(&out);
    return text;
}
