/* Writing and reading what a mailbox logs in with; a table of its lines does both. Lines and not
 * JSON, so that no parser leaves copies of secrets behind. */
#include "mail/login.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypto/crypto.h"

static const struct {
    const char *name;
    size_t offset; /* of the member: a struct secret *, or a char * */
    bool is_secret;
} lines[] = {
    {"password", offsetof(struct mail_login, password), true},
    {"token_url", offsetof(struct mail_login, token_url), false},
    {"client_id", offsetof(struct mail_login, client_id), false},
    {"scope", offsetof(struct mail_login, scope), false},
    {"client_secret", offsetof(struct mail_login, client_secret), true},
    {"refresh_token", offsetof(struct mail_login, refresh_token), true},
};

#define LINES (sizeof lines / sizeof lines[0])

/* The member of that line, in whichever of its two types it is; NULL for the other. */
static struct secret **secret_at(struct mail_login *login, size_t line)
{
    void *member = (char *)login + lines[line].offset;
    return lines[line].is_secret ? member : NULL;
}

static char **text_at(struct mail_login *login, size_t line)
{
    void *member = (char *)login + lines[line].offset;
    return lines[line].is_secret ? NULL : member;
}

/* ---- writing ---- */

static void add_line(struct strbuf *out, const char *name, const char *value, bool *good)
{
    if (value == NULL || value[0] == '\0')
        return;
    if (value[strcspn(value, "\r\n")] != '\0')
        *good = false;
    strbuf_printf(out, "%s %s\n", name, value);
}

static const char *reveal(const struct secret *secret)
{
    return secret != NULL ? secret_reveal(secret) : NULL;
}

int mail_login_wrap(const struct mail_login *login, const struct secret *key, const char *context,
                    struct strbuf *hex, struct err *err)
{
    const struct oauth_grant *grant = &login->grant;
    const char *const values[LINES] = {reveal(login->password),
                                       grant->token_url,
                                       grant->client_id,
                                       grant->scope,
                                       reveal(grant->client_secret),
                                       reveal(grant->refresh_token)};
    struct strbuf text, wrapped;
    bool good = true;
    strbuf_init(&text, MAIL_LOGIN_MAX / 2);
    for (size_t i = 0; i < LINES; i++)
        add_line(&text, lines[i].name, values[i], &good);
    good = good && !text.overflow && text.length > 0;
    strbuf_init(&wrapped, MAIL_LOGIN_MAX);
    if (good)
        crypto_wrap(key, context, text.data, text.length, &wrapped);
    text_add_hex(hex, wrapped.data, wrapped.length);
    strbuf_fini(&wrapped);
    if (text.length > 0)
        explicit_bzero(text.data, text.length);
    strbuf_fini(&text);
    return good ? 0
                : err_set(err, ERR_PERMANENT, "mail.login",
                          "what the mailbox logs in with is empty, too long, or has line ends");
}

const char *mail_login_wrap_text(struct arena *arena, const struct mail_login *login,
                                 const struct secret *key, const char *context, struct err *err)
{
    struct strbuf hex;
    const char *text = NULL;
    strbuf_init(&hex, 2 * MAIL_LOGIN_MAX);
    if (mail_login_wrap(login, key, context, &hex, err) == 0)
        text = arena_strdup(arena, hex.data);
    strbuf_fini(&hex);
    return text;
}

/* ---- reading ---- */

static void take_line(struct mail_login *login, const char *name, size_t name_length,
                      const char *value, size_t length)
{
    for (size_t i = 0; i < LINES; i++) {
        if (strlen(lines[i].name) != name_length || memcmp(lines[i].name, name, name_length) != 0)
            continue;
        struct secret **secret = secret_at(login, i);
        char **text = text_at(login, i);
        if (secret != NULL && *secret == NULL)
            *secret = secret_new(value, length);
        else if (text != NULL && *text == NULL)
            *text = xstrndup(value, length);
    }
}

static void take_lines(struct mail_login *login, const struct secret *text)
{
    for (const char *at = secret_reveal(text); *at != '\0';) {
        size_t length = strcspn(at, "\n"), name = strcspn(at, " ");
        if (name < length)
            take_line(login, at, name, at + name + 1, length - name - 1);
        at += length + (at[length] == '\n');
    }
    login->grant = (struct oauth_grant){
        .token_url = login->token_url,
        .client_id = login->client_id != NULL ? login->client_id : "",
        .scope = login->scope != NULL ? login->scope : "",
        .client_secret = login->client_secret,
        .refresh_token = login->refresh_token,
    };
}

int mail_login_open(const struct secret *const *keys, size_t count, const char *context,
                    const char *hex, struct mail_login **login, struct err *err)
{
    uint8_t wrapped[MAIL_LOGIN_MAX];
    size_t length = strlen(hex) / 2;
    if (length > sizeof wrapped || !text_parse_hex(hex, wrapped, length))
        length = 0; /* opens with no key */
    struct secret *text = NULL;
    struct err why;
    if (crypto_unwrap(keys, count, context, wrapped, length, &text, &why) != 0)
        return err_set(err, ERR_PERMANENT, "mail.login",
                       "what the mailbox logs in with does not open with this credentials key; add "
                       "the mailbox with --replace");
    struct mail_login *opened = xcalloc(1, sizeof *opened);
    take_lines(opened, text);
    secret_free(&text);
    if (opened->password == NULL && opened->token_url == NULL) {
        mail_login_free(&opened);
        return err_set(err, ERR_PERMANENT, "mail.login",
                       "what the mailbox logs in with is neither password nor grant; add the "
                       "mailbox with --replace");
    }
    *login = opened;
    return 0;
}

void mail_login_free(struct mail_login **login)
{
    struct mail_login *closing = *login;
    if (closing == NULL)
        return;
    *login = NULL;
    for (size_t i = 0; i < LINES; i++) {
        struct secret **secret = secret_at(closing, i);
        char **text = text_at(closing, i);
        if (secret != NULL)
            secret_free(secret);
        if (text != NULL)
            free(*text);
    }
    free(closing);
}
