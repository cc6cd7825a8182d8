/* Address fields that GMime 3.2 must not see as they are: a domain in brackets with a comment
 * behind it that never ends ("a@[x](") makes it lose memory with each parse, so that a stranger
 * could fill ours mail by mail. Such a comment's parenthesis becomes a space. Found by
 * tests/fuzz/address.c. */
#include <string.h>
#include <strings.h>

#include "mail/parse_inside.h"

#define FIELD_MAX  (64u * 1024) /* looked back at for the field's name */
#define MENDED_MAX 16 /* then comments are not looked at: each look may be as long as the field */

/* The fields that GMime parses by itself, as soon as it sees a mail's header. */
static const char *const fields[] = {"From:", "Sender:", "Reply-To:", "To:", "Cc:", "Bcc:"};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the comment that begins at `at` (RFC 5322 section 3.2.2); NULL if it does not end. */
static char *comment_end(char *at, const char *end)
{
    int depth = 0;
    for (; at < end; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        else if (*at == '(')
            depth++;
        else if (*at == ')' && --depth == 0)
            return at + 1;
    }
    return NULL;
}

void mail_parse_mend_field(char *field, size_t length)
{
    char *end = field + length;
    int mended = 0;
    for (char *at = field; (at = memchr(at, ']', (size_t)(end - at))) != NULL;) {
        at++;
        while (at < end && (is_space(*at) || *at == '(')) {
            char *behind = at + 1;
            if (*at == '(')
                behind = mended < MENDED_MAX ? comment_end(at, end) : NULL;
            if (behind != NULL) {
                at = behind;
                continue;
            }
            *at = ' ';
            mended++;
        }
    }
}

/* Where the line begins that `at` is in, or that its line continues. */
static char *field_start(char *bytes, char *at)
{
    char *first = at - bytes > (ptrdiff_t)FIELD_MAX ? at - FIELD_MAX : bytes;
    while (at > first && (at[-1] != '\n' || *at == ' ' || *at == '\t'))
        at--;
    return at;
}

static char *field_end(char *at, char *end)
{
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at == end || (*at != ' ' && *at != '\t'))
            return at;
    }
    return end;
}

static bool has_addresses(const char *field, const char *end)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t length = strlen(fields[i]);
        if ((size_t)(end - field) >= length && strncasecmp(field, fields[i], length) == 0)
            return true;
    }
    return false;
}

void mail_parse_mend(char *bytes, size_t length)
{
    if (length == 0)
        return;
    char *end = bytes + length;
    for (char *at = bytes; (at = memchr(at, ']', (size_t)(end - at))) != NULL;) {
        char *next = at + 1;
        while (next < end && is_space(*next))
            next++;
        if (next < end && *next == '(') {
            char *field = field_start(bytes, at);
            char *over = field_end(at, end);
            if (has_addresses(field, end))
                mail_parse_mend_field(field, (size_t)(over - field));
            next = over;
        }
        at = next;
    }
}
