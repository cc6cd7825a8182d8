/* The dialogue of the reception without a model: see reception.h. reception_turn.c calls it for a
 * turn that ends without a model's reply. */
#include "reception.h"

#include "base/strbuf.h"
#include "base/text.h"
#include "greetings.h"
#include "reply.h"

#include <string.h>

#define NAME_WORDS_MAX   6
#define QUOTE_UNITS_MAX  500
#define QUOTE_UNITS_MIN  60 /* less of a passage says nothing */
#define REASON_UNITS_MIN 20 /* less room is none */
#define WORD_MAX         24
#define TEXT_MAX         (16 * 1024)

/* At this rank a passage has the words of two thirds of the question's weight with one of them in
 * its heading, or half with two; without one in the heading all of them would not do. */
#define QUOTE_RANK_MIN 0.4

static const struct reception_rule rules[] = {
    {RECEPTION_NOTHING, RECEPTION_HEARD_NOTHING, RECEPTION_TAKE_NOTHING,
     "nothing was said: the first question"},
    {RECEPTION_NOTHING, RECEPTION_HEARD_GREETING, RECEPTION_TAKE_NOTHING,
     "a greeting: the first question"},
    {RECEPTION_NOTHING, RECEPTION_HEARD_WORDS, RECEPTION_TAKE_REASON,
     "the first text holds the reason"},
    {RECEPTION_NOTHING, RECEPTION_HEARD_SENTENCE, RECEPTION_TAKE_REASON,
     "the first text holds the reason"},
    {RECEPTION_NOTHING, RECEPTION_HEARD_ANSWERED, RECEPTION_TAKE_REASON,
     "the notes answer it, and it is recorded"},

    {RECEPTION_NAME, RECEPTION_HEARD_NOTHING, RECEPTION_TAKE_NOTHING, "no name"},
    {RECEPTION_NAME, RECEPTION_HEARD_GREETING, RECEPTION_TAKE_NOTHING, "no name"},
    {RECEPTION_NAME, RECEPTION_HEARD_WORDS, RECEPTION_TAKE_NAME, "the name"},
    {RECEPTION_NAME, RECEPTION_HEARD_SENTENCE, RECEPTION_TAKE_REASON, "no name, but a reason"},
    {RECEPTION_NAME, RECEPTION_HEARD_ANSWERED, RECEPTION_TAKE_REASON,
     "a question that the notes answer"},

    {RECEPTION_REASON, RECEPTION_HEARD_NOTHING, RECEPTION_TAKE_NOTHING, "no reason"},
    {RECEPTION_REASON, RECEPTION_HEARD_GREETING, RECEPTION_TAKE_NOTHING, "no reason"},
    {RECEPTION_REASON, RECEPTION_HEARD_WORDS, RECEPTION_TAKE_REASON, "the reason"},
    {RECEPTION_REASON, RECEPTION_HEARD_SENTENCE, RECEPTION_TAKE_REASON, "the reason"},
    {RECEPTION_REASON, RECEPTION_HEARD_ANSWERED, RECEPTION_TAKE_REASON,
     "the reason, and the notes answer it"},

    {RECEPTION_CALL_BACK, RECEPTION_HEARD_NOTHING, RECEPTION_TAKE_NOTHING, "no wish"},
    {RECEPTION_CALL_BACK, RECEPTION_HEARD_GREETING, RECEPTION_TAKE_NOTHING, "no wish"},
    {RECEPTION_CALL_BACK, RECEPTION_HEARD_WORDS, RECEPTION_TAKE_CALL_BACK, "the wish"},
    {RECEPTION_CALL_BACK, RECEPTION_HEARD_SENTENCE, RECEPTION_TAKE_CALL_BACK, "the wish"},
    {RECEPTION_CALL_BACK, RECEPTION_HEARD_ANSWERED, RECEPTION_TAKE_REASON,
     "a question that the notes answer"},

    {RECEPTION_DONE, RECEPTION_HEARD_NOTHING, RECEPTION_TAKE_NOTHING, "the message stands"},
    {RECEPTION_DONE, RECEPTION_HEARD_GREETING, RECEPTION_TAKE_NOTHING, "the message stands"},
    {RECEPTION_DONE, RECEPTION_HEARD_WORDS, RECEPTION_TAKE_REASON, "added to the message"},
    {RECEPTION_DONE, RECEPTION_HEARD_SENTENCE, RECEPTION_TAKE_REASON, "added to the message"},
    {RECEPTION_DONE, RECEPTION_HEARD_ANSWERED, RECEPTION_TAKE_REASON,
     "the notes answer it, and it is added to the message"},
};

static const char *const asked_names[RECEPTION_ASKED] = {"nothing", "name", "reason", "call_back",
                                                         "done"};

const struct reception_rule *reception_rule(enum reception_asked asked, enum reception_heard heard)
{
    size_t i = 0;
    while (rules[i].asked != asked || rules[i].heard != heard)
        i++;
    return &rules[i];
}

const char *reception_asked_name(enum reception_asked asked)
{
    return asked_names[asked];
}

enum reception_asked reception_asked_of(const char *name)
{
    int i = RECEPTION_DONE;
    while (i > RECEPTION_NOTHING && strcmp(asked_names[i], name) != 0)
        i--;
    return (enum reception_asked)i;
}

bool reception_may_quote(bool is_faq, const char *heading, double rank)
{
    size_t length = strlen(heading);
    return (is_faq || (length > 0 && heading[length - 1] == '?')) && rank >= QUOTE_RANK_MIN;
}

/* ---- hearing ---- */

/* One line, without control characters and doubled spaces. */
static const char *tidy(struct arena *arena, const char *text)
{
    char *line = arena_strdup(arena, reply_clean(arena, text));
    char *to = line;
    for (const char *from = line; *from != '\0'; from++)
        if ((*from != ' ' && *from != '\n') || (to > line && to[-1] != ' '))
            *to++ = *from == '\n' ? ' ' : *from;
    *to = '\0';
    return line;
}

/* Letters and digits of any script; symbols, emoji and punctuation are none. */
static bool is_letter(uint32_t point)
{
    if (point < 0x80)
        return (point >= '0' && point <= '9') || ((point | 0x20) >= 'a' && (point | 0x20) <= 'z');
    return point >= 0xc0 && (point < 0x2000 || point >= 0x2c00) &&
           (point < 0x3000 || point > 0x303f) && (point < 0xfe00 || point > 0xfe0f) &&
           (point < 0xfff0 || point > 0xffff) && (point < 0x1f000 || point > 0x1faff) &&
           point < 0xe0000;
}

static bool has_letters(const char *text)
{
    while (*text != '\0')
        if (is_letter(text_next_code_point(&text)))
            return true;
    return false;
}

static bool has_question(const char *text)
{
    return strchr(text, '?') != NULL || strstr(text, "\xef\xbc\x9f") != NULL;
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Whether the word of that length is one of greeting, whatever stands around it. */
static bool is_greeting_word(const char *word, size_t length)
{
    char wanted[WORD_MAX + 3];
    while (length > 0 && strchr(",.!-'\"()", word[0]) != NULL)
        word++, length--;
    while (length > 0 && strchr(",.!-'\"()", word[length - 1]) != NULL)
        length--;
    if (length == 0)
        return true;
    if (length > WORD_MAX)
        return false;
    wanted[0] = ' ';
    for (size_t i = 0; i < length; i++)
        wanted[i + 1] = small(word[i]);
    memcpy(wanted + length + 1, " ", 2);
    return strstr(greetings_words, wanted) != NULL;
}

/* Words of a tidy text; *greeting tells whether each is one of greeting. */
static size_t count_words(const char *text, bool *greeting)
{
    size_t count = 0;
    *greeting = true;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        *greeting = *greeting && is_greeting_word(text, length);
        count++;
        text += length;
        text += *text == ' ';
    }
    return count;
}

static enum reception_heard hear(enum reception_asked asked, const char *text, const char *answer)
{
    bool greeting, question = has_question(text);
    bool answers_ours = asked == RECEPTION_NAME || asked == RECEPTION_CALL_BACK;
    size_t words = count_words(text, &greeting);
    if (!has_letters(text))
        return RECEPTION_HEARD_NOTHING;
    if (greeting)
        return RECEPTION_HEARD_GREETING;
    if (answer != NULL && (question || !answers_ours))
        return RECEPTION_HEARD_ANSWERED;
    return !question && words <= NAME_WORDS_MAX && reply_units(text) <= RECEPTION_SHORT_UNITS
               ? RECEPTION_HEARD_WORDS
               : RECEPTION_HEARD_SENTENCE;
}

/* ---- taking ---- */

static bool starts_with(const char *text, const char *prefix)
{
    while (*prefix != '\0')
        if (small(*text++) != *prefix++)
            return false;
    return true;
}

/* The name alone, if it stands behind one of the usual words. */
static const char *name_in(struct arena *arena, const char *text)
{
    const char *name = text;
    for (size_t i = 0; greetings_name_first[i] != NULL; i++)
        if (starts_with(text, greetings_name_first[i]))
            name = text + strlen(greetings_name_first[i]);
    for (size_t i = 0; greetings_name_anywhere[i] != NULL; i++)
        for (const char *p = text; *p != '\0'; p++)
            if (starts_with(p, greetings_name_anywhere[i]))
                name = p + strlen(greetings_name_anywhere[i]);
    size_t length = strlen(name);
    while (length > 0 && strchr(" .,!", name[length - 1]) != NULL)
        length--;
    return length > 0 ? arena_strndup(arena, name, length) : text;
}

/* Adds what fits of the text; returns that, NULL if there is no room. */
static const char *add_reason(struct arena *arena, struct reception_notes *notes, const char *text)
{
    size_t used = notes->reason != NULL ? reply_units(notes->reason) + 1 : 0;
    size_t room = used < RECEPTION_REASON_UNITS ? RECEPTION_REASON_UNITS - used : 0;
    if (room < REASON_UNITS_MIN && reply_units(text) > room)
        return NULL;
    const char *piece = reply_cut(arena, text, room);
    notes->reason =
        notes->reason == NULL ? piece : arena_printf(arena, "%s\n%s", notes->reason, piece);
    return piece;
}

/* Returns what was recorded, NULL if nothing. What is too long for its place is a reason. */
static const char *take(struct arena *arena, struct reception_notes *notes,
                        enum reception_take what, const char *text)
{
    bool fits = reply_units(text) <= RECEPTION_SHORT_UNITS;
    if (what == RECEPTION_TAKE_NOTHING)
        return NULL;
    if (what == RECEPTION_TAKE_NAME && fits)
        return notes->caller = name_in(arena, text);
    if (what == RECEPTION_TAKE_CALL_BACK && fits)
        return notes->call_back = text;
    return add_reason(arena, notes, text);
}

/* ---- asking ---- */

static const char *known(const struct reception_notes *notes, enum reception_asked question)
{
    return question == RECEPTION_NAME     ? notes->caller
           : question == RECEPTION_REASON ? notes->reason
                                          : notes->call_back;
}

static bool is_empty(const struct reception_notes *notes)
{
    return notes->caller == NULL && notes->reason == NULL && notes->call_back == NULL;
}

/* Moves to the question that comes next: the same once more, else the first one behind it whose
 * answer is missing. At the end with nothing at all it begins again with the reason. */
static void ask_next(struct reception_notes *notes)
{
    bool is_question = notes->asked > RECEPTION_NOTHING && notes->asked < RECEPTION_DONE;
    if (is_question && known(notes, notes->asked) == NULL && notes->tries < RECEPTION_TRIES_MAX) {
        notes->tries++;
        return;
    }
    int next = notes->asked + 1;
    while (next < RECEPTION_DONE && known(notes, (enum reception_asked)next) != NULL)
        next++;
    if (next == RECEPTION_DONE && is_empty(notes))
        next = RECEPTION_REASON;
    notes->asked = (enum reception_asked)next;
    notes->tries = next < RECEPTION_DONE ? 1 : 0;
}

/* ---- saying ---- */

/* What happened in a step. */
struct step {
    const struct wording *words;
    const struct reception_notes *before, *notes;
    struct strbuf added; /* what was recorded of the texts, a line each */
    bool quotes, refused;
};

static const char *question_of(const struct step *step)
{
    const struct wording *words = step->words;
    return step->notes->asked == RECEPTION_NAME     ? words->ask_name
           : step->notes->asked == RECEPTION_REASON ? words->ask_reason
                                                    : words->ask_call_back;
}

static void add_field(struct strbuf *line, const char *label, const char *text)
{
    if (text != NULL)
        strbuf_printf(line, "\n%s: %s", label, text);
}

static void add_record(const struct step *step, struct strbuf *line)
{
    strbuf_add_text(line, step->words->noted);
    add_field(line, step->words->name, step->notes->caller);
    add_field(line, step->words->reason, step->notes->reason);
    add_field(line, step->words->call_back, step->notes->call_back);
}

/* The part that must not be cut: the question, or what was recorded. */
static void add_line(const struct step *step, struct strbuf *line)
{
    const struct wording *words = step->words;
    const char *added = step->added.length > 0 ? step->added.data : NULL;
    if (step->before->asked == RECEPTION_DONE) {
        strbuf_add_text(line, added != NULL   ? words->added
                              : step->refused ? words->full
                                              : words->stands);
        if (added != NULL)
            strbuf_printf(line, "\n%s", added);
        return;
    }
    if (step->before->asked == RECEPTION_NOTHING)
        strbuf_printf(line, "%s ", words->offer);
    else if (added != NULL)
        strbuf_printf(line, "%s ", words->thanks);
    if (step->notes->asked == RECEPTION_DONE)
        add_record(step, line);
    else if (step->before->asked > step->notes->asked)
        strbuf_printf(line, "%s %s", words->nothing, words->ask_reason);
    else
        strbuf_add_text(line, question_of(step));
}

static const char *quote(struct arena *arena, const struct step *step, const char *passage,
                         size_t room)
{
    size_t around = reply_units(step->words->automatic) + strlen(" \"...\" ");
    if (passage == NULL || !step->quotes || room < around + QUOTE_UNITS_MIN)
        return "";
    room = room - around < QUOTE_UNITS_MAX ? room - around : QUOTE_UNITS_MAX;
    const char *clean = reply_clean(arena, passage), *cut = reply_cut(arena, clean, room);
    return arena_printf(arena, "%s \"%s%s\" ", step->words->automatic, cut,
                        strlen(cut) < strlen(clean) ? "..." : "");
}

static const char *compose(struct arena *arena, const struct step *step,
                           const struct reception_input *input)
{
    struct strbuf line;
    strbuf_init(&line, TEXT_MAX);
    add_line(step, &line);
    size_t room = REPLY_UNITS_MAX - reply_units(line.data);
    const char *passage = quote(arena, step, input->answer, room);
    room -= reply_units(passage);
    bool is_opened =
        input->says_opening || step->before->asked == RECEPTION_NOTHING || input->count == 0;
    const char *opening = !is_opened || room < 2
                              ? ""
                              : reply_cut(arena, reply_clean(arena, input->opening), room - 1);
    const char *body =
        arena_printf(arena, "%s%s%s%s", opening, opening[0] != '\0' ? " " : "", passage, line.data);
    strbuf_fini(&line);
    return body;
}

/* ---- a step ---- */

/* Whoever answers our question and goes on writes: the rest is the reason. Returns whether
 * something was taken that the notes do not answer. */
static bool take_all(struct arena *arena, struct step *step, struct reception_notes *notes,
                     const struct reception_input *input)
{
    enum reception_asked asked = notes->asked;
    bool unanswered = false;
    for (size_t i = 0; i < input->count; i++) {
        const char *text = tidy(arena, input->texts[i]);
        enum reception_heard heard = hear(asked, text, input->answer);
        const struct reception_rule *rule = reception_rule(asked, heard);
        const char *piece = take(arena, notes, rule->take, text);
        step->quotes = step->quotes || heard == RECEPTION_HEARD_ANSWERED;
        step->refused = step->refused || (piece == NULL && rule->take != RECEPTION_TAKE_NOTHING);
        if (piece == NULL)
            continue;
        strbuf_printf(&step->added, "%s%s", step->added.length > 0 ? "\n" : "", piece);
        unanswered = unanswered || heard != RECEPTION_HEARD_ANSWERED;
        asked = asked == RECEPTION_DONE ? RECEPTION_DONE : RECEPTION_NOTHING;
    }
    return unanswered;
}

void reception_step(struct arena *arena, const struct reception_notes *before,
                    const struct reception_input *input, struct reception_output *out)
{
    struct step step = {.words = input->words, .before = before};
    struct reception_notes notes = *before;
    strbuf_init(&step.added, TEXT_MAX);
    bool unanswered = take_all(arena, &step, &notes, input);
    bool changed = step.added.length > 0;
    if (before->asked != RECEPTION_DONE)
        ask_next(&notes);
    bool is_done = notes.asked == RECEPTION_DONE;
    bool is_task = is_done && (changed || before->asked != RECEPTION_DONE);
    step.notes = &notes;
    *out = (struct reception_output){
        .notes = notes,
        .body = compose(arena, &step, input),
        .summary = !is_task               ? NULL
                   : notes.reason != NULL ? notes.reason
                                          : "-",
        .quotes = step.quotes && input->answer != NULL,
        .due = is_done                                        ? RECEPTION_DUE_NEVER
               : changed && (unanswered || !is_empty(before)) ? RECEPTION_DUE_LATER
                                                              : RECEPTION_DUE_AS_IT_WAS,
    };
    strbuf_fini(&step.added);
}
