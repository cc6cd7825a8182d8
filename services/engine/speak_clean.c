/* What a voice should not read is taken out of a model's text, character by character, with no more
 * look ahead than a construct needs: whatever is decided is decided by the text alone, never by
 * where a token ended. Called by speak.c. */
#include "base/text.h"
#include "speak_inside.h"

#include <string.h>

#define LINK_TEXT_MAX 200
#define LINK_URL_MAX  1000
#define TAG_MAX       200
#define LINE_LOOK     80
#define RAW_MAX       4096
#define OUT_MAX       (SPEAK_TEXT_MAX + 64)

void speak_clean_init(struct speak_clean *clean)
{
    *clean = (struct speak_clean){.line_start = true};
    strbuf_init(&clean->raw, RAW_MAX);
    strbuf_init(&clean->out, OUT_MAX);
}

void speak_clean_fini(struct speak_clean *clean)
{
    strbuf_fini(&clean->raw);
    strbuf_fini(&clean->out);
}

/* ---- characters ---- */

static bool is_alnum(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= 0xc0 && c < 0x2000 && c != 0xd7 && c != 0xf7) || c >= 0x3040;
}

static bool is_space(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xa0 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static bool is_invisible(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff0 && c <= 0xffff) || (c >= 0xe000 && c <= 0xf8ff);
}

/* Pictures, arrows, the parts that emoji are joined from. */
static bool is_picture(uint32_t c)
{
    return (c >= 0x2190 && c <= 0x21ff) || (c >= 0x2300 && c <= 0x23ff) ||
           (c >= 0x2460 && c <= 0x27bf) || (c >= 0x2900 && c <= 0x2bff) || c == 0x20e3 ||
           (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0x1f000 && c <= 0x1faff) ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

static bool is_stop(uint32_t c)
{
    return c < 0x80 ? c != 0 && strchr(".,;:!?", (int)c) != NULL
                    : c == 0x2026 || c == 0x3002 || c == 0xff01 || c == 0xff1f;
}

/* ---- output ---- */

static void show(struct speak_clean *clean, uint32_t point, const char *bytes, size_t length)
{
    bool gap = clean->space && clean->last != 0 && !(clean->dropped && is_stop(point));
    if (clean->full || clean->total + length + gap > SPEAK_TEXT_MAX) {
        clean->full = true;
        return;
    }
    if (gap)
        strbuf_add_char(&clean->out, ' ');
    strbuf_add(&clean->out, bytes, length);
    clean->total += length + gap;
    clean->last = point;
    clean->space = clean->dropped = false;
}

/* ---- looks ahead: each says how long something is, 0 for not, WAIT for more text ---- */

#define WAIT ((size_t)-1)

/* The distance to `wanted`, which comes before `stops` and within `max`; else 0 or WAIT. */
static size_t reach(const struct speak_clean *clean, const char *p, size_t left, char wanted,
                    const char *stops, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        if (i == left)
            return clean->ended ? 0 : WAIT;
        if (p[i] == wanted)
            return i;
        if (strchr(stops, p[i]) != NULL)
            return 0;
    }
    return 0;
}

/* "[text](url)" at p, of which only the text is wanted. */
static size_t link_at(const struct speak_clean *clean, const char *p, size_t left)
{
    size_t text = reach(clean, p + 1, left - 1, ']', "[\n", LINK_TEXT_MAX);
    if (text == 0 || text == WAIT)
        return text;
    size_t next = text + 2;
    if (next >= left)
        return clean->ended ? 0 : WAIT;
    if (p[next] != '(')
        return 0;
    size_t url = reach(clean, p + next + 1, left - next - 1, ')', "\n", LINK_URL_MAX);
    return url == WAIT ? WAIT : url == 0 ? 0 : next + url + 2;
}

/* A line of nothing but `-`, `*`, `_`, or of `|`, `:` and `-`: a rule, or a table's. */
static size_t rule_at(const struct speak_clean *clean, const char *p, size_t left)
{
    size_t marks = 0;
    for (size_t i = 0; i < LINE_LOOK; i++) {
        if (i == left && !clean->ended)
            return WAIT;
        if (i == left || p[i] == '\n')
            return marks >= 3 ? i : 0;
        if (strchr("-*_|:", p[i]) != NULL)
            marks++;
        else if (p[i] != ' ' && p[i] != '\r')
            return 0;
    }
    return 0;
}

static const char bullet_dot[] = "\xe2\x80\xa2"; /* U+2022 */

/* The mark and the space that begin an item of a list. */
static size_t bullet_at(const struct speak_clean *clean, const char *p, size_t left)
{
    size_t mark = 1;
    if (strchr("-*+", p[0]) == NULL) {
        mark = sizeof bullet_dot - 1;
        if (left < mark || memcmp(p, bullet_dot, mark) != 0)
            return 0;
    }
    if (mark == left)
        return clean->ended ? 0 : WAIT;
    return p[mark] == ' ' ? mark + 1 : 0;
}

/* "# " of a heading. */
static size_t heading_at(const struct speak_clean *clean, const char *p, size_t left)
{
    size_t count = 0;
    while (count < 7 && count < left && p[count] == '#')
        count++;
    if (count == 0 || count == 7)
        return 0;
    if (count == left)
        return clean->ended ? 0 : WAIT;
    return p[count] == ' ' ? count + 1 : 0;
}

/* "1. " or "1) ": stays, but is an item of a list. */
static size_t number_at(const struct speak_clean *clean, const char *p, size_t left)
{
    size_t count = 0;
    while (count < 3 && count < left && p[count] >= '0' && p[count] <= '9')
        count++;
    if (count == 0)
        return 0;
    if (count + 1 >= left)
        return clean->ended ? 0 : WAIT;
    return strchr(".)", p[count]) != NULL && p[count + 1] == ' ' ? count + 2 : 0;
}

/* Address in angle brackets, or a tag. */
static size_t angle_at(const struct speak_clean *clean, const char *p, size_t left)
{
    size_t length = reach(clean, p + 1, left - 1, '>', "<\n", TAG_MAX);
    return length == 0 || length == WAIT ? length : length + 2;
}

/* ---- one step: how many bytes are done; 0: more text is needed ---- */

/* The full stop or comma that a line needs before the next one is read. */
static size_t end_line(struct speak_clean *clean, const char *p, size_t left)
{
    size_t i = 1, lines = 1;
    bool needed = clean->last != 0 && !is_stop(clean->last) && !clean->line_start;
    char mark = '\0';
    if (needed) {
        while (i < left && i < LINE_LOOK && strchr(" \t\r\n", p[i]) != NULL)
            lines += p[i++] == '\n';
        if (i == left && !clean->ended)
            return 0;
        if (i < left && i < LINE_LOOK) {
            size_t item = bullet_at(clean, p + i, left - i);
            size_t other = item != 0 ? item : number_at(clean, p + i, left - i);
            size_t head = other != 0 ? other : heading_at(clean, p + i, left - i);
            size_t rule = head != 0 ? head : rule_at(clean, p + i, left - i);
            if (rule == WAIT)
                return 0;
            if (lines > 1 || rule != 0 || clean->title)
                mark = '.';
            if (other != 0 && clean->in_list)
                mark = ',';
        }
    }
    if (mark != '\0') {
        clean->space = false;
        show(clean, (uint32_t)mark, &mark, 1);
    }
    clean->space = true;
    clean->line_start = true;
    clean->in_list = clean->title = clean->skip_line = false;
    return 1;
}

/* What begins a line. Returns the bytes done, 0 to wait, or WAIT when nothing special is there. */
static size_t begin_line(struct speak_clean *clean, const char *p, size_t left)
{
    if (p[0] == '>')
        return 1;
    if (p[0] == '`') {
        if (left < 3 && !clean->ended && strspn(p, "`") >= left)
            return 0;
        clean->skip_line = left >= 3 && memcmp(p, "```", 3) == 0;
        clean->line_start = false;
        return 1;
    }
    if (strchr("-*_|", p[0]) != NULL) {
        size_t rule = rule_at(clean, p, left);
        if (rule == WAIT)
            return 0;
        if (rule > 0)
            return rule;
    }
    size_t bullet = bullet_at(clean, p, left);
    size_t heading = bullet != 0 ? 0 : heading_at(clean, p, left);
    size_t number = bullet != 0 || heading != 0 ? 0 : number_at(clean, p, left);
    if (bullet == WAIT || heading == WAIT || number == WAIT)
        return 0;
    clean->line_start = false;
    clean->in_list = bullet > 0 || number > 0;
    clean->title = heading > 0;
    return bullet > 0 ? bullet : heading > 0 ? heading : WAIT;
}

static size_t plain(struct speak_clean *clean, const char *p)
{
    const char *next = p;
    uint32_t point = text_next_code_point(&next);
    size_t length = (size_t)(next - p);
    if (is_space(point))
        clean->space = true;
    else if (is_picture(point))
        clean->dropped = true;
    else if (!is_invisible(point))
        show(clean, point, p, length);
    return length;
}

static size_t underscore(struct speak_clean *clean, const char *p, size_t left)
{
    if (left == 1 && !clean->ended)
        return 0;
    uint32_t next = 0;
    if (left > 1) {
        const char *q = p + 1;
        next = text_next_code_point(&q);
    }
    if (!clean->space && is_alnum(clean->last) && is_alnum(next))
        show(clean, '_', p, 1);
    return 1;
}

static size_t angle(struct speak_clean *clean, const char *p, size_t left)
{
    size_t length = angle_at(clean, p, left);
    if (length == WAIT)
        return 0;
    if (length == 0)
        return plain(clean, p);
    bool address = memchr(p, '@', length) != NULL || memmem(p, length, "://", 3) != NULL;
    if (address && memchr(p, ' ', length) == NULL) {
        clean->in_angle = true;
        return 1;
    }
    bool tag =
        p[1] == '/' || p[1] == '!' || (p[1] >= 'a' && p[1] <= 'z') || (p[1] >= 'A' && p[1] <= 'Z');
    if (!tag)
        return plain(clean, p);
    clean->space = true;
    clean->dropped = true;
    return length;
}

static size_t bracket(struct speak_clean *clean, const char *p, size_t left)
{
    bool image = p[0] == '!';
    if (image && left == 1 && !clean->ended)
        return 0;
    if (image && (left == 1 || p[1] != '['))
        return plain(clean, p);
    size_t link = link_at(clean, p + image, left - image);
    if (link == WAIT)
        return 0;
    if (link == 0)
        return plain(clean, p);
    clean->in_link = true;
    return 1 + (size_t)image;
}

/* The end of a link's text, with its address. */
static size_t close_link(struct speak_clean *clean, const char *p, size_t left)
{
    if (!clean->in_link)
        return plain(clean, p);
    if (left == 1 && !clean->ended)
        return 0;
    size_t url = 0;
    if (left > 1 && p[1] == '(')
        url = reach(clean, p + 2, left - 2, ')', "\n", LINK_URL_MAX);
    if (url == WAIT)
        return 0;
    clean->in_link = false;
    return url == 0 ? plain(clean, p) : url + 3;
}

/* Emphasis, or a product of numbers. */
static size_t asterisk(struct speak_clean *clean, const char *p, size_t left)
{
    static const char times[] = "\xc3\x97";
    if (clean->last < '0' || clean->last > '9')
        return 1;
    if (left < 3 && !clean->ended)
        return 0;
    size_t next = left > 1 && clean->space && p[1] == ' ' ? 2 : 1;
    if (next < left && p[next] >= '0' && p[next] <= '9' && (next == 2 || !clean->space))
        show(clean, 0xd7, times, sizeof times - 1);
    return 1;
}

static size_t backslash(struct speak_clean *clean, const char *p, size_t left)
{
    if (left == 1)
        return clean->ended ? plain(clean, p) : 0;
    if (strchr("\\`*_{}[]()#+-.!|<>~", p[1]) == NULL)
        return plain(clean, p);
    show(clean, (unsigned char)p[1], p + 1, 1);
    return 2;
}

static size_t step(struct speak_clean *clean, const char *p, size_t left)
{
    if (p[0] == '\n')
        return end_line(clean, p, left);
    if (clean->skip_line)
        return 1;
    if (clean->line_start && strchr(" \t\r", p[0]) == NULL) {
        size_t done = begin_line(clean, p, left);
        if (done != WAIT)
            return done;
    }
    switch (p[0]) {
    case '*':
        return asterisk(clean, p, left);
    case '`':
        return 1;
    case '|':
        clean->space = true;
        return 1;
    case '_':
        return underscore(clean, p, left);
    case '~':
        if (left == 1 && !clean->ended)
            return 0;
        return left > 1 && p[1] == '~' ? 2 : plain(clean, p);
    case '[':
    case '!':
        return bracket(clean, p, left);
    case ']':
        return close_link(clean, p, left);
    case '<':
        return angle(clean, p, left);
    case '>':
        if (!clean->in_angle)
            return plain(clean, p);
        clean->in_angle = false;
        return 1;
    case '\\':
        return backslash(clean, p, left);
    default:
        return plain(clean, p);
    }
}

void speak_clean_add(struct speak_clean *clean, const char *text, size_t length)
{
    size_t at = 0;
    strbuf_add(&clean->raw, text, length);
    while (at < clean->raw.length) {
        size_t done = step(clean, clean->raw.data + at, clean->raw.length - at);
        if (done == 0)
            break;
        at += done;
    }
    strbuf_consume(&clean->raw, at);
}
