/* See rules.h. */
#include "rules.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "assistants.h"
#include "prompt/prompt.h"
#include "quotes.h"
#include "session.h"
#include "stranger.h"
#include "tools.h"
#include "voice_rules.h"
#include "json/json.h"

static const struct quotes_texts *ours; /* for the life of the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    const char *texts[PROMPT_RULES + PROMPT_CHANNELS + STRANGER_RULES + 1 + ASSISTANT_TOOLS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < PROMPT_RULES; i++)
        texts[count++] = prompt_rules[i];
    for (size_t i = 0; i < PROMPT_CHANNELS; i++)
        texts[count++] = prompt_channel_rules[i];
    texts[count++] = voice_cut_off_rules;
    for (size_t i = 0; i < STRANGER_RULES; i++)
        texts[count++] = stranger_rules[i];
    for (size_t i = 0; tools_at(i) != NULL; i++) {
        assert(count < sizeof texts / sizeof texts[0]);
        texts[count++] = tools_at(i)->description;
    }
    ours = quotes_texts_new(arena_new(), texts, count);
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
    pthread_once(&once, prepare);
    struct arena *arena = arena_new();
    struct quotes *quotes = quotes_new(arena, ours);
    bool told = quotes_hear(quotes, words);
    if (!told && quotes_heard(quotes) > 0)
        told = hear_earlier(quotes, session->turn.context);
    arena_free(&arena);
    return told;
}
