/* What a text of each kind must look like. fields.c calls it. */
#include "field_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/uuid.h"

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

static const char *check_language(const char *text)
{
    size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    const char *rest = text + letters;
    bool region = rest[0] == '-' && isupper((unsigned char)rest[1]) &&
                  isupper((unsigned char)rest[2]) && rest[3] == '\0';
    return (letters == 2 || letters == 3) && (*rest == '\0' || region)
               ? NULL
               : "must be a language tag, like en or en-US";
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

static const char *check_date(const char *text)
{
    static const char shape[] = "0000-00-00", hint[] = "must be a date, like 2026-09-23";
    size_t length = strlen(text);
    for (size_t i = 0; i <= length; i++)
        if (i >= sizeof shape ||
            (shape[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i]))
            return hint;
    int month = (text[5] - '0') * 10 + text[6] - '0', day = (text[8] - '0') * 10 + text[9] - '0';
    return month >= 1 && month <= 12 && day >= 1 && day <= 31 ? NULL : hint;
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
    [FIELD_SLUG] = check_slug, [FIELD_ZONE] = check_zone,       [FIELD_LANGUAGE] = check_language,
    [FIELD_E164] = check_e164, [FIELD_ACCOUNT] = check_account, [FIELD_SERVICE] = check_service,
    [FIELD_NAME] = check_name, [FIELD_DATE] = check_date,       [FIELD_URL] = check_url,
};

const char *field_check_text(enum field_kind kind, const char *text)
{
    return checks[kind](text);
}
