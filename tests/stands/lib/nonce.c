/*
 * The model stand-in's reply. Pure: text in, text out. Called by model/chat.c.
 */
#include "stands/lib/nonce.h"

#include <string.h>

enum { NONCE_MIN = 4, NONCE_MAX = 32, QUOTE_CHARACTERS = 60, QUOTED_MAX = 1000 };

struct quoted {
    const char *text;
    size_t len;
};

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool joins_word(char c)
{
    return is_token(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

size_t stand_nonce_find(const char *text, size_t *at)
{
    const char *from = text + *at;
    for (const char *hit = strstr(from, "n-"); hit; hit = strstr(hit + 1, "n-")) {
        if (hit > text && (joins_word(hit[-1]) || hit[-1] == '-'))
            continue;
        size_t len = 0;
        while (is_token(hit[2 + len]))
            len++;
        if (len < NONCE_MIN || len > NONCE_MAX || joins_word(hit[2 + len]))
            continue;
        *at = (size_t)(hit - text);
        return len + 2;
    }
    return 0;
}

size_t stand_new_messages(const struct stand_message *messages, size_t count)
{
    size_t first = count;
    while (first > 0 &&
           (messages[first - 1].role != STAND_ASSISTANT || messages[first - 1].calls_tools))
        first--;
    return first;
}

const char *stand_last_user(const struct stand_message *messages, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        if (messages[i - 1].role == STAND_USER)
            return messages[i - 1].text;
    }
    return "";
}

static bool is_known(const struct quoted *known, size_t count, const char *text, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (known[i].len == len && memcmp(known[i].text, text, len) == 0)
            return true;
    }
    return false;
}

/* Collects the distinct nonces of the new user messages; returns how many. */
static size_t collect(const struct stand_message *messages, size_t count, struct quoted *found,
                      size_t max)
{
    size_t n = 0;
    for (size_t i = stand_new_messages(messages, count); i < count; i++) {
        const char *text = messages[i].text;
        size_t at = 0, len;
        if (messages[i].role != STAND_USER)
            continue;
        for (; n < max && (len = stand_nonce_find(text, &at)) != 0; at += len) {
            if (!is_known(found, n, text + at, len))
                found[n++] = (struct quoted){.text = text + at, .len = len};
        }
    }
    return n;
}

/* The first nonce of what was said before the new messages. */
static struct quoted first_of_history(const struct stand_message *messages, size_t count)
{
    size_t end = stand_new_messages(messages, count);
    for (size_t i = 0; i < end; i++) {
        size_t at = 0;
        if (messages[i].role != STAND_USER && messages[i].role != STAND_ASSISTANT)
            continue;
        size_t len = stand_nonce_find(messages[i].text, &at);
        if (len)
            return (struct quoted){.text = messages[i].text + at, .len = len};
    }
    return (struct quoted){0};
}

/* Quotes the start of a text, without what is addressed to the stand-in itself. */
static void quote_start(const char *text, struct stand_buf *out)
{
    const char *directive = strstr(text, "{{stand ");
    size_t len = directive ? (size_t)(directive - text) : strlen(text);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    size_t shown = stand_utf8_prefix(text, len, QUOTE_CHARACTERS);
    stand_buf_puts(out, "You wrote \"");
    stand_buf_add(out, text, shown);
    stand_buf_puts(out, "\"");
}

void stand_nonce_reply(const struct stand_message *messages, size_t count, struct stand_buf *out)
{
    static const char *const joint[] = {"You wrote ", " and "};
    struct quoted found[QUOTED_MAX];
    size_t n = collect(messages, count, found, QUOTED_MAX);
    struct quoted earlier = first_of_history(messages, count);
    for (size_t i = 0; i < n; i++) {
        stand_buf_puts(out, joint[i > 0]);
        stand_buf_add(out, found[i].text, found[i].len);
    }
    if (n == 0)
        quote_start(stand_last_user(messages, count), out);
    if (earlier.len) {
        stand_buf_puts(out, "; earlier ");
        stand_buf_add(out, earlier.text, earlier.len);
    }
    stand_buf_puts(out, n || earlier.len ? "." : ". How can I help you?");
}

void stand_nonce_json(const struct stand_message *messages, size_t count, size_t max,
                      struct stand_buf *out)
{
    struct quoted found[QUOTED_MAX];
    size_t n = collect(messages, count, found, max < QUOTED_MAX ? max : QUOTED_MAX);
    stand_buf_puts(out, "[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            stand_buf_puts(out, ",");
        stand_buf_json(out, found[i].text, found[i].len);
    }
    stand_buf_puts(out, "]");
}
