/* What an address may consist of. The strict grammar is what keeps a customer's text out of SMTP
 * commands; compose, token and classify call it. */
#include "mail/address.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63

static bool is_local(const char *at, size_t length)
{
    if (length == 0 || length > MAIL_LOCAL_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)at[i]) && strchr("!#$%&'*+-/=?^_`{|}~.", at[i]) == NULL)
            return false;
    return true;
}

static bool is_label(const char *at, size_t length)
{
    if (length == 0 || length > LABEL_MAX || at[0] == '-' || at[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)at[i]) && at[i] != '-')
            return false;
    return true;
}

static bool is_domain(const char *at)
{
    for (;;) {
        size_t length = strcspn(at, ".");
        if (!is_label(at, length))
            return false;
        if (at[length] == '\0')
            return true;
        at += length + 1;
    }
}

bool mail_address_is_plain(const char *address)
{
    const char *at = strchr(address, '@');
    return at != NULL && strlen(address) <= MAIL_ADDRESS_MAX &&
           is_local(address, (size_t)(at - address)) && is_domain(at + 1);
}

const char *mail_address_lower(struct arena *arena, const char *address)
{
    char *copy = arena_strdup(arena, address);
    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

const char *mail_address_domain(const char *address)
{
    const char *at = strrchr(address, '@');
    return at == NULL ? "" : at + 1;
}

bool mail_address_equal(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}
