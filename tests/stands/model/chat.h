/* One chat completion request: read, checked, and the text that answers it. */
#ifndef STANDS_MODEL_CHAT_H
#define STANDS_MODEL_CHAT_H

#include "stands/lib/app.h"

enum { CHAT_MODEL_MAX = 64, CHAT_LAST_MAX = 120 };

/* What is kept of a request; the JSON itself is gone once this exists. */
struct chat {
    const char *problem; /* why it is refused (static text), or NULL */
    const char *param;   /* the parameter at fault, or NULL */
    char model[CHAT_MODEL_MAX + 1];
    bool stream, usage, has_tool_result;
    size_t prompt_chars;
    char *reply;
    struct stand_action *directive;
};

/* Reads a request body. Always returns an owned chat (chat_free), refused or not; for a good one
 * appends the ledger's params: model, number of messages, start of the last user text, nonces. */
struct chat *chat_parse(const char *body, size_t len, struct stand_buf *params);

/* Frees a chat; NULL is fine. */
void chat_free(struct chat *chat);

#endif
