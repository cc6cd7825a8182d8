/* Small text routines without state, used at every boundary. */
#include "base/text.h"

#include <string.h>

/* Runs are found eight bytes at a time: a word's stops are the top bits of its bytes that end one.
 * What is borrowed or carried sets bits wrongly only behind the first right one. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define TOPS       EACH(0x80)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first character is the lowest byte");

static uint64_t not_printable(uint64_t word)
{
    return (word | (word - EACH(0x20)) | (word + EACH(1))) & TOPS;
}

static uint64_t not_ascii(uint64_t word)
{
    return (word | (word - EACH(1))) & TOPS;
}

size_t text_printable_run(const char *bytes, size_t length)
{
    uint64_t word, stops;
    size_t i = 0;
    for (; length - i >= sizeof word; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        if ((stops = not_printable(word)) != 0)
            return i + (size_t)__builtin_ctzll(stops) / 8;
    }
    while (i < length && (unsigned char)bytes[i] - 0x20u < 0x5fu)
        i++;
    return i;
}

size_t text_ascii_run(const char *bytes, size_t length)
{
    uint64_t word, stops;
    size_t i = 0;
    for (; length - i >= sizeof word; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        if ((stops = not_ascii(word)) != 0)
            return i + (size_t)__builtin_ctzll(stops) / 8;
    }
    while (i < length && (unsigned char)bytes[i] - 1u < 0x7fu)
        i++;
    return i;
}

/* Length of the well-formed sequence at s, or 0. RFC 3629 table 3-7 of Unicode as ranges. */
static size_t sequence(const unsigned char *s, size_t left)
{
    static const struct {
        unsigned char lead_min, lead_max, second_min, second_max, length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (s[0] < forms[i].lead_min || s[0] > forms[i].lead_max)
            continue;
        size_t n = forms[i].length;
        if (n > left)
            return 0;
        if (n > 1 && (s[1] < forms[i].second_min || s[1] > forms[i].second_max))
            return 0;
        for (size_t k = 2; k < n; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return n;
    }
    return 0;
}

bool text_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0; i < length;) {
        size_t n = text_ascii_run(bytes + i, length - i);
        if (n == 0)
            n = sequence(s + i, length - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

uint32_t text_next_code_point(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    int more = s[0] < 0x80 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
    static const unsigned char mask[] = {0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = s[0] & mask[more];
    for (int i = 1; i <= more; i++)
        point = point << 6 | (s[i] & 0x3f);
    *p += more + 1;
    return point;
}

size_t text_count_code_points(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; count++)
        text_next_code_point(&text);
    return count;
}

bool text_is_within(uint32_t point, const struct text_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

size_t text_utf8_prefix(const char *text, size_t max_bytes)
{
    size_t length = strnlen(text, max_bytes + 1);
    if (length <= max_bytes)
        return length;
    size_t cut = max_bytes;
    while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

bool text_is_e164(const char *text)
{
    if (text[0] != '+' || text[1] < '1' || text[1] > '9')
        return false;
    size_t digits = strspn(text + 1, "0123456789");
    return digits >= 7 && digits <= 15 && text[1 + digits] == '\0';
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

bool text_is_date(const char *text)
{
    static const char shape[] = "0000-00-00";
    int year = 0;
    for (size_t i = 0; i < sizeof shape; i++) /* with the NUL */
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    for (size_t i = 0; i < 4; i++)
        year = year * 10 + text[i] - '0';
    const int month = (text[5] - '0') * 10 + text[6] - '0';
    const int day = (text[8] - '0') * 10 + text[9] - '0';
    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month);
}

bool text_parse_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
    int64_t sum = 0;
    size_t length = strnlen(text, 20);
    if (length == 0 || length > 18)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        sum = sum * 10 + (text[i] - '0');
    }
    if (sum < min || sum > max)
        return false;
    *value = sum;
    return true;
}

void text_add_hex(struct strbuf *out, const void *bytes, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = bytes;
    for (size_t i = 0; i < length; i++)
        strbuf_add(out, (const char[]){hex[s[i] >> 4], hex[s[i] & 15]}, 2);
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_parse_hex(const char *text, void *out, size_t length)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < 2 * length; i++)
        if (text_hex_digit(text[i]) < 0)
            return false;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)((unsigned)text_hex_digit(text[2 * i]) << 4 |
                                   (unsigned)text_hex_digit(text[2 * i + 1]));
    return text[2 * length] == '\0';
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_add_base64(struct strbuf *out, const void *bytes, size_t length)
{
    const unsigned char *s = bytes;
    for (size_t i = 0; i < length; i += 3) {
        size_t n = length - i < 3 ? length - i : 3;
        uint32_t group = (uint32_t)s[i] << 16;
        if (n > 1)
            group |= (uint32_t)s[i + 1] << 8;
        if (n > 2)
            group |= s[i + 2];
        char four[4] = {base64_digits[group >> 18], base64_digits[group >> 12 & 63],
                        n > 1 ? base64_digits[group >> 6 & 63] : '=',
                        n > 2 ? base64_digits[group & 63] : '='};
        strbuf_add(out, four, 4);
    }
}

static int base64_value(char c)
{
    const char *found = c == '\0' ? NULL : strchr(base64_digits, c);
    return found == NULL ? -1 : (int)(found - base64_digits);
}

bool text_decode_base64(const char *text, size_t length, struct strbuf *out)
{
    size_t start = out->length;
    if (length % 4 != 0)
        return false;
    for (size_t i = 0; i < length; i += 4) {
        bool last = i + 4 == length;
        int pad = last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t group = 0;
        for (int k = 0; k < 4; k++) {
            int value = k >= 4 - pad ? 0 : base64_value(text[i + (size_t)k]);
            if (value < 0) {
                strbuf_truncate(out, start);
                return false;
            }
            group = group << 6 | (uint32_t)value;
        }
        if (pad > 0 && (group & (pad == 1 ? 0xffu : 0xffffu)) != 0) { /* a second spelling */
            strbuf_truncate(out, start);
            return false;
        }
        unsigned char three[3] = {(unsigned char)(group >> 16), (unsigned char)(group >> 8),
                                  (unsigned char)group};
        strbuf_add(out, three, (size_t)(3 - pad));
    }
    return true;
}

void text_add_percent(struct strbuf *out, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0'; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                     (*s >= '0' && *s <= '9') || strchr("-_.~", *s) != NULL;
        if (plain)
            strbuf_add_char(out, (char)*s);
        else
            strbuf_printf(out, "%%%02X", *s);
    }
}
