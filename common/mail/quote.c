/* The words above a quote by language, as data: each is an attribution that reply_words.c knows, so
 * that what our replies quote is never taken for new text. Dates are numbers, in the order of the
 * language. The responder calls it for each reply by mail. */
#include "mail/quote.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/text.h"

#define INTRO_MAX  1000
#define WHEN_SIZE  16 /* "2026-11-02 10:15" */
#define LINE_LEAST (MAIL_QUOTE_MAX / 2)

/* %y %m %d: the day; %t: the time; %a: who wrote. The first is what others get. */
static const struct {
    char language[3];
    const char *words;
} intros[] = {
    {"en", "On %y-%m-%d at %t, %a wrote:"},        {"de", "Am %d.%m.%y um %t schrieb %a:"},
    {"fr", "Le %d/%m/%y à %t, %a a écrit :"},      {"es", "El %d/%m/%y a las %t, %a escribió:"},
    {"it", "Il %d/%m/%y alle %t, %a ha scritto:"}, {"pt", "Em %d/%m/%y às %t, %a escreveu:"},
    {"nl", "Op %d-%m-%y om %t schreef %a:"},       {"pl", "W dniu %d.%m.%y o %t %a pisze:"},
    {"sv", "Den %y-%m-%d kl. %t skrev %a:"},       {"da", "Den %d.%m.%y kl. %t skrev %a:"},
    {"no", "Den %d.%m.%y kl. %t skrev %a:"},       {"nb", "Den %d.%m.%y kl. %t skrev %a:"},
};

static const char *words_of(const char *language)
{
    bool has_two = strcspn(language, "-_") == 2;
    for (size_t i = 0; has_two && i < sizeof intros / sizeof intros[0]; i++)
        if (strncasecmp(intros[i].language, language, 2) == 0)
            return intros[i].words;
    return intros[0].words;
}

const char *mail_quote_intro(struct arena *arena, const char *language, const char *when,
                             const char *address)
{
    struct strbuf out;
    if (strlen(when) != WHEN_SIZE)
        return "";
    strbuf_init(&out, INTRO_MAX);
    for (const char *c = words_of(language); *c != '\0'; c++) {
        if (*c != '%') {
            strbuf_add_char(&out, *c);
            continue;
        }
        c++;
        if (*c == 'y')
            strbuf_add(&out, when, 4);
        else if (*c == 'm')
            strbuf_add(&out, when + 5, 2);
        else if (*c == 'd')
            strbuf_add(&out, when + 8, 2);
        else
            strbuf_add_text(&out, *c == 't' ? when + 11 : address);
    }
    const char *intro = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return intro;
}

static bool is_space(char c)
{
    return c != '\0' && strchr(" \t\r\n", c) != NULL;
}

/* Where a text that is too long is cut: behind its last whole line, else its last whole word, if
 * that leaves most of it. */
static size_t cut_at(const char *text, size_t most)
{
    size_t line = most, word = most;
    while (line > LINE_LEAST && text[line] != '\n')
        line--;
    while (word > LINE_LEAST && !is_space(text[word]))
        word--;
    return line > LINE_LEAST ? line : word > LINE_LEAST ? word : most;
}

const char *mail_quote_text(struct arena *arena, const char *text)
{
    text += strspn(text, "\r\n");
    size_t length = text_utf8_prefix(text, MAIL_QUOTE_MAX);
    bool cut = text[length + strspn(text + length, " \t\r\n")] != '\0';
    if (cut)
        length = cut_at(text, length);
    while (length > 0 && is_space(text[length - 1]))
        length--;
    return arena_printf(arena, "%.*s%s", (int)length, text, cut ? "\n[...]" : "");
}
