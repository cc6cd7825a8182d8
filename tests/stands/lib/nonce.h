/*
 * The reply of the model stand-in, computed from the conversation that it was sent, so that a test
 * can tell from a reply which texts it answers.
 *
 * A nonce is a word `n-` + 4 to 32 of [a-z0-9]. New are the user messages after the last assistant
 * message that called no tool. The reply quotes every nonce of the new ones, in order, and the
 * first one of what came before: "You wrote n-aa11 and n-bb22; earlier n-cc33."
 */
#ifndef STANDS_LIB_NONCE_H
#define STANDS_LIB_NONCE_H

#include "stands/lib/buf.h"

enum stand_role { STAND_USER, STAND_ASSISTANT, STAND_TOOL, STAND_OTHER };

struct stand_message {
    enum stand_role role;
    bool calls_tools;
    const char *text; /* NUL-terminated; borrowed */
};

/* Finds the next nonce at or after `*at`. Returns its length and moves `*at` to its first byte, or
 * returns 0 when there is none. */
size_t stand_nonce_find(const char *text, size_t *at);

/* The index of the first new message. */
size_t stand_new_messages(const struct stand_message *messages, size_t count);

/* The last user message's text, or "" when there is none. */
const char *stand_last_user(const struct stand_message *messages, size_t count);

/* Appends the reply. Without new nonces it quotes at most 60 characters of the last user text. */
void stand_nonce_reply(const struct stand_message *messages, size_t count, struct stand_buf *out);

/* Appends the new nonces as a JSON array of at most `max` distinct texts. */
void stand_nonce_json(const struct stand_message *messages, size_t count, size_t max,
                      struct stand_buf *out);

#endif
