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

/* Reads an error document in any of the shapes that vendors use: {"error":{...}},
 * {"error":"text","code":...}, {"object":"error",...}. False if it is none; `document` is lent. */
bool llm_fault_read(const struct json *document, struct llm_fault *fault);

/* What an answer has told so far. */
struct chat_answer {
    struct strbuf text; /* its maximum is the request's answer_max_bytes */
    enum llm_finish finish;
    bool finished;   /* a finish reason has come */
    bool done;       /* the end marker has come */
    bool refused;    /* the model declined instead of answering */
    bool tools;      /* it asked for a tool */
    bool alive;      /* it has written something, be it reasoning */
    bool recognised; /* at least one chunk had the expected shape */
    char model[LLM_NAME_MAX];
    int64_t tokens_in, tokens_out, tokens_cached;
};

/* Prepares caller's storage. */
void chat_answer_init(struct chat_answer *answer, size_t text_max_bytes);
void chat_answer_fini(struct chat_answer *answer);

/* Appends the request's JSON. */
void chat_request_write(const struct llm_request *request, struct strbuf *out);

/* Takes one chunk of a stream, or a whole unstreamed answer. -1: the error inside it, classified;
 * FALL_BACK "llm.nonsense" if it is no such thing, "llm.too_long_answer" if the text is too long.
 */
int chat_answer_take(struct chat_answer *answer, const char *bytes, size_t length, struct err *err);

/* Judges an answer whose transport ended well (`cut` false) or broke: 0 if it is one to show. */
int chat_answer_judge(const struct chat_answer *answer, bool cut, struct err *err);

#endif
