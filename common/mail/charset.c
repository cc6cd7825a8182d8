/* Declared charsets are a hint: mail programs lie, leave them out, or mean a superset. Conversion
 * itself is libc's iconv. The MIME reader calls it for each text part and for what it cannot decode
 * in headers. Sources: the WHATWG encoding standard's labels. */
#include "mail/charset.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define WESTERN     "windows-1252"
#define LABEL_MAX   47
#define META_MAX    1024
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What is declared -> what is meant. NULL: not to be read as what it says. */
static const struct {
    const char *declared, *meant;
} aliases[] = {
    {"us-ascii", WESTERN},
    {"ascii", WESTERN},
    {"ansi_x3.4-1968", WESTERN},
    {"iso-8859-1", WESTERN},
    {"iso8859-1", WESTERN},
    {"iso_8859-1", WESTERN},
    {"latin1", WESTERN},
    {"l1", WESTERN},
    {"cp1252", WESTERN},
    {"iso-8859-9", "windows-1254"},
    {"iso-8859-11", "cp874"},
    {"tis-620", "cp874"},
    {"windows-874", "cp874"},
    {"gb2312", "gb18030"},
    {"gb_2312-80", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"cp936", "gb18030"},
    {"ks_c_5601-1987", "cp949"},
    {"ks_c_5601", "cp949"},
    {"euc-kr", "cp949"},
    {"shift_jis", "cp932"},
    {"shift-jis", "cp932"},
    {"sjis", "cp932"},
    {"x-sjis", "cp932"},
    {"windows-31j", "cp932"},
    {"big5", "big5-hkscs"},
    {"x-mac-roman", "macintosh"},
    {"utf8", "utf-8"},
    {"unicode-1-1-utf-8", "utf-8"},
    {"unknown-8bit", NULL},
    {"x-unknown", NULL},
    {"x-user-defined", NULL},
    {"binary", NULL},
    {"utf-7", NULL},
    {"unicode-1-1-utf-7", NULL},
};

/* The name to give to iconv, or NULL. Slashes would be instructions to it. */
static const char *meant_by(const char *declared)
{
    if (declared == NULL || declared[0] == '\0' || strlen(declared) > LABEL_MAX)
        return NULL;
    for (const char *c = declared; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("-_.:+", *c) == NULL)
            return NULL;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcasecmp(declared, aliases[i].declared) == 0)
            return aliases[i].meant;
    return strncasecmp(declared, "utf-7", 5) == 0 ? NULL : declared;
}

/* Bytes of the well-formed UTF-8 sequence at `at`, 0 if there is none. */
static size_t sequence(const char *at, size_t left)
{
    unsigned char lead = (unsigned char)at[0];
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0x80)
        return 1;
    return length <= left && text_is_utf8(at, length) ? length : 0;
}

/* How many characters of several bytes there are, and how many bytes that belong to none. */
static void count_utf8(const char *bytes, size_t length, size_t *good, size_t *bad)
{
    *good = *bad = 0;
    for (size_t i = 0, step; i < length; i += step) {
        i += text_ascii_run(bytes + i, length - i);
        if (i == length)
            break;
        step = sequence(bytes + i, length - i);
        if (step == 0) {
            ++*bad;
            step = 1;
        }
        *good += step > 1;
    }
}

/* Appends one well-formed character. */
static void put(struct strbuf *out, const char *at, size_t length, bool lf_follows)
{
    unsigned char c = (unsigned char)at[0];
    if (c == '\r') {
        if (!lf_follows)
            strbuf_add_char(out, '\n');
    } else if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f)) {
        strbuf_add(out, at, length);
    } else if (c == '\v' || c == '\f') {
        strbuf_add_char(out, '\n');
    }
}

static void put_utf8(struct strbuf *out, const char *bytes, size_t length)
{
    for (size_t i = 0, step; i < length; i += step) {
        size_t run = text_printable_run(bytes + i, length - i);
        strbuf_add(out, bytes + i, run);
        i += run;
        if (i == length)
            break;
        step = sequence(bytes + i, length - i);
        if (step == 0) {
            put(out, REPLACEMENT, strlen(REPLACEMENT), false);
            step = 1;
        } else {
            put(out, bytes + i, step, i + 1 < length && bytes[i + 1] == '\n');
        }
    }
}

/* Fills `out`; false, with nothing in it, if iconv knows no such charset. */
static bool convert(const char *charset, const char *bytes, size_t length, struct strbuf *out)
{
    char *in = (char *)(uintptr_t)bytes; /* iconv's prototype lacks the const */
    char chunk[4096];
    iconv_t converter = iconv_open("UTF-8", charset);
    if (converter == (iconv_t)-1)
        return false;
    while (length > 0 && !out->overflow) {
        char *to = chunk;
        size_t room = sizeof chunk;
        size_t done = iconv(converter, &in, &length, &to, &room);
        int why = errno;
        strbuf_add(out, chunk, sizeof chunk - room);
        if (done == (size_t)-1 && why != E2BIG) {
            strbuf_add_text(out, REPLACEMENT);
            in += length > 0;
            length -= length > 0;
        }
    }
    iconv_close(converter);
    return true;
}

void mail_charset_decode(const char *charset, const char *bytes, size_t length, struct strbuf *out)
{
    const char *meant = meant_by(charset);
    size_t good, bad;
    struct strbuf converted;
    count_utf8(bytes, length, &good, &bad);
    bool utf8 = meant != NULL && strcasecmp(meant, "utf-8") == 0;
    bool western = meant == NULL || strcasecmp(meant, WESTERN) == 0;
    bool as_utf8 = utf8 ? bad <= good : western && bad == 0;
    strbuf_init(&converted, out->max);
    strbuf_expect(out, length);
    if (!as_utf8 && (utf8 || western || !convert(meant, bytes, length, &converted))) {
        as_utf8 = bad == 0;
        if (!as_utf8)
            convert(WESTERN, bytes, length, &converted);
    }
    if (as_utf8)
        put_utf8(out, bytes, length);
    else
        put_utf8(out, converted.data, converted.length);
    out->overflow |= converted.overflow;
    strbuf_fini(&converted);
}

void mail_charset_of_html(const char *bytes, size_t length, char name[48])
{
    size_t end = length < META_MAX ? length : META_MAX, at = 0;
    name[0] = '\0';
    while (at + 8 < end && strncasecmp(bytes + at, "charset=", 8) != 0)
        at++;
    if (at + 8 >= end)
        return;
    at += 8;
    if (bytes[at] == '"' || bytes[at] == '\'')
        at++;
    size_t used = 0;
    while (at < end && used < LABEL_MAX &&
           (isalnum((unsigned char)bytes[at]) || strchr("-_.:+", bytes[at]) != NULL) &&
           bytes[at] != '\0')
        name[used++] = bytes[at++];
    name[used] = '\0';
}
