/* Strict JSON scan: what cJSON takes though it is not JSON (leading zeros, "1.", raw control
 * characters, invalid UTF-8, "\u0000", a BOM, trailing text) ends here, before a single allocation.
 * Called by json_parse only. */
#include "base/text.h"
#include "json/inside.h"
#include "json/json.h"

#include <string.h>

#define NUMBER_LENGTH_MAX 63 /* cJSON reads no further */

struct scan {
    const char *start, *p, *end;
    int depth;
    bool is_object[JSON_DEPTH_MAX];
    struct err *err;
};

static int fail(const struct scan *s, const char *code, const char *what)
{
    return err_set(s->err, ERR_PERMANENT, code, "%s at byte %zu of the JSON text", what,
                   (size_t)(s->p - s->start));
}

static int syntax(const struct scan *s, const char *what)
{
    if (s->p < s->end && *s->p == '\0')
        return fail(s, "json.nul", "NUL byte");
    return fail(s, "json.syntax", s->p == s->end ? "unexpected end" : what);
}

static char peek(const struct scan *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

/* The value of exactly four hexadecimal digits, or -1. */
static int unit(const struct scan *s, const char *at)
{
    int value = 0;
    if (s->end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* At the backslash; moves behind the escape. */
static int scan_escape(struct scan *s)
{
    if (s->end - s->p < 2) {
        s->p = s->end;
        return syntax(s, "");
    }
    if (s->p[1] != 'u') {
        if (s->p[1] == '\0' || strchr("\"\\/bfnrt", s->p[1]) == NULL)
            return syntax(s, "unknown escape");
        s->p += 2;
        return 0;
    }
    int first = unit(s, s->p + 2);
    if (first < 0)
        return syntax(s, "bad \\u escape");
    if (first == 0)
        return fail(s, "json.nul", "\\u0000");
    if (first >= 0xd800 && first <= 0xdfff) {
        bool pair = first < 0xdc00 && s->end - s->p >= 12 && s->p[6] == '\\' && s->p[7] == 'u';
        int second = pair ? unit(s, s->p + 8) : -1;
        if (second < 0xdc00 || second > 0xdfff)
            return fail(s, "json.utf8", "half of a surrogate pair");
        s->p += 6;
    }
    s->p += 6;
    return 0;
}

static int scan_string(struct scan *s)
{
    if (peek(s) != '"')
        return syntax(s, "a string was expected");
    const char *start = ++s->p;
    bool beyond_ascii = false;
    s->p = json_plain_end(s->p, s->end, &beyond_ascii);
    while (s->p < s->end && *s->p != '"') {
        if (*s->p != '\\')
            return syntax(s, "raw control character in a string");
        if (scan_escape(s) != 0)
            return -1;
        s->p = json_plain_end(s->p, s->end, &beyond_ascii);
    }
    if (s->p == s->end)
        return syntax(s, "");
    if (beyond_ascii && !text_is_utf8(start, (size_t)(s->p - start)))
        return fail(s, "json.utf8", "a string that is not UTF-8 ends");
    s->p++;
    return 0;
}

/* Moves over digits; false if there is none. */
static bool skip_digits(struct scan *s)
{
    const char *start = s->p;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->p++;
    return s->p > start;
}

static int scan_number(struct scan *s)
{
    const char *start = s->p;
    if (peek(s) == '-')
        s->p++;
    if (peek(s) == '0')
        s->p++;
    else if (!skip_digits(s))
        return syntax(s, "a value was expected");
    if (peek(s) == '.') {
        s->p++;
        if (!skip_digits(s))
            return syntax(s, "a digit was expected");
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->p++;
        if (peek(s) == '+' || peek(s) == '-')
            s->p++;
        if (!skip_digits(s))
            return syntax(s, "a digit was expected");
    }
    if (s->p - start > NUMBER_LENGTH_MAX)
        return fail(s, "json.syntax", "a number that is too long ends");
    return 0;
}

static int scan_word(struct scan *s, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(s->end - s->p) < length || memcmp(s->p, word, length) != 0)
        return syntax(s, "a value was expected");
    s->p += length;
    return 0;
}

static int scan_scalar(struct scan *s)
{
    switch (peek(s)) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return scan_number(s);
    }
}

/* A member's name and its colon. */
static int scan_name(struct scan *s)
{
    skip_space(s);
    if (scan_string(s) != 0)
        return -1;
    skip_space(s);
    if (peek(s) != ':')
        return syntax(s, "a colon was expected");
    s->p++;
    return 0;
}

/* At a bracket. Enters; *empty says that it was closed at once. */
static int scan_open(struct scan *s, bool *empty)
{
    bool object = *s->p == '{';
    if (s->depth == JSON_DEPTH_MAX)
        return fail(s, "json.depth", "too many levels");
    s->is_object[s->depth++] = object;
    s->p++;
    skip_space(s);
    *empty = peek(s) == (object ? '}' : ']');
    if (*empty) {
        s->p++;
        s->depth--;
        return 0;
    }
    return object ? scan_name(s) : 0;
}

/* Behind a value: closes what ends here. *more says that another value follows. */
static int scan_after(struct scan *s, bool *more)
{
    *more = false;
    for (;;) {
        skip_space(s);
        if (s->depth == 0)
            return s->p == s->end ? 0 : syntax(s, "text behind the value");
        bool object = s->is_object[s->depth - 1];
        if (peek(s) == ',') {
            s->p++;
            *more = true;
            return object ? scan_name(s) : 0;
        }
        if (peek(s) != (object ? '}' : ']'))
            return syntax(s, "a comma or a closing bracket was expected");
        s->p++;
        s->depth--;
    }
}

int json_scan(const char *bytes, size_t length, struct err *err)
{
    struct scan s = {.start = bytes, .p = bytes, .end = bytes + length, .err = err};
    bool more = true;
    while (more) {
        bool whole = true;
        skip_space(&s);
        if (peek(&s) == '{' || peek(&s) == '[') {
            if (scan_open(&s, &whole) != 0)
                return -1;
        } else if (scan_scalar(&s) != 0) {
            return -1;
        }
        if (whole && scan_after(&s, &more) != 0)
            return -1;
    }
    return 0;
}
