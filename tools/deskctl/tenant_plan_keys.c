/* Keys of models and secrets of tools in a plan: wrapped when they are new, kept as they are stored
 * when they open to the same. */
#include "tenant_maker.h"

#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "store/credential.h"

#define WRAPPED_BYTES_MAX (16 * 1024)

/* The secret behind a stored key, owned; NULL if it does not open. */
static struct secret *open_key(const struct secret *key, const char *context, const char *stored)
{
    struct strbuf bytes;
    struct secret *opened = NULL;
    struct err err;
    strbuf_init(&bytes, WRAPPED_BYTES_MAX);
    if (text_decode_base64(stored, strlen(stored), &bytes))
        (void)crypto_unwrap(&key, 1, context, bytes.data, bytes.length, &opened, &err);
    strbuf_fini(&bytes);
    return opened;
}

static const char *wrap(struct maker *m, const char *context, const struct secret *secret)
{
    struct strbuf bytes;
    strbuf_init(&bytes, WRAPPED_BYTES_MAX);
    crypto_wrap(m->keys->credentials, context, secret_reveal(secret), secret_length(secret),
                &bytes);
    const char *text = maker_encode(m->arena, &bytes, true);
    strbuf_fini(&bytes);
    return text;
}

const char *maker_wrap_key(struct maker *m, const char *stored, const struct secret *secret)
{
    const char *context =
        credential_model_context(m->arena, &m->plan->row.id, &m->plan->row.assistant);
    if (secret == NULL)
        return NULL;
    struct secret *opened = stored != NULL ? open_key(m->keys->credentials, context, stored) : NULL;
    bool same = opened != NULL && crypto_equal_secrets(opened, secret);
    secret_free(&opened);
    return same ? arena_strdup(m->arena, stored) : wrap(m, context, secret);
}

/* ---- an older version's ---- */

static size_t count_closed(const struct json *list, const struct secret *key, const char *context)
{
    size_t closed = 0;
    for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry)) {
        const char *stored = json_member_text(entry, "key_wrapped");
        struct secret *opened = stored != NULL ? open_key(key, context, stored) : NULL;
        closed += stored != NULL && opened == NULL;
        secret_free(&opened);
    }
    return closed;
}

size_t tenant_plan_count_closed(struct arena *arena, const struct tenant_row *row,
                                const struct secret *key)
{
    struct json *config = NULL;
    struct err err;
    const char *context = credential_model_context(arena, &row->id, &row->assistant);
    if (json_parse(row->config, strlen(row->config), &config, &err) != 0)
        return 0;
    size_t closed = count_closed(json_member(config, "models"), key, context) +
                    count_closed(json_member(config, "http_tools"), key, context);
    json_free(&config);
    return closed;
}
