/* The account through which a mailbox sends, as an URL:
 *
 *   smtps://USER@HOST[:465]                   TLS from the first byte (RFC 8314)
 *   smtp://USER@HOST[:587]                    STARTTLS, without which nothing is sent
 *   smtp[s]://USER@HOST?auth=xoauth2          the secret is an OAuth 2 access token, no password
 *   smtp://HOST[:PORT]?tls=none               a relay of our own network: no TLS, no account
 *
 * USER is percent-encoded ("desk%40clinic.example"); without one no AUTH is done. The password
 * never stands in the URL. Pure, any thread. */
#ifndef DESK_MAIL_SMTP_ACCOUNT_H
#define DESK_MAIL_SMTP_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define MAIL_SMTP_HOST_MAX 253
#define MAIL_SMTP_USER_MAX 254

enum mail_smtp_security {
    MAIL_SMTP_STARTTLS, /* required: a server that does not offer it gets no mail */
    MAIL_SMTP_TLS,      /* from the first byte */
    MAIL_SMTP_PLAIN,    /* asked for in so many words */
};

enum mail_smtp_auth {
    MAIL_SMTP_NO_AUTH,
    MAIL_SMTP_PASSWORD, /* PLAIN or LOGIN */
    MAIL_SMTP_XOAUTH2,
};

struct mail_smtp_account {
    char host[MAIL_SMTP_HOST_MAX + 1]; /* a name or an IPv4 address, lower case */
    char user[MAIL_SMTP_USER_MAX + 1]; /* "" without AUTH */
    int port;
    enum mail_smtp_security security;
    enum mail_smtp_auth auth;
};

/* Reads the URL. PERMANENT "smtp.account" with what to write instead. */
int mail_smtp_account_parse(const char *url, struct mail_smtp_account *account, struct err *err);

/* Reads the URL of an IMAP account, imaps://USER@HOST[:993] or imap://USER@HOST[:143] with
 * STARTTLS; never without TLS, as its secret is sent. PERMANENT "imap.account". */
int mail_imap_account_parse(const char *url, struct mail_smtp_account *account, struct err *err);

/* Which library speaks to it: libcurl for implicit TLS and XOAUTH2, which libesmtp has not; else
 * libesmtp, which has DSN and a code for each recipient. */
bool mail_smtp_account_wants_curl(const struct mail_smtp_account *account);

#endif
