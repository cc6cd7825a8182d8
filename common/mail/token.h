/* Signed names of ours in a mail: the conversation in the address that an answer goes to
 * (support+<token>@...), the delivery in the Message-ID. With them an answer finds its conversation
 * and a bounce its delivery whatever a mail program makes of subjects and references, and nobody
 * writes into a conversation by guessing.
 *
 * A token is 40 characters a-z and 2-7: 16 bytes of id and 9 of a MAC over kind, tenant and id. A
 * token of one tenant means nothing in another one's mailbox, nor one kind for another. It is read
 * in either case, as local parts get lower-cased on the way. It does not expire: whether a
 * conversation is still open is for the caller to say. Any thread. */
#ifndef DESK_MAIL_TOKEN_H
#define DESK_MAIL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/uuid.h"

#define MAIL_TOKEN_CHARS 40

enum mail_token_kind {
    MAIL_TOKEN_CONVERSATION, /* in an address */
    MAIL_TOKEN_DELIVERY,     /* in a Message-ID */
};

/* Who signs: one tenant's tokens under one key. */
struct mail_signer {
    struct uuid tenant;
    const struct secret *const *keys; /* the current one first; the former ones are still read */
    size_t key_count;                 /* at least 1 to write */
};

/* The token of an id under the current key, in the arena. */
const char *mail_token_write(struct arena *arena, const struct mail_signer *signer,
                             enum mail_token_kind kind, const struct uuid *id);

/* Reads exactly MAIL_TOKEN_CHARS characters at `text`; false, *id untouched, if they are no token
 * of this kind and tenant under any of the keys. Constant time in the MAC. */
bool mail_token_read(const struct mail_signer *signer, enum mail_token_kind kind, const char *text,
                     struct uuid *id);

/* The mailbox's address with the conversation's token behind a "+", in the arena; NULL if the local
 * part has no room for it (at most 23 bytes have) or the address is not plain. */
const char *mail_token_address(struct arena *arena, const struct mail_signer *signer,
                               const char *mailbox, const struct uuid *conversation);

/* Reads the conversation out of an address; false if it carries no token of this tenant's. The rest
 * of the address is not looked at. */
bool mail_token_read_address(const struct mail_signer *signer, const char *address,
                             struct uuid *conversation);

/* Reads the delivery out of a Message-ID (without angles); false if it is none of this tenant's. */
bool mail_token_read_message_id(const struct mail_signer *signer, const char *message_id,
                                struct uuid *delivery);

#endif
