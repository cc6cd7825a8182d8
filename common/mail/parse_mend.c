/* Address fields that GMime 3.2 must not see as they are. A domain in brackets with a comment
 * behind it that never ends ("a@[x](") makes it lose memory with each parse, so that a stranger
 * could fill ours mail by mail: such a comment's parenthesis becomes a space. A group in a group in
 * a group ("a:a:a:") makes it call itself as often: beyond some, colons become spaces. And lists
 * without addresses ("x x, x x,") cost it the square of their length: of a field so much is read as
 * MAIL_VALUE_MAX allows, up to a comma. Found by tests/fuzz/address.c. Called by parse_headers.c.
 */
#include <string.h>

#include "mail/parse_inside.h"

#define MENDED_MAX 16 /* then comments are not looked at: each look may be as long as the field */
#define COLONS_MAX 50 /* of groups, routes and IPv6 addresses; each may be a call deeper */

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

static void mend_comments(char *field, char *end)
{
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

bool mail_parse_mend_field(char *field)
{
    size_t length = strlen(field);
    const bool cut = length > MAIL_VALUE_MAX;
    if (cut) {
        const char *comma = memrchr(field, ',', MAIL_VALUE_MAX);
        length = comma == NULL ? 0 : (size_t)(comma - field);
        field[length] = '\0';
    }
    char *end = field + length, *colon = field;
    mend_comments(field, end);
    for (int i = 0; (colon = memchr(colon, ':', (size_t)(end - colon))) != NULL; i++) {
        if (i >= COLONS_MAX)
            *colon = ' ';
        colon++;
    }
    return !cut;
}
