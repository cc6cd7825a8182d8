/* What wrapped credentials are bound to (crypto_wrap's context: tenant, table, column, row), so
 * that a value moved to another row does not open. deskctl wraps, engine and responder unwrap. Any
 * thread. */
#ifndef DESK_STORE_CREDENTIAL_H
#define DESK_STORE_CREDENTIAL_H

#include "base/arena.h"
#include "base/uuid.h"

/* channels.credentials of that channel, the provider's auth token. In the arena. */
const char *credential_channel_context(struct arena *arena, const struct uuid *tenant,
                                       const struct uuid *channel);

/* models[].key_wrapped (base64) in any version of that assistant's config, the provider's key; an
 * empty or absent key_wrapped means that the model needs none. In the arena. */
const char *credential_model_context(struct arena *arena, const struct uuid *tenant,
                                     const struct uuid *assistant);

/* mail_credentials.wrapped of that mailbox and way ("in", "out"): mail/login.h. In the arena. */
const char *credential_mailbox_context(struct arena *arena, const struct uuid *tenant,
                                       const struct uuid *mailbox, const char *way);

#endif
