/* Named SQL on mailboxes for deskctl: blocking, inside a transaction that schema_begin_as_ops
 * opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_MAILBOX_ADMIN_H
#define DESK_STORE_MAILBOX_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* A mailbox with its channel and its account. Texts are NULL where the row says nothing. */
struct mailbox_admin_row {
    struct uuid tenant, id, channel; /* channel nil: it has none, so it only reads */
    const char *tenant_name, *address;
    const char *host, *security, *auth, *user_name, *secret_from, *secret_name, *folder;
    const char *trusted_servers; /* JSON array of texts */
    const char *sent_folder;
    int64_t port;
    const char *smtp_url, *smtp_secret, *from_name;
    bool plus_addresses;         /* mail for its address with a token in it is taken */
    int64_t per_minute, per_day; /* 0: not known */
    const char *wrapped_in, *wrapped_out;
    int64_t version_in; /* of wrapped_in */
    int64_t uid_validity, last_uid, failures, skipped;
    const char *read_at, *paused_at, *paused_by, *paused_why, *last_error, *alert, *due_at;
    bool held; /* by a worker that lives */
};

/* The mailboxes that were not removed, of one tenant (its name) or of all (NULL), with one address
 * or any (NULL), by tenant and address. */
int mailbox_admin_list(struct pg_session *session, struct arena *arena, const char *tenant,
                       const char *address, struct mailbox_admin_row **rows, size_t *count,
                       struct err *err);

/* True if these ports of a host lead to the same mailboxes: 993 and 143 do. */
bool mailbox_admin_same_port(int64_t port, int64_t other);

/* Finds the mailbox of that tenant and address that was read at this host, port, user and folder
 * and removed not long ago, the last one; a nil id in *left if there is none. Of `row` those are
 * read. */
int mailbox_admin_find_left(struct pg_session *session, const struct mailbox_admin_row *row,
                            struct uuid *left, struct err *err);

/* Writes a mailbox (new or there already, or removed: its cursor stays), its channel of kind mail,
 * its account and its logins. Of `row` what a person says of a mailbox is read: identity to
 * wrapped_out; `assistant` answers. `moved_from` is the mailbox that `row`, another one, stands for
 * from now on, as its mails are at another place; NULL: none. PERMANENT "mailbox.address" when the
 * address is another tenant's. */
int mailbox_admin_put(struct pg_session *session, const struct mailbox_admin_row *row,
                      const struct uuid *moved_from, const struct uuid *assistant, struct err *err);

/* Keeps what its token endpoint gave for the row's wrapped_in. Nothing happens when somebody has
 * written another one since: that one counts. */
int mailbox_admin_renew(struct pg_session *session, struct arena *arena,
                        const struct mailbox_admin_row *row, const char *wrapped, struct err *err);

/* Stops or goes on reading it; *changed is false when it was so already. */
int mailbox_admin_pause(struct pg_session *session, const struct mailbox_admin_row *row,
                        const char *actor, const char *why, bool *changed, struct err *err);
int mailbox_admin_resume(struct pg_session *session, const struct mailbox_admin_row *row,
                         bool *changed, struct err *err);

#endif
