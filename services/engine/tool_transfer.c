/* The tools that change a call itself: it is put through to a person, or goes on in another
 * language. What is to be done with the call leaves with the turn's words (voice_end.c). */
#include "base/strbuf.h"
#include "store/transfer.h"
#include "tools.h"

#include <string.h>

#define NAMES_MAX  700
#define RESULT_MAX 1024

/* ---- transfer_call ---- */

static int no_such_person(const struct phone_plan *plan, struct err *err)
{
    struct strbuf names;
    strbuf_init(&names, NAMES_MAX);
    for (size_t i = 0; i < plan->person_count; i++)
        strbuf_printf(&names, "%s%s", i > 0 ? ", " : "", plan->people[i].name);
    err_set(err, ERR_PERMANENT, "tool.person", "arguments.to: must be one of %s", names.data);
    strbuf_fini(&names);
    return -1;
}

/* What a caller is told whom nobody takes: true once the escalation waits for people. */
static const char *promise_of(const struct tool_call *call, bool calls)
{
    const struct assistant *assistant = call->assistant;
    const struct phone_words *words = phone_plan_words(&assistant->phone, call->language);
    const char *tell = assistant->workflow.tell;
    return arena_printf(call->arena, "%s %s %s", words->nobody,
                        calls && tell[0] != '\0' ? tell : words->noted, words->more);
}

static int add_transfer(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const struct phone_plan *plan = &call->assistant->phone;
    const char *to = json_member_text(call->arguments, "to");
    const struct phone_person *wanted = to != NULL ? phone_plan_find(plan, to) : NULL;
    const bool calls = triggers_call(&call->assistant->triggers, "customer_asks");
    struct transfer_person people[PHONE_PEOPLE_MAX];
    size_t count = 0;
    if (plan->person_count == 0)
        return err_set(err, ERR_PERMANENT, "tool.nobody",
                       "nobody of the business can be called through to: take a message");
    if (to != NULL && wanted == NULL)
        return no_such_person(plan, err);
    for (size_t i = 0; i < plan->person_count; i++)
        if (wanted == NULL || wanted == &plan->people[i])
            people[count++] = (struct transfer_person){plan->people[i].name, plan->people[i].hours};
    transfer_add_open(
        unit, call->arena,
        &(struct transfer_opening){.tenant = call->tenant,
                                   .id = call->id,
                                   .summary = json_member_text(call->arguments, "summary"),
                                   .words = promise_of(call, calls),
                                   .calls = calls,
                                   .cold = plan->cold,
                                   .people = people,
                                   .count = count});
    return 0;
}

/* Read by a model only where the caller has spoken meanwhile: then nobody was rung up. */
static void read_transfer(const struct tool_call *call, const struct pg_answer *answer, int first,
                          struct tool_result *out)
{
    const char *name = transfer_read_opened(answer, first);
    struct strbuf text;
    struct json_writer w;
    if (name[0] == '\0') {
        out->outcome = "refused";
        out->text = tools_text(call->arena, "error",
                               "nobody who can be called is on duty now: say so, and offer to take "
                               "a message");
        return;
    }
    strbuf_init(&text, RESULT_MAX);
    json_writer_init(&w, &text);
    json_open_object(&w, NULL);
    json_add_text(&w, "to", name);
    json_add_text(&w, "state",
                  "nobody is rung up before the caller has heard so. If he has said something "
                  "since, it did not happen: call transfer_call again if he still wants it");
    json_close_object(&w);
    out->outcome = "ok";
    out->text = arena_strndup(call->arena, text.data, text.length);
    strbuf_fini(&text);
}

/* The caller has said something behind it, in whose round a later call stands. */
static bool is_superseded(const struct rounds *rounds, const struct rounds_call *call)
{
    const struct rounds_round *last = rounds->items[rounds->count - 1];
    for (size_t i = 0; i < rounds->count; i++)
        if (call >= rounds->items[i]->calls && call < rounds->items[i]->calls + ROUND_CALLS_MAX)
            return rounds->items[i]->claimed < last->claimed;
    return false;
}

const struct tool tool_transfer_call = {
    .name = "transfer_call",
    .description = "Rings up a person of the business and puts the call through. Use it when the "
                   "caller wants to speak to a person now. Say nothing beside it: the caller is "
                   "told that somebody is being tried, and comes back to you if nobody answers.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{\"to\":{\"type\":\"string\",\"maxLength\":60,"
        "\"description\":\"whom: a name that the business uses; leave it out for "
        "whoever is on duty\"},\"summary\":{\"type\":\"string\",\"minLength\":1,"
        "\"maxLength\":400,\"description\":\"who calls and what about, for the person "
        "who takes the call\"}},\"required\":[\"summary\"],"
        "\"additionalProperties\":false}",
    .changes = true,
    .on_calls = true,
    .add = add_transfer,
    .read = read_transfer,
    .undone = is_superseded};

/* ---- switch_language ---- */

static int add_language(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const struct phone_plan *plan = &call->assistant->phone;
    struct strbuf tags;
    (void)unit;
    if (phone_plan_language(plan, json_member_text(call->arguments, "language")) != NULL)
        return 0;
    strbuf_init(&tags, NAMES_MAX);
    for (size_t i = 0; i < plan->language_count; i++)
        strbuf_printf(&tags, "%s%s", i > 0 ? ", " : "", plan->languages[i]);
    err_set(err, ERR_PERMANENT, "tool.language", "arguments.language: must be one of %s",
            tags.data);
    strbuf_fini(&tags);
    return -1;
}

static void read_language(const struct tool_call *call, const struct pg_answer *answer, int first,
                          struct tool_result *out)
{
    const char *tag = json_member_text(call->arguments, "language");
    (void)answer, (void)first;
    out->outcome = "ok";
    out->text = tools_text(call->arena, "speak", phone_plan_language(&call->assistant->phone, tag));
}

const struct tool tool_switch_language = {
    .name = "switch_language",
    .description = "Lets the call go on in another language: its voice speaks it and the caller is "
                   "understood in it. Use it when the caller speaks another language or asks for "
                   "one, then answer in it.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"language\":{\"type\":\"string\","
                  "\"minLength\":2,\"maxLength\":35,\"description\":\"a tag like es-US\"}},"
                  "\"required\":[\"language\"],\"additionalProperties\":false}",
    .on_calls = true,
    .add = add_language,
    .read = read_language};
