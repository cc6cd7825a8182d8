/* What a turn keeps of its last prompt (turns.prompt), so that it can be built again from rows and
 * compared with what was sent. The texts of messages, rounds and the version are rows already;
 * kept are which of them it held, the channel, what it told of the moment, and a digest of all its
 * messages. Any thread, no state. */
#ifndef DESK_PROMPT_RECORD_H
#define DESK_PROMPT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "prompt/prompt.h"
#include "json/json.h"

#define RECORD_DIGEST_SIZE 65 /* hexadecimal SHA-256 and NUL */

/* What the prompt itself does not know. */
struct record_call {
    int64_t claimed; /* the turn's claim counter */
    int version;     /* of the assistant */
    bool no_more_tools;
};

/* Returns the record's JSON in the arena, valid for jsonb. */
const char *record_write(struct arena *arena, const struct prompt_parts *parts,
                         const struct prompt *prompt, const struct record_call *call);

struct record {
    enum prompt_channel channel;
    const char *summary, *earlier; /* NULL: none */
    const char *told;              /* NULL: nothing */
    const char **tools;            /* names, as offered */
    size_t tool_count;
    bool no_more_tools;
    int64_t *rounds; /* numbers */
    size_t round_count;
    size_t past_count, open_count; /* messages of the conversation */
    int64_t claimed, version, tokens;
    const char *digest;
};

/* Reads it into the arena. PERMANENT "prompt.record" if it is none. */
int record_read(struct arena *arena, const char *text, struct record *record, struct err *err);

/* Writes the messages as an array of {role, text, calls?, tool?, error?}. */
void record_add_messages(struct json_writer *w, const char *name, const struct prompt *prompt);

/* The digest of that array. */
void record_digest(const struct prompt *prompt, char out[RECORD_DIGEST_SIZE]);

#endif
