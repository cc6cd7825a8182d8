/*
 * The message store: by sid through an open hash table, by account in order of arrival. Called by
 * create.c, list.c, inbound.c and callbacks.c.
 */
#include "stands/twilio/messages.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/lib/ids.h"
#include "stands/lib/segments.h"

struct messages {
    size_t max, count, slots; /* slots: a power of two, at least twice the count */
    struct message **table;
};

int64_t messages_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct messages *messages_new(size_t max)
{
    struct messages *messages = stand_alloc(sizeof *messages);
    messages->max = max;
    messages->slots = 1024;
    messages->table = stand_alloc(messages->slots * sizeof(struct message *));
    return messages;
}

static uint64_t hash(const char *sid)
{
    uint64_t h = 14695981039346656037ULL;
    for (; *sid; sid++)
        h = (h ^ (unsigned char)*sid) * 1099511628211ULL;
    return h ^ h >> 29;
}

static struct message **slot_of(const struct messages *messages, const char *sid)
{
    size_t at = hash(sid) & (messages->slots - 1);
    while (messages->table[at] && strcmp(messages->table[at]->sid, sid) != 0)
        at = (at + 1) & (messages->slots - 1);
    return &messages->table[at];
}

static void grow(struct messages *messages)
{
    struct message **old = messages->table;
    size_t slots = messages->slots;
    messages->slots = slots * 2;
    messages->table = stand_alloc(messages->slots * sizeof(struct message *));
    for (size_t i = 0; i < slots; i++) {
        if (old[i])
            *slot_of(messages, old[i]->sid) = old[i];
    }
    free(old);
}

static void append(struct account *account, struct message *message)
{
    if (account->message_count == account->message_cap) {
        account->message_cap = account->message_cap ? account->message_cap * 2 : 64;
        struct message **grown =
            realloc(account->messages, account->message_cap * sizeof(struct message *));
        if (!grown)
            abort();
        account->messages = grown;
    }
    account->messages[account->message_count++] = message;
}

static char *copy(const char *text)
{
    return text ? stand_copy(text, strlen(text)) : NULL;
}

static void add_media(struct message *message, const struct message_draft *draft)
{
    message->media = draft->media < MEDIA_MAX ? draft->media : MEDIA_MAX;
    if (message->media > 0)
        message->medium = stand_alloc((size_t)message->media * sizeof *message->medium);
    for (int i = 0; i < message->media; i++) {
        const char *type = draft->media_types[i];
        stand_sid(message->medium[i].sid, "ME");
        message->medium[i].type = copy(type ? type : "application/octet-stream");
    }
}

struct message *messages_add(struct messages *messages, const struct message_draft *draft)
{
    if (messages->count == messages->max)
        return NULL;
    if ((messages->count + 1) * 2 > messages->slots)
        grow(messages);
    struct message *message = stand_alloc(sizeof *message);
    message->references = 1;
    message->account = draft->account;
    message->inbound = draft->inbound;
    message->from = copy(draft->from);
    message->to = copy(draft->to);
    message->body =
        stand_copy(draft->body ? draft->body : "", draft->body ? strlen(draft->body) : 0);
    message->service = copy(draft->service);
    message->callback = copy(draft->callback);
    add_media(message, draft);
    message->segments = stand_segments(message->body, strlen(message->body));
    if (message->segments == 0)
        message->segments = 1;
    message->created_ms = messages_now_ms();
    message->sent_ms = draft->inbound ? message->created_ms : 0;
    message->status = draft->inbound ? "received" : draft->service ? "accepted" : "queued";
    if (draft->sid)
        memcpy(message->sid, draft->sid, sizeof message->sid);
    else
        stand_sid(message->sid, draft->media ? "MM" : "SM");
    *slot_of(messages, message->sid) = message;
    messages->count++;
    append(draft->account, message);
    return message;
}

struct message *messages_find(const struct messages *messages, const char *sid)
{
    return *slot_of(messages, sid);
}

size_t messages_count(const struct messages *messages)
{
    return messages->count;
}

void message_release(struct message *message)
{
    if (--message->references > 0)
        return;
    free(message->from);
    free(message->to);
    free(message->body);
    free(message->service);
    free(message->callback);
    for (int i = 0; i < message->media; i++)
        free(message->medium[i].type);
    free(message->medium);
    free(message);
}

void messages_reset(struct messages *messages, struct accounts *accounts)
{
    for (size_t i = 0; i < accounts->count; i++)
        accounts->list[i].message_count = 0;
    for (size_t i = 0; i < messages->slots; i++) {
        if (messages->table[i])
            message_release(messages->table[i]);
        messages->table[i] = NULL;
    }
    messages->count = 0;
}

static int rank(const char *status)
{
    static const char *const order[] = {"accepted", "queued", "sending", "sent"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(order[i], status) == 0)
            return i;
    }
    return 4;
}

void message_advance(struct message *message, const char *status, int error_code)
{
    if (rank(status) <= rank(message->status))
        return;
    message->status = status;
    message->error_code = error_code;
    if (!message->from && message->account->number_count)
        message->from = copy(message->account->numbers[0]);
    if (!message->sent_ms && strcmp(status, "failed") != 0 && rank(status) >= 3)
        message->sent_ms = messages_now_ms();
}

void message_date(const char *name, int64_t ms, struct stand_buf *out)
{
    char text[64] = "null";
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (ms && gmtime_r(&seconds, &parts))
        strftime(text, sizeof text, "\"%a, %d %b %Y %H:%M:%S +0000\"", &parts);
    stand_buf_printf(out, ",\"%s\":%s", name, text);
}

static void add_text(const char *name, const char *text, struct stand_buf *out)
{
    stand_buf_printf(out, ",\"%s\":", name);
    stand_buf_json_text(out, text);
}

void message_json(const struct message *message, struct stand_buf *out)
{
    const char *account = message->account->sid;
    stand_buf_printf(out, "{\"account_sid\":\"%s\",\"api_version\":\"2010-04-01\"", account);
    add_text("body", message->body, out);
    message_date("date_created", message->created_ms, out);
    message_date("date_sent", message->sent_ms, out);
    message_date("date_updated", message->sent_ms ? message->sent_ms : message->created_ms, out);
    add_text("direction", message->inbound ? "inbound" : "outbound-api", out);
    if (message->error_code)
        stand_buf_printf(out, ",\"error_code\":%d,\"error_message\":\"Delivery failed\"",
                         message->error_code);
    else
        stand_buf_puts(out, ",\"error_code\":null,\"error_message\":null");
    add_text("from", message->from, out);
    add_text("messaging_service_sid", message->service, out);
    stand_buf_printf(out, ",\"num_media\":\"%d\",\"num_segments\":\"%d\"", message->media,
                     message->segments);
    stand_buf_printf(out, ",\"price\":null,\"price_unit\":\"USD\",\"sid\":\"%s\"", message->sid);
    add_text("status", message->status, out);
    stand_buf_printf(out,
                     ",\"subresource_uris\":{\"media\":"
                     "\"/2010-04-01/Accounts/%s/Messages/%s/Media.json\"}",
                     account, message->sid);
    add_text("to", message->to, out);
    stand_buf_printf(out, ",\"uri\":\"/2010-04-01/Accounts/%s/Messages/%s.json\"}", account,
                     message->sid);
}
