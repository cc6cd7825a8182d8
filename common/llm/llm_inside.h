/* What the files of the model client share. Private to common/llm: nobody else includes it. */
#ifndef DESK_LLM_INSIDE_H
#define DESK_LLM_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "llm/llm.h"
#include "json/json.h"

#define LLM_NAME_MAX 96

/* What a provider says about a failure. Words are "" if absent. */
struct llm_fault {
    int status; /* HTTP status, or the one that an error object in a 200 stream names */
    char code[LLM_NAME_MAX], type[LLM_NAME_MAX];
    const char *message; /* borrowed; only compared with markers, never shown: it may quote us */
    int64_t retry_after_ms;
};

/* Fills *err with the class that docs/MODELS.md gives to the fault; returns -1. */
int llm_classify(const struct llm_fault *fault, struct err *err);

/* The code of a fault whose details say that a day's quota is used up (Gemini). */
#define LLM_QUOTA_PER_DAY "quota_per_day"

/* Reads an error document in any of the shapes that vendors use: {"error":{...}}, also alone in an
 * array, {"error":"text","code":...}, {"object":"error",...}. False if it is none; `document` is
 * lent. */
bool llm_fault_read(const struct json *document, struct llm_fault *fault);

/* The calls of an answer as they grow (calls.c). */
struct llm_calls;

/* What an answer has told so far. */
struct llm_answer {
    struct strbuf text; /* its maximum is the request's answer_max_bytes */
    enum llm_finish finish;
    bool finished;           /* a finish reason has come */
    bool done;               /* the end marker has come: nothing counts behind it */
    bool refused;            /* the model declined instead of answering */
    bool tools;              /* it asked for a tool */
    bool alive;              /* it has written something, be it reasoning */
    bool recognised;         /* at least one chunk had the expected shape */
    bool offered;            /* the request has tools: calls are an answer, and bad ones nonsense */
    bool deaf;               /* none were offered, and what came was nonsense: no calls any more */
    char *signer;            /* begins every signature; NULL: calls have none; owned */
    struct llm_calls *calls; /* NULL: none so far; owned */
    int64_t other_block;     /* LLM_ANTHROPIC: index of the last block that is no call */
    char model[LLM_NAME_MAX], request_id[LLM_NAME_MAX];
    int64_t tokens_in, tokens_out, tokens_cached, tokens_written;
};

/* A dialect. */
struct llm_wire {
    const char *name;
    /* Appends the part of the URL behind the base. */
    void (*write_path)(const struct llm_request *request, struct strbuf *url);
    /* Writes the members of the request's object; those of `extra` (or NULL) are the caller's. */
    void (*write_members)(const struct llm_request *request, const struct json *extra,
                          struct json_writer *w);
    /* Takes one chunk of a stream, or a whole unstreamed answer, that is no error and an object. */
    int (*take)(struct llm_answer *answer, const struct json *document, struct err *err);
    const char *usual_header; /* sent if the request has no headers of its own; or NULL */
    bool signs;               /* its calls want back what came with them, or a word in its place */
    const char *own_extra; /* the member of `extra` that write_members has merged itself, or NULL */
};

extern const struct llm_wire llm_wire_chat, llm_wire_gemini, llm_wire_anthropic;

/* The table's row. */
const struct llm_wire *llm_wire_of(enum llm_dialect dialect);

/* Returns the owned URL, and lists the header lines: ours, then the request's. */
#define LLM_HEADERS_MAX 4 /* of a request */
char *llm_request_url(const struct llm_request *request);
void llm_request_headers(const struct llm_request *request, const char *lines[LLM_HEADERS_MAX + 3]);

/* Writes the members of `extra` (may be NULL) but the one named `except` (may be NULL). */
void llm_extra_write(const struct json *extra, const char *except, struct json_writer *w);

/* Appends the whole request's JSON. */
void llm_request_write(const struct llm_request *request, struct strbuf *out);

/* ---- tools in requests (tools.c) ---- */

#define LLM_TOOL_NAME_MAX 64

/* A call of the request's messages as every dialect may say it. Texts are borrowed. */
struct llm_asked {
    char id[24]; /* by its place in the request */
    char name[LLM_TOOL_NAME_MAX + 1], result_name[LLM_TOOL_NAME_MAX + 1];
    bool first;                     /* of its message */
    const char *arguments, *object; /* the model's text; the same or "{}", surely an object */
    const char *signature;          /* or NULL */
    const char *result;
    bool is_error;
};
/* Fills *asked from call `index` of message `at`; `before` calls stand in front of that message. */
void llm_asked_fill(const struct llm_request *request, size_t at, size_t index, size_t before,
                    struct llm_asked *asked);

/* The tool's parameters, or those of a tool that takes nothing. */
const char *llm_tool_parameters(const struct llm_tool *tool);

/* Adds the description unless there is none. */
void llm_tool_describe(const struct llm_tool *tool, struct json_writer *w);

/* The type of the JSON value that the text is; false if it is none. */
bool llm_is_json(const char *text, enum json_type *type);

/* True if there is nothing to read in it. */
bool llm_is_blank(const char *text);

/* Appends what signatures of this model at this base URL begin with. */
void llm_signer_write(const struct llm_request *request, struct strbuf *out);

/* Writes the messages that are not the system's as an array of {role, `parts`: [...]}; those of one
 * role in a row are one message, and the first is the user's: both dialects want it so. Results of
 * tools are the user's. */
struct llm_turns {
    const char *array, *assistant, *parts; /* "messages", "assistant", "content" */
    const char *type;                      /* of a part of text: "text", or NULL */
    bool tells_kept;                       /* parts say cache_control */
    void (*write_call)(const struct llm_request *request, const struct llm_asked *asked,
                       struct json_writer *w);
    void (*write_result)(const struct llm_asked *asked, struct json_writer *w);
};
void llm_turns_write(const struct llm_request *request, const struct llm_turns *names,
                     struct json_writer *w);

/* Writes the system's messages as an array `name` of parts; nothing if there are none. */
void llm_system_write(const struct llm_request *request, const struct llm_turns *names,
                      const char *name, struct json_writer *w);

/* Prepares caller's storage. */
void llm_answer_init(struct llm_answer *answer, size_t text_max_bytes);
void llm_answer_fini(struct llm_answer *answer);

/* Takes the data of one event, or a whole unstreamed answer. -1: the error inside it, classified;
 * FALL_BACK "llm.nonsense" if it is no such thing, "llm.too_long_answer" if the text is too long.
 */
int llm_answer_take(struct llm_answer *answer, const struct llm_wire *wire, const char *bytes,
                    size_t length, struct err *err);

/* Judges an answer whose transport ended well (`cut` false) or broke: 0 if it is one to show. */
int llm_answer_judge(struct llm_answer *answer, bool cut, struct err *err);

/* What the caller is told as the reason of the answer's end, once it is judged. */
enum llm_finish llm_answer_finish_of(const struct llm_answer *answer);

/* For the dialects: text (NULL: none), a name's first value, and the word that ends an answer. */
int llm_answer_add_text(struct llm_answer *answer, const char *text, struct err *err);
void llm_answer_keep(char name[LLM_NAME_MAX], const char *value);

enum llm_finish_kind {
    FINISH_PLAIN,
    FINISH_TOO_LONG, /* the window is full */
    FINISH_BROKEN,   /* the provider gave up */
};
struct llm_finish_word {
    const char *word;
    enum llm_finish finish;
    enum llm_finish_kind kind;
};
/* `word` NULL: not ended yet. An unknown one ends it as LLM_OTHER. */
int llm_answer_finish(struct llm_answer *answer, const struct llm_finish_word *words, size_t count,
                      const char *word, struct err *err);

/* ---- calls in answers (calls.c) ---- */

/* An index that a piece does not have, or that is none. */
#define LLM_INDEX_NONE  (-1)
#define LLM_INDEX_WRONG (-2)

/* What one chunk tells about one call. */
struct llm_piece {
    enum { LLM_PIECE_ANY, LLM_PIECE_BEGINS, LLM_PIECE_FOLLOWS } how;
    int64_t index;
    const char *id, *name;    /* NULL or "": not in this piece */
    const char *arguments;    /* some of their text, or NULL */
    const struct json *value; /* all of them as a value, or NULL */
    const char *signature;    /* or NULL */
};

/* The member "index" of an object. */
int64_t llm_piece_index(const struct json *object);

/* Adds a piece to the call that it belongs to, or begins one. FALL_BACK "llm.nonsense": too many or
 * too large, or it belongs nowhere. If no tools were offered, that only forgets all calls. */
int llm_calls_take(struct llm_answer *answer, const struct llm_piece *piece, struct err *err);

/* Prepares for the answer to this request. */
void llm_calls_expect(struct llm_answer *answer, const struct llm_request *request);

/* Decides at the end of the answer which calls are complete. FALL_BACK "llm.nonsense" for one
 * without a name. */
int llm_calls_settle(struct llm_answer *answer, struct err *err);

/* The complete ones, borrowed; how many were begun. */
const struct llm_tool_call *llm_calls_complete(const struct llm_answer *answer, size_t *count);
size_t llm_calls_bytes(const struct llm_answer *answer); /* of their arguments */
size_t llm_calls_begun(const struct llm_answer *answer);

/* Frees; sets to NULL; accepts NULL. */
void llm_calls_free(struct llm_calls **calls);

#endif
