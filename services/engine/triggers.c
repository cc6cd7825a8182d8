/* Reading a version's triggers: see triggers.h. assistants.c reads them, escalate.c and the tools
 * ask. */
#include "triggers.h"

#include "words.h"

#include <string.h>

static size_t read_texts(struct arena *arena, const struct json *texts, const char **out,
                         size_t max)
{
    size_t count = 0;
    for (const struct json *t = json_first(texts); t != NULL && count < max; t = json_next(t))
        if (json_text(t) != NULL)
            out[count++] = arena_strdup(arena, json_text(t));
    return count;
}

void triggers_read(struct arena *arena, const struct json *section, struct triggers *out)
{
    *out = (struct triggers){.has_rota = json_first(json_member(section, "rota")) != NULL};
    out->on_count = read_texts(arena, json_member(section, "on"), out->on, TRIGGERS_MAX);
    out->word_count =
        read_texts(arena, json_member(section, "words"), out->words, TRIGGERS_WORDS_MAX);
}

bool triggers_want(const struct triggers *triggers, const char *reason)
{
    if (strcmp(reason, "assistant") == 0)
        return true;
    for (size_t i = 0; i < triggers->on_count; i++)
        if (strcmp(triggers->on[i], reason) == 0)
            return true;
    return false;
}

bool triggers_call(const struct triggers *triggers, const char *reason)
{
    return triggers->has_rota && triggers_want(triggers, reason);
}

const char *triggers_word_in(const struct triggers *triggers, const char *text)
{
    for (size_t i = 0; i < triggers->word_count; i++)
        if (words_have(text, triggers->words[i]))
            return triggers->words[i];
    return NULL;
}
