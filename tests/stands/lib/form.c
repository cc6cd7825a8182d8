/*
 * Strict form decoding, and Twilio's signature over a form. Called by the Twilio stand-in for the
 * requests that it receives and for the webhooks that it signs and sends.
 */
#include "stands/lib/form.h"

#include <stdlib.h>
#include <string.h>

#include "stands/lib/hmac.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes text[0..len) to `out` (room for len + 1 bytes). Returns the decoded length or -1. */
static long decode(const char *text, size_t len, char *out, const char **why)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c > '~') {
            *why = "a raw byte outside printable ASCII";
            return -1;
        }
        if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                *why = "'%' without two hexadecimal digits";
                return -1;
            }
            c = (unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return (long)n;
}

static bool text_is_clean(const char *text, size_t len, const char **why)
{
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t step = stand_utf8(text + at, len - at, &code);
        if (step == 0 || code == 0) {
            *why = step ? "a NUL character" : "text that is not UTF-8";
            return false;
        }
        at += step;
    }
    return true;
}

/* Decodes one `name=value` into `out`, which has room for len + 2 bytes. Returns bytes used, -1. */
static long parse_pair(struct stand_form *form, const char *text, size_t len, char *out,
                       const char **why)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    if (name_len == 0 || form->count == STAND_FORM_PAIRS_MAX) {
        *why = name_len ? "too many parameters" : "a parameter without a name";
        return -1;
    }
    long name = decode(text, name_len, out, why);
    if (name < 0 || !text_is_clean(out, (size_t)name, why))
        return -1;
    char *value_at = out + name + 1;
    long value = 0;
    value_at[0] = '\0';
    if (equals)
        value = decode(equals + 1, len - name_len - 1, value_at, why);
    if (value < 0 || !text_is_clean(value_at, (size_t)value, why))
        return -1;
    form->pairs[form->count++] = (struct stand_pair){.name = out, .value = value_at};
    return name + 1 + value + 1;
}

int stand_form_parse(struct stand_form *form, const char *text, size_t len, const char **why)
{
    form->count = 0;
    form->text = stand_alloc(len * 2 + 2); /* every pair needs at most its length and two NULs */
    char *out = form->text;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '&', len - at);
        size_t pair_len = end ? (size_t)(end - text) - at : len - at;
        long used = parse_pair(form, text + at, pair_len, out, why);
        if (used < 0) {
            stand_form_fini(form);
            return -1;
        }
        out += used;
        at += pair_len + 1;
    }
    return 0;
}

void stand_form_fini(struct stand_form *form)
{
    free(form->text);
    form->text = NULL;
    form->count = 0;
}

void stand_form_borrow(struct stand_form *form)
{
    form->text = NULL;
    form->count = 0;
}

void stand_form_add(struct stand_form *form, const char *name, const char *value)
{
    if (form->count < STAND_FORM_PAIRS_MAX)
        form->pairs[form->count++] = (struct stand_pair){.name = name, .value = value};
}

const char *stand_form_get(const struct stand_form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->pairs[i].name, name) == 0)
            return form->pairs[i].value;
    }
    return NULL;
}

size_t stand_form_times(const struct stand_form *form, const char *name)
{
    size_t times = 0;
    for (size_t i = 0; i < form->count; i++)
        times += strcmp(form->pairs[i].name, name) == 0;
    return times;
}

static void json_values(const struct stand_form *form, const char *name, struct stand_buf *out)
{
    bool first = true;
    stand_buf_puts(out, "[");
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->pairs[i].name, name) != 0)
            continue;
        if (!first)
            stand_buf_puts(out, ",");
        first = false;
        stand_buf_json_text(out, form->pairs[i].value);
    }
    stand_buf_puts(out, "]");
}

void stand_form_json(const struct stand_form *form, struct stand_buf *out)
{
    bool first = true;
    stand_buf_puts(out, "{");
    for (size_t i = 0; i < form->count; i++) {
        const struct stand_pair *pair = &form->pairs[i];
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = strcmp(form->pairs[j].name, pair->name) == 0;
        if (seen)
            continue;
        if (!first)
            stand_buf_puts(out, ",");
        first = false;
        stand_buf_json_text(out, pair->name);
        stand_buf_puts(out, ":");
        if (stand_form_times(form, pair->name) > 1)
            json_values(form, pair->name, out);
        else
            stand_buf_json_text(out, pair->value);
    }
    stand_buf_puts(out, "}");
}

static int by_name_then_value(const void *left, const void *right)
{
    const struct stand_pair *a = left;
    const struct stand_pair *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : strcmp(a->value, b->value);
}

void stand_form_sign(const struct stand_form *form, const char *url, const char *token,
                     struct stand_buf *out)
{
    struct stand_buf text;
    stand_buf_init(&text, 1024 * 1024);
    stand_buf_puts(&text, url);
    struct stand_pair sorted[STAND_FORM_PAIRS_MAX];
    size_t count = form ? form->count : 0;
    if (count) {
        memcpy(sorted, form->pairs, count * sizeof sorted[0]);
        qsort(sorted, count, sizeof sorted[0], by_name_then_value);
    }
    for (size_t i = 0; i < count; i++) {
        /* A repeated name adds each distinct value once, as Twilio's own libraries do. */
        if (i > 0 && by_name_then_value(&sorted[i - 1], &sorted[i]) == 0)
            continue;
        stand_buf_puts(&text, sorted[i].name);
        stand_buf_puts(&text, sorted[i].value);
    }
    stand_hmac_sha1_base64(token, text.data, text.len, out);
    stand_buf_fini(&text);
}
