/* desk.webhook.quarantined: a webhook that could not be verified or read. Everything in it was
 * written by a stranger, so each member may hold any bytes that a request's head can. Written by
 * ingress, read by deskctl. */
#include "contract/event_codec.h"

#include "base/text.h"
#include "crypto/crypto.h"

#include <string.h>

#define REMOTE_MAX 64

/* SHA-256 over url, signature and body, the texts with their NUL, so that no two splits of the same
 * bytes meet. */
static const char *id_of(struct arena *arena, const void *event)
{
    const struct webhook_quarantined *webhook = event;
    size_t url = strlen(webhook->url) + 1, signature = strlen(webhook->signature) + 1;
    char *all = arena_alloc(arena, url + signature + webhook->body_length + 1);
    uint8_t hash[CRYPTO_SHA256_BYTES];
    struct strbuf text;
    memcpy(all, webhook->url, url);
    memcpy(all + url, webhook->signature, signature);
    if (webhook->body_length > 0)
        memcpy(all + url + signature, webhook->body, webhook->body_length);
    crypto_sha256(all, url + signature + webhook->body_length, hash);
    strbuf_init(&text, 2 * sizeof hash);
    text_add_hex(&text, hash, sizeof hash);
    const char *id = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return id;
}

static const char *key_of(struct arena *arena, const void *event)
{
    const struct webhook_quarantined *webhook = event;
    return arena_strdup(arena, webhook->address[0] == '\0' ? "unknown" : webhook->address);
}

#define AT(m) offsetof(struct webhook_quarantined, m)
static const struct event_member members[] = {
    {"reason", EVENT_TEXT, AT(reason), true, 1, 64, event_is_word,
     "a lower-case word of at most 64 bytes", 0, 0, NULL},
    {"path", EVENT_RAW, AT(path), true, 1, EVENT_PATH_MAX, NULL, "a path of at most 16 kB", 0, 0,
     NULL},
    {"url", EVENT_RAW, AT(url), true, 1, EVENT_URL_MAX, NULL, "a URL of at most 20 kB", 0, 0, NULL},
    {"signature", EVENT_RAW, AT(signature), false, 1, EVENT_SIGNATURE_MAX, NULL,
     "a text of at most 16 kB", 0, 0, NULL},
    {"remote", EVENT_TEXT, AT(remote), false, 1, REMOTE_MAX, event_is_line,
     "an address of at most 64 bytes", 0, 0, NULL},
    {"address", EVENT_TEXT, AT(address), false, 1, EVENT_ADDRESS_MAX, event_is_line,
     "an address of at most 320 bytes", 0, 0, NULL},
    {"body", EVENT_BYTES, AT(body), true, 0, EVENT_BODY_MAX, NULL,
     "base64 of at most 128 kB, in body_base64", AT(body_length), 0, NULL},
    {0},
};

static const struct event_codec codec = {
    .type = EVENT_WEBHOOK_QUARANTINED,
    .topic = TOPIC_QUARANTINE,
    .size = sizeof(struct webhook_quarantined),
    .members = members,
    .id = id_of,
    .key = key_of,
};

/* What is not readable is left out of the members and headers that need readable text; path, url
 * and body still hold it byte for byte. */
static const char *readable(const char *text, size_t max)
{
    if (text == NULL)
        return "";
    size_t length = strnlen(text, max + 1);
    return length <= max && text_is_utf8(text, length) && event_is_line(text) ? text : "";
}

void webhook_quarantined_encode(struct arena *arena, const char *prefix,
                                const struct webhook_quarantined *in, struct bus_record *record)
{
    struct webhook_quarantined clean = *in;
    clean.address = readable(in->address, EVENT_ADDRESS_MAX);
    clean.remote = readable(in->remote, REMOTE_MAX);
    clean.event.subject = readable(in->event.subject, EVENT_SUBJECT_MAX);
    clean.signature = in->signature == NULL ? "" : in->signature;
    event_encode(&codec, arena, prefix, &clean, record);
}

int webhook_quarantined_decode(struct arena *arena, const struct bus_record *record,
                               struct webhook_quarantined *out, struct err *err)
{
    return event_decode(&codec, arena, record, out, err);
}
