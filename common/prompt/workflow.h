/* The reception workflow of an assistant's version: greeting, languages, opening hours, holidays,
 * what happens outside of them, what customers want and what is done about it, and what can be
 * booked (docs/TENANT_FILE.md says what the JSON holds). Read once; never changes. Pure. */
#ifndef DESK_PROMPT_WORKFLOW_H
#define DESK_PROMPT_WORKFLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "prompt/question.h"
#include "store/booking_rules.h"
#include "json/json.h"

#define WORKFLOW_SERVICES_MAX  50
#define WORKFLOW_FIELDS_MAX    20
#define WORKFLOW_LANGUAGES_MAX 10
#define WORKFLOW_INTENTS_MAX   30

struct workflow_service {
    struct booking_rules rules;
    const char *price, *description;                    /* "" if not set */
    const struct question *fields[WORKFLOW_FIELDS_MAX]; /* what is asked before it is booked */
    size_t field_count;
};

/* What a customer may want, and what is done about it. */
struct workflow_intent {
    const char *when;          /* "wants an appointment" */
    const char *tool;          /* the one that the action needs and the tenant allows; or NULL */
    const char *action;        /* "answer", "book", "take_message", "escalate", "end" */
    const char *service, *say; /* "" if not set */
};

/* When the business is open on a weekday, or on a date instead. */
struct workflow_day {
    const char *key; /* "tue", "2026-12-25" */
    struct workflow_span {
        const char *from, *to; /* "09:00" */
    } * spans;
    size_t span_count;
};

/* What outside the opening hours is different. */
enum workflow_closed {
    WORKFLOW_ANSWER,       /* nothing; the model is told that it is closed */
    WORKFLOW_TAKE_MESSAGE, /* only messages are taken */
    WORKFLOW_CLOSED_TEXT,  /* no model is asked: the reply is `closed_say` */
};

struct workflow {
    const char *timezone;
    const char *greeting; /* in front of a conversation's first reply; "" if not set */
    const char *languages[WORKFLOW_LANGUAGES_MAX]; /* the first is the house's */
    size_t language_count;                         /* 0: any */
    const char *hours, *holidays;                  /* JSON; NULL: the business does not say */
    struct workflow_day *days;                     /* the same */
    size_t day_count;
    enum workflow_closed closed_mode;
    const char *closed_say; /* "" if not set */
    struct workflow_intent *intents;
    size_t intent_count;
    struct workflow_service *services;
    size_t service_count;
    struct question *questions; /* of all services; some may be asked by none */
    size_t question_count;
    int passages;     /* of the knowledge base that each prompt gets */
    const char *tell; /* what a customer is told who needs a person; "" if not set */
};

/* Reads the sections of a version's config into the arena; what is missing is left empty. */
void workflow_read(struct arena *arena, const struct json *config, const char *timezone,
                   struct workflow *out);

/* The service of that name, without regard to ASCII case; NULL if there is none. */
const struct workflow_service *workflow_find(const struct workflow *workflow, const char *name);

/* The question of that name that the service asks; NULL if it asks no such. */
const struct question *workflow_question(const struct workflow_service *service, const char *name);

/* Appends languages, greeting, hours, holidays, services and intents as lines for the prompt: the
 * same bytes for the same workflow. */
void workflow_describe(const struct workflow *workflow, struct strbuf *out);

/* Appends what is different while the business is closed, as lines for the prompt; nothing for
 * WORKFLOW_ANSWER without wording. */
void workflow_describe_closed(const struct workflow *workflow, struct strbuf *out);

/* Whether the business is open at a moment of its clock, "2026-12-01T09:00" with the weekday "tue":
 * a holiday's hours replace the day's. 1 open, 0 closed, -1 it does not say. */
int workflow_is_open(const struct workflow *workflow, const char *weekday, const char *local);

#endif
