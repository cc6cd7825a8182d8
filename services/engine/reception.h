/* The reception without a model: a dialogue that takes name, reason and call-back wish of a
 * customer, one question a reply, and says in the end what was recorded and nothing else
 * (docs/RECEPTION.md). A table says what each text is taken for; the questions come in a fixed
 * order and are never put for what is known. Pure: the same input gives the same output. */
#ifndef DESK_ENGINE_RECEPTION_H
#define DESK_ENGINE_RECEPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "prompt/wording.h"

/* Bounds of what is recorded, in UTF-16 units: all of it fits into one text message. */
#define RECEPTION_SHORT_UNITS  120 /* name, call-back wish */
#define RECEPTION_REASON_UNITS 1000

/* How often one question is put before the next one follows without its answer. */
#define RECEPTION_TRIES_MAX 2

/* The question that was put last. */
enum reception_asked {
    RECEPTION_NOTHING, /* none since a model answered last */
    RECEPTION_NAME,
    RECEPTION_REASON,
    RECEPTION_CALL_BACK,
    RECEPTION_DONE, /* the message is recorded; what follows is added to it */
    RECEPTION_ASKED,
};

/* What a text is to the dialogue. */
enum reception_heard {
    RECEPTION_HEARD_NOTHING,  /* no letter and no digit: empty, a picture, emoji */
    RECEPTION_HEARD_GREETING, /* greeting and thanks alone */
    RECEPTION_HEARD_WORDS,    /* a few words, such as a name */
    RECEPTION_HEARD_SENTENCE, /* more, or a question */
    RECEPTION_HEARD_ANSWERED, /* what the quoted passage answers */
    RECEPTION_HEARD,
};

/* What is recorded of it. */
enum reception_take {
    RECEPTION_TAKE_NOTHING,
    RECEPTION_TAKE_NAME,
    RECEPTION_TAKE_REASON, /* behind what there is of it */
    RECEPTION_TAKE_CALL_BACK,
};

struct reception_rule {
    enum reception_asked asked;
    enum reception_heard heard;
    enum reception_take take;
    const char *sentence;
};

/* The rule for the pair; never NULL. */
const struct reception_rule *reception_rule(enum reception_asked asked, enum reception_heard heard);

/* The words of the row: "nothing", "name", "reason", "call_back", "done". */
const char *reception_asked_name(enum reception_asked asked);
enum reception_asked reception_asked_of(const char *name);

/* What was recorded so far; texts are NULL if not known. */
struct reception_notes {
    enum reception_asked asked;
    int tries; /* of the question in `asked` */
    const char *caller, *reason, *call_back;
};

struct reception_input {
    const struct wording *words;
    const char *opening; /* the tenant's wording, said at the beginning and when nothing is read */
    bool says_opening;   /* in every reply: it holds for each text, as the after-hours wording */
    const char *const *texts;
    size_t count;       /* of what the customer wrote, UTF-8; 0: nothing is read */
    const char *answer; /* a passage that may be quoted (reception_may_quote), or NULL */
};

enum reception_due {
    RECEPTION_DUE_AS_IT_WAS,
    RECEPTION_DUE_LATER, /* something is recorded that nobody was given */
    RECEPTION_DUE_NEVER,
};

struct reception_output {
    struct reception_notes notes;
    const char *body;    /* the reply, at most REPLY_UNITS_MAX units */
    const char *summary; /* of the task for people that the notes make now; NULL: none now */
    bool quotes;         /* the reply holds the passage */
    enum reception_due due;
};

/* One step: takes the texts, puts the next question or ends. Texts of the output are the arena's,
 * or borrowed from `before` and `input`. */
void reception_step(struct arena *arena, const struct reception_notes *before,
                    const struct reception_input *input, struct reception_output *out);

/* Whether a passage of the knowledge answers well enough to be quoted without a model: its heading
 * is a question, and it has most of what the customer's words weigh (docs/KNOWLEDGE.md), some of it
 * in the heading. */
bool reception_may_quote(bool is_faq, const char *heading, double rank);

#endif
