/* The one place that makes contexts of wrapped credentials: two spellings would be two keys. */
#include "store/credential.h"

static const char *context(struct arena *arena, const struct uuid *tenant, const char *column,
                           const struct uuid *row)
{
    char tenant_text[UUID_TEXT_SIZE], row_text[UUID_TEXT_SIZE];
    return arena_printf(arena, "%s/%s/%s", uuid_format(tenant, tenant_text), column,
                        uuid_format(row, row_text));
}

const char *credential_channel_context(struct arena *arena, const struct uuid *tenant,
                                       const struct uuid *channel)
{
    return context(arena, tenant, "channels/credentials", channel);
}

const char *credential_model_context(struct arena *arena, const struct uuid *tenant,
                                     const struct uuid *assistant)
{
    return context(arena, tenant, "assistants/model_key", assistant);
}

const char *credential_mailbox_context(struct arena *arena, const struct uuid *tenant,
                                       const struct uuid *mailbox, const char *way)
{
    return context(arena, tenant, arena_printf(arena, "mail_credentials/%s", way), mailbox);
}
