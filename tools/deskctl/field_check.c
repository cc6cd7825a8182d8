/* What a text of each kind must look like. fields.c calls it. */
#include "field_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/uuid.h"
#include "contract/directory_voice.h"
#include "contract/twiml.h"

static bool is_prefixed_hex(const char *text, const char *prefix)
{
    return strncmp(text, prefix, 2) == 0 && strlen(text) == 34 &&
           text[2 + strspn(text + 2, "0123456789abcdef")] == '\0';
}

static const char *check_slug(const char *text)
{
    size_t length = strlen(text);
    bool fits = length >= 2 && length <= 40 && islower((unsigned char)*text) &&
                text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0' &&
                text[length - 1] != '-';
    return fits ? NULL
                : "must be 2-40 small letters, digits and dashes, starting with a letter, like "
                  "brightwater-dental";
}

static const char *check_ident(const char *text)
{
    bool fits = islower((unsigned char)*text) &&
                text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
    return fits ? NULL
                : "must be small letters, digits and _, starting with a letter, like "
                  "insurance_card";
}

static const char *check_zone(const char *text)
{
    static const char hint[] = "must be a time zone name of the IANA list, like America/New_York";
    char path[200];
    size_t length = strlen(text);
    if (length < 3 || length > 60 || !isupper((unsigned char)*text) || strstr(text, "//") != NULL ||
        text[length - 1] == '/')
        return hint;
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("/_+-", *c) == NULL)
            return hint;
    /* The database has the last word; here only a machine that has the list can tell. */
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", text);
    if (access("/usr/share/zoneinfo/UTC", R_OK) == 0 && access(path, R_OK) != 0)
        return hint;
    return NULL;
}

/* Of BCP 47 what names a spoken language: its letters, a script, a region. */
static const char *check_language(const char *text)
{
    static const char small[] = "abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789";
    const char *rest = text + strspn(text, small);
    bool known = rest - text == 2 || rest - text == 3;
    if (rest[0] == '-' && isupper((unsigned char)rest[1]) && strspn(rest + 2, small) == 3)
        rest += 5;
    if (rest[0] == '-' && isupper((unsigned char)rest[1]) && isupper((unsigned char)rest[2]))
        rest += 3;
    else if (rest[0] == '-' && strspn(rest + 1, digits) == 3)
        rest += 4;
    return known && *rest == '\0' ? NULL : "must be a language tag, like en or en-US";
}

static const char *check_e164(const char *text)
{
    return text_is_e164(text) ? NULL
                              : "must be a number with + and country code, no spaces, like "
                                "+15550100101";
}

static const char *check_account(const char *text)
{
    struct uuid id;
    return is_prefixed_hex(text, "AC") || uuid_parse(text, &id)
               ? NULL
               : "must be AC and 32 small hexadecimal digits, as the Twilio console shows it";
}

static const char *check_service(const char *text)
{
    return is_prefixed_hex(text, "MG")
               ? NULL
               : "must be MG and 32 small hexadecimal digits; leave it out to send from the number";
}

static const char *check_name(const char *text)
{
    size_t length = strlen(text);
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f)
            length = 0;
    return length > 0 && length <= 100
               ? NULL
               : "must be a name of 1-100 characters without spaces, like gpt-4o-mini";
}

/* What Twilio takes as the name of a voice or of a speech model (contract/twiml.h). */
static const char *check_word(const char *text)
{
    return twiml_is_word(text) && strlen(text) <= DIRECTORY_PROVIDER_MAX
               ? NULL
               : "must be the provider's name for it, like Joanna-Neural: 1-64 letters, digits and "
                 "the signs . _ -";
}

static const char *check_date(const char *text)
{
    return text_is_date(text) ? NULL : "must be a date, like 2026-09-23";
}

/* An address as it is called: what check_url forbids a base may be there, a user and a fragment may
 * not. */
static const char *check_endpoint(const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : NULL;
    if (host == NULL)
        return "must start with https:// (or http:// inside your own network)";
    if (strlen(text) > 400)
        return "is longer than 400 characters";
    if (*host == '\0' || strchr("/:?#", *host) != NULL)
        return "names no host";
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || (unsigned char)*c >= 0x7f)
            return "must be plain ASCII without spaces";
    if (strpbrk(host, "#\\") != NULL || memchr(host, '@', strcspn(host, "/?")) != NULL)
        return "must have no user and no fragment (a key goes into secret:)";
    return NULL;
}

static const char *check_url(const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : NULL;
    if (host == NULL)
        return "must start with https:// (or http:// inside your own network)";
    if (strlen(text) > 400)
        return "is longer than 400 characters";
    if (*host == '\0' || *host == '/' || *host == ':')
        return "names no host";
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || (unsigned char)*c >= 0x7f)
            return "must be plain ASCII without spaces";
    if (strpbrk(host, "@?#\\") != NULL)
        return "must be a base address: no user, no query, no fragment (a key goes into key:)";
    return NULL;
}

static const char *(*const checks[])(const char *text) = {
    [FIELD_SLUG] = check_slug,         [FIELD_IDENT] = check_ident,
    [FIELD_ZONE] = check_zone,         [FIELD_LANGUAGE] = check_language,
    [FIELD_E164] = check_e164,         [FIELD_ACCOUNT] = check_account,
    [FIELD_SERVICE] = check_service,   [FIELD_NAME] = check_name,
    [FIELD_WORD] = check_word,         [FIELD_DATE] = check_date,
    [FIELD_ENDPOINT] = check_endpoint, [FIELD_URL] = check_url,
};

const char *field_check_text(enum field_kind kind, const char *text)
{
    return checks[kind](text);
}
