/* What a business asks a customer before it books: a field of `intake` (docs/TENANT_FILE.md), how a
 * model is told of it, and whether an answer fits. Pure. */
#ifndef DESK_PROMPT_QUESTION_H
#define DESK_PROMPT_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "json/json.h"

#define QUESTION_CHOICES_MAX 20

enum question_type {
    QUESTION_TEXT,
    QUESTION_NUMBER,
    QUESTION_DATE,
    QUESTION_PHONE,
    QUESTION_MAIL,
    QUESTION_YES_NO,
    QUESTION_CHOICE,
};

struct question {
    const char *name, *ask;
    enum question_type type;
    int max; /* characters of an answer of type text */
    const char *const *choices;
    size_t choice_count;
    bool required;
};

/* Reads an entry of a version's `intake` into the arena. A type of a newer release, or none, is
 * text. False: it has no name. */
bool question_read(struct arena *arena, const struct json *from, struct question *out);

/* Appends "your date of birth (date_of_birth: a date, like 2026-12-01)"; a text has no type. */
void question_describe(const struct question *question, struct strbuf *out);

/* Writes the JSON Schema of an answer as the member of its name. */
void question_write_schema(const struct question *question, struct json_writer *writer);

/* Whether anything was answered: not NULL, no null, no text of blanks. */
bool question_is_answered(const struct json *given);

/* Whether what was answered fits. 0, or -1: PERMANENT "question.answer", in words that a model can
 * mend it by ("must be one of private, public; it is the text banana"), without the name. */
int question_check(const struct question *question, const struct json *given, struct err *err);

/* Writes an answer that fits as the member of its name: without blanks around it, a choice as it
 * stands in the list, yes and no as true and false. */
void question_write_answer(const struct question *question, const struct json *given,
                           struct json_writer *writer);

#endif
