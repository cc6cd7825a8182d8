/* Finds the new text of an answer. Each line is told apart as text, quote, signature or blank: by
 * the markup of the program that wrote it, by ">", by the line that announces a quote, by a block
 * of headers. Then the order of these says what shape the answer has. mailpoller calls it; the
 * words are in reply_words.c.
 *
 * What is unsure stays text: an attribution without quotes behind it counts only with an address,
 * or a time of day and a year in it, and none that tells of "me" or "you"; headers only as a block
 * with an address or a subject; nothing is ever stripped to emptiness, and nothing of a forward,
 * nor below an answer that says that it goes on there: within a quote without marks no rule tells
 * whose line is whose. */
#include "mail/reply.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "mail/reply_inside.h"
#include "mail/subject.h"

#define HEADER_LINES 12 /* a block of headers is looked for in so many */
#define LOOSE_MAX    12 /* lines below a delimiter that lacks its space, and of a marked signature */
#define RULE_MIN     5  /* characters of a line that only draws a rule */

enum line_kind { LINE_BLANK, LINE_TEXT, LINE_QUOTED, LINE_SIGNATURE };

struct reply_line {
    const char *text;
    size_t length; /* without LF and white space at the end */
    bool spaced;   /* white space stood at the end */
    enum line_kind kind;
    bool signed_by_markup;
};

struct reply_lines {
    struct reply_line *items;
    size_t count;
    const char *rule;
};

/* ---- reading lines ---- */

/* A copy of the line's first bytes without white space around it. */
static const char *line_words(const struct reply_line *line, char out[REPLY_LINE_MAX + 1])
{
    size_t skip = 0;
    while (skip < line->length && isspace((unsigned char)line->text[skip]))
        skip++;
    size_t length = line->length - skip;
    if (length > REPLY_LINE_MAX)
        length = REPLY_LINE_MAX;
    memcpy(out, line->text + skip, length);
    out[length] = '\0';
    return out;
}

static bool is_quoted(const char *text, size_t length)
{
    size_t spaces = 0;
    while (spaces < length && spaces < 4 && text[spaces] == ' ')
        spaces++;
    return spaces < 4 && spaces < length && text[spaces] == '>';
}

static void read_lines(const char *text, struct reply_lines *lines)
{
    size_t room = 0;
    while (*text != '\0' && lines->count < MAIL_REPLY_LINES_MAX) {
        struct reply_line line = {.text = text, .length = strcspn(text, "\n")};
        text += line.length + (text[line.length] == '\n');
        while (line.length > 0 && isspace((unsigned char)line.text[line.length - 1])) {
            line.length--;
            line.spaced = true;
        }
        line.kind = line.length == 0                    ? LINE_BLANK
                    : is_quoted(line.text, line.length) ? LINE_QUOTED
                                                        : LINE_TEXT;
        if (lines->count == room) {
            room = room == 0 ? 64 : 2 * room;
            lines->items = xreallocarray(lines->items, room, sizeof *lines->items);
        }
        lines->items[lines->count++] = line;
    }
}

static void apply_spans(const struct mail_text *whole, struct reply_lines *lines)
{
    size_t i = 0;
    for (size_t s = 0; s < whole->span_count; s++) {
        const struct mail_span *span = &whole->spans[s];
        while (i < lines->count && (size_t)(lines->items[i].text - whole->text) < span->from)
            i++;
        for (; i < lines->count && (size_t)(lines->items[i].text - whole->text) < span->to; i++) {
            struct reply_line *line = &lines->items[i];
            if (line->kind == LINE_BLANK)
                continue;
            if (span->kind == MAIL_SPAN_SIGNATURE) {
                line->signed_by_markup = true;
            } else {
                line->kind = LINE_QUOTED;
                lines->rule = lines->rule[0] == '\0' ? span->program : lines->rule;
            }
        }
    }
}

/* ---- finding quotes ---- */

/* The next line from `i` on that is not blank; the count if there is none. */
static size_t next_inked(const struct reply_lines *lines, size_t i)
{
    while (i < lines->count && lines->items[i].kind == LINE_BLANK)
        i++;
    return i;
}

static void quote(struct reply_lines *lines, size_t from, size_t to, const char *rule)
{
    for (size_t i = from; i < to; i++)
        if (lines->items[i].kind != LINE_BLANK)
            lines->items[i].kind = LINE_QUOTED;
    if (lines->rule[0] == '\0')
        lines->rule = rule;
}

/* How many lines there are from `i` to the first one that can end an attribution, 0 if there is
 * none near. */
static size_t end_of_intro(const struct reply_lines *lines, size_t i)
{
    for (size_t n = 0; n < REPLY_INTRO_MAX && i + n < lines->count; n++) {
        const struct reply_line *line = &lines->items[i + n];
        if (line->kind != LINE_TEXT)
            return 0;
        if (reply_words_can_end_attribution(line->text, line->length))
            return n + 1;
    }
    return 0;
}

/* How many lines from `i` on are an attribution, 0 if they are none. */
static size_t attribution_at(const struct reply_lines *lines, size_t i, const char **rule,
                             bool *strong, bool *anchored)
{
    char words[REPLY_LINE_MAX + 1];
    struct strbuf joined;
    size_t count = end_of_intro(lines, i);
    *rule = NULL;
    if (count == 0)
        return 0;
    strbuf_init(&joined, REPLY_LINE_MAX);
    for (size_t n = 0; n < count; n++) {
        if (n > 0)
            strbuf_add_char(&joined, ' ');
        strbuf_add_text(&joined, line_words(&lines->items[i + n], words));
    }
    *rule = joined.overflow ? NULL : reply_words_attribution(joined.data, strong, anchored);
    strbuf_fini(&joined);
    return *rule == NULL ? 0 : count;
}

/* True if the answer's last line stands in front of an attribution that has no word to begin with:
 * then it begins in the next line. */
static bool begins_later(const struct reply_lines *lines, size_t i)
{
    const char *rule;
    bool strong, anchored;
    return attribution_at(lines, i + 1, &rule, &strong, &anchored) > 0;
}

/* True if a block of headers begins at `i`: an author, two more kinds, and an address or a subject
 * among them. A form that somebody filled in ("From: Oslo, To: Rome, Date: May 3") is none. */
static bool is_header_block(const struct reply_lines *lines, size_t i)
{
    char words[REPLY_LINE_MAX + 1];
    unsigned kinds = 0;
    int others = 0, count = 0;
    bool address = false;
    for (size_t n = i; n < lines->count && n < i + HEADER_LINES && others < 3; n++) {
        const struct reply_line *line = &lines->items[n];
        if (line->kind == LINE_BLANK)
            break;
        unsigned kind = reply_words_header(line_words(line, words));
        if (kind == 0 && n == i)
            return false;
        kinds |= kind;
        others = kind == 0 ? others + 1 : 0; /* a long To goes on in the next line */
        address |= kind != 0 && strchr(words, '@') != NULL;
    }
    for (unsigned bit = REPLY_DATE; bit <= REPLY_SUBJECT; bit <<= 1)
        count += (kinds & bit) != 0;
    return (kinds & REPLY_FROM) != 0 && count >= 2 && (address || (kinds & REPLY_SUBJECT) != 0);
}

static bool is_rule(const struct reply_line *line)
{
    char words[REPLY_LINE_MAX + 1];
    size_t length = strlen(line_words(line, words));
    return length >= RULE_MIN && strspn(words, "-_=*") == length;
}

/* Quotes everything from `i` on, with a drawn rule above it. */
static void quote_rest(struct reply_lines *lines, size_t i, const char *rule)
{
    size_t above = i;
    while (above > 0 && lines->items[above - 1].kind == LINE_BLANK)
        above--;
    if (above > 0 && lines->items[above - 1].kind == LINE_TEXT && is_rule(&lines->items[above - 1]))
        i = above - 1;
    quote(lines, i, lines->count, rule);
}

/* Goes through the text once; false at a forwarded mail, from which on all is kept. */
static bool find_quotes(struct reply_lines *lines)
{
    char words[REPLY_LINE_MAX + 1];
    for (size_t i = 0; i < lines->count; i++) {
        const struct reply_line *line = &lines->items[i];
        bool forward, strong, anchored;
        const char *rule;
        if (line->kind != LINE_TEXT)
            continue;
        rule = reply_words_separator(line_words(line, words), &forward);
        if (rule != NULL && forward)
            return false;
        if (rule != NULL || is_header_block(lines, i)) {
            quote_rest(lines, i, rule != NULL ? rule : "headers");
            return true;
        }
        size_t count = attribution_at(lines, i, &rule, &strong, &anchored);
        if (count == 0 || (count > 1 && !anchored && begins_later(lines, i)))
            continue;
        size_t next = next_inked(lines, i + count);
        if (next < lines->count && lines->items[next].kind == LINE_QUOTED) {
            quote(lines, i, i + count, rule);
        } else if (strong) {
            quote_rest(lines, i, rule);
            return true;
        }
        i += count - 1;
    }
    return true;
}

/* ---- finding signatures ---- */

/* RFC 3676's delimiter is "-- "; many programs lose the space. */
static bool is_delimiter(const struct reply_line *line, bool *exact)
{
    *exact = line->spaced;
    return line->length == 2 && memcmp(line->text, "--", 2) == 0;
}

/* Marks the lines from..to, a stretch without quotes, that are its signature. */
static bool sign(struct reply_lines *lines, size_t from, size_t to)
{
    char words[REPLY_LINE_MAX + 1];
    size_t end = to, inked = 0;
    bool found = false, exact;
    for (size_t i = to; i-- > from && !found;) {
        if (is_delimiter(&lines->items[i], &exact) && (exact || (inked <= LOOSE_MAX && i > from))) {
            end = i;
            found = true;
        }
        inked += lines->items[i].kind != LINE_BLANK;
    }
    for (size_t marked = 0; end > from && marked < LOOSE_MAX; end--) {
        const struct reply_line *line = &lines->items[end - 1];
        if (line->kind == LINE_BLANK)
            continue;
        if (!line->signed_by_markup && !reply_words_footer(line_words(line, words)))
            break;
        marked++;
        found = true;
    }
    for (size_t i = end; found && i < to; i++)
        if (lines->items[i].kind != LINE_BLANK)
            lines->items[i].kind = LINE_SIGNATURE;
    return found;
}

static bool find_signatures(struct reply_lines *lines)
{
    bool found = false;
    for (size_t i = 0; i < lines->count;) {
        size_t end = i;
        while (end < lines->count && lines->items[end].kind != LINE_QUOTED)
            end++;
        if (end > i)
            found |= sign(lines, i, end);
        i = end + (end == i);
    }
    return found;
}

/* ---- putting together ---- */

/* What the order of texts and quotes says. */
static enum mail_reply_shape shape_of(const struct reply_lines *lines, size_t *last_text)
{
    size_t blocks = 0, texts_before = 0, texts_between = 0, texts_after = 0;
    bool in_quote = false;
    for (size_t i = 0; i < lines->count; i++) {
        enum line_kind kind = lines->items[i].kind;
        if (kind == LINE_QUOTED) {
            texts_between += texts_after;
            texts_after = 0;
            blocks += !in_quote;
            in_quote = true;
        } else if (kind == LINE_TEXT) {
            *(blocks == 0 ? &texts_before : &texts_after) += 1;
            *last_text = i;
            in_quote = false;
        }
    }
    if (blocks == 0 || texts_before + texts_between + texts_after == 0)
        return MAIL_REPLY_WHOLE;
    if (texts_between + texts_after == 0)
        return MAIL_REPLY_TOP;
    return texts_before + texts_between == 0 ? MAIL_REPLY_BOTTOM : MAIL_REPLY_INTERLEAVED;
}

/* Writes the lines that belong to the answer; never two blank lines, none at the ends. */
static void write_lines(const struct reply_lines *lines, bool quotes, size_t last,
                        struct strbuf *out)
{
    bool blank = false;
    for (size_t i = 0; i < lines->count && i <= last; i++) {
        const struct reply_line *line = &lines->items[i];
        bool quoted = line->kind == LINE_QUOTED;
        if (line->kind != LINE_TEXT && !(quotes && quoted)) {
            blank = out->length > 0;
            continue;
        }
        if (blank)
            strbuf_add_char(out, '\n');
        blank = false;
        if (quoted && !is_quoted(line->text, line->length))
            strbuf_add_text(out, "> ");
        strbuf_add(out, line->text, line->length);
        strbuf_add_char(out, '\n');
    }
    if (out->length > 0)
        strbuf_truncate(out, out->length - 1);
}

/* True if what stands above the quote, all that was found of an answer, is not all of it: it tells
 * of answers below, or is no more than a greeting. */
static bool goes_on_below(const struct reply_lines *lines)
{
    char words[REPLY_LINE_MAX + 1];
    size_t count = 0;
    bool open = false;
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->items[i].kind != LINE_TEXT)
            continue;
        if (reply_words_tell_below(line_words(&lines->items[i], words)))
            return true;
        open = reply_words_go_on(words);
        count++;
    }
    return count == 1 && open;
}

/* All lines as they are. */
static void keep_all(struct reply_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        if (lines->items[i].kind != LINE_BLANK)
            lines->items[i].kind = LINE_TEXT;
    lines->rule = "";
}

void mail_reply_read(struct arena *arena, const struct mail_text *whole, const char *subject,
                     struct mail_reply *out)
{
    struct reply_lines lines = {.rule = ""};
    struct strbuf text;
    size_t last = 0;
    read_lines(whole->text, &lines);
    bool forward = mail_subject_is_forward(subject);
    if (!forward) {
        apply_spans(whole, &lines);
        forward = !find_quotes(&lines);
    }
    if (forward)
        keep_all(&lines);
    bool is_signed = !forward && find_signatures(&lines);
    enum mail_reply_shape shape = shape_of(&lines, &last);
    const size_t length = strlen(whole->text);
    strbuf_init(&text, 2 * length + 16);
    strbuf_expect(&text, length);
    if (shape != MAIL_REPLY_TOP || !goes_on_below(&lines))
        write_lines(&lines, shape == MAIL_REPLY_INTERLEAVED, last, &text);
    if (text.length == 0) { /* nothing new was found, or not all: then all of it is what there is */
        is_signed = false;
        keep_all(&lines);
        write_lines(&lines, false, lines.count, &text);
        shape = MAIL_REPLY_WHOLE;
    }
    *out = (struct mail_reply){
        .text = arena_strndup(arena, text.data, text.length),
        .shape = shape,
        .signature_cut = is_signed,
        .rule = lines.rule,
    };
    strbuf_fini(&text);
    free(lines.items);
}
