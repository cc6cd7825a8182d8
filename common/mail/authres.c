/* Reads Authentication-Results as far as the three methods go that say who sent a mail. Comments,
 * which may hold anything, are taken out first. classify's caller asks it before account facts are
 * told. Source: RFC 8601; Microsoft 365's form without a server's name. */
#include "mail/authres.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "mail/address.h"

#define STATEMENTS_MAX 40
#define LETTER_MAX     4 /* bytes of one in UTF-8: a value may be cut before it */

static const struct {
    const char *word;
    enum mail_auth_result result;
} results[] = {
    {"pass", MAIL_AUTH_PASS},        {"fail", MAIL_AUTH_FAIL},
    {"hardfail", MAIL_AUTH_FAIL},    {"none", MAIL_AUTH_NONE},
    {"softfail", MAIL_AUTH_UNSURE},  {"neutral", MAIL_AUTH_UNSURE},
    {"policy", MAIL_AUTH_UNSURE},    {"bestguesspass", MAIL_AUTH_UNSURE},
    {"temperror", MAIL_AUTH_UNSURE}, {"permerror", MAIL_AUTH_UNSURE},
};

const char *mail_auth_name(enum mail_auth_result result)
{
    static const char *const names[] = {"none", "pass", "fail", "unsure"};
    return names[result];
}

/* The value without comments. Of a quoted text a quote is left: nothing that we read is in one, and
 * what stands beside one is no domain. NULL if a comment or a quoted text does not end, or if the
 * value was cut: what would follow is not known, so that nothing of it counts. */
static char *without_comments(struct arena *arena, const char *value)
{
    char *out = arena_strdup(arena, value), *to = out;
    int depth = 0;
    bool quoted = false;
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\\' && c[1] != '\0' && (quoted || depth > 0))
            c++;
        else if (*c == '"' && depth == 0)
            quoted = !quoted;
        else if (*c == '(' && !quoted)
            depth++;
        else if (*c == ')' && !quoted && depth > 0)
            depth--;
        else if (depth == 0 && !quoted)
            *to++ = *c;
        if (*c == '"' && depth == 0 && !quoted)
            *to++ = '"';
    }
    *to = '\0';
    return depth > 0 || quoted || strlen(value) + LETTER_MAX > MAIL_VALUE_MAX ? NULL : out;
}

/* Cuts at the next `separators` character; moves *rest behind it. NULL at the end. */
static char *next_piece(char **rest, const char *separators)
{
    char *piece = *rest;
    if (piece == NULL)
        return NULL;
    size_t length = strcspn(piece, separators);
    *rest = piece[length] == '\0' ? NULL : piece + length + 1;
    piece[length] = '\0';
    return piece;
}

static bool is_trusted(const char *server, const char *const *trusted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(server, trusted[i]) == 0)
            return true;
    return false;
}

/* The server's name, "" if the first statement is a result already. Of a value that is void as
 * well: what a stranger wrote into it stands behind. */
static const char *server_of(struct arena *arena, const char *value)
{
    char *rest = without_comments(arena, value);
    if (rest == NULL)
        rest = arena_strdup(arena, value);
    char *first = next_piece(&rest, ";");
    first += strspn(first, " ");
    first[strcspn(first, " ")] = '\0'; /* a version may follow */
    return strchr(first, '=') != NULL ? "" : first;
}

static enum mail_auth_result result_of(const char *word)
{
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (strcasecmp(word, results[i].word) == 0)
            return results[i].result;
    return MAIL_AUTH_UNSURE;
}

/* One statement: "dkim=pass header.d=example.com". */
struct statement {
    const char *method;
    enum mail_auth_result result;
    const char *domain; /* of the property that the method checked; "" */
};

static struct statement read_statement(char *text)
{
    static const struct {
        const char *method, *property;
    } properties[] = {
        {"dkim", "header.d"},
        {"dmarc", "header.from"},
        {"spf", "smtp.mailfrom"},
    };
    struct statement statement = {"", MAIL_AUTH_NONE, ""};
    char *rest = text;
    for (char *piece; (piece = next_piece(&rest, " ")) != NULL;) {
        char *value = strchr(piece, '=');
        if (value == NULL)
            continue;
        *value++ = '\0';
        if (statement.method[0] == '\0') {
            piece[strcspn(piece, "/")] = '\0'; /* a version: dkim/1 */
            statement.method = piece;
            statement.result = result_of(value);
            continue;
        }
        for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
            if (strcasecmp(statement.method, properties[i].method) == 0 &&
                strcasecmp(piece, properties[i].property) == 0)
                statement.domain = strchr(value, '@') != NULL ? mail_address_domain(value) : value;
    }
    return statement;
}

/* A pass stands against a failure of the same method: a mail may carry several signatures. */
static void settle(enum mail_auth_result *to, enum mail_auth_result result)
{
    if (*to == MAIL_AUTH_NONE || result == MAIL_AUTH_PASS)
        *to = result;
}

/* Of DMARC a server tells one result. Where there are two, somebody wrote the other one: a pass
 * stands against nothing. */
static void settle_dmarc(enum mail_auth_result *to, bool first, enum mail_auth_result result)
{
    if (first || *to == MAIL_AUTH_PASS || result == MAIL_AUTH_FAIL)
        *to = result;
}

/* False if there are more statements than are read: one that counts may be among them. */
static bool read_results(char *rest, const char *from_domain, struct mail_auth *out)
{
    int dmarcs = 0;
    bool dmarc_told = false, dmarc_fits = false, aligned = false;
    for (int i = 0; i < STATEMENTS_MAX; i++) {
        char *piece = next_piece(&rest, ";");
        if (piece == NULL)
            break;
        struct statement s = read_statement(piece);
        bool fits = s.result == MAIL_AUTH_PASS && from_domain[0] != '\0' &&
                    strcasecmp(s.domain, from_domain) == 0;
        if (strcasecmp(s.method, "dmarc") == 0) {
            settle_dmarc(&out->dmarc, dmarcs++ == 0, s.result);
            dmarc_told |= s.result != MAIL_AUTH_NONE;
            dmarc_fits |= fits;
        } else if (strcasecmp(s.method, "dkim") == 0) {
            settle(&out->dkim, s.result);
            aligned |= fits;
        } else if (strcasecmp(s.method, "spf") == 0) {
            settle(&out->spf, s.result);
            aligned |= fits;
        }
    }
    out->verified = dmarc_told ? dmarc_fits && out->dmarc == MAIL_AUTH_PASS : aligned;
    return rest == NULL;
}

void mail_auth_read(struct arena *arena, const struct mail *mail, const char *const *trusted,
                    size_t trusted_count, struct mail_auth *out)
{
    *out = (struct mail_auth){0};
    for (size_t i = 0; i < mail->header_count; i++) {
        const struct mail_header *header = &mail->headers[i];
        if (strcasecmp(header->name, "Authentication-Results") != 0 ||
            !is_trusted(server_of(arena, header->value), trusted, trusted_count))
            continue;
        bool known = !mail->odd_from && mail->from.count == 1;
        const char *domain = known ? mail_address_domain(mail->from.items[0].address) : "";
        char *value = without_comments(arena, header->value);
        out->found = true;
        if (value == NULL || !read_results(value, domain, out))
            *out = (struct mail_auth){.found = true};
        return;
    }
}
