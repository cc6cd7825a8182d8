/* Mail addresses as they may stand in a header and in an SMTP command. Pure, any thread. */
#ifndef DESK_MAIL_ADDRESS_H
#define DESK_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

#define MAIL_ADDRESS_MAX 254 /* bytes; RFC 5321's path of 256 without its angles */
#define MAIL_LOCAL_MAX   64  /* bytes before the "@" */

/* A mailbox as a header names it. */
struct mail_address {
    const char *name;    /* decoded UTF-8 on one line; "" if it has none */
    const char *address; /* as written: local part, "@", domain */
};

struct mail_addresses {
    const struct mail_address *items;
    size_t count;
};

/* True if mail can be sent to it as it stands, without quotes and without SMTPUTF8: ASCII, a local
 * part of 1 to MAIL_LOCAL_MAX letters, digits, dots and !#$%&'*+-/=?^_`{|}~, a domain of labels of
 * letters, digits and hyphens; at most MAIL_ADDRESS_MAX bytes. Nothing of that can end a header or
 * a command. Dots may stand anywhere in the local part, as some providers give them out. */
bool mail_address_is_plain(const char *address);

/* The address with ASCII letters lower-cased, in the arena: how addresses are compared. */
const char *mail_address_lower(struct arena *arena, const char *address);

/* What follows the last "@", or "" if there is none. Borrowed from the address. */
const char *mail_address_domain(const char *address);

/* True if the addresses are equal but for the case of ASCII letters. */
bool mail_address_equal(const char *a, const char *b);

#endif
