/* The channels' part of a plan: their rows, their wrapped tokens and sealed keys. */
#include "tenant_maker.h"

#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "store/credential.h"
#include "json/json.h"

static bool decode_hex(const char *text, struct strbuf *out)
{
    size_t length = strlen(text) / 2;
    uint8_t bytes[4096];
    if (length > sizeof bytes || !text_parse_hex(text, bytes, length))
        return false;
    strbuf_add(out, bytes, length);
    return true;
}

int tenant_plan_open_token(const struct tenant_channel *channel, const struct secret *key,
                           struct secret **token, struct err *err)
{
    struct arena *arena = arena_new();
    struct strbuf wrapped;
    strbuf_init(&wrapped, 8192);
    const char *context = credential_channel_context(arena, &channel->tenant, &channel->id);
    int result = decode_hex(channel->credentials_hex, &wrapped)
                     ? crypto_unwrap(&key, 1, context, wrapped.data, wrapped.length, token, err)
                     : err_set(err, ERR_PERMANENT, "crypto.wrap", "the credential is damaged");
    strbuf_fini(&wrapped);
    arena_free(&arena);
    return result;
}

/* What only ingress can open is recognised by a keyed mark; it covers the edge's key too, so that a
 * new edge key seals everything anew. */
static const char *edge_mark(struct maker *m, const struct tenant_file_channel *channel)
{
    const char *parts[TENANT_KEYS_MAX + 3] = {"edge", channel->number};
    struct strbuf edge;
    char text[UUID_TEXT_SIZE];
    size_t count = 3;
    strbuf_init(&edge, 200);
    text_add_hex(&edge, secret_reveal(m->keys->edge_public), secret_length(m->keys->edge_public));
    parts[2] = edge.data;
    parts[count++] = secret_reveal(channel->auth_token);
    for (size_t i = 0; i < channel->signing_key_count; i++)
        parts[count++] = secret_reveal(channel->signing_keys[i]);
    struct uuid mark = crypto_ident(m->keys->credentials, parts, count);
    strbuf_fini(&edge);
    return arena_strdup(m->arena, uuid_format(&mark, text));
}

static void add_sealed(struct json_writer *writer, const uint8_t *edge_public,
                       const struct secret *key)
{
    struct strbuf sealed, text;
    strbuf_init(&sealed, 8192);
    strbuf_init(&text, 16 * 1024);
    crypto_seal(edge_public, secret_reveal(key), secret_length(key), &sealed);
    text_add_base64(&text, sealed.data, sealed.length);
    json_add_text(writer, NULL, text.data);
    strbuf_fini(&text);
    strbuf_fini(&sealed);
}

static const char *seal_keys(struct maker *m, const struct tenant_file_channel *channel)
{
    struct strbuf out;
    struct json_writer writer;
    const uint8_t *edge_public = (const uint8_t *)secret_reveal(m->keys->edge_public);
    strbuf_init(&out, 256 * 1024);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    add_sealed(&writer, edge_public, channel->auth_token);
    for (size_t i = 0; i < channel->signing_key_count; i++)
        add_sealed(&writer, edge_public, channel->signing_keys[i]);
    json_close_array(&writer);
    const char *text = arena_strdup(m->arena, out.data);
    strbuf_fini(&out);
    return text;
}

static const char *wrap_token(struct maker *m, const struct tenant_channel *row,
                              const struct secret *token)
{
    struct strbuf wrapped;
    strbuf_init(&wrapped, 8192);
    crypto_wrap(m->keys->credentials, credential_channel_context(m->arena, &row->tenant, &row->id),
                secret_reveal(token), secret_length(token), &wrapped);
    const char *text = maker_encode(m->arena, &wrapped, false);
    strbuf_fini(&wrapped);
    return text;
}

static bool token_is_stored(struct maker *m, const struct tenant_channel *old,
                            const struct secret *token)
{
    struct secret *opened = NULL;
    struct err err;
    if (tenant_plan_open_token(old, m->keys->credentials, &opened, &err) != 0)
        return false;
    bool same = crypto_equal_secrets(opened, token);
    secret_free(&opened);
    return same;
}

/* The row of that address: the living one, else a removed one to revive. */
static const struct tenant_channel *find_row(const struct tenant_row *existing, const char *kind,
                                             const char *address)
{
    const struct tenant_channel *found = NULL;
    for (size_t i = 0; existing != NULL && i < existing->channel_count; i++) {
        const struct tenant_channel *row = &existing->channels[i];
        if (strcmp(row->kind, kind) == 0 && strcmp(row->address, address) == 0 &&
            (found == NULL || !row->removed))
            found = row;
    }
    return found;
}

/* How a channel is called in the settings' marks and, behind "channel ", in what is shown: a number
 * may be there for texts and for calls. */
static const char *mark_name(struct arena *arena, const char *kind, const char *number)
{
    return strcmp(kind, "sms") == 0 ? number : arena_printf(arena, "%s:%s", kind, number);
}

static void compare_channel(struct maker *m, const struct tenant_file_channel *channel,
                            const struct json *old_marks, struct json_writer *marks)
{
    const struct tenant_channel *old = find_row(m->existing, channel->kind, channel->number);
    struct tenant_channel_plan *plan = &m->plan->channels[m->plan->channel_count++];
    const char *name = mark_name(m->arena, channel->kind, channel->number);
    const char *what = arena_printf(m->arena, "channel %s", name);
    bool alive = old != NULL && !old->removed;
    const char *mark = edge_mark(m, channel);
    const char *old_mark = alive ? json_member_text(old_marks, name) : NULL;
    plan->row = (struct tenant_channel){.tenant = m->plan->row.id,
                                        .id = old != NULL ? old->id : uuid_new(),
                                        .kind = channel->kind,
                                        .address = channel->number,
                                        .account_sid = channel->account_sid,
                                        .messaging_service_sid = channel->messaging_service_sid};
    bool same_token = alive && token_is_stored(m, old, channel->auth_token);
    bool same_edge = old_mark != NULL && strcmp(old_mark, mark) == 0;
    plan->row.credentials_hex =
        same_token ? old->credentials_hex : wrap_token(m, &plan->row, channel->auth_token);
    plan->row.edge_keys = same_edge ? old->edge_keys : seal_keys(m, channel);
    json_add_text(marks, name, mark);
    if (!alive)
        maker_note(m, TENANT_ADD, what, "", (const char *const[]){NULL, channel->kind});
    bool account = maker_differs(m, what, "account_sid", alive ? old->account_sid : NULL,
                                 channel->account_sid);
    bool service =
        maker_differs(m, what, "messaging_service_sid", alive ? old->messaging_service_sid : NULL,
                      channel->messaging_service_sid);
    const char *const shown[] = {alive ? TENANT_SECRET_SHOWN : NULL, TENANT_SECRET_SHOWN};
    if (!same_token)
        maker_note(m, alive ? TENANT_CHANGE : TENANT_ADD, what, "auth_token", shown);
    if (!same_edge)
        maker_note(m, alive ? TENANT_CHANGE : TENANT_ADD, what, "signing_keys", shown);
    plan->edge_changed = !alive || account || !same_edge;
    plan->write = plan->edge_changed || service || !same_token;
}

/* Mailboxes are not of the tenant file: `deskctl mailbox` has them. */
static bool is_in_file(const struct tenant_file *file, const struct tenant_channel *row)
{
    if (strcmp(row->kind, "mail") == 0)
        return true;
    for (size_t i = 0; i < file->channel_count; i++)
        if (strcmp(file->channels[i].kind, row->kind) == 0 &&
            strcmp(file->channels[i].number, row->address) == 0)
            return true;
    return false;
}

static void remove_missing(struct maker *m)
{
    for (size_t i = 0; m->existing != NULL && i < m->existing->channel_count; i++) {
        const struct tenant_channel *row = &m->existing->channels[i];
        if (row->removed || is_in_file(m->file, row))
            continue;
        m->plan->channels[m->plan->channel_count++] =
            (struct tenant_channel_plan){.row = *row, .remove = true};
        maker_note(
            m, TENANT_REMOVE,
            arena_printf(m->arena, "channel %s", mark_name(m->arena, row->kind, row->address)), "",
            (const char *const[]){row->kind, NULL});
    }
}

/* Channels, and the settings that hold their marks beside the policy. */
void maker_compare_channels(struct maker *m)
{
    struct json *stored = NULL;
    struct err err;
    struct strbuf settings;
    struct json_writer writer;
    int64_t days = -1;
    if (m->existing != NULL)
        (void)json_parse(m->existing->settings, strlen(m->existing->settings), &stored, &err);
    const struct json *policy = stored != NULL ? json_member(stored, "policy") : NULL;
    (void)json_member_int(policy, "retention_days", 0, INT32_MAX, &days);
    strbuf_init(&settings, 256 * 1024);
    json_writer_init(&writer, &settings);
    json_open_object(&writer, NULL);
    json_open_object(&writer, "policy");
    json_add_int(&writer, "retention_days", m->file->retention_days);
    json_close_object(&writer);
    json_open_object(&writer, "edge_marks");
    for (size_t i = 0; i < m->file->channel_count; i++)
        compare_channel(m, &m->file->channels[i],
                        stored != NULL ? json_member(stored, "edge_marks") : NULL, &writer);
    json_close_object(&writer);
    json_close_object(&writer);
    remove_missing(m);
    m->plan->row.settings = arena_strdup(m->arena, settings.data);
    m->plan->tenant_changed |= maker_differs(m, "tenant", "policy.retention_days",
                                             days >= 0 ? maker_number(m->arena, days) : NULL,
                                             maker_number(m->arena, m->file->retention_days));
    for (size_t i = 0; i < m->plan->channel_count; i++)
        m->plan->tenant_changed |= m->plan->channels[i].edge_changed || m->plan->channels[i].remove;
    strbuf_fini(&settings);
    json_free(&stored);
}
