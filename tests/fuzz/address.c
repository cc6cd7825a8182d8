/* Addresses and ids: fields of a header, whether mail can be sent to an address, our tokens in
 * them, subjects. The input: lines, each taken as the value of every such field and as a bare
 * address. */
#include "mail/address.h"
#include "crypto/crypto.h"
#include "fuzz/touch.h"
#include "mail/parse.h"
#include "mail/subject.h"
#include "mail/token.h"

static void check_plain(struct arena *arena, const char *address)
{
    if (!mail_address_is_plain(address))
        return;
    MUST(strlen(address) <= MAIL_ADDRESS_MAX);
    MUST(strpbrk(address, " \t\r\n<>\"(),:;\\") == NULL);
    MUST(strchr(address, '@') == strrchr(address, '@'));
    for (const char *c = address; *c != '\0'; c++)
        MUST((unsigned char)*c > ' ' && (unsigned char)*c < 0x7f);
    const char *lower = mail_address_lower(arena, address);
    MUST(mail_address_equal(address, lower) && mail_address_is_plain(lower));
    MUST(mail_address_domain(address)[0] != '\0');
}

static void check_tokens(struct arena *arena, const char *text)
{
    static struct secret *key;
    if (key == NULL)
        key = secret_new("0123456789abcdef0123456789abcdef", CRYPTO_KEY_BYTES);
    const struct secret *keys[] = {key};
    const struct mail_signer signer = {.keys = keys, .key_count = 1};
    struct uuid id = {.bytes = {1}}, found;
    (void)mail_token_read_address(&signer, text, &found);
    (void)mail_token_read_message_id(&signer, text, &found);
    const char *address = mail_token_address(arena, &signer, text, &id);
    if (address == NULL)
        return;
    MUST(mail_address_is_plain(address));
    MUST(mail_token_read_address(&signer, address, &found) && memcmp(&found, &id, sizeof id) == 0);
}

static void touch_list(struct arena *arena, const struct mail_addresses *list)
{
    MUST(list->count <= MAIL_ADDRESSES_MAX);
    for (size_t i = 0; i < list->count; i++) {
        touch_line(list->items[i].name);
        touch_line(list->items[i].address);
        check_plain(arena, list->items[i].address);
    }
}

/* The line in every field that has addresses or ids. */
static void read_fields(struct arena *arena, const char *line)
{
    const char *text = arena_printf(arena,
                                    "From: %s\r\nTo: %s\r\nReply-To: %s\r\nDelivered-To: %s\r\n"
                                    "Return-Path: %s\r\nReferences: %s\r\nMessage-ID: %s\r\n"
                                    "Subject: %s\r\n\r\nx\r\n",
                                    line, line, line, line, line, line, line, line);
    struct mail mail;
    struct err err;
    if (mail_parse(arena, text, strlen(text), NULL, &mail, &err) != 0)
        return;
    touch_list(arena, &mail.from);
    touch_list(arena, &mail.to);
    touch_list(arena, &mail.reply_to);
    touch_list(arena, &mail.delivered);
    MUST(mail.references.count <= MAIL_IDS_MAX);
    for (size_t i = 0; i < mail.references.count; i++)
        touch_line(mail.references.items[i]);
    touch_line(mail.message_id);
    touch_line(mail.subject);
    touch_line(mail_subject_reply(arena, mail.subject));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    char *text = arena_strndup(arena, (const char *)bytes, length), *rest = text, *line;
    for (int i = 0; i < 20 && (line = strsep(&rest, "\n")) != NULL; i++) {
        check_plain(arena, line);
        check_tokens(arena, line);
        read_fields(arena, line);
    }
    arena_free(&arena);
    return 0;
}
