/* Tokens that a stranger cannot make. The poller reads them, the composer's caller writes them. As
 * the other tokens of the house: HMAC-SHA256 with a domain of its own, several keys, one spelling.
 */
#include "mail/token.h"

#include <stdint.h>
#include <string.h>

#include "crypto/crypto.h"
#include "mail/address.h"

#define ID_BYTES  16
#define MAC_BYTES 9 /* 72 bits, guessed only by sending mails */

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 */

/* What is signed begins with it: a MAC of one kind means nothing for another. */
static const char *const domains[] = {
    [MAIL_TOKEN_CONVERSATION] = "frontdesk mail conversation 1\n",
    [MAIL_TOKEN_DELIVERY] = "frontdesk mail delivery 1\n",
};

static void make_mac(const struct secret *key, const struct uuid *tenant, enum mail_token_kind kind,
                     const uint8_t id[ID_BYTES], uint8_t mac[MAC_BYTES])
{
    uint8_t bytes[64], full[CRYPTO_SHA256_BYTES];
    size_t used = strlen(domains[kind]);
    memcpy(bytes, domains[kind], used);
    memcpy(bytes + used, tenant->bytes, sizeof tenant->bytes);
    used += sizeof tenant->bytes;
    memcpy(bytes + used, id, ID_BYTES);
    used += ID_BYTES;
    crypto_hmac_sha256(secret_reveal(key), secret_length(key), bytes, used, full);
    memcpy(mac, full, MAC_BYTES);
}

/* 25 bytes are 40 characters of 5 bits, without a rest. */
static void encode(const uint8_t bytes[ID_BYTES + MAC_BYTES], char out[MAIL_TOKEN_CHARS])
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0, at = 0; i < ID_BYTES + MAC_BYTES; i++) {
        bits = (bits << 8 | bytes[i]) & 0xfff;
        for (held += 8; held >= 5; held -= 5)
            out[at++] = alphabet[bits >> (held - 5) & 31];
    }
}

static bool decode(const char *text, uint8_t out[ID_BYTES + MAC_BYTES])
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0, at = 0; i < MAIL_TOKEN_CHARS; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        const char *found = c == '\0' ? NULL : strchr(alphabet, c);
        if (found == NULL)
            return false;
        bits = (bits << 5 | (unsigned)(found - alphabet)) & 0xfff;
        held += 5;
        if (held >= 8) {
            held -= 8;
            out[at++] = (uint8_t)(bits >> held);
        }
    }
    return true;
}

const char *mail_token_write(struct arena *arena, const struct mail_signer *signer,
                             enum mail_token_kind kind, const struct uuid *id)
{
    uint8_t bytes[ID_BYTES + MAC_BYTES];
    char text[MAIL_TOKEN_CHARS];
    memcpy(bytes, id->bytes, ID_BYTES);
    make_mac(signer->keys[0], &signer->tenant, kind, bytes, bytes + ID_BYTES);
    encode(bytes, text);
    return arena_strndup(arena, text, sizeof text);
}

bool mail_token_read(const struct mail_signer *signer, enum mail_token_kind kind, const char *text,
                     struct uuid *id)
{
    uint8_t bytes[ID_BYTES + MAC_BYTES], mac[MAC_BYTES];
    bool found = false;
    if (strnlen(text, MAIL_TOKEN_CHARS) < MAIL_TOKEN_CHARS || !decode(text, bytes))
        return false;
    for (size_t i = 0; i < signer->key_count; i++) {
        make_mac(signer->keys[i], &signer->tenant, kind, bytes, mac);
        found |= crypto_equal(mac, bytes + ID_BYTES, MAC_BYTES);
    }
    if (found)
        memcpy(id->bytes, bytes, ID_BYTES);
    return found;
}

const char *mail_token_address(struct arena *arena, const struct mail_signer *signer,
                               const char *mailbox, const struct uuid *conversation)
{
    size_t local = strcspn(mailbox, "@");
    if (!mail_address_is_plain(mailbox) || local + 1 + MAIL_TOKEN_CHARS > MAIL_LOCAL_MAX)
        return NULL;
    const char *address = arena_printf(
        arena, "%.*s+%s%s", (int)local, mailbox,
        mail_token_write(arena, signer, MAIL_TOKEN_CONVERSATION, conversation), mailbox + local);
    return mail_address_is_plain(address) ? address : NULL;
}

bool mail_token_read_address(const struct mail_signer *signer, const char *address,
                             struct uuid *conversation)
{
    size_t local = strcspn(address, "@");
    return local > MAIL_TOKEN_CHARS && address[local - MAIL_TOKEN_CHARS - 1] == '+' &&
           mail_token_read(signer, MAIL_TOKEN_CONVERSATION, address + local - MAIL_TOKEN_CHARS,
                           conversation);
}

bool mail_token_read_message_id(const struct mail_signer *signer, const char *message_id,
                                struct uuid *delivery)
{
    return strcspn(message_id, "@") == MAIL_TOKEN_CHARS &&
           mail_token_read(signer, MAIL_TOKEN_DELIVERY, message_id, delivery);
}
