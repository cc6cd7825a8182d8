/* The words for a search in the tenant's knowledge: see question.h. briefing.c asks. */
#include "question.h"

#include "base/strbuf.h"
#include "json/json.h"

#include <string.h>

#define QUESTION_MAX 6400
#define WRAPPED_MIN  50 /* bytes; a line that is shorter is not broken for its length */

typedef void add_fn(struct strbuf *out, const char *subject, const char *said);

/* What stands behind it may be automatic texts: a recovery asks the same again. A text that came
 * while a reply was being made belongs to it, as do all that are open. */
static const char *collect(struct arena *arena, const char *context, add_fn *add)
{
    struct json *items = NULL;
    struct strbuf text;
    struct err err;
    bool answered = false, holds_open = false;
    if (json_parse(context, strlen(context), &items, &err) != 0)
        return "";
    strbuf_init(&text, QUESTION_MAX);
    for (const struct json *i = json_first(items); i != NULL; i = json_next(i)) {
        const char *author = json_member_text(i, "author"), *said = json_member_text(i, "text");
        if (author == NULL || said == NULL)
            continue;
        if (strcmp(author, "contact") != 0) {
            answered = answered || !holds_open;
            continue;
        }
        if (answered)
            strbuf_clear(&text);
        answered = false;
        holds_open = holds_open || json_member_bool(i, "open", false);
        add(&text, json_member_text(i, "subject"), said);
    }
    const char *question = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    json_free(&items);
    return question;
}

static void add_all(struct strbuf *out, const char *subject, const char *said)
{
    if (subject != NULL)
        strbuf_printf(out, "%s\n", subject);
    strbuf_printf(out, "%s\n", said);
}

/* ---- the sentences that ask ---- */

/* Bytes of the question mark at that place; 0: there is none. */
static size_t question_mark(const char *at)
{
    static const char *const marks[] = {"?", "\xef\xbc\x9f", "\xd8\x9f"}; /* full-width, Arabic */
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (strncmp(at, marks[i], strlen(marks[i])) == 0)
            return strlen(marks[i]);
    return 0;
}

static bool is_blank(char c)
{
    return c != '\0' && strchr(" \t\r\n", c) != NULL;
}

/* Mail programs break long lines: only behind a short one a sentence begins without a sign. */
static void add_sentences(struct strbuf *out, const char *said)
{
    const char *sentence = said, *line = said;
    for (const char *at = said; *at != '\0'; at++) {
        const size_t mark = question_mark(at);
        if (mark > 0) {
            at += mark - 1;
            strbuf_add(out, sentence, (size_t)(at + 1 - sentence));
            strbuf_add_char(out, '\n');
        }
        const bool breaks = *at == '\n';
        if (mark > 0 || (strchr(".!", *at) != NULL && is_blank(at[1])) ||
            (breaks && at - line < WRAPPED_MIN))
            sentence = at + 1;
        if (breaks)
            line = at + 1;
    }
}

static void add_asked(struct strbuf *out, const char *subject, const char *said)
{
    if (subject != NULL)
        add_sentences(out, subject);
    add_sentences(out, said);
}

const char *question_of(struct arena *arena, const char *context)
{
    return collect(arena, context, add_all);
}

const char *question_asked(struct arena *arena, const char *context)
{
    return collect(arena, context, add_asked);
}
