/* Which network addresses a request may go to whose host a tenant chose.
 *
 * A tenant's tool runs inside the installation's network: without this guard its URL could name the
 * database, a metadata service or the machine itself. Only public unicast addresses are let through
 * (IANA's special-purpose registries: RFC 6890 and what updates it), and what the operator lists.
 * An address that carries an IPv4 address (mapped, NAT64, 6to4) is judged by that one. Any thread;
 * a list never changes. */
#ifndef DESK_HTTP_ADDRESS_H
#define DESK_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"

#define ADDRESS_LIST_MAX 64

struct address_list;

/* Reads "127.0.0.0/8,10.1.2.3,fd00::/8": at most 64 networks or addresses, a comma between, no
 * spaces; "" is the empty list. Returns 0 and an owned list in *list, or -1: PERMANENT
 * "address.list" with the part that is wrong, also for bits behind the prefix. */
int address_list_parse(const char *text, struct address_list **list, struct err *err);

/* Frees; sets *list to NULL; accepts NULL. */
void address_list_free(struct address_list **list);

/* True if a connection to the address is to a public unicast one, or to one on the list (NULL:
 * none) as itself or by the IPv4 address that it carries. Anything but IPv4 and IPv6 is not. */
bool address_is_public(const struct sockaddr *address, const struct address_list *exceptions);

#endif
