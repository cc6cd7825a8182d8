/* Reply and forward prefixes. compose writes them, reply asks whether a mail is a forward. The list
 * is data: what mail programs in use write, by language. */
#include "mail/subject.h"

#include <string.h>
#include <strings.h>

enum prefix_kind { PREFIX_REPLY, PREFIX_FORWARD };

static const struct {
    const char *word;
    enum prefix_kind kind;
} prefixes[] = {
    {"re", PREFIX_REPLY},           /* nearly all */
    {"fw", PREFIX_FORWARD},         /* Outlook */
    {"fwd", PREFIX_FORWARD},        /* Gmail, Apple Mail, Thunderbird */
    {"aw", PREFIX_REPLY},           /* German */
    {"antw", PREFIX_REPLY},         /* Dutch, German */
    {"antwort", PREFIX_REPLY},      /* German: Notes */
    {"wg", PREFIX_FORWARD},         /* German */
    {"doorst", PREFIX_FORWARD},     /* Dutch */
    {"sv", PREFIX_REPLY},           /* Swedish, Danish, Norwegian */
    {"vs", PREFIX_FORWARD},         /* Danish, Norwegian; in Finnish a reply */
    {"vb", PREFIX_FORWARD},         /* Swedish */
    {"vl", PREFIX_FORWARD},         /* Finnish */
    {"tr", PREFIX_FORWARD},         /* French */
    {"réf", PREFIX_REPLY},          /* French */
    {"ré", PREFIX_REPLY},           /* French */
    {"rif", PREFIX_REPLY},          /* Italian */
    {"r", PREFIX_REPLY},            /* Italian */
    {"i", PREFIX_FORWARD},          /* Italian */
    {"res", PREFIX_REPLY},          /* Portuguese */
    {"enc", PREFIX_FORWARD},        /* Portuguese */
    {"rv", PREFIX_FORWARD},         /* Spanish */
    {"odp", PREFIX_REPLY},          /* Polish */
    {"pd", PREFIX_FORWARD},         /* Polish */
    {"ynt", PREFIX_REPLY},          /* Turkish */
    {"ilt", PREFIX_FORWARD},        /* Turkish */
    {"İlt", PREFIX_FORWARD},        /* Turkish */
    {"İLT", PREFIX_FORWARD},        /* Turkish */
    {"vá", PREFIX_REPLY},           /* Hungarian */
    {"továbbítás", PREFIX_FORWARD}, /* Hungarian */
    {"Továbbítás", PREFIX_FORWARD}, /* Hungarian */
    {"回复", PREFIX_REPLY},         /* Chinese */
    {"回覆", PREFIX_REPLY},         /* Chinese */
    {"答复", PREFIX_REPLY},         /* Chinese */
    {"转发", PREFIX_FORWARD},       /* Chinese */
    {"轉寄", PREFIX_FORWARD},       /* Chinese */
};

/* The length of the prefix at the beginning with what surrounds it, 0 if there is none: a word,
 * perhaps a count in brackets, a colon, spaces. */
static size_t prefix_at(const char *subject, enum prefix_kind *kind)
{
    const char *word = subject + strspn(subject, " \t");
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t length = strlen(prefixes[i].word);
        if (strncasecmp(word, prefixes[i].word, length) != 0)
            continue;
        const char *at = word + length;
        if (*at == '[' || *at == '(') {
            size_t digits = strspn(at + 1, "0123456789");
            if (digits == 0 || (at[digits + 1] != ']' && at[digits + 1] != ')'))
                continue;
            at += digits + 2;
        }
        at += strspn(at, " ");
        size_t colon = *at == ':' ? 1 : strncmp(at, "：", 3) == 0 ? 3 : 0;
        if (colon == 0)
            continue;
        at += colon;
        *kind = prefixes[i].kind;
        return (size_t)(at + strspn(at, " \t") - subject);
    }
    return 0;
}

const char *mail_subject_reply(struct arena *arena, const char *subject)
{
    enum prefix_kind kind;
    if (prefix_at(subject, &kind) > 0 && kind == PREFIX_REPLY)
        return subject;
    subject += strspn(subject, " \t");
    return arena_printf(arena, subject[0] == '\0' ? "Re:%s" : "Re: %s", subject);
}

bool mail_subject_is_forward(const char *subject)
{
    enum prefix_kind kind;
    return prefix_at(subject, &kind) > 0 && kind == PREFIX_FORWARD;
}
