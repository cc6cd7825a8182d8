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

/* What an answer has told so far. */
struct llm_answer {
    struct strbuf text; /* its maximum is the request's answer_max_bytes */
    enum llm_finish finish;
    bool finished;   /* a finish reason has come */
    bool done;       /* the end marker has come: nothing counts behind it */
    bool refused;    /* the model declined instead of answering */
    bool tools;      /* it asked for a tool */
    bool alive;      /* it has written something, be it reasoning */
    bool recognised; /* at least one chunk had the expected shape */
    char model[LLM_NAME_MAX], request_id[LLM_NAME_MAX];
    int64_t tokens_in, tokens_out, tokens_cached;
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

/* Writes the messages that are not the system's as an array of {role, `parts`: [{text}]}; those of
 * one role in a row are one message, and the first is the user's: both dialects want it so. */
struct llm_turns {
    const char *array, *assistant, *parts; /* "messages", "assistant", "content" */
    const char *type;                      /* of a part: "text", or NULL */
};
void llm_turns_write(const struct llm_request *request, const struct llm_turns *names,
                     struct json_writer *w);

/* Writes the system's messages as an array of parts; nothing if there are none. */
void llm_system_write(const struct llm_request *request, const char *name, const char *type,
                      struct json_writer *w);

/* Prepares caller's storage. */
void llm_answer_init(struct llm_answer *answer, size_t text_max_bytes);
void llm_answer_fini(struct llm_answer *answer);

/* Takes the data of one event, or a whole unstreamed answer. -1: the error inside it, classified;
 * FALL_BACK "llm.nonsense" if it is no such thing, "llm.too_long_answer" if the text is too long.
 */
int llm_answer_take(struct llm_answer *answer, const struct llm_wire *wire, const char *bytes,
                    size_t length, struct err *err);

/* Judges an answer whose transport ended well (`cut` false) or broke: 0 if it is one to show. */
int llm_answer_judge(const struct llm_answer *answer, bool cut, struct err *err);

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

#endif
