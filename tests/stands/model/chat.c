/*
 * Reading a request for an answer: the part that all formats share. The JSON lives only while it is
 * read: an open stream keeps its reply and a few numbers. Called by model.c for every such POST.
 */
#include "stands/model/chat.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/model/wire.h"

enum { REPLY_MAX = 64 * 1024, LEDGER_NONCES = 10, PROBLEM_MAX = 512 };

bool chat_refuse(struct chat *chat, const char *param, const char *format, ...)
{
    char problem[PROBLEM_MAX];
    va_list list;
    if (chat->problem)
        return false;
    va_start(list, format);
    vsnprintf(problem, sizeof problem, format, list);
    va_end(list);
    chat->problem = stand_copy(problem, strlen(problem));
    chat->param = param ? stand_copy(param, strlen(param)) : NULL;
    return false;
}

void chat_set_model(struct chat *chat, const char *name, size_t len)
{
    len = stand_utf8_prefix(name, len, CHAT_MODEL_MAX);
    if (len > CHAT_MODEL_MAX)
        len = CHAT_MODEL_MAX;
    memcpy(chat->model, name, len);
}

static void *grown(void *old, size_t count, size_t room, size_t size)
{
    void *more = stand_alloc(room * size);
    if (count)
        memcpy(more, old, count * size);
    free(old);
    return more;
}

void chat_say(struct chat *chat, enum stand_role role, bool calls_tools, char *text)
{
    if (chat->count == chat->room) {
        chat->room = chat->room ? chat->room * 2 : 16;
        chat->messages = grown(chat->messages, chat->count, chat->room, sizeof chat->messages[0]);
        chat->texts = grown(chat->texts, chat->count, chat->room, sizeof chat->texts[0]);
    }
    chat->texts[chat->count] = text;
    chat->messages[chat->count++] =
        (struct stand_message){.role = role, .calls_tools = calls_tools, .text = text};
    chat->prompt_chars += strlen(text);
    chat->has_tool_result = role == STAND_TOOL;
}

static void write_params(const struct chat *chat, struct stand_buf *params)
{
    const char *last = stand_last_user(chat->messages, chat->count);
    size_t shown = strlen(last);
    if (shown > CHAT_LAST_MAX) {
        shown = CHAT_LAST_MAX;
        while (shown > 0 && ((unsigned char)last[shown] & 0xc0) == 0x80)
            shown--;
    }
    stand_buf_puts(params, "{\"model\":");
    stand_buf_json_text(params, chat->model);
    stand_buf_printf(params, ",\"messages\":%zu,\"last_user\":", chat->turns);
    stand_buf_json(params, last, shown);
    stand_buf_puts(params, ",\"nonces\":");
    stand_nonce_json(chat->messages, chat->count, LEDGER_NONCES, params);
    stand_buf_printf(params, ",\"dialect\":\"%s\"}", chat->wire->name);
}

static void make_reply(struct chat *chat)
{
    struct stand_buf reply;
    stand_buf_init(&reply, REPLY_MAX);
    stand_nonce_reply(chat->messages, chat->count, &reply);
    chat->reply = reply.data;
    chat->directive = stand_faults_directive(stand_last_user(chat->messages, chat->count));
}

/* Most requests hold no instruction. */
static void read_orders(struct chat *chat, const cJSON *root, const char *body, size_t len)
{
    size_t results = 0;
    if (!memmem(body, len, "INJECT:", strlen("INJECT:")))
        return;
    for (size_t i = stand_new_messages(chat->messages, chat->count); i < chat->count; i++)
        results += chat->messages[i].role == STAND_TOOL;
    obey_read(root, results, &chat->obeyed);
}

static void forget_messages(struct chat *chat)
{
    for (size_t i = 0; i < chat->count; i++)
        free(chat->texts[i]);
    free(chat->texts);
    free(chat->messages);
    chat->texts = NULL;
    chat->messages = NULL;
    chat->count = chat->room = 0;
}

struct chat *chat_parse(const struct wire *wire, const struct stand_exchange *x,
                        struct stand_buf *params)
{
    struct chat *chat = stand_alloc(sizeof *chat);
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(body, len, &end, false);
    while (root && end < body + len && strchr(" \t\r\n", *end) && *end)
        end++;
    chat->wire = wire;
    if (cJSON_IsObject(root) && end == body + len)
        wire->read(chat, x, root);
    else
        chat_refuse(chat, NULL, "%s", wire->not_json);
    if (!chat->problem)
        read_orders(chat, root, body, len);
    cJSON_Delete(root);
    if (!chat->problem) {
        make_reply(chat);
        write_params(chat, params);
    }
    forget_messages(chat);
    return chat;
}

void chat_free(struct chat *chat)
{
    if (!chat)
        return;
    stand_action_release(chat->directive);
    free(chat->problem);
    free(chat->param);
    free(chat->reply);
    obey_fini(&chat->obeyed);
    free(chat);
}
