/* A chat model behind one of three dialects, streamed (SSE), against any base URL. What vendors of
 * one dialect do differently is data of the request.
 *
 * One client per loop; calls and callbacks on the loop's thread. Outcomes carry a class: transient
 * and throttled are RETRY_LATER, exhausted, too long, configuration and a request that is called
 * malformed are FALL_BACK, filtered PERMANENT. Source of the wire facts: docs/MODELS.md. */
#ifndef DESK_LLM_LLM_H
#define DESK_LLM_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "loop/loop.h"

struct llm;

/* Returns an owned client. */
struct llm *llm_new(struct loop *loop);

/* Cancels all calls without callbacks; frees; sets to NULL; accepts NULL. */
void llm_free(struct llm **llm);

#define LLM_TOOLS_MAX     64                 /* offered by a request */
#define LLM_KEPT_MAX      4                  /* ends of what comes again */
#define LLM_CALLS_MAX     16                 /* of one answer */
#define LLM_ARGUMENTS_MAX ((size_t)32 << 10) /* of all calls of one answer, in bytes */

/* What a model may ask for. Nothing is checked or changed: the same tools give the same bytes, in
 * front of the messages, so that providers' prompt caches hit. */
struct llm_tool {
    const char *name;        /* a letter or "_", then letters, digits, "_", "-"; 1 to 64 of them */
    const char *description; /* UTF-8; NULL: none */
    const char *parameters;  /* a JSON object: JSON Schema of an object; NULL: takes nothing */
};

/* What a model asks for. */
struct llm_tool_call {
    /* The provider's, cut to 95 bytes; "call-<place>" where it gives none, or one twice: distinct
     * within an answer. Providers never get it back, see llm_message. */
    const char *id;
    const char *name; /* the model's word, 1 to 95 bytes: perhaps of no tool that was offered */
    /* The model's text as it came, perhaps no JSON; "{}" where it said nothing. */
    const char *arguments;
    /* What the provider wants back with the call, to be kept as it is; NULL: nothing. It names
     * whom it came from: sent to another model or base URL it is left out by itself. */
    const char *signature;
};

enum llm_role { LLM_SYSTEM, LLM_USER, LLM_ASSISTANT, LLM_TOOL };

/* One utterance. The results of a round are LLM_TOOL messages straight behind the assistant's
 * message with the calls; they are sent in the order of the calls. A call without a result gets one
 * that says so, a result without a call is left out: providers refuse both. Ids are sent as
 * "call00001" and so on by the call's place in the request, since vendors refuse each other's. A
 * name that no vendor would take is sent with "_" for its bad characters; arguments that are no
 * JSON object are sent as they are (LLM_CHAT) or as {}. */
struct llm_message {
    enum llm_role role;
    const char *text; /* UTF-8; LLM_TOOL: the result, JSON or plain */

    const struct llm_tool_call *calls; /* LLM_ASSISTANT; `text` may then be "" */
    size_t call_count;

    const char *call_id;   /* LLM_TOOL: the call's id */
    const char *tool_name; /* LLM_TOOL: the call's name, or NULL */
    bool is_error;         /* LLM_TOOL: the tool failed */

    /* The prompt up to here comes again in later calls: whose provider wants to be told keeps it
     * (LLM_ANTHROPIC; others see that by themselves). Of messages of text; at most LLM_KEPT_MAX of
     * a request are told. */
    bool is_kept;
};

enum llm_dialect {
    LLM_CHAT,      /* OpenAI Chat Completions: <base_url>/chat/completions */
    LLM_GEMINI,    /* Gemini's own: <base_url>/models/<model>:streamGenerateContent */
    LLM_ANTHROPIC, /* Anthropic Messages: <base_url>/messages; without `headers`, of 2023-06-01 */
};

/* The dialect of that name ("openai", "gemini", "anthropic"); false if there is none. */
bool llm_dialect_named(const char *name, enum llm_dialect *dialect);

struct llm_request {
    enum llm_dialect dialect;
    const char *base_url;       /* "https://api.openai.com/v1" */
    const struct secret *key;   /* NULL: none is sent */
    const char *key_header;     /* "x-api-key"; NULL: Authorization: Bearer */
    const char *const *headers; /* at most 4 further lines, NULL-terminated; may be NULL */
    const char *extra;          /* a JSON object whose members join the request's; may be NULL */
    const char *model;
    const struct llm_message *messages;
    size_t message_count;
    const struct llm_tool *tools;
    size_t tool_count;          /* 0: none are offered; at most LLM_TOOLS_MAX */
    bool no_more_tools;         /* the tools stay described, for caches and earlier calls, but the
                                 * model is told to answer in text */
    double temperature;         /* < 0: not sent */
    int max_tokens;             /* 0: not sent; Anthropic: 1,024 */
    bool max_completion_tokens; /* LLM_CHAT: name of the limit's member for this vendor */
    bool no_stream_usage;       /* LLM_CHAT: the vendor does not know stream_options */
    bool echo_reasoning;        /* LLM_CHAT: the model's turns need a reasoning_content */
    size_t answer_max_bytes;    /* text beyond this ends the call: "llm.too_long_answer" */
    int64_t connect_ms, first_token_ms, idle_ms, total_ms; /* 0: 3 s, 20 s, 60 s, 90 s */
};

enum llm_finish { LLM_STOP, LLM_LENGTH, LLM_FILTERED, LLM_TOOL_CALLS, LLM_OTHER };

struct llm_result {
    const struct err *err; /* NULL: a complete answer: text, or calls if tools were offered */
    const char *text;      /* all text so far (also on failure); "" if none; borrowed */
    size_t text_length;
    enum llm_finish finish; /* LLM_TOOL_CALLS can stand without calls: `call_count` decides */
    /* The complete calls of an answer that came to its end, in the order of their beginning;
     * borrowed. Also those that nobody offered: such an answer without text is "llm.empty". */
    const struct llm_tool_call *calls;
    size_t call_count;
    const char *model;                            /* as the provider names it, or "" */
    const char *request_id;                       /* of a header, else of the answer, or "" */
    int64_t tokens_in, tokens_out, tokens_cached; /* -1: not told */
    int64_t tokens_written; /* of tokens_in: what a cache keeps for later calls; -1: not told */
    size_t argument_bytes;  /* of all calls so far, complete or not */
    bool sent;              /* a byte of the prompt may have left */
    int64_t connect_us, first_token_us, total_us; /* from start; -1: not reached, or no text */
    int status;                                   /* HTTP status, 0 if none */
};

/* What a failure says about the model, for its breaker. */
enum llm_health {
    LLM_HEALTHY,  /* it works; this prompt or answer was the trouble */
    LLM_TROUBLED, /* it may pass by itself */
    LLM_SHUT,     /* key, model or credit: a person has to mend it */
};
enum llm_health llm_health(const struct err *err);

struct llm_call;

struct llm_callbacks {
    /* It begins to answer: before the first piece of text, or with the first piece of a call of a
     * tool that was offered. What a model thinks is no word of it. May be NULL. */
    void (*on_first)(void *arg);
    /* Each piece of text as it comes; may be NULL. */
    void (*on_text)(void *arg, const char *bytes, size_t length);
    /* Exactly once unless cancelled. */
    void (*on_done)(void *arg, const struct llm_result *result);
    void *arg;
};

/* Starts a call; `request` is copied. Problems come through on_done, never from inside. Returns a
 * handle for llm_cancel, valid until on_done. */
struct llm_call *llm_start(struct llm *llm, const struct llm_request *request,
                           const struct llm_callbacks *callbacks);

/* What the call has told so far, as on_done would tell it; `err` NULL. Borrowed until the loop goes
 * on. */
struct llm_result llm_look(const struct llm_call *call);

/* Cancels: the connection is closed, no callback any more. */
void llm_cancel(struct llm *llm, struct llm_call *call);

#endif
