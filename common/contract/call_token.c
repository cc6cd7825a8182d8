/* Paths that say whose call it is. Hostile input: nothing is known of who asks for a path until its
 * mac, or Twilio's signature, fits. Called by ingress, which makes and checks them. */
#include "contract/call_token.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "contract/twilio_call.h"
#include "crypto/crypto.h"

#define RELAY_HEAD     "/relay/"
#define STEP_HEAD      "/twilio/voice/"
#define MAC_FIRST      "frontdesk relay path 1\n"   /* this key's macs mean nothing elsewhere */
#define MAC_RESUMED    "frontdesk resumed path 1\n" /* and each kind's nothing as the other */
#define MAC_CHARS      (2 * CRYPTO_SHA256_BYTES)
#define EXPIRES_MIN    1000000000  /* 2001 */
#define EXPIRES_MAX    99999999999 /* 5138 */
#define TOKEN_PATH_MAX 256

/* ---- segments ---- */

/* What stands behind the path's head, or NULL if it has another one. */
static const char *behind(const char *path, const char *head)
{
    size_t length = strlen(head);
    return strncmp(path, head, length) == 0 ? path + length : NULL;
}

/* Moves *p behind its next segment and copies it; false if it is empty, has no room, or does not
 * end as it should: at the end of the path (`last`) or at a slash. */
static bool take(const char **p, char *out, size_t size, bool last)
{
    size_t length = strcspn(*p, "/");
    if (length == 0 || length >= size || ((*p)[length] == '\0') != last)
        return false;
    memcpy(out, *p, length);
    out[length] = '\0';
    *p += length + (last ? 0 : 1);
    return true;
}

static bool take_tenant(const char **p, struct uuid *tenant)
{
    char text[UUID_TEXT_SIZE], canonical[UUID_TEXT_SIZE];
    return take(p, text, sizeof text, false) && uuid_parse(text, tenant) &&
           strcmp(uuid_format(tenant, canonical), text) == 0;
}

static bool take_number(const char **p, bool last, int64_t min, int64_t max, int64_t *number)
{
    char text[16];
    return take(p, text, sizeof text, last) && (text[0] != '0' || text[1] == '\0') &&
           text_parse_int(text, min, max, number);
}

/* ---- the relay's path ---- */

/* Appends the hexadecimal mac of what stands between the head and the mac. */
static void add_mac(struct strbuf *out, const char *fields, size_t length, bool resumed,
                    const struct secret *key)
{
    struct strbuf bytes;
    uint8_t mac[CRYPTO_SHA256_BYTES];
    strbuf_init(&bytes, TOKEN_PATH_MAX + sizeof MAC_RESUMED);
    strbuf_add_text(&bytes, resumed ? MAC_RESUMED : MAC_FIRST);
    strbuf_add(&bytes, fields, length);
    crypto_hmac_sha256(secret_reveal(key), secret_length(key), bytes.data, bytes.length, mac);
    text_add_hex(out, mac, sizeof mac);
    strbuf_fini(&bytes);
}

int call_token_write(struct arena *arena, const struct call_token *token, const struct secret *key,
                     const char **path, struct err *err)
{
    char tenant[UUID_TEXT_SIZE];
    struct strbuf text;
    if (!twilio_call_is_sid(token->call_sid, "CA"))
        return err_set(err, ERR_BUG, "call_token.bug", "not a CallSid");
    if (token->expires_s < EXPIRES_MIN || token->expires_s > EXPIRES_MAX)
        return err_set(err, ERR_BUG, "call_token.bug", "the expiry is no time in seconds");
    strbuf_init(&text, TOKEN_PATH_MAX);
    strbuf_printf(&text, RELAY_HEAD "%s/%s/%lld/", uuid_format(&token->tenant, tenant),
                  token->call_sid, (long long)token->expires_s);
    size_t head = strlen(RELAY_HEAD);
    add_mac(&text, text.data + head, text.length - head, token->resumed, key);
    *path = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return 0;
}

static bool is_signed(const char *fields, size_t length, bool resumed,
                      const char mac[MAC_CHARS + 1], const struct secret *const *keys, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        struct strbuf expected;
        strbuf_init(&expected, MAC_CHARS);
        add_mac(&expected, fields, length, resumed, keys[i]);
        found |= crypto_equal(expected.data, mac, MAC_CHARS);
        strbuf_fini(&expected);
    }
    return found;
}

int call_token_check(const char *path, const struct secret *const *keys, size_t count,
                     int64_t now_ms, struct call_token *out, struct err *err)
{
    struct call_token token;
    char mac[MAC_CHARS + 1];
    const char *fields = behind(path, RELAY_HEAD), *p = fields;
    if (p == NULL || !take_tenant(&p, &token.tenant) ||
        !take(&p, token.call_sid, sizeof token.call_sid, false) ||
        !twilio_call_is_sid(token.call_sid, "CA") ||
        !take_number(&p, false, EXPIRES_MIN, EXPIRES_MAX, &token.expires_s) ||
        !take(&p, mac, sizeof mac, true) || strlen(mac) != MAC_CHARS)
        return err_set(err, ERR_PERMANENT, "call_token.syntax",
                       "not /relay/<tenant>/<CallSid>/<expiry>/<mac>");
    size_t length = strlen(fields) - MAC_CHARS;
    token.resumed = is_signed(fields, length, true, mac, keys, count);
    if (!token.resumed && !is_signed(fields, length, false, mac, keys, count))
        return err_set(err, ERR_PERMANENT, "call_token.mac",
                       "the relay's path was made under none of the %zu keys, or changed", count);
    int64_t now_s = now_ms / 1000;
    if (token.expires_s < now_s)
        return err_set(err, ERR_PERMANENT, "call_token.expired",
                       "the relay's path expired %lld s ago", (long long)(now_s - token.expires_s));
    if (token.expires_s - now_s > CALL_TOKEN_LIFE_MAX)
        return err_set(err, ERR_PERMANENT, "call_token.expired",
                       "the relay's path expires in more than a day: compare the clocks");
    *out = token;
    return 0;
}

/* ---- steps ---- */

const char *call_token_step_path(struct arena *arena, const struct call_step *step)
{
    char tenant[UUID_TEXT_SIZE];
    return arena_printf(arena, STEP_HEAD "%s/%s/%d", step->kind, uuid_format(&step->tenant, tenant),
                        step->step);
}

bool call_token_read_step(const char *path, struct call_step *out)
{
    struct call_step step;
    int64_t number = 0;
    const char *p = behind(path, STEP_HEAD);
    if (p == NULL || !take(&p, step.kind, sizeof step.kind, false) || step.kind[0] == '-' ||
        step.kind[strspn(step.kind, "abcdefghijklmnopqrstuvwxyz-")] != '\0' ||
        !take_tenant(&p, &step.tenant) || !take_number(&p, true, 0, CALL_TOKEN_STEP_MAX, &number))
        return false;
    step.step = (int)number;
    *out = step;
    return true;
}
