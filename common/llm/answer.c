/* What all dialects share: the request's frame, and an answer as it grows, from the bytes of an
 * event to the verdict. llm.c calls it; chat.c, gemini.c and anthropic.c know the members. */
#include <string.h>

#include "base/text.h"
#include "llm/llm_inside.h"

static const struct llm_wire *const wires[] = {[LLM_CHAT] = &llm_wire_chat,
                                               [LLM_GEMINI] = &llm_wire_gemini,
                                               [LLM_ANTHROPIC] = &llm_wire_anthropic};

const struct llm_wire *llm_wire_of(enum llm_dialect dialect)
{
    return wires[dialect];
}

bool llm_dialect_named(const char *name, enum llm_dialect *dialect)
{
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (strcmp(wires[i]->name, name) == 0) {
            *dialect = (enum llm_dialect)i;
            return true;
        }
    return false;
}

/* ---- request ---- */

static void add_value(struct json_writer *w, const struct json *member)
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    json_print(member, &text);
    json_add_raw(w, json_name(member), text.data);
    strbuf_fini(&text);
}

void llm_extra_write(const struct json *extra, const char *except, struct json_writer *w)
{
    for (const struct json *m = json_first(extra); m != NULL; m = json_next(m))
        if (except == NULL || strcmp(json_name(m), except) != 0)
            add_value(w, m);
}

void llm_request_write(const struct llm_request *request, struct strbuf *out)
{
    const struct llm_wire *wire = llm_wire_of(request->dialect);
    struct json *extra = NULL;
    struct json_writer w;
    if (request->extra != NULL)
        (void)json_parse(request->extra, strlen(request->extra), &extra, NULL);
    json_writer_init(&w, out);
    json_open_object(&w, NULL);
    wire->write_members(request, extra, &w);
    llm_extra_write(extra, wire->own_extra, &w);
    json_close_object(&w);
    json_free(&extra);
}

static void add_part(const char *type, const char *text, struct json_writer *w)
{
    json_open_object(w, NULL);
    if (type != NULL)
        json_add_text(w, "type", type);
    json_add_text(w, "text", text);
    json_close_object(w);
}

void llm_system_write(const struct llm_request *request, const char *name, const char *type,
                      struct json_writer *w)
{
    bool open = false;
    for (size_t i = 0; i < request->message_count; i++) {
        if (request->messages[i].role != LLM_SYSTEM)
            continue;
        if (!open)
            json_open_array(w, name);
        open = true;
        add_part(type, request->messages[i].text, w);
    }
    if (open)
        json_close_array(w);
}

/* Stands where a conversation was begun by the business. */
static const char nobody_asked[] = "(The business wrote first.)";

static void open_turn(const struct llm_turns *names, enum llm_role role, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_add_text(w, "role", role == LLM_USER ? "user" : names->assistant);
    json_open_array(w, names->parts);
}

static void close_turn(struct json_writer *w)
{
    json_close_array(w);
    json_close_object(w);
}

void llm_turns_write(const struct llm_request *request, const struct llm_turns *names,
                     struct json_writer *w)
{
    enum llm_role last = LLM_SYSTEM;
    json_open_array(w, names->array);
    for (size_t i = 0; i < request->message_count; i++) {
        const struct llm_message *message = &request->messages[i];
        if (message->role == LLM_SYSTEM)
            continue;
        if (last == LLM_SYSTEM && message->role == LLM_ASSISTANT) {
            open_turn(names, LLM_USER, w);
            add_part(names->type, nobody_asked, w);
            last = LLM_USER;
        }
        if (message->role != last) {
            if (last != LLM_SYSTEM)
                close_turn(w);
            open_turn(names, message->role, w);
            last = message->role;
        }
        add_part(names->type, message->text, w);
    }
    if (last != LLM_SYSTEM)
        close_turn(w);
    json_close_array(w);
}

/* ---- answer ---- */

void llm_answer_init(struct llm_answer *answer, size_t text_max_bytes)
{
    *answer = (struct llm_answer){
        .finish = LLM_OTHER, .tokens_in = -1, .tokens_out = -1, .tokens_cached = -1};
    strbuf_init(&answer->text, text_max_bytes);
}

void llm_answer_fini(struct llm_answer *answer)
{
    strbuf_fini(&answer->text);
}

int llm_answer_add_text(struct llm_answer *answer, const char *text, struct err *err)
{
    if (text != NULL)
        strbuf_add_text(&answer->text, text);
    answer->alive |= answer->text.length > 0;
    return answer->text.overflow
               ? err_set(err, ERR_FALL_BACK, "llm.too_long_answer",
                         "the answer is longer than %zu bytes", answer->text.length)
               : 0;
}

void llm_answer_keep(char name[LLM_NAME_MAX], const char *value)
{
    if (value != NULL && name[0] == '\0')
        memcpy(name, value, text_utf8_prefix(value, LLM_NAME_MAX - 1));
}

int llm_answer_finish(struct llm_answer *answer, const struct llm_finish_word *words, size_t count,
                      const char *word, struct err *err)
{
    if (word == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].word, word) != 0)
            continue;
        if (words[i].kind == FINISH_TOO_LONG)
            return err_set(err, ERR_FALL_BACK, "llm.too_long", "the model's window is full");
        if (words[i].kind == FINISH_BROKEN)
            return err_set(err, ERR_RETRY_LATER, "llm.unavailable",
                           "the provider gave up inside its answer");
        answer->finish = words[i].finish;
    }
    answer->finished = true;
    return 0;
}

static int take_document(struct llm_answer *answer, const struct llm_wire *wire,
                         const struct json *document, struct err *err)
{
    struct llm_fault fault = {.status = 200};
    if (llm_fault_read(document, &fault))
        return llm_classify(&fault, err);
    if (json_type(document) != JSON_OBJECT)
        return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer is no JSON object");
    return wire->take(answer, document, err);
}

int llm_answer_take(struct llm_answer *answer, const struct llm_wire *wire, const char *bytes,
                    size_t length, struct err *err)
{
    if (length == 6 && memcmp(bytes, "[DONE]", 6) == 0) {
        answer->done = true;
        return 0;
    }
    struct json *document = NULL;
    struct err why;
    if (json_parse(bytes, length, &document, &why) != 0)
        return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer is no JSON (%s)", why.code);
    int result = take_document(answer, wire, document, err);
    json_free(&document);
    return result;
}

static bool is_blank(const struct strbuf *text)
{
    return text->length == 0 || strspn(text->data, " \t\r\n") == text->length;
}

int llm_answer_judge(const struct llm_answer *answer, bool cut, struct err *err)
{
    if (answer->refused || answer->finish == LLM_FILTERED)
        return err_set(err, ERR_PERMANENT, "llm.filtered", "the model declined to answer");
    if (!answer->finished && !answer->done) {
        if (!answer->recognised && !cut)
            return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer holds no chunk");
        return err_set(err, ERR_RETRY_LATER, "llm.truncated", "the answer ended in the middle");
    }
    if (is_blank(&answer->text))
        return err_set(err, ERR_FALL_BACK, "llm.empty", "the answer holds no text");
    return 0;
}
