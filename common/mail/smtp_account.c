/* Reads the URL of a sending account, strictly: what is not known is an error with its mend,
 * because a silently ignored "?tls=" would send passwords in the clear. The responder reads each
 * channel's.
 */
#include "mail/smtp_account.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define URL_MAX        1000
#define PORT_TEXT_SIZE 8

/* What the URLs of two protocols differ in. */
struct scheme {
    const char *code;
    const char *account; /* as messages call it */
    const char *tls, *starttls, *form;
    int tls_port, starttls_port;
};

static const struct scheme smtp = {"smtp.account",
                                   "SMTP account",
                                   "smtps://",
                                   "smtp://",
                                   "smtps://USER@HOST or smtp://USER@HOST",
                                   465,
                                   587};
static const struct scheme imap = {"imap.account",
                                   "IMAP account",
                                   "imaps://",
                                   "imap://",
                                   "imaps://USER@HOST or imap://USER@HOST",
                                   993,
                                   143};

static int refuse(const struct scheme *scheme, struct err *err, const char *why)
{
    return err_set(err, ERR_PERMANENT, scheme->code, "the mailbox's %s %s; write it like %s:%d",
                   scheme->account, why, scheme->form, scheme->starttls_port);
}

/* Takes what stands before `stop`, if there is one; moves *at behind it. */
static bool take_until(const char **at, const char *end, char stop, const char **part,
                       size_t *length)
{
    const char *found = memchr(*at, stop, (size_t)(end - *at));
    if (found == NULL)
        return false;
    *part = *at;
    *length = (size_t)(found - *at);
    *at = found + 1;
    return true;
}

/* Printable ASCII only: the user's name is sent in a command. */
static int decode_user(const struct scheme *scheme, const char *text, size_t length,
                       char out[MAIL_SMTP_USER_MAX + 1], struct err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        int c = (unsigned char)text[i];
        if (c == ':')
            return refuse(scheme, err,
                          "has a password in its URL; give it as file:PATH or env:NAME");
        if (c == '%') {
            int high = i + 2 < length ? text_hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? text_hex_digit(text[i + 2]) : -1;
            if (low < 0)
                return refuse(scheme, err, "has a broken %-escape in its user");
            c = high * 16 + low;
            i += 2;
        }
        if (c <= ' ' || c >= 0x7f || used >= MAIL_SMTP_USER_MAX)
            return refuse(scheme, err, "has a user that is too long or not printable ASCII");
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return used > 0 ? 0 : refuse(scheme, err, "has an empty user before the @");
}

static int read_host(const struct scheme *scheme, const char *text, size_t length,
                     struct mail_smtp_account *out, struct err *err)
{
    const char *colon = memchr(text, ':', length);
    size_t name = colon == NULL ? length : (size_t)(colon - text);
    if (name == 0 || name > MAIL_SMTP_HOST_MAX)
        return refuse(scheme, err, "has no host, or a very long one");
    for (size_t i = 0; i < name; i++) {
        bool inner = i > 0 && i + 1 < name && text[i - 1] != '.';
        if (!isalnum((unsigned char)text[i]) && !(inner && (text[i] == '-' || text[i] == '.')))
            return refuse(scheme, err, "has a host that is no name and no IPv4 address");
        out->host[i] = (char)tolower((unsigned char)text[i]);
    }
    out->host[name] = '\0';
    out->port = out->security == MAIL_SMTP_TLS ? scheme->tls_port : scheme->starttls_port;
    if (colon == NULL)
        return 0;
    char digits[PORT_TEXT_SIZE];
    int64_t port;
    snprintf(digits, sizeof digits, "%.*s", (int)(length - name - 1), colon + 1);
    if (length - name - 1 >= sizeof digits || !text_parse_int(digits, 1, 65535, &port))
        return refuse(scheme, err, "has a port that is no number up to 65535");
    out->port = (int)port;
    return 0;
}

static int read_options(const struct scheme *scheme, const char *text,
                        struct mail_smtp_account *out, struct err *err)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "&");
        if (length == 8 && strncmp(text, "tls=none", length) == 0 &&
            out->security == MAIL_SMTP_STARTTLS)
            out->security = MAIL_SMTP_PLAIN;
        else if (length == 12 && strncmp(text, "auth=xoauth2", length) == 0)
            out->auth = MAIL_SMTP_XOAUTH2;
        else
            return refuse(scheme, err, "has an option other than auth=xoauth2 and tls=none");
        text += length + (text[length] == '&');
    }
    return 0;
}

static int parse(const struct scheme *scheme, const char *url, struct mail_smtp_account *account,
                 struct err *err)
{
    struct mail_smtp_account out = {.security = MAIL_SMTP_STARTTLS};
    if (strlen(url) > URL_MAX)
        return refuse(scheme, err, "is too long");
    if (strncmp(url, scheme->tls, strlen(scheme->tls)) == 0)
        out.security = MAIL_SMTP_TLS;
    else if (strncmp(url, scheme->starttls, strlen(scheme->starttls)) != 0)
        return refuse(scheme, err, "begins with neither of its two schemes");
    const char *at = strstr(url, "://") + 3, *end = at + strcspn(at, "/?"), *user;
    size_t length;
    if (take_until(&at, end, '@', &user, &length)) {
        if (decode_user(scheme, user, length, out.user, err) != 0)
            return -1;
        out.auth = MAIL_SMTP_PASSWORD;
    }
    if (read_host(scheme, at, (size_t)(end - at), &out, err) != 0)
        return -1;
    end += *end == '/';
    if (*end != '\0' && *end != '?')
        return refuse(scheme, err, "has a path");
    if (*end == '?' && read_options(scheme, end + 1, &out, err) != 0)
        return -1;
    if (out.security == MAIL_SMTP_PLAIN && out.auth != MAIL_SMTP_NO_AUTH)
        return refuse(scheme, err,
                      "would send its secret without TLS; leave out ?tls=none or the user");
    if (out.auth == MAIL_SMTP_XOAUTH2 && out.user[0] == '\0')
        return refuse(scheme, err, "has no user for auth=xoauth2");
    *account = out;
    return 0;
}

int mail_smtp_account_parse(const char *url, struct mail_smtp_account *account, struct err *err)
{
    return parse(&smtp, url, account, err);
}

int mail_imap_account_parse(const char *url, struct mail_smtp_account *account, struct err *err)
{
    struct mail_smtp_account out;
    if (parse(&imap, url, &out, err) != 0)
        return -1;
    if (out.user[0] == '\0')
        return refuse(&imap, err, "has no user before an @");
    *account = out;
    return 0;
}

bool mail_smtp_account_wants_curl(const struct mail_smtp_account *account)
{
    return account->security == MAIL_SMTP_TLS || account->auth == MAIL_SMTP_XOAUTH2;
}
