/* See rules.h. */
#include "rules.h"

#include <string.h>

#include "assistants.h"
#include "mail_turn.h"
#include "prompt/prompt.h"
#include "quotes.h"
#include "session.h"
#include "think_inside.h"
#include "tools.h"
#include "voice_rules.h"
#include "json/json.h"

static struct quotes *of_rules(struct session *session, struct arena *arena)
{
    const struct assistant *assistant = think_assistant(session);
    const char *texts[PROMPT_RULES + PROMPT_CHANNELS + 2 + ASSISTANT_TOOLS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < PROMPT_RULES; i++)
        texts[count++] = prompt_rules[i];
    for (size_t i = 0; i < PROMPT_CHANNELS; i++)
        texts[count++] = prompt_channel_rules[i];
    texts[count++] = voice_cut_off_rules;
    texts[count++] = mail_turn_stranger_rules;
    for (size_t i = 0; assistant != NULL && i < assistant->call_tools.count; i++) {
        const struct tool *tool = tools_named(assistant->call_tools.items[i].name);
        if (tool != NULL)
            texts[count++] = tool->description;
    }
    return quotes_new(arena, texts, count);
}

/* What the desk said before, as far as the turn's context goes. */
static bool hear_earlier(struct quotes *quotes, const char *context)
{
    struct json *items = NULL;
    struct err err;
    bool told = false;
    if (json_parse(context, strlen(context), &items, &err) != 0)
        return false;
    for (const struct json *i = json_first(items); i != NULL && !told; i = json_next(i)) {
        const char *author = json_member_text(i, "author"), *said = json_member_text(i, "text");
        if (author != NULL && said != NULL && strcmp(author, "ai") == 0)
            told = quotes_hear(quotes, said);
    }
    json_free(&items);
    return told;
}

bool rules_are_told(struct session *session, const char *words)
{
    struct arena *arena = arena_new();
    struct quotes *quotes = of_rules(session, arena);
    bool told = quotes_hear(quotes, words);
    if (!told && quotes_heard(quotes) > 0)
        told = hear_earlier(quotes, session->turn.context);
    arena_free(&arena);
    return told;
}
