/*
 * Fault rules: which requests are to be treated badly, and how.
 *
 * A rule set is JSON, `{"rules":[RULE...]}` or `[RULE...]`:
 *   RULE = {"match": text found in the path, the query, the raw body or the decoded parameters,
 *           "path": text found in the path alone, "method": exact,
 *           "after": skip so many matching requests, "count": fire so many times (default: always),
 *           "probability": 0..1, "seed": number, "action": ACTION}
 *   ACTION = {"type": NAME, and any of the keys below}
 * Rules are tried in order. `delay` and `callbacks` add to what else happens; of the other kinds
 * the first that fires decides. A model directive `{{stand action=NAME key=value key="a b"}}` in
 * the last user text means the same for that request when no rule decided.
 *
 * Types and keys:
 *   delay (ms)                       answer later; the work itself (a message created) is done at
 * once
 *   stall (ms; chunks | bytes; text; every_ms) stop in the middle, for ms or, without ms, for ever;
 *     model: what comes behind it a piece every so often
 *   cut (chunks | bytes; reset; text) close the connection: before the answer, or after so much of
 *     it; the text of these, and of truncate, is what the model says
 *   status (status; code, message, error_type, retry_after)   an error answer; nothing was done
 *     (tool: with 3xx a redirect to `message`)
 *   wrong_json, empty, huge (bytes; default 1 MiB), nonsense  a spoilt answer
 *   accepted_but_answer_lost (status) done, then closed without an answer, or answered with status
 *   error_in_stream (chunks; code, message, error_type)       model: an error event after 200
 *   truncate (chunks; text)          model: stream ends in order but without finish and [DONE]
 *   tool_call (name, arguments)      model: asks for a tool, unless the request brings its result
 *   reply (text, finish_reason)      model: this text; tool: this JSON
 *   obey                             model: does what any text of the prompt tells it to (obey.h)
 *   hang                             accept and never answer
 *   refuse (ms)                      close the listening socket and all idle connections for ms
 *   callbacks (mode; ms, error_code) Twilio: see twilio/callbacks.h
 *   redact (text)                    Twilio: lists messages with this text, as Smart Encoding
 * rewrites them; without one with no text and the end of their To masked, as Message Redaction does
 */
#ifndef STANDS_LIB_FAULTS_H
#define STANDS_LIB_FAULTS_H

#include "stands/lib/buf.h"

enum stand_action_type {
    STAND_DELAY,
    STAND_STALL,
    STAND_CUT_OFF,
    STAND_STATUS,
    STAND_WRONG_JSON,
    STAND_EMPTY,
    STAND_HUGE,
    STAND_NONSENSE,
    STAND_ANSWER_LOST,
    STAND_ERROR_IN_STREAM,
    STAND_TRUNCATE,
    STAND_TOOL_CALL,
    STAND_REPLY,
    STAND_OBEY,
    STAND_HANG,
    STAND_REFUSE,
    STAND_CALLBACKS,
    STAND_REDACT,
    STAND_ACTION_TYPES
};

/* What to do. Numbers that were not given are -1, texts NULL. Shared by reference count. */
struct stand_action {
    int references;
    enum stand_action_type type;
    int64_t ms, chunks, bytes, status, reset, every_ms;
    char *code, *message, *error_type, *retry_after, *mode, *error_code;
    char *name, *arguments, *text, *finish_reason;
};

/* What the rules decided for one request. Each part may be NULL. */
struct stand_plan {
    uint64_t delay_ms;
    struct stand_action *main;
    struct stand_action *callbacks;
};

/* What rules look at. `body` has `body_len` bytes; the other texts end with NUL or are NULL. */
struct stand_sighting {
    const char *method, *path, *query, *params, *body;
    size_t body_len;
};

struct stand_faults;

/* Whether a program can carry an action out; when not, appends the reason to `why`. */
typedef bool stand_action_check(const struct stand_action *action, struct stand_buf *why);

/* An empty rule set. `check` is asked about every action that is loaded; NULL takes all. Owned. */
struct stand_faults *stand_faults_new(stand_action_check *check);

/* Frees a rule set and NULLs the pointer; NULL inside is fine. */
void stand_faults_free(struct stand_faults **faults);

/* Replaces all rules by those of the JSON text. Returns 0, or -1 with the reason appended to `why`
 * and the old rules kept. */
int stand_faults_load(struct stand_faults *faults, const char *json, size_t len,
                      struct stand_buf *why);

/* Removes all rules. */
void stand_faults_clear(struct stand_faults *faults);

/* Appends `[{"matched":N,"fired":N,"type":NAME}...]`, one object per rule. */
void stand_faults_json(const struct stand_faults *faults, struct stand_buf *out);

/* Decides what happens to one request. Always sets `*plan`; release it with stand_plan_fini. */
void stand_faults_plan(struct stand_faults *faults, const struct stand_sighting *sighting,
                       struct stand_plan *plan);

/* Finds a directive `{{stand ...}}` in `text` (NUL-terminated). Returns an owned action, or NULL
 * when there is none or it is malformed. */
struct stand_action *stand_faults_directive(const char *text);

/* Gives back the references of a plan. */
void stand_plan_fini(struct stand_plan *plan);

/* Gives back one reference; NULL is fine. */
void stand_action_release(struct stand_action *action);

#endif
