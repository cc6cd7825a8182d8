/* Twilio's webhooks: the signature and the form of an inbound text. One place, because what ingress
 * verifies live and what deskctl releases from quarantine later must be judged alike. Source of the
 * rules: Twilio's "Webhooks security" and the validators of its helper libraries. Called by ingress
 * and deskctl. */
#include "contract/twilio.h"

#include "base/text.h"
#include "contract/event_codec.h"
#include "crypto/crypto.h"

#include <stdlib.h>
#include <string.h>

#define URL_CANDIDATES_MAX 8
#define SIGNATURE_CHARS    28 /* base64 of 20 bytes */
#define SIGNED_BYTES_MAX   (1024 * 1024)
#define SEGMENTS_MAX       1000

bool twilio_is_public_url(const char *url)
{
    const char *host = NULL;
    if (strncmp(url, "https://", 8) == 0)
        host = url + 8;
    else if (strncmp(url, "http://", 7) == 0)
        host = url + 7;
    if (host == NULL || *host == '\0' || *host == '/' || strpbrk(host, "?#@ \t") != NULL)
        return false;
    return host[strlen(host) - 1] != '/';
}

/* ---- what is signed ---- */

static int compare_pairs(const void *a, const void *b)
{
    const struct form_pair *const *left = a, *const *right = b;
    int order = strcmp((*left)->name, (*right)->name);
    return order != 0 ? order : strcmp((*left)->value, (*right)->value);
}

/* Names and values in the order of their names; a repeated name counts each distinct value once.
 */
static void add_pairs(struct arena *arena, const struct form *form, struct strbuf *out)
{
    const struct form_pair **sorted = arena_alloc(arena, (form->count + 1) * sizeof(void *));
    for (size_t i = 0; i < form->count; i++)
        sorted[i] = &form->pairs[i];
    qsort(sorted, form->count, sizeof(void *), compare_pairs);
    for (size_t i = 0; i < form->count; i++) {
        if (i > 0 && compare_pairs(&sorted[i - 1], &sorted[i]) == 0)
            continue;
        strbuf_add(out, sorted[i]->name, sorted[i]->name_length);
        strbuf_add(out, sorted[i]->value, sorted[i]->value_length);
    }
}

static const char *sign_bytes(struct arena *arena, const struct strbuf *bytes,
                              const struct secret *key)
{
    uint8_t mac[CRYPTO_SHA1_BYTES];
    struct strbuf text;
    crypto_hmac_sha1(secret_reveal(key), secret_length(key), bytes->data, bytes->length, mac);
    strbuf_init(&text, SIGNATURE_CHARS);
    text_add_base64(&text, mac, sizeof mac);
    const char *signature = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return signature;
}

/* ---- which URL is signed ---- */

/* The authority of an absolute URL: from behind "://" to the path. */
static const char *authority_of(const char *url, size_t *length)
{
    const char *start = strstr(url, "://");
    if (start == NULL)
        return NULL;
    start += 3;
    *length = strcspn(start, "/?#");
    return start;
}

/* The port's colon in the authority, or NULL; brackets hold an IPv6 address. */
static const char *port_of(const char *authority, size_t length)
{
    const char *colon = memrchr(authority, ':', length);
    const char *bracket = memrchr(authority, ']', length);
    return colon != NULL && (bracket == NULL || colon > bracket) ? colon : NULL;
}

static const char *default_port(const char *url)
{
    bool secure = strncmp(url, "https:", 6) == 0 || strncmp(url, "wss:", 4) == 0;
    return secure ? ":443" : ":80";
}

struct candidates {
    const char *urls[URL_CANDIDATES_MAX];
    size_t count;
};

/* The URL as it is, and with the port the other way round: Twilio signs voice callbacks over https
 * without it, all else as configured. */
static void add_candidates(struct arena *arena, const char *url, struct candidates *out)
{
    size_t length = 0;
    const char *authority = authority_of(url, &length);
    out->urls[out->count++] = url;
    if (authority == NULL)
        return;
    const char *colon = port_of(authority, length);
    size_t head = colon != NULL ? (size_t)(colon - url) : (size_t)(authority - url) + length;
    const char *rest = authority + length;
    out->urls[out->count++] = arena_printf(arena, "%.*s%s%s", (int)head, url,
                                           colon != NULL ? "" : default_port(url), rest);
}

/* Of a handshake: as ws and as http, each also with a slash behind its path. */
static void add_handshake(struct arena *arena, const char *url, struct candidates *out)
{
    const char *rest = strstr(url, "://");
    bool secure = strncmp(url, "https:", 6) == 0 || strncmp(url, "wss:", 4) == 0;
    if (rest == NULL)
        return;
    size_t path = strcspn(rest, "?#");
    const char *schemes[] = {secure ? "wss" : "ws", secure ? "https" : "http"};
    for (size_t i = 0; i < 2; i++) {
        add_candidates(arena, arena_printf(arena, "%s%s", schemes[i], rest), out);
        if (rest[path - 1] != '/')
            add_candidates(
                arena, arena_printf(arena, "%s%.*s/%s", schemes[i], (int)path, rest, rest + path),
                out);
    }
}

static bool signs(struct arena *arena, const struct strbuf *bytes, const char *signature,
                  const struct secret *const *keys, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found |= crypto_equal(sign_bytes(arena, bytes, keys[i]), signature, SIGNATURE_CHARS);
    return found;
}

/* True if the signature is that of one of the URLs, with the form's pairs behind it. */
static bool fits(struct arena *arena, const struct candidates *candidates, const struct form *form,
                 const char *signature, const struct secret *const *keys, size_t count)
{
    bool found = false;
    if (signature == NULL || strlen(signature) != SIGNATURE_CHARS)
        return false;
    struct strbuf pairs, bytes;
    strbuf_init(&pairs, SIGNED_BYTES_MAX);
    strbuf_init(&bytes, SIGNED_BYTES_MAX);
    add_pairs(arena, form, &pairs);
    for (size_t i = 0; i < candidates->count && !found; i++) {
        strbuf_clear(&bytes);
        strbuf_add_text(&bytes, candidates->urls[i]);
        strbuf_add(&bytes, pairs.data, pairs.length);
        found = signs(arena, &bytes, signature, keys, count);
    }
    bool whole = !pairs.overflow && !bytes.overflow;
    strbuf_fini(&bytes);
    strbuf_fini(&pairs);
    return found && whole;
}

bool twilio_signature_fits(struct arena *arena, const char *url, const struct form *form,
                           const char *signature, const struct secret *const *keys, size_t count)
{
    struct candidates candidates = {.count = 0};
    add_candidates(arena, url, &candidates);
    return fits(arena, &candidates, form, signature, keys, count);
}

bool twilio_handshake_fits(struct arena *arena, const char *url, const char *signature,
                           const struct secret *const *keys, size_t count)
{
    struct candidates candidates = {.count = 0};
    add_handshake(arena, url, &candidates);
    return fits(arena, &candidates, &(struct form){.count = 0}, signature, keys, count);
}

/* ---- the form of an inbound text ---- */

/* A parameter that decides something. Twice would let two readers choose differently. */
struct decisive {
    const char *name;
    size_t offset;
    bool required;
    size_t bytes_max;
    bool (*check)(const char *text); /* NULL: none */
    const char *code, *what;
};

#define DECISIVE(name, field, required, max, check, code, what)                                    \
    {                                                                                              \
        name, offsetof(struct sms_received, field), required, max, check, code, what               \
    }
static const struct decisive decisives[] = {
    DECISIVE("MessageSid", message_sid, true, 36, event_is_message_sid, "webhook.message_sid",
             "SM or MM and 32 hexadecimal digits, or a uuid"),
    DECISIVE("AccountSid", account_sid, true, 36, event_is_account_sid, "webhook.account_sid",
             "AC and 32 hexadecimal digits, or a uuid"),
    DECISIVE("From", from, true, 16, text_is_e164, "webhook.from", "an E.164 number"),
    DECISIVE("To", to, true, 16, text_is_e164, "webhook.to", "an E.164 number"),
    DECISIVE("Body", body, false, EVENT_TEXT_MAX, NULL, "webhook.body",
             "UTF-8 of at most 8192 bytes"),
};

static int take_decisive(const struct form *form, const struct decisive *row,
                         struct sms_received *out, struct err *err)
{
    size_t count = form_count(form, row->name);
    const char *value = form_get(form, row->name);
    if (count > 1)
        return err_set(err, ERR_PERMANENT, row->code, "the form has %zu parameters %s", count,
                       row->name);
    if (value == NULL && row->required)
        return err_set(err, ERR_PERMANENT, row->code, "the form has no %s", row->name);
    if (value == NULL)
        value = "";
    size_t length = strlen(value);
    if (length > row->bytes_max || !text_is_utf8(value, length) ||
        (row->check != NULL && !row->check(value)))
        return err_set(err, ERR_PERMANENT, row->code, "%s is not %s", row->name, row->what);
    *(const char **)(void *)((char *)out + row->offset) = value;
    return 0;
}

static bool is_line(const char *text, size_t max)
{
    size_t length = strlen(text);
    return length > 0 && length <= max && text_is_utf8(text, length) && event_is_line(text);
}

/* What only informs: left out rather than refused when it is not as expected. */
static const char *extra(const struct form *form, const char *name, size_t max,
                         bool (*check)(const char *text))
{
    const char *value = form_get(form, name);
    bool good = value != NULL && is_line(value, max) && (check == NULL || check(value));
    return good ? value : "";
}

static int take_media(struct arena *arena, const struct form *form, struct sms_received *out,
                      struct err *err)
{
    int64_t count = 0;
    const char *number = form_get(form, "NumMedia");
    if (number != NULL && !text_parse_int(number, 0, 1000, &count))
        return err_set(err, ERR_PERMANENT, "webhook.media", "NumMedia is not a number");
    for (int64_t i = 0; i < count && out->media_count < EVENT_MEDIA_MAX; i++) {
        const char *url = form_get(form, arena_printf(arena, "MediaUrl%d", (int)i));
        if (url == NULL || !is_line(url, 2048))
            return err_set(err, ERR_PERMANENT, "webhook.media", "MediaUrl%d is missing or no URL",
                           (int)i);
        out->media[out->media_count++] = (struct event_media){
            .url = url,
            .content_type =
                extra(form, arena_printf(arena, "MediaContentType%d", (int)i), 255, NULL)};
    }
    return 0;
}

int twilio_sms_from_form(struct arena *arena, const struct form *form, struct sms_received *out,
                         struct err *err)
{
    struct sms_received sms = *out;
    int64_t segments = 0;
    sms.media_count = 0;
    for (size_t i = 0; i < sizeof decisives / sizeof decisives[0]; i++)
        if (take_decisive(form, &decisives[i], &sms, err) != 0)
            return -1;
    if (take_media(arena, form, &sms, err) != 0)
        return -1;
    const char *number = form_get(form, "NumSegments");
    if (number != NULL)
        text_parse_int(number, 0, SEGMENTS_MAX, &segments);
    sms.segments = (int)segments;
    sms.messaging_service_sid = extra(form, "MessagingServiceSid", 36, event_is_service_sid);
    sms.opt_out_type = extra(form, "OptOutType", 32, NULL);
    sms.event.id = sms.message_sid;
    sms.event.subject = sms.message_sid;
    sms.event.source = arena_printf(arena, "twilio/%s", sms.account_sid);
    *out = sms;
    return 0;
}
