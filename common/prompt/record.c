/* Writing and reading the record of a prompt. The engine writes it with the commit, `deskctl prompt
 * show` reads it. */
#include "prompt/record.h"

#include "base/text.h"
#include "crypto/crypto.h"

#include <string.h>

#define RECORD_MAX   ((size_t)512 * 1024)
#define MESSAGES_MAX ((size_t)16 * 1024 * 1024)

static const char *const roles[] = {[LLM_SYSTEM] = "system",
                                    [LLM_USER] = "user",
                                    [LLM_ASSISTANT] = "assistant",
                                    [LLM_TOOL] = "tool"};

static void add_calls(struct json_writer *w, const struct llm_message *message)
{
    if (message->call_count == 0)
        return;
    json_open_array(w, "calls");
    for (size_t i = 0; i < message->call_count; i++) {
        json_open_object(w, NULL);
        json_add_text(w, "tool", message->calls[i].name);
        json_add_text(w, "arguments", message->calls[i].arguments);
        json_close_object(w);
    }
    json_close_array(w);
}

void record_add_messages(struct json_writer *w, const char *name, const struct prompt *prompt)
{
    json_open_array(w, name);
    for (size_t i = 0; i < prompt->count; i++) {
        const struct llm_message *message = &prompt->messages[i];
        json_open_object(w, NULL);
        json_add_text(w, "role", roles[message->role]);
        json_add_text(w, "text", message->text);
        add_calls(w, message);
        if (message->role == LLM_TOOL) {
            json_add_text(w, "tool", message->tool_name);
            json_add_bool(w, "error", message->is_error);
        }
        json_close_object(w);
    }
    json_close_array(w);
}

void record_digest(const struct prompt *prompt, char out[RECORD_DIGEST_SIZE])
{
    struct strbuf text, hex;
    struct json_writer w;
    uint8_t hash[CRYPTO_SHA256_BYTES];
    strbuf_init(&text, MESSAGES_MAX);
    strbuf_init(&hex, RECORD_DIGEST_SIZE);
    json_writer_init(&w, &text);
    record_add_messages(&w, NULL, prompt);
    crypto_sha256(text.data, text.length, hash);
    text_add_hex(&hex, hash, sizeof hash);
    memcpy(out, hex.data, RECORD_DIGEST_SIZE);
    strbuf_fini(&text);
    strbuf_fini(&hex);
}

/* ---- writing ---- */

static void add_numbers(struct json_writer *w, const char *name, const int64_t *numbers,
                        size_t count)
{
    json_open_array(w, name);
    for (size_t i = 0; i < count; i++)
        json_add_int(w, NULL, numbers[i]);
    json_close_array(w);
}

static void add_text(struct json_writer *w, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        json_add_text(w, name, text);
}

const char *record_write(struct arena *arena, const struct prompt_parts *parts,
                         const struct prompt *prompt, const struct record_call *call)
{
    struct strbuf out;
    struct json_writer w;
    char digest[RECORD_DIGEST_SIZE];
    strbuf_init(&out, RECORD_MAX);
    json_writer_init(&w, &out);
    json_open_object(&w, NULL);
    json_add_text(&w, "channel", prompt_channel_names[parts->channel]);
    add_text(&w, "summary", parts->summary);
    add_text(&w, "earlier", parts->earlier);
    add_text(&w, "told", parts->told);
    json_open_array(&w, "tools");
    for (size_t i = 0; i < parts->tool_count; i++)
        json_add_text(&w, NULL, parts->tools[i].name);
    json_close_array(&w);
    json_add_bool(&w, "no_more_tools", call->no_more_tools);
    add_numbers(&w, "past", prompt->past, prompt->past_count);
    add_numbers(&w, "open", prompt->open, prompt->open_count);
    json_open_array(&w, "rounds");
    for (size_t i = 0; i < parts->rounds->count; i++)
        json_add_int(&w, NULL, parts->rounds->items[i]->number);
    json_close_array(&w);
    json_add_int(&w, "claimed", call->claimed);
    json_add_int(&w, "version", call->version);
    json_add_int(&w, "tokens", prompt->tokens);
    record_digest(prompt, digest);
    json_add_text(&w, "sha256", digest);
    json_close_object(&w);
    const char *text = out.overflow ? NULL : arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return text;
}

/* ---- reading ---- */

static void read_tools(struct arena *arena, const struct json *names, struct record *record)
{
    record->tools = arena_alloc(arena, (json_count(names) + 1) * sizeof *record->tools);
    for (const struct json *n = json_first(names); n != NULL; n = json_next(n))
        if (json_text(n) != NULL)
            record->tools[record->tool_count++] = arena_strdup(arena, json_text(n));
}

static void read_rounds(struct arena *arena, const struct json *numbers, struct record *record)
{
    record->rounds = arena_alloc(arena, (json_count(numbers) + 1) * sizeof *record->rounds);
    for (const struct json *n = json_first(numbers); n != NULL; n = json_next(n))
        record->rounds[record->round_count++] = (int64_t)json_number(n);
}

/* Records from before channels had rules of their own name none: with texts' they were all built.
 */
static bool read_channel(const struct json *document, struct record *record)
{
    const char *name = json_member_text(document, "channel");
    record->channel = PROMPT_SMS;
    return name == NULL || prompt_channel_named(name, &record->channel);
}

static size_t count_of(const struct json *object, const char *name)
{
    const struct json *list = json_member(object, name);
    return list != NULL ? json_count(list) : 0;
}

int record_read(struct arena *arena, const char *text, struct record *record, struct err *err)
{
    struct json *document = NULL;
    struct record read = {.told = NULL};
    if (json_parse(text, strlen(text), &document, err) != 0)
        return -1;
    const char *digest = json_member_text(document, "sha256");
    bool good = digest != NULL && json_member(document, "tools") != NULL &&
                json_member(document, "rounds") != NULL && read_channel(document, &read) &&
                json_member_int(document, "claimed", 0, INT64_MAX, &read.claimed) &&
                json_member_int(document, "version", 1, INT32_MAX, &read.version) &&
                json_member_int(document, "tokens", 0, INT64_MAX, &read.tokens);
    if (good) {
        read.summary = arena_strdup(arena, json_member_text(document, "summary"));
        read.earlier = arena_strdup(arena, json_member_text(document, "earlier"));
        read.told = arena_strdup(arena, json_member_text(document, "told"));
        read.digest = arena_strdup(arena, digest);
        read.no_more_tools = json_member_bool(document, "no_more_tools", false);
        read.past_count = count_of(document, "past");
        read.open_count = count_of(document, "open");
        read_tools(arena, json_member(document, "tools"), &read);
        read_rounds(arena, json_member(document, "rounds"), &read);
        *record = read;
    }
    json_free(&document);
    return good ? 0
                : err_set(err, ERR_PERMANENT, "prompt.record",
                          "the turn's record of its prompt is not of a form that is known here");
}
