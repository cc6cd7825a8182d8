/* Questions of the reception workflow and the checks of their answers: one row a type. workflow.c
 * reads them, the engine's booking asks and checks. */
#include "prompt/question.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define TEXT_MAX       1000 /* characters; the most that a tenant file may allow */
#define TEXT_USUAL     200
#define PHONE_MAX      40 /* characters */
#define PHONE_DIGITS   15
#define PHONE_FEWEST   6 /* of an extension nobody can be reached by */
#define MAIL_MAX       254
#define MAIL_LOCAL_MAX 64
#define NUMBER_MAX     40
#define QUOTE_BYTES    40
#define WORDS_BYTES    120 /* of a list of choices in a message */
#define ANSWER_MAX     (16 * 1024)
#define DATE           "a date, like 2026-12-01"

/* ---- blanks ---- */

static bool is_blank(uint32_t point)
{
    return point <= 0x20 || point == 0x7f || point == 0xa0 ||
           (point >= 0x2000 && point <= 0x200f) || (point >= 0x2028 && point <= 0x202f) ||
           point == 0x205f || point == 0x2060 || point == 0x3000 || point == 0xfeff;
}

/* The text without blanks around it; *length in bytes, 0 if there is nothing else. */
static const char *trim(const char *text, size_t *length)
{
    const char *begin = NULL, *end = text;
    for (const char *at = text; *at != '\0';) {
        const char *from = at;
        if (is_blank(text_next_code_point(&at)))
            continue;
        begin = begin == NULL ? from : begin;
        end = at;
    }
    *length = begin != NULL ? (size_t)(end - begin) : 0;
    return begin != NULL ? begin : text;
}

/* Into a buffer; false if it does not fit. */
static bool trim_into(const char *text, char *out, size_t size)
{
    size_t length;
    const char *from = trim(text, &length);
    if (length >= size)
        return false;
    memcpy(out, from, length);
    out[length] = '\0';
    return true;
}

bool question_is_answered(const struct json *given)
{
    size_t length;
    if (given == NULL || json_type(given) == JSON_NULL)
        return false;
    if (json_type(given) != JSON_STRING)
        return true;
    trim(json_text(given), &length);
    return length > 0;
}

/* ---- formats ---- */

static bool fits_text(const struct question *question, const struct json *given)
{
    size_t length;
    int count = 0;
    if (json_type(given) == JSON_NUMBER)
        return true;
    if (json_type(given) != JSON_STRING)
        return false;
    const char *at = trim(json_text(given), &length), *end = at + length;
    for (; at < end && count <= question->max; count++)
        text_next_code_point(&at);
    return count <= question->max;
}

/* As JSON writes a number, but that it may begin with zeros: it is kept as it was written. */
static bool is_number(const char *text)
{
    static const char digits[] = "0123456789";
    text += *text == '-' || *text == '+';
    size_t whole = strspn(text, digits);
    text += whole;
    if (*text == '.') {
        size_t part = strspn(text + 1, digits);
        text += part > 0 ? part + 1 : 0;
    }
    return whole > 0 && *text == '\0';
}

static bool is_phone(const char *text)
{
    size_t digits = 0;
    text += *text == '+';
    for (; *text != '\0'; text++) {
        if (strchr("0123456789 ()-./", *text) == NULL)
            return false;
        digits += *text >= '0' && *text <= '9';
    }
    return digits >= PHONE_FEWEST && digits <= PHONE_DIGITS;
}

/* Letters of other scripts may be there, as in names of the business's country. */
static bool is_mail(const char *text)
{
    const char *at = strrchr(text, '@');
    size_t local = at != NULL ? (size_t)(at - text) : 0;
    if (local == 0 || local > MAIL_LOCAL_MAX)
        return false;
    for (size_t i = 0; i < local; i++)
        if ((unsigned char)text[i] <= ' ' || strchr("\"(),:;<>@[]\\\x7f", text[i]) != NULL)
            return false;
    size_t labels = 0;
    for (const char *label = at + 1; labels == 0 || label[-1] == '.'; labels++) {
        size_t length = strcspn(label, ".");
        if (length == 0 || label[0] == '-' || label[length - 1] == '-')
            return false;
        for (size_t i = 0; i < length; i++)
            if ((unsigned char)label[i] <= ' ' || strchr("\"(),:;<>@[]\\/_\x7f", label[i]) != NULL)
                return false;
        label += length + 1;
        if (label[-1] == '\0')
            return labels > 0;
    }
    return false;
}

typedef bool format_fn(const char *text);

static bool fits_format(const struct json *given, format_fn *format, size_t max)
{
    char text[MAIL_MAX + 1];
    return json_type(given) == JSON_STRING && trim_into(json_text(given), text, max + 1) &&
           format(text);
}

static bool fits_number(const struct question *question, const struct json *given)
{
    (void)question;
    return json_type(given) == JSON_NUMBER || fits_format(given, is_number, NUMBER_MAX);
}

static bool fits_date(const struct question *question, const struct json *given)
{
    (void)question;
    return fits_format(given, text_is_date, 10);
}

static bool fits_phone(const struct question *question, const struct json *given)
{
    (void)question;
    return fits_format(given, is_phone, PHONE_MAX);
}

static bool fits_mail(const struct question *question, const struct json *given)
{
    (void)question;
    return fits_format(given, is_mail, MAIL_MAX);
}

/* 1 yes, 0 no, -1 neither. */
static int truth(const struct json *given)
{
    char text[8];
    if (json_type(given) == JSON_BOOL)
        return json_bool(given) ? 1 : 0;
    if (json_type(given) != JSON_STRING || !trim_into(json_text(given), text, sizeof text))
        return -1;
    if (strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0)
        return 1;
    return strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0 ? 0 : -1;
}

static bool fits_yes_no(const struct question *question, const struct json *given)
{
    (void)question;
    return truth(given) >= 0;
}

/* Without regard to ASCII case; NULL: none of them. */
static const char *choice_of(const struct question *question, const struct json *given)
{
    size_t length;
    if (json_type(given) != JSON_STRING)
        return NULL;
    const char *text = trim(json_text(given), &length);
    for (size_t i = 0; i < question->choice_count; i++)
        if (strlen(question->choices[i]) == length &&
            strncasecmp(question->choices[i], text, length) == 0)
            return question->choices[i];
    return NULL;
}

static bool fits_choice(const struct question *question, const struct json *given)
{
    return choice_of(question, given) != NULL;
}

static const struct {
    const char *name;   /* in the tenant file */
    const char *told;   /* behind the field's name; NULL: nothing, or the choices */
    const char *wanted; /* behind "must be"; NULL: put together */
    const char *schema; /* type of JSON Schema */
    int most;           /* characters; 0: not said, or put together */
    bool (*fits)(const struct question *question, const struct json *given);
} types[] = {
    [QUESTION_TEXT] = {"text", NULL, NULL, "string", 0, fits_text},
    [QUESTION_NUMBER] = {"number", "a number", "a number", "number", 0, fits_number},
    [QUESTION_DATE] = {"date", DATE, "a date that there is, like 2026-12-01", "string", 10,
                       fits_date},
    [QUESTION_PHONE] = {"phone", "a phone number", "a phone number, like +1 555 010 0101", "string",
                        PHONE_MAX, fits_phone},
    [QUESTION_MAIL] = {"mail", "a mail address", "a mail address, like name@example.com", "string",
                       MAIL_MAX, fits_mail},
    [QUESTION_YES_NO] = {"yes_no", "true or false", "true or false", "boolean", 0, fits_yes_no},
    [QUESTION_CHOICE] = {"choice", NULL, NULL, "string", 0, fits_choice},
};
#define TYPES (sizeof types / sizeof *types)

/* ---- reading ---- */

static void read_choices(struct arena *arena, const struct json *list, struct question *out)
{
    const char **choices = arena_alloc(arena, QUESTION_CHOICES_MAX * sizeof *choices);
    for (const struct json *c = json_first(list);
         c != NULL && out->choice_count < QUESTION_CHOICES_MAX; c = json_next(c))
        if (json_text(c) != NULL)
            choices[out->choice_count++] = arena_strdup(arena, json_text(c));
    out->choices = choices;
}

bool question_read(struct arena *arena, const struct json *from, struct question *out)
{
    const char *name = json_member_text(from, "field"), *ask = json_member_text(from, "ask");
    const char *type = json_member_text(from, "type");
    int64_t max = TEXT_USUAL;
    if (name == NULL)
        return false;
    json_member_int(from, "max", 1, TEXT_MAX, &max);
    *out = (struct question){.name = arena_strdup(arena, name),
                             .ask = arena_strdup(arena, ask != NULL ? ask : ""),
                             .type = QUESTION_TEXT,
                             .max = (int)max,
                             .required = json_member_bool(from, "required", true)};
    for (size_t i = 0; type != NULL && i < TYPES; i++)
        if (strcmp(types[i].name, type) == 0)
            out->type = (enum question_type)i;
    read_choices(arena, json_member(from, "choices"), out);
    if (out->type == QUESTION_CHOICE && out->choice_count == 0)
        out->type = QUESTION_TEXT;
    return true;
}

/* ---- telling ---- */

static void add_choices(const struct question *question, size_t max_bytes, struct strbuf *out)
{
    size_t begin = out->length;
    for (size_t i = 0; i < question->choice_count; i++) {
        if (out->length - begin > max_bytes) {
            strbuf_add_text(out, ", ...");
            return;
        }
        strbuf_printf(out, "%s%s", i == 0 ? "" : ", ", question->choices[i]);
    }
}

void question_describe(const struct question *question, struct strbuf *out)
{
    strbuf_printf(out, "%s (%s", question->ask, question->name);
    if (types[question->type].told != NULL)
        strbuf_printf(out, ": %s", types[question->type].told);
    if (question->type == QUESTION_CHOICE) {
        strbuf_add_text(out, ": one of ");
        add_choices(question, ANSWER_MAX, out);
    }
    strbuf_printf(out, "%s)", question->required ? "" : ", optional");
}

void question_write_schema(const struct question *question, struct json_writer *writer)
{
    const int most = question->type == QUESTION_TEXT ? question->max : types[question->type].most;
    struct strbuf about;
    strbuf_init(&about, ANSWER_MAX);
    strbuf_printf(&about, "%s%s%s", question->ask, question->type == QUESTION_DATE ? ": " : "",
                  question->type == QUESTION_DATE ? DATE : "");
    json_open_object(writer, question->name);
    json_add_text(writer, "type", types[question->type].schema);
    if (question->type == QUESTION_CHOICE) {
        json_open_array(writer, "enum");
        for (size_t i = 0; i < question->choice_count; i++)
            json_add_text(writer, NULL, question->choices[i]);
        json_close_array(writer);
    }
    if (most > 0)
        json_add_int(writer, "maxLength", most);
    json_add_text(writer, "description", about.data);
    json_close_object(writer);
    strbuf_fini(&about);
}

/* ---- judging ---- */

/* "the text banana", "an object". */
static void add_given(const struct json *given, struct strbuf *out)
{
    static const char *const kinds[] = {
        [JSON_NULL] = "null",        [JSON_BOOL] = "",        [JSON_NUMBER] = "the number ",
        [JSON_STRING] = "the text ", [JSON_ARRAY] = "a list", [JSON_OBJECT] = "an object"};
    enum json_type type = json_type(given);
    strbuf_add_text(out, kinds[type]);
    if (type == JSON_STRING) {
        const char *text = json_text(given);
        size_t length = text_utf8_prefix(text, QUOTE_BYTES);
        strbuf_printf(out, "%.*s%s", (int)length, text, text[length] != '\0' ? "..." : "");
    } else if (type == JSON_NUMBER || type == JSON_BOOL) {
        json_print(given, out);
    }
}

int question_check(const struct question *question, const struct json *given, struct err *err)
{
    struct strbuf words;
    if (types[question->type].fits(question, given))
        return 0;
    strbuf_init(&words, ANSWER_MAX);
    strbuf_add_text(&words, "must be ");
    if (question->type == QUESTION_CHOICE) {
        strbuf_add_text(&words, "one of ");
        add_choices(question, WORDS_BYTES, &words);
    } else if (question->type == QUESTION_TEXT) {
        strbuf_printf(&words, "a text of at most %d characters", question->max);
    } else {
        strbuf_add_text(&words, types[question->type].wanted);
    }
    strbuf_add_text(&words, "; it is ");
    add_given(given, &words);
    err_set(err, ERR_PERMANENT, "question.answer", "%s", words.data);
    strbuf_fini(&words);
    return -1;
}

void question_write_answer(const struct question *question, const struct json *given,
                           struct json_writer *writer)
{
    struct strbuf text;
    if (question->type == QUESTION_YES_NO) {
        json_add_bool(writer, question->name, truth(given) == 1);
        return;
    }
    strbuf_init(&text, ANSWER_MAX);
    if (question->type == QUESTION_CHOICE) {
        json_add_text(writer, question->name, choice_of(question, given));
    } else if (json_type(given) == JSON_STRING) {
        size_t length;
        const char *from = trim(json_text(given), &length);
        strbuf_printf(&text, "%.*s", (int)length, from);
        json_add_text(writer, question->name, text.data);
    } else {
        json_print(given, &text);
        json_add_raw(writer, question->name, text.data);
    }
    strbuf_fini(&text);
}
