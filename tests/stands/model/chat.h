/* One request for an answer: read, checked, and the text that answers it. */
#ifndef STANDS_MODEL_CHAT_H
#define STANDS_MODEL_CHAT_H

#include "stands/lib/app.h"
#include "stands/lib/nonce.h"
#include "stands/model/obey.h"

struct wire;

enum { CHAT_MODEL_MAX = 64, CHAT_LAST_MAX = 120, CHAT_TURNS_MAX = 10000 };

/* What is kept of a request; the JSON itself is gone once this exists. */
struct chat {
    const struct wire *wire;
    char *problem; /* why it is refused, owned, or NULL */
    char *param;   /* the parameter at fault, owned, or NULL */
    char model[CHAT_MODEL_MAX + 1];
    bool stream, usage, has_tool_result;
    bool array; /* Gemini: the stream is one JSON array instead of events */
    size_t prompt_chars;
    char *reply;
    struct obedience obeyed; /* in place of the reply, where a rule says so */
    struct stand_action *directive;
    /* While it is read: the turns of the request, and what was said in them. */
    size_t turns;
    struct stand_message *messages;
    char **texts; /* of the messages, owned */
    size_t count, room;
};

/* Reads a request that the format takes. Always returns an owned chat (chat_free), refused or not;
 * for a good one appends the ledger's params: model, number of turns, start of the last user text,
 * nonces, dialect. */
struct chat *chat_parse(const struct wire *wire, const struct stand_exchange *x,
                        struct stand_buf *params);

/* Frees a chat; NULL is fine. */
void chat_free(struct chat *chat);

/* --- for the formats, while they read --- */

/* Refuses the request, unless it is refused already. `param` may be NULL. Returns false. */
bool chat_refuse(struct chat *chat, const char *param, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the model's name, cut to what is kept. */
void chat_set_model(struct chat *chat, const char *name, size_t len);

/* Adds what was said next; `text` is taken. `calls_tools`: the model asked for tools in the same
 * turn. */
void chat_say(struct chat *chat, enum stand_role role, bool calls_tools, char *text);

#endif
