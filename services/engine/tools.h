/* The tools that an assistant may use: what the model is told of each, and its effect as statements
 * of one unit. effects.c runs them; one registry per loop. */
#ifndef DESK_ENGINE_TOOLS_H
#define DESK_ENGINE_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "assistants.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "prompt/rounds.h"
#include "json/json.h"
#include "json/schema.h"

/* What an effect may know: the model's arguments, and nothing that the model chose about whom. */
struct tool_call {
    struct arena *arena; /* of the unit */
    const struct assistant *assistant;
    const char *tenant;
    struct uuid id, contact, conversation;
    bool is_stranger;             /* nobody has shown that it is the contact (stranger.h) */
    const struct json *arguments; /* checked against the tool's parameters */

    /* On a call; "" and nil else. */
    const char *caller;       /* his number, or what he is known by who withholds it */
    const char *text_number;  /* ours that he could be texted from; "": none */
    const char *language;     /* that he is spoken to when he is back from a transfer */
    struct uuid text_session; /* of texts between the two */
    int64_t answer_within_ms;
};

/* What the model is answered: JSON in the arena. */
struct tool_result {
    const char *outcome; /* "ok", "refused", "failed" */
    const char *text;
    struct uuid wake_session, wake_delivery; /* what it has sent, for the responder; nil: nothing */
};

struct tool {
    const char *name, *description;
    const char *parameters; /* JSON Schema, the subset of json/schema.h */
    /* What a model is told of them where the assistant's workflow says more, in the arena; `add`
     * judges by it. NULL: `parameters`. */
    const char *(*fit)(struct arena *arena, const struct workflow *workflow);
    bool changes;     /* its call begins before its effect, in the same unit */
    bool when_closed; /* also while the business is closed and only takes messages */
    bool on_calls;    /* only on the phone */
    bool of_account;  /* it tells or changes what the desk has of the customer */
    /* The argument whose words go out to the customer as the model wrote them: looked at like a
     * reply. NULL: none. */
    const char *sends;
    /* Adds the effect's statements; NULL: it has none. -1: refused, with a message that the model
     * can mend by. */
    int (*add)(const struct tool_call *call, struct pg_unit *unit, struct err *err);
    /* Classes the answer's error otherwise than by its SQLSTATE; may be NULL. */
    int (*check)(const struct pg_answer *answer, struct err *err);
    /* Reads the answer, whose results of `add` start at statement `first`. */
    void (*read)(const struct tool_call *call, const struct pg_answer *answer, int first,
                 struct tool_result *out);
    /* Whether what a done call of it did is undone by a later one of the turn, so that the same
     * call once more has an effect again. NULL: none can. */
    bool (*undone)(const struct rounds *rounds, const struct rounds_call *call);
};

extern const struct tool tool_take_message, tool_escalate, tool_end_conversation,
    tool_check_availability, tool_book, tool_reschedule, tool_cancel, tool_search_knowledge,
    tool_send_text, tool_transfer_call, tool_switch_language;

struct tools;

/* Returns owned; frees and sets to NULL. */
struct tools *tools_new(void);
void tools_free(struct tools **tools);

/* The tools of ours by their number, NULL behind the last. */
const struct tool *tools_at(size_t index);

/* The tool of that name; NULL if there is none. */
const struct tool *tools_named(const char *name);

/* Checks arguments that a model wrote, at most 16 kB, against a schema and returns them owned. -1
 * PERMANENT, with a message that the model can mend by. */
int tools_check_arguments(const struct json_schema *schema, const char *text,
                          struct json **arguments, struct err *err);

/* The same against the parameters of a tool of ours. */
int tools_read_arguments(const struct tools *tools, const struct tool *tool, const char *text,
                         struct json **arguments, struct err *err);

/* Whether it is a done call that booked, moved or cancelled an appointment, as it was answered. */
bool tools_changed_appointment(const struct rounds_call *call);

/* A result of one text: {"error":"..."} or the like. */
const char *tools_text(struct arena *arena, const char *name, const char *text);

#endif
