/*
 * What the wire formats have in common: which of them a request is in, and how a fault rule's words
 * replace the provider's usual ones in an error. Called by model.c, answer.c and the formats.
 */
#include "stands/model/wire.h"

#include <string.h>

const struct wire *wire_of(const struct stand_exchange *x)
{
    static const struct wire *const others[] = {&wire_gemini, &wire_anthropic};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i]->owns(x))
            return others[i];
    }
    return &wire_openai;
}

struct wire_error wire_refusal_error(const struct wire *wire, enum wire_refusal why,
                                     const struct chat *chat)
{
    struct wire_error error = {.words = wire->refusals[why]};
    if (why == WIRE_BAD_REQUEST) {
        error.words.message = chat->problem;
        error.param = chat->param;
    }
    return error;
}

static void take_words(struct wire_error *error, const struct stand_action *action)
{
    if (action->message)
        error->words.message = action->message;
    if (action->error_type)
        error->words.type = action->error_type;
    if (action->code)
        error->words.code = action->code;
    error->retry_after = action->retry_after;
}

struct wire_error wire_status_error(const struct wire *wire, const struct stand_action *action)
{
    size_t i = 0;
    while (i < wire->usual_count - 1 && wire->usual[i].status != action->status)
        i++;
    struct wire_error error = {.words = wire->usual[i]};
    if (action->status >= 200 && action->status < 1000)
        error.words.status = (int)action->status;
    take_words(&error, action);
    return error;
}

struct wire_error wire_stream_error(const struct wire *wire, const struct stand_action *action)
{
    struct wire_error error = {.words = wire->broken};
    take_words(&error, action);
    for (size_t i = wire->usual_count; i > 0; i--) {
        if (strcmp(wire->usual[i - 1].type, error.words.type) == 0)
            error.words.status = wire->usual[i - 1].status;
    }
    return error;
}

unsigned long wire_prompt_tokens(const struct chat *chat)
{
    return chat->prompt_chars / 4 + 7;
}

unsigned long wire_answer_tokens(size_t bytes)
{
    return bytes / 4 + 1;
}
