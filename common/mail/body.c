/* Puts the sections of a mail together. mailpoller calls it after mail_parse; what it returns goes
 * to mail_reply_read. */
#include "mail/body.h"

#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"

#define STUB_SHARE  8   /* a plain form of less than an eighth of the HTML's text ... */
#define STUB_MIN    400 /* ... of at least so many bytes is a stub */
#define SPANS_MAX   4000
#define USUAL_BYTES 4000 /* of a mail's text: most have less */
#define GROWS       3    /* bytes of text that one of HTML becomes at most: a character of UTF-8 */

struct body {
    struct arena *arena;
    struct strbuf text;
    struct mail_span *spans;
    size_t span_count;
    bool cut;
    bool full; /* markup takes long to read: no more of it */
};

/* How many bytes are neither white space nor control characters, counted eight at a time: those
 * have a word's bit 7 after the sum, which carries nothing into the next byte. */
static size_t ink(const char *text)
{
    const uint64_t each = UINT64_C(0x0101010101010101), sevens = each * 0x7f;
    size_t left = strlen(text), count = 0;
    uint64_t word;
    for (; left >= sizeof word; left -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        word = (((word & sevens) + each * (0x7f - ' ')) | word) >> 7 & each;
        count += word * each >> 56;
    }
    for (; left > 0; left--, text++)
        count += (unsigned char)*text > ' ';
    return count;
}

/* Fills *html if the section is to be read from it. */
static bool is_html(struct arena *arena, const struct mail_section *section, struct mail_text *html)
{
    size_t plain = section->plain == NULL ? 0 : ink(section->plain);
    if (section->html == NULL)
        return false;
    if (plain > 0 && plain >= GROWS * section->html_length / STUB_SHARE)
        return false; /* no text of it can be so long that this is a stub */
    mail_html_read(arena, section->html, section->html_length, html);
    if (plain == 0)
        return true;
    size_t other = ink(html->text);
    return other >= STUB_MIN && plain < other / STUB_SHARE;
}

static void add_text(struct body *body, const char *text)
{
    size_t room = body->text.max - body->text.length, length = strlen(text);
    if (length > room) {
        body->cut = body->full = true;
        for (length = room; length > 0 && text[length - 1] != '\n';)
            length--;
    }
    strbuf_add(&body->text, text, length);
}

static void add_section(struct body *body, const struct mail_text *from)
{
    if (body->text.length > 0 && from->text[0] != '\0')
        add_text(body, body->text.data[body->text.length - 1] == '\n' ? "\n" : "\n\n");
    size_t start = body->text.length;
    add_text(body, from->text);
    body->cut |= from->cut;
    if (from->span_count > 0 && body->spans == NULL)
        body->spans = arena_alloc(body->arena, SPANS_MAX * sizeof *body->spans);
    for (size_t i = 0; i < from->span_count && body->span_count < SPANS_MAX; i++) {
        struct mail_span span = from->spans[i];
        span.from += start;
        span.to += start;
        if (span.to <= body->text.length)
            body->spans[body->span_count++] = span;
    }
}

void mail_body_read(struct arena *arena, const struct mail *mail, struct mail_text *out)
{
    struct body body = {.arena = arena};
    strbuf_init(&body.text, MAIL_BODY_MAX);
    strbuf_expect(&body.text, USUAL_BYTES);
    for (size_t i = 0; i < mail->section_count && !body.full; i++) {
        struct mail_text html, plain = {.text = mail->sections[i].plain};
        if (is_html(arena, &mail->sections[i], &html))
            add_section(&body, &html);
        else if (plain.text != NULL)
            add_section(&body, &plain);
    }
    *out = (struct mail_text){
        .text = arena_strndup(arena, body.text.data, body.text.length),
        .spans = body.spans,
        .span_count = body.span_count,
        .cut = body.cut || mail->cut,
    };
    strbuf_fini(&body.text);
}
