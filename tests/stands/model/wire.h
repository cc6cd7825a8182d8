/*
 * The wire formats that the model stand-in speaks, one file each behind one table of functions:
 * openai.c, gemini.c, anthropic.c. What is said, in which pieces, when, and which fault strikes is
 * decided elsewhere (chat.c, answer.c, model.c); a format only reads and writes.
 */
#ifndef STANDS_MODEL_WIRE_H
#define STANDS_MODEL_WIRE_H

#include "stands/lib/app.h"
#include "stands/model/chat.h"

struct cJSON;

enum { WIRE_ID_BYTES = 48 }; /* of any id with its NUL */

/* What a provider usually says about a failure. Texts may be NULL. */
struct wire_words {
    int status;
    const char *message;
    const char *type; /* OpenAI's and Anthropic's error type, Gemini's status word */
    const char *code; /* openai.c, gemini.c and anthropic.c say where this goes */
};

/* What it says this time. */
struct wire_error {
    struct wire_words words;
    const char *param, *retry_after;
};

/* Why the stand-in itself refuses a request. */
enum wire_refusal {
    WIRE_NO_KEY,
    WIRE_WRONG_KEY,
    WIRE_BAD_REQUEST, /* the message is the problem that the chat names */
    WIRE_BAD_METHOD,
    WIRE_UNKNOWN_PATH,
    WIRE_REFUSALS
};

/* What a format is told of an answer. Everything is borrowed but `head`, which is the format's own
 * and freed for it. */
struct answer {
    const struct chat *chat;
    char id[WIRE_ID_BYTES], tool_id[WIRE_ID_BYTES];
    const char *tool;   /* the name of the tool called, or NULL */
    const char *finish; /* in the format's own words */
    char *text;         /* content, or the arguments of the tool call (JSON, unless a test errs) */
    size_t len, at;     /* bytes of text, and how many of them are written with this piece */
    size_t objects;     /* a format's count of what it wrote */
    struct stand_buf head;
};

struct wire {
    const char *name;         /* the ledger's dialect */
    const char *id, *tool_id; /* how ids begin; then come so many hexadecimal digits */
    size_t id_digits, tool_id_digits;
    const char *stop, *tool_stop; /* finish reasons of a text and of a tool call */
    bool whole_calls;             /* a tool call is never sent in pieces */
    bool bare_errors;             /* an error in a stream comes as a network chunk of its own */
    const char *not_json;
    const char *models_path, *models; /* where the list of models is, and its body */
    struct wire_words refusals[WIRE_REFUSALS];
    struct wire_words broken; /* the usual error in a stream */
    /* What it says with a status; the last row is for all others. Each type's first row gives the
     * status of an error in a stream. */
    const struct wire_words *usual;
    size_t usual_count;

    /* Whether a request is in this format, answered or refused. */
    bool (*owns)(const struct stand_exchange *x);
    /* Whether a POST to this path asks for an answer. */
    bool (*is_chat_path)(const char *path);
    /* The key that a request carries, borrowed, or NULL. */
    const char *(*key)(const struct stand_exchange *x);
    /* Reads and checks the body of such a POST (chat.h). */
    void (*read)(struct chat *chat, const struct stand_exchange *x, const struct cJSON *root);

    /* Appends header lines; `request` is the id of the request. */
    void (*headers)(const char *request, bool failed, struct stand_buf *out);
    /* Appends an error's body; `request` is NULL in a stream. */
    void (*error)(const struct wire_error *error, const char *request, struct stand_buf *out);
    /* Appends the whole answer as one object. */
    void (*whole)(struct answer *answer, struct stand_buf *out);

    /* The parts of a stream: its start, `len` bytes of the text, its end; instead of the end its
     * error, or half an event and an end in order. `close` ends what was left unfinished and may be
     * NULL. */
    void (*start)(struct answer *answer, struct stand_buf *out);
    void (*piece)(struct answer *answer, const char *text, size_t len, struct stand_buf *out);
    void (*end)(struct answer *answer, struct stand_buf *out);
    void (*fail)(struct answer *answer, const struct wire_error *error, struct stand_buf *out);
    void (*spoil)(struct answer *answer, struct stand_buf *out);
    void (*close)(struct answer *answer, struct stand_buf *out);
};

extern const struct wire wire_openai, wire_gemini, wire_anthropic;

/* The format of a request; OpenAI's when no other one owns it. */
const struct wire *wire_of(const struct stand_exchange *x);

/* The error of a refusal; the chat's problem, if there is one, takes the place of the message. */
struct wire_error wire_refusal_error(const struct wire *wire, enum wire_refusal why,
                                     const struct chat *chat);

/* The error of a `status` action, borrowing its texts. */
struct wire_error wire_status_error(const struct wire *wire, const struct stand_action *action);

/* The error of an `error_in_stream` action, borrowing its texts. */
struct wire_error wire_stream_error(const struct wire *wire, const struct stand_action *action);

/* A rough number of tokens, the same in every format: of the prompt, and of `bytes` of an answer.
 */
unsigned long wire_prompt_tokens(const struct chat *chat);
unsigned long wire_answer_tokens(size_t bytes);

#endif
